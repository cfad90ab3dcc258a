"""dialogue: what is said to a daemon and heard from it, as a generator without sockets: a protocol is pure and total.

A function of a protocol yields steps and gets what was heard; its return value is the answer:

    def scan(request: Request) -> Dialogue[Answer]:
        greeting = yield Line()
        yield Question((b"SCAN %d\\r\\n" % len(request.content.raw), request.content.raw))
        reply = yield Line()
        return Answer(Status.CLEAN) if reply == b"200 clean" else Answer(Status.ERROR, text(reply))

`run` plays it on a connection; tests play the daemon without one. A protocol raises ProtocolError for what it does not
understand: never clean. `daemon.py` makes an engine of it.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from sieveav.scanning.connecting import Connection
from sieveav.scanning.contract import Content, Deadline
from sieveav.scanning.failover import ProtocolError
from sieveav.verdict import Status, plain

T = TypeVar("T")

LINE = 8192
"""The most octets of a line, unless a protocol says otherwise."""


class Line(NamedTuple):
    """Hear a line, without its line end."""

    limit: int = LINE


class Octets(NamedTuple):
    """Hear so many octets."""

    number: int


class Rest(NamedTuple):
    """Hear all octets up to the end of the connection, at most so many."""

    limit: int


class Say(NamedTuple):
    """Say something that is not the question yet."""

    octets: bytes


class Question(NamedTuple):
    """Ask, with pieces that are sent one after the other: what the daemon says from now on is its answer. Hears whether all was
    sent before the daemon spoke. In a full duplex protocol the daemon may speak meanwhile, `hears` octets at most. `is_last`:
    nothing more is said, and the daemon sees the end of what is said."""

    pieces: Iterable[bytes]
    hears: int = 0
    is_last: bool = False


Step = Line | Octets | Rest | Say | Question

Dialogue = Generator[Step, Any, T]
"""Yields steps, gets what was heard (bytes; for a question a bool), returns a T."""


@dataclass(frozen=True)
class Request:
    """What is asked: the content, a file with it if the protocol needs one, the `host` of the daemon as a header field names
    it, the values of the engine's options, and the time."""

    content: Content
    deadline: Deadline
    host: str = ""
    path: Path | None = None
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """What a daemon answers. `info` is the name of a signature (then `is_find`: what it counts as is up to `naming`, and
    `status` if that has no class for it) or the reason of another status; both are untrusted. `others` is what else it says of
    the content: it counts if the site allows the signature, or takes it for something better. The rest is as in a `Verdict`;
    `is_open` says that the connection may be used for another question."""

    status: Status
    info: str = ""
    is_find: bool = False
    code: int | None = None
    version: str = ""
    cured: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    by_recipient: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    is_open: bool = False
    others: tuple[Answer, ...] = ()


def found(name: str, status: Status = Status.INFECTED, **more: Any) -> Answer:
    """The answer that a signature of this name has hit."""
    return Answer(status, name or "unknown", is_find=True, **more)


_ORDER = tuple(Status)


def together(answers: Iterable[Answer]) -> Answer:
    """One answer of several: the worst, the first of those that are equally bad, and the others with it. ValueError for
    none."""
    worst, *others = sorted(answers, key=lambda answer: _ORDER.index(answer.status))
    return replace(worst, others=tuple(others))


def error(reason: str | bytes, **more: Any) -> Answer:
    """The answer that the content could not be scanned, for a reason that the daemon gives."""
    return Answer(Status.ERROR, (text(reason) if isinstance(reason, bytes) else reason) or "error", **more)


def text(octets: bytes) -> str:
    """What a daemon says, as printable ASCII."""
    return plain(octets.decode("ascii", "ignore")).strip()


def run(connection: Connection, dialogue: Dialogue[T]) -> T:
    """Play a dialogue on a connection. Raises Unreached and ProtocolError."""
    try:
        step = next(dialogue)
        while True:
            step = dialogue.send(_play(connection, step))
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    finally:
        dialogue.close()


def _play(connection: Connection, step: Step) -> Any:
    if isinstance(step, Line):
        return connection.line(step.limit)
    if isinstance(step, Octets):
        return connection.octets(step.number)
    if isinstance(step, Rest):
        return connection.rest(step.limit)
    if isinstance(step, Say):
        return connection.send((step.octets,))
    heard_all = connection.question(step.pieces, step.hears)
    if step.is_last:
        connection.end()
    return heard_all


class Played(NamedTuple, Generic[T]):
    """The answer of a dialogue, all that was said in it, and what the daemon said that was not heard."""

    answer: T
    said: bytes
    unheard: bytes


def play(dialogue: Dialogue[T], octets: bytes) -> Played[T]:
    """Play a dialogue without a connection, with a daemon that says these octets and closes it. ProtocolError if the dialogue
    hears more."""
    said: list[bytes] = []
    at = 0
    try:
        step = next(dialogue)
        while True:
            if isinstance(step, Say):
                said.append(step.octets)
                step = dialogue.send(True)
            elif isinstance(step, Question):
                said.extend(step.pieces)
                step = dialogue.send(True)
            else:
                end = _end(step, octets, at)
                if not at <= end <= len(octets):
                    raise ProtocolError("connection closed")
                heard, at = octets[at:end], end
                step = dialogue.send(heard[:-1].removesuffix(b"\r") if isinstance(step, Line) else heard)
    except StopIteration as last:
        return Played(last.value, b"".join(said), octets[at:])


def _end(step: Line | Octets | Rest, octets: bytes, at: int) -> int:
    """Where what a step hears of `octets[at:]` ends; -1 for a line without an end."""
    if isinstance(step, Octets):
        return at + step.number
    return len(octets) if isinstance(step, Rest) else octets.find(b"\n", at) + 1 or -1
