"""Worker processes that scan by YARA rules: the same verdicts as in this process, and killed at the deadline."""

from __future__ import annotations

import logging
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from support import kits
from support.faults import ENOUGH
from support.scanning import Ask

from sieveav.engines import yara, yara_scanner, yara_worker
from sieveav.scanning.contract import Content, Deadline
from sieveav.scanning.dialogue import Request, play
from sieveav.scanning.failover import ProtocolError
from sieveav.verdict import Status

RULES = """
rule Evil { meta: status = "%s" name = "Evil.Words" strings: $a = "evil words" condition: $a }
rule Slow {
    strings: $a = "slow"
    condition: $a and for any i in (0..1000000) : ( for any j in (0..1000000) : ( uint8(j) == 300 + i ) )
}
"""


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    with kits.nothing_left():
        yield


Workers = Callable[[], set[int]]


@pytest.fixture
def workers() -> Workers:
    """The process numbers of the children that this test has started: not those of a daemon that other tests use."""
    before = kits.children()
    return lambda: kits.children() - before


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A file of rules."""
    path = tmp_path / "site.yar"
    path.write_text(RULES % "infected")
    return path


def made(*rules: Path, processes: int = 1, **values: Any) -> yara.YaraEngine:
    defaults = {option.name: option.default for option in yara.engine.options}
    return yara.YaraEngine("yara", {**defaults, "file_base": None, "rules": rules, "processes": processes, **values})


CONTENTS = {
    "nothing": b"",
    "clean": b"hello",
    "a find": b"some evil words",
    "a large one": b"x\r\n" * 700_000 + b"evil words",
    "all octets": bytes(range(256)) * 300,
    "what cannot be opened": b"EGGA\x00\x01" + bytes(100),
    "ambiguous": b"Content-Type: multipart/mixed; boundary=a; boundary=b\r\n\r\n--a\r\n\r\n\xe4\r\n--a--\r\n",
}


def test_the_same_verdicts_as_in_this_process(site: Path, workers: Workers, ask: Ask, eicar: bytes) -> None:
    here, there = made(site, processes=0), made(site)
    for raw in (*CONTENTS.values(), eicar):
        for is_message in (False, True):
            verdict = ask(there, raw, 20.0, is_message=is_message)
            assert verdict == ask(here, raw, 20.0, is_message=is_message)
            assert verdict.version
    assert here.version(Deadline.after(1)) == there.version(Deadline.after(1))
    assert len(workers()) == 1


def test_processes_are_started_when_they_are_needed(site: Path, workers: Workers, ask: Ask) -> None:
    engine = made(site, processes=2)
    assert workers() == set()
    for _ in range(5):
        assert ask(engine, seconds=20.0).status is Status.CLEAN
    assert len(workers()) == 1


def test_many_threads(site: Path, workers: Workers, ask: Ask) -> None:
    engine = made(site, processes=2)
    contents = [b"evil words %d" % number if number % 2 else b"good words %d" % number for number in range(60)]
    with ThreadPoolExecutor(6) as pool:
        statuses = list(pool.map(lambda raw: ask(engine, raw, 30.0).status, contents))
    assert statuses == [Status.CLEAN, Status.INFECTED] * 30
    assert 1 <= len(workers()) <= 2


def test_a_slow_rule_is_killed_at_the_deadline(site: Path, workers: Workers, ask: Ask) -> None:
    """In tenths of a second, not in whole seconds, as yara-x counts them. The next scan gets another process."""
    engine = made(site)
    assert ask(engine, b"good", 20.0).status is Status.CLEAN
    (before,) = workers()
    begun = time.monotonic()
    verdict = ask(engine, b"slow" + bytes(1_000_000), 1.2)
    assert time.monotonic() - begun < ENOUGH
    assert (verdict.status, verdict.info) == (Status.ERROR, "worker process: cannot receive: timeout")
    assert ask(engine, b"evil words", 20.0).status is Status.INFECTED
    assert before not in workers()


@pytest.mark.parametrize("left", [0.0, 0.3, 1.0, 1.2, 9.99, 60.0, 600.0])
def test_yara_ends_no_scan_before_its_process_is_killed(left: float) -> None:
    """A limit of n seconds may end a scan after n - 1."""
    assert yara_scanner._seconds(left + yara_worker._LATER) - 1 >= left


def test_a_process_that_died_is_replaced(site: Path, workers: Workers, ask: Ask) -> None:
    engine = made(site)
    for _ in range(3):
        assert ask(engine, b"evil words", 20.0).info == "Evil.Words"
        for process in workers():
            os.kill(process, signal.SIGKILL)


def test_no_time(site: Path, ask: Ask) -> None:
    assert ask(made(site), b"evil words", 0.0).status is Status.ERROR


def test_classes_and_allow(site: Path, ask: Ask, caplog: pytest.LogCaptureFixture) -> None:
    assert ask(made(site, classes=("site.yar:Evil.*=macro",)), b"evil words", 20.0).status is Status.MACRO
    with caplog.at_level(logging.WARNING):
        engine = made(site, allow=("Evil.Words",))
        assert ask(engine, b"evil words", 20.0).status is Status.CLEAN
        del engine
        for thread in threading.enumerate():  # they log what the processes have said
            if thread.name == "sieveav-child":
                thread.join(20)
    assert [message.partition(": ")[2] for message in caplog.messages] == [
        "yara: site.yar:Evil.Words found but allowed"
    ]


def test_rules_that_change(site: Path, workers: Workers, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new rules get new processes, and those before end. If the new rules are broken, processes that are started later get
    the old ones too."""
    monkeypatch.setattr(yara, "CHECK", 0.0)
    engine = made(site)

    def settled() -> tuple[Status, str]:
        ask(engine, b"", 20.0)
        for thread in threading.enumerate():
            if thread.name == "sieveav-yara":
                thread.join(20)
        verdict = ask(engine, b"evil words", 20.0)
        return verdict.status, verdict.version

    status, first = settled()
    assert status is Status.INFECTED
    site.write_text(RULES % "macro")
    status, second = settled()
    assert status is Status.MACRO
    assert second != first
    assert len(workers()) == 1
    site.write_text("rule broken {")
    assert settled() == (status, second)
    for process in workers():
        os.kill(process, signal.SIGKILL)
    assert settled() == (status, second)


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A folder with a package that takes the place of yara-x, and does not work."""
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "yara_x.py").write_text("raise ImportError")
    return tmp_path / "broken"


def test_it_finds_nothing_by_the_environment(
    site: Path, broken: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(broken))
    assert ask(made(site), b"evil words", 20.0).status is Status.INFECTED


def test_it_finds_what_this_process_finds(site: Path, broken: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a relative path too."""
    monkeypatch.chdir(broken)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    verdict = ask(made(site), b"evil words", 20.0)
    assert (verdict.status, verdict.info) == (Status.ERROR, "worker process: did not start: connection closed")


