"""milter_wire: octets from an MTA to the events of the milter protocol.

Pure and total: any octets give events or a ProtocolError, in linear time. What goes to the MTA is in milter_replies.py.
Sources: Sendmail's libmilter (mfapi.h, mfdef.h, engine.c), and Postfix 3.7, seen on the wire.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct

from sieveav.frontends.milter_events import (
    Abort,
    Body,
    Connect,
    Data,
    EndOfHeaders,
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
    Unknown,
)

PACKET = 128 * 1024
"""The most octets of a packet, without its length. A body chunk has at most 65,535 (MILTER_CHUNK_SIZE), and Postfix cuts
a header field at header_size_limit, which is 102,400 by default."""


# ---- packets

_LENGTH = Struct("!L")
_THREE = Struct("!LLL")
_PORT = Struct("!H")


def _strings(data: bytes) -> list[bytes]:
    strings = data.split(b"\0")
    if strings.pop():
        raise ProtocolError("a string without NUL at its end")
    return strings


def _count(strings: list[bytes], count: int) -> list[bytes]:
    if len(strings) != count:
        raise ProtocolError(f"wrong number of strings: {len(strings)} instead of {count}")
    return strings


def _negotiate(data: bytes) -> Negotiate:
    if len(data) < _THREE.size:
        raise ProtocolError("too short")
    return Negotiate(*_THREE.unpack_from(data))  # mfdef.h: newer versions may send more after these


def _macros(data: bytes) -> Macros:
    stage = _STAGES.get(data[:1])
    if stage is None:
        raise ProtocolError("not for a step of the protocol")
    strings = _strings(data[1:])
    if len(strings) % 2:
        raise ProtocolError("a name without a value")
    return Macros(stage, dict(zip(strings[::2], strings[1::2], strict=True)))


def _connect(data: bytes) -> Connect:
    name, _, rest = data.partition(b"\0")
    if rest == b"U":
        return Connect(name, "U", 0, b"")
    if len(rest) < 4:
        raise ProtocolError("too short")
    if rest[0] not in b"46LU":
        raise ProtocolError(f"unknown address family {rest[0]:#04x}")
    (address,) = _count(_strings(rest[3:]), 1)
    (port,) = _PORT.unpack_from(rest, 1)
    # Sendmail writes IPv6 addresses as in SMTP (RFC 5321, 4.1.3), Postfix does not
    return Connect(name, chr(rest[0]), port, address.removeprefix(b"IPv6:"))


def _path(data: bytes) -> tuple[bytes, tuple[bytes, ...]]:
    strings = _strings(data)
    if not strings:
        raise ProtocolError("no address")
    return strings[0], tuple(strings[1:])


def _header(data: bytes) -> Header:
    name, value = _count(_strings(data), 2)
    return Header(name, value)


def _alone(event: Event) -> Callable[[bytes], Event]:
    def parse(data: bytes) -> Event:
        if data:
            raise ProtocolError("unexpected data")
        return event

    return parse


_COMMANDS: dict[int, tuple[type[Event], Callable[[bytes], Event]]] = {
    ord("A"): (Abort, _alone(Abort())),
    ord("B"): (Body, Body),
    ord("C"): (Connect, _connect),
    ord("D"): (Macros, _macros),
    ord("E"): (EndOfMessage, EndOfMessage),
    ord("H"): (Helo, lambda data: Helo(*_count(_strings(data), 1))),
    ord("K"): (QuitNewConnection, _alone(QuitNewConnection())),
    ord("L"): (Header, _header),
    ord("M"): (Mail, lambda data: Mail(*_path(data))),
    ord("N"): (EndOfHeaders, _alone(EndOfHeaders())),
    ord("O"): (Negotiate, _negotiate),
    ord("Q"): (Quit, _alone(Quit())),
    ord("R"): (Rcpt, lambda data: Rcpt(*_path(data))),
    ord("T"): (Data, _alone(Data())),
    ord("U"): (Unknown, lambda data: Unknown(*_count(_strings(data), 1))),
}
"""Command letter, SMFIC_* of mfdef.h -> the class of its event, and the function that reads the rest of the packet."""

_MACROS = ord("D")

_STAGES = {bytes([letter]): kind for letter, (kind, _) in _COMMANDS.items() if letter in b"CHMRTLNBEU"}

_FIRST = b"OQ"

_ANYTIME = b"DAQK"
_SMTP = b"HMU"
_CONTENT = b"LNBE"

_FOLLOWERS: dict[int, bytes] = {
    # the session
    ord("O"): _ANYTIME + b"C" + _SMTP,
    ord("C"): _ANYTIME + _SMTP,
    ord("H"): _ANYTIME + _SMTP,
    # the envelope: other SMTP commands, also EHLO, may come between MAIL and DATA
    ord("M"): _ANYTIME + _SMTP + b"RT" + _CONTENT,
    ord("R"): _ANYTIME + _SMTP + b"RT" + _CONTENT,
    # the content
    ord("T"): _ANYTIME + b"M" + _CONTENT,
    ord("L"): _ANYTIME + b"M" + _CONTENT,
    ord("N"): _ANYTIME + b"M" + b"BE",
    ord("B"): _ANYTIME + b"M" + b"BE",
    # after a message
    ord("E"): _ANYTIME + _SMTP,
    ord("A"): _ANYTIME + _SMTP,
    # after a session
    ord("K"): _ANYTIME + b"OC" + _SMTP,
    ord("Q"): b"",
}
"""Command -> the commands that may come next. D and U are not here: after them, the same may come as before.

