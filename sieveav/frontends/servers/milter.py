"""milter: Postfix and Sendmail ask about each message while the SMTP client waits."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from sieveav.frontends.listening import OPTIONS, listeners
from sieveav.frontends.server import Server
from sieveav.frontends.supervising import BACKLOG, Listener, Worker, stop_accepting
from sieveav.options import BOOLEAN, Option
from sieveav.site.site import Site
from sieveav.site.stanza import Building, Named, Placed, Settings, StanzaType

if TYPE_CHECKING:
    import asyncio

    from sieveav.frontends.milter_session import MilterSession


@dataclass(frozen=True)
class MilterSettings:
    """One milter: where it listens, and whether it only refuses, because sieveav delivers too (see `milter_plan`)."""

    listener: Listener
    refuse_only: bool


def _build(stanzas: Sequence[Placed], building: Building) -> tuple[MilterSettings, ...]:
    found = listeners(stanzas, building, "/run/sieveav/milter.sock")
    return tuple(
        MilterSettings(found[stanza.instance], stanza.value("refuse_only"))
        for stanza in stanzas
        if stanza.instance in found
    )


MILTER = StanzaType(
    "milter",
    "a socket where mail servers connect by the milter protocol",
    (*OPTIONS, Option("refuse_only", BOOLEAN, False, "whether to leave all but refusals to sieveav's LMTP server")),
    Named.MUST,
    build=_build,
    details="""\
Example: milter "m1" { listen = "inet:127.0.0.1:8891" }, and in Postfix's main.cf

    smtpd_milters = inet:127.0.0.1:8891
    milter_default_action = tempfail

With accept as the default action, viruses would pass while sieveav is stopped. Write refuse_only = true if the mail that is
accepted is delivered by the stanza lmtp: it runs the scripts again, and does what a milter cannot.""",
)


async def _start(site: Site, worker: Worker, executor: Executor) -> _Running:
    import asyncio
    import socket

    from sieveav.frontends.milter_session import MilterSession

    loop = asyncio.get_running_loop()
    running = _Running()
    for settings in site.settings[MILTER]:
        for listening in worker.sockets[settings.listener.name]:
            connect = partial(
                MilterSession,
                site,
                executor,
                name=settings.listener.name,
                refuse_only=settings.refuse_only,
                answer_data=listening.family != socket.AF_UNIX,
                sessions=running.sessions,
            )
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
    return [milter.listener for milter in settings[MILTER]]


server = Server("milter", _listeners, _start)
