"""grammar: the fields of a word's class to the grammar of the word.

    class Virustest(Word):
        match: MatchType = choice("match_type", ":is") # one of the tags the vocabulary has for match_type
        days: int = tag(":days", 7)                    # a tag with a number
        last: bool = tag(":last")                      # a tag alone
        name: str = optional("")                       # a positional argument that may be left out
        mailbox: str = value(valid=mailbox_flaw)       # a positional argument with a rule
        value: str                                     # a positional argument
        subject: Shared = derived()                    # no argument: worked out by `check` or `prepare`

From these come binding, type errors, the usage line and the catalogue; nothing states the grammar a second time. The
types of arguments are str, Strings, int, bool (of a bare tag), Test, Tests, Block and Arms. An annotation that is none of
these is a TypeError when the class is declared.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, cached_property
from typing import Any

from sieveav.language.program import Arms, Block, Strings, Test, Tests


class Shape(StrEnum):
    """The type of an argument, as usage lines show it."""

    STRING = "string"
    STRINGS = "string-list"
    NUMBER = "number"
    BARE = "tag"
    TEST = "test"
    TESTS = "test-list"
    BLOCK = "block"
    ARMS = "arms"


_SHAPES: list[tuple[Any, str, Shape]] = [
    (str, "str", Shape.STRING),
    (Strings, "Strings", Shape.STRINGS),
    (int, "int", Shape.NUMBER),
    (bool, "bool", Shape.BARE),
    (Test, "Test", Shape.TEST),
    (Tests, "Tests", Shape.TESTS),
    (Block, "Block", Shape.BLOCK),
    (Arms, "Arms", Shape.ARMS),
]
"""Type, its name in an annotation, shape."""

REQUIRED: Any = object()
"""The default of a field that has none."""

Flaw = Callable[[Any], str]
"""What is wrong with the value of an argument (a string, each string of a list, or a number); "" for nothing."""


@dataclass(frozen=True)
class Stated:
    """What `tag`, `choice`, `optional` or `value` states of a field."""

    tag: str = ""
    kind: str = ""
    default: Any = None
    valid: Flaw | None = None
    hint: str = ""


@dataclass(frozen=True)
class _Derived:
    default: Any


def tag(name: str, default: Any = None, *, valid: Flaw | None = None, hint: str = "") -> Any:
    """A tagged argument: the tag `name`, followed by a value of the field's type; a bool has no value. Not given, it is
    `default`, which for a bool is False. `valid` and `hint` as with `value`."""
    return Stated(tag=name.lower(), default=default, valid=valid, hint=hint)


def choice(kind: str, default: str | None, by: str = "") -> Any:
    """A field that is one of the vocabulary's choices of `kind`, named by its own tag or, with `by`, by the string after
    that tag; not given, it is the choice named `default`, or None."""
    return Stated(tag=by.lower(), kind=kind, default=default)


def optional(default: Any, *, valid: Flaw | None = None, hint: str = "") -> Any:
    """A positional argument that may be left out, and is then `default`."""
    return Stated(default=default, valid=valid, hint=hint)


def value(*, valid: Flaw | None = None, hint: str = "") -> Any:
    """A positional argument with a rule. `valid(value)` says what is wrong, "" for nothing: a constant is then a problem
    with `hint` when the script is checked, a value made of variables a fault with the same text when it runs."""
    return Stated(default=REQUIRED, valid=valid, hint=hint)


def derived(default: Any = REQUIRED) -> Any:
    """An attribute that is no argument: `check`, `prepare` or the checker sets it."""
    return _Derived(default)


@dataclass(frozen=True)  # without slots: `positional` is asked for often, and remembered
class Field:
    """One argument of a word: `tag` and `kind` are "" for a positional one."""

    name: str
    shape: Shape
    tag: str = ""
    kind: str = ""
    default: Any = REQUIRED
    valid: Flaw | None = None
    hint: str = ""

    @cached_property
    def positional(self) -> bool:
        return not self.tag and not self.kind

    @property
    def shown(self) -> str:
        """The name as usage lines and rules show it."""
        return self.name.replace("_", "-")


@dataclass(frozen=True)
class Grammar:
    """What a word takes."""

    fields: tuple[Field, ...]

    @cached_property
    def _by_shape(self) -> dict[Shape, Field]:
        return {field.shape: field for field in self.fields if field.positional}

    def of(self, shape: Shape) -> Field | None:
        """The field for what is not a value, a test or a block, if the word takes one."""
        return self._by_shape.get(shape)

    @cached_property
    def values(self) -> tuple[Field, ...]:
        """The positional arguments that are strings, lists or numbers, in their order."""
        return tuple(f for f in self.fields if f.positional and f.shape in _VALUES)

    @cached_property
    def required(self) -> int:
        """How many positional arguments cannot be left out."""
        return sum(field.default is REQUIRED for field in self.values)

    @cached_property
    def nests(self) -> bool:
        """Whether it takes tests or a block."""
        return any(shape in self._by_shape for shape in (Shape.TEST, Shape.TESTS, Shape.BLOCK))

    @cached_property
    def rules(self) -> dict[str, Flaw]:
        """The rules of the arguments that have one, by field."""
        return {field.name: field.valid for field in self.fields if field.valid is not None}

    @cached_property
    def tagged(self) -> tuple[Field, ...]:
        return tuple(f for f in self.fields if not f.positional)

    def usage(self, word: str) -> str:
        """The word's syntax in the notation of the RFCs."""
        parts = [word]
        for field in self.tagged:
            if field.kind:
                parts.append(f"[{field.kind.replace('_', '-').upper()}]")
            elif field.shape is Shape.BARE:
                parts.append(f"[{field.tag}]")
            else:
                parts.append(f"[{field.tag} <{field.shape}>]")
        for field in self.values:
            shown = f"<{field.shown}: {field.shape}>"
            parts.append(shown if field.default is REQUIRED else f"[{shown}]")
        parts += [f"<{f.name}: {f.shape}>" for f in self.fields if f.shape in (Shape.TEST, Shape.TESTS)]
        parts += ["{ ... }" for f in self.fields if f.shape is Shape.BLOCK]
        return " ".join(parts)


