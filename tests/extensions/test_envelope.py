"""RFC 5228, 5.4."""

from __future__ import annotations

import pytest
from support.sieve import Sieve

REQUIRE = 'require "envelope";'


@pytest.mark.parametrize(
    ("test", "sender", "holds"),
    [
        ('envelope :all :is "from" "tim@example.com"', "tim@example.com", True),  # RFC 5228, 5.4: the example
        ('envelope "from" "TIM@example.COM"', "tim@example.com", True),
        ('envelope :comparator "i;octet" "from" "TIM@example.com"', "tim@example.com", False),
        ('envelope :localpart "from" "tim"', "tim@example.com", True),
        ('envelope :domain :contains "FROM" "example"', "tim@example.com", True),
        ('envelope "from" "tim@example.com"', "<tim@example.com>", True),
        ('envelope ["to", "from"] "tim@example.com"', "tim@example.com", True),
        ('envelope ["to", "from"] "alice@example.com"', "tim@example.com", True),
        ('envelope ["to", "from"] ["x", "y"]', "tim@example.com", False),
        ('envelope :matches "from" "*@example.com"', "tim@example.com", True),
        ('envelope :localpart "from" "a b"', '"a b"@example.com', True),
        # source routes are dropped
        ('envelope "from" "tim@example.com"', "@a.example,@b.example:tim@example.com", True),
        ('envelope :domain "from" "a.example"', "@a.example:tim@example.com", False),
        # RFC 5228, 2.7.4: what is no address is matched only as a whole
        ('envelope "from" "no address"', "no address", True),
        ('envelope :localpart :matches "from" "*"', "no address", False),
        ('envelope :domain :matches "from" "*"', "no address", False),
        ('envelope :localpart "from" "postmaster"', "Postmaster", True),
        ('envelope :domain :matches "from" "*"', "Postmaster", False),
    ],
)
def test_envelope(sieve: Sieve, test: str, sender: str, holds: bool) -> None:
    assert sieve.holds(test, sender=sender, require=REQUIRE) is holds


@pytest.mark.parametrize("part", ["", ":all", ":localpart", ":domain"])
@pytest.mark.parametrize("sender", ["", "<>"])
def test_the_null_sender_is_empty_in_every_part(sieve: Sieve, part: str, sender: str) -> None:
    assert sieve.holds(f'envelope {part} "from" ""', sender=sender, require=REQUIRE)
    assert not sieve.holds(f'envelope {part} "from" "bob"', sender=sender, require=REQUIRE)


@pytest.mark.parametrize("part", ["from", "to"])
def test_it_captures(sieve: Sieve, part: str) -> None:
    script = (
        f'require "variables"; {REQUIRE} if envelope :matches "{part}" "*@*" {{ redirect "${{2}}@${{1}}.example"; }}'
    )
    assert sieve.actions(script, sender="Bob@x.y", recipient="Bob@x.y") == ["redirect x.y@Bob.example"]


@pytest.mark.parametrize(
    ("test", "hint"),
    [
        ('envelope "form" "x"', "from"),
        ('envelope ["from", "tu"] "x"', "to"),
        ('envelope "cc" "x"', "from, to"),
    ],
)
def test_an_unknown_part_is_an_error(sieve: Sieve, test: str, hint: str) -> None:
    (problem,) = sieve.check(f"{REQUIRE} if {test} {{ stop; }}").problems
    assert problem.rule == "envelope-part-unknown"
    assert hint in problem.hint


def test_a_part_that_a_variable_names(sieve: Sieve) -> None:
    script = REQUIRE + ' require "variables"; set "p" "%s"; if envelope "${p}" "bob@example.org" { discard; }'
    assert sieve.actions(script % "From") == ["discard"]
    assert sieve.actions(script % "cc") == ["implicit keep", 'fault: there is no envelope part "cc"']


def test_the_message_as_a_whole_has_no_recipient(sieve: Sieve) -> None:
    problems = sieve.problems(f'{REQUIRE}\nif envelope "to" "x" {{ stop; }}', phase="data")
    assert problems == ['wrong-phase 2:13 there is no "to" yet where the script is for the whole message']
    assert sieve.problems(f'{REQUIRE}\nif envelope "from" "x" {{ stop; }}', phase="data") == []


def test_one_of_each(sieve: Sieve) -> None:
    """RFC 5228, 5.4."""
    assert sieve.rules(f'{REQUIRE} if envelope :domain :localpart "to" "x" {{ stop; }}') == ["tag-repeated"]


def test_the_test_is_unknown_without_require(sieve: Sieve) -> None:
    (problem,) = sieve.check('if envelope "to" "x" { stop; }').problems
    assert (problem.rule, problem.hint) == ("word-unknown", 'write: require "envelope";')
