"""savapi: Avira's SAVAPI service, by its text protocol, which scans files.

    S: 100 SAVAPI:4.0
    C: SET PRODUCT 10776
    S: 100 PRODUCT:10776
    C: SCAN /var/spool/sieveav/sieveav-x1
    S: 310 /var/spool/sieveav/sieveav-x1 <<< Eicar-Test-Signature ; virus ; Contains code of the EICAR test file
    S: 319 (something was found: the last line; or 200, 210: nothing)

Written from descriptions of the protocol, without SAVAPI at hand. They do not say whether a warning, such as 421 for an
encrypted archive, is the last line. QUIT, which ends the connection, makes sure that there is an end, and that no find after it
is missed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import NamedTuple

from sieveav.engines.reasons import status_of
from sieveav.limits import MIB
from sieveav.options import INTEGER, Option
from sieveav.scanning.contract import EngineType
from sieveav.scanning.daemon import READS_FILES, Protocol, maker, options
from sieveav.scanning.dialogue import Answer, Dialogue, Line, Question, Request, Rest, Say, error, found, text, together
from sieveav.scanning.failover import ProtocolError
from sieveav.scanning.format import USUAL
from sieveav.verdict import Status

LINES = 10_000
"""The most lines of one answer: an archive has a line for each find in it."""

REST = MIB
"""The most octets after a warning."""

DONE = 100
CLEAN = (200, 210)
FIND = 310
FOUND = 319
SUSPICIOUS = 420
"""Codes of replies. Other codes from 400 to 499 are warnings, and all others errors."""

_REPLY = re.compile(rb"([0-9]{3})(?:[ ,]+(.*))?", re.DOTALL)

_MARK = b"<<< "
"""Between a file and what was found in it."""


class _Reply(NamedTuple):
    code: int
    said: bytes

    @classmethod
    def parse(cls, line: bytes) -> _Reply:
        match = _REPLY.fullmatch(line)
        if match is None:
            raise ProtocolError(f"not a reply: {text(line)}")
        return cls(int(match[1]), match[2] or b"")

    @property
    def name(self) -> str:
        """What was found: `FILE <<< NAME ; TYPE ; DESCRIPTION`, or the same without the file. The name of a file may contain
        the mark: the last one counts."""
        return text(self.said.rpartition(_MARK)[2].partition(b" ;")[0])

    @property
    def is_warning(self) -> bool:
        return 400 <= self.code < 500


def _reply() -> Dialogue[_Reply]:
    line = yield Line()
    return _Reply.parse(line)


def _done() -> Dialogue[bytes]:
    reply = yield from _reply()
    if reply.code != DONE:
        raise ProtocolError(f"refused: {reply.code} {text(reply.said)}")
    return reply.said


def _greet(request: Request) -> Dialogue[None]:
    greeting = yield from _done()
    if not greeting.startswith(b"SAVAPI:"):
        raise ProtocolError(f"not SAVAPI: {text(greeting)}")
    yield Say(b"SET PRODUCT %d\n" % request.values["product"])
    yield from _done()


def _scan(request: Request) -> Dialogue[Answer]:
    yield from _greet(request)
    path = os.fsencode(str(request.path))
    yield Question((b"SCAN %s\n" % path,))
    replies = [(yield from _reply())]
    while replies[-1].code == FIND:
        if len(replies) == LINES:
            raise ProtocolError(f"more than {LINES} lines")
        replies.append((yield from _reply()))
    if replies[-1].is_warning:
        yield Say(b"QUIT\n")
        rest = yield Rest(REST)
        replies += map(_Reply.parse, rest.splitlines())
    return _answer(replies, path)


def _answer(replies: Sequence[_Reply], path: bytes) -> Answer:
    """200 or 210 alone is clean."""
    finds = [found(reply.name, code=reply.code) for reply in replies if reply.code == FIND]
    warnings = [_warning(reply, path) for reply in replies if reply.is_warning]
    last = replies[-1]
    if last.code == FOUND:
        finds = finds or [found("", code=last.code)]
    elif not warnings:
        warnings = [Answer(Status.CLEAN, code=last.code) if last.code in CLEAN else _error(last)]
    return together([*finds, *warnings])


def _error(reply: _Reply) -> Answer:
    return error(f"{reply.code} {text(reply.said)}".strip(), code=reply.code)


def _warning(reply: _Reply, path: bytes) -> Answer:
    """What a warning means, by its text: of the codes only that of suspicious files is known for certain. The names of
    directories are not part of it."""
    if reply.code == SUSPICIOUS and _MARK in reply.said:
        return found(reply.name, Status.SUSPICIOUS, code=reply.code)
    said = text(reply.said.replace(path, b""))
    return Answer(status_of(said), f"{reply.code} {said}".strip(), code=reply.code)


def _probe(request: Request) -> Dialogue[bool]:
    yield from _greet(request)
    yield Say(b"QUIT\n")
    return True


protocol = Protocol(4444, _scan, _probe, needs_file=True)

engine = EngineType(
    name="savapi",
    summary="Avira SAVAPI, over TCP or a unix socket",
    pool="IO",
    options=(
        *options(protocol.port, "savapi"),
        Option("product", INTEGER, 0, "the number of the product that the licence of SAVAPI is for"),
    ),
    make=maker(protocol),
    opens=USUAL,
    details=(
        "Clean only after 200 or 210. A suspicious file is suspicious; other warnings are encrypted, limits or unscannable if"
        f" their text says so, else an error. savapi must be set up to open archives and mailboxes. {READS_FILES}"
    ),
)
