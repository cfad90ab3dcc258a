"""commands: one function for each command: parsed arguments to output on standard output and an exit status."""

from __future__ import annotations

import json
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NoReturn

from sieveav.frontends import reading, showing
from sieveav.frontends.arguments import UsageError
from sieveav.language.checking import Checked, check
from sieveav.language.problems import Problem, Severity, Source, as_json, printable
from sieveav.running.effects import mailbox_key
from sieveav.running.message import Message
from sieveav.running.questions import Answers, Context, Mailbox, Seen
from sieveav.site.deciding import Decision, Transaction, decide
from sieveav.site.repository import missing
from sieveav.site.scripts import dialect_of
from sieveav.site.site import Refused, Site, embedded, load


def say(*lines: str) -> None:
    """Lines to standard output."""
    for line in lines:
        print(line)  # noqa: T201


def _say_json(value: object) -> None:
    say(json.dumps(value))


def _problems(given: Namespace, problems: Iterable[tuple[Source, Problem]]) -> None:
    """Print the problems for which the command is not carried out."""
    if given.format == "json":
        _say_json({"problems": [as_json(source, problem) for source, problem in problems]})
    else:
        say(*showing.problem_lines(problems))


def _site(given: Namespace) -> Site | None:
    """The site of `--config`, or the embedded one; None when it was refused, its problems then being told."""
    if not given.config:
        return embedded()
    try:
        site, source, warnings = load(Path(given.config))
    except Refused as refused:
        _problems(given, ((refused.source, problem) for problem in refused.problems))
        return None
    for line in showing.problem_lines((source, problem) for problem in warnings):
        print(line, file=sys.stderr)  # noqa: T201
    return site


def _refused(checked: Checked) -> bool:
    return checked.program is None


def _of(scripts: Iterable[Checked]) -> Iterator[tuple[Source, Problem]]:
    return ((checked.source, problem) for checked in scripts for problem in checked.problems)


# ---- run, decide


def _context(given: Namespace) -> Context:
    pairs = [text.partition("=") for text in given.set]
    for name, equals, value in pairs:
        if not name or not equals:
            raise UsageError(f'--set: write NAME=VALUE, not "{name}{equals}{value}"')
    return Context(message={name: value for name, _, value in pairs})


def _decide_all(given: Namespace, site: Site, script: Checked | None) -> int:
    status = 0
    mailboxes = {"INBOX", *map(mailbox_key, given.mailbox)}
    answers: Answers = {Mailbox: lambda asked: mailbox_key(asked.name) in mailboxes}
    if script is not None:  # a script that is tried: it has seen and answered nothing before
        answers = {**answers, Seen: lambda _: False}
    for name, raw in reading.messages(given.messages):
        message = Message(raw)
        sender = reading.sender_of(message, given.sender)
        recipients = reading.recipients_of(message, given.to)
        decision = decide(
            site,
            Transaction(raw, sender, recipients, _context(given)),
            script=script,
            tracing=given.trace,
            answers=lambda _: answers,
        )
        if given.format == "json":
            _say_json(showing.decision_json(name, decision, tracing=given.trace))
        else:
            say(*showing.decision_lines(name, sender, decision))
        status = max(status, _faulty(decision))
    return status


def _faulty(decision: Decision) -> int:
    return int(decision.fault is not None or any(one.outcome.fault is not None for one in decision.recipients))


def run(given: Namespace) -> int:
    """`run SCRIPT MESSAGE...`"""
    if given.script == reading.STANDARD_INPUT and reading.STANDARD_INPUT in given.messages:
        raise UsageError("- stands for standard input, and that can be read only once")
    site = _site(given)
    if site is None:
        return 1
    script = reading.script(given.script)
    checked = check(script, given.script, site.vocabulary("each_rcpt", dialect_of(given.script)))
    if _refused(checked):
        _problems(given, _of([checked]))
        return 1
    return _decide_all(given, site, checked)


def decide_(given: Namespace) -> int:
    """`decide --config FILE MESSAGE...`"""
    site = _site(given)
    if site is None:
        return 1
    wrong = [checked for checked in _policies(site) if _refused(checked)]
    if wrong:
        _problems(given, _of(wrong))
        return 1
    return _decide_all(given, site, None)


def _policies(site: Site) -> Iterator[Checked]:
    """Every script that the configuration names, checked."""
    for path, phase in site.policies():
        yield site.scripts.checked(path, phase)


# ---- scan


def scan(given: Namespace) -> int:
    """`scan MESSAGE...`"""
    from sieveav.scanning.contract import Content, Deadline

    site = _site(given)
    if site is None:
        return 1
    for name in given.engine:
        if name not in site.engines:
            raise UsageError(f'--engine: there is no engine "{name}" here; there is {", ".join(site.engines)}')
    scanners = [scanner for scanner in site.scanners if not given.engine or scanner.name in given.engine]
    if not scanners:  # no verdict must not look like a clean one
        raise UsageError(f"{given.config}: no engine runs here; nothing was scanned")
    status = 0
    for name, raw in reading.messages(given.messages):
        content = Content(raw)
        verdicts = [s.engine.scan(content, Deadline.after(s.settings.timeout)) for s in scanners]
        if given.format == "json":
            _say_json({"message": name, "engines": [showing.verdict_json(verdict) for verdict in verdicts]})
        else:
            say(showing.paint(printable(name), "bold"))
            say(*showing.columns([showing.verdict_row(verdict) for verdict in verdicts], 2))
        status = max(status, int(any(verdict.status != "clean" for verdict in verdicts)))
    return status


# ---- lint, check-config

