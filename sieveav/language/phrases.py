"""phrases: the words of a script as written, with their places; what the reader gives and the checker takes."""

from __future__ import annotations

from dataclasses import dataclass

from sieveav.language.problems import Span


@dataclass(slots=True)
class String:
    """A string: unquoted, unstuffed, its newlines CRLF."""

    value: str
    span: Span


@dataclass(slots=True)
class Strings:
    """A string list in brackets."""

    items: tuple[String, ...]
    span: Span


@dataclass(slots=True)
class Number:
    """A number with its quantifier multiplied in."""

    value: int
    span: Span


@dataclass(slots=True)
class Tag:
    """A tag, lower-cased, with its colon."""

    name: str
    span: Span


Argument = String | Strings | Number | Tag


@dataclass(slots=True)
class Phrase:
    """A command or a test: its word (lower-cased; "" stands in for what could not be read), arguments, the tests it
    takes, and its block, None where it has none. RFC 5228, 2.6."""

    word: str
    span: Span
    arguments: tuple[Argument, ...] = ()
    tests: tuple[Phrase, ...] = ()
    block: tuple[Phrase, ...] | None = None

    @property
    def whole(self) -> Span:
        """From the word to the last of its arguments and tests."""
        ends = [self.span.end]
        ends.extend(argument.span.end for argument in self.arguments[-1:])
        ends.extend(test.whole.end for test in self.tests[-1:])
        return Span(self.span.start, max(ends))
