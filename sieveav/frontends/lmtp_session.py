"""lmtp_session: one connection from an LMTP client (RFC 2033): messages are decided and delivered, with a reply for each
recipient.

An asyncio protocol around `lmtp_wire`. Scripts and deliveries run in threads; while one runs, nothing more is read from the
client. Whatever goes wrong is a temporary failure (4xx), or a closed connection: in both cases the MTA keeps the message.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
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
from sieveav.frontends.delivering import LATER, Delivered, Deliverer
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
"""Seconds in which a client must send something (RFC 5321, 4.5.3.2.7)."""

CONNECTIONS = 1000
"""Connections of a worker at a time; a further one gets 421."""

NO_USER = Response(550, "5.1.1", "No such user here")  # RFC 3463, 3.2
_BUSY = Response(421, "4.3.2", "Too many connections, try again later")
_TIMEOUT = Response(421, "4.4.2", "Nothing was sent for too long")
_STOPPING = Response(421, "4.3.2", "The server stops, connect again")


T = TypeVar("T")

Delayed = tuple[T, float]
"""A reply, and how many seconds after its command it is given at the earliest."""


@dataclass
class Service:
    """What all connections of a server share: its name, how mail is delivered, the threads of scripts, those of deliveries,
    and the connections that are open."""

    name: str
    deliverer: Deliverer
    executor: Executor
    deliveries: Executor
    limits: wire.Limits = field(default_factory=wire.Limits)
    sessions: set[LmtpSession] = field(default_factory=set)


class LmtpSession(asyncio.Protocol):
    """One connection: many messages, one after the other."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._site = service.deliverer.site
        self._wire = wire.Session(hostname(), service.limits)
        self._conversation = Conversation(self._site, answers=self._answers)
        self._busy: asyncio.Future[Any] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._delayed: Callable[[], None] | None = None
        """Gives the reply that is delayed, if one is."""

    def _answers(self, recipient: str) -> Answers:
        store = self._service.deliverer.store
        return {Mailbox: lambda asked: bool(asked.name) and store.has(recipient, asked.name)} if recipient else {}

    # ---- asyncio

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        if len(self._service.sessions) >= CONNECTIONS:
            _log.warning("lmtp: more than %d connections", CONNECTIONS)
            self._transport.write(wire.reply(_BUSY.code, _BUSY.enhanced, _BUSY.text))
            self._transport.close()
            return
        self._service.sessions.add(self)
        peer = transport.get_extra_info("peername")
        self._conversation.session.client = peer[0] if isinstance(peer, tuple) else ""
        self._transport.write(self._wire.greeting())
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._service.sessions.discard(self)
        self._stop_timer()

    def data_received(self, data: bytes) -> None:
        if self in self._service.sessions:
            self._wait()
            self._handle(self._wire.feed(data))

    def close(self) -> None:
        """End the connection: at once if nothing is in hand, else after its reply, which is not delayed any longer."""
        self._handle(self._wire.close(_STOPPING))
        if self._delayed is not None:
            self._stop_timer()
            self._delayed()

    def _wait(self) -> None:
        self._stop_timer()
        self._timer = self._loop.call_later(IDLE, self._idle)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _idle(self) -> None:
        # a client that stops in the middle of a message gets no reply to it
        self._transport.write(wire.reply(_TIMEOUT.code, _TIMEOUT.enhanced, _TIMEOUT.text))
        self._transport.close()

    # ---- events

    def _handle(self, turn: wire.Turn) -> None:
        """Write replies, and answer events until one takes a thread, or more octets are needed."""
        while True:
            octets, event = turn
            if octets:
                self._transport.write(octets)
            if event is None or self._busy is not None:
                return
            if isinstance(event, wire.Quit):
                self._transport.close()
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
        self._stop_timer()
        self._transport.pause_reading()
        self._busy = future = self._loop.run_in_executor(self._service.executor, work)
        future.add_done_callback(partial(self._finish, answer, self._loop.time()))

    def _finish(self, answer: Callable[[Any], wire.Turn], begun: float, future: asyncio.Future[Delayed[Any]]) -> None:
        error = None if future.cancelled() else future.exception()
        if error is not None or future.cancelled():
            _log.error("lmtp: internal error", exc_info=error)
            self._transport.abort()  # nothing is answered: the MTA keeps the message
            return
        result, delay = future.result()
        if delay:  # no thread waits
            self._delayed = partial(self._reply, answer, result)
            self._timer = self._loop.call_at(begun + delay, self._delayed)
        else:
            self._reply(answer, result)

    def _reply(self, answer: Callable[[Any], wire.Turn], result: Any) -> None:
        self._busy = self._delayed = None
        if self._transport.is_closing():
            return
        self._transport.resume_reading()
        self._wait()
        self._handle(answer(result))

    # ---- in a thread

    def _deliver(self, conversation: Conversation, event: wire.Message) -> Delayed[list[Response | None]]:
        """Decide a message and deliver it to all recipients: the reply for each."""
        started = time.monotonic()
        message = Message(event.raw)
        sender = event.mail.sender
        decision = conversation.end_of_data(message)
        identity = new_id()
        if decision.response is not None:
            delivered = {one.recipient: Delivered(one.recipient, decision.response) for one in decision.recipients}
        else:
            ones = {one.recipient: one for one in decision.recipients}  # an address may occur twice

            def deliver(recipient: str) -> Delivered:
                trace = trace_fields(conversation.session, identity, sender, recipient)
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


_numbers = itertools.count()


def new_id() -> str:
    """An identity for a message, for Received and the log."""
    return f"{int(time.time()):x}.{os.getpid():x}.{next(_numbers):x}"


@cache
def hostname() -> str:
    """This host's name, as it names itself."""
    return socket.gethostname()


def trace_fields(session: Session, identity: str, sender: str, recipient: str) -> bytes:
    """The fields that final delivery puts before a message: RFC 5321, 4.4; RFC 9228."""
    source = _token(session.helo) or "unknown"
    address = f" ([{session.client}])" if session.client else ""
    date = date_time(datetime.now().astimezone())
    lines = [
        f"Return-Path: <{_token(sender)}>",
        f"Delivered-To: {_token(recipient)}",
        f"Received: from {source}{address}",
        f"\tby {_token(hostname())} with LMTP id {identity}",  # RFC 3848
        f"\tfor <{_token(recipient)}>; {date}",
    ]
    return "".join(f"{line}\r\n" for line in lines).encode("utf-8", "replace")


def _token(text: str) -> str:
    """Text of a client as part of a header field."""
    return printable(text, "?", 998)
