"""formats: octets into the name of their archive format, by magic octets.

One table: `unpacking` opens some of these formats, the others are obstacles. Documents (OLE2, PDF) do not count as archives.
"""

from __future__ import annotations

import re

ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08", b"PK00PK\x03\x04")
ZIP_ENTRY = b"PK\x03\x04"
ZIP_DIRECTORY = b"PK\x01\x02"
ZIP_END = b"PK\x05\x06"
ZIP_TAIL = 65_557
"""The last octets of a zip archive, which contain its end record: 22, and a comment of up to 65,535."""

GZIP = b"\x1f\x8b"
BZIP2 = b"BZh"
XZ = b"\xfd7zXZ\x00"
LZMA = b"\x5d\x00\x00"
TNEF = b"\x78\x9f\x3e\x22"

_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    *((0, start, "zip") for start in ZIP_STARTS),
    (0, GZIP, "gzip"),
    (0, BZIP2, "bzip2"),
    (0, XZ, "xz"),
    (0, LZMA, "lzma"),
    (0, TNEF, "tnef"),
    (257, b"ustar", "tar"),
    # from here on: recognized, not opened
    (0, b"Rar!\x1a\x07", "rar"),
    (0, b"RE~^", "rar"),
    (0, b"7z\xbc\xaf\x27\x1c", "7z"),
    (0, b"MSCF\x00\x00\x00\x00", "cab"),
    (0, b"ISc(", "InstallShield cab"),
    (0, b"\x60\xea", "arj"),
    (7, b"**ACE**", "ace"),
    (20, b"\xdc\xa7\xc4\xfd", "zoo"),
    (0x8001, b"CD001", "iso"),
    (0x8801, b"CD001", "iso"),
    (0x9001, b"CD001", "iso"),
    (0, b"xar!\x00", "xar"),
    (0, b"\x28\xb5\x2f\xfd", "zstd"),
    *((0, bytes((octet,)) + b"\x2a\x4d\x18", "zstd or lz4") for octet in range(0x50, 0x60)),  # a frame to be skipped
    (0, b"\x04\x22\x4d\x18", "lz4"),
    (0, b"\x02\x21\x4c\x18", "lz4"),
    (0, b"\x1f\x9d", "compress"),
    (0, b"\x1f\xa0", "compress"),
    (0, b"\x1f\x1e", "pack"),
    (0, b"EGGA\x00\x01", "egg"),
    (0, b"ALZ\x01", "alz"),
    (0, b"LZIP\x01", "lzip"),
    (0, b"\x89LZO\x00\r\n\x1a\n", "lzop"),
    (0, b"SZDD\x88\xf0\x27\x33", "szdd"),
    (0, b"KWAJ\x88\xf0\x27\xd1", "kwaj"),
    (0, b"\x71\xc7", "cpio"),
    (0, b"\xc7\x71", "cpio"),
    (0, b"!<arch>\n", "ar"),
    (0, b"\xed\xab\xee\xdb", "rpm"),
    (0, b"ITSF", "chm"),
    (0, b"MSWIM\x00\x00\x00", "wim"),
    (0, b"vhdxfile", "vhdx"),
    (0, b"conectix", "vhd"),
    (-512, b"conectix", "vhd"),
    (-512, b"koly", "dmg"),
    (0, b"hsqs", "squashfs"),
    (10, b"rLau", "StuffIt"),
    (0, b"StuffIt (c)", "StuffIt"),
    (0, b"zPQ\x01", "zpaq"),
    (0, b"zPQ\x02", "zpaq"),
    (0, b"7kSt\xa0", "zpaq"),
)
"""The offset of the magic (negative: from the end), its octets, and the format."""

_LHA = re.compile(rb"-(?:lh[0-9dx]|lz[s245]|pm[0-2s])-")
_CPIO = re.compile(rb"07070[12][0-9A-Fa-f]{104}|070707[0-7]{70}")
_BINHEX = re.compile(rb"\(This file must be converted with BinHex", re.I)
_UUENCODED = re.compile(rb"begin(?:-base64)? [0-7]{3,4} ([^\r\n]{1,255})\r?\n")


def recognize(data: bytes) -> str:
    """The name of the archive format of `data`, "" if it is not recognized."""
    for offset, magic, kind in _MAGIC:
        at = offset if offset >= 0 else len(data) + offset
        if at >= 0 and data.startswith(magic, at):
            return kind
    if _LHA.match(data, 2):
        return "lzh"
    if _is_old_tar(data):
        return "tar"
    if data.find(ZIP_END, max(0, len(data) - ZIP_TAIL)) >= 0:  # a zip archive after something else, such as a program
        return "zip"
    if _CPIO.match(data):
        return "cpio"
    if uuencoded(data, 0):
        return "uuencode"
    return "binhex" if _BINHEX.search(data[:2048]) else ""


def uuencoded(data: bytes, position: int) -> re.Match[bytes] | None:
    """The next line from `position` that begins a uuencoded file; its group 1 is the file's name."""
    for match in _UUENCODED.finditer(data, position):  # begins with a literal, so it is as fast as a search
        if data[max(0, match.start() - 1) : match.start()] in (b"", b"\n"):
            return match
    return None


def _is_old_tar(data: bytes) -> bool:
    """Whether `data` begins with a pre-POSIX tar header, which has a checksum but no magic."""
    return len(data) >= 512 and data[0] != 0 and tar_checksum_holds(data[:512])


def tar_checksum_holds(header: bytes) -> bool:
    """Whether the checksum of a tar `header` (512 octets) is right; its own octets count as spaces."""
    stated = header[148:156].strip(b" \0")
    if not stated.isdigit() or b"8" in stated or b"9" in stated:
        return False
    return int(stated, 8) == sum(header) - sum(header[148:156]) + 8 * 0x20
