"""stanza: what a stanza of the configuration file is: what it may contain, and what all stanzas of its type become.

A stanza is one file with a `StanzaType`, in `stanzas/`, beside the front end it configures, or in another package; the
stanza of an engine comes from its `EngineType`. Its `build` is called once with all stanzas of the type, which may be none,
and what it returns is `settings[TYPE]`:

    METRICS = StanzaType("metrics", "where counters are read", (Option("listen", TEXT, "", "host:port"),), build=_build)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sieveav.language.problems import Problem, Severity, Source, Span
from sieveav.options import Option
from sieveav.plugins import Plugin, Plugins, identifier

if TYPE_CHECKING:
    from sieveav.language.vocabulary import Library
    from sieveav.scanning.contract import EngineType
    from sieveav.site.configuration import Stanza

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


TOP = ""
"""Where a stanza is that is not inside another."""


class Named(StrEnum):
    """Whether a stanza has an instance name."""

    MUST = "must"
    MAY = "may"
    NEVER = "never"


@dataclass(frozen=True)
class Value:
    """The value of a setting (its option's default, if it was refused) and where it is written."""

    value: Any
    span: Span
    name_span: Span


@dataclass(frozen=True)
class Placed:
    """A stanza in a place where it is allowed, with the options it may have, and the values of those that are written."""

    stanza: Stanza
    type: StanzaType[Any]
    options: Mapping[str, Option]
    written: Mapping[str, Value]
    inner: tuple[Placed, ...]

    @property
    def instance(self) -> str:
        """Its name; that of its type, if it has none."""
        return self.stanza.instance or self.type.name

    @property
    def head(self) -> str:
        """Its type and name, as they are written."""
        return head(self.stanza)

    @property
    def name_span(self) -> Span:
        """Where its name is, or else its type."""
        return self.stanza.instance_span or self.stanza.kind_span

    def values(self) -> dict[str, Any]:
        """Every option's value, written or default."""
        return {name: self.value(name) for name in self.options}

    def value(self, name: str) -> Any:
        """One option's value, written or default."""
        return self.written[name].value if name in self.written else self.options[name].default


def head(stanza: Stanza) -> str:
    """A stanza's type and name, as they are written."""
    return stanza.kind if stanza.instance is None else f'{stanza.kind} "{stanza.instance}"'


class Report:
    """The problems of a configuration, each once."""

    def __init__(self) -> None:
        self.problems: dict[Problem, None] = {}

    def error(self, rule: str, message: str, span: Span, hint: str = "") -> None:
        """Report what is wrong: the configuration cannot be used."""
        self.problems[Problem(rule, message, span, hint)] = None

    def warn(self, rule: str, message: str, span: Span, hint: str = "") -> None:
        """Report what may be a mistake."""
        self.problems[Problem(rule, message, span, hint, Severity.WARNING)] = None


@dataclass(frozen=True)
class Building:
    """What a `build` may use: `report`, the text of the configuration, the folder that relative paths are relative to, what
    is installed, and the stanzas of other types."""

    report: Report = field(default_factory=Report)
    source: Source = field(default_factory=lambda: Source("", ""))
    base: Path = Path()
    library: Library | None = None
    engines: Mapping[str, EngineType] = field(default_factory=dict)
    top: Sequence[Placed] = ()
    known: dict[StanzaType[Any], Any] = field(default_factory=dict)
    """What stanza types have become so far."""

    def of(self, type_name: str) -> list[Placed]:
        """The top-level stanzas of a type, in the order of the file."""
        return [placed for placed in self.top if placed.type.name == type_name]

    def built(self, stanza_type: StanzaType[T]) -> T:
        """What the stanzas of a type have become; built now, if they are not yet."""
        if stanza_type not in self.known:
            self.known[stanza_type] = stanza_type.build(self.of(stanza_type.name), self)
        built: T = self.known[stanza_type]
        return built


def _nothing(stanzas: Sequence[Placed], building: Building) -> None:
    """For a stanza that another one's `build` looks at."""


@dataclass(frozen=True, eq=False)
class StanzaType(Plugin, Generic[T_co]):
    """A type of stanza: `name` is its word in the file, `meaning` one line for people, `options` what it may contain.

    `named` says whether it has an instance name, `within` the types that it may be inside of. One place does not contain
    two of the same type and name, except with `many`. `options_of(name, building)` gives the options where they depend on the
    instance name; None if there is nothing of that name, then it has reported that.
    """

    name: str
    meaning: str
    options: tuple[Option, ...] = ()
    named: Named = Named.NEVER
    within: tuple[str, ...] = (TOP,)
    many: bool = False
    build: Callable[[Sequence[Placed], Building], T_co] = _nothing  # type: ignore[assignment]
    options_of: Callable[[Stanza, Building], Mapping[str, Option] | None] | None = None
    details: str = ""
    """More for `sieveav explain`: what the options cannot say, an example."""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or identifier(self.name).replace("_", "") == "":
            raise TypeError(f"a stanza's name is a word, not {self.name!r}")
        if not all(isinstance(option, Option) for option in self.options):
            raise TypeError(f"stanza {self.name}: options must be Option values")
        if not callable(self.build):
            raise TypeError(f"stanza {self.name}: build must be a function")


class Settings:
    """What a configuration file says: `settings[USERS]` is what the stanzas of that type have become; `values` are given
    without a file."""

    def __init__(self, building: Building | None = None, values: Mapping[StanzaType[Any], Any] | None = None) -> None:
        self._building = building or Building()
        self._building.known.update(values or {})

    def __getitem__(self, stanza_type: StanzaType[T]) -> T:
        return self._building.built(stanza_type)

    @property
    def stanzas(self) -> Iterator[Placed]:
        """All stanzas, outer ones before those inside them."""
        return _walk(self._building.top)


def _walk(stanzas: Sequence[Placed]) -> Iterator[Placed]:
    for placed in stanzas:
        yield placed
        yield from _walk(placed.inner)


STANZAS: Plugins[StanzaType[Any]] = Plugins(
    StanzaType, "stanza", "sieveav.stanzas", ["sieveav.site.stanzas", "sieveav.frontends.servers"]
)
"""All stanza types that are installed, those of engines aside."""
