"""rehearsing: the current result of a test of scripts: an outcome, its errors, and the message before its edits.

All words of the test languages share one: `run.memory(Rehearsed)`.
"""

from __future__ import annotations

from dataclasses import replace

from sieveav.language.checking import Checked
from sieveav.language.problems import Severity
from sieveav.running.message import Message
from sieveav.running.outcome import UNDECIDED, Action, Note, Outcome, merge
from sieveav.running.questions import CarryOut
from sieveav.running.run import Run


class Rehearsed:
    """The current result: the outcome of the scripts that were run since the last `begin`, and of the test file itself."""

    def __init__(self) -> None:
        self.checked: Checked | None = None
        """The script that was compiled last."""
        self.errors: tuple[str, ...] = ()
        """The errors of the last compile, run or execution."""
        self.message: Message | None = None
        """The message before the test file's own edits; None for the initial message."""
        self.outcome: Outcome = UNDECIDED
        """The outcome of the scripts."""
        self._done: list[Action] = []

    def begin(self, run: Run, outcome: Outcome = UNDECIDED) -> None:
        """Replace the current result by `outcome`, and drop the test file's own actions and edits."""
        run.reset()
        run.message = self.original(run)
        self.outcome = outcome
        self._done = []

    def original(self, run: Run) -> Message:
        """The message before the test file's own edits."""
        return run.case.message if self.message is None else self.message

    def result(self, run: Run) -> Outcome:
        """The current result, including the implicit keep."""
        before = self.outcome
        if before.ended:  # a response is final
            return before
        result = merge(before, run.outcome())
        return replace(result, keep=result.keep and before.keep).with_implicit_keep()

    def actions(self, run: Run) -> list[Action]:
        """The actions of the current result, without edits."""
        return [action for action in self.result(run).actions if not action.is_edit]

    def learn(self, notes: tuple[Note, ...]) -> None:
        """Set the errors to those among `notes`."""
        self.errors = tuple(note.text for note in notes if note.severity is Severity.ERROR)

    def carry_out(self, run: Run) -> bool:
        """Carry out the actions of the current result that were not carried out before; whether that succeeded."""
        result = self.result(run)
        done = {id(action) for action in self._done}
        implicit_done = any(action.implicit for action in self._done)
        # all edits are included: each effect gets the message after the edits before it
        actions = tuple(
            action
            for action in result.actions
            if action.is_edit or not (id(action) in done or (action.implicit and implicit_done))
        )
        notes = run.ask(CarryOut(self.original(run), run.envelope, replace(result, actions=actions)))
        self._done += actions
        self.learn(notes)
        return not self.errors
