"""kits: programs that pretend to be linked with a vendor's kit, written by the tests, and a check that nothing of them is left.

    program = kits.write(tmp_path, "say(asked, status='clean')")

They are written in Python and know no viruses: what is tested is how sieveav starts, asks and ends such programs.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sieveav.scanning import programs
from sieveav.scanning.containers.helpers import HELPERS
from sieveav.scanning.contract import Engine

PROGRAM = """
import base64, json, os, signal, subprocess, sys, time

def out(octets):
    sys.stdout.buffer.write(octets)
    sys.stdout.buffer.flush()

def line(asked, **members):
    return json.dumps({{"id": asked["id"], **members}}).encode() + b"\\n"

def say(asked, **members):
    out(line(asked, **members))

def content(asked):
    if "data" in asked:
        return base64.b64decode(asked["data"], validate=True)
    with open(asked["path"], "rb") as file:
        return file.read()

def scan(asked):
    {scan}

def version(asked):
    {version}

def stats(asked):
    {stats}

{begin}
for asked in map(json.loads, sys.stdin):
    {{"scan": scan, "version": version, "stats": stats}}[asked["request"]](asked)
"""

DEFAULTS = {
    "scan": "say(asked, status='clean')",
    "version": "say(asked, version='Kit 1')",
    "stats": "say(asked, stats={'scans': 1})",
    "begin": "",
}


def script(path: Path, text: str) -> tuple[str, ...]:
    """A command that runs a Python script at `path`."""
    path.write_text(text)
    return (sys.executable, "-I", "-S", str(path))


def write(directory: Path, scan: str = DEFAULTS["scan"], **more: str) -> tuple[str, ...]:
    """The command of a program that answers a request by these lines of Python."""
    lines = {**DEFAULTS, "scan": scan, **more}
    indented = {name: text.strip().replace("\n", "\n    ") for name, text in lines.items() if name != "begin"}
    return script(directory / "kit.py", PROGRAM.format(**indented, begin=lines["begin"]))


def engine(command: tuple[str, ...], most: int = 4, **values: Any) -> Engine:
    """An engine that asks this program."""
    defaults = {"inline": False, "allow": (), "classes": (), "file_base": None, "max_concurrency": most}
    return programs.maker()("engine", {**defaults, **values, "command": command})


def children() -> set[int]:
    """The numbers of this process's children, dead ones too."""
    numbers: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        with suppress(OSError):  # the thread has ended
            numbers.update(map(int, (task / "children").read_text().split()))
    return numbers


def descriptors() -> int:
    """How many files and sockets are open."""
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208  # as many as are seen from outside


@contextmanager
def nothing_left() -> Iterator[None]:
    """Checks that afterwards there are no more processes, threads, files and sockets than before."""
    HELPERS.close()
    threads, processes, opened = set(threading.enumerate()), children(), descriptors()
    yield
    gc.collect()  # an engine keeps its processes
    for thread in set(threading.enumerate()) - threads:
        thread.join(10)
    assert set(threading.enumerate()) <= threads
    assert children() <= processes
    assert descriptors() <= opened
