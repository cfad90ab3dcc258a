"""command: exit statuses and output of scanners that are scripts of the test."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import kits
from support.faults import ENOUGH
from support.scanning import Ask

from sieveav.engines.command import engine
from sieveav.scanning.contract import Content, Deadline, Engine
from sieveav.verdict import Status

DEFAULTS = {option.name: option.default for option in engine.options} | {"file_base": None}

PATTERN = r"(?m): ([!-~ ]*) FOUND$"


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    with kits.nothing_left():
        yield


def made(directory: Path, text: str, *arguments: str, **values: Any) -> Engine:
    """An engine that runs this Python script."""
    script = kits.script(directory / "scan.py", f"import os, signal, sys, time\npath = sys.argv[-1]\n{text}")
    usual = {"clean": (0,), "infected": (1,), "infected_pattern": PATTERN}
    command = (*script, *arguments, "{path}")
    return engine.make("command", {**DEFAULTS, **usual, "command": command, **values})


FOUND = "print(path + ': Eicar FOUND')"

ANSWERS = [
    ("", Status.CLEAN, "", 0),
    ("sys.exit(1)", Status.INFECTED, "unknown", 1),
    (f"{FOUND}; sys.exit(1)", Status.INFECTED, "Eicar", 1),
    (FOUND, Status.INFECTED, "Eicar", 0),
    (f"{FOUND}; sys.exit(2)", Status.INFECTED, "Eicar", 2),
    ("sys.stdout.buffer.write(b': A\\xff\\x1b FOUND\\n')", Status.CLEAN, "", 0),
    ("print(': A FOUND x')", Status.CLEAN, "", 0),
    ("sys.stdout.buffer.write(b'\\xff\\xfe\\0\\n: B FOUND\\n')", Status.INFECTED, "B", 0),
    ("print(': ' + 'x' * 5000 + ' FOUND')", Status.INFECTED, "x" * 256, 0),
    ("print(':  FOUND')", Status.INFECTED, "unknown", 0),
    ("sys.stderr.write(': A FOUND\\n')", Status.CLEAN, "", 0),
    ("sys.exit(2)", Status.ERROR, "exit status 2", 2),
    ("sys.exit(255)", Status.ERROR, "exit status 255", 255),
    ("os.kill(os.getpid(), 9)", Status.ERROR, "ended by signal 9", None),
    (f"{FOUND}; sys.stdout.flush(); os.kill(os.getpid(), 11)", Status.ERROR, "ended by signal 11", None),
    ("raise MemoryError", Status.INFECTED, "unknown", 1),
    ("sys.stdout.write('x' * 2_000_000)", Status.ERROR, "more than 1048576 octets", None),
    ("sys.stdin.read() == '' or sys.exit(9)", Status.CLEAN, "", 0),
]


@pytest.mark.parametrize(("text", "status", "info", "code"), ANSWERS)
def test_answers(tmp_path: Path, ask: Ask, text: str, status: Status, info: str, code: int | None) -> None:
    verdict = ask(made(tmp_path, text), seconds=20.0)
    assert (verdict.status, verdict.info, verdict.code) == (status, info, code)


@pytest.mark.parametrize(
    "text",
    [
        "time.sleep(60)",
        "sys.stdout.close(); os.close(1); os.close(0); time.sleep(60)",
        "os.kill(os.getpid(), signal.SIGSTOP)",
        "signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)",
        "while True: os.write(1, b'x'); time.sleep(0.05)",
        "while True: os.write(2, b'x' * 10_000)",
        "os.fork() or time.sleep(60)",
    ],
)
def test_it_ends_in_time(tmp_path: Path, ask: Ask, text: str) -> None:
    begun = time.monotonic()
    verdict = ask(made(tmp_path, text), seconds=0.5)
    assert time.monotonic() - begun < ENOUGH
    assert (verdict.status, "timeout" in verdict.info) == (Status.ERROR, True)


def test_the_file(tmp_path: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has the content, and is removed if it is a temporary one; its path is absolute even if it was not."""
    (tmp_path / "base").mkdir()
    monkeypatch.chdir(tmp_path)
    text = "sys.exit(1 if open(path, 'rb').read() == b'evil\\xff\\r\\n' and path == os.path.abspath(path) else 0)"
    scanner = made(tmp_path, text, file_base=Path("base"))
    assert ask(scanner, b"evil\xff\r\n", 20.0).status is Status.INFECTED
    assert ask(scanner, b"good", 20.0).status is Status.CLEAN
    assert list((tmp_path / "base").iterdir()) == []
    (tmp_path / "mail").write_bytes(b"evil\xff\r\n")
    content = Content(b"evil\xff\r\n", path=Path("mail"))
    assert scanner.scan(content, Deadline.after(20)).status is Status.INFECTED
    assert (tmp_path / "mail").exists()


