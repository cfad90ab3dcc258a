"""options: one named setting as a declaration, and how written text becomes its value.

A leaf: the configuration file, an engine's options and an extension's settings are all declared with `Option`, so that
reading, checking, defaults and help come from one place.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Written = str | tuple[str, ...]
"""A value as the configuration file writes it: one word or string, or a list in parentheses."""


@dataclass(frozen=True)
class ValueType:
    """A type of value: `name` as people read it in help and errors, `read` from one written text (raises ValueError
    with the reason), `many` when it is a list."""

    name: str
    read: Callable[[str], Any]
    many: bool = False


@dataclass(frozen=True)
class Option:
    """One setting. `unless_default` names why a value other than the default is refused ("not in this version")."""

    name: str
    kind: ValueType
    default: Any
    meaning: str
    unless_default: str = ""

    def value(self, written: Written) -> Any:
        """`written` as a value of this option's kind; ValueError with a reason that people can act on."""
        if self.kind.many:
            return tuple(self.kind.read(text) for text in ([written] if isinstance(written, str) else written))
        if not isinstance(written, str):
            raise ValueError(f"{self.name} takes one {self.kind.name}, not a list")
        return self.kind.read(written)


_BOOLEANS = {"true": True, "on": True, "yes": True, "1": True, "false": False, "off": False, "no": False, "0": False}


def _boolean(text: str) -> bool:
    try:
        return _BOOLEANS[text.lower()]
    except KeyError:
        raise ValueError(f'"{text}" is not one of true, false, on, off, yes, no, 1, 0') from None


def _integer(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise ValueError(f'"{text}" is not a whole number')
    return int(text)


_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def _seconds(text: str) -> float:
    found = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)([smhdw]?)", text.lower())
    if found is None:
        raise ValueError(f'"{text}" is not a time: write seconds, or a number with s, m, h, d or w')
    return float(found[1]) * _SECONDS[found[2]]


_SIZES = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def _size(text: str) -> int:
    found = re.fullmatch(r"([0-9]{1,15})([kmg]?)", text.lower())
    if found is None:
        raise ValueError(f'"{text}" is not a size: write octets, or a number with k, m or g')
    return int(found[1]) * _SIZES[found[2]]


def _one_of(words: tuple[str, ...]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text.lower() not in words:
            raise ValueError(f'"{text}" is not one of {", ".join(words)}')
        return text.lower()

    return read


TEXT = ValueType("string", str)
BOOLEAN = ValueType("boolean", _boolean)
INTEGER = ValueType("whole number", _integer)
SECONDS = ValueType("time in seconds", _seconds)
SIZE = ValueType("size in octets", _size)
TEXTS = ValueType("string", str, many=True)
FILE = ValueType("file", str)
"""A file that must be there; in a configuration, relative names are relative to the configuration's folder."""
FILES = ValueType("file", str, many=True)
DIRECTORY = ValueType("directory", str)


def one_of(*words: str) -> ValueType:
    """A kind that takes one of `words`, in any case."""
    return ValueType(" | ".join(words), _one_of(words))


def integer(least: int, most: int) -> ValueType:
    """A kind that takes a whole number from `least` to `most`."""

    def read(text: str) -> int:
        number = _integer(text)
        if not least <= number <= most:
            raise ValueError(f"{number} is not from {least} to {most}")
        return number

    return ValueType(f"whole number from {least} to {most}", read)
