"""RFC 5228, 2.7.3: the comparators that need no require, and may have one."""

from __future__ import annotations

import pytest
from support.sieve import Sieve


@pytest.mark.parametrize("require", ["", 'require ["comparator-i;octet", "comparator-i;ascii-casemap"];'])
@pytest.mark.parametrize(
    ("comparator", "key", "holds"),
    [
        ("i;octet", "Hello", True),
        ("i;octet", "hello", False),
        ("i;ascii-casemap", "hELLO", True),
        ("I;ASCII-Casemap", "hELLO", True),
    ],
)
def test_always_there(sieve: Sieve, require: str, comparator: str, key: str, holds: bool) -> None:
    assert sieve.holds(f'header :comparator "{comparator}" "subject" "{key}"', require=require) is holds


def test_the_comparator_of_the_rfc_that_nobody_has(sieve: Sieve) -> None:
    problems = sieve.problems('require "comparator-elbonia";\nkeep;')
    assert problems == ['require-unknown 1:9 there is no capability "comparator-elbonia"']
