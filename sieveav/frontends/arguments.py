"""arguments: the parts of a command line that several commands share, and the errors that end a command early."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from typing import NoReturn


class UsageError(Exception):
    """The command line asks for what cannot be done. The text is one line for people; the exit status is 2."""


class Stop(Exception):
    """Ends a command with the exit status `status`; the reason was printed already."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Parser(argparse.ArgumentParser):
    """An argument parser that raises UsageError, takes no abbreviated options, and shows a description as it is
    written: paragraphs are wrapped to the terminal, indented lines are not."""

    def __init__(self, prog: str, description: str) -> None:
        super().__init__(prog, description=description, formatter_class=_Formatter, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see {self.prog} --help)")


class _Formatter(argparse.HelpFormatter):
    def _fill_text(self, text: str, width: int, indent: str) -> str:
        from sieveav.frontends.output import prose  # for --help only

        return "\n".join(prose(text, width, indent))


STANDARD_INPUT = "-"

FILES = frozenset({"FILE", "MESSAGE", "PATH", "SCRIPT"})
"""The metavars of arguments that are names of files, for shell completion and readers alike."""


def completes(action: argparse.Action, words: Callable[[], Iterable[str]]) -> None:
    """Let shells complete the value of `action` with `words()`. Choices and files (`FILES`) need no such call."""
    action.completer = words  # type: ignore[attr-defined]  # the attribute that argcomplete uses


def add_config(parser: argparse.ArgumentParser, help_text: str, *, required: bool = False) -> None:
    """Add `--config FILE`, the site's configuration."""
    parser.add_argument("--config", metavar="FILE", required=required, help=help_text)


def add_format(parser: argparse.ArgumentParser, *others: str, is_line: bool = False) -> None:
    """Add `--format`: text, json, and `others`. With `is_line` the JSON output is one object on each line, else one value."""
    shape = "one object on each line" if is_line else "one value"
    more = "".join(f", {name}" for name in others)
    parser.add_argument(
        "--format",
        choices=("text", "json", *others),
        default="text",
        help=f"text for people; for programs json ({shape}, see: sieveav explain json){more}; default: text",
    )


def add_messages(parser: argparse.ArgumentParser, help_text: str = "a message file; - is standard input") -> None:
    """Add the positional arguments MESSAGE..."""
    parser.add_argument("messages", metavar="MESSAGE", nargs="+", help=help_text)
