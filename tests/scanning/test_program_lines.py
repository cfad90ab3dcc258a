"""program_lines: the requests to an external scanner program, and what its answers mean."""

from __future__ import annotations

import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from sieveav.scanning import program_lines
from sieveav.scanning.contract import Content, Deadline, Envelope
from sieveav.scanning.dialogue import Answer, Dialogue, Line, Question, Request, play
from sieveav.scanning.failover import ProtocolError
from sieveav.verdict import FOUND, Status

ENVELOPE = Envelope("a@example.com", ("b@example.org", "c@example.org"), "192.0.2.7", "mx", "alice")

REQUEST = Request(Content(b"hello", envelope=ENVELOPE), Deadline.after(9), path=Path("/srv/x y"))


def hear(dialogue: Dialogue[Any], line: bytes) -> Any:
    """What a dialogue that waits for a line makes of it."""
    with pytest.raises(StopIteration) as end:
        dialogue.send(line)
    return end.value.value


def answered(reply: Any, request: Request = REQUEST) -> Answer:
    """The answer that a reply means; it gets the id of the request unless it has one."""
    dialogue = program_lines.scan(request)
    question = next(dialogue)
    assert isinstance(question, Question)
    asked = json.loads(b"".join(question.pieces))
    assert dialogue.send(True) == Line(program_lines.LIMIT)
    line = reply if isinstance(reply, bytes) else json.dumps({"id": asked["id"], **reply}).encode()
    answer = hear(dialogue, line)
    assert isinstance(answer, Answer)
    return answer


def asked(request: Request) -> dict[str, Any]:
    question = next(program_lines.scan(request))
    assert isinstance(question, Question)
    line = b"".join(question.pieces)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    return dict(json.loads(line))


def test_a_request_with_a_path() -> None:
    request = asked(REQUEST)
    assert type(request.pop("id")) is int
    assert request == {
        "request": "scan",
        "is_message": True,
        "size": 5,
        "path": "/srv/x y",
        "envelope": {
            "sender": "a@example.com",
            "recipients": ["b@example.org", "c@example.org"],
            "client": "192.0.2.7",
            "helo": "mx",
            "login": "alice",
        },
    }


@pytest.mark.parametrize(
    "size", [0, 1, 2, 3, program_lines.CHUNK - 1, program_lines.CHUNK, 3 * program_lines.CHUNK + 1]
)
def test_a_request_with_the_content(size: int) -> None:
    raw = bytes(range(256)) * (size // 256) + bytes(size % 256)
    request = asked(Request(Content(raw, is_message=False), Deadline.after(9)))
    assert (request["size"], request["is_message"], request["envelope"]) == (size, False, None)
    assert b64decode(request["data"], validate=True) == raw


def test_an_envelope_cannot_end_the_line() -> None:
    hostile = 'a"}\r\n{"id": 1}\0\x1b\udcff\u2028'
    request = asked(Request(Content(b"", envelope=Envelope(hostile)), Deadline.after(9)))
    assert request["envelope"]["sender"] == hostile


def test_no_two_requests_have_the_same_id() -> None:
    assert asked(REQUEST)["id"] != asked(REQUEST)["id"]


@pytest.mark.parametrize("status", [status for status in Status if status not in FOUND])
def test_statuses(status: Status) -> None:
    assert answered({"status": str(status), "info": " why\x1b\r\n"}) == Answer(status, "why", is_open=True)


@pytest.mark.parametrize("status", FOUND)
def test_a_find(status: Status) -> None:
    assert answered({"status": str(status), "info": "Eicar", "code": 7}) == Answer(
        status, "Eicar", is_find=True, code=7, is_open=True
    )
    assert answered({"status": str(status)}).info == "unknown"


def test_values() -> None:
    reply = {
        "status": "clean",
        "values": {"score": "9"},
        "recipients": {"b@example.org": {"verdict": "spam"}, "c@example.org": {}},
    }
    answer = answered(reply)
    assert answer.values == {"score": "9"}
    assert answer.by_recipient == {"b@example.org": {"verdict": "spam"}, "c@example.org": {}}


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"[]",
        b"null",
        b'"clean"',
        b"{}",
        b'{"id": 0, "status": "clean"}',
        b'{"status": "clean"}',
        {"id": "1", "status": "clean"},
        {"id": True, "status": "clean"},
        {"id": 1.0, "status": "clean"},
        {"id": None, "status": "clean"},
        {},
        {"status": ""},
        {"status": "CLEAN"},
        {"status": "clean "},
        {"status": "ok"},
        {"status": None},
        {"status": 0},
        {"status": ["clean"]},
        {"status": "clean", "info": None},
        {"status": "clean", "info": 1},
        {"status": "clean", "code": "0"},
        {"status": "clean", "code": True},
        {"status": "clean", "code": 0.0},
        {"status": "clean", "code": 2**63},
        {"status": "clean", "code": -(2**63) - 1},
        {"status": "clean", "error": "no definitions"},
        {"status": "clean", "version": "x"},
        {"status": "clean", "values": []},
        {"status": "clean", "values": None},
        {"status": "clean", "values": {"score": 9}},
        {"status": "clean", "values": {"Score": "9"}},
        {"status": "clean", "values": {"": "9"}},
        {"status": "clean", "values": {"a\n": "9"}},
        {"status": "clean", "values": {"a" * 65: "9"}},
        {"status": "clean", "recipients": {"d@example.org": {}}},
        {"status": "clean", "recipients": {"B@example.org": {}}},
        {"status": "clean", "recipients": {"b@example.org": None}},
        {"status": "clean", "recipients": {"b@example.org": {"verdict": None}}},
        {"status": "clean", "recipients": ["b@example.org"]},
    ],
)
def test_what_breaks_the_protocol(reply: Any) -> None:
    with pytest.raises(ProtocolError):
        answered(reply)


