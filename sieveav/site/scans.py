"""scans: scripts' questions to the site's engines: each engine scans a message once, however many scripts ask.

What a scan sets in the context, and whether a framework refuses the message because of what an engine reported, is decided
here.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from sieveav.running.message import Message
from sieveav.running.outcome import Response
from sieveav.running.questions import Answers, Context, Envelope, Host, Now, Question, Scan, Scanned
from sieveav.site import clock
from sieveav.site.transaction import Session
from sieveav.verdict import FOUND, UNSCANNABLE, Status, Verdict

if TYPE_CHECKING:
    from sieveav.scanning.contract import Content
    from sieveav.scanning.lazy import SiteEngine
    from sieveav.scanning.settings import EngineSettings

A = TypeVar("A")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Scanner:
    """An engine of the site with its settings. `name` is what scripts and people call it, `action` the pattern of its
    action's name, "" if it has no action."""

    name: str
    settings: EngineSettings
    engine: SiteEngine
    action: str = "{}_avscan"

    @property
    def variables(self) -> set[str]:
        """The context variables that belong to it: those that its scans set, and the one that skips them."""
        set_by_scans = {name for status in Status for name in self.engine.variables(Verdict(self.name, status))}
        return {*set_by_scans, self.settings.skip_context_variable}


REFUSALS = {
    **dict.fromkeys(FOUND, (550, "5.7.1", "This message was refused by the content policy of this site")),
    **dict.fromkeys(UNSCANNABLE, (550, "5.7.1", "This message was refused: its content could not be scanned")),
    Status.ERROR: (451, "4.7.1", "This message could not be scanned at this time, please try again later"),
}
"""What a framework with action = "reject" answers. Nothing of the engine's words, because they would help the sender."""


class Scans:
    """The scans of one transaction: however many recipients and scripts ask, each engine scans each content once. Safe to use
    from several threads."""

    def __init__(
        self,
        message: Message,
        scanners: Sequence[Scanner],
        envelope: Envelope | None = None,
        recipients: Sequence[str] = (),
        session: Session | None = None,
    ) -> None:
        self.scanners = scanners
        self.verdicts: list[Verdict] = []
        """Each engine's verdict on the message, in the order in which they were given."""
        self._message = message
        self._envelope = envelope or Envelope()
        self._recipients = tuple(recipients)
        self._session = session or Session()
        self._scans: dict[tuple[str, bytes | None], Verdict] = {}
        self._on_parts: dict[str, float] = {}
        """Seconds that each engine has spent on parts: those of one message have the timeout of one together."""
        self._locks = {scanner.name: threading.Lock() for scanner in scanners}

    @cached_property
    def _content(self) -> Content:
        from sieveav.scanning import contract  # not for a transaction that is not scanned

        session, message = self._session, self._message  # not self below: see Asker.answer
        envelope = contract.Envelope(
            self._envelope.sender, self._recipients, session.client, session.helo, session.login
        )
        return contract.Content(message.raw, structure=lambda: message.structure, envelope=envelope)

    def verdict(self, scanner: Scanner, part: bytes | None) -> Verdict:
        """The verdict of an engine on the message as received, or on the content of a part."""
        key = (scanner.name, part)
        verdict = self._scans.get(key)
        if verdict is not None:
            return verdict
        with self._locks[scanner.name]:
            if key not in self._scans:
                self._scans[key] = self._scan(scanner, part)
            return self._scans[key]

    def knows(self, scanner: Scanner, part: bytes | None) -> bool:
        """Whether an engine has scanned the message, or the content of a part, already."""
        return (scanner.name, part) in self._scans

    def _scan(self, scanner: Scanner, part: bytes | None) -> Verdict:
        from sieveav.scanning.contract import Content, Deadline

        content = self._content
        if part is not None:
            content = Content(part, is_message=False, envelope=content.envelope)
        spent = 0.0 if part is None else self._on_parts.get(scanner.name, 0.0)
        verdict = scanner.engine.scan(content, Deadline.after(scanner.settings.timeout - spent))
        if part is None:
            self.verdicts.append(verdict)
        else:
            self._on_parts[scanner.name] = spent + verdict.ms / 1000
        if verdict.status in (Status.ERROR, Status.INFECTED):
            _log.warning("%s: %s %s", scanner.name, verdict.status, verdict.info)
        return verdict


