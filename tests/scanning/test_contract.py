"""What an engine gets and how it is declared."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from support.accepting import Accepted

from sieveav import mime
from sieveav.options import TEXT, Option
from sieveav.scanning.contract import (
    Content,
    Deadline,
    Engine,
    EngineType,
    Envelope,
    status_variables,
    value_variables,
)
from sieveav.scanning.lazy import LazyEngine
from sieveav.scanning.settings import EngineSettings
from sieveav.verdict import Status, Verdict

RAW = b"Subject: x\r\n\r\nhello"


# -- Content --------------------------------------------------------------------------------------------------------


def test_a_temporary_file(tmp_path: Path) -> None:
    with Content(RAW).file(tmp_path) as path:
        assert path.parent == tmp_path
        assert path.read_bytes() == RAW
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == []


def test_a_temporary_file_is_removed_after_a_fault(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), Content(RAW).file(tmp_path):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_a_temporary_file_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OSError, match="No such file"), Content(RAW).file(tmp_path / "none"):
        pytest.fail("there is no such directory")

    def fdopen(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("os.fdopen", fdopen)
    with pytest.raises(OSError, match="No space left"), Content(RAW).file(tmp_path):
        pytest.fail("the disk is full")
    assert list(tmp_path.iterdir()) == []


def test_a_scanner_may_remove_the_file(tmp_path: Path) -> None:
    with Content(RAW).file(tmp_path) as path:
        path.unlink()
    assert list(tmp_path.iterdir()) == []


def test_the_file_that_the_content_is_from(tmp_path: Path) -> None:
    original = tmp_path / "a.eml"
    original.write_bytes(RAW)
    with Content(RAW, path=original).file() as path:
        assert path == original
    assert original.read_bytes() == RAW


def test_a_message_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    part = mime.parse(RAW)
    calls: list[int] = []

    def structure() -> mime.Part:
        calls.append(1)
        return part

    monkeypatch.setattr(mime, "parse", lambda _: pytest.fail("it is parsed elsewhere"))
    content = Content(RAW, structure=structure)
    assert calls == []
    assert content.structure is content.structure is part
    assert calls == [1]
    assert Content(RAW, structure=part).structure is part


def test_the_envelope() -> None:
    envelope = Envelope("a@example.com", ("b@example.com",), "192.0.2.1", "client.example.com", "a")
    assert Content(RAW, envelope=envelope).envelope is envelope
    assert Content(RAW).envelope is None


# -- EngineType -----------------------------------------------------------------------------------------------------


def make(name: str, values: Mapping[str, Any]) -> Engine:
    raise NotImplementedError


VALID: dict[str, Any] = {"name": "e", "summary": "for tests", "pool": "IO", "options": (), "make": make}
OPTION = Option("o", TEXT, "", "")

INVALID: dict[str, dict[str, Any]] = {
    "no name": {"name": ""},
    "name in upper case": {"name": "Upper"},
    "name of two words": {"name": "a b"},
    "name that begins with a digit": {"name": "1st"},
    "name that is not a string": {"name": None},
    "no summary": {"summary": ""},
    "details that are not a string": {"details": None},
    "pool in lower case": {"pool": "io"},
    "pool of a site": {"pool": "MINE"},
    "list of options": {"options": [OPTION]},
    "names of options": {"options": ("daemon",)},
    "option twice": {"options": (OPTION, OPTION)},
    "name of a function": {"make": "make"},
    "variables that are not a function": {"variables": {}},
    "within one stanza": {"within": "antivirus"},
    "within nothing": {"within": ()},
    "action without the engine": {"action": "scan"},
    "action with the engine twice": {"action": "{}{}"},
    "action that is not a word": {"action": "{}-scan"},
    "action of an engine at the top level that is not a word": {"action": "acme-scan", "within": ("",)},
    "action that is not a string": {"action": None},
}


@pytest.mark.parametrize("case", INVALID)
def test_an_invalid_declaration(case: str, accepted: Accepted) -> None:
    EngineType(**VALID)
    with pytest.raises(TypeError) as caught:
        EngineType(**VALID | INVALID[case])
    accepted(str(caught.value))


@pytest.mark.parametrize(
    "valid",
    [
        {"name": "f-secure"},
        {"action": ""},
        {"action": "{}_scan"},
        {"within": ("",)},
        {"within": ("",), "action": "{}_scan"},
        {"within": ("",), "action": "acme_scan"},
    ],
    ids=str,
)
def test_a_valid_declaration(valid: dict[str, Any]) -> None:
    assert EngineType(**VALID | valid).cacheable


# -- variables ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "word", "info"),
    [
        (Status.INFECTED, "virus", "why"),
        (Status.SUSPICIOUS, "virus", "why"),
        (Status.ERROR, "error", "error: why"),
        (Status.ENCRYPTED, "unscannable", "why"),
        (Status.LIMITS, "unscannable", "why"),
    ],
)
def test_the_variables_of_a_verdict(status: Status, word: str, info: str) -> None:
    settings = EngineSettings(kind="e", instance="e1", context_variable="virus")
    assert status_variables("e", settings, Verdict("e", status, "why")) == {
        "e_info": info,
        "virus": word,
        "virus_info": info,
        "virus_class": str(status),
    }


@pytest.mark.parametrize("status", [Status.CLEAN, Status.SKIPPED])
def test_a_clean_message_sets_no_status(status: Status) -> None:
    settings = EngineSettings.defaults("e")
    assert status_variables("e", settings, Verdict("e", status, "why")) == {}
    assert status_variables("e", settings, Verdict("e", status, values={"score": "5"})) == {"score": "5"}


def test_an_engines_values_do_not_replace_its_status() -> None:
    verdict = Verdict("e", Status.INFECTED, "why", values={"e_status": "clean", "score": "5"})
    variables = status_variables("e", EngineSettings.defaults("e"), verdict)
    assert (variables["e_status"], variables["score"]) == ("virus", "5")


def test_the_names_of_an_engines_values() -> None:
    """They are known without an answer of the engine: a script of a user must not set them."""
    variables = value_variables("score", "class")
    settings = EngineSettings.defaults("e")
    assert variables("e", settings, Verdict("e", Status.CLEAN, values={"score": "5"})) == {"score": "5", "class": ""}
    assert variables("e", settings, Verdict("e", Status.SKIPPED)) == {}
    failed = Verdict("e", Status.ERROR, "why", values={"class": "x"})
    assert variables("e", settings, failed) == status_variables("e", settings, failed)


# -- LazyEngine -----------------------------------------------------------------------------------------------------


def test_an_engine_is_made_when_it_is_asked(eicar: bytes) -> None:
    engine = LazyEngine(EngineSettings.defaults("yara", active=False))
    verdict = engine.scan(Content(eicar, is_message=False), Deadline.after(30))
    assert (engine.name, verdict.status) == ("yara", Status.INFECTED)
    assert engine.version(Deadline.after(5)).startswith("yara-x ")
    assert engine.statistics.snapshot().viruses == 1
    assert engine.variables(verdict)["yara_status"] == "virus"
    assert engine.flush() == 1


def test_variables_do_not_make_an_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sieveav.scanning.assembling.assemble", lambda *_: pytest.fail("it is made"))
    engine = LazyEngine(EngineSettings.defaults("yara"))
    assert engine.variables(Verdict("yara", Status.INFECTED))["yara_status"] == "virus"


def test_an_engine_that_does_not_exist() -> None:
    engine = LazyEngine(EngineSettings.defaults("none"))
    with pytest.raises(ValueError, match="unknown engine none"):
        engine.version(Deadline.after(5))
