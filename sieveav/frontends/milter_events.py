"""milter_events: the events of the milter protocol, what an MTA and a filter agree on, and a message's events to its octets.

Pure and total. Sources: Sendmail's libmilter (mfapi.h, mfdef.h, engine.c), whose names are used here, and Postfix 3.7, seen
on the wire.
"""

from __future__ import annotations

from enum import IntFlag
from io import BytesIO
from typing import NamedTuple, TypeVar


class ProtocolError(Exception):
    """What the MTA sent is not the milter protocol, or does not meet the filter's needs. Its text is one printable line."""


# ---- events

_T = TypeVar("_T")


def _equal(event: tuple[object, ...], other: object) -> bool:
    return type(event) is type(other) and tuple.__eq__(event, other)


def _event(kind: type[_T]) -> type[_T]:
    """Make a NamedTuple equal to its own kind only, and true even without fields. A dataclass takes longer to construct."""
    methods = {
        "__eq__": _equal,
        "__ne__": lambda event, other: not _equal(event, other),
        "__hash__": lambda event: hash((kind, *event)),
        "__bool__": lambda _: True,
    }
    for name, method in methods.items():
        setattr(kind, name, method)
    return kind


@_event
class Negotiate(NamedTuple):
    """The version of the protocol, and the `Action`s and `Step`s: offered by the MTA, or agreed on."""

    version: int
    actions: int
    protocol: int


@_event
class Macros(NamedTuple):
    """The MTA's macros, sent before the event of the class `stage`: names as sent, `i` or `{auth_authen}`, and values.

    Postfix 3.7, seen on the wire: a macro without a value is absent. `i`, the queue ID, is absent at Mail and at the
    first Rcpt. Macros also come for a step that was negotiated away.
    """

    stage: type[tuple[object, ...]]
    values: dict[bytes, bytes]


@_event
class Connect(NamedTuple):
    """The SMTP client's host name, and its address by family: "4", "6", "L" (a local socket, `address` is its path) or "U"
    (unknown)."""

    name: bytes
    family: str
    port: int
    address: bytes


@_event
class Helo(NamedTuple):
    name: bytes


@_event
class Mail(NamedTuple):
    """The sender, octet for octet as the client wrote it, and the SMTP parameters. It begins a message."""

    address: bytes
    parameters: tuple[bytes, ...] = ()


@_event
class Rcpt(NamedTuple):
    """A recipient, as in `Mail`."""

    address: bytes
    parameters: tuple[bytes, ...] = ()


@_event
class Data(NamedTuple):
    pass


@_event
class Header(NamedTuple):
    """A header field. Lines of the value end with LF; it begins with the space after the colon if HDR_LEADSPC is agreed on."""

    name: bytes
    value: bytes


@_event
class EndOfHeaders(NamedTuple):
    pass


@_event
class Body(NamedTuple):
    """A chunk of the body; lines end with CRLF, and a chunk may end anywhere."""

    octets: bytes


@_event
class EndOfMessage(NamedTuple):
    """The end of the body, after a last chunk that may be empty. The only event that edits may answer."""

    octets: bytes = b""


@_event
class Abort(NamedTuple):
    """The message is over. Postfix 3.7, seen on the wire: this comes after every message, also after one that was
    accepted."""


@_event
class Quit(NamedTuple):
    pass


@_event
class QuitNewConnection(NamedTuple):
    """The SMTP session is over; another one may follow on the same connection to the filter."""


@_event
class Unknown(NamedTuple):
    """An SMTP command that the MTA does not know."""

    octets: bytes


Event = (
    Negotiate
    | Macros
    | Connect
    | Helo
    | Mail
    | Rcpt
    | Data
    | Header
    | EndOfHeaders
    | Body
    | EndOfMessage
    | Abort
    | Quit
    | QuitNewConnection
    | Unknown
)


def without_brackets(path: bytes) -> bytes:
    """The address of `Mail` or `Rcpt` without angle brackets; b"" is the null reverse-path."""
    return path[1:-1] if path.startswith(b"<") and path.endswith(b">") else path


# ---- what is agreed on

OLDEST_VERSION, VERSION = 2, 6
"""The versions of the protocol that can be agreed on: SMFI_PROT_VERSION_MIN and SMFI_PROT_VERSION of libmilter."""


