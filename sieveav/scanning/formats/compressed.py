"""compressed: gzip (RFC 1952), bzip2, xz and .lzma: one file, compressed, in one stream or several."""

from __future__ import annotations

import bz2
import lzma
import struct
from collections.abc import Callable, Iterator

from sieveav.scanning.format import Format
from sieveav.scanning.layers import Budget, Item, Layer, Opener, member, unusually
from sieveav.scanning.streams import Decompressor, Inflate, lzma_alone, streams, unpacked_name, xz

GZIP = b"\x1f\x8b"
BZIP2 = b"BZh"
XZ = b"\xfd7zXZ\x00"
LZMA = b"\x5d\x00\x00"

SUFFIXES = {
    **dict.fromkeys((".gz", ".z", ".bz2", ".bz", ".xz", ".lzma"), ""),
    **dict.fromkeys((".tgz", ".taz", ".tbz2", ".tbz", ".tb2", ".txz", ".tlz"), ".tar"),
    ".svgz": ".svg",
}
"""The end of a compressed file's name -> that of its content."""

_EXTRA, _NAMED = 4, 8
"""Flags of gzip: an extra field, a file name. RFC 1952, 2.3.1."""

_NAME = 1024
"""Octets of a file name."""


def _gzip_name(data: bytes) -> str:
    """The file name in the header of gzip, or "" without one. RFC 1952, 2.3: ten octets, the extra field, the name."""
    flags, start = data[3:4], 10
    if not flags or not flags[0] & _NAMED:
        return ""
    if flags[0] & _EXTRA:
        start += 2 + int.from_bytes(data[start : start + 2], "little")
    end = data.find(b"\0", start, start + _NAME)
    return data[start:end].decode("latin-1") if end > start else ""


def _opener(make: Callable[[], Decompressor], magic: bytes) -> Opener:
    def opener(layer: Layer, budget: Budget) -> Iterator[Item]:
        data = layer.data
        name = (_gzip_name(data) if magic == GZIP else "") or unpacked_name(layer.name, SUFFIXES)
        end = len(data)

        def chunks() -> Iterator[bytes]:
            nonlocal end
            end = yield from streams(make, magic or data[:3], data)

        items = member(f"{layer.name}/{name}", chunks(), budget, len(data))
        # Other scanners may stop behind the first stream of bzip2.
        yield from unusually(items) if magic == BZIP2 and data.find(BZIP2, len(BZIP2)) >= 0 else items
        if rest := data[end:].strip(b"\0"):  # which programs ignore
            yield Layer(f"{layer.name}/after the end", rest, unusual=True)

    return opener


# ---- .lzma, which has no magic: properties, size of the dictionary, size of the content (all ones: unknown), data

_ALONE = struct.Struct("<BLQ")
_UNKNOWN = 2**64 - 1
_LARGEST = 2**38
"""Octets of content that a header may promise: the format's own programs take a larger number for another format."""

_TRIED = 4096
"""Octets that are tried."""

_DICTIONARIES = frozenset({*(2**n for n in range(12, 32)), *(3 * 2**n for n in range(11, 31)), 2**32 - 1})
"""The sizes of a dictionary that encoders write, and that programs recognise a file by."""


def _is_lzma(layer: Layer) -> bool:
    """Whether it begins like .lzma, and can be decoded: in nearly all other octets a match refers to what is before them.

    A code of zero is that of endless zeros, which no encoder writes so: it is some other file with many zeros.
    """
    data = layer.data
    if len(data) < _ALONE.size + 5 or data[_ALONE.size] != 0 or not any(data[_ALONE.size + 1 : _ALONE.size + 5]):
        return False
    properties, dictionary, size = _ALONE.unpack_from(data)
    named = layer.name.rstrip(". ").lower().endswith((".lzma", ".tlz"))
    if properties >= 9 * 5 * 5 or not (0 < size < _LARGEST or size == _UNKNOWN):
        return False
    if dictionary not in _DICTIONARIES and not named:
        return False
    decoder = lzma.LZMADecompressor(lzma.FORMAT_ALONE)
    begin = _ALONE.pack(properties, 16 * _TRIED, size) + data[_ALONE.size : _ALONE.size + _TRIED]
    try:
        decoder.decompress(begin, 16 * _TRIED)  # no match can refer to what is farther
    except lzma.LZMAError:
        return False
    return named or not decoder.eof or not decoder.unused_data


gzip = Format("gzip", _opener(lambda: Inflate(31), GZIP), ((0, GZIP),))
bzip2 = Format("bzip2", _opener(bz2.BZ2Decompressor, BZIP2), ((0, BZIP2),))
xz_stream = Format("xz", _opener(xz, XZ), ((0, XZ),))
lzma_stream = Format("lzma", _opener(lzma_alone, b""), ((0, LZMA),), _is_lzma, unusual=True)
