"""helpers: an archive to the layers in it, by a helper process, which is then kept for the next one.

A helper is started when one is needed. What it sends is as untrusted as the archive is.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from sieveav.scanning.children import Child
from sieveav.scanning.containers.frames import (
    CLOSED,
    DATA,
    ENCRYPTED,
    END,
    FAULT,
    FRAME,
    LIMIT,
    LIMITED,
    LONGEST,
    MEMBER,
    MISSING,
    REQUEST,
    UNUSUAL,
)
from sieveav.scanning.failover import ProtocolError, Unreached
from sieveav.scanning.layers import Budget, Item, Obstacle, member, unusually
from sieveav.scanning.wrapping import lock_timeout
from sieveav.verdict import Status

_log = logging.getLogger(__name__)

_ROOT = str(Path(__file__).parents[3])

COMMAND = (
    sys.executable,
    "-I",
    "-c",
    f"import sys; sys.path.insert(0, {_ROOT!r}); from sieveav.scanning.containers.worker import main; main()",
)
"""Not `-m`, since a program may have sieveav in its search path without having installed it."""

TOO_MUCH = Obstacle(Status.LIMITS, "an archive takes too much memory or time to unpack")

Frame = tuple[bytes, bytes]
"""Kind and octets."""


class Missing(Exception):
    """The libraries of the extra `containers` are not installed."""


class Helpers:
    """Helper processes, as many as there are processors at most. Safe to use from several threads."""

    def __init__(self, command: Sequence[str] = COMMAND) -> None:
        self._command = command
        self._places = threading.BoundedSemaphore(len(os.sched_getaffinity(0)))
        self._lock = threading.Lock()
        self._idle: list[Child] = []
        self._is_missing = False

    def contents(self, kind: str, name: str, octets: bytes, budget: Budget, inner: str = "") -> Iterator[Item]:
        """What is in an archive of the format `kind`, whose layer is called `name`; `inner` is the name of what is in it, if
        the format has no names. Raises Missing.

        All of it is read before anything is yielded: nobody who has a helper waits for another. `budget` is over only when all
        that was read within it has been yielded.
        """
        within = Budget(budget.deadline, budget.members, budget.octets)
        with closing(self._frames(kind, octets, within)) as frames:
            items = list(_items(frames, name, inner, len(octets), within))
        budget.octets = within.octets
        yield from items
        budget.over = budget.over or within.over

    def close(self) -> None:
        """End the helpers that nobody uses."""
        with self._lock:
            while self._idle:
                self._idle.pop().close()

    def _frames(self, kind: str, octets: bytes, budget: Budget) -> Generator[Frame, None, None]:
        """The frames of an answer, without its end; the last is FAULT if the answer is incomplete although `budget` is not
        over."""
        if self._is_missing:
            raise Missing
        if not self._places.acquire(timeout=lock_timeout(budget.deadline)):
            budget.check()
            return
        with ExitStack() as place, ExitStack() as use:
            place.callback(self._places.release)
            try:
                child = self._helper(budget)
            except Unreached as fault:
                budget.over = Obstacle(Status.ERROR, f"unpacking archives: {fault}")
                return
            use.callback(child.close)
            child.send((REQUEST.pack(kind.encode(), budget.deadline.left(), len(octets)), octets))
            try:
                while (frame := _frame(child))[0] != END:
                    if frame[0] == LIMIT:
                        budget.over = TOO_MUCH
                    else:
                        yield frame
            except (Unreached, ProtocolError):
                if budget.check():
                    self._note_end(child, budget)
                if budget.over is None:
                    yield FAULT, b""
            else:
                use.pop_all()
                with self._lock:
                    self._idle.append(child)

    def _helper(self, budget: Budget) -> Child:
        """A helper that nobody uses, or a new one. Raises Unreached if it cannot be started."""
        while True:
            with self._lock:
                child = self._idle.pop() if self._idle else None
            if child is None:
                break
            child.ask(budget.deadline)
            if child.is_idle:
                return child
            child.close()
        child = Child(self._command, budget.deadline)
        child.open()
        return child

    def _note_end(self, child: Child, budget: Budget) -> None:
        """Note why a helper has ended. Raises Missing."""
        try:
            status = child.exit_status()
        except Unreached:
            budget.check()
            return
        if status == LIMITED:
            budget.over = TOO_MUCH
        if status == MISSING:
            with self._lock:
                if not self._is_missing:
                    _log.warning(
                        "archives such as RAR and 7z are unscannable, unless the engine opens them: "
                        "install sieveav[containers] and the library libarchive (Debian's libarchive13)"
                    )
                self._is_missing = True
            raise Missing


def _frame(child: Child) -> Frame:
    """The next frame. Raises Unreached or ProtocolError if there is none."""
    kind, size = FRAME.unpack(child.octets(FRAME.size))
    if size > LONGEST:
        child.close()
        raise ProtocolError("a frame that is too long")
    return kind, child.octets(size)


def _items(frames: Iterator[Frame], name: str, inner: str, packed: int, budget: Budget) -> Iterator[Item]:
    is_unusual = False
    for kind, octets in frames:
        if not budget.member():
            return
        path = f"{name}/{inner or octets.decode('utf-8', 'replace')}"
        if kind == UNUSUAL:
            is_unusual = True
        elif kind == MEMBER:
            items = member(path, _content(frames, budget), budget, packed)
            yield from unusually(items) if is_unusual else items
        elif kind == ENCRYPTED:
            yield Obstacle(Status.ENCRYPTED, f"encrypted: {path}")
        else:
            yield Obstacle(Status.UNSCANNABLE, f"broken or unknown archive: {name}")
        if budget.over:
            return


def _content(frames: Iterator[Frame], budget: Budget) -> Iterator[bytes]:
    """The octets of a member. EOFError if it does not come to its end although `budget` is not over."""
    for kind, octets in frames:
        if kind == CLOSED:
            return
        if kind != DATA:
            break
        yield octets
    if budget.over is None:
        raise EOFError


HELPERS = Helpers()
"""Those of this process."""

atexit.register(HELPERS.close)
