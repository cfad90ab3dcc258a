"""ole_object: the native data of an embedded OLE object to the file in it. [MS-OLEDS]."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from sieveav.scanning.layers import Budget, Item, member

MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""The first octets of an OLE2 file."""

_PACKAGED = b"\x02\x00"
"""The first octets of the native data of an object of the class Package."""

_LENGTH = struct.Struct("<L")
_FLAGS = 4


def embedded(name: str, native: bytes, budget: Budget) -> Iterator[Item]:
    """One layer from `native` data: the file that the class Package has in it, else the data as it is."""
    label, file = _packaged(native) or ("data", native)
    return member(f"{name}/{label}", iter((file,)), budget, len(file))


def _packaged(native: bytes) -> tuple[str, bytes] | None:
    """Name and octets of the file in a Package: label, path, flags, a temporary path, the file. None if it is no Package."""
    if not native.startswith(_PACKAGED):
        return None
    try:
        end = native.index(b"\0", len(_PACKAGED))
        at = native.index(b"\0", end + 1) + 1 + _FLAGS
        for _ in range(2):
            size = _LENGTH.unpack_from(native, at)[0]
            start, at = at + _LENGTH.size, at + _LENGTH.size + size
    except (struct.error, ValueError):
        return None
    return native[len(_PACKAGED) : end].decode("latin-1"), native[start:at]
