"""ole2: the streams of an OLE2 file: Word, Excel, PowerPoint before 2007, Outlook's .msg, .msi. [MS-CFB], [MS-OXMSG].

Each stream is a layer. Its name says whether there are macros or a password ([MS-OVBA], [MS-OFFCRYPTO]), and which of them are
read further (`office_streams`).
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from sieveav.scanning.format import ANY, Format
from sieveav.scanning.formats.office_streams import READERS
from sieveav.scanning.formats.ole_object import MAGIC
from sieveav.scanning.layers import MEMBERS, Budget, Item, Layer, Obstacle, member
from sieveav.verdict import Status

PACKAGE = "olefile"

_STORAGE = 1

_FACTS = (
    (frozenset({"vba", "_vba_project", "_vba_project_cur"}), Status.MACRO, "macros"),
    (frozenset({"encryptedpackage", "\tdrmcontent"}), Status.ENCRYPTED, "encrypted"),
)
"""The names of streams and storages that say what a document is."""

_ATTACHED = "__substg1.0_37010102"
_NAMES = tuple(f"__substg1.0_{each}" for each in ("3707001f", "3707001e", "3704001f", "3704001e"))
"""The streams of a .msg with an attachment, and with its long or short name, as UTF-16 or octets."""

_LONGEST = 4096
"""Octets of such a name."""

_CLOSED = frozenset({*READERS, "data", "pictures", "0table", "1table"})
_VALUES = ("__substg1.0_", "__properties_", "\u4840")
"""The streams in which nobody looks for files, by their names or what these begin with: the text, layout and pictures of a
document, the properties of a .msg, the tables of an .msi. Some of them begin with any octets."""

_SECTOR = 512


class _Octets(io.BytesIO):
    """The octets of a file, of which `left` may be read: olefile reads a table as often and as far as a header states, so that
    a file of 8 KB becomes 4 GB, and one of 200 KB takes minutes. Each read counts as a sector at least."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        # The table of sectors is a 128th of the file, an entry of the directory 128 octets.
        self.left = len(data) // 100 + 128 * MEMBERS

    def read(self, size: int | None = -1, /) -> bytes:
        octets = super().read(size)
        self.left -= max(len(octets), _SECTOR)
        if self.left < 0:
            raise ValueError("more than may be read")
        return octets


def _open(layer: Layer, budget: Budget) -> Iterator[Item]:
    from olefile import OleFileIO  # type: ignore[import-untyped]  # 18 ms

    octets = _Octets(layer.data)
    try:
        ole = OleFileIO(octets)
    except Exception:
        if octets.left >= 0:
            raise
        yield Obstacle(Status.LIMITS, f"a directory that is too large: {layer.name}")
        return
    octets.left = 2 * len(layer.data)  # each sector is read once, those of small streams with a table of their own
    storages = [(layer.name, ole.root)]
    while storages:
        path, storage = storages.pop()
        names = {kid.name.lower(): kid for kid in storage.kids}
        for having, status, what in _FACTS:
            if not having.isdisjoint(names):
                yield Obstacle(status, f"{what}: {path}")
        for kid in storage.kids:
            if kid.entry_type == _STORAGE:
                storages.append((f"{path}/{kid.name}", kid))
                continue
            label = _attachment(ole, names) if kid.name.lower() == _ATTACHED else ""
            yield from _stream(ole, kid, f"{path}/{label or kid.name}", budget)


def _stream(ole: Any, entry: Any, name: str, budget: Budget) -> Iterator[Item]:
    """One stream as a layer, and what is in it; an obstacle if it is not all there."""
    kind = entry.name.lower()
    for item in member(name, _read(ole, entry), budget, entry.size):
        if not isinstance(item, Layer):
            yield item
            continue
        yield item._replace(opened=_not_looked_for(kind, item.data))
        if kind in READERS:
            yield from READERS[kind](item, budget)
        if len(item.data) < entry.size:
            yield Obstacle(Status.UNSCANNABLE, f"not the size it states: {name}")


def _not_looked_for(kind: str, data: bytes) -> str:
    """A zip archive behind something else is nothing that a reader of the document opens."""
    if kind == _ATTACHED:
        return ""
    if kind in _CLOSED or kind.startswith(_VALUES):
        return ANY
    return "" if data.startswith(b"PK") else "zip"


def _read(ole: Any, entry: Any) -> Iterator[bytes]:
    """The octets of a stream. Not by its path: two may have one, and to find it takes as long as the storage is large."""
    yield ole._open(entry.isectStart, entry.size).read()


def _attachment(ole: Any, names: dict[str, Any]) -> str:
    """The name of the attachment that a storage of a .msg contains; "" if it has none."""
    for name in _NAMES:
        if name in names and names[name].size <= _LONGEST:
            data = b"".join(_read(ole, names[name]))
            if text := data.decode("utf-16-le" if name.endswith("f") else "latin-1", "replace").rstrip("\0"):
                return text
    return ""


ole2 = Format("ole2", _open, ((0, MAGIC),), holds=("zip", "rar", "7z", "cab"))
