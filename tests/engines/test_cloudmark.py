"""cloudmark: what Cloudmark's server answers, against a scripted server."""

from __future__ import annotations

import email
import email.policy
import json
import re
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import faults
from support.faults import Faults, engine_of, instead
from support.scanning import Ask, Serve
from support.scripted import Peer

from sieveav.engines.cloudmark import engine, protocol
from sieveav.scanning.contract import Content, Deadline, Envelope
from sieveav.scanning.dialogue import Answer, Request, play
from sieveav.scanning.failover import ProtocolError
from sieveav.scanning.settings import EngineSettings, options_of
from sieveav.verdict import Status, Verdict

VALUES = {"MinimumScore": 90, "Max_Body_Length": 0}

MESSAGE = b"Subject: x\r\n\r\nhello\r\n"


def request(raw: bytes = MESSAGE, envelope: Envelope | None = None, **values: Any) -> Request:
    return Request(Content(raw, envelope=envelope), Deadline.after(9), "cm:2713", values={**VALUES, **values})


def response(body: bytes, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


CLEAN = response(b'{"score": 0, "analysis": "v=2.4 cv=x", "appendHeaders": [{"headerField": "X", "body": "y"}]}')


def answered(body: bytes, **values: Any) -> Answer:
    return play(protocol.scan(request(**values)), response(body)).answer


def form_of(raw: bytes, envelope: Envelope | None) -> dict[str, bytes]:
    """The parts of the form that is sent, by their names."""
    said = play(protocol.scan(request(raw, envelope)), CLEAN).said
    header, _, body = said.partition(b"\r\n\r\n")
    line, *fields = header.split(b"\r\n")
    assert line == b"POST /score/v2/message HTTP/1.1"
    assert b"Content-Length: %d" % len(body) in fields
    boundary = re.search(rb"\r\nContent-Type: multipart/form-data; boundary=([0-9a-f]{32})\r\n", header + b"\r\n")
    assert boundary is not None
    assert body.endswith(b"\r\n--%s--\r\n" % boundary[1])
    parts: dict[str, bytes] = {}
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary[1])[1:-1]:
        head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        name = email.message_from_bytes(head, policy=email.policy.default).get_param(
            "name", header="content-disposition"
        )
        assert name not in parts
        parts[str(name)] = content
    return parts


@pytest.mark.parametrize(
    ("envelope", "fields"),
    [
        (None, {}),
        (
            Envelope("a@example.com", ("b@x.org", "c@x.org"), "192.0.2.1", "mx.example.com"),
            {
                "heloDomain": b"mx.example.com",
                "mailFrom": b"a@example.com",
                "rcptTo": b"b@x.org,c@x.org",
                "connIp": b"192.0.2.1",
            },
        ),
        # what could break the form is left out
        (
            Envelope("a\r\n--x", ("b\n@x.org", "c@x.org"), helo="é.example"),
            {"rcptTo": b"c@x.org", "heloDomain": "é.example".encode()},
        ),
    ],
)
def test_the_form(envelope: Envelope | None, fields: dict[str, bytes]) -> None:
    assert form_of(MESSAGE, envelope) == {**fields, "rfc822": MESSAGE}


def test_nobody_knows_the_boundary() -> None:
    first, second = (play(protocol.scan(request()), CLEAN).said for _ in range(2))
    assert first != second


