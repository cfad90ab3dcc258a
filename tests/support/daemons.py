"""daemons: Debian's daemons, started for tests in directories of their own and stopped by process id."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!" + b"$H+H*"

SIGNATURES = {
    "test.ndb": f"Eicar-Test-Signature:0:*:{EICAR.hex()}\n",
    "test.hdb": "aa15bcf478d165efd2065190eb473bcb:544:ClamAV-Test-File\n",
}
"""A database for the tests, which needs no network: EICAR anywhere, and Debian's clam.exe by its hash."""

START = 30.0
"""Seconds until a daemon must answer; with this database clamd takes well under one."""

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


def until_it_answers(
    name: str, process: subprocess.Popen[bytes], answers: Callable[[], bool], *logs: Path, seconds: float = START
) -> None:
    """Wait until a daemon that was started answers. RuntimeError, with its logs, if it does not in time, or has ended. An
    OSError of `answers` means that it does not answer yet."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError):
            if answers():
                return
        time.sleep(0.02)
    written = "".join(log.read_text(errors="replace") for log in logs if log.exists())
    raise RuntimeError(f"{name} does not answer: {written}")


def end(process: subprocess.Popen[bytes], seconds: float = 10) -> None:
    """End a daemon, by force after so many seconds, and wait until it has ended."""
    if process.poll() is None:
        process.send_signal(signal.SIGCONT)
        process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)


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
        until_it_answers("clamd", process, lambda: running.ask("PING") == b"PONG\0", directory / "clamd.out")
        yield running
    finally:
        end(process)


# ---- Redis


def redis_program() -> str | None:
    """The path of redis-server, None when it is not installed."""
    return shutil.which("redis-server")


@dataclass
class Redis:
    """A Redis that can be killed and started again, without what it had: it writes nothing to a disk."""

    directory: Path
    port: int
    """Its TCP port on 127.0.0.1."""
    password: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Further lines of its configuration."""
    process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> str:
        """The path of its unix socket."""
        return str(self.directory / "redis.sock")

    @property
    def url(self) -> str:
        """The store of a configuration."""
        login = f":{self.password}@" if self.password else ""
        return f"redis://{login}127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        program = redis_program()
        if program is None:
            raise FileNotFoundError("redis-server is not installed")
        settings = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "unixsocket": self.socket,
            "dir": str(self.directory),
            "daemonize": "no",
            "save": '""',
            "appendonly": "no",
            **({"requirepass": self.password} if self.password else {}),
            **self.settings,
        }
        file = self.directory / "redis.conf"
        file.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
        with (self.directory / "redis.out").open("wb") as output:
            self.process = subprocess.Popen([program, str(file)], stdout=output, stderr=output)
        until_it_answers("redis", self.process, lambda: self.ask("PING") == b"+PONG\r\n", self.directory / "redis.out")

    def signal(self, number: int) -> None:
        """Send a signal, such as SIGSTOP, to this daemon only."""
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        """Kill it, and wait until it has ended."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)

    def ask(self, command: str) -> bytes:
        """The reply to one command, as it comes over the wire."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(self.socket)
            login = f"AUTH {self.password}\r\n" if self.password else ""
            connection.sendall(f"{login}{command}\r\nQUIT\r\n".encode())
            reply = b"".join(iter(lambda: connection.recv(4096), b""))
        return reply.removeprefix(b"+OK\r\n" if login else b"").removesuffix(b"+OK\r\n")


@contextmanager
def redis(directory: Path, password: str = "", **settings: str) -> Iterator[Redis]:
    """A Redis that answers, in `directory`; `settings` are added to its configuration. Ended on exit."""
    running = Redis(directory, free_port(), password, settings)
    try:
        running.start()
        yield running
    finally:
        running.kill()


# ---- c-icap


def c_icap_program() -> str | None:
    """The path of c-icap, None when it or its virus scanner is not installed."""
    return shutil.which("c-icap") if _c_icap_modules() else None


def _c_icap_modules() -> Path | None:
    return next((module.parent for module in Path("/usr/lib").glob("*/c_icap/virus_scan.so")), None)


@contextmanager
def c_icap(directory: Path, scanner: Clamd) -> Iterator[int]:
    """A c-icap whose service `avscan` asks this clamd, which must be able to read `directory`; its port. Ended on exit."""
    program, modules = c_icap_program(), _c_icap_modules()
    if program is None:
        raise FileNotFoundError("c-icap is not installed")
    directory.mkdir()
    port = free_port()
    file = directory / "c-icap.conf"
    file.write_text(
        f"""
        PidFile {directory}/pid
        CommandsSocket {directory}/control
        Port 127.0.0.1:{port}
        StartServers 1
        MaxServers 1
        ThreadsPerChild 40
        MinSpareThreads 1
        MaxSpareThreads 40
        MaxRequestsPerChild 0
        TmpDir {directory}
        ServerLog {directory}/server.log
        AccessLog {directory}/access.log
        LoadMagicFile /etc/c-icap/c-icap.magic
        TemplateDir /usr/share/c_icap/templates/
        TemplateDefaultLanguage en
        ModulesDir {modules}
        ServicesDir {modules}
        Module common clamd_mod.so
        clamd_mod.ClamdSocket {scanner.socket}
        Service antivirus_module virus_scan.so
        ServiceAlias avscan virus_scan?allow204=on&sizelimit=off&mode=simple
        virus_scan.DefaultEngine clamd
        virus_scan.ScanFileTypes TEXT DATA EXECUTABLE ARCHIVE GIF JPEG MSOFFICE
        virus_scan.SendPercentData 5
        virus_scan.StartSendPercentDataAfter 1M
        virus_scan.MaxObjectSize 5M
        """
    )
    with (directory / "c-icap.out").open("wb") as output:
        process = subprocess.Popen([program, "-N", "-f", str(file)], stdout=output, stderr=output)
    try:
        until_it_answers("c-icap", process, lambda: _accepts(port), directory / "server.log")
        yield port
    finally:
        end(process)


def _accepts(port: int) -> bool:
    socket.create_connection(("127.0.0.1", port), 1).close()
    return True
