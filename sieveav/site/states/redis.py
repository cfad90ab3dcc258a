"""redis: keys kept by a Redis or Valkey server, which the machines of a site may share.

    state { store = "redis://127.0.0.1:6379/0" }
    state { store = "redis://user:password@db.example.com:6379/0" }      # the user may be empty
    state { store = "redis:///run/redis/redis-server.sock?db=0" }        # a unix socket

Two clocks: the value of a key is the time until which it is remembered, by the clock of the node that recorded it, and the
times that callers give are compared with that alone, as in the other backends. The server deletes the key after as many
seconds of its own clock. So the nodes' clocks must agree, within what a period may be wrong by; the server's may be wrong.

No question waits longer than about TIMEOUT for the server, and after a failure none is asked for PAUSE. The name of a host is
resolved by the system, which has time limits of its own: an address needs none. A server that evicts keys when its memory is
full forgets early: `maxmemory-policy noeviction` refuses new ones instead, and the log says so.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from functools import cached_property
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from sieveav.printing import printable
from sieveav.site.state import RECORD, StateType, digest

if TYPE_CHECKING:
    from redis import Redis as Client

TIMEOUT = 1.0
"""Seconds to wait for a connection of the pool, for the server to accept one, and for each reply."""

VERDICT_TIMEOUT = 0.2
"""The same for the records of verdicts, whose connections are others: a scan is soon done. Together, what is asked when a
connection is made takes less than the time that `caching` leaves."""

CLEARING = 5.0
"""Seconds in which all records must be deleted."""

SCANNED = 1000
"""Keys that the server looks through at a time, to find records."""

PAUSE = 1.0
"""Seconds after a failure in which the server is not asked, so that a message to many recipients waits once for a server that
does not answer, and not for each of them."""

CONNECTIONS = 16
"""Connections of a process: as many as the threads in which it runs scripts."""

PREFIX = b"sieveav:"
"""What the server's keys begin with, before the digest."""

VERDICT_PREFIX = PREFIX + b"verdict:"
"""The same for the records of verdicts."""

REASON = 200
"""Characters of a reason that the server gives."""

_RECORD = """
local known = redis.call('GET', KEYS[1])
local is_new = not known or tonumber(known) <= tonumber(ARGV[1])
if is_new or ARGV[4] == '1' then
    redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
end
return is_new and 1 or 0
"""
"""`SET … NX` that also takes the place of a key whose time has come by the callers' clock. The server runs a script as a
whole: two nodes that record the same key at once do not both set it."""

_LOGIN = r"//(?:(?P<username>[^:@/?#\s]*+):(?P<password>[^@/?#\s]++)@)?"
_HOST = r"(?P<host>[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])"
_LOCATIONS = (
    re.compile(rf"{_LOGIN}{_HOST}(?::(?P<port>[0-9]{{1,5}}))?(?:/(?P<db>[0-9]{{1,4}})?)?"),
    re.compile(rf"{_LOGIN}(?P<path>/[^/?#\0]++/[^?#\0]++)(?:\?db=(?P<db>[0-9]{{1,4}}))?"),
)
"""The groups are named like the options of a connection."""

_USAGE = (
    'redis has no such location: write "redis://127.0.0.1:6379/0" or "redis:///run/redis/redis-server.sock?db=0", '
    'with "user:password@" after the first // if the server wants it, and / ? # @ % in them as %2F %3F %23 %40 %25'
)


class _OtherType(OSError):
    """A key has a value of another type than the command is for."""


class _Server:
    """A server, connected to when it is first asked, by each process for itself. `where` names it in messages; `options` are
    those of its connections."""

    def __init__(self, where: str, options: Mapping[str, Any]) -> None:
        self._where = where
        self._options = options
        self._failure = ("", 0.0)
        """Why it failed last, and until when it is not asked because of that."""

    @cached_property
    def _client(self) -> Client:
        import redis

        timeout = self._timeout()
        pool = redis.BlockingConnectionPool(  # which makes new connections after a fork
            max_connections=CONNECTIONS,
            timeout=timeout,
            connection_class=redis.UnixDomainSocketConnection if "path" in self._options else redis.Connection,
            socket_connect_timeout=timeout,
            socket_timeout=timeout,
            protocol=2,  # every server has it
            **self._options,
        )
        return redis.Redis(connection_pool=pool)

    def _ask(self, *command: bytes | str | float) -> Any:
        """The reply to a command. Raises OSError with a short reason."""
        import redis  # 0.2 s, when a script asks for the first time

        reason, until = self._failure
        if time.monotonic() < until:
            raise OSError(reason)
        try:
            return self._client.execute_command(*command)
        except (redis.RedisError, ValueError) as error:  # ValueError: the system takes no such host
            reason = f"redis {self._where}: {self._reason(error)}"
            if isinstance(error, redis.ConnectionError | redis.TimeoutError):
                self._failure = reason, time.monotonic() + PAUSE
            raise (_OtherType if str(error).startswith("WRONGTYPE") else OSError)(reason) from None

    def _timeout(self) -> float:
        return TIMEOUT

    def _reason(self, error: Exception) -> str:
        """Why a command failed, without the password, which a server repeats if it does not know how to log in."""
        if isinstance(error.__context__, OSError) and error.__context__.strerror:
            return error.__context__.strerror
        text = str(error).partition(", with args")[0]
        if self._options.get("password"):
            text = text.replace(self._options["password"], "*")
        return printable(text, length=REASON)


