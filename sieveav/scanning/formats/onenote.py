"""onenote: the files within a section of OneNote (.one). [MS-ONESTORE]."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from sieveav.scanning.format import Format
from sieveav.scanning.layers import Budget, Item, Layer, Obstacle, member
from sieveav.verdict import Status

ONE = bytes.fromhex("e4525c7b8cd8a74daeb15378d02996d3")
TOC = bytes.fromhex("a12fff43d9ef764c9ee210ea5722765f")
"""The identifiers of a section, and of the table of contents of a notebook."""

STORE = bytes.fromhex("3fdd9a101b91f549a5d01791edc8aed8")
_STORE_AT = 48
"""[MS-ONESTORE] 2.3.1, guidFileFormat: the only form in which files are as they are. The other is that of servers."""

FILE = bytes.fromhex("e716e3bd65261145a4c48d4d0b7a9eac")
"""[MS-ONESTORE] 2.6.13, FileDataStoreObject: this, then the size, 12 octets, and the file."""

KEY, KEY_END = bytes.fromhex("67a0d1da85a36bfb"), bytes.fromhex("3c8b198e4f294926")
"""[MS-ONESTORE] 2.5.19: what is around the key of a section with a password."""

_SIZE = struct.Struct("<Q")
_HEAD = len(FILE) + _SIZE.size + 12


def _open(layer: Layer, budget: Budget) -> Iterator[Item]:
    data, name = layer.data, layer.name
    if not data.startswith(STORE, _STORE_AT):
        yield Obstacle(Status.UNSCANNABLE, f"OneNote in another form than a file: {name}")
    if (key := data.find(KEY)) >= 0 and data.find(KEY_END, key) >= 0:
        yield Obstacle(Status.ENCRYPTED, f"encrypted: {name}")
    number, at = 0, -1
    while (at := data.find(FILE, at + 1)) >= 0:
        number += 1
        size = _SIZE.unpack_from(data, at + len(FILE))[0]
        file = data[at + _HEAD : at + _HEAD + size]
        yield from member(f"{name}/file {number}", iter((file,)), budget, len(file))
        if len(file) < size:
            yield Obstacle(Status.UNSCANNABLE, f"not the size it states: {name}/file {number}")


onenote = Format("onenote", _open, ((0, ONE), (0, TOC)), unusual=True)
