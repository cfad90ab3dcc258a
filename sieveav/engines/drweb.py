"""drweb: Dr.Web's daemon drwebd, which gets the content over the connection.

    C: 1 (scan), flags, 0 (the length of a path), 68 (the size of the content) and the octets
    S: a sum of bits, the number of names, and for each name its length and the name: infected with EICAR Test File (NUL)

All numbers are of 32 bits, the most significant octet first. Written from descriptions of the protocol, without drwebd at hand:
only the bits below are known. No cheap question is known, so the probe has one octet scanned.
"""

from __future__ import annotations

import struct

from sieveav.scanning.contract import EngineType
from sieveav.scanning.daemon import Protocol, maker, options, probe_by
from sieveav.scanning.dialogue import Answer, Dialogue, Octets, Question, Request, error, found, text, together
from sieveav.scanning.failover import ProtocolError
from sieveav.scanning.format import USUAL
from sieveav.verdict import Status

NAMES = 1000
"""The most names of one answer."""

NAME = 8192
"""The most octets of a name."""

SCAN = 1

RETURN_NAMES = 1 << 0
IS_MAIL = 1 << 19
DO_NOT_CHANGE = 1 << 21
"""Flags of a scan."""

KNOWN_VIRUS = 1 << 5
UNKNOWN_VIRUS = 1 << 6
MODIFICATION = 1 << 7
SKIPPED = 1 << 12
TOO_BIG = 1 << 13
TOO_COMPRESSED = 1 << 14
EVALUATION_KEY = 1 << 16
IS_CLEAN = 1 << 20
"""Bits of an answer. Any other is an error."""

ERRORS = {1 << 0: "read error", 1 << 2: "no memory", 1 << 9: "timeout", 1 << 15: "wrong command"}
"""Those whose meaning is known."""

_VIRUS = KNOWN_VIRUS | UNKNOWN_VIRUS
_NO_ERROR = _VIRUS | MODIFICATION | SKIPPED | TOO_BIG | TOO_COMPRESSED | EVALUATION_KEY | IS_CLEAN


def _number() -> Dialogue[int]:
    octets = yield Octets(4)
    return int.from_bytes(octets, "big")


def _name() -> Dialogue[str]:
    length = yield from _number()
    if length > NAME:
        raise ProtocolError(f"a name of more than {NAME} octets")
    octets = yield Octets(length)
    return text(octets).rpartition("infected with ")[2]


def _scan(request: Request) -> Dialogue[Answer]:
    raw = request.content.raw or b"\n"  # what a size of 0 means is not described
    flags = RETURN_NAMES | DO_NOT_CHANGE | (IS_MAIL if request.content.is_message else 0)
    yield Question((struct.pack("!4L", SCAN, flags, 0, len(raw)), raw))
    bits = yield from _number()
    count = yield from _number()
    if count > NAMES:
        raise ProtocolError(f"more than {NAMES} names")
    names: list[str] = []
    for _ in range(count):
        names.append((yield from _name()))
    return _answer(bits, names)


def _answer(bits: int, names: list[str]) -> Answer:
    """The bit for clean alone is clean, with an evaluation key too."""
    if bits & MODIFICATION and not bits & _VIRUS:
        finds = [found(name, Status.SUSPICIOUS, code=bits) for name in names or ["modification of a virus"]]
    else:
        finds = [found(name, code=bits) for name in names or ([""] if bits & _VIRUS else [])]
    others: list[Answer] = []
    if bits & ~_NO_ERROR:
        reasons = ", ".join(reason for bit, reason in ERRORS.items() if bits & bit)
        others.append(error(f"{bits:08X} {reasons}".strip(), code=bits))
    if bits & (TOO_BIG | TOO_COMPRESSED):
        others.append(Answer(Status.LIMITS, "too big" if bits & TOO_BIG else "too compressed", code=bits))
    if bits & SKIPPED:
        others.append(Answer(Status.UNSCANNABLE, "skipped", code=bits))
    if not finds and not others:
        others.append(Answer(Status.CLEAN, code=bits) if bits & IS_CLEAN else error(f"{bits:08X}", code=bits))
    return together([*finds, *others])


protocol = Protocol(3000, _scan, probe_by(_scan))

engine = EngineType(
    name="drweb",
    summary="Dr.Web's drwebd, over TCP or a unix socket",
    pool="IO",
    options=options(protocol.port, "drwebd"),
    make=maker(protocol),
    opens=USUAL,
    punctual=True,
    details=(
        "Clean only if drwebd says so, with its bit for clean objects (version 4.31 or later). A modification of a known virus"
        " is suspicious; what is too big or too compressed, limits; what was skipped, unscannable."
    ),
)
