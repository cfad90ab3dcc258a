"""Thread pools: never more threads than their size, nothing waits for work that hangs."""

from __future__ import annotations

import gc
import queue
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from sieveav.scanning import pools
from sieveav.scanning.pools import OPTIONS, Pool, Pools


def own_threads(pool: Pool) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == f"sieveav-{pool.name}"]


def in_threads(number: int, work: Callable[[], object]) -> None:
    threads = [threading.Thread(target=work) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()


def test_names_and_sizes() -> None:
    site = Pools({"mine": 3, "cpu": 9, "other": None})
    assert site.names == ("CPU", "IO", "MINE", "OTHER")
    sizes = {name: pool.size for name in site.names if (pool := site.find(name.lower()))}
    assert sizes == {"CPU": 9, "IO": 50, "MINE": 3, "OTHER": 4}
    assert site.find("none") is None


@pytest.mark.parametrize("text", ["0", "1001", "many"])
def test_sizes_that_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=text):
        OPTIONS[0].value(text)


def test_the_result_or_the_error() -> None:
    pool = Pool("RESULT", 2)
    assert pool.run(lambda: 7, 5) == 7
    with pytest.raises(ValueError, match="nine"):
        pool.run(lambda: int("nine"), 5)


def test_threads_start_when_they_are_needed_and_are_used_again() -> None:
    pool = Pool("LAZY", 5)
    assert own_threads(pool) == []
    for _ in range(20):
        pool.run(lambda: None, 5)
    assert len(own_threads(pool)) == 1
    assert all(thread.daemon for thread in own_threads(pool))


def test_never_more_threads_than_the_size() -> None:
    pool = Pool("SIZE", 3)
    running, most, lock = 0, 0, threading.Lock()

    def work() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.01)
        with lock:
            running -= 1

    in_threads(12, lambda: pool.run(work, 20))
    assert most == 3
    assert len(own_threads(pool)) == 3


def test_work_that_is_given_up_keeps_its_thread_or_never_begins() -> None:
    pool = Pool("STUCK", 1)
    go_on, begun, ended = threading.Event(), [], []

    def work() -> None:
        begun.append(1)
        go_on.wait(10)

    for reason in ("timeout", *["timeout: all threads of the pool STUCK are busy"] * 5):
        with pytest.raises(TimeoutError) as caught:
            pool.run(work, 0.05, lambda: ended.append(1))
        assert str(caught.value) == reason
    assert (len(begun), len(ended), len(own_threads(pool))) == (1, 5, 1)
    go_on.set()
    assert pool.run(lambda: "again", 5) == "again"
    assert (len(begun), len(ended)) == (1, 6)


def test_a_caller_works_in_its_own_thread_and_counts() -> None:
    pool = Pool("HERE", 1)
    ended: list[int] = []

    def work() -> str:
        for run in (pool.run, pool.run_here):
            with pytest.raises(TimeoutError, match="timeout"):
                run(lambda: pytest.fail("there was a place"), 0.05)
        return threading.current_thread().name

    assert pool.run_here(work, 5, lambda: ended.append(1)) == threading.current_thread().name
    with pytest.raises(ValueError, match="nine"):
        pool.run_here(lambda: int("nine"), 5, lambda: ended.append(1))
    assert len(ended) == 2
    assert pool.run(lambda: "again", 5) == pool.run_here(lambda: "again", 5) == "again"


def test_an_idle_thread_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "IDLE", 0.02)
    pool = Pool("IDLE", 2)
    for _ in range(3):
        assert pool.run(lambda: 1, 5) == 1
        for thread in own_threads(pool):
            thread.join(5)
        assert own_threads(pool) == []


def test_ending_threads_lose_no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "IDLE", 0.0001)
    pool = Pool("RACE", 3)

    def work() -> None:
        for number in range(200):
            assert pool.run(lambda number=number: number, 10) == number  # type: ignore[misc]  # a default
            time.sleep(0.0001)

    in_threads(4, work)


class LateQueue(queue.SimpleQueue[Any]):
    """The second `get` times out just after a task was put."""

    def __init__(self) -> None:
        super().__init__()
        self.gets = 0
        self.puts = threading.Semaphore(0)

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        super().put(item, block, timeout)
        self.puts.release()

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        self.gets += 1
        self.puts.acquire(timeout=5)
        if self.gets == 2:
            self.puts.release()
            raise queue.Empty
        return super().get(block, timeout)


def test_a_thread_does_not_end_when_there_is_work_for_it() -> None:
    pool = Pool("LATE", 1)
    pool._tasks = LateQueue()
    assert pool.run(lambda: 1, 5) == 1
    assert pool.run(lambda: 2, 5) == 2


class Message:
    """Something to refer to."""


def test_nothing_refers_to_work_that_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "IDLE", 1000.0)
    pool = Pool("KEEP", 1)

    def work() -> weakref.ref[Message]:
        message = Message()

        def fail(message: Message = message) -> None:
            raise ZeroDivisionError(str(message))

        with pytest.raises(ZeroDivisionError):
            pool.run(fail, 5)
        return weakref.ref(message)

    reference = work()
    for _ in range(100):
        gc.collect()
        if reference() is None:
            break
        time.sleep(0.01)
    assert reference() is None


def test_no_more_threads_in_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    pool = Pool("NONE", 2)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        with pytest.raises(TimeoutError):
            pool.run(lambda: 1, 0.01)
    assert pool.run(lambda: 1, 5) == 1


def test_a_command_ends_while_work_hangs() -> None:
    program = (
        "import threading; from sieveav.scanning.pools import Pool\n"
        "try: Pool('X', 1).run(threading.Event().wait, 0.05)\n"
        "except TimeoutError: pass"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=30).returncode == 0
