"""zip: the entries of a zip archive, also one that follows something else, such as a program. APPNOTE.TXT.

The directory is read by `zipfile`; the header before each entry, which some programs use instead, is read here.
"""

from __future__ import annotations

import bz2
import io
import lzma
import struct
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sieveav.scanning.format import Format
from sieveav.scanning.layers import MEMBERS, MEMORY, Budget, Item, Layer, Obstacle, member, safely
from sieveav.scanning.streams import Inflate, stream
from sieveav.verdict import Status

STARTS = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08", b"PK00PK\x03\x04")
ENTRY = b"PK\x03\x04"
DIRECTORY = b"PK\x01\x02"
END = b"PK\x05\x06"
TAIL = 65_557
"""The last octets of a zip archive, which contain its end record: 22, and a comment of up to 65,535."""

ENCRYPTED = 0x2041
"""General purpose flags: encrypted, strongly encrypted, local header masked. APPNOTE.TXT, 4.4.4."""

_STREAMED = 0x0008
"""General purpose flag: CRC and sizes follow the data, the local header has zeros."""

_ELSEWHERE = 0xFFFFFFFF
"""In place of a size that is in the extra field."""

_LOCAL = struct.Struct("<4s5H3L2H")

_LZMA = struct.Struct("<LBL")
"""Version (two octets) and length of the properties (two octets, 5), then lc/lp/pb and the dictionary's size."""


@dataclass(frozen=True, slots=True)
class Header:
    """The header before an entry's data, which some programs use instead of the directory."""

    flags: int
    method: int
    crc: int
    packed: int
    size: int
    start: int
    """Where the entry's data begins."""

    @classmethod
    def read(cls, data: bytes, at: int) -> Header:
        magic, _, flags, method, _, _, crc, packed, size, name, extra = _LOCAL.unpack_from(data, at)
        if magic != ENTRY:
            raise ValueError("no entry where the directory says that there is one")
        return cls(flags, method, crc, packed, size, at + _LOCAL.size + name + extra)

    def agrees(self, entry: zipfile.ZipInfo) -> bool:
        """Whether it agrees with the directory's `entry`."""
        streamed = bool(self.flags & _STREAMED)
        return self.method == entry.compress_type and all(
            here in (there, _ELSEWHERE) or (streamed and here == 0)
            for here, there in (
                (self.crc, entry.CRC),
                (self.packed, entry.compress_size),
                (self.size, entry.file_size),
            )
        )


def _hides(data: bytes, archive: zipfile.ZipFile) -> bool:
    """Whether there is an entry that the directory does not list: other programs would find it."""
    position = 0
    for entry in sorted(archive.infolist(), key=lambda entry: entry.header_offset):
        if data.find(ENTRY, position, entry.header_offset) >= 0:
            return True
        position = max(position, Header.read(data, entry.header_offset).start + entry.compress_size)
    return data.find(ENTRY, position, archive.start_dir) >= 0


def _lzma_in_zip(packed: bytes) -> Iterator[bytes]:
    version_and_length, properties, dictionary = _LZMA.unpack_from(packed)
    if version_and_length >> 16 != 5 or dictionary > MEMORY:
        raise lzma.LZMAError("over the memory limit")
    settings = {"lc": properties % 9, "lp": properties // 9 % 5, "pb": properties // 45, "dict_size": dictionary}
    decompressor = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA1, **settings}])
    return stream(decompressor, packed, _LZMA.size, endless=True)


_METHODS: dict[int, Callable[[bytes], Iterator[bytes]]] = {
    zipfile.ZIP_STORED: lambda packed: iter((packed,)),
    zipfile.ZIP_DEFLATED: lambda packed: stream(Inflate(-15), packed, 0),
    zipfile.ZIP_BZIP2: lambda packed: stream(bz2.BZ2Decompressor(), packed, 0),
    zipfile.ZIP_LZMA: _lzma_in_zip,
}


def _zip(layer: Layer, budget: Budget) -> Iterator[Item]:
    name, data = layer.name, layer.data
    if data.count(DIRECTORY) > MEMBERS:  # before zipfile makes an object for each
        budget.over = Obstacle(Status.LIMITS, f"more than {MEMBERS} members")
        return
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except zipfile.BadZipFile:
        if data.startswith(STARTS):
            raise
        return  # only looked like a zip archive after something else
    with archive:
        for entry in archive.infolist():
            yield from safely(_entry(f"{name}/{entry.filename}", data, entry, budget), entry.filename)
            if budget.over:
                return
        if _hides(data, archive):
            yield Obstacle(Status.UNSCANNABLE, f"entries that the archive's directory does not list: {name}")


def _entry(name: str, data: bytes, entry: zipfile.ZipInfo, budget: Budget) -> Iterator[Item]:
    header = Header.read(data, entry.header_offset)
    if (header.flags | entry.flag_bits) & ENCRYPTED:
        yield Obstacle(Status.ENCRYPTED, f"encrypted: {name}")
    elif entry.compress_type not in _METHODS:
        yield Obstacle(Status.UNSCANNABLE, f"compression method {entry.compress_type}: {name}")
    else:
        packed = data[header.start : header.start + entry.compress_size]
        chunks = _METHODS[entry.compress_type](packed)
        yield from member(name, chunks, budget, len(packed), (entry.file_size, entry.CRC))
        if not header.agrees(entry):
            yield Obstacle(Status.UNSCANNABLE, f"two headers that disagree: {name}")


def _ends_so(layer: Layer) -> bool:
    """Whether there is an end record, of an archive behind something else."""
    return layer.data.find(END, max(0, len(layer.data) - TAIL)) >= 0


zip_archive = Format("zip", _zip, tuple((0, start) for start in STARTS), _ends_so)
