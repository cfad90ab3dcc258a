"""containers: the octets of a tar, TNEF or uuencoded file into its members, and of a zip archive into its headers.

Our own parsers, where those of the standard library are not suitable: `tarfile` can be made to run forever (CVE-2025-8194,
CVE-2024-6232), `zipfile` reads only one of the two headers of each entry. They raise ValueError, struct.error or
binascii.Error for malformed data; `unpacking` turns that into an obstacle.
"""

from __future__ import annotations

import base64
import binascii
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass

from sieveav.scanning import formats
from sieveav.transfer import uu_line

ZIP_ENCRYPTED = 0x2041
"""General purpose flags: encrypted, strongly encrypted, local header masked. APPNOTE.TXT, 4.4.4."""

_ZIP_STREAMED = 0x0008
"""General purpose flag: CRC and sizes follow the data, the local header has zeros."""

_ZIP_ELSEWHERE = 0xFFFFFFFF
"""In place of a size that is in the extra field."""

_ZIP_LOCAL = struct.Struct("<4s5H3L2H")

LZMA_IN_ZIP = struct.Struct("<LBL")
"""Version (two octets) and length of the properties (two octets, 5), then lc/lp/pb and the dictionary's size."""


@dataclass(frozen=True, slots=True)
class ZipHeader:
    """The header before an entry's data, which some programs use instead of the directory."""

    flags: int
    method: int
    crc: int
    packed: int
    size: int
    start: int
    """Where the entry's data begins."""

    @classmethod
    def read(cls, data: bytes, at: int) -> ZipHeader:
        magic, _, flags, method, _, _, crc, packed, size, name, extra = _ZIP_LOCAL.unpack_from(data, at)
        if magic != formats.ZIP_ENTRY:
            raise ValueError("no entry where the directory says that there is one")
        return cls(flags, method, crc, packed, size, at + _ZIP_LOCAL.size + name + extra)

    def agrees(self, entry: zipfile.ZipInfo) -> bool:
        """Whether it agrees with the directory's `entry`."""
        streamed = bool(self.flags & _ZIP_STREAMED)
        return self.method == entry.compress_type and all(
            here in (there, _ZIP_ELSEWHERE) or (streamed and here == 0)
            for here, there in (
                (self.crc, entry.CRC),
                (self.packed, entry.compress_size),
                (self.size, entry.file_size),
            )
        )


def zip_hides(data: bytes, archive: zipfile.ZipFile) -> bool:
    """Whether there is an entry that the directory does not list: other programs would find it."""
    position = 0
    for entry in sorted(archive.infolist(), key=lambda entry: entry.header_offset):
        if data.find(formats.ZIP_ENTRY, position, entry.header_offset) >= 0:
            return True
        position = max(position, ZipHeader.read(data, entry.header_offset).start + entry.compress_size)
    return data.find(formats.ZIP_ENTRY, position, archive.start_dir) >= 0


# -- tar: POSIX.1-1988 ustar, GNU and old ----------------------------------------------------------------------------

_BLOCK = 512
_TAR_FILES = frozenset(b"0\x007")
_TAR_NOTES = frozenset(b"xgLKNVX")
_TAR_WITHOUT_DATA = frozenset(b"123456")


def tar(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The files of a tar archive, and anything that follows its end."""
    position = 0
    while position < len(data):
        header = data[position : position + _BLOCK]
        position += _BLOCK
        if not any(header):
            if rest := data[position:].lstrip(b"\0"):
                yield "after the end", rest
            return
        if len(header) < _BLOCK or not formats.tar_checksum_holds(header):
            raise ValueError("not a header")
        kind, size = header[156], _tar_number(header[124:136])
        body = data[position : position + size]
        if kind in _TAR_NOTES:
            _check_tar_note(body)
        elif kind not in _TAR_WITHOUT_DATA:
            yield header[:100].split(b"\0", 1)[0].decode("ascii", "replace"), body
        if len(body) < size or (size and kind in _TAR_WITHOUT_DATA):
            raise ValueError("truncated, or data where programs disagree whether there is any")
        if kind not in _TAR_FILES | _TAR_NOTES | _TAR_WITHOUT_DATA:
            raise ValueError("a type of member that cannot be read, such as a sparse file")
        position += -(-size // _BLOCK) * _BLOCK


def _tar_number(field: bytes) -> int:
    if field[0] == 0x80:  # GNU: a number in binary
        return int.from_bytes(field[1:], "big")
    number = int(field.strip(b" \0") or b"0", 8)
    if number < 0:
        raise ValueError("a negative size")
    return number


def _check_tar_note(body: bytes) -> None:
    """A pax header may give the next member another size, or make it sparse. Below 8 GiB, that is not needed."""
    if b" size=" in body or b" GNU.sparse." in body:
        raise ValueError("a size that is not in the header")


# -- TNEF (winmail.dat): [MS-OXTNEF] ---------------------------------------------------------------------------------

_TNEF_ATTRIBUTE = struct.Struct("<BLL")


def tnef(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The attributes of a TNEF file; some are the attachments and the text of the message."""
    position = 6
    while position + _TNEF_ATTRIBUTE.size <= len(data):  # a line end may follow the last
        _, identity, size = _TNEF_ATTRIBUTE.unpack_from(data, position)
        position += _TNEF_ATTRIBUTE.size
        body = data[position : position + size]
        yield f"{identity:08x}", body
        if len(body) < size:
            raise ValueError("truncated")
        position += size + 2


# -- uuencode: POSIX uuencode ----------------------------------------------------------------------------------------


def uuencoded(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The uuencoded files within a text; each ends at the first line that is not uuencoded."""
    position = 0
    while begin := formats.uuencoded(data, position):
        decode = base64.b64decode if begin[0].startswith(b"begin-base64") else uu_line
        position = begin.end()
        pieces: list[bytes] = []
        while position < len(data):
            end = data.find(b"\n", position) + 1 or len(data)
            line = data[position:end].rstrip()
            if line in (b"end", b"===="):
                break
            try:
                pieces.append(decode(line))
            except binascii.Error:
                break
            position = end
        yield begin[1].decode("ascii", "replace"), b"".join(pieces)
