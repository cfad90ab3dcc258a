"""clamav_wire: the octets of clamd's reply into a status and a name, and content into the octets of INSTREAM.

Pure and total. Clean is one octet string and no other. Source: man clamd(8); clamd/session.c, clamd/server-th.c and
clamd/scanner.c of ClamAV 1.4.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from sieveav.verdict import Status, plain

CHUNK = 256 * 1024
"""Octets of one chunk of INSTREAM. Any size under clamd's StreamMaxLength does; few and large ones cost least."""

REPLY_SIZE = 4096
"""Octets of a reply that are read at most. A name of a signature has some dozens; more than this is no reply."""

COMMAND = b"zINSTREAM\0"
"""With `z`, the reply ends with NUL."""

END = struct.pack("!L", 0)

MAIL = b"From sieveav\n"
"""Stands before a whole message: libclamav takes for mail only what starts with one of some thirty header names, and a
message that begins with, say, DKIM-Signature is otherwise not taken apart. Other programs put such a line there too."""

Class = tuple[str, Status]
"""A glob of signature names, and what they count as."""

CLASSES: tuple[Class, ...] = (
    ("Heuristics.Encrypted.*", Status.ENCRYPTED),
    ("Heuristics.OLE2.ContainsMacros*", Status.MACRO),
    ("Heuristics.Limits.Exceeded*", Status.LIMITS),
    # Heuristics that guess: a policy may want to hold such mail, but it is no known virus.
    ("Heuristics.Phishing.*", Status.SUSPICIOUS),
    ("Heuristics.Structured.*", Status.SUSPICIOUS),  # credit card numbers and the like
    ("Heuristics.Broken.*", Status.SUSPICIOUS),  # a damaged program or picture
    ("PUA.*", Status.SUSPICIOUS),  # possibly unwanted: tools, adware
)
"""First match decides; any other name is infected, `*.UNOFFICIAL` and `Phishing.*` too: they are signatures."""


class Answer(NamedTuple):
    """What a reply says. `info` is a signature's name (then `is_find`) or the reason of an error: a stranger's text."""

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


def answer(reply: bytes, classes: Sequence[Class] = CLASSES, *, complete: bool = True) -> Answer:
    """What `reply` says, being every octet up to the end of the connection.

    `complete` tells that the whole content had been sent before the reply came and that the connection was closed in
    order after it; else an OK is an error. A find or a fault stands all the same.
    """
    if reply == _CLEAN:
        return Answer(Status.CLEAN) if complete else Answer(Status.ERROR, "OK, but not to the whole content, or no end")
    if found := _FOUND.fullmatch(reply):
        name = _EXTENDED.sub("", plain(found[1].decode("ascii", "ignore"), REPLY_SIZE)) or _NAMELESS
        return Answer(_classify(name, classes), name, is_find=True)
    if _TOO_LARGE.fullmatch(reply):
        return Answer(Status.LIMITS, "INSTREAM size limit exceeded")
    if refused := _REFUSED.fullmatch(reply) or _ERROR.fullmatch(reply):
        return Answer(Status.ERROR, _text(refused[1]) or "ERROR")
    return Answer(Status.ERROR, _fault(reply))


def _fault(reply: bytes) -> str:
    """Why `reply` is none."""
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


def _classify(name: str, classes: Sequence[Class]) -> Status:
    return next((status for glob, status in classes if fnmatchcase(name, glob)), Status.INFECTED)


def allows(globs: Sequence[str], name: str) -> bool:
    """Whether one of `globs` matches the signature's `name`."""
    return any(fnmatchcase(name, glob) for glob in globs)


def chunks(content: bytes, *, is_message: bool) -> Iterator[bytes]:
    """What INSTREAM sends after the command, up to but without the `END`."""
    start = MAIL if is_message else b""
    if start:
        yield struct.pack("!L", len(start)) + start
    view = memoryview(content)
    for position in range(0, len(content), CHUNK):
        chunk = view[position : position + CHUNK]
        yield b"".join((struct.pack("!L", len(chunk)), chunk))


class Address(NamedTuple):
    """Where a daemon listens: a TCP host and port, or (port 0) the path of a unix socket."""

    host: str
    port: int

    def __str__(self) -> str:
        if not self.port:
            return self.host
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


_PORT = 3310
_ADDRESS = re.compile(r"(?:\[([0-9A-Fa-f:.%a-z]+)\]|([A-Za-z0-9._-]+))(?::([0-9]{1,5}))?")


def address(text: str) -> Address:
    """`host`, `host:port`, `[v6]`, `[v6]:port` or `/a/unix/socket` (also `unix:/…`) as an address; else ValueError."""
    if (path := text.removeprefix("unix:")).startswith("/"):
        return Address(path, 0)
    found = _ADDRESS.fullmatch(text)
    port = int(found[3] or _PORT) if found else 0
    if found is None or not 0 < port < 65536:
        raise ValueError(f'"{plain(text)}" is not host:port, [v6]:port or the absolute path of a unix socket')
    return Address(found[1] or found[2], port)
