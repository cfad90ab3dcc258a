"""eleven: what eXpurgate's scan server answers in both protocols, against a scripted server."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import pytest
from support import faults
from support.faults import Faults, engine_of, instead
from support.scanning import Ask, Serve
from support.scripted import Peer

from sieveav.engines.eleven import engine, protocol
from sieveav.scanning.contract import Content, Deadline, Envelope
from sieveav.scanning.dialogue import Answer, Request, play
from sieveav.scanning.failover import ProtocolError
from sieveav.scanning.naming import classify
from sieveav.scanning.settings import EngineSettings
from sieveav.verdict import Status, Verdict

MESSAGE = b"Subject: x\r\n\r\nhello\r\n"

PROTOCOLS = ("spamd", "http")


def request(spoken: str, envelope: Envelope | None = None) -> Request:
    return Request(Content(MESSAGE, envelope=envelope), Deadline.after(9), "ex:783", values={"protocol": spoken})


def spamd(*fields: bytes, body: bytes = b"", status: bytes = b"SPAMD/1.3 0 EX_OK") -> bytes:
    return b"\r\n".join((status, b"Content-length: %d" % len(body), *fields, b"", body))


def over_http(body: bytes, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


def answer_of(spoken: str, type_: str) -> bytes:
    """What a server says of a message of this type."""
    if spoken == "spamd":
        return spamd(b"Spam: False ; 0 / 5", b"X-purgate-type: " + type_.encode(), b"X-purgate-ID: 1::2", body=b"hi\n")
    fields = {"X-purgate-type": {"value": type_}, "X-purgate-ID": {"value": "1::2"}}
    return over_http(json.dumps({"milter": {"add_headers": fields}, "score": 0}).encode())


def answered(spoken: str, octets: bytes) -> Answer:
    answer, _, unheard = play(protocol.scan(request(spoken)), octets)
    assert unheard == b""
    return answer


ENVELOPE = Envelope("a@example.com", ("b@example.org", "c@example.org"), "192.0.2.1", "mx.example.com")

HOSTILE = Envelope("a@example.com\r\nX: y", ("b\n@example.org", "c@example.org"), helo="\x00mx")


@pytest.mark.parametrize(
    ("envelope", "fields"),
    [
        (None, b""),
        (ENVELOPE, b"Sender-IP: 192.0.2.1\r\nSender: a@example.com\r\nUser: b@example.org\r\nUser: c@example.org\r\n"),
        (HOSTILE, b"User: c@example.org\r\n"),
    ],
)
def test_the_request_to_spamd(envelope: Envelope | None, fields: bytes) -> None:
    said = play(protocol.scan(request("spamd", envelope)), answer_of("spamd", "clean")).said
    assert said == b"REPORT SPAMC/1.3\r\n" + fields + b"Content-length: 21\r\n\r\n" + MESSAGE


@pytest.mark.parametrize(
    ("envelope", "fields"),
    [
        (None, b""),
        (
            ENVELOPE,
            b"IP: 192.0.2.1\r\nHelo: mx.example.com\r\nFrom: a@example.com\r\n"
            b"Rcpt: b@example.org\r\nRcpt: c@example.org\r\n",
        ),
        (HOSTILE, b"Rcpt: c@example.org\r\n"),
    ],
)
def test_the_request_over_http(envelope: Envelope | None, fields: bytes) -> None:
    said = play(protocol.scan(request("http", envelope)), answer_of("http", "clean")).said
    always = b"POST /checkv2 HTTP/1.1\r\nHost: ex:783\r\nUser-Agent: sieveav\r\n"
    assert said == always + fields + b"Content-Length: 21\r\n\r\n" + MESSAGE


TYPES = [
    ("clean", Status.CLEAN, "clean", "normal"),
    ("clean.empty", Status.CLEAN, "clean", "empty"),
    ("clean.empty-body", Status.CLEAN, "clean", "empty-body"),
    ("clean.bounce", Status.CLEAN, "clean", "bounce"),
    ("unknown", Status.CLEAN, "unknown", "normal"),
    ("suspect.url-count", Status.CLEAN, "suspect", "url-count"),
    ("bulk.advertising", Status.CLEAN, "bulk", "advertisement"),
    ("bulk.porn", Status.CLEAN, "bulk", "porn"),
    ("spam", Status.CLEAN, "spam", "normal"),
    ("spam.phishing", Status.CLEAN, "spam", "phishing"),
    ("dangerous.virus", Status.INFECTED, "dangerous", "virus"),
    ("dangerous.virus-outbreak", Status.INFECTED, "dangerous", "outbreak"),
    ("dangerous.attachment", Status.SUSPICIOUS, "dangerous", "attachment"),
    ("dangerous.code", Status.SUSPICIOUS, "dangerous", "code"),
    ("dangerous.iframe", Status.SUSPICIOUS, "dangerous", "iframe"),
    ("dangerous.new", Status.SUSPICIOUS, "dangerous", "new"),
    ("dangerous", Status.SUSPICIOUS, "dangerous", "normal"),
]


@pytest.mark.parametrize("spoken", PROTOCOLS)
@pytest.mark.parametrize(("type_", "status", "major", "minor"), TYPES)
def test_types(spoken: str, type_: str, status: Status, major: str, minor: str) -> None:
    answer = answered(spoken, answer_of(spoken, type_))
    assert answer.info == (type_ if major == "dangerous" else "")
    assert status is (classify(answer.info, protocol.classes) if answer.is_find else answer.status)
    assert answer.values == {
        "eleven-majorscore": major,
        "eleven-minorscore": minor,
        "eleven-result": major,
        "eleven-result-subtype": minor,
    }


@pytest.mark.parametrize("spoken", PROTOCOLS)
@pytest.mark.parametrize("type_", ["", "cleaner", "Clean", "clean.", "clean.empty.x", "dangerous virus", "new.type"])
def test_unknown_types(spoken: str, type_: str) -> None:
    answer = answered(spoken, answer_of(spoken, type_))
    assert (answer.status, answer.info) == (Status.ERROR, f"X-purgate-type: {type_}")
    assert answer.values == {}


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (spamd(), "X-purgate-type: "),
        (spamd(b"X-purgate-type: clean", b"X-purgate-type: dangerous.virus"), "X-purgate-type: clean dangerous.virus"),
        (b"SPAMD/1.3 75 EX_TEMPFAIL busy\x1b\r\n", "SPAMD/1.3 75 EX_TEMPFAIL busy"),
    ],
)
def test_errors_of_spamd(octets: bytes, reason: str) -> None:
    answer = answered("spamd", octets)
    assert (answer.status, answer.info) == (Status.ERROR, reason)


CLEAN = b"X-purgate-type: clean"


@pytest.mark.parametrize(
    ("spoken", "octets"),
    [
        ("spamd", b"HTTP/1.1 200 OK\r\nX-purgate-type: clean\r\n\r\n"),
        ("spamd", spamd(CLEAN, status=b"SPAMD/2.0 0 EX_OK")),
        ("spamd", spamd(CLEAN, status=b"SPAMD/1.3 00000 EX_OK")),
        ("spamd", spamd(CLEAN, status=b"SPAMD/1.3 EX_OK")),
        ("spamd", spamd(CLEAN)[:-2]),
        ("spamd", spamd(CLEAN, body=b"hello")[:-1]),
        ("spamd", spamd(CLEAN, body=bytes(70_000))),
        ("spamd", spamd(CLEAN, b"no field")),
        ("http", b""),
        ("http", over_http(b"")),
        ("http", over_http(b"null")),
        ("http", over_http(b'"clean"')),
        ("http", over_http(b"{}")),
        ("http", over_http(b'{"milter": ["X-purgate-type"]}')),
        ("http", over_http(b'{"milter": {"add_headers": {"X-purgate-type": "clean"}}}')),
        ("http", over_http(b'{"milter": {"add_headers": {"X-purgate-type": {"value": 1}}}}')),
        ("http", over_http(b'{"milter": {"add_headers": {"X-purgate-type": {"value": "clean"}}}')),
        ("http", answer_of("http", "clean").replace(b"200 OK", b"500 Error")),
        ("http", answer_of("spamd", "clean")),
    ],
)
def test_what_breaks_the_protocol(spoken: str, octets: bytes) -> None:
    with pytest.raises(ProtocolError):
        answered(spoken, octets)


def test_an_answer_of_spamd_up_to_the_end_of_the_connection() -> None:
    assert answered("spamd", b"SPAMD/1.3 0 EX_OK\r\nX-purgate-type: clean\r\n\r\nhello").status is Status.CLEAN


def test_which_connections_are_kept() -> None:
    assert answered("http", answer_of("http", "clean")).is_open
    assert not answered("http", answer_of("http", "clean").replace(b"OK", b"OK\r\nConnection: close")).is_open
    assert not answered("spamd", answer_of("spamd", "clean")).is_open


@pytest.mark.parametrize("spoken", PROTOCOLS)
def test_probe(spoken: str) -> None:
    assert play(protocol.probe(request(spoken)), answer_of(spoken, "clean.empty")).answer
    assert not play(protocol.probe(request(spoken)), answer_of(spoken, "whatever")).answer


def test_the_variables_after_an_error() -> None:
    settings = EngineSettings.defaults("eleven")
    variables = engine.variables("eleven", settings, Verdict("eleven", Status.ERROR, "no answer"))
    assert variables == {
        "eleven-majorscore": "error",
        "eleven-minorscore": "no answer",
        "eleven-result": "error",
        "eleven-result-subtype": "no answer",
        "eleven_status": "error",
        "eleven_status_class": "error",
        "eleven_status_info": "error: no answer",
        "eleven_info": "error: no answer",
    }


def test_the_site_says_what_a_type_counts_as(serve: Serve, ask: Ask) -> None:
    def script(peer: Peer) -> None:
        faults.request(peer)
        peer.send(answer_of("http", "dangerous.attachment"))

    address = serve(script).address
    classes = ("dangerous.attachment=infected",)
    assert ask(engine_of(protocol, address, protocol="http", classes=classes)).status is Status.INFECTED
    assert ask(engine_of(protocol, address, protocol="http", allow=("dangerous.*",))).status is Status.CLEAN


def test_options() -> None:
    options = {option.name: option for option in engine.options}
    servers = options["servers"]
    assert servers.warn is not None
    assert servers.warn(servers.value(("update.example.com:55555",))) == (
        "port 55555 is that of update servers, which do not scan"
    )
    assert servers.warn(servers.value("scan.example.com")) == ""
    for name, written in (("work_dir", "/x"), ("update_period", "1h"), ("license", "x"), ("enable_antivir", "true")):
        warn = options[name].warn
        assert warn is not None
        assert "it is not used" in warn(options[name].value(written))
    defaults = {option.name: option.default for option in engine.options}
    assert defaults.items() >= {"update_period": 3600.0, "enable_antivir": False, "protocol": "spamd"}.items()
    with pytest.raises(ValueError, match="servers: at least one address"):
        engine.make("eleven", {**defaults, "servers": ()})


class TestFaultsOfSpamd(Faults):
    protocol = protocol
    values: ClassVar[dict[str, Any]] = {"protocol": "spamd"}
    clean = (faults.request, answer_of("spamd", "clean"))
    answers: ClassVar = {
        "no type": instead(spamd(b"Spam: False ; 0 / 5")),
        "a failure": instead(spamd(CLEAN, status=b"SPAMD/1.3 75 EX_TEMPFAIL")),
    }


class TestFaultsOfHttp(Faults):
    protocol = protocol
    values: ClassVar[dict[str, Any]] = {"protocol": "http"}
    clean = (faults.request, answer_of("http", "clean"))
    answers: ClassVar = {
        "not JSON": instead(over_http(CLEAN)),
        "a status that is not 200": instead(answer_of("http", "clean").replace(b"200 OK", b"500 Error")),
    }
