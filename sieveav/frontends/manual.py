"""manual: all commands' parsers to the man page sieveav(1), in the roff macros of man(7)."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator

from sieveav import __version__
from sieveav.frontends.arguments import Parser
from sieveav.frontends.command import Command, all_parsers
from sieveav.frontends.overview import DESCRIPTION, STATUS

ENVIRONMENT = {
    "NO_COLOR": "If it is set, text has no colours. They are used on a terminal only.",
    "TERM": "With the value dumb, text has no colours.",
    "COLUMNS": "The width of the terminal, instead of its own.",
}


def page() -> str:
    """The man page."""
    return "\n".join(_page()) + "\n"


def _page() -> Iterator[str]:
    yield f'.TH SIEVEAV 1 "" "sieveav {_roff(__version__)}" "User Commands"'
    yield ".SH NAME"
    yield r"sieveav \- a Sieve interpreter with built\-in antivirus scanning"
    yield ".SH SYNOPSIS"
    yield ".B sieveav"
    yield ".I COMMAND"
    yield '.RI [ ARGUMENT " ...]"'
    yield ".SH DESCRIPTION"
    yield from _prose(DESCRIPTION)
    yield ".SH COMMANDS"
    for command, parser in all_parsers():
        yield from _command(command, parser)
    yield ".SH EXIT STATUS"
    yield from _prose(STATUS.removeprefix("Exit status: "))
    yield ".SH ENVIRONMENT"
    for name, text in ENVIRONMENT.items():
        yield from [".TP", f".B {_roff(name)}", _roff(text)]


def _command(command: Command, parser: Parser) -> Iterator[str]:
    yield f".SS {_roff(command.name)}"
    usage = re.sub(r"\s+", " ", parser.format_usage()).removeprefix("usage: ").strip()
    yield from [".PP", _roff(usage)]
    yield from _prose(parser.description or "")
    yield from _prose(parser.epilog or "")
    formatter = parser._get_formatter()  # expands %(default)s as --help does
    for action in parser._actions:
        yield ".TP"
        yield _heading(action)
        yield _roff(formatter._expand_help(action)) if action.help else ""


def _heading(action: argparse.Action) -> str:
    value = action.metavar or ("|".join(map(str, action.choices)) if action.choices else action.dest.upper())
    if not action.option_strings:
        return rf"\fI{_roff(str(value))}\fR"
    shown = "" if action.nargs == 0 else rf" \fI{_roff(str(value))}\fR"
    return ", ".join(rf"\fB{_roff(option)}\fR{shown}" for option in action.option_strings)


def _prose(text: str) -> Iterator[str]:
    """Paragraphs; indented lines stay as they are."""
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        if not paragraph:
            continue
        if paragraph.startswith(" "):
            yield from [".PP", ".nf", *map(_roff, paragraph.splitlines()), ".fi"]
        else:
            yield from [".PP", _roff(" ".join(paragraph.split()))]


def _roff(text: str) -> str:
    r"""Text on one line that roff shows as it is: backslashes and hyphens are escaped, and so is a dot or quote that would
    begin a request."""
    escaped = re.sub(r"\s*\n\s*", " ", text).replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{escaped}" if escaped.startswith((".", "'")) else escaped
