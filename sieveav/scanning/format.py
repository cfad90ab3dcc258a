"""format: a layer to the formats of archives and documents that it may be in.

A format that is opened is one file in `formats/`, which declares a `Format`. Those that are only known, because nothing here
opens them, are the table `SEALED`: a layer in one of them is unscannable, not clean. Octets may be in several formats at a
time (a text that ends like a zip archive and contains uuencode): each that fits is opened.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Set
from dataclasses import dataclass
from functools import cache, partial

from sieveav.plugins import Plugin, Plugins
from sieveav.scanning.layers import Budget, Item, Layer, Obstacle, Opener, doubtfully, safely, unusually
from sieveav.verdict import Status

Magic = tuple[int, bytes]
"""Octets of every file of a format, and their offset; a negative one is from the end."""


ANY = "*"
"""In `Layer.opened`: nothing is looked for in these octets. They begin like an archive only by chance."""


@dataclass(frozen=True)
class Format(Plugin):
    """The declaration of a format, at the top level of its file. A layer is in it if it has one of `magics`, or if it
    `looks_like` it; `open` gives what is in it. `holds` are the names of formats whose files occur within its octets, where
    nobody looks for them: they are opened too, but what of them is broken is no obstacle. `unusual` formats are those that many
    scanners do not know."""

    name: str
    open: Opener
    magics: tuple[Magic, ...] = ()
    looks_like: Callable[[Layer], bool] | None = None
    holds: tuple[str, ...] = ()
    unusual: bool = False


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
    ("udf", tuple((at + 1, magic) for at in range(0x8000, 0x10000, 0x800) for magic in (b"NSR02", b"NSR03"))),
    ("xar", ((0, b"xar!\x00"),)),
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

USUAL = ("7z", "InstallShield cab", "arj", "cab", "chm", "cpio", "iso")
"""Those of them that the usual virus scanners open: see `EngineType.opens`."""

_LHA = re.compile(rb"..-(?:lh[0-9dx]|lz[s245]|pm[0-2s])-", re.DOTALL)
_CPIO = re.compile(rb"07070[12][0-9A-Fa-f]{104}|070707[0-7]{70}")

_RAR = re.compile(
    rb"Rar!\x1a\x07(?:\x00..\x73.[\x00-\x03]|\x01\x00.{4}[\x80-\xff]{0,2}[\x01-\x7f][\x01\x04][\x00-\x07])",
    re.DOTALL,
)
"""The marker, and the header of the archive behind it: RAR 4 or RAR 5. Its checksum may be wrong: programs go on then."""

_7Z = re.compile(rb"7z\xbc\xaf\x27\x1c\x00.(.{4})(.{20})", re.DOTALL)
"""Signature, version, and a checksum of the next 20 octets, by which programs find an archive behind something else."""

_CAB = re.compile(rb"MSCF\x00{4}(?!\x00{4}).{4}\x00{4}(?!\x00{4}).{4}\x00{4}\x03\x01", re.DOTALL)
"""CFHEADER up to its version. [MS-CAB] 2.1."""


# Texts have no NUL, and are ASCII: it takes a tenth of the time to see that.


def _holds_rar(data: bytes) -> bool:
    return b"\0" in data and _RAR.search(data) is not None


def _holds_cab(data: bytes) -> bool:
    return b"\0" in data and _CAB.search(data) is not None


def _holds_7z(data: bytes) -> bool:
    if data.isascii():
        return False
    return any(zlib.crc32(start[2]) == int.from_bytes(start[1], "little") for start in _7Z.finditer(data))


_SEALED_BY_PATTERN: tuple[tuple[str, Callable[[bytes], object]], ...] = (
    ("lzh", _LHA.match),
    ("cpio", _CPIO.match),
    ("rar", _holds_rar),
    ("7z", _holds_7z),
    ("cab", _holds_cab),
)
"""Those of them that are known by a pattern; the last ones may be behind a program, or anything else."""


def openers(layer: Layer) -> list[Opener]:
    """What opens the layer: an opener for each format that it may be in."""
    if layer.opened == ANY:
        return []
    formats, magics = _known()
    begun = magics.of(layer.data)
    found = [
        each
        for each in formats
        if each.name != layer.opened
        and (each.name in begun or (each.looks_like is not None and each.looks_like(layer)))
    ]
    held = {name for each in found for name in each.holds}
    sealed = None if layer.doubtful else _sealed(layer.data, begun)
    return [
        *(_opener(each, layer.doubtful or each.name in held) for each in found),
        *([_refuse(sealed)] if sealed else ()),
    ]


def _sealed(data: bytes, begun: Set[str]) -> str | None:
    """The name of the format, if it is known and not opened; `begun` are those that the magics fit."""
    if begun:
        for name, _ in SEALED:
            if name in begun:
                return name
    return next((name for name, matches in _SEALED_BY_PATTERN if matches(data)), None)


class _Magics:
    """The magics of all formats, by what most octets do not have: the first two."""

    def __init__(self, formats: Iterable[tuple[str, tuple[Magic, ...]]]) -> None:
        self._first: dict[bytes, list[tuple[bytes, str]]] = {}
        self._elsewhere: list[tuple[int, bytes, str]] = []
        for name, magics in formats:
            for offset, magic in magics:
                if offset == 0 and len(magic) > 1:
                    self._first.setdefault(magic[:2], []).append((magic, name))
                else:
                    self._elsewhere.append((offset, magic, name))
        self._elsewhere.sort()

    def of(self, data: bytes) -> set[str]:
        """The names of the formats whose magics `data` has."""
        names = {name for magic, name in self._first.get(data[:2], ()) if data.startswith(magic)}
        size = len(data)
        for offset, magic, name in self._elsewhere:
            if offset >= size:
                break
            if offset + size >= 0 and data.startswith(magic, offset if offset >= 0 else offset + size):
                names.add(name)
        return names


@cache
def _known() -> tuple[tuple[Format, ...], _Magics]:
    """All formats that are opened, and the magics of these and of those that are not."""
    formats = tuple(FORMATS.everything().values())
    return formats, _Magics([*((each.name, each.magics) for each in formats), *SEALED])


def _opener(format_: Format, is_doubtful: bool) -> Opener:
    """What opens a format, so that its layers are marked."""
    open_ = format_.open
    if format_.unusual:
        open_ = partial(_marked, unusually, open_)
    return partial(_marked, doubtfully, open_) if is_doubtful else open_


def _marked(
    mark: Callable[[Iterator[Item]], Iterator[Item]], open_: Opener, layer: Layer, budget: Budget
) -> Iterator[Item]:
    return mark(safely(open_(layer, budget), layer.name))


def _refuse(name: str) -> Opener:
    def opener(layer: Layer, budget: Budget) -> Iterator[Item]:  # noqa: ARG001  # has the signature of all openers
        yield Obstacle(Status.UNSCANNABLE, f"{name} archive: {layer.name}", name)

    return opener
