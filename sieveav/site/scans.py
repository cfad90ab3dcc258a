"""scans: scripts' questions to the site's engines: each engine scans a message once, however many scripts ask.

What a scan sets in the context, and whether a framework refuses the message because of what an engine reported, is decided
here.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from sieveav.running.effects import Rewrite
from sieveav.running.message import Message
from sieveav.running.outcome import UNDECIDED, Action, Outcome, Response
from sieveav.running.questions import Answers, Context, Envelope, Host, Now, Question, Scan, Scanned
from sieveav.site import clock
from sieveav.site.curing import without_infected
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
    action's name, "" if it has no action; `turn` the name of the framework whose engines are asked one after the other up to
    the first that finds a virus, "" if they scan at the same time."""

    name: str
    settings: EngineSettings
    engine: SiteEngine
    action: str = "{}_avscan"
    turn: str = ""

    @property
    def variables(self) -> set[str]:
        """The context variables that belong to it: those that its scans set, and the one that skips them."""
        set_by_scans = {name for status in Status for name in self.engine.variables(Verdict(self.name, status))}
        return {*set_by_scans, self.settings.skip_context_variable}


REFUSED = {
    **dict.fromkeys(FOUND, "This message was refused by the content policy of this site"),
    **dict.fromkeys(UNSCANNABLE, "This message was refused: its content could not be scanned"),
    Status.ERROR: "This message was refused: it could not be scanned",
}
DEFERRED = {
    **dict.fromkeys(FOUND, "This message is not accepted at this time by the content policy of this site"),
    **dict.fromkeys(
        UNSCANNABLE, "The content of this message could not be scanned at this time, please try again later"
    ),
    Status.ERROR: "This message could not be scanned at this time, please try again later",
}
"""What a framework answers. Nothing of the engine's words, because they would help the sender."""


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
        self._message = message
        self._envelope = envelope or Envelope()
        self._recipients = tuple(recipients)
        self._session = session or Session()
        self._scans: dict[_Key, Verdict] = {}
        self._on_parts: dict[str, float] = {}
        """Seconds that each engine has spent on parts: those of one message have the timeout of one together."""
        self._locks = {scanner.name: threading.Lock() for scanner in scanners}

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Each engine's verdict on the message so far, in the order of the engines."""
        return tuple(verdict for _, verdict in self.of_message())

    def of_message(self) -> list[tuple[Scanner, Verdict]]:
        """Each engine with its verdict on the message so far, in the order of the engines."""
        given = {id(verdict): (key[0], verdict) for key, verdict in list(self._scans.items()) if key[1] is None}
        return [(each, verdict) for each in self.scanners for name, verdict in given.values() if name == each.name]

    @cached_property
    def _content(self) -> Content:
        from sieveav.scanning import contract  # not for a transaction that is not scanned

        session, message = self._session, self._message  # not self below: see Asker.answer
        envelope = contract.Envelope(
            self._envelope.sender, self._recipients, session.client, session.helo, session.login
        )
        return contract.Content(message.raw, structure=lambda: message.structure, envelope=envelope)

    def verdict(self, scanner: Scanner, part: bytes | None, edited: Message | None = None) -> Verdict:
        """The verdict of an engine on the message, or on the content of a part. The message is as it was received, or as
        earlier scripts have edited it, if the engine is to scan that."""
        key = _key(scanner, part, edited)
        verdict = self._scans.get(key)
        if verdict is not None:
            return verdict
        with self._locks[scanner.name]:
            if key not in self._scans:
                self._scans[key] = self._scan(scanner, part, None if scanner.settings.use_wire_rep else edited)
            return self._scans[key]

    def knows(self, scanner: Scanner, part: bytes | None, edited: Message | None = None) -> bool:
        """Whether an engine has scanned the message, or the content of a part, already."""
        return _key(scanner, part, edited) in self._scans

    def cure(self) -> Message | None:
        """The message without the infected parts that engines are to replace; None if there are none. Verdicts are those on the
        new message from then on; one that is clean now is "replaced"."""
        found = [
            scanner
            for scanner, verdict in self.of_message()
            if verdict.status is Status.INFECTED and scanner.settings.infected == "replace"
        ]
        if not found:
            return None

        def is_infected(octets: bytes) -> bool:
            return any(self.verdict(scanner, octets).status is Status.INFECTED for scanner in found)

        cured = without_infected(self._message, is_infected, found[0].settings.replace_text)
        if cured is None:
            return None
        from sieveav.scanning.wrapping import Counts  # not for a transaction without a find

        again = {scanner.name: self._scan(scanner, None, cured) for scanner, _ in self.of_message()}
        if any(again[scanner.name].status is not Status.CLEAN for scanner in found):
            return None
        for scanner in found:
            again[scanner.name] = replace(again[scanner.name], cured="replaced")
            scanner.engine.statistics.add(Counts(cured=1))
        for scanner, _ in self.of_message():
            for edited in (None, cured):
                self._scans[_key(scanner, None, edited)] = again[scanner.name]
        return cured

    def _scan(self, scanner: Scanner, part: bytes | None, edited: Message | None) -> Verdict:
        from sieveav.scanning.contract import Content, Deadline

        content = self._content
        if part is not None:
            content = Content(part, is_message=False, envelope=content.envelope)
        elif edited is not None:
            content = Content(edited.raw, structure=edited.structure, envelope=content.envelope)
        spent = 0.0 if part is None else self._on_parts.get(scanner.name, 0.0)
        verdict = scanner.engine.scan(content, Deadline.after(scanner.settings.timeout - spent))
        if part is not None:
            self._on_parts[scanner.name] = spent + verdict.ms / 1000
        if verdict.status in (Status.ERROR, Status.INFECTED):
            _log.warning("%s: %s %s", scanner.name, verdict.status, verdict.info)
        elif scanner.settings.debug_level > 0:
            _log.info("%s: %s %s", scanner.name, verdict.status, verdict.info)
        return verdict


