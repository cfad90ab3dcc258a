"""i;ascii-numeric, RFC 4790, 9.1."""

from __future__ import annotations

import pytest
from support.sieve import Sieve
from support.timing import assert_linear

REQUIRE = 'require ["comparator-i;ascii-numeric", "relational"];'
NUMERIC = ':comparator "i;ascii-numeric"'


def message(value: str) -> str:
    return f"X: {value}\n\n"


@pytest.mark.parametrize(
    ("value", "key", "holds"),
    [
        ("4294967298", "04294967298", True),  # RFC 4790, 9.1.1: the examples
        ("4294967298", "4294967298b", True),
        ("04294967298", "4294967298b", True),
        ("", "x", True),
        ("x", "y", True),
        ("0", "1", False),
        ("0", "000", True),
        ("0", "", False),
        ("0x", "0", True),
        ("-1", "x", True),  # a sign does not begin a number
        ("3.7", "3", True),
        ("\u0663", "3", False),  # digits are those of US-ASCII
        ("9" * 5000, "9" * 5000, True),  # of any size
        ("9" * 5000, "9" * 4999, False),
    ],
)
def test_equality(sieve: Sieve, value: str, key: str, holds: bool) -> None:
    assert sieve.holds(f'header {NUMERIC} "x" "{key}"', message(value), require=REQUIRE) is holds


@pytest.mark.parametrize(
    ("less", "more"),
    [
        ("0", "1"),  # RFC 4790, 9.1.1
        ("1", "4294967298"),
        ("04294967298", ""),
        ("9", "10"),
        ("0099", "100"),
        ("7 points", "8"),
        ("9" * 5000, "x"),
    ],
)
def test_order(sieve: Sieve, less: str, more: str) -> None:
    assert sieve.holds(f'header :value "lt" {NUMERIC} "x" "{more}"', message(less), require=REQUIRE)
    assert sieve.holds(f'header :value "gt" {NUMERIC} "x" "{less}"', message(more), require=REQUIRE)
    assert not sieve.holds(f'header :value "ge" {NUMERIC} "x" "{more}"', message(less), require=REQUIRE)


@pytest.mark.parametrize("match", [":contains", ":matches"])
def test_it_does_not_compare_substrings(sieve: Sieve, match: str) -> None:
    assert sieve.rules(f'{REQUIRE} if header {match} {NUMERIC} "x" "1" {{ stop; }}') == ["comparator-unfit"]


def test_without_require_it_is_unknown(sieve: Sieve) -> None:
    (problem,) = sieve.check(f'if header {NUMERIC} "x" "1" {{ stop; }}').problems
    assert (problem.rule, problem.hint) == ("comparator-unknown", 'write: require "comparator-i;ascii-numeric";')


def test_a_long_number_takes_linear_time(sieve: Sieve) -> None:
    def compare(digits: int) -> None:
        value = "0" * (digits // 2) + "9" * (digits // 2)
        assert sieve.holds(f'header :value "gt" {NUMERIC} "x" "1"', message(value), require=REQUIRE)

    assert_linear(compare, 150_000)
