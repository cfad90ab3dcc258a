"""requests: connections that bring one request to its one answer, within bounds of number, size and time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

_log = logging.getLogger(__name__)

CONNECTIONS = 20
"""Connections of a worker at a time; a further one is closed."""


@dataclass
class Requests:
    """What asyncio calls for each connection of a server: it reads up to and including `end`, writes what `reply(request)`
    returns, and closes the connection; all in `seconds`. How large a request may be is said when the server is started.
    `name` is the server's, for the log."""

    name: str
    end: bytes
    seconds: float
    reply: Callable[[bytes], Awaitable[bytes]]
    connections: int = 0
    """How many are open."""

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            if self.connections <= CONNECTIONS:
                async with asyncio.timeout(self.seconds):
                    writer.write(await self.reply(await reader.readuntil(self.end)))
                    await writer.drain()
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError) as error:
            _log.debug("%s: a request is not answered: %s", self.name, type(error).__name__)
        finally:
            self.connections -= 1
            writer.close()
