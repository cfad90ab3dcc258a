"""milter_session: the events of one connection from an MTA to the replies, by the scripts of a site.

A `Connection`: what arrives is read into events, and each read is answered by one write. Scripts run in threads; while
one runs, later events wait. Whatever goes wrong while a message is decided is a temporary failure (451), so the MTA keeps
the message; the only event that must be answered in any case is the end of the message.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from sieveav.frontends import milter_replies as replies
from sieveav.frontends.connections import Connection, client_address
from sieveav.frontends.dsn import dsn_parameters
from sieveav.frontends.listening import LOCAL
from sieveav.frontends.message_log import log_message, message_line
from sieveav.frontends.milter_events import (
    Abort,
    Action,
    Body,
    Connect,
    Content,
    EndOfMessage,
    Event,
    Header,
    Helo,
    Macros,
    Mail,
    Negotiate,
    ProtocolError,
    Quit,
    QuitNewConnection,
    Rcpt,
    Step,
    negotiate,
    replied,
    without_brackets,
)
from sieveav.frontends.milter_plan import Answering, Plan, fields_in, header_edits, plan
from sieveav.frontends.milter_sending import Envelope, Sending
from sieveav.frontends.milter_wire import Reader
from sieveav.running.message import Message
from sieveav.running.outcome import UNDECIDED, Outcome, Response
from sieveav.site.deciding import DEFERRED, Conversation
from sieveav.site.site import Site
from sieveav.site.stanzas.sieve import SIEVE
from sieveav.site.transaction import Decision, RecipientDecision, Session

_log = logging.getLogger(__name__)

PROGRESS = 60.0
"""Seconds between two signs to the MTA that a message is still being decided. Postfix waits 300 for an answer."""

DEADLINE = 240.0
"""Seconds after which a message that is not decided is deferred."""

LARGEST = 256 * 1024 * 1024
"""Octets of a message: what is larger is refused, because all of it is kept in memory."""

RECIPIENTS = 10_000
"""Recipients of a message; a further one is deferred."""

ADDRESS = 4096
"""Octets of a recipient's address; Postfix has no line longer than 2048. A longer one is refused."""

WAITING = 1000
"""Events that may wait while scripts run. An MTA sends none but the end of the transaction."""

IDLE = 7210.0
"""Seconds between two packets, in which the SMTP client may be idle: the value of Sendmail's libmilter."""

PACKET = 60.0
"""Seconds in which a packet that has begun must be complete."""

CONTENT = 600.0
"""Seconds that an MTA may take for the header and the body in all: it has the whole message before it sends them."""

MACROS = {b"i", b"j", b"{auth_authen}"}
"""The macros that are kept; an MTA may send others, any number of them."""

ACTIONS = int(
    Action.ADDHDRS
    | Action.CHGBODY
    | Action.ADDRCPT
    | Action.DELRCPT
    | Action.CHGHDRS
    | Action.QUARANTINE
    | Action.ADDRCPT_PAR
)
"""What the plans need."""

STEPS = int(Step.HDR_LEADSPC | Step.NR_HDR | Step.NR_BODY | Step.NR_EOH | Step.NOUNKNOWN)
"""What is always asked for: the fields as they are, and no waiting for replies that would all be the same."""

PHASES = {
    "connect": int(Step.NR_CONN),
    "ehlo": int(Step.NR_HELO),
    "mailfrom": int(Step.NR_MAIL),
    "rcptto": int(Step.NR_RCPT),
}
"""Phase -> the flag that asks for no reply, if the phase has no scripts."""

TOO_LARGE = Response(552, "5.3.4", "This message is larger than this site accepts")
TOO_MANY = Response(452, "4.5.3", "Too many recipients")
TOO_LONG = Response(553, "5.1.3", "This address is too long")

Delayed = tuple[bytes, float]
"""An answer, and how many seconds after its event it is given at the earliest."""

Work = Callable[[], Delayed]


