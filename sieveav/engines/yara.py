"""yara: content into a verdict by YARA rules: the engine that needs no daemon.

It scans the whole message, every decoded part and the contents of archives within them (`unpacking`), in this process or in
worker processes. When a file of rules changes, the rules are compiled again; until they are, the old ones are in force.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from typing import Any

from sieveav.engines.yara_scanner import Rules, YaraScanner
from sieveav.engines.yara_sources import Sources
from sieveav.options import FILES, Option, integer
from sieveav.scanning import naming
from sieveav.scanning.contract import Content, Deadline, Engine, EngineType
from sieveav.verdict import Verdict

_log = logging.getLogger(__name__)

CHECK = 1.0
"""Seconds between two looks at the files of rules."""


class YaraEngine:
    """The engine `name` with these values of its options. ValueError if the rules cannot be compiled. Later, rules that cannot
    be compiled are logged, and those before remain in force."""

    def __init__(self, name: str, values: Mapping[str, Any]) -> None:
        self.name = name
        self._values = values
        self._sources = Sources(values["rules"])
        self._scanner = self._made(self._sources)
        self._check_at = time.monotonic() + CHECK
        self._checking = threading.Lock()
        """Held by the one thread that looks at the files, and compiles the rules if they have changed."""

    def scan(self, content: Content, deadline: Deadline) -> Verdict:
        """The verdict of the rules that are in force."""
        self._check()
        return self._scanner.scan(content, deadline)

    def version(self, deadline: Deadline) -> str:
        """`yara-x 1.23.0, 5 rules, definitions 0123abcd`."""
        self._check()
        return self._scanner.version(deadline)

    def _made(self, sources: Sources) -> Engine:
        scanner = YaraScanner(self.name, Rules.of(sources.read()), self._values)
        if not self._values["processes"]:
            return scanner
        from sieveav.engines.yara_worker import Workers  # 20 ms, only for sites that have them

        return Workers(scanner, self._values)

    def _check(self) -> None:
        """If a file has changed, begin to compile the rules, in a thread of its own: no scan waits for it."""
        if time.monotonic() < self._check_at or not self._checking.acquire(blocking=False):
            return
        self._check_at = time.monotonic() + CHECK
        try:
            if self._sources.have_changed:
                threading.Thread(target=self._compile, name="sieveav-yara", daemon=True).start()
                return
        except RuntimeError:  # the system has no more threads now: the files are looked at again after CHECK
            pass
        self._checking.release()

    def _compile(self) -> None:
        try:
            sources = Sources(self._values["rules"])
            try:
                self._scanner = self._made(sources)
            except ValueError as error:
                reason = str(error)  # a log that keeps the error keeps the compiler, which this thread must drop
                _log.error("%s: %s; the rules before are still in force", self.name, reason)
            self._sources = sources
        finally:
            self._checking.release()


engine = EngineType(
    name="yara",
    summary="YARA rules, in this process or in worker processes: needs no daemon",
    pool="CPU",
    options=(
        Option("rules", FILES, (), "the site's own files of YARA rules, besides those included"),
        Option(
            "processes",
            integer(0, 1000),
            0,
            "worker processes that scan, at most; 0: this process scans, one content at a time",
        ),
        *naming.OPTIONS,
    ),
    make=YaraEngine,
    opens=("*",),
    details=(
        "Includes rules for the EICAR test file, documents with macros, and encrypted documents. Scans the whole message, each "
        "decoded part, and all that sieveav unpacks; an archive of a format that it does not open is unscannable, an encrypted "
        "one encrypted, one beyond the limits limits. A rule's meta fields say what its hit "
        'counts as: status = "suspicious" (or infected, encrypted, macro, limits, unscannable; without it infected), and what '
        'it is called: name = "Trojan.Acme" (without it, as the rule). The globs of classes and allow match that name; with '
        'a colon, the name of the file in rules too: "site.yar:Trojan.*". All rules that hit count: one that the site allows '
        "hides no other. A file may include files in its own folder and below it; a file that is included again counts once. "
        "A file that changes, or that an include names, is compiled again within a second of the next scan; if it is broken, "
        "that is logged, and the old rules remain in force. yara-x holds the interpreter's lock, so that threads scan one "
        "content at a time: to use several processors, set processes to their number, and give the thread pool at least as "
        "many threads. A worker process is killed at the deadline."
    ),
)
