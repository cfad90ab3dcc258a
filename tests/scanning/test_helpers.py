"""helpers: what comes of an archive, whatever the helper process does that opens it. The helpers are scripts of the test."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from support import kits
from support.faults import ENOUGH

from sieveav.scanning import children
from sieveav.scanning.containers.frames import LONGEST
from sieveav.scanning.containers.helpers import Helpers, Missing
from sieveav.scanning.contract import Deadline
from sieveav.scanning.layers import Budget, Layer, Obstacle
from sieveav.verdict import Status

SCRIPT = """
import os, signal, struct, sys, time

def out(kind, octets=b""):
    sys.stdout.buffer.write(struct.pack(">cL", kind, len(octets)) + octets)
    sys.stdout.buffer.flush()

def member(name, *pieces):
    out(b"M", name)
    for piece in pieces:
        out(b"D", piece)
    out(b"C")

while head := sys.stdin.buffer.read(32):
    kind, seconds, size = struct.unpack(">16sdQ", head)
    data = sys.stdin.buffer.read(size)
    {answer}
    out(b"Z")
"""

Start = Callable[..., Helpers]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts helpers that answer so."""
    started: list[Helpers] = []

    def start(answer: str) -> Helpers:
        text = SCRIPT.replace("{answer}", answer.strip().replace("\n", "\n    "))
        started.append(Helpers(kits.script(tmp_path / f"{len(started)}.py", text)))
        return started[-1]

    with kits.nothing_left():
        yield start
        for helpers in started:
            helpers.close()


def asked(
    helpers: Helpers, data: bytes = b"data", seconds: float = 20, members: int = 100
) -> tuple[list[Layer], list[Obstacle]]:
    """The layers; and the obstacles, with the bound that is exceeded as the last."""
    budget = Budget(Deadline.after(seconds), members)
    items = list(helpers.contents("7z", "x", data, budget))
    obstacles = [item for item in items if isinstance(item, Obstacle)]
    return [item for item in items if isinstance(item, Layer)], [*obstacles, *([budget.over] if budget.over else ())]


def test_a_request_and_its_answer(start: Start) -> None:
    helpers = start("member(b'd/a.txt', kind.rstrip(b'\\0'), b' ', data)\nmember(b'\\xff')")
    assert asked(helpers) == ([Layer("x/d/a.txt", b"7z data"), Layer("x/\ufffd", b"")], [])


def test_octets_are_counted(start: Start) -> None:
    budget = Budget(Deadline.after(20), octets=100)
    list(start("member(b'a', bytes(30)); member(b'b', bytes(20))").contents("7z", "x", b"data", budget))
    assert (budget.octets, budget.over) == (50, None)


def test_the_name_of_what_has_none(start: Start) -> None:
    items = start("member(b'data', data)").contents("lz4", "x", b"data", Budget(Deadline.after(20)), "inner")
    assert list(items) == [Layer("x/inner", b"data")]


BEGUN = "out(b'M', b'a'); out(b'D', b'begun')"


@pytest.mark.parametrize(
    ("answer", "layers", "obstacles"),
    [
        ("pass", [], []),
        ("out(b'E', b'a')", [], [Obstacle(Status.ENCRYPTED, "encrypted: x/a")]),
        ("out(b'F')", [], [Obstacle(Status.UNSCANNABLE, "broken or unknown archive: x")]),
        ("out(b'?')", [], [Obstacle(Status.UNSCANNABLE, "broken or unknown archive: x")]),
        ("out(b'D', b'content of nothing')", [], [Obstacle(Status.UNSCANNABLE, "broken or unknown archive: x")]),
        ("os._exit(0)", [], [Obstacle(Status.UNSCANNABLE, "broken or unknown archive: x")]),
        ("os.kill(os.getpid(), 11)", [], [Obstacle(Status.UNSCANNABLE, "broken or unknown archive: x")]),
        (
            f"sys.stdout.buffer.write(struct.pack('>cL', b'M', {LONGEST + 1}) + bytes(99))",
            [],
            [Obstacle(Status.UNSCANNABLE, "broken or unknown archive: x")],
        ),
        ("os._exit(4)", [], [Obstacle(Status.LIMITS, "an archive takes too much memory or time to unpack")]),
        ("out(b'L')", [], [Obstacle(Status.LIMITS, "an archive takes too much memory or time to unpack")]),
        (BEGUN, ["begun"], [Obstacle(Status.UNSCANNABLE, "broken or unknown archive: x/a")]),
        (f"{BEGUN}; out(b'F')", ["begun"], [Obstacle(Status.UNSCANNABLE, "broken or unknown archive: x/a")]),
        (f"{BEGUN}; out(b'M', b'b')", ["begun"], [Obstacle(Status.UNSCANNABLE, "broken or unknown archive: x/a")]),
        (f"{BEGUN}; os._exit(1)", ["begun"], [Obstacle(Status.UNSCANNABLE, "broken or unknown archive: x/a")]),
        (
            f"{BEGUN}; sys.stdout.buffer.write(b'D\\0\\0\\0\\5ab'); sys.stdout.buffer.flush(); os._exit(4)",
            ["begun"],
            [Obstacle(Status.LIMITS, "an archive takes too much memory or time to unpack")],
        ),
        (
            f"{BEGUN}; out(b'L')",
            ["begun"],
            [Obstacle(Status.LIMITS, "an archive takes too much memory or time to unpack")],
        ),
        (
            "while True: member(b'a', b'many')",
            ["many"] * 100,
            [Obstacle(Status.LIMITS, "more than 10000 members")],
        ),
        (
            "while True: out(b'F')",
            [],
            [Obstacle(Status.UNSCANNABLE, "broken or unknown archive: x")] * 100
            + [Obstacle(Status.LIMITS, "more than 10000 members")],
        ),
    ],
)
def test_what_a_helper_may_do(start: Start, answer: str, layers: list[str], obstacles: list[Obstacle]) -> None:
    found = asked(start(answer))
    assert ([layer.data.decode() for layer in found[0]], found[1]) == (layers, obstacles)


