"""sites: the option `--config` to a site, its problems printed."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterable, Iterator
from pathlib import Path

from sieveav.frontends import showing
from sieveav.frontends.arguments import Stop
from sieveav.frontends.output import Report
from sieveav.language.checking import Checked
from sieveav.language.problems import Problem, Source, as_json
from sieveav.site.site import Refused, Site, embedded, load


def site_of(args: Namespace) -> Site:
    """The site of `--config`, or the embedded one. Its warnings are printed to standard error. Stop, with status 2 and
    its problems printed, if the configuration has errors."""
    if not args.config:
        return embedded()
    try:
        site = load(Path(args.config))
    except Refused as refused:
        print_refusal(args, ((refused.source, problem) for problem in refused.problems))
        raise Stop(2) from None
    warnings = ((site.source, problem) for problem in site.warnings)
    for line in showing.problem_lines(warnings, sys.stderr):
        print(line, file=sys.stderr)  # noqa: T201
    return site


def print_refusal(args: Namespace, problems: Iterable[tuple[Source, Problem]]) -> None:
    """Print the problems because of which a command does nothing."""
    problems = list(problems)
    report = Report(args.format)
    report.json(lambda: {"problems": [as_json(source, problem) for source, problem in problems]})
    report.lines(showing.problem_lines(problems))


def problems_of(scripts: Iterable[Checked]) -> Iterator[tuple[Source, Problem]]:
    """All problems of scripts, each with the text that it is in."""
    return ((checked.source, problem) for checked in scripts for problem in checked.problems)


def policies(site: Site) -> Iterator[Checked]:
    """Every script that the configuration names, checked."""
    for path, phase in site.policies():
        yield site.scripts.checked(path, phase)
