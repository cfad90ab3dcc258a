"""Carrying out an outcome: what comes first, which message each effect gets, and what happens when something fails."""

from __future__ import annotations

from typing import Any

import pytest

from sieveav.language.problems import Place, Source
from sieveav.running.carrying import Delivery, carry, staged
from sieveav.running.effects import (
    AddField,
    Call,
    Count,
    Discard,
    DropFields,
    Effect,
    Pipe,
    Record,
    Refuse,
    Rewrite,
    Send,
    Store,
)
from sieveav.running.message import Message
from sieveav.running.outcome import UNDECIDED, Action, Outcome, merge

RAW = b"Subject: x\nX-A: 1\n\nbody\n"
ADD = AddField("X-A", "0")
ADDED = b"X-A: 0\n" + RAW
DROP = DropFields("x-a", (1,))


class Fake:
    """A carrier that records its calls; `failing` says which effects fail, and how."""

    def __init__(self, failing: dict[Effect, str] | None = None) -> None:
        self.failing = failing or {}
        self.done: list[tuple[Any, ...]] = []

    def _do(self, effect: Effect, *message: bytes) -> str:
        self.done.append((effect, *message))
        return self.failing.get(effect, "")

    def store(self, effect: Store, message: bytes) -> str:
        return self._do(effect, message)

    def send(self, effect: Send, message: bytes) -> str:
        return self._do(effect, message)

    def pipe(self, effect: Pipe, message: bytes) -> str:
        return self._do(effect, message)

    def call(self, effect: Call, message: bytes) -> str:
        return self._do(effect, message)

    def record(self, effect: Record) -> str:
        return self._do(effect)

    def count(self, effect: Count) -> str:
        return self._do(effect)

    def claim(self, effect: Record) -> bool:
        return not self._do(effect)

    def release(self, effect: Record) -> None:
        self.done.append(("released", effect))


def outcome(*effects: Effect, records: tuple[Record, ...] = ()) -> Outcome:
    """One action for each effect, on the line of its number."""
    source = Source("a.sieve", "\n" * len(effects))
    actions = [Action("act", (effect,), place=Place(source, number)) for number, effect in enumerate(effects)]
    return Outcome(actions=tuple(actions), keep=False, records=records)


ALL = (
    Count("n"),
    Store("Sent", message=b"copy", best_effort=True),
    Send("a@b"),
    Call("service"),
    Store("a"),
    Send("c@d", b"another"),
    Pipe("program"),
    Store("b"),
)


def test_the_order() -> None:
    carrier = Fake()
    assert carry(Message(RAW), outcome(*ALL, records=(Record("k", 1), Record("l", 1))), carrier) == ()
    assert carrier.done == [
        (Store("a"), RAW),
        (Store("b"), RAW),
        (Call("service"), RAW),
        (Pipe("program"), RAW),
        (Send("a@b"), RAW),
        (Send("c@d", b"another"), b"another"),
        (Store("Sent", message=b"copy", best_effort=True), b"copy"),
        (Record("k", 1),),
        (Record("l", 1),),
        (Count("n"),),
    ]


def test_effects_that_are_not_carried_out() -> None:
    """A refusal and a discard belong to the protocol, an edit is part of the message."""
    carrier = Fake()
    assert carry(Message(RAW), outcome(Refuse("no"), Discard(), ADD), carrier) == ()
    assert carrier.done == []
    assert staged(Message(RAW), outcome(Discard())) == []


def test_only_the_implicit_keep() -> None:
    carrier = Fake()
    carry(Message(RAW), UNDECIDED.with_implicit_keep(), carrier)
    assert carrier.done == [(Store(), RAW)]
    assert staged(Message(RAW), UNDECIDED) == []


def test_each_effect_gets_the_message_as_at_its_action() -> None:
    carrier = Fake()
    effects = (Store("a"), Send("a@b"), ADD, Store("b"), Send("c@d"), DROP, DROP, Pipe("p"), Call("s"), Store("c"))
    carry(Message(RAW), outcome(*effects, Rewrite(b"X: y\n\nz\n"), Store("d"), Send("e@f"), Pipe("q")), carrier)
    bare = b"Subject: x\n\nbody\n"
    assert carrier.done == [
        (Store("a"), RAW),
        (Store("b"), ADDED),
        (Store("c"), bare),
        (Store("d"), b"X: y\n\nz\n"),
        (Pipe("p"), bare),
        (Call("s"), bare),
        (Pipe("q"), b"X: y\n\nz\n"),
        (Send("a@b"), RAW),
        (Send("c@d"), ADDED),
        (Send("e@f"), b"X: y\n\nz\n"),
    ]


def test_an_edit_that_is_not_sent() -> None:
    """RFC 5703, 6: the original message is sent on."""
    carrier = Fake()
    enclosed = b"X: y\n\nenclosed\n"
    carry(
        Message(RAW), outcome(ADD, Rewrite(enclosed, sent=False), Store("a"), Send("a@b"), DROP, Send("c@d")), carrier
    )
    assert carrier.done == [(Store("a"), enclosed), (Send("a@b"), ADDED), (Send("c@d"), ADDED)]


def test_an_effect_with_its_own_message_gets_that() -> None:
    carrier = Fake()
    carry(Message(RAW), outcome(ADD, Store("a", message=b"own"), Send("a@b", b"own", "")), carrier)
    assert carrier.done == [(Store("a", message=b"own"), b"own"), (Send("a@b", b"own", ""), b"own")]


