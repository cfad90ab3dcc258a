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
        entities = (run.focus(PART) if self.nested else run.message).walk()
        if self.nested:
            next(entities)  # RFC 5703, 3: the parts contained within the current one
        with run.leaving(self):
            for entity in entities:
                run.explain(self, entity.part.content_type, "part")
                with run.focused(PART, entity):
                    self.block.run(run)


foreverypart.command("break", phases=OF_A_MESSAGE)(Break)
