"""fpscand: F-Prot's daemon fpscand (version 6), which gets the content over the connection.

    C: SCAN STREAM content SIZE 68 and the octets
    S: 1 <infected: EICAR_Test_File> content        (or 0 <clean> content)

Written from descriptions of the protocol, without fpscand at hand. The number is a sum of bits. No cheap question is known, so
the probe has one octet scanned.
"""

from __future__ import annotations

import re

from sieveav.engines.reasons import status_of
from sieveav.scanning.contract import EngineType
from sieveav.scanning.daemon import Protocol, maker, options, probe_by
from sieveav.scanning.dialogue import Answer, Dialogue, Line, Question, Request, error, found, text, together
from sieveav.scanning.failover import ProtocolError
from sieveav.scanning.format import USUAL
from sieveav.verdict import Status

FINDS = ((1 | 128, Status.INFECTED), (2, Status.SUSPICIOUS))
"""Bits of an answer, and what they mean. 128: disinfected, but the content is still as it was sent."""

OTHER = (
    (~0xFF | 4 | 16 | 32, Status.ERROR),  # not in use; interrupted, fault of the platform, internal error
    (8, Status.LIMITS),  # something was left out because of a restriction
)

UNSCANNED = 64
"""Something was not scanned: encrypted, damaged, packed in an unknown way."""

_ANSWER = re.compile(rb"([0-9]{1,3}) <(.*)", re.DOTALL)

_NAME = re.compile(rb"[^:>]*: (.*?)>", re.DOTALL)


def _scan(request: Request) -> Dialogue[Answer]:
    raw = request.content.raw or b"\n"  # what a size of 0 means is not described
    yield Question((b"SCAN STREAM content SIZE %d\n" % len(raw), raw))
    line = yield Line()
    match = _ANSWER.fullmatch(line)
    if match is None:
        raise ProtocolError(f"not an answer: {text(line)}")
    code = int(match[1])
    if line == b"0 <clean> content":
        return Answer(Status.CLEAN, code=code)
    named = _NAME.match(match[2])
    name = text(named[1]) if named else ""
    finds = [found(name, status, code=code) for bits, status in FINDS if code & bits]
    others = [Answer(status, text(line), code=code) for bits, status in OTHER if code & bits]
    if code & UNSCANNED:
        others.append(Answer(status_of(text(match[2].partition(b">")[0]), Status.UNSCANNABLE), text(line), code=code))
    return together([*finds, *others] or [error(line, code=code)])


protocol = Protocol(10200, _scan, probe_by(_scan))

engine = EngineType(
    name="fpscand",
    summary="F-Prot's fpscand, over TCP or a unix socket",
    pool="IO",
    options=options(protocol.port, "fpscand"),
    make=maker(protocol),
    opens=USUAL,
    punctual=True,
    details=(
        "Clean only after 0 <clean>. Content that F-Prot disinfects is infected: what is delivered has not changed. What was"
        " not scanned is encrypted or unscannable; what a restriction leaves out, limits. fpscand must be set up to open"
        " archives."
    ),
)