As in libmilter (engine.c, next_states), steps that were negotiated away may be missing. MAIL may not, and it may come at any
time, because it begins a message.
"""


class Reader:
    """The events of one connection from an MTA, however its octets are cut into pieces."""

    def __init__(self) -> None:
        self._kept = bytearray()
        """The beginning of a packet; shorter than `_needed`."""
        self._needed = _LENGTH.size
        self._last = 0
        self._allowed = _FIRST
        self._macros: tuple[bytes, Macros] | tuple[None, None] = (None, None)
        """The packet and the event of the last macros: Postfix sends the same before each header field."""
        self._error = ""

    @property
    def is_within_packet(self) -> bool:
        """Whether a packet has begun and is not complete."""
        return bool(self._kept)

    def feed(self, octets: bytes) -> list[Event]:
        """The events that `octets` complete. Less than a packet is kept for the next call.

        After a ProtocolError, every call raises the same; events of complete packets before the error are lost, which is
        safe: the MTA defers a message without a reply.
        """
        if self._error:
            raise ProtocolError(self._error)
        try:
            return self._events(octets)
        except ProtocolError as error:
            self._error = str(error)
            self._kept.clear()
            raise

    def _events(self, octets: bytes) -> list[Event]:
        if self._kept:
            self._kept += octets
            if len(self._kept) < self._needed:
                return []
            octets = bytes(self._kept)
            self._kept.clear()
        self._needed = _LENGTH.size
        events: list[Event] = []
        position, end = 0, len(octets)
        allowed, length_of = self._allowed, _LENGTH.unpack_from
        while end - position >= 4:
            (size,) = length_of(octets, position)
            if not 0 < size <= PACKET:
                raise ProtocolError(f"a packet of {size} octets; 1 to {PACKET} are allowed")
            start = position + 4
            if start + size > end:
                self._needed += size
                break
            position = start + size
            letter = octets[start]
            if letter not in allowed:
                raise ProtocolError(self._not_allowed(letter))
            data = octets[start + 1 : position]
            same, macros = self._macros
            if macros is not None and letter == _MACROS and data == same:
                events.append(macros)
                continue
            kind, parse = _COMMANDS[letter]
            try:
                event = parse(data)
            except ProtocolError as error:
                raise ProtocolError(f"{kind.__name__}: {error}") from None
            events.append(event)
            if type(event) is Macros:
                self._macros = (data, event)
            elif letter != self._last and letter in _FOLLOWERS:
                self._last, self._allowed = letter, _FOLLOWERS[letter]
                allowed = self._allowed
        self._kept += octets[position:]
        return events

    def _not_allowed(self, letter: int) -> str:
        if letter not in _COMMANDS:
            return f"unknown command {letter:#04x}"
        name = _COMMANDS[letter][0].__name__
        return f"{name} after {_COMMANDS[self._last][0].__name__}" if self._last else f"{name} before Negotiate"
