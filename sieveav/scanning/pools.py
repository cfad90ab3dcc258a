"""pools: the names and sizes of thread pools to threads that work is done in, within a deadline.

A site's pools are those of its `threadpool` stanzas, and CPU and IO. All threads are daemons: a scan that hangs does not
keep a command from ending.
"""

from __future__ import annotations

import queue
import threading
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Generic, TypeVar

from sieveav.options import Option, integer

T = TypeVar("T")

CPU = "CPU"
"""The pool of engines that scan in this process."""

IO = "IO"
"""The pool of engines that wait for a daemon."""

DEFAULTS = {CPU: 4, IO: 50}

IDLE = 10.0
"""Seconds after which a thread without work ends."""

OPTIONS = (
    Option(
        "concurrency",
        integer(1, 1000),
        None,
        f"threads at most, which is how many scans run at a time (default: {DEFAULTS[IO]} for IO, {DEFAULTS[CPU]} for others);"
        " a scan that its engine does not end in time keeps its thread until it ends",
    ),
)
"""The options of the stanza `threadpool "name" { … }`. The stanzas "CPU" and "IO" resize the default pools."""


class Pools:
    """The thread pools of a site by name, in upper case. `concurrency` is what its `threadpool` stanzas say, None for the
    default. A pool starts its threads when they are needed: until then, a process that has one may fork."""

    def __init__(self, concurrency: Mapping[str, int | None] | None = None) -> None:
        sizes: dict[str, int | None] = {**DEFAULTS}
        sizes.update((name.upper(), size) for name, size in (concurrency or {}).items())
        self._pools = {name: Pool(name, size or DEFAULTS.get(name, DEFAULTS[CPU])) for name, size in sizes.items()}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all pools, sorted."""
        return tuple(sorted(self._pools))

    def find(self, name: str) -> Pool | None:
        """The pool of that name, in upper or lower case; None if there is none."""
        return self._pools.get(name.upper())


class Pool:
    """At most `size` threads, or callers who work in their own. Safe to use from several threads."""

    def __init__(self, name: str, size: int) -> None:
        self.name = name
        self.size = size
        self._tasks: queue.SimpleQueue[_Task[Any]] = queue.SimpleQueue()
        self._places = threading.Semaphore(size)
        """One is taken by whoever works, whatever the thread."""
        self._lock = threading.Lock()
        self._threads = 0
        self._unfinished = 0
        """Tasks that wait or run. There is a thread for each of them, up to `size`."""
        self._here = 0
        """Callers who wait, or work in their own thread."""

    @property
    def depth(self) -> int:
        """How much work waits or runs now. What is more than `size` waits."""
        return self._unfinished + self._here

    def run(self, work: Callable[[], T], seconds: float, ended: Callable[[], None] | None = None) -> T:
        """What `work` returns or raises, in a thread of the pool. `ended` is called once: when the work ends, or when it was
        given up before it began.

        Raises TimeoutError after `seconds`. Work that has begun then keeps its thread until it ends.
        """
        task = _Task(work, ended)
        with self._lock:
            self._unfinished += 1
            if self._threads < min(self._unfinished, self.size):
                with suppress(RuntimeError):  # the system has no more threads: wait for one of those there are
                    threading.Thread(target=self._work, name=f"sieveav-{self.name}", daemon=True).start()
                    self._threads += 1
        self._tasks.put(task)
        return task.result(seconds, self._busy)

    def run_here(self, work: Callable[[], T], seconds: float, ended: Callable[[], None] | None = None) -> T:
        """As `run`, but in the caller's thread, which saves the way to another and back: for work that ends in time by itself.
        It waits for a place for so many seconds at most."""
        with self._lock:
            self._here += 1
        try:
            if not self._places.acquire(timeout=min(seconds, threading.TIMEOUT_MAX)):
                raise TimeoutError(self._busy)
            try:
                return work()
            finally:
                self._places.release()
        finally:
            with self._lock:
                self._here -= 1
            if ended:
                ended()

    @property
    def _busy(self) -> str:
        return f"timeout: all threads of the pool {self.name} are busy"

    def _work(self) -> None:
        while True:
            try:
                task = self._tasks.get(timeout=IDLE)
            except queue.Empty:
                with self._lock:
                    if self._threads > self._unfinished:
                        self._threads -= 1
                        return
                continue
            with self._places:
                task.run()
            with self._lock:
                self._unfinished -= 1
            task.finish()
            del task  # or an idle thread would keep the last message


class _Task(Generic[T]):
    """Work for a thread. Whoever acquires `_claim`, the thread or the caller who gives up, decides whether it is done."""

    __slots__ = ("_claim", "_done", "_ended", "_error", "_result", "_work")

    _result: T

    def __init__(self, work: Callable[[], T], ended: Callable[[], None] | None) -> None:
        self._work = work
        self._ended = ended
        self._error: BaseException | None = None
        self._claim = threading.Lock()
        self._done = threading.Lock()
        self._done.acquire()

    def run(self) -> None:
        """Do the work, unless the caller has given up."""
        if not self._claim.acquire(blocking=False):
            return
        try:
            self._result = self._work()
        except BaseException as error:  # the caller raises it
            # What the work used is dropped in this thread: yara-x requires it.
            traceback.clear_frames(error.__traceback__)
            self._error = error
        finally:
            if self._ended:
                self._ended()

    def finish(self) -> None:
        """Let the caller have the result."""
        self._done.release()

    def result(self, seconds: float, busy: str) -> T:
        """The result, once it is there. Raises TimeoutError, with the text `busy` if no thread has begun by then."""
        if not self._done.acquire(timeout=min(seconds, threading.TIMEOUT_MAX)):
            if not self._claim.acquire(blocking=False):
                raise TimeoutError("timeout")
            if self._ended:
                self._ended()
            raise TimeoutError(busy)
        if self._error is not None:
            try:
                raise self._error
            finally:
                self._error = None  # or the traceback would refer to itself
        return self._result
