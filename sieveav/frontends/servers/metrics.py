"""metrics: Prometheus reads what the workers have counted, over HTTP."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from sieveav.frontends.listening import OPTIONS, listeners
from sieveav.frontends.server import Server
from sieveav.frontends.sockets import BACKLOG, Listener
from sieveav.frontends.supervising import Worker, stop_accepting
from sieveav.options import TEXTS, Option
from sieveav.site.site import Site
from sieveav.site.stanza import Building, Placed, Settings, StanzaType

if TYPE_CHECKING:
    import asyncio

    from sieveav.frontends.measuring import Measures

_log = logging.getLogger(__name__)

PATH = b"/metrics"

REFRESH = 1.0
"""Seconds between two looks at pools, engines and the state."""

TIMEOUT = 10.0
"""Seconds for a request and its answer: Prometheus' own limit for a scrape."""

HEAD = 16 * 1024
"""The most octets of a request's head."""


@dataclass(frozen=True)
class MetricsSettings:
    """Where metrics are read, and the counters of scripts that have series of their own."""

    listener: Listener
    counters: tuple[str, ...]


def _build(stanzas: Sequence[Placed], building: Building) -> MetricsSettings | None:
    found = listeners(stanzas, building, "/run/sieveav/metrics.sock", port=9099)
    for stanza in stanzas:
        if stanza.instance in found:
            return MetricsSettings(found[stanza.instance], stanza.value("counters"))
    return None


METRICS = StanzaType(
    "metrics",
    "a socket where Prometheus reads what the workers have counted",
    (
        *OPTIONS,
        Option(
            "counters", TEXTS, (), 'the counters of scripts that are shown by name; the others are counted as "other"'
        ),
    ),
    build=_build,
    details="""\
Example: metrics { listen = "inet:127.0.0.1:9099" counters = ( "policy:archives" ) }, and in Prometheus' configuration

    scrape_configs: [{job_name: sieveav, static_configs: [{targets: ["127.0.0.1:9099"]}]}]

The path is /metrics. Whoever can connect can read; write a loopback address, or a unix socket. What is counted covers all
workers since the start of the service, those that have ended included; gauges cover the workers that run. They are read once a
second. Labels are words of the program, and names in this configuration: nothing that a client or a message chooses. Scripts
may make up names of counters, of variables too, so only those named here have series of their own.""",
)


async def _start(site: Site, worker: Worker, executor: Executor) -> _Running:  # noqa: ARG001
    import asyncio

    from sieveav.frontends import message_log
    from sieveav.frontends.measuring import Measures
    from sieveav.frontends.requests import Requests

    settings = site.settings[METRICS]
    if settings is None:
        return _Running()
    measures = Measures(worker.folder, site, settings.counters)
    message_log.observers.append(measures.observe)
    running = _Running(asyncio.create_task(_refresh(measures)))
    scrapes = Requests("metrics", b"\r\n\r\n", TIMEOUT, partial(_reply, measures))
    for listening in worker.sockets[settings.listener.name]:
        running.servers.append(await asyncio.start_server(scrapes, sock=listening, limit=HEAD, backlog=BACKLOG))
    return running


async def _refresh(measures: Measures) -> None:
    import asyncio

    stopping = False
    while not stopping:
        try:
            await asyncio.sleep(REFRESH)
        except asyncio.CancelledError:  # the worker ends
            stopping = True
        try:
            measures.refresh()
        except OSError as error:  # there is no room for a file
            _log.error("metrics: %s", error)


@dataclass
class _Running:
    """The servers, and what reads the gauges until the worker ends."""

    refreshing: asyncio.Task[None] | None = None
    servers: list[asyncio.Server] = field(default_factory=list)

    async def drain(self, seconds: float) -> None:  # noqa: ARG002  # an answer takes milliseconds
        await stop_accepting(*self.servers)


# ---- HTTP


async def _reply(measures: Measures, head: bytes) -> bytes:
    import asyncio

    status, accept = requested(head)
    if status != OK:
        return response(status, f"{status}\n".encode())
    try:
        body, media_type = await asyncio.to_thread(measures.exposition, accept)
    except OSError as error:
        _log.error("metrics: %s", error)
        return response(UNAVAILABLE, f"{UNAVAILABLE}\n".encode())
    return response(OK, body, media_type)


OK = "200 OK"
UNAVAILABLE = "503 Service Unavailable"


def requested(head: bytes) -> tuple[str, str]:
    """The head of a request -> the status of its answer, and the value of its field Accept, "" if there is none. RFC 9112, 3:
    `GET /metrics HTTP/1.1`, in origin-form or absolute-form."""
    line, *fields = head.split(b"\r\n")
    method, _, rest = line.partition(b" ")
    target, _, version = rest.partition(b" ")
    if not version.startswith(b"HTTP/1."):
        return "400 Bad Request", ""
    if method != b"GET":
        return "405 Method Not Allowed", ""
    if target.partition(b"?")[0] != PATH:
        return "404 Not Found", ""
    named = (each.partition(b":") for each in fields)
    accepted = [value.strip() for name, _, value in named if name.strip().lower() == b"accept"]
    return OK, b",".join(accepted).decode("ascii", "replace")


def response(status: str, body: bytes, media_type: str = "text/plain; charset=utf-8") -> bytes:
    """An answer after which the connection is closed."""
    allow = "Allow: GET\r\n" if status.startswith("405") else ""  # RFC 9110, 15.5.6
    head = f"HTTP/1.1 {status}\r\nContent-Type: {media_type}\r\nContent-Length: {len(body)}\r\n{allow}Connection: close\r\n\r\n"
    return head.encode() + body


def _listeners(settings: Settings) -> Sequence[Listener]:
    metrics = settings[METRICS]
    return [] if metrics is None else [metrics.listener]


server = Server("metrics", _listeners, _start, shares=True)
