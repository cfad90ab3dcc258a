"""Failover and its breakers, with a clock of the test's own."""

# Fakes have the arguments of what they replace.
# ruff: noqa: ARG002

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from support.scanning import Ask

from sieveav.scanning.contract import Content, Deadline
from sieveav.scanning.failover import FAILURES, PAUSE, Breaker, Failover, Unreached
from sieveav.verdict import Status, Verdict


class Server:
    """Answers, or does not; `asked` is what it was asked."""

    def __init__(self, name: str, up: bool = True) -> None:
        self.name = name
        self.up = up
        self.asked: list[str] = []

    def _answer(self, question: str, answer: Any) -> Any:
        self.asked.append(question)
        if not self.up:
            raise Unreached("gone\r\nfar away")
        return answer

    def attempt(self, content: Content, deadline: Deadline) -> Verdict:
        assert deadline.left() > 0
        verdict: Verdict = self._answer("scan", Verdict("e", Status.CLEAN, self.name))
        return verdict

    def probe(self, deadline: Deadline) -> bool:
        assert deadline.left() <= 1
        self.asked.append("probe")
        return self.up

    def version(self, deadline: Deadline) -> str:
        return str(self._answer("version", f"version of {self.name}"))

    def clear(self) -> list[str]:
        asked, self.asked = self.asked, []
        return asked


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_the_first_that_answers(clock: Clock, ask: Ask) -> None:
    down, up, spare = Server("down", up=False), Server("up"), Server("spare")
    engine = Failover("e", [down, up, spare], clock)
    assert ask(engine).info == "up"
    assert engine.version(Deadline.after(1)) == "version of up"
    assert spare.asked == []


def test_none_answers(clock: Clock, ask: Ask, caplog: pytest.LogCaptureFixture) -> None:
    engine = Failover("e", [Server("a", up=False), Server("b", up=False)], clock)
    assert ask(engine) == Verdict("e", Status.ERROR, "a: gonefar away; b: gonefar away")
    assert engine.version(Deadline.after(1)) == ""
    assert all("\n" not in record.getMessage() for record in caplog.records)


def test_no_time(clock: Clock, ask: Ask) -> None:
    server = Server("a")
    assert ask(Failover("e", [server], clock), b"x", 0.0) == Verdict("e", Status.ERROR, "a: no answer")
    assert server.asked == []


def test_open_breakers_are_named(clock: Clock, ask: Ask) -> None:
    engine = Failover("e", [Server("a", up=False), Server("b", up=False)], clock)
    for _ in range(FAILURES):
        ask(engine)
    assert ask(engine).info == "a, b: no answer"


def test_several_threads_share_a_probe(clock: Clock) -> None:
    begun, go_on = threading.Event(), threading.Event()

    class Slow(Server):
        def probe(self, deadline: Deadline) -> bool:
            begun.set()
            go_on.wait(5)
            return super().probe(deadline)

    server = Slow("s", up=False)
    breaker = Breaker(server, clock)
    for _ in range(FAILURES):
        breaker.failed()
    results: list[bool] = []
    threads = [threading.Thread(target=lambda: results.append(breaker.probe(Deadline.after(5)))) for _ in range(8)]
    threads[0].start()
    begun.wait(5)
    for thread in threads[1:]:
        thread.start()
    time.sleep(0.05)  # until all of them wait
    go_on.set()
    for thread in threads:
        thread.join(5)
    assert server.asked == ["probe"]
    assert results == [False] * 8


def test_a_breaker_opens_is_probed_and_closes(clock: Clock, ask: Ask) -> None:
    down, up = Server("down", up=False), Server("up")
    engine = Failover("e", [down, up], clock)
    for _ in range(FAILURES):
        assert ask(engine).info == "up"
    assert down.clear() == ["scan"] * FAILURES
    assert ask(engine).info == "up"
    assert down.clear() == []
    clock.now += PAUSE
    assert ask(engine).info == "up"
    assert ask(engine).info == "up"
    assert down.clear() == ["probe"]
    down.up = True
    clock.now += PAUSE
    assert ask(engine).info == "down"
    assert ask(engine).info == "down"
    assert down.clear() == ["probe", "scan", "scan"]


def test_when_all_breakers_are_open_a_server_that_is_back_is_asked_at_once(clock: Clock, ask: Ask) -> None:
    only = Server("only", up=False)
    engine = Failover("e", [only], clock)
    for _ in range(FAILURES + 1):
        assert ask(engine).status is Status.ERROR
    assert only.clear() == ["scan"] * FAILURES + ["probe"]
    only.up = True
    assert ask(engine).info == "only"


def test_a_success_makes_failures_forgotten(clock: Clock, ask: Ask) -> None:
    server = Server("s", up=False)
    engine = Failover("e", [server], clock)
    for _ in range(3):
        for _ in range(FAILURES - 1):
            ask(engine)
        server.up = True
        assert ask(engine).status is Status.CLEAN
        server.up = False
    assert "probe" not in server.asked


def test_an_error_verdict_is_an_answer(clock: Clock, ask: Ask) -> None:
    class Ill(Server):
        def attempt(self, content: Content, deadline: Deadline) -> Verdict:
            return Verdict("e", Status.ERROR, "ill")

    assert ask(Failover("e", [Ill("a"), Server("up")], clock)).info == "a: ill"


def test_each_gets_an_equal_share_of_the_time(clock: Clock, ask: Ask) -> None:
    shares: list[float] = []

    class Timing(Server):
        def attempt(self, content: Content, deadline: Deadline) -> Verdict:
            shares.append(round(deadline.left()))
            raise Unreached("no")

    ask(Failover("e", [Timing("a"), Timing("b"), Timing("c")], clock), b"x", 12.0)
    assert shares == [4, 6, 12]


def test_a_version_that_is_not_available_opens_no_breaker(clock: Clock, ask: Ask) -> None:
    server = Server("busy", up=False)
    engine = Failover("e", [server], clock)
    for _ in range(FAILURES):
        assert engine.version(Deadline.after(1)) == ""
    server.up = True
    assert ask(engine).status is Status.CLEAN
    assert "probe" not in server.asked
