"""daemons: Debian's daemons, started for tests in directories of their own and stopped by process id."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!" + b"$H+H*"

SIGNATURES = {
    "test.ndb": f"Eicar-Test-Signature:0:*:{EICAR.hex()}\n",
    "test.hdb": "aa15bcf478d165efd2065190eb473bcb:544:ClamAV-Test-File\n",
}
"""A database for the tests, which needs no network: EICAR anywhere, and Debian's clam.exe by its hash."""

START = 30.0
"""Seconds until clamd must answer; with this database it takes well under one."""

_SBIN = "/usr/sbin:/usr/local/sbin:/opt/clamav/sbin"


def need(there: bool, what: str) -> None:
    """Skip a test for lack of `what`, or fail it where real daemons are required."""
    if not there:
        if os.environ.get("SIEVEAV_REQUIRE_REAL") == "1":
            pytest.fail(f"{what} is not installed, and SIEVEAV_REQUIRE_REAL=1")
        pytest.skip(f"{what} is not installed")


def clamd_program() -> str | None:
    """The path of clamd, None when it is not installed."""
    return shutil.which("clamd", path=os.environ.get("PATH", "") + os.pathsep + _SBIN)


@dataclass
class Clamd:
    """A running clamd."""

    socket: str
    """The path of its unix socket."""
    port: int
    """Its TCP port on 127.0.0.1."""
    process: subprocess.Popen[bytes]
    database: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def signal(self, number: int) -> None:
        """Send a signal, such as SIGSTOP, to this daemon only."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """Kill it, and wait until it has ended."""
        self.process.kill()
        self.process.wait(10)

    def ask(self, command: str) -> bytes:
        """The reply to one command."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(self.socket)
            connection.sendall(b"z" + command.encode() + b"\0")
            return b"".join(iter(lambda: connection.recv(4096), b""))


StartClamd = Callable[..., Clamd]
"""The fixture `start_clamd`: starts a clamd with these settings of its configuration; it is ended after the test."""


def free_port() -> int:
    """A free TCP port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def clamd(directory: Path, **settings: str) -> Iterator[Clamd]:
    """A clamd that answers, in `directory`; `settings` are added to its configuration. Ended on exit."""
    program = clamd_program()
    if program is None:
        raise FileNotFoundError("clamd is not installed")
    database = directory / "database"
    database.mkdir(parents=True)
    for name, text in SIGNATURES.items():
        (database / name).write_text(text)
    port = free_port()
    configuration = {
        "Foreground": "yes",
        "DatabaseDirectory": str(database),
        "TemporaryDirectory": str(directory),
        "LocalSocket": str(directory / "clamd.sock"),
        "TCPSocket": str(port),
        "TCPAddr": "127.0.0.1",
        "AlertEncrypted": "yes",
        "AlertOLE2Macros": "yes",
        "AlertExceedsMax": "yes",
        "StreamMaxLength": "10M",
        **({"User": "root"} if os.geteuid() == 0 else {}),
        **settings,
    }
    file = directory / "clamd.conf"
    file.write_text("".join(f"{name} {value}\n" for name, value in configuration.items()))
    with (directory / "clamd.out").open("wb") as output:
        process = subprocess.Popen([program, f"--config-file={file}"], stdout=output, stderr=output)
    running = Clamd(configuration["LocalSocket"], port, process, database)
    try:
        _wait(running, directory / "clamd.out")
        yield running
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            running.kill()


def _wait(running: Clamd, output: Path) -> None:
    deadline = time.monotonic() + START
    while time.monotonic() < deadline:
        if running.process.poll() is not None:
            break
        try:
            if running.ask("PING") == b"PONG\0":
                return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError(f"clamd does not answer: {output.read_text(errors='replace')}")
