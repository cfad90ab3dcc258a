"""headers: a header block's octets to fields, and the values of fields to text.

A leaf, pure and total: any octets give an answer, in linear time. The `email` package is not used, because it is slow: every
message is read here, by one pass of one regular expression.
"""

from __future__ import annotations

import binascii
import re
from encodings.aliases import aliases

from sieveav import limits

# ---- fields

_EMPTY_LINE = re.compile(rb"\r?\n")
_HEADER_END = re.compile(rb"\n\r?\n")
# RFC 5322, 3.6.8: a name is printable ASCII without colon; 4.5.8: white space may come before the colon. Everything is
# possessive except the end of the last line, which gives back its CR: linear, and no recursion on long folding.
_FIELD = re.compile(r"^([!-9;-~]++)[ \t]*+:((?:.*+\n[ \t])*+.*)(?<!\r)", re.MULTILINE)
_FOLD = re.compile(r"\r?\n(?=[ \t])")


def ends(raw: bytes, start: int, end: int) -> tuple[int, int]:
    """The end of the header block that begins at `start`, and the start of the body: before and after the first empty line
    (RFC 5322, 2.1), or both `end` if there is no empty line."""
    empty = _EMPTY_LINE.match(raw, start, end)
    if empty:
        return start, empty.end()
    empty = _HEADER_END.search(raw, start, end)
    return (empty.start() + 1, empty.end()) if empty else (end, end)


def header_end(raw: bytes) -> tuple[int, int]:
    """The end of the header block, its last line end included, and the start of the body.

    They are before and after the first empty line (RFC 5322, 2.1); without one, everything is header. The block is cut at
    limits.HEADER_BLOCK, which does not move the start of the body.
    """
    stop, body = ends(raw, 0, len(raw))
    return min(stop, limits.HEADER_BLOCK), body


def newline_of(raw: bytes) -> bytes:
    """The line end of a message: that of its first line, or CRLF if it has no line end."""
    first = raw.find(b"\n")
    return b"\n" if first == 0 or (first > 0 and raw[first - 1] != 13) else b"\r\n"


def fields(raw: bytes) -> list[tuple[str, str]]:
    """The fields of the header block `raw`: name as written, value with its folding and without its last line end.

    Fields are read as UTF-8 (RFC 6532), with U+FFFD for other octets. Lines that are not a field, such as an mbox `From `,
    are ignored.
    """
    return _FIELD.findall(raw.decode("utf-8", "replace"))


_LINES = re.compile(rb"^([!-9;-~]++)[ \t]*+:(?>(?:.*+\n[ \t])*).*+\n?", re.MULTILINE)


def field_spans(header: bytes) -> list[tuple[str, int, int]]:
    """The positions of `fields(header)`: lower-case name, offset of the first octet, end of the last line."""
    return [(match[1].decode("ascii").lower(), match.start(), match.end()) for match in _LINES.finditer(header)]


_NO_BEGIN = re.compile(rb"(?>(?:[ \t].*+(?:\n|\Z))*)")


def begin(header: bytes) -> int:
    """The offset of the first line that is not a continuation line: lines before it belong to no field."""
    match = _NO_BEGIN.match(header)
    return match.end() if match else 0


_STRAY = re.compile(rb"\r(?!\n)|\0")


def field_octets(header: bytes, newline: bytes) -> list[tuple[str, bytes]]:
    """The fields of `fields(header)` in a form that can be copied into another header: lower-case name, and octets with
    `newline` at the end, without white space before the colon (RFC 5322, 4.5), and with a space for each NUL and stray CR,
    which some mail clients take for a line end."""
    copies = []
    for name, begin, end in field_spans(header):
        octets = _STRAY.sub(b" ", header[begin:end].removesuffix(b"\n").removesuffix(b"\r"))
        before, colon, value = octets.partition(b":")
        copies.append((name, before.rstrip() + colon + value + newline))
    return copies


def unfold(value: str) -> str:
    """The value on one line, without white space around it (RFC 5322, 2.2.3)."""
    if "\n" in value:
        value = _FOLD.sub("", value)
    return value.strip(" \t\r\n")


