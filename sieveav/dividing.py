"""dividing: the body of a multipart to the spans of its parts (RFC 2046, 5.1.1).

A leaf, pure and total. A body is divided as if CR alone ended no line; that it does for some clients is a defect. The defects
are those of `mime_defects.DEFECTS`.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from sieveav import limits

_LATE_PART = re.compile(rb"\ncontent-(?:type|transfer-encoding|disposition)[ \t]*+:", re.IGNORECASE)


@dataclass(slots=True)
class Division:
    """A body divided by a boundary: the spans of its parts, and defects."""

    spans: list[tuple[int, int]] = field(default_factory=list)
    defects: list[str] = field(default_factory=list)
    lookalikes: list[bytes] = field(default_factory=list)
    rest: bool = False
    """Whether the last span is everything beyond the limit."""
    preamble: tuple[int, int] = (0, 0)
    epilogue: tuple[int, int] = (0, 0)


_PASSES, _ANYWAY = 8, 32 * limits.MIB
MANY_LINES = 20_000
LF, CR = b"\n\r"


@dataclass(slots=True)
class Search:
    """Finds boundary lines, in time in proportion to `size`, that of the message, and not to the depth of its parts."""

    size: int
    octets: int = 0
    """How many were looked through so far."""
    hyphens: dict[int, list[int] | None] = field(default_factory=dict)
    """The id of a source, which its parts keep -> the offsets of the lines that begin with two hyphens; None if they are more
    than MANY_LINES, the lines of no mail that people send."""

    def affords(self, octets: int) -> bool:
        """Whether as many octets may be looked through again; they are counted. A small message affords any depth."""
        self.octets += octets
        return self.octets <= _PASSES * self.size + _ANYWAY

    def boundaries(self, source: bytes, start: int, end: int, boundary: bytes) -> Iterable[tuple[int, int]] | None:
        """The lines of source[start:end] that begin with the boundary, if CR alone ends a line too: the offset, and the last
        character before it. None if it takes too long to find them."""
        line = b"--" + boundary
        if self.affords(end - start):
            return _lines_with(line, source, start, end)
        if id(source) not in self.hyphens:
            found = sorted(at for end in (b"\n--", b"\r--") for at in islice(_offsets(source, end, 0), MANY_LINES))
            self.hyphens[id(source)] = found if len(found) < MANY_LINES else None
        lines = self.hyphens[id(source)]
        if lines is None:
            return None
        between = lines[bisect_left(lines, start - 1) : bisect_left(lines, end)]
        return [(at + 1, source[at]) for at in between if source.startswith(line, at + 1, end)]


def _offsets(source: bytes, text: bytes, start: int) -> Iterator[int]:
    at = source.find(text, start)
    while at >= 0:
        yield at
        at = source.find(text, at + 1)


_WITHIN_LINES = 1000


def _lines_with(line: bytes, source: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """See `Search.boundaries`. One search for both line ends takes half the time of two."""
    within = 0
    at = source.find(line, start, end)
    while at >= 0 and within < _WITHIN_LINES:
        before = source[at - 1]
        if before in (LF, CR):
            yield at, before
        else:
            within += 1
        at = source.find(line, at + 1, end)
    if at < 0:
        return
    behind_cr = source.find(
        b"\r" + line, at - 1, end
    )  # where most are not at the begin of a line, one by one takes long
    if behind_cr >= 0:
        yield behind_cr + 1, CR
    at = source.find(b"\n" + line, at - 1, end)
    while at >= 0:
        yield at + 1, LF
        at = source.find(b"\n" + line, at + 1, end)


def divide(source: bytes, start: int, end: int, length: int, lines: Iterable[tuple[int, int]], room: int) -> Division:
    """Divide source[start:end] into `room` spans at most (RFC 2046, 5.1.1), given the lines that begin with a boundary of that
    length. It is divided as if CR alone ended no line."""
    division, opened = Division(), -1
    spans = division.spans
    lines = iter(lines)
    for at, before in lines:
        if before == CR:  # RFC 2046, 4.1.1: not to be used but in CRLF
            division.defects.append("bare-cr-boundary")
            continue
        after = at + 2 + length
        line_end = source.find(b"\n", after, end)
        line_end = line_end if line_end >= 0 else end
        tail = source[after:line_end].rstrip(b" \t\r")  # RFC 2046, 5.1.1: transport-padding
        if tail not in (b"", b"--"):
            division.lookalikes.append(source[at + 2 : after] + tail)
        if len(division.lookalikes) >= limits.MIME_PARTS or (tail == b"" and len(spans) + (opened >= 0) >= room):
            division.rest = True
            break
        if tail not in (b"", b"--"):
            continue
        edge = at - 1 - (source[at - 2 : at - 1] == b"\r")  # the line end before a boundary belongs to the boundary
        if opened >= 0:
            spans.append((opened, max(opened, edge)))
        else:
            division.preamble = (start, max(start, edge))
        opened = min(line_end + 1, end)
        if tail:
            division.epilogue = (opened, end)
            behind = {before for _, before in islice(lines, MANY_LINES)}
            if LF in behind or _LATE_PART.search(source, line_end, end):
                division.defects.append("content-after-final-boundary")
            if CR in behind:
                division.defects.append("bare-cr-boundary")
            return division
    if opened >= 0:
        spans.append((opened, end))
    if division.rest or opened >= 0:
        division.defects.append("too-many-parts" if division.rest else "unterminated-multipart")
    return division
