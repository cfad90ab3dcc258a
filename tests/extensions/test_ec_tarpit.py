"""ec_tarpit: the reply to the client is delayed."""

from __future__ import annotations

import pytest
from support.accepting import Accepted
from support.outcomes import response
from support.sieve import Sieve

REQUIRE = 'require ["ec_action", "ec_tarpit", "reject"];'


@pytest.mark.parametrize(
    ("script", "delay"),
    [("keep;", 0), ("ec_tarpit 10;", 10), ("ec_tarpit 1; ec_tarpit 25; ec_tarpit 2;", 2), ("ec_tarpit 10; stop;", 10)],
)
def test_it_delays_the_acceptance(sieve: Sieve, script: str, delay: int) -> None:
    outcome = sieve.run(REQUIRE + script, phase="data")
    assert outcome.delay == delay
    assert outcome.keep
    assert outcome.answer is None


def test_it_delays_a_response(sieve: Sieve) -> None:
    outcome = sieve.run(f'{REQUIRE} ec_tarpit 10; ec_action 550 "no";', phase="mailfrom")
    assert (outcome.actions, outcome.delay, response(outcome).delay) == ((), 10, 10)


def test_it_delays_the_response_of_a_later_script(sieve: Sieve) -> None:
    before = sieve.run(f"{REQUIRE} ec_tarpit 10;", phase="data", implicit=False)
    assert sieve.run(f'{REQUIRE} ec_action 550 "no";', before=before, phase="spool").delay == 10
    assert sieve.run(f'{REQUIRE} reject "no";', before=before).delay == 10


def test_how_it_is_shown(sieve: Sieve) -> None:
    (action, _) = sieve.run(f"{REQUIRE} ec_tarpit 10;", phase="data").actions
    assert action.summary() == "ec_tarpit 10 s"
    shown = action.as_json()
    assert (shown["action"], shown["seconds"]) == ("ec_tarpit", 10)


@pytest.mark.parametrize(
    ("script", "rules"),
    [
        ("ec_tarpit 1;", []),
        ("ec_tarpit 25;", []),
        ("ec_tarpit 0;", ["delay-invalid"]),
        ("ec_tarpit 26;", ["delay-invalid"]),
        ("ec_tarpit 1K;", ["delay-invalid"]),
        ('ec_tarpit "10";', ["argument-type"]),
        ("ec_tarpit;", ["argument-missing"]),
        ('ec_tarpit 10 "x";', ["argument-surplus"]),
    ],
)
def test_problems(sieve: Sieve, accepted: Accepted, script: str, rules: list[str]) -> None:
    assert sieve.rules(REQUIRE + script, phase="data") == rules
    accepted(sieve.texts(REQUIRE + script, phase="data"))


@pytest.mark.parametrize("phase", ["connect", "ehlo", "mailfrom", "rcptto", "data", "spool"])
def test_the_site_may_delay_each_of_its_replies(sieve: Sieve, phase: str) -> None:
    assert sieve.rules(f"{REQUIRE} ec_tarpit 5;", phase=phase) == []


@pytest.mark.parametrize("phase", ["each_rcpt", "imap"])
def test_a_user_may_not(sieve: Sieve, phase: str) -> None:
    assert sieve.rules('require "ec_tarpit"; ec_tarpit 5;', phase=phase) == ["phase-invalid"]


def test_required_but_in_momentums_dialect(sieve: Sieve) -> None:
    assert sieve.rules("ec_tarpit 5;", phase="data") == ["word-unknown"]
    assert sieve.rules("ec_tarpit 5;", phase="data", dialect="momentum") == []
