"""run: run a script on messages, once for each recipient

Shows the actions for each recipient, and the line of the script that decided. Nothing is carried out. Engines scan when the
script asks.

Exit status: 0 if every message was decided, also if it was refused; 1 if the script was refused (its problems are printed) or
ended in a run-time error; 2 for wrong use, a configuration with errors, or a file that cannot be read (the other messages
are decided).
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from sieveav.frontends import reading
from sieveav.frontends.arguments import STANDARD_INPUT, UsageError, add_config, add_format, add_messages
from sieveav.frontends.command import Command
from sieveav.frontends.sites import print_refusal, problems_of, site_of
from sieveav.frontends.transactions import add_envelope, decide_all
from sieveav.language.checking import check
from sieveav.site.scripts import dialect_of


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("script", metavar="SCRIPT", help="the script; - is standard input")
    add_messages(parser)
    add_config(
        parser,
        "the site: its engines, and its scripts around SCRIPT, which replaces every user's own "
        "(default: no scripts, and the engine yara)",
    )
    add_envelope(parser)
    add_format(parser, is_line=True)


def run(args: Namespace) -> int:
    if args.script == STANDARD_INPUT and STANDARD_INPUT in args.messages:
        raise UsageError("standard input (-) can be read only once")
    site = site_of(args)
    script = reading.script(args.script)
    checked = check(script, args.script, site.vocabulary("each_rcpt", dialect_of(args.script)))
    if checked.program is None:
        print_refusal(args, problems_of([checked]))
        return 1
    return decide_all(args, site, checked)


command = Command("run", arguments, run)
