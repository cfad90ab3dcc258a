"""foreverypart: run a block for each MIME part of a message (RFC 5703, 3).

    foreverypart {
        if header :mime :subtype "Content-Type" "pdf" {
            fileinto "documents";
            break;
        }
    }

The message itself is the first part; then come all parts in order, nested ones included. A nested loop iterates over the
parts below the current part of the outer loop. `break` leaves the loop, or with :name an outer loop. These tests look at
the current part: header, address and exists with :mime (mime), antivirus with :part.
"""

from __future__ import annotations

from sieveav.extending import OF_A_MESSAGE, PART, Block, Break, Extension, Run, Use, Word, derived, tag

foreverypart = Extension("foreverypart", "RFC 5703, 3")
foreverypart.rule("loops-too-deep", "loops over parts are nested too deeply")


FOREVERYPART_NESTING = 4
"""The deepest nesting of these loops. RFC 5703, 3 asks for a limit; this is Pigeonhole's."""


@foreverypart.command(phases=OF_A_MESSAGE)
class Foreverypart(Word):
    """foreverypart: run the block for each part. RFC 5703, 3."""

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
            use.complain(None, f"more than {FOREVERYPART_NESTING} nested foreverypart loops", rule="loops-too-deep")

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
                # RFC 5703, 5: go on with the message as edited by the block; replaced parts no longer exist
                path = focus.path or ()
                within = path[: len(path) - below]  # changed if the block has enclosed the message
                entity = run.message.after(path, within)


foreverypart.command("break", phases=OF_A_MESSAGE)(Break)
