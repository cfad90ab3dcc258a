"""unpacking: a content into its layers: itself, its decoded parts, the contents of archives; and what cannot be opened.

Pure and total: any octets give layers and obstacles, and nothing is raised. Archives that the standard library can decompress
are opened (zip, gzip, bzip2, xz, lzma, tar; TNEF and uuencode need no library); others are recognized by their magic octets
(`formats`) and are obstacles. Everything is bounded: by the constants below, and by the deadline, which is checked every
`CHUNK` octets.
"""

from __future__ import annotations

import bz2
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple

from sieveav import mime
from sieveav.limits import MIB
from sieveav.scanning import containers, formats
from sieveav.scanning.contract import Content, Deadline
from sieveav.verdict import Status

DEPTH = 16
"""Archives within archives; clamd's MaxRecursion is 17, people send two or three."""

MEMBERS = 10_000
"""Layers of one content, of all depths together; clamd's MaxFiles."""

OCTETS = 100 * MIB
"""Octets unpacked from one content, of all layers together: clamd's MaxFileSize, which takes bzip2 a few seconds."""

RATIO = 250
"""Octets that one packed octet may become in a layer larger than `RATIO_FROM`. ClamAV's old default; office documents stay
under 100, a bomb of zeros packed by deflate has 1000."""

RATIO_FROM = 4 * MIB
"""A smaller layer is harmless at any ratio."""

MEMORY = 100 * MIB
"""Octets that one decompressor may allocate: `xz -9` needs 65 MiB, a malicious header asks for 4 GiB."""

CHUNK = MIB
"""Octets unpacked between two checks of the bounds: a hundredth of a second for bzip2."""

WINDOW = 64 * 1024
"""Octets passed to a decompressor at a time: of thousands of concatenated streams, none copies the rest of the file."""

MESSAGES = (".eml", ".mht", ".mhtml")
"""Extensions of files that mail clients and browsers open as messages."""


class Layer(NamedTuple):
    """Octets to scan, with the path to them: `name/member/member`."""

    name: str
    data: bytes


class Obstacle(NamedTuple):
    """Something that could not be opened, as the status and reason of a verdict."""

    status: Status
    reason: str


Item = Layer | Obstacle


@dataclass
class Budget:
    """What may still be unpacked of one content. `over` is set when a bound is exceeded; unpacking then ends."""

    deadline: Deadline
    members: int = MEMBERS
    octets: int = OCTETS
    over: Obstacle | None = field(default=None, init=False)

    def check(self, unpacked: int = 0, total: int = 0, packed: int = 0) -> bool:
        """Count `unpacked` octets of a layer that now has `total`, unpacked from `packed`; false if that is too much."""
        self.octets -= unpacked
        if self.deadline.left() <= 0:
            self.over = Obstacle(Status.ERROR, "timeout")
        elif self.octets < 0:
            self.over = Obstacle(Status.LIMITS, f"unpacks to more than {OCTETS // MIB} MiB")
        elif total > RATIO_FROM and total > RATIO * packed:
            self.over = Obstacle(Status.LIMITS, f"unpacks to more than {RATIO} times its size")
        return self.over is None

    def member(self) -> bool:
        """Count one layer; false if that is one too many."""
        self.members -= 1
        if self.members < 0:
            self.over = Obstacle(Status.LIMITS, f"more than {MEMBERS} members")
        return self.check()


_Opener = Callable[[Layer, Budget], Iterator[Item]]


def layers(content: Content, budget: Budget) -> Iterator[Item]:
    """Everything to scan in `content`: first itself, then its decoded parts, all unpacked.

    If mail clients disagree about what the parts are (CVE-2024-28054), that is an obstacle too.
    """
    if content.is_message:
        return unpack(chain((Layer("message", content.raw),), _parts("message", content.structure)), budget)
    return unpack((Layer("content", content.raw),), budget)


def unpack(items: Iterable[Item], budget: Budget) -> Iterator[Item]:
    """All `items` and, after each layer and depth first, everything in it."""
    opened = [iter(items)]
    while opened:
        item = next(opened[-1], None)
        if isinstance(item, Layer) and budget.over is None:
            budget.member()
        if item is not None:
            yield item
        if budget.over:
            yield budget.over
            return
        if item is None:
            opened.pop()
        elif isinstance(item, Layer) and (inside := _inside(item, budget)):
            if len(opened) > DEPTH:
                yield Obstacle(Status.LIMITS, f"more than {DEPTH} archives within archives")
            else:
                opened.append(inside)


