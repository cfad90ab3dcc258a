"""world: the questions of the scripts of one transaction to the site's engines and to what knows its recipients.

However many recipients and scripts ask, a message is scanned once by each engine. What a scan sets in the context, and
whether a framework refuses the message for what an engine said, is decided here.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sieveav.running.message import Message
from sieveav.running.outcome import Response
from sieveav.running.questions import Answers, Context, Host, Now, Question, Scan, Scanned
from sieveav.site import clock
from sieveav.site.options import EngineSettings
from sieveav.verdict import FOUND, UNSCANNABLE, Status, Verdict

if TYPE_CHECKING:
    from sieveav.scanning.contract import Content, Engine

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Scanner:
    """An engine of the site with its settings. `name` is what scripts and people call it."""

    name: str
    settings: EngineSettings
    engine: Engine


WORDS = {
    **dict.fromkeys(FOUND, "virus"),
    **dict.fromkeys(UNSCANNABLE, "unscannable"),
    Status.ERROR: "error",
}
"""What the context variable of an engine says of a verdict; of the others nothing is set."""


def variables(scanner: Scanner, verdict: Verdict) -> dict[str, str]:
    """The context variables that `verdict` sets: none when the message is clean or was not scanned."""
    word = WORDS.get(verdict.status)
    if word is None:
        return {}
    name = scanner.settings.context_variable
    info = f"error: {verdict.info}" if word == "error" else verdict.info
    return {f"{scanner.name}_info": info, name: word, f"{name}_info": info, f"{name}_class": str(verdict.status)}


REFUSALS = {
    **dict.fromkeys(FOUND, (550, "5.7.1", "This message was refused by the content policy of this site")),
    **dict.fromkeys(UNSCANNABLE, (550, "5.7.1", "This message was refused: its content cannot be checked")),
    Status.ERROR: (451, "4.7.1", "This message cannot be checked now, please try again later"),
}
"""What a framework with action = "reject" answers: nothing of the engine's words, for they help whoever sent it."""


class Scans:
    """The scans of one transaction: however many recipients and scripts ask, each engine scans each content once."""

    def __init__(self, message: Message, scanners: Sequence[Scanner]) -> None:
        self.scanners = scanners
        self.verdicts: list[Verdict] = []
        """Each engine's verdict on the message, in the order in which they were given."""
        self._message = message
        self._scans: dict[tuple[str, bytes | None], Verdict] = {}
        self._on_parts: dict[str, float] = {}
        """Seconds that each engine has spent on parts: those of one message have the timeout of one together."""

    @cached_property
    def _content(self) -> Content:
        from sieveav.scanning.contract import Content  # not for a transaction that nobody scans

        return Content(self._message.raw)

    def verdict(self, scanner: Scanner, part: bytes | None) -> Verdict:
        """What an engine says of the message as received, or of a part."""
        key = (scanner.name, part)
        verdict = self._scans.get(key)
        if verdict is not None:
            return verdict
        from sieveav.scanning.contract import Content, Deadline

        content = self._content if part is None else Content(part, is_message=False)
        begun = time.monotonic()
        spent = 0.0 if part is None else self._on_parts.get(scanner.name, 0.0)
        verdict = scanner.engine.scan(content, Deadline.after(scanner.settings.timeout - spent))
        took = time.monotonic() - begun
        if not verdict.ms:
            verdict = replace(verdict, ms=took * 1000)
        self._scans[key] = verdict
        if part is None:
            self.verdicts.append(verdict)
        else:
            self._on_parts[scanner.name] = spent + took
        if verdict.status in (Status.ERROR, Status.INFECTED):
            _log.warning("%s: %s %s", scanner.name, verdict.status, verdict.info)
        return verdict


class Asker(Host):
    """The host of one recipient's scripts, or of those of the data phase: it asks the engines for them.

    `context` is that of these scripts, `answers` what else is known of the recipient, `transaction` what was answered for
    all recipients so far.
    """

    def __init__(
        self, scans: Scans, context: Context, answers: Answers, transaction: dict[Question[Any], Any] | None = None
    ) -> None:
        known: Answers = {Now: lambda _: clock.now(), **answers, Scan: self._scanned}
        super().__init__(known, transaction)
        self._scans = scans
        self._context = context
        self.refusal: Response | None = None
        """What a framework with action = "reject" answers to what was asked so far: in the data phase for the whole
        message, then for the recipient whose scripts asked."""

    def scan_active_engines(self) -> None:
        """Scan with the engines that are not passive, before any script, and set their variables."""
        active = [scanner for scanner in self._scans.scanners if scanner.settings.active]
        self._context.message.update(self._asked(active, None).variables)

    def _scanned(self, question: Scan) -> Scanned:
        scanners = self._scans.scanners
        if not question.engines:
            return self._asked(scanners, question.part)
        named = {name.lower(): name for name in question.engines}
        answer = self._asked([s for s in scanners if s.name.lower() in named], question.part)
        missing = [name for low, name in named.items() if all(low != s.name.lower() for s in scanners)]
        unknown = [Verdict(name, Status.ERROR, "no such engine") for name in missing]
        return Scanned((*answer.verdicts, *unknown), answer.variables)

    def _asked(self, wanted: Sequence[Scanner], part: bytes | None) -> Scanned:
        verdicts = []
        values: dict[str, str] = {}
        for scanner in wanted:
            verdict = self._verdict(scanner, part)
            verdicts.append(verdict)
            if part is None:
                values.update(variables(scanner, verdict))
        return Scanned(tuple(verdicts), values)

    def _verdict(self, scanner: Scanner, part: bytes | None) -> Verdict:
        skip = scanner.settings.skip_context_variable
        if skip and self._context.get(skip) is not None:
            return Verdict(scanner.name, Status.SKIPPED, f"{skip} is set")
        verdict = self._scans.verdict(scanner, part)
        if scanner.settings.action == "reject" and part is None:
            self._refuse(scanner, verdict)
        return verdict

    def _refuse(self, scanner: Scanner, verdict: Verdict) -> None:
        """RFC 5321, 4.2.1: a refusal for good outranks one for now."""
        if verdict.status not in REFUSALS:
            return
        code, enhanced, text = REFUSALS[verdict.status]
        if verdict.status is Status.ERROR:
            code = scanner.settings.error_code
            enhanced = f"{code // 100}.7.1"
        if self.refusal is None or self.refusal.code < code:
            self.refusal = Response(code, enhanced, text)
