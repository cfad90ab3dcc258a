"""failover: several servers of one engine into one engine that asks them in turn.

The next server is asked only if not one octet of a reply has come, and all within one deadline: each gets an equal share of
the time left. A server that failed several times in a row is not asked for a while (its breaker is open), then probed with
a cheap question before it gets content again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from sieveav.scanning.contract import Content, Deadline
from sieveav.verdict import Status, Verdict, plain

_log = logging.getLogger(__name__)

FAILURES = 3
"""Failures in a row that open a breaker: one may be a restart, three are an outage."""

PAUSE = 5.0
"""Seconds until the next probe of a server whose breaker is open: about what clamd takes to load its signatures."""

PROBE = 1.0
"""Seconds that a probe may take; a daemon that works answers PING in less than a millisecond."""


class Unreached(Exception):
    """Not one octet of an answer came from the server, so another one may be asked. Its text is the reason."""


class ProtocolError(Exception):
    """The answer of a server breaks its protocol, or has begun and does not end: an error, whatever it was to say. Its text is
    the reason. No other server is asked."""


class Server(Protocol):
    """One server of an engine. Its name is its address."""

    name: str

    def attempt(self, content: Content, deadline: Deadline) -> Verdict:
        """The verdict on `content`. Raises Unreached and ProtocolError."""
        ...

    def probe(self, deadline: Deadline) -> bool:
        """Whether it answers a cheap question (PING, OPTIONS)."""
        ...

    def version(self, deadline: Deadline) -> str:
        """As an engine's. Raises Unreached and ProtocolError."""
        ...


class Breaker:
    """Counts one server's failures. While it is closed, the server is asked; while it is open, only probed. Safe to use from
    several threads."""

    def __init__(self, server: Server, clock: Callable[[], float] = time.monotonic) -> None:
        self.server = server
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._probe_at = 0.0
        self._probing = threading.Lock()
        self._probes = 0

    @property
    def closed(self) -> bool:
        return self._failures < FAILURES

    def succeeded(self) -> None:
        if self._failures:
            with self._lock:
                self._failures = 0

    def failed(self) -> None:
        with self._lock:
            self._failures += 1
            self._probe_at = self._clock() + PAUSE

    def due(self) -> bool:
        """Whether a probe is due. If so it is claimed: of many threads one probes (half-open), the others do not."""
        with self._lock:
            due = self._clock() >= self._probe_at
            if due:
                self._probe_at = self._clock() + PAUSE
            return due

    def probe(self, deadline: Deadline) -> bool:
        """Probe the server, or wait for the result of a probe that is under way; whether the breaker is closed now."""
        probes = self._probes
        limit = Deadline.after(min(PROBE, deadline.left()))
        if not self._probing.acquire(timeout=limit.left()):
            return False
        try:
            if self._probes == probes:  # else another thread has probed meanwhile
                if self.server.probe(limit):
                    self.succeeded()
                else:
                    self.failed()
                self._probes += 1
            return self.closed
        finally:
            self._probing.release()


class Failover:
    """The engine `name` whose servers are asked in the order given. Every error names the servers that caused it."""

    def __init__(self, name: str, servers: Sequence[Server], clock: Callable[[], float] = time.monotonic) -> None:
        self.name = name
        self._breakers = [Breaker(server, clock) for server in servers]

    @property
    def servers(self) -> dict[str, bool]:
        """Name of each server -> whether it is asked: its breaker is closed."""
        return {breaker.server.name: breaker.closed for breaker in self._breakers}

    def scan(self, content: Content, deadline: Deadline) -> Verdict:
        """The first verdict of a server; `error` with all reasons if there is no verdict."""
        reasons = []
        for breaker, share in self._candidates(deadline):
            server = breaker.server
            try:
                verdict = server.attempt(content, share)
            except Unreached as fault:
                breaker.failed()
                reasons.append(self._failure(server, str(fault)))
            except ProtocolError as fault:
                breaker.succeeded()
                return Verdict(self.name, Status.ERROR, self._failure(server, str(fault)))
            else:
                breaker.succeeded()
                if verdict.status is not Status.ERROR:
                    return verdict
                return replace(verdict, info=self._failure(server, verdict.info))
        names = ", ".join(breaker.server.name for breaker in self._breakers)
        return Verdict(self.name, Status.ERROR, "; ".join(reasons) or f"{names}: no answer")

    def version(self, deadline: Deadline) -> str:
        """The version of the server that would be asked first. A failure here opens no breaker: a busy server may be slow to
        answer this, and yet scan."""
        for breaker, share in self._candidates(deadline):
            try:
                return breaker.server.version(share)
            except (Unreached, ProtocolError) as fault:
                self._failure(breaker.server, str(fault))
        return ""

    def _failure(self, server: Server, reason: str) -> str:
        """What went wrong with which server; it is logged."""
        text = f"{server.name}: {plain(reason)}"
        _log.warning("%s: %s", self.name, text)
        return text

    def _candidates(self, deadline: Deadline) -> Iterator[tuple[Breaker, Deadline]]:
        """The servers to ask in turn, each with its share of the time.

        If none is closed, the open ones are probed although their pause is not over: otherwise three messages that take too
        long to scan would be enough to stop all scanning for a while.
        """
        asked = False
        ready = [breaker for breaker in self._breakers if breaker.closed or breaker.due()]
        for position, breaker in enumerate(ready):
            if deadline.left() <= 0:  # not this server's fault
                return
            if breaker.closed or breaker.probe(deadline):
                asked = True
                yield breaker, _share(deadline, len(ready) - position)
        for breaker in self._breakers:
            if not asked and breaker not in ready and breaker.probe(deadline):
                asked = True
                yield breaker, deadline


def _share(deadline: Deadline, servers: int) -> Deadline:
    """An equal share of the time left for the first of `servers`."""
    return Deadline.after(deadline.left() / servers) if servers > 1 else deadline
