"""testing: test files to results, several files at a time, and results to what people and programs read.

A file that cannot be run counts as one failed test with the name of the file. Several files run in processes of their own, so
that none can disturb another; a single file runs in this process.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from sieveav.frontends.output import paint
from sieveav.language.problems import Problem, Severity, Source, as_json
from sieveav.printing import printable

SUFFIX = ".svtest"
"""The test files in folders."""


@dataclass(frozen=True)
class TestResult:
    """One test: its name and line; where and why it failed, both "" if it passed."""

    name: str
    line: int
    at: str = ""
    reason: str = ""


@dataclass(frozen=True)
class FileResult:
    """The tests of one file, the problems because of which it could not be run, what it logged, and the seconds it took."""

    path: str
    tests: tuple[TestResult, ...]
    problems: tuple[tuple[Source, Problem], ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def failed(self) -> int:
        return sum(bool(test.reason) for test in self.tests)


def run_file(path: str, config: str | None, only: str) -> FileResult:
    """Run the tests of a file whose names contain `only`, in any case. The site is that of `config`, or the embedded one.
    Mistakes in the file are failed tests; OSError if it cannot be read."""
    from sieveav.site.rehearsal import Rehearsal  # not needed in the process that waits for the others
    from sieveav.site.scripts import contents
    from sieveav.site.site import embedded, load

    begun = time.perf_counter()
    site = load(Path(config)) if config else embedded()
    rehearsal = Rehearsal(site, Path(path), lambda name: only.lower() in name.lower())
    checked = rehearsal.check(contents(Path(path)), path)
    if checked.program is None:
        errors = tuple((checked.source, p) for p in checked.problems if p.severity is Severity.ERROR)
        reason = f"the file does not check: {errors[0][1].message}"
        line = checked.source.position(errors[0][1].span.start).line
        return FileResult(path, (TestResult(Path(path).name, line, f"{path}:{line}", reason),), errors)
    outcome = rehearsal.run(checked)
    tests = [
        TestResult(
            test.name,
            0 if test.place is None else test.place.line,
            "" if test.failure is None else str(test.failure.place or test.place or path),
            "" if test.failure is None else test.failure.message or "failed without a reason",
        )
        for test in rehearsal.results
    ]
    fault = outcome.fault
    if fault is not None:  # outside of all tests
        line = 0 if fault.place is None else fault.place.line
        tests.append(TestResult(Path(path).name, line, str(fault.place or path), fault.message))
    elif not tests and not only:
        tests.append(TestResult(Path(path).name, 0, path, "the file contains no test"))
    notes = tuple(f"{note.place}: {note.text}" for note in outcome.notes if fault is None or note.text != fault.message)
    return FileResult(path, tuple(tests), (), notes, time.perf_counter() - begun)


def run_files(
    paths: Sequence[str], config: str | None, only: str, jobs: int, progress: Callable[[int, str], None]
) -> list[FileResult]:
    """Run test files, `jobs` at a time; results in the order of `paths`. After each file `progress` is called with the number
    of files done and a text about the tests that failed so far."""
    run = partial(run_file, config=config, only=only)
    results: dict[str, FileResult] = {}
    failed = 0
    if jobs == 1 or len(paths) < 2:
        for path in paths:
            results[path] = run(path)
            failed += results[path].failed
            progress(len(results), f"{failed} failed")
        return [results[path] for path in paths]
    log_alike = partial(logging.basicConfig, level=logging.getLogger().level)  # as in this process
    with ProcessPoolExecutor(min(jobs, len(paths)), get_context("spawn"), initializer=log_alike) as pool:
        pending = {pool.submit(run, path): path for path in paths}
        for future in as_completed(pending):
            path = pending[future]
            try:
                results[path] = future.result()
            except BrokenProcessPool:
                died = TestResult(Path(path).name, 0, path, "the process that ran it died")
                results[path] = FileResult(path, (died,))
            failed += results[path].failed
            progress(len(results), f"{failed} failed")
    return [results[path] for path in paths]


def counts(results: Iterable[FileResult]) -> tuple[int, int]:
    """The numbers of tests that passed and failed."""
    tests = [test for result in results for test in result.tests]
    failed = sum(bool(test.reason) for test in tests)
    return len(tests) - failed, failed


# ---- for people and for programs


def text(results: Sequence[FileResult], *, verbose: bool) -> Iterator[str]:
    """A line for each failure and the summary; with `verbose` a line for each test, and what was logged."""
    for result in results:
        for note in result.notes if verbose else ():
            yield paint(printable(note), "dim")
        for test in result.tests:
            if test.reason:
                yield printable(f'{test.at}: test "{test.name}": {test.reason}')
            elif verbose:
                yield printable(f'{result.path}:{test.line}: test "{test.name}": passed')
    passed, failed = counts(results)
    yield paint(f"{passed} passed, {failed} failed", "bad" if failed else "good")


def json(results: Sequence[FileResult]) -> dict[str, object]:
    """All results as one object."""
    passed, failed = counts(results)
    return {
        "passed": passed,
        "failed": failed,
        "files": [
            {
                "path": result.path,
                "seconds": round(result.seconds, 3),
                "problems": [as_json(source, problem) for source, problem in result.problems],
                "notes": list(result.notes),
                "tests": [
                    {
                        "name": test.name,
                        "line": test.line,
                        "passed": not test.reason,
                        "at": test.at or None,
                        "reason": test.reason or None,
                    }
                    for test in result.tests
                ],
            }
            for result in results
        ],
    }


def tap(results: Sequence[FileResult]) -> Iterator[str]:
    """The Test Anything Protocol, version 13."""
    tests = [(result, test) for result in results for test in result.tests]
    yield "TAP version 13"
    yield f"1..{len(tests)}"
    for number, (result, test) in enumerate(tests, 1):
        name = printable(f"{result.path}: {test.name}").replace("#", "\\#")
        yield f"{'not ok' if test.reason else 'ok'} {number} - {name}"
        if test.reason:
            yield printable(f"# {test.at}: {test.reason}")


def junit(results: Sequence[FileResult]) -> str:
    """JUnit's XML, which CI servers read: a suite for each file."""
    from xml.sax.saxutils import quoteattr  # only for this format

    def attribute(value: str) -> str:
        return quoteattr(printable(value))

    passed, failed = counts(results)
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f'<testsuites tests="{passed + failed}" failures="{failed}">']
    for result in results:
        lines.append(
            f'  <testsuite name={attribute(result.path)} tests="{len(result.tests)}" failures="{result.failed}" '
            f'time="{result.seconds:.3f}">'
        )
        for test in result.tests:
            case = f'    <testcase classname={attribute(result.path)} name={attribute(test.name)} line="{test.line}"'
            if test.reason:
                lines.append(f"{case}><failure message={attribute(f'{test.at}: {test.reason}')}/></testcase>")
            else:
                lines.append(f"{case}/>")
        lines.append("  </testsuite>")
    return "\n".join([*lines, "</testsuites>"])
