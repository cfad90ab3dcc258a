"""uuencode: the uuencoded files within a text (POSIX uuencode)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sieveav.scanning.format import Format
from sieveav.scanning.layers import Budget, Item, Layer, member
from sieveav.transfer import DECODERS, lenient_uu_lines, uu_lines

_BEGIN = re.compile(rb"begin(?:-base64)?[ \t]++[0-7]{1,7}(?![^ \t\r\n])([^\n]*+)\n")
_END = re.compile(rb"^(?:end|={4})[ \t\r]*+$", re.MULTILINE)


def _begin(data: bytes, position: int) -> re.Match[bytes] | None:
    """The next line from `position` that begins a uuencoded file; its group 1 is the file's name."""
    for match in _BEGIN.finditer(data, position):  # begins with a literal, so it is as fast as a search
        if data[max(0, match.start() - 1) : match.start()] in (b"", b"\n"):
            return match
    return None


def _files(data: bytes) -> Iterator[tuple[str, bytes, bytes]]:
    """The names and octets of the uuencoded files within a text, and octets that differ for a lenient reader if a line of the
    file is broken. A file without an end lasts until the next begins."""
    begin = _begin(data, 0)
    while begin:
        start = begin.end()
        following = _begin(data, start)
        stop = following.start() if following else len(data)
        end = _END.search(data, start, stop)
        lines = data[start : end.start() if end else stop]
        name = begin[1].strip().decode("ascii", "replace")
        if begin[0].startswith(b"begin-base64"):
            octets = lenient = DECODERS["base64"](lines)
        else:
            octets, lenient = uu_lines(lines), lenient_uu_lines(lines)
        yield name, octets, lenient
        begin = following


def _open(layer: Layer, budget: Budget) -> Iterator[Item]:
    for name, octets, lenient in _files(layer.data):
        yield from member(f"{layer.name}/{name}", iter((octets,)), budget, len(octets))
        if lenient != octets:
            yield Layer(f"{layer.name}/{name}", lenient, doubtful=True, unusual=True)


def _looks_like(layer: Layer) -> bool:
    return _begin(layer.data, 0) is not None


uuencode = Format("uuencode", _open, looks_like=_looks_like, needs=b"begin", unusual=True)
