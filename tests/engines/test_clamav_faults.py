"""The table of faults: whatever a daemon does, the verdict is not clean, comes in time, and nothing is left behind."""

from __future__ import annotations

import functools
import io
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.accepting import Accepted
from support.scanning import Ask, MakeClamav, Serve
from support.scripted import Peer

from sieveav.engines import clamav_wire as wire
from sieveav.engines.clamav import engine as kind
from sieveav.scanning import connecting
from sieveav.scanning.contract import Content, Engine
from sieveav.verdict import Status

OK = b"stream: OK\0"
FOUND = b"stream: Eicar FOUND\0"
LARGE = b"INSTREAM size limit exceeded. ERROR\0"
ENOUGH = 5.0
"""Seconds after which a scan with a deadline of half a second hangs, on however slow a machine."""

Script = Callable[[Peer], None]


def replies(*pieces: bytes, pause: float = 0.0) -> Script:
    """A script that takes the content, then sends the pieces."""

    def script(peer: Peer) -> None:
        peer.instream()
        for piece in pieces:
            peer.send(piece)
            if peer.stopped.wait(pause):
                return

    return script


def then(script: Script, last: str) -> Script:
    def both(peer: Peer) -> None:
        script(peer)
        getattr(peer, last)()

    return both


def slowly(reply: bytes, pause: float) -> Script:
    def script(peer: Peer) -> None:
        peer.instream()
        peer.slowly(reply, pause)

    return script


def reset_at_once(peer: Peer) -> None:
    peer.reset()


def reset_in_content(peer: Peer) -> None:
    peer.command()
    peer.reset()


def close_in_content(peer: Peer) -> None:
    peer.command()


def silent(peer: Peer) -> None:
    peer.silence()


def ok_before_the_content(peer: Peer) -> None:
    peer.send(OK)
    peer.silence()


def ok_within_the_content(peer: Peer) -> None:
    peer.command()
    peer.exactly(100)
    peer.send(OK)


def ok_within_the_content_and_closed_in_order(peer: Peer) -> None:
    peer.command()
    peer.exactly(100)
    peer.send(OK)
    peer.drain()


