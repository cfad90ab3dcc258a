"""verdict: the words an engine answers with, their order, and the one verdict many are merged into.

A leaf: every room may import it, it imports none. Source of the order and of the classes: what each word must mean to a
mail policy. An `error` outranks everything but a find, because a policy that lets unscannable mail pass must not pass
what an engine never saw.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

INFO_LENGTH = 256
"""The most characters of an engine's own words that go on: they end in headers, replies, logs and variables."""


class Status(StrEnum):
    """One engine's answer about one content."""

    INFECTED = "infected"
    SUSPICIOUS = "suspicious"
    ERROR = "error"
    ENCRYPTED = "encrypted"
    MACRO = "macro"
    LIMITS = "limits"
    UNSCANNABLE = "unscannable"
    SKIPPED = "skipped"
    CLEAN = "clean"


_RANK = {status: rank for rank, status in enumerate(Status)}
"""Worst first, in the order in which the words stand above."""

FOUND = frozenset({Status.INFECTED, Status.SUSPICIOUS})
"""What a policy script reads as "virus"."""

UNSCANNABLE = frozenset({Status.ENCRYPTED, Status.MACRO, Status.LIMITS, Status.UNSCANNABLE})
"""Content that an engine could not, or was told not to, look into."""


def plain(text: str, length: int = INFO_LENGTH) -> str:
    """What is left of a stranger's `text`: printable ASCII in one line, at most `length` characters.

    Names of signatures and files are chosen by attackers; no CR, LF, NUL or other control character of theirs may reach
    a header, a reply, a log line or a variable. Anything else is dropped, not replaced.
    """
    return "".join(c for c in text if " " <= c <= "~")[:length]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What `engine` says of a content.

    `info` is usually the name of the virus or the reason of an error (made plain here, so that no engine can forget
    to), `code` the engine's own scan code, `version` that of its definitions, `cured` "", "cured" or "replaced",
    `ms` the milliseconds the answer took (outside equality: two runs of the same input are equal).
    """

    engine: str
    status: Status
    info: str = ""
    code: int | None = None
    version: str = ""
    cured: str = ""
    ms: float = field(default=0.0, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "info", plain(self.info))
        object.__setattr__(self, "version", plain(self.version))


def rank(verdict: Verdict) -> int:
    """The place of `verdict` in the order, 0 the worst."""
    return _RANK[verdict.status]


def worst(verdicts: Iterable[Verdict], engine: str = "") -> Verdict:
    """The worst of `verdicts`, the earlier one where two are as bad; `skipped` where there are none.

    With `engine` the result bears that name, else the name of the engine that decided.
    """
    decisive = min(verdicts, key=rank, default=Verdict(engine, Status.SKIPPED, "nothing was scanned"))
    if not engine or decisive.engine == engine:
        return decisive
    return Verdict(engine, decisive.status, decisive.info, decisive.code, decisive.version, decisive.cured, decisive.ms)
