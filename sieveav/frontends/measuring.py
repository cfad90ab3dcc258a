"""measuring: what a worker does to metrics for Prometheus, of all workers together.

Each worker writes the values of its own metrics into files in the folder that workers share (prometheus-client's multi-process
mode); whoever is asked adds up those of all workers, dead ones too: a sum that went down would be taken for a new start of the
service. Files are named after places, not processes, so that their number does not grow: a worker takes a place that no living
one has, and goes on with the values it finds there. A place is a lock, which ends with its process.

Labels are words of the program, and names that the configuration chooses; nothing that clients, messages or users' scripts
choose. So a counter of scripts has a series of its own only if the configuration names it: the others are counted as "other".

This file alone imports prometheus_client, when a server that was configured starts.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sieveav.frontends.message_log import Answered
from sieveav.scanning.wrapping import Counts
from sieveav.site.site import Site
from sieveav.site.stanzas.threadpool import POOLS

if TYPE_CHECKING:
    from prometheus_client import Counter, Gauge, Histogram

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
"""The upper bounds of the histograms' buckets: from a small message to the time limits of engines."""

OTHER = "other"

COUNTS = {
    "messages": ("engine_messages", "Messages that an engine was asked about", 1.0),
    "parts": ("engine_parts", "Parts of messages that an engine was asked about", 1.0),
    "viruses": ("engine_finds", "Messages and parts that an engine reported as infected or suspicious", 1.0),
    "cured": ("engine_cured", "Messages and parts that an engine cured", 1.0),
    "errors": ("engine_errors", "Messages and parts that an engine failed to scan", 1.0),
    "message_ms": ("engine_message_seconds", "Seconds that an engine spent on messages", 0.001),
    "part_ms": ("engine_part_seconds", "Seconds that an engine spent on parts of messages", 0.001),
    "hits": ("engine_cache_hits", "Verdicts that needed no scan, because they were remembered", 1.0),
}
"""Field of an engine's statistics -> name and meaning of its metric, and what a unit is there."""


class Measures:
    """The metrics of this worker, and of all together. Safe to use from several threads. To be made once in a process.

    `counters` are the counters of scripts that have a series of their own.
    """

    def __init__(self, folder: Path, site: Site, counters: Collection[str]) -> None:
        place = _take_place(folder)
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)  # before the import, which decides by it
        import prometheus_client as prometheus
        from prometheus_client import multiprocess, values

        multiprocess.mark_process_dead(place)  # type: ignore[no-untyped-call]
        values.ValueClass = values.MultiProcessValue(lambda: place)  # type: ignore[no-untyped-call]

        def counter(name: str, meaning: str, *labels: str) -> Counter:
            return prometheus.Counter(f"sieveav_{name}", meaning, labels, registry=None)

        def histogram(name: str, meaning: str, *labels: str) -> Histogram:
            return prometheus.Histogram(f"sieveav_{name}", meaning, labels, registry=None, buckets=SECONDS)

        def gauge(name: str, meaning: str, *labels: str) -> Gauge:
            return prometheus.Gauge(f"sieveav_{name}", meaning, labels, registry=None, multiprocess_mode="livesum")

        self._folder = folder
        self._site = site
        self._named = frozenset(counters)
        self._messages = counter("messages", "Messages answered", "frontend", "server", "result")
        self._actions = counter("recipient_actions", "What was done for recipients", "frontend", "action")
        self._faults = counter("script_faults", "Run-time errors of scripts", "frontend")
        self._counters = counter("script_counters", "What scripts count", "counter")
        self._verdicts = counter("verdicts", "Verdicts on messages", "engine", "status")
        self._decided = histogram(
            "decision_seconds", "From the end of a message to its reply, delivery included", "frontend"
        )
        self._scanned = histogram("scan_seconds", "Until an engine's verdict on a message", "engine")
        self._counts = {field: counter(name, meaning, "engine") for field, (name, meaning, _) in COUNTS.items()}
        self._seen: dict[str, Counts] = {}
        """The statistics of each engine when they were read last."""
        self._outages = counter("state_outages", "Outages of the state, by each worker that noticed")
        self._outages_seen = 0
        self._failing = gauge("state_failing", "Workers for which the state cannot be used now")
        self._depth = gauge("pool_depth", "Scans that wait or run in a thread pool", "pool")
        self._size = gauge("pool_size", "Scans that may run at a time in a thread pool", "pool")
        self._open = gauge("engine_server_failing", "Workers that do not ask a server of an engine", "engine", "server")
        gauge("workers", "Workers that run, those that end included").set(1)
        for name in self._named | {OTHER}:
            self._counters.labels(name)
        self.refresh()

    def observe(self, answered: Answered) -> None:
        """Count a message."""
        frontend, decision = answered.frontend, answered.decision
        self._messages.labels(frontend, answered.server, answered.result).inc()
        self._decided.labels(frontend).observe(answered.seconds)
        for action in answered.actions:
            self._actions.labels(frontend, action).inc()
        faults = answered.faults
        if faults:
            self._faults.labels(frontend).inc(faults)
        for name, number in answered.counters.items():
            self._counters.labels(name if name in self._named else OTHER).inc(number)
        for verdict in decision.verdicts:
            self._verdicts.labels(verdict.engine, str(verdict.status)).inc()
            self._scanned.labels(verdict.engine).observe(verdict.ms / 1000)

    def refresh(self) -> None:
        """Take over what is counted elsewhere, and what is true now. To be called again and again."""
        for scanner in self._site.scanners:
            now = scanner.engine.statistics.snapshot()
            before = self._seen.get(scanner.name, Counts())
            self._seen[scanner.name] = now
            for field, (_, _, unit) in COUNTS.items():
                more = getattr(now, field) - getattr(before, field)
                self._counts[field].labels(scanner.name).inc(more * unit)
            for server, is_asked in scanner.engine.servers.items():
                self._open.labels(scanner.name, server).set(not is_asked)
        pools = self._site.settings[POOLS]
        for name in pools.names:
            pool = pools.find(name)
            if pool is not None:
                self._depth.labels(name).set(pool.depth)
                self._size.labels(name).set(pool.size)
        outage = self._site.outage
        self._outages.inc(outage.count - self._outages_seen)
        self._outages_seen = outage.count
        self._failing.set(outage.failing)

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """The metrics of all workers in the format that suits the header Accept of a request, and its media type. OSError if
        the files cannot be read."""
        from prometheus_client import CollectorRegistry, exposition, multiprocess

        for place in _free_places(self._folder):
            multiprocess.mark_process_dead(place)  # type: ignore[no-untyped-call]
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry, str(self._folder))  # type: ignore[no-untyped-call]
        write: Callable[[Any], bytes]
        write, media_type = exposition.choose_encoder(accept)
        return write(registry), media_type


# ---- places

_LOCK = ".lock"


@contextmanager
def _locked(path: Path) -> Iterator[int | None]:
    """The descriptor of a file while this process has its lock; None if another one has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
        else:
            yield descriptor
    finally:
        os.close(descriptor)


def _take_place(folder: Path) -> int:
    """The first place that no living worker has. It is this process's until that ends."""
    for place in count():
        with _locked(folder / f"{place}{_LOCK}") as descriptor:
            if descriptor is not None:
                os.dup(descriptor)  # which keeps the lock, and is never closed
                return place
    raise AssertionError  # there are always more numbers


def _free_places(folder: Path) -> Iterator[int]:
    """The places whose workers have ended; each is locked while it is looked at."""
    for path in folder.glob(f"*{_LOCK}"):
        with _locked(path) as descriptor:
            if descriptor is not None:
                yield int(path.stem)