FAULTS: dict[str, tuple[Script, Status]] = {
    "cut in the middle of the reply": (replies(b"stream: O"), Status.ERROR),
    "cut before the terminator": (replies(b"stream: OK"), Status.ERROR),
    "newline for NUL": (replies(b"stream: OK\n"), Status.ERROR),
    "two replies in one segment": (replies(OK + OK), Status.ERROR),
    "OK and then a find": (replies(OK + FOUND), Status.ERROR),
    "a further octet later": (replies(OK, b"x", pause=0.05), Status.ERROR),
    "OK and then silence": (then(replies(OK), "silence"), Status.ERROR),
    "OK and then a reset": (then(replies(OK, pause=0.05), "reset"), Status.ERROR),
    "reset before the reply": (then(replies(), "reset"), Status.ERROR),
    "reset at once": (reset_at_once, Status.ERROR),
    "reset in the content": (reset_in_content, Status.ERROR),
    "closed in the content": (close_in_content, Status.ERROR),
    "closed without a reply": (replies(), Status.ERROR),
    "silence after connect": (silent, Status.ERROR),
    "silence after the content": (then(replies(), "silence"), Status.ERROR),
    "silence in the reply": (then(replies(b"stream: "), "silence"), Status.ERROR),
    "OK before the content": (ok_before_the_content, Status.ERROR),
    "OK within the content": (ok_within_the_content, Status.ERROR),
    "OK within the content, then closed in order": (ok_within_the_content_and_closed_in_order, Status.ERROR),
    "slow-loris": (slowly(OK * 100, 0.1), Status.ERROR),
    "slow-loris in one OK": (slowly(OK, 0.2), Status.ERROR),
    "garbage": (replies(bytes(range(256))), Status.ERROR),
    "a line of 1 MB": (replies(b"x" * 1_000_000 + b"\0"), Status.ERROR),
    "1 MB and then OK": (replies(b"x" * 1_000_000 + OK), Status.ERROR),
    "NUL octets": (replies(b"\0\0\0" + OK), Status.ERROR),
    "invalid UTF-8": (replies(b"stream: \xff\xfe\0"), Status.ERROR),
    "another path": (replies(b"foo: OK\0"), Status.ERROR),
    "NOT OK": (replies(b"stream: NOT OK\0"), Status.ERROR),
    "out of order, of IDSESSION": (replies(b"2: stream: OK\0"), Status.ERROR),
    "an ERROR with no id": (replies(b"Command invalid inside IDSESSION. ERROR\0"), Status.ERROR),
    "COMMAND READ TIMED OUT": (replies(b"COMMAND READ TIMED OUT\n"), Status.ERROR),
    "UNKNOWN COMMAND": (replies(b"UNKNOWN COMMAND\0"), Status.ERROR),
    "COMMAND UNAVAILABLE": (replies(b"COMMAND UNAVAILABLE\0"), Status.ERROR),
    "disk full": (replies(b"Error writing to temporary file ERROR\0"), Status.ERROR),
    "no memory": (replies(b"stream: Can't allocate memory ERROR\0"), Status.ERROR),
    "size limit": (replies(LARGE), Status.LIMITS),
    "(null) FOUND": (replies(b"stream: (null) FOUND\0"), Status.INFECTED),
    "NAME(md5:size) FOUND": (replies(b"stream: Eicar(44d88612fea8a8f36de82e1278abb02f:68) FOUND\0"), Status.INFECTED),
    "a name with FOUND, CR LF and ;": (replies(b"stream: a FOUND\r\nb;c FOUND\0"), Status.INFECTED),
    "find octet by octet": (slowly(FOUND, 0.001), Status.INFECTED),
    "find and then a reset": (then(replies(FOUND, pause=0.05), "reset"), Status.INFECTED),
}


TCP_ONLY = {"OK and then a reset"}
"""A unix socket knows no reset: closing is closing."""

OVER = [(fault, unix) for fault in FAULTS for unix in (False, True) if not (unix and fault in TCP_ONLY)]


@pytest.mark.parametrize(
    ("fault", "unix"), OVER, ids=lambda value: value if isinstance(value, str) else ("tcp", "unix")[value]
)
def test_fault(fault: str, unix: bool, serve: Serve, make: MakeClamav, ask: Ask, short: Path) -> None:
    script, status = FAULTS[fault]
    daemon = make(serve(script, short / "s" if unix else None).address)
    start = time.monotonic()
    verdict = ask(daemon, b"x" * 3_000_000, 0.5)
    assert time.monotonic() - start < ENOUGH
    assert verdict.status is status
    assert verdict.engine == "clamav"
    assert all(" " <= character <= "~" for character in verdict.info)


@pytest.mark.parametrize("octets", [0, 1, 3_000_000])
def test_clean_octet_by_octet(octets: int, serve: Serve, make: MakeClamav, ask: Ask) -> None:
    daemon = make(serve(slowly(OK, 0.001)).address)
    assert ask(daemon, b"x" * octets).status is Status.CLEAN


def test_all_octets_arrive_in_large_chunks(serve: Serve, make: MakeClamav, ask: Ask) -> None:
    received: list[bytes] = []

    def script(peer: Peer) -> None:
        received.extend(peer.instream())
        peer.send(OK)

    content = os.urandom(1_500_001)
    assert ask(make(serve(script).address), content, is_message=True).status is Status.CLEAN
    assert b"".join(received) == b"Received: from sieveav\n" + content
    assert len(received) < 10


