"""sssp: Sophos's SAVDI, by its protocol SSSP 1.0.

    S: OK SSSP/1.0
    C: SSSP/1.0
    S: ACC 4F2A.../1
    C: SCANDATA 68 and the octets
    S: ACC 4F2A.../2
    S: VIRUS EICAR-AV-Test /a/path      (EVENT, TYPE and FILE lines too)
    S: DONE OK 0203 Virus found during virus scan
    S: (an empty line)

Written from descriptions of the protocol, without SAVDI at hand. Only the result codes below are known for certain.
"""

from __future__ import annotations

import re

from sieveav.scanning.contract import EngineType
from sieveav.scanning.daemon import Protocol, maker, options
from sieveav.scanning.dialogue import Answer, Dialogue, Line, Question, Request, Say, error, found, text, together
from sieveav.scanning.failover import ProtocolError
from sieveav.scanning.format import USUAL
from sieveav.verdict import Status

LINES = 10_000
"""The most lines of one answer: an archive has a line for each of its files, if SAVDI is set to report them."""

_DONE = re.compile(rb"DONE (OK|FAIL) ([0-9A-F]{4})(?: (.*))?", re.IGNORECASE)
_VIRUS = re.compile(rb"VIRUS (\S+)(?: .*)?")
_OTHER = re.compile(rb"[A-Z]+(?: [ -~]*)?")
"""EVENT, TYPE, FILE, and the results of single files."""

ENCRYPTED = 0x0212
VIRUS = 0x0203
"""Codes of DONE. Any other but 0 is an error."""


def _greet() -> Dialogue[None]:
    greeting = yield Line()
    if greeting != b"OK SSSP/1.0":
        raise ProtocolError(f"not SSSP/1.0: {text(greeting)}")
    yield Say(b"SSSP/1.0\n")
    yield from _accepted()


def _accepted() -> Dialogue[None]:
    reply = yield Line()
    if not reply.startswith(b"ACC "):
        raise ProtocolError(f"refused: {text(reply)}")


def _scan(request: Request) -> Dialogue[Answer]:
    yield from _greet()
    raw = request.content.raw
    yield Question((b"SCANDATA %d\n" % len(raw), raw))
    reply = yield Line()
    if reply.startswith(b"REJ 4"):  # the data is longer than maxscandata
        return Answer(Status.LIMITS, text(reply))
    if not reply.startswith(b"ACC "):
        return error(b"refused: " + reply)
    names: list[str] = []
    for _ in range(LINES):
        line = yield Line()
        if match := _VIRUS.fullmatch(line):
            names.append(text(match[1]))
        elif match := _DONE.fullmatch(line):
            end = yield Line()
            if end:
                raise ProtocolError(f"not the end: {text(end)}")
            return _answer(match[1].upper() == b"OK", int(match[2], 16), text(match[3] or b""), names)
        elif not _OTHER.fullmatch(line):
            raise ProtocolError(f"not a line of an answer: {text(line)}")
    raise ProtocolError(f"more than {LINES} lines")


def _answer(is_ok: bool, code: int, said: str, names: list[str]) -> Answer:
    """`DONE OK 0000` alone is clean: a code that is not known may be anything."""
    finds = [found(name, code=code) for name in names]
    if is_ok and code == VIRUS:
        return together(finds or [found("", code=code)])
    if is_ok and code == 0:
        return together([*finds, Answer(Status.CLEAN, code=code)])
    if code == ENCRYPTED:
        return together([*finds, Answer(Status.ENCRYPTED, said or "encrypted", code=code)])
    return together([*finds, error(f"{code:04X} {said}".strip(), code=code)])


def _probe(request: Request) -> Dialogue[bool]:  # noqa: ARG001  # has the signature of all probes
    yield from _greet()
    yield Say(b"BYE\n")
    return True


def _version(request: Request) -> Dialogue[str]:  # noqa: ARG001  # has the signature of all versions
    """The versions that `QUERY ENGINE` gives."""
    yield from _greet()
    yield Say(b"QUERY ENGINE\n")
    yield from _accepted()
    values: dict[bytes, str] = {}
    for _ in range(LINES):
        line = yield Line()
        if not line:
            break
        name, _, value = line.partition(b":")
        values[name.strip().lower()] = text(value)
    known = [values[name] for name in (b"engineversion", b"virusdataversion", b"version") if values.get(name)]
    return f"Sophos {' '.join(known)}" if known else ""


protocol = Protocol(4010, _scan, _probe, _version)

engine = EngineType(
    name="sssp",
    summary="Sophos SAVDI, by SSSP over TCP or a unix socket",
    pool="IO",
    options=options(protocol.port, "savdid"),
    make=maker(protocol),
    punctual=True,
    opens=USUAL,
    details="Clean only after DONE OK 0000. An encrypted archive is encrypted; data longer than maxscandata is limits.",
)
