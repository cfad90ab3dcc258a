"""All problems of a script: the checker's and those of the lint rules; and the rule on addresses."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.sieve import Sieve

from sieveav import limits
from sieveav.language.checking import check
from sieveav.language.problems import Problem, Severity
from sieveav.lint.linting import findings
from sieveav.site.site import embedded

Lint = Callable[[str], list[Problem]]


@pytest.fixture
def lint(sieve: Sieve) -> Lint:
    """All problems of a script."""

    def lint(script: str) -> list[Problem]:
        return findings(sieve.check(script))

    return lint


@pytest.mark.parametrize(
    "address",
    [
        "alice@example.com",
        "Alice <alice@example.com>",
        "a+b@example.com",
        "\u00e4@b\u00fccher.example",
        "A@EXAMPLE.COM",
    ],
)
def test_usual_addresses_are_not_reported(lint: Lint, address: str) -> None:
    assert lint(f'redirect "{address}";') == []


@pytest.mark.parametrize(
    "address", ["root@localhost", "a@[192.0.2.1]", "a@test", "a@x_y.example.com", "\U0001f600@\U0001f600.org"]
)
def test_advice_on_addresses_that_others_may_refuse(lint: Lint, address: str) -> None:
    (problem,) = lint(f'redirect "{address}";')
    assert (problem.rule, problem.severity) == ("address-advice", Severity.ADVICE)
    assert problem.span == (9, 11 + len(address))


def test_a_more_usual_form(lint: Lint) -> None:
    (problem,) = lint('redirect "a@xn--bcher-kva.example";')
    assert (problem.rule, problem.hint) == ("address-advice", "write a@b\u00fccher.example")


def test_an_error_is_reported_once(lint: Lint) -> None:
    (problem,) = lint('redirect "nobody";')
    assert (problem.rule, problem.severity) == ("address-invalid", Severity.ERROR)


def test_a_string_with_variables_is_not_reported(lint: Lint) -> None:
    assert lint('require "variables"; redirect "${localpart}@localhost";') == []


def test_deep_in_a_script_and_in_order_of_place(lint: Lint) -> None:
    problems = lint('if true { if not false { redirect "a@test"; } } elsif true { redirect "b@test"; } else { kep; }')
    assert [problem.rule for problem in problems] == ["address-advice", "address-advice", "word-unknown"]
    assert [problem.span.start for problem in problems] == sorted(problem.span.start for problem in problems)


LETTERS = st.text(st.characters(exclude_characters='"\\\r\n\x00', exclude_categories=["Cs"]), max_size=12)


@settings(max_examples=200, deadline=None)
@given(local=LETTERS, domain=LETTERS, prefix=st.sampled_from(["", "xn--", "[", "."]))
def test_no_address_makes_a_rule_fail(local: str, domain: str, prefix: str) -> None:
    script = f'redirect "{local}@{prefix}{domain}";'.encode()
    problems = findings(check(script, "any", embedded().vocabulary()))
    assert {problem.rule for problem in problems} <= {"address-advice", "address-invalid", "encoding-invalid"}


def test_bounded_as_a_script_to_lint() -> None:
    script = b"if true { keep; }\n" * limits.SCRIPT_WORDS
    assert [problem.rule for problem in findings(check(script, "any", embedded().vocabulary()))] == ["script-too-long"]
    checked = check(script, "any", embedded().vocabulary(), limits.TO_LINT)
    assert findings(checked) == []
