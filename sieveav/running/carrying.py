"""carrying: an outcome to what is done, in an order in which nothing is lost.

    stores  ▸  pipes and calls  ▸  sends  ▸  copies that may fail  ▸  records  ▸  counts

Edits are applied on the way: each effect gets the message as it was at that action. What stores, sends and remembers is a
`Carrier`; a front end brings one and knows no word of the language.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from sieveav.language.problems import Severity
from sieveav.running.effects import Call, Count, Edit, Effect, Pipe, Record, Rewrite, Send, Store
from sieveav.running.message import Message
from sieveav.running.outcome import Action, Note, Outcome


@dataclass(frozen=True)
class Delivery:
    """One effect to be carried out: the action it is of (None for a record), and the message that it is about, as the
    edits before it have left it."""

    action: Action | None
    effect: Effect
    message: Message


class Carrier(Protocol):
    """Who does it. Each gives what went wrong in words for people, "" for nothing."""

    def store(self, effect: Store, message: bytes) -> str: ...
    def send(self, effect: Send, message: bytes) -> str: ...
    def pipe(self, effect: Pipe, message: bytes) -> str: ...
    def call(self, effect: Call, message: bytes) -> str: ...
    def record(self, effect: Record) -> str: ...
    def count(self, effect: Count) -> str: ...


_ORDER: dict[type, int] = {Store: 0, Pipe: 1, Call: 1, Send: 2, Record: 4, Count: 5}
"""What comes first. Refusals and discards are the protocol's; edits are in the messages."""

_AT_LAST = 3
"""A copy that may fail, such as that of a sent message (RFC 8580), comes after what was sent."""


def staged(message: Message, outcome: Outcome) -> list[Delivery]:
    """What an outcome (with its implicit keep) does to `message`, in the order in which it is to be done."""
    deliveries: list[Delivery] = []
    stored = sent = message
    enclosed = False
    for action in outcome.actions:
        for effect in action.effects:
            if isinstance(effect, Edit):
                stored = stored.edited(effect)
                # RFC 5703, 6: what is sent is the message as it was, and later edits are of the one that it is now in
                enclosed = enclosed or (isinstance(effect, Rewrite) and not effect.sent)
                sent = sent if enclosed else stored
            elif type(effect) in _ORDER:
                deliveries.append(Delivery(action, effect, sent if isinstance(effect, Send) else stored))
    deliveries += [Delivery(None, record, message) for record in outcome.records]
    return sorted(deliveries, key=_rank)


def _rank(delivery: Delivery) -> int:
    if isinstance(delivery.effect, Store) and delivery.effect.best_effort:
        return _AT_LAST
    return _ORDER[type(delivery.effect)]


def carry(message: Message, outcome: Outcome, carrier: Carrier) -> tuple[Note, ...]:
    """Carry out an outcome (with its implicit keep); what went wrong. After an error nothing more is done: so what could
    not be stored is not sent on either, and nothing is remembered. What may fail is a warning."""
    notes: list[Note] = []
    for delivery in staged(message, outcome):
        wrong = _done(delivery, carrier)
        if wrong:
            may_fail = isinstance(delivery.effect, Store | Pipe) and delivery.effect.best_effort
            severity = Severity.WARNING if may_fail else Severity.ERROR
            notes.append(Note(severity, wrong, delivery.action.place if delivery.action is not None else None))
            if not may_fail:
                break
    return tuple(notes)


def _done(delivery: Delivery, carrier: Carrier) -> str:
    effect = delivery.effect
    if isinstance(effect, Store):
        return carrier.store(effect, delivery.message.raw if effect.message is None else effect.message)
    if isinstance(effect, Send):
        return carrier.send(effect, delivery.message.raw if effect.message is None else effect.message)
    if isinstance(effect, Pipe):
        return carrier.pipe(effect, delivery.message.raw)
    if isinstance(effect, Call):
        return carrier.call(effect, delivery.message.raw)
    if isinstance(effect, Record):
        return carrier.record(effect)
    assert isinstance(effect, Count), f"{effect} is carried out by nobody"  # noqa: S101
    return carrier.count(effect)
