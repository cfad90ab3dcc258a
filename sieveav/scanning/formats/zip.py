"""zip: the entries of a zip archive, also one that follows something else, such as a program. APPNOTE.TXT.

The directory is what counts; the header before each entry, which some programs use instead, must agree with it.
"""

from __future__ import annotations

import bz2
import lzma
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from sieveav.scanning.format import Format
from sieveav.scanning.formats.ole_object import MAGIC as OLE2
from sieveav.scanning.formats.zstd import zstd_frame
from sieveav.scanning.layers import MEMBERS, MEMORY, Budget, Item, Layer, Obstacle, member, safely, unusually
from sieveav.scanning.streams import Inflate, stream, xz
from sieveav.verdict import Status

STARTS = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08", b"PK00PK\x03\x04")
ENTRY = b"PK\x03\x04"
DIRECTORY = b"PK\x01\x02"
END = b"PK\x05\x06"
_END_64, _LOCATOR_64 = b"PK\x06\x06", b"PK\x06\x07"

TAIL = 128 * 1024
"""The last octets of a file, in which an end record is looked for. It has 22 octets and a comment of up to 65,535; some
programs accept something behind it."""

ENCRYPTED = 0x2041
"""General purpose flags: encrypted, strongly encrypted, local header masked. APPNOTE.TXT, 4.4.4."""

_STREAMED = 0x0008
"""General purpose flag: CRC and sizes follow the data, the local header has zeros."""

_UTF_8 = 0x0800
"""General purpose flag: the name is UTF-8."""

_ELSEWHERE = 0xFFFFFFFF
"""In place of a size or an offset that is in another field."""

_SIZES = 0x0001
"""The extra field with the sizes of a large entry. APPNOTE.TXT, 4.5.3."""

_UNICODE_PATH = 0x7075
"""The extra field with a name in UTF-8, behind a version and a checksum. APPNOTE.TXT, 4.6.9."""

_LOCAL = struct.Struct("<4s5H3L2H")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_END_RECORD = struct.Struct("<4s4H2LH")
_END_RECORD_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_EXTRA = struct.Struct("<2H")
_UINT_64 = struct.Struct("<Q")

_LZMA = struct.Struct("<LBL")
"""Version (two octets) and length of the properties (two octets, 5), then lc/lp/pb and the dictionary's size."""


@dataclass(frozen=True, slots=True)
class _Stated:
    """What is stated about an entry."""

    flags: int
    method: int
    crc: int
    packed: int
    size: int
    name: str


@dataclass(frozen=True, slots=True)
class Entry(_Stated):
    """What the directory says about an entry."""

    other_name: str
    """The one in its extra field."""
    at: int
    """Where its header is, if the stated offsets are true."""


@dataclass(frozen=True, slots=True)
class Header(_Stated):
    """The header before an entry's data, which some programs use instead of the directory."""

    start: int
    """Where the entry's data begins."""

    @classmethod
    def read(cls, data: bytes, at: int) -> Header:
        magic, _, flags, method, _, _, crc, packed, size, length, extra = _LOCAL.unpack_from(data, at)
        if magic != ENTRY or at < 0:
            raise ValueError("no entry where the directory says that there is one")
        start = at + _LOCAL.size
        name = _text(data[start : start + length], flags)
        return cls(flags, method, crc, packed, size, name, start + length + extra)

    def agrees(self, entry: Entry) -> bool:
        """Whether it agrees with the directory's `entry`."""
        streamed = bool(self.flags & _STREAMED)
        return self.method == entry.method and all(
            here in (there, _ELSEWHERE) or (streamed and here == 0)
            for here, there in ((self.crc, entry.crc), (self.packed, entry.packed), (self.size, entry.size))
        )


def _text(name: bytes, flags: int) -> str:
    """A name. Programs written in C end it at the first NUL."""
    return name.partition(b"\0")[0].decode("utf-8" if flags & _UTF_8 else "cp437", "replace")


# ---- the end record, and the directory that it refers to


