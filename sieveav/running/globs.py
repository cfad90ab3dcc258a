"""globs: the patterns of `:matches` to functions that match in linear time. RFC 5228, 2.7.1.

A pattern is literal pieces between stars. The first must begin the value, the last must end it, and those between are
found from left to right, each at its first place: no backtracking. Pieces without `?` are found by the language's own
search, which is linear; one with `?` is looked for by its longest literal, and every place counts against the clock.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

Tick = Callable[[], None]
"""Raises when the time of the run is over."""

_TOKEN = re.compile(r"\\(.)|([*?])|([^\\*?]+|\\)", re.DOTALL)


class Piece:
    """Literals and single characters between two stars: `text` with a NUL-like hole wherever any one character fits."""

    __slots__ = ("anchor", "anchor_at", "holes", "length", "runs", "text")

    def __init__(self, parts: list[str | None]) -> None:
        self.runs: list[tuple[int, str]] = []
        at = 0
        for part in parts:
            if part is None:
                at += 1
            else:
                if self.runs and self.runs[-1][0] + len(self.runs[-1][1]) == at:
                    at0, text = self.runs[-1]
                    self.runs[-1] = (at0, text + part)
                else:
                    self.runs.append((at, part))
                at += len(part)
        self.length = at
        self.holes = any(part is None for part in parts)
        self.text = "".join(part for part in parts if part is not None)
        self.anchor_at, self.anchor = max(self.runs, key=lambda run: len(run[1]), default=(0, ""))

    def fits(self, value: str, at: int) -> bool:
        """Whether the piece matches `value` at `at`."""
        if at < 0 or at + self.length > len(value):
            return False
        return all(value.startswith(text, at + offset) for offset, text in self.runs)

    def find(self, value: str, start: int, end: int, tick: Tick) -> int:
        """The first place from `start` where the piece fits and ends by `end`, or -1."""
        if not self.holes:
            return value.find(self.text, start, end)
        last = end - self.length
        if not self.anchor:
            return start if start <= last else -1
        at = start
        tried = 0  # literals compared
        while at <= last:
            found = value.find(self.anchor, at + self.anchor_at, end)
            if found < 0:
                return -1
            at = found - self.anchor_at
            if at > last:
                return -1
            if self.fits(value, at):
                return at
            at += 1
            tried += len(self.runs)
            if tried > 1000:
                tick()
                tried = 0
        return -1


class Glob:
    """One pattern, read."""

    def __init__(self, pattern: str) -> None:
        groups: list[list[str | None]] = [[]]
        self.wild: list[str] = []
        """The wildcards in their order: what match variables stand for."""
        for escaped, wild, literal in _TOKEN.findall(pattern):
            if wild:
                self.wild.append(wild)
                if wild == "*":
                    groups.append([])
                else:
                    groups[-1].append(None)
            else:
                groups[-1].append(escaped or literal)
        self.pieces = [Piece(group) for group in groups]
        self.has_holes = any(piece.holes for piece in self.pieces)

    def places(self, value: str, tick: Tick) -> list[int] | None:
        """Where each piece begins in `value`, None when the pattern does not match. RFC 5229, 3.2: each star takes as
        little as it can."""
        first, last = self.pieces[0], self.pieces[-1]
        if not first.fits(value, 0):
            return None
        if len(self.pieces) == 1:
            return [0] if first.length == len(value) else None
        end = len(value) - last.length
        if end < first.length or not last.fits(value, end):
            return None
        found = [0]
        at = first.length
        for piece in self.pieces[1:-1]:
            at = piece.find(value, at, end, tick)
            if at < 0:
                return None
            found.append(at)
            at += piece.length
        found.append(end)
        return found

    def captures(self, value: str, original: str, tick: Tick) -> tuple[str, ...] | None:
        """What `${0}`, `${1}` ... are when `value` matches: cut from `original`, which has the same characters before
        folding. None when it does not match."""
        places = self.places(value, tick)
        if places is None:
            return None
        cut = [original]
        at = 0
        for i, (piece, begin) in enumerate(zip(self.pieces, places, strict=True)):
            if i:
                cut.append(original[at:begin])
            end_of_run = 0
            for offset, text in [*piece.runs, (piece.length, "")]:
                cut += list(original[begin + end_of_run : begin + offset])
                end_of_run = offset + len(text)
            at = begin + piece.length
        return tuple(cut)


def matcher(pattern: str) -> Callable[[str, Tick], Any]:
    """A function that says whether a (folded) value matches `pattern` (folded likewise)."""
    glob = Glob(pattern)
    if glob.has_holes:
        return lambda value, tick: glob.places(value, tick) is not None
    texts = [piece.text for piece in glob.pieces]
    if len(texts) == 1:
        text = texts[0]
        return lambda value, tick: value == text  # noqa: ARG005
    if len(texts) == 2:
        first, last = texts
        length = len(first) + len(last)
        if not last:
            return lambda value, tick: value.startswith(first)  # noqa: ARG005
        if not first:
            return lambda value, tick: value.endswith(last)  # noqa: ARG005
        return lambda value, tick: (  # noqa: ARG005
            len(value) >= length and value.startswith(first) and value.endswith(last)
        )
    if len(texts) == 3 and not texts[0] and not texts[2]:
        only = texts[1]
        return lambda value, tick: only in value  # noqa: ARG005
    first, *middle, last = texts
    before, after = len(first), len(last)

    def fits(value: str, tick: Tick) -> bool:  # noqa: ARG001  # each search begins where the last one ended
        at, end = before, len(value) - after
        if end < at or (at and not value.startswith(first)) or (after and not value.endswith(last)):
            return False
        for text in middle:
            at = value.find(text, at, end)
            if at < 0:
                return False
            at += len(text)
        return True

    return fits
