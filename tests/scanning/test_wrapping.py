"""Engines around engines, each alone and as a configuration nests them."""

# Fakes have the arguments of what they replace.
# ruff: noqa: ARG002

from __future__ import annotations

import base64
import errno
import math
import pickle
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from support.accepting import Accepted
from support.scanning import Ask

from sieveav.options import TEXT, Option
from sieveav.scanning.assembling import Assembled, assemble
from sieveav.scanning.caching import CLEAN_LIFE, SHARED_TIME, VERSION_LIFE, Cached, Key
from sieveav.scanning.contract import Content, Deadline, Engine, EngineType, Envelope
from sieveav.scanning.pools import Pool, Pools
from sieveav.scanning.settings import EngineSettings
from sieveav.scanning.structure import StructureCheck
from sieveav.scanning.wrapping import (
    Counted,
    Counts,
    Decomposed,
    Paranoid,
    Pooled,
    Statistics,
    Timed,
)
from sieveav.verdict import Status, Verdict

AMBIGUOUS = b"Content-Type: multipart/mixed; boundary=a; boundary=b\r\n\r\n--a\r\n\r\nx\r\n--a--\r\n"
UNENDED = b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\nx\r\n"


class Fake:
    """Finds "virus", and otherwise answers `status`."""

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


class Blocked(Fake):
    """Scans until it may `go_on`."""

    def __init__(self) -> None:
        super().__init__()
        self.began = threading.Event()
        self.go_on = threading.Event()

    def scan(self, content: Content, deadline: Deadline) -> Verdict:
        self.began.set()
        verdict = super().scan(content, deadline)
        self.go_on.wait(5)
        return verdict


class Raising(Fake):
    """Raises `error` for every content."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def scan(self, content: Content, deadline: Deadline) -> Verdict:
        raise self.error


class Answering(Fake):
    """Answers with one verdict."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__()
        self.verdict = verdict

    def scan(self, content: Content, deadline: Deadline) -> Verdict:
        return self.verdict


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def at_once(number: int, work: Callable[[], Any]) -> list[Any]:
    """The results of `number` threads."""
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


def test_timed_measures_the_time(ask: Ask) -> None:
    verdict = ask(Timed(Fake(seconds=0.02)))
    assert verdict.status is Status.CLEAN
    assert verdict.ms > 15


def test_the_reason_of_a_late_error_is_kept(ask: Ask) -> None:
    class Late(Fake):
        def scan(self, content: Content, deadline: Deadline) -> Verdict:
            super().scan(content, deadline)
            return self._error

        _error = Verdict("fake", Status.ERROR, "192.0.2.1:3310: timeout")

    assert ask(Timed(Late(seconds=0.1), timeout=0.05)).info == "192.0.2.1:3310: timeout"


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


# -- Pooled ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("threads", "max_concurrency", "most"), [(8, 2, 2), (3, 0, 3), (2, 4, 2)])
def test_pooled_limits_the_scans_at_a_time(threads: int, max_concurrency: int, most: int, ask: Ask) -> None:
    fake = Fake(seconds=0.02)
    pooled = Pooled(fake, Pool("X", threads), max_concurrency)
    assert {verdict.status for verdict in at_once(8, lambda: ask(pooled))} == {Status.CLEAN}
    assert fake.most == most


@pytest.mark.parametrize(("threads", "max_concurrency"), [(8, 1), (1, 0)])
def test_no_thread_in_time_is_an_error(threads: int, max_concurrency: int, ask: Ask, accepted: Accepted) -> None:
    fake = Blocked()
    pooled = Pooled(fake, Pool("X", threads), max_concurrency)
    first = threading.Thread(target=lambda: ask(pooled))
    first.start()
    fake.began.wait(5)
    verdict = ask(pooled, b"x", 0.05)
    fake.go_on.set()
    first.join(5)
    assert verdict.status is Status.ERROR
    assert len(fake.seen) == 1
    accepted(verdict.info)


@pytest.mark.parametrize(("threads", "max_concurrency"), [(2, 1), (1, 0)])
def test_an_abandoned_scan_counts_until_it_ends(threads: int, max_concurrency: int, ask: Ask) -> None:
    fake = Blocked()
    pooled = Pooled(fake, Pool("X", threads), max_concurrency)
    for _ in range(3):
        assert ask(pooled, b"x", 0.02).info.startswith("timeout")
    assert len(fake.seen) == 1
    fake.go_on.set()
    assert ask(pooled).status is Status.CLEAN
    assert len(fake.seen) == 2


