"""The state in Redis: several nodes share it, and each goes on deciding without it."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
from support import packages
from support.daemons import Redis
from support.sites import Decide

from sieveav.frontends.cli import main
from sieveav.running.carrying import carry
from sieveav.running.effects import Call, Count, Pipe, Record, Send, Store
from sieveav.running.message import Message
from sieveav.site.site import Refused, Site, load
from sieveav.site.state import State, open_state
from sieveav.site.states import redis as backend

NOW = 1_700_000_000.0

real = pytest.mark.real


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a failure the server is asked again at once."""
    monkeypatch.setattr(backend, "PAUSE", 0.0)


def opened(url: str) -> State:
    return open_state(url, Path("/"))


# ---- locations


@pytest.mark.parametrize(
    ("store", "where", "options"),
    [
        ("redis://127.0.0.1:6379/0", "127.0.0.1:6379", {"host": "127.0.0.1", "port": "6379", "db": "0"}),
        ("redis://db.example.com", "db.example.com:6379", {"host": "db.example.com", "port": "6379"}),
        ("redis://[::1]:7000/15", "[::1]:7000", {"host": "::1", "port": "7000", "db": "15"}),
        (
            "redis://:p%40:s%2Fs@h/",
            "h:6379",
            {"host": "h", "port": "6379", "password": "p@:s/s"},
        ),
        (
            "redis://u:p@h:1",
            "h:1",
            {"host": "h", "port": "1", "username": "u", "password": "p"},
        ),
        ("redis:///run/redis/r.sock", "/run/redis/r.sock", {"path": "/run/redis/r.sock"}),
        (
            "redis://:p@/run/r.sock?db=3",
            "/run/r.sock",
            {"path": "/run/r.sock", "password": "p", "db": "3"},
        ),
    ],
)
def test_a_location(store: str, where: str, options: dict[str, str]) -> None:
    made = opened(store)
    assert isinstance(made, backend.Redis)
    assert (made._where, made._options) == (where, options)


@pytest.mark.parametrize(
    "store",
    [
        "redis:",
        "redis:/run/r.sock",
        "redis://",
        "redis:///0",
        "redis://secret@h",
        "redis://:@h",
        "redis://u:se/cret@h",
        "redis://u:secret@h:0",
        "redis://u:secret@h:65536",
        "redis://h:secret",
        "redis://h/secret",
        "redis://h/0?secret=1",
        "redis://h h",
        "redis://a:" * 10_000,
    ],
)
def test_what_is_no_location(store: str) -> None:
    """The message does not repeat it, because there may be a password in it."""
    with pytest.raises(ValueError, match="redis has no such location: write") as error:
        opened(store)
    assert "secret" not in str(error.value)


def test_it_is_imported_when_it_is_used(tmp_path: Path) -> None:
    (tmp_path / "s.conf").write_text('state { store = "redis://127.0.0.1:1/0" }')
    done = packages.python(
        tmp_path,
        "import sys, sieveav; site = sieveav.load('s.conf'); print('redis' in sys.modules, 'sqlite3' in sys.modules);"
        "print(site.seen('a', 'k'), 'redis' in sys.modules)",
    )
    assert done.stdout.splitlines() == ["False False", "None True"], done.stderr


# ---- nodes

SCRIPT = """require ["duplicate", "fileinto", "vacation"];
if duplicate { fileinto "twice"; stop; }
vacation "I am away.";
"""


def message(number: int) -> bytes:
    return f"Message-ID: <{number}@x>\nFrom: bob@example.org\nTo: alice@example.com\n\nHi.\n".encode()


