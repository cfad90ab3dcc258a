"""sqlite: keys kept in an SQLite database, which several processes may share."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sieveav.site.state import StateType, digest

WAIT = 5.0
"""Seconds to wait for another process that writes."""

CLEANED = 10
"""Keys whose time has ended that each record deletes at most, the oldest first: more than the one that it adds, so that old
keys go even if processes end early, and none waits for a long deletion."""

_TABLE = "CREATE TABLE IF NOT EXISTS seen (key BLOB PRIMARY KEY, until REAL NOT NULL) WITHOUT ROWID"
_INDEX = "CREATE INDEX IF NOT EXISTS seen_until ON seen (until)"
_RECORD = """INSERT INTO seen VALUES (?, ?)
    ON CONFLICT (key) DO UPDATE SET until = excluded.until WHERE until <= ?"""
_CLEAN = f"DELETE FROM seen WHERE key IN (SELECT key FROM seen WHERE until <= ? ORDER BY until LIMIT {CLEANED})"  # noqa: S608


class Sqlite:
    """A database at `path`, opened when it is first used."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._database: sqlite3.Connection | None = None

    def seen(self, owner: str, key: str, now: float) -> bool:
        """Whether `key` is remembered. OSError if the database cannot be read."""
        with self._use() as database:
            found = database.execute("SELECT 1 FROM seen WHERE key = ? AND until > ?", (digest(owner, key), now))
            return found.fetchone() is not None

    def record(self, owner: str, key: str, now: float, seconds: float, *, sliding: bool = False) -> bool:
        """Remember `key`. OSError if the database cannot be written."""
        name = digest(owner, key)
        with self._use() as database, database:
            is_new = database.execute(_RECORD, (name, now + seconds, now)).rowcount > 0
            if sliding and not is_new:
                database.execute("UPDATE seen SET until = ? WHERE key = ?", (now + seconds, name))
            database.execute(_CLEAN, (now,))
        return is_new

    def forget(self, owner: str, key: str) -> None:
        """Forget `key`. OSError if the database cannot be written."""
        with self._use() as database, database:
            database.execute("DELETE FROM seen WHERE key = ?", (digest(owner, key),))

    def check(self) -> None:
        """Open the database, or see that it can be created. OSError if not."""
        if self._path.exists():
            with self._use():
                pass
            self.close()
        elif not self._path.parent.is_dir():
            raise OSError(f"folder {self._path.parent} does not exist")
        elif not os.access(self._path.parent, os.W_OK):
            raise OSError(f"folder {self._path.parent} is not writable")

    def close(self) -> None:
        """Close the database; it is opened again when it is used."""
        with self._lock:
            if self._database is not None:
                self._database.close()
                self._database = None

    @contextmanager
    def _use(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                if self._database is None:
                    self._database = self._open()
                yield self._database
            except sqlite3.Error as error:
                raise OSError(f"{self._path}: {error}") from None

    def _open(self) -> sqlite3.Connection:
        database = sqlite3.connect(self._path, timeout=WAIT, check_same_thread=False)
        try:
            database.execute("PRAGMA journal_mode = WAL")  # readers do not wait for a writer
            database.execute(_TABLE)
            database.execute(_INDEX)
        except sqlite3.Error:
            database.close()
            raise
        return database


def _make(location: str, base: Path) -> Sqlite:
    if not location:
        raise ValueError('sqlite has no file: write "sqlite:/path/to/state.db"')
    database = Sqlite(base / location)
    database.check()
    return database


state = StateType("sqlite", "an SQLite database at a path; processes of one machine may share it", _make)
