"""fpscand: what F-Prot's fpscand says, against a scripted server."""

from __future__ import annotations

from typing import Any

import pytest
from support.faults import Faults, Say, engine_of, sized
from support.scanning import Ask, Serve

from sieveav.engines.fpscand import engine, protocol
from sieveav.scanning.contract import Content, Deadline
from sieveav.scanning.dialogue import Answer, Request, play
from sieveav.scanning.failover import ProtocolError
from sieveav.verdict import Status


def request(content: bytes = b"hello") -> Request:
    return Request(Content(content), Deadline.after(9))


def answered(said: bytes) -> Answer:
    answer, asked, unheard = play(protocol.scan(request()), said + b"\n")
    assert (asked, unheard) == (b"SCAN STREAM content SIZE 5\nhello", b"")
    return answer


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (b"0 <clean> content", (Status.CLEAN, "", 0)),
        (b"0 <clean> other", (Status.ERROR, "0 <clean> other", 0)),
        (b"0 <clean> content->x", (Status.ERROR, "0 <clean> content->x", 0)),
        (b"0 <clean>", (Status.ERROR, "0 <clean>", 0)),
        (b"0 <not scanned> content", (Status.ERROR, "0 <not scanned> content", 0)),
        (b"00 <clean> content", (Status.ERROR, "00 <clean> content", 0)),
        (b"1 <infected: EICAR_Test_File> content->eicar.com", (Status.INFECTED, "EICAR_Test_File", 1)),
        (b"1 <infected: A\x1b\xff (exact)> x: y>", (Status.INFECTED, "A (exact)", 1)),
        (b"1 <clean> content", (Status.INFECTED, "unknown", 1)),
        (b"1 <infected", (Status.INFECTED, "unknown", 1)),
        (b"3 <infected: A> content", (Status.INFECTED, "A", 3)),
        (b"65 <infected: A> content", (Status.INFECTED, "A", 65)),
        (b"257 <infected: A> content", (Status.INFECTED, "A", 257)),
        (b"128 <disinfected: A> content", (Status.INFECTED, "A", 128)),
        (b"2 <suspicious: A> content", (Status.SUSPICIOUS, "A", 2)),
        (b"98 <suspicious> content", (Status.SUSPICIOUS, "unknown", 98)),
        (b"4 <interrupted> content", (Status.ERROR, "4 <interrupted> content", 4)),
        (b"16 <no memory: encrypted>", (Status.ERROR, "16 <no memory: encrypted>", 16)),
        (b"32 <internal error> content", (Status.ERROR, "32 <internal error> content", 32)),
        (b"96 <encrypted> content", (Status.ERROR, "96 <encrypted> content", 96)),
        (b"64 <not scanned> content", (Status.UNSCANNABLE, "64 <not scanned> content", 64)),
        (b"64 <not scanned> content->password", (Status.UNSCANNABLE, "64 <not scanned> content->password", 64)),
        (b"72 <encrypted> content", (Status.ENCRYPTED, "72 <encrypted> content", 72)),
        (b"8 <maximum depth> content", (Status.LIMITS, "8 <maximum depth> content", 8)),
        (b"264 <what> content", (Status.ERROR, "264 <what> content", 264)),
    ],
)
def test_answers(said: bytes, expected: tuple[Any, ...]) -> None:
    answer = answered(said)
    assert (answer.status, answer.info, answer.code) == expected


@pytest.mark.parametrize("said", [b"", b"\n", b"clean\n", b"0\n", b" 0 <clean> content\n", b"0000 <clean> content\n"])
def test_what_breaks_the_protocol(said: bytes) -> None:
    with pytest.raises(ProtocolError):
        play(protocol.scan(request()), said)


def test_an_empty_content_is_a_line_end() -> None:
    assert play(protocol.scan(request(b"")), b"0 <clean> content\n").said == b"SCAN STREAM content SIZE 1\n\n"


@pytest.mark.parametrize(("said", "works"), [(b"0 <clean> content\n", True), (b"32 <internal error>\n", False)])
def test_probe(said: bytes, works: bool) -> None:
    assert play(protocol.probe(request(b"")), said) == (works, b"SCAN STREAM content SIZE 1\n\n", b"")
    assert protocol.version is None


def test_the_options() -> None:
    values = {option.name: option.default for option in engine.options}
    assert values == {"daemon": ("127.0.0.1:10200",), "classes": (), "allow": ()}


def test_the_site_says_what_a_name_counts_as(serve: Serve, ask: Ask) -> None:
    def script(peer: Any) -> None:
        sized(b"SCAN STREAM content SIZE ")(peer)
        peer.send(b"1 <infected: W32/Tool> content\n")

    address = serve(script).address
    assert ask(engine_of(protocol, address)).status is Status.INFECTED
    assert ask(engine_of(protocol, address, classes=("W32/*=suspicious",))).status is Status.SUSPICIOUS


ANSWERS: dict[str, Say] = {
    "an answer to another question": lambda peer, _: peer.send(b"0 <clean> other\n"),
    "a find after the answer": lambda peer, answer: peer.send(answer + b"1 <infected: A> content->x\n"),
}


class TestFaults(Faults):
    protocol = protocol
    clean = (sized(b"SCAN STREAM content SIZE "), b"0 <clean> content\n")
    answers = ANSWERS
