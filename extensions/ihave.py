"""ihave: test whether an extension is available before it is used, and end a script with an error (RFC 5463).

    require "ihave";
    if ihave "special-use" {
        fileinto :specialuse "\\\\Junk" "Spam";
    } else {
        fileinto "Spam";
    }

After a true ihave, the extensions count as required until the end of the script. In a script that requires ihave, an
unknown command or test is an error only when it is reached. `error` ends the script with a run-time error.
"""

from __future__ import annotations

from sieveav.extending import PHASES, Extension, Run, Strings, Use, Word, derived

ihave = Extension("ihave", "RFC 5463", defers=True)


@ihave.test("ihave", phases=PHASES)
class Ihave(Word):
    """ihave: whether all of the extensions are available; if so, it enables them. RFC 5463, 4."""

    capabilities: Strings
    available: bool = derived(False)

    def check(self, use: Use) -> None:
        names = use.constants("capabilities")  # RFC 5463, 4: constant strings
        # RFC 5463, 4 (4): all or none; never an extension that changes how strings are read, such as variables
        self.available = len(names) == len(self.capabilities) and use.learn([name.value for name in names])

    def holds(self, run: Run) -> bool:
        if self.available:
            run.enable(self.capabilities)
        return self.available


@ihave.command("error", phases=PHASES)
class Error(Word):
    """error: end the script with a run-time error with this message. RFC 5463, 5."""

    message: str

    def run(self, run: Run) -> None:
        run.fail(self.message, self)
