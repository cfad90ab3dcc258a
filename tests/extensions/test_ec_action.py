"""ec_action: the SMTP response set by a script."""

from __future__ import annotations

import pytest
from support.accepting import Accepted
from support.outcomes import present, response
from support.sieve import Sieve

REQUIRE = 'require ["ec_action", "fileinto"];'


def test_it_ends_all_scripts_without_actions(sieve: Sieve) -> None:
    outcome = sieve.run(f'{REQUIRE} fileinto "x"; keep; ec_action 550 "no" "virus:rejected"; fileinto "y";')
    assert outcome.actions == ()
    assert outcome.ended
    assert not outcome.keep
    answer = response(outcome)
    assert answer.as_json() == {"code": 550, "enhanced": "5.7.1", "text": "no"}
    assert answer.counter == "virus:rejected"
    assert present(answer.place).line == 1


def test_it_drops_actions_of_earlier_scripts(sieve: Sieve) -> None:
    before = sieve.run(f'{REQUIRE} fileinto "x"; keep;')
    outcome = sieve.run(f'{REQUIRE} ec_action 451 "later";', before=before)
    assert outcome.actions == ()
    assert response(outcome).code == 451


@pytest.mark.parametrize(
    ("code", "text", "enhanced", "shown"),
    [
        (550, "no", "5.7.1", "no"),
        (451, "later", "4.7.1", "later"),
        (554, "5.6.0 odd content", "5.6.0", "odd content"),
        (421, "4.3.2 4.3.2", "4.3.2", "4.3.2"),
        (550, "5.999.123 x", "5.999.123", "x"),
        (550, "4.7.1 of another class", "5.7.1", "4.7.1 of another class"),
        (550, "5.7 short", "5.7.1", "5.7 short"),
        (550, "5.7.1.1 long", "5.7.1", "5.7.1.1 long"),
        (550, "5.7.1000 digits", "5.7.1", "5.7.1000 digits"),
        (550, "5.7.\u0661 digits of others", "5.7.1", "5.7.\u0661 digits of others"),
        (550, "x\x1b[31my\x7f\u202e", "5.7.1", "x[31my"),
        (400, "a", "4.7.1", "a"),
        (599, "a", "5.7.1", "a"),
    ],
)
def test_codes(sieve: Sieve, code: int, text: str, enhanced: str, shown: str) -> None:
    answer = response(sieve.run(f'{REQUIRE} ec_action {code} "{text}";'))
    assert (answer.code, answer.enhanced, answer.text, answer.counter) == (code, enhanced, shown, "")


def test_several_lines(sieve: Sieve) -> None:
    answer = response(sieve.run(f"{REQUIRE} ec_action 550 text:\n5.7.1 first\nsecond \n\nfourth\n.\n;"))
    assert answer.enhanced == "5.7.1"
    assert answer.text == "first\nsecond\n\nfourth"


def test_control_characters_from_variables_are_removed(sieve: Sieve) -> None:
    script = 'require ["ec_action", "variables"]; if header :matches "x" "*" { ec_action 550 "no: ${1}"; }'
    answer = response(sieve.run(script, "X: a\n b\x00\x1b[0m\x07 c\n\n"))
    assert answer.text == "no: a b[0m c"


