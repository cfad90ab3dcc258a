"""lmtp: Postfix and other MTAs give mail to deliver, and hear a reply for each recipient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from sieveav.frontends.handing import Peer, peer
from sieveav.frontends.listening import OPTIONS, listeners
from sieveav.frontends.mailstores import Mailstore, mailstore
from sieveav.frontends.server import Server
from sieveav.frontends.supervising import BACKLOG, Listener, Worker, stop_accepting
from sieveav.limits import MIB
from sieveav.options import BOOLEAN, SIZE, Option, ValueType
from sieveav.site.site import Site
from sieveav.site.stanza import Building, Named, Placed, Settings, StanzaType
from sieveav.site.stanzas.state import STATE

if TYPE_CHECKING:
    import asyncio

    from sieveav.frontends.lmtp_session import Service

THREADS = 16
"""Threads of a worker in which mail for several recipients is stored: disks sync many files together."""


@dataclass(frozen=True)
class LmtpSettings:
    """One LMTP server: where it listens, where mail is stored, the server that sends mail on (None: there is none), and the
    largest message in octets."""

    listener: Listener
    store: Mailstore
    submission: Peer | None
    size: int


def _text_of(parse: Callable[[str], object]) -> Callable[[str], str]:
    def check(text: str) -> str:
        parse(text)
        return text

    return check


def _smtp(text: str) -> Peer:
    found = peer(text)
    if found.protocol != "smtp":
        raise ValueError(f'"{text}" does not begin with smtp:')
    return found


STORE = ValueType("mail store", _text_of(mailstore))
SUBMISSION = ValueType("address of an SMTP server", _text_of(_smtp))


def _build(stanzas: Sequence[Placed], building: Building) -> tuple[LmtpSettings, ...]:
    found = listeners(stanzas, building, "/run/sieveav/lmtp.sock")
    servers: list[LmtpSettings] = []
    for stanza in stanzas:
        if not stanza.value("deliver"):
            hint = 'write deliver = "maildir:/var/vmail/%d/%n" or "lmtp:unix:/run/dovecot/lmtp"'
            building.report.error("option-missing", f"{stanza.head} has no deliver", stanza.stanza.kind_span, hint)
        elif stanza.instance in found:
            submit = stanza.value("submit")
            submission = _smtp(submit) if submit else None
            store = mailstore(stanza.value("deliver"), make=stanza.value("create"))
            servers.append(LmtpSettings(found[stanza.instance], store, submission, stanza.value("size")))
    if stanzas and building.built(STATE) is None:
        message, hint = (
            "redirects may be repeated when a message comes again: there is no state",
            "write a stanza state",
        )
        building.report.warn("state-missing", message, stanzas[0].stanza.kind_span, hint)
    return tuple(servers)


LMTP = StanzaType(
    "lmtp",
    "a socket where mail servers deliver by LMTP",
    (
        *OPTIONS,
        Option(
            "deliver",
            STORE,
            "",
            "where mail is stored: maildir:/path with %u, %n, %d; lmtp:unix:/path; or lmtp:inet:address:port",
        ),
        Option("create", BOOLEAN, False, "whether to create a recipient's Maildir if it does not exist"),
        Option("submit", SUBMISSION, "", "the server that redirected mail and replies are given to: smtp:address:port"),
        Option("size", SIZE, 50 * MIB, "the largest message"),
    ),
    Named.MUST,
    build=_build,
    details="""\
Example: lmtp "l1" { listen = "inet:127.0.0.1:10024" deliver = "maildir:/var/vmail/%d/%n" submit = "smtp:127.0.0.1:10587" },
and in Postfix's main.cf

    virtual_transport = lmtp:inet:127.0.0.1:10024

With lmtp:, a mailbox is the detail of the address (user+Junk@example.com): in Dovecot, lmtp_save_to_detail_mailbox = yes.
The server named by submit must not give the message to sieveav before it has left this site.""",
)


async def _start(site: Site, worker: Worker, executor: Executor) -> _Running:
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    from sieveav.frontends.delivering import Deliverer
    from sieveav.frontends.lmtp_session import LmtpSession, Service
    from sieveav.frontends.lmtp_wire import Limits

    loop = asyncio.get_running_loop()
    deliveries = ThreadPoolExecutor(THREADS, thread_name_prefix="sieveav-deliveries")
    running = _Running()
    for settings in site.settings[LMTP]:
        deliverer = Deliverer(site, settings.store, settings.submission)
        service = Service(settings.listener.name, deliverer, executor, deliveries, Limits(message=settings.size))
        running.services.append(service)
        for listening in worker.sockets[settings.listener.name]:
            connect = partial(LmtpSession, service)
            running.servers.append(await loop.create_server(connect, sock=listening, backlog=BACKLOG))
    return running


class _Running:
    """The servers of all lmtp stanzas, and what their connections share."""

    def __init__(self) -> None:
        self.servers: list[asyncio.Server] = []
        self.services: list[Service] = []

    async def drain(self, seconds: float) -> None:
        """Finish the messages that are being received or delivered; connections without one are closed at once."""
        import asyncio

        await stop_accepting(*self.servers)
        sessions: list[Any] = [session for service in self.services for session in list(service.sessions)]
        for session in sessions:
            session.close()
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while any(service.sessions for service in self.services) and loop.time() < until:
            await asyncio.sleep(0.05)


def _listeners(settings: Settings) -> Sequence[Listener]:
    return [server.listener for server in settings[LMTP]]


server = Server("lmtp", _listeners, _start)
