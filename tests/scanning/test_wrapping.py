"""Engines around engines, each alone and as a configuration nests them."""

# Stand-ins have the arguments of what they stand for.
# ruff: noqa: ARG002

from __future__ import annotations

import base64
import math
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from support.scanning import Ask

from sieveav.options import TEXT, Option
from sieveav.scanning.assembling import assemble
from sieveav.scanning.caching import CLEAN_LIFE, VERSION_LIFE, Cached
from sieveav.scanning.contract import Content, Deadline, Engine, EngineType
from sieveav.scanning.wrapping import (
    AmbiguityCheck,
    Counted,
    Decomposed,
    Limited,
    Paranoid,
    Statistics,
    Timed,
)
from sieveav.verdict import Status, Verdict

AMBIGUOUS = b"Content-Type: multipart/mixed; boundary=a; boundary=b\r\n\r\n--a\r\n\r\nx\r\n--a--\r\n"
UNENDED = b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\nx\r\n"


class Fake:
    """Finds "virus", and answers otherwise as told."""

    name = "fake"

    def __init__(self, status: Status = Status.CLEAN, seconds: float = 0.0) -> None:
        self.status = status
        self.seconds = seconds
        self.versions = "1"
        self.seen: list[bytes] = []
        self.now = 0
        self.most = 0
        self._lock = threading.Lock()

    def scan(self, content: Content, deadline: Deadline) -> Verdict:
        with self._lock:
            self.seen.append(content.raw)
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(min(self.seconds, 5))
        with self._lock:
            self.now -= 1
        if b"virus" in content.raw:
            return Verdict(self.name, Status.INFECTED, "Virus")
        return Verdict(self.name, self.status)

    def version(self, deadline: Deadline) -> str:
        assert deadline.left() < 2
        return self.versions


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def at_once(number: int, work: Callable[[], Any]) -> list[Any]:
    """What `number` threads got."""
    results: list[Any] = []
    threads = [threading.Thread(target=lambda: results.append(work())) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(results) == number
    return results


def multipart(*parts: bytes) -> bytes:
    kind = b"--b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    body = b"".join(kind + base64.encodebytes(part) + b"\r\n" for part in parts)
    return b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + body + b"--b--\r\n"


# -- Timed ----------------------------------------------------------------------------------------------------------


def test_timed_tells_the_time(ask: Ask) -> None:
    verdict = ask(Timed(Fake(seconds=0.02)))
    assert verdict.status is Status.CLEAN
    assert 15 < verdict.ms < 5000


@pytest.mark.parametrize(
    ("raw", "status", "expected"),
    [
        (b"x", Status.CLEAN, Status.ERROR),
        (b"x", Status.UNSCANNABLE, Status.ERROR),
        (b"virus", Status.CLEAN, Status.INFECTED),
    ],
)
def test_late_is_an_error_but_a_find_is_a_find(raw: bytes, status: Status, expected: Status, ask: Ask) -> None:
    assert ask(Timed(Fake(status, 0.1)), raw, 0.05).status is expected
    assert ask(Timed(Fake(status, 0.1), timeout=0.05), raw).status is expected


def test_no_time_left_asks_nobody(ask: Ask) -> None:
    fake = Fake()
    assert ask(Timed(fake), b"virus", 0.0).info == "timeout"
    assert fake.seen == []


# -- Limited --------------------------------------------------------------------------------------------------------


def test_limited(ask: Ask) -> None:
    fake = Fake(seconds=0.02)
    limited = Limited(fake, 2)
    assert {verdict.status for verdict in at_once(8, lambda: ask(limited))} == {Status.CLEAN}
    assert fake.most == 2


def test_no_turn_in_time_is_an_error(ask: Ask) -> None:
    limited = Limited(Fake(seconds=0.5), 1)
    verdicts = at_once(3, lambda: ask(limited, b"x", 0.1))
    assert sorted(verdict.status for verdict in verdicts) == [Status.CLEAN, Status.ERROR, Status.ERROR]


def test_a_turn_is_given_back_after_a_bug(ask: Ask) -> None:
    class Broken(Fake):
        def scan(self, content: Content, deadline: Deadline) -> Verdict:
            raise ZeroDivisionError

    limited = Limited(Broken(), 1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            ask(limited)


# -- Decomposed, AmbiguityCheck, Paranoid ------------------------------------------------------------------------------


def test_decomposed_scans_the_whole_and_each_decoded_part(ask: Ask) -> None:
    fake, statistics = Fake(), Statistics()
    raw = multipart(b"one", b"two")
    assert ask(Decomposed(fake, statistics), raw, is_message=True).status is Status.CLEAN
    assert fake.seen == [raw, b"one", b"two"]
    assert (statistics.parts, statistics.messages) == (2, 0)


def test_decomposed_finds_what_base64_hides_and_stops(ask: Ask) -> None:
    fake = Fake(Status.UNSCANNABLE)
    assert ask(Decomposed(fake), multipart(b"one", b"virus", b"three"), is_message=True).info == "Virus"
    assert b"three" not in fake.seen
    assert ask(Decomposed(fake), multipart(b"one"), is_message=True).status is Status.UNSCANNABLE


def test_decomposed_leaves_parts_alone_and_ends_in_time(ask: Ask) -> None:
    fake = Fake(seconds=0.05)
    ask(Decomposed(fake), multipart(b"one"), is_message=False)
    assert len(fake.seen) == 1
    verdict = ask(Decomposed(fake), multipart(*[b"x"] * 50), 0.12, is_message=True)
    assert (verdict.status, verdict.info) == (Status.ERROR, "timeout")
    assert len(fake.seen) < 10


def test_unambiguous(ask: Ask) -> None:
    verdict = ask(AmbiguityCheck(Fake()), AMBIGUOUS, is_message=True)
    assert (verdict.status, verdict.info) == (Status.UNSCANNABLE, "ambiguous MIME: duplicate-boundary")
    assert ask(AmbiguityCheck(Fake()), AMBIGUOUS + b"virus", is_message=True).status is Status.INFECTED
    assert ask(AmbiguityCheck(Fake(Status.ERROR)), AMBIGUOUS, is_message=True).status is Status.ERROR
    assert ask(AmbiguityCheck(Fake()), AMBIGUOUS, is_message=False).status is Status.CLEAN
    assert ask(AmbiguityCheck(Fake()), UNENDED, is_message=True).status is Status.CLEAN


def test_paranoid(ask: Ask) -> None:
    verdict = ask(Paranoid(Fake()), AMBIGUOUS, is_message=True)
    assert (verdict.status, verdict.info) == (Status.INFECTED, "Paranoid.MIME.duplicate-boundary")
    assert ask(Paranoid(Fake()), AMBIGUOUS + b"virus", is_message=True).info == "Virus"
    assert ask(Paranoid(Fake()), UNENDED, is_message=True).status is Status.CLEAN
    bad = b"Content-Transfer-Encoding: base64\r\n\r\nthis!is*no base64"
    assert ask(Paranoid(Fake()), bad, is_message=True).info == "Paranoid.MIME.bad-base64"


# -- Cached ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "scans"),
    [
        (Status.CLEAN, 1),
        (Status.INFECTED, 1),
        (Status.SUSPICIOUS, 1),
        (Status.ENCRYPTED, 1),
        (Status.MACRO, 1),
        (Status.UNSCANNABLE, 1),
        (Status.ERROR, 2),
        (Status.LIMITS, 2),
        (Status.SKIPPED, 2),
    ],
)
def test_what_is_remembered(status: Status, scans: int, ask: Ask) -> None:
    fake = Fake(status)
    cached = Cached(fake, 10)
    assert ask(cached) == ask(cached)
    assert len(fake.seen) == scans


def test_clean_is_remembered_shortly_and_a_find_until_the_definitions_change(ask: Ask) -> None:
    fake, clock = Fake(), Clock()
    cached = Cached(fake, 10, clock=clock)
    for raw in (b"x", b"virus"):
        ask(cached, raw)
    clock.now += CLEAN_LIFE
    for raw in (b"x", b"virus"):
        assert ask(cached, raw).version == "1"
    assert fake.seen == [b"x", b"virus", b"x"]
    fake.versions = "2"
    clock.now += VERSION_LIFE
    assert ask(cached, b"virus").version == "2"
    assert len(fake.seen) == 4


def test_without_a_version_nothing_lasts(ask: Ask) -> None:
    fake, clock = Fake(), Clock()
    fake.versions = ""
    cached = Cached(fake, 10, clock=clock)
    ask(cached, b"virus")
    ask(cached, b"virus")
    clock.now += CLEAN_LIFE
    ask(cached, b"virus")
    assert len(fake.seen) == 2


def test_the_one_not_asked_for_longest_is_forgotten(ask: Ask) -> None:
    fake = Fake()
    cached = Cached(fake, 2)
    for raw in (b"a", b"b", b"a", b"c", b"a", b"b"):
        ask(cached, raw)
    assert fake.seen == [b"a", b"b", b"c", b"b"]


def test_flush(ask: Ask) -> None:
    fake = Fake()
    cached = Cached(fake, 10)
    ask(cached)
    assert cached.flush() == 1
    ask(cached)
    assert len(fake.seen) == 2


def test_a_message_and_a_part_of_the_same_octets_are_two_things(ask: Ask) -> None:
    fake = Fake()
    cached = Cached(fake, 10)
    ask(cached, is_message=True)
    ask(cached, is_message=False)
    assert len(fake.seen) == 2


@pytest.mark.parametrize("size", [0, 10])
def test_the_same_content_is_scanned_once_at_a_time(size: int, ask: Ask) -> None:
    fake = Fake(seconds=0.2)
    cached = Cached(fake, size)
    assert {verdict.info for verdict in at_once(8, lambda: ask(cached, b"virus"))} == {"Virus"}
    assert fake.seen == [b"virus"]


def test_one_that_waits_ends_in_time(ask: Ask) -> None:
    cached = Cached(Fake(seconds=0.5), 10)
    first = threading.Thread(target=lambda: ask(cached))
    first.start()
    time.sleep(0.1)
    verdict = ask(cached, b"x", 0.1)
    assert verdict.status is Status.ERROR
    assert verdict.info.startswith("timeout")
    first.join()


def test_an_error_is_not_shared(ask: Ask) -> None:
    fake = Fake(Status.ERROR, 0.02)
    cached = Cached(fake, 10)
    assert {verdict.status for verdict in at_once(3, lambda: ask(cached))} == {Status.ERROR}
    assert len(fake.seen) == 3


def test_after_a_bug_the_next_one_scans(ask: Ask) -> None:
    class Broken(Fake):
        def scan(self, content: Content, deadline: Deadline) -> Verdict:
            super().scan(content, deadline)
            if len(self.seen) == 1:
                raise ZeroDivisionError
            return Verdict(self.name, Status.CLEAN)

    cached = Cached(Broken(), 10)
    with pytest.raises(ZeroDivisionError):
        ask(cached)
    assert ask(cached).status is Status.CLEAN


# -- Counted --------------------------------------------------------------------------------------------------------


def test_counted(ask: Ask) -> None:
    statistics = Statistics()
    assert math.isnan(statistics.ms_per_message)
    assert math.isnan(statistics.ms_per_part)
    counted = Counted(Fake(seconds=0.001), statistics)
    at_once(10, lambda: (ask(counted, b"virus", is_message=True), ask(counted, b"x", is_message=False)))
    assert (statistics.messages, statistics.parts, statistics.viruses, statistics.cured) == (10, 10, 10, 0)
    assert statistics.ms_per_message > 0.5
    statistics.add(Verdict("x", Status.CLEAN, cured="replaced"), 1.0, is_message=True)
    statistics.add(Verdict("x", Status.ERROR), 1.0, is_message=True)
    assert (statistics.cured, statistics.errors, statistics.messages) == (1, 1, 12)


# -- assemble -------------------------------------------------------------------------------------------------------


def kind_of(fake: Fake, *, cacheable: bool = True) -> EngineType:
    def make(name: str, options: Any) -> Engine:
        assert options == {"a": "given", "b": "default"}
        fake.name = name
        return fake

    options = (Option("a", TEXT, "", ""), Option("b", TEXT, "default", ""))
    return EngineType("fake", "a fake", "CPU", options, make, cacheable=cacheable)


def test_assembled_with_everything(ask: Ask) -> None:
    fake = Fake()
    engine = assemble(
        kind_of(fake), "f", options={"a": "given"}, max_concurrency=1, mime_decompose=True, paranoid=True, timeout=5
    )
    raw = multipart(b"one", b"two")
    assert ask(engine, raw, is_message=True).status is Status.CLEAN
    assert ask(engine, raw, is_message=True).status is Status.CLEAN
    assert ask(engine, AMBIGUOUS, is_message=True).info == "Paranoid.MIME.duplicate-boundary"
    assert fake.seen == [raw, b"one", b"two", AMBIGUOUS, b"x"]
    assert (engine.statistics.messages, engine.statistics.parts, engine.statistics.viruses) == (3, 5, 1)
    assert (engine.name, engine.version(Deadline.after(1))) == ("f", "1")
    assert engine.flush() == 5
    assert ask(engine, multipart(b"virus"), is_message=True).engine == "f"
    assert engine.statistics.viruses == 2


def test_assembled_with_little(ask: Ask) -> None:
    fake = Fake()
    engine = assemble(kind_of(fake), "f", options={"a": "given"}, cache_size=0)
    ask(engine, multipart(b"one"), is_message=True)
    ask(engine, multipart(b"one"), is_message=True)
    assert len(fake.seen) == 2
    assert engine.flush() == 0
    assert ask(engine, AMBIGUOUS, is_message=True).status is Status.UNSCANNABLE


def test_the_timeout_of_the_stanza(ask: Ask) -> None:
    engine = assemble(kind_of(Fake(seconds=0.1)), "f", options={"a": "given"}, timeout=0.05)
    assert ask(engine).info == "timeout"


def test_reputation_is_never_cached(ask: Ask) -> None:
    fake = Fake()
    engine = assemble(kind_of(fake, cacheable=False), "f", options={"a": "given"})
    ask(engine)
    ask(engine)
    assert len(fake.seen) == 2


def test_no_engine_below_is_changed_by_a_verdict_remembered_for_long(ask: Ask) -> None:
    engine = assemble(kind_of(Fake()), "f", options={"a": "given"})
    assert ask(engine, b"virus") == ask(engine, b"virus")
    assert ask(engine, b"virus").ms >= 0
