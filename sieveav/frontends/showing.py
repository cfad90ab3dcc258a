"""showing: decisions, verdicts and problems to the lines that people read and the objects that programs read."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from sieveav.frontends.output import Cell, columns, counted, is_terminal, paint
from sieveav.language.problems import Place, Problem, Severity, Source, report
from sieveav.printing import printable
from sieveav.running.effects import Refuse
from sieveav.running.outcome import Fault, Note, Outcome, Response, Step
from sieveav.site.transaction import Decision, RecipientDecision
from sieveav.verdict import FOUND, Status, Verdict, plain

if TYPE_CHECKING:
    from sieveav.scanning.wrapping import Counts

# ---- verdicts


def _colour(status: Status) -> str:
    return "good" if status is Status.CLEAN else "bad" if status in FOUND or status is Status.ERROR else "odd"


def verdict_row(verdict: Verdict) -> list[Cell]:
    """A verdict as a row of a table."""
    return [
        (verdict.engine, ""),
        (str(verdict.status), _colour(verdict.status)),
        (verdict.info, ""),
        (f"{verdict.ms:.1f} ms", "dim"),
    ]


def verdict_json(verdict: Verdict) -> dict[str, object]:
    """A verdict for programs; `ms` in milliseconds."""
    return {
        "engine": verdict.engine,
        "status": str(verdict.status),
        "info": verdict.info,
        "code": verdict.code,
        "version": verdict.version,
        "ms": round(verdict.ms, 3),
    }


def self_test_json(sample: str, verdict: Verdict, *, passed: bool) -> dict[str, object]:
    """What an engine says of a sample of the self-test, for programs."""
    return {"sample": sample, "passed": passed, "verdict": verdict_json(verdict)}


def scan_json(name: str, verdicts: Iterable[Verdict]) -> dict[str, object]:
    """The verdicts on one message for programs."""
    return {"message": name, "engines": [verdict_json(verdict) for verdict in verdicts]}


# ---- statistics

_COUNTS = {
    "Messages checked:": "messages",
    "MIME parts checked:": "parts",
    "Viruses detected:": "viruses",
    "Viruses cured:": "cured",
}


def statistics_json(name: str, counts: Counts) -> dict[str, Any]:
    """What an engine has done for programs; times in milliseconds."""
    return {"engine": name, **counts._asdict()}


def statistics_lines(engines: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The statistics of engines, as `statistics_json` gives them, in the form of Momentum's console."""
    for each in engines:
        yield each["engine"]
        yield from numbers(_COUNTS, each)
        yield average("Avg. time/message", each["message_ms"], each["messages"])
        yield average("Avg. time/MIME part", each["part_ms"], each["parts"])


def numbers(names: Mapping[str, str], values: Mapping[str, Any]) -> Iterator[str]:
    """A line for each number, from its label to its name among the values."""
    for label, name in names.items():
        yield f"  {label:<19} {values[name]}"


def average(label: str, ms: float, number: int) -> str:
    """A line for an average; `nanms` if there is nothing to divide by."""
    return f"  {label:<19} {ms / number if number else math.nan:.3f}ms"


# ---- decisions


def _where(place: Place | None) -> str:
    return "" if place is None else str(place)


def _response(response: Response) -> str:
    return f"{response.code} {response.enhanced} {' / '.join(response.text.splitlines())}".rstrip()


def _origin(response: Response, fault: Fault | None) -> str:
    """What gave a response: a line of a script, or an engine's `action`; nothing for a fault, which has its own place."""
    return _where(response.place) or ("the engine's action" if fault is None else "")


def _recipient_rows(one: RecipientDecision) -> list[list[Cell]]:
    rows: list[list[Cell]] = []
    fault = one.outcome.fault
    if one.response is not None:
        rows.append([(_response(one.response), "bad"), (_origin(one.response, fault), "dim")])
    for action in one.outcome.actions:
        refusal = any(isinstance(effect, Refuse) for effect in action.effects)
        if refusal or action.withheld:
            continue  # shown as the response, or as a note
        rows.append([(action.summary(), "" if action.keeps else "odd"), (_where(action.place), "dim")])
    if fault is not None:
        rows.append([(f"fault: {fault.message}", "bad"), (_where(fault.place), "dim")])
    rows += [[(f"{note.severity}: {note.text}", "odd"), (_where(note.place), "dim")] for note in _notes(one.outcome)]
    return [[(one.recipient if i == 0 else "", "bold"), *row] for i, row in enumerate(rows)]


def _notes(outcome: Outcome) -> list[Note]:
    """The notes of an outcome, except that of its fault, which is shown by itself."""
    fault = outcome.fault
    return [n for n in outcome.notes if fault is None or (n.text, n.place) != (fault.message, fault.place)]


