"""scripts: a script's path to a checked program, kept until the file changes.

The suffix says the dialect: files ending in `.siv` are Momentum's, which needs no `require`.
"""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from sieveav import limits
from sieveav.language.checking import Checked, check
from sieveav.language.problems import Place
from sieveav.language.vocabulary import Vocabulary
from sieveav.site.users import DIALECTS

_log = logging.getLogger(__name__)

KEPT_COST = 200_000
"""What the programs that are kept may cost together, in steps and keys: each takes up to 1 KB of memory."""


def dialect_of(path: str | Path) -> str:
    """The dialect of the script at `path`, "" for plain Sieve."""
    return DIALECTS.get(Path(path).suffix.lower(), "")


def contents(path: Path, largest: int = limits.SCRIPT_SIZE) -> bytes:
    """The octets of the script at `path`, up to a bound beyond which the checker refuses it anyway. OSError if it cannot be
    read."""
    with path.open("rb") as file:
        return file.read(largest + 1)


Stamp = tuple[int, int, int]


def stamp_of(status: os.stat_result) -> Stamp:
    """What changes if a file is changed."""
    return status.st_mtime_ns, status.st_size, status.st_ino


@dataclass(frozen=True)
class _Kept:
    """What is kept of a script: the file's stamp, what it was checked to, the last that had no errors, and until when, on the
    monotonic clock."""

    stamp: Stamp
    checked: Checked
    good: Checked | None
    until: float

    @property
    def cost(self) -> int:
        programs = {id(each): each.program.cost for each in (self.checked, self.good) if each and each.program}
        return 1 + sum(programs.values())


Key = tuple[str, str]
"""Path and phase."""


class Scripts:
    """The scripts of a site; `vocabulary(phase, dialect)` makes the words that they may use. `size` of them are kept at most,
    those that were used last, and each for `life` seconds; 0 means until its file changes. Safe to use from several threads,
    which wait for each other only if they want the same script."""

    def __init__(self, vocabulary: Callable[[str, str], Vocabulary], size: int = 1000, life: float = 0.0) -> None:
        self._vocabulary = vocabulary
        self._size = size
        self._life = life or math.inf
        self._kept: OrderedDict[Key, _Kept] = OrderedDict()
        self._cost = 0
        self._lock = threading.Lock()
        self._checking: dict[Key, threading.Lock] = {}

    def checked(self, path: Path, phase: str) -> Checked:
        """The script at `path`, checked for `phase`; checked again if the file has changed. OSError if it cannot be read."""
        return self._get(path, phase).checked

    def runnable(self, path: Path, phase: str) -> Checked:
        """The script at `path`; if it has been changed to one with errors, as it was before. OSError if it cannot be read."""
        kept = self._get(path, phase)
        return kept.good or kept.checked

    @property
    def kept(self) -> int:
        """How many checked scripts are kept."""
        return len(self._kept)

    def flush(self) -> int:
        """Forget all scripts, but those that have errors now and run as they were before; returns how many."""
        with self._lock:
            forgotten = [key for key, kept in self._kept.items() if kept.good in (None, kept.checked)]
            for key in forgotten:
                self._cost -= self._kept.pop(key).cost
        return len(forgotten)

    def _get(self, path: Path, phase: str) -> _Kept:
        key = (os.fspath(path), phase)
        stamp = stamp_of(path.stat())
        kept = self._look_up(key, stamp)
        if kept is None:
            with self._lock:
                checking = self._checking.setdefault(key, threading.Lock())
            with checking:  # of several threads that find a script changed, one checks it
                kept = self._look_up(key, stamp)
                if kept is None:
                    kept = self._check(path, key, stamp)
            with self._lock:
                self._checking.pop(key, None)
        return kept

    def _look_up(self, key: Key, stamp: Stamp) -> _Kept | None:
        with self._lock:
            kept = self._kept.get(key)
            if kept is None or kept.stamp != stamp or kept.until < time.monotonic():
                return None
            self._kept.move_to_end(key)
            return kept

    def _check(self, path: Path, key: Key, stamp: Stamp) -> _Kept:
        checked = check(contents(path), key[0], self._vocabulary(key[1], dialect_of(path)))
        checked = replace(checked, phrases=(), comments=(), vocabulary=None)  # running needs none of them
        with self._lock:
            before = self._kept.pop(key, None)
            good = checked if checked.program is not None else before.good if before else None
            if good is not None and good is not checked:
                error = checked.first_error
                place = Place(checked.source, error.span.start)
                _log.error("script %s: %s; it runs as it was before", place, error.message)
            kept = self._kept[key] = _Kept(stamp, checked, good, time.monotonic() + self._life)
            self._cost += kept.cost - (before.cost if before else 0)
            while len(self._kept) > self._size or (self._cost > KEPT_COST and len(self._kept) > 1):
                _, dropped = self._kept.popitem(last=False)
                self._cost -= dropped.cost
        return kept
