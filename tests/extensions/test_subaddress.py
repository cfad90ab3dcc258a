"""subaddress, RFC 5233."""

from __future__ import annotations

from typing import Any

import pytest
from support.sieve import Sieve

REQUIRE = 'require ["envelope", "subaddress", "fileinto"];'

# RFC 5233, 4
EXAMPLE = """
if envelope :user "to" "postmaster" { fileinto "inbox.postmaster"; stop; }
if envelope :detail "to" "mta-filters" { fileinto "inbox.ietf-mta-filters"; }
"""


@pytest.mark.parametrize(
    ("recipient", "actions"),
    [
        ("postmaster@example.com", ["fileinto inbox.postmaster"]),
        ("postmaster+mta-filters@example.com", ["fileinto inbox.postmaster"]),
        ("ken+mta-filters@example.com", ["fileinto inbox.ietf-mta-filters"]),
        ("ken@example.com", ["implicit keep"]),
    ],
)
def test_the_example(sieve: Sieve, recipient: str, actions: list[str]) -> None:
    assert sieve.actions(REQUIRE + EXAMPLE, recipient=recipient) == actions


@pytest.mark.parametrize(
    ("separator", "address", "user", "detail"),
    [
        ("+", "ken+sieve@example.org", "ken", "sieve"),
        ("+", "ken@example.org", "ken", None),
        ("+", "ken+@example.org", "ken", ""),
        ("+", "+sieve@example.org", "", "sieve"),
        ("+", "ken+a+b@example.org", "ken", "a+b"),
        ("+", '"ken+a b"@example.org', "ken", "a b"),
        ("+", "5551212#123@example.com", "5551212#123", None),
        ("#", "5551212#123@example.com", "5551212", "123"),
        # each of several characters is a separator
        ("+-", "ken+sieve-a@example.org", "ken", "sieve-a"),
        ("+-", "ken-sieve+a@example.org", "ken", "sieve+a"),
        ("+-", "ken@example.org", "ken", None),
        ("--", "ken--sieve@example.org", "ken", "-sieve"),
        ("", "ken+sieve@example.org", "ken+sieve", None),
        ("+", "nobody", None, None),
    ],
)
@pytest.mark.parametrize("test", ['address {} "to"', 'envelope {} "to"'])
def test_parts(sieve: Sieve, test: str, separator: str, address: str, user: str | None, detail: str | None) -> None:
    settings = {"subaddress": {"recipient_delimiter": separator}}
    for part, value in ((":user", user), (":detail", detail)):
        for key in {user, detail, "", "ken+sieve"} - {None}:
            asked = f'{test.format(part)} "{key}"'
            holds = sieve.holds(asked, f"To: {address}\n\n", recipient=address, require=REQUIRE, settings=settings)
            assert holds is (value == key), asked


def test_without_detail_no_pattern_matches(sieve: Sieve) -> None:
    """RFC 5233, 4: the address fails to match any of the keys."""
    assert not sieve.holds('envelope :detail :matches "to" "*"', require=REQUIRE)
    assert sieve.holds('envelope :user :matches "to" "*"', require=REQUIRE)


def test_the_null_sender_is_empty_in_every_part(sieve: Sieve) -> None:
    """RFC 5228, 5.4."""
    for part in (":user", ":detail"):
        assert sieve.holds(f'envelope {part} "from" ""', require=REQUIRE, sender="")


@pytest.mark.parametrize(
    ("test", "rule"),
    [
        ('address :user :detail "to" "x"', "tag-repeated"),
        ('address :user :localpart "to" "x"', "tag-repeated"),
        ('header :user "to" "x"', "tag-unknown"),
    ],
)
def test_problems(sieve: Sieve, test: str, rule: str) -> None:
    assert sieve.rules(f"{REQUIRE} if {test} {{ stop; }}") == [rule]


def test_the_parts_are_unknown_without_require(sieve: Sieve) -> None:
    (problem,) = sieve.check('if address :user "to" "x" { stop; }').problems
    assert (problem.rule, problem.hint) == ("tag-unknown", 'write: require "subaddress";')


def test_equal_subjects_are_one(sieve: Sieve) -> None:
    """A message computes a subject once, for all tests."""
    test = 'if address :detail "to" "x" { stop; }'
    steps: Any = sieve.program(f"{REQUIRE} {test} {test}").block.steps
    first, second = (step.arms[0][0].subject for step in steps)
    assert first is second
