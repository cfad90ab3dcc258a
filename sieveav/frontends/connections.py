"""connections: what bounds the connections of a server: who may connect, how many at a time, and how long a client may take.

A server's protocol is a subclass of `Connection`. asyncio bounds none of this: a client that sends an octet a minute, or that
does not read what it is sent, would keep its connection, and what waits for it, for ever. All waits are on the event loop's
clock, which is monotonic.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from sieveav.frontends.listening import LOCAL

_log = logging.getLogger(__name__)

CONNECTIONS = 1000
"""Connections of one server in a worker at a time; a further one is refused."""

OF_ONE_CLIENT = 500
"""The same from one address; all clients of a unix socket count as one. More than an MTA opens (Postfix has 100 processes
by default), and others still find a place."""

CLOSING = 30.0
"""Seconds for a client to take the last reply, when its connection is being closed."""

STALLED = 300.0
"""Seconds for a client to read what it has asked for, when so much waits that nothing more is read from it."""

FOREIGN = "clients do not include it"
CROWDED = "too many connections"


class Connection(asyncio.Protocol):
    """One connection of a server. `connections` are all that are open, this one among them while it is; `clients` are the
    networks whose hosts may connect to an inet socket; `server` is the protocol's name, for the log."""

    server = "server"

    def __init__(self, connections: set[Any], clients: Iterable[str] = LOCAL) -> None:
        self._connections = connections
        self._clients = tuple(clients)
        self.client = ""
        """The client's address; "" on a unix socket."""
        self._is_wanted = True
        self._is_writable = True
        self._awaited: object = None
        self._is_awaiting = False
        self._since = 0.0
        self._when_late: Callable[[], None] | None = None
        self._late_at = 0.0
        self._clock: asyncio.TimerHandle | None = None
        """It looks whether it is late, and is not set again each time that something else is expected: most is in time."""
        self._ending: asyncio.TimerHandle | None = None

    # ---- what a subclass does

    def opened(self) -> None:
        """The client is connected."""

    def refused(self, why: str) -> None:
        """The client is not wanted, because of FOREIGN or CROWDED; the connection is closed after this."""

    # ---- asyncio

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        peer = transport.get_extra_info("peername")
        self.client = peer[0] if isinstance(peer, tuple) else ""
        why = self._objection()
        if why:
            _log.warning("%s: a connection from %s is refused: %s", self.server, self.client or "a unix socket", why)
            self.refused(why)
            self.finish()
            return
        self._connections.add(self)
        self.opened()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._connections.discard(self)
        self.heard()
        self._set_clock(None)
        if self._ending is not None:
            self._ending.cancel()

    def pause_writing(self) -> None:
        self._is_writable = False
        if self._ending is None:
            self._ending = self._loop.call_later(STALLED, self._transport.abort)
        self._control_reading()

    def resume_writing(self) -> None:
        self._is_writable = True
        if self._ending is not None and not self._transport.is_closing():
            self._ending.cancel()
            self._ending = None
        self._control_reading()

    # ---- what a subclass calls

    def want(self, is_wanted: bool) -> None:
        """Whether to read more from the client. Nothing is read in any case while it does not read."""
        self._is_wanted = is_wanted
        self._control_reading()

    def expect(self, what: object, seconds: float, late: Callable[[], None]) -> None:
        """Let the client have `seconds` for `what`, from the first of several calls with it on; then call `late`."""
        if self._is_awaiting and what == self._awaited:
            return
        self._is_awaiting, self._awaited, self._when_late = True, what, late
        self._since = self._loop.time()
        self._late_at = self._since + seconds
        if self._clock is None or self._clock.when() > self._late_at:
            self._set_clock(self._late_at)

    def heard(self) -> float:
        """Expect nothing more: how many seconds the client has taken since the last time."""
        if not self._is_awaiting:
            return 0.0
        self._is_awaiting = False
        return self._loop.time() - self._since

    def finish(self) -> None:
        """Close the connection when the client has what was written; at the latest after CLOSING."""
        self.heard()
        self._transport.close()
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None
        if self._transport.get_write_buffer_size():
            self._ending = self._loop.call_later(CLOSING, self._transport.abort)

    def _set_clock(self, at: float | None) -> None:
        if self._clock is not None:
            self._clock.cancel()
        self._clock = None if at is None else self._loop.call_at(at, self._look_at_clock)

    def _look_at_clock(self) -> None:
        self._clock = None
        if not self._is_awaiting or self._when_late is None:
            return
        if self._loop.time() < self._late_at:
            self._set_clock(self._late_at)
        else:
            self._when_late()

    def _control_reading(self) -> None:
        if self._is_wanted and self._is_writable:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def _objection(self) -> str:
        if self.client and not may_connect(self.client, self._clients):
            return FOREIGN
        of_this = sum(other.client == self.client for other in self._connections)
        if of_this >= OF_ONE_CLIENT or len(self._connections) >= CONNECTIONS:
            return CROWDED
        return ""


@lru_cache(64)
def _networks(clients: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(map(ip_network, clients))


def may_connect(client: str, clients: tuple[str, ...]) -> bool:
    """Whether an address is in one of the networks."""
    address = client_address(client)
    return any(address in known for known in _networks(clients))


def client_address(client: str) -> IPv4Address | IPv6Address:
    """An IP address, as IPv4 if it is one that is written as IPv6 (RFC 4291, 2.5.5.2). ValueError for any other text."""
    address = ip_address(client)
    return getattr(address, "ipv4_mapped", None) or address
