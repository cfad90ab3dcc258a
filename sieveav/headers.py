"""headers: a header block's octets to fields, and the values of fields to text.

A leaf, pure and total: any octets give an answer, in linear time. The `email` package is not used: every message passes
here, and one pass of one regular expression is what it costs.
"""

from __future__ import annotations

import binascii
import re
from encodings.aliases import aliases

from sieveav import limits

# ---- fields

_EMPTY_LINE = re.compile(rb"\r?\n")
_HEADER_END = re.compile(rb"\n\r?\n")
# RFC 5322, 3.6.8: a name is printable ASCII without colon; 4.5.8: white space may stand before the colon. The groups
# are possessive save the last line's end, which gives back its CR: linear, and no stack however long the folding.
_FIELD = re.compile(r"^([!-9;-~]++)[ \t]*+:((?:.*+\n[ \t])*+.*)(?<!\r)", re.MULTILINE)
_FOLD = re.compile(r"\r?\n(?=[ \t])")


def ends(raw: bytes, start: int, end: int) -> tuple[int, int]:
    """Where the header block that begins at `start` ends, and where the body begins: the sides of the first empty line
    (RFC 5322, 2.1), both `end` where there is none."""
    empty = _EMPTY_LINE.match(raw, start, end)
    if empty:
        return start, empty.end()
    found = _HEADER_END.search(raw, start, end)
    return (found.start() + 1, found.end()) if found else (end, end)


def header_end(raw: bytes) -> tuple[int, int]:
    """The end of the header block, its last line end included, and the start of the body.

    They are the two sides of the first empty line (RFC 5322, 2.1); without one all is header. The block is cut at
    limits.HEADER_BLOCK, the body is not moved by that.
    """
    stop, body = ends(raw, 0, len(raw))
    return min(stop, limits.HEADER_BLOCK), body


def newline_of(raw: bytes) -> bytes:
    """The line end of a message: that of its first line, CRLF where it has none."""
    first = raw.find(b"\n")
    return b"\n" if first == 0 or (first > 0 and raw[first - 1] != 13) else b"\r\n"


def fields(raw: bytes) -> list[tuple[str, str]]:
    """The fields of the header block `raw`: name as written, value with its folding and without its last line end.

    ASCII, or else UTF-8 (RFC 6532) with U+FFFD for what is none. Lines that are no field, such as an mbox `From `, are
    passed over.
    """
    return _FIELD.findall(raw.decode("utf-8", "replace"))


_LINES = re.compile(rb"^([!-9;-~]++)[ \t]*+:(?>(?:.*+\n[ \t])*).*+\n?", re.MULTILINE)


def field_spans(header: bytes) -> list[tuple[str, int, int]]:
    """Where each field of `fields(header)` is: its lower-case name, its first octet and the end of its last line."""
    return [(found[1].decode("ascii").lower(), found.start(), found.end()) for found in _LINES.finditer(header)]


_NO_BEGIN = re.compile(rb"(?>(?:[ \t].*+(?:\n|\Z))*)")


def begin(header: bytes) -> int:
    """Where the first line of the header block is that is not folded: lines before it belong to no field."""
    found = _NO_BEGIN.match(header)
    return found.end() if found else 0


_STRAY = re.compile(rb"\r(?!\n)|\0")


def field_octets(header: bytes, newline: bytes) -> list[tuple[str, bytes]]:
    """The fields of `fields(header)` as they may be written into another header: their lower-case names, and their octets
    with `newline` at the end, without white space before the colon (RFC 5322, 4.5), and with a space for what some readers
    take for the end of a line."""
    written = []
    for name, begin, end in field_spans(header):
        octets = _STRAY.sub(b" ", header[begin:end].removesuffix(b"\n").removesuffix(b"\r"))
        before, colon, value = octets.partition(b":")
        written.append((name, before.rstrip() + colon + value + newline))
    return written


def unfold(value: str) -> str:
    """The value on one line, without white space around it (RFC 5322, 2.2.3)."""
    if "\n" in value:
        value = _FOLD.sub("", value)
    return value.strip(" \t\r\n")


# ---- charsets

# A closed table: for a name an attacker invents the interpreter would look for a module, and remember it. Codecs that
# are not of text are left out; those quadratic or noisy (punycode, idna, unicode_escape) have no alias.
_MORE_CHARSETS = ("cp1006", "cp720", "cp737", "cp856", "cp874", "cp875", "koi8_t", "koi8_u", "utf_8_sig")
_CHARSETS = {
    name: codec
    for pairs in (aliases.items(), zip(aliases.values(), aliases.values(), strict=True))
    for name, codec in pairs
    if not codec.endswith("_codec") and codec not in {"mbcs", "rot_13", "tactis"}
}
_CHARSETS |= dict(zip(_MORE_CHARSETS, _MORE_CHARSETS, strict=True))
_CHARSETS |= {"ascii": "utf_8", "us_ascii": "utf_8"}  # a superset, and what unlabelled 8-bit text mostly is
_CHARSETS |= {"gb2312": "gb18030", "iso_8859_8_i": "iso8859_8", "windows_874": "cp874", "x_sjis": "cp932"}
_BREAKS = dict.fromkeys(map(ord, "\0\r\n"), " ")


def codec_of(charset: str) -> str:
    """The codec of a charset by the name that mail gives it, "" for one not known."""
    return _CHARSETS.get(charset.strip().lower().replace("-", "_"), "")


def characters(data: bytes, codec: str) -> str:
    """The characters of `data`, U+FFFD for what is none; UTF-8 for the codec ""."""
    text = data.decode(codec or "utf_8", "replace")
    if codec == "utf_7":  # the one codec that lets half of a surrogate pair through, which nothing can write
        text = text.encode("utf-8", "replace").decode("utf-8")
    return text


def one_line(text: str) -> str:
    """`text` with spaces for its line breaks and NULs."""
    return text if text.isprintable() else text.translate(_BREAKS)


# ---- encoded words

# RFC 2047, 2; RFC 2231, 5 adds `*language`. Each piece stops at `?`, so none is read more than four times.
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
    """The value with its encoded words decoded (RFC 2047); what cannot be decoded stands as it is.

    A decoded CR, LF or NUL becomes a space: no word brings a line break. Neighbours of one charset are decoded as one,
    for senders that cut within a character.
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
        adjacent = at > 0 and not between.strip(" \t\r\n")  # RFC 2047, 6.2: white space between words is not shown
        if not adjacent or charset != codec:
            out.append(one_line(characters(b"".join(run), codec)))
            run.clear()
        if not adjacent:
            out.append(between)
        run.append(data)
        codec, at = charset, word.end()
    return "".join([*out, one_line(characters(b"".join(run), codec)), value[at:]])
