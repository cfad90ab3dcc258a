"""scanning: fixtures that make engines and ask them, and scripted servers; loaded by tests/conftest.py."""

from __future__ import annotations

import gc
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from sieveav.engines import clamav
from sieveav.scanning.contract import Content, Deadline, Engine
from sieveav.verdict import Verdict
from support import documents, scripted
from support.scripted import Script, Server


class Ask(Protocol):
    """The fixture `ask`: has an engine scan octets within `seconds`."""

    def __call__(
        self, engine: Engine, raw: bytes = b"x", seconds: float = 5.0, *, is_message: bool = False
    ) -> Verdict: ...


class MakeClamav(Protocol):
    """The fixture `make`: an engine `clamav` that asks these daemons."""

    def __call__(self, *daemon: str, allow: tuple[str, ...] = (), classes: tuple[str, ...] = ()) -> Engine: ...


class Serve(Protocol):
    """The fixture `serve`: starts a server on a free port of loopback, or on the unix socket `path`."""

    def __call__(self, script: Script, path: Path | None = None, family: int = socket.AF_INET) -> Server: ...


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts scripted servers, which end with the test. Then no thread or descriptor of the test may be left."""
    threads, descriptors = set(threading.enumerate()), _descriptors()
    with ExitStack() as stack:

        def serve(script: Script, path: Path | None = None, family: int = socket.AF_INET) -> Server:
            return stack.enter_context(scripted.server(script, path, family))

        yield serve
        gc.collect()  # engines keep connections
    assert set(threading.enumerate()) <= threads
    assert _descriptors() <= descriptors  # fewer, if what earlier tests have left is gone


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir())) if sys.platform == "linux" else 0


@pytest.fixture
def short() -> Iterator[Path]:
    """A directory with a name short enough for a unix socket."""
    with tempfile.TemporaryDirectory(prefix="sieveav-") as directory:
        yield Path(directory)


@pytest.fixture
def make() -> MakeClamav:
    """Makes an engine `clamav`."""

    def make(*daemon: str, allow: tuple[str, ...] = (), classes: tuple[str, ...] = ()) -> Engine:
        return clamav.engine.make("clamav", {"daemon": daemon, "allow": allow, "classes": classes})

    return make


@pytest.fixture
def ask() -> Ask:
    """Has an engine scan octets."""

    def ask(engine: Engine, raw: bytes = b"x", seconds: float = 5.0, *, is_message: bool = False) -> Verdict:
        return engine.scan(Content(raw, is_message=is_message), Deadline.after(seconds))

    return ask


@pytest.fixture(scope="session")
def document() -> bytes:
    """The smallest OLE2 document with a VBA project in it."""
    return bytes(documents.ole2_with_macro())


@pytest.fixture(scope="session")
def macro_sheet() -> bytes:
    """The smallest workbook with Excel 4.0 macros."""
    return bytes(documents.ole2_with_macro_sheet())


@pytest.fixture(scope="session")
def encrypted_document() -> bytes:
    """The smallest OLE2 document that looks like an encrypted OOXML one."""
    return bytes(documents.ole2_encrypted())
