"""scan: scan messages and show each engine's verdict, without any script

In folders, all files are scanned, also in folders below: a Maildir, or any other. Every engine of the site scans, passive
ones too.

Exit status: 0 if everything is clean; 1 if something is not (infected, suspicious, or could not be looked into: encrypted,
macro, limits, unscannable, skipped); 2 if an engine failed or a file could not be read, whatever else was found, and for
wrong use or a configuration with errors. With --ping: 0 if all engines answer, else 2. With --self-test: 0 if every engine
finds the virus in each sample and nothing is warned of; 1 if not; 2 if an engine failed.
"""

from __future__ import annotations

import time
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from sieveav.frontends import reading, showing
from sieveav.frontends.arguments import UsageError, add_config, add_format, completes
from sieveav.frontends.command import Command
from sieveav.frontends.output import Cell, Report, columns, counted, is_terminal, paint, progress
from sieveav.frontends.sites import site_of
from sieveav.language.problems import printable
from sieveav.scanning.contract import ENGINES, Content, Deadline, Engine
from sieveav.site.scans import Scanner
from sieveav.site.site import Site
from sieveav.verdict import Status, Verdict, worst

PING_SECONDS = 10.0
"""How long --ping waits for an engine's version, and as long again for its verdict on `HARMLESS`."""

HARMLESS = b"Subject: ping\r\n\r\n"
"""A message to scan for an engine that reports no version: its verdict shows whether it answers, or why it does not."""


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "paths", metavar="PATH", nargs="*", help="messages and folders of messages; - is standard input"
    )
    add_config(parser, "the site whose engines scan (default: the engine yara alone)")
    completes(
        parser.add_argument(
            "--engine",
            action="append",
            default=[],
            metavar="NAME",
            help="scan with this engine of the site only; repeatable (default: all)",
        ),
        ENGINES.everything,
    )
    parser.add_argument("--infected", action="store_true", help="show only files that are not clean")
    parser.add_argument(
        "--summary",
        action="store_true",
        help="print the numbers of files, verdicts and errors, and the time, at the end "
        "(default: on a terminal, for several files)",
    )
    parser.add_argument(
        "--ping",
        action="store_true",
        help="scan no files; show for each engine whether it answers, with the version of it and its definitions, or why not",
    )
    parser.add_argument(
        "--self-test",
        action="store_true",
        help="scan no files; show whether each engine finds the EICAR test file, in several forms, and warn of what may let a "
        "virus through: old definitions, settings of clamd, a site that accepts mail when no engine works",
    )
    parser.add_argument(
        "--stats", action="store_true", help="print what each engine has done, at the end, as Momentum's console does"
    )
    add_format(parser, is_line=True)


def run(args: Namespace) -> int:
    asked = [option for option, given in (("--ping", args.ping), ("--self-test", args.self_test)) if given]
    if len(asked) > 1:
        raise UsageError("write either --ping or --self-test")
    if bool(asked) == bool(args.paths):
        raise UsageError(f"{asked[0]} takes no PATH" if asked else "PATH is missing (see sieveav scan --help)")
    site = site_of(args)
    scanners = _chosen(site, args)
    if args.self_test:
        return _self_test(args, site, scanners)
    return _ping(args, scanners) if args.ping else _scan(args, scanners)


def _chosen(site: Site, args: Namespace) -> list[Scanner]:
    for name in args.engine:
        if name not in site.engines:
            raise UsageError(
                f'--engine: there is no engine "{name}" here; engines: {", ".join(site.engines) or "none"}'
            )
    scanners = [scanner for scanner in site.scanners if not args.engine or scanner.name in args.engine]
    if not scanners:  # no verdict must not look like a clean one
        raise UsageError(f"{args.config}: no engine runs here; nothing was scanned")
    return scanners


def _ping(args: Namespace, scanners: Iterable[Scanner]) -> int:
    report = Report(args.format)
    rows: list[list[Cell]] = []
    status = 0
    for scanner in scanners:
        name, version, reason = scanner.name, *_answer(scanner.engine)
        report.json(
            lambda: {"engine": name, "answers": reason is None, "version": version, "reason": reason}  # noqa: B023
        )
        if reason is None:
            rows.append([(name, "bold"), ("answers", "good"), (version, "")])
        else:
            rows.append([(name, "bold"), ("does not answer", "bad"), (reason, "")])
            status = 2
    report.lines(columns(rows, 0))
    return status


def _answer(engine: Engine) -> tuple[str, str | None]:
    """The version of `engine`, "" if it reports none; and why it does not answer, None if it does."""
    version = engine.version(Deadline.after(PING_SECONDS))
    if version:
        return version, None
    verdict = engine.scan(Content(HARMLESS), Deadline.after(PING_SECONDS))
    return "", (verdict.info or "unknown error") if verdict.status is Status.ERROR else None


