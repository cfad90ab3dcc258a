"""pgp: an OpenPGP message to what is in it, or that it is encrypted; as octets or as armour within a text. RFC 9580, RFC 4880.

Keys, detached signatures and clear-signed texts have nothing to open. PGP/MIME (RFC 3156) has its message as armour in a part.
"""

from __future__ import annotations

import bz2
import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple

from sieveav.scanning.format import Format
from sieveav.scanning.formats.signed_entity import as_entity
from sieveav.scanning.layers import Budget, Item, Layer, Obstacle, member, safely
from sieveav.scanning.streams import Inflate, stream, unpacked_name
from sieveav.transfer import DECODERS
from sieveav.verdict import Status

# ---- packets (RFC 9580, 4.2)

_SIGNATURE, _ONE_PASS_SIGNATURE, _COMPRESSED, _MARKER, _LITERAL, _PADDING = 2, 4, 8, 10, 11, 21
_FOR_RECIPIENT, _FOR_PASSWORD, _ENCRYPTED, _PROTECTED, _AUTHENTICATED = 1, 3, 9, 18, 20
"""The key of an encrypted message, for a recipient or a password; the message, in three forms. GnuPG writes the last one."""

_BODIES = {
    kind: re.compile(pattern, re.DOTALL)
    for kind, pattern in {
        _FOR_RECIPIENT: rb"[\x02\x03].{8}[\x01-\x1b]|\x06(?:\x00|\x15\x04|\x21\x06)",
        _SIGNATURE: rb"[\x02\x03]\x05|[\x04-\x06][\x00-\x50]",
        _FOR_PASSWORD: rb"\x04[\x00-\x0d][\x00\x01\x03\x04]|(?:\x05|\x06.)[\x01-\x0d][\x01-\x03]",
        _ONE_PASS_SIGNATURE: rb"\x03[\x00-\x02].{10}[\x00\x01]|\x06[\x00-\x02][\x00-\x0f][\x01-\x1b]",
        _COMPRESSED: rb"[\x00-\x03]",
        _ENCRYPTED: rb"",
        _MARKER: rb"PGP",
        _LITERAL: rb"[btuml1]",
        _PROTECTED: rb"\x01|\x02[\x01-\x0d][\x01-\x03]",
        _AUTHENTICATED: rb"\x01[\x01-\x0d][\x01-\x03]",
        _PADDING: rb"",
    }.items()
}
"""The packets of a message, and what their bodies begin with: version, algorithms, type. RFC 9580, 5."""

_CLOSED = (_FOR_RECIPIENT, _FOR_PASSWORD, _ENCRYPTED, _PROTECTED, _AUTHENTICATED)
_IN_FRONT = (_FOR_RECIPIENT, _FOR_PASSWORD, _SIGNATURE, _ONE_PASS_SIGNATURE, _MARKER)
"""The packets that say that a message is encrypted, and those behind which there must be another."""

_SHAPELESS = (_ENCRYPTED, _PADDING)

_NEW, _INDETERMINATE = 0x40, 3
"""A bit of the first octet; the type of length of a packet that lasts to the end, in the old format."""

_MOST = 100_000
"""Pieces of a packet: GnuPG writes pieces of 8 KiB."""


class _Packet(NamedTuple):
    """A packet: its type, the places of the pieces of its body, the offset behind it, which is beyond what is truncated."""

    kind: int
    pieces: tuple[slice, ...]
    end: int

    def body(self, data: bytes) -> bytes:
        """Its body, or what there is of it."""
        return b"".join(data[piece] for piece in self.pieces)


def _packet(data: bytes, at: int) -> _Packet | None:
    """The packet at an offset, None if it is not one of a message. IndexError, ValueError if its length is not valid."""
    first, start = data[at], at + 1
    if not first & 0x80:
        return None
    kind = first & 0x3F if first & _NEW else first >> 2 & 0x0F
    if kind not in _BODIES:
        return None
    if first & _NEW:
        pieces = _pieces(data, start)
    elif first & 3 == _INDETERMINATE:
        pieces = (slice(start, len(data)),)
    else:
        octets = 1 << (first & 3)
        pieces = (_piece(start + octets, int.from_bytes(data[start : start + octets])),)
    packet = _Packet(kind, pieces, pieces[-1].stop)
    if kind == _ENCRYPTED and at == 0 and packet.end != len(data):
        return None  # without a key for it (PGP 2), only the length says that it is a packet
    return packet if _BODIES[kind].match(data, pieces[0].start) else None


def _piece(start: int, length: int) -> slice:
    return slice(start, start + length)


