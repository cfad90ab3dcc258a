"""lmtp: Postfix and other MTAs give mail to deliver, and hear a reply for each recipient."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from sieveav.frontends.handing import Peer
from sieveav.frontends.listening import CLIENTS, LOCAL, OPTIONS, listeners
from sieveav.frontends.mailstores import Mailstore, Relay, mailstore
from sieveav.frontends.server import Server
from sieveav.frontends.sockets import BACKLOG, Listener
from sieveav.frontends.special_uses import SpecialUse, special_use
from sieveav.frontends.submitting import submission, submit, text_of, warn_without_state
from sieveav.frontends.supervising import Worker, stop_accepting, wait_until
from sieveav.limits import MIB
from sieveav.options import BOOLEAN, SIZE, Option, ValueType, one_of
from sieveav.printing import printable
from sieveav.site.site import Site
from sieveav.site.stanza import Building, Named, Placed, Settings, StanzaType

if TYPE_CHECKING:
    import asyncio

    from sieveav.frontends.lmtp_session import Service

THREADS = 16
"""Threads of a worker in which mail for several recipients is stored: disks sync many files together."""


@dataclass(frozen=True)
class LmtpSettings:
    """One LMTP server: where it listens, where mail is stored, the server that sends mail on (None: there is none), the
    largest message in octets, the special uses of mailboxes, who may connect, and whether a milter has held the messages that
    scripts quarantine."""

    listener: Listener
    store: Mailstore
    submission: Peer | None
    size: int
    special_uses: tuple[SpecialUse, ...] = ()
    clients: tuple[str, ...] = LOCAL
    held_before: bool = False


STORE = ValueType("mail store", text_of(mailstore))


def _special_use(text: str) -> SpecialUse:
    from sieveav.frontends.maildir import folder_name  # only for a site that uses it

    use = special_use(text)
    if folder_name(use[0]) is None:
        raise ValueError(f'a Maildir cannot have the mailbox "{printable(use[0], "?", 60)}": write / between its parts')
    return use


SPECIAL_USE = ValueType("MAILBOX=\\ATTRIBUTE", text_of(_special_use), many=True)


def _build(stanzas: Sequence[Placed], building: Building) -> tuple[LmtpSettings, ...]:
    found = listeners(stanzas, building, "/run/sieveav/lmtp.sock")
    servers: list[LmtpSettings] = []
    for stanza in stanzas:
        if not stanza.value("deliver"):
            hint = 'write deliver = "maildir:/var/vmail/%d/%n" or "lmtp:unix:/run/dovecot/lmtp"'
            building.report.error("option-missing", f"{stanza.head} has no deliver", stanza.stanza.kind_span, hint)
        elif stanza.instance in found:
            uses = tuple(map(special_use, stanza.value("special_use")))
            store = mailstore(stanza.value("deliver"), make=stanza.value("create"), special_uses=uses)
            size, clients = stanza.value("size"), stanza.value("clients")
            held = stanza.value("quarantined") == "deliver"
            servers.append(LmtpSettings(found[stanza.instance], store, submission(stanza), size, uses, clients, held))
            if uses and isinstance(store, Relay):
                written = stanza.written["special_use"].span
                message = "special_use has no effect: the other server's mailboxes are not known"
                building.report.warn("option-conflict", message, written, "leave it out")
    if stanzas:
        warn_without_state(stanzas[0], building, "redirects")
    return tuple(servers)


LMTP = StanzaType(
    "lmtp",
    "a socket where mail servers deliver by LMTP",
    (
        *OPTIONS,
        CLIENTS,
        Option(
            "deliver",
            STORE,
            "",
            "where mail is stored: maildir:/path with %u, %n, %d; lmtp:unix:/path; or lmtp:inet:address:port",
        ),
        Option("create", BOOLEAN, False, "whether to create a recipient's Maildir if it does not exist"),
        Option(
            "special_use",
            SPECIAL_USE,
            (),
            'which mailbox has which special use, for all users: MAILBOX=\\ATTRIBUTE, such as "Junk=\\\\Junk"',
        ),
        submit("redirected mail and replies"),
        Option("size", SIZE, 50 * MIB, "the largest message"),
        Option(
            "quarantined",
            one_of("defer", "deliver"),
            "defer",
            "defer a message that scripts quarantine, which only a milter can do; or deliver it, because a milter runs the"
            " same scripts, and it was released",
        ),
    ),
    Named.MUST,
    build=_build,
    details="""\
Example: lmtp "l1" { listen = "inet:127.0.0.1:10024" deliver = "maildir:/var/vmail/%d/%n" submit = "smtp:127.0.0.1:10587" },
and in Postfix's main.cf

    virtual_transport = lmtp:inet:127.0.0.1:10024

special_use = ( "Junk=\\\\Junk" "Sent=\\\\Sent" ) gives attributes to the mailboxes Junk and Sent, for fileinto :specialuse.
Give the same ones as in Dovecot's configuration; those that users set by IMAP are not read. Of several mailboxes with the
same attribute, the first that exists is used.

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
        deliverer = Deliverer(site, settings.store, settings.submission, settings.held_before)
        limits = Limits(message=settings.size)
        service = Service(settings.listener.name, deliverer, executor, deliveries, limits, clients=settings.clients)
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
        await stop_accepting(*self.servers)
        sessions: list[Any] = [session for service in self.services for session in list(service.sessions)]
        for session in sessions:
            session.close()
        await wait_until(lambda: not any(service.sessions for service in self.services), seconds)


def _listeners(settings: Settings) -> Sequence[Listener]:
    return [server.listener for server in settings[LMTP]]


server = Server("lmtp", _listeners, _start)