@pytest.mark.parametrize(("octets", "sends"), [(0, 1), (10_000, 1), (60_000, 1), (70_000, 2), (600_000, 4)])
def test_short_pieces_are_sent_together(octets: int, sends: int) -> None:
    from sieveav.engines._clamd import _framed

    content = os.urandom(octets)
    chunks = list(wire.chunks(Content(content).pieces))
    pieces = list(connecting._together(_framed(chunks)))
    assert b"".join(pieces) == b"".join((wire.COMMAND, *chunks, wire.END))
    assert len(pieces) == sends


def test_the_size_limit_reply_comes_while_we_send(serve: Serve, make: MakeClamav, ask: Ask) -> None:
    def script(peer: Peer) -> None:
        peer.command()
        peer.exactly(1000)
        peer.send(LARGE)
        time.sleep(0.05)  # then the connection is closed with data unread, which resets it

    verdict = ask(make(serve(script).address), b"x" * 20_000_000)
    assert (verdict.status, verdict.info) == (Status.LIMITS, "INSTREAM size limit exceeded")


def test_a_daemon_that_reads_slowly_gets_everything(serve: Serve, make: MakeClamav, ask: Ask) -> None:
    """Partial sends: with small buffers, send() does not send everything."""
    total = 0

    def script(peer: Peer) -> None:
        nonlocal total
        peer.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        peer.command()
        while chunk := peer.chunk():
            total += len(chunk)
            time.sleep(0.01)
        peer.send(OK)

    assert ask(make(serve(script).address), b"x" * 2_000_000).status is Status.CLEAN
    assert total == 2_000_000


def test_a_daemon_that_does_not_read(serve: Serve, make: MakeClamav, ask: Ask) -> None:
    start = time.monotonic()
    server = serve(silent)
    verdict = ask(make(server.address), b"x" * 50_000_000, 0.3)
    assert verdict.status is Status.ERROR
    assert verdict.info == f"{server.address}: timeout while sending"
    assert time.monotonic() - start < ENOUGH


def test_connect_has_the_deadline(make: MakeClamav, ask: Ask, short: Path) -> None:
    """With a full backlog, a connect to a unix socket can take forever."""
    path = short / "full"
    with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as first:
        listening.bind(str(path))
        listening.listen(0)
        first.connect(str(path))
        start = time.monotonic()
        assert ask(make(str(path)), b"x", 0.3).status is Status.ERROR
        assert time.monotonic() - start < ENOUGH


def test_connect_over_tcp_has_the_deadline(make: MakeClamav, ask: Ask) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        waiting = [socket.socket() for _ in range(4)]  # fill the backlog: the next SYN is dropped
        try:
            for connection in waiting:
                connection.setblocking(False)
                connection.connect_ex(listening.getsockname())
            start = time.monotonic()
            assert ask(make(f"127.0.0.1:{listening.getsockname()[1]}"), b"x", 0.3).status is Status.ERROR
            assert time.monotonic() - start < ENOUGH
        finally:
            for connection in waiting:
                connection.close()


def test_names_are_looked_up_within_the_deadline(make: MakeClamav, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: go_on.wait(20) and [])
    start = time.monotonic()
    assert ask(make("av.example.com:3310"), b"x", 0.3).status is Status.ERROR
    assert time.monotonic() - start < ENOUGH
    go_on.set()
    for thread in threading.enumerate():
        if thread.name == "sieveav-resolve":
            thread.join(5)


