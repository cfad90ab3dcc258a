"""program_lines: a content and an envelope into a line for an external scanner program, and its line into an answer.

The program reads requests from its standard input and writes answers to its standard output, each one line: a JSON object in
UTF-8. It gets one request at a time, and ends when its input ends.

    {"id": 1, "request": "version", "options": {"server": "192.0.2.1"}}
    {"id": 1, "version": "Acme 5.2, definitions 20260101"}
    {"id": 2, "request": "scan", "is_message": true, "size": 5512, "path": "/var/tmp/sieveav-x1", "envelope": {"sender":
        "a@example.com", "recipients": ["b@example.org"], "client": "192.0.2.7", "helo": "mx.example.com", "login": ""}}
    {"id": 2, "status": "infected", "info": "Eicar-Test-Signature", "code": 7, "values": {"score": "9"},
        "recipients": {"b@example.org": {"verdict": "spam"}}}
    {"id": 3, "request": "stats"}
    {"id": 3, "stats": {"scans": 1}}

Instead of `path`, `data` may have the octets in base64. The envelope is null if it is not known. `version` is the first
request, with the `options` of the engine; the program may load its definitions before it answers. Asked later, it must answer
at once, with another version if the definitions have changed. `stats` is asked before a program that failed gets contents
again; what it answers is logged for debugging.

The statuses are those of a verdict (`verdict.Status`). Of an answer to `scan`, only `id` and `status` are required. What is not
exactly of this form breaks the protocol: a member that is not known or is written twice, a recipient that was not asked for,
the wrong type.
"""

from __future__ import annotations

import json
import logging
import re
from binascii import b2a_base64
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

from sieveav.limits import MIB
from sieveav.scanning import strict_json
from sieveav.scanning.contract import cut
from sieveav.scanning.dialogue import Answer, Dialogue, Line, Question, Request, Say, found
from sieveav.scanning.failover import ProtocolError
from sieveav.verdict import FOUND, Status, plain

_log = logging.getLogger(__name__)

LIMIT = MIB
"""The most octets of an answer."""

CHUNK = 3 * 16 * 1024
"""Octets turned into base64 at a time: a multiple of 3."""

_CODES = range(-(2**63), 2**63)

NAME = re.compile("[a-z][a-z0-9_]{0,63}")
"""The name of a value."""

_ids = count(1)
"""No two requests have the same id: an answer that comes too late is never taken for another's."""


def scan(request: Request) -> Dialogue[Answer]:
    """Ask for a verdict on a content."""
    content, number = request.content, next(_ids)
    asked: dict[str, Any] = {
        "id": number,
        "request": "scan",
        "is_message": content.is_message,
        "size": len(content.raw),
        "envelope": content.envelope and content.envelope._asdict(),
    }
    if request.path:
        yield Question((_line({**asked, "path": str(request.path)}),))
    else:
        yield Question(_inline(asked, content.raw))
    reply = yield from _reply(number, {"status", "info", "code", "values", "recipients"})
    recipients = content.envelope.recipients if content.envelope else ()
    return _answer(reply, frozenset(recipients))


def begin(options: Mapping[str, Any]) -> bytes:
    """The first request to a process: its version, with the options that it needs. `begun` hears the answer."""
    return _line({"id": 0, "request": "version", "options": options})


def begun() -> Dialogue[str]:
    """Hear the answer to the first request."""
    return _version(0)


def version(request: Request) -> Dialogue[str]:  # noqa: ARG001  # has the signature of all versions
    """Ask for the version of program and definitions."""
    number = next(_ids)
    yield Say(_line({"id": number, "request": "version"}))
    return (yield from _version(number))


def _version(number: int) -> Dialogue[str]:
    reply = yield from _reply(number, {"version"})
    return plain(_typed(reply, "version", str))


def stats(request: Request) -> Dialogue[bool]:  # noqa: ARG001  # has the signature of all probes
    """Ask for the program's counters, to see whether it works."""
    number = next(_ids)
    yield Say(_line({"id": number, "request": "stats"}))
    reply = yield from _reply(number, {"stats"})
    _log.debug("stats: %s", plain(json.dumps(_typed(reply, "stats", dict))))
    return True


def _line(asked: Mapping[str, Any]) -> bytes:
    return json.dumps(asked, default=str).encode() + b"\n"  # an option may be a Path


def _inline(asked: Mapping[str, Any], raw: bytes) -> Iterator[bytes]:
    yield json.dumps(asked).encode().removesuffix(b"}") + b', "data": "'
    for chunk in cut((raw,), CHUNK):
        yield b2a_base64(chunk, newline=False)
    yield b'"}\n'


def _reply(number: int, members: set[str]) -> Dialogue[dict[str, Any]]:
    """Hear the answer to the request of this number, which may have these members."""
    line = yield Line(LIMIT)
    reply = strict_json.read(line)
    if not isinstance(reply, dict):
        raise ProtocolError("not an object")
    if _typed(reply, "id", int) != number:
        raise ProtocolError("an answer to another request")
    if unknown := sorted(reply.keys() - members - {"id"}):
        raise ProtocolError(f"unknown member {plain(unknown[0], 80)}")
    return reply


def _typed(members: Mapping[str, Any], name: str, kind: type, default: Any = None) -> Any:
    """The value of a member, which must be of exactly this type: a boolean is no number. `default` if it is missing; without
    one, it is required."""
    value = members.get(name, default)
    if type(value) is not kind:
        raise ProtocolError(f"{name} is missing" if name not in members else f"{name} is not of type {kind.__name__}")
    return value


def _answer(reply: Mapping[str, Any], recipients: frozenset[str]) -> Answer:
    word = _typed(reply, "status", str)
    if word not in set(Status):
        raise ProtocolError(f"unknown status {plain(word, 80)}")
    info, code = plain(_typed(reply, "info", str, "")).strip(), _typed(reply, "code", int, 0)
    if code not in _CODES:
        raise ProtocolError("a code of more than 64 bits")
    by_recipient = _typed(reply, "recipients", dict, {})
    if not by_recipient.keys() <= recipients:
        raise ProtocolError("an unknown recipient")
    more: dict[str, Any] = {
        "code": code if "code" in reply else None,
        "values": _values(reply, "values"),
        "by_recipient": {recipient: _values(by_recipient, recipient) for recipient in by_recipient},
        "is_open": True,
    }
    status = Status(word)
    return found(info, status, **more) if status in FOUND else Answer(status, info, **more)


def _values(members: Mapping[str, Any], name: str) -> dict[str, str]:
    """The values of variables, by their names without the prefix of the engine."""
    values: dict[str, Any] = _typed(members, name, dict, {})
    for variable in values:
        if not NAME.fullmatch(variable):
            raise ProtocolError(f"not the name of a variable: {plain(variable, 80)}")
        _typed(values, variable, str)
    return values
