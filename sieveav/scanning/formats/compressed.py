"""compressed: gzip (RFC 1952), bzip2, xz and .lzma: one file, compressed, in one stream or several."""

from __future__ import annotations

import bz2
from collections.abc import Callable, Iterator

from sieveav.scanning.format import Format
from sieveav.scanning.layers import Budget, Item, Layer, Opener, member
from sieveav.scanning.streams import Decompressor, Inflate, streams, xz

GZIP = b"\x1f\x8b"
BZIP2 = b"BZh"
XZ = b"\xfd7zXZ\x00"
LZMA = b"\x5d\x00\x00"


def _opener(make: Callable[[], Decompressor], magic: bytes) -> Opener:
    def opener(layer: Layer, budget: Budget) -> Iterator[Item]:
        return member(f"{layer.name}/content", streams(make, magic, layer.data), budget, len(layer.data))

    return opener


gzip = Format("gzip", _opener(lambda: Inflate(31), GZIP), ((0, GZIP),))
bzip2 = Format("bzip2", _opener(bz2.BZ2Decompressor, BZIP2), ((0, BZIP2),))
xz_stream = Format("xz", _opener(xz, XZ), ((0, XZ),))
lzma_alone = Format("lzma", _opener(xz, LZMA), ((0, LZMA),))