def test_look_ups_do_not_pile_up(make: MakeClamav, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the resolver does not answer, scans and probes of the breaker share one look-up."""
    go_on, questions = threading.Event(), []

    def getaddrinfo(*name: object, **_: object) -> list[object]:
        questions.append(name)
        go_on.wait(20)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    daemon = make("av.example.com:3310")
    for _ in range(10):
        assert ask(daemon, b"x", 0.02).status is Status.ERROR
    assert len(questions) == 1
    go_on.set()
    for thread in threading.enumerate():
        if thread.name == "sieveav-resolve":
            thread.join(5)


@pytest.mark.parametrize("name", ["localhost", "no-such-host.invalid", "a" * 70])
def test_names(name: str, make: MakeClamav, ask: Ask, serve: Serve) -> None:
    port = serve(replies(FOUND)).address.rpartition(":")[2]
    expected = Status.INFECTED if name == "localhost" else Status.ERROR
    assert ask(make(f"{name}:{port}")).status is expected


def test_ipv6(make: MakeClamav, ask: Ask, serve: Serve) -> None:
    try:
        address = serve(replies(FOUND), family=socket.AF_INET6).address
    except OSError as fault:
        pytest.skip(f"no IPv6 on loopback: {fault}")
    assert ask(make(address)).status is Status.INFECTED


@pytest.mark.parametrize("daemon", ["127.0.0.1:1", "/nonexistent/clamd.ctl"])
def test_no_daemon(daemon: str, make: MakeClamav, ask: Ask, accepted: Accepted) -> None:
    verdict = ask(make(daemon))
    assert verdict.status is Status.ERROR
    accepted(verdict.info)


def test_an_error_names_every_daemon_that_was_asked(
    serve: Serve, make: MakeClamav, ask: Ask, accepted: Accepted, caplog: pytest.LogCaptureFixture
) -> None:
    server = serve(replies())
    verdict = ask(make("127.0.0.1:1", server.address, "/nonexistent/clamd.ctl"))
    accepted(verdict.info.replace(server.address, "SERVER"))
    accepted(record.getMessage().replace(server.address, "SERVER") for record in caplog.records)


def test_an_error_of_the_daemon_names_it(serve: Serve, make: MakeClamav, ask: Ask, accepted: Accepted) -> None:
    server = serve(replies(b"UNKNOWN COMMAND\0"))
    accepted(ask(make(server.address)).info.replace(server.address, "SERVER"))


def test_failures_are_retried_on_the_next_daemon_only_before_the_first_octet(
    serve: Serve, make: MakeClamav, ask: Ask
) -> None:
    live = serve(replies(FOUND))
    for script in (reset_at_once, reset_in_content, replies()):
        assert ask(make(serve(script).address, live.address)).status is Status.INFECTED
    assert live.connections == 3
    assert ask(make(serve(replies(b"s")).address, live.address)).status is Status.ERROR
    assert ask(make(serve(replies(b"UNKNOWN COMMAND\0")).address, live.address)).status is Status.ERROR
    assert live.connections == 3


def test_a_silent_daemon_leaves_time_for_the_next(serve: Serve, make: MakeClamav, ask: Ask) -> None:
    start = time.monotonic()
    daemon = make(serve(silent).address, serve(replies(FOUND)).address)
    assert ask(daemon, b"x", 0.6).status is Status.INFECTED
    assert time.monotonic() - start < ENOUGH


def test_allowed_signatures_are_clean_and_logged(
    serve: Serve, make: MakeClamav, ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    address = serve(replies(b"stream: Sanesecurity.Junk.1.UNOFFICIAL FOUND\0")).address
    assert ask(make(address, allow=("Sanesecurity.Junk.*",))).status is Status.CLEAN
    assert "Sanesecurity.Junk.1.UNOFFICIAL found but allowed" in caplog.text
    assert ask(make(address, allow=("Other.*",))).status is Status.INFECTED


@pytest.mark.parametrize("reply", [LARGE, b"UNKNOWN COMMAND\0", b"stream: X ERROR\0", b"x"])
def test_only_signatures_can_be_allowed(reply: bytes, serve: Serve, make: MakeClamav, ask: Ask) -> None:
    assert ask(make(serve(replies(reply)).address, allow=("*",))).status is not Status.CLEAN


def test_classes_of_the_site_come_first(serve: Serve, make: MakeClamav, ask: Ask) -> None:
    address = serve(replies(b"stream: PUA.Win.Tool FOUND\0")).address
    assert ask(make(address, classes=("PUA.*=infected",))).status is Status.INFECTED
    assert ask(make(address)).status is Status.SUSPICIOUS


def test_classes_that_are_refused(make: MakeClamav) -> None:
    with pytest.raises(ValueError, match="GLOB=CLASS"):
        make("127.0.0.1", classes=("PUA.*=clean",))


def test_addresses_that_are_refused() -> None:
    for daemon in ((), ("not an address",)):
        with pytest.raises(ValueError, match=r"daemon|not an address"):
            kind.make("clamav", {"daemon": daemon, "allow": (), "classes": ()})


def commands(answers: dict[bytes, bytes]) -> Script:
    def script(peer: Peer) -> None:
        peer.send(answers[peer.command()])

    return script


@pytest.mark.parametrize(
    ("reply", "version"),
    [
        (b"ClamAV 1.4.3/27800/Mon Nov  3 08:00:00 2025\0", "ClamAV 1.4.3/27800/Mon Nov  3 08:00:00 2025"),
        (b"ClamAV 1.4.3\0", "ClamAV 1.4.3"),
        (b"COMMAND UNAVAILABLE\0", ""),
        (b"UNKNOWN COMMAND\0", ""),
        (b"ClamAV cut", ""),
        (b"ClamAV 1\0ClamAV 2\0", ""),
        (b"X ERROR\0", ""),
        (b"\0", ""),
        (b"", ""),
    ],
)
def test_version(reply: bytes, version: str, serve: Serve, make: MakeClamav) -> None:
    from sieveav.scanning.contract import Deadline

    assert make(serve(commands({b"zVERSION\0": reply})).address).version(Deadline.after(2)) == version


def test_the_package_itself_takes_a_cut_reply_for_ok(serve: Serve, make: MakeClamav, ask: Ask) -> None:
    """Why there is a client of our own: the same server, asked by `clamd` 1.0.2 and by us."""
    import clamd

    def script(peer: Peer) -> None:
        command = peer.exactly(10)
        assert command in (b"nINSTREAM\n", b"zINSTREAM\0")
        while peer.chunk():
            pass
        peer.send(b"stream: OK")

    address = serve(script).address
    host, _, port = address.partition(":")
    assert clamd.ClamdNetworkSocket(host, int(port), 2).instream(io.BytesIO(b"x")) == {"stream": ("OK", None)}
    assert ask(make(address)).status is Status.ERROR


def test_the_client_is_built_on_the_package() -> None:
    import clamd

    from sieveav.engines import _clamd

    assert issubclass(_clamd.Client, clamd.ClamdNetworkSocket)
    assert (_clamd.Client.ping, _clamd.Client.version) == (
        clamd.ClamdNetworkSocket.ping,
        clamd.ClamdNetworkSocket.version,
    )


def test_declaring_and_making_an_engine_imports_no_package() -> None:
    program = (
        "import sys; from sieveav.engines import clamav; from sieveav.scanning.contract import ENGINES; ENGINES.everything();"
        "clamav.engine.make('clamav', {'daemon': ('127.0.0.1',), 'allow': (), 'classes': ()});"
        "sys.exit('clamd' in sys.modules or 'yara_x' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-W", "error", "-c", program], check=False, timeout=60).returncode == 0


def test_scans_at_once_do_not_mix(serve: Serve, make: MakeClamav, ask: Ask) -> None:
    def script(peer: Peer) -> None:
        content = b"".join(peer.instream())
        time.sleep(0.01)
        peer.send(b"stream: " + content + b" FOUND\0")

    daemon = make(serve(script).address)
    names: list[str] = [""] * 20
    threads = [threading.Thread(target=functools.partial(_keep, names, n, daemon, ask)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert names == [f"name{n}" for n in range(20)]


def _keep(names: list[str], number: int, daemon: Engine, ask: Ask) -> None:
    names[number] = ask(daemon, f"name{number}".encode()).info