def test_a_bomb(start: Start) -> None:
    begun = time.monotonic()
    layers, obstacles = asked(start("out(b'M', b'a')\nwhile True: out(b'D', bytes(65536))"))
    assert [each.status for each in obstacles] == [Status.LIMITS]
    assert len(layers[0].data) < 5_000_000
    assert time.monotonic() - begun < ENOUGH


def test_what_was_read_before_a_bound_is_scanned_and_its_contents_too(start: Start) -> None:
    """The bound is exceeded only when all of it has been yielded."""
    budget = Budget(Deadline.after(20))
    helpers = start("member(b'a', b'first')\nout(b'M', b'b')\nwhile True: out(b'D', bytes(65536))")
    items = helpers.contents("7z", "x", b"data", budget)
    assert next(items) == Layer("x/a", b"first")
    assert budget.over is None
    next(items)
    assert next(items, None) is None
    assert budget.over == Obstacle(Status.LIMITS, "unpacks to more than 250 times its size")


@pytest.mark.parametrize("answer", ["time.sleep(60)", f"{BEGUN}; time.sleep(60)", "while True: pass"])
def test_the_deadline(start: Start, answer: str) -> None:
    _, obstacles = asked(start(answer), seconds=0.5)
    assert obstacles == [Obstacle(Status.ERROR, "timeout")]


def test_members_that_many_scanners_do_not_see(start: Start) -> None:
    layers, _ = asked(start("member(b'a'); out(b'U'); member(b'b')"))
    assert [layer.unusual for layer in layers] == [False, True]


PID = "member(b'a', str(os.getpid()).encode())"


def pid(helpers: Helpers) -> int:
    return int(asked(helpers)[0][0].data)


def test_a_helper_is_kept(start: Start) -> None:
    helpers = start(f"{PID} if data == b'data' else os._exit(1)")
    first = pid(helpers)
    assert pid(helpers) == first
    assert asked(helpers, b"other")[1][0].status is Status.UNSCANNABLE
    second = pid(helpers)
    assert second != first
    os.kill(second, signal.SIGKILL)
    with suppress(ChildProcessError):  # it has been reaped
        os.waitid(os.P_PID, second, os.WEXITED | os.WNOWAIT)
    assert pid(helpers) not in (first, second)


def test_no_helper_is_kept_while_its_layers_are_scanned(start: Start) -> None:
    """An archive within an archive needs another; several threads would wait for each other."""
    helpers = start(PID)
    budget = Budget(Deadline.after(20))
    outer = [helpers.contents("7z", "x", b"data", budget) for _ in range(9)]
    assert len({next(items) for items in outer}) == 1


def test_as_many_helpers_as_processors(start: Start) -> None:
    helpers = start(PID)
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.extend(pid(helpers) for _ in range(20))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 160
    assert len(set(found)) <= len(os.sched_getaffinity(0))


def test_a_scan_that_waits_for_a_place_ends_in_time(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    helpers = start("out(b'M', b'a'); time.sleep(60)")
    slow = threading.Thread(target=asked, args=(helpers,), kwargs={"seconds": 2})
    slow.start()
    assert asked(helpers, seconds=0.2)[1] == [Obstacle(Status.ERROR, "timeout")]
    slow.join()


def test_a_helper_that_cannot_be_started() -> None:
    layers, obstacles = asked(Helpers(("/nonexistent/python",)))
    assert layers == []
    assert obstacles == [Obstacle(Status.ERROR, "unpacking archives: cannot be started: No such file or directory")]


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(("-I", "-S"), id="packages"),
        pytest.param(("-I",), id="library"),
    ],
)
def test_without_libraries(
    command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One line says what to install; no other process is started."""
    root = str(Path(__file__).parents[2])
    monkeypatch.setitem(children.ENVIRONMENT, "LIBARCHIVE", "/nonexistent.so")
    code = f"import sys; sys.path.insert(0, {root!r}); from sieveav.scanning.containers.worker import main; main()"
    helpers = Helpers((sys.executable, *command, "-c", code))
    with caplog.at_level(logging.WARNING), kits.nothing_left():
        for _ in range(3):
            with pytest.raises(Missing):
                asked(helpers)
            helpers._command = ("/nonexistent",)
    (line,) = caplog.messages
    assert "sieveav[containers]" in line
    assert "libarchive13" in line
