"""caching: an engine into one that remembers verdicts, and never scans the same content twice at the same time."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple, Protocol

from sieveav.scanning.contract import Content, Deadline, Engine
from sieveav.scanning.wrapping import Counts, EngineWrapper, Statistics, lock_timeout
from sieveav.verdict import FOUND, Status, Verdict

CLEAN_LIFE = 60.0
"""Seconds that a verdict other than a find is remembered. The same mail to many recipients arrives within seconds; a new
virus is often known an hour later, with definitions whose version the engine may not report."""

VERSION_LIFE = 10.0
"""Seconds that the version of the definitions is remembered: definitions change a few times a day, mail arrives all the
time."""

VERSION_WAIT = 1.0
"""Seconds to wait for the version, and never more than a quarter of the time left: the scan is more important."""

SHARED_TIME = 2.0
"""Seconds that must be left to ask for a shared verdict, or to share one: more than a store may take, so that one that hangs
makes no scan late."""

NEVER = frozenset({Status.ERROR, Status.LIMITS, Status.SKIPPED})
"""What is not remembered: it depends on the engine's state or settings, not on the content."""


_HIT = Counts(hits=1)


class Key(NamedTuple):
    """What a verdict depends on: `engine` and `content` are digests, `version` is that of the definitions."""

    engine: str
    version: str
    is_message: bool
    content: bytes


class Shared(Protocol):
    """Verdicts that several processes remember together. What goes wrong with it is its own matter: a verdict that it does not
    have needs a scan. Safe to use from several threads; ends within SHARED_TIME."""

    def find(self, engine: str, key: Key) -> tuple[Verdict, float] | None:
        """The verdict, as one of the engine called `engine`, and how many seconds it may be remembered; None if there is
        none."""
        ...

    def keep(self, key: Key, verdict: Verdict) -> None:
        """Remember a verdict, if it is one to share."""
        ...


class _Remembered(NamedTuple):
    verdict: Verdict
    until: float
    """On the monotonic clock; infinite for a find."""


class _Pending:
    """A scan that is running, for others to wait for."""

    def __init__(self) -> None:
        self.running = threading.Lock()
        self.running.acquire()
        self.verdict: Verdict | None = None

    def wait(self, seconds: float) -> bool:
        """Wait for its end; whether it has ended."""
        ended = self.running.acquire(timeout=seconds)
        if ended:
            self.running.release()  # for the next who waits
        return ended


class Cached(EngineWrapper):
    """Remembers the last `size` verdicts of `inner`, and looks for one in `shared` before it scans. `engine` is a digest of all
    that verdicts depend on, content and definitions aside: those who share may have other engines of the same name.

    A find is remembered until the definitions change; if their version is unknown, no longer than other verdicts, and nothing
    is shared. `statistics` count the verdicts that needed no scan.
    """

    def __init__(
        self,
        inner: Engine,
        size: int,
        engine: str = "",
        clock: Callable[[], float] = time.monotonic,
        statistics: Statistics | None = None,
        shared: Shared | None = None,
    ) -> None:
        super().__init__(inner)
        self._statistics = statistics or Statistics()
        self._size = size
        self._engine = engine
        self._shared = shared
        self._clock = clock
        self._lock = threading.Lock()
        self._verdicts: OrderedDict[Key, _Remembered] = OrderedDict()
        self._pending: dict[Key, _Pending] = {}
        self._version_lock = threading.Lock()
        self._version = ("", float("-inf"))

    def scan(self, content: Content, deadline: Deadline) -> Verdict:
        """The remembered verdict; or that of a scan of the same content that is running; or a new one of `inner`."""
        key = Key(self._engine, self._definitions(deadline), content.is_message, content.digest)
        while True:
            with self._lock:
                remembered = self._remembered(key)
                if remembered:
                    self._statistics.add(_HIT)
                    return remembered
                pending = self._pending.get(key)
                if pending is None:
                    mine = self._pending[key] = _Pending()
                    break
            if not pending.wait(lock_timeout(deadline)):
                return self._error("timeout: the same content is still being scanned")
            if pending.verdict and pending.verdict.status is not Status.ERROR:
                self._statistics.add(_HIT)
                return pending.verdict
            if deadline.left() <= 0:
                return self._error("timeout")
        shared = self._shared if key.version else None
        found, seconds = None, 0.0
        try:
            if shared and deadline.left() > SHARED_TIME:
                found = shared.find(self.name, key)
            verdict, seconds = found or self._scanned(content, key, deadline)
            mine.verdict = verdict
        finally:
            with self._lock:
                del self._pending[key]
                if mine.verdict:
                    self._remember(key, mine.verdict, seconds)
            mine.running.release()
        if found:
            self._statistics.add(_HIT)
        elif shared and deadline.left() > SHARED_TIME:
            shared.keep(key, verdict)
        return verdict

    def flush(self) -> int:
        """Forget all verdicts and the version; returns how many verdicts there were. Shared ones stay."""
        with self._lock:
            forgotten = len(self._verdicts)
            self._verdicts.clear()
            self._version = ("", float("-inf"))
        return forgotten

    def _remembered(self, key: Key) -> Verdict | None:
        remembered = self._verdicts.get(key)
        if remembered is None:
            return None
        if remembered.until <= self._clock():
            del self._verdicts[key]
            return None
        self._verdicts.move_to_end(key)
        return remembered.verdict

    def _scanned(self, content: Content, key: Key, deadline: Deadline) -> tuple[Verdict, float]:
        """A verdict of `inner`, and how many seconds it is remembered."""
        verdict = self._inner.scan(content, deadline)
        verdict = verdict if verdict.version else verdict.by_version(key.version)
        if verdict.status in NEVER:
            return verdict, 0.0
        return verdict, float("inf") if verdict.status in FOUND and key.version else CLEAN_LIFE

    def _remember(self, key: Key, verdict: Verdict, seconds: float) -> None:
        if seconds <= 0:
            return
        self._verdicts[key] = _Remembered(verdict, self._clock() + seconds)
        self._verdicts.move_to_end(key)
        while len(self._verdicts) > self._size:
            self._verdicts.popitem(last=False)

    def _definitions(self, deadline: Deadline) -> str:
        """The version of the definitions; "" if it is not available. One thread asks for it every VERSION_LIFE, while the
        others wait."""
        version, until = self._version
        if self._clock() < until:
            return version
        if not self._version_lock.acquire(timeout=lock_timeout(deadline)):
            return ""
        try:
            version, until = self._version
            if self._clock() >= until:
                version = self._inner.version(Deadline.after(min(VERSION_WAIT, deadline.left() / 4)))
                self._version = (version, self._clock() + VERSION_LIFE)
            return version
        finally:
            self._version_lock.release()
