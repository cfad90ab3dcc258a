"""settings: a configuration's stanzas to its settings, and every problem with what they say.

First the same rules are applied to every stanza: is there such a type, is it allowed in its place, are its options known,
written once, and of the right type. Then each type builds what its stanzas mean (`stanza.py`). The settings are of use only if
no problem is an error: what is refused counts as not written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sieveav.language.problems import Problem, did_you_mean
from sieveav.limits import PROBLEMS
from sieveav.options import Option
from sieveav.site.configuration import Setting, Stanza
from sieveav.site.stanza import (
    STANZAS,
    TOP,
    Building,
    Named,
    Placed,
    Settings,
    StanzaType,
    Value,
    head,
)
from sieveav.site.stanzas.antivirus import engine_stanza

OWNERS = 3
"""Stanzas that a hint names at most, as those which take an option."""


def check(stanzas: Sequence[Stanza], building: Building) -> tuple[Settings, list[Problem]]:
    """What `stanzas` say, and their problems in order, PROBLEMS at most. Looks whether files exist, and opens the state."""
    types = stanza_types(building)
    top = _Placing(types, building).place(stanzas, TOP)
    settings = Settings(replace(building, top=top))
    for stanza_type in types.values():
        settings[stanza_type]
    return settings, sorted(building.report.problems, key=lambda problem: problem.span)[:PROBLEMS]


def stanza_types(building: Building) -> dict[str, StanzaType[Any]]:
    """All types of stanza by name, in lower case: those installed, and one for each engine."""
    engines = {name.lower(): engine_stanza(engine) for name, engine in building.engines.items()}
    return {**engines, **{name.lower(): stanza for name, stanza in STANZAS.everything().items()}}


@dataclass(frozen=True)
class _Placing:
    """Applies what `types` say to stanzas: their places, names, options and values."""

    types: Mapping[str, StanzaType[Any]]
    building: Building

    def place(self, stanzas: Iterable[Stanza], parent: str) -> tuple[Placed, ...]:
        """Those of `stanzas` that are allowed inside of the type `parent`."""
        seen: set[tuple[str, str]] = set()
        return tuple(placed for stanza in stanzas if (placed := self._place(stanza, parent, seen)) is not None)

    def _place(self, stanza: Stanza, parent: str, seen: set[tuple[str, str]]) -> Placed | None:
        stanza_type = self._type(stanza)
        if stanza_type is None:
            return None
        report = self.building.report
        allowed = parent in stanza_type.within
        if allowed:
            self._check_name(stanza, stanza_type, parent)
        else:
            message = f"{stanza_type.name} is not allowed {_inside(parent)}"
            hint = f"it belongs {' or '.join(map(_inside, stanza_type.within))}"
            report.error("stanza-misplaced", message, stanza.kind_span, hint)
        key = (stanza_type.name, stanza.instance or stanza_type.name)
        if allowed and not stanza_type.many and key in seen:
            report.error("stanza-repeated", f"{head(stanza)} is written twice", stanza.kind_span, "write it once")
            allowed = False
        seen.add(key)
        options = self._options(stanza, stanza_type)
        written = {} if options is None else self._written(stanza, stanza_type.name, options)
        inner = self.place(stanza.stanzas, stanza_type.name)
        return Placed(stanza, stanza_type, options, written, inner) if allowed and options is not None else None

    def _type(self, stanza: Stanza) -> StanzaType[Any] | None:
        """The type of `stanza`; None, and a problem, if there is no such type."""
        name = stanza.kind.lower()
        if name in self.types:
            return self.types[name]
        asked_by = next((engine.name for engine in self.building.engines.values() if name in engine.products), "")
        if asked_by:
            hint = f'{name} is asked by the engine {asked_by}: write {asked_by} "{name}" {{ profile = "{name}" }}'
        else:
            hint = did_you_mean(stanza.kind, self.types) or f"stanzas: {', '.join(sorted(self.types))}"
        self.building.report.error("stanza-unknown", f"unknown stanza {stanza.kind}", stanza.kind_span, hint)
        return None

    def _check_name(self, stanza: Stanza, stanza_type: StanzaType[Any], parent: str) -> None:
        # The name is for engines inside antivirus: the top-level stanza of one that may be there is the only one of its type.
        name, report = stanza_type.name, self.building.report
        never = stanza_type.named is Named.NEVER or (
            stanza_type.named is Named.MAY and parent == TOP and stanza_type.within != (TOP,)
        )
        if never and stanza.instance_span is not None:
            message = f"{name} takes no name {_inside(parent)}"
            report.error("stanza-name", message, stanza.instance_span, f"write {name} {{ … }}")
        elif stanza_type.named is Named.MUST and not stanza.instance:
            span = stanza.instance_span or stanza.kind_span
            report.error("stanza-name", f"{name} has no name", span, f'write {name} "name" {{ … }}')

    def _options(self, stanza: Stanza, stanza_type: StanzaType[Any]) -> Mapping[str, Option] | None:
        """The options that `stanza` may have; None, and a problem, if that cannot be known."""
        if stanza_type.options_of is not None:
            return stanza_type.options_of(stanza, self.building)
        return {option.name: option for option in stanza_type.options}

    def _written(self, stanza: Stanza, name: str, options: Mapping[str, Option]) -> dict[str, Value]:
        """The values of the settings of `stanza`."""
        by_name = {option.lower(): option for option in options}
        written: dict[str, Value] = {}
        for setting in stanza.settings:
            option = by_name.get(setting.name.lower())
            if option is None:
                self._report_unknown(setting, name, options)
            elif option in written:
                message = f"{option} is written twice"
                self.building.report.error("option-repeated", message, setting.name_span, "write it once")
            else:
                value = self._value(setting, options[option])
                written[option] = Value(value, setting.value_span, setting.name_span)
        return written

    def _report_unknown(self, setting: Setting, name: str, options: Iterable[str]) -> None:
        """Report an option that a stanza does not have: a typo, another stanza's, or unknown."""
        owners = [t.name for t in self.types.values() if setting.name.lower() in {o.name.lower() for o in t.options}]
        if 0 < len(owners) <= OWNERS:
            rule, message = "option-misplaced", f"{setting.name} is not an option of {name}"
            hint = f"it belongs in {' or '.join(owners)}"
        else:
            rule, message = "option-unknown", f'{name} has no option "{setting.name}"'
            known = f"its options: {', '.join(options)}" if options else "it has no options"
            hint = did_you_mean(setting.name, options) or known
        self.building.report.error(rule, message, setting.name_span, hint)

    def _value(self, setting: Setting, option: Option) -> Any:
        """The value of `setting`; the option's default, and a problem, if it is refused."""
        report = self.building.report
        try:
            value = option.located(option.value(setting.value), self.building.base)
        except ValueError as reason:
            report.error("value-invalid", str(reason), setting.value_span)
            return option.default
        warning = option.warn(value) if option.warn else ""
        if warning:
            report.warn("value-risky", warning, setting.value_span)
        return value


def _inside(name: str) -> str:
    return f"inside {name}" if name else "at the top level"
