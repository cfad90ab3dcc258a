"""tnef: winmail.dat to the files in it, the messages in it, and all else that it says. [MS-OXTNEF]."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import islice, pairwise, product
from typing import NamedTuple

from sieveav.scanning.format import Format
from sieveav.scanning.layers import MEMBERS, Budget, Item, Layer, Obstacle, member, unusually
from sieveav.verdict import Status

MAGIC = b"\x78\x9f\x3e\x22"

_ATTRIBUTE = struct.Struct("<BLL")
_CHECKSUM = 2
_UINT = struct.Struct("<L")
_TAG = struct.Struct("<HH")

_RENDERING, _DATA, _TITLE, _PROPERTIES = 0x00069002, 0x0006800F, 0x00018010, 0x00069005
"""Attributes of an attachment, the first of which begins it. [MS-OXTNEF] 2.1.3.3."""

_OBJECT, _UNICODE, _STRING, _BINARY = 0x000D, 0x001F, 0x001E, 0x0102
_SIZES = {
    **dict.fromkeys((_OBJECT, _UNICODE, _STRING, _BINARY)),
    **dict.fromkeys((0x0002, 0x000B), 2),
    **dict.fromkeys((0x0003, 0x0004, 0x000A), 4),
    **dict.fromkeys((0x0005, 0x0006, 0x0007, 0x0014, 0x0040), 8),
    0x0048: 16,
}
"""Octets of a value of each type; None if they are stated before it. [MS-OXCDATA] 2.11.1."""

_SEVERAL = 0x1000
"""The bit of a type that has several values."""

_NAMED = 0x8000
"""Properties from here on have a GUID, and a number or a name."""

_IID = 16
"""Octets before the value of an object."""

_LONG, _SHORT, _EMBEDDED = 0x3707, 0x3704, 0x3701
"""PidTagAttachLongFilename, PidTagAttachFilename, PidTagAttachDataObject or -Binary. [MS-OXPROPS]."""

_WANTED = frozenset((*product((_LONG, _SHORT), (_UNICODE, _STRING)), (_EMBEDDED, _OBJECT), (_EMBEDDED, _BINARY)))

_NAME = 1024
"""Characters of a name: its last ones, which have the extension."""

Properties = dict[tuple[int, int], bytes]
"""Identifier and type of a property -> its value."""


class _Attribute(NamedTuple):
    identity: int
    body: bytes
    stated: int
    """How many octets it should have."""


def _attributes(data: bytes) -> Iterator[_Attribute]:
    """The attributes of a TNEF file, of which the last may be truncated."""
    position = 6
    while position + _ATTRIBUTE.size <= len(data):  # a line end may follow the last
        _, identity, size = _ATTRIBUTE.unpack_from(data, position)
        position += _ATTRIBUTE.size
        yield _Attribute(identity, data[position : position + size], size)
        position += size + _CHECKSUM


def _open(layer: Layer, budget: Budget) -> Iterator[Item]:
    attributes = list(islice(_attributes(layer.data), MEMBERS + 1))  # each of them is a member
    starts = [number for number, each in enumerate(attributes) if number and each.identity == _RENDERING]
    for start, end in pairwise((0, *starts, len(attributes))):
        yield from _attachment(layer.name, attributes[start:end], budget)
    if attributes and len(attributes[-1].body) < attributes[-1].stated:
        raise ValueError("truncated")


def _attachment(path: str, attributes: list[_Attribute], budget: Budget) -> Iterator[Item]:
    """The attributes of an attachment, or those of the message itself. The name of the data may come after it."""
    properties: Properties = {}
    titles = [_text(each.body, "latin-1") for each in attributes if each.identity == _TITLE]
    is_clear = len(titles) < 2
    for each in attributes:
        if each.identity == _PROPERTIES:
            is_clear &= _read(each.body, properties, budget)
    name = _name(properties) or next(iter(titles), "")
    for each in attributes:
        label = name if name and each.identity == _DATA else f"{each.identity:08x}"
        yield from member(f"{path}/{label}", iter((each.body,)), budget, len(each.body))
    for kind, start in ((_OBJECT, _IID), (_BINARY, 0)):
        if value := properties.get((_EMBEDDED, kind), b"")[start:]:
            yield from unusually(member(f"{path}/{name or 'object'}", iter((value,)), budget, len(value)))
    if not is_clear:
        yield Obstacle(
            Status.UNSCANNABLE, f"an attachment that programs may read in two ways: {path}/{name or 'object'}"
        )


def _name(properties: Properties) -> str:
    """The name of an attachment by its properties, "" if they have none."""
    for identity in (_LONG, _SHORT):
        for kind, codec in ((_UNICODE, "utf-16-le"), (_STRING, "latin-1")):
            if name := _text(properties.get((identity, kind), b""), codec):
                return name
    return ""


def _text(octets: bytes, codec: str) -> str:
    return octets.decode(codec, "replace").partition("\0")[0][-_NAME:]


# ---- properties


def _read(body: bytes, found: Properties, budget: Budget) -> bool:
    """Put the names and the object of an attachment into `found`; false if there may be others."""
    try:
        for identity, kind, value in _properties(body):
            if not budget.check():
                return True
            if (identity, kind) in _WANTED:
                if (identity, kind) in found:
                    return False
                found[identity, kind] = value
    except (struct.error, KeyError, ValueError):
        return False
    return True


def _properties(body: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Identifier, type and value of each property. [MS-OXTNEF] 2.1.3.4: all values are padded to four octets."""
    count, at = _UINT.unpack_from(body)[0], _UINT.size
    for _ in range(count):
        kind, identity = _TAG.unpack_from(body, at)
        at += _TAG.size
        if identity >= _NAMED:
            at = _behind_name(body, at)
        size, values = _SIZES[kind & ~_SEVERAL], 1
        if size is None or kind & _SEVERAL:
            values, at = _UINT.unpack_from(body, at)[0], at + _UINT.size
        for _ in range(values):
            start, length = at, size
            if length is None:
                length, start = _UINT.unpack_from(body, at)[0], at + _UINT.size
            at = start + length + -length % 4
            if start + length > len(body):
                raise ValueError("truncated")
            yield identity, kind, body[start : start + length]


def _behind_name(body: bytes, at: int) -> int:
    """Where the name of a named property ends: a GUID, the kind of the name, and a number, or the length of a text and that."""
    is_text, value = struct.unpack_from("<LL", body, at + 16)
    return int(at + 16 + 8 + (value + -value % 4 if is_text else 0))


tnef = Format("tnef", _open, ((0, MAGIC),))
