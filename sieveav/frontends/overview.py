"""overview: all commands to the help that lists them, for `sieveav --help` and the man page."""

from __future__ import annotations

from sieveav import __version__
from sieveav.frontends.arguments import Parser
from sieveav.frontends.command import COMMANDS
from sieveav.frontends.output import columns

DESCRIPTION = """\
A Sieve (RFC 5228) interpreter with built-in antivirus scanning: it runs, checks and tests mail filter scripts that ask
the verdicts of antivirus engines.
"""

STATUS = """\
Exit status: 0 if all is well, 1 if something was found or refused, 2 for wrong use or a file that cannot be read, 70
after an internal error, 130 after Ctrl-C. The help of each command says what 0, 1 and 2 mean there.
"""


def overview() -> Parser:
    """The parser of a command line that names no command: `--help` lists all commands."""
    rows = [[(name, ""), (command.summary, "")] for name, command in COMMANDS.everything().items()]
    lines = ["Commands:", "", *columns(rows, 2)]
    parser = Parser("sieveav", "\n".join([DESCRIPTION, *lines, "", STATUS]))
    parser.usage = "sieveav COMMAND [ARGUMENT ...]"
    parser.add_argument("--version", action="version", version=f"sieveav {__version__}")
    return parser
