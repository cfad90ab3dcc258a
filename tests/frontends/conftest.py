"""Fixtures for command lines; their types are in support/command_line.py."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.command_line import Cli, Terminal, make_site
from support.serving import CONFIG, Serve, Server, policy


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a site, two users, an infected message and a clean one; the working directory."""
    monkeypatch.chdir(tmp_path)
    make_site(tmp_path)
    return tmp_path


@pytest.fixture
def cli(here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:  # noqa: ARG001
    """Runs command lines in `here`."""
    return Cli(capsys, monkeypatch)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Makes standard output and error a terminal, without colour unless `colour`."""

    def be(columns: int = 80, *, colour: bool = False) -> None:
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setenv("TERM", "xterm")
        if colour:
            monkeypatch.delenv("NO_COLOR", raising=False)
        else:
            monkeypatch.setenv("NO_COLOR", "1")

    return be


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts a server; it is stopped at the end."""
    servers: list[Server] = []

    def start(
        script: str = policy("one"), config: str = CONFIG, *, journal: bool = False, **environment: str
    ) -> Server:
        (tmp_path / "p.sieve").write_text(script)
        config = config.replace("FOLDER", str(tmp_path))
        servers.append(Server(tmp_path, config, journal=journal, **environment))
        return servers[-1]

    yield start
    for server in servers:
        if server.process.poll() is None:
            server.process.send_signal(signal.SIGTERM)
            server.process.wait(20)
        server.reading.join()
        server.log.close()
