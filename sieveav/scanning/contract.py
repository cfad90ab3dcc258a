"""contract: what an engine is, what it gets and how it is declared.

Content goes in, and a `Verdict` comes out before a deadline. An engine does not raise for a fault of its environment (a
daemon that is gone, a broken archive): that is a verdict, `error` or `unscannable`.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from sieveav import mime
from sieveav.options import Option
from sieveav.plugins import Plugin, Plugins
from sieveav.scanning.pools import DEFAULTS
from sieveav.scanning.settings import EngineSettings
from sieveav.verdict import FOUND, UNSCANNABLE, Status, Verdict


class Envelope(NamedTuple):
    """What is known of the transaction besides the message: the addresses of MAIL FROM and RCPT TO, the client's IP address,
    its EHLO name, and the name it has authenticated with. Empty where unknown."""

    sender: str = ""
    recipients: tuple[str, ...] = ()
    client: str = ""
    helo: str = ""
    login: str = ""


TRACE = b"Received: from sieveav\n"
"""Sent before a whole message to scanners that recognize mail by how it begins. libclamav knows some thirty names of fields,
and would not look at the parts of a message that begins with DKIM-Signature, for example. Not a line `From `, as other programs
send: it makes libclamav read an mbox, in which `From ` after an empty line begins another message, in an attachment too."""


class Content:
    """What is to be scanned: a whole message (`is_message`), dot-unstuffed, or one decoded part of it.

    `structure` is the message's tree of MIME parts, or a function that returns it, if it is parsed elsewhere; `path` a file
    with exactly these octets. What several engines want to know is worked out once.
    """

    def __init__(
        self,
        raw: bytes,
        *,
        is_message: bool = True,
        structure: mime.Part | Callable[[], mime.Part] | None = None,
        envelope: Envelope | None = None,
        path: Path | None = None,
    ) -> None:
        self.raw = raw
        self.is_message = is_message
        self.envelope = envelope
        self._structure = structure
        self._path = path

    @property
    def pieces(self) -> tuple[bytes, ...]:
        """The octets for a scanner that recognizes mail by how it begins."""
        return (TRACE, self.raw) if self.is_message else (self.raw,)

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of the octets: the cache's key, together with the engine, its options and its definitions."""
        return hashlib.sha256(self.raw).digest()

    @cached_property
    def structure(self) -> mime.Part:
        """The message as a tree of MIME parts. Only for a message."""
        if self._structure is None:
            return mime.parse(self.raw)
        return self._structure() if callable(self._structure) else self._structure

    @contextmanager
    def file(self, directory: Path | None = None) -> Iterator[Path]:
        """A file with the octets, for engines that scan files: the one they came from, or a temporary one in `directory` (the
        engine's `file_base`; None for the system's), which only this user can read and which is removed afterwards.

        Raises OSError if it cannot be written.
        """
        if self._path is not None:
            yield self._path
            return
        import tempfile  # 5 ms, which most commands do not need

        descriptor, name = tempfile.mkstemp(prefix="sieveav-", dir=directory)  # mode 0600
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(self.raw)
            yield Path(name)
        finally:
            Path(name).unlink(missing_ok=True)  # some scanners remove what they find infected


def cut(pieces: Iterable[bytes], size: int) -> Iterator[memoryview]:
    """`pieces` one after the other, cut into chunks of at most `size` octets."""
    for piece in pieces:
        view = memoryview(piece)
        for position in range(0, len(view), size):
            yield view[position : position + size]