SUFFIXES = (".sieve", ".siv")
"""What `lint` looks for in directories."""

_LEVELS = [Severity.ADVICE, Severity.WARNING, Severity.ERROR]


def _files(folder: str, suffixes: tuple[str, ...], what: str) -> list[str]:
    """The files with these suffixes in a folder and all below it. UsageError where there is none: a wrong path must not pass.
    OSError for a folder that cannot be read."""

    def unreadable(error: OSError) -> NoReturn:
        raise error

    files = [
        str(Path(found, name))
        for found, _, names in os.walk(folder, onerror=unreadable)
        for name in names
        if name.endswith(suffixes)
    ]
    if not files:
        raise UsageError(f"{folder}: no {what} ({', '.join(f'*{suffix}' for suffix in suffixes)}) found")
    return sorted(files)


def _scripts(paths: Iterable[str]) -> Iterator[str]:
    for path in paths:
        if path != reading.STANDARD_INPUT and Path(path).is_dir():
            yield from _files(path, SUFFIXES, "scripts")
        else:
            yield path


def lint(given: Namespace) -> int:
    """`lint PATH...`"""
    from sieveav.lint.linting import findings
    from sieveav.scanning.contract import ENGINES

    site = _site(given)
    if site is None:
        return 1
    found: list[dict[str, object]] = []
    status = 0
    least = _LEVELS.index(Severity(given.fail_on))
    engines = None if given.config else tuple(ENGINES.everything())  # without a site, every engine there is
    paths = list(_scripts(given.paths))
    reading.check_readable(paths)
    for path in paths:
        raw = reading.script(path)
        checked = check(raw, path, site.vocabulary(given.phase, dialect_of(path), engines=engines))
        problems = findings(checked)
        if given.config:
            problems = sorted([*problems, *missing(site, checked)], key=lambda problem: problem.span)
        if given.format == "json":
            found += [as_json(checked.source, problem) for problem in problems]
        else:
            say(*showing.problem_lines((checked.source, problem) for problem in problems))
        status = max([status, *(int(_LEVELS.index(problem.severity) >= least) for problem in problems)])
    if given.format == "json":
        _say_json(found)
    return status


def check_config(given: Namespace) -> int:
    """`check-config FILE`"""
    problems: list[tuple[Source, Problem]]
    try:
        if given.file == reading.STANDARD_INPUT:
            site, source, warnings = load(Path("-"), reading.standard_input())
        else:
            site, source, warnings = load(Path(given.file))
    except Refused as refused:
        problems = [(refused.source, problem) for problem in refused.problems]
    else:
        problems = [(source, problem) for problem in warnings]
        for checked in _policies(site):
            problems += _of([checked])
            problems += ((checked.source, problem) for problem in missing(site, checked))
    if given.format == "json":
        _say_json([as_json(source, problem) for source, problem in problems])
    else:
        say(*showing.problem_lines(problems))
    return int(any(problem.severity is Severity.ERROR for _, problem in problems))


# ---- test


def _test_files(paths: Iterable[str]) -> Iterator[str]:
    """The test files at `paths`, folders searched."""
    from sieveav.frontends import testing

    for path in paths:
        if Path(path).is_dir():
            yield from _files(path, (testing.SUFFIX,), "test files")
        else:
            yield path


def test(given: Namespace) -> int:
    """`test PATH...`"""
    from sieveav.frontends import testing

    if given.config and _site(given) is None:
        return 1
    paths = list(dict.fromkeys(_test_files(given.paths)))
    reading.check_readable(paths)
    results = testing.run_files(paths, given.config, given.filter, given.jobs, testing.progress_line(len(paths)))
    passed, failed = testing.counts(results)
    if not passed + failed:
        raise UsageError(f'--filter: no test has "{given.filter}" in its name')
    if given.format == "json":
        _say_json(testing.json(results))
    elif given.format == "junit":
        say(testing.junit(results))
    elif given.format == "tap":
        say(*testing.tap(results))
    else:
        for result in results:
            say(*showing.problem_lines(result.problems))
        say(*testing.text(results, verbose=given.verbose))
    return int(failed > 0)


# ---- extensions, engines, explain


def extensions(given: Namespace) -> int:
    """`extensions`"""
    from sieveav.frontends import explaining

    rows = explaining.extensions()
    if given.format == "json":
        _say_json(rows)
    else:
        table = [[(str(row["name"]), "bold"), (str(row["source"]), "dim"), (str(row["summary"]), "")] for row in rows]
        say(*showing.columns(table, 0))
    return 0


def engines(given: Namespace) -> int:
    """`engines`"""
    from sieveav.frontends import explaining

    rows = explaining.engines()
    if given.format == "json":
        _say_json(rows)
        return 0
    for row in rows:
        say(f"{showing.paint(str(row['name']), 'bold')}   {row['summary']}")
        say(
            *showing.columns(
                [[(str(o["name"]), ""), (str(o["type"]), "dim"), (str(o["meaning"]), "")] for o in row["options"]], 2
            )
        )
    return 0


def explain(given: Namespace) -> int:
    """`explain NAME`"""
    from sieveav.frontends import explaining

    lines = explaining.explain(given.name)
    if not lines:
        raise UsageError(explaining.unknown(given.name))
    if given.format == "json":
        _say_json({"name": given.name, "lines": lines})
    else:
        say(*lines)
    return 0


COMMANDS: dict[str, Callable[[Namespace], int]] = {
    "run": run,
    "decide": decide_,
    "scan": scan,
    "lint": lint,
    "check-config": check_config,
    "test": test,
    "extensions": extensions,
    "engines": engines,
    "explain": explain,
}
