"""failover: several servers of one engine into one engine that asks them in turn.

The next server is asked only while no octet of a reply has come, and all within one deadline: each gets an equal share
of the time that is left. A server that failed several times in a row is left alone for a while (its breaker is open),
then probed with a cheap question before it gets content again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from sieveav.scanning.contract import Content, Deadline
from sieveav.verdict import Status, Verdict, plain

_log = logging.getLogger(__name__)

FAILURES = 3
"""Failures in a row that open a breaker: one may be a restart, three are an outage."""

PAUSE = 5.0
"""Seconds that an open breaker waits before the next probe: about what clamd takes to load its signatures."""

PROBE = 1.0
"""Seconds a probe may take at most; a daemon that lives answers PING in less than a millisecond."""


class Unreached(Exception):
    """Not one octet of an answer came from the server, so another may be asked. Its text is the reason."""


class Server(Protocol):
    """One server of an engine."""

    name: str

    def attempt(self, content: Content, deadline: Deadline) -> Verdict:
        """The verdict on `content`. Raises Unreached."""
        ...

    def probe(self, deadline: Deadline) -> bool:
        """Whether it answers a cheap question (PING, OPTIONS)."""
        ...

    def version(self, deadline: Deadline) -> str:
        """As an engine's. Raises Unreached."""
        ...


class Breaker:
    """Counts one server's failures. Closed: ask it. Open: leave it alone until a probe succeeds. Safe among threads."""

    def __init__(self, server: Server, clock: Callable[[], float] = time.monotonic) -> None:
        self.server = server
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._probe_at = 0.0

    @property
    def closed(self) -> bool:
        return self._failures < FAILURES

    def succeeded(self) -> None:
        with self._lock:
            self._failures = 0

    def failed(self) -> None:
        with self._lock:
            self._failures += 1
            self._probe_at = self._clock() + PAUSE

    def due(self) -> bool:
        """Whether a probe is due, claiming it: of many threads one probes (half-open), the others go on."""
        with self._lock:
            due = self._clock() >= self._probe_at
            if due:
                self._probe_at = self._clock() + PAUSE
            return due

    def mends(self, deadline: Deadline) -> bool:
        """Probe the server; whether its breaker is closed now."""
        if self.server.probe(Deadline.after(min(PROBE, deadline.left()))):
            self.succeeded()
            return True
        self.failed()
        return False


class Failover:
    """The engine `name` whose servers are asked in the order given."""

    def __init__(self, name: str, servers: Sequence[Server], clock: Callable[[], float] = time.monotonic) -> None:
        self.name = name
        self._breakers = [Breaker(server, clock) for server in servers]

    def scan(self, content: Content, deadline: Deadline) -> Verdict:
        """The first verdict that a server gives; `error` with the last reason when none does."""
        reason = "no server"
        for breaker, share in self._turns(deadline):
            try:
                verdict = breaker.server.attempt(content, share)
            except Unreached as fault:
                reason = str(fault)
                breaker.failed()
                self._log(breaker, reason)
            else:
                breaker.succeeded()
                return verdict
        return Verdict(self.name, Status.ERROR, "timeout" if deadline.left() <= 0 else reason)

    def version(self, deadline: Deadline) -> str:
        """The version of the server that would be asked first. To fail here opens no breaker: a busy server may be slow
        to tell and yet scan."""
        for breaker, share in self._turns(deadline):
            try:
                return breaker.server.version(share)
            except Unreached as fault:
                self._log(breaker, str(fault))
        return ""

    def _log(self, breaker: Breaker, reason: str) -> None:
        _log.warning("%s: %s: %s", self.name, breaker.server.name, plain(reason))

    def _turns(self, deadline: Deadline) -> Iterator[tuple[Breaker, Deadline]]:
        """The servers to ask in turn, each with its share of the time.

        When none is closed, those that are open are probed though their pause is not over: else three messages that
        take too long to scan would be enough to stop all scanning for a while.
        """
        asked = False
        ready = [breaker for breaker in self._breakers if breaker.closed or breaker.due()]
        for position, breaker in enumerate(ready):
            if deadline.left() <= 0:  # not this server's fault
                return
            if breaker.closed or breaker.mends(deadline):
                asked = True
                yield breaker, _share(deadline, len(ready) - position)
        for breaker in self._breakers:
            if not asked and breaker not in ready and breaker.mends(deadline):
                asked = True
                yield breaker, deadline


def _share(deadline: Deadline, servers: int) -> Deadline:
    """An equal share for the first of `servers` of the time that is left."""
    return Deadline.after(deadline.left() / servers)
