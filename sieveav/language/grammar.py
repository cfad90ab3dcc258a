"""grammar: the fields of a word's class to the grammar of the word.

    class Virustest:
        match: Match = choice("match_type", ":is")     # one of the tags the vocabulary has for match_type
        days: int = tag(":days", 7)                    # a tag with a number
        last: bool = tag(":last")                      # a tag alone
        name: str = optional("")                       # a positional that may be left out
        value: str                                     # a positional

From these come binding, type errors, the usage line and the catalogue; nothing states the grammar a second time. The
types are str, Strings, int, bool (of a bare tag), Test, Tests, Block and Arms.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache, cached_property
from typing import Any, get_type_hints

from sieveav.language.program import Arms, Block, Strings, Test, Tests


class Shape(StrEnum):
    """What may stand in a field, as usage lines say it."""

    STRING = "string"
    STRINGS = "string-list"
    NUMBER = "number"
    BARE = "tag"
    TEST = "test"
    TESTS = "test-list"
    BLOCK = "block"
    ARMS = "arms"


_SHAPES: list[tuple[Any, Shape]] = [
    (str, Shape.STRING),
    (Strings, Shape.STRINGS),
    (int, Shape.NUMBER),
    (bool, Shape.BARE),
    (Test, Shape.TEST),
    (Tests, Shape.TESTS),
    (Block, Shape.BLOCK),
    (Arms, Shape.ARMS),
]

REQUIRED: Any = object()
"""The default of a field that has none."""


@dataclass(frozen=True)
class _Declared:
    """What `tag`, `choice` or `optional` leaves in the class until the grammar is read off."""

    tag: str = ""
    kind: str = ""
    default: Any = None
    positional: bool = False


def tag(name: str, default: Any = None) -> Any:
    """A field given by the tag `name`, followed by a value of the field's type; a bool has no value. Not given, it is
    `default`, which for a bool is False."""
    return _Declared(tag=name.lower(), default=default)


def choice(kind: str, default: str | None, by: str = "") -> Any:
    """A field that is one of the vocabulary's choices of `kind`, named by its own tag or, with `by`, by the string after
    that tag; not given, it is the choice named `default`."""
    return _Declared(tag=by.lower(), kind=kind, default=default)


def optional(default: Any) -> Any:
    """A positional field that may be left out, and is then `default`."""
    return _Declared(default=default, positional=True)


@dataclass(frozen=True)  # without slots: `positional` is asked for often, and remembered
class Field:
    """One field of a word: `tag` and `kind` are "" for a positional one."""

    name: str
    shape: Shape
    tag: str = ""
    kind: str = ""
    default: Any = REQUIRED

    @cached_property
    def positional(self) -> bool:
        return not self.tag and not self.kind


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
        """The positional fields that are strings, lists or numbers, in their order."""
        return tuple(f for f in self.fields if f.positional and f.shape in _VALUES)

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
            shown = f"<{field.name.replace('_', '-')}: {field.shape}>"
            parts.append(shown if field.default is REQUIRED else f"[{shown}]")
        parts += [f"<{f.name}: {f.shape}>" for f in self.fields if f.shape in (Shape.TEST, Shape.TESTS)]
        parts += ["{ ... }" for f in self.fields if f.shape is Shape.BLOCK]
        return " ".join(parts)


_VALUES = frozenset({Shape.STRING, Shape.STRINGS, Shape.NUMBER})


@cache
def grammar_of(cls: type) -> Grammar:
    """The grammar that the fields of `cls` state, those of its bases first. TypeError names a field that is none of the
    types above: a fault of the extension's author, found when it is loaded."""
    fields = []
    hints = get_type_hints(cls)
    stated = {name: owner for owner in reversed(cls.__mro__) for name in vars(owner).get("__annotations__", {})}
    for owner in reversed(cls.__mro__):
        for name in (name for name in vars(owner).get("__annotations__", {}) if stated[name] is owner):
            declared = getattr(cls, name, REQUIRED)
            if not isinstance(declared, _Declared) and declared is not REQUIRED:
                continue  # a plain attribute of the class, no field
            if isinstance(declared, _Declared) and declared.kind:
                fields.append(Field(name, Shape.STRING, declared.tag, declared.kind, declared.default))
                continue
            shape = next((shape for known, shape in _SHAPES if hints[name] == known), None)
            if declared is REQUIRED and (shape is None or shape is Shape.BARE):
                continue  # worked out by prepare
            if shape is None:
                raise TypeError(f"{cls.__name__}.{name} is of no type that a script can write")
            if declared is REQUIRED:
                fields.append(Field(name, shape))
            else:
                default = False if shape is Shape.BARE and declared.default is None else declared.default
                fields.append(Field(name, shape, declared.tag, "", default))
    return Grammar(tuple(fields))
