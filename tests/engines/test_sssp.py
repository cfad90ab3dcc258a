"""sssp: what Sophos's SAVDI says, against a scripted server."""

from __future__ import annotations

from typing import Any

import pytest
from support.faults import Faults, engine_of, lines, sized
from support.scanning import Ask, Serve

from sieveav.engines.sssp import protocol
from sieveav.scanning.contract import Content, Deadline
from sieveav.scanning.dialogue import Answer, Request, play
from sieveav.scanning.failover import ProtocolError
from sieveav.verdict import Status

GREETING = (b"OK SSSP/1.0", b"ACC 4F2A/1")


def stream(*said: bytes) -> bytes:
    """These lines, as they come over a connection."""
    return b"".join(line + b"\r\n" for line in said)


def answered(*said: bytes) -> Answer:
    request = Request(Content(b"hello"), Deadline.after(9))
    answer, asked, unheard = play(protocol.scan(request), stream(*GREETING, *said))
    assert (asked, unheard) == (b"SSSP/1.0\nSCANDATA 5\nhello", b"")
    return answer


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ((b"DONE OK 0000 The function call succeeded", b""), (Status.CLEAN, "", 0)),
        ((b"EVENT a", b"TYPE b", b"FILE c", b"DONE OK 0000", b""), (Status.CLEAN, "", 0)),
        (
            (b"VIRUS EICAR-AV-Test /tmp/x y", b"DONE OK 0203 Virus found during virus scan", b""),
            (Status.INFECTED, "EICAR-AV-Test", 0x203),
        ),
        ((b"VIRUS A", b"VIRUS B x", b"DONE FAIL 0212 Encrypted", b""), (Status.INFECTED, "A", 0x212)),
        ((b"DONE OK 0203", b""), (Status.INFECTED, "unknown", 0x203)),
        ((b"DONE FAIL 0212 File was encrypted", b""), (Status.ENCRYPTED, "File was encrypted", 0x212)),
        ((b"DONE FAIL 0210 Could not open item", b""), (Status.ERROR, "0210 Could not open item", 0x210)),
        ((b"DONE OK 0001", b""), (Status.ERROR, "0001", 1)),
        ((b"DONE FAIL 0000", b""), (Status.ERROR, "0000", 0)),
    ],
)
def test_answers(said: tuple[bytes, ...], expected: tuple[Any, ...]) -> None:
    answer = answered(b"ACC 4F2A/2", *said)
    assert (answer.status, answer.info, answer.code) == expected


def test_refusals() -> None:
    assert answered(b"REJ 4").status is Status.LIMITS
    assert answered(b"REJ 1").status is Status.ERROR
    assert answered(b"OK").status is Status.ERROR


@pytest.mark.parametrize(
    "said",
    [
        (b"OK SSSP/2.0",),
        (b"OK SSSP/1.0", b"REJ 2"),
        (*GREETING, b"ACC 1", b"DONE OK 0000", b"DONE OK 0000"),
        (*GREETING, b"ACC 1", *[b"FILE x"] * 20_000),
        (*GREETING, b"ACC 1", b"DONE OK 0000"),
        (*GREETING, b"ACC 1", b"done OK 00000", b""),
    ],
)
def test_what_breaks_the_protocol(said: tuple[bytes, ...]) -> None:
    with pytest.raises(ProtocolError):
        play(protocol.scan(Request(Content(b"hello"), Deadline.after(9))), stream(*said))


def test_version_and_probe() -> None:
    said = (b"ACC 4F2A/2", b"EngineVersion: 3.86", b"VirusDataVersion: 5.99\x1b", b"x", b"")
    assert protocol.version is not None
    request = Request(Content(b""), Deadline.after(9))
    assert play(protocol.version(request), stream(*GREETING, *said)) == (
        "Sophos 3.86 5.99",
        b"SSSP/1.0\nQUERY ENGINE\n",
        b"",
    )
    assert play(protocol.probe(request), stream(*GREETING)) == (True, b"SSSP/1.0\nBYE\n", b"")


def test_the_site_says_what_a_name_counts_as(serve: Serve, ask: Ask) -> None:
    def script(peer: Any) -> None:
        for step in TestFaults.clean[:-1]:
            peer.send(step) if isinstance(step, bytes) else step(peer)
        peer.send(b"VIRUS App/Tool /x\r\nDONE OK 0203\r\n\r\n")

    address = serve(script).address
    assert ask(engine_of(protocol, address)).status is Status.INFECTED
    assert ask(engine_of(protocol, address, classes=("App/*=suspicious",))).status is Status.SUSPICIOUS
    assert ask(engine_of(protocol, address, allow=("App/*",))).status is Status.CLEAN


class TestFaults(Faults):
    protocol = protocol
    clean = (
        b"OK SSSP/1.0\r\n",
        lines("SSSP/1.0"),
        b"ACC 4F2A/1\r\n",
        sized(b"SCANDATA"),
        b"ACC 4F2A/2\r\n",
        b"DONE OK 0000 The function call succeeded\r\n\r\n",
    )
