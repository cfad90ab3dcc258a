"""rar: names and contents to RAR archives that store them, since no free program writes any. By RARLAB's technical notes."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

MARKER_4 = b"Rar!\x1a\x07\x00"
MARKER_5 = b"Rar!\x1a\x07\x01\x00"

ENCRYPTED = 0x0004
"""A flag of a file's header, RAR 4."""
SOLID = 0x0004
"""A flag of an archive, RAR 5: what packs a file refers to those before it."""


def rar4(files: Mapping[str, bytes], flags: int = 0, encrypted: tuple[str, ...] = (), end_flags: int = 0) -> bytes:
    """RAR 1.5 to 4. The flags are those of the headers at the beginning and at the end of the archive."""
    pieces = [MARKER_4, header_4(0x73, flags, bytes(6))]
    for name, content in files.items():
        sizes = (len(content), len(content))
        stated = struct.pack("<LLBLLBBHL", *sizes, 3, zlib.crc32(content), 0, 29, 0x30, len(name), 0o100644)
        file_flags = 0x8000 | (ENCRYPTED if name in encrypted else 0)
        pieces += [header_4(0x74, file_flags, stated + name.encode()), content]
    return b"".join([*pieces, header_4(0x7B, 0x4000 | end_flags)])


def header_4(kind: int, flags: int, fields: bytes = b"") -> bytes:
    """Checksum, type, flags, length and fields."""
    rest = struct.pack("<BHH", kind, flags, 7 + len(fields)) + fields
    return struct.pack("<H", zlib.crc32(rest) & 0xFFFF) + rest


def rar5(files: Mapping[str, bytes], flags: int = 0, encrypted: tuple[str, ...] = (), end_flags: int = 0) -> bytes:
    """RAR 5, as `rar4`."""
    pieces = [MARKER_5, header_5(1, number(flags))]
    for name, content in files.items():
        # flags: there is a checksum; length; attributes; checksum; method: stored, solid; system: Unix; name
        method = b"\x40" if flags & SOLID else b"\0"
        stated = struct.pack("<L", zlib.crc32(content)) + method + b"\1"
        fields = number(4) + number(len(content)) + number(0o100644) + stated
        record = number(1) + number(0) + number(0) + bytes((15,)) + bytes(32)  # encryption: AES-256, salt, vector
        extra = number(len(record)) + record if name in encrypted else b""
        pieces.append(header_5(2, fields + number(len(name)) + name.encode(), content, extra))
    return b"".join([*pieces, header_5(5, number(end_flags))])


def header_5(kind: int, fields: bytes, data: bytes | None = None, extra: bytes = b"") -> bytes:
    """Checksum, length, type, flags, sizes of what follows, and fields: all but the first are numbers of variable length."""
    flags = (1 if extra else 0) | (2 if data is not None else 0)
    sizes = (number(len(extra)) if extra else b"") + (number(len(data)) if data is not None else b"")
    rest = number(kind) + number(flags) + sizes + fields + extra
    counted = number(len(rest)) + rest
    return struct.pack("<L", zlib.crc32(counted)) + counted + (data or b"")


def number(value: int) -> bytes:
    """A number of RAR 5: seven bits in an octet, the lowest first; all but the last have the highest bit."""
    octets = bytearray()
    while value > 0x7F:
        octets.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*octets, value))
