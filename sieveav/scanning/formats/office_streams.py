"""office_streams: the streams of Word, Excel and PowerPoint 97 to their macros, their passwords and the objects in them.

[MS-DOC], [MS-XLS], [MS-PPT], [MS-OLEDS]. Nothing else is read in them.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator

from sieveav.scanning.formats.ole_object import MAGIC, embedded
from sieveav.scanning.layers import Budget, Item, Layer, Obstacle, Opener, member
from sieveav.scanning.streams import Inflate, stream
from sieveav.verdict import Status

_LENGTH = struct.Struct("<L")


# ---- passwords

_PASSWORD_AT = 11
"""[MS-DOC] 2.5.2, FibBase: the flag fEncrypted is the lowest bit of this octet."""

_TOKEN_AT, _TOKEN = 12, b"\xdf\xc4\xd1\xf3"
"""[MS-PPT] 2.3.2, CurrentUserAtom: the headerToken of an encrypted presentation."""


def _if_encrypted(is_encrypted: Callable[[bytes], bool]) -> Opener:
    def opener(layer: Layer, budget: Budget) -> Iterator[Item]:  # noqa: ARG001  # has the signature of all openers
        if is_encrypted(layer.data):
            yield Obstacle(Status.ENCRYPTED, f"encrypted: {layer.name}")

    return opener


# ---- Excel

_RECORD = struct.Struct("<HH")
_FILEPASS = 0x002F
_TYPES = {0x0085: (5, {1: "Excel 4 macros", 6: "macros"}), 0x0809: (2, {0x40: "Excel 4 macros"})}
"""BoundSheet8 and BOF: where the record has the type of its sheet, and the types that are macros. [MS-XLS] 2.4.28, 2.4.21."""

_LOOK = 10_000
"""Records between two looks at the deadline."""


def _excel(layer: Layer, budget: Budget) -> Iterator[Item]:
    """[MS-XLS] 2.4.117: nothing behind the record FilePass is in clear."""
    data, at, count = layer.data, 0, 0
    macros: set[str] = set()
    while at + _RECORD.size <= len(data) and (count % _LOOK or budget.check()):
        kind, size = _RECORD.unpack_from(data, at)
        at += _RECORD.size
        if kind == _FILEPASS:
            yield Obstacle(Status.ENCRYPTED, f"encrypted: {layer.name}")
            break
        if kind in _TYPES:
            where, types = _TYPES[kind]
            if what := types.get(int.from_bytes(data[at + where : at + where + 1])):
                macros.add(what)
        at += size
        count += 1
    yield from (Obstacle(Status.MACRO, f"{what}: {layer.name}") for what in sorted(macros))


# ---- PowerPoint, and embedded objects

_OBJECT = re.compile(
    rb"[\x00\x10]\x00\x11\x10(?P<size>.{4})(?:(?=%b)|(?P<inflated>.{4})(?=[\x08\x18(8HXhx]))" % re.escape(MAGIC),
    re.DOTALL,
)
"""The head of an embedded object or VBA project: its size; then an OLE2 file, or its size inflated and a zlib stream of it
(RFC 1950). [MS-PPT] 2.10.34 ExOleObjStg and its like."""


def _powerpoint(layer: Layer, budget: Budget) -> Iterator[Item]:
    """Objects anywhere in the stream, because offsets in other records lead to them."""
    for number, head in enumerate(_OBJECT.finditer(layer.data), 1):
        start, size = head.end(), int.from_bytes(head["size"], "little")
        plain = iter((layer.data[start : start + size],))
        chunks = stream(Inflate(15), layer.data, start) if head["inflated"] else plain
        yield from member(f"{layer.name}/object {number}", chunks, budget, size)


def _native(layer: Layer, budget: Budget) -> Iterator[Item]:
    """[MS-OLEDS] 2.3.6, OLENativeStream: a length and the native data."""
    return embedded(layer.name, layer.data[_LENGTH.size :], budget)


READERS: dict[str, Opener] = {
    "worddocument": _if_encrypted(lambda data: int.from_bytes(data[_PASSWORD_AT : _PASSWORD_AT + 1]) & 1 == 1),
    "current user": _if_encrypted(lambda data: data.startswith(_TOKEN, _TOKEN_AT)),
    "workbook": _excel,
    "book": _excel,
    "powerpoint document": _powerpoint,
    "\x01ole10native": _native,
}
"""The name of a stream, in small letters -> what opens it."""
