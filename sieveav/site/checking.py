"""checking: a configuration's stanzas become typed settings, and every problem in what they say.

First the tables' rules are applied to each stanza alike: is there such a kind, does it stand here, are its options
known, written once, of the right type. Then what the stanzas mean together is worked out: which engines exist, which
scripts run. The settings are of use only when no problem is an error: whatever is wrong counts as not written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sieveav.language.problems import Problem, Severity, Source, Span, did_you_mean
from sieveav.limits import PROBLEMS, Limits
from sieveav.options import Option
from sieveav.running.lists import LIST_HINT, list_flaw, list_key
from sieveav.site import options as tables
from sieveav.site.configuration import Setting, Stanza
from sieveav.site.options import TOP, EngineSettings, Form, Framework, Named, Settings, Users

if TYPE_CHECKING:
    from sieveav.scanning.contract import EngineType

SettingsOf = Callable[[str], Mapping[str, Option] | None]
"""An extension's settings by its capability; None when there is no such extension."""


def check(
    stanzas: Sequence[Stanza],
    source: Source,
    engines: Mapping[str, EngineType],
    settings_of: SettingsOf,
    base: Path,
    capabilities: Callable[[], Iterable[str]] = tuple,
) -> tuple[Settings, list[Problem]]:
    """What `stanzas` (read from `source`) say, and their problems in order, PROBLEMS at most.

    `engines` are the kinds of engine there are, by name; `base` is the folder that relative paths start from;
    `capabilities` names the extensions there are, for hints only. Looks whether files exist; opens none.
    """
    complaints = _Complaints()
    top = _Placing(complaints, tables.forms(engines), settings_of, capabilities, base).placed(stanzas, TOP)
    phases, runtime_error = _scripts(complaints, _of(top, "sieve"))
    settings = Settings(
        frameworks=_frameworks(complaints, top, engines),
        phases=phases,
        runtime_error=runtime_error,
        users=next((_users(complaints, users, source, base) for users in _of(top, "users")), Users()),
        limits=next((Limits(**limits.values()) for limits in _of(top, "limits")), Limits()),
        extensions={extension.instance: extension.values() for extension in _of(top, "extension")},
        lists=_lists(complaints, _of(top, "list")),
    )
    return settings, sorted(complaints.problems, key=lambda problem: problem.span)[:PROBLEMS]


@dataclass(frozen=True)
class _Given:
    """The value that a setting gives (the default's when it was refused) and where it is written."""

    value: Any
    span: Span
    name_span: Span


@dataclass(frozen=True)
class _Placed:
    """A stanza that stands where it may, with the options it takes and the values it gives to some of them."""

    stanza: Stanza
    kind: str
    options: Mapping[str, Option]
    given: Mapping[str, _Given]
    inner: tuple[_Placed, ...]

    @property
    def instance(self) -> str:
        return self.stanza.instance or self.kind

    def values(self) -> dict[str, Any]:
        """Every option's value."""
        return {name: self.given[name].value if name in self.given else option.default
                for name, option in self.options.items()}  # fmt: skip


def _of(placed: Iterable[_Placed], kind: str) -> list[_Placed]:
    return [one for one in placed if one.kind == kind]


class _Complaints:
    """The problems found so far, each once."""

    def __init__(self) -> None:
        self.problems: dict[Problem, None] = {}

    def __call__(self, rule: str, message: str, span: Span, hint: str = "") -> None:
        self.problems[Problem(rule, message, span, hint)] = None

    def warn(self, rule: str, message: str, span: Span, hint: str = "") -> None:
        self.problems[Problem(rule, message, span, hint, Severity.WARNING)] = None


