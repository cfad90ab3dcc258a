"""carrying: an outcome to stores, sends and other operations, in an order that loses nothing.

    stores  ▸  pipes and calls  ▸  sends  ▸  copies that may fail  ▸  records  ▸  counts

Edits are applied on the way: each effect gets the message as it was at that action. A front end supplies the `Carrier`,
which stores, sends and records, and needs no knowledge of the language.

What an action sends of its own and remembers, such as the reply of vacation, is remembered first: of several messages that
are carried out at once, one has the reply. A crash in between costs a reply; it is never sent twice.
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
    """One effect to carry out, its action (None for a record), and the message after all earlier edits. `claims` are records
    that must be new for it, and are made before it."""

    action: Action | None
    effect: Effect
    message: Message
    claims: tuple[Record, ...] = ()


class Carrier(Protocol):
    """Carries out effects. Each method returns what went wrong, for people to read, or "" on success."""

    def store(self, effect: Store, message: bytes) -> str: ...
    def send(self, effect: Send, message: bytes) -> str: ...
    def pipe(self, effect: Pipe, message: bytes) -> str: ...
    def call(self, effect: Call, message: bytes) -> str: ...
    def record(self, effect: Record) -> str: ...
    def count(self, effect: Count) -> str: ...

    def claim(self, effect: Record) -> bool:
        """Remember a key that must be new; False if it is remembered already, or if that cannot be known."""
        ...

    def release(self, effect: Record) -> None:
        """Forget a key that was claimed."""
        ...


_ORDER: dict[type, int] = {Store: 0, Pipe: 1, Call: 1, Send: 2, Record: 4, Count: 5}
"""Rank of each effect. Refusals, discards, delays and quarantine belong to the protocol; edits are applied to the messages."""

_BEST_EFFORT = 3
"""Rank of a store that may fail, such as the copy of a sent message (RFC 8580), which comes after the sends."""


def staged(message: Message, outcome: Outcome) -> list[Delivery]:
    """The effects of an outcome (with its implicit keep) on `message`, in the order in which to carry them out."""
    deliveries: list[Delivery] = []
    stored = sent = message
    enclosed = False
    for action in outcome.actions:
        claims = _claims(action)
        for effect in action.effects:
            if isinstance(effect, Edit):
                stored = stored.edited(effect)
                # RFC 5703, 6: the original message is sent; later edits apply to the message that encloses it
                enclosed = enclosed or (isinstance(effect, Rewrite) and not effect.sent)
                sent = sent if enclosed else stored
            elif isinstance(effect, Send):
                deliveries.append(Delivery(action, effect, sent, claims))
            elif type(effect) in _ORDER and effect not in claims:
                deliveries.append(Delivery(action, effect, stored))
    deliveries += [Delivery(None, record, message) for record in outcome.records]
    return sorted(deliveries, key=_rank)


def _claims(action: Action) -> tuple[Record, ...]:
    """The records of an action that sends a message of its own."""
    if not any(isinstance(effect, Send) and effect.message is not None for effect in action.effects):
        return ()
    return tuple(effect for effect in action.effects if isinstance(effect, Record))


def _rank(delivery: Delivery) -> int:
    if isinstance(delivery.effect, Store) and delivery.effect.best_effort:
        return _BEST_EFFORT
    return _ORDER[type(delivery.effect)]


def carry(message: Message, outcome: Outcome, carrier: Carrier) -> tuple[Note, ...]:
    """Carry out an outcome (with its implicit keep); returns the errors and warnings. After an error nothing more is done,
    so a message that could not be stored is not sent on either, and nothing is recorded."""
    notes: list[Note] = []
    unsent: list[Action] = []
    claimed: list[Action] = []
    for delivery in staged(message, outcome):
        if any(delivery.action is action for action in unsent):  # what follows a send, such as its copy
            continue
        if delivery.action is not None and delivery.claims and not any(delivery.action is each for each in claimed):
            if not all(carrier.claim(record) for record in delivery.claims):
                unsent.append(delivery.action)
                continue
            claimed.append(delivery.action)  # once for all addresses that it sends to
        error = _carry_out(delivery, carrier)
        if error:
            for record in delivery.claims:
                carrier.release(record)
            may_fail = isinstance(delivery.effect, Store | Pipe) and delivery.effect.best_effort
            severity = Severity.WARNING if may_fail else Severity.ERROR
            notes.append(Note(severity, error, delivery.action.place if delivery.action is not None else None))
            if not may_fail:
                break
    return tuple(notes)


def _carry_out(delivery: Delivery, carrier: Carrier) -> str:
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
    assert isinstance(effect, Count), f"no carrier has a method for {effect}"  # noqa: S101
    return carrier.count(effect)
