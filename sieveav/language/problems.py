"""problems: a place in a text and what is wrong there, to data and text that every front end can show.

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

from sieveav.printing import printable as printable


class Span(NamedTuple):
    """From `start` up to but not including `end`, in characters."""

    start: int
    end: int


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"
    ADVICE = "advice"


class Edit(NamedTuple):
    """A change of a text: `text` replaces what is at `span`. With an empty span it is inserted."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a text: `rule` is its name (see sieveav/language/rules.py), `hint` says what to write instead, or is
    "". `edits` together mend it, where that is mechanical and certainly right."""

    rule: str
    message: str
    span: Span
    hint: str = ""
    severity: Severity = Severity.ERROR
    edits: tuple[Edit, ...] = ()

    def __post_init__(self) -> None:
        # Scripts and configurations are quoted in problems, and problems are logged: no text may add a line to a log.
        object.__setattr__(self, "message", printable(self.message))
        object.__setattr__(self, "hint", printable(self.hint))


class Position(NamedTuple):
    line: int
    column: int


@dataclass(frozen=True)
class Source:
    """A text and its path, for people; finds lines and columns."""

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
    """A place in a text: `path`, `line` and `column`, both from 1, worked out when they are read. Without an offset it is the
    whole text, whose line is 0."""

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
        """The place for machines; only the path for a whole text."""
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


def excerpt(source: Source, span: Span) -> list[str]:
    """The line where `span` begins, with marks below it: two lines for people. Control characters are shown as `?`."""
    position = source.position(span.start)
    line = source.line(position.line)
    begin = position.column - 1
    end = max(begin + 1, min(begin + span.end - span.start, len(line)))
    if len(line) > _WIDEST:  # a line written by a program: show the part that matters
        shown_from = max(0, begin - _WIDEST // 2)
        line, begin, end = line[shown_from : shown_from + _WIDEST], begin - shown_from, end - shown_from
    shown = "\t".join(map(printable, line.split("\t")))
    end = min(end, _WIDEST)
    pad = "".join("\t" if c == "\t" else " " * _columns(c) for c in shown[:begin])
    marks = "^" * max(1, _columns(shown[begin:end]) if end <= len(shown) else end - begin)
    number = f"{position.line:>4}"
    return [f"{number} | {shown}", f"{' ' * len(number)} | {pad}{marks}"]


_WIDEST = 160


def _columns(text: str) -> int:
    """The columns that `text` takes on a terminal: two for a wide character, none for a combining one."""
    if text.isascii():
        return len(text)
    from unicodedata import category, east_asian_width  # most scripts are ASCII

    return sum(2 if east_asian_width(c) in "WF" else category(c) not in ("Mn", "Me") for c in text)


def report(source: Source, problem: Problem) -> str:
    """A problem for people: place, severity, message, rule, the line with marks, the hint."""
    line, column = source.position(problem.span.start)
    head = f"{source.path}:{line}:{column}: {problem.severity}: {problem.message} [{problem.rule}]"
    lines = [head, *excerpt(source, problem.span)]
    if problem.hint:
        lines.append(f"     = {problem.hint}")
    return "\n".join(lines)


def as_json(source: Source, problem: Problem) -> dict[str, object]:
    """A problem for machines; lines and columns from 1, the end exclusive."""
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
    """The hint that names the one of `known` that `word` is probably a typo of, or ""."""
    near = nearest(word, known)
    return f'did you mean "{near}"?' if near else ""


def nearest(word: str, known: Iterable[str]) -> str:
    """The one of `known` that `word` is probably a typo of, or ""."""
    from difflib import get_close_matches  # only problems need it

    near = get_close_matches(word[:_LONGEST].lower(), sorted(known), n=1, cutoff=0.7)
    return near[0] if near else ""


_LONGEST = 100
"""Characters of a word that are compared: a typo is in a short one, and the comparison takes quadratic time."""
