"""cli: a command line to an exit status. Whatever goes wrong is one line on standard error.

The status is that of the command (0 if all is well, 1 if something was found or refused), 2 for wrong use or a file that cannot
be read, 70 for an internal error, 130 after Ctrl-C. Only the file of the command that is named is imported, so that it starts
fast.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from sieveav.frontends.arguments import Stop, UsageError
from sieveav.frontends.command import COMMANDS

EX_SOFTWARE = 70
"""The exit status after an internal error (sysexits.h)."""

INTERRUPTED = 130
"""The exit status after Ctrl-C: 128 and the number of the signal, as of shells."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out a command line (that of the process by default) and return the exit status."""
    sys.stdout, sys.stderr = sys.stdout or _devnull(), sys.stderr or _devnull()  # None when closed by the caller
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal may not be able to show a character
    arguments = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in arguments
    _set_up_log(debug)
    try:
        status = _run(arguments)
        sys.stdout.flush()
        return status
    except Stop as stop:
        return stop.status
    except UsageError as error:
        return _failed(str(error), 2)
    except BrokenPipeError:  # the reader of the output, such as head, has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        from sieveav.frontends.output import error_text

        return _failed(error_text(error), 2)
    except KeyboardInterrupt:
        return _failed("interrupted", INTERRUPTED)
    except Exception as error:
        if debug:
            raise
        return _failed(f"internal error: {type(error).__name__}: {error} (--debug shows where)", EX_SOFTWARE)


def _run(arguments: Sequence[str]) -> int:
    command = None
    if arguments and not arguments[0].startswith("-"):
        command = COMMANDS.find(arguments[0])
        if command is None:
            raise UsageError(_unknown(arguments[0]))
        parser, rest = command.parser(), arguments[1:]
    else:
        from sieveav.frontends.overview import overview

        parser, rest = overview(), arguments
    try:
        args = parser.parse_args(rest)
    except SystemExit:  # argparse has printed the help or the version
        return 0
    if command is None:
        raise UsageError("the command is missing (see sieveav --help)")
    return command.run(args)


def _unknown(name: str) -> str:
    from sieveav.language.problems import did_you_mean

    hint = did_you_mean(name, COMMANDS.everything())
    return f'unknown command "{name}"; {hint or "see sieveav --help"}'


def _set_up_log(debug: bool) -> None:
    """With `debug` all is logged, else only that a plug-in was left out."""
    if debug:
        logging.basicConfig(level=logging.DEBUG, format="%(levelname)s %(name)s: %(message)s")
    else:
        logging.basicConfig(level=logging.CRITICAL, format="sieveav: %(message)s")
        for name in ("sieveav.plugins", "sieveav.frontends.command"):
            logging.getLogger(name).setLevel(logging.WARNING)


def _failed(text: str, status: int) -> int:
    from sieveav.frontends.output import print_error

    print_error(text)
    return status


def _devnull() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")
