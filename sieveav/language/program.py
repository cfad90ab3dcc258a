"""program: the result of checking a script: blocks of words, each prepared once, to be run many times.

A word is an instance of a class that an extension (or the base) declared: a command has `run(run)`, a test has
`holds(run)`. This package does not know what they do, and of a run only what is in `Running`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NoReturn, Protocol

from sieveav import limits
from sieveav.language.problems import Place, Source, Span


class Running(Protocol):
    """What a block needs of the run it is in."""

    step: Any
    instrumented: bool

    def spend(self, steps: int) -> None: ...
    def enter(self, step: Any) -> None: ...


class Command(Protocol):
    def run(self, run: Any) -> None: ...


class Test(Protocol):
    def holds(self, run: Any) -> bool: ...


class Template:
    """A string with variables in it; made by a reader of strings."""

    def expand(self, run: Any) -> str:
        """The string, with the present values of the variables."""
        raise NotImplementedError


class Block:
    """Commands in their order. `cost` is the most steps that one pass over them can take, without the blocks in them."""

    __slots__ = ("cost", "steps")

    def __init__(self, steps: tuple[Command, ...], cost: int) -> None:
        self.steps = steps
        self.cost = cost

    def run(self, run: Running) -> None:
        run.spend(self.cost)
        if run.instrumented:
            for step in self.steps:
                run.enter(step)
                step.run(run)
        else:
            for step in self.steps:
                run.step = step
                step.run(run)


Tests = tuple[Test, ...]
Strings = tuple[str, ...]
Arms = tuple[tuple[Test | None, Block], ...]
"""The arms of an `if`: each has a test, None for `else`, and the block that runs when it holds."""

EXPANSIONS = 64
"""Expanded copies that one place in a script remembers."""

EXPANSION_LENGTH = 1000
"""Characters of the values for which a copy is remembered: longer ones seldom occur twice."""


class Unexpanded:
    """A word with templates among its strings. Each time it runs, a copy with their values runs in its place, so a word always
    sees plain strings. `flaws` are the `valid` of its arguments, by field.

    Copies are remembered by the values: `fileinto "lists.${1}"` has few. This is sound because words change nothing in
    themselves when they run.
    """

    def __init__(self, word: Any, templates: Mapping[str, Any], flaws: Mapping[str, Callable[[Any], str]]) -> None:
        self.word = word
        self.span = word.span
        self._names = tuple(templates)
        self._templates = tuple(templates.values())
        self._flaws = tuple((name, flaws[name]) for name in self._names if name in flaws)
        self._expanded: dict[tuple[Any, ...], Any] = {}

    def expanded(self, run: Any) -> Any:
        values = tuple([expand(template, run) for template in self._templates])
        word = self._expanded.get(values)
        if word is None:
            word = self._copy(values, run)
            if _length(values) <= EXPANSION_LENGTH:
                if len(self._expanded) >= EXPANSIONS:
                    self._expanded = {}
                self._expanded[values] = word
        return word

    def _copy(self, values: tuple[Any, ...], run: Any) -> Any:
        word = copy.copy(self.word)
        for name, value in zip(self._names, values, strict=True):
            setattr(word, name, value)
        for name, flaw in self._flaws:
            value = getattr(word, name)
            for text in value if isinstance(value, tuple) else (value,):
                message = flaw(text)
                if message:
                    run.fail(message, word)
        word.prepare()
        return word

    def holds(self, run: Any) -> bool:
        return bool(self.expanded(run).holds(run))

    def run(self, run: Any) -> None:
        self.expanded(run).run(run)

    def __getattr__(self, name: str) -> Any:
        # The checks of other words ask for attributes that the word's own `check` set. `copy` and `pickle` look for special
        # names before `word` is set.
        if name.startswith("__") or "word" not in self.__dict__:
            raise AttributeError(name)
        return getattr(self.word, name)


def _length(values: tuple[Any, ...]) -> int:
    """Characters of the strings in `values`, with those of tags and choices."""
    length = 0
    for value in values:
        if isinstance(value, str):
            length += len(value)
        elif isinstance(value, tuple):
            length += _length(value)
        elif hasattr(value, "__dict__"):
            items = [item for each in vars(value).values() for item in (each if isinstance(each, tuple) else (each,))]
            length += sum([len(item) for item in items if isinstance(item, str)])
    return length


class Pieces(Template):
    """A string joined from others, some of them templates; cut to the length of a script's strings."""

    def __init__(self, pieces: Sequence[str | Template]) -> None:
        self.pieces = pieces

    def expand(self, run: Any) -> str:
        run.tick()
        texts: list[str] = []
        room = limits.STRING_SIZE
        for piece in self.pieces:
            text = piece if isinstance(piece, str) else piece.expand(run)
            texts.append(text[:room])
            room -= len(text)
            if room <= 0:
                break
        return "".join(texts)


def is_constant(value: Any) -> bool:
    """Whether `value` is not a template and has none in it."""
    return not isinstance(value, (Unexpanded, Template))


def expand(value: Any, run: Any) -> Any:
    """`value` with every template in it expanded."""
    if isinstance(value, tuple):
        return tuple([expand(item, run) for item in value])
    if isinstance(value, Unexpanded):
        return value.expanded(run)
    return value.expand(run) if isinstance(value, Template) else value


class Unmet:
    """The step in place of an unknown word, in a script that asks which extensions there are (RFC 5463): a run-time error."""

    def __init__(self, message: str, place: Place) -> None:
        self.message = message
        self.place = place

    def _fail(self, run: Any) -> NoReturn:
        run.fail(self.message, self)
        raise AssertionError("fail does not return")

    def run(self, run: Any) -> None:
        self._fail(run)

    def holds(self, run: Any) -> bool:
        self._fail(run)


class Conditional:
    """A word of extensions that the script has only asked for (`use.learn`): a run-time error unless the test that asked has
    held before (RFC 5463, 4). `capabilities` are those extensions, each with the ones asked for that imply it."""

    def __init__(self, word: Any, capabilities: Mapping[str, frozenset[str]]) -> None:
        self.word = word
        self.span = word.span
        self._capabilities = capabilities

    def _enabled(self, run: Any) -> Any:
        missing = [name for name, by in self._capabilities.items() if by.isdisjoint(run.enabled)]
        if missing:
            run.fail(f"extension {', '.join(missing)} is used before a test has enabled it", self)
        return self.word

    def run(self, run: Any) -> None:
        self._enabled(run).run(run)

    def holds(self, run: Any) -> bool:
        return bool(self._enabled(run).holds(run))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "word" not in self.__dict__:
            raise AttributeError(name)
        return getattr(self.word, name)


class Amender(NamedTuple):
    """What changes every action of some words (`Extension.amends`): `amend(run)` gives something with `amend(action)`, or
    None. It is not called for a word that has the tag `unless`."""

    amend: Callable[[Any], Any]
    unless: str


class Mention(NamedTuple):
    """Something outside the script that it names by a constant string: its kind ("script", "list", "program", "mailbox"), its
    name, its location (such as "global") and the place."""

    kind: str
    name: str
    location: str
    place: Place
    span: Span


@dataclass(frozen=True)
class Program:
    """A script without errors. `cost` is the number of its commands, tests and strings, a measure of its memory too.
    `amenders` are those of each action, by its name, "keep" for the implicit keep; `mentions` is what it names outside
    itself."""

    source: Source
    block: Block
    capabilities: frozenset[str]
    cost: int
    amenders: Mapping[str, tuple[Amender, ...]] = field(default_factory=dict)
    mentions: tuple[Mention, ...] = ()
