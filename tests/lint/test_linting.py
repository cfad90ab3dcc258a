"""Findings: the checker's problems, and the linter's own advice on addresses."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.sieve import Sieve

from sieveav.language.problems import Problem, Severity
from sieveav.lint.linting import findings
from sieveav.site.site import embedded


@pytest.fixture
def lint(sieve: Sieve) -> Any:
    """The findings on a script."""

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
def test_nothing_is_said_of_usual_addresses(lint: Any, address: str) -> None:
    assert lint(f'redirect "{address}";') == []


@pytest.mark.parametrize(
    "address", ["root@localhost", "a@[192.0.2.1]", "a@test", "a@x_y.example.com", "\U0001f600@\U0001f600.org"]
)
def test_advice_on_addresses_that_others_may_refuse(lint: Any, address: str) -> None:
    (found,) = lint(f'redirect "{address}";')
    assert (found.rule, found.severity) == ("address-advice", Severity.ADVICE)
    assert found.span == (9, 11 + len(address))


def test_a_more_usual_form(lint: Any) -> None:
    (found,) = lint('redirect "a@xn--bcher-kva.example";')
    assert (found.rule, found.hint) == ("address-advice", "write a@b\u00fccher.example")


def test_an_error_is_said_once(lint: Any) -> None:
    (found,) = lint('redirect "nobody";')
    assert (found.rule, found.severity) == ("address-invalid", Severity.ERROR)


def test_what_is_known_only_while_running_is_left_alone(lint: Any) -> None:
    assert lint('require "variables"; redirect "${localpart}@localhost";') == []


def test_deep_in_a_script_and_in_order_of_place(lint: Any) -> None:
    found = lint('if true { if not false { redirect "a@test"; } } elsif true { redirect "b@test"; } else { kep; }')
    assert [problem.rule for problem in found] == ["address-advice", "address-advice", "word-unknown"]
    assert [problem.span.start for problem in found] == sorted(problem.span.start for problem in found)


LETTERS = st.text(st.characters(exclude_characters='"\\\r\n\x00', exclude_categories=["Cs"]), max_size=12)


@settings(max_examples=200, deadline=None)
@given(local=LETTERS, domain=LETTERS, prefix=st.sampled_from(["", "xn--", "[", "."]))
def test_any_address_gives_findings(local: str, domain: str, prefix: str) -> None:
    from sieveav.language.checking import check

    script = f'redirect "{local}@{prefix}{domain}";'.encode()
    for found in findings(check(script, "any", embedded().vocabulary())):
        assert found.message
