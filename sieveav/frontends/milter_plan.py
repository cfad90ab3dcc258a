"""milter_plan: a decision to what a milter answers at the end of a message.

SMTP has one reply for all recipients of a message, and a milter changes the message for all of them alike. So:

    ==================================  ==================================================================
    outcome                             becomes
    ==================================  ==================================================================
    a response for the message          the reply
    all recipients refuse               the reply: a temporary refusal if any of them is temporary
    some refuse, the message infected   they are removed; no notice, because senders of viruses are forged
    some refuse for now                 deferred
    some refuse                         deferred; with `bounce`, they are removed, and the sender gets one
                                        notice for all of them
    keep                                the recipient stays
    discard, or nothing is kept         the recipient is removed; if all are, the message is discarded
    redirect                            the address is added; the recipient is removed if nothing is kept
    addheader, deleteheader, replace,   edits of the message, if they are the same for everybody who gets
    enclose                             it; else deferred
    fileinto                            deferred; with `plus`, user+Mailbox@domain is added, and the
                                        recipient is removed if nothing is kept
    vacation and other own messages     not sent, and not remembered as sent; with `sends`, given to the
                                        submission server
    pipe, a service                     deferred
    flags                               lost: SMTP does not carry them
    quarantine                          the rest, and the MTA holds the message
    ==================================  ==================================================================

Deferred is 451, with the reason in the log: nothing is lost, but the message comes again until the site's scripts decide
otherwise or another front end delivers it. What is sent is given to the submission server before the message is accepted (see
`milter_sending`).

With `refuse_only` there is another front end: the LMTP server runs the scripts again when it delivers, and does what they
decide. Then the milter only replies:

    ==================================  ==================================================================
    a response for the message          the reply
    all recipients refuse               the reply, as above
    some refuse, the message infected   they are removed
    quarantine                          accepted, and the MTA holds the message
    everything else                     accepted as it is
    ==================================  ==================================================================
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from sieveav.frontends.mailstores import with_mailbox
from sieveav.running.carrying import staged
from sieveav.running.effects import Count, Effect, Record, Send, Store, mailbox_key
from sieveav.running.message import Message
from sieveav.running.outcome import Action, Response
from sieveav.site.deciding import DEFERRED
from sieveav.site.transaction import Decision, RecipientDecision
from sieveav.verdict import FOUND


class Answering(NamedTuple):
    """How a milter answers: whether it only refuses, because another front end delivers; whether it sends what scripts send;
    whether the sender gets a notice when some recipients refuse; and whether a mailbox is the detail of an address."""

    refuse_only: bool = False
    sends: bool = False
    bounce: bool = False
    plus: bool = False


@dataclass(frozen=True)
class Plan:
    """What to answer: `response` refuses or defers the message; without one it is accepted, with these changes, or with
    `discard` accepted and dropped.

    `quarantine` is the reason for which the MTA holds the message. `remove` are recipients, `add` addresses with their SMTP
    parameters, `message` is the message after its edits, None as it was received. `sends` are the messages of scripts that
    are sent before, and `notices` the refusals that the sender gets a notice of. `records` are to be remembered once the
    message is accepted, each for a recipient. `reason` says, for the log, why the message is deferred, `warnings` what is
    not done.
    """

    response: Response | None = None
    discard: bool = False
    quarantine: str | None = None
    remove: tuple[str, ...] = ()
    add: tuple[tuple[str, str], ...] = ()
    message: Message | None = None
    sends: tuple[RecipientDecision, ...] = ()
    notices: tuple[RecipientDecision, ...] = ()
    records: tuple[tuple[str, Record], ...] = ()
    reason: str = ""
    warnings: tuple[str, ...] = ()


def plan(decision: Decision, message: Message, answering: Answering = Answering()) -> Plan:  # noqa: B008  # immutable
    """What to answer for a decision about `message`."""
    if decision.response is not None:
        return Plan(decision.response)
    if not decision.recipients:  # all of none would be discarded
        return _deferred("the message has no recipients")
    refusing = [one for one in decision.recipients if one.response is not None]
    others = [one for one in decision.recipients if one.response is None]
    refusals = [one.response for one in refusing if one.response is not None]
    if refusals and not others:
        return Plan(next((refusal for refusal in refusals if refusal.code < 500), refusals[0]))
    quarantine = next(filter(None, (one.outcome.quarantine for one in others)), None)
    infected = any(verdict.status in FOUND for verdict in decision.verdicts)
    if answering.refuse_only:
        gone = [one.recipient for one in refusing if one.response is not None and one.response.code >= 500]
        return Plan(quarantine=quarantine, remove=tuple(dict.fromkeys(gone)) if infected else ())
    if any(refusal.code < 500 for refusal in refusals):
        return _deferred("one recipient defers the message")
    if refusals and not infected and not answering.bounce:
        return _deferred("some recipients refuse the message, others accept it")
    parts = [_Part.of(one, message, answering) for one in others]
    reason = next((part.reason for part in parts if part.reason), "")
    if reason:
        return _deferred(reason)
    finals = {final.raw: final for part in parts for final in part.finals}
    if len(finals) > 1:
        return _deferred("the message is changed differently for its recipients")
    final = next(iter(finals.values()), message)
    stay = {part.recipient.lower() for part in parts if part.kept}  # who would get the message twice
    add = tuple(dict.fromkeys(a for part in parts for a in part.add if a[0].lower() not in stay))
    remove = tuple(dict.fromkeys([one.recipient for one in refusing] + [p.recipient for p in parts if not p.kept]))
    return Plan(
        discard=not add and not stay,
        quarantine=quarantine,
        remove=remove,
        add=add,
        message=final if final.raw != message.raw else None,
        sends=tuple(part.sends for part in parts if part.sends is not None),
        notices=() if infected else tuple(refusing),
        records=tuple((part.recipient, record) for part in parts for record in part.records),
        warnings=tuple(warning for part in parts for warning in part.warnings),
    )


def _deferred(reason: str) -> Plan:
    return Plan(DEFERRED, reason=reason)


@dataclass
class _Part:
    """What one recipient's outcome asks for. `finals` are the messages that somebody gets."""

    recipient: str
    kept: bool = False
    add: list[tuple[str, str]] = field(default_factory=list)
    finals: list[Message] = field(default_factory=list)
    sends: RecipientDecision | None = None
    records: list[Record] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    reason: str = ""

    @classmethod
    def of(cls, one: RecipientDecision, message: Message, answering: Answering) -> _Part:
        part = cls(one.recipient)
        unsent = False
        for delivery in staged(message, one.outcome):
            effect = delivery.effect
            if isinstance(effect, Store) and effect.best_effort:
                if not answering.sends:
                    part.warnings.append(f"{one.recipient}: no copy is stored: {effect.summary()}")
            elif isinstance(effect, Store) and _is_named(effect, answering):
                part.store(effect, delivery.message)
            elif isinstance(effect, Send) and effect.message is not None:
                unsent = not answering.sends
                if unsent:
                    part.warnings.append(f"{one.recipient}: no message is sent to {effect.address}")
            elif isinstance(effect, Send) and effect.sender is None:
                part.add.append((effect.address, " ".join(f"{name}={value}" for name, value in effect.parameters)))
                part.finals.append(delivery.message)
            elif isinstance(effect, Record):
                part.records.append(effect)
            elif not isinstance(effect, Count):  # the log has counters
                name = delivery.action.name if delivery.action is not None else type(effect).__name__.lower()
                part.reason = f"{one.recipient}: {name} {effect.summary()} needs delivery, which a milter cannot do"
        if unsent:  # what is remembered may be that it was sent
            part.records.clear()
        elif answering.sends:
            part.sends = _sends(one)
        return part

    def store(self, effect: Store, message: Message) -> None:
        """Give the message to the recipient, or to the address of a mailbox."""
        address = self.recipient if _is_inbox(effect) else with_mailbox(self.recipient, mailbox_key(effect.mailbox))
        if address is None:
            self.reason = f"{self.recipient}: the mailbox {effect.summary()} cannot be in an address"
        elif address == self.recipient:
            self.kept = True
        else:
            self.add.append((address, ""))
        self.finals.append(message)


