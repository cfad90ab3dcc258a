"""scanning: fixtures that make engines and ask them, and servers with a script; loaded by tests/conftest.py."""

from __future__ import annotations

import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from sieveav.engines import clamav
from sieveav.scanning.contract import Content, Deadline, Engine
from sieveav.verdict import Verdict
from support import documents, scripted

Ask = Callable[..., Verdict]
MakeClamav = Callable[..., Engine]
Serve = Callable[..., Any]


@pytest.fixture
def serve() -> Iterator[Callable[..., Any]]:
    """Starts scripted servers; at the end they are gone, with every thread and descriptor of the test."""
    threads, descriptors = set(threading.enumerate()), _descriptors()
    with ExitStack() as stack:
        yield lambda script, *args, **kwargs: stack.enter_context(scripted.server(script, *args, **kwargs))
    assert set(threading.enumerate()) <= threads
    assert _descriptors() == descriptors


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir())) if sys.platform == "linux" else 0


@pytest.fixture
def short() -> Iterator[Path]:
    """A directory with a name short enough for a unix socket."""
    with tempfile.TemporaryDirectory(prefix="sieveav-") as directory:
        yield Path(directory)


@pytest.fixture
def make() -> Callable[..., Engine]:
    """An engine `clamav` that asks the given daemons."""

    def make(*daemon: str, allow: tuple[str, ...] = (), classes: tuple[str, ...] = ()) -> Engine:
        return clamav.engine.make("clamav", {"daemon": daemon, "allow": allow, "classes": classes})

    return make


@pytest.fixture
def ask() -> Callable[..., Verdict]:
    """Has an engine scan octets within so many seconds."""

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
    """The smallest OLE2 document that looks like an OOXML one under a password."""
    return bytes(documents.ole2_encrypted())
