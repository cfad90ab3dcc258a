"""icap: Debian's c-icap, with its virus scanner, which asks clamd."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import daemons
from support.daemons import c_icap, c_icap_program, clamd, clamd_program, need
from support.faults import engine_of
from support.scanning import Ask

from sieveav.engines.icap import protocol
from sieveav.scanning.contract import Deadline, Engine
from sieveav.verdict import Status

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[int, daemons.Clamd]]:
    """The port of a c-icap, and the clamd that it asks."""
    need(clamd_program() is not None, "clamd")
    need(c_icap_program() is not None, "c-icap")
    # clamd may run as another user, who must reach what c-icap writes
    with tempfile.TemporaryDirectory(prefix="sieveav-") as name:
        directory = Path(name)
        with clamd(directory / "clamd") as scanner, c_icap(directory / "icap", scanner) as port:
            yield port, scanner


@pytest.fixture
def engine(running: tuple[int, daemons.Clamd]) -> Engine:
    return engine_of(protocol, f"127.0.0.1:{running[0]}", profile="c-icap", service="", max_size=0)


def test_eicar(engine: Engine, ask: Ask, eicar: bytes) -> None:
    for _ in range(2):  # also on a connection that was kept
        assert ask(engine, b"nothing").status is Status.CLEAN
        verdict = ask(engine, eicar)
        assert verdict.status is Status.INFECTED
        assert verdict.info.startswith("Eicar-Test-Signature")


def test_a_message_that_libclamav_would_not_recognize(engine: Engine, ask: Ask, eicar: bytes) -> None:
    start = b"DKIM-Signature: v=1\r\nContent-Type: application/x\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    encoded = eicar.replace(b"X5O", b"=58=35=\r\nO")
    assert ask(engine, start + encoded, is_message=True).status is Status.INFECTED
    assert ask(engine, start + b"nothing", is_message=True).status is Status.CLEAN


def test_empty(engine: Engine, ask: Ask) -> None:
    assert ask(engine, b"").status is Status.CLEAN


@pytest.mark.parametrize("size", [1_500_000, 5_000_000])
def test_some_of_a_large_content_comes_back_before_it_is_scanned(
    engine: Engine, ask: Ask, eicar: bytes, size: int
) -> None:
    content = os.urandom(size)
    assert ask(engine, content, 20).status is Status.CLEAN
    assert ask(engine, content + eicar, 20).status is not Status.CLEAN


def test_what_c_icap_passes_without_a_scan_is_limits(engine: Engine, ask: Ask, eicar: bytes) -> None:
    assert ask(engine, bytes(5 * 1024 * 1024) + eicar).status is Status.LIMITS


def test_the_version_is_the_tag(engine: Engine) -> None:
    assert "CI0001-" in engine.version(Deadline.after(5))


def test_a_service_that_is_not_there(running: tuple[int, daemons.Clamd], ask: Ask) -> None:
    verdict = ask(engine_of(protocol, f"127.0.0.1:{running[0]}", profile="generic", service="other", max_size=0))
    assert verdict.status is Status.ERROR
    assert verdict.info.endswith("404 Service not found")


def test_without_clamd(ask: Ask, running: tuple[int, daemons.Clamd], engine: Engine) -> None:
    """The last test of the module: clamd is gone afterwards."""
    running[1].kill()
    assert ask(engine, b"nothing else").status is Status.ERROR