_KEYWORD = re.compile(r"(?>(?:[^\S\n]|\([^()]*+\))*)([^\s();]*+)")


def keyword(value: str) -> str:
    """The first word of a field's value such as `auto-replied (vacation)`, without comments and parameters, in lower case;
    "" if there is none."""
    match = _KEYWORD.match(unfold(value))
    return match[1].lower() if match else ""


# ---- charsets

# A closed table: for a name that an attacker invents, Python would look for a module and remember it. Codecs that do not
# decode to text are left out; those that are quadratic or warn (punycode, idna, unicode_escape) have no alias.
_MORE_CHARSETS = ("cp1006", "cp720", "cp737", "cp856", "cp874", "cp875", "koi8_t", "koi8_u", "utf_8_sig")
_CHARSETS = {
    name: codec
    for name, codec in {**aliases, **{codec: codec for codec in aliases.values()}}.items()
    if not codec.endswith("_codec") and codec not in {"mbcs", "rot_13", "tactis"}
}
_CHARSETS |= dict(zip(_MORE_CHARSETS, _MORE_CHARSETS, strict=True))
_CHARSETS |= {"ascii": "utf_8", "us_ascii": "utf_8"}  # a superset, and the encoding of most unlabelled 8-bit text
_CHARSETS |= {"gb2312": "gb18030", "iso_8859_8_i": "iso8859_8", "windows_874": "cp874", "x_sjis": "cp932"}
_BREAKS = dict.fromkeys(map(ord, "\0\r\n"), " ")


def codec_of(charset: str) -> str:
    """The codec of a charset by its name in mail, "" if it is unknown."""
    return _CHARSETS.get(charset.strip().lower().replace("-", "_"), "")


def characters(data: bytes, codec: str) -> str:
    """The characters of `data`, with U+FFFD for invalid octets; the codec "" is UTF-8."""
    text = data.decode(codec or "utf_8", "replace")
    if codec == "utf_7":  # the only codec that gives lone surrogates, which cannot be written
        text = text.encode("utf-8", "replace").decode("utf-8")
    return text


def without_breaks(text: str) -> str:
    """`text` with spaces for its line breaks and NULs; other control characters remain, because tests may look for them."""
    return text if text.isprintable() else text.translate(_BREAKS)


# ---- encoded-words

# RFC 2047, 2; RFC 2231, 5 adds `*language`. Each part stops at `?`, so none is read more than four times.
_WORD = re.compile(r"=\?([^?*\s]++)(?:\*[^?\s]*+)?\?([BbQq])\?([^?\r\n]*+)\?=")


def _word(encoding: str, text: str) -> bytes | None:
    try:
        data = text.encode("ascii")
        if encoding in "Qq":
            return binascii.a2b_qp(data, header=True)
        data = data.rstrip(b"=")
        return binascii.a2b_base64(data + b"=" * (-len(data) % 4), strict_mode=True)
    except ValueError:  # binascii.Error and UnicodeEncodeError are ValueErrors
        return None


def decode_words(value: str) -> str:
    """The value with its encoded-words decoded (RFC 2047); those that cannot be decoded remain.

    A decoded CR, LF or NUL becomes a space, so no encoded-word adds a line break. Adjacent encoded-words with the same
    charset are decoded together, because some senders split them within a character.
    """
    if "=?" not in value:
        return value
    out: list[str] = []
    run: list[bytes] = []
    codec, at = "", 0
    for word in _WORD.finditer(value):
        charset, data = codec_of(word[1]), _word(word[2], word[3])
        if not charset or data is None:
            continue
        between = value[at : word.start()]
        adjacent = at > 0 and not between.strip(" \t\r\n")  # RFC 2047, 6.2: white space between them is ignored
        if not adjacent or charset != codec:
            out.append(without_breaks(characters(b"".join(run), codec)))
            run.clear()
        if not adjacent:
            out.append(between)
        run.append(data)
        codec, at = charset, word.end()
    return "".join([*out, without_breaks(characters(b"".join(run), codec)), value[at:]])
