"""delivering: what is decided for one recipient, done: stored, sent on, remembered; to the reply for them.

    ============================  ==========================================================================
    outcome                       becomes
    ============================  ==========================================================================
    a response                    the reply
    keep, fileinto                stored; in INBOX if that mailbox can never be stored in
    keep, and the other server    550, for which the MTA sends the notice
    does not know the recipient
    redirect                      given to the submission server; stored in INBOX if that refuses it for good
    vacation and other own mail   given to the submission server, with the null sender as the action says
    discard                       250
    quarantine                    4xx: only a milter can have a message held; with `held_before`, when it is released,
                                  as if there were none
    a fault of the user's script  kept; and a note about it in INBOX, once a day
    a fault of the store or the   4xx, and the MTA brings the message again
    submission server
    ============================  ==========================================================================

There is no queue: 250 means that all of it is done. When the MTA brings a message again, because something failed or this
process was killed, what was done is not done twice. Mail that is sent is remembered at once, what is stored when something
else failed. A message is the same one if its octets and its envelope are; another one with the same text has another
Received field. A crash may let an effect happen again: a store, or in the moment between a send and its record the send.
Nothing is lost instead.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from sieveav.composing import field_line
from sieveav.frontends.failure import Failure
from sieveav.frontends.fault_note import fault_note
from sieveav.frontends.handing import Peer, hand_over
from sieveav.frontends.mailstores import Mailstore
from sieveav.language.problems import Severity
from sieveav.printing import printable
from sieveav.running.carrying import carry, staged
from sieveav.running.effects import Call, Count, Pipe, Record, Send, Store, mailbox_key
from sieveav.running.message import Message
from sieveav.running.outcome import Fault, Response
from sieveav.site import clock
from sieveav.site.site import Site
from sieveav.site.transaction import RecipientDecision

DONE_SECONDS = 10 * 24 * 60 * 60
"""How long it is remembered what was done for a message. MTAs try for 5 days, some for 7."""

FAULT_SECONDS = 24 * 60 * 60
"""How long it is remembered that a user has a note about their script."""

REDIRECTED = "X-Sieve-Redirected-From"
"""The field that a redirected message gets: one that comes back is not redirected again (RFC 5228, 10)."""

LATER = Response(451, "4.3.0", "This message cannot be delivered at this time, please try again later")
"""What a client reads after a temporary failure: nothing of its cause."""

NO_USER = Response(550, "5.1.1", "No such user here")  # RFC 3463, 3.2

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Delivered:
    """What was done for one recipient: the reply, None for 250, and what went wrong, for the log."""

    recipient: str
    response: Response | None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Deliverer:
    """How a front end delivers: the site, whose state remembers; the mail store; the submission server, if there is one;
    whether a message that scripts quarantine was held before, by a milter; and the header fields of which a message must have
    one to be known again when it comes again."""

    site: Site
    store: Mailstore
    submission: Peer | None = None
    held_before: bool = False
    identified_by: tuple[str, ...] = ("received",)

    def deliver(self, one: RecipientDecision, message: Message, sender: str, trace: bytes = b"") -> Delivered:
        """Carry out what is decided for a recipient. `trace` are header fields that are put before what is stored."""
        if one.response is not None:
            return Delivered(one.recipient, one.response)
        if one.outcome.quarantine is not None and not self.held_before:
            return Delivered(one.recipient, LATER, ("quarantine needs a milter: see the option quarantined",))
        carrier = _Carrier(self, one.recipient, message, sender, trace, len(staged(message, one.outcome)) > 1)
        notes = carry(message, one.outcome, carrier)
        warnings = (*carrier.warnings, *(note.text for note in notes))
        failed = any(note.severity is Severity.ERROR for note in notes)
        reply = NO_USER if carrier.no_user else LATER
        if failed:
            carrier.remember()
        elif one.script_fault is not None:
            self._tell(one.recipient, one.script_fault)
        return Delivered(one.recipient, reply if failed else None, warnings)

    def done_key(self, message: Message, sender: str, *what: object) -> str:
        """What is remembered once `what` is done for a message; "" if the message has no field by which it differs from
        another one with the same text."""
        if not any(name in message.fields for name in self.identified_by):
            return ""
        return f"done {(message.digest, sender, *what)!r}"

    def _tell(self, recipient: str, fault: Fault) -> None:
        """Store a note about the fault of a user's script. What goes wrong is only logged: their message is safe."""
        record = Record("script-fault", FAULT_SECONDS)
        if self.site.remember(recipient, record) is not True:
            return
        failure = self.store.store(recipient, "", Store(), fault_note(recipient, fault, clock.now()))
        if failure is not None:
            _log.warning("no note about a script is stored for %s: %s", printable(recipient), failure.text)
            self.site.forget(recipient, record)


