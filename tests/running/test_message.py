"""Messages: what edits do to fields and octets, and the tree of parts."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.sieve import Sieve

from sieveav import headers, mime
from sieveav.running.effects import AddField, DropFields, Edit, Rewrite
from sieveav.running.executing import execute
from sieveav.running.message import Fields, HeaderValues, Message, intern_subject
from sieveav.scanning.contract import Content

NAMES = st.sampled_from(["Subject", "X-A", "x-a", "X-B", "Content-Type"])

LINES = st.sampled_from(
    [
        "Subject: x",
        "X-A: 1",
        "x-a: 2",
        "X-A : spaced",
        "X-B:",
        "X-A: folded\n over\n\tlines",
        "X-B: =?utf-8?q?=C3=BC?=",
        "no field",
        ": no name",
        " begins with a blank",
        "Content-Type: text/plain",
    ]
)

EDITS = st.one_of(
    st.builds(AddField, NAMES, st.text(max_size=100), st.booleans()),
    st.builds(DropFields, NAMES, st.lists(st.integers(1, 4), min_size=1).map(tuple)),
    st.builds(Rewrite, st.just(b"X-A: other\r\n\r\nother\r\n")),
)


def shown(message: Message) -> dict[str, list[str]]:
    """The fields as tests see them: unfolded, decoded, trimmed."""
    return {name: [headers.decode_words(headers.unfold(v)) for v in values] for name, values in message.fields.items()}


@given(
    st.lists(LINES, max_size=6),
    st.sampled_from(["\n\nbody\n", "\n", "", "\n\n", "\nno body separator"]),
    st.booleans(),
    st.lists(EDITS, max_size=5),
)
def test_an_edited_message_and_its_octets_agree(lines: list[str], rest: str, crlf: bool, edits: list[Edit]) -> None:
    text = ("\n".join(lines) + rest).encode()
    original = message = Message(text.replace(b"\n", b"\r\n") if crlf else text)
    below = message.below
    for edit in edits:
        message = message.edited(edit)
        below = Message(edit.octets).below if isinstance(edit, Rewrite) else below
    again = Message(message.raw)
    assert shown(message) == shown(again)
    assert message.size == len(message.raw)
    assert message.header + message.below == message.raw
    assert (message.header_end, message.body_start) == (again.header_end, again.body_start)
    assert message.below == below
    assert original.raw == (text.replace(b"\n", b"\r\n") if crlf else text)


@pytest.mark.parametrize(
    ("raw", "edit", "octets"),
    [
        (b"A: 1\n\nb", AddField("B", "2"), b"B: 2\nA: 1\n\nb"),
        (b"A: 1\r\n\r\nb", AddField("B", "2"), b"B: 2\r\nA: 1\r\n\r\nb"),
        (b"A: 1\n\nb", AddField("B", "2", last=True), b"A: 1\nB: 2\n\nb"),
        (b"A: 1", AddField("B", "2", last=True), b"A: 1\r\nB: 2\r\n"),
        (b" x\nA: 1\n\nb", AddField("B", "2"), b" x\nB: 2\nA: 1\n\nb"),  # no part of the new field
        (b" x", AddField("B", "2"), b" x\r\nB: 2\r\n"),
        (b"A: 1\n\nb", AddField("B", "x\r\ny: z"), b"B: x  y: z\nA: 1\n\nb"),
        (b"A: 1\n\nb", AddField("B", "\u00fc"), b"B: =?utf-8?b?w7w=?=\nA: 1\n\nb"),
        (b"A: 1\nB: 2\n 3\na: 4\n\nb", DropFields("a", (1,)), b"B: 2\n 3\na: 4\n\nb"),
        (b"A: 1\nB: 2\n 3\na: 4\n\nb", DropFields("A", (1, 2)), b"B: 2\n 3\n\nb"),
        (b"A: 1\nB: 2\n 3\na: 4\n\nb", DropFields("B", (1,)), b"A: 1\na: 4\n\nb"),
        (b"A: 1\n\nb", DropFields("A", (2,)), b"A: 1\n\nb"),
        (b"A: 1\n\nb", DropFields("C", (1,)), b"A: 1\n\nb"),
        (b"A: 1\n\nb", Rewrite(b"C: 3\n\nd"), b"C: 3\n\nd"),
    ],
)
def test_the_octets_of_an_edit(raw: bytes, edit: Edit, octets: bytes) -> None:
    message = Message(raw)
    assert message.edited(edit).raw == octets
    assert message.raw == raw


def test_equal_edits_share_one_message_and_its_answers() -> None:
    message = Message(b"A: 1\n\nb")
    asked: list[Any] = []

    def fold(text: str) -> str:
        asked.append(text)
        return text

    subject = intern_subject(HeaderValues(Fields(("a",)), fold))
    view = message.edited(AddField("A", "0"))
    assert message.edited(AddField("A", "0")) is view
    assert (message[subject], view[subject], view[subject]) == (("1",), ("0", "1"), ("0", "1"))
    assert asked == ["1", "0", "1"]
    assert message.edited(AddField("A", "0", last=True)) is not view


def test_the_number_of_views_that_are_remembered_is_limited() -> None:
    message = Message(b"A: 1\n\nb")
    views = [message.edited(AddField("A", str(number))) for number in range(200)]
    assert message.edited(AddField("A", "199")) is views[199]
    assert message.edited(AddField("A", "0")) is not views[0]
    assert message.edited(AddField("A", "0")).raw == views[0].raw


def test_thousands_of_edits_do_not_recurse() -> None:
    """The edits of many scripts, one after another: each message is an edited one of the message before."""
    message = Message(b"Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nhi\r\n--b--\r\n")
    for number in range(2000):
        message = message.edited(AddField(f"X-{number % 7}", str(number), last=number % 2 == 0))
    assert message.size == len(message.raw) == message.header_end + len(message.below)
    assert Message(message.raw).fields == message.fields
    assert [entity.path for entity in message.walk()] == [(), (0,)]
    assert b"\r\nnew" in message.replaced((0,), b"\r\nnew")


# ---- the tree of MIME parts

MULTIPART = b"Subject: x\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nhi\n--b\nX: y\n\nho\n--b--\n"


def test_a_message_is_parsed_once(sieve: Sieve, monkeypatch: pytest.MonkeyPatch) -> None:
    """For all tests, recipients and scans (`Content.structure`)."""
    parsed: list[bytes] = []
    parse = mime.parse

    def counted(raw: bytes) -> mime.Part:
        parsed.append(raw)
        return parse(raw)

    monkeypatch.setattr(mime, "parse", counted)
    program = sieve.program(
        'require ["body", "foreverypart", "mime", "editheader"]; if body :contains "ho" { foreverypart { } }'
        'addheader "X-A" "b"; if body :contains "ho" { foreverypart { } } if header :mime :anychild "X" "y" { discard; }'
    )
    case = sieve.case(MULTIPART)
    content = Content(case.message.raw, structure=lambda: case.message.structure)
    for _ in range(2):
        assert [action.name for action in execute(program, case).actions] == ["addheader", "discard"]
        assert content.structure is case.message.structure
    assert parsed == [MULTIPART]


def test_an_edited_message_has_a_tree_of_its_own() -> None:
    message = Message(MULTIPART)
    other = message.edited(AddField("Content-Type", "text/plain"))
    assert [len(list(each.walk())) for each in (message, other, message)] == [3, 1, 3]


def test_several_threads_may_edit_a_message() -> None:
    """Recipients are decided side by side; here with more edits than are remembered."""
    message = Message(b"A: 1\n\nb")

    def edit(thread: int) -> list[str]:
        numbers = [str(number) for number in range(thread, thread + 500)]
        """The values that are not those of the edit."""
        return [value for n in numbers for value in message.edited(AddField("B", n)).fields["b"] if value.strip() != n]

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            assert [value for values in pool.map(edit, range(8)) for value in values] == []
    finally:
        sys.setswitchinterval(interval)