@dataclass(frozen=True, slots=True)
class _End:
    """An end record of an archive: the last octets of it, from which programs find the directory."""

    at: int
    last: int
    """Where the directory must end: before this record, or before that for large archives."""
    start: int
    """Where the directory begins, if it ends where this record begins."""
    stated: int
    """Where it begins according to the record: programs disagree which of both counts."""
    agrees: bool
    """Whether the record for large archives, if there is one, says the same and is where it should be."""

    @classmethod
    def read(cls, data: bytes, at: int) -> _End:
        *_, size, stated, _ = _END_RECORD.unpack_from(data, at)
        last, agrees = at, True
        if data.startswith(_LOCATOR_64, max(0, at - _LOCATOR.size)):  # APPNOTE.TXT, 4.3.14 and 4.3.15
            last = at - _LOCATOR.size - _END_RECORD_64.size
            magic, *_, size_64, stated_64 = _END_RECORD_64.unpack_from(data, max(0, last))
            agrees = magic == _END_64 and size in (size_64, _ELSEWHERE) and stated in (stated_64, _ELSEWHERE)
            size, stated = size_64, stated_64
            _, _, where, _ = _LOCATOR.unpack_from(data, at - _LOCATOR.size)
            agrees = agrees and where == stated + size
        return cls(at, last, last - size, stated, agrees)

    def is_plausible(self, data: bytes) -> bool:
        """Whether there is a directory where it should be."""
        return self.start >= 0 and any(data.startswith(DIRECTORY, at) for at in (self.start, self.stated))


def _end(data: bytes) -> _End | None:
    """The last end record that refers to a directory; else the last, if `data` begins like an archive."""
    first, at = None, len(data) + 1
    while (at := data.rfind(END, max(0, len(data) - TAIL), at - 1 + len(END))) >= 0:
        try:
            end = _End.read(data, at)
        except struct.error:  # it does not fit
            continue
        if end.is_plausible(data):
            return end
        first = first or end
    return first if data.startswith(STARTS) else None


def _directory(data: bytes, end: _End, budget: Budget) -> Iterator[Entry]:
    """The entries of the directory. ValueError if it is malformed.

    Not by `zipfile`, which takes half a second for a megabyte of extra fields.
    """
    at = end.start
    while at < end.last:
        magic, *fields = _ENTRY.unpack_from(data, at)
        if magic != DIRECTORY or not budget.check():
            raise ValueError("no entry of the directory")
        _, _, flags, method, _, _, crc, packed, size, name, extra, comment, _, _, _, where = fields
        at += _ENTRY.size + name + extra
        large, other_name = _read_extra(data, at - extra, at)
        sizes = [_UINT_64.unpack_from(large, 8 * number)[0] for number in range(len(large) // 8)]
        # APPNOTE.TXT, 4.5.3: those that are in the extra field, in this order
        size, packed, where = (sizes.pop(0) if value == _ELSEWHERE else value for value in (size, packed, where))
        text = _text(data[at - extra - name : at - extra], flags)
        yield Entry(flags, method, crc, packed, size, text, other_name, where)
        at += comment
    if at != end.last:
        raise ValueError("the directory does not end where the end record begins")


def names(data: bytes, budget: Budget) -> Iterator[str]:
    """The names in the directory of a zip archive, without one none. ValueError if it is malformed."""
    end = _end(data)
    if end is not None:
        yield from (entry.name for entry in islice(_directory(data, end, budget), MEMBERS))


def _read_extra(data: bytes, at: int, end: int) -> tuple[bytes, str]:
    """Two extra fields of data[at:end]: the sizes of a large entry, and the name in UTF-8."""
    large, name = b"", ""
    while at + _EXTRA.size <= end:
        kind, size = _EXTRA.unpack_from(data, at)
        at += _EXTRA.size + size
        if at > end:
            raise ValueError("an extra field that is longer than all of them")
        if kind == _SIZES:
            large = data[at - size : at]
        elif kind == _UNICODE_PATH:
            name = _text(data[at - size + 5 : at], _UTF_8)
    return large, name


def _is_misplaced(data: bytes, entries: list[Entry], end: _End) -> bool:
    """Whether programs that believe the stated offsets see another archive than those that shift all of them, as for an
    archive behind something else."""
    shift = end.start - end.stated
    if not end.agrees or shift < 0:
        return True
    if shift == 0:
        return False
    return data.startswith(DIRECTORY, end.stated) or any(data.startswith(ENTRY, entry.at) for entry in entries)


_HOLDERS = ((0, b"%PDF-"), (257, b"ustar"), (0, OLE2))
"""Files that hold archives in clear, one behind the other, and are opened as what they are."""


def _hides(data: bytes, entries: list[Entry], end: _End) -> bool:
    """Whether there is an entry that the directory does not list: other programs would find it."""
    position, shift = 0, end.start - end.stated
    entries = sorted(entries, key=lambda entry: entry.at)
    if entries and any(data.startswith(magic, at) for at, magic in _HOLDERS):
        position = entries[0].at + shift
    for entry in entries:
        if data.find(ENTRY, position, entry.at + shift) >= 0:
            return True
        position = max(position, Header.read(data, entry.at + shift).start + entry.packed)
    return data.find(ENTRY, position, end.start) >= 0


# ---- entries


def _lzma_in_zip(packed: bytes) -> Iterator[bytes]:
    version_and_length, properties, dictionary = _LZMA.unpack_from(packed)
    if version_and_length >> 16 != 5 or dictionary > MEMORY:
        raise lzma.LZMAError("over the memory limit")
    settings = {"lc": properties % 9, "lp": properties // 9 % 5, "pb": properties // 45, "dict_size": dictionary}
    decompressor = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA1, **settings}])
    return stream(decompressor, packed, _LZMA.size, endless=True)


