"""supervising: listening sockets and a function to worker processes that run it, are restarted, reloaded and drained.

It knows nothing of mail. A server calls open_sockets and drop_root of `sockets.py`, then supervise, in this order, and
shared_folder before the last if its workers share files. The supervisor has one thread, and nothing open but the sockets,
because threads, locks and databases do not survive a fork. Workers inherit the sockets: while one is restarted, connections
wait in the backlog or go to the others. They inherit what was loaded too, so one that is restarted has the same as the others,
whatever has become of the files. Signals to the supervisor:

    SIGHUP           reload: check the configuration in a child, load it, start new workers, and once they are ready stop the
                     old ones
    SIGTERM, SIGINT  stop: workers finish what they have begun; the second one ends them at once
"""

from __future__ import annotations

import logging
import os
import select
import signal
import socket
import struct
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from sieveav.frontends.sockets import ServerError, Sockets, reason
from sieveav.printing import printable

if TYPE_CHECKING:
    import asyncio

_log = logging.getLogger(__name__)

START = 60.0
"""Seconds until a worker must be ready, and until a check must have ended; then it is killed."""

DRAIN = 30.0
"""Seconds for a worker to finish what it has begun; then it is killed."""

PAUSES = (0.1, 30.0)
"""The shortest and the longest pause in seconds before a worker that has ended is replaced. Each is twice the last one."""

LIFE = 60.0
"""Seconds of life after which a worker's next pause is the shortest one again."""

GENERATIONS = 3
"""Generations of workers at a time: the one that serves, and earlier ones that drain. Another reload waits."""

_TEXT = 300
"""The most characters of what a check says."""


# ---- files that workers share


@contextmanager
def shared_folder() -> Iterator[Path]:
    """A new, empty folder that only this user may enter, for the files of workers; it is removed at the end. It is that of
    systemd (RuntimeDirectory=), or in memory if possible. ServerError if it cannot be made."""
    import tempfile  # 5 ms

    runtime = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    places = [place for place in (runtime, "/dev/shm") if place and os.access(place, os.W_OK | os.X_OK)]  # noqa: S108
    try:
        folder = tempfile.TemporaryDirectory(prefix="sieveav-", dir=places[0] if places else None)
    except OSError as error:
        raise ServerError(f"a folder for the files of workers cannot be made: {reason(error)}") from None
    with folder as path:
        yield Path(path)


_RESULT = "result"
"""The file of the shared folder that says how the last start or reload has ended: a number, a word, and the text."""


class Result(NamedTuple):
    """How the last start or reload has ended. Each has a number of its own."""

    number: int
    failed: bool
    text: str


def last_result(folder: Path) -> Result:
    """How the last start or reload has ended; OSError if that is not known."""
    number, failed, text = (folder / _RESULT).read_text().split(" ", 2)
    return Result(int(number), failed == "failed", text)


# ---- systemd


def notify(*lines: str) -> None:
    """Send lines such as `READY=1` or `STATUS=text` to systemd, if it asks for them (sd_notify(3)). Never raises."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path:
        return
    message = "\n".join(map(printable, lines)).encode()
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.settimeout(1)
        channel.sendto(message, f"\0{path[1:]}" if path.startswith("@") else path)


# ---- workers


@dataclass(frozen=True)
class Worker:
    """What the function of a worker gets. The process ends when the function returns or raises, without its atexit handlers."""

    number: int
    """From 1 to the number of workers. A worker that replaces another one has its number."""
    generation: int
    """1, and one more with each reload."""
    sockets: Sockets
    stopping: socket.socket
    """Readable as soon as the worker is to drain: accept no more connections, finish what was begun, return. It stays readable
    and is only watched, not read. A worker that has not ended after `drain` seconds is killed."""
    _ready: int
    _folder: Path | None = None
    loaded: Any = None
    """What was loaded for its generation."""

    @property
    def folder(self) -> Path:
        """The folder that all workers share, those of all generations; ServerError if there is none."""
        if self._folder is None:
            raise ServerError("workers share no folder")
        return self._folder

    def ready(self) -> None:
        """Report that all is loaded and the worker accepts connections, which it may do at once. To be called once."""
        with suppress(BrokenPipeError):  # the supervisor has been killed, so `stopping` is readable
            os.write(self._ready, _PID.pack(os.getpid()))


def run_worker(worker: Worker, main: Callable[[Worker, asyncio.Event], Awaitable[None]]) -> None:
    """Run `main(worker, stop)` in an asyncio event loop. `stop` is set when the worker is to drain; `main` returns after it."""
    import asyncio

    async def run() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()

        def drain() -> None:
            loop.remove_reader(worker.stopping)
            stop.set()

        loop.add_reader(worker.stopping, drain)
        await main(worker, stop)

    asyncio.run(run())


async def stop_accepting(*servers: asyncio.Server) -> None:
    """Close asyncio's servers, but no connection: also not those that were accepted in the last turn of the event loop."""
    import asyncio

    loop = asyncio.get_running_loop()
    for listening in chain.from_iterable(server.sockets for server in servers):
        loop.remove_reader(listening.fileno())
    # An accepted connection gets its transport one turn later, and connection_made one more. If its server is closed before,
    # asyncio drops it silently (Python 3.11: an assertion in Server._attach).
    for _ in range(3):
        await asyncio.sleep(0)
    for server in servers:
        server.close()


