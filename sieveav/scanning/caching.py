"""caching: an engine into one that remembers verdicts, and never scans the same content twice at the same time."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

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

NEVER = frozenset({Status.ERROR, Status.LIMITS, Status.SKIPPED})
"""What is not remembered: it depends on the engine's state or settings, not on the content."""


_HIT = Counts(hits=1)


class Key(NamedTuple):
    """What a verdict depends on: `options` and `content` are digests, `version` is that of the definitions."""

    engine: str
    options: str
    version: str
    is_message: bool
    content: bytes


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
    """Remembers the last `size` verdicts of `inner`; `options` is a digest of all that its verdicts depend on.

    A find is remembered until the definitions change; if their version is unknown, no longer than other verdicts. `statistics`
    count the verdicts that needed no scan.
    """

    def __init__(
        self,
        inner: Engine,
        size: int,
        options: str = "",
        clock: Callable[[], float] = time.monotonic,
        statistics: Statistics | None = None,
    ) -> None:
        super().__init__(inner)
        self._statistics = statistics or Statistics()
        self._size = size
        self._options = options
        self._clock = clock
        self._lock = threading.Lock()
        self._verdicts: OrderedDict[Key, _Remembered] = OrderedDict()
        self._pending: dict[Key, _Pending] = {}
        self._version_lock = threading.Lock()
        self._version = ("", float("-inf"))

    def scan(self, content: Content, deadline: Deadline) -> Verdict:
        """The remembered verdict; or that of a scan of the same content that is running; or a new one of `inner`."""
        version = self._definitions(deadline)
        key = Key(self.name, self._options, version, content.is_message, content.digest)
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
        try:
            verdict = self._inner.scan(content, deadline)
            mine.verdict = verdict = verdict if verdict.version else verdict.by_version(version)
        finally:
            with self._lock:
                del self._pending[key]
                if mine.verdict:
                    self._remember(key, mine.verdict)
            mine.running.release()
        return verdict

    def flush(self) -> int:
        """Forget all verdicts and the version; returns how many verdicts there were."""
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

    def _remember(self, key: Key, verdict: Verdict) -> None:
        if verdict.status in NEVER:
            return
        lasting = verdict.status in FOUND and key.version
        self._verdicts[key] = _Remembered(verdict, float("inf") if lasting else self._clock() + CLEAN_LIFE)
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