def test_arguments_are_not_read_by_a_shell(tmp_path: Path, ask: Ask) -> None:
    arguments = ("a b", "$HOME", "`id`", "; exit 0", "*", "{path}x", "")
    text = f"sys.exit(0 if sys.argv[1:-1] == {list(arguments)!r} else 9)"
    assert ask(made(tmp_path, text, *arguments), seconds=20.0).status is Status.CLEAN


def test_a_program_that_has_gone(tmp_path: Path, ask: Ask) -> None:
    program = tmp_path / "scan"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o700)
    scanner = made(tmp_path, "", command=(str(program), "{path}"))
    assert ask(scanner, seconds=20.0).status is Status.CLEAN
    program.unlink()
    verdict = ask(scanner)
    assert (verdict.status, verdict.info) == (Status.ERROR, "cannot be started: No such file or directory")


def test_the_site_says_what_a_name_counts_as(tmp_path: Path, ask: Ask) -> None:
    assert ask(made(tmp_path, FOUND, classes=("Eicar=suspicious",)), seconds=20.0).status is Status.SUSPICIOUS
    allowed = [ask(made(tmp_path, f"{FOUND}; sys.exit({code})", allow=("Eicar",)), seconds=20.0) for code in (0, 1, 2)]
    assert [verdict.status for verdict in allowed] == [Status.CLEAN, Status.CLEAN, Status.ERROR]


def test_a_pattern_that_would_take_others_forever(tmp_path: Path, ask: Ask) -> None:
    scanner = made(tmp_path, "print('a' * 100_000)", infected_pattern="((a*)*)*b")
    begun = time.monotonic()
    assert ask(scanner, seconds=20.0).status is Status.CLEAN
    assert time.monotonic() - begun < ENOUGH


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"command": ()}, "command: "),
        ({"command": ("scan", "{path}")}, "command: "),
        ({"command": ("/bin/sh", "x")}, "command: one of the arguments must be {path}"),
        ({"command": ("/bin/sh", "--file={path}")}, "command: one of the arguments must be {path}"),
        ({"clean": ()}, "clean: at least one exit status is needed"),
        ({"infected": (), "infected_pattern": ""}, "infected: at least one exit status is needed"),
        ({"infected": (1, 0)}, "infected: 0 is an exit status of clean contents too"),
        ({"infected_pattern": "("}, "infected_pattern: "),
        ({"infected_pattern": r"(a)\1"}, "infected_pattern: "),
        ({"infected_pattern": "FOUND"}, "infected_pattern: .*no group"),
        ({"classes": ("x",)}, '"x" is not GLOB=CLASS'),
    ],
)
def test_options_that_cannot_work(tmp_path: Path, values: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match="^" + (reason if ".*" in reason else re.escape(reason))):
        made(tmp_path, "", **values)


@pytest.mark.parametrize("written", ["256", "-1", "x", ""])
def test_what_is_no_exit_status(written: str) -> None:
    option = next(option for option in engine.options if option.name == "clean")
    assert option.value(("0", "10")) == (0, 10)
    with pytest.raises(ValueError, match="not"):
        option.value((written,))
