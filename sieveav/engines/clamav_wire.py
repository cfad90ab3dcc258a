"""clamav_wire: the octets of clamd's reply into a status and a name, and content into the octets of INSTREAM.

Pure and total. Clean is one octet string and no other. Source: man clamd(8); clamd/session.c, clamd/server-th.c and
clamd/scanner.c of ClamAV 1.4.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from sieveav.scanning.contract import cut
from sieveav.verdict import Status, plain

CHUNK = 256 * 1024
"""Octets of one chunk of INSTREAM. Any size up to clamd's StreamMaxLength is allowed; few large ones are fastest."""

REPLY_SIZE = 4096
"""The most octets of a reply. The name of a signature has some dozens."""

COMMAND = b"zINSTREAM\0"
"""With `z`, the reply ends with NUL."""

END = struct.pack("!L", 0)


class Answer(NamedTuple):
    """What a reply says. `info` is the name of a signature (then `is_find`) or the reason of an error. Untrusted text."""

    status: Status
    info: str = ""
    is_find: bool = False


_CLEAN = b"stream: OK\0"
_FOUND = re.compile(rb"stream: ([^\0]*) FOUND\0", re.S)
_TOO_LARGE = re.compile(rb"(?:stream: )?INSTREAM size limit exceeded\. ERROR\0")
_ERROR = re.compile(rb"(?:stream: )?([^\0]*?) ?ERROR\0", re.S)
_REFUSED = re.compile(rb"(UNKNOWN COMMAND|COMMAND UNAVAILABLE|COMMAND READ TIMED OUT)[\0\n]")
_EXTENDED = re.compile(r"\([0-9a-f]{32}:[0-9]+\)\Z")
_NAMELESS = "unknown"


def answer(reply: bytes, *, complete: bool = True) -> Answer:
    """What `reply` says: every octet up to the end of the connection. The status of a find is up to `naming`.

    `complete` means that the whole content had been sent before the reply came, and that the connection was closed in order
    after it; otherwise an OK is an error. A find or a fault counts in any case.
    """
    if reply == _CLEAN:
        return (
            Answer(Status.CLEAN)
            if complete
            else Answer(Status.ERROR, "OK, but not to the whole content, or without an end")
        )
    if match := _FOUND.fullmatch(reply):
        name = _EXTENDED.sub("", plain(match[1].decode("ascii", "ignore"), REPLY_SIZE)) or _NAMELESS
        return Answer(Status.INFECTED, name, is_find=True)
    if _TOO_LARGE.fullmatch(reply):
        return Answer(Status.LIMITS, "INSTREAM size limit exceeded")
    if match := _REFUSED.fullmatch(reply) or _ERROR.fullmatch(reply):
        return Answer(Status.ERROR, _text(match[1]) or "ERROR")
    return Answer(Status.ERROR, _fault(reply))


def _fault(reply: bytes) -> str:
    """Why `reply` is not a reply."""
    if not reply:
        return "no reply"
    if len(reply) > REPLY_SIZE:
        return "reply too long"
    if not reply.endswith(b"\0"):
        return f"reply cut short: {_text(reply)}"
    if b"\0" in reply[:-1]:
        return f"more than one reply: {_text(reply)}"
    return f"unknown reply: {_text(reply)}"


def _text(reply: bytes) -> str:
    return plain(reply.decode("ascii", "ignore")).strip()


def chunks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """What INSTREAM sends between the `COMMAND` and the `END`."""
    for chunk in cut(pieces, CHUNK):
        yield b"".join((struct.pack("!L", len(chunk)), chunk))
