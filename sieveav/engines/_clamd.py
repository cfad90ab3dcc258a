"""_clamd: an INSTREAM of chunks into clamd's whole reply, over the connections and commands of the package `clamd`.

Imported where first used, for `import clamd` costs 80 ms. What the package's own `instream` gets wrong is done anew
here: it has no loop over partial sends, 1 KB chunks, no timeout on connect, IPv4 only, it loses the reply that comes
while it still sends, and its grammar takes a cut `stream: OK` for OK. Ping, version and the life of a connection are
the package's.
"""

from __future__ import annotations

import ipaddress
import select
import socket
import threading
import time
import warnings
from collections.abc import Iterable
from typing import Any

from sieveav.engines.clamav_wire import COMMAND, END, REPLY_SIZE, Address
from sieveav.scanning.contract import Deadline

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it looks for pkg_resources, which is deprecated or gone
    import clamd

_PAUSE = 0.01
"""Seconds between two tries to connect to a unix socket with a full backlog."""

_LONGEST = 3600.0
"""Seconds of one wait at most: sockets do not take any number."""


class Unanswered(clamd.ConnectionError):  # type: ignore[misc]  # the package has no types
    """The daemon did not answer: not one octet of a reply came."""


ResponseError = clamd.ResponseError
"""A reply came, but none that the command knows."""


class _Timely:
    """What both sockets share. Every wait ends at `deadline`; one object serves one command."""

    deadline: Deadline
    clamd_socket: socket.socket

    def exchange(self, chunks: Iterable[bytes]) -> tuple[bytes, bool]:
        """Send one INSTREAM; the octets of its reply, and whether it is complete: the whole content had been sent when
        it came, and the daemon closed the connection after it. Raises Unanswered.
        """
        self._init_socket()
        try:
            sent = self._stream(chunks)
            reply, closed = self._receive()
            return reply, sent and closed
        finally:
            self.clamd_socket.close()

    # -- in place of the package's own, which its ping() and version() call ----------------------------------------

    def _init_socket(self) -> None:
        try:
            self.clamd_socket = self._connect()
        except OSError as fault:
            raise Unanswered(f"cannot connect: {_reason(fault)}") from None

    def _connect(self) -> socket.socket:
        raise NotImplementedError

    def _send_command(self, command: str, *arguments: str) -> None:
        try:
            self.clamd_socket.settimeout(self._left())
            self.clamd_socket.sendall(b"z" + " ".join((command, *arguments)).encode() + b"\0")
        except OSError as fault:
            raise Unanswered(f"cannot send: {_reason(fault)}") from None

    def _recv_response(self) -> str:
        reply, _ = self._receive()
        if reply.find(b"\0") != len(reply) - 1:
            raise clamd.ResponseError("not one whole reply")
        return reply[:-1].decode("ascii", "replace")

    # -- the wire --------------------------------------------------------------------------------------------------

    def _left(self) -> float:
        """Seconds for the next wait; TimeoutError when none is left (a socket's timeout of 0 would mean: never
        wait)."""
        left = self.deadline.left()
        if left <= 0:
            raise TimeoutError("timeout")
        return min(left, _LONGEST)

    def _stream(self, chunks: Iterable[bytes]) -> bool:
        """Send it all; false when the daemon answered or hung up before the end. Its reply is still to be read."""
        self.clamd_socket.setblocking(False)
        try:
            return self._send(COMMAND) and all(self._send(chunk) for chunk in chunks) and self._send(END)
        except TimeoutError:
            raise Unanswered("timeout while sending") from None
        except OSError:
            return False

    def _send(self, octets: bytes) -> bool:
        """Send `octets`, unless the daemon speaks first."""
        poll = select.poll()
        poll.register(self.clamd_socket, select.POLLIN | select.POLLOUT)
        rest = memoryview(octets)
        while rest:
            events = poll.poll(self._left() * 1000)
            if any(event & ~select.POLLOUT for _, event in events):
                return False
            if events:
                rest = rest[self.clamd_socket.send(rest) :]
        return True

    def _receive(self) -> tuple[bytes, bool]:
        """Every octet up to the end of the connection or beyond REPLY_SIZE, and whether the daemon closed it in order.

        A daemon that refuses the rest of a stream resets the connection right after its reply: that reply counts.
        """
        reply = bytearray()
        try:
            while len(reply) <= REPLY_SIZE:
                self.clamd_socket.settimeout(self._left())
                octets = self.clamd_socket.recv(REPLY_SIZE + 1 - len(reply))
                if not octets and not reply:
                    raise Unanswered("connection closed without a reply")
                if not octets:
                    return bytes(reply), True
                reply += octets
        except OSError as fault:
            if not reply:
                raise Unanswered(f"cannot receive: {_reason(fault)}") from None
        return bytes(reply), False


class NetworkSocket(_Timely, clamd.ClamdNetworkSocket):  # type: ignore[misc]
    """clamd over TCP, IPv6 or IPv4."""

    def __init__(self, host: str, port: int, deadline: Deadline) -> None:
        super().__init__(host, port)
        self.deadline = deadline

    def _connect(self) -> socket.socket:
        fault: OSError = OSError("host not found")
        for family, kind, protocol, _, where in _resolve(self.host, self.port, self._left()):
            connection = socket.socket(family, kind, protocol)
            try:
                connection.settimeout(self._left())
                connection.connect(where)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # a stream's end is a small packet
            except OSError as refused:
                connection.close()
                fault = refused
            else:
                return connection
        raise fault


class UnixSocket(_Timely, clamd.ClamdUnixSocket):  # type: ignore[misc]
    """clamd over a unix socket."""

    def __init__(self, path: str, deadline: Deadline) -> None:
        super().__init__(path)
        self.deadline = deadline

    def _connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            while True:
                connection.settimeout(self._left())
                try:
                    connection.connect(self.unix_socket)
                except (
                    BlockingIOError
                ):  # its backlog is full: a busy daemon, and with a timeout the kernel will not wait
                    time.sleep(min(_PAUSE, self._left()))
                else:
                    return connection
        except OSError:
            connection.close()
            raise


def client(address: Address, deadline: Deadline) -> NetworkSocket | UnixSocket:
    """A client for one command to the daemon at `address`."""
    if address.port:
        return NetworkSocket(address.host, address.port, deadline)
    return UnixSocket(address.host, deadline)


def _resolve(host: str, port: int, seconds: float) -> list[Any]:
    """getaddrinfo's answer in time. It cannot be told to hurry, so a name (an address needs no waiting) is looked up
    in a thread that ends with the resolver's own timeouts, should it miss ours."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        pass
    else:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    found: list[Any] = []
    faults: list[OSError] = []

    def look_up() -> None:
        try:
            found.extend(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except OSError as fault:
            faults.append(fault)
        except UnicodeError:
            faults.append(OSError("not a host name"))

    thread = threading.Thread(target=look_up, name="sieveav-resolve", daemon=True)
    thread.start()
    thread.join(seconds)
    if faults:
        raise faults[0]
    if not found:
        raise TimeoutError("timeout")
    return found


def _reason(fault: OSError) -> str:
    return "timeout" if isinstance(fault, TimeoutError) else fault.strerror or str(fault)