@dataclass(frozen=True)
class _Placing:
    """Applies the tables to stanzas: kinds, places, names, options and their values."""

    complain: _Complaints
    forms: Mapping[str, Form]
    settings_of: SettingsOf
    capabilities: Callable[[], Iterable[str]]
    base: Path

    def placed(self, stanzas: Iterable[Stanza], parent: str) -> tuple[_Placed, ...]:
        """Those of `stanzas`, which stand in a stanza of kind `parent`, that may stand there."""
        seen: set[tuple[str, str | None]] = set()
        return tuple(found for stanza in stanzas if (found := self._placed(stanza, parent, seen)) is not None)

    def _placed(self, stanza: Stanza, parent: str, seen: set[tuple[str, str | None]]) -> _Placed | None:
        form = self._form(stanza)
        if form is None:
            return None
        kind = form.kind.lower()
        here = parent in form.within
        if not here:
            hint = f"it stands {' or '.join(map(_inside, form.within))}"
            self.complain("misplaced", f"{kind} cannot stand {_inside(parent)}", stanza.kind_span, hint)
        else:
            self._name(stanza, form, parent)
        if here and not form.many:
            name = stanza.instance or kind if parent == "antivirus" else stanza.instance
            if (kind, name) in seen:
                self.complain("repeated-stanza", f"a second {_head(stanza)}", stanza.kind_span)
                here = False
            seen.add((kind, name))
        options = self._options(stanza, form)
        given = {} if options is None else self._given(stanza, kind, options)
        inner = self.placed(stanza.stanzas, kind)
        return _Placed(stanza, kind, options, given, inner) if here and options is not None else None

    def _form(self, stanza: Stanza) -> Form | None:
        """The form that `stanza` should have; complains when there is none."""
        kind = stanza.kind.lower()
        form = self.forms.get(kind)
        if form is None and kind in tables.LATER_STANZAS:
            self.complain("not-in-this-version", f"{kind} is {tables.NOT_YET}", stanza.kind_span)
        elif form is None:
            hint = did_you_mean(stanza.kind, self.forms)
            self.complain("unknown-stanza", f'no stanza is called "{stanza.kind}"', stanza.kind_span, hint)
        return form

    def _name(self, stanza: Stanza, form: Form, parent: str) -> None:
        # A global engine stanza is the only one of its kind: the name is for those inside antivirus.
        never = form.named is Named.NEVER or (form.named is Named.MAY and parent == TOP)
        if never and stanza.instance_span is not None:
            message, hint = f"{form.kind} takes no name {_inside(parent)}", f"write {form.kind} {{ … }}"
            self.complain("instance-name", message, stanza.instance_span, hint)
        elif form.named is Named.MUST and not stanza.instance:
            place, hint = stanza.instance_span or stanza.kind_span, f'write {form.kind} "name" {{ … }}'
            self.complain("instance-name", f"{form.kind} has no name", place, hint)

    def _options(self, stanza: Stanza, form: Form) -> Mapping[str, Option] | None:
        """The options that `stanza` takes; None, and a problem, when that cannot be known."""
        if form.kind != "extension":
            return {option.name: option for option in form.options}
        if not stanza.instance:
            return None
        options = self.settings_of(stanza.instance)
        if options is None:
            place, hint = stanza.instance_span or stanza.kind_span, did_you_mean(stanza.instance, self.capabilities())
            self.complain("unknown-extension", f'no extension is called "{stanza.instance}"', place, hint)
        return options

    def _given(self, stanza: Stanza, kind: str, options: Mapping[str, Option]) -> dict[str, _Given]:
        """The values that the settings of `stanza` give."""
        by_name = {name.lower(): (name, option) for name, option in options.items()}
        given: dict[str, _Given] = {}
        for setting in stanza.settings:
            if setting.name.lower() not in by_name:
                self._unknown(setting, kind, by_name)
                continue
            name, option = by_name[setting.name.lower()]
            if name in given:
                self.complain("repeated-option", f"{name} is given twice", setting.name_span, "leave one of them out")
                continue
            given[name] = _Given(self._value(setting, option), setting.value_span, setting.name_span)
        return given

    def _unknown(self, setting: Setting, kind: str, known: Iterable[str]) -> None:
        """Complain of an option that `kind` does not take: of another stanza, or of none."""
        owners = [form.kind for form in self.forms.values() if setting.name.lower() in {o.name for o in form.options}]
        if owners:
            message, hint = f"{setting.name} is no option of {kind}", f"it belongs in {' or '.join(owners)}"
            self.complain("misplaced", message, setting.name_span, hint)
        else:
            hint = did_you_mean(setting.name, known)
            self.complain("unknown-option", f'{kind} has no option "{setting.name}"', setting.name_span, hint)

    def _value(self, setting: Setting, option: Option) -> Any:
        """The value that `setting` gives to `option`: its default, and a problem, when that is refused."""
        try:
            value = tables.located(option.value(setting.value), option.kind, self.base)
        except ValueError as reason:
            self.complain("bad-value", str(reason), setting.value_span)
            return option.default
        if option.unless_default and value != option.default:
            written = setting.value if isinstance(setting.value, str) else " ".join(setting.value)
            message = f"{option.name} = {written} is {option.unless_default}"
            self.complain("not-in-this-version", message, setting.value_span, "leave it out")
            return option.default
        warning = tables.WARNINGS[option.name](value) if option.name in tables.WARNINGS else ""
        if warning:
            self.complain.warn("bad-value", warning, setting.value_span)
        return value


