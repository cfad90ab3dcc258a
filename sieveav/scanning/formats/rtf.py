r"""rtf: the objects within an RTF text: the hexadecimal digits of its groups \objdata and \datastore. RTF 1.9.1, [MS-OLEDS].

Readers accept almost anything as RTF, so nothing is an obstacle. Where they may disagree which digits belong to an object,
each reading is a layer.
"""

from __future__ import annotations

import re
import string
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from sieveav.scanning.format import Format
from sieveav.scanning.formats.ole_object import MAGIC, embedded
from sieveav.scanning.layers import DEPTH, Budget, Item, Layer, Obstacle, doubtfully, member
from sieveav.verdict import Status

_START = re.compile(rb"(?:\xef\xbb\xbf)?\s{0,64}\{\s{0,64}\\rt")

_DESTINATIONS = (b"objdata", b"datastore")
_OBJECT = re.compile(rb"\\(?:%b)(?![a-zA-Z])" % b"|".join(_DESTINATIONS))

_TOKEN = re.compile(
    rb"(?P<text>[^\\{}]+)|(?:\{\})+|(?P<open>\{+)|(?P<close>\}+)"
    rb"|\\(?:(?P<word>[a-zA-Z]+)(?P<number>-?\d+)?\ ?|'[0-9a-fA-F]{0,2}|.?)",
    re.DOTALL,
)
r"""A run of text, of empty groups, of opening or of closing braces; a control word with its number, \'hh, another symbol."""

_NO_DIGIT = bytes(set(range(256)) - set(string.hexdigits.encode()))

_LOOK = 4096
"""Tokens between two looks at the deadline."""

_LENGTH = struct.Struct("<L")
_EMBEDDED = 8
"""Octets of an OLE1 object before its class: a version, and that it is embedded."""


@dataclass
class _Object:
    """The digits of an object whose group is at this `depth`."""

    depth: int
    readings: tuple[bytearray, ...] = field(default_factory=lambda: tuple(bytearray() for _ in range(4)))
    """All of them, or without the last one of each piece with an odd number; then both without the groups within its own."""

    def add(self, digits: bytes, depth: int) -> None:
        """Add a piece, around which is something else, in a group at that depth."""
        piece = (digits, digits[: len(digits) // 2 * 2])
        for reading, more in zip(self.readings, piece * 2 if depth == self.depth else piece, strict=False):
            reading += more


def _objects(data: bytes, budget: Budget) -> Iterator[_Object]:
    """All objects. Those within the group of another count for both."""
    position = count = 0
    while start := _OBJECT.search(data, position):
        position, depth = start.start(), 1
        objects: list[_Object] = []
        while depth > 0 and (token := _TOKEN.match(data, position)):
            count += 1
            if count % _LOOK == 0 and not budget.check():
                return
            digits, position = _digits(data, token)
            if token["word"] in _DESTINATIONS:
                objects.append(_Object(depth))
            depth += len(token["open"] or b"") - len(token["close"] or b"")
            while len(objects) > 1 and objects[-1].depth > depth:
                yield objects.pop()
            if digits:
                objects[0].add(digits, depth)
            if digits and len(objects) > 1:
                objects[-1].add(digits, depth)
            if len(objects) > DEPTH:
                budget.over = Obstacle(Status.LIMITS, f"more than {DEPTH} objects within objects")
                return
        yield from objects


def _digits(data: bytes, token: re.Match[bytes]) -> tuple[bytes, int]:
    r"""The digits of a token, and where the next one begins: \bin is followed by octets."""
    start = end = token.end()
    if token["word"] == b"bin" and token["number"]:
        end += min(max(0, int(token["number"][:12])), len(data) - start)
    return (token["text"] or b"").translate(None, _NO_DIGIT) + data[start:end].hex().encode(), end


def _open(layer: Layer, budget: Budget) -> Iterator[Item]:
    seen: set[bytes] = set()
    for each in _objects(layer.data, budget):
        for digits in each.readings:
            octets = bytes.fromhex(digits[: len(digits) // 2 * 2].decode())
            if octets and octets not in seen:
                seen.add(octets)
                yield from _object(f"{layer.name}/object {len(seen)}", octets, budget)


def _object(name: str, octets: bytes, budget: Budget) -> Iterator[Item]:
    """An object, and what is embedded in it."""
    yield from member(name, iter((octets,)), budget, len(octets))
    start, size = _native(octets)
    if start:
        yield from embedded(name, octets[start : start + size], budget)
    at = octets.find(MAGIC)  # behind a header that only some can read
    if at > 0 and at != start:
        yield from doubtfully(member(f"{name}/data", iter((octets[at:],)), budget, len(octets) - at))


def _native(octets: bytes) -> tuple[int, int]:
    """Where the native data of an OLE1 object begins, and its size; 0 if there is none. [MS-OLEDS] 2.2.5: a version, that it
    is embedded, its class, topic and item, the size."""
    at = _EMBEDDED
    try:
        for _ in range(3):
            at += _LENGTH.size + _LENGTH.unpack_from(octets, at)[0]
        return at + _LENGTH.size, _LENGTH.unpack_from(octets, at)[0]
    except struct.error:
        return 0, 0


rtf = Format("rtf", _open, looks_like=lambda layer: _START.match(layer.data) is not None, unusual=True)
