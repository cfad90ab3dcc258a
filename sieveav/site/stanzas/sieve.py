"""sieve: the site's own scripts, for each phase of SMTP, and what a fault of theirs does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

from sieveav.language.extension import SMTP_PHASES
from sieveav.language.problems import did_you_mean
from sieveav.options import BOOLEAN, FILE, SECONDS, Option, integer, one_of
from sieveav.site.stanza import Building, Named, Placed, StanzaType

PHASES = tuple(f"{phase}_{part}" for phase in SMTP_PHASES for part in ("phase1", "phase2"))
"""The phases that run scripts, in their order: of each phase of SMTP the site's (phase1), then a vendor's (phase2)."""


@dataclass(frozen=True)
class Policy:
    """The site's scripts: `phases` has every phase that has scripts, in the order of phases; `runtime_error` is "fail"
    (a fault defers the message) or "continue"; `send_infected`: scripts may redirect and answer infected messages. Checked
    scripts are kept, `cache_size` of them and for `cache_life` seconds at most, 0 for no end."""

    phases: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    runtime_error: str = "fail"
    send_infected: bool = False
    cache_size: int = 1000
    cache_life: float = 0.0

    def of(self, phase: str) -> tuple[Path, ...]:
        """The scripts of both parts of a phase, in their order."""
        return self._of_both[phase]

    @cached_property
    def _of_both(self) -> dict[str, tuple[Path, ...]]:  # every message asks for each phase
        phases = self.phases
        return {of: (*phases.get(f"{of}_phase1", ()), *phases.get(f"{of}_phase2", ())) for of in SMTP_PHASES}


def _build(stanzas: Sequence[Placed], building: Building) -> Policy:
    report = building.report
    phases: dict[str, list[Path]] = {}
    for script in chain.from_iterable(stanza.inner for stanza in stanzas):
        phase = script.instance.lower()
        if "source" not in script.written:
            message, hint = f"{script.head} has no source", 'write source = "…"'
            report.error("option-missing", message, script.stanza.kind_span, hint)
        if not script.stanza.instance:
            continue  # which is reported already
        if phase not in PHASES:
            hint = did_you_mean(phase, PHASES) or f"the phases are {', '.join(PHASES)}"
            report.error("phase-unknown", f'unknown phase "{script.instance}"', script.name_span, hint)
        elif script.value("source") is not None:
            if phase in phases:
                message = f"a second script for {phase}: both run, in the order of the file"
                report.warn("phase-repeated", message, script.name_span)
            phases.setdefault(phase, []).append(script.value("source"))
    ordered = {phase: tuple(phases[phase]) for phase in PHASES if phase in phases}
    return Policy(ordered, **{name: _agreed(name, stanzas, building) for name in _AGREED}) if stanzas else Policy()


_AGREED = ("runtime_error", "send_infected", "cache_size", "cache_life")
"""Options of the whole site."""


def _agreed(name: str, stanzas: Sequence[Placed], building: Building) -> Any:
    """The value of an option; a problem if two stanzas disagree."""
    first, *others = stanzas
    for stanza in others:
        if stanza.value(name) != first.value(name):
            written = stanza.written.get(name)
            span = written.span if written else stanza.stanza.kind_span
            shown = stanza.options[name].kind.write
            message = f"{name} is {shown(stanza.value(name))} here and {shown(first.value(name))} in {first.head}"
            building.report.error("option-conflict", message, span, "write the same in both")
    return first.value(name)


SCRIPT: StanzaType[None] = StanzaType(
    "script",
    "a script of the phase that is its name",
    (Option("source", FILE, None, "the script's file"),),
    Named.MUST,
    within=("sieve",),
    many=True,
    details=f"The phases are {', '.join(PHASES)}.",
)

SIEVE = StanzaType(
    "sieve",
    "the site's scripts",
    (
        Option("cache_size", integer(1, 1_000_000), Policy.cache_size, "how many checked scripts are kept at most"),
        Option(
            "cache_life", SECONDS, Policy.cache_life, "how long a checked script is kept; 0: until its file changes"
        ),
        Option("runtime_error", one_of("fail", "continue"), "fail", "what a script's fault does: 4xx, or nothing"),
        Option("send_infected", BOOLEAN, False, "whether scripts may redirect and answer infected messages"),
    ),
    Named.MUST,
    build=_build,
)
