"""wrapping: an engine into an engine with one more property: in time, in a pool's threads, by parts, strict, counted.

Each class is small and does not depend on the others; `assembling` says in which order a configuration nests them.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from operator import add
from typing import NamedTuple

from sieveav import mime
from sieveav.mime_defects import HARMLESS
from sieveav.scanning.contract import Content, Deadline, Engine
from sieveav.scanning.pools import Pool
from sieveav.verdict import FOUND, Status, Verdict, worst

GRACE = 0.05
"""How much longer than the time left, as a share of it, an engine may take to end by itself. An engine that keeps its
deadline has a better reason than "timeout"; and all stays within a tenth of the time."""


class EngineWrapper:
    """An engine around `inner`, with the same name and version. The base class of all others."""

    def __init__(self, inner: Engine) -> None:
        self.name = inner.name
        self._inner = inner

    def scan(self, content: Content, deadline: Deadline) -> Verdict:
        """The verdict of `inner`."""
        return self._inner.scan(content, deadline)

    def version(self, deadline: Deadline) -> str:
        """The version of `inner`."""
        return self._inner.version(deadline)

    def _error(self, reason: str) -> Verdict:
        return Verdict(self.name, Status.ERROR, reason)


class Timed(EngineWrapper):
    """Gives `inner` at most `timeout` seconds, and sets the verdict's `ms`.

    A verdict after the deadline becomes an error, never clean. A find is kept: it is late, but true.
    """

    def __init__(self, inner: Engine, timeout: float = math.inf) -> None:
        super().__init__(inner)
        self._timeout = timeout

    def scan(self, content: Content, deadline: Deadline) -> Verdict:
        """The verdict of `inner`, or `error` with the reason "timeout"."""
        deadline = self._own(deadline)
        if deadline.left() <= 0:
            return self._error("timeout")
        start = time.perf_counter()
        verdict = self._inner.scan(content, deadline)
        if deadline.left() <= 0 and verdict.status not in FOUND and verdict.status is not Status.ERROR:
            verdict = self._error("timeout")
        return verdict.after((time.perf_counter() - start) * 1000)

    def version(self, deadline: Deadline) -> str:
        """The version of `inner`, within the same time."""
        return self._inner.version(self._own(deadline))

    def _own(self, deadline: Deadline) -> Deadline:
        return Deadline(min(deadline.at, time.monotonic() + self._timeout))


class Pooled(EngineWrapper):
    """Has `inner` scan in the threads of `pool`, at most `max_concurrency` contents at a time (0: the size of the pool).

    A scan that `inner` does not end in time is abandoned: it counts, and keeps its thread, until it ends. A `punctual` engine
    always ends in time, and scans in the caller's thread. An OSError of `inner`, which a full disk may cause, becomes an error.
    """

    def __init__(self, inner: Engine, pool: Pool, max_concurrency: int = 0, *, punctual: bool = False) -> None:
        super().__init__(inner)
        self._run = pool.run_here if punctual else pool.run
        self._slots = threading.BoundedSemaphore(max_concurrency) if max_concurrency else None

    def scan(self, content: Content, deadline: Deadline) -> Verdict:
        """The verdict of `inner`, or `error` if there is no free thread or no verdict in time."""
        if self._slots and not self._slots.acquire(timeout=lock_timeout(deadline)):
            return self._error("timeout: too many scans at once")
        release = self._slots.release if self._slots else None
        try:
            return self._run(lambda: self._inner.scan(content, deadline), deadline.left() * (1 + GRACE), release)
        except OSError as error:
            return self._error(error.strerror or str(error))


def lock_timeout(deadline: Deadline) -> float:
    """The seconds left, as a lock accepts them."""
    return min(deadline.left(), threading.TIMEOUT_MAX)


class Counts(NamedTuple):
    """What an engine has done; times in milliseconds. The counts of several processes can be added."""

    messages: int = 0
    parts: int = 0
    viruses: int = 0
    cured: int = 0
    errors: int = 0
    message_ms: float = 0.0
    part_ms: float = 0.0
    hits: int = 0
    """Verdicts that were remembered, or those of another scan of the same content."""

    def __add__(self, other: Counts) -> Counts:  # type: ignore[override]  # a sum, not a longer tuple
        return Counts(*map(add, self, other))

    @property
    def ms_per_message(self) -> float:
        """The average, NaN if no message was scanned."""
        return self.message_ms / self.messages if self.messages else math.nan

    @property
    def ms_per_part(self) -> float:
        """The average, NaN if no part was scanned."""
        return self.part_ms / self.parts if self.parts else math.nan


class Statistics:
    """Counts what an engine does from the start. Safe to use from several threads."""

    def __init__(self) -> None:
        self._counts = Counts()
        self._lock = threading.Lock()

    def add(self, counts: Counts) -> None:
        """Add what was done."""
        with self._lock:
            self._counts += counts

    def snapshot(self) -> Counts:
        """The counts so far."""
        return self._counts


class Counted(EngineWrapper):
    """Counts in `statistics` what it is asked and answers, with the time of the verdict.

    `is_answer` is false for an engine whose verdicts are only parts of an answer: its finds are not counted.
    """

    def __init__(self, inner: Engine, statistics: Statistics, *, is_answer: bool = True) -> None:
        super().__init__(inner)
        self._statistics = statistics
        self._is_answer = is_answer

    def scan(self, content: Content, deadline: Deadline) -> Verdict:
        """The verdict of `inner`."""
        verdict = self._inner.scan(content, deadline)
        is_message, is_answer = content.is_message, self._is_answer
        self._statistics.add(
            Counts(
                messages=int(is_message),
                parts=int(not is_message),
                viruses=int(is_answer and verdict.status in FOUND),
                cured=int(is_answer and bool(verdict.cured)),
                errors=int(is_answer and verdict.status is Status.ERROR),
                message_ms=verdict.ms if is_message else 0.0,
                part_ms=0.0 if is_message else verdict.ms,
            )
        )
        return verdict


def worst_with_values(verdict: Verdict, *others: Verdict) -> Verdict:
    """The worst of all, with the values of the first, which is that of the engine on the whole message."""
    decisive = worst((verdict, *others))
    if decisive is verdict or not (verdict.values or verdict.by_recipient):
        return decisive
    return replace(decisive, values=verdict.values, by_recipient=verdict.by_recipient)


class Decomposed(EngineWrapper):
    """Has `inner` scan a message and `for_parts` each of its decoded parts, because a virus may be hidden from the engine's
    own MIME parser. A virus ends the scan. Where mail clients decode a part in several ways, each is scanned, and what is
    broken in other ways than the first does not count."""

    def __init__(self, inner: Engine, for_parts: Engine) -> None:
        super().__init__(inner)
        self._for_parts = for_parts

    def scan(self, content: Content, deadline: Deadline) -> Verdict:
        """The worst of all verdicts."""
        verdict = self._inner.scan(content, deadline)
        for octets, is_first in _decoded(content):
            if verdict.status is Status.INFECTED:
                break
            if deadline.left() <= 0:
                return worst_with_values(verdict, self._error("timeout"))
            of_part = self._for_parts.scan(Content(octets, is_message=False, envelope=content.envelope), deadline)
            if is_first or of_part.status is not Status.UNSCANNABLE:
                verdict = worst_with_values(verdict, of_part)
        return verdict


def _decoded(content: Content) -> Iterator[tuple[bytes, bool]]:
    """The readings of each part of a message, and whether it is the first of that part."""
    for part in mime.walk(content.structure) if content.is_message else ():
        if not part.parts:
            for number, octets in enumerate(part.readings()):
                yield octets, number == 0


class Paranoid(EngineWrapper):
    """Makes a message infected that looks built to evade scanners: any MIME defect that is not harmless."""

    def scan(self, content: Content, deadline: Deadline) -> Verdict:
        """The verdict of `inner`, or that of a defect if it is worse."""
        verdict = self._inner.scan(content, deadline)
        if not content.is_message:
            return verdict
        found = [
            Verdict(self.name, Status.INFECTED, f"Paranoid.MIME.{defect}")
            for defect in mime.defects(content.structure)
            if defect not in HARMLESS
        ]
        return worst_with_values(verdict, *found) if found else verdict
