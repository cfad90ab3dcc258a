"""programs: an external scanner program into an engine: a few processes of it, each asked one thing at a time.

A process is started when one is needed, and used from then on. It must first say its version, for which it has START seconds,
however many scans give up meanwhile: a kit may take longer to load its definitions than one scan may wait. Whatever it does
that the protocol (`program_lines`) does not allow, and a scan that takes too long, ends it; the next scan gets another.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from sieveav.options import BOOLEAN, Option, integer
from sieveav.scanning import naming, program_lines
from sieveav.scanning.children import COMMAND, Child, checked
from sieveav.scanning.connecting import Address, Connection
from sieveav.scanning.contract import Content, Deadline, Engine
from sieveav.scanning.daemon import Daemon, Protocol
from sieveav.scanning.dialogue import Answer, Dialogue, Request, run
from sieveav.scanning.failover import Failover, ProtocolError, Unreached
from sieveav.scanning.wrapping import lock_timeout
from sieveav.verdict import Verdict

START = 120.0
"""Seconds that a process may take until it has said its version."""

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 30.0
"""Seconds until another process is started after one that failed before it had said its version; twice as many each time."""

INLINE = Option(
    "inline", BOOLEAN, False, "whether the program gets contents in its requests, instead of the paths of files"
)

CONCURRENCY = Option("max_concurrency", integer(1, 1000), 4, "scans at a time at most, and so processes of the program")

OPTIONS = (COMMAND, INLINE, CONCURRENCY, *naming.OPTIONS)
"""The options of an engine that asks an external scanner program."""


class Programs(Daemon):
    """The processes of one program, `most` at a time, as a server of the engine `engine`. Each gets the `options`, and
    the open files `files`."""

    idle = math.inf

    def __init__(
        self,
        engine: str,
        command: Sequence[str],
        protocol: Protocol,
        values: Mapping[str, Any],
        most: int,
        options: Mapping[str, Any],
        files: Sequence[int] = (),
    ) -> None:
        self._starting: list[tuple[float, Child]] = []
        """Processes that have not said their version, and when they must have."""
        super().__init__(engine, Address(command[0], 0), protocol, values)
        self._command = command
        self._files = files
        self._greeting = program_lines.begin(options)
        self._places = threading.BoundedSemaphore(most)
        self._failures = 0
        self._next_start = 0.0

    def attempt(self, content: Content, deadline: Deadline) -> Verdict:
        with self._place(deadline):
            return super().attempt(content, deadline)

    def _once(self, question: Callable[[Request], Dialogue[Any]], deadline: Deadline) -> Any:
        with self._place(deadline), ExitStack() as stack:
            child = self._kept() or self._connect(deadline)
            stack.callback(child.close)
            child.ask(deadline)
            answer = run(child, question(Request(Content(b""), deadline, values=self._values)))
            stack.pop_all()
            self._idle.append((time.monotonic(), child))  # `_kept` sees whether it has said more
            return answer

    @contextmanager
    def _place(self, deadline: Deadline) -> Iterator[None]:
        if not self._places.acquire(timeout=lock_timeout(deadline)):
            raise Unreached("timeout: all processes are busy")
        try:
            yield
        finally:
            self._places.release()

    def _connect(self, deadline: Deadline) -> Connection:
        """A process that has said its version."""
        try:
            until, child = self._starting.pop()
        except IndexError:
            until, child = self._start(deadline)
        child.ask(Deadline(min(deadline.at, until)))
        try:
            run(child, program_lines.begun())
        except (Unreached, ProtocolError) as fault:
            if deadline.left() <= 0 < until - time.monotonic():
                self._starting.append((until, child))
                raise Unreached("timeout: the program is still starting") from None
            child.close()
            self._failed()
            raise Unreached(f"did not start: {fault}") from None
        self._failures = 0
        child.ask(deadline)
        return child

    def _start(self, deadline: Deadline) -> tuple[float, Child]:
        while (pause := self._next_start - time.monotonic()) > 0:
            if pause >= deadline.left():
                raise Unreached(f"did not start, and is not tried for another {pause:.1f} s")
            time.sleep(pause)
        child = Child(self._command, deadline, self._files)
        try:
            child.open()
        except Unreached:
            self._failed()
            raise
        try:
            child.send((self._greeting,))
        except Unreached:
            child.close()
            raise
        return time.monotonic() + START, child

    def _failed(self) -> None:
        self._next_start = time.monotonic() + min(FIRST_PAUSE * 2.0**self._failures, LONGEST_PAUSE)
        self._failures = min(self._failures + 1, 10)

    def __del__(self) -> None:
        super().__del__()
        for _, child in self._starting:
            child.close()


def maker(
    *handed: str, scan: Callable[[Request], Dialogue[Answer]] = program_lines.scan, most: str = "max_concurrency"
) -> Callable[[str, Mapping[str, Any]], Engine]:
    """The function that makes an engine, as `EngineType.make`, from values that have `OPTIONS`. The program gets the options
    whose names are `handed`; the option `most` says how many processes there are."""

    def make(name: str, values: Mapping[str, Any]) -> Engine:
        protocol = Protocol(0, scan, program_lines.stats, program_lines.version, needs_file=not values["inline"])
        options = {option: values[option] for option in handed}
        programs = Programs(name, checked(values["command"]), protocol, values, values[most], options)
        return Failover(name, [programs])

    return make
