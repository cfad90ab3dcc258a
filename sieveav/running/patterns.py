"""patterns: the patterns of `:matches` to functions that match in linear time. RFC 5228, 2.7.1.

A pattern is a list of pieces between its stars. The first piece must begin the value, the last must end it, and the others
are searched from left to right, each at its first position: no backtracking. `str.find` searches for a piece without `?` in
linear time; a piece with `?` is searched by its longest literal, and each comparison counts against the clock.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

Tick = Callable[[], None]
"""Raises if the time of the run is over."""

COMPARISONS_BETWEEN_TICKS = 1000
"""Literals of pieces with `?` that are compared before the clock is looked at."""

_TOKEN = re.compile(r"\\(.)|([*?])|([^\\*?]+|\\)", re.DOTALL)


class Piece:
    """The part of a pattern between two stars: literals and `?`."""

    __slots__ = ("anchor", "anchor_at", "has_wildcards", "length", "literals", "text")

    def __init__(self, parts: list[str | None]) -> None:
        """`parts` are the literals in order, None for a `?`."""
        self.literals: list[tuple[int, str]] = []
        """Offset in the piece, and text."""
        at = 0
        for part in parts:
            if part is None:
                at += 1
            else:
                if self.literals and self.literals[-1][0] + len(self.literals[-1][1]) == at:
                    offset, text = self.literals[-1]
                    self.literals[-1] = (offset, text + part)
                else:
                    self.literals.append((at, part))
                at += len(part)
        self.length = at
        self.has_wildcards = any(part is None for part in parts)
        self.text = "".join(part for part in parts if part is not None)
        self.anchor_at, self.anchor = max(self.literals, key=lambda literal: len(literal[1]), default=(0, ""))

    def fits(self, value: str, at: int) -> bool:
        """Whether the piece matches `value` at `at`."""
        if at < 0 or at + self.length > len(value):
            return False
        return all(value.startswith(text, at + offset) for offset, text in self.literals)

    def find(self, value: str, start: int, end: int, tick: Tick) -> int:
        """The first position from `start` on where the piece matches and ends by `end`, or -1."""
        if not self.has_wildcards:
            return value.find(self.text, start, end)
        last = end - self.length
        if not self.anchor:
            return start if start <= last else -1
        at = start
        comparisons = 0
        while at <= last:
            anchor = value.find(self.anchor, at + self.anchor_at, end)
            if anchor < 0:
                return -1
            at = anchor - self.anchor_at
            if at > last:
                return -1
            if self.fits(value, at):
                return at
            at += 1
            comparisons += len(self.literals)
            if comparisons > COMPARISONS_BETWEEN_TICKS:
                tick()
                comparisons = 0
        return -1


class MatchesPattern:
    """One pattern, divided into its pieces."""

    def __init__(self, pattern: str) -> None:
        groups: list[list[str | None]] = [[]]
        for escaped, wildcard, literal in _TOKEN.findall(pattern):
            if wildcard == "*":
                groups.append([])
            else:
                groups[-1].append(None if wildcard else escaped or literal)
        self.pieces = [Piece(group) for group in groups]
        self.has_wildcards = any(piece.has_wildcards for piece in self.pieces)
        """Whether it contains a `?`."""

    def positions(self, value: str, tick: Tick) -> list[int] | None:
        """Where each piece begins in `value`; None if the pattern does not match. RFC 5229, 3.2: each star matches as
        little as possible."""
        first, last = self.pieces[0], self.pieces[-1]
        if not first.fits(value, 0):
            return None
        if len(self.pieces) == 1:
            return [0] if first.length == len(value) else None
        end = len(value) - last.length
        if end < first.length or not last.fits(value, end):
            return None
        positions = [0]
        at = first.length
        for piece in self.pieces[1:-1]:
            at = piece.find(value, at, end, tick)
            if at < 0:
                return None
            positions.append(at)
            at += piece.length
        positions.append(end)
        return positions

    def captures(self, value: str, original: str, tick: Tick) -> tuple[str, ...] | None:
        """The match variables `${0}`, `${1}` ... if `value` matches, else None. They are taken from `original`, which is
        `value` before folding and as long."""
        positions = self.positions(value, tick)
        if positions is None:
            return None
        captures = [original]
        at = 0
        for i, (piece, begin) in enumerate(zip(self.pieces, positions, strict=True)):
            if i:
                captures.append(original[at:begin])
            literal_end = 0
            for offset, text in [*piece.literals, (piece.length, "")]:
                captures += list(original[begin + literal_end : begin + offset])
                literal_end = offset + len(text)
            at = begin + piece.length
        return tuple(captures)


def matcher(pattern: str) -> Callable[[str, Tick], Any]:
    """A function that says whether a (folded) value matches `pattern` (folded likewise)."""
    divided = MatchesPattern(pattern)
    if divided.has_wildcards:
        return lambda value, tick: divided.positions(value, tick) is not None
    texts = [piece.text for piece in divided.pieces]
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

    def fits(value: str, tick: Tick) -> bool:  # noqa: ARG001  # linear: each search begins where the previous one ended
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
