"""xxencode: the xxencoded files within a text: uuencode with letters, digits, plus and minus as its characters."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sieveav.scanning.format import Format
from sieveav.scanning.layers import plainly
from sieveav.transfer import lenient_uu_lines

_ALPHABET = b"+-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_TO_UUENCODE = bytes.maketrans(_ALPHABET, bytes(range(32, 96)))

_FILE = re.compile(
    rb"begin(?<=^begin)[ \t]++[0-7]++(?![^ \t\r\n])([^\n]*+)\n((?:[+0-9A-Za-z-]++[ \t\r]*+(?:\n|\Z))++)", re.MULTILINE
)
"""Its name, and its lines, that at the end too."""

_END = re.compile(rb"^end\s", re.MULTILINE)


def _files(data: bytes) -> Iterator[tuple[str, bytes]]:
    for file in _FILE.finditer(data):
        lines = _END.split(file[2], 1)[0].translate(_TO_UUENCODE)
        yield file[1].strip().decode("ascii", "replace"), lenient_uu_lines(lines)


xxencode = Format(
    "xxencode",
    plainly(_files),
    looks_like=lambda layer: _FILE.search(layer.data) is not None,
    needs=b"begin",
    unusual=True,
)
