"""brightmail and beik: verdicts for each recipient, by programs that pretend to be linked with the vendor's kits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import kits

from sieveav.engines import beik, brightmail
from sieveav.running.message import Message
from sieveav.scanning.contract import Content, Deadline, Engine, EngineType, Envelope
from sieveav.scanning.settings import EngineSettings
from sieveav.site.deciding import decide
from sieveav.site.site import load
from sieveav.site.transaction import Transaction
from sieveav.verdict import Status, Verdict

ENVELOPE = Envelope("s@example.com", ("a@example.org", "b@example.org"))

SCAN = """
to = asked["envelope"]["recipients"]
spam = dict(verdict="spam", is_default="false", rules="4711,4712", tracker="AAAA")
say(asked, status="clean", values=dict(spam, verdict="inbox", is_default="true", rules=""), recipients={to[0]: spam})
"""
"""The first recipient gets spam, the others what is in their inbox."""


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    with kits.nothing_left():
        yield


def made(kind: EngineType, command: tuple[str, ...], **values: Any) -> Engine:
    defaults = {option.name: option.default for option in kind.options}
    return kind.make(kind.name, {"file_base": None, **defaults, "command": command, **values})


def scanned(kind: EngineType, command: tuple[str, ...], raw: bytes = b"x", **values: Any) -> Verdict:
    return made(kind, command, **values).scan(Content(raw, envelope=ENVELOPE), Deadline.after(20))


@pytest.mark.parametrize("kind", [brightmail.engine, beik.engine], ids=lambda kind: kind.name)
def test_each_recipient_has_a_verdict(tmp_path: Path, kind: EngineType) -> None:
    verdict = scanned(kind, kits.write(tmp_path, SCAN))
    assert verdict.status is Status.CLEAN
    settings = EngineSettings.defaults(kind.name)
    variables = [kind.variables(kind.name, settings, verdict.for_recipient(to)) for to in ENVELOPE.recipients]
    assert variables == [
        {
            f"{kind.name}_verdict": "spam",
            f"{kind.name}_is_default": "false",
            f"{kind.name}_rules": "4711,4712",
            f"{kind.name}_tracker": "AAAA",
        },
        {
            f"{kind.name}_verdict": "inbox",
            f"{kind.name}_is_default": "true",
            f"{kind.name}_rules": "",
            f"{kind.name}_tracker": "AAAA",
        },
    ]


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"values": {"verdict": "spam", "is_default": "false", "rules": ""}},
        {
            "recipients": {
                "a@example.org": {"verdict": "inbox", "is_default": "true", "rules": "", "tracker": ""},
            }
        },
        {"values": {"tracker": ""}, "recipients": {"a@example.org": {}, "b@example.org": {}}},
    ],
)
def test_an_answer_that_lacks_a_recipient_is_an_error(tmp_path: Path, answer: Any) -> None:
    command = kits.write(tmp_path, f"say(asked, **json.loads({json.dumps({'status': 'clean', **answer})!r}))")
    assert scanned(brightmail.engine, command).status is Status.ERROR


def test_an_error_of_the_kit(tmp_path: Path) -> None:
    verdict = scanned(brightmail.engine, kits.write(tmp_path, "say(asked, status='error', info='no server')"))
    variables = brightmail.engine.variables("brightmail", EngineSettings.defaults("brightmail"), verdict)
    assert list(variables) == ["brightmail::error"]
    assert variables["brightmail::error"].endswith("no server")


def test_the_prefix_of_its_variables() -> None:
    settings = EngineSettings(kind="brightmail", instance="b", options={"sieve_prefix": "bmi"})
    values = dict.fromkeys(brightmail.VALUES, "x")
    clean = Verdict("brightmail", Status.CLEAN, values=values)
    names = {"bmi_verdict", "bmi_is_default", "bmi_rules", "bmi_tracker"}
    assert brightmail.engine.variables("brightmail", settings, clean).keys() == names
    error = Verdict("brightmail", Status.ERROR)
    assert brightmail.engine.variables("brightmail", settings, error) == {"bmi::error": "error"}
    assert brightmail.engine.variables("brightmail", settings, Verdict("brightmail", Status.SKIPPED)) == {}


def test_a_large_content_is_not_sent(tmp_path: Path) -> None:
    command = kits.write(tmp_path, SCAN)
    assert scanned(brightmail.engine, command, b"x" * 10, max_size=10).status is Status.CLEAN
    verdict = scanned(brightmail.engine, command, b"x" * 11, max_size=10)
    assert (verdict.status, verdict.info) == (Status.LIMITS, "more than 10 octets")


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        (
            brightmail.engine,
            {"server": "192.0.2.1", "idle_timeout": 60.0},
            {"server": "192.0.2.1", "idle_timeout": 60.0, "max_messages_per_connection": 0, "max_tries": 0},
        ),
        (beik.engine, {"bmiconfig_path": Path("/etc/bmi")}, {"bmiconfig_path": "/etc/bmi", "header_padding": 512}),
    ],
)
def test_the_options_that_the_kit_gets(tmp_path: Path, kind: EngineType, values: Any, expected: Any) -> None:
    version = f"open({str(tmp_path / 'told')!r}, 'w').write(json.dumps(asked['options'])); say(asked, version='1')"
    assert scanned(kind, kits.write(tmp_path, SCAN, version=version), **values).status is Status.CLEAN
    assert json.loads((tmp_path / "told").read_text()) == expected


SITE = """
{kind} "{kind}1" {{ command = ( {command} ) {options} }}
sieve "s" {{ script "each_rcpt_phase1" {{ source = "policy.siv" }} }}
"""


@pytest.mark.parametrize(
    ("kind", "action", "options"),
    [("brightmail", "brightmail_scanner", "enabled = false num_workers = 2"), ("beik", "beik_scan", "")],
)
def test_a_site_that_refuses_spam_for_one_recipient(tmp_path: Path, kind: str, action: str, options: str) -> None:
    command = " ".join(f'"{argument}"' for argument in kits.write(tmp_path, SCAN))
    policy = f'{action}; if vctx :is "{kind}_verdict" "spam" {{ ec_action 550 "5.7.1 spam"; stop; }} keep;'
    (tmp_path / "policy.siv").write_text(policy)
    (tmp_path / "site.conf").write_text(SITE.format(kind=kind, command=command, options=options))
    site = load(tmp_path / "site.conf")
    assert not site.scanners[0].settings.active
    message = Message(b"Subject: x\r\n\r\nhello\r\n")
    decision = decide(site, Transaction(message, ENVELOPE.sender, ENVELOPE.recipients))
    codes = [each.outcome.response and each.outcome.response.code for each in decision.recipients]
    assert codes == [550, None]


def test_beik_is_passive(tmp_path: Path) -> None:
    """Whatever the configuration says."""
    options = {option.name: option for option in beik.engine.options}
    assert (options["enabled"].default, options["enabled"].value("off")) == (False, False)
    with pytest.raises(ValueError, match="always passive"):
        options["enabled"].value("true")
    command = " ".join(f'"{argument}"' for argument in kits.write(tmp_path, SCAN))
    (tmp_path / "policy.siv").write_text("keep;")
    (tmp_path / "site.conf").write_text(SITE.format(kind="beik", command=command, options="enabled = true"))
    with pytest.raises(Exception, match="always passive"):
        load(tmp_path / "site.conf")
