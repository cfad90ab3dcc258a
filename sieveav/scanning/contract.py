"""contract: what an engine is, what it is given and how it is declared.

Content goes in, a `Verdict` comes out, before a deadline; an engine never raises for what the world does to it (a
daemon gone, a broken archive): that is a verdict, `error` or `unscannable`. Only bugs raise.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from sieveav import mime
from sieveav.options import Option
from sieveav.plugins import Plugin, Plugins
from sieveav.verdict import Verdict


class Content:
    """What is to be scanned: a whole message (`is_message`) or one decoded part of it, dot-unstuffed.

    Whatever several engines want to know of it is worked out once.
    """

    def __init__(self, raw: bytes, *, is_message: bool = True) -> None:
        self.raw = raw
        self.is_message = is_message

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of the octets: the cache's key, together with the engine, its options and its definitions."""
        return hashlib.sha256(self.raw).digest()

    @cached_property
    def structure(self) -> mime.Part:
        """The message as a tree of MIME parts (of no meaning unless `is_message`)."""
        return mime.parse(self.raw)


@dataclass(frozen=True, slots=True)
class Deadline:
    """An instant of the monotonic clock by which a verdict must be there; it covers retries and failover too."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        return cls(time.monotonic() + seconds)

    def left(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self.at - time.monotonic())


class Engine(Protocol):
    """Scans contents; safe to use from several threads."""

    name: str

    def scan(self, content: Content, deadline: Deadline) -> Verdict:
        """The verdict on `content`. Clean only on an exact clean answer; never raises for a fault of the world."""
        ...

    def version(self, deadline: Deadline) -> str:
        """Product, engine and definitions versions in words, or "" when they cannot be had now."""
        ...


@dataclass(frozen=True)
class EngineType(Plugin):
    """The declaration of an engine: one at the top of each engine's file, found by scanning.

    `name` is the stanza's type in the configuration (`clamav "clamav1" { … }`), `pool` CPU for an engine in this
    process and IO for one outside, `options` what its stanza takes beyond every engine's own, `make` builds one from
    its options' values (all present, defaults filled in) and raises ValueError, with the reason, when they cannot work.
    `summary` is one line for people, `details` more of it for `sieveav explain`.
    """

    name: str
    summary: str
    pool: str
    options: tuple[Option, ...]
    make: Callable[[str, Mapping[str, Any]], Engine]
    details: str = ""
    cacheable: bool = True
    """Whether a verdict depends on content and definitions alone; a reputation engine's on the hour too: never
    cached."""


ENGINES = Plugins(EngineType, "engine", "sieveav.engines", ["sieveav.engines"])
"""All engine types that are installed."""