def _sends(one: RecipientDecision) -> RecipientDecision | None:
    """What a recipient's scripts send, and remember of it; None if they send nothing. The MTA does everything else."""
    actions = tuple(
        replace(action, effects=tuple(effect for effect in action.effects if not _is_the_mtas(effect)))
        for action in one.outcome.actions
        if _sends_own(action)
    )
    outcome = replace(one.outcome, actions=actions, keep=False, records=())
    return replace(one, outcome=outcome, script_fault=None) if actions else None


def _sends_own(action: Action) -> bool:
    return any(isinstance(effect, Send) and effect.message is not None for effect in action.effects)


def _is_the_mtas(effect: Effect) -> bool:
    """Whether the MTA does it: it sends on the message itself, and stores it."""
    return isinstance(effect, Send | Store) and effect.message is None


def _is_named(effect: Store, answering: Answering) -> bool:
    """Whether the name of a mailbox says where the message is stored, and the milter can have it stored there."""
    if effect.mailbox_id or effect.message is not None or effect.until or effect.expire:
        return False
    # RFC 8579, 4: the name counts where no mailbox has the attribute; a milter knows none that has
    return answering.plus or (_is_inbox(effect) and not effect.special_use)


def _is_inbox(effect: Store) -> bool:
    return mailbox_key(effect.mailbox) == "INBOX"


