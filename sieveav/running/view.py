"""view: what a script sees of the message: the whole or, included in a loop over parts, a part; as edits have left it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

from sieveav.language.problems import Place
from sieveav.limits import Limits
from sieveav.running.effects import DropFields, Edit, Rewrite
from sieveav.running.message import Entity, Message, Path


class Placed(Protocol):
    """Something of a script that has a place in it."""

    @property
    def place(self) -> Place: ...


@dataclass
class Focus:
    """What some words look at while a context lasts; with `path`, the part that is there."""

    target: Any
    path: tuple[int, ...] | None


class View:
    """The message of a run: the base class of `Run`."""

    message: Message
    _edits = 0
    _octets = 0
    _around: tuple[tuple[Message, Path], ...] = ()
    """Where the script sees but a part: the whole message, then the parts around that one that other scripts see; and where
    the next one is in it."""
    _focus: dict[str, Focus]
    _foci: list[Focus]

    @property
    def limits(self) -> Limits:
        raise NotImplementedError

    def fail(self, message: str, word: Placed | None = None) -> NoReturn:
        raise NotImplementedError

    def focus(self, name: str) -> Any:
        """What a subject that needs `name` is asked of, the message where nothing of that name is set. A part is the one
        that is at its place now, after all edits."""
        focus = self._focus.get(name)
        if focus is None:
            return self.message
        return focus.target if focus.path is None else self.message.at(focus.path)

    @contextmanager
    def focused(self, name: str, target: Any) -> Iterator[Focus]:
        """While the context lasts, subjects that need `name` are asked of `target`. The focus that it gives follows a part
        when the message becomes one of another (`Rewrite.inside`)."""
        before = self._focus.get(name)
        path = target.path if isinstance(target, Entity) else None
        focus = self._focus[name] = Focus(target, path)
        self._foci.append(focus)
        try:
            yield focus
        finally:
            self._foci.pop()
            if before is None:
                del self._focus[name]
            else:
                self._focus[name] = before

    def change(self, word: Placed, name: str, edit: Edit) -> Edit:
        """Change what is seen; the edit of the whole message that does so. More than the limits allow is a fault, at `word`,
        whose action is called `name`.

        Where the script sees but a part, another part takes its place in the message; a header field is added to both, and
        to remove one is a fault: those that the script has seen are not the message's."""
        self._edits += 1
        if self._edits > self.limits.edits:
            self.fail(f"more than {self.limits.edits} edits", word)
        if self._around and isinstance(edit, DropFields):
            self.fail(f"{name} is not possible in a script that is included in a loop over parts", word)
        self.message = self.message.edited(edit)
        if isinstance(edit, Rewrite):
            edit = self._rewritten(word, edit)
        return self._outwards(word, edit) if self._around else edit

    def _rewritten(self, word: Placed, edit: Rewrite) -> Rewrite:
        """The edit that has just made the message. All recipients with an equal one share its octets."""
        self._spend_octets(word, edit)
        for focus in self._foci:
            if focus.path is not None:
                focus.path = (*edit.inside, *focus.path)
        return edit.changed(octets=self.message.raw)

    def _spend_octets(self, word: Placed, edit: Rewrite) -> None:
        self._octets += len(edit.octets)
        if self._octets > self.limits.rewritten:
            self.fail(f"more than {self.limits.rewritten} octets of rewritten messages", word)

    def _outwards(self, word: Placed, edit: Edit) -> Edit:
        """The edit of the whole message that makes `edit` of the part that the script sees; and what is around that part is
        edited."""
        around = []
        for message, path in reversed(self._around):
            if isinstance(edit, Rewrite):
                edit = Rewrite(message.replaced(path, edit.octets), edit.sent)
                self._spend_octets(word, edit)
            around.append((message.edited(edit), path))
        self._around = tuple(reversed(around))
        return edit

    @contextmanager
    def seeing(self, part: Entity | None) -> Iterator[None]:
        """While the context lasts, a part of the message is seen as though it were the whole (RFC 6609, 3.5); None: all of
        it is."""
        if part is None:
            yield
            return
        focus = self._focus, self._foci
        self._around = (*self._around, (self.message, part.path))
        self.message, self._focus, self._foci = part.as_message(), {}, []
        try:
            yield
        finally:
            *around, (self.message, _) = self._around
            self._around = tuple(around)
            self._focus, self._foci = focus
