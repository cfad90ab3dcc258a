"""yara: content into a verdict by YARA rules, in this process: the engine that is there when no daemon is.

It looks at the whole message, at every decoded part and at what archives within them hold (`unpacking`). yara-x holds
the interpreter's lock while it scans, so throughput comes from worker processes, not from threads.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sieveav.options import FILES, Option
from sieveav.scanning.contract import Content, Deadline, EngineType
from sieveav.scanning.unpacking import Budget, Layer, layers
from sieveav.verdict import FOUND, UNSCANNABLE, Status, Verdict, plain, worst

if TYPE_CHECKING:
    import yara_x

RULE_STATUSES = FOUND | UNSCANNABLE
"""What a rule's meta field `status` may say of its hits."""

SOURCE_SIZE = 64 * 1024 * 1024
"""Octets of one file of rules; the largest public collections have a tenth of it."""

_LONGEST = 3600.0
"""Seconds that one layer may take, whatever the deadline."""

_WHY = 500
"""Characters of the compiler's words that an error of ours repeats."""


class YaraEngine:
    """Scans with compiled `rules`; `version` names them.

    A `Scanner` of yara-x must be used and dropped in the thread that made it, so each scan makes its own (20 µs) and no
    thread keeps one.
    """

    def __init__(self, name: str, rules: yara_x.Rules, definitions: str) -> None:
        self.name = name
        self._rules = rules
        self._definitions = definitions
        self._statuses = {(rule.namespace, rule.identifier): _status(rule) for rule in rules}

    def scan(self, content: Content, deadline: Deadline) -> Verdict:
        """The worst that any layer of `content` shows; clean only when each was looked at to its end in time."""
        verdicts: list[Verdict] = []
        for verdict in self._verdicts(content, deadline):
            verdicts.append(verdict)
            if verdict.status is Status.INFECTED:
                break  # nothing is worse
        return worst(verdicts, self.name)

    def version(self, deadline: Deadline) -> str:  # noqa: ARG002  # nothing to wait for
        """`yara-x 1.23.0, 5 rules, definitions 0123abcd`."""
        from importlib.metadata import version

        return f"yara-x {version('yara-x')}, {len(self._statuses)} rules, definitions {self._definitions}"

    def _verdicts(self, content: Content, deadline: Deadline) -> Iterator[Verdict]:
        import yara_x

        scanner = yara_x.Scanner(self._rules)
        scanner.fast_scan(True)
        for found in layers(content, Budget(deadline)):
            if isinstance(found, Layer):
                yield self._look(scanner, found, deadline)
            else:
                yield Verdict(self.name, found.status, found.reason, version=self._definitions)

    def _look(self, scanner: yara_x.Scanner, layer: Layer, deadline: Deadline) -> Verdict:
        left = deadline.left()
        if left <= 0:
            return self._verdict(Status.ERROR, "timeout")
        try:
            scanner.set_timeout(math.ceil(min(left, _LONGEST)))  # whole seconds, and 0 is at once
            hits = scanner.scan(layer.data).matching_rules
        except BaseException as fault:
            # A panic in Rust arrives as a BaseException of a class that nobody exports.
            if not isinstance(fault, Exception) and type(fault).__name__ != "PanicException":
                raise
            late = type(fault).__name__ == "TimeoutError"
            return self._verdict(Status.ERROR, "timeout" if late else f"yara-x: {fault}")
        verdicts = [self._verdict(self._statuses[hit.namespace, hit.identifier], hit.identifier) for hit in hits]
        return worst(verdicts) if verdicts else self._verdict(Status.CLEAN)

    def _verdict(self, status: Status, info: str = "") -> Verdict:
        return Verdict(self.name, status, info, version=self._definitions)


def _status(rule: yara_x.Rule) -> Status:
    """What a hit of `rule` counts as: its meta field `status`, else infected. ValueError for a word that is none."""
    words = [value for key, value in rule.metadata if key == "status"]
    if any(word not in RULE_STATUSES for word in words):
        known = ", ".join(status for status in Status if status in RULE_STATUSES)
        raise ValueError(f'rule {rule.identifier}: status "{plain(str(words[-1]))}" is not one of {known}')
    return Status(words[-1]) if words else Status.INFECTED


def _sources(paths: tuple[Path | str, ...]) -> Iterator[tuple[str, bytes]]:
    """Our own files of rules and the site's, as name and octets. ValueError for one that cannot be read."""
    for ours in sorted(resources.files("sieveav.engines").iterdir(), key=lambda file: file.name):
        if ours.name.endswith(".yar"):
            yield ours.name, ours.read_bytes()
    for path in map(str, paths):
        try:
            with Path(path).open("rb") as file:
                source = file.read(SOURCE_SIZE + 1)
        except (OSError, ValueError) as fault:
            reason = fault.strerror if isinstance(fault, OSError) else str(fault)
            raise ValueError(f"{plain(path)}: {reason}") from None
        if len(source) > SOURCE_SIZE:
            raise ValueError(f"{plain(path)}: more than {SOURCE_SIZE} octets of rules")
        yield path, source


def _compile(paths: tuple[Path | str, ...]) -> tuple[yara_x.Rules, str]:
    """All rules compiled, and the version of these definitions. ValueError with the file and the compiler's words."""
    import yara_x

    compiler = yara_x.Compiler(includes_enabled=False)  # one option names every file that takes part
    digest = hashlib.sha256()
    for path, source in _sources(paths):
        digest.update(len(source).to_bytes(8, "big") + source)
        compiler.new_namespace(path)  # two files may name a rule alike
        try:
            compiler.add_source(source.decode(), origin=path)
        except (yara_x.CompileError, UnicodeDecodeError) as fault:
            words = " ".join(plain(line) for line in str(fault).splitlines())
            raise ValueError(f"{plain(path)}: {' '.join(words.split())[:_WHY]}") from None
    return compiler.build(), digest.hexdigest()[:12]


def _make(name: str, options: Mapping[str, Any]) -> YaraEngine:
    return YaraEngine(name, *_compile(options["rules"]))


engine = EngineType(
    name="yara",
    summary="YARA rules, in this process: no daemon needed",
    pool="CPU",
    options=(Option("rules", FILES, (), "the site's own files of YARA rules, besides those that come along"),),
    make=_make,
    details=(
        "Comes with rules for the EICAR test file, documents with macros, and documents under a password. Looks at the "
        "whole message, at each decoded part, and into zip, gzip, bzip2, xz, lzma, tar, TNEF and uuencode; an archive "
        "of any other format is unscannable, one under a password encrypted, one beyond the bounds limits. A rule's "
        'meta field says what its hit counts as: status = "suspicious" (or infected, encrypted, macro, limits, '
        "unscannable; without it infected)."
    ),
)
