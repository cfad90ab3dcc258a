"""program: its options, its variables, and a site that asks a program of the test's. The protocol: tests/scanning/."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support import kits

from sieveav.engines.program import engine
from sieveav.scanning.assembling import assemble
from sieveav.scanning.contract import Content, Deadline, Envelope
from sieveav.scanning.pools import Pools
from sieveav.scanning.settings import EngineSettings
from sieveav.verdict import Status, Verdict

DEFAULTS = {option.name: option.default for option in engine.options} | {"file_base": None}


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    with kits.nothing_left():
        yield


@pytest.mark.parametrize("command", [(), ("scan",), ("/nonexistent",)])
def test_commands_that_are_refused(command: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"^command: "):
        engine.make("program", {**DEFAULTS, "command": command})


def test_its_variables() -> None:
    """Those that the site names; none of them replaces the status."""
    settings = replace(EngineSettings.defaults("program"), options={"values": ("score",)})
    values = {"score": "9", "status": "clean", "info": "x", "other": "y"}
    assert engine.variables("program", settings, Verdict("program", Status.INFECTED, "Bad", values=values)) == {
        "program_score": "9",
        "program_status": "virus",
        "program_status_info": "Bad",
        "program_status_class": "infected",
        "program_info": "Bad",
    }
    assert engine.variables("program", settings, Verdict("program", Status.CLEAN, values={"score": "1"})) == {
        "program_score": "1"
    }
    assert engine.variables("program", settings, Verdict("program", Status.CLEAN)) == {"program_score": ""}


@pytest.mark.parametrize("name", ["", "A", "a b", "1a", "a" * 65])
def test_what_is_no_name_of_a_value(name: str) -> None:
    option = next(option for option in engine.options if option.name == "values")
    with pytest.raises(ValueError, match="not the name of a value"):
        option.value((name,))


def test_within_a_site(tmp_path: Path) -> None:
    """With all that is around an engine: a different verdict for each recipient is not remembered."""
    scan = "say(asked, status='clean', recipients={to: {'to': to} for to in asked['envelope']['recipients']})"
    options: dict[str, Any] = {"command": kits.write(tmp_path, scan)}
    settings = EngineSettings(kind="program", instance="p", context_variable="program_status", options=options)
    assembled = assemble(engine, "program", settings, Pools())
    for recipient in ("a@example.org", "b@example.org"):
        content = Content(b"Subject: x\r\n\r\nx\r\n", envelope=Envelope(recipients=(recipient,)))
        verdict = assembled.scan(content, Deadline.after(20)).for_recipient(recipient)
        assert (verdict.status, verdict.values) == (Status.CLEAN, {"to": recipient})
    assert assembled.servers == {options["command"][0]: True}
    assert assembled.version(Deadline.after(20)) == "Kit 1"
