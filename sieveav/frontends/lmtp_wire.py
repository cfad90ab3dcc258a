"""lmtp_wire: the octets of an LMTP client to events for the server, and the server's answers to replies.

Pure and total: no sockets, no clock, and no exception whatever a client sends. LMTP (RFC 2033) is SMTP (RFC 5321) with LHLO
instead of EHLO, and with a reply for each accepted recipient at the end of a message.

    octets, event = session.feed(what_was_read)     write the octets, handle the event
    octets, event = session.answer()                the same; again until the event is None

While an event awaits its answer, no further command is read, so that clients can send many commands at once (RFC 2920). The
server must not read from the socket meanwhile: the session keeps what it is fed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from io import BytesIO
from typing import NamedTuple

from sieveav.limits import MIB, REPLY_LINE, REPLY_LINES
from sieveav.printing import printable
from sieveav.running.outcome import Response

COMMAND_LINE = 512
"""Octets of a command, with its line end (RFC 5321, 4.5.3.1.4)."""

COMMAND_LINE_WITH_PARAMETERS = 2048
"""Octets of MAIL and RCPT: those that the extensions add (RFC 1870, 3; RFC 3461, 4; RFC 6531, 3.1) need some 1,100 more."""

ADDRESS = 500
"""Octets of an address. RFC 5321, 4.5.3.1.3 requires 256, and rewritten senders (SRS, VERP) may be longer."""


class Limits(NamedTuple):
    """What one connection may ask for."""

    message: int = 50 * MIB
    """Octets of a message, without stuffed dots: SIZE (RFC 1870)."""

    recipients: int = 1000
    """Accepted recipients of a message. RFC 5321, 4.5.3.1.8 requires at least 100."""

    messages: int = 1000
    """Messages of a connection. The client connects again for more."""

    errors: int = 100
    """Commands that are not valid, or out of order; not those that the server refuses."""


Parameters = tuple[tuple[str, str], ...]
"""The parameters of MAIL or RCPT: keywords in upper case, values as sent (xtext is not decoded), "" without a value."""


@dataclass(frozen=True, slots=True)
class Mail:
    """MAIL FROM: the sender without angle brackets and route, "" for the null reverse-path. Answer with `Session.answer`."""

    sender: str
    parameters: Parameters = ()

    @property
    def utf8(self) -> bool:
        """Whether the client declared SMTPUTF8: addresses and replies may contain UTF-8 (RFC 6531, 3.4 and 3.7.4)."""
        return ("SMTPUTF8", "") in self.parameters


@dataclass(frozen=True, slots=True)
class Rcpt:
    """RCPT TO: the recipient, without angle brackets and route; "postmaster" may lack a domain. Answer with
    `Session.answer`."""

    address: str
    parameters: Parameters = ()


@dataclass(frozen=True, slots=True)
class Message:
    """A whole message as sent, without stuffed dots, and its envelope: the accepted recipients in the order of RCPT, also
    those that occur twice. Answer with `Session.answer_message`."""

    raw: bytes
    mail: Mail
    recipients: tuple[Rcpt, ...]


@dataclass(frozen=True, slots=True)
class Quit:
    """Close the connection when the octets are written. Needs no answer; whatever the client sends from now on is ignored."""


Event = Mail | Rcpt | Message | Quit

Turn = tuple[bytes, Event | None]
"""What to write to the client, perhaps nothing, and the event to answer after that; None means to read on."""


@lru_cache(256)
def reply(code: int, enhanced: str, text: str, *, utf8: bool = False) -> bytes:
    """A reply (RFC 5321, 4.2) with a line for each line of `text`. `enhanced` may be "".

    A line is cut to REPLY_LINE octets, a text to REPLY_LINES lines. Characters that are not printable are dropped; those
    outside ASCII become `?` unless `utf8`.
    """
    lines = text.split("\n")[:REPLY_LINES]
    octets = b""
    for left, line in zip(reversed(range(len(lines))), lines, strict=True):
        start = f"{code}{'-' if left else ' '}{enhanced}{' ' if enhanced else ''}"
        line = f"{start}{printable(line, '')}".rstrip(" ")
        encoded = line.encode("utf-8" if utf8 else "ascii", "replace")[: REPLY_LINE - 2]
        octets += encoded.decode("utf-8", "ignore").encode() + b"\r\n"  # not half a character
    return octets


# RFC 2034, 3: no enhanced codes in the greeting, in replies to HELO, EHLO and thus LHLO; nor are there any for 3xx.
_GO_AHEAD = Response(354, "", "End data with <CR><LF>.<CR><LF>")
_NOT_LMTP = Response(500, "", "This is LMTP: send LHLO")
_LHLO_SYNTAX = Response(501, "", "Syntax: LHLO name")

_OK = Response(250, "2.0.0", "OK")
_SENDER_OK = Response(250, "2.1.0", "Sender OK")
_RECIPIENT_OK = Response(250, "2.1.5", "Recipient OK")
_ACCEPTED = Response(250, "2.0.0", "Message accepted")
_CHUNK_OK = Response(250, "2.0.0", "Chunk received")
_HELP = Response(214, "2.0.0", "Commands: LHLO MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT (RFC 2033)")
_BYE = Response(221, "2.0.0", "Bye")
_NOT_VERIFIED = Response(252, "2.0.0", "Send RCPT to try a recipient")  # RFC 5321, 3.5.3

_TOO_MANY_ERRORS = Response(421, "4.7.0", "Too many errors")
_TOO_MANY_MESSAGES = Response(421, "4.7.0", "Too many messages, connect again")
_LOST = Response(421, "4.5.0", "Cannot find the end of the chunk")
_TOO_MANY_RECIPIENTS = Response(452, "4.5.3", "Too many recipients")  # RFC 5321, 4.5.3.1.10

_TOO_LARGE = Response(552, "5.3.4", "Message too large")

# RFC 5321, 4.1.4; also what a client gets that has sent more commands before it saw the refusal of the first.
_MAIL_FIRST = Response(503, "5.5.1", "Send MAIL first")
_RCPT_FIRST = Response(503, "5.5.1", "No valid recipients")

# These count against Limits.errors.
_UNKNOWN = Response(500, "5.5.1", "Unknown command")
_LINE_TOO_LONG = Response(500, "5.5.2", "Line too long")
_NOT_A_LINE = Response(500, "5.5.2", "Invalid characters in command")
_NO_ARGUMENT = Response(501, "5.5.4", "This command has no arguments")
_VRFY_SYNTAX = Response(501, "5.5.4", "Syntax: VRFY address")
_MAIL_SYNTAX = Response(501, "5.1.7", "Syntax: MAIL FROM:<address>")
_RCPT_SYNTAX = Response(501, "5.1.3", "Syntax: RCPT TO:<address>")
_INVALID_PARAMETER = Response(501, "5.5.4", "Invalid parameter")
_UNKNOWN_PARAMETER = Response(555, "5.5.4", "Unknown parameter")
_BDAT_SYNTAX = Response(501, "5.5.4", "Syntax: BDAT size [LAST]")
_LHLO_FIRST = Response(503, "5.5.1", "Send LHLO first")
_NESTED_MAIL = Response(503, "5.5.1", "Sender already specified")
_NOT_AFTER_BDAT = Response(503, "5.5.1", "Not allowed after BDAT")
_NOT_UTF8 = Response(553, "5.6.7", "Not ASCII, and SMTPUTF8 was not declared")  # RFC 6531, 3.5


# RFC 5321, 4.1.2; RFC 6531, 3.3. All sets contain what is outside ASCII (a negated set compiles many times faster):
# characters that are not printable are refused earlier, those that SMTPUTF8 does not allow later. The dots of a local part
# may be anywhere: senders put them there, and other servers accept that. Linear: what follows a repeated set is not in it.
_DOT_STRING = r'[^\x00-\x20()<>\[\]:;@\\,"\x7f]+'
_QUOTED_STRING = r'"(?:[^"\\]|\\[ -~])*"'
_LABEL = r"[^\x00-,./:-@\[-^`{-\x7f]+"
_DOMAIN = rf"{_LABEL}(?:\.{_LABEL})*"
_LITERAL = r"\[[!-Z^-~]+\]"  # RFC 5321, 4.1.3
_ROUTE = rf"@{_DOMAIN}(?:,@{_DOMAIN})*:"  # RFC 5321, 4.1.1.3 and appendix C: accepted and ignored
_MAILBOX = rf"(?!\.*@)(?:{_DOT_STRING}|{_QUOTED_STRING})@(?:{_DOMAIN}|{_LITERAL})"
_TAIL = r">(?P<parameters>(?: .*)?)"
_FROM = re.compile(rf"(?ai:FROM): *<(?:(?:{_ROUTE})?(?P<address>{_MAILBOX}))?{_TAIL}")
_TO = re.compile(rf"(?ai:TO): *<(?:{_ROUTE})?(?P<address>{_MAILBOX}|(?ai:postmaster)){_TAIL}")

_PARAMETER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([^ =]+))?")
_XTEXT = r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})"  # RFC 3461, 4


def _values(pattern: str) -> Callable[[str], re.Match[str] | None]:
    return re.compile(pattern, re.ASCII | re.IGNORECASE).fullmatch


_Values = Mapping[str, Callable[[str], re.Match[str] | None]]

# DSN (RFC 3461) is not offered, but clients that send its parameters are understood: scripts may ask for them (RFC 6009).
_OF_MAIL: _Values = {
    "SIZE": _values(r"\d{1,20}"),  # RFC 1870, 6
    "BODY": _values("7BIT|8BITMIME"),  # RFC 6152, 2; BINARYMIME is not offered
    "SMTPUTF8": _values(""),  # RFC 6531, 3.4
    "RET": _values("FULL|HDRS"),  # RFC 3461, 4.3
    "ENVID": _values(rf"{_XTEXT}{{1,100}}"),  # RFC 3461, 4.4
}
_OF_RCPT: _Values = {
    "NOTIFY": _values("NEVER|(?:SUCCESS|FAILURE|DELAY)(?:,(?:SUCCESS|FAILURE|DELAY)){0,2}"),  # RFC 3461, 4.1
    "ORCPT": _values(rf"[a-z0-9-]{{1,50}};(?:{_XTEXT}|[^\x00-\x7f]){{1,500}}"),  # RFC 3461, 4.2; RFC 6533, 3
}

_CHUNK_SIZE = re.compile(r"(\d{1,20})( +LAST)?", re.ASCII | re.IGNORECASE)
_NAME = re.compile(r"[!-~]{1,255}")


@dataclass(slots=True)
class _Transaction:
    """What the client has sent since MAIL. `content` is the message so far, without the dots of its transfer: a BytesIO gives
    its octets without a copy. `is_begun`: some of DATA has been read; `has_chunks`: there was a BDAT."""

    mail: Mail
    recipients: list[Rcpt] = field(default_factory=list)
    content: BytesIO = field(default_factory=BytesIO)
    is_data: bool = False
    is_begun: bool = False
    has_chunks: bool = False
    is_too_large: bool = False

    def write(self, octets: bytes, most: int) -> None:
        """Add to the message; what makes it longer than `most` is thrown away, with what there was."""
        if self.content.tell() + len(octets) > most:
            self.throw_away()
        elif not self.is_too_large:
            self.content.write(octets)

    def throw_away(self) -> None:
        """Keep nothing of the message: it is too large."""
        self.is_too_large = True
        self.content = BytesIO()


@dataclass(slots=True)
class _Chunk:
    """The chunk of a BDAT command: how many octets are still to be read, and where they go. If `target` is a reply, they are
    thrown away."""

    left: int
    is_last: bool
    target: _Transaction | Response


_END = b"\r\n.\r\n"


def _begun(buffer: bytearray) -> int:
    """How many octets at the end of the buffer may be the beginning of the end of DATA, or of a line with a dot more."""
    return next((length for length in range(len(_END) - 1, 0, -1) if buffer.endswith(_END[:length])), 0)


class Session:
    """One connection. An answer without an event that awaits it raises ValueError."""

    def __init__(self, hostname: str, limits: Limits = Limits()) -> None:  # noqa: B008
        self.helo = ""
        """The name in the client's LHLO, printable ASCII; "" before."""
        self._hostname = hostname
        self._limits = limits
        self._buffer = bytearray()
        self._replies = bytearray()
        self._awaiting: Event | None = None
        self._transaction: _Transaction | None = None
        self._chunk: _Chunk | None = None
        self._final: Response | None = None
        self._stopping: Response | None = None
        self._is_closing = False
        self._is_skipping = False
        self._messages = 0
        self._errors = 0
        self.commands = 0
        """How many command lines have been read."""

    # ---- what the server calls

    @property
    def messages(self) -> int:
        """How many messages have been read to their end, also those that were too large."""
        return self._messages

    @property
    def is_in_content(self) -> bool:
        """Whether a message, or a chunk of one, is being read; otherwise it is a command."""
        return self._chunk is not None or (self._transaction is not None and self._transaction.is_data)

    def greeting(self) -> bytes:
        """The first reply. A server that refuses the connection sends a reply of its own instead."""
        return reply(220, "", f"{self._hostname} LMTP")

    def feed(self, octets: bytes) -> Turn:
        """Take `octets` from the client, cut anywhere."""
        if not self._is_closing:
            self._buffer += octets
        return self._proceed()

    def answer(self, response: Response | None = None) -> Turn:
        """Answer the Mail or Rcpt that was returned last. None accepts it, and so does a response of 2xx."""
        event = self._awaiting
        transaction = self._transaction
        if transaction is None or not isinstance(event, Mail | Rcpt):
            raise ValueError("no command awaits an answer")
        self._awaiting = None
        self._say(response or (_SENDER_OK if isinstance(event, Mail) else _RECIPIENT_OK))
        is_accepted = response is None or response.code // 100 == 2
        if isinstance(event, Rcpt) and is_accepted:
            transaction.recipients.append(event)
        elif isinstance(event, Mail) and not is_accepted:
            self._transaction = None
        return self._proceed()

    def answer_message(self, responses: Sequence[Response | None]) -> Turn:
        """Answer the Message that was returned last: a response for each of its recipients, in their order (RFC 2033, 4.2).
        None accepts it."""
        event = self._awaiting
        if not isinstance(event, Message) or len(responses) != len(event.recipients):
            raise ValueError("no message with so many recipients awaits an answer")
        self._awaiting = None
        for response in responses:
            self._say(response or _ACCEPTED)
        self._transaction = None
        return self._proceed()

    def close(self, response: Response) -> Turn:
        """Reply with `response` (of 421), then Quit: at once, or at the end of the message that MAIL has begun, because an
        MTA that is refused in the middle brings it again much later, instead of on its next connection (RFC 5321, 3.8)."""
        self._stopping = response
        return self._proceed()

    # ---- from octets to commands and messages

    def _proceed(self) -> Turn:
        if self._awaiting is not None:
            return b"", None
        while self._awaiting is None and self._step():
            pass
        octets, self._replies = bytes(self._replies), bytearray()
        return octets, self._awaiting

    def _step(self) -> bool:
        """Take the next command or content from the buffer; False if it needs more octets."""
        if self._transaction is not None and self._transaction.is_data:
            return self._read_data(self._transaction)
        if self._chunk is not None:
            return self._read_chunk(self._chunk)
        if self._transaction is None:
            self._final = self._final or self._stopping
        if self._final is not None and not self._is_closing:
            self._say(self._final)
            self._is_closing = True
        if self._is_closing:
            self._buffer.clear()
            self._awaiting = Quit()
            return True
        return self._read_command()

    def _read_command(self) -> bool:
        end = self._buffer.find(b"\r\n")  # RFC 5321, 2.3.8: a CR or LF alone does not end a line
        if end < 0:
            if len(self._buffer) >= COMMAND_LINE_WITH_PARAMETERS:
                self._is_skipping = True
                del self._buffer[:-1]  # the last octet may be the CR of the line end
            return False
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        self.commands += 1
        text = _text(line)
        verb, _, argument = (text or "").partition(" ")
        verb = verb.upper() if verb.isascii() else ""  # RFC 5321, 2.4
        longest = COMMAND_LINE_WITH_PARAMETERS if verb in ("MAIL", "RCPT") else COMMAND_LINE
        if self._is_skipping or len(line) + 2 > longest:
            self._is_skipping = False
            self._fail(_LINE_TOO_LONG)
        elif text is None:
            self._fail(_NOT_A_LINE)
        elif command := _COMMANDS.get(verb):
            command(self, argument.rstrip(" "))  # RFC 5321, 4.1.1: white space before the line end is tolerated
        else:
            self._fail(_UNKNOWN)
        return True

    def _read_data(self, transaction: _Transaction) -> bool:
        """Read on in DATA (RFC 5321, 4.1.1.4). Only CRLF.CRLF is its end: if other forms were, a message could contain a
        second one that other servers did not see (SMTP smuggling). The CRLF of the command is the first in the buffer."""
        buffer = self._buffer
        end = buffer.find(_END)
        ready = end + 2 if end >= 0 else len(buffer) - _begun(buffer)
        # RFC 5321, 4.5.2. Only after CRLF: after a CR or LF alone, no client has added a dot.
        octets = bytes(buffer[:ready]).replace(b"\r\n.", b"\r\n")
        if octets:
            transaction.write(octets if transaction.is_begun else octets[2:], self._limits.message)
            transaction.is_begun = True
        if end < 0:
            del buffer[:ready]
            return False
        del buffer[: end + len(_END)]
        self._end_message(transaction)
        return True

    def _read_chunk(self, chunk: _Chunk) -> bool:
        """Read a chunk. RFC 3030, 2: one that is refused is read, too, before the reply."""
        octets = bytes(self._buffer[: chunk.left])
        del self._buffer[: chunk.left]
        chunk.left -= len(octets)
        target = chunk.target
        if isinstance(target, _Transaction):
            target.write(octets, self._limits.message)
        if chunk.left:
            return False
        self._chunk = None
        if isinstance(target, Response):
            self._say(target)
        elif chunk.is_last:
            self._end_message(target)
        else:
            self._say(_TOO_LARGE if target.is_too_large else _CHUNK_OK)
        return True

    def _end_message(self, transaction: _Transaction) -> None:
        self._messages += 1
        if not transaction.is_too_large:
            self._awaiting = Message(transaction.content.getvalue(), transaction.mail, tuple(transaction.recipients))
            return
        for _ in transaction.recipients:  # RFC 2033, 4.2: a reply for each recipient here, too
            self._say(_TOO_LARGE)
        self._transaction = None

    # ---- replies

    def _say(self, response: Response) -> None:
        utf8 = self._transaction is not None and self._transaction.mail.utf8
        text = response.text if utf8 else response.in_ascii().text
        self._replies += reply(response.code, response.enhanced, text, utf8=utf8)
        if response.code == 421 or response.disconnect:  # RFC 5321, 3.8
            self._is_closing = True

    def _fail(self, response: Response) -> None:
        """Reply to an error of the client, and count it."""
        self._say(response)
        self._errors += 1
        if self._errors >= self._limits.errors:
            self._final = _TOO_MANY_ERRORS

    # ---- commands: each takes what follows the verb

    def _lhlo(self, argument: str) -> None:
        """RFC 2033, 4.1. RFC 5321, 4.1.4: it ends a transaction."""
        if not _NAME.fullmatch(argument):
            self._fail(_LHLO_SYNTAX)
            return
        self.helo = argument
        self._transaction = None
        extensions = (
            "PIPELINING",  # RFC 2920; RFC 2033, 5 requires it and the next
            "ENHANCEDSTATUSCODES",  # RFC 2034
            "8BITMIME",  # RFC 6152
            "SMTPUTF8",  # RFC 6531
            f"SIZE {self._limits.message}",  # RFC 1870
            "CHUNKING",  # RFC 3030
        )
        self._say(Response(250, "", "\n".join((self._hostname, *extensions))))

    def _helo(self, _: str) -> None:
        """RFC 2033, 4.1: HELO and EHLO never get a positive reply."""
        self._fail(_NOT_LMTP)

    def _mail_from(self, argument: str) -> None:
        """RFC 5321, 4.1.1.2."""
        if not self.helo:
            self._fail(_LHLO_FIRST)
        elif self._transaction is not None:
            self._fail(_NESTED_MAIL)  # RFC 5321, 4.1.4
        elif self._messages >= self._limits.messages:
            self._final = _TOO_MANY_MESSAGES
        elif isinstance(arguments := _arguments(argument, _FROM, _OF_MAIL), Response):
            self._fail(arguments)
        else:
            mail = Mail(*arguments)
            if not argument.isascii() and not mail.utf8:
                self._fail(_NOT_UTF8)
            elif int(dict(mail.parameters).get("SIZE", "0")) > self._limits.message:
                self._say(_TOO_LARGE)  # RFC 1870, 6.1
            else:
                self._transaction = _Transaction(mail)
                self._awaiting = mail

    def _rcpt_to(self, argument: str) -> None:
        """RFC 5321, 4.1.1.3."""
        transaction = self._transaction
        if transaction is None:
            self._say(_MAIL_FIRST)
        elif transaction.has_chunks:
            self._fail(_NOT_AFTER_BDAT)
        elif isinstance(arguments := _arguments(argument, _TO, _OF_RCPT), Response):
            self._fail(arguments)
        elif not argument.isascii() and not transaction.mail.utf8:
            self._fail(_NOT_UTF8)
        elif len(transaction.recipients) >= self._limits.recipients:
            self._say(_TOO_MANY_RECIPIENTS)
        else:
            self._awaiting = Rcpt(*arguments)

    def _data(self, argument: str) -> None:
        """RFC 5321, 4.1.1.4."""
        target = self._content_target()
        if argument:
            self._fail(_NO_ARGUMENT)
        elif isinstance(target, Response):
            self._say(target)
        elif target.has_chunks:
            self._fail(_NOT_AFTER_BDAT)  # RFC 3030, 2
        else:
            self._say(_GO_AHEAD)
            target.is_data = True
            self._buffer[:0] = b"\r\n"  # RFC 5321, 4.1.1.4: the CRLF of the command may be the first of the end

    def _bdat(self, argument: str) -> None:
        """RFC 3030, 2."""
        match = _CHUNK_SIZE.fullmatch(argument)
        if match is None:
            self._fail(_BDAT_SYNTAX)
            self._final = _LOST  # what follows is content, and must not be read as commands
            return
        size = int(match[1])
        target = self._content_target()
        if isinstance(target, _Transaction):
            target.has_chunks = True
            if target.content.tell() + size > self._limits.message:
                target.throw_away()
        self._chunk = _Chunk(size, match[2] is not None, target)

    def _content_target(self) -> _Transaction | Response:
        """The transaction that content belongs to, or the reply if there is none: RFC 2033, 4.2 and 4.3 require 503 without
        an accepted recipient. That is no error of the client: it may send all at once (RFC 2920, 3.1)."""
        if self._transaction is None:
            return _MAIL_FIRST
        return self._transaction if self._transaction.recipients else _RCPT_FIRST

    def _rset(self, argument: str) -> None:
        if argument:
            self._fail(_NO_ARGUMENT)
        else:
            self._transaction = None
            self._say(_OK)

    def _noop(self, _: str) -> None:
        self._say(_OK)

    def _vrfy(self, argument: str) -> None:
        if argument:
            self._say(_NOT_VERIFIED)
        else:
            self._fail(_VRFY_SYNTAX)

    def _help(self, _: str) -> None:
        self._say(_HELP)

    def _quit(self, argument: str) -> None:
        if argument:
            self._fail(_NO_ARGUMENT)
        else:
            self._final = _BYE


