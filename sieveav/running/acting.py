"""acting: the base class of the words that stand for an action: fields to an `Action`, made once for each place.

@fileinto.action()
class Fileinto(Acting):
    mailbox: str = value(valid=mailbox_flaw)

    def stands_for(self) -> Action:
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
    """A word that takes one action each time it is met.

    What depends on the arguments alone is `stands_for`. A word whose action depends on the message has `run` instead, which
    calls `run.act(self.amended(action), self.written)`.
    """

    action: Action = derived()

    def stands_for(self) -> Action:
        """The action, by the arguments alone; without its place, and before tags amend it."""
        raise NotImplementedError

    def amended(self, action: Action) -> Action:
        """`action` with its place, as the tags of the word have it."""
        action = action.at(self.place)
        for tag in self.tags:
            action = tag.amend(action)
        return action

    def prepare(self) -> None:
        if type(self).stands_for is Acting.stands_for:
            return
        self.action = self.amended(self.stands_for())

    def run(self, run: Run) -> None:
        run.act(self.action, self.written)
