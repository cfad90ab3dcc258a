"""children: how processes are started, spoken to and ended. They are Python scripts of the test."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import kits
from support.faults import ENOUGH

from sieveav.scanning import children
from sieveav.scanning.children import Child, checked
from sieveav.scanning.contract import Deadline
from sieveav.scanning.failover import Unreached


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    with kits.nothing_left():
        yield


def started(directory: Path, text: str, seconds: float = 20.0, name: str = "script.py") -> Child:
    return Child(kits.script(directory / name, text), Deadline.after(seconds))


def alive(number: int) -> bool:
    """Whether a process runs: not whether its number is still known."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone(number: int) -> bool:
    """Wait until a process has ended."""
    until = time.monotonic() + 10
    while alive(number) and time.monotonic() < until:
        os.sched_yield()
    return not alive(number)


def keepers_end() -> bool:
    """Wait for the threads that reap processes."""
    keepers = [thread for thread in threading.enumerate() if thread.name == "sieveav-child"]
    for thread in keepers:
        thread.join(10)
    return not any(thread.is_alive() for thread in keepers)


def test_what_a_process_gets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fixed environment, another directory, a session of its own, and no files but the standard ones."""
    monkeypatch.setenv("SECRET", "x")
    text = """
import json, os, sys
files = [name for name in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd/" + name)]
print(json.dumps([dict(os.environ), os.getcwd(), os.getsid(0) == os.getpid(), sorted(map(int, files)), sys.stdin.read()]))
"""
    with started(tmp_path, "input()", name="other.py"), started(tmp_path, text) as child:
        child.send((b"hello",))
        child.end()
        environment, directory, is_leader, files, said = json.loads(child.rest(10_000))
        assert child.exit_status() == 0
    assert {name: environment[name] for name in children.ENVIRONMENT} == children.ENVIRONMENT
    assert environment.keys() - children.ENVIRONMENT.keys() <= {"LC_CTYPE"}  # Python's own
    assert (directory, is_leader, files, said) == ("/", True, [0, 1, 2], "hello")


@pytest.mark.parametrize(("text", "status"), [("raise SystemExit(7)", 7), ("import os; os.kill(os.getpid(), 15)", -15)])
def test_exit_statuses(tmp_path: Path, text: str, status: int) -> None:
    with started(tmp_path, text) as child:
        assert child.exit_status() == status


def test_an_exit_status_that_is_not_known(tmp_path: Path) -> None:
    """It is not taken for 0, which Popen would do."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        with started(tmp_path, "raise SystemExit(1)") as child, pytest.raises(Unreached, match="not known"):
            child.exit_status()
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_a_process_that_does_not_end(tmp_path: Path) -> None:
    with started(tmp_path, "import time; time.sleep(60)", 0.1) as child, pytest.raises(Unreached, match="timeout"):
        child.exit_status()


@pytest.mark.parametrize("ignore", ["", "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"])
def test_a_process_is_killed_with_what_it_has_started(tmp_path: Path, ignore: str) -> None:
    text = f"""
import subprocess, sys
{ignore}
other = subprocess.Popen([sys.executable, "-I", "-S", "-c", "import time; time.sleep(60)"])
print(other.pid, flush=True)
other.wait()
"""
    with started(tmp_path, text) as child:
        other = int(child.line(100))
        assert alive(other)
    assert gone(other)


def test_what_a_process_leaves_behind_is_killed_too(tmp_path: Path) -> None:
    text = """
import subprocess, sys
nothing = subprocess.DEVNULL
other = subprocess.Popen([sys.executable, "-I", "-S", "-c", "import time; time.sleep(60)"], stdout=nothing, stderr=nothing)
print(other.pid, flush=True)
"""
    with started(tmp_path, text) as child:
        other = int(child.line(100))
        assert child.exit_status() == 0
        assert gone(other)


def test_a_process_that_escapes_keeps_no_thread(tmp_path: Path) -> None:
    """It has a session of its own, and still has the standard error."""
    text = """
import subprocess, sys
code = "import sys, time; time.sleep(60)"
other = subprocess.Popen([sys.executable, "-I", "-S", "-c", code], start_new_session=True)
print(other.pid, flush=True)
other.wait()
"""
    with started(tmp_path, text) as child:
        other = int(child.line(100))
    try:
        assert keepers_end()
        assert alive(other)
    finally:
        os.kill(other, signal.SIGKILL)


def test_a_process_that_dies_is_reaped_before_anybody_asks(tmp_path: Path) -> None:
    before = kits.children()
    with started(tmp_path, "") as child:
        assert keepers_end()
        assert kits.children() == before
        assert not child.is_idle


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage().partition(": ")[2] for record in caplog.records]


def test_standard_error_is_logged_as_plain_text(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    octets = b"one\r\n\n\x1b[31mtwo\0\xff\n" + b"x" * 3000 + b"\n" + b"y" * 16_000 + b"\nlast"
    with started(tmp_path, f"import sys; sys.stderr.buffer.write({octets!r})") as child:
        child.exit_status()
    first, *longest, last = (lines := logged(caplog))[2:]
    assert [*lines[:2], first, last] == ["one", "[31mtwo", "x" * 256, "last"]
    assert len(longest) > 1  # cut, not kept
    assert {line[0] for line in longest} == {"y"}


def test_little_of_a_flood_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """And the process is not blocked."""
    text = """
import sys
sys.stderr.write("flood\\n" * 500_000)
sys.stderr.write("x" * 3_000_000)
print("done", flush=True)
"""
    with started(tmp_path, text) as child:
        assert child.line(100) == b"done"
        assert child.exit_status() == 0
    assert logged(caplog) == ["flood"] * children.LOGGED + ["further lines of this minute are not logged"]


def test_a_program_that_cannot_be_started(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no program")
    (tmp_path / "text").chmod(0o700)
    for command in ((str(tmp_path / "none"),), (str(tmp_path / "text"),), (str(tmp_path),)):
        with pytest.raises(Unreached, match="cannot be started"):
            Child(command, Deadline.after(9)).open()


def test_no_more_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    child = started(tmp_path, "import time; time.sleep(60)")
    monkeypatch.setattr(threading.Thread, "start", refuse)
    begun = time.monotonic()
    with pytest.raises(Unreached, match="thread"):
        child.open()
    assert time.monotonic() - begun < ENOUGH
    monkeypatch.undo()


def test_no_more_descriptors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pair, calls = socket.socketpair, iter((True, False))

    def few() -> Any:
        if next(calls):
            return pair()
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(socket, "socketpair", few)
    with pytest.raises(Unreached, match="Too many open files"):
        started(tmp_path, "").open()


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ((), "the path of a program is needed"),
        (("scan",), "not an absolute path"),
        (("/nonexistent/scan",), "not a program"),
        (("/etc",), "not a program"),
        (("/etc/passwd",), "not a program"),
        (("/bin/sh", "a\0b"), "NUL"),
    ],
)
def test_commands_that_are_refused(command: tuple[str, ...], reason: str) -> None:
    with pytest.raises(ValueError, match=f"^command: .*{reason}"):
        checked(command)


def test_a_command() -> None:
    assert checked(("/bin/sh", "-c", "")) == ("/bin/sh", "-c", "")
