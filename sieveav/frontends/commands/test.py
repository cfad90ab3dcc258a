"""test: run tests of scripts, which are Sieve scripts themselves

In folders, all files *.svtest are run, also in folders below. Tests have no effect outside: mailboxes,
the outbox and the state are in memory, and engines answer what the test says. The words of the test language:
sieveav explain vnd.dovecot.testsuite, sieveav explain vnd.sieveav.testsuite.

Exit status: 0 if all tests passed; 1 if one failed; 2 for wrong use, a configuration with errors, or a file that cannot be
read (the others are run).
"""

from __future__ import annotations

import os
from argparse import ArgumentParser, ArgumentTypeError, Namespace

from sieveav.frontends import reading, showing, testing
from sieveav.frontends.arguments import UsageError, add_config, add_format
from sieveav.frontends.command import Command
from sieveav.frontends.output import Report, print_lines, progress
from sieveav.frontends.sites import site_of

MOST_JOBS = 256


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("paths", metavar="PATH", nargs="+", help="test files and folders")
    add_config(parser, "the site that test_run decides for, with its extension settings (default: no site)")
    parser.add_argument(
        "--filter",
        metavar="TEXT",
        default="",
        help="run only tests with TEXT in their name, in any case (default: all)",
    )
    parser.add_argument(
        "--jobs",
        metavar="N",
        type=_jobs,
        default=_processors(),
        help="files at a time (default: %(default)s, the processors)",
    )
    parser.add_argument(
        "--verbose", "-v", action="store_true", help="list the tests that passed, and what was logged, too"
    )
    add_format(parser, "junit", "tap")


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _jobs(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MOST_JOBS:
        raise ArgumentTypeError(f"write a number from 1 to {MOST_JOBS}, not {text!r}")
    return int(text)


def run(args: Namespace) -> int:
    if args.config:
        site_of(args)  # reports a configuration with errors once, not for every file
    readable = reading.Inputs(args.paths, reading.script, (testing.SUFFIX,), "test files")
    paths = [path for path, _ in readable]
    results = testing.run_files(paths, args.config, args.filter, args.jobs, progress(len(paths)))
    passed, failed = testing.counts(results)
    if paths and not passed + failed:
        raise UsageError(f'--filter: no test has "{args.filter}" in its name')
    if args.format == "junit":
        print_lines([testing.junit(results)])
    elif args.format == "tap":
        print_lines(testing.tap(results))
    else:
        report = Report(args.format)
        report.json(lambda: testing.json(results))
        for result in results:
            report.lines(showing.problem_lines(result.problems))
        report.lines(testing.text(results, verbose=args.verbose))
    return max(int(failed > 0), readable.status)


command = Command("test", arguments, run)
