"""The options that every engine takes: declared once, and complete everywhere."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from sieveav.engines import clamav, yara
from sieveav.options import TEXT, Option
from sieveav.scanning.contract import EngineType
from sieveav.scanning.settings import COMMON, GLOBAL, EngineSettings, options_of
from sieveav.verdict import FOUND, UNSCANNABLE, Status


def test_the_common_options() -> None:
    assert sorted(option.name for option in COMMON) == [
        "action", "cache_size", "context_variable", "debug_level", "enabled", "encrypted", "error", "error_code", "file_base",
        "infected", "limits", "macro", "max_concurrency", "mime_decompose", "paranoid", "pool", "replace_text",
        "skip_context_variable",
        "suspicious", "timeout", "unscannable", "use_wire_rep",
    ]  # fmt: skip
    assert [option.name for option in GLOBAL] == ["enabled", "debug_level"]
    assert all(option.meaning for option in COMMON)


def test_every_setting_but_three_is_an_option() -> None:
    names = {field.name for field in fields(EngineSettings)} - {"kind", "instance", "options"}
    assert {"enabled" if name == "active" else name for name in names} == {option.name for option in COMMON}


def test_defaults_are_those_of_the_options() -> None:
    settings = EngineSettings.defaults("clamav", active=False)
    assert (settings.kind, settings.instance, settings.active) == ("clamav", "clamav", False)
    assert settings.context_variable == "clamav_status"
    values = {option.name: option.default for option in COMMON}
    assert settings.common() == values | {"enabled": False, "context_variable": "clamav_status"}


@pytest.mark.parametrize(
    ("settings", "status", "policy"),
    [
        ({}, Status.INFECTED, "pass"),
        ({"action": "reject"}, Status.INFECTED, "reject"),
        ({"action": "reject"}, Status.ENCRYPTED, "reject"),
        ({"action": "reject"}, Status.ERROR, "tempfail"),
        ({"action": "reject"}, Status.CLEAN, "pass"),
        ({"action": "reject"}, Status.SKIPPED, "pass"),
        ({"action": "reject", "macro": "pass"}, Status.MACRO, "pass"),
        ({"encrypted": "tempfail"}, Status.ENCRYPTED, "tempfail"),
        ({"encrypted": "tempfail"}, Status.LIMITS, "pass"),
        ({"error": "tempfail"}, Status.ERROR, "tempfail"),
        *(({str(status): "reject"}, status, "reject") for status in FOUND | UNSCANNABLE | {Status.ERROR}),
    ],
)
def test_policy(settings: dict[str, Any], status: Status, policy: str) -> None:
    assert replace(EngineSettings.defaults("yara"), **settings).policy(status) == policy


def test_settings_of_all_values() -> None:
    values = {option.name: option.default for option in options_of(yara.engine)}
    settings = EngineSettings.of(yara.engine, "y", values)
    assert settings == EngineSettings(
        kind="yara",
        instance="y",
        context_variable="yara_status",
        pool="CPU",
        options={option.name: option.default for option in yara.engine.options},
    )
    assert not EngineSettings.of(yara.engine, "y", values, globally_enabled=False).active
    assert not EngineSettings.of(yara.engine, "y", values | {"enabled": False}).active


def test_the_options_of_a_type() -> None:
    options = {option.name: option for option in options_of(clamav.engine)}
    assert (options["pool"].default, options["context_variable"].default) == ("IO", "clamav_status")
    assert "3310" in options["daemon"].meaning
    own = Option("timeout", TEXT, "x", "its own")
    kind = EngineType("mine", "for tests", "CPU", (own,), clamav.engine.make)
    assert {option.name: option for option in options_of(kind)}["timeout"] is own


def test_a_permanent_error_code_has_a_warning() -> None:
    option = next(option for option in COMMON if option.name == "error_code")
    assert option.warn is not None
    assert option.warn(451) == ""
    assert "554" in option.warn(554)