class Action(IntFlag):
    """What a filter may do to a message, SMFIF_* of mfapi.h."""

    ADDHDRS = 0x1
    CHGBODY = 0x2
    ADDRCPT = 0x4
    DELRCPT = 0x8
    CHGHDRS = 0x10
    QUARANTINE = 0x20
    CHGFROM = 0x40
    ADDRCPT_PAR = 0x80
    SETSYMLIST = 0x100


class Step(IntFlag):
    """Steps that the MTA does not send (NO*) or sends without waiting for a reply (NR_*), and other features of the
    protocol, SMFIP_* of mfapi.h and mfdef.h."""

    NOCONNECT = 0x1
    NOHELO = 0x2
    NOMAIL = 0x4
    NORCPT = 0x8
    NOBODY = 0x10
    NOHDRS = 0x20
    NOEOH = 0x40
    NR_HDR = 0x80
    NOUNKNOWN = 0x100
    NODATA = 0x200
    SKIP = 0x400
    RCPT_REJ = 0x800
    NR_CONN = 0x1000
    NR_HELO = 0x2000
    NR_MAIL = 0x4000
    NR_RCPT = 0x8000
    NR_DATA = 0x10000
    NR_UNKN = 0x20000
    NR_EOH = 0x40000
    NR_BODY = 0x80000
    HDR_LEADSPC = 0x100000


_HDR_LEADSPC = int(Step.HDR_LEADSPC)


def negotiate(offered: Negotiate, actions: int, steps: int) -> Negotiate:
    """What the filter agrees on with the MTA: all `actions` (see `Action`), and those `steps` (see `Step`) that are offered.

    ProtocolError if the version is too old or an action is missing: the filter could not do what it is configured for.
    Postfix 3.7, seen on the wire: it gives up a filter that asks for more than was offered.
    """
    if offered.version < OLDEST_VERSION:
        raise ProtocolError(f"version {offered.version} of the milter protocol is older than {OLDEST_VERSION}")
    if missing := actions & ~offered.actions:
        raise ProtocolError(f"the MTA does not offer {Action(missing).name}")
    return Negotiate(min(offered.version, VERSION), actions, steps & offered.protocol)


_ALWAYS = 0
_NO_REPLY: dict[type[Event], int] = {
    Negotiate: _ALWAYS,
    EndOfMessage: _ALWAYS,
    Connect: int(Step.NR_CONN),
    Helo: int(Step.NR_HELO),
    Mail: int(Step.NR_MAIL),
    Rcpt: int(Step.NR_RCPT),
    Data: int(Step.NR_DATA),
    Unknown: int(Step.NR_UNKN),
    Header: int(Step.NR_HDR),
    EndOfHeaders: int(Step.NR_EOH),
    Body: int(Step.NR_BODY),
}
"""Event -> the flag without which the MTA waits for a reply. Events that are not here have no reply."""


def replied(steps: int) -> frozenset[type[Event]]:
    """The events whose reply the MTA waits for, and accepts; `steps` is `Negotiate.protocol` as agreed on."""
    return frozenset(kind for kind, flag in _NO_REPLY.items() if not steps & flag)


# ---- the message


def crlf(octets: bytes) -> bytes:
    """`octets` with CRLF for each LF without CR."""
    return octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") if b"\n" in octets else octets


class Content:
    """The octets of a message, from its events as they come. `steps` is `Negotiate.protocol` as agreed on.

    Postfix 3.7, seen on the wire: with HDR_LEADSPC these are the octets that it delivers, except for its own Received field.
    What differs from the client's octets, it changed before queueing. Without HDR_LEADSPC, the MTA has removed one space
    after the colon, if there was one.
    """

    def __init__(self, steps: int) -> None:
        self._colon = b":" if steps & _HDR_LEADSPC else b": "
        self._octets = BytesIO()  # which gives them without a copy
        self._has_body = False

    def add_field(self, field: Header) -> None:
        """Add a header field."""
        name, value = field
        self._octets.write(b"".join((name, self._colon, crlf(value), b"\r\n")))

    def add_body(self, octets: bytes) -> None:
        """Add a chunk of the body; no field may follow."""
        if not self._has_body:
            self._has_body = True
            self._octets.write(b"\r\n")
        self._octets.write(octets)

    def whole(self) -> bytes:
        """The message."""
        self.add_body(b"")
        return self._octets.getvalue()

    def __len__(self) -> int:
        return self._octets.tell()