# ---- the edits of a header

END = 0x7FFFFFFF
"""The index of a field at the end. Sendmail 8.17, seen on the wire: among all fields it counts those that it hides too, its
own and those that were deleted, so that of all indices only those of the first fields and END mean the same as in Postfix."""

Field = tuple[bytes, bytes]
"""Name and value of a header field, as they are written: the value with what follows the colon, its lines end with LF."""


@dataclass(frozen=True)
class HeaderEdit:
    """Delete the `index`-th field of `name` (from 1), or with a value insert it as the `index`-th of all fields (from 1), or
    after all of them (END)."""

    index: int
    name: bytes
    value: bytes | None = None


def fields_in(header: bytes) -> list[Field]:
    """The fields of a header block. A line that is not part of a field is left out."""
    fields: list[Field] = []
    for line in header.replace(b"\r\n", b"\n").rstrip(b"\n").split(b"\n"):
        if line[:1] in (b" ", b"\t") and fields:
            name, value = fields[-1]
            fields[-1] = (name, value + b"\n" + line)
        else:
            name, colon, value = line.partition(b":")
            if colon:
                fields.append((name.rstrip(b" \t"), value))
    return fields


def header_edits(before: list[Field], after: list[Field]) -> Iterator[HeaderEdit]:
    """The edits that turn one header into another, in an order in which each index is right when its turn comes: deletions
    from the last to the first, then insertions from the first to the last.

    Fields before and after all that stay come to the right place in Sendmail too; those between may be further up there.
    """
    kept = _kept(before, after)
    for position in reversed(range(len(before))):
        if position not in kept:
            name = before[position][0]
            index = sum(other.lower() == name.lower() for other, _ in before[: position + 1])
            yield HeaderEdit(index, name)
    staying = set(kept.values())
    last = max(staying, default=len(after))
    for position, (name, value) in enumerate(after):
        if position not in staying:
            yield HeaderEdit(position + 1 if position < last else END, name, value)


def _kept(before: list[Field], after: list[Field]) -> dict[int, int]:
    """The fields that are in both, in the same order: position before -> after."""
    from difflib import SequenceMatcher  # only for a message that is edited

    blocks: Iterable[tuple[int, int, int]] = SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks()
    return {first + i: second + i for first, second, size in blocks for i in range(size)}