class Node:
    """A site that carries out what it decides for alice: `done` is where each message went, and each reply."""

    def __init__(self, site: Site, decided: Decide) -> None:
        self.site = site
        self.done: list[str] = []
        self._decided = decided

    def receive(self, number: int) -> list[str]:
        """What is done with the message of this number."""
        self.done = []
        raw = message(number)
        decision = self._decided(self.site, raw=raw)
        carry(Message(raw), decision.recipients[0].outcome, self)
        return self.done

    def store(self, effect: Store, message: bytes) -> str:  # noqa: ARG002
        self.done.append(effect.mailbox or "INBOX")
        return ""

    def send(self, effect: Send, message: bytes) -> str:  # noqa: ARG002
        self.done.append("reply")
        return ""

    def record(self, effect: Record) -> str:
        return "" if self.site.remember("alice@example.com", effect) is not None else "not remembered"

    def claim(self, effect: Record) -> bool:
        return self.site.remember("alice@example.com", effect) is True

    def release(self, effect: Record) -> None:
        raise NotImplementedError

    def pipe(self, effect: Pipe, message: bytes) -> str:
        raise NotImplementedError

    def call(self, effect: Call, message: bytes) -> str:
        raise NotImplementedError

    def count(self, effect: Count) -> str:
        raise NotImplementedError


@pytest.fixture
def node(tmp_path: Path, decided: Decide) -> Callable[[str], Node]:
    """Makes a node with this store."""

    def make(store: str) -> Node:
        (tmp_path / "u.sieve").write_text(SCRIPT)
        (tmp_path / "site.conf").write_text(f'state {{ store = "{store}" }} users {{ scripts = "u.sieve" }}')
        return Node(load(tmp_path / "site.conf"), decided)

    return make


@real
def test_two_nodes_remember_together(redis_server: Redis, node: Callable[[str], Node]) -> None:
    one, two = node(redis_server.url), node(f"redis://{redis_server.socket}?db=0")
    assert one.receive(1) == ["INBOX", "reply"]
    assert two.receive(1) == ["twice"]
    assert two.receive(2) == ["INBOX"]
    assert one.receive(2) == ["twice"]


@real
@pytest.mark.usefixtures("no_pause")
def test_a_node_decides_without_it(
    redis_server: Redis, node: Callable[[str], Node], caplog: pytest.LogCaptureFixture
) -> None:
    """It sends no reply, because there may have been one, and says so once."""
    caplog.set_level(logging.INFO)
    one, two = node(redis_server.url), node(f"redis://{redis_server.socket}")
    assert one.receive(1) == ["INBOX", "reply"]
    assert two.receive(1) == ["twice"]

    def logged() -> list[str]:
        lines = [f"{r.levelname} {r.getMessage()}" for r in caplog.records if r.name == "sieveav.site.state"]
        caplog.clear()
        return lines

    redis_server.kill()
    assert [one.receive(number) for number in (1, 2, 2, 3)] == [["INBOX"]] * 4
    assert logged() == [f"ERROR state: redis 127.0.0.1:{redis_server.port}: Connection refused"]
    assert [two.receive(number) for number in (1, 2)] == [["INBOX"]] * 2
    assert logged() == [f"ERROR state: redis {redis_server.socket}: Connection refused"]
    redis_server.start()
    assert one.receive(4) == ["INBOX", "reply"]  # it has forgotten
    assert logged() == ["INFO state: it works again"]
    assert two.receive(4) == ["twice"]
    assert logged() == ["INFO state: it works again"]
    redis_server.kill()
    redis_server.start()  # a restart between two messages is no outage
    assert one.receive(5) == ["INBOX", "reply"]
    assert logged() == []
    redis_server.kill()
    assert one.receive(6) == ["INBOX"]
    assert logged() == [f"ERROR state: redis 127.0.0.1:{redis_server.port}: Connection refused"]


@real
def test_a_server_that_can_only_be_read(
    redis_server: Redis, node: Callable[[str], Node], caplog: pytest.LogCaptureFixture
) -> None:
    """It does not know who was answered, so nobody is. That it can be read is no sign that it works again."""
    caplog.set_level(logging.INFO, "sieveav.site.state")
    one = node(redis_server.url)
    redis_server.ask("REPLICAOF 127.0.0.1 1")
    assert [one.receive(number) for number in (1, 2, 3)] == [["INBOX"]] * 3
    redis_server.ask("REPLICAOF NO ONE")
    assert one.receive(4) == ["INBOX", "reply"]
    assert one.receive(4) == ["twice"]
    begins, ends = [record.getMessage() for record in caplog.records if record.name == "sieveav.site.state"]
    assert begins.startswith(f"state: redis 127.0.0.1:{redis_server.port}: You can't write against a read only replica")
    assert ends == "state: it works again"


