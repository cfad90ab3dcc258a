"""children: the arguments of a program into a process of it, which is spoken to as a daemon is, and never outlives its use.

A process gets a fixed environment, a session of its own, and a socket as its standard input and output, as inetd does. What it
writes to its standard error is logged. When the connection is closed, the process and its children are killed. When this
process is killed, it sees the end of its input.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from sieveav.options import TEXTS, Option
from sieveav.scanning.connecting import Address, Connection
from sieveav.scanning.contract import Deadline
from sieveav.scanning.dialogue import text
from sieveav.scanning.failover import Unreached
from sieveav.verdict import plain

if TYPE_CHECKING:
    import subprocess

_log = logging.getLogger(__name__)

ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
"""All that a program finds in its environment. /usr/bin/env as the program adds to it."""

LOGGED = 20
"""Lines of a process's standard error that are logged in a minute, at most."""

_READ = 4096
"""Octets read from it at a time; a longer line is cut."""

COMMAND = Option("command", TEXTS, (), "the program, by its absolute path, and its arguments; no shell reads them")


def checked(command: Sequence[str]) -> tuple[str, ...]:
    """The value of the option `command`. ValueError, with the reason, if it cannot be run."""
    if not command:
        raise ValueError("command: the path of a program is needed")
    if not command[0].startswith("/"):
        raise ValueError(f'command: "{plain(command[0])}" is not an absolute path')
    if any("\0" in argument for argument in command):
        raise ValueError("command: an argument contains NUL")
    if not (Path(command[0]).is_file() and os.access(command[0], os.X_OK)):
        raise ValueError(f'command: "{plain(command[0])}" is not a program that may be run')
    return tuple(command)


class Child(Connection):
    """A connection to a process of its own, which `open` starts and `close` kills. It gets the open files `files` too, whose
    descriptors have the same numbers there."""

    def __init__(self, command: Sequence[str], deadline: Deadline, files: Sequence[int] = ()) -> None:
        super().__init__(Address(command[0], 0), deadline)
        self._command = command
        self._files = files
        self._lock = threading.Lock()
        """Held while the process is killed and while it is reaped: its number may be another's afterwards."""
        self._status: int | None = None

    def open(self) -> None:
        """Start the process. Raises Unreached if the system refuses."""
        try:
            with ExitStack() as ours, ExitStack() as theirs:
                self._socket, spoken = _pair(ours, theirs)
                self._errors, errors = _pair(ours, theirs)
                self._socket.setblocking(False)
                self._process = self._run(spoken, errors)
                ours.callback(self._process.wait)
                ours.callback(self._kill)
                self._keeper = threading.Thread(target=self._keep, name="sieveav-child", daemon=True)
                self._keeper.start()
                ours.pop_all()
        except (OSError, RuntimeError) as error:  # RuntimeError: the system has no more threads
            raise Unreached(f"cannot be started: {getattr(error, 'strerror', '') or error}") from None

    def _run(self, spoken: socket.socket, errors: socket.socket) -> subprocess.Popen[bytes]:
        import subprocess  # 5 ms, which most commands do not need

        return subprocess.Popen(  # noqa: S603  # the site's own program, without a shell
            self._command,
            stdin=spoken.fileno(),
            stdout=spoken.fileno(),
            stderr=errors.fileno(),
            cwd="/",
            env=ENVIRONMENT,
            start_new_session=True,
            pass_fds=self._files,
        )

    def close(self) -> None:
        """Kill the process, and what it has started in its session."""
        super().close()
        with self._lock:
            if self._process.returncode is None:
                self._kill()
                with suppress(OSError):
                    self._errors.shutdown(socket.SHUT_RDWR)  # the keeper need not wait for processes that have escaped

    def exit_status(self) -> int:
        """The exit status of the process, once it has ended by itself; negative: the number of the signal that ended it. Raises
        Unreached if it does not end in time, or if the system does not say."""
        with suppress(TimeoutError):
            self._keeper.join(self._left())
        if self._keeper.is_alive():
            raise Unreached("timeout: the program does not end")
        if self._status is None:
            raise Unreached("its exit status is not known")
        return self._status

    def _kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _keep(self) -> None:
        """Log what the process says on its standard error, and reap it when it has ended."""
        with suppress(OSError):
            _log_lines(self._command[0], self._errors.recv)
        ended = None
        with suppress(ChildProcessError):  # SIGCHLD is ignored; Popen would take that for the exit status 0
            ended = os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        with self._lock:
            if ended:
                self._status = ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
                self._kill()  # what it has started, while its number is not another's
            self._process.wait()
            self._errors.close()


def _pair(ours: ExitStack, theirs: ExitStack) -> tuple[socket.socket, socket.socket]:
    """Our end and the other end of a connection, each closed by its stack."""
    mine, other = socket.socketpair()
    return ours.enter_context(mine), theirs.enter_context(other)


def _log_lines(name: str, read: Callable[[int], bytes]) -> None:
    """Log lines up to the end, as plain text."""
    begun, logged = 0.0, 0
    for said in filter(None, map(text, _lines(read))):
        if time.monotonic() - begun > 60:
            begun, logged = time.monotonic(), 0
        logged += 1
        if logged <= LOGGED:
            _log.warning("%s: %s", name, said)
        elif logged == LOGGED + 1:
            _log.warning("%s: further lines of this minute are not logged", name)


def _lines(read: Callable[[int], bytes]) -> Iterator[bytes]:
    """Lines up to the end; a very long one is cut into several."""
    unfinished = b""
    while octets := read(_READ):
        *lines, unfinished = (unfinished + octets).split(b"\n")
        yield from lines
        if len(unfinished) > _READ:
            yield unfinished
            unfinished = b""
    yield unfinished
