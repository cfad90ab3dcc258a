"""tar: POSIX.1-1988 ustar, POSIX.1-2001 pax, GNU and old, to the files in it.

Our own parser, because `tarfile` can be made to run forever (CVE-2025-8194, CVE-2024-6232).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from sieveav.scanning.format import Format
from sieveav.scanning.layers import Layer, plainly

_BLOCK = 512
_FILES = frozenset(b"0\x007")
_NOTES = frozenset(b"xgLKNVX")
_WITHOUT_DATA = frozenset(b"123456")

_LONG_NAME, _FOR_ALL = b"Lg"
_PAX = frozenset(b"xgX")
_RECORD = re.compile(rb"([0-9]{1,9}) ([^=]++)=")

_NAME = 1024
"""Octets of a name: its last ones, which have the extension."""


def _members(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The files of a tar archive, and anything that follows its end."""
    position = 0
    names: list[str] = []
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
            names += _names(kind, body)
        else:
            if kind not in _WITHOUT_DATA:
                for name in names or (_name(header),):  # several: programs disagree which of them counts
                    yield name, body
            names = []
        if len(body) < size or (size and kind in _WITHOUT_DATA):
            raise ValueError("truncated, or data where programs disagree whether there is any")
        if kind not in _FILES | _NOTES | _WITHOUT_DATA:
            raise ValueError("a type of member that cannot be read, such as a sparse file")
        position += -(-size // _BLOCK) * _BLOCK


def _number(field: bytes) -> int:
    if field[0] == 0x80:  # GNU: a number in binary
        return int.from_bytes(field[1:], "big")
    stated = field.strip(b" \0") or b"0"
    if not stated.isdigit():  # int() takes a sign and underscores too
        raise ValueError("not a number")
    return int(stated, 8)


def _name(header: bytes) -> str:
    """The name in a header; that of ustar is in two fields."""
    prefix = _text(header[345:500]) if header.startswith(b"ustar\0", 257) else ""
    return f"{prefix}/{_text(header[:100])}" if prefix else _text(header[:100])


def _text(octets: bytes) -> str:
    return octets.partition(b"\0")[0][-_NAME:].decode("utf-8", "replace")


def _names(kind: int, body: bytes) -> Iterator[str]:
    """The name that a note gives to the next member: in GNU's form or as the record `path` of pax.

    Below 8 GiB there is no need for another size than that of the header, or for a name of all members.
    """
    if kind == _LONG_NAME:
        yield _text(body)
    for key, value in _records(body) if kind in _PAX else ():
        if key == b"size" or key.startswith(b"GNU.sparse.") or (key == b"path" and kind == _FOR_ALL):
            raise ValueError("a size that is not in the header, or a name of all members")
        if key == b"path":
            yield _text(value)


def _records(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of a pax header (POSIX.1-2001, pax): the length of a record, a space, key, `=`, value, LF."""
    position = 0
    while position < len(body) and body[position]:
        record = _RECORD.match(body, position)
        end = position + int(record[1]) if record else 0
        if not record or end <= record.end() or body[end - 1 : end] != b"\n":
            raise ValueError("not a record")
        yield record[2], body[record.end() : end - 1]
        position = end


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