_Key = tuple[str, bytes | None, bytes | None]


def _key(scanner: Scanner, part: bytes | None, edited: Message | None) -> _Key:
    """What decides whether a scan is the same as an earlier one."""
    return scanner.name, part, None if edited is None or scanner.settings.use_wire_rep else edited.raw


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
        return all(self._scans.knows(scanner, question.part, question.edited) for scanner in scanners)

    def scan_active_engines(self) -> Outcome:
        """Scan with the engines that are not passive, before any script, and set their variables. The outcome has the edit that
        replaces infected parts, if that is to be done and can be."""
        active = [scanner for scanner in self._scans.scanners if scanner.settings.active]
        if not active:
            return UNDECIDED
        cured = None
        if any(scanner.settings.infected == "replace" for scanner in active):
            self._verdicts(active, Scan())
            cured = self._scans.cure()
        self._ask(active, Scan())
        if cured is None:
            return UNDECIDED
        return Outcome(actions=(Action("cure", (Rewrite(cured.raw),), cancels_keep=False),))

    def set_own_values(self) -> None:
        """Set the variables of engines that have answered something else for this recipient, in a phase for all recipients."""
        for scanner, verdict in self._scans.of_message():
            if self._recipient in verdict.by_recipient:
                self._context.message.update(scanner.engine.variables(verdict.for_recipient(self._recipient)))

    def _scanned(self, question: Scan) -> Scanned:
        scanners = self._scans.scanners
        if not question.engines:
            return self._ask(scanners, question)
        named = {name.lower(): name for name in question.engines}
        answer = self._ask([s for s in scanners if s.name.lower() in named], question)
        missing = [name for low, name in named.items() if all(low != s.name.lower() for s in scanners)]
        unknown = [Verdict(name, Status.ERROR, "no such engine") for name in missing]
        return Scanned((*answer.verdicts, *unknown), answer.variables)

    def _ask(self, scanners: Sequence[Scanner], question: Scan) -> Scanned:
        """The verdicts of these engines. A scan of the message sets the variables, whoever has asked; the run that asked sets
        them in its own context."""
        values: dict[str, str] = {}
        given = self._verdicts(scanners, question)
        if question.part is None:
            for scanner, verdict in given:
                self._apply(scanner.settings, verdict.status)
                values.update(scanner.engine.variables(verdict))
        self._context.message.update(values)
        return Scanned(tuple(verdict for _, verdict in given), values)

    def _verdicts(self, scanners: Sequence[Scanner], question: Scan) -> list[tuple[Scanner, Verdict]]:
        """The engines that are asked with their verdicts."""
        self._scan_together([scanner for scanner in scanners if not scanner.turn], question)
        given: list[tuple[Scanner, Verdict]] = []
        ended: set[str] = set()
        for scanner in scanners:
            if scanner.turn in ended:
                continue
            given.append((scanner, self._verdict(scanner, question)))
            if scanner.turn and given[-1][1].status in FOUND:
                ended.add(scanner.turn)
        return given

    def _scan_together(self, scanners: Iterable[Scanner], question: Scan) -> None:
        """Have those engines that have not scanned this yet scan it at the same time, if they are several."""
        part, edited = question.part, question.edited
        fresh = [each for each in scanners if not self._skips(each) and not self._scans.knows(each, part, edited)]
        if len(fresh) > 1:
            with ThreadPoolExecutor(len(fresh)) as threads:
                list(threads.map(lambda each: self._scans.verdict(each, part, edited), fresh))

    def _skips(self, scanner: Scanner) -> str:
        """The variable because of which an engine does not scan, "" if it does."""
        skip = scanner.settings.skip_context_variable
        return skip if skip and self._context.get(skip) is not None else ""

    def _verdict(self, scanner: Scanner, question: Scan) -> Verdict:
        skip = self._skips(scanner)
        if skip:
            return Verdict(scanner.name, Status.SKIPPED, f"{skip} is set")
        return self._scans.verdict(scanner, question.part, question.edited).for_recipient(self._recipient)

    def _apply(self, settings: EngineSettings, status: Status) -> None:
        """What the framework does with mail of this status. A permanent refusal outranks a temporary one (RFC 5321, 4.2.1)."""
        policy = settings.policy(status)
        if policy == "pass":
            return
        if policy == "replace":  # which was not possible
            policy = "reject"
        code = 550 if policy == "reject" else settings.error_code if status is Status.ERROR else 451
        texts = REFUSED if policy == "reject" else DEFERRED
        if self.refusal is None or self.refusal.code < code:
            self.refusal = Response(code, f"{code // 100}.7.1", texts[status])
