"""server: the declaration of a front end that serves a protocol, and a running one.

A server is one file in `servers/`, or in a package that another distribution names as an entry point of the group
`sieveav.servers`; beside it in the file is the stanza that configures it. `sieveav serve` starts all that are configured.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Protocol

from sieveav.frontends.sockets import Listener
from sieveav.frontends.supervising import Worker
from sieveav.plugins import Plugin, Plugins, identifier
from sieveav.site.site import Site
from sieveav.site.stanza import Settings


class Running(Protocol):
    """A server that accepts connections in this process."""

    async def drain(self, seconds: float) -> None:
        """Accept no more connections, and return when those that are open have ended, or after `seconds`, when they are
        closed."""
        ...


@dataclass(frozen=True)
class Server(Plugin):
    """A server: `listeners(settings)` says where it listens, by the stanzas of its own; `start(site, worker, executor)`
    starts it in the asyncio event loop of a worker: its sockets are those of its listeners' names. Scripts run in `executor`.
    With `shares`, workers share a folder (`worker.folder`)."""

    name: str
    listeners: Callable[[Settings], Sequence[Listener]]
    start: Callable[[Site, Worker, Executor], Awaitable[Running]]
    shares: bool = False

    def __post_init__(self) -> None:
        if not self.name or self.name != identifier(self.name):
            raise TypeError(f"a server's name is lower-case letters, digits and _, not {self.name!r}")
        if not callable(self.listeners) or not callable(self.start):
            raise TypeError(f"server {self.name}: listeners and start must be functions")


SERVERS = Plugins(Server, "server", "sieveav.servers", ["sieveav.frontends.servers"])
"""All servers that are installed."""
