"""Addresses of daemons, and names looked up in time. What a connection does: tests/engines/test_clamav_faults.py."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest

from sieveav.scanning import connecting
from sieveav.scanning.connecting import Address, Connection, resolve
from sieveav.scanning.contract import Deadline
from sieveav.scanning.failover import Unreached


@pytest.mark.parametrize(
    ("text", "address", "shown"),
    [
        ("127.0.0.1:3310", ("127.0.0.1", 3310), "127.0.0.1:3310"),
        ("av.example.com", ("av.example.com", 99), "av.example.com:99"),
        ("[::1]:3311", ("::1", 3311), "[::1]:3311"),
        ("[::1]", ("::1", 99), "[::1]:99"),
        ("/run/clamav/clamd.ctl", ("/run/clamav/clamd.ctl", 0), "/run/clamav/clamd.ctl"),
        ("unix:/run/x", ("/run/x", 0), "/run/x"),
    ],
)
def test_addresses(text: str, address: tuple[str, int], shown: str) -> None:
    assert Address.parse(text, 99) == address
    assert str(Address.parse(text, 99)) == shown


@pytest.mark.parametrize("text", ["", "a:b", "host:0", "host:70000", "::1", "relative/path", "host:1:2", "a b", "[::1"])
def test_invalid_addresses(text: str) -> None:
    with pytest.raises(ValueError, match="is not host:port"):
        Address.parse(text, 99)


class Resolver:
    """In place of getaddrinfo: answers when it may `go_on`, and counts the questions."""

    def __init__(self, error: Exception | None = None) -> None:
        self.questions: list[str] = []
        self.go_on = threading.Event()
        self.error = error

    def __call__(self, host: str, port: int, **_: Any) -> list[Any]:
        self.questions.append(host)
        self.go_on.wait(10)
        if self.error:
            raise self.error
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port))]


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "sieveav-resolve"]


def ended() -> None:
    for thread in threads():
        thread.join(5)
    assert connecting._look_ups == {}


def test_one_look_up_for_all_who_need_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    resolver = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    results: list[Any] = []
    waiting = [threading.Thread(target=lambda: results.append(resolve("av.example.com", 1, 5))) for _ in range(10)]
    for thread in waiting:
        thread.start()
    for _ in range(20):
        with pytest.raises(TimeoutError):
            resolve("av.example.com", 1, 0.001)
    with pytest.raises(TimeoutError):
        resolve("other.example.com", 1, 0.001)
    assert len(threads()) == 2
    resolver.go_on.set()
    for thread in waiting:
        thread.join(5)
    assert [info[0][4] for info in results] == [("127.0.0.1", 1)] * 10
    assert sorted(resolver.questions) == ["av.example.com", "other.example.com"]
    ended()
    resolve("av.example.com", 1, 5)
    assert len(resolver.questions) == 3
    ended()


def test_a_name_that_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    resolver = Resolver(socket.gaierror(socket.EAI_NONAME, "Name or service not known"))
    resolver.go_on.set()
    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    with pytest.raises(Unreached, match="cannot connect: Name or service not known"):
        Connection(Address("av.example.com", 1), Deadline.after(5)).open()
    ended()


def test_an_address_needs_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading.Thread, "start", lambda _: pytest.fail("a thread"))
    assert resolve("127.0.0.1", 1, 5)[0][4] == ("127.0.0.1", 1)


def test_no_more_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(Unreached, match="can't start new thread"):
        Connection(Address("av.example.com", 1), Deadline.after(5)).open()
    assert connecting._look_ups == {}
