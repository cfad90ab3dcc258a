"""drweb: what Dr.Web's drwebd says, against a scripted server."""

from __future__ import annotations

import struct

import pytest
from support.faults import Faults, Say, engine_of
from support.scanning import Ask, Serve
from support.scripted import Peer

from sieveav.engines.drweb import engine, protocol
from sieveav.scanning.contract import Content, Deadline
from sieveav.scanning.dialogue import Answer, Request, play
from sieveav.scanning.failover import ProtocolError
from sieveav.verdict import Status


def said(bits: int, *names: bytes) -> bytes:
    """An answer."""
    return struct.pack("!2L", bits, len(names)) + b"".join(struct.pack("!L", len(name)) + name for name in names)


CLEAN = said(0x100000)


def request(content: bytes = b"hello", *, is_message: bool = False) -> Request:
    return Request(Content(content, is_message=is_message), Deadline.after(9))


def answered(octets: bytes) -> Answer:
    answer, asked, unheard = play(protocol.scan(request()), octets)
    assert (asked, unheard) == (b"\0\0\0\1\0\x20\0\1\0\0\0\0\0\0\0\5hello", b"")
    return answer


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (CLEAN, (Status.CLEAN, "")),
        (said(0x110000), (Status.CLEAN, "")),
        (
            said(0x20, b"infected with EICAR Test File (NOT a Virus!)\0"),
            (Status.INFECTED, "EICAR Test File (NOT a Virus!)"),
        ),
        (said(0x40, b"A\x1b\r\n\xff", b"B"), (Status.INFECTED, "A")),
        (said(0x100020), (Status.INFECTED, "unknown")),
        (said(0x20, b""), (Status.INFECTED, "unknown")),
        (said(0x8000_10E5, b"A"), (Status.INFECTED, "A")),
        (said(0x100000, b"A"), (Status.INFECTED, "A")),
        (said(0x80, b"infected with modification of A\0"), (Status.SUSPICIOUS, "modification of A")),
        (said(0x81), (Status.SUSPICIOUS, "modification of a virus")),
        (said(0xA0, b"A"), (Status.INFECTED, "A")),
        (said(0x1000), (Status.UNSCANNABLE, "skipped")),
        (said(0x101000), (Status.UNSCANNABLE, "skipped")),
        (said(0x103000), (Status.LIMITS, "too big")),
        (said(0x104000), (Status.LIMITS, "too compressed")),
        # neither clean nor infected
        (said(0), (Status.ERROR, "00000000")),
        (said(0x10000), (Status.ERROR, "00010000")),
        (said(0x1), (Status.ERROR, "00000001 read error")),
        (said(0x100204), (Status.ERROR, "00100204 no memory, timeout")),
        (said(0x3000_8000), (Status.ERROR, "30008000 wrong command")),
        (said(0x3001), (Status.ERROR, "00003001 read error")),
        (said(0x120000), (Status.ERROR, "00120000")),
        (said(0x100100), (Status.ERROR, "00100100")),
    ],
)
def test_answers(octets: bytes, expected: tuple[Status, str]) -> None:
    answer = answered(octets)
    assert (answer.status, answer.info, answer.code) == (*expected, struct.unpack("!L", octets[:4])[0])


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        CLEAN[:-1],
        said(0x20, b"A")[:-1],
        struct.pack("!2L", 0x20, 0xFFFFFFFF),
        said(0x20, *[b"A"] * 1001),
        said(0x20, bytes(8193)),
    ],
)
def test_what_breaks_the_protocol(octets: bytes) -> None:
    with pytest.raises(ProtocolError):
        play(protocol.scan(request()), octets)


def test_a_message_is_mail() -> None:
    asked = play(protocol.scan(request(is_message=True)), CLEAN).said
    assert asked == b"\0\0\0\1\0\x28\0\1\0\0\0\0\0\0\0\5hello"


def test_an_empty_content_is_a_line_end() -> None:
    assert play(protocol.scan(request(b"")), CLEAN).said.endswith(b"\0\0\0\0\0\0\0\1\n")


@pytest.mark.parametrize(("octets", "works"), [(CLEAN, True), (said(0x8000), False)])
def test_probe(octets: bytes, works: bool) -> None:
    assert play(protocol.probe(request(b"")), octets).answer is works
    assert protocol.version is None


def test_the_options() -> None:
    values = {option.name: option.default for option in engine.options}
    assert values == {"daemon": ("127.0.0.1:3000",), "classes": (), "allow": ()}


def hear(peer: Peer) -> bytes:
    """Hear a scan."""
    *_, length, size = struct.unpack("!4L", peer.exactly(16))
    assert length == 0
    return peer.exactly(size)


def test_the_site_says_what_a_name_counts_as(serve: Serve, ask: Ask) -> None:
    def script(peer: Peer) -> None:
        hear(peer)
        peer.send(said(0x20, b"infected with Tool.Prockill\0"))

    address = serve(script).address
    assert ask(engine_of(protocol, address)).status is Status.INFECTED
    assert ask(engine_of(protocol, address, classes=("Tool.*=suspicious",))).status is Status.SUSPICIOUS


ANSWERS: dict[str, Say] = {
    "names that do not come": lambda peer, _: peer.send(struct.pack("!2L", 0x20, 1000)),
    "a name that does not come": lambda peer, _: peer.send(struct.pack("!3L", 0x20, 1, 100)),
    "more names than there is room for": lambda peer, _: peer.send(
        struct.pack("!2L", 0x20, 1 << 31) + bytes(1_000_000)
    ),
}


class TestFaults(Faults):
    protocol = protocol
    clean = (hear, CLEAN)
    answers = ANSWERS
