"""tar: POSIX.1-1988 ustar, GNU and old.

Our own parser, because `tarfile` can be made to run forever (CVE-2025-8194, CVE-2024-6232).
"""

from __future__ import annotations

from collections.abc import Iterator

from sieveav.scanning.format import Format
from sieveav.scanning.layers import Layer, plainly

_BLOCK = 512
_FILES = frozenset(b"0\x007")
_NOTES = frozenset(b"xgLKNVX")
_WITHOUT_DATA = frozenset(b"123456")


def _members(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The files of a tar archive, and anything that follows its end."""
    position = 0
    while position < len(data):
        header = data[position : position + _BLOCK]
        position += _BLOCK
        if not any(header):
            if rest := data[position:].lstrip(b"\0"):
                yield "after the end", rest
            return
        if len(header) < _BLOCK or not _checksum_holds(header):
            raise ValueError("not a header")
        kind, size = header[156], _number(header[124:136])
        body = data[position : position + size]
        if kind in _NOTES:
            _check_note(body)
        elif kind not in _WITHOUT_DATA:
            yield header[:100].split(b"\0", 1)[0].decode("ascii", "replace"), body
        if len(body) < size or (size and kind in _WITHOUT_DATA):
            raise ValueError("truncated, or data where programs disagree whether there is any")
        if kind not in _FILES | _NOTES | _WITHOUT_DATA:
            raise ValueError("a type of member that cannot be read, such as a sparse file")
        position += -(-size // _BLOCK) * _BLOCK


def _number(field: bytes) -> int:
    if field[0] == 0x80:  # GNU: a number in binary
        return int.from_bytes(field[1:], "big")
    number = int(field.strip(b" \0") or b"0", 8)
    if number < 0:
        raise ValueError("a negative size")
    return number


def _check_note(body: bytes) -> None:
    """A pax header may give the next member another size, or make it sparse. Below 8 GiB, that is not needed."""
    if b" size=" in body or b" GNU.sparse." in body:
        raise ValueError("a size that is not in the header")


def _is_old(layer: Layer) -> bool:
    """Whether it begins with a pre-POSIX tar header, which has a checksum but no magic."""
    header = layer.data[:_BLOCK]
    return len(header) == _BLOCK and header[0] != 0 and _checksum_holds(header)


def _checksum_holds(header: bytes) -> bool:
    """Whether the checksum of a tar `header` (512 octets) is right; its own octets count as spaces."""
    stated = header[148:156].strip(b" \0")
    if not stated.isdigit() or b"8" in stated or b"9" in stated:
        return False
    return int(stated, 8) == sum(header) - sum(header[148:156]) + 8 * 0x20


tar = Format("tar", plainly(_members), ((257, b"ustar"),), _is_old)
