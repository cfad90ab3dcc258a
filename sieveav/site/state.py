"""state: what scripts remember from message to message (RFC 7352 and RFC 5230), and the backends that keep it.

A backend is a file in `states/`, or of another package, with a `StateType`; a configuration names it and its location:

    state { store = "sqlite:/var/lib/sieveav/state.db" }
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sieveav.plugins import Plugin, Plugins, identifier


class State(Protocol):
    """Remembers keys for owners (recipients), each until a time. Safe to use from several threads.

    Times are seconds since the epoch. Both methods raise OSError if the store cannot be used.
    """

    def seen(self, owner: str, key: str, now: float) -> bool:
        """Whether `key` is remembered for `owner`, and still is at the time `now`."""
        ...

    def record(self, owner: str, key: str, now: float, seconds: float, *, sliding: bool = False) -> None:
        """Remember `key` for `owner` for so many seconds from `now` on. If it is remembered already, its time does not
        change, except with `sliding`."""
        ...


@dataclass(frozen=True)
class StateType(Plugin):
    """A backend: `make(location, base)` opens the store at `location`, the text after "name:"; `base` is the folder that
    relative paths are relative to. Raises ValueError or OSError, with the reason, if it cannot be opened."""

    name: str
    summary: str
    make: Callable[[str, Path], State]

    def __post_init__(self) -> None:
        if not self.name or self.name != identifier(self.name):
            raise TypeError(f"a state's name is lower-case letters, digits and _, not {self.name!r}")


STATES = Plugins(StateType, "state", "sieveav.states", ["sieveav.site.states"])
"""All backends that are installed."""


def open_state(store: str, base: Path) -> State:
    """The store that `backend:location` names. Raises ValueError, with the reason, if there is no such backend or it
    cannot be opened."""
    name, colon, location = store.partition(":")
    backend = STATES.find(name) if colon else None
    if backend is None:
        raise ValueError(
            f'"{store}" does not begin with one of {", ".join(f"{name}:" for name in STATES.everything())}'
        )
    try:
        return backend.make(location, base)
    except OSError as error:
        raise ValueError(str(error)) from None