_VALUES = frozenset({Shape.STRING, Shape.STRINGS, Shape.NUMBER})


def take_stated(cls: type) -> dict[str, tuple[Any, Stated]]:
    """The fields that `cls` itself states: name -> annotation and statement; what states them is taken out of the class,
    so that an attribute is there only once it has a value. TypeError for an annotation with any other value."""
    stated: dict[str, tuple[Any, Stated]] = {}
    for name, annotation in vars(cls).get("__annotations__", {}).items():
        statement = vars(cls).get(name, REQUIRED)
        if str(annotation).startswith(("ClassVar", "typing.ClassVar")):
            continue
        if isinstance(statement, _Derived):
            if statement.default is REQUIRED:
                delattr(cls, name)
            else:
                setattr(cls, name, statement.default)
        elif isinstance(statement, Stated):
            delattr(cls, name)
            stated[name] = (annotation, statement)
        elif statement is REQUIRED:
            stated[name] = (annotation, Stated(default=REQUIRED))
        else:
            raise TypeError(
                f"{cls.__name__}.{name}: an argument with a default is written = optional(...) or = tag(...), any other "
                "attribute = derived(...) or without annotation"
            )
    return stated


@cache
def grammar_of(cls: type) -> Grammar:
    """The grammar that the fields of `cls` state, those of its bases first; a field stated again has the later place.
    TypeError names a field that is of none of the types above."""
    owners = {name: owner for owner in reversed(cls.__mro__) for name in vars(owner).get("__annotations__", {})}
    fields = []
    for owner in reversed(cls.__mro__):
        for name, (annotation, stated) in vars(owner).get("stated", {}).items():
            if owners[name] is owner:
                fields.append(_field(f"{cls.__name__}.{name}", name, annotation, stated))
    return Grammar(tuple(fields))


def _field(where: str, name: str, annotation: Any, stated: Stated) -> Field:
    if stated.kind:
        return Field(name, Shape.STRING, stated.tag, stated.kind, stated.default)
    written = annotation.rpartition(".")[2] if isinstance(annotation, str) else annotation
    shape = next((shape for type_, named, shape in _SHAPES if written in (type_, named)), None)
    if shape is None or (shape is Shape.BARE and not stated.tag):
        types = ", ".join(named for _, named, _ in _SHAPES)
        raise TypeError(
            f"{where} is of no type that a script can write ({types}; bool for a tag); write = derived() if it is no argument"
        )
    default = False if shape is Shape.BARE and stated.default is None else stated.default
    return Field(name, shape, stated.tag, "", default, stated.valid, stated.hint)
