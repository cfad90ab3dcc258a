"""wrapping: an engine into an engine with one more property: in time, not too many at once, by parts, wary, counted.

Each class is small and knows nothing of the others; `assembling` says in which order a configuration nests them.
"""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass, field, replace

from sieveav import mime
from sieveav.scanning.contract import Content, Deadline, Engine
from sieveav.verdict import FOUND, Status, Verdict, worst

HARMLESS = frozenset({"unterminated-multipart", "no-part", "bad-content-type"})
"""Defects of MIME that ordinary mail has too (bounces that cut a message, names with spaces and no quotes) and that
hide nothing by themselves; `Paranoid` passes over these only."""


class EngineWrapper:
    """An engine around `inner`, of the same name and version. The base of all others."""

    def __init__(self, inner: Engine) -> None:
        self.name = inner.name
        self._inner = inner

    def scan(self, content: Content, deadline: Deadline) -> Verdict:
        """What `inner` says."""
        return self._inner.scan(content, deadline)

    def version(self, deadline: Deadline) -> str:
        """What `inner` says."""
        return self._inner.version(deadline)

    def _error(self, reason: str) -> Verdict:
        return Verdict(self.name, Status.ERROR, reason)


class Timed(EngineWrapper):
    """Gives `inner` at most `timeout` seconds, and fills in the milliseconds that it took.

    What comes after the deadline is an error, never clean. A find is kept: late as it is, it is true.
    """

    def __init__(self, inner: Engine, timeout: float = math.inf) -> None:
        super().__init__(inner)
        self._timeout = timeout

    def scan(self, content: Content, deadline: Deadline) -> Verdict:
        """`inner`'s verdict, or `error` with the reason "timeout"."""
        deadline = self._own(deadline)
        if deadline.left() <= 0:
            return self._error("timeout")
        start = time.perf_counter()
        verdict = self._inner.scan(content, deadline)
        if deadline.left() <= 0 and verdict.status not in FOUND:
            verdict = self._error("timeout")
        return replace(verdict, ms=(time.perf_counter() - start) * 1000)

    def version(self, deadline: Deadline) -> str:
        """As `inner`'s, within the same time."""
        return self._inner.version(self._own(deadline))

    def _own(self, deadline: Deadline) -> Deadline:
        return Deadline(min(deadline.at, time.monotonic() + self._timeout))


class Limited(EngineWrapper):
    """Lets at most `max_concurrency` scans run at once; the others wait their turn until their deadline."""

    def __init__(self, inner: Engine, max_concurrency: int) -> None:
        super().__init__(inner)
        self._turns = threading.BoundedSemaphore(max_concurrency)

    def scan(self, content: Content, deadline: Deadline) -> Verdict:
        """`inner`'s verdict, or `error` when no turn came in time."""
        if not self._turns.acquire(timeout=lock_timeout(deadline)):
            return self._error("timeout: too many scans at once")
        try:
            return self._inner.scan(content, deadline)
        finally:
            self._turns.release()


def lock_timeout(deadline: Deadline) -> float:
    """The seconds left, as few as a lock can be told to wait."""
    return min(deadline.left(), threading.TIMEOUT_MAX)


@dataclass
class Statistics:
    """What an engine has done since the start; times in milliseconds. Safe among threads."""

    messages: int = 0
    parts: int = 0
    viruses: int = 0
    cured: int = 0
    errors: int = 0
    message_ms: float = 0.0
    part_ms: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    @property
    def ms_per_message(self) -> float:
        """The average, NaN while no message was scanned."""
        return self.message_ms / self.messages if self.messages else math.nan

    @property
    def ms_per_part(self) -> float:
        """The average, NaN while no part was scanned."""
        return self.part_ms / self.parts if self.parts else math.nan

    def add(self, verdict: Verdict, ms: float, *, is_message: bool, is_answer: bool = True) -> None:
        """Count one scan; what it found counts only if it `is_answer`, not merely a part of one."""
        with self._lock:
            if is_message:
                self.messages += 1
                self.message_ms += ms
            else:
                self.parts += 1
                self.part_ms += ms
            if is_answer:
                self.viruses += verdict.status in FOUND
                self.cured += bool(verdict.cured)
                self.errors += verdict.status is Status.ERROR


class Counted(EngineWrapper):
    """Counts in `statistics` what it is asked: messages, single parts, viruses found and cured, errors, time."""

    def __init__(self, inner: Engine, statistics: Statistics) -> None:
        super().__init__(inner)
        self._statistics = statistics

    def scan(self, content: Content, deadline: Deadline) -> Verdict:
        """`inner`'s verdict."""
        start = time.perf_counter()
        verdict = self._inner.scan(content, deadline)
        self._statistics.add(verdict, (time.perf_counter() - start) * 1000, is_message=content.is_message)
        return verdict


class Decomposed(EngineWrapper):
    """Has `inner` scan a message and then each of its decoded parts, for a virus may hide from a reader of mail.

    With `statistics`, the parts are counted there. A virus ends the scan.
    """

    def __init__(self, inner: Engine, statistics: Statistics | None = None) -> None:
        super().__init__(inner)
        self._statistics = statistics or Statistics()

    def scan(self, content: Content, deadline: Deadline) -> Verdict:
        """The worst of all verdicts."""
        verdict = self._inner.scan(content, deadline)
        parts = mime.walk(content.structure) if content.is_message else ()
        for part in parts:
            if verdict.status is Status.INFECTED:
                break
            if part.parts:
                continue
            if deadline.left() <= 0:
                return worst((verdict, self._error("timeout")))
            verdict = worst((verdict, self._scan_part(Content(part.decoded(), is_message=False), deadline)))
        return verdict

    def _scan_part(self, content: Content, deadline: Deadline) -> Verdict:
        start = time.perf_counter()
        verdict = self._inner.scan(content, deadline)
        self._statistics.add(verdict, (time.perf_counter() - start) * 1000, is_message=False, is_answer=False)
        return verdict


class DefectCheck(EngineWrapper):
    """Adds to what `inner` says of a message a verdict for each defect of its MIME that `tells`; the worst counts."""

    status: Status
    info: str

    def tells(self, defect: str) -> bool:
        raise NotImplementedError

    def scan(self, content: Content, deadline: Deadline) -> Verdict:
        """`inner`'s verdict, or that of a defect where it is worse."""
        verdicts = [self._inner.scan(content, deadline)]
        if content.is_message:
            told = filter(self.tells, mime.defects(content.structure))
            verdicts += (Verdict(self.name, self.status, f"{self.info}{defect}") for defect in told)
        return worst(verdicts)


class AmbiguityCheck(DefectCheck):
    """Calls a message unscannable whose parts may be others to a mail reader than to a scanner (CVE-2024-28054)."""

    status = Status.UNSCANNABLE
    info = "ambiguous MIME: "

    def tells(self, defect: str) -> bool:
        return defect in mime.AMBIGUOUS


class Paranoid(DefectCheck):
    """Takes a message that is built to slip past scanners for infected: any defect of MIME that is not HARMLESS."""

    status = Status.INFECTED
    info = "Paranoid.MIME."

    def tells(self, defect: str) -> bool:
        return defect not in HARMLESS
