"""A message that is edited: the view that words see, and the octets that are stored and sent, say the same."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sieveav import headers
from sieveav.running.effects import AddField, DropFields, Edit, Rewrite
from sieveav.running.message import Fields, HeaderValues, Message, intern_subject

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
def test_a_view_and_its_octets_say_the_same(lines: list[str], rest: str, crlf: bool, edits: list[Edit]) -> None:
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


def test_equal_edits_give_one_view_and_its_answers() -> None:
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


def test_so_many_views_are_remembered() -> None:
    message = Message(b"A: 1\n\nb")
    views = [message.edited(AddField("A", str(number))) for number in range(200)]
    assert message.edited(AddField("A", "199")) is views[199]
    assert message.edited(AddField("A", "0")) is not views[0]
    assert message.edited(AddField("A", "0")).raw == views[0].raw


def test_thousands_of_edits_take_no_stack() -> None:
    """The edits of many scripts, one after another: each view is one of the view before it."""
    message = Message(b"Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nhi\r\n--b--\r\n")
    for number in range(2000):
        message = message.edited(AddField(f"X-{number % 7}", str(number), last=number % 2 == 0))
    assert message.size == len(message.raw) == message.header_end + len(message.below)
    assert Message(message.raw).fields == message.fields
    assert [entity.path for entity in message.walk()] == [(), (0,)]
    assert b"\r\nnew" in message.replaced((0,), b"\r\nnew")