# ---- the server


@real
def test_what_the_server_keeps(redis_server: Redis) -> None:
    """No address and no key of a script; and it deletes them itself."""
    state = opened(redis_server.url)
    state.record("alice@example.com", "vacation x", NOW, 60)
    redis_server.ask("SET sieveav:other 1")
    assert b"alice" not in redis_server.ask("KEYS *")
    (key,) = [line for line in redis_server.ask("KEYS *").split() if line.startswith(b"sieveav:") and len(line) == 72]
    assert 50_000 < int(redis_server.ask(f"PTTL {key.decode()}")[1:]) <= 60_000
    state.record("alice@example.com", "short", NOW, 0.001)
    until = time.monotonic() + 10
    while redis_server.ask("DBSIZE") != b":2\r\n":  # as the clock of the server goes
        assert time.monotonic() < until


@real
def test_sliding_renews_the_time_at_the_server(redis_server: Redis) -> None:
    state = opened(redis_server.url)
    times = []
    for seconds, sliding in ((100, False), (1000, False), (1000, True)):
        state.record("a", "k", NOW, seconds, sliding=sliding)
        key = redis_server.ask("KEYS *").split()[-1].decode()
        times.append(int(redis_server.ask(f"TTL {key}")[1:]))
    assert times[0] <= 100
    assert times[1] <= 100
    assert 100 < times[2] <= 1000


@real
def test_foreign_values_are_errors(redis_server: Redis) -> None:
    state = opened(redis_server.url)
    state.record("a", "k", NOW, 60)
    key = redis_server.ask("KEYS *").split()[-1].decode()
    redis_server.ask(f"SET {key} nonsense")
    with pytest.raises(OSError, match="the value of a key is not a time"):
        state.seen("a", "k", NOW)
    with pytest.raises(OSError, match="attempt to compare nil"):
        state.record("a", "k", NOW, 60)
    redis_server.ask(f"DEL {key}")
    redis_server.ask(f"LPUSH {key} nonsense")
    with pytest.raises(OSError, match="wrong kind of value"):
        state.seen("a", "k", NOW)