def _self_test(args: Namespace, site: Site, scanners: Sequence[Scanner]) -> int:
    from sieveav.frontends import self_test  # other scans need none of it

    report = Report(args.format)
    status = 0
    for scanner in scanners:
        rows: list[list[Cell]] = []
        answers = True
        for result in self_test.results(scanner):
            answers = answers and result.verdict.status is not Status.ERROR
            status = max(status, int(not result.passed) if answers else 2)
            report.json(lambda: showing.self_test_json(result.sample, result.verdict, passed=result.passed))  # noqa: B023
            rows.append([(result.sample, ""), ("passed", "good") if result.passed else ("FAILED", "bad")])
            rows[-1] += showing.verdict_row(result.verdict)[1:3]
        report.lines([paint(printable(scanner.name), "bold"), *columns(rows, 2)])
        if answers:
            status = _warned(report, scanner.name, self_test.warnings_of_engine(scanner), status)
    if args.config:
        status = _warned(report, "", self_test.warnings_of_policy(site), status)
    return status


def _warned(report: Report, engine: str, warnings: Iterable[str], status: int) -> int:
    """Report warnings about an engine or the site; the exit status, which was `status` before."""
    for warning in warnings:
        status = max(status, 1)
        report.json(lambda: {"engine": engine, "warning": warning})  # noqa: B023
        report.lines([f"  {paint('warning', 'odd')}: {printable(warning)}"])
    return status


def _scan(args: Namespace, scanners: Sequence[Scanner]) -> int:
    report = Report(args.format)
    begun = time.monotonic()
    files = reading.Inputs(args.paths, reading.octets, ("",))
    tally = _Tally()
    show = progress(len(files.names))
    try:
        for name, raw in files:
            content = Content(raw)
            verdicts = [scanner.engine.scan(content, Deadline.after(scanner.settings.timeout)) for scanner in scanners]
            tally.add(verdicts)
            if not args.infected or any(verdict.status != Status.CLEAN for verdict in verdicts):
                show(len(files.names), "")
                report.json(lambda: showing.scan_json(name, verdicts))  # noqa: B023
                report.lines(_lines(name, verdicts))
            show(tally.files, tally.not_clean)
    finally:  # also after Ctrl-C
        show(len(files.names), "")
        if args.summary or (is_terminal() and len(files.names) > 1):
            seconds = time.monotonic() - begun
            report.lines([tally.text(len(files.names), seconds)])
            if args.summary:
                report.json(lambda: tally.as_json(len(files.names), seconds))
        if args.stats:
            counts = [showing.statistics_json(each.name, each.engine.statistics.snapshot()) for each in scanners]
            report.lines(showing.statistics_lines(counts))
            report.json(lambda: {"stats": counts})
    return max(tally.status, files.status)


def _lines(name: str, verdicts: Iterable[Verdict]) -> Iterator[str]:
    yield paint(printable(name), "bold")
    yield from columns([showing.verdict_row(verdict) for verdict in verdicts], 2)


class _Tally:
    """Counts files by their worst status; `status` is the exit status so far."""

    def __init__(self) -> None:
        self.files = 0
        self.statuses: Counter[Status] = Counter()
        self.status = 0

    def add(self, verdicts: Sequence[Verdict]) -> None:
        self.files += 1
        self.statuses[worst(verdicts).status] += 1
        if any(verdict.status is Status.ERROR for verdict in verdicts):
            self.status = 2
        elif any(verdict.status is not Status.CLEAN for verdict in verdicts):
            self.status = max(self.status, 1)

    @property
    def not_clean(self) -> str:
        return ", ".join(f"{self.statuses[s]} {s}" for s in Status if self.statuses[s] and s is not Status.CLEAN)

    def text(self, total: int, seconds: float) -> str:
        statuses = ", ".join(filter(None, (f"{self.statuses[Status.CLEAN]} clean", self.not_clean)))
        left = f"; {total - self.files} not scanned" if total > self.files else ""
        return f"{counted(self.files, 'file')} scanned: {statuses}{left}; {seconds:.1f} s"

    def as_json(self, total: int, seconds: float) -> dict[str, object]:
        statuses = {str(status): self.statuses[status] for status in Status if self.statuses[status]}
        return {
            "summary": {
                "files": self.files,
                "not_scanned": total - self.files,
                "statuses": statuses,
                "seconds": round(seconds, 3),
            }
        }


command = Command("scan", arguments, run)
