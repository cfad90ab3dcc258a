"""memory: keys kept in this process only, until it ends."""

from __future__ import annotations

import threading
from pathlib import Path

from sieveav.site.state import StateType

LARGEST = 100_000
"""Keys that are kept; when there are more, those go first whose time ends first."""


class Memory:
    """Keys in a dictionary."""

    def __init__(self) -> None:
        self._until: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()

    def seen(self, owner: str, key: str, now: float) -> bool:
        """Whether `key` is remembered."""
        with self._lock:
            return self._until.get((owner, key), now) > now

    def record(self, owner: str, key: str, now: float, seconds: float, *, sliding: bool = False) -> bool:
        """Remember `key`."""
        with self._lock:
            is_new = self._until.get((owner, key), now) <= now
            if sliding or is_new:
                self._until[owner, key] = now + seconds
            if len(self._until) > LARGEST:
                kept = sorted(self._until.items(), key=lambda item: item[1])[LARGEST // 10 :]
                self._until = {key: until for key, until in kept if until > now}
            return is_new

    def forget(self, owner: str, key: str) -> None:
        """Forget `key`."""
        with self._lock:
            self._until.pop((owner, key), None)


def _make(location: str, base: Path) -> Memory:  # noqa: ARG001  # relative to nothing
    if location:
        raise ValueError('memory has no location: write "memory:"')
    return Memory()


state = StateType("memory", "in this process only; forgotten when it ends", _make)
