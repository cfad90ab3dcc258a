"""decide: show what a site does with messages: its own scripts, and those of each recipient

Scripts run as they would in an SMTP transaction: the site's for each phase from connect to spool (active engines scan before
data), then for each recipient the site's for each_rcpt around the user's own. Nothing is carried out.

Exit status: 0 if every message was decided, also if it was refused; 1 if one of the site's scripts was refused (its problems
are printed) or a script ended in a run-time error; 2 for wrong use, a configuration with errors, or a file that cannot be
read (the other messages are decided).
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from sieveav.frontends.arguments import add_config, add_format, add_messages
from sieveav.frontends.command import Command
from sieveav.frontends.sites import policies, print_refusal, problems_of, site_of
from sieveav.frontends.transactions import add_envelope, decide_all


def arguments(parser: ArgumentParser) -> None:
    add_messages(parser)
    add_config(parser, "the site", required=True)
    add_envelope(parser)
    add_format(parser, is_line=True)


def run(args: Namespace) -> int:
    site = site_of(args)
    refused = [checked for checked in policies(site) if checked.program is None]
    if refused:
        print_refusal(args, problems_of(refused))
        return 1
    return decide_all(args, site, None)


command = Command("decide", arguments, run)
