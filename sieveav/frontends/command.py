"""command: a file of `commands/` to a command of the command line: its options, its help, what it does.

A command is one file, named after it, with `-` as `_`: `commands/check_config.py` has at its top level

    command = Command("check-config", arguments, run)

The module's docstring is the help: its first line, after the name and a colon, is the summary, and what follows is the
description, which ends with the exit status. Another package adds commands by the entry point `sieveav.commands`.
"""

from __future__ import annotations

import logging
import re
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator

from sieveav.frontends.arguments import Parser
from sieveav.plugins import Plugin, Plugins

_log = logging.getLogger(__name__)


class Command(Plugin):
    """A command: `arguments(parser)` adds its arguments to a parser, `run(args)` carries it out and returns the exit
    status. TypeError if one of the three cannot be that."""

    def __init__(self, name: str, arguments: Callable[[ArgumentParser], None], run: Callable[[Namespace], int]) -> None:
        if not isinstance(name, str) or not re.fullmatch(r"[a-z][a-z0-9-]*", name):
            raise TypeError(f"the name of a command is lower-case letters, digits and hyphens, not {name!r}")
        if not callable(arguments) or not callable(run):
            raise TypeError(f"command {name}: arguments and run must be functions")
        self.name = name
        self.arguments = arguments
        self.run = run

    @property
    def summary(self) -> str:
        """What it does, in one line: the first line of the module's docstring without the name."""
        first = self.doc.partition("\n")[0]
        return first.partition(": ")[2] or first

    @property
    def description(self) -> str:
        """The summary as a sentence, and the rest of the module's docstring."""
        summary = self.summary.rstrip(".")
        return f"{summary[:1].upper()}{summary[1:]}.\n{self.doc.partition(chr(10))[2]}".strip()

    def parser(self) -> Parser:
        """The parser of its command line."""
        parser = Parser(f"sieveav {self.name}", self.description)
        self.arguments(parser)
        parser.add_argument(
            "--debug", action="store_true", help="log what happens, and show the traceback of an internal error"
        )
        return parser


COMMANDS = Plugins(Command, "command", "sieveav.commands", ["sieveav.frontends.commands"])
"""All commands that are installed."""


def all_parsers() -> Iterator[tuple[Command, Parser]]:
    """Every command with its parser, for completion and the man page. A command whose `arguments` raises is left out, with a
    line in the log."""
    for command in COMMANDS.everything().values():
        try:
            yield command, command.parser()
        except Exception as error:  # another package's function may raise anything
            text = " ".join(f"{type(error).__name__}: {error}".split())
            _log.warning("%s: command %s is left out: %s", command.module, command.name, text)
