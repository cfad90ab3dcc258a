"""milter_sending: what a plan sends beside its reply, given to the submission server before the message is accepted.

First what scripts send for the recipients, as the LMTP server does it (see `delivering`), then the notice to the sender about
those who refuse: the sender must not read that some have refused a message that is not accepted after all. If the server
cannot take something now, the message is deferred, and the client brings it again. What was sent for it by then is remembered,
and not sent twice, if the message has a Received or Message-ID field, by which it differs from another one with the same text.
What the server refuses for good is only logged.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from sieveav.frontends.delivering import DONE_SECONDS, Deliverer
from sieveav.frontends.dsn import Refused, notice
from sieveav.frontends.failure import Failure
from sieveav.frontends.handing import Peer, hand_over
from sieveav.frontends.milter_plan import Plan
from sieveav.running.effects import Record, Refuse, Store, mailbox_key
from sieveav.running.message import Message
from sieveav.running.questions import Mailbox
from sieveav.site import clock
from sieveav.site.deciding import DEFERRED
from sieveav.site.site import Site
from sieveav.site.transaction import RecipientDecision


@dataclass(frozen=True)
class Envelope:
    """The sender of a message, the name of the mail server that asks, and the SMTP parameters of its recipients; those of
    MAIL are those of the recipient ""."""

    sender: str
    host: str = ""
    parameters: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict)


class _NoStore:
    """A milter stores nothing."""

    is_final = False

    def knows(self, recipient: str) -> bool:  # noqa: ARG002
        return True

    def has(self, recipient: str, asked: Mailbox) -> bool:  # noqa: ARG002
        return False

    def place(self, recipient: str, effect: Store) -> str:  # noqa: ARG002
        return mailbox_key(effect.mailbox)

    def store(
        self,
        recipient: str,  # noqa: ARG002
        sender: str,  # noqa: ARG002
        effect: Store,
        message: bytes,  # noqa: ARG002
        trace: bytes = b"",  # noqa: ARG002
    ) -> Failure | None:
        return Failure(False, f"no copy is stored: {effect.summary()}")


class Sending:
    """Sends what plans of a site's milter send."""

    def __init__(self, site: Site, submission: Peer) -> None:
        self._site = site
        self._submission = submission
        self._deliverer = Deliverer(
            site, _NoStore(), submission, held_before=True, identified_by=("received", "message-id")
        )

    def send(self, answer: Plan, message: Message, envelope: Envelope, is_over: Callable[[], bool]) -> Plan:
        """Send it all: the plan with what is to be logged, or if something cannot be sent now one that defers the message.
        Nothing more is sent once `is_over`: the message has been deferred meanwhile."""
        warnings = list(answer.warnings)
        for one in answer.sends:
            if is_over():
                return answer
            done = self._deliverer.deliver(one, message, envelope.sender)
            texts = [f"{one.recipient}: {text}" for text in done.warnings]
            if done.response is not None:
                *texts, reason = texts
                return Plan(DEFERRED, reason=reason, warnings=(*warnings, *texts))
            warnings += texts
        if answer.notices and not is_over():
            failure = self._notify(answer.notices, message, envelope)
            if failure is not None:
                text = f"cannot send a notice of the refusals to {envelope.sender}: {failure.text}"
                if failure.temporary:
                    return Plan(DEFERRED, reason=text, warnings=tuple(warnings))
                warnings.append(text)  # RFC 5429, 2.1: what is not sent should be logged
        return replace(answer, warnings=tuple(warnings))

    def _notify(self, refusing: tuple[RecipientDecision, ...], message: Message, envelope: Envelope) -> Failure | None:
        """One notice about all refusals of which the sender has none yet."""
        sender = envelope.sender
        if not sender:  # RFC 5429, 2.1.2; RFC 3464, 2
            return Failure(False, "a message with the null sender gets none")
        if not sender.isprintable():  # nor can it be encoded
            return Failure(False, "not an address that mail can be sent to")
        record = Record(self._deliverer.done_key(message, sender, "notice"), DONE_SECONDS)
        unknown = [one for one in refusing if not (record.key and self._site.seen(one.recipient, record.key))]
        refused = [each for each in (_refused(one, envelope) for one in unknown) if each.wants_notice]
        if not refused:
            return None
        octets = notice(
            refused,
            sender,
            message.header,
            host=envelope.host or socket.gethostname(),
            date=clock.now(),
            parameters=envelope.parameters.get("", ()),
        )
        # RFC 3464, 2: the null sender. RFC 3461, 5.2.1: nor is there a notice about it.
        failure = hand_over(self._submission, "", sender, octets, (("NOTIFY", "NEVER"),))
        if failure is None and record.key:
            for each in refused:
                self._site.remember(each.recipient, record)
        return failure


def _refused(one: RecipientDecision, envelope: Envelope) -> Refused:
    """A recipient's refusal. RFC 5429, 2.1.2: with the reason of the script, not what an SMTP reply has of it."""
    response = one.response or DEFERRED
    reason = response.text
    if one.outcome.response is None:
        effects = (effect for action in one.outcome.actions for effect in action.effects)
        reason = next((effect.reason for effect in effects if isinstance(effect, Refuse)), reason)
    return Refused(one.recipient, response, reason, envelope.parameters.get(one.recipient, ()))
