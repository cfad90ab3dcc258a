"""binhex: a file of the Macintosh within a text, its data fork and its resource fork. BinHex 4.0, RFC 1741, appendix A."""

from __future__ import annotations

import binascii
import re
import struct
from collections.abc import Iterator

from sieveav.scanning.format import Format
from sieveav.scanning.layers import CHUNK, Budget, Item, Layer

_ALPHABET = b"!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr"
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_TO_BASE64 = bytes.maketrans(_ALPHABET, _BASE64)
_OTHERS = bytes(set(range(256)) - set(_ALPHABET))

_BEGIN = re.compile(rb"\(This file must be converted with BinHex[^\n:]*+[\r\n]++\s*+:")
_HEADER = struct.Struct(">B4s4sHLL")
"""After the name: version, type, creator, flags, lengths of the data fork and the resource fork; then a CRC."""

_RUN = 0x90
"""Says that the octet before it is repeated, as often as the octet after it says; 0 means the octet 0x90 itself."""


def _looks_like(layer: Layer) -> bool:
    return _BEGIN.search(layer.data) is not None


def _open(layer: Layer, budget: Budget) -> Iterator[Item]:
    data = layer.data
    position = 0
    while begin := _BEGIN.search(data, position):
        end = data.find(b":", begin.end())
        position = end if end >= 0 else len(data)
        yield from _file(layer.name, data[begin.end() : position], budget)
        if end < 0:
            raise ValueError("truncated")


def _file(name: str, text: bytes, budget: Budget) -> Iterator[Item]:
    """The forks of one file, as two layers."""
    characters = text.translate(_TO_BASE64, _OTHERS)
    packed = binascii.a2b_base64(characters + b"A" * (-len(characters) % 4))
    octets = bytearray()
    for piece in _expanded(packed):
        octets += piece
        if not budget.check(len(piece), len(octets), len(packed)):
            return
    start = 1 + octets[0] + _HEADER.size + 2
    *_, length, resources = _HEADER.unpack_from(octets, 1 + octets[0])
    called = octets[1 : 1 + octets[0]].decode("ascii", "replace")
    yield Layer(f"{name}/{called}", bytes(octets[start : start + length]))
    yield Layer(f"{name}/{called}/resources", bytes(octets[start + length + 2 :][:resources]))
    if len(octets) < start + length + 2 + resources:
        raise ValueError("truncated")


def _expanded(packed: bytes) -> Iterator[bytes]:
    """The octets with all runs in full length."""
    out = bytearray()
    last = b""
    at = 0
    while (mark := packed.find(_RUN, at)) >= 0:
        piece, count = packed[at:mark], packed[mark + 1]
        out += piece
        last = piece[-1:] or last
        if count:
            out += last * (count - 1)
        else:
            last = bytes([_RUN])
            out += last
        at = mark + 2
        if len(out) > CHUNK:
            yield bytes(out)
            out.clear()
    yield bytes(out + packed[at:])


binhex = Format("binhex", _open, looks_like=_looks_like, needs=b"BinHex", unusual=True)
