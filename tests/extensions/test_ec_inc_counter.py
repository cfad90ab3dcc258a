"""ec_inc_counter: a message is counted."""

from __future__ import annotations

import pytest
from support.accepting import Accepted
from support.outcomes import effects
from support.sieve import Sieve

from sieveav.running.effects import Count

REQUIRE = 'require ["ec_action", "ec_inc_counter", "variables"];'


def counters(sieve: Sieve, script: str, message: str = "Subject: x\n\n") -> list[str]:
    return [count.counter for count in effects(sieve.run(REQUIRE + script, message), Count)]


def test_it_counts_and_keeps(sieve: Sieve) -> None:
    script = 'ec_inc_counter "a:b c"; ec_inc_counter "other"; ec_inc_counter "a:b c";'
    assert counters(sieve, script) == ["a:b c", "other"]
    assert sieve.actions(REQUIRE + script)[-1] == "implicit keep"


def test_a_response_drops_it(sieve: Sieve) -> None:
    assert counters(sieve, 'ec_inc_counter "a"; ec_action 550 "no" "b";') == []


@pytest.mark.parametrize(
    ("subject", "name"),
    [("x\x07\x1b[31my", "x[31my"), ("x" * 100, "x" * 64), ("caf\u00e9", "caf")],
)
def test_a_name_from_a_message(sieve: Sieve, subject: str, name: str) -> None:
    script = 'if header :matches "subject" "*" { ec_inc_counter "${1}"; }'
    assert counters(sieve, script, f"Subject: {subject}\n\n") == [name]


def test_an_empty_name_from_a_message(sieve: Sieve) -> None:
    script = f'{REQUIRE} if header :matches "subject" "*" {{ ec_inc_counter "${{1}}"; }}'
    assert sieve.actions(script, "Subject: \u00e9\n\n")[0] == "implicit keep"
    assert "counter name is empty" in sieve.actions(script, "Subject: \u00e9\n\n")[1]


@pytest.mark.parametrize(
    ("script", "rules"),
    [
        ('ec_inc_counter "a";', []),
        ('ec_inc_counter "";', ["counter-invalid"]),
        ('ec_inc_counter "\u00e9";', ["counter-invalid"]),
        ("ec_inc_counter;", ["argument-missing"]),
        ("ec_inc_counter 1;", ["argument-type"]),
        ('ec_inc_counter "a" 2;', ["argument-surplus"]),
    ],
)
def test_problems(sieve: Sieve, accepted: Accepted, script: str, rules: list[str]) -> None:
    assert sieve.rules(REQUIRE + script) == rules
    accepted(sieve.texts(REQUIRE + script))


@pytest.mark.parametrize(("phase", "rules"), [("connect", []), ("data", []), ("imap", ["phase-invalid"])])
def test_phases(sieve: Sieve, phase: str, rules: list[str]) -> None:
    assert sieve.rules('require "ec_inc_counter"; ec_inc_counter "a";', phase=phase) == rules
