"""connecting: the address of a daemon into a connection whose every wait ends at a deadline.

Shared by all engines that ask a daemon, over TCP (IPv6 or IPv4), with TLS where that is set, or a unix socket. Name look-ups
are bounded too.
"""

from __future__ import annotations

import ipaddress
import re
import select
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from sieveav.options import ValueType
from sieveav.scanning.contract import Deadline
from sieveav.scanning.failover import ProtocolError, Unreached
from sieveav.verdict import plain

if TYPE_CHECKING:
    from ssl import SSLContext

    from sieveav.scanning.tls import TlsSocket

_PAUSE = 0.01
"""Seconds between two tries to connect to a unix socket with a full backlog."""

_READ = 64 * 1024
"""Octets received at a time."""

_LONGEST = 3600.0
"""The longest single wait in seconds: sockets do not accept any number."""

_ADDRESS = re.compile(r"(?:\[([0-9A-Fa-f:.%a-z]+)\]|([A-Za-z0-9._-]+))(?::([0-9]{1,5}))?")


class Address(NamedTuple):
    """Where a daemon listens: a TCP host and port, or (port 0) the path of a unix socket."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str, default_port: int) -> Address:
        """`host`, `host:port`, `[v6]`, `[v6]:port` or `/a/unix/socket` (also `unix:/…`); else ValueError."""
        if (path := text.removeprefix("unix:")).startswith("/"):
            return cls(path, 0)
        match = _ADDRESS.fullmatch(text)
        port = int(match[3] or default_port) if match else 0
        if match is None or not 0 < port < 65536:
            raise ValueError(f'"{plain(text)}" is not host:port, [v6]:port or the absolute path of a unix socket')
        return cls(match[1] or match[2], port)

    def __str__(self) -> str:
        if not self.port:
            return self.host
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _read_address(text: str) -> str:
    Address.parse(text, 1)
    return text


ADDRESSES = ValueType("address", _read_address, many=True)
"""The type of an option that lists where daemons listen."""


_TOGETHER = 64 * 1024
"""Octets that are joined before they are sent: to send takes as long as to copy many."""

_SHORT = 1024
"""A chunk that is joined to whatever was before it."""


def _together(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same octets. Short chunks are joined, so that most contents are sent by one system call."""
    short: list[bytes] = []
    size = 0
    for chunk in chunks:
        if short and len(chunk) > _SHORT and size + len(chunk) > _TOGETHER:
            yield b"".join(short)
            short, size = [], 0
        short.append(chunk)
        size += len(chunk)
    if short:
        yield b"".join(short)


