"""composing: text to the octets of header fields and of whole messages that scripts send.

A leaf, pure: the same input gives the same octets. Lines are folded (RFC 5322, 2.2.3), text outside ASCII is written as
encoded-words (RFC 2047), and no control character of the input reaches a line, so text from a message cannot add a field.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Sequence
from datetime import datetime

from sieveav import headers

LINE = 78
"""Characters of a line, without its end. RFC 5322, 2.1.1."""

LONGEST_LINE = 998
"""The most octets of a line, without its end. RFC 5322, 2.1.1."""

WORD = 75
"""Characters of an encoded-word. RFC 2047, 2."""

WORD_LINE = 76
"""Characters of a line with an encoded-word. RFC 2047, 2."""

_PREFIX, _SUFFIX = "=?utf-8?b?", "?="
_OCTETS_OF_WORD = (WORD - len(_PREFIX) - len(_SUFFIX)) // 4 * 3
_LONGEST_UNIT = 900
"""Characters between two places where a line can be folded; a text with more is written as encoded-words."""


# ---- header fields


_NO_CHARACTERS = re.compile("[\ud800-\udfff]")
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def without_controls(text: str) -> str:
    """`text` with a space for each control character and line separator, and U+FFFD for lone surrogates; other characters
    that are not printable remain, such as the joiners in some scripts."""
    if text.isprintable():
        return text
    return _CONTROLS.sub(" ", _NO_CHARACTERS.sub("\ufffd", text))


def encoded(text: str, room: int = WORD) -> list[str]:
    """`text` as encoded-words (RFC 2047), each of whole characters, the first of at most `room` characters."""
    words: list[str] = []
    limit = max(3, min(_OCTETS_OF_WORD, (room - len(_PREFIX) - len(_SUFFIX)) // 4 * 3))
    chunk = b""
    for character in text:
        octets = character.encode("utf-8")
        if chunk and len(chunk) + len(octets) > limit:
            words.append(f"{_PREFIX}{base64.b64encode(chunk).decode()}{_SUFFIX}")
            chunk, limit = b"", _OCTETS_OF_WORD
        chunk += octets
    words.append(f"{_PREFIX}{base64.b64encode(chunk).decode()}{_SUFFIX}")
    return words


_UNIT = re.compile(" *[^ ]+")
"""A word with the spaces before it, which is never folded."""


def field_line(name: str, value: str, newline: bytes = b"\r\n") -> bytes:
    """One header field of unstructured text: `name: value`, encoded and folded, with its line end.

    `name` must be a valid name of a field (RFC 5322, 3.6.8). White space around the value is dropped. A value that looks
    like an encoded-word is encoded too.
    """
    value = without_controls(value).strip()
    first = f"{name}: "
    if value.isascii() and "=?" not in value and max(map(len, _UNIT.findall(value)), default=0) < _LONGEST_UNIT:
        lines = fold(first + value)
    else:
        lines = first + "\n ".join(encoded(value, WORD_LINE - len(first)))
    return f"{lines}\n".encode().replace(b"\n", newline)


_BREAK = re.compile(" (?=[^ ])")


def fold(line: str, width: int = LINE) -> str:
    """A header line folded before words so that lines have at most `width` characters, unless a single word is longer.

    RFC 5322, 2.2.3: folding adds only line breaks. It never leaves a line of white space alone (4.2), and the first word
    stays on the line of the field's name.
    """
    lines: list[str] = []
    begin = last = 0
    value = line.find(":") + 2
    for at in (*(match.start() for match in _BREAK.finditer(line, value)), len(line)):
        if at - begin > width and last > begin:
            lines.append(line[begin:last])
            begin = last
        last = at
    return "\n".join([*lines, line[begin:]])


_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LONGEST_PHRASE = 200


def phrase(name: str, room: int = WORD) -> str:
    """The name of a mailbox as written before an address (RFC 5322, 3.2.5): atoms, a quoted string or encoded-words (RFC
    2047, 5 (3)), the first of at most `room` characters. Several spaces become one."""
    name = re.sub(" +", " ", without_controls(name)).strip()
    needs_encoding = not name.isascii() or "=?" in name or len(name) > _LONGEST_PHRASE
    if needs_encoding:
        return " ".join(encoded(name, room))
    if not name or _ATOMS.fullmatch(name):
        return name
    return '"' + re.sub(r'(["\\])', r"\\\1", name) + '"'


_ADDRESS = re.compile(
    r"""(?:[^\x00-\x20()<>\[\]:;@\\,"\x7f]++|"(?>(?:[^"\\\r\n]|\\[^\r\n])*)")"""
    r"""@(?:[^\x00-\x20()<>\[\]:;@\\,"\x7f]++|\[[^\[\]\\\s]*+\])"""
)

Mailboxes = Sequence[tuple[str, str]]
"""Pairs of name and address; the name is "" if there is none."""


def address_line(name: str, mailboxes: Mailboxes, newline: bytes = b"\r\n") -> bytes:
    """One header field of addresses, encoded and folded, with its line end; `name` must be a valid name of a field.

    Addresses must be addr-specs (RFC 5322, 3.4.1), else ValueError; one outside ASCII is in UTF-8 (RFC 6532, 3.2).
    """
    line = f"{name}: "
    room = WORD_LINE - len(line)
    formatted: list[str] = []
    for label, address in mailboxes:
        if not _ADDRESS.fullmatch(address) or without_controls(address) != address:
            raise ValueError(f"{address!r} is not an addr-spec")
        formatted.append(f"{phrase(label, room)} <{address}>".lstrip() if label else address)
        room = WORD
    line += ", ".join(formatted)
    width = WORD_LINE if "=?" in line else LINE
    return f"{fold(line, width)}\n".encode().replace(b"\n", newline)


def structured_line(name: str, value: str, newline: bytes = b"\r\n") -> bytes:
    """One header field with a structured value: folded, but never encoded (RFC 2047, 5), with its line end. Characters
    outside ASCII become `?`."""
    line = f"{name}: {without_controls(value).strip()}".encode("ascii", "replace").decode("ascii")
    return f"{fold(line)}\n".encode().replace(b"\n", newline)


# ---- messages

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def date_time(date: datetime) -> str:
    """A date in the form of header fields (RFC 5322, 3.3), in its own time zone; -0000 if it has none."""
    offset = date.utcoffset()
    zone = "-0000"
    if offset is not None:
        minutes = round(offset.total_seconds() / 60)
        zone = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}{abs(minutes) % 60:02}"
    day = f"{_DAYS[date.weekday()]}, {date.day} {_MONTHS[date.month - 1]} {date.year:04}"
    return f"{day} {date.hour:02}:{date.minute:02}:{date.second:02} {zone}"


_NAME = re.compile("[!-9;-~]+")
_GENERATED = frozenset({"date", "message-id", "mime-version"})

Field = tuple[str, str | bytes | Mailboxes]
"""A header field: its name, and unstructured text, a structured value in ASCII, or addresses."""


def compose(fields: Iterable[Field], body: str | bytes, date: datetime, identity: Sequence[str]) -> bytes:
    """A whole message with CRLF line ends: Message-ID and Date, then `fields` in order, then the content.

    `body` is text, or the octets of a MIME entity: its Content-* fields, an empty line and its content. The Message-ID is a
    hash of `identity`, which identifies the message, and of `date`, so the same input gives the same message. ValueError
    for an invalid name of a field, or one that is generated here.
    """
    lines: list[bytes] = []
    domain = ""
    for name, value in fields:
        if not _NAME.fullmatch(name) or name.lower() in _GENERATED or name.lower().startswith("content-"):
            raise ValueError(f"{name!r} is not a valid field name here")
        if isinstance(value, str):
            lines.append(field_line(name, value))
        elif isinstance(value, bytes):
            lines.append(structured_line(name, value.decode("ascii", "replace")))
        elif value:
            lines.append(address_line(name, value))
            domain = domain or value[0][1].rpartition("@")[2]
    head = [f"Message-ID: {message_id(identity, date, domain)}\r\n".encode()]
    head.append(f"Date: {date_time(date)}\r\n".encode())
    lines.append(b"MIME-Version: 1.0\r\n")
    content, octets = _text(body) if isinstance(body, str) else _entity(body)
    return b"".join([*head, *lines, *content, b"\r\n", octets])


def _unique(identity: Sequence[str], date: datetime) -> str:
    from hashlib import sha256  # 3 ms; most scripts send nothing

    return sha256(repr((tuple(identity), date.isoformat())).encode("utf-8", "surrogatepass")).hexdigest()[:40]


_DOMAIN = re.compile(r"[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,9}")


def _right_side(domain: str) -> str:
    """The domain of a Message-ID. RFC 5322, 3.6.4: one of whoever makes it."""
    return domain if _DOMAIN.fullmatch(domain) else "localhost.invalid"


_BODY_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def _text(text: str) -> tuple[list[bytes], bytes]:
    """The fields and the octets of text/plain content in UTF-8, in an encoding that passes every transport."""
    text = _NO_CHARACTERS.sub("\ufffd", text).replace("\r\n", "\n").replace("\r", "\n")
    text = _BODY_CONTROLS.sub(" ", text)
    octets = (text if text.endswith("\n") or not text else f"{text}\n").encode()
    if octets.isascii() and max(map(len, octets.split(b"\n"))) <= LONGEST_LINE:
        encoding = "7bit"
    elif 3 * len(octets) <= 4 * len(text):  # mostly ASCII, so quoted-printable stays readable
        encoding, octets = "quoted-printable", binascii.b2a_qp(octets)
    else:
        encoding, octets = "base64", base64.encodebytes(octets)
    fields = [b'Content-Type: text/plain; charset="utf-8"\r\n', f"Content-Transfer-Encoding: {encoding}\r\n".encode()]
    return fields, octets.replace(b"\n", b"\r\n")


def _entity(raw: bytes) -> tuple[list[bytes], bytes]:
    """The Content-* fields and the content of a MIME entity (RFC 2045, 2.4). Other fields have no meaning there and are left
    out, as is the second of two with the same name."""
    raw = _crlf(raw)
    end, begin = headers.ends(raw, 0, len(raw))
    octets = raw[begin:]
    content_fields: dict[str, tuple[str, str]] = {}
    for name, value in headers.fields(raw[:end]):
        if name.lower().startswith("content-"):
            content_fields.setdefault(name.lower(), (name, headers.unfold(value)))
    content_fields.setdefault("content-type", ("Content-Type", 'text/plain; charset="utf-8"'))
    encoding = content_fields.get("content-transfer-encoding", ("", "7bit"))[1].lower()
    if encoding == "7bit" and not octets.isascii():  # RFC 2045, 6.2
        content_fields["content-transfer-encoding"] = ("Content-Transfer-Encoding", "8bit")
    return [structured_line(name, value) for name, value in content_fields.values()], octets


def _crlf(raw: bytes) -> bytes:
    """RFC 5322, 2.3: lines end in CRLF, and CR and LF occur nowhere else; RFC 2045, 2.7: no NUL."""
    raw = raw.replace(b"\0", b"").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return raw.replace(b"\n", b"\r\n")


_FIELD_OR_MORE = re.compile(rb"(?:[!-9;-~]+[ \t]*:|[ \t]).*")


def entity_flaw(text: str) -> str:
    """Why `text` cannot be a MIME entity with its header (RFC 2045, 2.4), "" if it can."""
    raw = _crlf(text.encode("utf-8", "replace"))
    end, _ = headers.ends(raw, 0, len(raw))
    header = raw[:end]
    if not header.isascii():
        return "the header of a MIME entity cannot contain 8-bit characters"
    lines = header.split(b"\r\n")
    for number, line in enumerate(lines[:-1] if not lines[-1] else lines, 1):
        if not _FIELD_OR_MORE.fullmatch(line) or (number == 1 and line[:1] in b" \t"):
            return f"not a MIME entity: line {number} is not a header field"
    if max(map(len, raw.split(b"\r\n"))) > LONGEST_LINE:  # RFC 5322, 2.1.1
        return f"a line of a MIME entity cannot be longer than {LONGEST_LINE} octets"
    return ""


# ---- parts


def text_part(text: str, newline: bytes = b"\r\n") -> bytes:
    """`text` as a MIME entity of type text/plain in UTF-8: its fields, an empty line, and the encoded text."""
    fields, octets = _text(text)
    return b"".join([*fields, b"\r\n", octets]).replace(b"\r\n", newline)


def entity_part(text: str, newline: bytes = b"\r\n") -> bytes:
    """A MIME entity from its text (see `entity_flaw`), as written into a message: its Content-* fields, an empty line, and
    its content."""
    fields, octets = _entity(text.encode("utf-8", "replace"))
    return b"".join([*fields, b"\r\n", octets]).replace(b"\r\n", newline)


def boundary(*contents: bytes) -> str:
    """A boundary (RFC 2046, 5.1.1) that no line of the contents begins with, the same for the same contents."""
    from hashlib import sha256  # as above

    digest = sha256()
    for octets in contents:
        digest.update(octets)
    while True:
        candidate = f"=_{digest.hexdigest()[:32]}"
        if not any(candidate.encode() in octets for octets in contents):
            return candidate
        digest.update(candidate.encode())


def _label(octets: bytes) -> bytes:
    """The encoding that describes unencoded octets. RFC 2045, 2.7 to 2.9."""
    bare = octets.replace(b"\r\n", b"\n")
    if b"\0" in bare or b"\r" in bare or max(map(len, bare.split(b"\n"))) > LONGEST_LINE:
        return b"binary"
    return b"7bit" if bare.isascii() else b"8bit"


def message_part(message: bytes, newline: bytes = b"\r\n") -> bytes:
    """A whole message as a MIME entity of type message/rfc822, octet for octet (RFC 2046, 5.2.1)."""
    fields = [b"Content-Type: message/rfc822", b"Content-Transfer-Encoding: " + _label(message)]
    return newline.join([*fields, b"", message])


def mixed(parts: Sequence[bytes], newline: bytes = b"\r\n") -> bytes:
    """MIME entities as one entity of type multipart/mixed, each octet for octet (RFC 2046, 5.1.3). Its encoding is the
    widest of those of its parts (RFC 2045, 6.4)."""
    mark = boundary(*parts)
    labels = {_label(part) for part in parts}
    label = next(label for label in (b"binary", b"8bit", b"7bit") if label in labels)
    lines = [f'Content-Type: multipart/mixed; boundary="{mark}"'.encode(), b"Content-Transfer-Encoding: " + label, b""]
    for part in parts:
        # a CR at the end of a part would otherwise belong to the line end before the boundary
        lines += [f"--{mark}".encode(), part + b"\r" if part.endswith(b"\r") and newline == b"\n" else part]
    return newline.join([*lines, f"--{mark}--".encode(), b""])


def message_id(identity: Sequence[str], date: datetime, domain: str) -> str:
    """A Message-ID, the same for the same arguments (RFC 5322, 3.6.4)."""
    return f"<{_unique(identity, date)}@{_right_side(domain)}>"
