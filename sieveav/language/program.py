"""program: what the checker makes of a script: blocks of words, each prepared once, ready to be run many times.

A word here is an instance of a class that an extension (or the base) declared: a command has `run(run)`, a test has
`holds(run)`. Nothing in this room knows what they do, nor what a run is beyond what is said here.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sieveav import limits
from sieveav.language.problems import Source


class Running(Protocol):
    """What a block needs of the run it is in."""

    step: Any
    careful: bool

    def spend(self, steps: int) -> None: ...
    def entered(self, step: Any) -> None: ...


class Command(Protocol):
    def run(self, run: Any) -> None: ...


class Test(Protocol):
    def holds(self, run: Any) -> bool: ...


class Template(Protocol):
    """A string that is only known while running; made by a reader of strings."""

    def settle(self, run: Any) -> str: ...


class Block:
    """Commands in their order. `cost` is the most steps one pass over them can take, the blocks within aside."""

    __slots__ = ("cost", "steps")

    def __init__(self, steps: tuple[Command, ...], cost: int) -> None:
        self.steps = steps
        self.cost = cost

    def run(self, run: Running) -> None:
        run.spend(self.cost)
        if run.careful:
            for step in self.steps:
                run.entered(step)
                step.run(run)
        else:
            for step in self.steps:
                run.step = step
                step.run(run)


Tests = tuple[Test, ...]
Strings = tuple[str, ...]
Arms = tuple[tuple[Test | None, Block], ...]
"""The arms of an `if`: each a test, None for `else`, and the block taken when it holds."""


class Unsettled:
    """A word some of whose strings are templates: each time it is met, a copy with their values takes its place, so a
    word always sees plain strings."""

    def __init__(self, word: Any, templates: Mapping[str, Any]) -> None:
        self.word = word
        self.templates = templates
        self.span = word.span

    def settled(self, run: Any) -> Any:
        word = copy.copy(self.word)
        for name, value in self.templates.items():
            setattr(word, name, settle(value, run))
        prepare = getattr(word, "prepare", None)
        if prepare is not None:
            prepare()
        return word

    def holds(self, run: Any) -> bool:
        return bool(self.settled(run).holds(run))

    def run(self, run: Any) -> None:
        self.settled(run).run(run)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "word" not in self.__dict__:
            raise AttributeError(name)
        return getattr(self.word, name)


class Pieces:
    """A string made of others, some of them templates; no longer than a string of a script may be."""

    def __init__(self, pieces: Sequence[str | Template]) -> None:
        self.pieces = pieces

    def settle(self, run: Any) -> str:
        run.tick()
        found: list[str] = []
        room = limits.STRING_SIZE
        for piece in self.pieces:
            text = piece if isinstance(piece, str) else piece.settle(run)
            found.append(text[:room])
            room -= len(text)
            if room <= 0:
                break
        return "".join(found)


def is_settled(value: Any) -> bool:
    """Whether `value` is what it is at every time, and no template."""
    return not isinstance(value, Unsettled) and not hasattr(value, "settle")


def settle(value: Any, run: Any) -> Any:
    """`value` with every template in it turned into the string it stands for now."""
    if isinstance(value, tuple):
        return tuple(settle(item, run) for item in value)
    if isinstance(value, Unsettled):
        return value.settled(run)
    return value.settle(run) if hasattr(value, "settle") else value


@dataclass(frozen=True)
class Program:
    """A script that checked. `settings` holds each of its extensions' settings by capability and name, `unwritten` the
    tags that a keep has although nobody wrote them, and so the implicit one."""

    source: Source
    block: Block
    capabilities: frozenset[str]
    cost: int
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    unwritten: tuple[Any, ...] = ()

    def place(self, step: Any) -> dict[str, object]:
        """Where `step` stands: path, line and column, both from 1."""
        line, column = self.source.position(step.span.start)
        return {"path": self.source.path, "line": line, "column": column}
