"""lmtp_session: one connection from an LMTP client (RFC 2033): messages are decided and delivered, with a reply for each
recipient.

A `Connection` around `lmtp_wire`. Scripts and deliveries run in threads; while one runs, nothing more is read from the
client. Whatever goes wrong is a temporary failure (4xx), or a closed connection: in both cases the MTA keeps the message.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import re
import socket
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, partial
from typing import Any, TypeVar

from sieveav.composing import date_time
from sieveav.frontends import lmtp_wire as wire
from sieveav.frontends.connections import FOREIGN, Connection
from sieveav.frontends.delivering import LATER, NO_USER, Delivered, Deliverer
from sieveav.frontends.listening import LOCAL
from sieveav.frontends.message_log import log_message, message_line
from sieveav.printing import printable
from sieveav.running.message import Message
from sieveav.running.outcome import Response
from sieveav.running.questions import Answers, Mailbox
from sieveav.site.deciding import Conversation
from sieveav.site.stanzas.sieve import SIEVE
from sieveav.site.transaction import RecipientDecision, Session

_log = logging.getLogger(__name__)

IDLE = 300.0
"""Seconds in which a client must send a whole command, or some more of a message (RFC 5321, 4.5.3.2.7)."""

GRACE = 1.0
"""Seconds that a new connection has for MAIL when the server stops."""

MESSAGE = 1800.0
"""Seconds that a client may take for a message in all: from the one before, or the greeting, until it has sent the end. What
the server takes for its replies does not count."""

_BUSY = Response(421, "4.3.2", "Too many connections, try again later")
_FOREIGN = Response(554, "5.7.1", "Your address may not connect to this server")  # RFC 5321, 3.1
_TIMEOUT = Response(421, "4.4.2", "Nothing was sent for too long")
_SLOW = Response(421, "4.4.2", "The message takes too long")
_STOPPING = Response(421, "4.3.2", "The server stops, connect again")


T = TypeVar("T")

Delayed = tuple[T, float]
"""A reply, and how many seconds after its command it is given at the earliest."""


@dataclass
class Service:
    """What all connections of a server share: its name, how mail is delivered, the threads of scripts, those of deliveries,
    the connections that are open, and the networks whose hosts may connect."""

    name: str
    deliverer: Deliverer
    executor: Executor
    deliveries: Executor
    limits: wire.Limits = field(default_factory=wire.Limits)
    sessions: set[LmtpSession] = field(default_factory=set)
    clients: tuple[str, ...] = LOCAL


class LmtpSession(Connection):
    """One connection: many messages, one after the other."""

    server = "lmtp"

    def __init__(self, service: Service) -> None:
        super().__init__(service.sessions, service.clients)
        self._service = service
        self._site = service.deliverer.site
        self._wire = wire.Session(hostname(), service.limits)
        self._conversation = Conversation(self._site, answers=self._answers)
        self._busy: asyncio.Future[Any] | None = None
        self._delay: asyncio.TimerHandle | None = None
        self._grace: asyncio.TimerHandle | None = None
        self._is_stopping = False
        self._delayed: Callable[[], None] | None = None
        """Gives the reply that is delayed, if one is."""
        self._messages = 0
        self._left = MESSAGE
        """Seconds that the client has for the message that it is to send."""

    def _answers(self, recipient: str) -> Answers:
        store = self._service.deliverer.store
        return {Mailbox: lambda asked: store.has(recipient, asked)} if recipient else {}

    # ---- asyncio

    def opened(self) -> None:
        session = self._conversation.session
        session.client, session.host, session.location = self.client, hostname(), "MDA"  # RFC 5183, 4.1
        self._transport.write(self._wire.greeting())
        self._wait()

    def refused(self, why: str) -> None:
        self._write(_FOREIGN if why == FOREIGN else _BUSY)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        for timer in (self._delay, self._grace):
            if timer is not None:
                timer.cancel()

    def data_received(self, data: bytes) -> None:
        if self in self._service.sessions and not self._transport.is_closing():
            if self._wire.is_in_content:
                self._left -= self.heard()
            self._handle(self._wire.feed(data))

    def close(self) -> None:
        """End the connection: at once between two messages, else after the message that has begun. Replies are not delayed
        any longer. A new connection has a moment to begin a message: its client had no way to know."""
        self._is_stopping = True
        if self._wire.messages:
            self._stop()
        else:
            self._grace = self._loop.call_later(GRACE, self._stop)
        if self._delayed is not None:
            if self._delay is not None:
                self._delay.cancel()
            self._delayed()

    def _stop(self) -> None:
        self._handle(self._wire.close(_STOPPING))

    def _wait(self) -> None:
        """Wait for the client. An octet of a command now and then does not give it more time."""
        if self._wire.messages != self._messages:
            self._messages, self._left = self._wire.messages, MESSAGE
        what = (self._wire.commands, self._wire.is_in_content)
        if what != self._awaited:
            self._left -= self.heard()
        self.expect(what, min(IDLE, max(0.0, self._left)), self._late)

    def _late(self) -> None:
        # a client that stops in the middle of a message gets no reply to it
        self._left -= self.heard()
        self._write(_TIMEOUT if self._left > 0.001 else _SLOW)
        self.finish()

    def _write(self, response: Response) -> None:
        self._transport.write(wire.reply(response.code, response.enhanced, response.text))

    # ---- events

    def _handle(self, turn: wire.Turn) -> None:
        """Write replies, and answer events until one takes a thread, or more octets are needed."""
        while True:
            octets, event = turn
            if octets:
                self._transport.write(octets)
            if self._busy is not None:
                return
            if event is None:
                self._wait()
                return
            if isinstance(event, wire.Quit):
                self.finish()
                return
            if isinstance(event, wire.Message):
                self._start(partial(self._deliver, self._conversation, event), self._wire.answer_message)
                return
            phase, run = self._phase(event)
            if self._site.settings[SIEVE].of(phase):
                self._start(run, self._wire.answer)
                return
            turn = self._wire.answer(run()[0])

    def _phase(self, event: wire.Mail | wire.Rcpt) -> tuple[str, Callable[[], Delayed[Response | None]]]:
        """The phase of a command, and what runs its scripts and gives the reply."""
        if isinstance(event, wire.Mail):
            self._conversation.session.helo = self._wire.helo
            return "mailfrom", partial(self._mail, event)
        return "rcptto", partial(self._rcpt, event)

    def _mail(self, event: wire.Mail) -> Delayed[Response | None]:
        outcome = self._conversation.mailfrom(event.sender)
        return outcome.answer, outcome.delay

    def _rcpt(self, event: wire.Rcpt) -> Delayed[Response | None]:
        if not self._service.deliverer.store.knows(event.address):
            return NO_USER, 0.0
        outcome = self._conversation.rcptto(event.address)
        return outcome.answer, outcome.delay

    def _start(self, work: Callable[[], Delayed[Any]], answer: Callable[[Any], wire.Turn]) -> None:
        self._left -= self.heard()
        self.want(False)
        self._busy = future = self._loop.run_in_executor(self._service.executor, work)
        future.add_done_callback(partial(self._finish, answer, self._loop.time()))

    def _finish(self, answer: Callable[[Any], wire.Turn], begun: float, future: asyncio.Future[Delayed[Any]]) -> None:
        error = None if future.cancelled() else future.exception()
        if error is not None or future.cancelled():
            _log.error("lmtp: internal error", exc_info=error)
            self._transport.abort()  # nothing is answered: the MTA keeps the message
            return
        result, delay = future.result()
        if delay and not self._is_stopping:  # no thread waits
            self._delayed = partial(self._reply, answer, result)
            self._delay = self._loop.call_at(begun + delay, self._delayed)
        else:
            self._reply(answer, result)

    def _reply(self, answer: Callable[[Any], wire.Turn], result: Any) -> None:
        self._busy = self._delayed = self._delay = None
        if self._transport.is_closing():
            return
        self.want(True)
        self._handle(answer(result))

    # ---- in a thread

    def _deliver(self, conversation: Conversation, event: wire.Message) -> Delayed[list[Response | None]]:
        """Decide a message and deliver it to all recipients: the reply for each."""
        started = time.monotonic()
        message = Message(whole_lines(event.raw))
        sender = event.mail.sender
        decision = conversation.end_of_data(message)
        identity = new_id()
        if decision.response is not None:
            delivered = {one.recipient: Delivered(one.recipient, decision.response) for one in decision.recipients}
        else:
            ones = {one.recipient: one for one in decision.recipients}  # an address may occur twice
            is_final = self._service.deliverer.store.is_final

            def deliver(recipient: str) -> Delivered:
                trace = trace_fields(conversation.session, identity, sender, recipient, is_final=is_final)
                return self._delivered(ones[recipient], message, sender, trace)

            several = len(ones) > 1
            run = self._service.deliveries.map if several else map
            delivered = {each.recipient: each for each in run(deliver, ones)}
        line = message_line(
            "lmtp",
            identity,
            conversation.session,
            sender,
            decision,
            size=len(event.raw),
            seconds=time.monotonic() - started,
            server=self._service.name,
            reply=decision.response,
            replies={each.recipient: each.response for each in delivered.values() if each.response is not None},
            warnings=[f"{each.recipient}: {warning}" for each in delivered.values() for warning in each.warnings],
        )
        log_message(_log, line)
        return [delivered[rcpt.address].response for rcpt in event.recipients], decision.delay

    def _delivered(self, one: RecipientDecision, message: Message, sender: str, trace: bytes) -> Delivered:
        try:
            return self._service.deliverer.deliver(one, message, sender, trace)
        except Exception as error:  # the other recipients have their own replies
            _log.error("lmtp: internal error", exc_info=error)
            return Delivered(one.recipient, LATER, ("internal error",))


def whole_lines(raw: bytes) -> bytes:
    """A message whose line ends are CRLF and nothing else: an LF alone becomes one, a CR alone becomes a space, as in Postfix
    (smtpd_forbid_bare_newline, cleanup_replace_stray_cr_lf). RFC 5321, 2.3.8: both must not be sent, and servers disagree on
    what they are. So scripts, scanners, mail clients and the next server see the same lines, and none sees another message
    after what it takes for the end of this one."""
    if raw.count(b"\r\n") == raw.count(b"\n") == raw.count(b"\r"):  # nearly always, and fast
        return raw
    return re.sub(rb"\r(?!\n)", b" ", raw).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


_numbers = itertools.count()


def new_id() -> str:
    """An identity for a message, for Received and the log."""
    return f"{int(time.time()):x}.{os.getpid():x}.{next(_numbers):x}"


@cache
def hostname() -> str:
    """This host's name, as it names itself."""
    return socket.gethostname()


def trace_fields(session: Session, identity: str, sender: str, recipient: str, *, is_final: bool = True) -> bytes:
    """The fields that are put before a message. RFC 5321, 4.4, and RFC 9228: two of them are for the final delivery only."""
    source = _token(session.helo) or "unknown"
    address = f" ([{session.client}])" if session.client else ""
    date = date_time(datetime.now().astimezone())
    final = (f"Return-Path: <{_token(sender)}>", f"Delivered-To: {_token(recipient)}") if is_final else ()
    lines = [
        *final,
        f"Received: from {source}{address}",
        f"\tby {_token(hostname())} with LMTP id {identity}",  # RFC 3848
        f"\tfor <{_token(recipient)}>; {date}",
    ]
    return "".join(f"{line}\r\n" for line in lines).encode("utf-8", "replace")


def _token(text: str) -> str:
    """Text of a client as part of a header field."""
    return printable(text, "?", 998)