@pytest.mark.parametrize(
    ("script", "rules"),
    [
        ('ec_action 250 "ok";', ["code-invalid"]),
        ('ec_action 399 "x";', ["code-invalid"]),
        ('ec_action 600 "x";', ["code-invalid"]),
        ('ec_action 0 "x";', ["code-invalid"]),
        ('ec_action 550 "";', ["reason-empty"]),
        ('ec_action 450 "5.7.1 mismatch";', ["enhanced-code-mismatch"]),
        ('ec_action 550 "2.0.0";', ["enhanced-code-mismatch"]),
        ("ec_action 550 text:\n4.7.1\nx\n.\n;", ["enhanced-code-mismatch"]),
        ('ec_action 250 "5.7.1 x";', ["code-invalid"]),
        ('ec_action 450 "5.7.1.1 no code";', []),
        ('ec_action 450 "10.7.1 no code";', []),
        ('ec_action 450 "4.7.1 x";', []),
        ('ec_action 550 "nö";', ["reason-not-ascii"]),
        ("ec_action 550;", ["argument-missing"]),
        ('ec_action "550" "x";', ["argument-type"]),
        ('ec_action 550 "x" "y" "z";', ["argument-surplus"]),
        ('ec_action 550 "x" 5;', ["argument-type"]),
        ('ec_action :copy 550 "x";', ["tag-unknown"]),
    ],
)
def test_problems(sieve: Sieve, accepted: Accepted, script: str, rules: list[str]) -> None:
    assert sieve.rules(REQUIRE + script) == rules
    accepted(sieve.texts(REQUIRE + script))


@pytest.mark.parametrize(("text", "severity"), [(" ", "warning"), ("4.7.1 x", "warning"), ("nö", "advice")])
def test_these_are_not_errors(sieve: Sieve, text: str, severity: str) -> None:
    checked = sieve.check(f'{REQUIRE} ec_action 550 "{text}";')
    assert [str(problem.severity) for problem in checked.problems] == [severity]
    assert checked.program is not None


@pytest.mark.parametrize(("code", "hint"), [(250, "discard"), (354, "4xx")])
def test_hints(sieve: Sieve, code: int, hint: str) -> None:
    (problem,) = sieve.check(f'{REQUIRE} ec_action {code} "x";').problems
    assert hint in problem.hint


@pytest.mark.parametrize(
    ("phase", "rules"), [("data", []), ("spool", []), ("each_rcpt", []), ("mailfrom", []), ("imap", ["phase-invalid"])]
)
def test_phases(sieve: Sieve, phase: str, rules: list[str]) -> None:
    assert sieve.rules('require "ec_action"; ec_action 550 "x";', phase=phase) == rules


def test_required_but_in_momentums_dialect(sieve: Sieve) -> None:
    assert sieve.rules('ec_action 550 "x";') == ["word-unknown"]
    assert sieve.rules('ec_action 550 "x";', dialect="momentum") == []


# ---- ec_disconnect

DISCONNECT = 'require ["ec_disconnect", "fileinto"];'


def test_disconnect(sieve: Sieve) -> None:
    outcome = sieve.run(f'{DISCONNECT} fileinto "x"; ec_disconnect "4.7.0 go\r\naway" "gone"; fileinto "y";')
    assert (outcome.actions, outcome.ended, outcome.keep) == ((), True, False)
    answer = response(outcome)
    assert answer.as_json() == {"code": 421, "enhanced": "4.7.0", "text": "go\naway", "disconnect": True}
    assert answer.counter == "gone"


@pytest.mark.parametrize(
    ("script", "rules"),
    [
        ('ec_disconnect "go";', []),
        ('ec_disconnect "";', ["reason-empty"]),
        ('ec_disconnect "5.7.1 go";', ["enhanced-code-mismatch"]),
        ('ec_disconnect "n\u00f6";', ["reason-not-ascii"]),
        ('ec_disconnect 421 "go";', ["argument-type"]),
        ("ec_disconnect;", ["argument-missing"]),
    ],
)
def test_problems_of_disconnect(sieve: Sieve, accepted: Accepted, script: str, rules: list[str]) -> None:
    assert sieve.rules(DISCONNECT + script) == rules
    accepted(sieve.texts(DISCONNECT + script))


@pytest.mark.parametrize(("phase", "rules"), [("connect", []), ("each_rcpt", []), ("imap", ["phase-invalid"])])
def test_phases_of_disconnect(sieve: Sieve, phase: str, rules: list[str]) -> None:
    assert sieve.rules('require "ec_disconnect"; ec_disconnect "x";', phase=phase) == rules
