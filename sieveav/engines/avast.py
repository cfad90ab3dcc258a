"""avast: Avast for Linux, by the protocol of its service, which scans files.

    S: 220 DAEMON
    C: SCAN /var/spool/sieveav/sieveav-x1
    S: 210 SCAN DATA
    S: SCAN /var/spool/sieveav/sieveav-x1|>eicar.com (tab) [L]0.0 (tab) 0 EICAR Test-NOT virus!!!
    S: SCAN /var/spool/sieveav/sieveav-x1 (tab) [+]             (nothing was found in it; [E]: it could not be scanned)
    S: 200 SCAN OK

Written from descriptions of the protocol, without Avast at hand. A backslash before a character takes its meaning away.
"""

from __future__ import annotations

import os
import re

from sieveav.engines.reasons import status_of
from sieveav.options import Option
from sieveav.scanning import naming
from sieveav.scanning.connecting import ADDRESSES
from sieveav.scanning.contract import EngineType
from sieveav.scanning.daemon import READS_FILES, Protocol, maker
from sieveav.scanning.dialogue import Answer, Dialogue, Line, Question, Request, Say, error, found, text, together
from sieveav.scanning.failover import ProtocolError
from sieveav.scanning.format import USUAL
from sieveav.scanning.naming import Class
from sieveav.verdict import Status

LINES = 10_000
"""The most lines of one answer: an archive has a line for each file in it that could not be scanned, or is infected."""

CLASSES: tuple[Class, ...] = (("* [[]PUP]", Status.SUSPICIOUS), ("* [[]Susp]", Status.SUSPICIOUS))
"""Potentially unwanted programs, and what is only suspicious."""

_FILE = re.compile(rb"SCAN ((?:[^\\\t]|\\.)*)\t\[(.)\](.*)", re.DOTALL)
_CLEAN = re.compile(rb"(?:[0-9]+\.[0-9]+)?")
_FOUND = re.compile(rb"[0-9.]*\t[0-9]+ (.*)", re.DOTALL)
_FAILED = re.compile(rb"[0-9.]*\t(.*)", re.DOTALL)

_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_SPECIAL = re.compile(rb"[\\ ]")

_FAILURE = re.compile(rb"[45][0-9]{2}(?= )")
_VPS = re.compile(rb"VPS ([0-9]+)")


def _plain(octets: bytes) -> bytes:
    return _ESCAPED.sub(rb"\1", octets)


def _greet() -> Dialogue[None]:
    greeting = yield Line()
    if not greeting.startswith(b"220 "):
        raise ProtocolError(f"refused: {text(greeting)}")


def _scan(request: Request) -> Dialogue[Answer]:
    yield from _greet()
    path = os.fsencode(str(request.path))
    yield Question((b"SCAN %s\r\n" % _SPECIAL.sub(rb"\\\g<0>", path),))
    reply = yield Line()
    if not reply.startswith(b"210 "):
        return error(reply)
    answers: list[Answer] = []
    for _ in range(LINES):
        line = yield Line()
        if line == b"200 SCAN OK":
            return together(answers) if answers else error("no answer to this file")
        if failure := _FAILURE.match(line):
            return together([*answers, error(line, code=int(failure[0]))])
        answers += _answers(line, path)
    raise ProtocolError(f"more than {LINES} lines")


def _answers(line: bytes, path: bytes) -> list[Answer]:
    """What a line says: nothing if it is that a file inside an archive is clean, because the archive has a line of its own."""
    match = _FILE.fullmatch(line)
    file = _plain(match[1]) if match else b""
    if match is None or not (file == path or file.startswith(path + b"|>")):
        raise ProtocolError(f"not a line of an answer: {text(line)}")
    flag, said = match[2], match[3]
    if flag == b"L":
        name = _FOUND.fullmatch(said)
        return [found(text(_plain(name[1])) if name else "")]
    if flag == b"+" and _CLEAN.fullmatch(said):
        return [Answer(Status.CLEAN)] if file == path else []
    failed = _FAILED.fullmatch(said) if flag == b"E" else None
    if failed is None:
        return [error(b"[%s]%s" % (flag, said))]
    reason = text(_plain(failed[1]))
    return [Answer(status_of(reason), reason or "error")]


def _probe(request: Request) -> Dialogue[bool]:  # noqa: ARG001  # has the signature of all probes
    yield from _greet()
    yield Say(b"QUIT\r\n")
    return True


def _version(request: Request) -> Dialogue[str]:  # noqa: ARG001  # has the signature of all versions
    """The version of the definitions, which the command VPS gives; "" from an Avast without it."""
    yield from _greet()
    yield Say(b"VPS\r\n")
    reply = yield Line()
    if not reply.startswith(b"210 "):
        return ""
    line = yield Line()
    match = _VPS.fullmatch(line)
    return f"Avast VPS {text(match[1])}" if match else ""


protocol = Protocol(0, _scan, _probe, _version, needs_file=True, classes=CLASSES)

engine = EngineType(
    name="avast",
    summary="Avast for Linux, over a unix socket or TCP",
    pool="IO",
    options=(
        Option(
            "daemon",
            ADDRESSES,
            ("/run/avast/scan.sock",),
            "where avast listens: the path of a unix socket, host:port or [v6]:port; several of them are asked in turn until"
            " one answers",
        ),
        *naming.OPTIONS,
    ),
    make=maker(protocol),
    opens=USUAL,
    details=(
        "Clean only if Avast says so of the file itself, and names nothing in it that is infected or could not be scanned. What"
        " could not be scanned is encrypted, limits or unscannable if the reason says so, else an error. Names that end with"
        f" [PUP] or [Susp] are suspicious. {READS_FILES}"
    ),
)
