"""pdf: the streams of a PDF, and whether it needs a password. ISO 32000-2, 7.3.8, 7.4, 7.6.

Nothing is looked up by its number: every stream is taken, wherever it is. Only a document that names attached files, scripts
or forms has something in it that a reader opens; its streams are layers of their own. Those of any other document are its
pages and fonts: they are one layer, without its pictures, for which the bounds would be too low.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple

from sieveav.scanning.format import ANY, Format
from sieveav.scanning.formats.pdf_password import opens_without, string
from sieveav.scanning.layers import CHUNK, MEMBERS, Budget, Item, Layer, Obstacle, doubtfully, member
from sieveav.scanning.streams import Inflate, stream
from sieveav.verdict import Status

_HEAD = 1024
"""The first octets, in one of which readers look for the magic."""
_MAGIC = b"%PDF-"

_FILES = re.compile(rb"/(?:EmbeddedFiles?|FileAttachment|RichMedia|Rendition)\b")
_SCRIPTS = re.compile(rb"/(?:JavaScript|XFA)\b")
"""Names that a document with attached files, or with scripts, must have."""

_ESCAPE = re.compile(rb"#([0-9A-Fa-f]{2})")


def _plain(data: bytes) -> bytes:
    """`data` without the escapes of names (7.3.5)."""
    return _ESCAPE.sub(lambda escape: bytes.fromhex(escape[1].decode()), data) if b"#" in data else data


# ---- filters (7.4)


def _as_it_is(packed: bytes) -> Iterator[bytes]:
    yield packed


def _inflated(packed: bytes) -> Iterator[bytes]:
    """As readers do it: without the checksum of zlib (RFC 1950), and up to the end if it is truncated."""
    return stream(Inflate(-15), packed, 2, endless=True)


_BLANK = b"\0\t\n\f\r "


def _hexadecimal(packed: bytes) -> Iterator[bytes]:
    digits = packed.translate(None, _BLANK).partition(b">")[0]
    yield binascii.unhexlify(digits + b"0" * (len(digits) % 2))


def _base85(packed: bytes) -> Iterator[bytes]:
    digits = packed.translate(None, _BLANK).partition(b"~")[0].replace(b"z", b"!!!!!")
    for at in range(0, len(digits), CHUNK * 5 // 64):
        yield base64.a85decode(digits[at : at + CHUNK * 5 // 64])


_FILTERS: dict[bytes, Callable[[bytes], Iterator[bytes]]] = {
    **dict.fromkeys((b"FlateDecode", b"Fl"), _inflated),
    **dict.fromkeys((b"ASCIIHexDecode", b"AHx"), _hexadecimal),
    **dict.fromkeys((b"ASCII85Decode", b"A85"), _base85),
}

_PICTURES = frozenset((b"DCTDecode", b"DCT", b"CCITTFaxDecode", b"CCF", b"JPXDecode", b"JBIG2Decode"))
"""Filters that give pixels."""


# ---- streams

_KEY = re.compile(rb"/Filter\s*+(?:\[([^\]]*+)\]|(/[^\s/<>\[\]()%]++)|)")
_NAME = re.compile(rb"/([^\s/<>\[\]()%]++)")
_PREDICTOR = re.compile(rb"/Predictor\s*+(?!1\b)")
_LENGTH = re.compile(rb"/Length\s++(\d{1,10})(?!\d|\s++\d++\s++R)")

_FILE = re.compile(rb"/EmbeddedFile\b")
_PICTURE = re.compile(rb"/Image\b")
_OBJECTS = re.compile(rb"/(?:ObjStm|First)\b")
_TYPED = re.compile(rb"/(?:Type|Subtype|Length1)\b")
"""What a stream is, by a name in its dictionary: an attached file, a picture, objects; or something else than a file."""


class _Stream(NamedTuple):
    """A stream: its dictionary, without escapes, where its octets are, and how they were packed."""

    dictionary: bytes
    octets: slice
    filters: list[bytes]

    def has(self, name: re.Pattern[bytes]) -> bool:
        """Whether a name is in the dictionary."""
        return name.search(self.dictionary) is not None

    @property
    def is_hidden(self) -> bool:
        """Whether it may be a file, or objects, packed in a way that is not undone here."""
        undone = _FILTERS.keys() if self.has(_FILE) else _FILTERS.keys() | _PICTURES
        may_be_predicted = self.has(_FILE) or self.has(_OBJECTS) or not self.has(_TYPED)
        return (
            not undone >= set(self.filters)
            or (may_be_predicted and self.has(_PREDICTOR))
            or len(_KEY.findall(self.dictionary)) > 1  # of which programs take the first or the last
        )


def _filters(dictionary: bytes, data: bytes, at: int) -> list[bytes]:
    """The filters of a stream that begins there. If they are said elsewhere, or not at all, zlib is known by its first octets
    (RFC 1950, 2.2)."""
    key = _KEY.search(dictionary)
    if key and (key[1] or key[2]):
        return _NAME.findall(key[1] or key[2])
    first = data[at : at + 2]
    return [b"FlateDecode"] if first and first[0] & 0x0F == 8 and int.from_bytes(first) % 31 == 0 else []


_STREAM = re.compile(rb"stream\s*+")
_END = b"endstream"

_MOST = 20 * MEMBERS
"""Times that the word may occur, two for each stream; the glyphs of a font may be streams."""

_OVERLAP = 4
"""Times that octets may be part of streams: a document may be attached to a document."""


def _streams(data: bytes, budget: Budget) -> Iterator[_Stream]:
    """All streams. What is in one may look like streams too."""
    after, left = 0, _OVERLAP * len(data)
    for count, keyword in enumerate(_STREAM.finditer(data)):
        if count > _MOST or left < 0:
            budget.over = Obstacle(Status.LIMITS, "too many streams in a PDF")
            return
        before, after, start = after, keyword.end(), keyword.start()
        if data.startswith(_END, start - 3):
            continue
        begin = data.rfind(b"obj", before, start)
        dictionary = _plain(data[max(before, begin) : start])
        if b">>" not in dictionary:
            continue
        stop = _end(data, dictionary, after)
        left -= stop - after
        yield _Stream(dictionary, slice(after, stop), _filters(dictionary, data, after))


def _end(data: bytes, dictionary: bytes, start: int) -> int:
    """Where a stream ends: if its length is right, it may have the word for its end in it."""
    length = _LENGTH.search(dictionary)
    stop = start + int(length[1]) if length else len(data)
    if data.find(_END, stop, stop + len(_END) + 2) < 0:
        stop = data.find(_END, start)
    return stop if stop >= 0 else len(data)


def _unpacked(name: str, packed: bytes, filters: list[bytes], budget: Budget) -> Iterator[Item]:
    """One layer, and an obstacle if there may be more."""
    layer = Layer(name, packed)
    faults: list[Item] = []
    for each in filters:
        if each not in _FILTERS:
            break
        for item in member(name, _FILTERS[each](layer.data), budget, len(layer.data)):
            if isinstance(item, Layer):
                layer = item
            else:
                faults.append(item)
    yield layer
    yield from faults


def _joined(name: str, data: bytes, streams: list[_Stream], budget: Budget) -> Iterator[Item]:
    """One layer of all that is packed, and obstacles."""
    pieces: list[bytes] = []
    for each in streams:
        if each.filters and budget.over is None:
            for item in _unpacked(name, data[each.octets], each.filters, budget):
                if isinstance(item, Layer):
                    pieces.append(item.data)
                else:
                    yield item
    if pieces:
        yield Layer(name, b"\n".join(pieces), opened=ANY)


def _separate(name: str, packed: bytes, each: _Stream, budget: Budget) -> Iterator[Item]:
    """One stream of a document with files in it. Of a picture, which is not a file, only the beginning."""
    if each.has(_PICTURE):
        unpack = _FILTERS.get(next(iter(each.filters), b""), _as_it_is)
        for item in member(name, islice(unpack(packed), 1), budget, len(packed)):
            yield item._replace(doubtful=True) if isinstance(item, Layer) else item
        return
    yield from _unpacked(name, packed, each.filters, budget)
    yield from _hidden(name, each)


def _hidden(name: str, each: _Stream) -> Iterator[Item]:
    if each.is_hidden:
        yield Obstacle(Status.UNSCANNABLE, f"a filter that is not undone here: {name}")


# ---- passwords

_ENCRYPT = re.compile(rb"/Encrypt\s*+(?:(\d{1,10})\s++(\d{1,5})\s++R|(?=<<))")
_IDENTIFIER = re.compile(rb"/ID\s*+\[\s*+")

_REVISIONS = 4
"""Encryption dictionaries that are looked at: a document has one, and each revision repeats where it is."""

_DICTIONARY = 8192
"""Octets of one."""


def _encryptions(data: bytes) -> Iterator[bytes]:
    """The encryption dictionaries; none if the document is not encrypted."""
    keys = {key[1] or key.start(): key for key in islice(_ENCRYPT.finditer(data), MEMBERS)}
    if len(keys) > _REVISIONS:
        yield b"any"
    for key in islice(keys.values(), _REVISIONS):
        start = key.end()
        if key[1]:
            objects = [each.end() for each in re.finditer(rb"(?<!\d)%b\s++%b\s++obj\b" % (key[1], key[2]), data)]
            start = objects[-1] if objects else len(data)
        if dictionary := data[start : start + _DICTIONARY].partition(b"endobj")[0]:
            yield dictionary


# ---- documents


def _open(layer: Layer, budget: Budget) -> Iterator[Item]:
    data, name = layer.data, layer.name
    text = _plain(data)
    key = _IDENTIFIER.search(text)
    identifier = string(text[key.end() : key.end() + _DICTIONARY], 0) if key else b""
    encryptions = list(_encryptions(text))
    if not all(opens_without(each, identifier) for each in encryptions):
        yield Obstacle(Status.ENCRYPTED, f"encrypted: {name}")
        return
    streams = list(_streams(data, budget))
    in_objects = [each for each in streams if each.has(_OBJECTS)]
    for item in _joined(f"{name}/objects", data, in_objects, budget):
        if isinstance(item, Layer):
            text += b"\n" + _plain(item.data)
            yield item
        elif not encryptions:
            yield item
    for each in in_objects:
        yield from _hidden(f"{name}/objects", each)
    if encryptions and _FILES.search(text):
        yield Obstacle(Status.ENCRYPTED, f"encrypted files: {name}")
    elif not encryptions and (_FILES.search(text) or _SCRIPTS.search(text)):
        for number, each in enumerate(streams, 1):
            if budget.over is None:
                yield from _separate(f"{name}/stream {number}", data[each.octets], each, budget)
    else:
        in_pages = [each for each in streams if not each.has(_OBJECTS) and not each.has(_PICTURE)]
        yield from doubtfully(_joined(f"{name}/pages", data, in_pages, budget))


pdf = Format("pdf", _open, looks_like=lambda layer: layer.data.find(_MAGIC, 0, _HEAD + len(_MAGIC)) >= 0)
