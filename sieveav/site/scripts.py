"""scripts: a script's path, or a user's address, to a checked program, remembered while the file is as it was.

The suffix says the dialect: files ending `.siv` are Momentum's, which needs no `require`.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sieveav import limits
from sieveav.language.checking import Checked, check
from sieveav.language.vocabulary import Vocabulary
from sieveav.running.addresses import envelope

DIALECTS = {".siv": "momentum"}
"""Suffix -> dialect; every other suffix is plain Sieve."""

REMEMBERED = 1000
"""Checked scripts that are kept: beyond that, the one that was not used for the longest time goes."""


def dialect_of(path: str | Path) -> str:
    """The dialect of the script at `path`, "" for plain Sieve."""
    return DIALECTS.get(Path(path).suffix.lower(), "")


def contents(path: Path) -> bytes:
    """The octets of the script at `path`, read to a bound beyond which the checker refuses it anyway. OSError when it
    cannot be read."""
    with path.open("rb") as file:
        return file.read(limits.SCRIPT_SIZE + 1)


Stamp = tuple[int, int, int]


def stamp_of(status: os.stat_result) -> Stamp:
    """What tells whether a file has changed since it was read."""
    return status.st_mtime_ns, status.st_size, status.st_ino


@dataclass(frozen=True)
class _Kept:
    stamp: Stamp
    checked: Checked


class Scripts:
    """The scripts of a site; `vocabulary(phase, dialect)` makes the words they may use."""

    def __init__(self, vocabulary: Callable[[str, str], Vocabulary]) -> None:
        self._vocabulary = vocabulary
        self._kept: OrderedDict[tuple[str, str], _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def checked(self, path: Path, phase: str) -> Checked:
        """The script at `path`, checked for `phase`, anew when the file has changed. OSError when it cannot be read."""
        stamp = stamp_of(path.stat())
        key = (os.fspath(path), phase)
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None and kept.stamp == stamp:
                self._kept.move_to_end(key)
                return kept.checked
        checked = check(contents(path), key[0], self._vocabulary(phase, dialect_of(path)))
        with self._lock:
            self._kept[key] = _Kept(stamp, checked)
            self._kept.move_to_end(key)
            if len(self._kept) > REMEMBERED:
                self._kept.popitem(last=False)
        return checked


def user_script(template: str, recipient: str) -> Path | None:
    """Where the script of `recipient` is: `template` with %u, %n and %d put in, None when that would leave the template.

    `%u` is the whole address, `%n` its local part without detail, `%d` its domain, all lower-cased.
    """
    address = envelope(recipient)
    local = (address.local or "").lower().partition("+")[0]
    values = {"u": address.text.lower(), "n": local, "d": (address.domain or "").lower(), "%": "%"}
    found, rest = [], template
    while rest:
        text, percent, rest = rest.partition("%")
        found.append(text)
        if percent:
            value = values.get(rest[:1])
            if value is None or (rest[:1] != "%" and not is_entry(value)):
                return None
            found.append(value)
            rest = rest[1:]
    return Path("".join(found))


def is_entry(value: str) -> bool:
    """Whether a text can be used in a path: it names one entry of a folder, and nothing else."""
    return (
        bool(value)
        and len(value.encode("utf-8", "replace")) <= 255
        and not value.startswith(".")
        and all(c.isprintable() and c not in "/\\" for c in value)
    )
