"""smime: what is signed or compressed in CMS (S/MIME, PKCS#7), or that it is encrypted. RFC 5652, RFC 3274, RFC 8551.

DER or BER: OpenSSL, for one, writes a large content in pieces and does not state lengths. A signature without content, as in
multipart/signed, has nothing to open; neither have certificates.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from sieveav.scanning.format import Format
from sieveav.scanning.formats.signed_entity import as_entity
from sieveav.scanning.layers import Budget, Item, Layer, Obstacle, member, plainly
from sieveav.scanning.streams import Inflate, stream, unpacked_name
from sieveav.transfer import DECODERS
from sieveav.verdict import Status

# ---- BER (ITU-T X.690)

_OBJECT_IDENTIFIER, _SEQUENCE, _CONTENT = 0x06, 0x30, 0xA0
_OCTET_STRINGS = (0x04, 0x24)
"""Primitive, constructed."""
_CONSTRUCTED = 0x20

_MOST = 10_000
"""Elements within one that is before the content."""

_FIELDS = 16
"""Elements beside the content, in each SEQUENCE around it."""

_DEEP = 100
"""Strings within strings: OpenSSL writes two."""

_TOGETHER = 4096
"""Pieces of a string between two checks of the bounds."""


class _Element(NamedTuple):
    """An element: its tag, the offset of it and those of its content; `stop` is None if its length is not stated."""

    tag: int
    at: int
    start: int
    stop: int | None

    @property
    def is_end(self) -> bool:
        """Whether this is the end of an element whose length is not stated."""
        return self.tag == 0 and self.start == self.stop


def _element(data: bytes, at: int) -> _Element:
    """The element at an offset. IndexError if there is none."""
    length, start = data[at + 1], at + 2
    if length == 0x80:
        return _Element(data[at], at, start, None)
    if length > 0x80:
        start += length & 0x7F
        length = int.from_bytes(data[at + 2 : start])
        if start > len(data):
            raise IndexError
    return _Element(data[at], at, start, start + length)


def _after(data: bytes, element: _Element) -> int:
    """The offset behind an element. ValueError if too many are within it."""
    if element.stop is not None:
        return element.stop
    at, depth = element.start, 1
    for _ in range(_MOST):
        each = _element(data, at)
        depth += (each.stop is None) - each.is_end
        at = each.start if each.stop is None else each.stop
        if not depth:
            return at
    raise ValueError("too many elements")


def _within(data: bytes, element: _Element) -> Iterator[_Element]:
    """The first elements in one."""
    at = element.start
    for _ in range(_FIELDS):
        if at == element.stop:
            return
        each = _element(data, at)
        if element.stop is None and each.is_end:
            return
        yield each
        at = _after(data, each)


def _pieces(data: bytes, string: _Element) -> Iterator[bytes]:
    """The octets of an OCTET STRING, which may consist of strings; b"" for their heads and ends, so that every element can be
    counted. EOFError if it is truncated."""
    stops: list[int | None] = []
    at = string.at
    while True:
        each = _element(data, at)
        at = each.start
        if each.is_end:
            stops.pop()
            yield b""
        elif each.tag & _CONSTRUCTED:
            stops.append(each.stop)
            if len(stops) > _DEEP:
                raise ValueError("too deep")
            yield b""
        else:
            at = len(data) if each.stop is None else each.stop
            yield data[each.start : at]
            if at > len(data):
                raise EOFError
        while stops and at == stops[-1]:
            stops.pop()
        if not stops:
            return


# ---- CMS

_PKCS7 = bytes.fromhex("2a864886f70d0107")
_SMIME = bytes.fromhex("2a864886f70d01091001")
"""What the identifiers of all types begin with: 1.2.840.113549.1.7 and 1.2.840.113549.1.9.16.1."""

_DATA, _COMPRESSED = _PKCS7 + b"\1", _SMIME + b"\x09"

_ENCRYPTED = frozenset({*(_PKCS7 + bytes((kind,)) for kind in (3, 4, 6)), _SMIME + b"\x17"})
"""Enveloped, signed and enveloped (PKCS#7 1.5), encrypted, authEnveloped (RFC 5083)."""

_AT = {_PKCS7 + b"\2": 0, _PKCS7 + b"\5": 1, _SMIME + b"\2": 1, _COMPRESSED: 1}
"""Signed, digested, authenticated and compressed data: which SEQUENCE in it has the type of the content, and the content."""

_TYPES = frozenset({_DATA, *_ENCRYPTED, *_AT})

_SUFFIXES = dict.fromkeys((".p7m", ".p7z", ".p7s", ".p7b", ".p7"), "")


def _content(data: bytes, info: _Element) -> tuple[bytes, _Element | None]:
    """The type of the content and the content in a SEQUENCE of both; None for the content if it is elsewhere."""
    fields = {each.tag: each for each in islice(_within(data, info), 2)}
    kind = fields.get(_OBJECT_IDENTIFIER)
    content = next(_within(data, fields[_CONTENT]), None) if _CONTENT in fields else None
    return data[kind.start : kind.stop] if kind else b"", content


def _looks_like(layer: Layer) -> bool:
    """Whether it begins with the identifier of a type within a SEQUENCE."""
    data = layer.data
    if data[:1] != bytes((_SEQUENCE,)):
        return False
    try:
        kind = _element(data, _element(data, 0).start)
    except IndexError:
        return False
    return kind.tag == _OBJECT_IDENTIFIER and data[kind.start : kind.stop] in _TYPES


def _open(layer: Layer, budget: Budget) -> Iterator[Item]:
    data = layer.data
    outer, content = _content(data, _element(data, 0))
    kind = outer
    if outer in _ENCRYPTED:
        yield Obstacle(Status.ENCRYPTED, f"encrypted: {layer.name}")
        return
    if outer in _AT and content:
        sequences = (each for each in _within(data, content) if each.tag == _SEQUENCE)
        kind, content = _content(data, next(islice(sequences, _AT[outer], None)))
    if content is None:
        return
    name = f"{layer.name}/{unpacked_name(layer.name, _SUFFIXES)}"
    items = member(name, _octets(data, content), budget, len(data))
    for item in _inflated(items, budget) if outer == _COMPRESSED else items:
        yield _typed(item, kind) if isinstance(item, Layer) else item


def _inflated(items: Iterator[Item], budget: Budget) -> Iterator[Item]:
    """`items` with their layers inflated. RFC 3274, 2: zlib is the only algorithm."""
    for item in items:
        if isinstance(item, Layer):
            yield from member(item.name, stream(Inflate(15), item.data, 0), budget, len(item.data))
        else:
            yield item


def _octets(data: bytes, content: _Element) -> Iterator[bytes]:
    """The content in chunks. In PKCS#7 1.5 it may be something else than an OCTET STRING."""
    if content.tag not in _OCTET_STRINGS:
        yield data[content.at : content.stop]
        return
    chunk = bytearray()
    try:
        for number, piece in enumerate(_pieces(data, content), 1):
            chunk += piece
            if number % _TOGETHER == 0:
                yield bytes(chunk)
                chunk.clear()
    except Exception:  # what is before a fault is content too
        yield bytes(chunk)
        raise
    yield bytes(chunk)


def _typed(layer: Layer, kind: bytes) -> Layer:
    """`layer` as a content of that type: one that is CMS again is without its type (RFC 5652, 5.2)."""
    if kind == _DATA and not _looks_like(layer):
        return as_entity(layer)
    if kind in _TYPES and kind != _DATA:
        identifier = bytes((_OBJECT_IDENTIFIER, len(kind))) + kind
        return layer._replace(data=b"\x30\x80" + identifier + b"\xa0\x80" + layer.data + bytes(4))
    return layer


# ---- as text (RFC 7468, 8 and 9)

_BEGIN = re.compile(rb"^-----BEGIN (?:PKCS ?#?7(?: SIGNED DATA)?|CMS)-----", re.MULTILINE)


def _has_text(layer: Layer) -> bool:
    return _BEGIN.search(layer.data) is not None


def _in_text(data: bytes) -> Iterator[tuple[str, bytes]]:
    for number, begin in enumerate(_BEGIN.finditer(data), 1):
        end = data.find(b"-----", begin.end())
        yield f"{number}.p7m", DECODERS["base64"](data[begin.end() : end if end >= 0 else None])


smime = Format("smime", _open, looks_like=_looks_like, unusual=True)
smime_text = Format("smime text", plainly(_in_text), looks_like=_has_text, needs=b"-----BEGIN ", unusual=True)
