"""check-config: report every problem in a configuration and in the scripts that it names

The scripts are those of the site, and those of its users that the path in the stanza users matches.

Exit status: 0 if there is no error; 1 if there is; 2 for wrong use, or a configuration or script that cannot be read (the
other scripts are checked).
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from sieveav.frontends import reading, showing
from sieveav.frontends.arguments import STANDARD_INPUT, UsageError, add_format
from sieveav.frontends.command import Command
from sieveav.frontends.output import Report, counted
from sieveav.frontends.settings import defaults, defaults_json, in_force, in_force_json
from sieveav.frontends.sites import policies
from sieveav.language.problems import Problem, Severity, Source, as_json
from sieveav.site.repository import missing
from sieveav.site.site import Refused, Site, load
from sieveav.site.stanzas.users import USERS


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", nargs="?", help="the configuration; - is standard input")
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument(
        "-n",
        dest="in_force",
        action="store_true",
        help="if FILE has no errors, print its settings that differ from their defaults, each with its line, "
        "in the syntax of the file; scripts are not checked",
    )
    instead.add_argument(
        "-d",
        dest="defaults",
        action="store_true",
        help="print all stanzas with all options and their defaults, in the syntax of the file; takes no FILE",
    )
    add_format(parser)


def run(args: Namespace) -> int:
    if args.defaults == bool(args.file):
        raise UsageError("-d takes no FILE" if args.file else "FILE is missing (see sieveav check-config --help)")
    report = Report(args.format)
    if args.defaults:
        report.json(defaults_json)
        report.lines(defaults())
        return 0
    stream = reading.standard_input() if args.file == STANDARD_INPUT else None
    try:
        site = load(Path(args.file), stream)
    except Refused as refused:
        return _print(report, [(refused.source, problem) for problem in refused.problems], 0)
    if args.in_force:
        report.json(lambda: in_force_json(site))
        report.lines(in_force(site))
        return 0
    return _check(report, site)


def _check(report: Report, site: Site) -> int:
    """Check the scripts, and print all problems."""
    problems = [(site.source, problem) for problem in site.warnings]
    paths = tuple(map(str, site.settings[USERS].everyone()))
    users = reading.Inputs(paths, lambda path: site.scripts.checked(Path(path), "each_rcpt"))
    scripts = [*policies(site), *(checked for _, checked in users)]
    for checked in scripts:
        problems += ((checked.source, problem) for problem in [*checked.problems, *missing(site, checked)])
    return max(users.status, _print(report, problems, len(scripts)))


def _print(report: Report, problems: Sequence[tuple[Source, Problem]], scripts: int) -> int:
    report.json(lambda: [as_json(source, problem) for source, problem in problems])
    report.lines(showing.problem_lines(problems))
    report.lines(showing.problem_summary(f"1 configuration, {counted(scripts, 'script')}", problems))
    return int(any(problem.severity is Severity.ERROR for _, problem in problems))


command = Command("check-config", arguments, run)
