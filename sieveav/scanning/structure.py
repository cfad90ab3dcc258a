"""structure: an engine into one whose clean verdicts hold for everything that a reader can open.

An engine opens archives and reads MIME in its own way, and says nothing of what it leaves out. So the content is taken apart
here too: what cannot be opened is not clean, and what many scanners do not see is scanned by the engine on its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from weakref import WeakKeyDictionary

from sieveav.scanning.contract import Content, Deadline, Engine
from sieveav.scanning.layers import Budget, Item, Layer
from sieveav.scanning.unpacking import layers
from sieveav.scanning.wrapping import EngineWrapper, worst_with_values
from sieveav.verdict import Status, Verdict

_NOTED: WeakKeyDictionary[Content, tuple[Item, ...]] = WeakKeyDictionary()


class StructureCheck(EngineWrapper):
    """Adds to the verdict of `inner` what is in the content: an obstacle, unless it is an archive of a format that the engine
    `opens` by itself, or a document with macros, which engines judge by themselves; and the verdict of `inner` on each layer
    that it may not have seen, unless it judges messages as a `whole`. The worst is returned."""

    def __init__(self, inner: Engine, opens: tuple[str, ...] = (), *, whole: bool = False) -> None:
        super().__init__(inner)
        self._opens = opens
        self._whole = whole

    def scan(self, content: Content, deadline: Deadline) -> Verdict:
        """The verdict of `inner`, or a worse one of something in the content."""
        verdict = self._inner.scan(content, deadline)
        for item in _noted(content, deadline):
            if verdict.status is Status.INFECTED:
                break
            if isinstance(item, Layer):
                if self._whole:
                    continue
                of_layer = self._inner.scan(Content(item.data, is_message=False, envelope=content.envelope), deadline)
                if not (item.doubtful and of_layer.status is Status.UNSCANNABLE):
                    verdict = worst_with_values(verdict, of_layer)
            elif item.format not in self._opens:
                verdict = worst_with_values(verdict, Verdict(self.name, item.status, item.reason))
        return verdict


def _noted(content: Content, deadline: Deadline) -> tuple[Item, ...]:
    """The obstacles and the unusual layers in a content; worked out once for all engines."""
    noted = _NOTED.get(content)
    if noted is None:
        budget = Budget(deadline)
        noted = tuple(_of_note(content, budget))
        if budget.over is None or budget.over.status is not Status.ERROR:
            _NOTED[content] = noted
    return noted


def _of_note(content: Content, budget: Budget) -> Iterator[Item]:
    for item in layers(content, budget):
        if item.unusual if isinstance(item, Layer) else item.status is not Status.MACRO:
            yield item