def test_the_memory_of_a_process_is_bounded(
    site: Path, workers: Workers, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A content that needs more is an error."""
    engine = made(site)
    ask(engine, seconds=20.0)
    (process,) = workers()
    assert resource.prlimit(process, resource.RLIMIT_DATA)[0] == yara_worker.MEMORY
    small = f"import sieveav.engines.yara_worker as worker; worker.MEMORY = {256 * 1024 * 1024}\nmain()"
    monkeypatch.setattr(yara_worker, "_MAIN", yara_worker._MAIN.replace("main()", small))
    engine = made(site)
    assert ask(engine, b"evil words", 20.0).status is Status.INFECTED
    assert ask(engine, bytes(256 * 1024 * 1024), 20.0).status is Status.ERROR
    assert ask(engine, b"evil words", 20.0).status is Status.INFECTED


@pytest.mark.parametrize("hard", [1000, yara_worker.MEMORY * 2, resource.RLIM_INFINITY])
def test_a_bound_that_is_there_already(hard: int, monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (0, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, values: limits.append(values))
    yara_worker._limit_memory()
    assert limits == [(1000 if hard == 1000 else yara_worker.MEMORY, hard)]


def test_the_file_with_the_rules_has_no_name(site: Path, tmp_path: Path, ask: Ask) -> None:
    (tmp_path / "base").mkdir()
    engine = made(site, file_base=tmp_path / "base")
    assert ask(engine, b"evil words", 20.0).status is Status.INFECTED
    assert list((tmp_path / "base").iterdir()) == []


def test_rules_that_cannot_be_written(site: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^processes: the rules cannot be written: No such file"):
        made(site, file_base=tmp_path / "missing")


ANSWERS = {
    b"clean 12 \n": (Status.CLEAN, "", "12"),
    b"infected 12 Evil\n": (Status.INFECTED, "Evil", "12"),
    b"infected 12 Evil: a  b\n": (Status.INFECTED, "Evil: a  b", "12"),
    b"error  timeout\n": (Status.ERROR, "timeout", ""),
}


@pytest.mark.parametrize("line", ANSWERS)
def test_answers(line: bytes) -> None:
    played = play(yara_worker.scan(Request(Content(b"abc", is_message=False), Deadline(0.0))), line)
    assert (played.answer.status, played.answer.info, played.answer.version) == ANSWERS[line]
    assert played.said == b"0 3 0.000000\nabc"


@pytest.mark.parametrize(
    "line",
    [b"", b"\n", b"clean\n", b"clean 12\n", b"clean 12 ", b"ok 12 \n", b" clean 12 \n", b"CLEAN 12 \n", b"\xff\n"],
)
def test_what_is_no_answer(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        play(yara_worker.scan(Request(Content(b"abc"), Deadline(0.0))), line)


def test_a_probe_has_a_verdict_on_nothing() -> None:
    """Whatever it is: a rule may match it."""
    request = Request(Content(b""), Deadline(0.0))
    assert play(yara_worker._probe(request), b"infected 12 Any\n").answer
    assert not play(yara_worker._probe(request), b"error 12 timeout\n").answer