@pytest.mark.parametrize(
    ("score", "minimum", "expected", "is_spam"),
    [
        (b"0", 90, "0", "false"),
        (b"89.99", 90, "89", "false"),
        (b"90", 90, "90", "true"),
        (b"100", 90, "100", "true"),
        (b"1e-7", 90, "0", "false"),
        (b"9.5e1", 95, "95", "true"),
        (b"0", 0, "0", "true"),
    ],
)
def test_scores(score: bytes, minimum: int, expected: str, is_spam: str) -> None:
    answer = answered(b'{"score": %s}' % score, MinimumScore=minimum)
    assert answer.status is Status.CLEAN
    assert answer.values == {"cmae-score": expected, "cmae-isspam": is_spam, "cmae-analysis": ""}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not JSON",
        b"97",
        b'[{"score": 97}]',
        b"null",
        b"{}",
        b'{"score": NaN}',
        b'{"score": Infinity}',
        b'{"score": -Infinity}',
        b'{"score": 1e999}',
        b'{"score": -1}',
        b'{"score": 100.5}',
        b'{"score": 101}',
        b'{"score": "97"}',
        b'{"score": true}',
        b'{"score": null}',
        b'{"score": [97]}',
        b'{"score": 97, "score": 0}',
        b'{"score": 97, "analysis": 5}',
        b'{"score": 97',
        b'{"score": 97} {}',
        b'{"score": 97, "analysis": "\xff"}',
        b'{"score": ' + b"9" * 5000 + b"}",
        b'{"score": ' + b"[" * 60_000,
    ],
)
def test_what_is_no_score(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        answered(body)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_any_score(score: Any) -> None:
    """Only a number from 0 to 100 is one."""
    is_score = type(score) in (int, float) and 0 <= score <= 100
    try:
        answered(json.dumps({"score": score}).encode())
    except ProtocolError:
        assert not is_score
    else:
        assert is_score


def test_which_connections_are_kept() -> None:
    assert answered(b'{"score": 0}').is_open
    closed = response(b'{"score": 0}').replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
    assert not play(protocol.scan(request()), closed).answer.is_open


def test_another_status() -> None:
    for status in (b"201 Created", b"413 Too Large", b"503 Busy"):
        with pytest.raises(ProtocolError, match=status.decode()):
            play(protocol.scan(request()), response(b'{"score": 0}', status))


def test_a_message_that_is_too_large() -> None:
    answer, said, _ = play(protocol.scan(request(Max_Body_Length=len(MESSAGE) - 1)), CLEAN)
    assert (answer.status, answer.info, said) == (Status.LIMITS, "more than 20 octets", b"")
    assert play(protocol.scan(request(Max_Body_Length=len(MESSAGE))), CLEAN).answer.status is Status.CLEAN


def test_probe() -> None:
    for status, expected in ((b"200 OK", True), (b"404 Not Found", True), (b"503 Busy", False)):
        played = play(protocol.probe(request()), response(b"", status))
        assert played.said.startswith(b"GET /score/v2/max-message-size HTTP/1.1\r\n")
        assert played.answer is expected


def test_the_variables(serve: Serve, ask: Ask) -> None:
    def script(peer: Peer) -> None:
        faults.request(peer)
        peer.send(response(b'{"score": 97, "analysis": "a\\r\\nb\\u001b%s"}' % (b"x" * 1000)))

    settings = EngineSettings.defaults("cloudmark")
    verdict = ask(engine_of(protocol, serve(script).address, **VALUES))
    assert verdict.status is Status.CLEAN
    assert engine.variables("cloudmark", settings, verdict) == {
        "cmae-score": "97",
        "cmae-isspam": "true",
        "cmae-analysis": "ab" + "x" * 254,
    }
    # an unset score is not compared: an empty one would count as the highest in i;ascii-numeric
    failed = engine.variables("cloudmark", settings, Verdict("cloudmark", Status.ERROR, "x"))
    assert failed["cloudmark_status"] == "error"
    assert "cmae-score" not in failed


def test_options() -> None:
    defaults = {option.name: option.default for option in options_of(engine)}
    assert (defaults["enabled"], defaults["MinimumScore"], defaults["Max_Body_Length"]) == (False, 90, 0)
    assert "classes" not in defaults
    engine.make("cloudmark", defaults)
    with pytest.raises(ValueError, match="daemon: at least one address"):
        engine.make("cloudmark", {**defaults, "daemon": ()})


class TestFaults(Faults):
    protocol = protocol
    values = VALUES
    clean = (faults.request, CLEAN)
    answers: ClassVar = {
        "not JSON": instead(response(b"score: 0")),
        "NaN": instead(response(b'{"score": NaN}')),
        "a status that is not 200": instead(response(b'{"score": 0}', b"500 Internal Error")),
    }
