"""The supervisor with real processes: an echo server, which this file is when it is run as a program."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import select
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sieveav.frontends import supervising
from sieveav.frontends.sockets import Listener, ServerError, open_sockets
from sieveav.frontends.supervising import Worker, notify

if TYPE_CHECKING:
    import asyncio

WAIT = 10.0
"""Seconds for what is to happen soon: a test that waits longer fails."""


# ---- the server, in processes of its own


class Program:
    """Its workers greet with `number generation pid`, and answer a line with `ok`. Files in its folder make it misbehave."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.folder = Path(options["folder"])
        self.options = options
        self.has_loaded = False

    def run(self) -> None:
        for name in ("START", "LIFE", "PAUSES"):
            if name in self.options:
                setattr(supervising, name, self.options[name])
        if failing := self.options.get("forks_that_fail"):
            self.fail_forks(failing)
        sockets = open_sockets([Listener("echo", self.options["listen"])])
        work = {"select": self.work, "asyncio": self.work_in_loop}[self.options.get("work", "select")]
        supervising.supervise(sockets, self.load, work, self.options.get("workers", 2), self.options.get("drain", 5.0))

    def fail_forks(self, failing: list[int]) -> None:
        fork, calls = os.fork, iter(range(1, 100))

        def fork_or_fail() -> int:
            if next(calls) in failing:
                raise BlockingIOError(11, "Resource temporarily unavailable")
            return fork()

        os.fork = fork_or_fail

    def wait_while(self, name: str) -> None:
        """Until the file `name` has been removed, or the test has ended."""
        deadline = time.monotonic() + WAIT
        while (self.folder / name).exists() and time.monotonic() < deadline:
            time.sleep(0.01)

    def load(self) -> None:
        if self.has_loaded:
            self.misbehave()
        if (self.folder / "nothing can be loaded").exists():
            raise ServerError("a hopeless configuration")
        self.has_loaded = True

    def misbehave(self) -> None:
        self.wait_while("check hangs")
        if (self.folder / "check raises").exists():
            raise RuntimeError("two\nlines")
        bad = self.folder / "configuration is bad"
        if bad.exists():
            raise ServerError(bad.read_text())

    def begin(self, worker: Worker) -> socket.socket:
        (self.folder / f"worker {worker.number} has begun").touch()
        self.wait_while("worker hangs")
        if (self.folder / "worker fails").exists() and worker.number == 2:
            raise RuntimeError("cannot open\nthe state")
        worker.ready()
        return worker.sockets["echo"][0]

    def work(self, worker: Worker) -> None:
        """One connection at a time, so that further ones go to the other workers."""
        listening = self.begin(worker)
        while True:
            readable, _, _ = select.select([listening, worker.stopping], [], [])
            if worker.stopping in readable:
                return
            with contextlib.suppress(BlockingIOError, ConnectionError):
                connection, _ = listening.accept()
                with connection:
                    connection.setblocking(True)
                    connection.sendall(greeting(worker))
                    if connection.recv(100):
                        connection.sendall(b"ok\n")

    def work_in_loop(self, worker: Worker) -> None:
        supervising.run_worker(worker, self.main)

    async def main(self, worker: Worker, stop: asyncio.Event) -> None:
        """Many connections at a time."""
        import asyncio

        open_connections: set[asyncio.Transport] = set()
        all_closed = asyncio.Event()

        class Echo(asyncio.Protocol):
            transport: asyncio.Transport

            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                assert isinstance(transport, asyncio.Transport)
                self.transport = transport
                open_connections.add(transport)
                transport.write(greeting(worker))

            def data_received(self, data: bytes) -> None:  # noqa: ARG002
                self.transport.write(b"ok\n")
                self.transport.close()

            def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002
                open_connections.discard(self.transport)
                all_closed.set()

        loop = asyncio.get_running_loop()
        server = await loop.create_server(Echo, sock=self.begin(worker))
        await stop.wait()
        await supervising.stop_accepting(server)
        while open_connections:
            all_closed.clear()
            await all_closed.wait()


