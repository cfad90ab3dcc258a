"""site: a configuration file to a `Site`: its engines, its scripts for each phase and user, its words; or its problems.

Without a file there is the embedded site: the engine `yara`, passive, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from sieveav.language.problems import Problem, Severity, Source, Span
from sieveav.language.vocabulary import Vocabulary
from sieveav.plugins import identifier
from sieveav.running.base import base
from sieveav.running.questions import Answers
from sieveav.site import lists
from sieveav.site.library import Library
from sieveav.site.options import COMMON, PLAIN, EngineSettings, Settings
from sieveav.site.scripts import Scripts
from sieveav.site.world import Scanner
from sieveav.verdict import Verdict

if TYPE_CHECKING:
    from sieveav.scanning.contract import Content, Deadline, Engine, EngineType

EMBEDDED = "yara"
"""The engine that is there with no configuration at all, so that the first command works with no daemon."""


@dataclass(frozen=True)
class Refused(Exception):
    """A configuration that cannot be used, with all its problems."""

    source: Source
    problems: tuple[Problem, ...]


class Site:
    """A site as configured. `scanners` are its engines, in the order of the file; `kinds` are the kinds of engine there
    are, if not those installed."""

    def __init__(
        self,
        settings: Settings,
        library: Library | None = None,
        source: Source | None = None,
        kinds: Mapping[str, EngineType] | None = None,
    ) -> None:
        self.settings = settings
        self.library = library or Library()
        self.scanners, problems = _scanners(settings, kinds)
        if problems:
            raise Refused(source or Source("", ""), tuple(problems))
        self.scripts = Scripts(self.vocabulary)
        self.lists = lists.Lists(settings.lists)

    @cached_property
    def engines(self) -> tuple[str, ...]:
        """The names by which scripts call the engines."""
        return tuple(scanner.name for scanner in self.scanners)

    def vocabulary(
        self, phase: str = "each_rcpt", dialect: str = "", *, engines: tuple[str, ...] | None = None
    ) -> Vocabulary:
        """The words of a script of this site, as yet without any it has to require; with `engines`, as if the site had
        those."""
        return Vocabulary(
            [base],
            self.library,
            names={"engines": self.engines if engines is None else engines},
            settings=self.settings.extensions,
            phase=phase,
            dialect=dialect,
        )

    @property
    def answers(self) -> Answers:
        """How questions are answered that are not about one recipient."""
        return lists.answers(self.lists.find)

    def with_scanners(self, scanners: tuple[Scanner, ...]) -> Site:
        """The same site, scripts included, with other engines."""
        site = copy(self)
        site.__dict__.pop("engines", None)
        site.scanners = scanners
        return site

    def policies(self) -> Iterator[tuple[Path, str]]:
        """Each script that the configuration names, with the phase it is for."""
        for phase, paths in self.settings.phases.items():
            for path in paths:
                yield path, phase.removesuffix("_phase1").removesuffix("_phase2")
        for given in (self.settings.users.before, self.settings.users.after):
            if given is not None:
                yield given, "each_rcpt"


def _scanners(settings: Settings, kinds: Mapping[str, EngineType] | None) -> tuple[tuple[Scanner, ...], list[Problem]]:
    found: list[Scanner] = []
    problems = []
    for framework in settings.frameworks:
        for engine in framework.engines:
            # an engine goes by its stanza's type; a further one of the type by its instance name
            name = engine.kind if all(other.settings.kind != engine.kind for other in found) else engine.instance
            if any(identifier(name) == identifier(other.name) for other in found):
                message, hint = f'scripts know another engine as "{name}"', "give each engine a name of its own"
                problems.append(Problem("same-engine", message, engine.span, hint))
                continue
            try:
                made = _assembled(
                    engine.kind,
                    name,
                    kinds,
                    options=engine.options,
                    timeout=engine.timeout,
                    cache_size=engine.cache_size,
                    max_concurrency=engine.max_concurrency,
                    mime_decompose=engine.mime_decompose,
                    paranoid=engine.paranoid,
                )
            except ValueError as error:
                problems.append(Problem("bad-value", f"{engine.kind} cannot work: {error}", engine.span))
                continue
            found.append(Scanner(name, engine, made))
    return tuple(found), problems


def embedded() -> Site:
    """The site there is without a configuration. Its engine is made when a script asks: most do not."""
    site = Site(Settings())
    site.scanners = (Scanner(EMBEDDED, passive_settings(EMBEDDED), LazyEngine(EMBEDDED)),)
    return site


class LazyEngine:
    """An engine without options that is made when it is first asked."""

    def __init__(self, name: str) -> None:
        self.name = name

    @cached_property
    def _engine(self) -> Engine:
        return _assembled(self.name, self.name, options={})

    def scan(self, content: Content, deadline: Deadline) -> Verdict:
        return self._engine.scan(content, deadline)

    def version(self, deadline: Deadline) -> str:
        return self._engine.version(deadline)


def _assembled(kind: str, name: str, kinds: Mapping[str, EngineType] | None = None, **settings: Any) -> Engine:
    """An engine made and wrapped. ValueError, with the reason, when it cannot work."""
    from sieveav.scanning.assembling import assemble
    from sieveav.scanning.contract import ENGINES  # many a command asks no engine

    found = ENGINES.find(kind) if kinds is None else kinds.get(kind)
    if found is None:
        raise ValueError(f"there is no engine {kind}")
    return assemble(found, name, **settings)


def passive_settings(kind: str) -> EngineSettings:
    """The settings of an engine that scans only when a script asks, all others as they are by default."""
    common = {option.name: option.default for option in COMMON if option.name in PLAIN}
    common["context_variable"] = f"{kind}_status"
    return EngineSettings(kind=kind, instance=kind, active=False, options={}, span=Span(0, 0), **common)


LARGEST_FILE = 4 * 1024 * 1024
"""Octets of a configuration file that are read; more are more characters than are taken, which reading it tells."""


def load(
    path: Path, stream: BinaryIO | None = None, kinds: Mapping[str, EngineType] | None = None
) -> tuple[Site, Source, tuple[Problem, ...]]:
    """The site that the file at `path`, or the text in `stream`, configures; the text; and what is to be said of it all
    the same (warnings). Raises Refused for a file with errors, OSError for one that cannot be read. `kinds` are the
    kinds of engine there are, if not those installed."""
    # PLY and the tables are of no use to a command without a configuration
    from sieveav.scanning.contract import ENGINES
    from sieveav.site import checking, configuration

    with stream or path.open("rb") as file:
        source = Source(str(path), file.read(LARGEST_FILE + 1).decode("utf-8", "replace"))
    stanzas, problems = configuration.read(source)
    library = Library()

    def settings_of(capability: str) -> Mapping[str, Any] | None:
        extension = library.find(capability)
        return None if extension is None else extension.settings

    known = ENGINES.everything() if kinds is None else kinds
    settings, more = checking.check(stanzas, source, known, settings_of, path.parent, library.everything)
    problems = sorted([*problems, *more], key=lambda problem: problem.span)
    if any(problem.severity is Severity.ERROR for problem in problems):
        raise Refused(source, tuple(problems))
    site = Site(settings, library, source, kinds)
    return site, source, tuple(problems)
