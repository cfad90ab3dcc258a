"""explain: explain a name: of an extension, a word, a tag, an engine, a stanza, an option, a rule, and more

Lists: sieveav explain stanzas, phases, statuses or rules; sieveav extensions; sieveav engines. The JSON Schema of the output
of all commands: sieveav explain json.

Exit status: 0 if the name is explained; 2 if nothing has that name, or for wrong use.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from importlib.resources import files

from sieveav.frontends import entries, explaining
from sieveav.frontends.arguments import UsageError, add_format, completes
from sieveav.frontends.command import Command
from sieveav.frontends.output import Report, print_lines


def arguments(parser: ArgumentParser) -> None:
    completes(
        parser.add_argument(
            "name",
            metavar="NAME",
            help="such as fileinto, :copy, else, clamav, timeout, data_phase1, infected, word-unknown",
        ),
        explaining.names,
    )
    add_format(parser)


def run(args: Namespace) -> int:
    if args.name.lower() == explaining.SCHEMA:
        print_lines([schema()])
        return 0
    explained = explaining.explain(args.name)
    if not explained:
        raise UsageError(explaining.unknown(args.name))
    report = Report(args.format)
    report.json(lambda: [entry.as_json() for entry in explained])
    report.lines(entries.lines(explained))
    return 0


def schema() -> str:
    """The JSON Schema of all output."""
    return files("sieveav.frontends").joinpath("schema.json").read_text(encoding="utf-8").rstrip("\n")


command = Command("explain", arguments, run)