_METHODS: dict[int, Callable[[bytes], Iterator[bytes]]] = {
    0: lambda packed: iter((packed,)),
    8: lambda packed: stream(Inflate(-15), packed, 0),
    12: lambda packed: stream(bz2.BZ2Decompressor(), packed, 0),
    14: _lzma_in_zip,
    **dict.fromkeys((20, 93), lambda packed: stream(zstd_frame(), packed, 0)),  # 20: the first number of zstd
    95: lambda packed: stream(xz(), packed, 0),
}
"""APPNOTE.TXT, 4.4.5."""

USUAL_METHODS = frozenset({0, 8, 12})
"""Those that other scanners know."""


def _zip(layer: Layer, budget: Budget) -> Iterator[Item]:
    name, data = layer.name, layer.data
    end = _end(data)
    if end is None:
        if data.startswith(STARTS):
            raise ValueError("no end")
        return  # only looked like a zip archive after something else
    entries = list(islice(_directory(data, end, budget), MEMBERS + 1))
    if len(entries) > MEMBERS:
        budget.over = Obstacle(Status.LIMITS, f"more than {MEMBERS} members")
    for entry in entries:
        if budget.over:
            return
        yield from safely(_entry(name, data, entry, end, budget), entry.name)
    if budget.over:
        return
    if _hides(data, entries, end):
        yield Obstacle(Status.UNSCANNABLE, f"entries that the archive's directory does not list: {name}")
    if _is_misplaced(data, entries, end) or data.find(END, end.start, end.at) >= 0:
        yield Obstacle(Status.UNSCANNABLE, f"two directories that programs disagree about: {name}")


def _entry(path: str, data: bytes, entry: Entry, end: _End, budget: Budget) -> Iterator[Item]:
    header = Header.read(data, entry.at + end.start - end.stated)
    for each in _names(entry, header):
        name = f"{path}/{each}"
        if (header.flags | entry.flags) & ENCRYPTED:
            yield Obstacle(Status.ENCRYPTED, f"encrypted: {name}")
        elif entry.method not in _METHODS:
            yield Obstacle(Status.UNSCANNABLE, f"compression method {entry.method}: {name}", "zip")
        else:
            packed = data[header.start : header.start + entry.packed]
            items = member(name, _METHODS[entry.method](packed), budget, len(packed), (entry.size, entry.crc))
            yield from items if _is_usual(entry, header, end) else unusually(items)
            if not header.agrees(entry):
                yield Obstacle(Status.UNSCANNABLE, f"two headers that disagree: {name}")
            if budget.over:
                return


def _is_usual(entry: Entry, header: Header, end: _End) -> bool:
    """Whether other scanners open the entry: many do not know the records for large archives (APPNOTE.TXT, 4.3.14, 4.5.3)."""
    return entry.method in USUAL_METHODS and end.last == end.at and _ELSEWHERE not in (header.packed, header.size)


def _names(entry: Entry, header: Header) -> Iterator[str]:
    """The names by which programs show the entry, but only one of those with the same extension: that of the directory,
    the one in its extra field, that of the header before the data."""
    seen = set()
    for name in (entry.name, entry.other_name or entry.name, header.name):
        extension = name.rpartition(".")[2].lower()
        if extension not in seen:
            yield name
        seen.add(extension)


def _ends_so(layer: Layer) -> bool:
    """Whether there is an end record, of an archive behind something else."""
    return layer.data.find(END, max(0, len(layer.data) - TAIL)) >= 0


zip_archive = Format("zip", _zip, tuple((0, start) for start in STARTS), _ends_so)