class Connection:
    """A connection to `address`, for one `with` block. Its methods raise Unreached if the daemon has not answered at all by
    `deadline`: another one may then be asked. Once an answer has begun, they raise ProtocolError."""

    _socket: socket.socket | TlsSocket

    def __init__(self, address: Address, deadline: Deadline, tls: SSLContext | None = None) -> None:
        self._address = address
        self._tls = tls
        self._buffer = bytearray()
        """What has been received and not asked for."""
        self.ask(deadline)

    def ask(self, deadline: Deadline) -> None:
        """A new question begins, with a deadline of its own."""
        self._deadline = deadline
        self._is_asked = self._has_begun = False
        self.has_heard_all = True
        """Whether the daemon has spoken only after all of a question was sent."""

    def question(self, pieces: Iterable[bytes], hears: int = 0) -> bool:
        """Send a question, as `send`: what the daemon says from now on is its answer. Returns whether all was sent before it
        spoke. If the protocol is full duplex, at most `hears` octets of the answer are heard while the question is sent."""
        if self._buffer:
            raise ProtocolError("an answer before the question")
        self._is_asked = True
        sent = self.send(pieces, hears)
        self.has_heard_all = self.has_heard_all and sent
        return sent and not self._buffer

    @property
    def is_quiet(self) -> bool:
        """Whether the daemon has sent nothing that was not asked for."""
        return not self._buffer

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def open(self) -> None:
        """Connect."""
        try:
            self._socket = self._over_tcp() if self._address.port else self._over_unix()
            if self._tls:
                self._secure(self._socket, self._tls)
        except OSError as error:
            raise Unreached(f"cannot connect: {_reason(error)}") from None

    def _secure(self, connected: socket.socket, tls: SSLContext) -> None:
        from sieveav.scanning.tls import TlsSocket

        self._socket = secured = TlsSocket(connected, tls, self._address.host)
        try:
            while event := secured.handshake():
                self._wait(event)
        except OSError:
            secured.close()
            raise

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def end(self) -> None:
        """Say nothing more: the daemon sees the end of what is said, and may still answer. Not over TLS."""
        if isinstance(self._socket, socket.socket):
            with suppress(OSError):  # a daemon that has gone is noticed when its answer is waited for
                self._socket.shutdown(socket.SHUT_WR)

    def send(self, chunks: Iterable[bytes], hears: int = 0) -> bool:
        """Send all `chunks`, unless the daemon speaks first (`hears` octets are kept for later) or closes the connection: then
        false. Its reply is still to be received."""
        try:
            return all(self._send(chunk, hears, first=number == 0) for number, chunk in enumerate(_together(chunks)))
        except TimeoutError:
            raise self._fault("timeout while sending") from None
        except OSError:
            return False

    def receive(self, limit: int) -> tuple[bytes, bool]:
        """All octets up to the end of the connection, or one more than `limit`; and whether the daemon closed the connection in
        order.

        A daemon that refuses the rest of what is sent resets the connection right after its reply: that reply counts.
        """
        reply = b""
        try:
            while len(reply) <= limit:
                octets = self._receive(limit + 1 - len(reply), at_once=bool(reply))
                if not octets and not reply:
                    raise Unreached("connection closed without a reply")
                if not octets:
                    return reply, True
                reply += octets
        except OSError as error:
            if not reply:
                raise Unreached(f"cannot receive: {_reason(error)}") from None
        return reply, False

    @property
    def is_idle(self) -> bool:
        """Whether it may be used for another question: the daemon has said nothing since its last answer, and has not closed
        it. What it says unasked would be taken for the next answer."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return self.is_quiet and (not poll.poll(0) or self._may_go_on(hears=0))

    def line(self, limit: int) -> bytes:
        """The next line, without its line end: LF, or CR LF. It has at most `limit` octets."""
        while (end := self._buffer.find(b"\n")) < 0 and len(self._buffer) <= limit:
            self._fill()
        if not 0 <= end <= limit:
            raise ProtocolError(f"a line of more than {limit} octets")
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line.removesuffix(b"\r")

    def octets(self, count: int) -> bytes:
        """The next `count` octets."""
        while len(self._buffer) < count:
            self._fill()
        octets = bytes(self._buffer[:count])
        del self._buffer[:count]
        return octets

    def rest(self, limit: int) -> bytes:
        """All octets up to the end of the connection, which the daemon closes in order; at most `limit`."""
        while len(self._buffer) <= limit and self._fill(may_end=True):
            pass
        if len(self._buffer) > limit:
            raise ProtocolError(f"more than {limit} octets")
        octets = bytes(self._buffer)
        self._buffer.clear()
        return octets

    def _fill(self, *, may_end: bool = False) -> bool:
        """Wait for more octets; false at the end of the connection, if it may end now."""
        try:
            octets = self._receive(_READ, at_once=False)
        except OSError as error:
            raise self._fault(f"cannot receive: {_reason(error)}") from None
        if not octets and not may_end:
            raise self._fault("connection closed in the middle of a reply" if self._has_begun else "connection closed")
        self._heard(octets)
        return bool(octets)

    def _heard(self, octets: bytes) -> None:
        self._buffer += octets
        self._has_begun = self._has_begun or (self._is_asked and bool(octets))

    def _fault(self, reason: str) -> Exception:
        return ProtocolError(reason) if self._has_begun else Unreached(reason)

    def _receive(self, size: int, *, at_once: bool) -> bytes:
        """The octets that come next. `at_once`: they are likely to be there already, so that nothing needs to be waited for."""
        # TLS may have received some, of which poll knows nothing
        at_once = at_once or self._tls is not None
        while True:
            if not at_once:
                self._wait(select.POLLIN)
            try:
                return self._socket.recv(size)
            except BlockingIOError:
                at_once = False

    def _send(self, octets: bytes, hears: int, *, first: bool) -> bool:
        rest = memoryview(octets)
        while rest:
            # before the first octets, there is room for them and the daemon has nothing to say
            if (
                not first
                and self._wait(select.POLLIN | select.POLLOUT) != select.POLLOUT
                and not self._may_go_on(hears)
            ):
                return False
            first = False
            with suppress(BlockingIOError):
                rest = rest[self._socket.send(rest) :]
        return True

    def _may_go_on(self, hears: int) -> bool:
        """Whether sending may go on although there is something to receive: it was meant for TLS, or the protocol is full
        duplex, and the answer is kept for later."""
        if not self._tls and not hears:
            return False
        try:
            octets = self._socket.recv(_READ)
        except BlockingIOError:
            return True
        self._heard(octets)
        if len(self._buffer) > hears > 0:
            raise ProtocolError(f"more than {hears} octets")
        return bool(octets) and hears > 0

    def _wait(self, events: int) -> int:
        """Wait until the connection is ready for one of `events`, or broken; which. TimeoutError at the deadline."""
        poll = select.poll()
        poll.register(self._socket, events)
        while True:
            if ready := poll.poll(self._left() * 1000):
                return ready[0][1]

    def _left(self) -> float:
        """Seconds for the next wait. TimeoutError if none are left, because a timeout of 0 makes a socket non-blocking."""
        left = self._deadline.left()
        if left <= 0:
            raise TimeoutError("timeout")
        return min(left, _LONGEST)

    def _over_tcp(self) -> socket.socket:
        error: OSError = OSError("host not found")
        for family, kind, protocol, _, where in resolve(self._address.host, self._address.port, self._left()):
            connection = socket.socket(family, kind, protocol)
            try:
                connection.settimeout(self._left())
                connection.connect(where)
                connection.setblocking(False)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # a command is a small packet
            except OSError as refused:
                connection.close()
                error = refused
            else:
                return connection
        raise error

    def _over_unix(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            while True:
                left = self._left()
                try:
                    connection.connect(self._address.host)
                except BlockingIOError:  # the backlog of a busy daemon is full
                    time.sleep(min(_PAUSE, left))
                else:
                    return connection
        except OSError:
            connection.close()
            raise


class _LookUp:
    """A look-up of one name, in a thread of its own; several may wait for it."""

    def __init__(self, host: str, port: int) -> None:
        self._key = (host, port)
        self._done = threading.Event()
        self._infos: list[Any] = []
        self._error: OSError | None = None
        threading.Thread(target=self._run, name="sieveav-resolve", daemon=True).start()

    def _run(self) -> None:
        try:
            self._infos = socket.getaddrinfo(*self._key, type=socket.SOCK_STREAM)
        except OSError as error:
            self._error = error
        except UnicodeError:
            self._error = OSError("not a host name")
        with _look_ups_lock:
            del _look_ups[self._key]
        self._done.set()

    def result(self, seconds: float) -> list[Any]:
        """What getaddrinfo returns, or raises."""
        if not self._done.wait(seconds):
            raise TimeoutError("timeout")
        if self._error is not None:
            raise OSError(self._error.strerror or str(self._error))
        return self._infos


_look_ups: dict[tuple[str, int], _LookUp] = {}
"""Those under way. The names come from the configuration, so there are few."""

_look_ups_lock = threading.Lock()


def resolve(host: str, port: int, seconds: float) -> list[Any]:
    """What getaddrinfo returns, within `seconds`; else OSError.

    getaddrinfo has no timeout, so a name is looked up in a thread, which ends with the resolver's own timeouts. There is at
    most one for each name; all who need the name meanwhile wait for it.
    """
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        pass
    else:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    with _look_ups_lock:
        look_up = _look_ups.get((host, port))
        if look_up is None:
            try:
                look_up = _look_ups[host, port] = _LookUp(host, port)
            except RuntimeError as error:  # the system has no more threads
                raise OSError(str(error)) from None
    return look_up.result(seconds)


def _reason(error: OSError) -> str:
    return "timeout" if isinstance(error, TimeoutError) else error.strerror or str(error)
