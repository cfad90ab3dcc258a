"""lint: report every problem in scripts, with its place and what to write instead

In folders, all files *.sieve and *.siv are checked, also in folders below.

Exit status: 0 if there is no problem of the severity --fail-on or worse; 1 if there is; 2 for wrong use, a configuration
with errors, or a file that cannot be read (the others are checked).
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from sieveav.frontends import reading, showing
from sieveav.frontends.arguments import add_config, add_format
from sieveav.frontends.command import Command
from sieveav.frontends.output import Report, counted
from sieveav.frontends.sites import site_of
from sieveav.language.checking import Checked, check
from sieveav.language.extension import PHASES
from sieveav.language.problems import Problem, Severity, Source, as_json
from sieveav.language.vocabulary import Vocabulary
from sieveav.limits import TO_LINT
from sieveav.lint.linting import findings
from sieveav.site.repository import missing
from sieveav.site.scripts import dialect_of

SUFFIXES = (".sieve", ".siv")
"""The scripts in folders."""

LEVELS = tuple(Severity)
"""Worst first."""


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("paths", metavar="PATH", nargs="+", help="scripts and folders; - is standard input")
    add_config(
        parser,
        "the site whose engines, extension settings and shared scripts are there "
        "(default: all installed engines, default settings)",
    )
    parser.add_argument(
        "--phase",
        choices=PHASES,
        default="each_rcpt",
        help="the SMTP phase in which the scripts run (default: %(default)s, that of users' scripts)",
    )
    parser.add_argument(
        "--fail-on",
        choices=tuple(map(str, LEVELS)),
        default="error",
        help="the lowest severity that makes the exit status 1 (default: %(default)s)",
    )
    add_format(parser)


def run(args: Namespace) -> int:
    from sieveav.scanning.contract import ENGINES

    site = site_of(args)
    engines = None if args.config else {name: engine.action for name, engine in ENGINES.everything().items()}
    problems: list[tuple[Source, Problem]] = []
    scripts = reading.Inputs(args.paths, _read, SUFFIXES, "scripts")
    count = 0
    report = Report(args.format)
    for path, raw in scripts:
        checked = _check(raw, path, partial(site.vocabulary, args.phase, dialect_of(path), engines=engines))
        own = findings(checked)
        if args.config:
            own = sorted([*own, *missing(site, checked)], key=lambda problem: problem.span)
        problems += ((checked.source, problem) for problem in own)
        report.lines(showing.problem_lines((checked.source, problem) for problem in own))
        count += 1
    report.json(lambda: [as_json(source, problem) for source, problem in problems])
    report.lines(showing.problem_summary(counted(count, "script"), problems))
    least = LEVELS.index(Severity(args.fail_on))
    failed = any(LEVELS.index(problem.severity) <= least for _, problem in problems)
    return max(int(failed), scripts.status)


TOO_LARGE = ("script-too-large", "script-too-long")
"""The rules of scripts that are read here, but do not run."""


def _check(raw: bytes, path: str, vocabulary: Callable[[], Vocabulary]) -> Checked:
    """Check a script as a site does; if it is too large to run, its other problems are reported too."""
    checked = check(raw, path, vocabulary())
    too_large = tuple(problem for problem in checked.problems if problem.rule in TOO_LARGE)
    if too_large:
        checked = check(raw, path, vocabulary(), TO_LINT)
        others = (problem for problem in checked.problems if problem.rule not in TOO_LARGE)
        checked = replace(checked, problems=(*too_large, *others))
    return checked


def _read(name: str) -> bytes:
    return reading.script(name, TO_LINT.octets)


command = Command("lint", arguments, run)
