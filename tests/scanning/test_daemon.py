"""A protocol as an engine: with a toy protocol of one line, on connections that are kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.faults import Faults, engine_of, line, sized
from support.scanning import Ask, Serve
from support.scripted import Peer

from sieveav.scanning import daemon
from sieveav.scanning.contract import Content, Deadline
from sieveav.scanning.daemon import Protocol
from sieveav.scanning.dialogue import (
    Answer,
    Dialogue,
    Line,
    Octets,
    Question,
    Request,
    Rest,
    Say,
    error,
    found,
    play,
    together,
)
from sieveav.scanning.failover import ProtocolError
from sieveav.verdict import Status

KNOWN = {
    b"clean": Answer(Status.CLEAN, is_open=True),
    b"virus": found("Evil\r\nX: y", code=7, values={"score": "9"}),
    b"two": together([Answer(Status.CLEAN), found("Tool", Status.SUSPICIOUS), found("A"), found("B")]),
    b"partly": together([Answer(Status.LIMITS, "too big"), found("A")]),
}


def scan(request: Request) -> Dialogue[Answer]:
    raw = request.content.raw
    yield Question((b"scan %d\n" % len(raw), raw))
    said = yield Line()
    return KNOWN.get(said, error(said))


def scan_file(request: Request) -> Dialogue[Answer]:
    assert request.path is not None
    yield Question((b"scan " + request.path.read_bytes()[:1] + b"\n",))
    said = yield Line()
    return KNOWN.get(said, error(said))


def probe(request: Request) -> Dialogue[bool]:
    yield Say(b"ping " + request.host.encode() + b"\n")
    said = yield Line()
    return bool(said == b"pong")


def version(request: Request) -> Dialogue[str]:  # noqa: ARG001  # has the signature of all versions
    yield Say(b"version\n")
    size = int((yield Octets(2)))
    said: bytes = yield Octets(size)
    return said.decode() + str(len((yield Rest(100))))


TOY = Protocol(99, scan, probe, version)

Script = Callable[[Peer], None]


hear = sized(b"scan")


def says(answers: list[bytes]) -> Script:
    """A daemon that gives these answers, one for each line, on one connection after the other."""
    left: Iterator[bytes] = iter(answers)

    def script(peer: Peer) -> None:
        while True:
            hear(peer)
            peer.send(next(left))

    return script


def test_connections_are_kept(serve: Serve, ask: Ask) -> None:
    server = serve(says([b"clean\n"] * 3 + [b"virus\n"]))
    engine = engine_of(TOY, server.address)
    assert [ask(engine).status for _ in range(4)] == [Status.CLEAN] * 3 + [Status.INFECTED]
    assert server.connections == 1


def test_not_after_an_answer_that_ends_them(serve: Serve, ask: Ask) -> None:
    server = serve(says([b"virus\n", b"clean\n"]))
    engine = engine_of(TOY, server.address)
    assert [ask(engine).status for _ in range(2)] == [Status.INFECTED, Status.CLEAN]
    assert server.connections == 2


def test_a_connection_that_was_closed_meanwhile(serve: Serve, ask: Ask) -> None:
    def once(peer: Peer) -> None:
        hear(peer)
        peer.send(b"clean\n")

    server = serve(once)
    engine = engine_of(TOY, server.address)
    for number in range(1, 4):
        assert ask(engine).status is Status.CLEAN
        assert server.connections == number
        time.sleep(0.05)


def test_a_connection_that_was_kept_too_long(serve: Serve, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon.Daemon, "idle", 0.0)
    server = serve(says([b"clean\n"] * 2))
    engine = engine_of(TOY, server.address)
    assert [ask(engine).status for _ in range(2)] == [Status.CLEAN] * 2
    assert server.connections == 2


def test_what_is_said_unasked_is_no_answer(serve: Serve, ask: Ask) -> None:
    """A second answer that comes late is not taken for that to the next content."""

    def twice(peer: Peer) -> None:
        hear(peer)
        peer.send(b"clean\n")
        peer.stopped.wait(0.05)
        peer.send(b"clean\n")
        hear(peer)
        peer.send(b"virus\n")

    server = serve(twice)
    engine = engine_of(TOY, server.address)
    assert ask(engine).status is Status.CLEAN
    time.sleep(0.2)
    first_hears_no_more = ask(engine, seconds=0.3)
    assert (server.connections, first_hears_no_more.status) == (2, Status.CLEAN)


@pytest.mark.parametrize("more", [b"clean\n", b"\0", b"virus\n"])
def test_an_answer_with_more_behind_it(serve: Serve, ask: Ask, more: bytes) -> None:
    verdict = ask(engine_of(TOY, serve(says([b"clean\n" + more])).address))
    assert verdict.status is Status.ERROR
    assert verdict.info.endswith("clean, and more than one answer")


def test_what_an_answer_brings(serve: Serve, ask: Ask) -> None:
    verdict = ask(engine_of(TOY, serve(says([b"virus\n"])).address))
    assert (verdict.status, verdict.info, verdict.code, verdict.values) == (
        Status.INFECTED,
        "EvilX: y",
        7,
        {"score": "9"},
    )


@pytest.mark.parametrize(
    ("answer", "values", "expected"),
    [
        (b"two", {}, (Status.INFECTED, "A")),
        (b"two", {"allow": ("A",)}, (Status.INFECTED, "B")),
        (b"two", {"allow": ("A", "B")}, (Status.SUSPICIOUS, "Tool")),
        (b"two", {"allow": ("A", "B", "T*")}, (Status.CLEAN, "")),
        (b"two", {"classes": ("A=macro", "B=limits", "Tool=infected")}, (Status.INFECTED, "Tool")),
        (b"partly", {}, (Status.INFECTED, "A")),
        (b"partly", {"allow": ("A",)}, (Status.LIMITS, "too big")),
    ],
)
def test_all_that_is_found_counts(
    answer: bytes, values: dict[str, Any], expected: tuple[Status, str], serve: Serve, ask: Ask
) -> None:
    """A signature that the site allows hides no other, and nothing that was not scanned."""
    verdict = ask(engine_of(TOY, serve(says([answer + b"\n"])).address, **values))
    assert (verdict.status, verdict.info) == expected


def test_together() -> None:
    answers = [Answer(status, number) for number in "12" for status in (Status.CLEAN, Status.ERROR)]
    first = together(answers)
    assert (first.status, first.info, [each.info for each in first.others]) == (Status.ERROR, "1", ["2", "1", "2"])
    with pytest.raises(ValueError, match="unpack"):
        together([])


def test_a_file_for_the_daemon(serve: Serve, ask: Ask, tmp_path: Path) -> None:
    asked: list[bytes] = []

    def script(peer: Peer) -> None:
        asked.append(line(peer))
        peer.send(b"virus\n")

    protocol = Protocol(99, scan_file, probe, needs_file=True)
    assert ask(engine_of(protocol, serve(script).address, file_base=tmp_path), b"X").status is Status.INFECTED
    assert asked == [b"scan X\n"]
    assert list(tmp_path.iterdir()) == []


def test_version_and_probe(serve: Serve) -> None:
    def script(peer: Peer) -> None:
        heard = line(peer)
        peer.send(b"pong\n" if heard.startswith(b"ping 127.0.0.1:") else b"05toy 1" + b"xyz")

    made: Any = engine_of(TOY, serve(script).address)
    assert made.version(Deadline.after(5)) == "toy 13"
    (breaker,) = made._breakers
    assert breaker.server.probe(Deadline.after(5))


def test_play_is_as_strict_as_a_connection() -> None:
    request = Request(Content(b""), Deadline.after(5))
    assert play(probe(request), b"pong\r\n") == (True, b"ping \n", b"")
    assert play(probe(request), b"pong\npong\n") == (True, b"ping \n", b"pong\n")
    assert play(version(request), b"05toy 1xyz") == ("toy 13", b"version\n", b"")
    for octets in (b"", b"pong"):
        with pytest.raises(ProtocolError):
            play(probe(request), octets)
    with pytest.raises(ProtocolError):
        play(version(request), b"05toy ")


class TestFaults(Faults):
    protocol = TOY
    clean = (hear, b"clean\n")