class Redis(_Server):
    """The keys that a server keeps."""

    def seen(self, owner: str, key: str, now: float) -> bool:
        """Whether `key` is remembered. OSError if the server does not say."""
        until = self._ask("GET", PREFIX + digest(owner, key).hex().encode())
        try:
            return until is not None and float(until) > now
        except ValueError:
            raise OSError(f"redis {self._where}: the value of a key is not a time") from None

    def record(self, owner: str, key: str, now: float, seconds: float, *, sliding: bool = False) -> bool:
        """Remember `key`. OSError if the server does not confirm it."""
        name = PREFIX + digest(owner, key).hex().encode()
        lifetime = max(1, ceil(seconds * 1000))
        return bool(self._ask("EVAL", _RECORD, 1, name, now, now + seconds, lifetime, int(sliding)))

    def forget(self, owner: str, key: str) -> None:
        """Forget `key`. OSError if the server does not confirm it."""
        self._ask("DEL", PREFIX + digest(owner, key).hex().encode())


class Verdicts(_Server):
    """The records of verdicts that a server keeps."""

    def get(self, name: bytes) -> bytes | None:
        """The record, or its beginning. OSError if the server does not say."""
        try:
            record = self._ask("GETRANGE", _record_key(name), 0, RECORD)
        except _OtherType:
            return None
        return record if record and isinstance(record, bytes) else None

    def put(self, name: bytes, record: bytes, now: float, seconds: float) -> None:  # noqa: ARG002  # by the server's clock
        """Keep a record. OSError if the server does not confirm it."""
        self._ask("SET", _record_key(name), record, "PX", max(1, ceil(seconds * 1000)))

    def clear(self) -> int:
        """Delete all records, while the server goes on answering others. OSError if it does not confirm that, or if that takes
        too long, because there are so many keys."""
        deleted, cursor, until = 0, 0, time.monotonic() + CLEARING
        while time.monotonic() < until:
            cursor, keys = self._ask("SCAN", cursor, "MATCH", VERDICT_PREFIX + b"*", "COUNT", SCANNED)
            deleted += int(self._ask("UNLINK", *keys)) if keys else 0
            if int(cursor) == 0:
                return deleted
        raise OSError(f"redis {self._where}: not all verdicts are deleted within {CLEARING:g} s")

    def _timeout(self) -> float:
        return VERDICT_TIMEOUT


def _record_key(name: bytes) -> bytes:
    return VERDICT_PREFIX + name.hex().encode()


def _make(location: str, base: Path) -> Redis:  # noqa: ARG001  # the path of a socket is absolute, as in any URL
    return Redis(*_parsed(location))


def _make_verdicts(location: str, base: Path) -> Verdicts:  # noqa: ARG001
    return Verdicts(*_parsed(location))


def _parsed(location: str) -> tuple[str, dict[str, Any]]:
    """The name of a server in messages, and the options of its connections. ValueError if it is no location."""
    match = next((match for pattern in _LOCATIONS if (match := pattern.fullmatch(location))), None)
    options: dict[str, Any] = {name: text for name, text in match.groupdict().items() if text} if match else {}
    if not options or int(options.get("port", 1)) not in range(1, 1 << 16):
        raise ValueError(_USAGE)
    for name in options.keys() & {"username", "password"}:
        options[name] = unquote(options[name])
    where = options.get("path") or f"{options['host']}:{options.setdefault('port', '6379')}"
    if "host" in options:
        options["host"] = options["host"].strip("[]")
    return where, options


state = StateType("redis", "a Redis or Valkey server, which machines may share", _make, _make_verdicts)
