"""documents: the smallest OLE2 files with streams of given names; [MS-CFB] has the layout."""

from __future__ import annotations

import struct

_SECTOR = 512
_FREE, _END, _FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
_STREAM = 4096
"""Shorter streams would have to be in a mini stream."""


def _entry(name: str, kind: int, *, right: int = _FREE, child: int = _FREE, start: int = 0, size: int = 0) -> bytes:
    encoded = name.encode("utf-16-le") + b"\0\0"
    return (
        struct.pack("<64sHBB3L", encoded, len(encoded), kind, 1, _FREE, right, child)
        + bytes(36)
        + struct.pack("<LQ", start, size)
    )


def ole2(storage: str, streams: dict[str, bytes]) -> bytes:
    """A root with a `storage`, which contains (at most two) `streams`; with "" for `storage` the root contains them."""
    first = 2  # after the allocation table and the directory
    each = _STREAM // _SECTOR
    entries = [_entry("Root Entry", 5, child=1, start=_END)]
    if storage:
        entries.append(_entry(storage, 1, child=2))
    for position, name in enumerate(streams):
        right = len(entries) + 1 if position + 1 < len(streams) else _FREE
        entries.append(_entry(name, 2, right=right, start=first + position * each, size=_STREAM))
    entries += [bytes(128)] * (4 - len(entries))
    table = [_FAT, _END]
    for position in range(len(streams)):
        start = first + position * each
        table += [*range(start + 1, start + each), _END]
    table += [_FREE] * (_SECTOR // 4 - len(table))
    header = struct.pack("<8s16s5H6x", bytes.fromhex("D0CF11E0A1B11AE1"), bytes(16), 0x3E, 3, 0xFFFE, 9, 6)
    header += struct.pack("<9L", 0, 1, 1, 0, _STREAM, _END, 0, _END, 0)
    header += struct.pack("<109L", 0, *[_FREE] * 108)
    content = b"".join(stream.ljust(_STREAM, b"\0") for stream in streams.values())
    return header + struct.pack(f"<{len(table)}L", *table) + b"".join(entries) + content


def ole2_with_macro() -> bytes:
    """With the streams of a VBA project."""
    return ole2("VBA", {"_VBA_PROJECT": b"", "dir": b""})


def ole2_encrypted() -> bytes:
    """With the streams of an encrypted OOXML document."""
    return ole2("", {"EncryptedPackage": b"", "EncryptionInfo": b""})


def ole2_with_macro_sheet() -> bytes:
    """A workbook with one sheet of Excel 4.0 macros: [MS-XLS], records BOF, BoundSheet8 with `dt` 1, EOF."""
    sheet = struct.pack("<LBBBB", 0, 0, 1, 1, 0) + b"M"
    records = [(0x0809, struct.pack("<HH12x", 0x0600, 5)), (0x0085, sheet), (0x000A, b"")]
    return ole2("", {"Workbook": b"".join(struct.pack("<HH", kind, len(data)) + data for kind, data in records)})
