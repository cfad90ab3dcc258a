"""containers: 7z, RAR, CAB, LHA, ISO 9660, cpio, ar, rpm, XAR, lz4 and compress, with the libraries of the extra `containers`.

Without these libraries, a layer in such a format is an obstacle, as in any other that nothing here opens.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator, Mapping

from sieveav.scanning.containers.helpers import HELPERS, Missing
from sieveav.scanning.format import Format, Magic, refuse
from sieveav.scanning.layers import Budget, Item, Layer
from sieveav.scanning.streams import unpacked_name

_LHA = re.compile(rb"..-(?:lh[0-9dx]|lz[s245]|pm[0-2s])-", re.DOTALL)
_CPIO = re.compile(rb"07070[12][0-9A-Fa-f]{104}|070707[0-7]{70}")

RAR = b"Rar!\x1a\x07"
SEVEN_ZIP = b"7z\xbc\xaf\x27\x1c"
CAB = b"MSCF\x00\x00\x00\x00"

_RAR = re.compile(
    rb"Rar!\x1a\x07(?:\x00..\x73.[\x00-\x03]|\x01\x00.{4}[\x80-\xff]{0,2}[\x01-\x7f][\x01\x04][\x00-\x07])",
    re.DOTALL,
)
"""The marker, and the header of the archive behind it: RAR 4 or RAR 5. Its checksum may be wrong: programs go on then."""

_7Z = re.compile(rb"7z\xbc\xaf\x27\x1c\x00.(.{4})(.{20})", re.DOTALL)
"""Signature, version, and a checksum of the next 20 octets, by which programs find an archive behind something else."""

_CAB = re.compile(rb"MSCF\x00{4}(?!\x00{4}).{4}\x00{4}(?!\x00{4}).{4}\x00{4}\x03\x01", re.DOTALL)
"""CFHEADER up to its version. [MS-CAB] 2.1."""

Find = Callable[[bytes], int]
"""Where in the octets an archive begins; -1 if there is none."""


def _found(pattern: re.Pattern[bytes]) -> Find:
    def find(data: bytes) -> int:
        match = pattern.search(data)
        return match.start() if match else -1

    return find


def _find_7z(data: bytes) -> int:
    starts = (start for start in _7Z.finditer(data) if zlib.crc32(start[2]) == int.from_bytes(start[1], "little"))
    return next((start.start() for start in starts), -1)


def _container(
    name: str, magics: tuple[Magic, ...] = (), find: Find | None = None, *, needs: bytes = b"", unusual: bool = False
) -> Format:
    """A format whose archives have one of `magics`, or are where `find` finds them, behind a program or anything else."""

    def opener(layer: Layer, budget: Budget) -> Iterator[Item]:
        begins = any(layer.data.startswith(magic, at) for at, magic in magics)
        start = 0 if begins or find is None else find(layer.data)
        inner = unpacked_name(layer.name, _SUFFIXES[name]) if name in _SUFFIXES else ""
        try:
            yield from HELPERS.contents(name, layer.name, layer.data[start:], budget, inner)
        except Missing:
            if not layer.doubtful:
                yield from refuse(name)(layer, budget)

    looks_like = (lambda layer: find(layer.data) >= 0) if find else None
    return Format(name, opener, magics, looks_like, needs, unusual=unusual)


_SUFFIXES: Mapping[str, Mapping[str, str]] = {
    "lz4": {".lz4": "", ".tlz4": ".tar"},
    "compress": {".z": "", ".taz": ".tar"},
}
"""The end of the name of one compressed file -> that of its content."""


def _at_start(pattern: re.Pattern[bytes]) -> Find:
    return lambda data: 0 if pattern.match(data) else -1


rar = _container("rar", ((0, RAR), (0, b"RE~^")), _found(_RAR), needs=RAR, unusual=True)
seven_zip = _container("7z", ((0, SEVEN_ZIP),), _find_7z, needs=SEVEN_ZIP)
cab = _container("cab", ((0, CAB),), _found(_CAB), needs=CAB)
iso = _container("iso", ((0x8001, b"CD001"), (0x8801, b"CD001"), (0x9001, b"CD001")))
cpio = _container("cpio", ((0, b"\x71\xc7"), (0, b"\xc7\x71")), _at_start(_CPIO), needs=b"07070")
lzh = _container("lzh", (), _at_start(_LHA), unusual=True)
ar = _container("ar", ((0, b"!<arch>\n"),), unusual=True)
rpm = _container("rpm", ((0, b"\xed\xab\xee\xdb"),), unusual=True)
xar = _container("xar", ((0, b"xar!\x00"),), unusual=True)
lz4 = _container("lz4", ((0, b"\x04\x22\x4d\x18"), (0, b"\x02\x21\x4c\x18")), unusual=True)
compress = _container("compress", ((0, b"\x1f\x9d"), (0, b"\x1f\xa0")), unusual=True)