class Asker(Host):
    """The host of one recipient's scripts, or of those of a phase without a recipient: it asks the engines for them.

    `context` is that of the site's scripts, `answers` what else is known of the recipient, `transaction` what was answered for
    all recipients so far; an engine may have answered something else for `recipient` than for others.
    """

    def __init__(
        self,
        scans: Scans,
        context: Context,
        answers: Answers,
        transaction: dict[Question[Any], Any] | None = None,
        recipient: str = "",
    ) -> None:
        super().__init__({Now: lambda _: clock.now(), **answers}, transaction)
        self._scans = scans
        self._context = context
        self._recipient = recipient
        self.refusal: Response | None = None
        """What a framework with action = "reject" answers to what was asked so far: in the data phase for the whole
        message, later for the recipient whose scripts asked."""

    def answer(self, question: Question[A]) -> A:
        """The answer to `question`. Scans are not in the table: it would refer to this object, and the message and all that is
        known of it would stay in memory until the next garbage collection."""
        if isinstance(question, Scan):
            return self._scanned(question)  # type: ignore[return-value]  # A is Scanned here
        return super().answer(question)

    def remembers(self, question: Question[Any]) -> bool:
        """Whether the answer is known already: for a scan, whether every engine that it names has given its verdict."""
        if not isinstance(question, Scan):
            return super().remembers(question)
        named = {name.lower() for name in question.engines}
        scanners = [s for s in self._scans.scanners if not named or s.name.lower() in named]
        return all(self._scans.knows(scanner, question.part) for scanner in scanners)

    def scan_active_engines(self) -> None:
        """Scan with the engines that are not passive, before any script, and set their variables."""
        active = [scanner for scanner in self._scans.scanners if scanner.settings.active]
        if active:
            self._ask(active, None)

    def _scanned(self, question: Scan) -> Scanned:
        scanners = self._scans.scanners
        if not question.engines:
            return self._ask(scanners, question.part)
        named = {name.lower(): name for name in question.engines}
        answer = self._ask([s for s in scanners if s.name.lower() in named], question.part)
        missing = [name for low, name in named.items() if all(low != s.name.lower() for s in scanners)]
        unknown = [Verdict(name, Status.ERROR, "no such engine") for name in missing]
        return Scanned((*answer.verdicts, *unknown), answer.variables)

    def _ask(self, scanners: Sequence[Scanner], part: bytes | None) -> Scanned:
        """The verdicts of these engines. A scan of the message sets the variables, whoever has asked; the run that asked sets
        them in its own context."""
        verdicts = []
        values: dict[str, str] = {}
        for scanner in scanners:
            verdict = self._verdict(scanner, part)
            verdicts.append(verdict)
            if part is None:
                values.update(scanner.engine.variables(verdict))
        self._context.message.update(values)
        return Scanned(tuple(verdicts), values)

    def _verdict(self, scanner: Scanner, part: bytes | None) -> Verdict:
        skip = scanner.settings.skip_context_variable
        if skip and self._context.get(skip) is not None:
            return Verdict(scanner.name, Status.SKIPPED, f"{skip} is set")
        verdict = self._scans.verdict(scanner, part).for_recipient(self._recipient)
        if scanner.settings.action == "reject" and part is None:
            self._refuse(scanner, verdict)
        return verdict

    def _refuse(self, scanner: Scanner, verdict: Verdict) -> None:
        """A permanent refusal outranks a temporary one (RFC 5321, 4.2.1)."""
        if verdict.status not in REFUSALS:
            return
        code, enhanced, text = REFUSALS[verdict.status]
        if verdict.status is Status.ERROR:
            code = scanner.settings.error_code
            enhanced = f"{code // 100}.7.1"
        if self.refusal is None or self.refusal.code < code:
            self.refusal = Response(code, enhanced, text)
