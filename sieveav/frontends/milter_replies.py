"""milter_replies: the replies and edits of a filter to the octets that an MTA reads.

Pure. What comes from the MTA is in milter_wire.py. Sources: Sendmail's libmilter (mfapi.h, mfdef.h, smfi.c), and Postfix 3.7,
seen on the wire: it answers an invalid reply with 451, and asks the filter nothing more in that session.

Edits are only allowed as an answer to EndOfMessage, before the final reply, and the MTA makes them in their order. There is
no function for SMFIR_SHUTDOWN, because Postfix 3.7 accepts the message if it comes after DATA: reply with 421 instead.
"""

from __future__ import annotations

import re
from itertools import islice
from struct import pack

from sieveav import limits
from sieveav.frontends.milter_events import Negotiate, Step, crlf
from sieveav.verdict import plain

BODY = 65535
"""The most octets of a body chunk, MILTER_CHUNK_SIZE."""


def _packet(letter: bytes, data: bytes = b"") -> bytes:
    return pack("!L", 1 + len(data)) + letter + data


def _strings(*strings: bytes) -> bytes:
    if any(b"\0" in string for string in strings):
        raise ValueError("NUL in a string of the milter protocol")
    return b"".join([string + b"\0" for string in strings])


# ---- replies

CONTINUE = _packet(b"c")

ACCEPT = _packet(b"a")
"""The last reply for this message. Postfix 3.7: after Connect or Helo, the last one of the whole session."""

DISCARD = _packet(b"d")
"""Drop the message without telling the client. Postfix 3.7 ignores it after Connect and Helo."""

TEMPFAIL = _packet(b"t")
"""Defer, with a text of the MTA's own."""

REJECT = _packet(b"r")
"""Refuse, with a text of the MTA's own."""

SKIP = _packet(b"s")
"""The filter needs no more of the body. Only after Body, and only if Step.SKIP is agreed on."""

PROGRESS = _packet(b"p")
"""No reply yet: the MTA's timeout begins again."""


def negotiated(agreed: Negotiate) -> bytes:
    """The answer to Negotiate: what milter_events.negotiate returned."""
    return _packet(b"O", pack("!LLL", *agreed))


_ENHANCED = re.compile(r"[45]\.[0-9]{1,3}\.[0-9]{1,3}")  # RFC 3463, 2


def reply(code: int, enhanced: str, text: str) -> bytes:
    """The SMTP reply to give the client; the lines of `text` are joined by newlines. ValueError for codes that are invalid.

    Text outside printable ASCII is dropped, and so is what exceeds limits.REPLY_LINE and limits.REPLY_LINES. Postfix 3.7
    checks only the first line and passes all others on as they are, so they are made correct here.
    """
    if not 400 <= code <= 599:
        raise ValueError(f"the reply code {code} is not 4xx or 5xx")
    if not _ENHANCED.fullmatch(enhanced) or enhanced[0] != str(code)[0]:
        raise ValueError(f"the enhanced status code {plain(enhanced)!r} is invalid with the code {code}")
    length = limits.REPLY_LINE - len(f"{code}-{enhanced} \r\n")
    lines = [f"{enhanced} {plain(line, length)}".rstrip() for line in islice(text.split("\n"), limits.REPLY_LINES)]
    # RFC 5321, 4.2.1: the same code on every line, with a hyphen before the last
    numbered = [*(f"{code}-{line}" for line in lines[:-1]), f"{code} {lines[-1]}"]
    # smfi.c, smfi_setreply: the MTA formats the text, a percent sign is written %%
    return _packet(b"y", _strings("\r\n".join(numbered).replace("%", "%%").encode("ascii")))


# ---- edits of the header

_NAME = re.compile(rb"[!-9;-~]+")  # RFC 5322, 3.6.8
# RFC 5322, 2.2.3: a continuation line begins with white space; 3.2.2: it is not white space alone.
_NO_CONTINUATION = re.compile(rb"\n(?![ \t]+[^ \t\n])")


def _name(name: bytes) -> bytes:
    if not _NAME.fullmatch(name):
        raise ValueError("not a name of a header field")
    return name


def _value(value: bytes, steps: int) -> bytes:
    """The value with LF as its line ends. Postfix 3.7 stores a CR as it is, and cuts the field at NUL."""
    value = value.translate(None, b"\r\0").lstrip(b" \t")
    if _NO_CONTINUATION.search(value):
        raise ValueError("a line of a header field's value is not a continuation line")
    return b" " + value if steps & Step.HDR_LEADSPC else value


