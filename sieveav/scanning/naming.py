"""naming: the name of a signature into the status that a hit of it counts as, or into clean if the site allows it.

Shared by all engines that report names: they declare `OPTIONS` among theirs and make a `Naming` from the values.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from sieveav.options import TEXTS, Option, ValueType
from sieveav.verdict import FOUND, UNSCANNABLE, Status, Verdict, plain

_log = logging.getLogger(__name__)

Class = tuple[str, Status]
"""A glob of signature names, and what a hit of one counts as."""

STATUSES = tuple(status for status in Status if status in FOUND | UNSCANNABLE)
"""What a hit may count as."""

CLAMAV: tuple[Class, ...] = (
    ("Heuristics.Encrypted.*", Status.ENCRYPTED),
    ("Heuristics.OLE2.ContainsMacros*", Status.MACRO),
    ("Heuristics.Limits.Exceeded*", Status.LIMITS),
    # Heuristics: a policy may want to hold such mail, but it is not a known virus.
    ("Heuristics.Phishing.*", Status.SUSPICIOUS),
    ("Heuristics.Structured.*", Status.SUSPICIOUS),  # credit card numbers and the like
    ("Heuristics.Broken.*", Status.SUSPICIOUS),  # a damaged program or image
    ("PUA.*", Status.SUSPICIOUS),  # possibly unwanted: tools, adware
)
"""What ClamAV's signatures count as: the first match decides. Any other name is infected, `*.UNOFFICIAL` and `Phishing.*` too:
those are signatures."""

_WORDS = {str(status): status for status in STATUSES}


def _class(text: str) -> Class:
    glob, _, word = text.rpartition("=")
    status = _WORDS.get(word.strip())
    if not glob.strip() or status is None:
        raise ValueError(f'"{plain(text)}" is not GLOB=CLASS; the classes are {", ".join(_WORDS)}')
    return glob.strip(), status


def _read_class(text: str) -> str:
    _class(text)
    return text


OPTIONS = (
    Option(
        "classes",
        ValueType("GLOB=CLASS", _read_class, many=True),
        (),
        'what signatures count as, before the engine\'s own table: GLOB=CLASS, such as "PUA.*=infected"',
    ),
    Option(
        "allow",
        TEXTS,
        (),
        "globs of signatures that count as clean, each time with a line in the log; an engine that names only the first"
        " signature that hits does not report the others",
    ),
)


def parse_classes(texts: Iterable[str]) -> tuple[Class, ...]:
    """The values of the option `classes`. ValueError if one is not GLOB=CLASS."""
    return tuple(map(_class, texts))


def classify(name: str, classes: Sequence[Class], otherwise: Status = Status.INFECTED) -> Status:
    """What a hit of the signature `name` counts as: the first class that matches, or `otherwise`."""
    return next((status for glob, status in classes if fnmatchcase(name, glob)), otherwise)


@dataclass(frozen=True)
class Naming:
    """What the hits of an engine's signatures count as."""

    classes: tuple[Class, ...] = ()
    allow: tuple[str, ...] = ()

    @classmethod
    def of(cls, values: Mapping[str, Any], table: Sequence[Class] = ()) -> Naming:
        """From the values of `OPTIONS`, if the engine has them, and the engine's own table. ValueError with a reason."""
        return cls((*parse_classes(values.get("classes", ())), *table), tuple(values.get("allow", ())))

    def verdict(self, engine: str, name: str, otherwise: Status = Status.INFECTED) -> Verdict:
        """The verdict of `engine` when its signature `name` hits: `otherwise` if no class matches. An allowed one is logged."""
        if any(fnmatchcase(name, glob) for glob in self.allow):
            _log.warning("%s: %s found but allowed", engine, plain(name))
            return Verdict(engine, Status.CLEAN)
        return Verdict(engine, classify(name, self.classes, otherwise), name)
