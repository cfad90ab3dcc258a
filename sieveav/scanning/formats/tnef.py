"""tnef: winmail.dat, [MS-OXTNEF]."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from sieveav.scanning.format import Format
from sieveav.scanning.layers import plainly

MAGIC = b"\x78\x9f\x3e\x22"

_ATTRIBUTE = struct.Struct("<BLL")


def _attributes(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The attributes of a TNEF file; some are the attachments and the text of the message."""
    position = 6
    while position + _ATTRIBUTE.size <= len(data):  # a line end may follow the last
        _, identity, size = _ATTRIBUTE.unpack_from(data, position)
        position += _ATTRIBUTE.size
        body = data[position : position + size]
        yield f"{identity:08x}", body
        if len(body) < size:
            raise ValueError("truncated")
        position += size + 2


tnef = Format("tnef", plainly(_attributes), ((0, MAGIC),))