def _inside(layer: Layer, budget: Budget) -> Iterator[Item] | None:
    """The contents of `layer`, None if it is not an archive."""
    openers: list[_Opener] = []
    if layer.name.lower().endswith(MESSAGES):
        openers.append(_message)
    if kind := formats.recognize(layer.data):
        openers.append(_OPENERS.get(kind) or _sealed(kind))
    return chain.from_iterable(_safely(opener(layer, budget), layer.name) for opener in openers) if openers else None


def _safely(items: Iterator[Item], name: str) -> Iterator[Item]:
    """`items` up to the first exception, then an obstacle.

    Any exception, because the standard library's for malformed archives are not a closed set (struct.error, zlib.error,
    EOFError, OverflowError, NotImplementedError, ...), and each of them means that this cannot be opened.
    """
    try:
        yield from items
    except Exception as error:
        yield _obstacle(error, name)


def _obstacle(error: Exception, name: str) -> Obstacle:
    if isinstance(error, lzma.LZMAError) and "limit" in str(error):
        return Obstacle(Status.LIMITS, f"needs more than {MEMORY // MIB} MiB to unpack: {name}")
    return Obstacle(Status.UNSCANNABLE, f"broken or unknown archive: {name}")


def _member(
    name: str, chunks: Iterator[bytes], budget: Budget, packed: int, promised: tuple[int, int] | None = None
) -> Iterator[Item]:
    """One layer from its `chunks`. What was unpacked before a fault is a layer too, because a find outranks a fault.

    `promised` is the size and CRC-32 that the archive states; other content is an obstacle.
    """
    pieces: list[bytes] = []
    total = 0
    fault: Obstacle | None = None
    try:
        for chunk in chunks:
            pieces.append(chunk)
            total += len(chunk)
            if not budget.check(len(chunk), total, packed):
                break
    except Exception as error:  # as in _safely
        fault = _obstacle(error, name)
    data = b"".join(pieces)
    if fault is None and promised and budget.over is None and promised != (len(data), zlib.crc32(data)):
        fault = Obstacle(Status.UNSCANNABLE, f"not the size or checksum it states: {name}")
    yield Layer(name, data)
    if fault:
        yield fault


# -- compressed streams ----------------------------------------------------------------------------------------------


class _Inflate:
    """zlib's decompressor with the interface of bz2's and lzma's. `bits` 31 reads gzip, -15 a raw deflate stream."""

    def __init__(self, bits: int) -> None:
        self._stream = zlib.decompressobj(bits)
        self._full = False

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def needs_input(self) -> bool:
        return not self._stream.unconsumed_tail and not self._full

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data

    def decompress(self, window: bytes, most: int) -> bytes:
        chunk = self._stream.decompress(self._stream.unconsumed_tail + window, most)
        self._full = len(chunk) == most
        return chunk


_Decompressor = _Inflate | bz2.BZ2Decompressor | lzma.LZMADecompressor


def _stream(
    decompressor: _Decompressor, data: bytes, position: int, *, endless: bool = False
) -> Generator[bytes, None, int]:
    """Chunks of one compressed stream of `data` from `position`; returns where it ends.

    EOFError if it is truncated, unless it is `endless`: LZMA in zip need not mark its end.
    """
    while not decompressor.eof:
        window = data[position : position + WINDOW] if decompressor.needs_input else b""
        position += len(window)
        if decompressor.needs_input and not window:
            if endless:
                break
            raise EOFError
        yield decompressor.decompress(window, CHUNK)
    return position - len(decompressor.unused_data)


def _streams(make: Callable[[], _Decompressor], magic: bytes, data: bytes) -> Iterator[bytes]:
    """Chunks of all streams concatenated in `data`, which gzip, bzip2 and xz allow; zeros may follow."""
    position = 0
    while data.startswith(magic, position):
        position = yield from _stream(make(), data, position)  # a chunk of an empty one too: the deadline is checked
    if data[position:].strip(b"\0"):
        raise ValueError("something follows the compressed stream")


def _xz() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(memlimit=MEMORY)


def _compressed(make: Callable[[], _Decompressor], magic: bytes) -> _Opener:
    def opener(layer: Layer, budget: Budget) -> Iterator[Item]:
        return _member(f"{layer.name}/content", _streams(make, magic, layer.data), budget, len(layer.data))

    return opener


# -- zip -------------------------------------------------------------------------------------------------------------