def test_the_answer_to_another_request() -> None:
    dialogue, other = program_lines.scan(REQUEST), program_lines.scan(REQUEST)
    first, _ = next(dialogue), next(other)
    assert isinstance(first, Question)
    reply = {"id": json.loads(b"".join(first.pieces))["id"], "status": "clean"}
    other.send(True)
    with pytest.raises(ProtocolError, match="another request"):
        other.send(json.dumps(reply).encode())


@pytest.mark.parametrize("kind", [float, str])
def test_an_id_of_another_type(kind: type) -> None:
    dialogue = program_lines.scan(REQUEST)
    question = next(dialogue)
    assert isinstance(question, Question)
    number = json.loads(b"".join(question.pieces))["id"]
    dialogue.send(True)
    with pytest.raises(ProtocolError, match="id is not of type int"):
        dialogue.send(json.dumps({"id": kind(number), "status": "clean"}).encode())


def test_the_first_request_has_the_options() -> None:
    said = json.loads(
        program_lines.begin({"server": "192.0.2.1", "config": Path("/etc/kit"), "tries": 0, "none": None})
    )
    options = {"server": "192.0.2.1", "config": "/etc/kit", "tries": 0, "none": None}
    assert said == {"id": 0, "request": "version", "options": options}
    assert play(program_lines.begun(), b'{"id": 0, "version": "Kit 1\\u001b"}\n').answer == "Kit 1"


@pytest.mark.parametrize("reply", [b'{"id": 0}', b'{"id": 0, "version": null}', b'{"id": 1, "version": "x"}'])
def test_what_is_no_version(reply: bytes) -> None:
    with pytest.raises(ProtocolError):
        play(program_lines.begun(), reply + b"\n")


def test_a_version_asked_later() -> None:
    dialogue = program_lines.version(REQUEST)
    step: Any = next(dialogue)
    request = json.loads(step.octets)
    assert request == {"id": request["id"], "request": "version"}
    assert next(dialogue) == Line(program_lines.LIMIT)
    assert hear(dialogue, json.dumps({"id": request["id"], "version": "Kit 2"}).encode()) == "Kit 2"


@pytest.mark.parametrize(("stats", "works"), [({}, True), ({"scans": "\x1b"}, True), ([], False), (None, False)])
def test_stats(stats: Any, works: bool, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    dialogue = program_lines.stats(REQUEST)
    step: Any = next(dialogue)
    request = json.loads(step.octets)
    assert request == {"id": request["id"], "request": "stats"}
    next(dialogue)
    line = json.dumps({"id": request["id"], "stats": stats}).encode()
    if not works:
        with pytest.raises(ProtocolError):
            dialogue.send(line)
        return
    assert hear(dialogue, line) is True
    assert "\x1b" not in caplog.text
    assert "stats:" in caplog.text
