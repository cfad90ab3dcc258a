"""verdict: the statuses that an engine answers with, their order, and how many verdicts become one.

A leaf. An `error` outranks everything but a find: a policy that lets unscannable mail pass must not pass what an engine
never saw.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import islice

INFO_LENGTH = 256
"""The most characters kept of a text from an engine: it ends up in headers, replies, logs and variables."""

VALUES = 100
"""The most variables of its own that an engine can set, for the message and for each recipient."""


class Status(StrEnum):
    """One engine's answer about one content, the worst first."""

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

FOUND = frozenset({Status.INFECTED, Status.SUSPICIOUS})
"""What scripts see as "virus"."""

UNSCANNABLE = frozenset({Status.ENCRYPTED, Status.MACRO, Status.LIMITS, Status.UNSCANNABLE})
"""Content that an engine could not scan, or was configured not to scan."""


def plain(text: str, length: int = INFO_LENGTH) -> str:
    """Untrusted `text` reduced to printable ASCII on one line, at most `length` characters.

    Attackers choose the names of signatures and files: no CR, LF, NUL or other control character of theirs may reach a
    header, a reply, a log line or a variable. Other characters are dropped, not replaced.
    """
    if text.isascii() and text.isprintable():
        return text[:length]
    return "".join(c for c in text if " " <= c <= "~")[:length]


def _plain_values(values: Mapping[str, str]) -> dict[str, str]:
    return {plain(name): plain(value) for name, value in islice(values.items(), VALUES)}


@dataclass(frozen=True)
class Verdict:
    """What `engine` answers about a content.

    `info` is usually the name of the virus or the reason of an error, `code` the engine's own scan code, `version` that of
    its definitions, `cured` "", "cured" or "replaced", `ms` the milliseconds that the scan took (they do not count when
    verdicts are compared). `values` are context variables of the engine's own, `by_recipient` those that differ between
    recipients, by the recipient's address in the envelope. All texts are made plain here, so that no engine can forget to.
    """

    engine: str
    status: Status
    info: str = ""
    code: int | None = None
    version: str = ""
    cured: str = ""
    ms: float = field(default=0.0, compare=False)
    values: Mapping[str, str] = field(default_factory=dict, hash=False)
    by_recipient: Mapping[str, Mapping[str, str]] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if self.info:
            object.__setattr__(self, "info", plain(self.info))
        if self.version:
            object.__setattr__(self, "version", plain(self.version))
        if self.values:
            object.__setattr__(self, "values", _plain_values(self.values))
        if self.by_recipient:
            cleaned = {recipient: _plain_values(values) for recipient, values in self.by_recipient.items()}
            object.__setattr__(self, "by_recipient", cleaned)

    def after(self, ms: float) -> Verdict:
        """This verdict of a scan that took so many milliseconds."""
        return self._with("ms", ms)

    def by_version(self, version: str) -> Verdict:
        """This verdict, which definitions of this version gave."""
        return self._with("version", plain(version))

    def _with(self, name: str, value: object) -> Verdict:
        verdict = object.__new__(Verdict)  # a copy: dataclasses.replace takes ten times as long
        verdict.__dict__.update(self.__dict__)
        verdict.__dict__[name] = value
        return verdict

    def for_recipient(self, recipient: str) -> Verdict:
        """This verdict with the values of one recipient among its `values`."""
        own = self.by_recipient.get(recipient)
        return replace(self, values={**self.values, **own}) if own else self


def rank(verdict: Verdict) -> int:
    """The place of `verdict` in the order, 0 the worst."""
    return _RANK[verdict.status]


def worst(verdicts: Iterable[Verdict], engine: str = "") -> Verdict:
    """The worst of `verdicts`, the earlier of two that are equally bad; `skipped` if there are no verdicts.

    With `engine`, the result has that name; without it, that of the engine that decided.
    """
    decisive = min(verdicts, key=rank, default=None) or Verdict(engine, Status.SKIPPED, "nothing was scanned")
    return replace(decisive, engine=engine) if engine and decisive.engine != engine else decisive
