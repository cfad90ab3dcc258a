"""yara_scanner: sources of YARA rules into compiled rules, and a content into a verdict by them, in this process.

yara-x keeps the interpreter's lock while it compiles and while it scans. Its panics are BaseExceptions of a class that is not
exported.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from sieveav.engines.yara_sources import Source
from sieveav.scanning.contract import Content, Deadline
from sieveav.scanning.layers import Budget, Layer
from sieveav.scanning.naming import STATUSES, Naming
from sieveav.scanning.unpacking import layers
from sieveav.verdict import Status, Verdict, plain, worst

if TYPE_CHECKING:
    import yara_x

PACKAGE = "yara_x"

LATE = 0.1
"""How late a scan may end, as a share of its time: see `_seconds`."""

_LONGEST = 3600.0
"""The most seconds for one layer, whatever the deadline."""

_REASON = 500
"""Characters of the compiler's message that are kept."""


class Rules(NamedTuple):
    """Compiled rules, and the version of these definitions."""

    compiled: yara_x.Rules
    version: str

    @classmethod
    def of(cls, sources: Iterable[Source]) -> Rules:
        """ValueError with the file and the compiler's message."""
        import yara_x

        compiler = yara_x.Compiler(includes_enabled=False)
        digest = hashlib.sha256()
        namespace = file = ""
        try:
            for source in sources:
                file = source.file
                if source.namespace != namespace:
                    namespace = source.namespace
                    compiler.new_namespace(namespace)  # two files may have rules of the same name
                for octets in (Path(namespace).name.encode(), source.text.encode()):
                    digest.update(len(octets).to_bytes(8, "big") + octets)
                compiler.add_source(source.text, origin=file)
            return cls(compiler.build(), digest.hexdigest()[:12])
        except BaseException as error:
            if not (isinstance(error, yara_x.CompileError) or _is_panic(error)):
                raise
            reason = " ".join(plain(line) for line in str(error).splitlines())
            raise ValueError(f"rules: {plain(file)}: {' '.join(reason.split())[:_REASON]}") from None

    @classmethod
    def load(cls, file: BinaryIO, version: str) -> Rules:
        """From what `save` has written."""
        import yara_x

        return cls(yara_x.Rules.deserialize_from(file), version)

    def save(self, file: BinaryIO) -> None:
        """Write the compiled rules, for another process of this program."""
        self.compiled.serialize_into(file)


class _Signature(NamedTuple):
    """What a hit of a rule is reported as: its name, the name that globs of `classes` and `allow` match, and the status if none
    does."""

    name: str
    qualified: str
    status: Status


class YaraScanner:
    """Scans with `rules` as the engine `name`. `values` are those of the options `classes` and `allow`.

    A `Scanner` of yara-x must be used and dropped in the thread that made it, so each scan makes its own (20 µs).
    """

    def __init__(self, name: str, rules: Rules, values: Mapping[str, Any]) -> None:
        self.name = name
        self.rules = rules
        self._naming = Naming.of({option: _qualified(values.get(option, ())) for option in ("classes", "allow")})
        self._signatures = {(rule.namespace, rule.identifier): _signature(rule) for rule in rules.compiled}

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

        return f"yara-x {version('yara-x')}, {len(self._signatures)} rules, definitions {self.rules.version}"

    def _verdicts(self, content: Content, deadline: Deadline) -> Iterator[Verdict]:
        import yara_x

        scanner = yara_x.Scanner(self.rules.compiled)
        scanner.fast_scan(True)
        judged: set[_Signature] = set()
        for layer in layers(content, Budget(deadline)):
            if isinstance(layer, Layer):
                yield self._scan_layer(scanner, layer, deadline, judged)
            else:
                yield self._verdict(layer.status, layer.reason)

    def _scan_layer(
        self, scanner: yara_x.Scanner, layer: Layer, deadline: Deadline, judged: set[_Signature]
    ) -> Verdict:
        """The worst of its hits that are not `judged` yet: one that the site allows is logged once for each content."""
        start = time.monotonic()
        left = deadline.left()
        if left <= 0:
            return self._verdict(Status.ERROR, "timeout")
        try:
            scanner.set_timeout(_seconds(left))
            hits = scanner.scan(layer.data).matching_rules
        except BaseException as error:
            if not (isinstance(error, Exception) or _is_panic(error)):
                raise
            if type(error).__name__ != "TimeoutError":
                return self._verdict(Status.ERROR, f"yara-x: {error}")
            left = deadline.left()
            # Up to a second early, see _seconds: try again if there is more time than it had.
            if left > time.monotonic() - start and left * (1 + LATE) >= 1:
                return self._scan_layer(scanner, layer, deadline, judged)
            return self._verdict(Status.ERROR, "timeout")
        found = [self._signatures[hit.namespace, hit.identifier] for hit in hits]
        verdicts = [self._judge(signature) for signature in found if signature not in judged]
        judged.update(found)
        return worst(verdicts) if verdicts else self._verdict(Status.CLEAN)

    def _judge(self, signature: _Signature) -> Verdict:
        status = self._naming.verdict(self.name, signature.qualified, signature.status).status
        return self._verdict(status, "" if status is Status.CLEAN else signature.name)

    def _verdict(self, status: Status, info: str = "") -> Verdict:
        return Verdict(self.name, status, info, version=self.rules.version)


def _is_panic(error: BaseException) -> bool:
    return type(error).__name__ == "PanicException"


def _seconds(left: float) -> int:
    """The time limit for yara-x when `left` seconds are left.

    yara-x counts whole seconds, on a clock of its own: a limit of n ends a scan after more than n - 1 and at most n seconds.
    So a scan ends at most a tenth too late; but with less than a second left, up to one second after its start.
    """
    return max(1, int(min(left, _LONGEST) * (1 + LATE)))


def _qualified(globs: Iterable[str]) -> tuple[str, ...]:
    """The globs with a file name: one without is of all files."""
    return tuple(glob if ":" in glob else f"*:{glob}" for glob in globs)


def _signature(rule: yara_x.Rule) -> _Signature:
    """What a hit of `rule` is reported as. ValueError for a meta field that does not say it."""
    meta = dict(rule.metadata)
    status = meta.get("status", Status.INFECTED)
    if status not in STATUSES:
        raise _wrong(rule, f'status "{plain(str(status))}" is not one of {", ".join(STATUSES)}')
    name = meta.get("name", rule.identifier)
    if not isinstance(name, str) or not plain(name).strip():
        raise _wrong(rule, "its name is not a text of printable ASCII characters")
    return _Signature(plain(name), f"{Path(rule.namespace).name}:{plain(name)}", Status(status))


def _wrong(rule: yara_x.Rule, reason: str) -> ValueError:
    return ValueError(f"rules: {plain(rule.namespace)}: rule {rule.identifier}: {reason}")