async def wait_until(is_over: Callable[[], bool], seconds: float) -> None:
    """Wait until something is over, at most so many seconds."""
    import asyncio

    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while not is_over() and loop.time() < until:
        await asyncio.sleep(0.05)


# ---- the supervisor

Work = Callable[[Worker], None]
Load = Callable[[], Any]


def supervise(
    sockets: Sockets, load: Load, work: Work, workers: int, drain: float = DRAIN, folder: Path | None = None
) -> None:
    """Run `work` in this number of worker processes until SIGTERM or SIGINT, then return. To be called in a process with one
    thread, as the last thing it does: signal handlers and pipes are not given back.

    `load` reads the configuration, for the workers of a generation; a ServerError says what is wrong with it. Before a reload
    it runs in a child too, whose end does not matter. It starts no thread and opens nothing that a fork would damage. The
    sockets stay those of the start. A worker has `drain` seconds to finish what it has begun. `folder` is the one that workers
    share. ServerError if nothing can be loaded, or a worker of the first generation does not become ready.
    """
    _Supervisor(sockets, load, work, workers, drain, folder).run()


_SIGNALS = (signal.SIGCHLD, signal.SIGHUP, signal.SIGINT, signal.SIGTERM)

_PID = struct.Struct("=i")


@dataclass
class _Child:
    """A worker, or a check."""

    name: str
    number: int
    generation: int
    """0 for a check."""
    started: float
    kill_at: float
    """When it is killed, infinite for a worker that is ready."""
    ready: bool = False
    stopped: bool = False
    """It was asked to end."""


