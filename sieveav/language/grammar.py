"""grammar: the annotated attributes of a word's class to the grammar of the word.

    class Virustest(Word):
        match: MatchType = choice("match_type", ":is") # one of the tags that the vocabulary has for match_type
        days: int = tag(":days", 7)                    # a tag with a number
        last: bool = tag(":last")                      # a tag alone
        name: str = optional("")                       # an optional positional argument
        mailbox: str = value(valid=mailbox_flaw)       # a positional argument with a rule
        value: str                                     # a positional argument
        subject: Shared = derived()                    # not an argument: set by `check` or `prepare`

Binding, type errors, usage lines and `sieveav explain` all use them; the grammar is written nowhere else. The types of
arguments are str, Strings, int, bool (of a bare tag), Test, Tests, Block and Arms. Another annotation is a TypeError when
the class is declared.
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
"""The default of an argument that is required."""

Flaw = Callable[[Any], str]
"""Says what is wrong with the value of an argument (a string, each string of a list, or a number); "" if it is valid."""


@dataclass(frozen=True)
class Spec:
    """What `tag`, `choice`, `optional` or `value` says of an argument."""

    tag: str = ""
    kind: str = ""
    default: Any = None
    valid: Flaw | None = None
    hint: str = ""


@dataclass(frozen=True)
class _Derived:
    default: Any


def tag(name: str, default: Any = None, *, valid: Flaw | None = None, hint: str = "") -> Any:
    """A tagged argument: the tag `name`, followed by a value of the field's type; a bool has no value. Without the tag it is
    `default`, which for a bool is False. `valid` and `hint` as in `value`."""
    return Spec(tag=name.lower(), default=default, valid=valid, hint=hint)


def choice(kind: str, default: str | None, by: str = "") -> Any:
    """An argument that is one of the vocabulary's choices of `kind`. It is named by its own tag or, with `by`, by the string
    after that tag. Without either it is the choice named `default`, or None."""
    return Spec(tag=by.lower(), kind=kind, default=default)


def optional(default: Any, *, valid: Flaw | None = None, hint: str = "") -> Any:
    """An optional positional argument; `default` if it is left out."""
    return Spec(default=default, valid=valid, hint=hint)


def value(*, valid: Flaw | None = None, hint: str = "") -> Any:
    """A positional argument with a rule: `valid(value)` says what is wrong, "" for a valid value. For a constant that is a
    problem with `hint` when the script is checked, for a value with variables a run-time error with the same text."""
    return Spec(default=REQUIRED, valid=valid, hint=hint)


def derived(default: Any = REQUIRED) -> Any:
    """An attribute that is not an argument: `check`, `prepare` or the checker sets it."""
    return _Derived(default)


@dataclass(frozen=True)  # without slots: `positional` is needed often, so it is remembered
class Field:
    """One argument of a word. `tag` and `kind` are "" for a positional argument."""

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

    @property
    def type_name(self) -> str:
        """Its type in words, such as "string list"."""
        return self.shape.replace("-", " ")

    @property
    def rule(self) -> str:
        """The rule of the problem that its value is invalid."""
        return f"{self.shown}-invalid"


@dataclass(frozen=True)
class Grammar:
    """What a word takes."""

    fields: tuple[Field, ...]

    @cached_property
    def _by_shape(self) -> dict[Shape, Field]:
        return {field.shape: field for field in self.fields if field.positional}

    def of(self, shape: Shape) -> Field | None:
        """The positional argument of that shape, the last one if there are several; None if there is none."""
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
    def nested(self) -> tuple[Field, ...]:
        """The fields for tests and blocks."""
        return tuple(f for f in self.fields if f.shape in (Shape.TEST, Shape.TESTS, Shape.BLOCK))

    @cached_property
    def takes_tests(self) -> bool:
        return any(f.shape is not Shape.BLOCK for f in self.nested)

    @cached_property
    def flaws(self) -> dict[str, Flaw]:
        """What says whether an argument is valid, by field; for those that have it."""
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


def take_specs(cls: type) -> dict[str, tuple[Any, Spec]]:
    """The arguments that `cls` itself declares, name -> annotation and spec. The specs are removed from the class, so that
    an attribute exists only once it has a value. TypeError for an annotation with any other value."""
    specs: dict[str, tuple[Any, Spec]] = {}
    for name, annotation in vars(cls).get("__annotations__", {}).items():
        if str(annotation).startswith(("ClassVar", "typing.ClassVar")):
            continue
        value = vars(cls).get(name, REQUIRED)
        if isinstance(value, _Derived):
            if value.default is REQUIRED:
                delattr(cls, name)
            else:
                setattr(cls, name, value.default)
        elif isinstance(value, Spec):
            delattr(cls, name)
            specs[name] = (annotation, value)
        elif value is REQUIRED:
            specs[name] = (annotation, Spec(default=REQUIRED))
        else:
            raise TypeError(
                f"{cls.__name__}.{name}: an argument with a default is written = optional(...) or = tag(...), any other "
                "attribute = derived(...) or without annotation"
            )
    return specs


@cache
def grammar_of(cls: type) -> Grammar:
    """The grammar of `cls`: the arguments of its bases first. One that is declared again has the later position. TypeError
    names an argument of a type that no script can write."""
    owners = {name: owner for owner in reversed(cls.__mro__) for name in vars(owner).get("__annotations__", {})}
    fields = []
    for owner in reversed(cls.__mro__):
        for name, (annotation, spec) in vars(owner).get("specs", {}).items():
            if owners[name] is owner:
                fields.append(_field(f"{cls.__name__}.{name}", name, annotation, spec))
    return Grammar(tuple(fields))


def _field(where: str, name: str, annotation: Any, spec: Spec) -> Field:
    if spec.kind:
        return Field(name, Shape.STRING, spec.tag, spec.kind, spec.default)
    type_name = annotation.rpartition(".")[2] if isinstance(annotation, str) else annotation
    shape = next((shape for type_, named, shape in _SHAPES if type_name in (type_, named)), None)
    if shape is None or (shape is Shape.BARE and not spec.tag):
        types = ", ".join(named for _, named, _ in _SHAPES)
        raise TypeError(
            f"{where}: the type of an argument is one of {types} (bool for a tag); write = derived() for another attribute"
        )
    default = False if shape is Shape.BARE and spec.default is None else spec.default
    return Field(name, shape, spec.tag, "", default, spec.valid, spec.hint)
