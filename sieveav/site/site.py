"""site: a configuration file to a `Site`: its engines, its scripts for each phase and user, its settings; or its problems.

Without a file there is the embedded site: the engine `yara`, passive, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from sieveav.language.problems import Problem, Severity, Source, report
from sieveav.language.vocabulary import Names, Vocabulary
from sieveav.plugins import identifier
from sieveav.printing import without_passwords
from sieveav.running.base import base
from sieveav.running.effects import Record
from sieveav.running.questions import Answers
from sieveav.site import clock, lists
from sieveav.site.library import Library
from sieveav.site.scans import Scanner
from sieveav.site.scripts import Scripts
from sieveav.site.stanza import Building, Report, Settings
from sieveav.site.stanzas.extension import EXTENSIONS
from sieveav.site.stanzas.list import LISTS
from sieveav.site.stanzas.sieve import SIEVE
from sieveav.site.stanzas.state import STATE
from sieveav.site.stanzas.users import USERS

if TYPE_CHECKING:
    from sieveav.scanning.contract import EngineType

EMBEDDED = "yara"
"""The engine that is there without a configuration, so that the first command works without a daemon."""

_TRIAL = Record("trial", 1)
"""What is remembered, for nobody, to find out whether that is possible again."""

LARGEST_FILE = 4 * 1024 * 1024
"""Octets of a configuration file that are read: more than the characters that its reader accepts."""


class Refused(Exception):
    """A configuration that cannot be used, with all its problems."""

    def __init__(self, source: Source, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(report(source, problem) for problem in problems))
        self.source = source
        self.problems = problems


class Site:
    """A site: its settings, its engines (`scanners`, in the order of the file), and the extensions that its scripts may
    require; with the text of its configuration, without passwords (`source`), and the warnings about it. Safe to use from
    several threads."""

    def __init__(
        self,
        settings: Settings | None = None,
        scanners: tuple[Scanner, ...] = (),
        library: Library | None = None,
        source: Source | None = None,
        warnings: tuple[Problem, ...] = (),
    ) -> None:
        self.settings = settings or Settings()
        self.scanners = scanners
        self.library = library or Library()
        self.source = source or Source("", "")
        self.warnings = warnings
        policy = self.settings[SIEVE]
        self.scripts = Scripts(self.vocabulary, policy.cache_size, policy.cache_life)
        self.lists = lists.Lists(self.settings[LISTS])
        memory = self.settings[STATE]
        self.state, self.verdicts, self.outage = memory.state, memory.verdicts, memory.outage

    @cached_property
    def engines(self) -> tuple[str, ...]:
        """The names by which scripts know the engines."""
        return tuple(scanner.name for scanner in self.scanners)

    @cached_property
    def _actions(self) -> dict[str, str]:
        """The pattern of each engine's action, by the engine's name."""
        return {scanner.name: scanner.action for scanner in self.scanners}

    @cached_property
    def engine_variables(self) -> frozenset[str]:
        """The context variables that belong to engines: those that scans set, and those that skip them."""
        names: set[str] = set()
        for scanner in self.scanners:
            names |= scanner.variables
        return frozenset(names)

    def vocabulary(self, phase: str = "each_rcpt", dialect: str = "", *, engines: Names | None = None) -> Vocabulary:
        """The words of a script of this site, before it has required any; with `engines`, as if the site had those."""
        return Vocabulary(
            [base],
            self.library,
            names={"engines": self._actions if engines is None else engines},
            settings=self.settings[EXTENSIONS],
            phase=phase,
            dialect=dialect,
        )

    @cached_property
    def answers(self) -> Answers:
        """How questions are answered that are not about one recipient."""
        return lists.answers(self.lists.find)

    def seen(self, recipient: str, key: str) -> bool | None:
        """Whether `key` is remembered for a recipient; None if that cannot be known."""
        if self.state is None:
            return None
        if self.outage.lasts("record") and self.remember("", _TRIAL) is None:
            return None  # a store that can be read but not written does not know what has been done since
        try:
            seen = self.state.seen(recipient, key, clock.now().timestamp())
        except OSError as error:
            self.outage.failed("seen", error)
            return None
        self.outage.worked("seen")
        return seen

    def remember(self, recipient: str, record: Record) -> bool | None:
        """Remember what a script asks for: whether it is new; None if it cannot be remembered."""
        if self.state is None:
            return None
        try:
            now = clock.now().timestamp()
            is_new = self.state.record(recipient, record.key, now, record.seconds, sliding=record.sliding)
        except OSError as error:
            self.outage.failed("record", error)
            return None
        self.outage.worked("record")
        return is_new

    def forget(self, recipient: str, record: Record) -> None:
        """Forget what was remembered, because it did not happen."""
        if self.state is not None:
            try:
                self.state.forget(recipient, record.key)
            except OSError as error:
                self.outage.failed("record", error)

    def with_scanners(self, scanners: tuple[Scanner, ...]) -> Site:
        """The same site, scripts included, with other engines."""
        site = copy(self)
        for name in ("engines", "engine_variables", "_actions"):
            site.__dict__.pop(name, None)
        site.scanners = scanners
        return site

    def policies(self) -> Iterator[tuple[Path, str]]:
        """Each script that the configuration names, with the phase it is for."""
        for phase, paths in self.settings[SIEVE].phases.items():
            for path in paths:
                yield path, phase.removesuffix("_phase1").removesuffix("_phase2")
        users = self.settings[USERS]
        for path in filter(None, (users.before, users.after)):
            yield path, "each_rcpt"


def embedded() -> Site:
    """The site without a configuration. Its engine is made when a script asks, because most do not."""
    from sieveav.scanning.lazy import LazyEngine
    from sieveav.scanning.settings import EngineSettings

    settings = EngineSettings.defaults(EMBEDDED, active=False)
    return Site(scanners=(Scanner(EMBEDDED, settings, LazyEngine(settings)),))


def load(path: str | Path, stream: BinaryIO | None = None, engines: Mapping[str, EngineType] | None = None) -> Site:
    """The site that the file at `path`, or the text in `stream`, configures.

    Raises Refused if the file has errors, OSError if it cannot be read. `engines`, in tests, are the engine types instead of
    those installed.
    """
    settings, building, problems = _read(Path(path), stream, engines)
    scanners = _scanners(settings, building.report)
    warnings = _accepted(building, [*problems, *building.report.problems])
    library = building.library if isinstance(building.library, Library) else None
    return Site(settings, scanners, library, _shown(building.source), warnings)


def read_settings(path: str | Path) -> Settings:
    """The settings in the file at `path`, without engines: for a process that only starts others. Raises as `load` does."""
    settings, building, problems = _read(Path(path))
    _accepted(building, problems)
    return settings


def _read(
    path: Path, stream: BinaryIO | None = None, engines: Mapping[str, EngineType] | None = None
) -> tuple[Settings, Building, list[Problem]]:
    # a command without a configuration needs neither PLY nor these
    from sieveav.scanning.contract import ENGINES
    from sieveav.site import configuration
    from sieveav.site.settings import check

    with stream or path.open("rb") as file:
        source = Source(str(path), file.read(LARGEST_FILE + 1).decode("utf-8", "replace"))
    stanzas, problems = configuration.read(source)
    known = ENGINES.everything() if engines is None else engines
    building = Building(Report(), source, path.parent, Library(), known)
    settings, more = check(stanzas, building)
    return settings, building, [*problems, *more]


def _accepted(building: Building, problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """The warnings among problems; raises Refused if one is an error."""
    ordered = tuple(sorted(set(problems), key=lambda problem: problem.span))
    if any(problem.severity is Severity.ERROR for problem in ordered):
        raise Refused(_shown(building.source), ordered)
    return ordered


def _shown(source: Source) -> Source:
    """A configuration as people may see it: problems are printed with their lines."""
    return Source(source.path, without_passwords(source.text))


def _scanners(settings: Settings, report: Report) -> tuple[Scanner, ...]:
    """The engines of a configuration, made. An engine has the name of its stanza's type; a further one of that type has its
    instance name."""
    from sieveav.scanning.assembling import assemble
    from sieveav.site.stanzas.antivirus import ANTIVIRUS
    from sieveav.site.stanzas.threadpool import POOLS

    scanners: list[Scanner] = []
    for framework in settings[ANTIVIRUS]:
        for engine in framework.engines:
            kind = engine.settings.kind
            name = kind if all(other.settings.kind != kind for other in scanners) else engine.settings.instance
            if any(identifier(name) == identifier(other.name) for other in scanners):
                message, hint = f'duplicate engine name "{name}"', "give each engine a name of its own"
                report.error("engine-repeated", message, engine.span, hint)
                continue
            try:
                assembled = assemble(engine.type, name, engine.settings, settings[POOLS], settings[STATE].verdicts)
            except ValueError as error:
                option, colon, reason = str(error).partition(": ")
                span = engine.spans.get(option) if colon else None
                message = reason if span else f"{kind}: {error}"
                report.error("value-invalid", message, span or engine.span)
                continue
            turn = framework.instance if framework.in_turn else ""
            scanners.append(Scanner(name, engine.settings, assembled, engine.type.action, turn))
    return tuple(scanners)
