"""milter: Postfix and Sendmail ask about each message while the SMTP client waits."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from typing import TYPE_CHECKING

from sieveav.frontends.listening import OPTIONS, listeners
from sieveav.frontends.server import Server
from sieveav.frontends.supervising import BACKLOG, Listener, Sockets, stop_accepting
from sieveav.site.site import Site
from sieveav.site.stanza import Building, Named, Placed, Settings, StanzaType

if TYPE_CHECKING:
    import asyncio

    from sieveav.frontends.milter_session import MilterSession


def _build(stanzas: Sequence[Placed], building: Building) -> tuple[Listener, ...]:
    return tuple(listeners(stanzas, building, "/run/sieveav/milter.sock").values())


MILTER = StanzaType(
    "milter",
    "a socket where mail servers connect by the milter protocol",
    OPTIONS,
    Named.MUST,
    build=_build,
    details="""\
Example: milter "m1" { listen = "inet:127.0.0.1:8891" }, and in Postfix's main.cf

    smtpd_milters = inet:127.0.0.1:8891
    milter_default_action = tempfail

With accept as the default action, viruses would pass while sieveav is stopped.""",
)


async def _start(site: Site, sockets: Sockets, executor: Executor) -> _Running:
    import asyncio
    import socket

    from sieveav.frontends.milter_session import MilterSession

    loop = asyncio.get_running_loop()
    running = _Running()
    for listener in site.settings[MILTER]:
        for listening in sockets[listener.name]:
            answer_data = listening.family != socket.AF_UNIX

            def connect(name: str = listener.name, answer_data: bool = answer_data) -> MilterSession:
                return MilterSession(site, executor, name=name, answer_data=answer_data, sessions=running.sessions)

            running.servers.append(await loop.create_server(connect, sock=listening, backlog=BACKLOG))
    return running


class _Running:
    """The servers of all milter stanzas, and their connections."""

    def __init__(self) -> None:
        self.servers: list[asyncio.Server] = []
        self.sessions: set[MilterSession] = set()

    async def drain(self, seconds: float) -> None:
        """Wait for the MTAs: a connection that is closed between messages costs them the rest of an SMTP session."""
        import asyncio

        await stop_accepting(*self.servers)
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while self.sessions and loop.time() < until:
            await asyncio.sleep(0.05)
        for session in list(self.sessions):
            session.close()


def _listeners(settings: Settings) -> Sequence[Listener]:
    return settings[MILTER]


server = Server("milter", _listeners, _start)
