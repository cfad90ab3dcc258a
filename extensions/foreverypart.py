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

from sieveav.extending import OF_A_MESSAGE, PART, Block, Break, Extension, Run, Use, Word, derived, tag

foreverypart = Extension("foreverypart", "RFC 5703, 3")


FOREVERYPART_NESTING = 4
"""Loops over parts within such loops. RFC 5703, 3 asks for a limit; Pigeonhole's."""


@foreverypart.command(phases=OF_A_MESSAGE)
class Foreverypart(Word):
    """foreverypart: the block is run for each part."""

    name: str = tag(":name", "")
    block: Block
    nested: bool = derived(False)
    breaks = True
    focuses = PART

    def check(self, use: Use) -> None:
        use.constants("name")
        depth = sum(isinstance(word, Foreverypart) for word in use.enclosing)
        self.nested = depth > 0
        if depth >= FOREVERYPART_NESTING:  # RFC 5703, 3
            use.complain(None, f"more than {FOREVERYPART_NESTING} loops within one another", rule="loops-too-deep")

    def run(self, run: Run) -> None:
        within = run.focus(PART).path if self.nested else ()
        # RFC 5703, 3: a nested loop is over the parts contained within the current one
        entity = run.message.after(within, within) if self.nested else run.message.whole
        with run.leaving(self):
            while entity is not None:
                run.explain(self, entity.part.content_type, "part")
                below = len(entity.path) - len(within)
                with run.focused(PART, entity) as focus:
                    self.block.run(run)
                # RFC 5703, 5: the message as the block has left it, without parts that no longer exist
                path = focus.path or ()
                within = path[: len(path) - below]  # another, where the message is now a part of one that encloses it
                entity = run.message.after(path, within)


foreverypart.command("break", phases=OF_A_MESSAGE)(Break)
