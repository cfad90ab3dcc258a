"""options: the declaration of a setting, with which written text becomes its value and its value becomes text.

A leaf: the configuration file, an engine's options and an extension's settings are all declared with `Option`, so that
reading, checking, defaults and help come from one place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Written = str | tuple[str, ...]
"""A value as the configuration file writes it: one word or string, or a list in parentheses."""


def _write(value: Any) -> str:
    """A boolean or number without quotes, anything else as a quoted string."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.6f}".rstrip("0").rstrip(".")
    if isinstance(value, int):
        return str(value)
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


@dataclass(frozen=True)
class ValueType:
    """A type of value: `name` as people read it in help and errors, `read` from one written text (raises ValueError
    with the reason), `write` the opposite of `read`, `many` when it is a list.

    A value that `read` returns as a Path is relative to the configuration's folder; `must_exist` checks that it exists.
    """

    name: str
    read: Callable[[str], Any]
    many: bool = False
    must_exist: Callable[[Path], bool] | None = None
    write: Callable[[Any], str] = _write

    def show(self, value: Any) -> str:
        """`value` in the configuration's syntax: `true`, `10`, `4m`, `"text"`, `( "a" "b" )`; "" for None."""
        if value is None:
            return ""
        if isinstance(value, tuple):
            return " ".join(("(", *map(self.write, value), ")"))
        return self.write(value)


@dataclass(frozen=True)
class Option:
    """One setting. `warn` returns a warning about a value that is accepted, or ""."""

    name: str
    kind: ValueType
    default: Any
    meaning: str
    warn: Callable[[Any], str] | None = None

    def value(self, written: Written) -> Any:
        """`written` as a value of this option's type; ValueError with a reason that people can act on."""
        if self.kind.many:
            return tuple(self.kind.read(text) for text in ([written] if isinstance(written, str) else written))
        if not isinstance(written, str):
            raise ValueError(f"{self.name} takes one {self.kind.name}, not a list")
        return self.kind.read(written)

    def located(self, value: Any, base: Path) -> Any:
        """`value`, with `base` as the folder of a relative path. ValueError if a path must exist and does not."""
        if isinstance(value, tuple):
            return tuple(self.located(item, base) for item in value)
        if not isinstance(value, Path):
            return value
        path = base / value
        try:
            exists = self.kind.must_exist is None or self.kind.must_exist(path)
        except (OSError, ValueError):  # the name is too long, or the folder may not be read
            exists = False
        if not exists:
            raise ValueError(f'there is no {self.kind.name} "{path}"')
        return path


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


def _with_units(units: Mapping[str, int]) -> Callable[[float], str]:
    """Writes a number with the largest unit of which it is a multiple."""

    def write(value: float) -> str:
        multiples = (unit for unit, size in units.items() if size > 1 and value >= size and value % size == 0)
        unit = max(multiples, key=lambda unit: units[unit], default="")
        return f"{_write(value // units[unit] if unit else value)}{unit}"

    return write


_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def _seconds(text: str) -> float:
    match = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)([smhdw]?)", text.lower())
    if match is None:
        raise ValueError(f'"{text}" is not a time: write seconds, or a number with s, m, h, d or w')
    return float(match[1]) * _SECONDS[match[2]]


def _above_zero(text: str) -> float:
    seconds = _seconds(text)
    if seconds <= 0:
        raise ValueError("the time must be more than 0 seconds")
    return seconds


_SIZES = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def _size(text: str) -> int:
    match = re.fullmatch(r"([0-9]{1,15})([kmg]?)", text.lower())
    if match is None:
        raise ValueError(f'"{text}" is not a size: write octets, or a number with k, m or g')
    return int(match[1]) * _SIZES[match[2]]


def _path(text: str) -> Path:
    if not text:
        raise ValueError("the path is empty")
    return Path(text)


def _one_of(words: tuple[str, ...]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text.lower() not in words:
            raise ValueError(f'"{text}" is not one of {", ".join(words)}')
        return text.lower()

    return read


TEXT = ValueType("string", str)
TEXTS = ValueType("string", str, many=True)
BOOLEAN = ValueType("boolean", _boolean)
INTEGER = ValueType("whole number", _integer)
SECONDS = ValueType("time in seconds", _seconds, write=_with_units(_SECONDS))
DURATION = ValueType("time in seconds, more than 0", _above_zero, write=_with_units(_SECONDS))
SIZE = ValueType("size in octets", _size, write=_with_units(_SIZES))
PATH = ValueType("path", _path)
"""A file or socket that need not exist when the configuration is read."""
FILE = ValueType("file", _path, must_exist=Path.is_file)
FILES = ValueType("file", _path, many=True, must_exist=Path.is_file)
DIRECTORY = ValueType("directory", _path, must_exist=Path.is_dir)


def one_of(*words: str) -> ValueType:
    """A type that takes one of `words`, in upper or lower case."""
    return ValueType(" | ".join(words), _one_of(words))


def integer(least: int, most: int) -> ValueType:
    """A type that takes a whole number from `least` to `most`."""

    def read(text: str) -> int:
        number = _integer(text)
        if not least <= number <= most:
            raise ValueError(f"{number} is not from {least} to {most}")
        return number

    return ValueType(f"whole number from {least} to {most}", read)
