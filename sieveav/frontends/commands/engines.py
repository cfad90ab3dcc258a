"""engines: list the antivirus engines, what scripts have of them, and the options that only they have, with defaults

The options that all engines have: sieveav explain antivirus. More about one engine: sieveav explain NAME.

Exit status: 0; 2 for wrong use.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from sieveav.frontends import explaining
from sieveav.frontends.arguments import add_format
from sieveav.frontends.command import Command
from sieveav.frontends.entries import option_row
from sieveav.frontends.output import Report, columns, paint, prose


def arguments(parser: ArgumentParser) -> None:
    add_format(parser)


def run(args: Namespace) -> int:
    rows = explaining.engines()
    report = Report(args.format)
    report.json(lambda: rows)
    for row in rows:
        report.lines([paint(row["name"], "bold"), *prose(row["summary"], indent="  ")])
        in_scripts = f"Pool {row['pool']}; action {row['action']}; sets {', '.join(row['sets'])}."
        report.lines(prose(in_scripts, indent="  ", hanging="  "))
        report.lines(columns([option_row(option) for option in row["options"]], 4))
    return 0


command = Command("engines", arguments, run)
