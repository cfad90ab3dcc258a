"""extensions: list the extensions of the language, with the standard that specifies each

Extensions that this version does not support come last. More about one: sieveav explain NAME.

Exit status: 0; 2 for wrong use.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from sieveav.frontends import explaining
from sieveav.frontends.arguments import add_format
from sieveav.frontends.command import Command
from sieveav.frontends.output import Cell, Report, columns, prose


def arguments(parser: ArgumentParser) -> None:
    add_format(parser)


def run(args: Namespace) -> int:
    rows = explaining.extensions()
    report = Report(args.format)
    report.json(lambda: rows)
    table: list[list[Cell]] = [
        [(row["name"], "bold"), (row["source"], "dim"), (row["summary"], "")] for row in rows if row["installed"]
    ]
    report.lines(columns(table, 0))
    missing = [row["name"] for row in rows if not row["installed"]]
    if missing:
        report.lines(["", *prose(f"Not in this version: {', '.join(missing)}.")])
    return 0


command = Command("extensions", arguments, run)
