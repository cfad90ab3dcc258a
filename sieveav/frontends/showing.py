"""showing: decisions and verdicts to the lines people read and the objects machines read."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence

from sieveav.language.problems import Place, Problem, Severity, Source, printable, report
from sieveav.running.effects import Refuse
from sieveav.running.outcome import Fault, Note, Outcome, Response, Step
from sieveav.site.deciding import Decision, RecipientDecision
from sieveav.verdict import FOUND, Status, Verdict, plain

_COLOURS = {"bad": "\x1b[31m", "good": "\x1b[32m", "odd": "\x1b[33m", "dim": "\x1b[2m", "bold": "\x1b[1m"}


def paint(text: str, colour: str) -> str:
    """`text` in a colour, on a terminal only, and not where NO_COLOR or TERM=dumb say that none is wanted."""
    bare = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not sys.stdout.isatty()
    return text if bare else f"{_COLOURS[colour]}{text}\x1b[0m"


def columns(rows: Sequence[Sequence[tuple[str, str]]], indent: int) -> Iterable[str]:
    """Rows of (text, colour) cells as lines, their columns aligned; no column is padded beyond 40 characters."""
    rows = [[(printable(text), colour) for text, colour in row] for row in rows]
    widths = [
        max((len(row[i][0]) for row in rows if i < len(row)), default=0) for i in range(max(map(len, rows), default=0))
    ]
    for row in rows:
        cells = []
        for i, (text, colour) in enumerate(row):
            padded = text.ljust(min(widths[i], 40)) if i + 1 < len(row) else text
            cells.append(paint(padded, colour) if colour else padded)
        yield " " * indent + "   ".join(cells).rstrip()


# ---- verdicts


def _colour(status: Status) -> str:
    return "good" if status is Status.CLEAN else "bad" if status in FOUND or status is Status.ERROR else "odd"


def verdict_row(verdict: Verdict) -> list[tuple[str, str]]:
    return [
        (verdict.engine, ""),
        (str(verdict.status), _colour(verdict.status)),
        (verdict.info, ""),
        (f"{verdict.ms:.1f} ms", "dim"),
    ]


def verdict_json(verdict: Verdict) -> dict[str, object]:
    return {
        "engine": verdict.engine,
        "status": str(verdict.status),
        "info": verdict.info,
        "code": verdict.code,
        "version": verdict.version,
        "ms": round(verdict.ms, 3),
    }


# ---- decisions


def _where(place: Place | None) -> str:
    return "" if place is None else str(place)


def _response(response: Response) -> str:
    return f"{response.code} {response.enhanced} {' / '.join(response.text.splitlines())}".rstrip()


def _decided(response: Response, fault: Fault | None) -> str:
    """What set a response: a line of a script, or the engine's own `action`; a fault says where it was by itself."""
    return _where(response.place) or ("the engine's action" if fault is None else "")


def _recipient_rows(one: RecipientDecision) -> list[list[tuple[str, str]]]:
    rows = []
    if one.response is not None:
        rows.append([(_response(one.response), "bad"), (_decided(one.response, one.outcome.fault), "dim")])
    for action in one.outcome.actions:
        refusal = any(isinstance(effect, Refuse) for effect in action.effects)
        if refusal or action.withheld:
            continue  # the response, or a note, says it
        rows.append([(action.summary(), "" if action.keeps else "odd"), (_where(action.place), "dim")])
    fault = one.outcome.fault
    if fault is not None:
        rows.append([(f"fault: {fault.message}", "bad"), (_where(fault.place), "dim")])
    rows += [[(f"{n.severity}: {n.text}", "odd"), (_where(n.place), "dim")] for n in _said(one.outcome)]
    return [[(one.recipient if i == 0 else "", "bold"), *row] for i, row in enumerate(rows)]


def _trace(steps: Iterable[Step]) -> Iterable[str]:
    for step in steps:
        yield paint(printable(f"      {_where(step.place):<24} {step.what}: {step.result}"), "dim")


def decision_lines(name: str, sender: str, decision: Decision) -> Iterable[str]:
    """A decision for people: the engines, then what becomes of the message for whom, and which line decided."""
    yield f"{paint(printable(name), 'bold')}   from {printable(sender) or '<>'}"
    yield from columns([verdict_row(verdict) for verdict in decision.verdicts], 2)
    yield from _trace(decision.trace)
    if decision.fault is not None:
        fault = decision.fault
        yield from columns([[(f"fault: {fault.message}", "bad"), (_where(fault.place), "dim")]], 2)
    if decision.response is not None:
        decided = _decided(decision.response, decision.fault)
        everyone = ", ".join(one.recipient for one in decision.recipients)
        yield from columns([[(everyone, "bold"), (_response(decision.response), "bad"), (decided, "dim")]], 2)
        return
    rows = []
    for one in decision.recipients:
        rows += _recipient_rows(one)
    lines = iter(columns(rows, 2))
    for one in decision.recipients:
        for _ in _recipient_rows(one):
            yield next(lines)
        yield from _trace(one.outcome.trace)


def fault_text(fault: Fault | None) -> str | None:
    """A fault in one line, its place first; None for none."""
    if fault is None:
        return None
    place = _where(fault.place)
    return f"{place}: {fault.message}" if place else fault.message


def _said(outcome: Outcome) -> list[Note]:
    """The notes of an outcome, except that of its fault, which is shown by itself."""
    fault = outcome.fault
    return [n for n in outcome.notes if fault is None or (n.text, n.place) != (fault.message, fault.place)]


def _notes(outcome: Outcome) -> list[dict[str, object]]:
    return [
        {"severity": str(n.severity), "text": n.text, "at": n.place.as_json() if n.place else None}
        for n in _said(outcome)
    ]


def _steps(steps: Iterable[Step]) -> list[dict[str, object]]:
    return [{"at": s.place.as_json() if s.place else None, "what": s.what, "result": s.result} for s in steps]


def decision_json(name: str, decision: Decision, *, tracing: bool) -> dict[str, object]:
    """A decision for machines."""
    found: dict[str, object] = {
        "message": name,
        "smtp": decision.response.as_json() if decision.response else None,
        "context": decision.context,
        "engines": [verdict_json(verdict) for verdict in decision.verdicts],
        "recipients": [_recipient_json(one, tracing=tracing) for one in decision.recipients],
    }
    if decision.fault is not None:
        found["fault"] = fault_text(decision.fault)
    if tracing:
        found["trace"] = _steps(decision.trace)
    return found


def _recipient_json(one: RecipientDecision, *, tracing: bool) -> dict[str, object]:
    found: dict[str, object] = {
        "recipient": one.recipient,
        "smtp": one.response.as_json() if one.response else None,
        "context": one.context,
        "actions": [action.as_json() for action in one.outcome.actions if not action.withheld],
        "fault": fault_text(one.outcome.fault),
        "notes": _notes(one.outcome),
    }
    if tracing:
        found["trace"] = _steps(one.outcome.trace)
    return found


# ---- problems


def problem_lines(problems: Iterable[tuple[Source, Problem]]) -> Iterable[str]:
    """Problems for people, each with the text that it is in."""
    for source, problem in problems:
        head, *rest = report(source, problem).split("\n")
        colour = "bad" if problem.severity is Severity.ERROR else "odd"
        yield paint(printable(head), colour)
        yield from ("\t".join(map(printable, line.split("\t"))) for line in rest)


def summary(text: str | None) -> str:
    """The first sentence of a docstring, in one line of plain text."""
    return plain(" ".join((text or "").strip().split("\n\n")[0].split()), 300)
