"""workers: what worker processes of the engine yara bring: `python tests/bench/workers.py [SECONDS [THREADS]]`.

Messages of three sizes, all different, are scanned by the engine as a site has it: in this process, by one worker process, and
by two. They take turns, and a ratio is that of figures of one turn: these machines are noisy. A figure is the median of the
turns. The last column is what there would be on two processors that do nothing else, from the CPU time of a turn with one
worker: two workers share their processors with the process that asks them.
"""

from __future__ import annotations

import base64
import os
import random
import statistics
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from sieveav.engines import yara
from sieveav.scanning.assembling import assemble
from sieveav.scanning.contract import Content, Deadline, Engine
from sieveav.scanning.pools import Pools
from sieveav.scanning.settings import EngineSettings
from sieveav.verdict import Status

SECONDS = 60.0

THREADS = 4
"""Threads that ask at the same time: as many as the pool has."""

SIZES = {"10 KB": (10_000, 400), "100 KB": (100_000, 120), "1 MB": (1_000_000, 24)}
"""The octets of a message, and how many of them are scanned in a turn."""

_HEAD = (
    b"From: sender@example.org\r\nTo: alice@example.com\r\nSubject: x\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n'
)
_TEXT = b"This is a line of text, as people write it.\r\n"
_PART = b'\r\n--b\r\nContent-Type: application/octet-stream; name="a.bin"\r\nContent-Transfer-Encoding: base64\r\n\r\n'


def message(size: int, chance: random.Random) -> bytes:
    """A message of about this size: half text, half an attachment in base64."""
    attached = base64.encodebytes(b"data" + chance.randbytes(size * 3 // 8)).replace(b"\n", b"\r\n")
    return _HEAD + _TEXT * (size // 2 // len(_TEXT)) + _PART + attached + b"--b--\r\n"


class Turn(NamedTuple):
    """Scans in a second, and the CPU seconds of this process and of its workers."""

    rate: float
    asking: float
    scanning: float


def children() -> float:
    """The CPU seconds of the processes that this one has started, so far."""
    ticks = 0
    for task in Path("/proc/self/task").iterdir():
        for child in (task / "children").read_text().split():
            fields = Path("/proc", child, "stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def turn(engine: Engine, messages: Sequence[bytes], threads: int) -> Turn:
    """Scan all messages."""

    def scan(first: int) -> None:
        for raw in messages[first::threads]:
            verdict = engine.scan(Content(raw), Deadline.after(60))
            if verdict.status is not Status.CLEAN:
                raise RuntimeError(str(verdict))

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(scan, range(threads)))  # the processes are there, and warm
        begun, asking, scanning = time.perf_counter(), time.process_time(), children()
        list(pool.map(scan, range(threads)))
        seconds = time.perf_counter() - begun
        return Turn(len(messages) / seconds, time.process_time() - asking, children() - scanning)


def made(processes: int) -> Engine:
    """The engine as a site has it, without a cache."""
    options = {option.name: option.default for option in yara.engine.options} | {"processes": processes}
    settings = EngineSettings(kind="yara", instance="yara", options=options, cache_size=0, timeout=60.0)
    return assemble(yara.engine, "yara", settings, Pools())


def main() -> None:
    """Print a row for each size."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    threads = int(sys.argv[2]) if len(sys.argv) > 2 else THREADS
    chance = random.Random(1)
    engines = [made(processes) for processes in (0, 1, 2)]
    print(f"{threads} threads    here  one worker  two workers  two/one  at most")
    for name, (size, count) in SIZES.items():
        turns: list[list[Turn]] = []
        until = time.monotonic() + seconds / len(SIZES)
        while time.monotonic() < until or len(turns) < 3:
            messages = [message(size, chance) for _ in range(count)]
            turns.append([turn(engine, messages, threads) for engine in engines])
        here, one, two = (statistics.median(each.rate for each in column) for column in zip(*turns, strict=True))
        ratio = statistics.median(two.rate / one.rate for _, one, two in turns)
        most = statistics.median(2 * one.scanning / (one.scanning + one.asking) for _, one, _ in turns)
        print(f"{name:>7} {here:8.1f}/s {one:9.1f}/s {two:10.1f}/s  {ratio:7.2f}  {most:7.2f}", flush=True)


if __name__ == "__main__":
    main()
