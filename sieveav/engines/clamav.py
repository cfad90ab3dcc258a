"""clamav: content into a verdict by asking clamd with INSTREAM, over TCP or a unix socket.

Two halves: *wire* (`clamav_wire`, pure) and *client* (`_clamd`, on the package `clamd`). Several daemons fail over
(`failover`).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from sieveav.engines import clamav_wire as wire
from sieveav.options import TEXTS, Option
from sieveav.scanning.contract import Content, Deadline, Engine, EngineType
from sieveav.scanning.failover import Failover, Unreached
from sieveav.verdict import FOUND, UNSCANNABLE, Status, Verdict, plain

_log = logging.getLogger(__name__)


class Clamd:
    """One daemon, as a server of the engine `engine`. Each command has a connection of its own."""

    def __init__(
        self, engine: str, address: wire.Address, classes: tuple[wire.Class, ...] = (), allow: tuple[str, ...] = ()
    ) -> None:
        self.name = str(address)
        self._engine = engine
        self._address = address
        self._classes = (*classes, *wire.CLASSES)
        self._allow = allow

    def attempt(self, content: Content, deadline: Deadline) -> Verdict:
        """One INSTREAM. Raises Unreached when not one octet of a reply came."""
        from sieveav.engines import _clamd

        chunks = wire.chunks(content.raw, is_message=content.is_message)
        try:
            reply, complete = _clamd.client(self._address, deadline).exchange(chunks)
        except _clamd.Unanswered as fault:
            raise Unreached(str(fault)) from None
        status, info, is_find = wire.answer(reply, self._classes, complete=complete)
        if status is Status.ERROR:
            _log.warning("%s: %s: %s", self._engine, self.name, plain(info))
        elif is_find and wire.allows(self._allow, info):
            _log.warning("%s: %s found but allowed", self._engine, plain(info))
            return Verdict(self._engine, Status.CLEAN)
        return Verdict(self._engine, status, info)

    def probe(self, deadline: Deadline) -> bool:
        """PING."""
        try:
            return self._ask("ping", deadline) == "PONG"
        except Unreached:
            return False

    def version(self, deadline: Deadline) -> str:
        """`ClamAV 1.4.3/27800/Mon Nov  3 08:00:00 2025`, or "" when the daemon's settings refuse to tell."""
        words = self._ask("version", deadline)
        return plain(words) if words.startswith("ClamAV ") else ""

    def _ask(self, command: str, deadline: Deadline) -> str:
        """The reply to one of the package's commands, "" when it is an error. Raises Unreached."""
        from sieveav.engines import _clamd

        try:
            return str(getattr(_clamd.client(self._address, deadline), command)())
        except _clamd.Unanswered as fault:
            raise Unreached(str(fault)) from None
        except _clamd.ResponseError:
            return ""


def _classes(texts: tuple[str, ...]) -> tuple[wire.Class, ...]:
    """`glob=class` each."""
    words = {str(status): status for status in Status if status in FOUND | UNSCANNABLE}
    pairs = [(glob.strip(), word.strip()) for glob, _, word in (text.rpartition("=") for text in texts)]
    for glob, word in pairs:
        if not glob or word not in words:
            raise ValueError(f'classes: "{plain(f"{glob}={word}")}" is not GLOB=CLASS, CLASS one of {", ".join(words)}')
    return tuple((glob, words[word]) for glob, word in pairs)


def _make(name: str, options: Mapping[str, Any]) -> Engine:
    if not options["daemon"]:
        raise ValueError("daemon: at least one address is needed")
    classes = _classes(options["classes"])
    return Failover(name, [Clamd(name, wire.address(text), classes, options["allow"]) for text in options["daemon"]])


engine = EngineType(
    name="clamav",
    summary="ClamAV's clamd, over TCP or a unix socket",
    pool="IO",
    options=(
        Option(
            "daemon",
            TEXTS,
            ("127.0.0.1:3310",),
            "where clamd listens: host:port, [v6]:port or the path of a unix socket; of several, the next is asked when"
            " one does not answer",
        ),
        Option("classes", TEXTS, (), 'what signatures count as, before our own table: GLOB=CLASS, as "PUA.*=infected"'),
        Option(
            "allow",
            TEXTS,
            (),
            "globs of signatures that are let pass as clean, each time with a line in the log; clamd names the first"
            " signature that hits and no other, so another one may go unseen",
        ),
    ),
    make=_make,
    details=(
        "Clean only if clamd says exactly so. By default clamd itself says OK to what lies beyond its limits: set "
        "AlertExceedsMax yes in its configuration, and AlertEncrypted and AlertOLE2Macros if a policy asks for them. "
        "Heuristics.Encrypted.* counts as encrypted, Heuristics.OLE2.ContainsMacros* as macro, "
        "Heuristics.Limits.Exceeded* as limits, Heuristics.Phishing.*, Heuristics.Structured.*, Heuristics.Broken.* "
        "and PUA.* as suspicious, any other name as infected. Content larger than clamd's StreamMaxLength is limits."
    ),
)
