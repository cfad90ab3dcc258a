"""savapi: what Avira's SAVAPI says, against a scripted server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.faults import Faults, Say, engine_of, line, lines
from support.scanning import Ask, Serve
from support.scripted import Peer

from sieveav.engines.savapi import engine, protocol
from sieveav.scanning.contract import Content, Deadline
from sieveav.scanning.dialogue import Answer, Request, play
from sieveav.scanning.failover import ProtocolError
from sieveav.verdict import Status

VALUES = {"product": 7}

GREETING = (b"100 SAVAPI:4.0", b"100 PRODUCT:7")


def stream(*said: bytes) -> bytes:
    """These lines, as they come over a connection."""
    return b"".join(line + b"\r\n" for line in said)


def request() -> Request:
    return Request(Content(b"hello"), Deadline.after(9), path=Path("/a b/x"), values=VALUES)


def answered(*said: bytes) -> Answer:
    answer, asked, unheard = play(protocol.scan(request()), stream(*GREETING, *said))
    assert (asked.removesuffix(b"QUIT\n"), unheard) == (b"SET PRODUCT 7\nSCAN /a b/x\n", b"")
    return answer


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ((b"200",), (Status.CLEAN, "", 200)),
        ((b"210 OK",), (Status.CLEAN, "", 210)),
        (
            (b"310 /a b/x <<< Eicar-Test-Signature ; virus ; Contains code", b"319"),
            (Status.INFECTED, "Eicar-Test-Signature", 310),
        ),
        ((b"310 Eicar ; virus ; Contains code", b"319 found"), (Status.INFECTED, "Eicar", 310)),
        ((b"310, A\x1b\xff ; virus", b"310 B ; virus", b"319"), (Status.INFECTED, "A", 310)),
        ((b"310 /a b/x --> m <<< ok ; <<< Real ; virus ; x", b"319"), (Status.INFECTED, "Real", 310)),
        ((b"310", b"319"), (Status.INFECTED, "unknown", 310)),
        ((b"319",), (Status.INFECTED, "unknown", 319)),
        ((b"310 A ; virus", b"200"), (Status.INFECTED, "A", 310)),
        ((b"310 A ; virus", b"350 aborted"), (Status.INFECTED, "A", 310)),
        ((b"420 /a b/x <<< HEUR/Mail ; heuristic ; x",), (Status.SUSPICIOUS, "HEUR/Mail", 420)),
        ((b"420 what",), (Status.ERROR, "420 what", 420)),
        ((b"421 /a b/x: is encrypted",), (Status.ENCRYPTED, "421 : is encrypted", 421)),
        ((b"430 too many recursions",), (Status.LIMITS, "430 too many recursions", 430)),
        ((b"422 corrupt archive", b"200"), (Status.UNSCANNABLE, "422 corrupt archive", 422)),
        ((b"430 what", b"421 encrypted"), (Status.ERROR, "430 what", 430)),
        ((b"421 encrypted", b"430 what", b"200", b"100 BYE"), (Status.ERROR, "430 what", 430)),
        ((b"421 encrypted", b"310 A ; virus", b"319"), (Status.INFECTED, "A", 310)),
        ((b"421 encrypted", b"319"), (Status.INFECTED, "unknown", 319)),
        ((b"350 could not open",), (Status.ERROR, "350 could not open", 350)),
        ((b"100 OK",), (Status.ERROR, "100 OK", 100)),
        ((b"220 repaired",), (Status.ERROR, "220 repaired", 220)),
        ((b"520 encrypted",), (Status.ERROR, "520 encrypted", 520)),
    ],
)
def test_answers(said: tuple[bytes, ...], expected: tuple[Any, ...]) -> None:
    answer = answered(*said)
    assert (answer.status, answer.info, answer.code) == expected


def test_the_words_in_its_path_are_no_reason() -> None:
    asked = Request(Content(b""), Deadline.after(9), path=Path("/encrypted/x"), values=VALUES)
    answer = play(protocol.scan(asked), stream(*GREETING, b"430 /encrypted/x: what")).answer
    assert (answer.status, answer.info) == (Status.ERROR, "430 : what")


@pytest.mark.parametrize(
    "said",
    [
        (b"200 SAVAPI:4.0",),
        (b"100 SAVAPI:4.0", b"510 product"),
        (b"100 OTHER:4.0", b"100 PRODUCT:7", b"200"),
        (b"", *GREETING, b"200"),
        (*GREETING, b"2000"),
        (*GREETING, b"200-OK"),
        (*GREETING, b" 200 OK"),
        (*GREETING, b"310 A"),
        (*GREETING, b"421 encrypted", b"what"),
        (*GREETING, *[b"310 A"] * 20_000, b"319"),
    ],
)
def test_what_breaks_the_protocol(said: tuple[bytes, ...]) -> None:
    with pytest.raises(ProtocolError):
        play(protocol.scan(request()), stream(*said))


def test_probe() -> None:
    assert play(protocol.probe(request()), stream(*GREETING)) == (True, b"SET PRODUCT 7\nQUIT\n", b"")
    with pytest.raises(ProtocolError):
        play(protocol.probe(request()), stream(GREETING[0], b"510 product"))
    assert protocol.version is None


def test_the_options() -> None:
    assert {option.name: option.default for option in engine.options} == {
        "daemon": ("127.0.0.1:4444",),
        "product": 0,
        "classes": (),
        "allow": (),
    }


SCAN = b"SCAN "


def scanned(peer: Peer) -> bytes:
    """What is in the file that is to be scanned."""
    heard = line(peer)
    assert heard.startswith(SCAN)
    return Path(heard.removeprefix(SCAN).decode().strip()).read_bytes()


def test_the_file(serve: Serve, ask: Ask, tmp_path: Path) -> None:
    """It is there while it is scanned, and then removed, and no other user can read it."""
    seen: list[bytes] = []

    def script(peer: Peer) -> None:
        peer.send(stream(GREETING[0]))
        line(peer)
        peer.send(stream(GREETING[1]))
        assert [path.stat().st_mode & 0o777 for path in tmp_path.iterdir()] == [0o600]
        seen.append(scanned(peer))
        peer.send(stream(b"310 A", b"319"))

    asked = engine_of(protocol, serve(script).address, file_base=tmp_path, **VALUES)
    assert ask(asked, b"\0\r\nhello").status is Status.INFECTED
    assert (seen, list(tmp_path.iterdir())) == ([b"\0\r\nhello"], [])


def test_no_file_is_left_after_a_failure(serve: Serve, ask: Ask, tmp_path: Path) -> None:
    for script in (Peer.reset, Peer.silence):
        asked = engine_of(protocol, serve(script).address, file_base=tmp_path, **VALUES)
        assert ask(asked, seconds=0.2).status is Status.ERROR
        assert list(tmp_path.iterdir()) == []


def test_a_warning_ends_with_the_connection(serve: Serve, ask: Ask) -> None:
    def script(peer: Peer) -> None:
        for heard, said in zip(("SET", "SCAN", "QUIT"), (GREETING[1], b"421 encrypted", b"100"), strict=True):
            peer.send(stream(GREETING[0]) if heard == "SET" else b"")
            lines(heard)(peer)
            peer.send(stream(said))

    assert ask(engine_of(protocol, serve(script).address, **VALUES)).status is Status.ENCRYPTED


def test_the_name_of_the_file(serve: Serve) -> None:
    """It must be a word of one line that means the same to the daemon."""

    def script(peer: Peer) -> None:
        peer.send(stream(GREETING[0]))
        line(peer)
        peer.send(stream(GREETING[1]))
        peer.send(stream(b"310 " + line(peer).removeprefix(SCAN).strip() + b" ;", b"319"))

    asked = engine_of(protocol, serve(script).address, **VALUES)
    relative = asked.scan(Content(b"x", path=Path("x.eml")), Deadline.after(5))
    assert (relative.status, relative.info) == (Status.INFECTED, str(Path("x.eml").absolute()))
    two_lines = asked.scan(Content(b"x", path=Path("/x\nSCAN y")), Deadline.after(5))
    assert (two_lines.status, two_lines.info.partition(": ")[2]) == (
        Status.ERROR,
        "the name of the file has control characters",
    )


ANSWERS: dict[str, Say] = {
    "a warning before the answer": lambda peer, answer: peer.send(b"430 what\r\n" + answer),
    "more warnings than there is room for": lambda peer, _: peer.send(b"430 what\r\n" * 200_000),
    "a find without its end": lambda peer, _: peer.send(b"310 A ; virus\r\n"),
}


class TestFaults(Faults):
    protocol = protocol
    values = VALUES
    clean = (b"100 SAVAPI:4.0\r\n", lines("SET PRODUCT 7"), b"100 PRODUCT:7\r\n", scanned, b"200 OK\r\n")
    answers = ANSWERS
