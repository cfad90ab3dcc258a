"""headers: a header block's octets to fields, and the values of fields to text.

A leaf, pure and total: any octets give an answer, in linear time. The `email` package is not used, because it is slow: every
message is read here, by one pass of one regular expression.
"""

from __future__ import annotations

import binascii
import re
from encodings.aliases import aliases
from functools import cache

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


_EARLY_ENDS = (
    re.compile(rb"\n(?!From [^\n]*+\n(?!\Z)|[ \t]|[!-9;-~]*+:|\r?+\Z)"),  # Python's email
    re.compile(rb"\n(?!>?From |[ \t]|[^: \t\n]*+:|\r?+\Z)"),  # mutt
    re.compile(rb"\n[ \t]++\r?+(?:\n|\Z)"),  # those for whom a line of white space is empty
)


def early_ends(header: bytes) -> list[int]:
    """The offsets of the lines with which the body begins for some clients, because the line is not a field for them: it has
    white space before the colon or nothing but white space (RFC 5322, 4.5 and 4.2: obsolete), or is an mbox `From `."""
    lines = b"\n" + header
    return sorted({line.start() for end in _EARLY_ENDS if (line := end.search(lines))})


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


_COMMENT_SIGNS = re.compile(r'\\.|[()"]', re.DOTALL)


def uncommented(value: str) -> str:
    """`value` with a space for each comment (RFC 5322, 3.2.2), nested ones included. What is in quotes is no comment, and what
    begins with an open comment remains."""
    if "(" not in value:
        return value
    kept: list[str] = []
    at = depth = 0
    quoted = False
    for sign in _COMMENT_SIGNS.finditer(value):
        character = sign[0]
        if character == '"' and not depth:
            quoted = not quoted
        elif character == "(" and not quoted:
            if not depth:
                kept.append(value[at : sign.start()])
                at = sign.start()
            depth += 1
        elif character == ")" and depth:
            depth -= 1
            if not depth:
                at = sign.end()
    return " ".join([*kept, value[at:]])


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


@cache
def is_like_ascii(codec: str) -> bool:
    """Whether what is ASCII means the same in the codec of a charset, so that scanners recognize it."""
    return characters(_ASCII, codec).encode("utf-8") == _ASCII


_ASCII = bytes(range(32, 127))


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


# ---- structured values

TOKEN = r"[\w!#$%&'*+.^`{|}~-]++"  # noqa: S105 (RFC 2045's word)
_NAME = r'[^\s=;"()]++'
_QUOTED = r'"[^"\\]*+(?:\\.[^"\\]*+)*+'
# Atomic, not possessive: before 3.11.5 Python loses its position after the last, failing, round of a possessive group.
_SPACE = r"(?>(?:\s|\([^()]*+\))*)"
MEDIA_TYPE = rf"\s*+({TOKEN})\s*+/\s*+({TOKEN})"
_TYPE = re.compile(MEDIA_TYPE, re.ASCII)
_DISPOSITION = re.compile(rf"\s*+({TOKEN})", re.ASCII)
_PARAMETER = re.compile(rf';\s*+({_NAME})\s*+=\s*+({_QUOTED}(?:"|\\?\Z)|[^\s;"]*+)([^;"]*+)', re.ASCII | re.DOTALL)
_WELL_FORMED = re.compile(
    rf'{MEDIA_TYPE}{_SPACE}(?>(?:;{_SPACE}(?:{_NAME}\s*+=\s*+(?:{_QUOTED}"|[^\s;"()]*+(?!\()))?{_SPACE})*)',
    re.ASCII | re.DOTALL,
)
_SECTION = re.compile(r"([^*]++)(?:\*([0-9]{1,4}))?(\*)?")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")


def settings_of(value: str) -> list[tuple[str, str]]:
    """Every parameter in order: its name in lower case, its value without quotes and quoted-pairs."""
    settings: list[tuple[str, str]] = []
    for name, text, more in _PARAMETER.findall(value):
        name = name.lower()
        if text[:1] == '"':
            text = _ESCAPED.sub(r"\1", text[1:].removesuffix('"'))
        elif name in ("name", "filename"):  # many senders forget the quotes, and clients show the whole name
            text += more.rstrip()
        settings.append((name, text))
    return settings


def parameters_of(value: str) -> dict[str, str]:
    """The parameters of a structured field's value (RFC 2045, 5.1; RFC 2183, 2): names in lower case, RFC 2231 decoded."""
    return parameters_in(settings_of(value))


def is_well_formed(value: str) -> bool:
    """Whether a Content-Type's value is nothing but type and parameters, as RFC 2045, 5.1 says, so that all clients agree."""
    return _WELL_FORMED.fullmatch(value) is not None


def media_type_of(value: str) -> tuple[str, str] | None:
    """Type and subtype in a Content-Type's value, as written; None if it has none."""
    match = _TYPE.match(value)
    return (match[1], match[2]) if match else None


def disposition_of(value: str) -> str | None:
    """The disposition in a Content-Disposition's value, as written; None if it has none."""
    match = _DISPOSITION.match(value)
    return match[1] if match else None


def _joined(sections: dict[int, tuple[str, bool]]) -> str:
    """The value of a parameter in sections (RFC 2231, 3 and 4), with the charset before the first; gaps are ignored."""
    charset = ""
    data: list[bytes] = []
    for index in sorted(sections):
        text, encoded = sections[index]
        if encoded and not data and text.count("'") >= 2:
            charset, _, text = text.split("'", 2)
        octets = text.encode("utf-8", "replace")
        data.append(_PERCENT.sub(lambda hex_: bytes.fromhex(hex_[1].decode()), octets) if encoded else octets)
    return without_breaks(characters(b"".join(data), codec_of(charset)))


def parameters_in(settings: list[tuple[str, str]]) -> dict[str, str]:
    """`parameters_of` for settings that were read before. The first of the same name counts."""
    plain: dict[str, str] = {}
    extended: dict[str, dict[int, tuple[str, bool]]] = {}
    for name, text in settings:
        section = _SECTION.fullmatch(name) if "*" in name else None
        if section:
            extended.setdefault(section[1], {}).setdefault(int(section[2] or 0), (text, bool(section[3])))
        else:
            plain.setdefault(name, without_breaks(text))
    return plain | {name: _joined(sections) for name, sections in extended.items()}