@real
def test_many_threads_share_few_connections(redis_server: Redis) -> None:
    state = opened(redis_server.url)
    found = []

    def work(owner: str) -> None:
        for number in range(20):
            state.record(owner, f"k{number}", NOW, 60)
        found.append(all(state.seen(owner, f"k{number}", NOW) for number in range(20)))

    threads = [threading.Thread(target=work, args=(str(number),)) for number in range(3 * backend.CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * len(threads)
    assert redis_server.ask("CLIENT LIST").count(b"addr=127.0.0.1:") <= backend.CONNECTIONS * 2  # addr and laddr


@real
def test_a_process_has_its_own_connections(redis_server: Redis) -> None:
    """Also if its parent has asked before it was forked, which no command does."""
    state = opened(redis_server.url)
    state.record("a", "k", NOW, 60)
    before = redis_server.ask("CLIENT LIST").count(b"cmd=")
    end, go = os.pipe()
    answered, answer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(go)
            os.write(answer, b"1" if state.seen("a", "k", NOW) else b"0")
            os.read(end, 1)
        except BaseException:  # a child of pytest must not go on
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(0)
    os.close(end)
    os.close(answer)
    assert os.read(answered, 1) == b"1"
    assert redis_server.ask("CLIENT LIST").count(b"cmd=") == before + 1
    os.close(go)
    os.close(answered)
    os.waitpid(child, 0)
    assert state.seen("a", "k", NOW)


# ---- bounds


@real
def test_a_server_that_does_not_answer(redis_server: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is waited for once, and not by each question."""
    monkeypatch.setattr(backend, "TIMEOUT", 0.1)
    state = opened(redis_server.url)
    looks = iter([0.0, 10.0, 10.5, 11.5, 11.5])
    clock = type("Clock", (), {"monotonic": staticmethod(lambda: next(looks))})
    monkeypatch.setattr(backend, "time", clock)
    redis_server.signal(signal.SIGSTOP)
    with pytest.raises(OSError, match=r"redis 127\.0\.0\.1:\d+: Timeout"):  # asked at 0, failed at 10
        state.seen("a", "k", NOW)
    redis_server.signal(signal.SIGCONT)
    with pytest.raises(OSError, match=r"redis 127\.0\.0\.1:\d+: Timeout"):  # 10.5
        state.seen("a", "k", NOW)
    assert not state.seen("a", "k", NOW)  # 11.5


def test_it_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second time would double what a message waits."""
    monkeypatch.setattr(backend, "TIMEOUT", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        with pytest.raises(OSError, match="Timeout"):
            opened(f"redis://127.0.0.1:{server.getsockname()[1]}").seen("a", "k", NOW)
        server.setblocking(False)
        server.accept()[0].close()
        with pytest.raises(BlockingIOError):
            server.accept()


# ---- passwords

SECRET = "s3cret"  # noqa: S105


@real
def test_a_password(start_redis: Callable[..., Redis]) -> None:
    server = start_redis(SECRET)
    state = opened(server.url)
    state.record("a", "k", NOW, 60)
    assert state.seen("a", "k", NOW)
    for wrong in (f"redis://:{SECRET}x@127.0.0.1:{server.port}", f"redis://127.0.0.1:{server.port}"):
        with pytest.raises(OSError, match=r"^redis 127\.0\.0\.1:\d+: ") as error:
            opened(wrong).seen("a", "k", NOW)
        assert SECRET not in str(error.value)


@real
def test_a_server_that_repeats_the_password(start_redis: Callable[..., Redis]) -> None:
    """One that cannot log in says with what it was asked to."""
    server = start_redis(**{"rename-command": 'AUTH ""'})
    assert SECRET.encode() in server.ask(f"AUTH {SECRET}")
    for password in (SECRET, SECRET * 40):  # of which it repeats the beginning
        with pytest.raises(OSError, match="unknown command") as error:
            opened(f"redis://:{password}@127.0.0.1:{server.port}").seen("a", "k", NOW)
        assert SECRET not in str(error.value)


@pytest.mark.parametrize(
    "config",
    [
        f'state {{ store = "redis://u:{SECRET}@h:x" }}',
        f'state {{ store = "redis://u:{SECRET}@h" stor = 1 }}',
        f'state {{ store = "redis://u:\\"{SECRET}@h" stor = 1 }}',
        f"state {{ store = 'redis://u:{SECRET}@h' }}",
        f"state {{ store = redis://u:{SECRET}@h redis://u:{SECRET}@h }}",
        f'state {{ store "redis://u:{SECRET}@h" }}',
        f"state {{ store redis://u:{SECRET}@h }}",
        f'state {{ store = "redis://u:{SECRET}@h }}',
        f'state {{ store = ( "redis://u:{SECRET}@h" "x" ) }}',
        f'store = "redis://u:{SECRET}@h"',
    ],
)
def test_problems_do_not_show_a_password(config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "site.conf").write_text(config)
    with pytest.raises(Refused) as refused:
        load(tmp_path / "site.conf")
    assert SECRET not in str(refused.value)
    for form in ("text", "json"):
        main(["check-config", "--format", form, str(tmp_path / "site.conf")])
    said = capsys.readouterr()
    assert "site.conf" in said.out
    assert SECRET not in said.out + said.err


def test_the_settings_in_force_do_not_show_a_password(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "site.conf").write_text(f'state {{ store = "redis://u:{SECRET}@h:6379/0" }}')
    assert main(["check-config", "-n", str(tmp_path / "site.conf")]) == 0
    assert 'store = "redis://********@h:6379/0"' in capsys.readouterr().out
    assert SECRET not in load(tmp_path / "site.conf").source.text
