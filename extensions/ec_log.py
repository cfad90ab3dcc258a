"""ec_log: write a line to the log (Momentum).

    ec_log "unknown attachment type";

The line names the script and the place of the command. Control characters of the text are replaced, a long text is cut, and
the site's limit `notes` bounds the number of lines. The name of the word is Momentum's, its argument that of this
implementation.
"""

from __future__ import annotations

from sieveav.extending import PHASES, Extension, Run, Severity, Word

ec_log = Extension("ec_log", "Momentum")


@ec_log.command("ec_log", phases=PHASES)
class EcLog(Word):
    """ec_log: write this text to the log, with the place in the script."""

    text: str

    def run(self, run: Run) -> None:
        run.log(Severity.ADVICE, self.text, self)
