"""vnd.sieveav.quarantine: a message is accepted and held."""

from __future__ import annotations

import pytest
from support.accepting import Accepted
from support.sieve import Sieve

REQUIRE = 'require ["vnd.sieveav.quarantine", "ereject", "fileinto", "vacation"];'
HOLD = f'{REQUIRE} quarantine "odd attachment";'


def test_it_holds_the_message_and_keeps_it(sieve: Sieve) -> None:
    outcome = sieve.run(HOLD, phase="data")
    assert (outcome.quarantine, outcome.keep, outcome.answer) == ("odd attachment", True, None)
    assert sieve.run("keep;", phase="data").quarantine is None


@pytest.mark.parametrize(
    ("script", "actions"),
    [
        ("keep;", ["quarantine", "keep"]),
        ('fileinto "Junk";', ["quarantine", "fileinto"]),
        ("discard;", ["quarantine", "discard"]),
        ("stop;", ["quarantine", "keep"]),
    ],
)
def test_a_recipients_script_goes_on(sieve: Sieve, script: str, actions: list[str]) -> None:
    """What it decides happens after the release."""
    before = sieve.run(HOLD, phase="data", implicit=False)
    outcome = sieve.run(REQUIRE + script, before=before)
    assert [action.name for action in outcome.actions] == actions
    assert outcome.quarantine == "odd attachment"


def test_a_refusal_takes_precedence(sieve: Sieve) -> None:
    before = sieve.run(HOLD, phase="data", implicit=False)
    assert sieve.run(f'{REQUIRE} ereject "no";', before=before).answer is not None


def test_it_holds_once(sieve: Sieve) -> None:
    outcome = sieve.run(f'{HOLD} quarantine "again";', phase="data")
    assert outcome.quarantine == "again"
    assert [action.name for action in outcome.actions] == ["quarantine", "keep"]


def test_the_reason_is_printable_and_short(sieve: Sieve) -> None:
    script = f'{REQUIRE} quarantine "a\r\nb\u2028{"c" * 300}";'
    (action, _) = sieve.run(script, phase="data").actions
    assert action.as_json()["reason"] == "ab" + "c" * 198


def test_how_it_is_shown(sieve: Sieve) -> None:
    (action, _) = sieve.run(HOLD, phase="spool").actions
    assert action.summary() == "quarantine: odd attachment"
    shown = action.as_json()
    assert (shown["action"], shown["reason"]) == ("quarantine", "odd attachment")


@pytest.mark.parametrize(
    ("script", "rules"),
    [
        ('quarantine "x";', []),
        ('quarantine "";', ["reason-invalid"]),
        ('quarantine "\u00e9";', ["reason-invalid"]),
        ("quarantine;", ["argument-missing"]),
        ("quarantine 5;", ["argument-type"]),
    ],
)
def test_problems(sieve: Sieve, accepted: Accepted, script: str, rules: list[str]) -> None:
    assert sieve.rules(REQUIRE + script, phase="data") == rules
    accepted(sieve.texts(REQUIRE + script, phase="data"))


@pytest.mark.parametrize("phase", ["connect", "ehlo", "mailfrom", "rcptto", "each_rcpt", "imap"])
def test_only_for_all_recipients_of_a_message(sieve: Sieve, phase: str) -> None:
    script = 'require "vnd.sieveav.quarantine"; quarantine "x";'
    assert sieve.rules(script, phase=phase) == ["phase-invalid"]
