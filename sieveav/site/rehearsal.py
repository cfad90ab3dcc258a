"""rehearsal: a site and a test file to the results of its tests, with engines and mailboxes that exist in memory only.

A `Rehearsal` is the host of the test file and of all scripts that it runs: engines report what the test says; mailboxes, the
outbox, and what scripts remember are in memory; results are collected. Nothing is delivered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sieveav.composing import field_line
from sieveav.language.checking import Checked, check
from sieveav.language.problems import Place
from sieveav.language.vocabulary import Vocabulary
from sieveav.options import TEXT, Option, Written
from sieveav.running.base import base
from sieveav.running.carrying import carry
from sieveav.running.effects import Call, Count, Pipe, Record, Send, Store, mailbox_key
from sieveav.running.message import Message
from sieveav.running.outcome import Fault, Note, Outcome
from sieveav.running.questions import (
    Addresses,
    Arrange,
    CarryOut,
    Context,
    Decided,
    Delivered,
    Envelope,
    Environment,
    Mailbox,
    Metadata,
    Now,
    Script,
    Seen,
    Tested,
    Wanted,
)
from sieveav.running.run import Case, Run
from sieveav.site import clock, lists
from sieveav.site.deciding import decide
from sieveav.site.lists import MemberList
from sieveav.site.scans import Asker, Scanner, Scans
from sieveav.site.scripts import contents, dialect_of
from sieveav.site.site import Site
from sieveav.site.stanzas.extension import EXTENSIONS
from sieveav.site.stanzas.limits import LIMITS
from sieveav.site.stanzas.limits import OPTIONS as LIMIT_OPTIONS
from sieveav.site.transaction import Session, Transaction
from sieveav.site.users import named_script
from sieveav.verdict import Status, Verdict

if TYPE_CHECKING:
    from sieveav.scanning.contract import Content, Deadline
    from sieveav.scanning.lazy import SiteEngine
    from sieveav.scanning.settings import EngineSettings
    from sieveav.scanning.wrapping import Statistics

DEFAULT_MESSAGE = b"From: sender@example.com\r\nTo: recipient@example.org\r\nSubject: Frop!\r\n\r\nFriep!\r\n"
"""The message before a test sets one."""

SPECIAL_USE = "/private/specialuse"
"""The annotation of a mailbox that has its special-use attributes (RFC 6154, 4)."""

LOCATIONS = {"personal": "included", "global": "included-global"}
"""The folders of included scripts, beside the test file."""


@dataclass(frozen=True)
class Result:
    """One test: its name, where it begins, and why it failed; None if it passed."""

    name: str
    place: Place | None
    failure: Fault | None


class _Arranged:
    """An engine that reports what the test says; until then, what the site's own engine reports."""

    def __init__(self, name: str, settings: EngineSettings, real: SiteEngine | None) -> None:
        self.name = name
        self.verdict: Verdict | None = None
        self._settings = settings
        self._real = real

    @property
    def statistics(self) -> Statistics:
        raise NotImplementedError

    @property
    def servers(self) -> Mapping[str, bool]:
        return {}

    def scan(self, content: Content, deadline: Deadline) -> Verdict:
        if self.verdict is not None:
            return self.verdict
        if self._real is None:
            return Verdict(self.name, Status.ERROR, "the test does not say what this engine reports")
        return self._real.scan(content, deadline)

    def version(self, deadline: Deadline) -> str:
        return "" if self._real is None else self._real.version(deadline)

    def variables(self, verdict: Verdict) -> Mapping[str, str]:
        if self._real is not None:
            return self._real.variables(verdict)
        from sieveav.scanning.contract import status_variables

        return status_variables(self.name, self._settings, verdict)

    def doubts(self, deadline: Deadline) -> Iterable[str]:  # noqa: ARG002  # has the signature of all engines
        return ()

    def flush(self) -> int:
        return 0


