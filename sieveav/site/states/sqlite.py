"""sqlite: keys kept in an SQLite database, which several processes may share."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sieveav.site.state import RECORD, StateType, digest

WAIT = 5.0
"""Seconds to wait for another process that writes."""

PAUSE = 1.0
"""Seconds after a failure in which a database is not used, so that a message to many recipients waits once for one that is
locked, and not for each of them."""

VERDICT_WAIT = 0.2
"""The same for verdicts, and also to wait for other threads: a scan is soon done."""

VERDICTS = ".verdicts"
"""What is added to the database's name for that of verdicts, so that neither waits for the other."""

CLEANED = 10
"""Keys whose time has ended that each record deletes at most, the oldest first: more than the one that it adds, so that old
keys go even if processes end early, and none waits for a long deletion."""

_TABLE = "CREATE TABLE IF NOT EXISTS seen (key BLOB PRIMARY KEY, until REAL NOT NULL) WITHOUT ROWID"
_INDEX = "CREATE INDEX IF NOT EXISTS seen_until ON seen (until)"
_RECORD = """INSERT INTO seen VALUES (?, ?)
    ON CONFLICT (key) DO UPDATE SET until = excluded.until WHERE until <= ?"""
_CLEAN = f"DELETE FROM seen WHERE key IN (SELECT key FROM seen WHERE until <= ? ORDER BY until LIMIT {CLEANED})"  # noqa: S608

_VERDICTS = (
    "CREATE TABLE IF NOT EXISTS verdicts (name BLOB PRIMARY KEY, record BLOB NOT NULL, until REAL NOT NULL) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS verdicts_until ON verdicts (until)",
)
_CLEAN_VERDICTS = _CLEAN.replace("seen", "verdicts").replace("key", "name")


class _Database:
    """A database at `path`, opened when it is first used, then prepared by the statements `setup`. `wait` are the seconds to
    wait for another process that writes, `patience` those to wait for other threads, -1 for as long as it takes."""

    def __init__(self, path: Path, setup: Sequence[str], wait: float, patience: float = -1) -> None:
        self._path = path
        self._setup = setup
        self._wait = wait
        self._patience = patience
        self._lock = threading.Lock()
        self._database: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        """The file that is open; it may not be the one at the path any more."""
        self._failure = ("", 0.0)
        """Why it failed last, and until when it is not used because of that."""

    def close(self) -> None:
        """Close the database; it is opened again when it is used."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None

    @contextmanager
    def _use(self) -> Iterator[sqlite3.Connection]:
        if not self._lock.acquire(timeout=self._patience):
            raise OSError(f"{self._path}: busy")
        try:
            reason, until = self._failure
            if time.monotonic() < until:
                raise OSError(reason)
            if self._database is None or self._file != _file(self._path):
                self._close()
                self._database = self._open()
                self._file = _file(self._path)
            yield self._database
        except sqlite3.Error as error:
            self._close()  # opened again, it may be whole, or another file
            reason = f"{self._path}: {error}"
            self._failure = reason, time.monotonic() + PAUSE
            raise OSError(reason) from None
        finally:
            self._lock.release()

    def _open(self) -> sqlite3.Connection:
        database = sqlite3.connect(self._path, timeout=self._wait, check_same_thread=False)
        try:
            database.execute("PRAGMA journal_mode = WAL")  # readers do not wait for a writer
            # A crash of the machine may lose the last records, one of a process does not. Waiting for the disk would give a
            # process more time to be killed between what it does and its record.
            database.execute("PRAGMA synchronous = NORMAL")
            for statement in self._setup:
                database.execute(statement)
        except sqlite3.Error:
            database.close()
            raise
        return database


def _file(path: Path) -> tuple[int, int] | None:
    """What identifies the file at a path; None if there is none. SQLite does not notice that a file that it has open was
    removed or replaced: what it writes there is lost when the process ends."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


class Sqlite(_Database):
    """The keys in a database."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, (_TABLE, _INDEX), WAIT)

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


class Verdicts(_Database):
    """The records of verdicts in a database."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, _VERDICTS, VERDICT_WAIT, VERDICT_WAIT)

    def get(self, name: bytes) -> bytes | None:
        """The record, or its beginning. OSError if the database cannot be read."""
        with self._use() as database:
            row = database.execute(
                "SELECT substr(record, 1, ?) FROM verdicts WHERE name = ?", (RECORD + 1, name)
            ).fetchone()
        return row[0] if row and isinstance(row[0], bytes) else None

    def put(self, name: bytes, record: bytes, now: float, seconds: float) -> None:
        """Keep a record. OSError if the database cannot be written."""
        with self._use() as database, database:
            database.execute("INSERT OR REPLACE INTO verdicts VALUES (?, ?, ?)", (name, record, now + seconds))
            database.execute(_CLEAN_VERDICTS, (now,))

    def clear(self) -> int:
        """Delete all records. OSError if the database cannot be written."""
        with self._use() as database, database:
            return database.execute("DELETE FROM verdicts").rowcount


def _make(location: str, base: Path) -> Sqlite:
    if not location:
        raise ValueError('sqlite has no file: write "sqlite:/path/to/state.db"')
    database = Sqlite(base / location)
    database.check()
    return database


state = StateType(
    "sqlite",
    "an SQLite database at a path; processes of one machine may share it",
    _make,
    lambda location, base: Verdicts(base / f"{location}{VERDICTS}"),
)
