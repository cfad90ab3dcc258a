"""program: what the checker makes of a script: blocks of words, each prepared once, ready to be run many times.

A word here is an instance of a class that an extension (or the base) declared: a command has `run(run)`, a test has
`holds(run)`. Nothing in this room knows what they do, nor what a run is beyond what is said here.
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
    """A string that is only known while running; made by a reader of strings."""

    def expand(self, run: Any) -> str:
        """The string that it stands for now."""
        raise NotImplementedError


class Block:
    """Commands in their order. `cost` is the most steps one pass over them can take, the blocks within aside."""

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
"""The arms of an `if`: each a test, None for `else`, and the block taken when it holds."""

EXPANSIONS = 64
"""Expanded copies that one place in a script remembers."""

EXPANSION_LENGTH = 1000
"""Characters of the values for which a copy is remembered: longer ones are seldom met twice."""


class Unexpanded:
    """A word some of whose strings are templates: each time it is met, a copy with their values takes its place, so a
    word always sees plain strings. `rules` are those of its arguments (`valid`), by field.

    Copies are remembered by the values: `fileinto "lists.${1}"` has few. This is sound as long as words change nothing
    in themselves when they run.
    """

    def __init__(self, word: Any, templates: Mapping[str, Any], rules: Mapping[str, Callable[[Any], str]]) -> None:
        self.word = word
        self.span = word.span
        self._names = tuple(templates)
        self._templates = tuple(templates.values())
        self._rules = tuple((name, rules[name]) for name in self._names if name in rules)
        self._expanded: dict[tuple[Any, ...], Any] = {}

    def expanded(self, run: Any) -> Any:
        values = tuple([expand(template, run) for template in self._templates])
        word = self._expanded.get(values)
        if word is None:
            word = self._made(values, run)
            if _length(values) <= EXPANSION_LENGTH:
                if len(self._expanded) >= EXPANSIONS:
                    self._expanded = {}
                self._expanded[values] = word
        return word

    def _made(self, values: tuple[Any, ...], run: Any) -> Any:
        word = copy.copy(self.word)
        for name, value in zip(self._names, values, strict=True):
            setattr(word, name, value)
        for name, flaw in self._rules:
            value = getattr(word, name)
            for text in value if isinstance(value, tuple) else (value,):
                wrong = flaw(text)
                if wrong:
                    run.fail(wrong, word)
        word.prepare()
        return word

    def holds(self, run: Any) -> bool:
        return bool(self.expanded(run).holds(run))

    def run(self, run: Any) -> None:
        self.expanded(run).run(run)

    def __getattr__(self, name: str) -> Any:
        # what the word's own `check` set is asked of it by others' checks; `copy` and `pickle` look for special names
        # before there is a word
        if name.startswith("__") or "word" not in self.__dict__:
            raise AttributeError(name)
        return getattr(self.word, name)


def _length(values: tuple[Any, ...]) -> int:
    """Characters of the strings in `values`, those of tags and choices among them too."""
    length = 0
    for value in values:
        if isinstance(value, str):
            length += len(value)
        elif isinstance(value, tuple):
            length += _length(value)
        elif hasattr(value, "__dict__"):
            held = [item for held in vars(value).values() for item in (held if isinstance(held, tuple) else (held,))]
            length += sum([len(item) for item in held if isinstance(item, str)])
    return length


class Pieces(Template):
    """A string made of others, some of them templates; no longer than a string of a script may be."""

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
    """Whether `value` is the same at every time, and no template."""
    return not isinstance(value, (Unexpanded, Template))


def expand(value: Any, run: Any) -> Any:
    """`value` with every template in it turned into the string it stands for now."""
    if isinstance(value, tuple):
        return tuple([expand(item, run) for item in value])
    if isinstance(value, Unexpanded):
        return value.expanded(run)
    return value.expand(run) if isinstance(value, Template) else value


class Unmet:
    """In the place of a word that is not known, in a script that asks which extensions there are (RFC 5463): an error
    only when it is met."""

    def __init__(self, message: str, place: Place) -> None:
        self.message = message
        self.place = place

    def _met(self, run: Any) -> NoReturn:
        run.fail(self.message, self)
        raise AssertionError("fail does not return")

    def run(self, run: Any) -> None:
        self._met(run)

    def holds(self, run: Any) -> bool:
        self._met(run)


class Conditional:
    """A word of extensions that the script has only asked for (`use.learn`): an error where it is met before a test that
    did so has held (RFC 5463, 4). `capabilities` are those, each with the ones of which any brings it."""

    def __init__(self, word: Any, capabilities: Mapping[str, frozenset[str]]) -> None:
        self.word = word
        self.span = word.span
        self._capabilities = capabilities

    def _checked(self, run: Any) -> Any:
        missing = [name for name, by in self._capabilities.items() if by.isdisjoint(run.enabled)]
        if missing:
            run.fail(f"extension {', '.join(missing)} is used before a test has enabled it", self)
        return self.word

    def run(self, run: Any) -> None:
        self._checked(run).run(run)

    def holds(self, run: Any) -> bool:
        return bool(self._checked(run).holds(run))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "word" not in self.__dict__:
            raise AttributeError(name)
        return getattr(self.word, name)


class Amender(NamedTuple):
    """What changes every action of some words as the run stands (`Extension.amends`): `amend(run)` gives something with
    `amend(action)`, or None; not asked for a word that has the tag `unless`."""

    amend: Callable[[Any], Any]
    unless: str


class Mention(NamedTuple):
    """Something outside of the script that it names by a constant: `kind` ("script", "list", "program", "mailbox"),
    `name`, what else tells it apart (`location`), and where."""

    kind: str
    name: str
    location: str
    place: Place
    span: Span


@dataclass(frozen=True)
class Program:
    """A script that checked. `cost` counts its steps and strings, `amenders` are those of each action by its name, "keep"
    for the implicit one, `mentions` what it names outside of itself."""

    source: Source
    block: Block
    capabilities: frozenset[str]
    cost: int
    amenders: Mapping[str, tuple[Amender, ...]] = field(default_factory=dict)
    mentions: tuple[Mention, ...] = ()
