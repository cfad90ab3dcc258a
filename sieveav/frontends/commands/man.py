"""man: print the man page of sieveav, with all commands and their options

    sieveav man > /usr/local/share/man/man1/sieveav.1

Exit status: 0; 2 for wrong use.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from sieveav.frontends import manual
from sieveav.frontends.command import Command
from sieveav.frontends.output import print_lines


def arguments(parser: ArgumentParser) -> None:
    """It has none."""


def run(args: Namespace) -> int:  # noqa: ARG001
    print_lines([manual.page().rstrip("\n")])
    return 0


command = Command("man", arguments, run)
