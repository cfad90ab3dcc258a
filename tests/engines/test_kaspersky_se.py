"""kaspersky_se: what Kaspersky Scan Engine answers, against a scripted server."""

from __future__ import annotations

import re
from typing import ClassVar

import pytest
from support import faults
from support.faults import Faults, engine_of, instead
from support.scanning import Ask, Serve
from support.scripted import Peer

from sieveav.engines.kaspersky_se import engine, protocol
from sieveav.scanning.contract import Content, Deadline
from sieveav.scanning.dialogue import Answer, Request, play
from sieveav.scanning.failover import ProtocolError
from sieveav.verdict import Status

VALUES = {"authorization": ""}


def request(content: bytes = b"hello", authorization: str = "") -> Request:
    content_ = Content(content, is_message=False)
    return Request(content_, Deadline.after(9), "kse:9999", values={"authorization": authorization})


def response(body: bytes, status: bytes = b"200 OK", *fields: bytes) -> bytes:
    return b"\r\n".join((b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *fields, b"", body))


def answered(octets: bytes) -> Answer:
    return play(protocol.scan(request()), octets).answer


CLEAN = response(b"CLEAN")


def test_the_request() -> None:
    said = play(protocol.scan(request(authorization="Bearer x")), CLEAN).said
    assert re.fullmatch(
        rb"POST /scanmemory HTTP/1\.1\r\nHost: kse:9999\r\nUser-Agent: sieveav\r\nX-KAV-ProtocolVersion: 1\r\n"
        rb"X-KAV-Timeout: 8[0-9]{3}\r\nAuthorization: Bearer x\r\nContent-Length: 5\r\n\r\nhello",
        said,
    )
    assert b"Authorization" not in play(protocol.scan(request()), CLEAN).said


def test_there_is_always_some_time() -> None:
    """0 may be no limit."""
    late = Request(Content(b"x"), Deadline.after(0), "kse:9999", values=VALUES)
    assert b"X-KAV-Timeout: 1\r\n" in play(protocol.scan(late), CLEAN).said


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"CLEAN", (Status.CLEAN, "")),
        (b"CLEAN\r\n", (Status.CLEAN, "")),
        (b"CLEAN AND CONTAINS OFFICE MACRO", (Status.MACRO, "office macro")),
        (b"NON_SCANNED (PASSWORD PROTECTED)", (Status.ENCRYPTED, "password protected")),
        (b"DETECT EICAR-Test-File", (Status.INFECTED, "EICAR-Test-File")),
        (b"DETECT A CLEAN;\x1b\xffname\r\nDETECT B\r\n", (Status.INFECTED, "A CLEAN;name")),
        (b"DETECT", (Status.INFECTED, "unknown")),
        (b"SERVER_ERROR", (Status.ERROR, "SERVER_ERROR")),
        (b"NON_SCANNED", (Status.ERROR, "NON_SCANNED")),
        (b"CLEAN\r\nSERVER_ERROR", (Status.ERROR, "CLEANSERVER_ERROR")),
        (b"CLEAN ", (Status.ERROR, "CLEAN")),
        (b" CLEAN", (Status.ERROR, "CLEAN")),
        (b"clean", (Status.ERROR, "clean")),
        (b"CLEAN AND CONTAINS", (Status.ERROR, "CLEAN AND CONTAINS")),
        (b"CLEAN\0", (Status.ERROR, "CLEAN")),
        (b"", (Status.ERROR, "error")),
    ],
)
def test_answers(body: bytes, expected: tuple[Status, str]) -> None:
    answer = answered(response(body))
    assert (answer.status, answer.info) == expected


def test_an_answer_in_chunks() -> None:
    octets = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%s\r\n0\r\n\r\n"
    assert answered(octets % b"3\r\nCLE\r\n2\r\nAN").status is Status.CLEAN


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nCLEAN", "does not say how long it is"),
        (response(b"CLEAN", b"201 Created"), "201 Created"),
        (response(b"CLEAN", b"503 Service Unavailable"), "503 Service Unavailable"),
        (response(b"CLEAN", b"401 Unauthorized"), "401 Unauthorized"),
        (response(b"CLEAN" + bytes(70_000)), "more than 65536 octets"),
        (b"ICAP/1.0 200 OK\r\n\r\nCLEAN", "not HTTP"),
        (CLEAN[:-1], "connection closed"),
    ],
)
def test_what_breaks_the_protocol(octets: bytes, reason: str) -> None:
    with pytest.raises(ProtocolError, match=reason):
        answered(octets)


def test_a_find_without_its_length_is_a_find() -> None:
    assert answered(b"HTTP/1.1 200 OK\r\n\r\nDETECT A").status is Status.INFECTED


def test_version_and_probe() -> None:
    assert protocol.version is not None
    octets = response(b"25.11.2026\r\n07:29 GMT\x1b")
    assert play(protocol.version(request()), octets).answer == "Kaspersky 25.11.202607:29 GMT"
    assert play(protocol.version(request()), response(b"no", b"404 Not Found")).answer == ""
    assert play(protocol.version(request()), response(b"")).answer == ""
    said = play(protocol.probe(request()), octets).said
    assert said.startswith(b"GET /basesdate HTTP/1.1\r\nHost: kse:9999\r\n")
    assert b"Content-Length" not in said
    for status, expected in ((b"200 OK", True), (b"404 Not Found", True), (b"500 Internal Server Error", False)):
        assert play(protocol.probe(request()), response(b"", status)).answer is expected


def test_options() -> None:
    authorization = next(option for option in engine.options if option.name == "authorization")
    assert authorization.value("Bearer abc=") == "Bearer abc="
    for written in ("a\r\nX: y", "é"):
        with pytest.raises(ValueError, match="not allowed in a header field"):
            authorization.value(written)


def test_the_connection_is_kept(serve: Serve, ask: Ask) -> None:
    def script(peer: Peer) -> None:
        while True:
            faults.request(peer)
            peer.send(CLEAN)

    server = serve(script)
    asked = engine_of(protocol, server.address, **VALUES)
    assert [ask(asked).status for _ in range(3)] == [Status.CLEAN] * 3
    assert server.connections == 1


@pytest.mark.parametrize(
    ("name", "options", "status"),
    [
        ("EICAR-Test-File", {}, Status.INFECTED),
        ("not-a-virus:AdWare.Win32.A", {}, Status.SUSPICIOUS),
        ("HEUR:not-a-virus:RiskTool.A", {}, Status.SUSPICIOUS),
        ("HEUR:Trojan.A", {}, Status.INFECTED),
        ("HEUR:Trojan.A", {"classes": ("HEUR:*=suspicious",)}, Status.SUSPICIOUS),
        ("EICAR-Test-File", {"allow": ("EICAR-*",)}, Status.CLEAN),
    ],
)
def test_what_names_count_as(
    serve: Serve, ask: Ask, name: str, options: dict[str, tuple[str, ...]], status: Status
) -> None:
    def script(peer: Peer) -> None:
        faults.request(peer)
        peer.send(response(b"DETECT " + name.encode()))

    address = serve(script).address
    assert ask(engine_of(protocol, address, **VALUES, **options)).status is status


class TestFaults(Faults):
    protocol = protocol
    values = VALUES
    clean = (faults.request, CLEAN)
    answers: ClassVar = {
        "an error": instead(response(b"SERVER_ERROR")),
        "a status that is not 200": instead(response(b"CLEAN", b"500 Internal Server Error")),
        "no length": instead(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nCLEAN"),
    }