def _inside(kind: str) -> str:
    return f"inside {kind}" if kind else "at the top level"


def _head(stanza: Stanza) -> str:
    return stanza.kind if stanza.instance is None else f'{stanza.kind} "{stanza.instance}"'


# What the stanzas mean together: engines.


def _frameworks(
    complain: _Complaints, top: Sequence[_Placed], engines: Mapping[str, EngineType]
) -> tuple[Framework, ...]:
    """The frameworks in the file's order. An engine is one that stands both globally and inside antivirus, or globally
    with all its options (as the page of Momentum's Sieve has it)."""
    own = {name.lower(): tuple(option.name for option in kind.options) for name, kind in engines.items()}
    globally = {one.kind: one for one in top if one.kind in own}
    scoped = {engine.kind for framework in _of(top, "antivirus") for engine in framework.inner}
    found: list[Framework] = []
    settled = _Engines(complain, own)
    for one in top:
        if one.kind == "antivirus":
            _tell_unused(complain, one, globally)
            inner = tuple(settled.engine(engine, one, globally.get(engine.kind)) for engine in one.inner)
            found.append(Framework(one.instance, inner))
        elif one.kind in own and _is_whole(complain, one, one.kind in scoped):
            found.append(Framework(one.kind, (settled.engine(one, None, one),)))
    return tuple(found)


def _tell_unused(complain: _Complaints, framework: _Placed, globally: Mapping[str, _Placed]) -> None:
    """Complain of a framework without engines, and of engines that do not stand globally."""
    if not framework.stanza.stanzas:
        complain.warn("engine-unused", f"{_head(framework.stanza)} has no engine", framework.stanza.kind_span)
    for engine in framework.inner:
        if engine.kind not in globally:
            message = f"{engine.kind} does not stand at the top level, so it does not run"
            hint = f"write {engine.kind} {{}} at the top level too"
            complain("engine-not-global", message, engine.stanza.kind_span, hint)


def _is_whole(complain: _Complaints, engine: _Placed, scoped: bool) -> bool:
    """Whether a global stanza is an engine by itself (the older form); complains of what it may not be."""
    beyond = [name for name in engine.given if name not in _GLOBAL]
    if not scoped and not beyond:
        hint = f'write antivirus "antivirus1" {{ {engine.kind} "{engine.kind}1" {{ … }} }} too'
        complain.warn("engine-unused", f"{engine.kind} is never used", engine.stanza.kind_span, hint)
    if scoped:
        for name in beyond:
            message = f"{name} cannot stand in {engine.kind} at the top level while an antivirus has {engine.kind} too"
            hint = f"it belongs in {engine.kind} inside antivirus"
            complain("misplaced", message, engine.given[name].name_span, hint)
    return bool(beyond) and not scoped


_GLOBAL = {option.name for option in tables.GLOBAL}


class _Engines:
    """Settles one engine after the other; knows the variables of those before."""

    def __init__(self, complain: _Complaints, own: Mapping[str, tuple[str, ...]]) -> None:
        self.complain = complain
        self.own = own
        self.variables: dict[str, str] = {}

    def engine(self, engine: _Placed, framework: _Placed | None, globally: _Placed | None) -> EngineSettings:
        """One engine's settings: its own values, then the framework's, then the defaults."""
        above = {} if framework is None else {n: one for n, one in framework.given.items() if n in engine.options}
        given = {**above, **engine.given}
        values = engine.values() | {name: one.value for name, one in given.items()}
        if values["mime_decompose"] and "file_base" not in given:
            place, hint = given["mime_decompose"].name_span, 'write file_base = "/var/tmp"'
            self.complain("missing-option", "mime_decompose needs file_base", place, hint)
        place = given["context_variable"].span if "context_variable" in given else engine.stanza.kind_span
        self._tell_variable(values["context_variable"], _head(engine.stanza), place)
        return EngineSettings(
            kind=engine.kind,
            instance=engine.instance,
            active=values["enabled"] and (globally is None or globally.values()["enabled"]),
            options={name: values[name] for name in self.own[engine.kind]},
            span=engine.stanza.kind_span,
            **{name: values[name] for name in tables.PLAIN},
        )

    def _tell_variable(self, variable: str, engine: str, place: Span) -> None:
        names = [variable, f"{variable}_info", f"{variable}_class"]
        for name in names:
            if name in self.variables:
                message = f'the variable "{name}" is set by {self.variables[name]} too'
                self.complain("same-variable", message, place, "give each engine a context_variable of its own")
                break
        self.variables.update((name, engine) for name in names if name not in self.variables)


