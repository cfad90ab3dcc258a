"""world: the questions of the scripts of one transaction to the site's engines and stores; each is answered once.

However many recipients and scripts ask, a message is scanned once by each engine. What a scan sets in the context, and
whether a framework refuses the message for what an engine said, is decided here.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sieveav.running.outcome import Response
from sieveav.running.questions import A, Context, Mailbox, Question, Scan, Scanned
from sieveav.site.options import EngineSettings
from sieveav.verdict import FOUND, UNSCANNABLE, Status, Verdict

if TYPE_CHECKING:
    from sieveav.engines.contract import Content, Engine

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


class World:
    """The host of one transaction. `context` is that of the scripts that ask just now."""

    def __init__(self, raw: bytes, scanners: Sequence[Scanner], exists: Callable[[str], bool]) -> None:
        self._raw = raw
        self._scanners = scanners
        self._exists = exists
        self._scans: dict[tuple[str, bytes | None], Verdict] = {}
        self._on_parts: dict[str, float] = {}
        """Seconds that each engine has spent on parts: those of one message have the timeout of one together."""
        self.context = Context()
        self.refusal: Response | None = None
        """What a framework with action = "reject" answers to what was asked so far: for the whole message until the
        recipients' turn, then for the one whose scripts ask just now."""
        self.verdicts: list[Verdict] = []
        """Each engine's verdict on the message, in the order in which they were given."""

    def turn_to(self, context: Context) -> None:
        """From now on scripts with this context ask."""
        self.context = context
        self.refusal = None

    def answer(self, question: Question[A]) -> A:
        """The answer to `question`; TypeError for one that this world has never heard of, which is a bug."""
        found: Any
        if isinstance(question, Scan):
            found = self._scanned(question)
        elif isinstance(question, Mailbox):
            found = self._exists(question.name)
        else:
            raise TypeError(f"no answer to {question!r}")
        return found  # type: ignore[no-any-return]

    def scan_actively(self) -> Scanned:
        """What the engines that are not passive say: asked by the framework itself, before any script."""
        return self._asked([s for s in self._scanners if s.settings.active], None)

    @cached_property
    def _content(self) -> Content:
        from sieveav.engines.contract import Content  # not for a transaction that nobody scans

        return Content(self._raw)

    def _scanned(self, question: Scan) -> Scanned:
        if not question.engines:
            return self._asked(self._scanners, question.part)
        named = {name.lower(): name for name in question.engines}
        answer = self._asked([s for s in self._scanners if s.name.lower() in named], question.part)
        missing = [name for low, name in named.items() if all(low != s.name.lower() for s in self._scanners)]
        unknown = [Verdict(name, Status.ERROR, "no such engine") for name in missing]
        return Scanned((*answer.verdicts, *unknown), answer.variables)

    def _asked(self, wanted: Sequence[Scanner], part: bytes | None) -> Scanned:
        verdicts = []
        found: dict[str, str] = {}
        for scanner in wanted:
            verdict = self._verdict(scanner, part)
            verdicts.append(verdict)
            if part is None:
                found.update(variables(scanner, verdict))
        return Scanned(tuple(verdicts), found)

    def _verdict(self, scanner: Scanner, part: bytes | None) -> Verdict:
        skip = scanner.settings.skip_context_variable
        if skip and self.context.get(skip) is not None:
            return Verdict(scanner.name, Status.SKIPPED, f"{skip} is set")
        key = (scanner.name, part)
        verdict = self._scans.get(key)
        if verdict is None:
            from sieveav.engines.contract import Content, Deadline

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
