"""RFC 5228, 2.7.3: the comparators that need no require but allow it."""

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
def test_with_and_without_require(sieve: Sieve, require: str, comparator: str, key: str, holds: bool) -> None:
    assert sieve.holds(f'header :comparator "{comparator}" "subject" "{key}"', require=require) is holds


def test_the_comparator_in_an_example_of_the_rfc_does_not_exist(sieve: Sieve) -> None:
    assert sieve.places('require "comparator-elbonia";\nkeep;') == ["require-unknown 1:9"]