def _index(index: int, least: int) -> bytes:
    if not least <= index <= 0x7FFFFFFF:
        raise ValueError(f"the index {index} of a header field is out of range")
    return pack("!L", index)


def add_header(name: bytes, value: bytes, steps: int) -> bytes:
    """Add a header field at the end of the header. SMFIF_ADDHDRS. Sendmail 8.17, seen on the wire: if there are fields of that
    name, it comes before the first of them; insert_header with a large index puts it at the end.

    Here and below: CR and NUL in `value` are removed, white space at its beginning does not count, and `steps` is
    `Negotiate.protocol` as agreed on: with HDR_LEADSPC the space after the colon is sent, without it the MTA adds one.
    ValueError for what is not a header field.
    """
    return _packet(b"h", _strings(_name(name), _value(value, steps)))


def insert_header(index: int, name: bytes, value: bytes, steps: int) -> bytes:
    """Insert a header field. SMFIF_ADDHDRS.

    `index` counts all fields. Postfix 3.7: 0 is above its own Received field, which filters do not see; 1 is the top of the
    message as filters see it, n + 1 below the n-th field seen; a larger index is the end. Of two fields inserted at 1, the
    second is above the first. Sendmail 8.17, seen on the wire: the same, but it also counts, below 1, fields that it hides:
    seven with the usual sendmail.cf (Resent-Date, Date and others that it may add), and those that were deleted.
    """
    return _packet(b"i", _index(index, 0) + _strings(_name(name), _value(value, steps)))


def change_header(index: int, name: bytes, value: bytes, steps: int) -> bytes:
    """Replace the value of the `index`-th field of `name`, counted from 1; add the field if there is none. SMFIF_CHGHDRS.

    An empty value becomes a space, because empty means to delete the field.
    """
    return _packet(b"m", _index(index, 1) + _strings(_name(name), _value(value, steps) or b" "))


def delete_header(index: int, name: bytes) -> bytes:
    """Delete the `index`-th field of `name`, counted from 1. SMFIF_CHGHDRS.

    The MTA counts again after each edit: delete the last one first.
    """
    return _packet(b"m", _index(index, 1) + _strings(_name(name), b""))


# ---- edits of the envelope

_CONTROL = re.compile(rb"[\0-\x1f\x7f]")


def _path(address: bytes) -> bytes:
    if _CONTROL.search(address):
        raise ValueError("control character in an address")
    return address if address.startswith(b"<") and address.endswith(b">") else b"<" + address + b">"


def add_recipient(address: bytes, parameters: bytes = b"") -> bytes:
    """Add a recipient, even if it is one already. SMFIF_ADDRCPT; SMFIF_ADDRCPT_PAR with ESMTP `parameters`, of which Postfix
    3.7 takes NOTIFY and ORCPT."""
    path = _path(address)
    if path == b"<>":
        raise ValueError("empty address of a recipient")
    if not parameters:
        return _packet(b"+", _strings(path))
    if _CONTROL.search(parameters):
        raise ValueError("control character in an ESMTP parameter")
    return _packet(b"2", _strings(path, parameters))


def delete_recipient(address: bytes) -> bytes:
    """Delete a recipient. SMFIF_DELRCPT.

    `address` is `Rcpt.address`: Postfix 3.7 compares octets, and keeps the recipient if the case of one letter differs. A
    message without any recipient left vanishes: the client sees 250, and nobody gets a bounce.
    """
    return _packet(b"-", _strings(address))


def change_from(address: bytes) -> bytes:
    """Change the sender of the envelope; b"" is the null reverse-path. SMFIF_CHGFROM."""
    return _packet(b"e", _strings(_path(address)))


# ---- edits of the whole message


def replace_body(body: bytes) -> bytes:
    """Replace the body. SMFIF_CHGBODY. Line ends become CRLF.

    Postfix 3.7 allows no other edit between the packets of a body, so all of them are returned together.
    """
    body = crlf(body)
    return b"".join([_packet(b"b", body[start : start + BODY]) for start in range(0, len(body) or 1, BODY)])


def quarantine(reason: str) -> bytes:
    """Hold the message in the MTA's queue; ACCEPT or CONTINUE must follow. SMFIF_QUARANTINE.

    Text outside printable ASCII is dropped from `reason`. smfi.c, smfi_quarantine: the reason must not be empty.
    """
    return _packet(b"q", _strings(plain(reason).encode("ascii") or b"held by a filter"))
