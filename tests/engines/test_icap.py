"""icap: what scanners answer over ICAP, against a scripted server. The real c-icap: test_icap_real.py."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.faults import Faults, chunks, engine_of, head
from support.scanning import Ask, Serve
from support.scripted import Peer

from sieveav.engines.icap import PROFILES, engine, protocol
from sieveav.scanning.contract import Content, Deadline
from sieveav.scanning.dialogue import Answer, Request, play
from sieveav.scanning.failover import ProtocolError
from sieveav.verdict import Status

VALUES = {"profile": "generic", "service": "", "max_size": 0}

CLEAN = b'ICAP/1.0 204 No modifications needed\r\nISTag: "1-2"\r\n\r\n'

PAGE = b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\n\r\n"


def request(content: bytes = b"hello", *, is_message: bool = False, **values: Any) -> Request:
    return Request(Content(content, is_message=is_message), Deadline.after(9), "av:1344", values={**VALUES, **values})


def answered(octets: bytes, **values: Any) -> Answer:
    return play(protocol.scan(request(**values)), octets).answer


def ok(*fields: bytes, header: bytes = b"", body: bytes | None = None, code: bytes = b"200 OK") -> bytes:
    """A response with these fields, an encapsulated header and body."""
    part = b"null-body" if body is None else b"res-body"
    where = b"res-hdr=0, %s=%d" % (part, len(header)) if header else part + b"=0"
    sent = b"" if body is None else b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    return b"\r\n".join((b"ICAP/1.0 " + code, *fields, b"Encapsulated: " + where, b"", header + sent))


ECHO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"


def test_the_request() -> None:
    said = play(protocol.scan(request(is_message=True, service="srv?allow204=on")), CLEAN).said
    asked = b"GET http://localhost/content HTTP/1.1\r\nHost: localhost\r\n\r\n"
    replied = b"HTTP/1.1 200 OK\r\nContent-Type: message/rfc822\r\nContent-Length: 28\r\n\r\n"
    assert said == (
        b"RESPMOD icap://av:1344/srv?allow204=on ICAP/1.0\r\nHost: av:1344\r\nUser-Agent: sieveav\r\nAllow: 204\r\n"
        b"Encapsulated: req-hdr=0, res-hdr=%d, res-body=%d\r\n\r\n"
        % (len(asked), len(asked) + len(replied))
        + asked
        + replied
        + b"17\r\nReceived: from sieveav\n\r\n5\r\nhello\r\n0\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (CLEAN, (Status.CLEAN, "")),
        (ok(header=ECHO, body=b"hello"), (Status.CLEAN, "")),
        (ok(body=b"hello"), (Status.CLEAN, "")),
        (ok(b"X-Virus-ID: no threats", header=ECHO, body=b"hello"), (Status.CLEAN, "")),
        (ok(b"x-infection-found:Type=0; Resolution=2; Threat=Eicar; "), (Status.INFECTED, "Eicar")),
        (ok(b"X-Infection-Found: what\x1bever"), (Status.INFECTED, "whatever")),
        (ok(b"X-Infection-Found:"), (Status.INFECTED, "unknown")),
        (ok(b"X-Infection-Found: Type=0; Resolution=0;", b"\tThreat=Eicar;"), (Status.INFECTED, "Eicar")),
        (ok(b"X-Infection-Found: Type=1; Resolution=2; Threat=Policy;"), (Status.SUSPICIOUS, "Policy")),
        (
            ok(b"X-Infection-Found: Type=2; Resolution=2; Threat=Encrypted container violation;"),
            (Status.ENCRYPTED, "Encrypted container violation"),
        ),
        (
            ok(b"X-Infection-Found: Type=2; Resolution=2; Threat=Container size violation;"),
            (Status.LIMITS, "Container size violation"),
        ),
        (ok(b"X-Infection-Found: Type=2; Resolution=2; Threat=;"), (Status.UNSCANNABLE, "container violation")),
        (ok(b"X-Virus-Name: A"), (Status.INFECTED, "A")),
        (ok(b"X-Virus-ID: Trojaner"), (Status.INFECTED, "Trojaner")),
        (ok(b"X-MWG-Block-Reason: McAfeeGW: Eicar"), (Status.INFECTED, "McAfeeGW: Eicar")),
        (ok(b"X-Response-Info: blocked"), (Status.INFECTED, "blocked")),
        (
            ok(b"X-FSecure-Scan-Result: infected", b'X-FSecure-Infection-Name: "EICAR_Test_File"'),
            (Status.INFECTED, "EICAR_Test_File"),
        ),
        (ok(b"X-FSecure-Scan-Result: clean", header=ECHO, body=b"hello"), (Status.CLEAN, "")),
        (ok(header=b"HTTP/1.1 403 Forbidden\r\nX-Blocked: Eicar\r\n\r\n"), (Status.INFECTED, "Eicar")),
        (ok(header=PAGE, body=b"<html>"), (Status.INFECTED, "unknown")),
        (ok(b"X-Virus-ID: Trojan", code=b"403 Forbidden"), (Status.INFECTED, "Trojan")),
        (
            ok(
                b"X-Violations-Found: 2",
                b"\ta.zip",
                b"\tTrojan.Gen.2",
                b"\t41129",
                b"\t2",
                b"\tb",
                b"\tc",
                b"\t1",
                b"\t1",
            ),
            (Status.INFECTED, "Trojan.Gen.2"),
        ),
        (
            ok(b"X-Violations-Found: 1", b"\ta.zip", b"\tMalformed container violation", b"\t7", b"\t2"),
            (Status.UNSCANNABLE, "Malformed container violation"),
        ),
        (ok(b"X-Violations-Found: 0", header=ECHO, body=b"hello"), (Status.CLEAN, "")),
        # neither clean nor infected
        (ok(), (Status.ERROR, "200 OK, and not the content")),
        (ok(header=ECHO), (Status.ERROR, "200 OK, and not the content")),
        (ok(code=b"201 Created"), (Status.ERROR, "201 Created, and not the content")),
        (
            ok(header=ECHO, body=b"hello!"),
            (Status.ERROR, "the content comes back changed, and the answer does not say why"),
        ),
        (ok(header=b"HTTP/1.1 302 Found\r\n\r\n", body=b"hello"), (Status.ERROR, "200 OK, and not the content")),
        (ok(code=b"206 Partial", body=b"hello"), (Status.ERROR, "206 Partial")),
        (ok(code=b"404 Service not found"), (Status.ERROR, "404 Service not found")),
        (ok(code=b"500 Server error"), (Status.ERROR, "500 Server error")),
        (
            ok(code=b"539 Aborted - No AV scanning license"),
            (Status.ERROR, "539 Aborted - No AV scanning license"),
        ),
        (ok(code=b"403 Forbidden"), (Status.ERROR, "403 Forbidden")),
    ],
)
def test_answers(octets: bytes, expected: tuple[Status, str]) -> None:
    answer = answered(octets)
    assert (answer.status, answer.info) == expected


def test_symantec_answers_403_to_a_virus() -> None:
    answer = answered(b"ICAP/1.0 403 Forbidden\r\n\r\n", profile="symantec")
    assert (answer.status, answer.info, answer.code) == (Status.INFECTED, "unknown", 403)


def test_the_code_of_a_violation() -> None:
    lines = (b"X-Violations-Found: 1", b"\ta.zip", b"\tTrojan.Gen.2", b"\t41129", b"\t2")
    assert answered(ok(*lines)).code == 41129


@pytest.mark.parametrize(
    "octets",
    [
        b"HTTP/1.1 204 OK\r\n\r\n",
        b"ICAP/2.0 204 OK\r\n\r\n",
        b"ICAP/1.0 204\r\nX-Virus-ID : A\r\n\r\n",
        b"ICAP/1.0 204\r\n\tfolded\r\n\r\n",
        b"ICAP/1.0 200 OK\r\n\r\n",
        b"ICAP/1.0 200 OK\r\nEncapsulated: res-body=x\r\n\r\n",
        b"ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body=999999\r\n\r\n",
        b"ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=5, res-body=0\r\n\r\n",
        ok(header=b"HTTP/1.1 200 OK\r\n", body=b"hello"),  # an offset within the header
        ok(header=ECHO + b"\r\n", body=b"hello"),  # or behind it
        ok(header=ECHO, body=b"hello").replace(b"5\r\nhello", b"4\r\nhello"),
        ok(header=ECHO, body=b"hello").replace(b"5\r\nhello", b"-5\r\nhello"),
        ok(header=ECHO, body=b"hello")[:-2],
    ],
)
def test_what_breaks_the_protocol(octets: bytes) -> None:
    with pytest.raises(ProtocolError):
        answered(octets)


@given(st.sampled_from([CLEAN, ok(header=ECHO, body=b"hello")]), st.data())
def test_an_answer_with_an_octet_changed(whole: bytes, data: st.DataObject) -> None:
    """It is clean only if what makes it clean is as before."""
    at = data.draw(st.integers(0, len(whole) - 1))
    changed = whole[:at] + data.draw(st.binary(max_size=3)) + whole[at + 1 :]
    try:
        played = play(protocol.scan(request()), changed)
    except ProtocolError:
        return
    if played.answer.status is Status.CLEAN and not played.unheard:
        assert changed.startswith((b"ICAP/1.0 204", b"ICAP/1.0 200"))
        assert changed[12:13] in b" \r"
        assert whole is CLEAN or b"hello" in changed


def test_keeping_the_connection() -> None:
    assert answered(CLEAN).is_open
    assert answered(ok(header=ECHO, body=b"hello")).is_open
    assert not answered(CLEAN.replace(b"ISTag", b"Connection: close\r\nISTag")).is_open


def test_a_content_that_is_larger_than_the_product_scans_is_not_sent() -> None:
    answer, said, _ = play(protocol.scan(request(b"x" * (5 * 1024 * 1024 + 1), profile="c-icap")), CLEAN)
    assert (answer.status, answer.info, said) == (Status.LIMITS, "more than 5242880 octets", b"")
    answer, said, _ = play(protocol.scan(request(b"x" * 11, max_size=10)), CLEAN)
    assert (answer.status, answer.info, said) == (Status.LIMITS, "more than 10 octets", b"")
    assert play(protocol.scan(request(b"x" * 10, max_size=10)), CLEAN).answer.status is Status.CLEAN


OPTIONS = ok(b"Methods: RESPMOD, REQMOD", b"Service: Antivirus", b'ISTag: "CI-1"')


def test_options() -> None:
    assert protocol.version is not None
    assert play(protocol.probe(request()), OPTIONS) == (
        True,
        b"OPTIONS icap://av:1344/avscan ICAP/1.0\r\nHost: av:1344\r\nUser-Agent: sieveav\r\nEncapsulated: null-body=0\r\n\r\n",
        b"",
    )
    assert not play(protocol.probe(request()), OPTIONS.replace(b"RESPMOD, ", b"")).answer
    assert play(protocol.version(request()), OPTIONS).answer == "Antivirus CI-1"
    # without a tag, nobody knows when the definitions change
    assert play(protocol.version(request()), OPTIONS.replace(b"ISTag", b"X")).answer == ""
    with pytest.raises(ProtocolError, match="404 Service"):
        play(protocol.probe(request()), ok(code=b"404 Service not found"))


@pytest.mark.parametrize("profile", PROFILES)
def test_each_profile_has_its_service(profile: str) -> None:
    said = play(protocol.scan(request(profile=profile)), CLEAN).said
    assert said.startswith(b"RESPMOD icap://av:1344/%s ICAP/1.0\r\n" % PROFILES[profile].service.encode())


def test_options_that_cannot_work() -> None:
    values = {option.name: option.default for option in engine.options}
    with pytest.raises(ValueError, match="server: at least one address"):
        engine.make("icap", {**values, "server": ()})
    with pytest.raises(ValueError, match="tls: over a unix socket"):
        engine.make("icap", {**values, "server": ("/run/icap",), "tls": True})
    service = next(option for option in engine.options if option.name == "service")
    assert service.value("/srv?x=1") == "srv?x=1"
    with pytest.raises(ValueError, match="is not the path of a service"):
        service.value("a ICAP/1.0\r\nX: y")


def hear(peer: Peer) -> bytes:
    """Hear a whole RESPMOD; the content."""
    assert head(peer).startswith(b"RESPMOD ")
    head(peer)
    head(peer)
    return chunks(peer)


class TestFaults(Faults):
    protocol = protocol
    values = VALUES
    clean = (hear, CLEAN)


class TestFaultsOfAnEcho(Faults):
    """A server that does not know 204 sends the content back."""

    protocol = protocol
    values = VALUES
    content = b"x" * 500
    clean = (
        hear,
        ok(header=b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", body=b"x" * 500),
    )


def test_an_echo_that_begins_before_the_content_has_ended(serve: Serve, ask: Ask) -> None:
    """c-icap sends some of a large content back before it has scanned it, so that its client does not lose patience."""
    large = b"y" * 20_000_000

    def script(peer: Peer) -> None:
        head(peer)
        peer.send(ok(header=b"HTTP/1.1 200 OK\r\n\r\n").replace(b"null-body", b"res-body"))
        peer.send(b"%x\r\n" % len(large) + large[:1_000_000])
        head(peer)
        head(peer)
        content = chunks(peer)
        peer.send(content[1_000_000:] + b"\r\n0\r\n\r\n")
        peer.drain()

    assert ask(engine_of(protocol, serve(script).address, **VALUES), large).status is Status.CLEAN


def test_204_before_the_content_has_ended(serve: Serve, ask: Ask) -> None:
    def script(peer: Peer) -> None:
        head(peer)
        peer.send(CLEAN)
        peer.stopped.wait(0.2)
        head(peer)
        head(peer)
        chunks(peer)
        peer.drain()

    verdict = ask(engine_of(protocol, serve(script).address, **VALUES), b"y" * 20_000_000)
    assert (verdict.status, verdict.info.partition(": ")[2]) == (Status.ERROR, "204, but not to the whole content")


def test_an_endless_answer_while_the_content_is_sent(serve: Serve, ask: Ask) -> None:
    def script(peer: Peer) -> None:
        head(peer)
        while True:
            peer.send(b"ICAP/1.0 200 OK\r\n" * 10_000)

    verdict = ask(engine_of(protocol, serve(script).address, **VALUES), b"y" * 20_000_000)
    assert verdict.status is Status.ERROR
