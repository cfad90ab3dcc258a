"""commtouch_ctasd: what ctasd answers, against a scripted server."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any, ClassVar

import pytest
from support import faults
from support.faults import Faults, instead
from support.scanning import Ask, Serve
from support.scripted import Peer

from sieveav.engines.commtouch_ctasd import engine, protocol
from sieveav.scanning.contract import Content, Deadline, Engine, Envelope
from sieveav.scanning.dialogue import Answer, Request, play
from sieveav.scanning.failover import ProtocolError
from sieveav.scanning.settings import EngineSettings
from sieveav.verdict import Status, Verdict

DEFAULTS = {option.name: option.default for option in engine.options}

REF = b"X-CTCH-RefID: str=0001.0A0B,ss=1"


def asks(*host: str, **values: Any) -> Engine:
    return engine.make("commtouch_ctasd", {**DEFAULTS, **values, "host": host})


def request(envelope: Envelope | None = None) -> Request:
    return Request(Content(b"Subject: x\r\n\r\nhello", envelope=envelope), Deadline.after(9), "ct:8088")


def response(*lines: bytes, status: bytes = b"200 OK") -> bytes:
    body = b"".join(line + b"\r\n" for line in (b"X-CTCH-PVer: 0000001", *lines))
    return b"HTTP/1.0 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


def both(spam: bytes, threat: bytes, *more: bytes) -> bytes:
    return response(b"X-CTCH-Spam: " + spam, b"X-CTCH-VOD: " + threat, *more)


CLEAN = both(b"NonSpam", b"NonVirus", REF)


def answered(octets: bytes) -> Answer:
    return play(protocol.scan(request()), octets).answer


@pytest.mark.parametrize(
    ("envelope", "about"),
    [
        (None, b""),
        (Envelope(), b""),
        (
            Envelope("a@example.com", ("b@example.org",), "192.0.2.1"),
            b"X-CTCH-SenderIP: 192.0.2.1\r\nX-CTCH-MailFrom: a@example.com\r\n",
        ),
        # a line end would begin another line, or the message
        (Envelope("a@example.com\r\n\r\nX", client="192.0.2.1"), b"X-CTCH-SenderIP: 192.0.2.1\r\n"),
        (Envelope("a\n@example.com"), b""),
    ],
)
def test_the_request(envelope: Envelope | None, about: bytes) -> None:
    body = b"X-CTCH-PVer: 0000001\r\n" + about + b"\r\nSubject: x\r\n\r\nhello"
    assert play(protocol.scan(request(envelope)), CLEAN).said == (
        b"POST /ctasd/ClassifyMessage_Inline HTTP/1.0\r\nHost: ct:8088\r\nUser-Agent: sieveav\r\nContent-Length: %d\r\n\r\n"
        % len(body)
        + body
    )


@pytest.mark.parametrize(
    ("spam", "threat", "class_", "virus_threat", "expected"),
    [
        (b"NonSpam", b"NonVirus", "non-spam", "non-virus", (Status.CLEAN, "")),
        (b"Unknown", b"Unknown", "unknown", "unknown", (Status.CLEAN, "")),
        (b"Confirmed", b"Unknown", "confirmed", "unknown", (Status.CLEAN, "")),
        (b"Bulk", b"NonVirus", "bulk", "non-virus", (Status.CLEAN, "")),
        (b"Suspect", b"NonVirus", "suspect", "non-virus", (Status.CLEAN, "")),
        (b"Valid-Bulk", b"NonVirus", "valid-bulk", "non-virus", (Status.CLEAN, "")),
        (b"NonSpam", b"Medium", "non-spam", "medium", (Status.INFECTED, "VOD.medium")),
        (b"NonSpam", b"High", "non-spam", "high", (Status.INFECTED, "VOD.high")),
        (b"Confirmed", b"Virus", "confirmed", "virus", (Status.INFECTED, "VOD.virus")),
        (b"Whatever", b"Virus", None, "virus", (Status.INFECTED, "VOD.virus")),
        (b"Whatever\x1b[1m", b"NonVirus", None, "non-virus", (Status.ERROR, "x-ctch-spam: Whatever[1m")),
        (b"NonSpam", b"Whatever", "non-spam", None, (Status.ERROR, "x-ctch-vod: Whatever")),
        (b"NonSpam", b"nonvirus", "non-spam", None, (Status.ERROR, "x-ctch-vod: nonvirus")),
        (b"NonSpam", b"", "non-spam", None, (Status.ERROR, "x-ctch-vod: ")),
        (b"NonSpam", b"NonVirus, Virus", "non-spam", None, (Status.ERROR, "x-ctch-vod: NonVirus, Virus")),
    ],
)
def test_answers(
    spam: bytes, threat: bytes, class_: str | None, virus_threat: str | None, expected: tuple[Status, str]
) -> None:
    answer = answered(both(spam, threat, REF))
    assert (answer.status, answer.info) == expected
    values = {
        "commtouch-class": class_,
        "commtouch-virus-threat": virus_threat,
        "commtouch-ref-id": "str=0001.0A0B,ss=1",
    }
    assert answer.values == {name: value for name, value in values.items() if value is not None}


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (both(b"NonSpam", b"NonVirus", b"X-CTCH-Error: licence\x1b expired"), "licence expired"),
        (both(b"NonSpam", b"NonVirus", b"X-CTCH-Error:"), "error"),
        (response(b"X-CTCH-Spam: NonSpam"), "x-ctch-vod: missing"),
        (response(b"X-CTCH-VOD: NonVirus"), "x-ctch-spam: missing"),
        (response(), "x-ctch-spam: missing"),
        (both(b"NonSpam", b"NonVirus", b"X-CTCH-VOD: Virus"), "x-ctch-vod: NonVirus Virus"),
    ],
)
def test_errors(octets: bytes, reason: str) -> None:
    answer = answered(octets)
    assert (answer.status, answer.info) == (Status.ERROR, reason)


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (response(b"X-CTCH-Spam: NonSpam", status=b"500 Internal Error"), "500 Internal Error"),
        (both(b"NonSpam", b"NonVirus", b"", b"X-CTCH-Error: x"), "an empty line"),
        (both(b"NonSpam", b"NonVirus", b"hello"), "not a header field"),
        (b"HTTP/1.0 200 OK\r\n\r\nX-CTCH-Spam: NonSpam\r\nX-CTCH-VOD: NonVirus", "the last line has no end"),
        (b"HTTP/1.0 200 OK\r\n\r\n", "the last line has no end"),
        (CLEAN[:-1], "connection closed"),
        (b"X-CTCH-Spam: NonSpam\r\nX-CTCH-VOD: NonVirus\r\n\r\n", "not HTTP"),
    ],
)
def test_what_breaks_the_protocol(octets: bytes, reason: str) -> None:
    with pytest.raises(ProtocolError, match=reason):
        answered(octets)


def test_the_end_of_an_answer() -> None:
    """The end of the connection after a whole line, or where the length says."""
    head, _, body = CLEAN.partition(b"\r\n\r\n")
    assert answered(head.partition(b"\r\n")[0] + b"\r\n\r\n" + body).status is Status.CLEAN
    lines = b"X-CTCH-Spam: NonSpam\nX-CTCH-VOD: NonVirus"
    assert answered(b"HTTP/1.0 200 OK\nContent-Length: %d\n\n%s" % (len(lines), lines)).status is Status.CLEAN


def test_probe() -> None:
    said = play(protocol.probe(request()), response()).said
    assert said.startswith(b"POST /ctasd/GetStatus HTTP/1.0\r\n")
    assert said.endswith(b"\r\n\r\nX-CTCH-PVer: 0000001\r\n\r\n")
    for status, expected in ((b"200 OK", True), (b"404 Not Found", True), (b"503 Busy", False)):
        assert play(protocol.probe(request()), response(status=status)).answer is expected


def says(octets: bytes) -> Any:
    def script(peer: Peer) -> None:
        faults.request(peer)
        peer.send(octets)

    return script


def test_what_a_threat_counts_as(serve: Serve, ask: Ask) -> None:
    medium, high = (serve(says(both(b"NonSpam", threat))).address for threat in (b"Medium", b"High"))
    assert ask(asks(medium)).status is Status.SUSPICIOUS
    assert ask(asks(high)).status is Status.INFECTED
    assert ask(asks(medium, classes=("VOD.medium=infected",))).status is Status.INFECTED
    allowed = ask(asks(high, allow=("VOD.*",)))
    assert (allowed.status, allowed.values["commtouch-virus-threat"]) == (Status.CLEAN, "high")


def test_the_variables(serve: Serve, ask: Ask) -> None:
    settings = EngineSettings.defaults("commtouch_ctasd")
    verdict = ask(asks(serve(says(CLEAN)).address))
    expected = {"commtouch-class": "non-spam", "commtouch-virus-threat": "non-virus"}
    expected["commtouch-ref-id"] = "str=0001.0A0B,ss=1"
    assert engine.variables("commtouch_ctasd", settings, verdict) == expected
    failed = engine.variables("commtouch_ctasd", settings, Verdict("commtouch_ctasd", Status.ERROR, "x"))
    assert failed["commtouch_ctasd_status"] == "error"
    assert "commtouch-class" not in failed


def test_a_host_with_a_port_or_a_unix_socket(serve: Serve, ask: Ask, short: Path) -> None:
    host, _, port = serve(says(CLEAN)).address.rpartition(":")
    assert ask(asks(host, port=int(port))).status is Status.CLEAN
    assert ask(asks(serve(says(CLEAN), short / "s").address)).status is Status.CLEAN


def test_no_concurrency_scans_nothing(serve: Serve, ask: Ask) -> None:
    server = serve(says(CLEAN))
    verdict = ask(asks(server.address, concurrency=0))
    assert (verdict.status, verdict.info, server.connections) == (Status.SKIPPED, "concurrency is 0", 0)


def test_no_more_messages_at_a_time_than_concurrency(serve: Serve, ask: Ask) -> None:
    heard, answers = Event(), Event()

    def script(peer: Peer) -> None:
        faults.request(peer)
        heard.set()
        answers.wait(5)
        peer.send(CLEAN)

    server = serve(script)
    made = asks(server.address, concurrency=1)
    with ThreadPoolExecutor(1) as thread:
        first = thread.submit(ask, made)
        assert heard.wait(5)
        second = ask(made, seconds=0.05)
        assert (second.status, second.info) == (Status.ERROR, f"{server.address}: timeout: too many scans at once")
        assert server.connections == 1
        answers.set()
        assert first.result().status is Status.CLEAN
    assert ask(made).status is Status.CLEAN


class TestFaults(Faults):
    protocol = protocol
    clean = (faults.request, CLEAN)
    answers: ClassVar = {
        "X-CTCH-Error": instead(both(b"NonSpam", b"NonVirus", b"X-CTCH-Error: 5")),
        "no threat": instead(response(b"X-CTCH-Spam: NonSpam")),
        "a status that is not 200": instead(CLEAN.replace(b"200 OK", b"500 Internal Error")),
    }

    def engine(self, *addresses: str) -> Engine:
        return asks(*addresses)