def _pieces(data: bytes, at: int) -> tuple[slice, ...]:
    """The pieces of a body in the new format: all but the last have a partial length. RFC 9580, 4.2.1."""
    pieces: list[slice] = []
    while at < len(data):
        length = data[at]
        if 0xE0 <= length < 0xFF:
            pieces.append(_piece(at + 1, 1 << (length & 0x1F)))
            at = pieces[-1].stop
            if len(pieces) > _MOST:
                raise ValueError("too many pieces")
            continue
        if length == 0xFF:
            last = _piece(at + 5, int.from_bytes(data[at + 1 : at + 5]))
        elif length >= 0xC0:
            last = _piece(at + 2, (length - 0xC0 << 8) + data[at + 1] + 0xC0)
        else:
            last = _piece(at + 1, length)
        return (*pieces, last)
    return (*pieces, _piece(at, 1))  # truncated


def _packets(data: bytes) -> Iterator[_Packet]:
    """The packets of a message, up to something else."""
    at = 0
    while at < len(data) and (packet := _packet(data, at)):
        yield packet
        at = packet.end


# ---- messages

_COMPRESSIONS: dict[int, Callable[[bytes], Iterator[bytes]]] = {
    0: lambda body: iter((body,)),
    1: lambda body: stream(Inflate(-15), body, 0),
    2: lambda body: stream(Inflate(15), body, 0),
    3: lambda body: stream(bz2.BZ2Decompressor(), body, 0),
}
"""RFC 9580, 9.4."""

_DATE = 4

_EXTENSIONS = (".pgp", ".gpg", ".asc")
_SUFFIXES = dict.fromkeys(_EXTENSIONS, "")


def _message(name: str, data: bytes, budget: Budget) -> Iterator[Item]:
    """What is in the packets of a message."""
    for packet in _packets(data):
        if packet.kind in _CLOSED:
            yield Obstacle(Status.ENCRYPTED, f"encrypted: {name}")
            return
        if packet.kind == _COMPRESSED:
            body = packet.body(data)
            yield from member(f"{name}/message.pgp", _COMPRESSIONS[body[0]](body[1:]), budget, len(body))
        elif packet.kind == _LITERAL:
            yield from _literal(name, packet.body(data), budget)
        if packet.kind in (_COMPRESSED, _LITERAL) and packet.end > len(data):
            raise EOFError


def _literal(path: str, body: bytes, budget: Budget) -> Iterator[Item]:
    """The file in a literal packet: the length of its name and its name, a date, its octets. RFC 9580, 5.9."""
    start = 2 + body[1]
    name = body[2:start].decode("utf-8", "replace") or unpacked_name(path, _SUFFIXES)
    content = body[start + _DATE :]
    for item in member(f"{path}/{name}", iter((content,)), budget, len(content)):
        yield as_entity(item) if isinstance(item, Layer) else item


# ---- as octets


def _is_message(layer: Layer) -> bool:
    """Whether it is a message, and not only begins like one: by two packets, or by one that ends where the octets do."""
    data = layer.data
    try:
        packets = list(islice(_packets(data), 2))
    except (IndexError, ValueError):
        return False
    if not packets:
        return False
    first = packets[0]
    if layer.name.lower().endswith(_EXTENSIONS):
        return True
    if first.kind in _IN_FRONT:
        return len(packets) > 1
    if first.kind == _COMPRESSED:
        return _has_message(first.body(data))
    is_indeterminate = data[0] & (_NEW | _INDETERMINATE) == _INDETERMINATE
    return first.kind not in _SHAPELESS and first.end == len(data) and not is_indeterminate


def _has_message(body: bytes) -> bool:
    """Whether compressed data begin with a packet."""
    try:
        begin = next(_COMPRESSIONS[body[0]](body[1:]), b"")
        packet = _packet(begin, 0)
    except Exception:  # as in safely
        return False
    return packet is not None and packet.kind not in _SHAPELESS


# ---- as text (RFC 9580, 6.2)

_BEGIN = re.compile(
    rb"(?:(?<![^\r\n])|<[a-zA-Z][^<>\r\n]{0,200}>)-----BEGIN PGP MESSAGE(?:, PART [0-9]+(?:/[0-9]+)?)?-----[ \t]*+(?![^\r\n])"
)
"""At the beginning of a line or, in HTML, behind a tag; not in a quotation."""
_END = re.compile(rb"[\r\n]-----")
_HEADER = re.compile(rb"^[^\n:]*+:[^\n]*+", re.MULTILINE)
_CHECKSUM = b"\n="


def _has_armour(layer: Layer) -> bool:
    return b"-----BEGIN PGP MESSAGE" in layer.data and _BEGIN.search(layer.data) is not None


def _armoured(layer: Layer, budget: Budget) -> Iterator[Item]:
    data = layer.data
    for begin in _BEGIN.finditer(data):
        end = _END.search(data, begin.end())
        lines = data[begin.end() : end.start() if end else None].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        octets = DECODERS["base64"](_HEADER.sub(b"", lines).partition(_CHECKSUM)[0])
        yield from safely(_message(layer.name, octets, budget), layer.name)


pgp = Format(
    "pgp", lambda layer, budget: _message(layer.name, layer.data, budget), looks_like=_is_message, unusual=True
)
pgp_armour = Format("pgp armour", _armoured, looks_like=_has_armour, needs=b"-----BEGIN ", unusual=True)