def test_effects_of_one_action_are_carried_out_separately() -> None:
    carrier = Fake()
    answer = Action("vacation", (Send("a@b", b"away", ""), Record("k", 1), Store("Sent", message=b"away")))
    carry(Message(RAW), Outcome(actions=(answer,), keep=False), carrier)
    assert [type(done[0]) for done in carrier.done] == [Store, Record, Send]


@pytest.mark.parametrize(
    ("failing", "done"),
    [
        (Store("a"), [Store]),
        (Store("b"), [Store, Store]),
        (Call("service"), [Store, Store, Call]),
        (Pipe("program"), [Store, Store, Call, Pipe]),
        (Send("a@b"), [Store, Store, Call, Pipe, Send]),
        (Record("k", 1), [Store, Store, Call, Pipe, Send, Send, Store, Record]),
        (Count("n"), [Store, Store, Call, Pipe, Send, Send, Store, Record, Count]),
    ],
)
def test_nothing_is_done_after_a_failure(failing: Effect, done: list[type]) -> None:
    """A message that could not be stored is not sent on either, and nothing is recorded."""
    carrier = Fake({failing: "no\r\nspace"})
    (note,) = carry(Message(RAW), outcome(*ALL, records=(Record("k", 1),)), carrier)
    assert [type(each[0]) for each in carrier.done] == done
    assert (note.severity, note.text) == ("error", "no  space")
    if isinstance(failing, Record):
        assert note.place is None
    else:
        assert str(note.place) == f"a.sieve:{ALL.index(failing) + 1}"


@pytest.mark.parametrize(
    "failing", [Store("Sent", message=b"copy", best_effort=True), Pipe("program", best_effort=True)]
)
def test_a_best_effort_failure_is_a_warning(failing: Effect) -> None:
    effects: list[Effect] = [e.changed(best_effort=True) if isinstance(e, Pipe) else e for e in ALL]
    carrier = Fake({failing: "busy"})
    (note,) = carry(Message(RAW), outcome(*effects, records=(Record("k", 1),)), carrier)
    assert (note.severity, note.text, str(note.place)) == ("warning", "busy", f"a.sieve:{effects.index(failing) + 1}")
    assert len(carrier.done) == len(effects) + 1


def test_several_best_effort_failures() -> None:
    copies = [Store(name, message=b"copy", best_effort=True) for name in "ab"]
    carrier = Fake({copies[0]: "one", copies[1]: "two", Count("n"): "three"})
    notes = carry(Message(RAW), outcome(*copies, Count("n")), carrier)
    assert [(note.severity, note.text) for note in notes] == [
        ("warning", "one"),
        ("warning", "two"),
        ("error", "three"),
    ]


def test_the_plan_is_data() -> None:
    message = Message(RAW)
    decided = outcome(Store("a"), ADD, Send("a@b"), records=(Record("k", 1),))
    store, _, send = decided.actions
    edited = message.edited(ADD)
    assert staged(message, decided) == [
        Delivery(store, Store("a"), message),
        Delivery(send, Send("a@b"), edited),
        Delivery(None, Record("k", 1), message),
    ]


def test_scripts_in_turn() -> None:
    """A keep of an earlier script comes after a later one's edits: it only lets that one run."""
    before = Outcome(actions=(Action("keep", (Store(),), keeps=True),), records=(Record("k", 1),))
    own = Outcome(actions=(Action("addheader", (ADD,), cancels_keep=False),))
    carrier = Fake()
    carry(Message(RAW), merge(before, own).with_implicit_keep(), carrier)
    assert carrier.done == [(Store(), ADDED), (Record("k", 1),)]


REPLY, KEY = Send("bob@example.org", b"away", ""), Record("vacation", 60)


def reply() -> Outcome:
    """An outcome with an action that sends a message of its own and remembers that."""
    return Outcome(actions=(Action("vacation", (REPLY, KEY)),), keep=False)


def test_what_is_sent_and_remembered_is_claimed_first() -> None:
    carrier = Fake()
    assert carry(Message(RAW), reply(), carrier) == ()
    assert carrier.done == [(KEY,), (REPLY, b"away")]


def test_what_somebody_else_has_claimed_is_not_sent() -> None:
    carrier = Fake({KEY: "known"})
    assert carry(Message(RAW), reply(), carrier) == ()
    assert carrier.done == [(KEY,)]


def test_what_is_sent_to_several_addresses_is_claimed_once() -> None:
    other, key = Send("carol@example.org", b"away", ""), Record("carol", 60)
    outcome = Outcome(actions=(Action("notify", (REPLY, other, KEY, key)),), keep=False)
    carrier = Fake()
    assert carry(Message(RAW), outcome, carrier) == ()
    assert carrier.done == [(KEY,), (key,), (REPLY, b"away"), (other, b"away")]
    carrier = Fake({other: "down"})
    assert [note.text for note in carry(Message(RAW), outcome, carrier)] == ["down"]
    assert carrier.done[-2:] == [("released", KEY), ("released", key)]


def test_what_is_not_sent_has_no_copy() -> None:
    copy = Store("Sent", message=b"away", best_effort=True)
    carrier = Fake({KEY: "known"})
    action = Action("vacation", (REPLY, KEY, copy))
    carry(Message(RAW), Outcome(actions=(action, Action("keep", (Store(),))), keep=False), carrier)
    assert carrier.done == [(Store(), RAW), (KEY,)]


def test_what_could_not_be_sent_is_released() -> None:
    carrier = Fake({REPLY: "down"})
    assert [note.text for note in carry(Message(RAW), reply(), carrier)] == ["down"]
    assert carrier.done == [(KEY,), (REPLY, b"away"), ("released", KEY)]
