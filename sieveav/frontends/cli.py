"""cli: a command line to an exit status: 0 fine, 1 something found or refused, 2 wrong use or an input that cannot be read.

Each command is a function of `commands.py`; what it needs is imported when it runs, for start-up is part of use.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from sieveav.frontends.arguments import UsageError, parser

BUG = 70
"""The status after a fault of our own (EX_SOFTWARE of sysexits.h): none of the three."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; the exit status. Whatever goes wrong is one line on standard error."""
    sys.stdout, sys.stderr = sys.stdout or _nowhere(), sys.stderr or _nowhere()  # None when closed by the caller
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal that cannot show a character still gets the rest
    debug = False
    try:
        parsed = parser().parse_args(arguments)
        debug = parsed.debug
        logging.basicConfig(
            level=logging.DEBUG if debug else logging.CRITICAL, format="%(levelname)s %(name)s: %(message)s"
        )
        from sieveav.frontends.commands import COMMANDS

        status = COMMANDS[parsed.command](parsed)
        sys.stdout.flush()
        return status
    except UsageError as error:
        return _told(str(error), 2)
    except BrokenPipeError:  # whoever read us has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        name = f"{error.filename}: " if error.filename is not None else ""
        return _told(f"{name}{error.strerror or error}", 2)
    except KeyboardInterrupt:
        return _told("interrupted", 130)
    except Exception as error:
        if debug:
            raise
        return _told(f"a fault of our own: {type(error).__name__}: {error} (--debug shows where)", BUG)


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")


def _told(text: str, status: int) -> int:
    from sieveav.language.problems import printable  # start-up: --version needs nothing of the language

    print(f"sieveav: {printable(text)}", file=sys.stderr)  # noqa: T201
    return status


if __name__ == "__main__":
    sys.exit(main())
