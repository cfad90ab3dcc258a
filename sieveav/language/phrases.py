"""phrases: the commands and tests of a script as they are written, with places: from the reader to the checker."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sieveav.language.problems import Span


@dataclass(slots=True)
class String:
    """A string: unquoted, unstuffed, its newlines CRLF."""

    value: str
    span: Span


@dataclass(slots=True)
class StringList:
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


Argument = String | StringList | Number | Tag


@dataclass(slots=True)
class Phrase:
    """A command or a test: its word (lower-cased; "" where it could not be read), its arguments and tests, and its block, or
    None. RFC 5228, 2.6."""

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


def walk(phrases: Iterable[Phrase]) -> Iterator[Phrase]:
    """All of `phrases` with the tests and blocks in them, in the order of the text."""
    for phrase in phrases:
        yield phrase
        yield from walk(phrase.tests)
        yield from walk(phrase.block or ())


def cost(phrases: Iterable[Phrase]) -> int:
    """The most steps that one pass over `phrases` can take, without the blocks in them: one for each command, each test and
    each string."""
    steps = 0
    for phrase in phrases:
        steps += 1 + cost(phrase.tests)
        for argument in phrase.arguments:
            if isinstance(argument, String):
                steps += 1
            elif isinstance(argument, StringList):
                steps += len(argument.items)
    return steps
