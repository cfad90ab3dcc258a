"""The paths of parts in the tree of a message, and how edits of the message change them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.sieve import FakeHost, Sieve

from sieveav.limits import Limits
from sieveav.mime import Part, walk
from sieveav.running.effects import AddField, DropFields, Edit, Rewrite
from sieveav.running.executing import execute
from sieveav.running.message import Message
from sieveav.running.questions import Context, Envelope, Now
from sieveav.running.run import Case

NESTED = b"""Subject: top
Content-Type: multipart/mixed; boundary=outer

--outer
Content-Type: multipart/alternative; boundary=inner
X-Part: 1

--inner

plain
--inner
Content-Type: text/html

<p>html</p>
--inner--
--outer
Content-Type: message/rfc822
Content-Transfer-Encoding: base64
X-Part: 2

U3ViamVjdDogaW5uZXIKCnRleHQK
--outer
Content-Type: application/pdf
X-Part: 3

%PDF
--outer--
"""

PLACES = [(), (0,), (0, 0), (0, 1), (1,), (1, 0), (2,)]


# ---- places


def test_every_part_has_its_path() -> None:
    message = Message(NESTED)
    assert [entity.path for entity in message.walk()] == PLACES
    for entity in message.walk():
        assert message.at(entity.path) is entity
    assert message.at((0, 7)) is message.at((0,))
    assert message.at((0, 0, 0, 0)) is message.at((0, 0))
    assert message.at((9,)) is message.whole


def following(message: Message, within: tuple[int, ...]) -> list[tuple[int, ...]]:
    """The paths below `within`, each found from the one before."""
    found = []
    entity = message.after(within, within)
    while entity is not None:
        found.append(entity.path)
        entity = message.after(entity.path, within)
    return found


@pytest.mark.parametrize("within", PLACES)
def test_the_next_part(within: tuple[int, ...]) -> None:
    below = [path for path in PLACES if path[: len(within)] == within and path != within]
    assert following(Message(NESTED), within) == below


@pytest.mark.parametrize(
    ("path", "within", "after"),
    [
        ((0, 5), (), (1,)),
        ((0, 1, 3, 3), (), (1,)),
        ((0, 1, 3, 3), (0,), None),
        ((0, 0, 4), (0,), (0, 1)),
        ((7,), (), None),
        ((7, 1), (), None),
        ((2, 0, 0), (2,), None),
    ],
)
def test_the_next_part_after_one_that_was_removed(path: Any, within: Any, after: Any) -> None:
    found = Message(NESTED).after(path, within)
    assert (None if found is None else found.path) == after


# ---- edits of the header

EDITS = st.one_of(
    st.builds(AddField, st.sampled_from(["Subject", "X-A"]), st.text(max_size=20), st.booleans()),
    st.builds(AddField, st.just("Content-Type"), st.sampled_from(["text/plain", "multipart/mixed; boundary=inner"])),
    st.builds(DropFields, st.sampled_from(["Subject", "Content-Type", "X-A"]), st.just((1,))),
)


def described(part: Part) -> list[tuple[Any, ...]]:
    return [(p.header, p.content_type, p.parameters, p.encoding, p.body, p.disposition, p.filename) for p in walk(part)]


@given(
    st.sampled_from([NESTED, NESTED.replace(b"\n", b"\r\n"), b"Subject: x", b"", b"\n\nbody", b"Subject: x\n\nbody"]),
    st.lists(EDITS, max_size=5),
    st.data(),
)
def test_the_parts_of_an_edited_message_are_those_of_its_octets(
    raw: bytes, edits: list[Edit], data: st.DataObject
) -> None:
    message = Message(raw)
    for edit in edits:
        message = message.edited(edit)
    again = Message(message.raw)
    assert described(message.structure) == described(again.structure)
    assert [entity.path for entity in message.walk()] == [entity.path for entity in again.walk()]
    path = data.draw(st.sampled_from([entity.path for entity in message.walk()]))
    new = b"X-New: 1" + message.newline * 2 + b"new"
    assert message.replaced(path, new) == again.replaced(path, new)


def test_an_edit_of_the_header_does_not_parse_parts_again() -> None:
    message = Message(NESTED)
    entities = list(message.walk())
    edited = message.edited(AddField("X-A", "1")).edited(DropFields("Subject", (1,)))
    assert list(edited.walk())[1:] == entities[1:]
    assert "raw" not in edited.__dict__
    assert edited.whole.fields["x-a"] == [" 1"]
    assert "subject" not in edited.whole.fields
    assert message.edited(DropFields("Content-Type", (1,))).whole.parts == ()


# ---- the focus of a run

LOOP = 'require ["foreverypart", "mime", "replace", "enclose", "editheader", "variables", "fileinto", "copy"];\n'


def outcome(sieve: Sieve, fake_host: type[FakeHost], script: str, message: bytes = NESTED, **more: Any) -> Any:
    host = fake_host(answers={Now: lambda _: datetime(2026, 11, 24, 12, 0, tzinfo=UTC)})
    return sieve.run(LOOP + script, message, host=host, **more)


def test_two_runs_are_equal_and_recipients_share_the_octets(sieve: Sieve, fake_host: type[FakeHost]) -> None:
    script = 'foreverypart { if header :mime "X-Part" "3" { replace "gone"; } } enclose "text";'
    first, second = (outcome(sieve, fake_host, script) for _ in range(2))
    assert first == second
    assert [action.name for action in first.actions] == ["replace", "enclose", "keep"]
    # one message, two recipients
    message = Message(NESTED)
    program = sieve.program(LOOP + 'replace "gone";')
    cases = [
        Case(message, Envelope("a@example.com", to), fake_host(), Context())
        for to in ("b@example.com", "c@example.com")
    ]
    ours, theirs = ([e for e in execute(program, case).actions[0].effects if isinstance(e, Rewrite)] for case in cases)
    assert ours[0].octets is theirs[0].octets
    untouched = execute(sieve.program('require "fileinto"; if header "Subject" "top" { fileinto "A"; }'), cases[0])
    assert untouched.actions[0].name == "fileinto"
    assert message.raw == NESTED


def test_a_limit_of_edits_and_one_of_octets(sieve: Sieve, fake_host: type[FakeHost]) -> None:
    storm = "foreverypart {\n foreverypart {\n" + 'replace "x";\n' * 30 + "} }"
    faulty = outcome(sieve, fake_host, storm).fault
    assert faulty.message == "more than 64 edits"
    assert (faulty.place.path, faulty.place.line) == ("test.sieve", 4 + 64 - 60)
    faulty = outcome(sieve, fake_host, "\n" + 'enclose "x";\n' * 30, limits=Limits(rewritten=5000)).fault
    assert faulty.message == "more than 5000 octets of rewritten messages"
    assert faulty.place.line == 6
    assert outcome(sieve, fake_host, 'enclose "x";', limits=Limits(rewritten=5000)).fault is None


def test_the_position_of_the_original_in_a_message_that_encloses_it(sieve: Sieve, fake_host: type[FakeHost]) -> None:
    (action, _) = outcome(sieve, fake_host, 'enclose "x";').actions
    (edit,) = action.effects
    assert (edit.sent, edit.inside) == (False, (1, 0))
    inner = Message(edit.octets).at(edit.inside)
    assert inner.part.header + b"\n" + inner.part.body == NESTED


def test_enclosures_deeper_than_the_limit(sieve: Sieve, fake_host: type[FakeHost]) -> None:
    """More enclosures than levels of parts that are read: the loop ends without a fault."""
    script = "foreverypart {" + 'enclose "x"; ' * 20 + "}"
    assert outcome(sieve, fake_host, script, b"Subject: x\n\nbody").fault is None


WORDS = [
    'replace "x";',
    'enclose "y";',
    'addheader "X-A" "1";',
    'addheader "Content-Type" "text/plain";',
    "foreverypart {",
    "}",
]


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(WORDS), max_size=9))
def test_any_mix_of_loops_and_edits_ends(sieve: Sieve, fake_host: type[FakeHost], lines: list[str]) -> None:
    depth, script = 0, ""
    for line in lines:
        if (line == "}" and not depth) or (line.endswith("{") and depth == 3):
            continue
        depth += line.endswith("{") - (line == "}")
        script += line + "\n"
    result = outcome(sieve, fake_host, "foreverypart {" + script + "}" * (depth + 1))
    assert result.fault is None or result.fault.message == "more than 64 edits"
    message = Message(NESTED)
    for action in result.actions[:-1]:
        message = message.edited(action.effects[0])
    assert [entity.path for entity in message.walk()] == [entity.path for entity in Message(message.raw).walk()]
