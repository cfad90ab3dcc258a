"""problems: a place in a text and what is wrong there, as data that every front end can show.

Positions are offsets in characters (code points) of the text as it was decoded, the end exclusive; a `Source` turns
them into lines and columns, which count from 1.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple


class Span(NamedTuple):
    """From `start` up to but not including `end`, in characters."""

    start: int
    end: int


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"
    ADVICE = "advice"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a text: `rule` is its name in words (`tag-unknown`), `hint` what to write instead, or ""."""

    rule: str
    message: str
    span: Span
    hint: str = ""
    severity: Severity = Severity.ERROR

    def __post_init__(self) -> None:
        # scripts and configurations are quoted in problems, and problems are logged: a text may not make a line of its own
        object.__setattr__(self, "message", printable(self.message))
        object.__setattr__(self, "hint", printable(self.hint))


class Position(NamedTuple):
    line: int
    column: int


@dataclass(frozen=True)
class Source:
    """A text and the path it is known by; knows its lines."""

    path: str
    text: str

    @cached_property
    def _starts(self) -> list[int]:
        starts = [0]
        find = self.text.find
        at = find("\n")
        while at >= 0:
            starts.append(at + 1)
            at = find("\n", at + 1)
        return starts

    def position(self, offset: int) -> Position:
        """Line and column, both from 1, of the character at `offset`."""
        line = bisect_right(self._starts, offset)
        return Position(line, offset - self._starts[line - 1] + 1)

    def line(self, number: int) -> str:
        """The text of line `number` (from 1), without its end."""
        start = self._starts[number - 1]
        end = self._starts[number] if number < len(self._starts) else len(self.text)
        return self.text[start:end].rstrip("\r\n")


class Place:
    """Where in which text: `path`, `line` and `column`, both from 1, worked out when they are asked for. Without an
    offset it is the whole text, whose line is 0."""

    __slots__ = ("_offset", "_source")

    def __init__(self, source: Source, offset: int | None = None) -> None:
        self._source = source
        self._offset = offset

    @property
    def path(self) -> str:
        return self._source.path

    @property
    def position(self) -> Position:
        return Position(0, 0) if self._offset is None else self._source.position(self._offset)

    @property
    def line(self) -> int:
        return self.position.line

    @property
    def column(self) -> int:
        return self.position.column

    def as_json(self) -> dict[str, object]:
        """The place as machines read it; the path alone for a whole text."""
        if self._offset is None:
            return {"path": self.path}
        line, column = self.position
        return {"path": self.path, "line": line, "column": column}

    def __str__(self) -> str:
        return self.path if self._offset is None else f"{self.path}:{self.line}"

    def __repr__(self) -> str:
        return f"Place({self.path!r}, {self.line}, {self.column})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Place) and (self.path, self.position) == (other.path, other.position)

    def __hash__(self) -> int:
        return hash((self.path, self.position))


def printable(text: str) -> str:
    """`text` with `?` for what would move a terminal's cursor or cannot be shown: much of it was chosen by strangers."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


def excerpt(source: Source, span: Span) -> list[str]:
    """The line where `span` begins, with marks below it: two lines for people. Control characters show as `?`."""
    position = source.position(span.start)
    line = source.line(position.line)
    begin = position.column - 1
    end = max(begin + 1, min(begin + span.end - span.start, len(line)))
    shown_from = 0
    if len(line) > _WIDEST:  # a machine-made line: show the part that matters
        shown_from = max(0, begin - _WIDEST // 2)
        line, begin, end = line[shown_from : shown_from + _WIDEST], begin - shown_from, end - shown_from
    shown = "\t".join(map(printable, line.split("\t")))
    pad = "".join("\t" if c == "\t" else " " for c in shown[:begin])
    number = f"{position.line:>4}"
    return [f"{number} | {shown}", f"{' ' * len(number)} | {pad}{'^' * max(1, min(end, _WIDEST) - begin)}"]


_WIDEST = 160


def report(source: Source, problem: Problem) -> str:
    """A problem as people read it: place, severity, message, rule, the line with marks, the hint."""
    line, column = source.position(problem.span.start)
    head = f"{source.path}:{line}:{column}: {problem.severity}: {problem.message} [{problem.rule}]"
    lines = [head, *excerpt(source, problem.span)]
    if problem.hint:
        lines.append(f"     = {problem.hint}")
    return "\n".join(lines)


def as_json(source: Source, problem: Problem) -> dict[str, object]:
    """A problem as machines read it; lines and columns from 1, the end exclusive."""
    line, column = source.position(problem.span.start)
    end_line, end_column = source.position(max(problem.span.start, problem.span.end))
    return {
        "path": source.path,
        "line": line,
        "column": column,
        "end_line": end_line,
        "end_column": end_column,
        "rule": problem.rule,
        "severity": str(problem.severity),
        "message": problem.message,
        "hint": problem.hint or None,
    }


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint naming the word of `known` that `word` was probably meant to be, or ""."""
    from difflib import get_close_matches  # for whoever makes mistakes

    near = get_close_matches(word.lower(), sorted(known), n=1, cutoff=0.7)
    return f'did you mean "{near[0]}"?' if near else ""