@dataclass(frozen=True)
class _Arrived:
    """A message that has arrived whole: it is decided, answered and logged."""

    server: str
    conversation: Conversation
    queue_id: str
    envelope: Envelope
    recipients: list[bytes]
    content: Content
    begun: float = field(default_factory=time.monotonic)

    def report(self, answer: Plan, decision: Decision | None = None) -> None:
        """Log what is answered: one line for each message."""
        line = message_line(
            "milter",
            self.queue_id,
            self.conversation.session,
            self.envelope.sender,
            decision or self._undecided(),
            size=len(self.content),
            seconds=time.monotonic() - self.begun,
            server=self.server,
            reply=answer.response,
            discarded=answer.discard,
            reason=answer.reason,
            warnings=answer.warnings,
        )
        log_message(_log, line)

    def _undecided(self) -> Decision:
        recipients = (_text(without_brackets(path)) for path in self.recipients)
        undecided = tuple(RecipientDecision(recipient, UNDECIDED, None, {}) for recipient in recipients)
        return Decision(None, undecided, (), self.conversation.context)


class MilterSession(Connection):
    """One connection from an MTA: one SMTP session after the other, many messages in each."""

    server = "milter"

    def __init__(
        self,
        site: Site,
        executor: Executor,
        *,
        name: str = "",
        answer_data: bool = False,
        answering: Answering = Answering(),  # noqa: B008  # immutable
        sending: Sending | None = None,
        clients: tuple[str, ...] = LOCAL,
        sessions: set[MilterSession] | None = None,
    ) -> None:
        super().__init__(set() if sessions is None else sessions, clients)
        self._site = site
        self._name = name
        """That of the stanza, for the log."""
        self._executor = executor
        self._answering = answering
        self._sending = sending
        """Sends what plans send, if `answering` says that they do."""
        self._answer_data = answer_data
        """Whether the DATA step is answered. On an inet socket that keeps Postfix's Nagle algorithm from waiting."""
        self._inet: socket.socket | None = None
        self._reader = Reader()
        self._events: deque[Event] = deque()
        self._steps = 0
        self._replied = replied(0)
        """The events whose reply the MTA waits for."""
        self._packets = 0
        """How many have been read."""
        self._macros: dict[bytes, bytes] = {}
        self._last_macros: Macros | None = None
        self._host = ""
        """The MTA's name."""
        self._busy: Future[Delayed] | None = None
        """The work in hand, until its answer is given."""
        self._timers: list[asyncio.TimerHandle] = []
        self._conversation = Conversation(site)
        self._begin_message()
        self._arrived: _Arrived | None = None
        """The message that is being decided."""

    def _begin_message(self) -> None:
        self._sender = ""
        self._recipients: list[bytes] = []
        self._parameters: dict[str, tuple[bytes, ...]] = {}
        """What `dsn` needs of the parameters of recipients; those of MAIL are those of the recipient ""."""
        self._content = Content(self._steps)
        self._left = CONTENT
        """Seconds that the MTA has for the rest of the message."""
        self._refused: Response | None = None
        """Why the message is refused at its end, whatever its scripts would decide."""

    # ---- asyncio

    def opened(self) -> None:
        connection = self._transport.get_extra_info("socket")
        if connection.family != socket.AF_UNIX and hasattr(socket, "TCP_QUICKACK"):  # on Linux
            self._inet = connection
        self._wait()

    def _acknowledge(self) -> None:
        """Acknowledge what has arrived, if no answer does: Sendmail writes packet by packet, and its Nagle algorithm keeps
        the second until the first is acknowledged, which may take 40 ms. The kernel does not keep this setting."""
        if self._inet is not None:
            self._inet.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._events.clear()
        self._stop_timers()

    def close(self) -> None:
        """Close the connection; what is in hand gets a temporary failure from the MTA."""
        self.finish()

    def data_received(self, data: bytes) -> None:
        if self._transport.is_closing():
            return
        try:
            events = self._reader.feed(data)
        except ProtocolError as error:
            _log.error("milter: %s", error)
            self.finish()
            return
        self._packets += len(events)
        self._events.extend(events)
        if len(self._events) > WAITING and self._busy is not None:
            _log.error("milter: the MTA does not wait for an answer")
            self.finish()
            return
        self._run()

    def _wait(self) -> None:
        """Wait for the MTA. An octet of a packet, or a packet of a message, now and then does not give it more time."""
        is_content = len(self._content) > 0
        seconds = PACKET if self._reader.is_within_packet else IDLE
        what = (self._packets, self._reader.is_within_packet)
        if what != self._awaited:
            taken = self.heard()
            self._left -= taken if is_content else 0.0
        self.expect(what, min(seconds, max(0.0, self._left)) if is_content else seconds, self._late)

    def _late(self) -> None:
        _log.warning("milter: the MTA takes too long, its connection is closed")
        self._transport.abort()

    def _run(self) -> None:
        """Answer the events that have arrived, up to one whose answer takes a thread."""
        answers: list[bytes] = []
        while self._events and self._busy is None:
            event = self._events.popleft()
            handle = _HANDLERS.get(type(event))
            answer = replies.CONTINUE if handle is None else handle(self, event)
            if not isinstance(answer, bytes):
                self._start(event, answer)
            elif answer and type(event) in self._replied:
                answers.append(answer)
        if answers:
            self._transport.write(b"".join(answers))
        if self._busy is None and not self._transport.is_closing():
            if not answers:
                self._acknowledge()
            self._wait()

    # ---- work in a thread

    def _start(self, event: Event, work: Work) -> None:
        self.heard()
        future = self._busy = self._executor.submit(work)
        if isinstance(event, EndOfMessage):
            self._timers = [
                self._loop.call_later(PROGRESS, self._progress),
                self._loop.call_later(DEADLINE, partial(self._give_up, future)),
            ]
        future.add_done_callback(partial(self._hand_back, event, self._loop.time()))

    def _hand_back(self, event: Event, begun: float, future: Future[Delayed]) -> None:
        """What the thread does with its result: less than run_in_executor would."""
        with suppress(RuntimeError):  # the worker has ended
            self._loop.call_soon_threadsafe(self._finish, event, begun, future)

    def _finish(self, event: Event, begun: float, future: Future[Delayed]) -> None:
        if self._busy is not future:  # it was given up
            return
        self._stop_timers()
        arrived, self._arrived = self._arrived, None
        error = None if future.cancelled() else future.exception()
        if error is not None:
            _log.error("milter: internal error", exc_info=error)
            if arrived is not None:
                arrived.report(Plan(DEFERRED, reason="internal error"))
            answer, delay = _reply(DEFERRED), 0.0
        else:
            answer, delay = future.result()
        if delay:  # no thread waits
            self._timers = [self._loop.call_at(begun + delay, self._send, event, answer)]
        else:
            self._send(event, answer)

    def _send(self, event: Event, answer: bytes) -> None:
        self._busy = None
        over = any(isinstance(later, Abort | Quit | QuitNewConnection) for later in self._events)
        if type(event) in self._replied and not over and not self._transport.is_closing():
            self._transport.write(answer)
        self._run()

    def _progress(self) -> None:
        self._transport.write(replies.PROGRESS)
        self._timers.append(self._loop.call_later(PROGRESS, self._progress))

    def _give_up(self, future: Future[Delayed]) -> None:
        """Defer a message whose scripts do not end. Their thread goes on; the state of this session is not theirs any more."""
        if self._busy is future and self._arrived is not None:
            self._arrived.report(Plan(DEFERRED, reason=f"no decision within {DEADLINE:g} s"))
            self._busy = self._arrived = None
            self._stop_timers()
            session = self._conversation.session
            self._conversation = Conversation(self._site, replace(session, connection=dict(session.connection)))
            self._transport.write(replies.reply(DEFERRED.code, DEFERRED.enhanced, DEFERRED.text))
            self._run()

    def _stop_timers(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers = []

    # ---- events

    def _negotiate(self, event: Negotiate) -> bytes:
        steps = STEPS
        for phase, flag in PHASES.items():
            if not self._site.settings[SIEVE].of(phase):
                steps |= flag
        if not self._answer_data:
            steps |= int(Step.NODATA)
        try:
            agreed = negotiate(event, ACTIONS, steps)
        except ProtocolError as error:
            _log.error("milter: %s", error)
            self.finish()
            return b""
        self._steps = agreed.protocol
        self._replied = replied(agreed.protocol)
        return replies.negotiated(agreed)

    def _keep_macros(self, event: Macros) -> bytes:
        if event is self._last_macros:  # as before each header field
            return b""
        self._last_macros = event
        if event.stage is Mail:  # a new message: a macro that is not sent now has no value
            self._macros.clear()
        for name, value in event.values.items():
            if name in MACROS:
                self._macros[name] = value
        return b""

    def _connect(self, event: Connect) -> bytes | Work:
        client = _address(_text(event.address)) if event.family in "46" else ""
        self._host = _text(self._macros.get(b"j", b""))
        name = _text(event.name) if b"." in event.name and event.name[:1] != b"[" else ""
        self._conversation = Conversation(self._site, Session(client, name=name, host=self._host))
        return self._phase("connect", self._conversation.connect)

    def _helo(self, event: Helo) -> bytes | Work:
        self._conversation.session.helo = _text(event.name)
        return self._phase("ehlo", self._conversation.ehlo)

    def _mail(self, event: Mail) -> bytes | Work:
        self._begin_message()
        self._conversation.session.login = _text(self._macros.get(b"{auth_authen}", b""))
        self._sender = _text(without_brackets(event.address))
        self._keep_parameters("", event.parameters)
        return self._phase("mailfrom", partial(self._conversation.mailfrom, self._sender))

    def _rcpt(self, event: Rcpt) -> bytes | Work:
        many = len(self._recipients) >= RECIPIENTS
        if many or len(event.address) > ADDRESS:
            refusal = TOO_MANY if many else TOO_LONG
            if Rcpt not in self._replied:
                self._refused = refusal
            return _reply(refusal)
        self._recipients.append(event.address)
        recipient = _text(without_brackets(event.address))
        self._keep_parameters(recipient, event.parameters)
        return self._phase("rcptto", partial(self._conversation.rcptto, recipient))

    def _keep_parameters(self, recipient: str, parameters: tuple[bytes, ...]) -> None:
        if parameters and self._answering.bounce:
            self._parameters[recipient] = dsn_parameters(parameters)

    def _phase(self, phase: str, run: Callable[[], Outcome]) -> bytes | Work:
        """Run the scripts of a phase: in a thread, if there are any."""

        def work() -> Delayed:
            outcome = run()
            answer = outcome.answer
            return replies.CONTINUE if answer is None else _reply(answer), outcome.delay

        return work if self._site.settings[SIEVE].of(phase) else work()[0]

    def _header(self, event: Header) -> bytes:
        if self._has_room(len(event.name) + len(event.value) + 4):
            self._content.add_field(event)
        return replies.CONTINUE

    def _take_body(self, octets: bytes) -> None:
        if octets and self._has_room(len(octets)):
            self._content.add_body(octets)

    def _has_room(self, octets: int) -> bool:
        """Whether a piece of the message is kept; if there is no room, what was kept is not needed either."""
        if self._refused is not TOO_LARGE and len(self._content) + octets > LARGEST:
            self._refused = TOO_LARGE
            self._content = Content(self._steps)
        return self._refused is not TOO_LARGE

    def _body_chunk(self, event: Body) -> bytes:
        self._take_body(event.octets)
        return replies.CONTINUE

    def _end_of_message(self, event: EndOfMessage) -> bytes | Work:
        self._take_body(event.octets)
        arrived = _Arrived(
            self._name,
            self._conversation,
            _text(self._macros.get(b"i", b"")),
            Envelope(self._sender, self._host, self._parameters),
            self._recipients,
            self._content,
        )
        refused = self._refused
        self._begin_message()
        if refused is not None:
            arrived.report(Plan(refused))
            return _reply(refused)
        self._arrived = arrived
        return partial(self._decide, arrived)

    def _decide(self, arrived: _Arrived) -> Delayed:
        message = Message(arrived.content.whole())
        decision = arrived.conversation.end_of_data(message)
        answer = plan(decision, message, self._answering)
        try:
            octets = self._octets(answer, message, arrived.recipients)
        except ValueError as error:  # an edit that the protocol cannot express
            answer = Plan(DEFERRED, reason=str(error))
            octets = _reply(DEFERRED)
        if answer.response is None and self._sending is not None:
            answer = self._sending.send(answer, message, arrived.envelope, lambda: self._is_given_up(arrived))
            octets = octets if answer.response is None else _reply(answer.response)
        if self._is_given_up(arrived):
            return b"", 0.0
        if answer.response is None:
            self._remember(answer)
        arrived.report(answer, decision)
        return octets, decision.delay

    def _is_given_up(self, arrived: _Arrived) -> bool:
        """Whether the message took too long: it is deferred and logged."""
        return arrived.conversation is not self._conversation

    def _octets(self, answer: Plan, message: Message, recipients: Iterable[bytes]) -> bytes:
        """The packets that carry out a plan. Edits come before the final reply."""
        if answer.response is not None:
            return _reply(answer.response)
        if answer.discard:
            return replies.DISCARD
        packets: list[bytes] = []
        if answer.message is not None:
            packets += self._edits(message, answer.message)
        removed = {address.encode("utf-8", "surrogateescape") for address in answer.remove}
        # the very octets of RCPT: Postfix compares them as they are
        packets += (
            replies.delete_recipient(path) for path in dict.fromkeys(recipients) if without_brackets(path) in removed
        )
        # afterwards: Postfix 3.7 deletes added recipients too
        packets += (replies.add_recipient(a.encode(), p.encode()) for a, p in answer.add)
        if answer.quarantine is not None:
            packets.append(replies.quarantine(answer.quarantine))
        return b"".join([*packets, replies.CONTINUE])

    def _edits(self, before: Message, after: Message) -> Iterable[bytes]:
        for edit in header_edits(fields_in(before.header), fields_in(after.header)):
            if edit.value is None:
                yield replies.delete_header(edit.index, edit.name)
            else:
                yield replies.insert_header(edit.index, edit.name, edit.value, self._steps)
        if before.raw[before.body_start :] != after.raw[after.body_start :]:
            yield replies.replace_body(after.raw[after.body_start :])

    def _remember(self, answer: Plan) -> None:
        for recipient, record in answer.records:
            self._site.remember(recipient, record)

    def _abort(self, event: Event) -> bytes:  # noqa: ARG002
        self._begin_message()
        return b""

    def _quit(self, event: Event) -> bytes:
        self._begin_message()
        self._macros.clear()
        if isinstance(event, Quit):
            self.finish()
        else:
            self._conversation = Conversation(self._site)
        return b""


_Handler = Callable[[MilterSession, Any], bytes | Work]

_HANDLERS: dict[type[Event], _Handler] = {
    Negotiate: MilterSession._negotiate,
    Macros: MilterSession._keep_macros,
    Connect: MilterSession._connect,
    Helo: MilterSession._helo,
    Mail: MilterSession._mail,
    Rcpt: MilterSession._rcpt,
    Header: MilterSession._header,
    Body: MilterSession._body_chunk,
    EndOfMessage: MilterSession._end_of_message,
    Abort: MilterSession._abort,
    Quit: MilterSession._quit,
    QuitNewConnection: MilterSession._quit,
}
"""Event -> what gives its reply, or the work that gives it in a thread. Other events are only answered."""


def _address(text: str) -> str:
    """An IP address in its shortest form (RFC 5952): Debian's Sendmail 8.17 writes 2001:db8:0:0:0:0:0:1."""
    try:
        return str(client_address(text))
    except ValueError:
        return text


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "surrogateescape")


def _reply(response: Response) -> bytes:
    answer = response.in_ascii()
    if answer.disconnect:  # after 421 the MTA closes the connection, at any step
        return replies.reply(421, f"4{answer.enhanced[1:]}", answer.text)
    return replies.reply(answer.code, answer.enhanced, answer.text)
