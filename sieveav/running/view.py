"""view: the message as a script sees it, after its edits: the whole or, in a script included in a loop over parts, a part."""

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
    """Something that has a place in a script."""

    @property
    def place(self) -> Place: ...


@dataclass
class Focus:
    """What some words look at in a context; with `path`, the part at that path."""

    target: Any
    path: tuple[int, ...] | None


class View:
    """The message of a run: the base class of `Run`."""

    message: Message
    _edits = 0
    _octets = 0
    _around: tuple[tuple[Message, Path], ...] = ()
    """If the script sees only a part: the whole message and then the enclosing parts that other scripts see, from the
    outside in, each with the path of the next one in it."""
    _focus: dict[str, Focus]
    _foci: list[Focus]

    @property
    def limits(self) -> Limits:
        raise NotImplementedError

    def fail(self, message: str, word: Placed | None = None) -> NoReturn:
        raise NotImplementedError

    def focus(self, name: str) -> Any:
        """The target of a subject that needs `name`, by default the message. A part is the one that is at its path now,
        after all edits."""
        focus = self._focus.get(name)
        if focus is None:
            return self.message
        return focus.target if focus.path is None else self.message.at(focus.path)

    @contextmanager
    def focused(self, name: str, target: Any) -> Iterator[Focus]:
        """Make `target` the target of subjects that need `name`, in this context. Its path is adapted when an edit makes
        the message a part of another (`Rewrite.inside`)."""
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
        """Change the message that the script sees, and return the corresponding edit of the whole message. To exceed a
        limit is a fault at `word`, whose action is called `name`.

        If the script sees only a part, a rewrite replaces that part in the message. A header field is added to both. To
        remove one is a fault, because the fields that the script sees are not those of the message."""
        self._edits += 1
        if self._edits > self.limits.edits:
            self.fail(f"more than {self.limits.edits} edits", word)
        if self._around and isinstance(edit, DropFields):
            self.fail(f"{name} is not allowed in a script that is included in a loop over parts", word)
        self.message = self.message.edited(edit)
        if isinstance(edit, Rewrite):
            edit = self._rewritten(word, edit)
        return self._outwards(word, edit) if self._around else edit

    def _rewritten(self, word: Placed, edit: Rewrite) -> Rewrite:
        """`edit`, which has just been applied, with the octets of the new message: recipients with equal edits share
        them."""
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
        """The edit of the whole message that corresponds to `edit` of the part that the script sees. The enclosing parts
        are edited too."""
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
        """Show `part` as the whole message in this context (RFC 6609, 3.5); None: the message itself."""
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