@dataclass(frozen=True, slots=True)
class Deadline:
    """The time on the monotonic clock by which a verdict must be there, including retries and failover."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        return cls(time.monotonic() + seconds)

    def left(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self.at - time.monotonic())


class Engine(Protocol):
    """Scans contents. Safe to use from several threads."""

    name: str

    def scan(self, content: Content, deadline: Deadline) -> Verdict:
        """The verdict on `content`: clean only after an exact clean answer. Does not raise for a fault of its environment."""
        ...

    def version(self, deadline: Deadline) -> str:
        """The versions of product, engine and definitions in words, or "" if they are not available now."""
        ...


WORDS = {
    **dict.fromkeys(FOUND, "virus"),
    **dict.fromkeys(UNSCANNABLE, "unscannable"),
    Status.ERROR: "error",
}
"""What the context variable of an engine is set to; for other statuses it is not set."""


def status_variables(name: str, settings: EngineSettings, verdict: Verdict) -> dict[str, str]:
    """The context variables that a verdict of the engine `name` sets: its own values, and unless the content is clean or was
    not scanned, the status in a word, its reason and the status itself."""
    word = WORDS.get(verdict.status)
    if word is None:
        return dict(verdict.values)
    variable = settings.context_variable
    info = f"error: {verdict.info}" if word == "error" else verdict.info
    return {
        **verdict.values,
        f"{name}_info": info,
        variable: word,
        f"{variable}_info": info,
        f"{variable}_class": str(verdict.status),
    }


def value_variables(*names: str) -> Callable[[str, EngineSettings, Verdict], Mapping[str, str]]:
    """The `EngineType.variables` of an engine whose verdicts have values of these names: they are variables too. They are set
    if the content is clean, those that are missing to "": so it is known which variables belong to the engine."""

    def variables(name: str, settings: EngineSettings, verdict: Verdict) -> dict[str, str]:
        missing = dict.fromkeys(names, "") if verdict.status is Status.CLEAN else {}
        return {**missing, **status_variables(name, settings, verdict)}

    return variables


@dataclass(frozen=True)
class EngineType(Plugin):
    """The declaration of an engine, at the top level of the engine's file. TypeError if it is invalid.

    `name` is the type of its stanza in the configuration (`clamav "clamav1" { … }`), `summary` one line for people and
    `details` more of it for `sieveav explain`; `pool` is CPU for an engine in this process, IO for one that waits for a
    daemon; `options` are those of its stanza beyond the options of every engine.

    `make(name, values)` makes an engine. `values` has every option of the stanza, those of every engine too (`file_base`),
    defaults filled in. It raises ValueError if they cannot work; a reason that begins with the name of an
    option and a colon is reported where that option is written.
    """

    name: str
    summary: str
    pool: str
    options: tuple[Option, ...]
    make: Callable[[str, Mapping[str, Any]], Engine]
    details: str = ""
    cacheable: bool = True
    """Whether a verdict depends on content and definitions alone. That of a reputation engine depends on the time too. Verdicts
    are remembered, and may be shared by nodes, with the engine's `version`: it must change whenever the definitions do."""
    punctual: bool = False
    """Whether each scan ends by its deadline by itself, as one that only waits for sockets can. It then runs in the thread of
    whoever asks, and takes one of the pool's places, but none of its threads."""
    opens: tuple[str, ...] = ()
    """The formats that it opens by itself, of those that nothing here opens, or only with the extra `containers`; "*" if
    nothing needs to be looked for around it, because it takes every content apart by `unpacking`, or says nothing of
    viruses."""
    whole: bool = False
    """Whether it judges messages as a whole: no part is given to it but on a script's demand."""
    doubts: Callable[[Engine, Deadline], Iterable[str]] = lambda *_: ()
    """What in the set-up of what an engine asks may hide a virus, in words: asked by a self-test."""
    products: tuple[str, ...] = ()
    """The products that it asks, by its option `profile`; they are no stanzas, but people may write them so."""
    action: str = "{}_avscan"
    """The name of its Sieve action, with {} for the engine's name; "" for none. That of an engine only at the top level need
    not contain {}: one such engine is enough."""
    variables: Callable[[str, EngineSettings, Verdict], Mapping[str, str]] = status_variables
    """The context variables that a verdict sets, from the engine's name, its settings and the verdict."""
    within: tuple[str, ...] = ("", "antivirus")
    """The types of stanza that its stanza may be in; "" for the top level."""

    def __post_init__(self) -> None:
        for wrong, message in (
            (not _is_name(self.name), "the name must be lower-case letters, digits, - and _, and begin with a letter"),
            (not isinstance(self.summary, str) or not self.summary, "the summary is missing"),
            (not isinstance(self.details, str), "details must be a string"),
            (self.pool not in DEFAULTS, f"the pool must be one of {', '.join(DEFAULTS)}"),
            (not _are(self.options, Option), "options must be a tuple of Option values"),
            (not callable(self.make), "make must be a function"),
            (not callable(self.variables), "variables must be a function"),
            (not _are(self.within, str) or not self.within, "within must be a tuple of stanza types"),
            (
                not _is_action(self.action, self.within),
                'the action must contain {} and otherwise letters, digits and _, or be ""',
            ),
        ):
            if wrong:
                raise TypeError(f"engine {self.name!r}: {message}")
        names = [option.name for option in self.options]
        if len(names) != len(set(names)):
            raise TypeError(f"engine {self.name!r}: two options have the same name")


def _is_name(name: object) -> bool:
    return isinstance(name, str) and re.fullmatch(r"[a-z][a-z0-9_-]*", name) is not None


def _is_action(action: object, within: object) -> bool:
    if not isinstance(action, str):
        return False
    is_word = re.fullmatch(r"[a-z][a-z0-9_]*", action) is not None
    return (is_word and within == ("",)) or re.fullmatch(r"|(?:[a-z][a-z0-9_]*)?\{\}[a-z0-9_]*", action) is not None


def _are(values: object, kind: type) -> bool:
    return isinstance(values, tuple) and all(isinstance(value, kind) for value in values)


ENGINES = Plugins(EngineType, "engine", "sieveav.engines", ["sieveav.engines"])
"""All engine types that are installed."""
