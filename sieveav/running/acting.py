"""acting: the base class of words that take an action: arguments to an `Action`, made once for each place in a script.

@fileinto.action()
class Fileinto(Acting):
    mailbox: str = value(valid=mailbox_flaw)

    def make_action(self) -> Action:
        return Action("fileinto", (Store(self.mailbox),))
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sieveav.language.grammar import derived
from sieveav.language.word import Word
from sieveav.running.outcome import Action

if TYPE_CHECKING:
    from sieveav.running.run import Run


class Acting(Word):
    """A word that takes the same action each time it runs.

    `make_action` gives the action, which depends on the arguments alone. A word whose action depends on the message
    overrides `run` instead, which calls `run.act(self.amended(action), self.written)`.
    """

    action: Action = derived()

    def make_action(self) -> Action:
        """The action according to the arguments, without its place and before tags amend it."""
        raise NotImplementedError

    def amended(self, action: Action) -> Action:
        """`action` with its place, amended by the tags of the word."""
        action = action.at(self.place)
        for tag in self.tags:
            action = tag.amend(action)
        return action

    def prepare(self) -> None:
        if type(self).make_action is Acting.make_action:
            return
        self.action = self.amended(self.make_action())

    def run(self, run: Run) -> None:
        run.act(self.action, self.written)
