"""vacation: answer the sender with a message, once in a period (RFC 5230; RFC 6131).

    vacation :days 23 :addresses ["tjs@example.edu", "ts4z@landru.example.edu"]
        "I'm away until October 19. If it's an emergency, call 911, I guess.";
    vacation :seconds 1800 :handle "meeting" :subject "In a meeting" "I will read this later.";

A sender gets the same answer once in a period of :days or, with "vacation-seconds", :seconds. An answer is identified by
its :handle, or else by :subject, :from, :mime and the text as written in the script, before variables are expanded. With
:mime the text is a MIME entity: header, empty line, content.

Mailing lists, bulk mail, other automatic mail and system addresses are not answered, nor is mail without one of the
recipient's addresses in To, Cc, Bcc or their Resent fields. The log says why an answer is withheld. vacation does not check
for viruses; test for them first. The implicit keep is not affected.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from sieveav.extending import (
    BOOLEAN,
    SECONDS,
    Acting,
    Action,
    Address,
    Addresses,
    AddressValues,
    Choice,
    Effect,
    Extension,
    Fields,
    HeaderValues,
    Message,
    Now,
    Option,
    Record,
    Run,
    Seen,
    Send,
    Severity,
    Strings,
    Use,
    address_flaw,
    choice,
    compose_message,
    derived,
    entity_flaw,
    envelope_address,
    intern_subject,
    keyword,
    mailbox_list_flaw,
    parse_addr_spec,
    parse_mailbox_list,
    tag,
    unfold,
    value,
)

vacation = Extension("vacation", "RFC 5230")
vacation_seconds = Extension("vacation-seconds", "RFC 6131", implies=["vacation"])
vacation.rule("addresses-invalid", "the string is not an email address")
vacation.rule("period-limit", "the period is outside the limits of the site")
vacation.rule("reason-invalid", "the text is not a MIME entity")

DAY = 86400

vacation.setting(Option("min_period", SECONDS, 1.0 * DAY, "the shortest period; shorter ones are raised to it"))
vacation.setting(
    Option("max_period", SECONDS, 60.0 * DAY, "the longest period; longer ones are lowered to it; 0: no limit")
)
vacation.setting(Option("default_period", SECONDS, 7.0 * DAY, "the period of scripts that give none"))
vacation.setting(
    Option("use_original_recipient", BOOLEAN, False, "whether the original recipient is also the user's own address")
)
vacation.setting(
    Option(
        "dont_check_recipient",
        BOOLEAN,
        False,
        "whether to answer mail that is not addressed to the user (violates RFC 5230)",
    )
)
vacation.setting(
    Option(
        "send_from_recipient", BOOLEAN, False, "whether the envelope sender of answers is the recipient instead of null"
    )
)

CONFLICTS = frozenset({"reject", "ereject"})
"""RFC 5230, 4.7: incompatible; RFC 5429, 2.4: a refused message must not be answered."""

# ---- the period, RFC 5230, 4.1; RFC 6131, 2


class Period(Choice):
    """A period as scripts write it."""

    least = 0
    """The shortest period in seconds if the site sets none."""

    @property
    def seconds(self) -> int:
        """Its length in seconds."""
        raise NotImplementedError


@vacation.choice("vacation_period", ":days")
class Days(Period):
    """:days: the period in days. RFC 5230, 4.1: never 0."""

    number: int
    least = DAY

    @property
    def seconds(self) -> int:
        return self.number * DAY


def seconds_flaw(number: int) -> str:
    """What is wrong with a number of seconds. RFC 6131, 2: up to 2^31."""
    return "" if number <= 1 << 31 else "period is longer than 2147483648 seconds"


@vacation_seconds.choice("vacation_period", ":seconds")
class Seconds(Period):
    """:seconds: the period in seconds. RFC 6131, 2: 0 answers every message, if the site allows it."""

    number: int = value(valid=seconds_flaw)

    @property
    def seconds(self) -> int:
        return self.number


def effective_period(period: Period | None, settings: Mapping[str, Any]) -> int:
    """The seconds for which an answer is not repeated, within the limits of the site; 0: it is always repeated."""
    least = int(settings["min_period"]) or (DAY if period is None else period.least)
    most = int(settings["max_period"])
    # RFC 5230, 4.1: the default is 7 days or the minimum, whichever is greater
    wanted = int(settings["default_period"]) if period is None else period.seconds
    return max(least, min(wanted, most) if most else wanted)


def _time(seconds: int) -> str:
    """A time in the syntax of settings."""
    for unit, length in (("d", DAY), ("h", 3600), ("m", 60)):
        if seconds and seconds % length == 0:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


# ---- mail that is not answered, RFC 5230, 4.5 and 4.6

_SYSTEM = re.compile(
    r"mailer-daemon|listserv|majordomo|listproc|no-?reply|do-?not-?reply|owner-.*|.*-(?:request|owner|bounces)",
    re.DOTALL,
)
"""RFC 5230, 4.6: local parts of automatic systems and mailing lists, not of postmasters, who are people."""

LIST_FIELDS = (
    "List-Id",
    "List-Help",
    "List-Subscribe",
    "List-Unsubscribe",
    "List-Post",
    "List-Owner",
    "List-Archive",
)
"""RFC 5230, 4.6."""


def _keywords(message: Message, name: str) -> set[str]:
    return {keyword(text) for text in message.fields.get(name, ())}


def automatic(message: Message) -> str:
    """The field that marks the message as automatic, "" if there is none."""
    for name in LIST_FIELDS:
        if name.lower() in message.fields:
            return name
    if _keywords(message, "auto-submitted") - {"no"}:  # RFC 3834, 2 and 5
        return "Auto-Submitted"
    if _keywords(message, "precedence") & {"bulk", "junk", "list"}:  # RFC 3834, 2
        return "Precedence"
    if "multipart/report" in _keywords(message, "content-type"):  # a notice such as a DSN, whatever its sender
        return "Content-Type"
    for text in message.fields.get("x-auto-response-suppress", ()):  # the Auto-Submitted of Exchange
        if not {word.strip() for word in unfold(text).lower().split(",")}.isdisjoint(("all", "oof", "autoreply")):
            return "X-Auto-Response-Suppress"
    return ""


def comparable(address: Address) -> str | None:
    """An address for comparison: in practice, case does not matter in local parts either. None if invalid."""
    if address.local is None or not address.domain:
        return None
    return f"{address.local}@{address.domain}".lower()


ADDRESSED = intern_subject(
    AddressValues(Fields(("to", "cc", "bcc", "resent-to", "resent-cc", "resent-bcc")), comparable)
)
"""RFC 5230, 4.5: the addresses to which the message is addressed."""

NO_MEMORY = "it is not known whether the sender was answered before"
"""RFC 5230, 8: answers MUST NOT be sent more often than the script says, so none is sent if that is not known."""

# ---- the answer, RFC 5230, 5

SUBJECT = intern_subject(HeaderValues(Fields(("subject",))))

SUBJECT_LENGTH = 256
"""The most characters of the original subject in the answer."""

OWN_SUBJECT_LENGTH = 900
"""The most characters of a subject from the script."""

REFERENCES = 100
"""The most message IDs in References: the first one and the last ones are kept."""

_MESSAGE_ID = re.compile(r"<[!-;=?-~]{1,250}>")  # RFC 5322, 3.6.4, and what senders use in practice


def _ids(message: Message, name: str) -> list[str]:
    return [message_id for text in message.fields.get(name, ()) for message_id in _MESSAGE_ID.findall(unfold(text))]


def threading(message: Message) -> tuple[str, list[str]]:
    """The Message-ID of the original ("" if it has none), and the IDs for References. RFC 5230, 5.8; RFC 5322, 3.6.4: those in
    its References, or else its In-Reply-To if that is a single ID, followed by its own."""
    own = _ids(message, "message-id")[:1]
    replied = _ids(message, "in-reply-to")
    references = _ids(message, "references") or (replied if len(replied) == 1 else [])
    references += own
    if len(references) > REFERENCES:
        references = [references[0], *references[1 - REFERENCES :]]
    return "".join(own), references


def _as_written(use: Use, field: str) -> str | None:
    """The string of an argument as written in the script, None if it is not given."""
    for argument in use.phrase.arguments:
        if argument.span == use.spans.get(field):
            return str(getattr(argument, "value", ""))
    return None


@vacation.action("vacation", phases=["each_rcpt"])  # RFC 6785, 3.11: not with IMAP events
class Vacation(Acting):
    """vacation: answer the sender, unless such mail is not answered or the sender has the answer. RFC 5230, 4."""

    period: Period | None = choice("vacation_period", None)
    subject: str = tag(":subject", "")
    author: str = tag(":from", "", valid=mailbox_list_flaw, hint='write :from "Ann <ann@example.com>"')
    addresses: Strings = tag(":addresses", ())
    mime: bool = tag(":mime")
    handle: str = tag(":handle", "")
    reason: str
    response: str = derived()
    flaw: str = derived("")

    def check(self, use: Use) -> None:
        self.response = self._identified(use)
        for address in use.strings("addresses"):
            if address_flaw(address.value):
                message = "not a valid email address; it is ignored"
                use.complain(address, message, rule="addresses-invalid", severity=Severity.WARNING)
        if self.mime:
            for reason in use.strings("reason"):
                flaw = entity_flaw(reason.value)
                if flaw:
                    hint = "begin with a Content-Type field and an empty line, or leave out :mime"
                    use.complain(reason, flaw, hint, rule="reason-invalid")
        if self.period is not None:
            effective = effective_period(self.period, self.settings)
            if effective != self.period.seconds:
                bound = "shortest" if effective > self.period.seconds else "longest"
                message = f"the {bound} period at this site is {_time(effective)}; it is used instead"
                use.complain("period", message, rule="period-limit", severity=Severity.WARNING)

    def _identified(self, use: Use) -> str:
        """The identity of this answer. RFC 5230, 4.2: the handle, or else subject, author, text and whether it is MIME,
        kept apart, before variables are expanded."""
        handle = _as_written(use, "handle")
        if handle is not None:
            return json.dumps(["handle", handle])
        return json.dumps([*(_as_written(use, field) for field in ("subject", "author", "reason")), self.mime])

    def prepare(self) -> None:
        self.flaw = entity_flaw(self.reason) if self.mime else ""

    def run(self, run: Run) -> None:
        if any(action.name == "vacation" for action in run.actions):
            run.fail("only one vacation is allowed in a script", self)  # RFC 5230, 4.7
        if self.flaw:
            run.fail(self.flaw, self)
        to = parse_addr_spec(run.envelope.sender) or ""
        own = self._own_addresses(run)
        period = effective_period(self.period, self.settings)
        key = self._key(to)
        withheld = self._inappropriate(run, to, own) or self._repeated(run, key, period)
        effects: tuple[Effect, ...] = ()
        details: dict[str, object] = {}
        if withheld:
            severity = Severity.WARNING if withheld == NO_MEMORY else Severity.ADVICE
            run.log(severity, f"vacation withheld: {withheld}", self)
        else:
            subject = self._subject(run.message)
            message = self._answer(run, to, own, subject, key)
            # RFC 5230, 5.1
            sender = (self.settings["send_from_recipient"] and parse_addr_spec(run.envelope.recipient)) or ""
            effects = (Send(to, message, sender, (("NOTIFY", "NEVER"),)), *([Record(key, period)] if period else []))
            details = self._details(subject, period)
        # RFC 5230, 4.7: the implicit keep is not affected
        action = Action("vacation", effects, False, conflicts=CONFLICTS, details=details, withheld=withheld)
        run.act(self.amended(action), self.written)

    def _key(self, to: str) -> str:
        """The key for the memory. RFC 5230, 4.2: the response and the address that it is sent to."""
        return f"vacation {sha256(json.dumps([self.response, to.lower()]).encode()).hexdigest()[:40]}"

    def _own_addresses(self, run: Run) -> dict[str, str]:
        """The recipient's addresses: in the form for comparison -> as written. RFC 5230, 4.5."""
        texts = [run.envelope.recipient, *run.ask(Addresses()), *self.addresses]
        if self.settings["use_original_recipient"]:
            texts.append(run.envelope.orig_to)
        specs = [spec for spec in map(parse_addr_spec, texts) if spec is not None]
        return {comparable(envelope_address(spec)) or "": spec for spec in reversed(specs)}

    def _inappropriate(self, run: Run, to: str, own: Mapping[str, str]) -> str:
        """Why the message must not be answered, "" if it may be."""
        if not run.envelope.sender:
            return "the sender is null"  # RFC 3834, 2; RFC 5321, 4.5.5
        if not to:
            return "the sender is not a valid email address"
        sender = envelope_address(to)
        if _SYSTEM.fullmatch((sender.local or "").lower().partition("+")[0]):
            return "the sender is a system or a mailing list"
        if comparable(sender) in {*own, comparable(envelope_address(run.envelope.orig_to))}:
            return "the sender is the recipient"
        field = automatic(run.message)
        if field:
            return f"the message is automatic or from a mailing list (header field {field})"
        if not self.settings["dont_check_recipient"] and own.keys().isdisjoint(run.message[ADDRESSED]):
            return "the message is not addressed to the recipient"
        if not own:
            return "the recipient has no valid email address"
        if any(action.name == "vacation" and not action.withheld for action in run.before.actions):
            return "an earlier script has answered the message"
        return ""

    def _repeated(self, run: Run, key: str, period: int) -> str:
        """Why the answer would be sent too often, "" if it would not. RFC 5230, 4.2 and 8."""
        seen = run.ask(Seen(key)) if period else False
        if seen is None:
            return NO_MEMORY
        return f"the sender got this answer within the last {_time(period)}" if seen else ""

    def _answer(self, run: Run, to: str, own: Mapping[str, str], subject: str | bytes, key: str) -> bytes:
        # RFC 5230, 5.4: the owner's address, preferably the one that the message is addressed to
        owner = next((own[address] for address in run.message[ADDRESSED] if address in own), [*own.values()][-1])
        authors = (parse_mailbox_list(self.author) if self.author else None) or [("", owner)]
        message_id, references = threading(run.message)
        return compose_message(
            [
                ("From", authors),
                ("Sender", [("", owner)] if len(authors) > 1 else []),  # RFC 5322, 3.6.2
                ("To", [("", to)]),  # RFC 5230, 5.5
                ("Subject", subject),
                *([("In-Reply-To", message_id.encode())] if message_id else []),
                *([("References", " ".join(references).encode())] if references else []),
                ("Auto-Submitted", b"auto-replied (vacation)"),  # RFC 5230, 5.6; RFC 3834, 5
            ],
            self.reason.encode("utf-8", "replace") if self.mime else self.reason,
            run.ask(Now()),  # RFC 5230, 5.2
            (key, run.envelope.recipient, message_id),
        )

    def _subject(self, message: Message) -> str | bytes:
        """The subject of the answer. RFC 5230, 4.3 and 5.3. The script's own has encoded-words only if it is not ASCII."""
        own = self.subject.strip()[:OWN_SUBJECT_LENGTH]
        if own:
            return own.encode() if own.isascii() else own
        values = message[SUBJECT]
        original = values[0][:SUBJECT_LENGTH] if values else ""
        return f"Auto: {original}" if original else "Automated reply"

    def _details(self, subject: str | bytes, period: int) -> dict[str, object]:
        """The arguments in effect, for the output."""
        details: dict[str, object] = {
            "seconds": period,
            "subject": subject if isinstance(subject, str) else subject.decode(),
        }
        if self.author:
            details["from"] = self.author
        if ":handle" in self.written:
            details["handle"] = self.handle
        if self.mime:
            details["mime"] = True
        return {**details, "reason": self.reason}