_COMMANDS: Mapping[str, Callable[[Session, str], None]] = {
    "LHLO": Session._lhlo,
    "MAIL": Session._mail_from,
    "RCPT": Session._rcpt_to,
    "DATA": Session._data,
    "BDAT": Session._bdat,
    "RSET": Session._rset,
    "NOOP": Session._noop,
    "VRFY": Session._vrfy,
    "HELP": Session._help,
    "QUIT": Session._quit,
    "HELO": Session._helo,
    "EHLO": Session._helo,
}


def _text(line: bytes) -> str | None:
    """A command line as text; None if it is not UTF-8, or contains a character that is not printable, such as NUL, or a CR
    or LF alone (RFC 5321, 2.3.8)."""
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return None
    return text if text.isprintable() else None


def _arguments(text: str, pattern: re.Pattern[str], values: _Values) -> tuple[str, Parameters] | Response:
    """The address and the parameters of MAIL or RCPT, or the reply if they are not valid (RFC 5321, 4.1.2)."""
    match = pattern.fullmatch(text)
    address = match["address"] or "" if match else ""
    if match is None or len(address.encode()) > ADDRESS:
        return _MAIL_SYNTAX if pattern is _FROM else _RCPT_SYNTAX
    parameters: dict[str, str] = {}
    for word in match["parameters"].split():
        setting = _PARAMETER.fullmatch(word)
        if setting is None:
            return _INVALID_PARAMETER
        keyword, value = setting[1].upper(), setting[2] or ""
        if keyword not in values:
            return _UNKNOWN_PARAMETER  # RFC 5321, 4.1.1.11
        if keyword in parameters or not values[keyword](value):
            return _INVALID_PARAMETER
        parameters[keyword] = value
    return address, tuple(parameters.items())
