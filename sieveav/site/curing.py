"""curing: a message with infected parts to one with a text in their places (`infected = replace`).

The text is the site's; nothing of the engine's words is in it, because an attacker chooses them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sieveav.composing import text_part
from sieveav.mime import Part
from sieveav.running.effects import Rewrite
from sieveav.running.message import Message

Path = tuple[int, ...]


def without_infected(message: Message, is_infected: Callable[[bytes], bool], text: str) -> Message | None:
    """`message` with `text` for each part that is infected in any reading. None if none of its parts is, or if one of them is
    all of the message: then nothing would be left of it."""
    infected: set[Path] = set()
    for path, part in _leaves(message.structure):
        if any(is_infected(octets) for octets in part.readings()):
            while path and message.at(path[:-1]).part.content_type.startswith("message/"):
                path = path[:-1]  # a message within the message is replaced as a whole
            if not path:
                return None
            infected.add(path)
    cured = message
    for path in sorted(infected):
        if not any(path[:length] in infected for length in range(1, len(path))):
            cured = cured.edited(Rewrite(cured.replaced(path, text_part(text, cured.newline))))
    return cured if infected else None


def _leaves(root: Part) -> Iterator[tuple[Path, Part]]:
    """The parts that are not divided, with their paths."""
    todo: list[tuple[Path, Part]] = [((), root)]
    while todo:
        path, part = todo.pop()
        if not part.parts:
            yield path, part
        todo.extend(((*path, number), below) for number, below in enumerate(part.parts))
