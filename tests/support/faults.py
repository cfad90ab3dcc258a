"""faults: the table of faults for every engine that asks a daemon: whatever the daemon does, the verdict is not clean, comes in
time, and nothing is left behind.

A test file of an engine says how the daemon talks when it finds nothing:

    class TestFaults(Faults):
        protocol = sssp.protocol
        clean = (b"OK SSSP/1.0\\r\\n", line, b"ACC 1\\r\\n", data, b"ACC 2\\r\\nDONE OK 0000 x\\r\\n\\r\\n")

What is called hears, octets are said; the last octets are the answer.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from sieveav.scanning.contract import Engine
from sieveav.scanning.daemon import Protocol, maker
from sieveav.verdict import Status
from support.scanning import Ask, Serve
from support.scripted import Peer

Hear = Callable[[Peer], object]

CONTENT = b"x" * 3_000_000

LARGE = bytes(20_000_000)
"""More than the buffers of a connection take."""

ENOUGH = 6.0
"""Seconds after which a scan with a deadline of half a second hangs, on however slow a machine."""

SECONDS = 0.5


def line(peer: Peer) -> bytes:
    """Hear a line."""
    received = b""
    while not received.endswith(b"\n"):
        received += peer.exactly(1)
    return received


def lines(*more: str) -> Callable[[Peer], list[bytes]]:
    """Hears a line for each of these, which it begins with."""

    def hear(peer: Peer) -> list[bytes]:
        heard = [line(peer) for _ in more]
        assert all(one.startswith(begin.encode()) for one, begin in zip(heard, more, strict=True)), heard
        return heard

    return hear


def sized(command: bytes, at: int = -1) -> Callable[[Peer], bytes]:
    """Hears a line that begins with `command` and has the size of the data as its word number `at`, then the data."""

    def hear(peer: Peer) -> bytes:
        heard = line(peer)
        assert heard.startswith(command), heard
        return peer.exactly(int(heard.split()[at]))

    return hear


def head(peer: Peer) -> bytes:
    """Hear a header, up to its empty line."""
    received = b""
    while not received.endswith(b"\r\n\r\n"):
        received += line(peer)
    return received


def chunks(peer: Peer) -> bytes:
    """Hear a body in chunks."""
    received = b""
    while size := int(line(peer), 16):
        received += peer.exactly(size)
        assert line(peer) == b"\r\n"
    assert line(peer) == b"\r\n"
    return received


def request(peer: Peer) -> bytes:
    """Hear a whole request of HTTP with a Content-Length; its body."""
    length = re.search(rb"\r\nContent-Length: ([0-9]+)\r\n", head(peer), re.IGNORECASE)
    return peer.exactly(int(length[1])) if length else b""


Say = Callable[[Peer, bytes], None]


def _said(peer: Peer, answer: bytes) -> None:
    peer.send(answer)


def _cut(share: float) -> Say:
    return lambda peer, answer: peer.send(answer[: int(len(answer) * share)])


def _cut_and_reset(peer: Peer, answer: bytes) -> None:
    peer.send(answer[:-1])
    peer.stopped.wait(0.05)
    peer.reset()


def _cut_and_silent(peer: Peer, answer: bytes) -> None:
    peer.send(answer[:-1])
    peer.silence()


def _reset(peer: Peer, _: bytes) -> None:
    peer.reset()


def _silent(peer: Peer, _: bytes) -> None:
    peer.silence()


def _twice(peer: Peer, answer: bytes) -> None:
    peer.send(answer + answer)


def instead(octets: bytes) -> Say:
    """Says this in place of the answer."""
    return lambda peer, _: peer.send(octets)


def _before(octets: bytes) -> Say:
    return lambda peer, answer: peer.send(octets + answer)


def _after(octets: bytes) -> Say:
    return lambda peer, answer: peer.send(answer + octets)


def _slow_loris(peer: Peer, answer: bytes) -> None:
    peer.slowly(answer * 50, 0.1)


ANSWERS: dict[str, Say] = {
    "no answer": lambda *_: None,
    "cut at a quarter": _cut(0.25),
    "cut in the middle": _cut(0.5),
    "cut before its last octet": _cut_and_reset,
    "silence in the answer": _cut_and_silent,
    "silence": _silent,
    "reset": _reset,
    "two answers in one segment": _twice,
    "garbage": instead(bytes(range(256)) * 4),
    "garbage before the answer": _before(b"\xff\xfe\0garbage\r\n"),
    "garbage after the answer": _after(b"\xff"),
    "an empty line": instead(b"\r\n" * 50),
    "a line of 1 MB": instead(b"x" * 1_000_000 + b"\r\n"),
    "1 MB without a line": instead(b"x" * 1_000_000),
    "NUL octets": _before(bytes(100)),
    "invalid UTF-8": instead(b"\xff\xff\r\n" * 20),
    "slow-loris": _slow_loris,
}
"""What a daemon says in place of its answer. None of it is clean."""


def engine_of(protocol: Protocol, /, *addresses: str, **values: Any) -> Engine:
    """An engine that asks the daemons at these addresses."""
    every = {"allow": (), "classes": (), "file_base": None, **values, "daemon": addresses}
    return maker(protocol)("engine", every)


class Faults:
    """The tests. Subclasses say how the daemon talks."""

    protocol: ClassVar[Protocol]
    clean: ClassVar[tuple[Hear | bytes, ...]]
    values: ClassVar[dict[str, Any]] = {}
    content: ClassVar[bytes] = CONTENT
    answers: ClassVar[dict[str, Say]] = {}
    """More things that the daemon says in place of its answer."""
    ends_with_connection: ClassVar[bool] = False
    """Whether the daemon's closing of the connection is the end of the answer."""

    def engine(self, *addresses: str) -> Engine:
        return engine_of(self.protocol, *addresses, **self.values)

    def script(self, say: Say = _said, until: int | None = None) -> Callable[[Peer], None]:
        """The daemon, which says its answer by `say`; only the first steps with `until`."""

        def script(peer: Peer) -> None:
            *steps, answer = self.clean
            for step in steps[:until]:
                if isinstance(step, bytes):
                    peer.send(step)
                else:
                    step(peer)
            if until is None:
                assert isinstance(answer, bytes)
                say(peer, answer)
            if not self.ends_with_connection:
                peer.drain()

        return script

    def test_clean(self, serve: Serve, ask: Ask, short: Path) -> None:
        for path in (None, short / "s"):
            assert ask(self.engine(serve(self.script(), path).address), self.content).status is Status.CLEAN

    def test_clean_octet_by_octet(self, serve: Serve, ask: Ask) -> None:
        def slowly(peer: Peer, answer: bytes) -> None:
            peer.slowly(answer, 0.0005)

        content = self.content if len(self.content) < 1000 else b"x"
        assert ask(self.engine(serve(self.script(slowly)).address), content).status is Status.CLEAN

    def test_answers(self, serve: Serve, ask: Ask, subtests: Any) -> None:
        for name, say in {**ANSWERS, **self.answers}.items():
            with subtests.test(name):
                self.check(serve(self.script(say)).address, ask)

    def test_the_connection_ends_at_each_step(self, serve: Serve, ask: Ask, subtests: Any) -> None:
        for until in range(len(self.clean)):
            with subtests.test(f"after {until} steps"):
                self.check(serve(self.script(until=until)).address, ask)

    def test_silence_at_each_step(self, serve: Serve, ask: Ask, subtests: Any) -> None:
        for until in range(len(self.clean)):
            with subtests.test(f"after {until} steps"):

                def silent(peer: Peer, until: int = until) -> None:
                    self.script(until=until)(peer)
                    peer.silence()

                self.check(serve(silent).address, ask)

    def test_the_answer_before_the_content(self, serve: Serve, ask: Ask) -> None:
        """It is no answer to it."""

        def early(peer: Peer) -> None:
            peer.send(b"".join(step for step in self.clean if isinstance(step, bytes)))
            peer.silence()

        self.check(serve(early).address, ask, LARGE)

    def test_a_daemon_that_does_not_read(self, serve: Serve, ask: Ask) -> None:
        self.check(serve(lambda peer: peer.silence()).address, ask, LARGE)

    def test_the_next_daemon_is_asked(self, serve: Serve, ask: Ask) -> None:
        """If not one octet of an answer has come."""
        live = serve(self.script())
        gone = serve(lambda peer: peer.reset())
        assert ask(self.engine("127.0.0.1:1", gone.address, live.address), self.content).status is Status.CLEAN
        if not self.ends_with_connection:
            cut = serve(self.script(_cut(0.5)))
            assert ask(self.engine(cut.address, live.address), self.content).status is Status.ERROR
            assert live.connections == 1

    def test_no_daemon(self, ask: Ask) -> None:
        verdict = ask(self.engine("127.0.0.1:1"))
        assert (verdict.status, verdict.info.partition(": ")[0]) == (Status.ERROR, "127.0.0.1:1")

    def check(self, address: str, ask: Ask, content: bytes | None = None) -> None:
        """The verdict of the daemon there is an error that names it, in time."""
        begun = time.monotonic()
        verdict = ask(self.engine(address), self.content if content is None else content, SECONDS)
        assert time.monotonic() - begun < ENOUGH
        assert verdict.status is Status.ERROR
        assert verdict.info.startswith(address)
        assert all(" " <= character <= "~" for character in verdict.info)
