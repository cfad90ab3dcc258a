"""uuencode: the uuencoded files within a text (POSIX uuencode)."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

from sieveav.scanning.format import Format
from sieveav.scanning.layers import plainly
from sieveav.transfer import uu_line

_UUENCODED = re.compile(rb"begin(?:-base64)? [0-7]{3,4} ([^\r\n]{1,255})\r?\n")


def _begin(data: bytes, position: int) -> re.Match[bytes] | None:
    """The next line from `position` that begins a uuencoded file; its group 1 is the file's name."""
    for match in _UUENCODED.finditer(data, position):  # begins with a literal, so it is as fast as a search
        if data[max(0, match.start() - 1) : match.start()] in (b"", b"\n"):
            return match
    return None


def _files(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The uuencoded files within a text; each ends at the first line that is not uuencoded."""
    position = 0
    while begin := _begin(data, position):
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


uuencode = Format("uuencode", plainly(_files), looks_like=lambda layer: _begin(layer.data, 0) is not None)
