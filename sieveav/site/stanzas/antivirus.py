"""antivirus: the engines of the site, with all of their settings.

An engine runs if its stanza is both at the top level and inside antivirus, or at the top level with options beyond `enabled`
(the older form, on the page about Momentum's Sieve). An engine that cannot be inside antivirus runs in any case. A value that
an engine does not write is its framework's, or else the default.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from sieveav.language.problems import Span
from sieveav.options import Option, one_of
from sieveav.scanning.contract import EngineType
from sieveav.scanning.settings import COMMON, GLOBAL, EngineSettings, options_of
from sieveav.site.stanza import TOP, Building, Named, Placed, StanzaType
from sieveav.site.stanzas.threadpool import POOLS
from sieveav.verdict import Status, Verdict


@dataclass(frozen=True)
class Configured:
    """An engine of the site; `span` is where its type is written, `spans` where the values of its options are."""

    type: EngineType
    settings: EngineSettings
    span: Span
    spans: Mapping[str, Span]


@dataclass(frozen=True)
class Framework:
    """An `antivirus` stanza and its engines, in the order of the file; an engine at the top level is one too, with its own
    name or that of its type. `in_turn`: they are asked one after the other, up to the first that finds a virus."""

    instance: str
    engines: tuple[Configured, ...]
    in_turn: bool = False


def engine_stanza(engine: EngineType) -> StanzaType[None]:
    """The stanza of an engine."""
    return StanzaType(
        engine.name.lower(), engine.summary, options_of(engine), Named.MAY, engine.within, details=engine.details
    )


def _build(stanzas: Sequence[Placed], building: Building) -> tuple[Framework, ...]:
    types = {name.lower(): engine for name, engine in building.engines.items()}
    top = {placed.type.name: placed for placed in building.top if placed.type.name in types}
    inner_types = {engine.type.name for stanza in stanzas for engine in stanza.inner}
    builder = _Builder(building, types)
    frameworks: list[Framework] = []
    for placed in building.top:
        name = placed.type.name
        if placed in stanzas:
            _report_unused(building, placed, top)
            engines = tuple(builder.engine(engine, placed, top.get(engine.type.name)) for engine in placed.inner)
            frameworks.append(Framework(placed.instance, engines, placed.value("order") == "first"))
        elif name in types and _is_whole(building, placed, within_antivirus=name in inner_types):
            frameworks.append(Framework(placed.instance, (builder.engine(placed, None, placed),)))
    return tuple(frameworks)


ANTIVIRUS = StanzaType(
    "antivirus",
    "the framework that its engines run in; its values are its engines' defaults",
    (
        *COMMON,
        Option(
            "order",
            one_of("all", "first"),
            "all",
            "all: its engines scan at the same time; first: one after the other, up to the first that finds a virus",
        ),
    ),
    Named.MUST,
    build=_build,
    details='Example: clamav {} antivirus "antivirus1" { clamav "clamav1" { daemon = "127.0.0.1:3310" } }',
)


def _report_unused(building: Building, framework: Placed, top: Mapping[str, Placed]) -> None:
    """Report a framework without engines, and engines that are not at the top level too."""
    if not framework.stanza.stanzas:
        building.report.warn("engine-unused", f"{framework.head} has no engine", framework.stanza.kind_span)
    for engine in framework.inner:
        name = engine.type.name
        if name not in top:
            message, hint = (
                f"{name} is not declared at the top level, so it never runs",
                f"write {name} {{}} at the top level",
            )
            building.report.error("engine-not-global", message, engine.stanza.kind_span, hint)


def _is_whole(building: Building, engine: Placed, *, within_antivirus: bool) -> bool:
    """Whether a top-level stanza is an engine by itself: one that cannot be inside antivirus, or the older form.
    Reports what it may not contain."""
    if engine.type.within == (TOP,):
        return True
    name, report = engine.type.name, building.report
    beyond = [option for option in engine.written if option not in _GLOBAL]
    if not within_antivirus and not beyond:
        hint = f'write antivirus "antivirus1" {{ {name} "{name}1" {{ … }} }} too'
        report.warn("engine-unused", f"{name} is never used", engine.stanza.kind_span, hint)
    if within_antivirus:
        for option in beyond:
            message = f"{option} is not allowed in {name} at the top level while an antivirus contains {name} too"
            hint = f"write it in {name} inside antivirus"
            report.error("option-misplaced", message, engine.written[option].name_span, hint)
    return bool(beyond) and not within_antivirus


_GLOBAL = {option.name for option in GLOBAL}


class _Builder:
    """Builds one engine's settings after the other; knows the variables of those before."""

    def __init__(self, building: Building, types: Mapping[str, EngineType]) -> None:
        self.building = building
        self.types = types
        self.variables: dict[str, str] = {}

    def engine(self, engine: Placed, framework: Placed | None, top: Placed | None) -> Configured:
        """One engine: its own values, then the framework's, then that of debug_level at the top level, then the defaults."""
        above = {} if top is None else {n: v for n, v in top.written.items() if n == "debug_level"}
        if framework is not None:
            above |= {n: v for n, v in framework.written.items() if n in engine.options}
        written = {**above, **engine.written}
        values = engine.values() | {name: value.value for name, value in written.items()}
        report = self.building.report
        if values["mime_decompose"] and "file_base" not in written:
            span = written["mime_decompose"].name_span
            report.error("option-missing", "mime_decompose needs file_base", span, 'write file_base = "/var/tmp"')
        pools = self.building.built(POOLS)
        if "pool" in written and values["pool"] not in pools.names:
            message, hint = f'there is no pool "{values["pool"]}"', f"the pools are {', '.join(pools.names)}"
            report.error("pool-unknown", message, written["pool"].span, hint)
            values["pool"] = engine.options["pool"].default
        engine_type = self.types[engine.type.name]
        enabled = top is None or bool(top.value("enabled"))
        settings = EngineSettings.of(engine_type, engine.instance, values, globally_enabled=enabled)
        span = written["context_variable"].span if "context_variable" in written else engine.stanza.kind_span
        self._check_variables(engine_type, settings, engine.head, span)
        spans = {name: value.span for name, value in written.items()}
        return Configured(engine_type, settings, engine.stanza.kind_span, spans)

    def _check_variables(self, engine_type: EngineType, settings: EngineSettings, engine: str, span: Span) -> None:
        """Report a context variable that an engine before sets too."""
        name = settings.instance
        verdicts = [Verdict(name, status) for status in Status]
        by_scans = chain.from_iterable(engine_type.variables(name, settings, verdict) for verdict in verdicts)
        names = dict.fromkeys([settings.context_variable, *by_scans])
        clash = next((name for name in names if name in self.variables), None)
        if clash is not None:
            message = f'{self.variables[clash]} sets the variable "{clash}" too'
            self.building.report.error("variable-repeated", message, span, "give each engine its own context_variable")
        self.variables = dict.fromkeys(names, engine) | self.variables