def test_an_engine_that_keeps_its_deadline_gives_its_own_reason(ask: Ask) -> None:
    class Punctual(Fake):
        def scan(self, content: Content, deadline: Deadline) -> Verdict:
            time.sleep(deadline.left())
            return Verdict(self.name, Status.ERROR, "192.0.2.1: timeout")

    assert ask(Pooled(Punctual(), Pool("X", 1)), b"x", 1.0).info == "192.0.2.1: timeout"


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt, SystemExit])
def test_a_bug_is_raised_and_frees_its_slot(error: type[BaseException], ask: Ask) -> None:
    pooled = Pooled(Raising(error()), Pool("X", 1), 1)
    for _ in range(3):
        with pytest.raises(error):
            ask(pooled)


@pytest.mark.parametrize(("threads", "max_concurrency"), [(8, 2), (2, 0)])
def test_punctual_engines_are_limited_too(threads: int, max_concurrency: int, ask: Ask) -> None:
    fake = Fake(seconds=0.02)
    pooled = Pooled(fake, Pool("X", threads), max_concurrency, punctual=True)
    assert {verdict.status for verdict in at_once(8, lambda: ask(pooled))} == {Status.CLEAN}
    assert fake.most == 2


@pytest.mark.parametrize("punctual", [False, True])
def test_a_fault_of_the_system_is_an_error(punctual: bool, ask: Ask) -> None:
    failing = Raising(OSError(errno.ENOSPC, "No space left on device"))
    verdict = ask(Pooled(failing, Pool("X", 1), punctual=punctual))
    assert (verdict.status, verdict.info) == (Status.ERROR, "No space left on device")


# -- Decomposed, Paranoid -------------------------------------------------------------------------------------------


def test_decomposed_scans_the_whole_and_each_decoded_part(ask: Ask) -> None:
    whole, parts = Fake(), Fake()
    raw = multipart(b"one", b"two")
    assert ask(Decomposed(whole, parts), raw, is_message=True).status is Status.CLEAN
    assert whole.seen == [raw]
    assert parts.seen == [b"one", b"two"]


def test_a_part_has_the_envelope() -> None:
    envelopes: list[Envelope | None] = []

    class Curious(Fake):
        def scan(self, content: Content, deadline: Deadline) -> Verdict:
            envelopes.append(content.envelope)
            return super().scan(content, deadline)

    content = Content(multipart(b"one"), envelope=Envelope("a@example.com"))
    Decomposed(Fake(), Curious()).scan(content, Deadline.after(5))
    assert envelopes == [Envelope("a@example.com")]


def test_decomposed_finds_what_base64_hides_and_stops(ask: Ask) -> None:
    fake = Fake(Status.UNSCANNABLE)
    assert ask(Decomposed(fake, fake), multipart(b"one", b"virus", b"three"), is_message=True).info == "Virus"
    assert b"three" not in fake.seen
    assert ask(Decomposed(fake, fake), multipart(b"one"), is_message=True).status is Status.UNSCANNABLE


def test_decomposed_leaves_parts_alone_and_ends_in_time(ask: Ask) -> None:
    fake = Fake(seconds=0.05)
    ask(Decomposed(fake, fake), multipart(b"one"), is_message=False)
    assert len(fake.seen) == 1
    verdict = ask(Decomposed(fake, fake), multipart(*[b"x"] * 50), 0.12, is_message=True)
    assert (verdict.status, verdict.info) == (Status.ERROR, "timeout")
    assert len(fake.seen) < 10


def test_every_reading_of_a_part_is_scanned_and_a_find_counts(ask: Ask) -> None:
    """Some clients read on behind padding, some stop there: what is broken in one reading only is no fault of the part."""

    class OnlyOne(Fake):
        def scan(self, content: Content, deadline: Deadline) -> Verdict:
            self.status = Status.CLEAN if content.raw == b"onexx" else Status.UNSCANNABLE
            return super().scan(content, deadline)

    parts = OnlyOne()
    raw = b"Content-Transfer-Encoding: base64\n\nb25l\n=%s\n"
    assert ask(Decomposed(Fake(), parts), raw % b"eHg=", is_message=True).status is Status.CLEAN
    assert len(parts.seen) > 1
    assert ask(Decomposed(Fake(), parts), raw % b"dmlydXM=", is_message=True).status is Status.INFECTED


def test_a_worse_verdict_keeps_the_values_of_the_engine(ask: Ask) -> None:
    scored = Answering(Verdict("fake", Status.CLEAN, values={"score": "5"}, by_recipient={"a@b": {"score": "6"}}))
    for engine, raw in (
        (StructureCheck(scored), AMBIGUOUS),
        (Paranoid(scored), AMBIGUOUS),
        (Decomposed(scored, Fake()), multipart(b"virus")),
    ):
        verdict = ask(engine, raw, is_message=True)
        assert verdict.status is not Status.CLEAN
        assert (verdict.values, verdict.by_recipient) == ({"score": "5"}, {"a@b": {"score": "6"}})


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