class _Supervisor:
    """The processes of a server, and when something has to be done about them."""

    def __init__(
        self, sockets: Sockets, load: Load, work: Work, workers: int, drain: float, folder: Path | None
    ) -> None:
        self._sockets = sockets
        self._load = load
        self._work = work
        self._numbers = range(1, workers + 1)
        self._drain = drain
        self._folder = folder
        self._children: dict[int, _Child] = {}
        """By process id; each is a child that has not been waited for, so its id is its own."""
        self._current = 0
        """The generation that serves; 0 until the first one is ready."""
        self._starting = 0
        """The generation that is not ready yet; 0 if there is none."""
        self._last = 0
        """The number of the last generation that was started."""
        self._loaded: dict[int, Any] = {}
        """Generation -> what its workers inherit: of the one that serves, and of the one that starts."""
        self._restarts: dict[int, float] = {}
        """Number of a worker that has ended -> when a new one starts."""
        self._pauses: dict[int, float] = {}
        """Number of a worker -> the last pause before it was started."""
        self._reload = False
        """A SIGHUP has come, and its reload has not begun."""
        self._stopping = False
        self._error = ""
        """Why the first generation did not become ready."""
        self._results = 0
        """How many starts and reloads have ended."""
        self._wakeup_read, self._wakeup_write = os.pipe()
        self._ready_read, self._ready_write = os.pipe()
        self._check_read, self._check_write = os.pipe()
        self._alive_read, self._alive_write = os.pipe()
        """Only the supervisor can write to it, so that children read its end when the supervisor has ended."""
        self._own = (self._wakeup_read, self._wakeup_write, self._ready_read, self._check_read, self._alive_write)
        for descriptor in (self._wakeup_read, self._wakeup_write, self._ready_read, self._check_read):
            os.set_blocking(descriptor, False)

    def run(self) -> None:
        for each in _SIGNALS:
            signal.signal(each, lambda *_: None)  # their numbers are written to the wakeup descriptor
        signal.set_wakeup_fd(self._wakeup_write, warn_on_full_buffer=False)
        self._start_generation()
        while self._children or not self._stopping:
            self._wait()
            for number in _read(self._wakeup_read):
                self._handle_signal(number)
            for (process,) in _PID.iter_unpack(_read(self._ready_read)):
                self._worker_ready(process)
            self._reap()
            self._handle_deadlines(time.monotonic())
        if self._error:
            raise ServerError(self._error)

    def _wait(self) -> None:
        """Until a signal, a worker that is ready, or the next thing to do."""
        next_time = min([*self._restarts.values(), *(child.kill_at for child in self._children.values())], default=inf)
        poll = select.poll()
        poll.register(self._wakeup_read, select.POLLIN)
        poll.register(self._ready_read, select.POLLIN)
        poll.poll(None if next_time == inf else max(0.0, next_time - time.monotonic()) * 1000)

    def _handle_signal(self, number: int) -> None:
        if number in (signal.SIGTERM, signal.SIGINT):
            self._stop()
        elif number == signal.SIGHUP and not self._stopping:
            self._reload = True
            if self._generations() >= GENERATIONS:
                _log.info("the reload waits until workers of earlier generations have ended")

    def _handle_deadlines(self, now: float) -> None:
        for process, child in self._children.items():
            if child.kill_at <= now:
                end = "start" if child.generation and not child.stopped else "end"
                _log.warning("%s takes too long to %s and is killed", child.name, end)
                child.kill_at = inf
                os.kill(process, signal.SIGKILL)
        for number, due in list(self._restarts.items()):
            if due <= now:
                del self._restarts[number]
                if not self._start_worker(number, self._current):
                    self._restart_later(number, 0.0)
        busy = self._stopping or self._starting or any(not child.generation for child in self._children.values())
        if self._reload and not busy and self._generations() < GENERATIONS:
            self._reload = False
            self._start_check()

    # -- generations

    def _generations(self) -> int:
        return len({child.generation for child in self._children.values()} - {0})

    def _start_generation(self) -> None:
        self._last = self._starting = self._last + 1
        try:
            self._loaded[self._starting] = self._load()
        except Exception as error:  # whatever it is, the old generation goes on
            self._bad_start(_why(error))
            return
        for number in self._numbers:
            if not self._start_worker(number, self._starting):
                self._bad_start("a process cannot be started")
                return

    def _worker_ready(self, process: int) -> None:
        child = self._children.get(process)
        if child is None or child.stopped:
            return
        child.ready = True
        child.kill_at = inf
        workers = [each for each in self._children.values() if each.generation == self._starting]
        if child.generation == self._starting and all(each.ready for each in workers):
            self._switch()

    def _switch(self) -> None:
        """All workers of the new generation are ready: those of the old one drain."""
        old, self._current, self._starting = self._current, self._starting, 0
        self._restarts.clear()
        self._pauses.clear()
        self._terminate(old)
        self._loaded.pop(old, None)
        text = f"generation {self._current} is ready (workers: {len(self._numbers)})"
        _log.info("%s", text)
        self._report(text)

    def _bad_start(self, text: str) -> None:
        failed, self._starting = self._starting, 0
        self._loaded.pop(failed, None)
        if self._current:
            self._terminate(failed)
            self._reload_failed(text)
        else:
            self._error = text
            self._stop()

    def _reload_failed(self, text: str) -> None:
        text = f"not reloaded, the old configuration stays in force: {text}"
        _log.error("%s", text)
        self._report(text, failed=True)

    def _report(self, text: str, *, failed: bool = False) -> None:
        """Let systemd and workers know how a start or reload has ended."""
        notify("READY=1", f"STATUS={text}")  # sd_notify(3): also after a reload that failed
        if self._folder is None:
            return
        self._results += 1
        new = self._folder / f"{_RESULT}.new"
        try:
            new.write_text(f"{self._results} {'failed' if failed else 'done'} {printable(text)}")
            new.replace(self._folder / _RESULT)
        except OSError as error:
            _log.error("the result cannot be written: %s", reason(error))

    def _start_check(self) -> None:
        notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}", "STATUS=reloading")
        now = time.monotonic()
        if not self._fork(_Child("the check of the configuration", 0, 0, now, now + START), self._run_check):
            self._reload_failed("a process cannot be started")

    def _checked(self, status: int) -> None:
        text = _read(self._check_read).decode(errors="replace")
        if self._stopping:
            return
        if status == 0:
            self._start_generation()
        else:
            self._reload_failed(printable(text) or f"the check of the configuration {_how_it_ended(status)}")

    # -- processes

    def _start_worker(self, number: int, generation: int) -> bool:
        now = time.monotonic()
        child = _Child(f"worker {number} of generation {generation}", number, generation, now, now + START)
        return self._fork(child, lambda: self._run_work(number, generation))

    def _worker_ended(self, child: _Child, status: int) -> None:
        if child.stopped:
            _log.debug("%s %s", child.name, _how_it_ended(status))
        elif child.generation == self._current:
            _log.warning("%s %s", child.name, _how_it_ended(status))
            self._restart_later(child.number, time.monotonic() - child.started)
        else:
            self._bad_start(f"{child.name} {_how_it_ended(status)} before all were ready")

    def _restart_later(self, number: int, lived: float) -> None:
        shortest, longest = PAUSES
        last = 0.0 if lived >= LIFE else self._pauses.get(number, 0.0)
        pause = self._pauses[number] = min(max(shortest, 2 * last), longest)
        self._restarts[number] = time.monotonic() + pause
        _log.info("worker %d is started again in %.1f s", number, pause)

    def _stop(self) -> None:
        if self._stopping:
            for process in self._children:
                os.kill(process, signal.SIGKILL)
            return
        self._stopping = True
        _log.info("stopping")
        notify("STOPPING=1", f"STATUS={self._error or 'stopping'}")
        self._restarts.clear()
        for listening in chain.from_iterable(self._sockets.values()):
            listening.close()  # or connections would wait for workers that accept no more
        for generation in {child.generation for child in self._children.values()}:
            self._terminate(generation)

    def _terminate(self, generation: int) -> None:
        for process, child in self._children.items():
            if child.generation == generation and not child.stopped:
                child.stopped = True
                child.kill_at = time.monotonic() + self._drain
                os.kill(process, signal.SIGTERM)

    def _reap(self) -> None:
        """Wait for the children that have ended: as process 1 of a container, also for those of others."""
        with suppress(ChildProcessError):
            while True:
                process, status = os.waitpid(-1, os.WNOHANG)
                if not process:
                    return
                child = self._children.pop(process, None)
                if child and child.generation:
                    self._worker_ended(child, os.waitstatus_to_exitcode(status))
                elif child:
                    self._checked(os.waitstatus_to_exitcode(status))

    def _fork(self, child: _Child, body: Callable[[], None]) -> bool:
        """Run `body` in a new process; false if the system has no more of them."""
        # Until a child has its own handlers, a signal to it would be written into the supervisor's pipe.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            process = os.fork()
            if process == 0:
                self._run_child(child, body)
        except OSError as error:
            _log.error("%s cannot be started: %s", child.name, reason(error))
            return False
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        self._children[process] = child
        return True

    # -- in a child

    def _run_child(self, child: _Child, body: Callable[[], None]) -> NoReturn:
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGHUP, signal.SIGINT):  # a terminal sends them to all processes
                signal.signal(number, signal.SIG_IGN)
            for number in (signal.SIGCHLD, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            for descriptor in self._own:
                os.close(descriptor)
            body()
            status = 0
        except BaseException as error:  # whatever it is, it ends this process and goes no further
            _log.error("%s: %s", child.name, printable(f"{type(error).__name__}: {error}"))
            _log.debug("where it was raised:", exc_info=True)
        finally:
            os._exit(status)

    def _run_work(self, number: int, generation: int) -> None:
        stop, stopping = socket.socketpair()
        signal.signal(signal.SIGTERM, lambda *_: stop.close())
        self._begin(stop.close, self._drain)
        self._work(
            Worker(
                number, generation, self._sockets, stopping, self._ready_write, self._folder, self._loaded[generation]
            )
        )

    def _run_check(self) -> None:
        self._begin(lambda: None, 0.0)
        try:
            self._load()
        except Exception as error:
            os.write(self._check_write, _why(error)[:_TEXT].encode(errors="replace"))
            if not isinstance(error, ServerError):
                raise
            os._exit(1)

    def _begin(self, stop: Callable[[], None], drain: float) -> None:
        """Accept signals, and end when the supervisor has ended, even if it was killed and `stop` is not heeded."""

        def end_with_supervisor() -> None:
            os.read(self._alive_read, 1)
            stop()
            time.sleep(drain)
            os._exit(1)

        # Started while signals are blocked, the thread does not get any: they interrupt the main thread.
        threading.Thread(target=end_with_supervisor, name="sieveav-supervisor", daemon=True).start()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)


def _why(error: Exception) -> str:
    """Why something cannot be loaded, in one line."""
    return printable(str(error) if isinstance(error, ServerError) else f"{type(error).__name__}: {error}")


def _read(descriptor: int) -> bytes:
    """What there is to read from a pipe, b"" if nothing. 4096 octets end between two process ids."""
    try:
        return os.read(descriptor, 4096)
    except BlockingIOError:
        return b""


def _how_it_ended(status: int) -> str:
    """How a process has ended, by its exit code; a negative one is a signal."""
    if status < 0:
        return f"was killed by signal {-status} ({signal.strsignal(-status)})"
    return f"ended with status {status}"