@dataclass
class Delivery:
    """The mailboxes, the outbox and the remembered keys of one test file: a `Carrier` of actions."""

    now: Callable[[], datetime]
    settings: dict[str, str]
    envelope: Envelope = field(default_factory=Envelope)
    mailboxes: dict[str, list[bytes]] = field(default_factory=lambda: {"INBOX": []})
    sent: list[tuple[bytes, Envelope]] = field(default_factory=list)
    remembered: dict[str, datetime] = field(default_factory=dict)
    metadata: dict[tuple[str, str], str] = field(default_factory=dict)

    def store(self, effect: Store, message: bytes) -> str:
        name = mailbox_key(effect.mailbox)
        if effect.special_use:  # RFC 8579, 4 and 4.1
            name = next((other for other in self.mailboxes if self.has_use(other, effect.special_use)), name)
        if name not in self.mailboxes:
            if not effect.create:
                return f'mailbox "{name}" does not exist'
            if effect.special_use:
                self.metadata[_annotation(name, SPECIAL_USE)] = effect.special_use
        self.mailboxes.setdefault(name, []).append(message)
        return ""

    def has_use(self, mailbox: str, special_use: str) -> bool:
        """Whether a mailbox has an attribute. RFC 6154, 4: those of its annotation, in any case of letters."""
        attributes = self.metadata.get(_annotation(mailbox, SPECIAL_USE), "")
        return special_use.lower() in attributes.lower().split()

    def exists(self, asked: Mailbox) -> bool:
        """The answer to the question. There are no mailbox ids."""
        names = [mailbox_key(asked.name)] if asked.name or not asked.special_use else [*self.mailboxes]
        if asked.special_use:  # RFC 8579, 3
            names = [name for name in names if self.has_use(name, asked.special_use)]
        return not asked.mailbox_id and not self.mailboxes.keys().isdisjoint(names)

    def send(self, effect: Send, message: bytes) -> str:
        sender = effect.sender
        if effect.message is None:
            message = field_line("X-Sieve-Redirected-From", self._owner()) + message
            if sender is None:
                sender = self._redirect_sender()
        self.sent.append((message, Envelope(self.envelope.sender if sender is None else sender, effect.address)))
        return ""

    def _owner(self) -> str:
        return self.settings.get("user_email") or self.envelope.recipient

    def _redirect_sender(self) -> str:
        """The envelope sender of redirected mail. A null sender stays null (RFC 5321, 6.1)."""
        wanted = self.settings.get("redirect_envelope_from", "sender").strip()
        if not self.envelope.sender or wanted == "sender":
            return self.envelope.sender
        known = {
            "recipient": self.envelope.recipient,
            "orig_recipient": self.envelope.orig_to or self.envelope.recipient,
            "user_email": self._owner(),
            "postmaster": "postmaster@example.com",
        }
        return known.get(wanted, wanted.removeprefix("<").removesuffix(">"))

    def pipe(self, effect: Pipe, message: bytes) -> str:  # noqa: ARG002
        return f'program "{effect.program}" not found'

    def call(self, effect: Call, message: bytes) -> str:  # noqa: ARG002
        return f'service "{effect.service}" not found'

    def record(self, effect: Record) -> str:
        if effect.sliding or not self.seen(effect.key):
            self.remembered[effect.key] = self.now() + timedelta(seconds=effect.seconds)
        return ""

    def count(self, effect: Count) -> str:  # noqa: ARG002
        return ""

    def claim(self, effect: Record) -> bool:
        is_new = not self.seen(effect.key)
        self.record(effect)
        return is_new

    def release(self, effect: Record) -> None:
        self.remembered.pop(effect.key, None)

    def seen(self, key: str) -> bool:
        """Whether `key` is remembered."""
        return key in self.remembered and self.remembered[key] > self.now()


_LIMITS: Mapping[str, Option] = {option.name: option for option in LIMIT_OPTIONS}

_DELIVERY: Mapping[str, Option] = {
    option.name: option
    for option in (
        Option("redirect_envelope_from", TEXT, "sender", "the envelope sender of redirected mail"),
        Option("user_email", TEXT, "", "the address of the owner of the scripts"),
    )
}
"""Settings of delivery."""