class Others:
    """Shared verdicts: those of others are `known` by content, for 5 seconds each; `kept` are those that were shared."""

    def __init__(self, *known: bytes) -> None:
        self.known = {Content(raw).digest for raw in known}
        self.asked: list[Key] = []
        self.kept: list[Verdict] = []

    def find(self, engine: str, key: Key) -> tuple[Verdict, float] | None:
        self.asked.append(key)
        time.sleep(0.05)
        return (Verdict(engine, Status.INFECTED, "Theirs"), 5.0) if key.content in self.known else None

    def keep(self, key: Key, verdict: Verdict) -> None:
        assert key in self.asked
        self.kept.append(verdict)


def test_a_shared_verdict_is_remembered_for_its_time(ask: Ask) -> None:
    fake, clock, others, statistics = Fake(), Clock(), Others(b"x"), Statistics()
    cached = Cached(fake, 10, "av 1", clock, statistics, others)
    assert [ask(cached).info for _ in range(2)] == ["Theirs"] * 2
    assert others.asked == [Key("av 1", "1", False, Content(b"x").digest)]
    assert statistics.snapshot().hits == 2
    clock.now += 5
    assert ask(cached).info == "Theirs"
    assert (len(others.asked), fake.seen, others.kept) == (2, [], [])


def test_what_others_do_not_know_is_scanned_and_shared(ask: Ask) -> None:
    fake, others = Fake(), Others()
    cached = Cached(fake, 10, shared=others)
    assert ask(cached) == ask(cached) == Verdict("fake", Status.CLEAN, version="1")
    assert (fake.seen, others.kept) == ([b"x"], [Verdict("fake", Status.CLEAN, version="1")])


@pytest.mark.parametrize("known", [(), (b"x",)])
def test_others_are_asked_once_at_a_time(known: tuple[bytes, ...], ask: Ask) -> None:
    others = Others(*known)
    cached = Cached(Fake(seconds=0.05), 0, shared=others)
    assert len({verdict.info for verdict in at_once(8, lambda: ask(cached))}) == 1
    assert len(others.asked) == 1


def test_others_are_not_asked_without_a_version_or_time(ask: Ask) -> None:
    fake, others = Fake(), Others(b"x")
    ask(Cached(fake, 10, shared=others), b"x", SHARED_TIME)
    fake.versions = ""
    ask(Cached(fake, 10, shared=others), b"x", 2 * SHARED_TIME)
    assert (fake.seen, others.asked, others.kept) == ([b"x", b"x"], [], [])


def test_a_scan_that_took_long_is_not_shared(ask: Ask) -> None:
    others = Others()
    assert ask(Cached(Fake(seconds=0.2), 10, shared=others), b"x", SHARED_TIME + 0.15).status is Status.CLEAN
    assert (len(others.asked), others.kept) == (1, [])


# -- Counted --------------------------------------------------------------------------------------------------------


VERDICTS = [
    (Verdict("x", Status.INFECTED, ms=2.0), Counts(1, 0, 1, 0, 0, 2.0)),
    (Verdict("x", Status.SUSPICIOUS, ms=2.0), Counts(1, 0, 1, 0, 0, 2.0)),
    (Verdict("x", Status.CLEAN, cured="replaced", ms=2.0), Counts(1, 0, 0, 1, 0, 2.0)),
    (Verdict("x", Status.ERROR, ms=2.0), Counts(1, 0, 0, 0, 1, 2.0)),
    (Verdict("x", Status.UNSCANNABLE, ms=2.0), Counts(1, 0, 0, 0, 0, 2.0)),
]


@pytest.mark.parametrize(("verdict", "counts"), VERDICTS)
def test_counted(verdict: Verdict, counts: Counts, ask: Ask) -> None:
    statistics = Statistics()
    assert ask(Counted(Answering(verdict), statistics), is_message=True) is verdict
    assert statistics.snapshot() == counts


def test_what_is_not_an_answer_is_counted_without_its_find(ask: Ask) -> None:
    statistics = Statistics()
    ask(Counted(Answering(VERDICTS[0][0]), statistics, is_answer=False))
    assert statistics.snapshot() == Counts(parts=1, part_ms=2.0)


def test_counted_by_several_threads(ask: Ask) -> None:
    statistics = Statistics()
    counted = Counted(Fake(), statistics)
    at_once(10, lambda: (ask(counted, b"virus", is_message=True), ask(counted, b"x", is_message=False)))
    assert statistics.snapshot() == Counts(messages=10, parts=10, viruses=10)


