"""yara: content into a verdict by YARA rules, in this process: the engine that needs no daemon.

It scans the whole message, every decoded part and the contents of archives within them (`unpacking`). yara-x keeps the
interpreter's lock while it scans, so throughput comes from worker processes, not from threads.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sieveav.options import FILES, Option
from sieveav.scanning.contract import Content, Deadline, EngineType
from sieveav.scanning.layers import Budget, Layer
from sieveav.scanning.unpacking import layers
from sieveav.verdict import FOUND, UNSCANNABLE, Status, Verdict, plain, worst

if TYPE_CHECKING:
    import yara_x

PACKAGE = "yara_x"

RULE_STATUSES = FOUND | UNSCANNABLE
"""What a rule's meta field `status` may be."""

SOURCE_SIZE = 64 * 1024 * 1024
"""Octets of one file of rules; the largest public collections have a tenth of it."""

LATE = 0.1
"""How late a scan may end, as a share of its time: see `_seconds`."""

_LONGEST = 3600.0
"""The most seconds for one layer, whatever the deadline."""

_REASON = 500
"""Characters of the compiler's message that are kept."""


class YaraEngine:
    """Scans with compiled `rules`; `definitions` is their version.

    A `Scanner` of yara-x must be used and dropped in the thread that made it, so each scan makes its own (20 µs).
    """

    def __init__(self, name: str, rules: yara_x.Rules, definitions: str) -> None:
        self.name = name
        self._rules = rules
        self._definitions = definitions
        self._statuses = {(rule.namespace, rule.identifier): _status(rule) for rule in rules}

    def scan(self, content: Content, deadline: Deadline) -> Verdict:
        """The worst verdict on any layer of `content`; clean only if each was scanned to its end in time."""
        verdicts: list[Verdict] = []
        for verdict in self._verdicts(content, deadline):
            verdicts.append(verdict)
            if verdict.status is Status.INFECTED:
                break  # nothing is worse
        return worst(verdicts, self.name)

    def version(self, deadline: Deadline) -> str:  # noqa: ARG002  # there is nothing to wait for
        """`yara-x 1.23.0, 5 rules, definitions 0123abcd`."""
        from importlib.metadata import version

        return f"yara-x {version('yara-x')}, {len(self._statuses)} rules, definitions {self._definitions}"

    def _verdicts(self, content: Content, deadline: Deadline) -> Iterator[Verdict]:
        import yara_x

        scanner = yara_x.Scanner(self._rules)
        scanner.fast_scan(True)
        for layer in layers(content, Budget(deadline)):
            if isinstance(layer, Layer):
                yield self._scan_layer(scanner, layer, deadline)
            else:
                yield Verdict(self.name, layer.status, layer.reason, version=self._definitions)

    def _scan_layer(self, scanner: yara_x.Scanner, layer: Layer, deadline: Deadline) -> Verdict:
        start = time.monotonic()
        left = deadline.left()
        if left <= 0:
            return self._verdict(Status.ERROR, "timeout")
        try:
            scanner.set_timeout(_seconds(left))
            hits = scanner.scan(layer.data).matching_rules
        except BaseException as error:
            # A panic in Rust is a BaseException of a class that is not exported.
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                raise
            if type(error).__name__ != "TimeoutError":
                return self._verdict(Status.ERROR, f"yara-x: {error}")
            left = deadline.left()
            # Up to a second early, see _seconds: try again if there is more time than it had.
            if left > time.monotonic() - start and left * (1 + LATE) >= 1:
                return self._scan_layer(scanner, layer, deadline)
            return self._verdict(Status.ERROR, "timeout")
        verdicts = [self._verdict(self._statuses[hit.namespace, hit.identifier], hit.identifier) for hit in hits]
        return worst(verdicts) if verdicts else self._verdict(Status.CLEAN)

    def _verdict(self, status: Status, info: str = "") -> Verdict:
        return Verdict(self.name, status, info, version=self._definitions)


def _seconds(left: float) -> int:
    """The time limit for yara-x when `left` seconds are left.

    yara-x counts whole seconds, on a clock of its own: a limit of n ends a scan after more than n - 1 and at most n seconds.
    So a scan ends at most a tenth too late; but with less than a second left, up to one second after its start.
    """
    return max(1, int(min(left, _LONGEST) * (1 + LATE)))


def _status(rule: yara_x.Rule) -> Status:
    """What a hit of `rule` counts as: its meta field `status`, else infected. ValueError for any other word."""
    values = [value for key, value in rule.metadata if key == "status"]
    if any(value not in RULE_STATUSES for value in values):
        statuses = ", ".join(status for status in Status if status in RULE_STATUSES)
        raise ValueError(f'rules: rule {rule.identifier}: status "{plain(str(values[-1]))}" is not one of {statuses}')
    return Status(values[-1]) if values else Status.INFECTED


def _sources(paths: tuple[Path | str, ...]) -> Iterator[tuple[str, bytes]]:
    """The included files of rules and the site's, as name and octets. ValueError for one that cannot be read."""
    for included in sorted(resources.files("sieveav.engines").iterdir(), key=lambda file: file.name):
        if included.name.endswith(".yar"):
            yield included.name, included.read_bytes()
    for path in map(str, paths):
        try:
            with Path(path).open("rb") as file:
                source = file.read(SOURCE_SIZE + 1)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise ValueError(f"rules: {plain(path)}: {reason}") from None
        if len(source) > SOURCE_SIZE:
            raise ValueError(f"rules: {plain(path)}: more than {SOURCE_SIZE} octets of rules")
        yield path, source


def _compile(paths: tuple[Path | str, ...]) -> tuple[yara_x.Rules, str]:
    """All rules, compiled, and the version of these definitions. ValueError with the file and the compiler's message."""
    import yara_x

    compiler = yara_x.Compiler(includes_enabled=False)  # the option names every file
    digest = hashlib.sha256()
    for path, source in _sources(paths):
        digest.update(len(source).to_bytes(8, "big") + source)
        compiler.new_namespace(path)  # two files may have rules of the same name
        try:
            compiler.add_source(source.decode(), origin=path)
        except (yara_x.CompileError, UnicodeDecodeError) as error:
            reason = " ".join(plain(line) for line in str(error).splitlines())
            raise ValueError(f"rules: {plain(path)}: {' '.join(reason.split())[:_REASON]}") from None
    return compiler.build(), digest.hexdigest()[:12]


def _make(name: str, values: Mapping[str, Any]) -> YaraEngine:
    return YaraEngine(name, *_compile(values["rules"]))


engine = EngineType(
    name="yara",
    summary="YARA rules, in this process: needs no daemon",
    pool="CPU",
    options=(Option("rules", FILES, (), "the site's own files of YARA rules, besides those included"),),
    make=_make,
    opens=("*",),
    details=(
        "Includes rules for the EICAR test file, documents with macros, and encrypted documents. Scans the whole message, each "
        "decoded part, and the contents of zip, gzip, bzip2, xz, lzma, tar, TNEF and uuencode; an archive of any other format "
        "is unscannable, an encrypted one encrypted, one beyond the limits limits. A rule's meta field says what its hit "
        'counts as: status = "suspicious" (or infected, encrypted, macro, limits, unscannable; without it infected).'
    ),
)
