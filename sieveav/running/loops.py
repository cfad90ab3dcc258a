"""loops: what all loops share: `break`, which leaves the loop it names, whichever extension that loop is from.

A loop is a word with `breaks = True` and an argument `name` (the empty string if it has no name); it runs its block
within `run.leaving(self)`.
"""

from __future__ import annotations

from typing import Any

from sieveav.language.grammar import derived, tag
from sieveav.language.use import Use
from sieveav.language.word import Word
from sieveav.running.run import Run

PART = "part"
"""The focus of a loop over MIME parts (`run.focused`), which tests of a part need."""


class Break(Word):
    """break: leave the closest loop or, with :name, the closest loop of that name (RFC 5703, 3). Every extension with a
    loop declares this class as its `break`."""

    name: str = tag(":name", "")
    loop: Any = derived(None)

    def check(self, use: Use) -> None:
        use.constants("name")
        loops = [word for word in use.enclosing if word.breaks and (not use.has("name") or word.name == self.name)]
        if loops:
            self.loop = loops[-1]  # RFC 5703, 3: the closest enclosing one
        else:
            name = f' named "{self.name}"' if use.has("name") else ""
            use.complain("name", f"break outside a loop{name}", rule="break-outside")

    def run(self, run: Run) -> None:
        run.leave(self.loop)
