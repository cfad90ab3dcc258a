"""milter: Postfix and Sendmail ask about each message while the SMTP client waits."""

from __future__ import annotations

import re
from collections.abc import Sequence
from concurrent.futures import Executor
from typing import TYPE_CHECKING

from sieveav.frontends.server import Server
from sieveav.frontends.supervising import Listener, Sockets, parse_address
from sieveav.options import TEXT, Option, ValueType
from sieveav.site.site import Site
from sieveav.site.stanza import Building, Named, Placed, Settings, StanzaType

if TYPE_CHECKING:
    import asyncio

    from sieveav.frontends.milter_session import MilterSession


def _address(text: str) -> str:
    parse_address(text)
    return text


def _mode(text: str) -> int:
    if not re.fullmatch(r"0?[0-7]{3}", text):
        raise ValueError(f'"{text}" is not the mode of a file: write three octal digits, such as 0660')
    return int(text, 8)


ADDRESS = ValueType("address", _address)
MODE = ValueType("mode of a file", _mode, write=lambda mode: f"{mode:04o}")


def _build(stanzas: Sequence[Placed], building: Building) -> tuple[Listener, ...]:
    listeners: dict[str, Listener] = {}
    for stanza in stanzas:
        address = stanza.value("listen")
        if not address:
            hint = 'write listen = "unix:/run/sieveav/milter.sock" or "inet:127.0.0.1:8891"'
            building.report.error("option-missing", f"{stanza.head} has no listen", stanza.stanza.kind_span, hint)
        elif address in listeners:
            message = f"{address} is the address of {listeners[address].name} too"
            building.report.error("option-conflict", message, stanza.written["listen"].span, "write another address")
        else:
            values = (stanza.value("mode"), stanza.value("owner"), stanza.value("group"))
            listeners[address] = Listener(stanza.instance, address, *values)
    return tuple(listeners.values())


MILTER = StanzaType(
    "milter",
    "a socket where mail servers connect by the milter protocol",
    (
        Option("listen", ADDRESS, "", "unix:/path, or inet:address:port"),
        Option("mode", MODE, 0o660, "the permissions of a unix socket"),
        Option("owner", TEXT, "", "the user who owns a unix socket; empty: the user who starts the server"),
        Option("group", TEXT, "", "the group of a unix socket, such as that of the mail server"),
    ),
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

            def connect(answer_data: bool = answer_data) -> MilterSession:
                return MilterSession(site, executor, answer_data=answer_data, sessions=running.sessions)

            running.servers.append(await loop.create_server(connect, sock=listening))
    return running


class _Running:
    """The servers of all milter stanzas, and their connections."""

    def __init__(self) -> None:
        self.servers: list[asyncio.Server] = []
        self.sessions: set[MilterSession] = set()

    async def drain(self, seconds: float) -> None:
        """Wait for the MTAs: a connection that is closed between messages costs them the rest of an SMTP session."""
        import asyncio

        for server in self.servers:
            server.close()
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while self.sessions and loop.time() < until:
            await asyncio.sleep(0.05)
        for session in list(self.sessions):
            session.close()


def _listeners(settings: Settings) -> Sequence[Listener]:
    return settings[MILTER]


server = Server("milter", _listeners, _start)