# What the stanzas mean together: scripts.


def _scripts(complain: _Complaints, sieves: Sequence[_Placed]) -> tuple[dict[str, tuple[Path, ...]], str]:
    """The scripts of each phase that has any, in the file's order, and what a fault of theirs does."""
    phases: dict[str, list[Path]] = {}
    for script in chain.from_iterable(sieve.inner for sieve in sieves):
        phase = script.instance.lower()
        source = script.values()["source"]
        if script.stanza.instance and _is_phase(complain, script) and source is not None:
            phases.setdefault(phase, []).append(source)
        if "source" not in script.given:
            message = f"{_head(script.stanza)} has no source"
            complain("missing-option", message, script.stanza.kind_span, 'write source = "…"')
    faults = [sieve.values()["runtime_error"] for sieve in sieves]
    for sieve, fault in zip(sieves, faults, strict=True):
        if fault != faults[0]:
            told = sieve.given.get("runtime_error")
            place = told.span if told else sieve.stanza.kind_span
            message = f"runtime_error is {fault} here and {faults[0]} in {_head(sieves[0].stanza)}"
            complain("bad-value", message, place, "write the same in both")
    return {phase: tuple(phases[phase]) for phase in tables.PHASES if phase in phases}, faults[0] if faults else "fail"


def _is_phase(complain: _Complaints, script: _Placed) -> bool:
    """Whether a script is named after a phase that runs scripts; complains when it is not."""
    phase = script.instance.lower()
    place = script.stanza.instance_span or script.stanza.kind_span
    if phase in tables.LATER_PHASES:
        hint = f"there are {', '.join(tables.PHASES)}"
        complain("not-in-this-version", f"the phase {phase} is {tables.NOT_YET}", place, hint)
    elif phase not in tables.PHASES:
        complain("bad-value", f'no phase is called "{script.instance}"', place, did_you_mean(phase, tables.PHASES))
    return phase in tables.PHASES


def _users(complain: _Complaints, users: _Placed, source: Source, base: Path) -> Users:
    values = users.values()
    scripts: str = values["scripts"]
    if not scripts:
        return Users("", values["before"], values["after"], values["global"])
    for span, wrong in _wrong_marks(source, users.given["scripts"].span):
        complain("bad-value", f'"{wrong}" means nothing in a script\'s path', span, "there are %u, %n, %d and %%")
    # The folder's own per cent signs are no marks.
    path = str(Path(str(base).replace("%", "%%")) / scripts)
    return Users(path, values["before"], values["after"], values["global"])


def _wrong_marks(source: Source, span: Span) -> Iterator[tuple[Span, str]]:
    """The marks in the value at `span` that are none of %u, %n, %d and %%."""
    for mark in re.finditer(r'%([^"]?)', source.text[span.start : span.end]):
        if mark[1] not in ("u", "n", "d", "%"):
            yield Span(span.start + mark.start(), span.start + mark.end()), mark[0]


# What the stanzas mean together: external lists.


def _lists(complain: _Complaints, lists: Sequence[_Placed]) -> dict[str, Path]:
    """The file of each external list, by its name, a URI."""
    files: dict[str, Path] = {}
    for one in lists:
        name = one.stanza.instance
        if "file" not in one.given:
            message = f"{_head(one.stanza)} has no file"
            complain("missing-option", message, one.stanza.kind_span, 'write file = "…"')
        if not name:
            continue  # it is reported already
        place = one.stanza.instance_span or one.stanza.kind_span
        flaw = list_flaw(name)
        if flaw:
            complain("bad-value", flaw, place, LIST_HINT)
        elif list_key(name) in files:
            complain("repeated-stanza", f"a second list of the name {list_key(name)}", place)
        elif one.values()["file"] is not None:
            files[list_key(name)] = one.values()["file"]
    return files