@dataclass
class _Carrier:
    """Carries out the effects for one recipient. `several`: there is more than one, so that a failure may leave some done."""

    by: Deliverer
    recipient: str
    message: Message
    sender: str
    trace: bytes
    several: bool
    warnings: list[str] = field(default_factory=list)
    key: str = ""
    """The key of the effect in hand; "" if it is not to be remembered, or remembered already."""
    done: list[str] = field(default_factory=list)
    """The keys of what was done and is not remembered yet."""
    numbers: Counter[tuple[object, ...]] = field(default_factory=Counter)
    """How many effects of a kind there were: their order is the same when the message comes again."""
    no_user: bool = False
    """Whether the last store failed because the other server does not know the recipient."""
    stored: dict[str, bytes] = field(default_factory=dict)
    """Mailbox -> what was stored there last."""
    accepted: dict[bytes, bool] = field(default_factory=dict)
    """Message of a script -> whether the submission server has accepted it, for any address."""

    def store(self, effect: Store, message: bytes) -> str:
        if effect.message is not None and not self.accepted.get(effect.message, True):
            return ""  # RFC 8580, 3: a copy of what was sent
        # RFC 5228, 2.10.3: once in a mailbox, also if a script names it by its name and by its special use
        place = self.by.store.place(self.recipient, effect)
        if self.stored.get(place) == message:
            return ""
        self.stored[place] = message
        return self._once(effect, lambda: self._store(effect, message))

    def _store(self, effect: Store, message: bytes) -> str:
        trace = b"" if effect.message is not None else self.trace
        failure = self._put(effect, message, trace)
        if failure is None:
            return ""
        is_inbox = mailbox_key(effect.mailbox) == "INBOX"
        if is_inbox or self.no_user or effect.best_effort or failure.temporary:
            return failure.text
        # RFC 5228, 2.10.6: what cannot be done is no reason to lose the message
        self.warnings.append(f"{failure.text}; stored in INBOX")
        return self._keep(message, trace, effect.flags)

    def _keep(self, message: bytes, trace: bytes, flags: tuple[str, ...] = ()) -> str:
        failure = self._put(Store(flags=flags), message, trace)
        return "" if failure is None else failure.text

    def _put(self, effect: Store, message: bytes, trace: bytes) -> Failure | None:
        failure = self.by.store.store(self.recipient, self.sender, effect, message, trace)
        self.no_user = failure is not None and not failure.temporary and failure.status == NO_USER.enhanced
        return failure

    def send(self, effect: Send, message: bytes) -> str:
        return self._once(
            effect, lambda: self._redirect(effect, message) if effect.message is None else self._send(effect)
        )

    def _redirect(self, effect: Send, message: bytes) -> str:
        if self.recipient.lower() in (
            value.strip().lower() for value in self.message.fields.get(REDIRECTED.lower(), ())
        ):
            self.warnings.append(
                f"not redirected to {effect.address}: the message was redirected before; stored in INBOX"
            )
            return self._keep(message, self.trace)
        failure = self._hand_over(effect, field_line(REDIRECTED, self.recipient) + message)
        if failure is None or failure.temporary:
            return "" if failure is None else f"cannot redirect to {effect.address}: {failure.text}"
        self.warnings.append(f"cannot redirect to {effect.address}: {failure.text}; stored in INBOX")
        return self._keep(message, self.trace)

    def _send(self, effect: Send) -> str:
        message = effect.message or b""
        self.accepted.setdefault(message, False)
        if self.by.submission is None:
            self.warnings.append(f"no message is sent to {effect.address}: there is no submission server")
            return ""
        failure = self._hand_over(effect, message)
        if failure is None:
            self.accepted[message] = True
            return ""
        if failure.temporary:
            return f"cannot send to {effect.address}: {failure.text}"
        self.warnings.append(f"cannot send to {effect.address}: {failure.text}")
        return ""

    def _hand_over(self, effect: Send, message: bytes) -> Failure | None:
        if self.by.submission is None:
            return Failure(True, "there is no submission server: write submit")
        sender = self.sender if effect.sender is None else effect.sender
        return hand_over(self.by.submission, sender, effect.address, message, effect.parameters, self._is_done)

    def pipe(self, effect: Pipe, message: bytes) -> str:  # noqa: ARG002
        return f'program "{effect.program}" not found'

    def call(self, effect: Call, message: bytes) -> str:  # noqa: ARG002
        return f'service "{effect.service}" not found'

    def record(self, effect: Record) -> str:
        self.by.site.remember(self.recipient, effect)
        return ""

    def count(self, effect: Count) -> str:  # noqa: ARG002  # the log has the counters of all actions
        return ""

    def claim(self, effect: Record) -> bool:
        return self.by.site.remember(self.recipient, effect) is True

    def release(self, effect: Record) -> None:
        self.by.site.forget(self.recipient, effect)

    # ---- once

    def _once(self, effect: Store | Send, do: Callable[[], str]) -> str:
        """Carry out an effect, unless that was done when the MTA brought the message before."""
        self.key = self._key(effect)
        if self.key and self.by.site.seen(self.recipient, self.key):
            return ""
        error = do()
        if self.key and not error:
            self.done.append(self.key)
            if isinstance(effect, Send):
                self.remember()
        return error

    def _is_done(self) -> None:
        """The send in hand is done. It is remembered at once: a crash must not let it happen again."""
        if self.key:
            self.done.append(self.key)
            self.key = ""
            self.remember()

    def remember(self) -> None:
        """Remember what was done."""
        for key in self.done:
            self.by.site.remember(self.recipient, Record(key, DONE_SECONDS))
        self.done.clear()

    def _key(self, effect: Store | Send) -> str:
        """What an effect on this message is remembered by; "" if it is not: it is the only one, or the message cannot be
        known again."""
        if self.by.site.state is None or not (self.several or isinstance(effect, Send)):
            return ""
        if isinstance(effect, Store):
            what: tuple[object, ...] = ("store", mailbox_key(effect.mailbox), effect.message is None)
        else:
            what = ("send", effect.address, effect.message is None)
        self.numbers[what] += 1
        return self.by.done_key(self.message, self.sender, *what, self.numbers[what])
