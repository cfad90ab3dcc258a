"""tracing: a run to its trace: each test with its result and the values it compared, each command, question and answer.

Only a run with `Case.tracing` has a `Tracer`. A command that adds no line itself, such as `set`, gets one with the variables
that it changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from sieveav.language.problems import Place
from sieveav.printing import printable
from sieveav.running.outcome import Note, Outcome, Step
from sieveav.running.questions import Question, Scanned

if TYPE_CHECKING:
    from sieveav.running.run import Run

STEPS = 10_000
"""Lines of a trace; nobody reads more, and a loop could fill the memory."""

VALUES = 3
"""Values of one test that are shown."""

VALUE_LENGTH = 60
"""Characters of one value that are shown."""


class Tracer:
    """Collects the `steps` of one run."""

    def __init__(self, run: Run) -> None:
        self.steps: list[Step] = []
        self._run = run
        self._values: Sequence[str] | None = None
        """What the innermost test has compared so far."""
        self._command: Any = None
        """The command that has added no line yet."""
        self._variables, self._values_before = run.variables, _all_variables(run)
        """The variables before that command."""

    def add(self, place: Place | None, what: str, result: str) -> None:
        """Add a line about the current command, which then gets no other."""
        self._command = None
        self._append(Step(place, what, result))

    def explain(self, word: Any, result: str, what: str) -> None:
        """Add a line about `word`, None for none: its text, or `what` it did."""
        place, text = (None, "") if word is None else (word.place, word.source_text)
        self.add(place, what or text, result)

    def _append(self, step: Step) -> None:
        if len(self.steps) < STEPS:
            self.steps.append(step)
        elif len(self.steps) == STEPS:
            self.steps.append(Step(None, "trace", f"cut after {STEPS} lines"))

    def command(self, command: Any) -> None:
        """A command begins, so the one before it has ended, or its block begins. None: the script has ended."""
        before = self._command
        if before is not None:
            self.add(before.place, before.source_text, ", ".join(self._changes()) or "done")
        self._command = command
        self._variables, self._values_before = self._run.variables, _all_variables(self._run)

    def _changes(self) -> Iterator[str]:
        """The variables that the current command has changed."""
        if self._run.variables is not self._variables:
            return  # those of an included script
        for (kind, new), (_, old) in zip(_all_variables(self._run), self._values_before, strict=True):
            for name in sorted(new.keys() | old.keys()):
                if name not in new:
                    yield f"{kind}{name} deleted"
                elif new[name] != old.get(name):
                    yield f"{kind}{name} = {_quoted(new[name])}"

    def compared(self, values: Sequence[str]) -> None:
        """The current test compares `values`."""
        self._values = values

    def test(self, test: Any, *, holds: bool) -> None:
        """A test has been evaluated."""
        values, self._values = self._values, None
        result = "true" if holds else "false"
        if values is not None:
            shown = ", ".join(map(_quoted, islice(values, VALUES))) or "no values"
            more = f" and {len(values) - VALUES} more" if len(values) > VALUES else ""
            result = f"{result} ({shown}{more})"
        self.add(test.place, test.source_text, result)

    def question(self, step: Any, question: Question[Any], answer: object, *, remembered: bool) -> None:
        """The host has answered a question of `step`; `remembered`: it gave the answer of an earlier time."""
        place = None if step is None else step.place
        self._append(Step(place, str(question), f"{_shown(answer)}{' (remembered)' if remembered else ''}"))


def _all_variables(run: Run) -> tuple[tuple[str, Mapping[str, str]], ...]:
    context = run.context
    return (
        ("", dict(run.variables)),
        ("message variable ", dict(context.message)),
        ("connection variable ", dict(context.connection)),
    )


def _quoted(text: str) -> str:
    cut = "..." if len(text) > VALUE_LENGTH else ""
    return f'"{printable(text[:VALUE_LENGTH])}{cut}"'


def _shown(answer: object) -> str:
    if answer is None:
        return "none"
    if isinstance(answer, bool):
        return "yes" if answer else "no"
    if isinstance(answer, bytes):
        return f"{len(answer)} octets"
    if isinstance(answer, tuple):
        more = f" and {len(answer) - VALUES} more" if len(answer) > VALUES else ""
        return (", ".join(map(_shown, answer[:VALUES])) or "none") + more
    if isinstance(answer, Scanned):
        return ", ".join(f"{v.engine}: {v.status}{f' ({v.info})' if v.info else ''}" for v in answer.verdicts) or "none"
    if isinstance(answer, Outcome):
        return _shown(tuple(action.summary() for action in answer.with_implicit_keep().actions))
    if isinstance(answer, Note):
        return answer.text
    return answer.isoformat() if isinstance(answer, datetime) else str(answer)
