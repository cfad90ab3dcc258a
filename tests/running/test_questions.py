"""Questions: a host is a table, each question has a default answer, and answers are remembered."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from sieveav.running import questions
from sieveav.running.message import Message
from sieveav.running.outcome import UNDECIDED
from sieveav.running.questions import (
    Addresses,
    Arrange,
    CarryOut,
    Context,
    Delivered,
    Envelope,
    Environment,
    Host,
    Listed,
    Mailbox,
    Members,
    Metadata,
    Now,
    Question,
    Remembered,
    Scan,
    Scanned,
    Script,
    Seen,
    Service,
)
from sieveav.site.scans import Asker, Scans

MESSAGE = Message(b"\n")

OTHERWISE: list[tuple[Question[Any], Any, str]] = [
    (Scan(), Scanned(()), "never"),
    (Mailbox("a"), False, "recipient"),
    (Metadata(None, "/x"), None, "recipient"),
    (Environment("name"), None, "recipient"),
    (Addresses(), (), "recipient"),
    (Now(), datetime(1970, 1, 1, tzinfo=UTC), "transaction"),
    (Seen("k"), None, "recipient"),
    (Listed("l", ("a",)), None, "recipient"),
    (Members("l"), None, "recipient"),
    (Script("s"), None, "never"),
    (Service("s"), None, "never"),
    (CarryOut(MESSAGE, Envelope(), UNDECIDED), (), "never"),
    (Delivered(None, 0), None, "never"),
    (Arrange("x"), "only available in tests of scripts", "never"),
]


@pytest.mark.parametrize(("question", "otherwise", "remembered"), OTHERWISE, ids=lambda value: type(value).__name__)
def test_default_answers(question: Question[Any], otherwise: Any, remembered: str) -> None:
    assert Host({}).answer(question) == otherwise
    assert question.remembered == remembered
    assert str(question)
    assert str(question).isprintable()
    assert {question: 1}[question] == 1  # answers are remembered by their questions


def test_every_question_has_a_default_answer() -> None:
    known = [
        q for q in vars(questions).values() if isinstance(q, type) and issubclass(q, Question) and q is not Question
    ]
    assert len(known) >= len(OTHERWISE)
    for question in known:
        assert "otherwise" in vars(question), f"{question.__name__} has no answer for a host that does not know it"
        assert isinstance(question.remembered, Remembered)


class Counting:
    """Answers with a number, the next one each time."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def __call__(self, question: Any) -> int:
        self.asked.append(question)
        return len(self.asked)


def test_a_host_is_a_table() -> None:
    host = Host({Environment: lambda question: f"<{question.item}>", Mailbox: lambda question: question.name == "a"})
    assert host.answer(Environment("x")) == "<x>"
    assert [host.answer(Mailbox(name)) for name in "ab"] == [True, False]
    assert host.answer(Metadata("a", "/x")) is None


@pytest.mark.parametrize(
    ("question", "other"),
    [(Seen("k"), Seen("l")), (Mailbox("a"), Mailbox("a", special_use="\\Junk")), (Listed("l", ("a",)), Listed("l"))],
)
def test_answers_about_a_recipient_are_remembered_by_its_host(question: Question[Any], other: Question[Any]) -> None:
    count = Counting()
    host = Host({type(question): count})
    assert [host.answer(each) for each in (question, other, question, other)] == [1, 2, 1, 2]
    assert Host({type(question): count}).answer(question) == 3  # another recipient
    assert count.asked == [question, other, question]
    host.forget()
    assert host.answer(question) == 4


def test_one_answer_for_a_transaction() -> None:
    count = Counting()
    transaction: dict[Question[Any], Any] = {}
    first, second = (Host({Now: count, Seen: count}, transaction) for _ in range(2))
    answers: list[Any] = [first.answer(Now()), second.answer(Now()), first.answer(Seen("k")), second.answer(Seen("k"))]
    assert answers == [1, 1, 2, 3]
    assert Host({Now: count}).answer(Now()) == 4
    assert transaction == {Now(): 1}
    second.forget()
    assert first.answer(Now()) == 5


def test_questions_that_are_asked_each_time() -> None:
    count = Counting()
    host = Host({Script: count, Service: count, Scan: count})
    asked: list[Question[Any]] = [Script("s"), Service("s"), Scan()]
    for question in asked:
        del count.asked[:]
        assert [host.answer(question) for _ in range(3)] == [1, 2, 3]


def test_none_is_remembered_too() -> None:
    asked: list[Any] = []
    host = Host({Seen: asked.append, Environment: asked.append})
    two: list[Question[Any]] = [Seen("k"), Environment("x")]
    for question in (*two, *two):
        assert host.answer(question) is None
    assert asked == two


# ---- the host of a site


def test_the_host_of_a_site_knows_the_time() -> None:
    shared: dict[Question[Any], Any] = {}
    first, second = (Asker(Scans(MESSAGE, ()), Context(), {}, shared) for _ in range(2))
    now = first.answer(Now())
    assert now.tzinfo is not None
    assert abs((datetime.now(UTC) - now).total_seconds()) < 60
    assert second.answer(Now()) is now
    fixed = datetime(2026, 1, 2, tzinfo=UTC)
    assert Asker(Scans(MESSAGE, ()), Context(), {Now: lambda _: fixed}).answer(Now()) == fixed


def test_the_host_of_a_site_answers_about_the_recipient() -> None:
    host = Asker(Scans(MESSAGE, ()), Context(), {Mailbox: lambda question: question.name == "a"})
    assert (host.answer(Mailbox("a")), host.answer(Mailbox("b"))) == (True, False)
    assert host.answer(Scan()) == Scanned(())
    assert host.answer(Metadata(None, "/x")) is None
    assert host.answer(Arrange("x")) == Arrange.otherwise