class Rehearsal(Asker):
    """The host of one test file. `wanted(name)` says whether the test of that name is to be run."""

    def __init__(self, site: Site, path: Path, wanted: Callable[[str], bool] = lambda _: True) -> None:
        self.results: list[Result] = []
        self._folder = path.parent
        self._site = site
        self._settings: dict[str, dict[str, Any]] = {
            name: dict(given) for name, given in site.settings[EXTENSIONS].items()
        }
        self._delivery_settings: dict[str, str] = {}
        self._pending: dict[tuple[str, str], str | dict[str, str]] = {}
        self._now = clock.now()
        self._lists: dict[str, MemberList] = {}
        self._delivery = Delivery(lambda: self._now, self._delivery_settings)
        self._engines = {
            s.name: Scanner(s.name, s.settings, _Arranged(s.name, s.settings, s.engine)) for s in site.scanners
        }
        self.case = Case(
            Message(DEFAULT_MESSAGE),
            Envelope("sender@example.com", "recipient@example.org", "recipient@example.org"),
            self,
            Context(),
            site.settings[LIMITS],
        )
        answers: Mapping[type, Callable[[Any], Any]] = {
            Addresses: lambda _: tuple(filter(None, [self._delivery_settings.get("user_email")])),
            Arrange: self._arrange,
            CarryOut: self._carry_out,
            Decided: self._decide,
            Environment: lambda asked: Session().environment(delivering=True).get(asked.item),
            Delivered: self._delivered,
            Mailbox: self._delivery.exists,
            Metadata: lambda asked: self._delivery.metadata.get(_annotation(asked.mailbox, asked.annotation)),
            Now: lambda _: self._now,
            Script: self._script,
            Seen: lambda asked: self._delivery.seen(asked.key),
            Tested: lambda tested: self.results.append(Result(tested.name, tested.place, tested.failure)),
            Wanted: lambda asked: wanted(asked.name),
            **lists.answers(lambda name: self._lists.get(name) or site.lists.find(name)),
        }
        self._about_recipients = answers
        super().__init__(self._new_scans(), self.case.context, answers)

    def _new_scans(self) -> Scans:
        return Scans(self.case.message, list(self._engines.values()))

    def check(self, script: bytes, path: str) -> Checked:
        """Check a script, the test file or one that it runs."""
        return check(script, path, self._vocabulary(path))

    def _vocabulary(self, path: str) -> Vocabulary:
        from sieveav.scanning.contract import ENGINES  # many tests use no engine

        installed = {name: engine.action for name, engine in ENGINES.everything().items()}
        engines = {**installed, **{name: scanner.action for name, scanner in self._engines.items()}}
        return Vocabulary(
            [base],
            self._site.library,
            names={"engines": engines},
            settings=self._settings,
            dialect=dialect_of(path),
        )

    def run(self, checked: Checked) -> Outcome:
        """Run the test file; its results are in `results`."""
        assert checked.program is not None  # the caller has checked  # noqa: S101
        return Run(checked.program, self.case).whole()

    # ---- answers

    def _script(self, asked: Script) -> Checked | None:
        if asked.location == "file":
            path = self._folder / asked.name
        else:
            named = named_script(self._folder / LOCATIONS[asked.location], asked.name)
            if named is None:
                return None
            path = named
        try:
            return self.check(contents(path), str(path))
        except (OSError, ValueError):  # it does not exist, or its name cannot be a file's
            return None

    def _carry_out(self, asked: CarryOut) -> tuple[Note, ...]:
        self._delivery.envelope = asked.envelope
        notes = carry(asked.message, asked.outcome, self._delivery)
        self.forget()
        return notes

    def _delivered(self, asked: Delivered) -> tuple[bytes, Envelope | None] | None:
        if asked.mailbox is None:
            return self._delivery.sent[asked.number] if asked.number < len(self._delivery.sent) else None
        messages = self._delivery.mailboxes.get(mailbox_key(asked.mailbox), [])
        return (messages[asked.number], None) if asked.number < len(messages) else None

    def _decide(self, asked: Decided) -> Outcome | str:
        checked = None
        if asked.script:
            checked = self._script(Script(asked.script, "file"))
            if checked is None:
                return f'script "{asked.script}" not found'
            if checked.program is None:
                error = checked.first_error
                return f"{Place(checked.source, error.span.start)}: {error.message}"
        about = {kind: answer for kind, answer in self._about_recipients.items() if kind is not Wanted}
        site = self._site.with_scanners(tuple(self._engines.values()))
        recipient = asked.envelope.recipient
        session = Session(login=asked.envelope.auth, connection=dict(asked.context.connection))
        sender, variables = asked.envelope.sender, dict(asked.context.message)
        transaction = Transaction(asked.message, sender, (recipient,), session, variables)
        decision = decide(site, transaction, script=checked, answers=lambda _: about)
        outcome = decision.recipients[0].outcome
        if decision.response is not None:
            outcome = outcome.refused(decision.response)
        return outcome if outcome.fault is not None else replace(outcome, fault=decision.fault)

    # ---- what a test arranges

    def _arrange(self, asked: Arrange) -> str:
        wrong = _ARRANGED[asked.what](self, *asked.values)
        self.forget()
        return wrong

    def _arrange_outbox(self) -> str:
        self._delivery.sent.clear()
        self._delivery.remembered.clear()
        return ""

    def _arrange_mailbox(self, name: str) -> str:
        self._delivery.mailboxes.setdefault(mailbox_key(name), [])
        return ""

    def _arrange_metadata(self, mailbox: str, annotation: str, value: str) -> str:
        self._delivery.metadata[_annotation(mailbox or None, annotation)] = value
        return ""

    def _arrange_list(self, name: str, *members: str) -> str:
        self._lists[name] = MemberList(members)
        return ""

    def _arrange_wait(self, seconds: str) -> str:
        try:
            self._now += timedelta(seconds=int(seconds))
        except OverflowError:
            return "the date is out of range"
        return ""

    def _arrange_verdict(self, name: str, status: str, info: str) -> str:
        scanner = self._engines.get(name)
        if scanner is None:
            from sieveav.scanning.settings import EngineSettings

            settings = EngineSettings.defaults(name, active=False)
            scanner = self._engines[name] = Scanner(name, settings, _Arranged(name, settings, None))
        assert isinstance(scanner.engine, _Arranged)  # all are  # noqa: S101
        scanner.engine.verdict = Verdict(name, Status(status), info)
        self._scans = self._new_scans()
        return ""

    def _arrange_setting(self, of: str, name: str, item: str, value: str | None = None) -> str:
        """Change a setting, or unset it if there is no value; both take effect with `reload`."""
        option = self._option(of, name)
        if option is None:
            return f"{of} has no setting {name}"
        if item:
            items = self._pending.setdefault((of, name), {})
            assert isinstance(items, dict)  # a list has items only  # noqa: S101
            items.pop(item, None)
            if value is not None:
                items[item] = value
            return ""
        if value is None:
            self._pending.pop((of, name), None)
            return ""
        try:
            option.value(value)
        except ValueError as error:
            return f"{name}: {error}"
        self._pending[(of, name)] = value
        return ""

    def _option(self, of: str, name: str) -> Option | None:
        if of == "limits":
            return _LIMITS.get(name)
        if of == "delivery":
            return _DELIVERY[name]
        extension = self._site.library.find(of)
        return None if extension is None else extension.settings.get(name)

    def _arrange_reload(self, only: str = "") -> str:
        given = {name: dict(values) for name, values in self._site.settings[EXTENSIONS].items()}
        limits: dict[str, Any] = {}
        delivery: dict[str, str] = {}
        for (of, name), written in self._pending.items():
            option = self._option(of, name)
            assert option is not None  # it existed when the value was set  # noqa: S101
            text: Written = (
                written if isinstance(written, str) else tuple(f"{item}={value}" for item, value in written.items())
            )
            values = limits if of == "limits" else delivery if of == "delivery" else given.setdefault(of, {})
            values[name] = option.value(text)
        for name in [only] if only else {*given, *self._settings}:
            self._settings[name] = given.get(name, {})
        if not only:
            self.case.limits = replace(self._site.settings[LIMITS], **limits)
            self._delivery_settings.clear()
            self._delivery_settings.update(delivery)
        return ""


def _annotation(mailbox: str | None, annotation: str) -> tuple[str, str]:
    """Names of annotations are case-insensitive (RFC 5464, 3)."""
    return ("" if mailbox is None else mailbox_key(mailbox), annotation.lower())


_ARRANGED: Mapping[str, Callable[..., str]] = {
    "outbox": Rehearsal._arrange_outbox,
    "mailbox": Rehearsal._arrange_mailbox,
    "metadata": Rehearsal._arrange_metadata,
    "list": Rehearsal._arrange_list,
    "wait": Rehearsal._arrange_wait,
    "verdict": Rehearsal._arrange_verdict,
    "setting": Rehearsal._arrange_setting,
    "reload": Rehearsal._arrange_reload,
}