def test_counts_of_several_processes_are_added() -> None:
    counts = pickle.loads(pickle.dumps(Counts(1, 2, 3, 4, 5, 6.0, 7.0)))  # noqa: S301  # our own
    total = counts + Counts(1, 2, 0, 0, 0, 1.0, 1.0)
    assert total == Counts(2, 4, 3, 4, 5, 7.0, 8.0)
    assert (total.ms_per_message, total.ms_per_part) == (3.5, 2.0)
    assert math.isnan(Counts().ms_per_message)
    assert math.isnan(Counts().ms_per_part)


# -- assemble -------------------------------------------------------------------------------------------------------


def kind_of(fake: Fake, *, cacheable: bool = True) -> EngineType:
    def make(name: str, values: Mapping[str, Any]) -> Engine:
        assert (values["a"], values["b"], values["file_base"], values["enabled"]) == ("given", "default", None, True)
        fake.name = name
        return fake

    options = (Option("a", TEXT, "", ""), Option("b", TEXT, "default", ""))
    return EngineType("fake", "a fake", "CPU", options, make, cacheable=cacheable)


def assembled(kind: EngineType, **settings: Any) -> Assembled:
    defaults = EngineSettings.defaults("fake")
    return assemble(kind, "f", replace(defaults, options={"a": "given"}, **settings), Pools())


def test_assembled_with_everything(ask: Ask) -> None:
    fake = Fake()
    engine = assembled(kind_of(fake), max_concurrency=1, mime_decompose=True, paranoid=True, timeout=5.0)
    raw = multipart(b"one", b"two")
    assert ask(engine, raw, is_message=True).status is Status.CLEAN
    assert ask(engine, raw, is_message=True).status is Status.CLEAN
    assert ask(engine, AMBIGUOUS, is_message=True).info == "Paranoid.MIME.duplicate-boundary"
    assert fake.seen == [raw, b"one", b"two", AMBIGUOUS, b"x", b"x"]  # twice: once because it is unusual
    counts = engine.statistics.snapshot()
    assert (counts.messages, counts.parts, counts.viruses) == (3, 5, 1)
    assert counts.message_ms > 0
    assert (engine.name, engine.version(Deadline.after(1))) == ("f", "1")
    assert engine.flush() == 5
    assert ask(engine, multipart(b"virus"), is_message=True).engine == "f"
    assert engine.statistics.snapshot().viruses == 2


def test_an_unknown_pool() -> None:
    with pytest.raises(ValueError, match="thread pool"):
        assembled(kind_of(Fake()), pool="NONE")


def test_a_scan_runs_in_its_pool(ask: Ask) -> None:
    threads: set[str] = set()

    class Curious(Fake):
        def scan(self, content: Content, deadline: Deadline) -> Verdict:
            threads.add(threading.current_thread().name)
            return super().scan(content, deadline)

    ask(assembled(kind_of(Curious())))
    ask(assembled(kind_of(Curious()), pool="io"))
    assert threads == {"sieveav-CPU", "sieveav-IO"}


def test_the_variables_of_an_engine(ask: Ask) -> None:
    engine = assembled(kind_of(Fake()), context_variable="virus")
    assert engine.variables(ask(engine, b"virus"))["virus_info"] == "Virus"

    def variables(name: str, settings: EngineSettings, verdict: Verdict) -> dict[str, str]:
        return {f"{name}-result": str(verdict.status), "context": settings.context_variable}

    engine = assembled(replace(kind_of(Fake()), variables=variables), context_variable="virus")
    assert engine.variables(ask(engine, b"virus")) == {"f-result": "infected", "context": "virus"}


def test_assembled_with_little(ask: Ask) -> None:
    fake = Fake()
    engine = assembled(kind_of(fake), cache_size=0)
    ask(engine, multipart(b"one"), is_message=True)
    ask(engine, multipart(b"one"), is_message=True)
    assert len(fake.seen) == 2
    assert engine.flush() == 0
    assert ask(engine, AMBIGUOUS, is_message=True).status is Status.UNSCANNABLE


def test_the_timeout_of_the_stanza(ask: Ask) -> None:
    engine = assembled(kind_of(Fake(seconds=0.1)), timeout=0.05)
    assert ask(engine).info == "timeout"


def test_reputation_is_never_cached(ask: Ask) -> None:
    fake = Fake()
    engine = assembled(kind_of(fake, cacheable=False))
    ask(engine)
    ask(engine)
    assert len(fake.seen) == 2


def test_no_engine_below_is_changed_by_a_verdict_remembered_for_long(ask: Ask) -> None:
    engine = assembled(kind_of(Fake()))
    assert ask(engine, b"virus") == ask(engine, b"virus")
    assert ask(engine, b"virus").ms >= 0
