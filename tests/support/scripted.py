"""scripted: a server on loopback that does for each connection what a test's script says."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


class Peer:
    """One connection, for its script. Every wait ends when the server is stopped."""

    def __init__(self, connection: socket.socket, stopped: threading.Event) -> None:
        self.connection = connection
        self.stopped = stopped
        connection.settimeout(5)

    def exactly(self, octets: int) -> bytes:
        received = b""
        while len(received) < octets:
            more = self.connection.recv(octets - len(received))
            if not more:
                raise EOFError
            received += more
        return received

    def command(self) -> bytes:
        """The octets of one command up to its NUL."""
        received = b""
        while not received.endswith(b"\0"):
            received += self.exactly(1)
        return received

    def chunk(self) -> bytes:
        """One chunk of INSTREAM, empty at its end."""
        return self.exactly(struct.unpack("!L", self.exactly(4))[0])

    def instream(self) -> list[bytes]:
        """A whole INSTREAM: its chunks."""
        assert self.command() == b"zINSTREAM\0"
        return list(iter(self.chunk, b""))

    def send(self, octets: bytes) -> None:
        self.connection.sendall(octets)

    def slowly(self, octets: bytes, pause: float) -> None:
        for octet in octets:
            self.send(bytes((octet,)))
            if self.stopped.wait(pause):
                return

    def silence(self) -> None:
        """Send nothing until the test ends."""
        self.stopped.wait(10)

    def drain(self) -> None:
        """Receive all that has been sent, so that closing the connection does not reset it."""
        self.connection.settimeout(0.1)
        with contextlib.suppress(TimeoutError):
            while self.connection.recv(1 << 20):
                pass

    def reset(self) -> None:
        """Close with a RST instead of in order."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


Script = Callable[[Peer], None]


class Server:
    """Listens at `address`, in the form that the option `daemon` takes; `connections` is the number of connections so far."""

    def __init__(self, listening: socket.socket, address: str, script: Script) -> None:
        self.address = address
        self.connections = 0
        self.stopped = threading.Event()
        self._listening = listening
        self._script = script
        self._threads = [threading.Thread(target=self._accept, name="scripted")]
        self._threads[0].start()

    def _accept(self) -> None:
        self._listening.settimeout(0.02)
        while not self.stopped.is_set():
            with contextlib.suppress(TimeoutError):
                connection, _ = self._listening.accept()
                self.connections += 1
                self._threads.append(threading.Thread(target=self._serve, args=(connection,), name="scripted"))
                self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError, EOFError):  # the client may disconnect at any time
            self._script(Peer(connection, self.stopped))

    def stop(self) -> None:
        self.stopped.set()
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()
        self._listening.close()


@contextmanager
def server(script: Script, path: Path | None = None, family: int = socket.AF_INET) -> Iterator[Server]:
    """A server on a free port of loopback, or on the unix socket `path`."""
    if path:
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(path))
        address = str(path)
    else:
        listening = socket.socket(family)
        listening.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        port = listening.getsockname()[1]
        address = f"[::1]:{port}" if family == socket.AF_INET6 else f"127.0.0.1:{port}"
    listening.listen(50)
    running = Server(listening, address, script)
    try:
        yield running
    finally:
        running.stop()