def _lzma_in_zip(packed: bytes) -> Iterator[bytes]:
    version_and_length, properties, dictionary = containers.LZMA_IN_ZIP.unpack_from(packed)
    if version_and_length >> 16 != 5 or dictionary > MEMORY:
        raise lzma.LZMAError("over the memory limit")
    settings = {"lc": properties % 9, "lp": properties // 9 % 5, "pb": properties // 45, "dict_size": dictionary}
    decompressor = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA1, **settings}])
    return _stream(decompressor, packed, containers.LZMA_IN_ZIP.size, endless=True)


_METHODS: dict[int, Callable[[bytes], Iterator[bytes]]] = {
    zipfile.ZIP_STORED: lambda packed: iter((packed,)),
    zipfile.ZIP_DEFLATED: lambda packed: _stream(_Inflate(-15), packed, 0),
    zipfile.ZIP_BZIP2: lambda packed: _stream(bz2.BZ2Decompressor(), packed, 0),
    zipfile.ZIP_LZMA: _lzma_in_zip,
}


def _zip(layer: Layer, budget: Budget) -> Iterator[Item]:
    name, data = layer
    if data.count(formats.ZIP_DIRECTORY) > MEMBERS:  # before zipfile makes an object for each
        budget.over = Obstacle(Status.LIMITS, f"more than {MEMBERS} members")
        return
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except zipfile.BadZipFile:
        if data.startswith(formats.ZIP_STARTS):
            raise
        return  # only looked like a zip archive after something else
    with archive:
        for entry in archive.infolist():
            yield from _safely(_zip_member(f"{name}/{entry.filename}", data, entry, budget), entry.filename)
            if budget.over:
                return
        if containers.zip_hides(data, archive):
            yield Obstacle(Status.UNSCANNABLE, f"entries that the archive's directory does not list: {name}")


def _zip_member(name: str, data: bytes, entry: zipfile.ZipInfo, budget: Budget) -> Iterator[Item]:
    header = containers.ZipHeader.read(data, entry.header_offset)
    if (header.flags | entry.flag_bits) & containers.ZIP_ENCRYPTED:
        yield Obstacle(Status.ENCRYPTED, f"encrypted: {name}")
    elif entry.compress_type not in _METHODS:
        yield Obstacle(Status.UNSCANNABLE, f"compression method {entry.compress_type}: {name}")
    else:
        packed = data[header.start : header.start + entry.compress_size]
        chunks = _METHODS[entry.compress_type](packed)
        yield from _member(name, chunks, budget, len(packed), (entry.file_size, entry.CRC))
        if not header.agrees(entry):
            yield Obstacle(Status.UNSCANNABLE, f"two headers that disagree: {name}")


# -- messages, and formats without compression ---------------------------------------------------------------------


def _message(layer: Layer, budget: Budget) -> Iterator[Item]:  # noqa: ARG001  # has the signature of all openers
    return _parts(layer.name, mime.parse(layer.data))


def _parts(name: str, structure: mime.Part) -> Iterator[Item]:
    for defect in mime.defects(structure):
        if defect in mime.AMBIGUOUS:
            yield Obstacle(Status.UNSCANNABLE, f"ambiguous MIME: {defect}")
    for part in mime.walk(structure):
        if not part.parts:
            yield Layer(f"{name}/{part.filename or part.content_type}", part.decoded())


def _plainly(read: Callable[[bytes], Iterator[tuple[str, bytes]]]) -> _Opener:
    def opener(layer: Layer, budget: Budget) -> Iterator[Item]:
        for name, data in read(layer.data):
            yield from _member(f"{layer.name}/{name}", iter((data,)), budget, len(data))

    return opener


def _sealed(kind: str) -> _Opener:
    def opener(layer: Layer, budget: Budget) -> Iterator[Item]:  # noqa: ARG001  # has the signature of all openers
        yield Obstacle(Status.UNSCANNABLE, f"{kind} archive: {layer.name}")

    return opener


_OPENERS: dict[str, _Opener] = {
    "zip": _zip,
    "gzip": _compressed(lambda: _Inflate(31), formats.GZIP),
    "bzip2": _compressed(bz2.BZ2Decompressor, formats.BZIP2),
    "xz": _compressed(_xz, formats.XZ),
    "lzma": _compressed(_xz, formats.LZMA),
    "tar": _plainly(containers.tar),
    "tnef": _plainly(containers.tnef),
    "uuencode": _plainly(containers.uuencoded),
}
