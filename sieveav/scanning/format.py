"""format: a layer to the formats of archives and documents that it may be in.

A format that is opened is one file in `formats/`, which declares a `Format`. Those that are only known, because nothing here
opens them, are the table `SEALED`: a layer in one of them is unscannable, not clean. Octets may be in several formats at a
time (a text that ends like a zip archive and contains uuencode): each that fits is opened.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from sieveav.plugins import Plugin, Plugins
from sieveav.scanning.layers import Budget, Item, Layer, Obstacle, Opener, doubtfully, safely
from sieveav.verdict import Status

Magic = tuple[int, bytes]
"""Octets of every file of a format, and their offset; a negative one is from the end."""


ANY = "*"
"""In `Layer.opened`: nothing is looked for in these octets. They begin like an archive only by chance."""


@dataclass(frozen=True)
class Format(Plugin):
    """The declaration of a format, at the top level of its file. A layer is in it if it has one of `magics`, or if it
    `looks_like` it; `open` gives what is in it. `holds` are the names of formats whose files occur within its octets, where
    nobody looks for them: they are opened too, but what of them is broken is no obstacle."""

    name: str
    open: Opener
    magics: tuple[Magic, ...] = ()
    looks_like: Callable[[Layer], bool] | None = None
    holds: tuple[str, ...] = ()

    def fits(self, layer: Layer) -> bool:
        """Whether the layer may be in this format."""
        if layer.opened == self.name:
            return False
        return _has(layer.data, self.magics) or (self.looks_like is not None and self.looks_like(layer))


FORMATS = Plugins(Format, "format", "sieveav.formats", ["sieveav.scanning.formats"])
"""All formats that are opened."""

SEALED: tuple[tuple[str, tuple[Magic, ...]], ...] = (
    ("rar", ((0, b"Rar!\x1a\x07"), (0, b"RE~^"))),
    ("7z", ((0, b"7z\xbc\xaf\x27\x1c"),)),
    ("cab", ((0, b"MSCF\x00\x00\x00\x00"),)),
    ("InstallShield cab", ((0, b"ISc("),)),
    ("arj", ((0, b"\x60\xea"),)),
    ("ace", ((7, b"**ACE**"),)),
    ("zoo", ((20, b"\xdc\xa7\xc4\xfd"),)),
    ("iso", ((0x8001, b"CD001"), (0x8801, b"CD001"), (0x9001, b"CD001"))),
    ("xar", ((0, b"xar!\x00"),)),
    ("zstd", ((0, b"\x28\xb5\x2f\xfd"),)),
    ("zstd or lz4", tuple((0, bytes((octet,)) + b"\x2a\x4d\x18") for octet in range(0x50, 0x60))),  # a skippable frame
    ("lz4", ((0, b"\x04\x22\x4d\x18"), (0, b"\x02\x21\x4c\x18"))),
    ("compress", ((0, b"\x1f\x9d"), (0, b"\x1f\xa0"))),
    ("pack", ((0, b"\x1f\x1e"),)),
    ("egg", ((0, b"EGGA\x00\x01"),)),
    ("alz", ((0, b"ALZ\x01"),)),
    ("lzip", ((0, b"LZIP\x01"),)),
    ("lzop", ((0, b"\x89LZO\x00\r\n\x1a\n"),)),
    ("szdd", ((0, b"SZDD\x88\xf0\x27\x33"),)),
    ("kwaj", ((0, b"KWAJ\x88\xf0\x27\xd1"),)),
    ("cpio", ((0, b"\x71\xc7"), (0, b"\xc7\x71"))),
    ("ar", ((0, b"!<arch>\n"),)),
    ("rpm", ((0, b"\xed\xab\xee\xdb"),)),
    ("chm", ((0, b"ITSF"),)),
    ("wim", ((0, b"MSWIM\x00\x00\x00"),)),
    ("vhdx", ((0, b"vhdxfile"),)),
    ("vhd", ((0, b"conectix"), (-512, b"conectix"))),
    ("dmg", ((-512, b"koly"),)),
    ("squashfs", ((0, b"hsqs"),)),
    ("StuffIt", ((10, b"rLau"), (0, b"StuffIt (c)"))),
    ("zpaq", ((0, b"zPQ\x01"), (0, b"zPQ\x02"), (0, b"7kSt\xa0"))),
)
"""The formats that are known, and not opened."""

_LHA = re.compile(rb"..-(?:lh[0-9dx]|lz[s245]|pm[0-2s])-", re.DOTALL)
_CPIO = re.compile(rb"07070[12][0-9A-Fa-f]{104}|070707[0-7]{70}")

_SEALED_BY_PATTERN = (("lzh", _LHA.match, 21), ("cpio", _CPIO.match, 110))
"""Those of them that are known by a pattern in so many of their first octets."""


def openers(layer: Layer) -> list[Opener]:
    """What opens the layer: an opener for each format that it may be in."""
    if layer.opened == ANY:
        return []
    found = [each for each in _opened() if each.fits(layer)]
    held = {name for each in found for name in each.holds}
    return [
        *(_doubtfully(each.open) if layer.doubtful or each.name in held else each.open for each in found),
        *(_refuse(name) for name in _sealed(layer.data) if not layer.doubtful),
    ]


@cache
def _opened() -> tuple[Format, ...]:
    return tuple(FORMATS.everything().values())


def _sealed(data: bytes) -> Iterator[str]:
    """The name of the format, if it is known and not opened."""
    for name, magics in SEALED:
        if _has(data, magics):
            yield name
            return
    for name, matches, octets in _SEALED_BY_PATTERN:
        if matches(data[:octets]):
            yield name
            return


def _has(data: bytes, magics: tuple[Magic, ...]) -> bool:
    for offset, magic in magics:
        at = offset if offset >= 0 else len(data) + offset
        if at >= 0 and data.startswith(magic, at):
            return True
    return False


def _doubtfully(open_: Opener) -> Opener:
    return lambda layer, budget: doubtfully(safely(open_(layer, budget), layer.name))


def _refuse(name: str) -> Opener:
    def opener(layer: Layer, budget: Budget) -> Iterator[Item]:  # noqa: ARG001  # has the signature of all openers
        yield Obstacle(Status.UNSCANNABLE, f"{name} archive: {layer.name}")

    return opener
