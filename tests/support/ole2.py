"""ole2: storages and streams to an OLE2 file; [MS-CFB] has the layout."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import TypeAlias

MAGIC = bytes.fromhex("D0CF11E0A1B11AE1")
SECTOR = 512
MINI = 64
CUTOFF = 4096
"""Smaller streams are in the mini stream."""

FREE, END, FAT, DIFAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD, 0xFFFFFFFC

Tree: TypeAlias = "Mapping[str, bytes | Tree]"
"""Name to the octets of a stream, or to a storage."""


def entry(
    name: str, kind: int, *, left: int = FREE, right: int = FREE, child: int = FREE, start: int = 0, size: int = 0
) -> bytes:
    """A directory entry; the `kind` is 1 for a storage, 2 for a stream, 5 for the root."""
    encoded = name.encode("utf-16-le")[:62] + b"\0\0"
    head = struct.pack("<64sHBB3L", encoded, len(encoded), kind, 1, left, right, child)
    return head + bytes(36) + struct.pack("<LQ", start, size)


class _Writer:
    """Collects sectors and the table of their chains."""

    def __init__(self) -> None:
        self.sectors = bytearray()
        self.table: list[int] = []
        self.minis = bytearray()
        self.mini_table: list[int] = []
        self.entries: list[bytes] = [b""]  # the root's comes last

    def chain(self, data: bytes) -> int:
        return _append(self.sectors, self.table, data, SECTOR)

    def stream(self, data: bytes) -> int:
        return self.chain(data) if len(data) >= CUTOFF else _append(self.minis, self.mini_table, data, MINI)

    def storage(self, tree: Tree) -> int:
        """The number of the entry at the top of the balanced tree of its entries; all of them are appended."""
        ordered = sorted(tree.items(), key=lambda item: (len(item[0]), item[0].upper()))
        first = len(self.entries)
        self.entries += [b""] * len(ordered)

        def top(low: int, high: int) -> int:
            if low == high:
                return FREE
            at = (low + high) // 2
            name, value = ordered[at]
            left, right = top(low, at), top(at + 1, high)
            if isinstance(value, bytes):
                made = entry(name, 2, left=left, right=right, start=self.stream(value), size=len(value))
            else:
                made = entry(name, 1, left=left, right=right, child=self.storage(value))
            self.entries[first + at] = made
            return first + at

        return top(0, len(ordered))


def _append(sectors: bytearray, table: list[int], data: bytes, size: int) -> int:
    first, count = len(table), -(-len(data) // size)
    sectors += data.ljust(count * size, b"\0")
    table += [*range(first + 1, first + count), END][:count]
    return first if count else END


def ole2(tree: Tree) -> bytes:
    """An OLE2 file whose root contains the `tree`."""
    writer = _Writer()
    child = writer.storage(tree)
    size = len(writer.minis)
    writer.entries[0] = entry("Root Entry", 5, child=child, start=writer.chain(bytes(writer.minis)), size=size)
    directory = writer.chain(b"".join(writer.entries) + bytes(-len(writer.entries) % 4 * 128))
    minis = struct.pack(f"<{len(writer.mini_table)}L", *writer.mini_table)
    mini_table = writer.chain(minis + b"\xff" * (-len(minis) % SECTOR))
    return assembled(bytes(writer.sectors), writer.table, directory, mini_table, -(-len(minis) // SECTOR))


def assembled(sectors: bytes, table: list[int], directory: int, mini_table: int = END, mini_count: int = 0) -> bytes:
    """An OLE2 file of these `sectors`, the `table` of their chains, and where directory and mini table begin."""
    first, per = len(table), SECTOR // 4
    fats = difats = 0
    while len(table) + fats + difats > fats * per or fats > 109 + difats * (per - 1):
        fats, difats = (fats + 1, difats) if fats * per < len(table) + fats + difats + 1 else (fats, difats + 1)
    table = [*table, *[FAT] * fats, *[DIFAT] * difats]
    table += [FREE] * (fats * per - len(table))
    places = list(range(first, first + fats))
    header = struct.pack("<8s16s5H6x", MAGIC, bytes(16), 0x3E, 3, 0xFFFE, 9, 6)
    header += struct.pack("<5L", 0, fats, directory, 0, CUTOFF)
    header += struct.pack("<4L", mini_table, mini_count, first + fats if difats else END, difats)
    header += struct.pack("<109L", *places[:109], *[FREE] * (109 - len(places[:109])))
    more = b""
    for number in range(difats):
        part = places[109 + number * (per - 1) :][: per - 1]
        after = first + fats + number + 1 if number + 1 < difats else END
        more += struct.pack(f"<{per}L", *part, *[FREE] * (per - 1 - len(part)), after)
    return header + sectors + struct.pack(f"<{len(table)}L", *table) + more
