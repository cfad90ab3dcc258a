"""Fixtures for all tests; what they return is in the package `support`."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from support import accepting, daemons
from support.accepting import Accepted
from support.sieve import FakeHost, FixedLibrary, Sieve

from sieveav.language.extension import Extension
from sieveav.site.library import Library
from sieveav.verdict import Status, Verdict

pytest_plugins = ["support.scanning"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--accept", action="store_true", help="write what the tests see to the files in tests/expected")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """After whole files of tests: what is written for tests that are no longer there."""
    config = session.config
    some_only = config.option.keyword or config.option.markexpr or any("::" in argument for argument in config.args)
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter is None or reporter.stats.get("skipped")
    if session.testsfailed or some_only or skipped or session.shouldstop:
        return
    sections = accepting.stale(remove=config.getoption("--accept"))
    if sections and not config.getoption("--accept"):
        print("\nno test uses these texts; run pytest --accept to remove them:", *sections, sep="\n  ")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture
def sieve() -> Sieve:
    return Sieve()


@pytest.fixture
def install(sieve: Sieve) -> Callable[..., Sieve]:
    """`sieve` with these extensions and no others, or with those that it has too where they are named."""

    def put(*extensions: Extension | str) -> Sieve:
        found = [Library().find(each) if isinstance(each, str) else each for each in extensions]
        sieve.library = FixedLibrary([extension for extension in found if extension is not None])
        return sieve

    return put


@pytest.fixture
def fake_host() -> type[FakeHost]:
    return FakeHost


@pytest.fixture
def verdict() -> Any:
    """A verdict by its words: verdict("clamav", "infected", "Eicar")."""

    def make(engine: str, status: str, info: str = "") -> Verdict:
        return Verdict(engine, Status(status), info)

    return make


@pytest.fixture
def accepted(request: pytest.FixtureRequest) -> Accepted:
    """Compares text with what is written for this test in tests/expected; `pytest --accept` writes it."""
    return Accepted(request.node, rewrite=request.config.getoption("--accept"))


# ---- daemons


@pytest.fixture(scope="session")
def eicar() -> bytes:
    return bytes(daemons.EICAR)


def _need_clamd() -> None:
    daemons.need(daemons.clamd_program() is not None, "clamd (Debian's clamav-daemon)")


@pytest.fixture
def clamav_testfiles() -> list[Path]:
    """The files of Debian's clamav-testfiles."""
    folder = Path("/usr/share/clamav-testfiles")
    daemons.need(folder.is_dir(), "clamav-testfiles")
    return sorted(folder.iterdir())


@pytest.fixture(scope="session")
def clamd() -> Iterator[Any]:
    """Debian's clamd, one for all tests that leave it alive."""
    _need_clamd()
    with tempfile.TemporaryDirectory(prefix="sieveav-") as directory, daemons.clamd(Path(directory)) as running:
        yield running


@pytest.fixture
def start_clamd() -> Iterator[Callable[..., Any]]:
    """Starts a clamd of the test's own, which it may stop or kill."""
    _need_clamd()
    with ExitStack() as stack:

        def start(**settings: str) -> Any:
            directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="sieveav-"))
            return stack.enter_context(daemons.clamd(Path(directory), **settings))

        yield start


@pytest.fixture
def start_redis() -> Iterator[Callable[..., daemons.Redis]]:
    """Starts a Redis of the test's own, which it may stop or kill."""
    daemons.need(daemons.redis_program() is not None, "redis-server")
    with ExitStack() as stack:

        def start(password: str = "", **settings: str) -> daemons.Redis:
            directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="sieveav-"))
            return stack.enter_context(daemons.redis(Path(directory), password, **settings))

        yield start


@pytest.fixture
def redis_server(start_redis: Callable[..., daemons.Redis]) -> daemons.Redis:
    """A Redis of the test's own."""
    return start_redis()