def _trace(steps: Iterable[Step]) -> Iterator[str]:
    for step in steps:
        yield paint(printable(f"      {_where(step.place):<24} {step.what}: {step.result}"), "dim")


def decision_lines(name: str, sender: str, decision: Decision) -> Iterator[str]:
    """A decision for people: the verdicts, then the actions or the reply for each recipient, and the line that decided."""
    yield f"{paint(printable(name), 'bold')}   from {printable(sender) or '<>'}"
    yield from columns([verdict_row(verdict) for verdict in decision.verdicts], 2)
    yield from _trace(decision.trace)
    fault = decision.fault
    if fault is not None:
        yield from columns([[(f"fault: {fault.message}", "bad"), (_where(fault.place), "dim")]], 2)
    if decision.counters:
        yield f"  counted: {printable(', '.join(decision.counters))}"
    if decision.delay:
        yield f"  the client waits {decision.delay:g} s longer for its replies"
    if decision.response is not None:
        everyone = ", ".join(one.recipient for one in decision.recipients)
        origin = _origin(decision.response, fault)
        yield from columns([[(everyone, "bold"), (_response(decision.response), "bad"), (origin, "dim")]], 2)
        return
    rows = [_recipient_rows(one) for one in decision.recipients]
    traces = [one.outcome.trace for one in decision.recipients]
    if not any(traces):
        yield from columns([row for own in rows for row in own], 2)
        return
    for own, trace in zip(rows, traces, strict=True):
        yield from columns(own, 2)
        yield from _trace(trace)


def fault_text(fault: Fault | None) -> str | None:
    """A fault in one line, its place first; None if there is no fault."""
    if fault is None:
        return None
    place = _where(fault.place)
    return f"{place}: {fault.message}" if place else fault.message


def _place_json(place: Place | None) -> dict[str, object] | None:
    return None if place is None else place.as_json()


def _steps_json(steps: Iterable[Step]) -> list[dict[str, object]]:
    return [{"at": _place_json(step.place), "what": step.what, "result": step.result} for step in steps]


def decision_json(name: str, decision: Decision, *, tracing: bool) -> dict[str, object]:
    """A decision for programs; its shape is in schema.json."""
    fields: dict[str, object] = {
        "message": name,
        "smtp": decision.response.as_json() if decision.response else None,
        "phase": decision.phase or None,
        "context": {**decision.context.connection, **decision.context.message},
        "engines": [verdict_json(verdict) for verdict in decision.verdicts],
        "recipients": [_recipient_json(one, tracing=tracing) for one in decision.recipients],
        "fault": fault_text(decision.fault),
    }
    more = {"counters": list(decision.counters), "delay": decision.delay}
    fields |= {name: value for name, value in more.items() if value}
    if tracing:
        fields["trace"] = _steps_json(decision.trace)
    return fields


def _recipient_json(one: RecipientDecision, *, tracing: bool) -> dict[str, object]:
    fields: dict[str, object] = {
        "recipient": one.recipient,
        "smtp": one.response.as_json() if one.response else None,
        "context": dict(one.context),
        "actions": [action.as_json() for action in one.outcome.actions if not action.withheld],
        "fault": fault_text(one.outcome.fault),
        "notes": [
            {"severity": str(note.severity), "text": note.text, "at": _place_json(note.place)}
            for note in _notes(one.outcome)
        ],
    }
    if tracing:
        fields["trace"] = _steps_json(one.outcome.trace)
    return fields


# ---- problems


def problem_lines(problems: Iterable[tuple[Source, Problem]], stream: TextIO | None = None) -> Iterator[str]:
    """Problems for people, each with its line of the text, to be printed to `stream` (standard output)."""
    for source, problem in problems:
        head, *rest = report(source, problem).split("\n")
        colour = "bad" if problem.severity is Severity.ERROR else "odd"
        yield paint(printable(head), colour, stream)
        yield from ("\t".join(map(printable, line.split("\t"))) for line in rest)


def problem_summary(what: str, problems: Sequence[tuple[Source, Problem]]) -> list[str]:
    """A line about all that was checked, on a terminal; elsewhere silence means that nothing is wrong."""
    if not is_terminal():
        return []
    counts = [
        counted(number, severity, "advice" if severity is Severity.ADVICE else "")
        for severity in Severity
        if (number := sum(problem.severity is severity for _, problem in problems))
    ]
    return [paint(f"{what}, {', '.join(counts) or 'no problems'}", "bad" if counts else "good")]


def summary(text: str | None) -> str:
    """The first sentence of a docstring, in one line of plain text."""
    return plain(" ".join((text or "").strip().split("\n\n")[0].split()), 300)