def greeting(worker: Worker) -> bytes:
    return f"{worker.number} {worker.generation} {os.getpid()}\n".encode()


def run_program(options: dict[str, Any]) -> int:
    """The exit status."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    try:
        Program(options).run()
    except ServerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(run_program(json.loads(sys.argv[1])))


# ---- the tests' side; without its imports the program starts in a fifth of the time

import signal  # noqa: E402
import subprocess  # noqa: E402
import tempfile  # noqa: E402
import threading  # noqa: E402
from collections.abc import Callable, Iterator  # noqa: E402
from typing import NamedTuple  # noqa: E402

import pytest  # noqa: E402
from support.accepting import Accepted  # noqa: E402
from support.daemons import free_port  # noqa: E402
from support.sockets import HAS_IPV6, connect  # noqa: E402


def wait_until(happened: Callable[[], object]) -> None:
    """Until this is true, which is soon."""
    deadline = time.monotonic() + WAIT
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def reload_begun(notifications: list[str]) -> int:
    """The time in microseconds that is in the notifications of a reload."""
    return int("\n".join(notifications).partition("MONOTONIC_USEC=")[2].partition("\n")[0])


class Greeting(NamedTuple):
    """Which worker has a connection."""

    number: int
    generation: int
    pid: int


class Connection:
    """A connection to the server. It is closed when the server has answered."""

    def __init__(self, listen: str) -> None:
        self.socket = connect(listen)

    def greeting(self) -> Greeting:
        """Wait until a worker has accepted it, which then waits for a line."""
        return Greeting(*map(int, self._line().split()))

    def finish(self) -> None:
        """Send the line and wait for the answer; ConnectionError without one."""
        with self.socket:
            self.socket.sendall(b"hello\n")
            assert self._line() == b"ok\n"

    def ask(self) -> Greeting:
        """All of it."""
        with self.socket:
            greeting = self.greeting()
            self.finish()
        return greeting

    def _line(self) -> bytes:
        line = b""
        while not line.endswith(b"\n"):
            octet = self.socket.recv(1)
            if not octet:
                raise ConnectionError("closed")
            line += octet
        return line


class Server:
    """The program in processes of its own."""

    def __init__(
        self, folder: Path, *, command: list[str] | None = None, descriptors: tuple[int, ...] = (), **options: Any
    ) -> None:
        self.folder = folder
        self.listen: str = options.setdefault("listen", f"unix:{folder}/socket")
        self.notifications = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notifications.bind(f"{folder}/notify")
        self.notifications.settimeout(WAIT)
        self.connections: list[Connection] = []
        self.alive, others = os.pipe()  # at its end when all processes have ended
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [*(command or [sys.executable, __file__]), json.dumps({"folder": str(folder), **options})],
                stderr=log,
                pass_fds=(others, *descriptors),
                env={**os.environ, "NOTIFY_SOCKET": f"{folder}/notify"},
            )
        os.close(others)

    # -- what is seen of it

    @property
    def log(self) -> list[str]:
        return (self.folder / "log").read_text().splitlines()

    def wait_for_log(self, text: str, count: int = 1) -> None:
        """Wait for this number of lines with the text."""
        wait_until(lambda: sum(text in line for line in self.log) >= count)

    def notified(self, line: str) -> list[str]:
        """The notifications until one has this line."""
        messages: list[str] = []
        while not messages or line not in messages[-1].split("\n"):
            try:
                messages.append(self.notifications.recv(4096).decode())
            except TimeoutError:
                pytest.fail(f"no {line}: {messages} {self.log}")
        return messages

    def children(self) -> int:
        """How many processes the supervisor has."""
        pid = self.process.pid
        return len(Path(f"/proc/{pid}/task/{pid}/children").read_text().split())

    def connect(self) -> Connection:
        """A connection that is closed at the end of the test."""
        self.connections.append(Connection(self.listen))
        return self.connections[-1]

    def ask(self) -> Greeting:
        return self.connect().ask()

    def all_workers(self, count: int = 2) -> dict[int, Greeting]:
        """The workers, which have one connection at a time, by their numbers."""
        connections = [self.connect() for _ in range(count)]
        greetings = [connection.greeting() for connection in connections]  # each worker has one now
        for connection in connections:
            connection.finish()
        return {greeting.number: greeting for greeting in greetings}

    def kill(self, worker: int) -> None:
        """Kill this worker."""
        os.kill(self.all_workers()[worker].pid, signal.SIGKILL)

    def serve_with(self, generation: int) -> None:
        """Wait until this generation answers. One of those before may accept another connection before it gets its SIGTERM."""
        wait_until(lambda: self.ask().generation == generation)

    # -- what is done to it

    def file(self, name: str, text: str = "") -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def reload(self) -> list[str]:
        """SIGHUP; the notifications until it is done."""
        self.signal(signal.SIGHUP)
        return [*self.notified("RELOADING=1"), *self.notified("READY=1")]

    def wait(self) -> int:
        """The exit status, once all processes have ended."""
        status = self.process.wait(WAIT)
        assert self.ended(), self.log
        return status

    def ended(self) -> bool:
        """Whether all processes end soon."""
        readable, _, _ = select.select([self.alive], [], [], WAIT)
        return bool(readable)

    def end(self) -> None:
        """At the end of a test: nothing may be left."""
        for connection in self.connections:
            connection.socket.close()
        self.notifications.close()
        self.process.kill()
        self.process.wait(WAIT)
        ended = self.ended()
        os.close(self.alive)
        assert ended, self.log


StartServer = Callable[..., Server]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose path is short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="sieveav-") as path:
        yield Path(path)


@pytest.fixture
def start(folder: Path) -> Iterator[StartServer]:
    """Starts the server with these options, and waits until it is ready unless `ready` is false."""
    with contextlib.ExitStack() as stack:

        def run(*, files: tuple[str, ...] = (), ready: bool = True, **options: Any) -> Server:
            for name in files:
                (folder / name).touch()
            server = Server(folder, **options)
            stack.callback(server.end)
            if ready:
                server.notified("READY=1")
            return server

        yield run


class Load:
    """Clients that ask the server without a pause, each with a new connection, until the end of the `with` block."""

    def __init__(self, server: Server, clients: int = 4) -> None:
        self.replies: list[Greeting] = []
        self.lost: list[str] = []
        self._listen = server.listen
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join(WAIT)
            assert not thread.is_alive()

    def _ask(self) -> None:
        while not self._end.is_set():
            try:
                self.replies.append(Connection(self._listen).ask())
            except BlockingIOError:  # a full backlog of a unix socket: the connection has not begun
                time.sleep(0.001)
            except OSError as error:
                self.lost.append(str(error))

    def more(self, count: int = 20) -> None:
        """Wait for this number of further replies."""
        wanted, deadline = len(self.replies) + count, time.monotonic() + WAIT
        while len(self.replies) < wanted:
            assert time.monotonic() < deadline, self.lost
            time.sleep(0.002)


# ---- workers


@pytest.mark.parametrize("listen", ["unix:FOLDER/echo", "inet:127.0.0.1:PORT", "inet:[::1]:PORT"])
def test_all_workers_answer(start: StartServer, listen: str, folder: Path) -> None:
    if "::" in listen and not HAS_IPV6:
        pytest.skip("there is no IPv6")
    server = start(listen=listen.replace("FOLDER", str(folder)).replace("PORT", str(free_port())), workers=3)
    workers = server.all_workers(3)
    assert workers.keys() == {1, 2, 3}
    assert len({worker.pid for worker in workers.values()} - {server.process.pid}) == 3


def test_a_killed_worker_costs_only_its_connections(start: StartServer) -> None:
    server = start(LIFE=0.0)  # so that each pause is the shortest
    killed: set[int] = set()
    with Load(server) as load:
        for count in (1, 2, 3):
            load.more()
            pid = load.replies[-1].pid
            os.kill(pid, signal.SIGKILL)
            killed.add(pid)
            server.wait_for_log("again in 0.1 s", count)
            load.more(100)
    assert len(load.lost) <= 3, load.lost  # a worker of this server has one connection at a time
    assert len(killed) == 3
    assert server.all_workers().keys() == {1, 2}


@pytest.mark.parametrize(("life", "pauses"), [(60.0, ["0.1", "0.2", "0.4"]), (0.0, ["0.1", "0.1", "0.1"])])
def test_pauses_double_unless_the_worker_lived_long(
    start: StartServer, life: float, pauses: list[str], accepted: Accepted
) -> None:
    server = start(LIFE=life)
    for count, pause in enumerate(pauses, 1):
        server.kill(2)
        server.wait_for_log(f" {pause} s", pauses[:count].count(pause))
    accepted(server.log)
    assert server.all_workers().keys() == {1, 2}


def test_a_worker_that_is_not_ready_in_time_is_replaced(start: StartServer, accepted: Accepted) -> None:
    server = start(START=1.0)
    server.file("worker hangs")
    server.kill(1)
    server.wait_for_log("too long")
    (server.folder / "worker hangs").unlink()
    server.wait_for_log(" 0.2 s")
    accepted(server.log)
    assert server.all_workers().keys() == {1, 2}


def test_a_process_that_cannot_be_started_is_tried_again(start: StartServer, accepted: Accepted) -> None:
    server = start(forks_that_fail=[3])
    server.kill(1)
    server.wait_for_log(" 0.2 s")
    accepted(server.log)
    assert server.all_workers().keys() == {1, 2}


def test_signals_to_one_worker(start: StartServer) -> None:
    """SIGHUP and SIGINT, which a terminal sends to all processes, do nothing; SIGTERM drains it, and it is replaced."""
    server = start()
    workers = server.all_workers()
    for number in (signal.SIGHUP, signal.SIGINT):
        os.kill(workers[1].pid, number)
    assert server.all_workers() == workers
    held = server.connect()
    busy = held.greeting()
    os.kill(busy.pid, signal.SIGTERM)
    held.finish()
    server.wait_for_log("status 0")
    assert server.all_workers()[busy.number].pid != busy.pid


# ---- the first start


@pytest.mark.parametrize(
    "options",
    [
        {"files": ("worker fails",)},
        {"files": ("worker hangs",), "START": 0.2, "workers": 1},
        {"forks_that_fail": [2]},
        {"files": ("nothing can be loaded",)},
    ],
    ids=["fails", "hangs", "no process", "nothing is loaded"],
)
def test_a_first_start_that_fails(start: StartServer, options: dict[str, Any], accepted: Accepted) -> None:
    server = start(ready=False, **options)
    assert server.wait() == 1
    accepted([*server.log, "notified:", *server.notified("STOPPING=1")])


# ---- reload


@pytest.mark.parametrize("work", ["select", "asyncio"])
def test_a_reload_loses_no_connection(start: StartServer, work: str) -> None:
    server = start(work=work)
    with Load(server) as load:
        for generation in (2, 3, 4):
            load.more()
            assert f"generation {generation}" in server.reload()[-1]
        load.more(100)
    assert load.lost == []
    assert {reply.generation for reply in load.replies} == {1, 2, 3, 4}
    server.serve_with(4)


def test_the_old_generation_finishes_what_it_has_begun(start: StartServer) -> None:
    server = start(workers=1)
    held = server.connect()
    assert held.greeting().generation == 1
    server.reload()
    server.serve_with(2)
    held.finish()


@pytest.mark.parametrize(
    ("name", "text", "options"),
    [
        ("configuration is bad", "line 3: no\nREADY=1", {}),
        ("configuration is bad", "x" * 5000, {}),
        ("check raises", "", {}),
        ("check hangs", "", {"START": 1.0}),
        ("worker fails", "", {}),
        ("worker hangs", "", {"START": 1.0, "workers": 1}),
        ("", "", {"forks_that_fail": [3]}),
        ("", "", {"forks_that_fail": [5]}),
    ],
    ids=["bad", "long", "raises", "check hangs", "worker fails", "worker hangs", "no check", "no worker"],
)
def test_a_reload_that_fails(
    start: StartServer, name: str, text: str, options: dict[str, Any], accepted: Accepted
) -> None:
    count = options.get("workers", 2)
    server = start(**options)
    workers = server.all_workers(count)
    cause = server.file(name, text) if name else None
    ready, status = server.reload()[-1].split("\n")
    accepted([*server.log, "notified:", ready, status])
    wait_until(lambda: server.children() == count)  # new ones that were ready have got their SIGTERM
    assert server.all_workers(count) == workers
    if cause:
        cause.unlink()
    server.reload()
    wait_until(lambda: server.ask().generation > 1)


def test_a_reload_replaces_a_worker_that_has_ended(start: StartServer, accepted: Accepted) -> None:
    """Once only, and pauses begin again."""
    server = start(PAUSES=[0.3, 30.0])
    server.kill(1)
    server.wait_for_log(" 0.3 s")
    server.reload()
    server.serve_with(2)
    time.sleep(0.4)
    assert server.children() == 2
    server.kill(1)
    server.wait_for_log(" 0.3 s", 2)
    accepted(server.log)


def test_many_reloads_in_a_row_are_two(start: StartServer) -> None:
    server = start(files=("check hangs",))
    server.signal(signal.SIGHUP)
    server.notified("RELOADING=1")
    for _ in range(5):
        server.signal(signal.SIGHUP)
    (server.folder / "check hangs").unlink()
    server.notified("READY=1")
    messages = server.notified("READY=1")
    assert "generation 3" in messages[-1]
    server.signal(signal.SIGTERM)
    assert [message.split("\n")[0] for message in server.notified("STOPPING=1")] == ["STOPPING=1"]


def test_few_generations_at_a_time(start: StartServer) -> None:
    server = start(workers=1, drain=60.0)
    first = server.connect()
    assert first.greeting().generation == 1
    server.reload()
    server.serve_with(2)
    second = server.connect()
    assert second.greeting().generation == 2
    server.reload()
    server.signal(signal.SIGHUP)
    server.wait_for_log("the reload waits")
    server.serve_with(3)
    before = time.monotonic_ns() // 1000
    first.finish()
    assert reload_begun(server.notified("READY=1")) > before
    server.serve_with(4)
    second.finish()


def test_no_connection_is_lost_that_asyncio_has_just_accepted() -> None:
    import asyncio

    class Greet(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            transport.write(b"hello\n")
            transport.close()

    async def connect_and_stop() -> bytes:
        server = await asyncio.get_running_loop().create_server(Greet, "127.0.0.1", 0)
        with socket.create_connection(server.sockets[0].getsockname(), WAIT) as client:
            for _ in range(2):  # after that, it has been accepted, and its transport is created next
                await asyncio.sleep(0)
            await supervising.stop_accepting(server)
            client.setblocking(False)
            return await asyncio.wait_for(asyncio.get_running_loop().sock_recv(client, 100), WAIT)

    assert asyncio.run(connect_and_stop()) == b"hello\n"


# ---- the end


def test_sigterm_drains(start: StartServer) -> None:
    """Connections are finished; new ones are refused at once, and do not wait in vain."""
    server = start(work="asyncio", drain=60.0)
    held = [server.connect() for _ in range(4)]
    assert {connection.greeting().generation for connection in held} == {1}
    server.signal(signal.SIGTERM)
    server.notified("STOPPING=1")

    def refused() -> bool:
        try:
            server.connect().socket.close()
        except ConnectionRefusedError:
            return True
        return False

    wait_until(refused)
    assert server.process.poll() is None
    for connection in held:
        connection.finish()
    assert server.wait() == 0


def test_sigint_stops(start: StartServer, accepted: Accepted) -> None:
    server = start()
    server.signal(signal.SIGINT)
    assert server.wait() == 0
    accepted(server.log)


def test_a_worker_that_does_not_drain_is_killed(start: StartServer, accepted: Accepted) -> None:
    server = start(workers=1, drain=0.2)
    server.connect().greeting()
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    accepted(server.log)


def test_a_second_sigterm_ends_all_at_once(start: StartServer) -> None:
    server = start(workers=1, drain=3600.0)
    server.connect().greeting()
    server.signal(signal.SIGTERM)
    server.notified("STOPPING=1")
    server.signal(signal.SIGTERM)
    assert server.wait() == 0


@pytest.mark.parametrize("name", ["worker hangs", "check hangs"])
def test_sigterm_while_something_starts(start: StartServer, name: str) -> None:
    server = start(ready=name == "check hangs", files=(name,), drain=0.2)
    if name == "check hangs":
        server.signal(signal.SIGHUP)
        server.notified("RELOADING=1")
    else:
        wait_until((server.folder / "worker 1 has begun").exists)
    server.signal(signal.SIGTERM)
    server.notified("STOPPING=1")
    assert server.wait() == 0


@pytest.mark.parametrize("name", ["", "check hangs"])
def test_workers_end_with_a_killed_supervisor(start: StartServer, name: str) -> None:
    """Also a worker with a connection, after `drain` seconds; and a check at once."""
    server = start(drain=0.2)
    held = server.connect()
    held.greeting()
    if name:
        server.file(name)
        server.signal(signal.SIGHUP)
        server.notified("RELOADING=1")
    server.process.kill()
    assert server.ended()
    with pytest.raises(ConnectionError):
        held.finish()


def test_workers_drain_after_their_supervisor_was_killed(start: StartServer) -> None:
    server = start(workers=1, drain=60.0)
    held = server.connect()
    held.greeting()
    server.process.kill()
    server.process.wait(WAIT)
    held.finish()
    assert server.ended()


# ---- systemd


def test_sockets_from_systemd(start: StartServer, folder: Path) -> None:
    """A shim passes them as systemd does: from descriptor 3, with the process's own id."""
    shim = (
        "import os, sys\n"
        "os.dup2(int(sys.argv[1]), 3)\n"
        "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1', LISTEN_FDNAMES='echo')\n"
        "os.execv(sys.executable, [sys.executable, *sys.argv[2:]])\n"
    )
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        descriptor = listening.fileno()
        server = start(
            command=[sys.executable, "-c", shim, str(descriptor), __file__],
            descriptors=(descriptor,),
            listen=f"unix:{folder}/not-used",
        )
        server.listen = f"inet:127.0.0.1:{listening.getsockname()[1]}"
        assert server.all_workers().keys() == {1, 2}
    assert not (folder / "not-used").exists()
    server.signal(signal.SIGTERM)
    assert server.wait() == 0


def test_notifications(start: StartServer, accepted: Accepted) -> None:
    before = time.monotonic_ns() // 1000
    server = start(ready=False)
    messages = server.notified("READY=1")
    messages += server.reload()
    server.signal(signal.SIGTERM)
    messages += server.notified("STOPPING=1")
    begun = reload_begun(messages)
    assert before < begun < time.monotonic_ns() // 1000
    accepted("\n".join(messages).replace(str(begun), "TIME"))


def test_notify(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.settimeout(WAIT)
        channel.bind("\0" + folder.name)
        monkeypatch.setenv("NOTIFY_SOCKET", "@" + folder.name)
        notify("STATUS=ä\nREADY=1\udc80", "READY=1")
        assert channel.recv(100).decode() == "STATUS=ä?READY=1?\nREADY=1"


@pytest.mark.parametrize("path", ["", "@", "/nobody/there", "/" + "x" * 200, "vsock:2:1234"])
def test_notify_never_raises(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", path)
    notify("READY=1")
