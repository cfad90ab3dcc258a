"""What is hidden so that a mail client shows it, and a scanner that reads the message in one way only does not see it; and
ordinary mail beside it, which is clean."""

from __future__ import annotations

import base64
import io
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.daemons import StartClamd
from support.hidden import B64, FOOTER, HIDDEN, MESSAGES, ORDINARY, labelled

from sieveav.engines import clamav, yara
from sieveav.scanning.assembling import Assembled, assemble
from sieveav.scanning.contract import Content, Deadline, EngineType
from sieveav.scanning.layers import Budget, Layer
from sieveav.scanning.pools import Pools
from sieveav.scanning.settings import EngineSettings
from sieveav.scanning.unpacking import layers
from sieveav.verdict import Status


def seen(raw: bytes) -> tuple[bool, set[Status]]:
    """Whether the payload is in a layer of the message; and the statuses of what cannot be opened."""
    items = list(layers(Content(raw), Budget(Deadline.after(60))))
    found = any(HIDDEN in item.data for item in items if isinstance(item, Layer))
    return found, {item.status for item in items if not isinstance(item, Layer)}


@pytest.mark.parametrize("case", MESSAGES)
@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_hidden(case: str, newline: bytes) -> None:
    """It is found, or the message is not clean."""
    found, statuses = seen(MESSAGES[case].replace(b"\n", newline))
    assert found or statuses


@pytest.mark.parametrize("case", ORDINARY)
@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_ordinary(case: str, newline: bytes) -> None:
    assert seen(ORDINARY[case].replace(b"\n", newline))[1] == set()


def test_an_archive_below_which_a_list_has_put_its_footer() -> None:
    """Decoders differ in where base64 ends: for some, the archive is broken by what is behind it."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.txt", HIDDEN * 5)
    body = base64.encodebytes(stream.getvalue())
    assert seen(labelled(b"base64", body, FOOTER)) == (True, set())


# ---- with the engines of a site, that look for the payload


def engine(kind: EngineType, option: str, value: Any) -> Assembled:
    options = {one.name: one.default for one in kind.options} | {option: (value,)}
    return assemble(kind, kind.name, replace(EngineSettings.defaults(kind.name), options=options), Pools())


def clean(engine: Assembled, messages: dict[str, bytes]) -> list[str]:
    """Those that are clean for the engine, with any line end."""
    ends = [(case, raw.replace(b"\n", newline)) for newline in (b"\n", b"\r\n") for case, raw in messages.items()]
    return [case for case, raw in ends if engine.scan(Content(raw), Deadline.after(30)).status is Status.CLEAN]


HARMLESS = {case: raw.replace(HIDDEN, b"").replace(B64, b"") for case, raw in ORDINARY.items()}


def test_with_yara(tmp_path: Path) -> None:
    rules = tmp_path / "hidden.yar"
    rules.write_text(f'rule Hidden {{ strings: $hidden = "{HIDDEN.decode()}" condition: $hidden }}')
    made = engine(yara.engine, "rules", rules)
    assert clean(made, MESSAGES) == []
    assert clean(made, HARMLESS) == [*HARMLESS] * 2


@pytest.mark.real
def test_with_clamd(start_clamd: StartClamd) -> None:
    running = start_clamd(ConcurrentDatabaseReload="no")
    (running.database / "hidden.ndb").write_text(f"Hidden:0:*:{HIDDEN.hex()}\n")
    assert running.ask("RELOAD") == b"RELOADING\0"
    made = engine(clamav.engine, "daemon", running.socket)
    assert clean(made, MESSAGES) == []
    # clamd takes each header for a message in the one before, which are too many for it.
    assert clean(made, HARMLESS) == [case for case in HARMLESS if case != "quoted headers"] * 2
