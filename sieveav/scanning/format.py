"""format: a layer to the formats of archives and documents that it may be in.

A format that is opened is one file in `formats/`, which declares a `Format`. Those that are only known, because nothing here
opens them, are the table `SEALED`: a layer in one of them is unscannable, not clean. Octets may be in several formats at a
time (a text that ends like a zip archive and contains uuencode): each that fits is opened.
"""

from __future__ import annotations

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
    `looks_like` it, which is not asked for a layer without the octets `needs`; `open` gives what is in it. `holds` are the
    names of formats whose files occur within its octets, where nobody looks for them: they are opened too, but what of them is
    broken is no obstacle. `unusual` formats are those that many scanners do not know."""

    name: str
    open: Opener
    magics: tuple[Magic, ...] = ()
    looks_like: Callable[[Layer], bool] | None = None
    needs: bytes = b""
    holds: tuple[str, ...] = ()
    unusual: bool = False


FORMATS = Plugins(Format, "format", "sieveav.formats", ["sieveav.scanning.formats"])
"""All formats that are opened."""

SEALED: tuple[tuple[str, tuple[Magic, ...]], ...] = (
    ("InstallShield cab", ((0, b"ISc("),)),
    ("arj", ((0, b"\x60\xea"),)),
    ("ace", ((7, b"**ACE**"),)),
    ("zoo", ((20, b"\xdc\xa7\xc4\xfd"),)),
    ("udf", tuple((at + 1, magic) for at in range(0x8000, 0x10000, 0x800) for magic in (b"NSR02", b"NSR03"))),
    ("pack", ((0, b"\x1f\x1e"),)),
    ("egg", ((0, b"EGGA\x00\x01"),)),
    ("alz", ((0, b"ALZ\x01"),)),
    ("lzip", ((0, b"LZIP\x01"),)),
    ("lzop", ((0, b"\x89LZO\x00\r\n\x1a\n"),)),
    ("szdd", ((0, b"SZDD\x88\xf0\x27\x33"),)),
    ("kwaj", ((0, b"KWAJ\x88\xf0\x27\xd1"),)),
    ("chm", ((0, b"ITSF"),)),
    ("wim", ((0, b"MSWIM\x00\x00\x00"),)),
    ("vhdx", ((0, b"vhdxfile"),)),
    ("vhd", ((0, b"conectix"), (-512, b"conectix"))),
    ("dmg", ((-512, b"koly"),)),
    ("squashfs", ((0, b"hsqs"),)),
    ("StuffIt", ((10, b"rLau"), (0, b"StuffIt (c)"))),
    ("zpaq", ((0, b"zPQ\x01"), (0, b"zPQ\x02"), (0, b"7kSt\xa0"))),
)
"""The formats that are known, and not opened. Those of `formats/containers.py` are not either, if a library is missing."""

USUAL = ("7z", "InstallShield cab", "arj", "cab", "chm", "cpio", "iso")
"""Those that the usual virus scanners open, of all that need not be opened here: see `EngineType.opens`."""


def openers(layer: Layer) -> list[Opener]:
    """What opens the layer: an opener for each format that it may be in."""
    if layer.opened == ANY:
        return []
    by_magic, by_looks, magics = _known()
    begun = magics.of(layer.data)
    found = [by_magic[name] for name in begun if name in by_magic]
    for needed, formats in by_looks.items():
        if needed in layer.data:  # looked for once, though several formats need it
            found += [each for each, looks_like in formats if each.name not in begun and looks_like(layer)]
    found = sorted((each for each in found if each.name != layer.opened), key=lambda each: each.name)
    held = {name for each in found for name in each.holds}
    sealed = None if layer.doubtful else _sealed(begun)
    return [
        *(_opener(each, layer.doubtful or each.name in held) for each in found),
        *([refuse(sealed)] if sealed else ()),
    ]


def _sealed(begun: Set[str]) -> str | None:
    """The name of a format that is known and not opened, of those that the magics fit."""
    return next((name for name, _ in SEALED if name in begun), None) if begun else None


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
def _known() -> tuple[dict[str, Format], dict[bytes, list[tuple[Format, Callable[[Layer], bool]]]], _Magics]:
    """The formats that are opened by their names; by the octets that they need, those that are known by their looks; the magics
    of all formats."""
    formats = FORMATS.everything()
    by_looks: dict[bytes, list[tuple[Format, Callable[[Layer], bool]]]] = {}
    for each in formats.values():
        if each.looks_like is not None:
            by_looks.setdefault(each.needs, []).append((each, each.looks_like))
    return dict(formats), by_looks, _Magics([*((name, each.magics) for name, each in formats.items()), *SEALED])


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


def refuse(name: str) -> Opener:
    """What a layer in a format that is known and not opened is opened by: an obstacle."""

    def opener(layer: Layer, budget: Budget) -> Iterator[Item]:  # noqa: ARG001  # has the signature of all openers
        yield Obstacle(Status.UNSCANNABLE, f"{name} archive: {layer.name}", name)

    return opener
