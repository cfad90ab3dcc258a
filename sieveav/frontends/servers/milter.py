"""milter: Postfix and Sendmail ask about each message while the SMTP client waits."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from sieveav.frontends.handing import Peer
from sieveav.frontends.listening import CLIENTS, OPTIONS, listeners
from sieveav.frontends.milter_plan import Answering
from sieveav.frontends.server import Server
from sieveav.frontends.sockets import BACKLOG, Listener
from sieveav.frontends.submitting import EXAMPLE, submission, submit, warn_without_state
from sieveav.frontends.supervising import Worker, stop_accepting, wait_until
from sieveav.options import BOOLEAN, Option, one_of
from sieveav.site.site import Site
from sieveav.site.stanza import Building, Named, Placed, Settings, StanzaType

if TYPE_CHECKING:
    import asyncio

    from sieveav.frontends.milter_session import MilterSession


@dataclass(frozen=True)
class MilterSettings:
    """One milter: where it listens, who may connect, how it answers, and the server that sends mail (None: there is
    none)."""

    listener: Listener
    clients: tuple[str, ...]
    answering: Answering
    submission: Peer | None


def _build(stanzas: Sequence[Placed], building: Building) -> tuple[MilterSettings, ...]:
    found = listeners(stanzas, building, "/run/sieveav/milter.sock")
    for stanza in stanzas:
        _check(stanza, building)
    return tuple(
        MilterSettings(found[stanza.instance], stanza.value("clients"), _answering(stanza), submission(stanza))
        for stanza in stanzas
        if stanza.instance in found
    )


def _answering(stanza: Placed) -> Answering:
    sends = submission(stanza) is not None
    bounce = stanza.value("mixed") == "bounce" if "mixed" in stanza.written else sends
    return Answering(stanza.value("refuse_only"), sends, bounce and sends, stanza.value("fileinto") == "plus")


def _check(stanza: Placed, building: Building) -> None:
    """Report options that contradict each other."""
    answering, written = _answering(stanza), stanza.written
    if answering.refuse_only:
        for name in ("submit", "mixed", "fileinto"):
            if name in written:
                message = f"with refuse_only, {name} has no effect: the LMTP server does what the scripts decide"
                building.report.error(
                    "option-conflict", message, written[name].name_span, f"remove {name} or refuse_only"
                )
    elif stanza.value("mixed") == "bounce" and "submit" not in written:
        message = "mixed = bounce needs a server to which the notices are given"
        hint = f"write {EXAMPLE}, or mixed = tempfail"
        building.report.error("option-conflict", message, written["mixed"].span, hint)
    elif answering.sends:
        warn_without_state(stanza, building, "notices")


MILTER = StanzaType(
    "milter",
    "a socket where mail servers connect by the milter protocol",
    (
        *OPTIONS,
        CLIENTS,
        Option("refuse_only", BOOLEAN, False, "whether to leave all but refusals to sieveav's LMTP server"),
        submit("replies and notices"),
        Option(
            "mixed",
            one_of("bounce", "tempfail"),
            None,
            "if some recipients refuse a message: send its sender a notice, or defer it; bounce with submit, else tempfail",
        ),
        Option(
            "fileinto",
            one_of("defer", "plus"),
            "defer",
            "defer a message that is filed in a mailbox, or give it to user+Mailbox@domain",
        ),
    ),
    Named.MUST,
    build=_build,
    details="""\
Example: milter "m1" { listen = "inet:127.0.0.1:8891" }, and in Postfix's main.cf

    smtpd_milters = inet:127.0.0.1:8891
    milter_default_action = tempfail

With accept as the default action, viruses would pass while sieveav is stopped. Write refuse_only = true if the mail that is
accepted is delivered by the stanza lmtp: it runs the scripts again, and does what a milter cannot.

A milter has one reply for all recipients, and cannot send mail. With submit = "smtp:127.0.0.1:10587", what scripts send
(vacation, notify) is given to that server before the message is accepted, and if some recipients refuse a message and others
accept it, those are removed, and the sender gets one notice with all reasons (RFC 3464); none about viruses, and none if the
sender is null. Without submit, or with mixed = tempfail, such a message is deferred. If the server cannot take a message now,
the client's is deferred; what was sent for it is remembered in the state, and not sent again when it comes again. That server
must not ask this milter.

With fileinto = "plus", a recipient whose script files the message in Junk becomes user+Junk@domain, in addition to the
recipient if it is kept too: write lmtp_save_to_detail_mailbox = yes in Dovecot, or recipient_delimiter = + in Postfix. A name
that cannot be in an address, such as one outside ASCII, defers the message. Flags are lost.""",
)


async def _start(site: Site, worker: Worker, executor: Executor) -> _Running:
    import asyncio
    import socket

    from sieveav.frontends.milter_sending import Sending
    from sieveav.frontends.milter_session import MilterSession

    loop = asyncio.get_running_loop()
    running = _Running()
    for settings in site.settings[MILTER]:
        sending = None if settings.submission is None else Sending(site, settings.submission)
        for listening in worker.sockets[settings.listener.name]:
            connect = partial(
                MilterSession,
                site,
                executor,
                name=settings.listener.name,
                clients=settings.clients,
                answering=settings.answering,
                sending=sending,
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
        await stop_accepting(*self.servers)
        await wait_until(lambda: not self.sessions, seconds)
        for session in list(self.sessions):
            session.close()


def _listeners(settings: Settings) -> Sequence[Listener]:
    return [milter.listener for milter in settings[MILTER]]


server = Server("milter", _listeners, _start)
