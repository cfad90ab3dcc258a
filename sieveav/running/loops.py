"""loops: what loops have in common: `break`, which leaves the one it names whichever extension brought it.

A loop is a word with `breaks = True`, a field `name` (the empty string where it cannot be named), and runs its block
within `run.leaving(self)`.
"""

from __future__ import annotations

from typing import Any

from sieveav.language.grammar import derived, tag
from sieveav.language.use import Use
from sieveav.language.word import Word
from sieveav.running.run import Run

PART = "part"
"""What a loop over MIME parts focuses the run on (`run.focused`), and what looks at a part needs."""


class Break(Word):
    """break: leave the closest loop, or with :name the closest one of that name (RFC 5703, 3). An extension with a loop
    declares this class as its `break`; several may."""

    name: str = tag(":name", "")
    loop: Any = derived(None)

    def check(self, use: Use) -> None:
        use.constants("name")
        loops = [word for word in use.enclosing if word.breaks and (not use.has("name") or word.name == self.name)]
        if loops:
            self.loop = loops[-1]  # RFC 5703, 3: the closest enclosing one
        else:
            what = f' named "{self.name}"' if use.has("name") else ""
            use.complain("name", f"break outside a loop{what}", rule="break-outside")

    def run(self, run: Run) -> None:
        run.leave(self.loop)
