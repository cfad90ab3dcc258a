"""state: what scripts remember from message to message (RFC 7352 and RFC 5230), and the backends that keep it.

A backend is a file in `states/`, or of another package, with a `StateType`; a configuration names it and its location:

    state { store = "sqlite:/var/lib/sieveav/state.db" }
    state { store = "redis://127.0.0.1:6379/0" }

Backends that several processes share can keep the verdicts of engines too, which `verdicts.py` seals.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sieveav.plugins import Plugin, Plugins, identifier
from sieveav.printing import without_passwords

_log = logging.getLogger(__name__)


class State(Protocol):
    """Remembers keys for owners (recipients), each until a time. Safe to use from several threads, and in a process that was
    forked before it was used.

    Times are seconds since the epoch. All methods raise OSError if the store cannot be used.
    """

    def seen(self, owner: str, key: str, now: float) -> bool:
        """Whether `key` is remembered for `owner`, and still is at the time `now`."""
        ...

    def record(self, owner: str, key: str, now: float, seconds: float, *, sliding: bool = False) -> bool:
        """Remember `key` for `owner` for so many seconds from `now` on; False if it is remembered already: then its time
        does not change, except with `sliding`. Of several that record one key at once, one gets True."""
        ...

    def forget(self, owner: str, key: str) -> None:
        """Forget `key`, if it is remembered."""
        ...


class VerdictStore(Protocol):
    """Keeps records of a few hundred octets, each by a name of 32 octets for a time; it may lose any of them. It is as safe to
    use as a State, and waits a fraction of a second at most: a scan is soon done.

    All methods raise OSError if the store cannot be used. What is not a record, because others have written it, is None.
    """

    def get(self, name: bytes) -> bytes | None:
        """The record of this name, or its first RECORD + 1 octets; it may be one whose time has ended."""
        ...

    def put(self, name: bytes, record: bytes, now: float, seconds: float) -> None:
        """Keep a record for so many seconds from `now` on, in the place of one that is there."""
        ...

    def clear(self) -> int:
        """Delete all records; how many they were."""
        ...


RECORD = 2048
"""The most octets of a record of a verdict: two texts of an engine, which have 256 characters at most, and escapes."""


@dataclass(frozen=True)
class StateType(Plugin):
    """A backend: `make(location, base)` opens the store at `location`, the text after "name:"; `base` is the folder that
    relative paths are relative to. Raises ValueError or OSError, with the reason, if it cannot be opened.

    `verdicts`, if it can share verdicts, opens the store for these, at a location that `make` has accepted."""

    name: str
    summary: str
    make: Callable[[str, Path], State]
    verdicts: Callable[[str, Path], VerdictStore] | None = None

    def __post_init__(self) -> None:
        if not self.name or self.name != identifier(self.name):
            raise TypeError(f"a state's name is lower-case letters, digits and _, not {self.name!r}")


STATES = Plugins(StateType, "state", "sieveav.states", ["sieveav.site.states"])
"""All backends that are installed."""


def open_state(store: str, base: Path) -> State:
    """The store that `backend:location` names. Raises ValueError, with the reason, if there is no such backend or it
    cannot be opened."""
    backend, location = _backend(store)
    try:
        return backend.make(location, base)
    except OSError as error:
        raise ValueError(str(error)) from None


def open_verdicts(store: str, base: Path) -> VerdictStore:
    """The store of verdicts at a place that `open_state` has opened. ValueError if that cannot share any."""
    backend, location = _backend(store)
    if backend.verdicts is None:
        sharing = " or ".join(f'"{name}:…"' for name, each in STATES.everything().items() if each.verdicts)
        raise ValueError(f"{backend.name}: is not shared: leave this out, or write store = {sharing}")
    return backend.verdicts(location, base)


def _backend(store: str) -> tuple[StateType, str]:
    """The backend that `backend:location` names, and the location; ValueError if there is no such backend."""
    name, colon, location = store.partition(":")
    backend = STATES.find(name) if colon else None
    if backend is None:
        raise ValueError(
            f'"{without_passwords(store)}" does not begin with one of '
            + ", ".join(f"{name}:" for name in STATES.everything())
        )
    return backend, location


def digest(owner: str, key: str) -> bytes:
    """What a store that others can read keeps of a key: 32 octets, without anybody's address or message."""
    from hashlib import sha256  # 3 ms; most scripts remember nothing

    return sha256(f"{owner}\0{key}".encode("utf-8", "surrogatepass")).digest()


class Outage:
    """Reports a state that fails in the log: once when it begins, and once when all that failed works again, however many
    messages ask in between. Safe to use from several threads."""

    def __init__(self) -> None:
        self._failing: frozenset[str] = frozenset()
        self.count = 0
        """Outages so far."""
        self._lock = threading.Lock()

    @property
    def failing(self) -> bool:
        """Whether there is an outage now."""
        return bool(self._failing)

    def lasts(self, use: str) -> bool:
        """Whether this use of the state, such as "record", failed when it was tried last."""
        return use in self._failing

    def failed(self, use: str, error: OSError) -> None:
        """A use of the state has failed."""
        with self._lock:
            begins = not self._failing
            self.count += begins
            self._failing |= {use}
        _log.log(logging.ERROR if begins else logging.DEBUG, "state: %s", error)

    def worked(self, use: str) -> None:
        """A use of the state has succeeded."""
        if not self.lasts(use):  # nearly always, and fast
            return
        with self._lock:
            ends = self._failing == {use}
            self._failing -= {use}
        if ends:
            _log.info("state: it works again")
