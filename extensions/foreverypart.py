"""foreverypart: do the same for every MIME part of a message (RFC 5703).

    foreverypart {
        if header :mime :subtype "Content-Type" "pdf" {
            fileinto "documents";
            break;
        }
    }

The message itself is the first part, then all parts in their order, those within others included. A loop within a loop
goes through the parts below the one that the outer loop is at. `break` leaves the loop, or with :name an outer one. What
looks at a part: header, address and exists with :mime (mime), antivirus with :part.
"""

from __future__ import annotations

from sieveav.extending import FOREVERYPART_NESTING, OF_A_MESSAGE, Block, Extension, Run, Use, tag

foreverypart = Extension("foreverypart", "RFC 5703, 3")


class _Left(Exception):
    """Leaves all blocks up to the loop."""

    def __init__(self, loop: Foreverypart) -> None:
        self.loop = loop


@foreverypart.command(phases=OF_A_MESSAGE)
class Foreverypart:
    """foreverypart: the block is run for each part."""

    name: str = tag(":name", "")
    block: Block
    nested = False
    focuses = "part"
    """What words in its block may look at (antivirus :part)."""

    def check(self, use: Use) -> None:
        use.constants("name")
        depth = len(_loops(use))
        self.nested = depth > 0
        if depth >= FOREVERYPART_NESTING:  # RFC 5703, 3
            use.complain(None, f"more than {FOREVERYPART_NESTING} loops within one another", rule="loops-too-deep")

    def run(self, run: Run) -> None:
        entities = (run.focus("part") if self.nested else run.message).walk()
        if self.nested:
            next(entities)  # RFC 5703, 3: the parts contained within the current one
        try:
            for entity in entities:
                run.note(self, "part", entity.part.content_type)
                with run.focused("part", entity):
                    self.block.run(run)
        except _Left as left:
            if left.loop is not self:
                raise


def _loops(use: Use) -> list[Foreverypart]:
    return [word for word in use.enclosing if isinstance(word, Foreverypart)]


@foreverypart.command("break", phases=OF_A_MESSAGE)
class Break:
    """break: leave the loop, or with :name the innermost one of that name."""

    name: str = tag(":name", "")
    loop: Foreverypart | None = None

    def check(self, use: Use) -> None:
        use.constants("name")
        loops = [loop for loop in _loops(use) if not use.has("name") or loop.name == self.name]
        if loops:
            self.loop = loops[-1]  # RFC 5703, 3: the closest enclosing one
        else:
            what = "with this name " if use.has("name") else ""
            use.complain("name", f"break stands in no loop {what}that it could leave", rule="break-outside")

    def run(self, run: Run) -> None:  # noqa: ARG002
        assert self.loop is not None  # else the script did not check  # noqa: S101
        raise _Left(self.loop)
