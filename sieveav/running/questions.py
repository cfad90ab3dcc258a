"""questions: what a run may ask of the world, a closed set; the host answers, and remembers for the transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from sieveav.verdict import Verdict

A = TypeVar("A")


class Question(Generic[A]):
    """A question whose answer is an `A`."""


@dataclass(frozen=True, slots=True)
class Scanned:
    """The answer to `Scan`: each engine's own verdict, and the context variables that the scan sets."""

    verdicts: tuple[Verdict, ...]
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scan(Question[Scanned]):
    """What do the engines named say of the message; all that are configured, where none is named. `part` is the content
    of one MIME part, decoded, when that alone is to be scanned."""

    engines: tuple[str, ...] = ()
    part: bytes | None = None

    def __str__(self) -> str:
        return f"scan {'a part' if self.part is not None else 'the message'} by {', '.join(self.engines) or 'all'}"


@dataclass(frozen=True, slots=True)
class Mailbox(Question[bool]):
    """Does the mailbox exist, and may the recipient store mail there (RFC 5490, 3.1)."""

    name: str

    def __str__(self) -> str:
        return f'does the mailbox "{self.name}" exist'


class Host(Protocol):
    """Who answers."""

    def answer(self, question: Question[A]) -> A: ...


@dataclass
class Context:
    """The context variables of a transaction as one recipient sees them: of the message and of the connection."""

    message: dict[str, str] = field(default_factory=dict)
    connection: dict[str, str] = field(default_factory=dict)

    def get(self, name: str) -> str | None:
        """The variable of the message, else of the connection, else None."""
        found = self.message.get(name)
        return self.connection.get(name) if found is None else found

    def copy(self) -> Context:
        """One that can be changed alone."""
        return Context(dict(self.message), dict(self.connection))

    def changed_since(self, earlier: Context) -> dict[str, str | None]:
        """What was set, and as None what was deleted, after `earlier`."""
        changed: dict[str, str | None] = {}
        for now, then in ((self.connection, earlier.connection), (self.message, earlier.message)):
            changed.update({name: value for name, value in now.items() if then.get(name) != value})
            changed.update(dict.fromkeys(then.keys() - now.keys()))
        return changed


@dataclass(frozen=True)
class Envelope:
    """The SMTP envelope as one recipient's scripts see it; `sender` "" is the null reverse-path."""

    sender: str = ""
    recipient: str = ""
