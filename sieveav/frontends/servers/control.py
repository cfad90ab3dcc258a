"""control: sieveav ctl asks a running server what it has done, and makes it forget or reload."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from sieveav.frontends.listening import OPTIONS, listeners
from sieveav.frontends.server import Server
from sieveav.frontends.sockets import BACKLOG, Listener
from sieveav.frontends.supervising import Worker, stop_accepting, wait_until
from sieveav.site.site import Site
from sieveav.site.stanza import Building, Placed, Settings, StanzaType

if TYPE_CHECKING:
    import asyncio

    from sieveav.frontends.requests import Requests

SOCKET = "/run/sieveav/control.sock"


def _build(stanzas: Sequence[Placed], building: Building) -> Listener | None:
    found = listeners(stanzas, building, SOCKET, port=None)
    for stanza in stanzas:
        listener = found.get(stanza.instance)
        if listener is None or listener.address.startswith("unix:"):
            return listener
        message, hint = "control is a unix socket, because its permissions say who may ask", f'write "unix:{SOCKET}"'
        building.report.error("value-invalid", message, stanza.written["listen"].span, hint)
    return None


CONTROL = StanzaType(
    "control",
    "a socket for sieveav ctl",
    tuple(replace(option, default=0o600) if option.name == "mode" else option for option in OPTIONS),
    build=_build,
    details=f"""\
Example: control {{ listen = "unix:{SOCKET}" }}. Whoever may write to the socket may ask everything that sieveav ctl can ask,
which includes a reload: by default the user who starts the server, and root.""",
)


async def _start(site: Site, worker: Worker, executor: Executor) -> _Running:  # noqa: ARG001
    import asyncio

    from sieveav.frontends import message_log
    from sieveav.frontends.controlling import LARGEST, TIMEOUT, Controlled, own_socket, reply
    from sieveav.frontends.requests import Requests

    controlled = Controlled(site, worker)
    message_log.observers.append(controlled.totals.observe)
    running = _Running(Requests("control", b"\n", TIMEOUT, partial(reply, controlled)))
    for listening in worker.sockets["control"]:
        running.servers.append(
            await asyncio.start_server(running.requests, sock=listening, limit=LARGEST, backlog=BACKLOG)
        )
    running.among_workers = await asyncio.start_unix_server(
        Requests("control", b"\n", TIMEOUT, partial(reply, controlled)), own_socket(worker), limit=LARGEST
    )
    return running


@dataclass
class _Running:
    """The servers; what the other workers ask is answered until this one ends."""

    requests: Requests
    servers: list[asyncio.Server] = field(default_factory=list)
    among_workers: asyncio.Server | None = None

    async def drain(self, seconds: float) -> None:
        await stop_accepting(*self.servers)
        await wait_until(lambda: not self.requests.connections, seconds)


def _listeners(settings: Settings) -> Sequence[Listener]:
    listener = settings[CONTROL]
    return [] if listener is None else [listener]


server = Server("control", _listeners, _start, shares=True)
