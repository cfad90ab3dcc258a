"""verdicts: the verdicts that the nodes of a site share through its state, each sealed with a secret of the nodes.

A store is written by others too: a server of the network, a file of the machine. So its records are believed only with a seal,
an HMAC by the secret over the record's name and text. Without the secret, nobody can make one, or move one to another content
or other definitions; they can delete records, or bring one back until its time ends. The name is an HMAC too: whoever reads
the store does not learn which contents were scanned.

    the record     seal, 32 octets; then a JSON array: status, info, code, version of the definitions, until

Only clean and infected are shared: what else an engine reports depends more on its machine. Any other record is none.
"""

from __future__ import annotations

import hmac
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sieveav.scanning.caching import CLEAN_LIFE, Key
from sieveav.site.state import RECORD, Outage, VerdictStore
from sieveav.verdict import Status, Verdict, plain

LIVES = {Status.CLEAN: CLEAN_LIFE, Status.INFECTED: 3600.0}
"""Status that is shared -> for how many seconds. A find's is bounded too, for the version that a daemon reports does not cover
the signatures of third parties."""

SEAL = 32
"""Octets of a seal: SHA-256."""

LEAST_SECRET, MOST_SECRET = 32, 4096
"""Octets of the secret: as many as the seal, at least."""

_NAME, _RECORD = b"sieveav verdict name 1\0", b"sieveav verdict record 1\0"
"""What each HMAC begins with, so that one is never taken for the other, or for one of another form of record."""


def read_secret(path: Path) -> bytes:
    """The secret in a file, without white space around it. ValueError, with what to do, if it is none."""
    try:
        with path.open("rb") as file:
            secret = file.read(MOST_SECRET + 1)
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    if len(secret) > MOST_SECRET:
        raise ValueError(f"{path} has more than {MOST_SECRET} octets: is it a secret?")
    secret = secret.strip()
    if len(secret) < LEAST_SECRET:
        raise ValueError(
            f"the secret in {path} has fewer than {LEAST_SECRET} octets: write one with openssl rand -hex -out {path} 32"
        )
    return secret


class SharedVerdicts:
    """The verdicts in `store`, sealed with `secret`; `outage` reports what is wrong with the store. `clock` is in seconds since
    the epoch. Safe to use from several threads."""

    def __init__(
        self, store: VerdictStore, secret: bytes, outage: Outage, clock: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._secret = secret
        self._outage = outage
        self._clock = clock

    def find(self, engine: str, key: Key) -> tuple[Verdict, float] | None:
        """A verdict of the engine called `engine`, and the seconds that it may be remembered; None if there is none."""
        name = self._name(key)
        try:
            record = self._store.get(name)
        except OSError as error:
            self._outage.failed("verdict", error)
            return None
        self._outage.worked("verdict")
        return None if record is None else self._opened(engine, name, record)

    def keep(self, key: Key, verdict: Verdict) -> None:
        """Share a verdict, if it is one to share: not one that says more than a record does."""
        seconds = LIVES.get(verdict.status)
        if seconds is None or verdict.cured or verdict.values or verdict.by_recipient:
            return
        name, now = self._name(key), self._clock()
        text = json.dumps([verdict.status, verdict.info, verdict.code, verdict.version, now + seconds]).encode()
        try:
            self._store.put(name, self._seal(name, text) + text, now, seconds)
        except OSError as error:
            self._outage.failed("keep verdict", error)
        else:
            self._outage.worked("keep verdict")

    def clear(self) -> int:
        """Forget all, for all nodes; how many they were. OSError if the store cannot be used."""
        return self._store.clear()

    def _name(self, key: Key) -> bytes:
        text = repr(tuple(key)).encode("utf-8", "backslashreplace")
        return hmac.digest(self._secret, _NAME + text, "sha256")

    def _seal(self, name: bytes, text: bytes) -> bytes:
        return hmac.digest(self._secret, _RECORD + name + text, "sha256")

    def _opened(self, engine: str, name: bytes, record: bytes) -> tuple[Verdict, float] | None:
        seal, text = record[:SEAL], record[SEAL:]
        if len(record) > RECORD or not hmac.compare_digest(seal, self._seal(name, text)):
            return None
        return _read(engine, text, self._clock())


def _read(engine: str, text: bytes, now: float) -> tuple[Verdict, float] | None:
    """The verdict that a record says, and the seconds that are left; None if it is not exactly as a record is, or is old."""
    try:
        status, info, code, version, until = json.loads(text)
        status = Status(status)
    except (ValueError, TypeError, RecursionError):
        return None
    if status not in LIVES or not _is_plain(info) or not _is_plain(version):
        return None
    if not (code is None or type(code) is int) or type(until) is not float or not math.isfinite(until):
        return None
    life, left = LIVES[status], until - now
    if (
        not 0 < left <= 2 * life
    ):  # clocks of nodes may differ a little; one that was set back gives nothing a second life
        return None
    return Verdict(engine, status, info, code, version), min(left, life)


def _is_plain(text: Any) -> bool:
    return isinstance(text, str) and plain(text) == text
