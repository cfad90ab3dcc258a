"""envelope, RFC 5228, 5.4."""

from __future__ import annotations

import pytest
from support.accepting import Accepted
from support.outcomes import fault
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
        # RFC 5228, 2.7.4: an invalid address matches only as a whole
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
def test_match_variables(sieve: Sieve, part: str) -> None:
    script = (
        f'require "variables"; {REQUIRE} if envelope :matches "{part}" "*@*" {{ redirect "${{2}}@${{1}}.example"; }}'
    )
    assert sieve.actions(script, sender="Bob@x.y", recipient="Bob@x.y") == ["redirect x.y@Bob.example"]


@pytest.mark.parametrize("test", ['envelope "form" "x"', 'envelope ["from", "tu"] "x"', 'envelope "cc" "x"'])
def test_an_unknown_part_is_an_error(sieve: Sieve, accepted: Accepted, test: str) -> None:
    script = f"{REQUIRE} if {test} {{ stop; }}"
    assert sieve.rules(script) == ["envelope-part-unknown"]
    accepted(sieve.texts(script))


def test_a_part_named_by_a_variable(sieve: Sieve, accepted: Accepted) -> None:
    script = REQUIRE + ' require "variables"; set "p" "%s"; if envelope "${p}" "bob@example.org" { discard; }'
    assert sieve.actions(script % "From") == ["discard"]
    outcome = sieve.run(script % "cc")
    assert [action.implicit for action in outcome.actions] == [True]
    accepted(fault(outcome).message)


def test_a_script_that_runs_once_per_message_has_no_recipient(sieve: Sieve, accepted: Accepted) -> None:
    script = f'{REQUIRE}\nif envelope "to" "x" {{ stop; }}'
    (place,) = sieve.places(script, phase="data")
    assert place.endswith(" 2:13")
    accepted(sieve.texts(script, phase="data"))
    assert sieve.problems(f'{REQUIRE}\nif envelope "from" "x" {{ stop; }}', phase="data") == []


def test_only_one_address_part(sieve: Sieve) -> None:
    """RFC 5228, 5.4."""
    assert sieve.rules(f'{REQUIRE} if envelope :domain :localpart "to" "x" {{ stop; }}') == ["tag-repeated"]


def test_the_test_is_unknown_without_require(sieve: Sieve) -> None:
    (problem,) = sieve.check('if envelope "to" "x" { stop; }').problems
    assert (problem.rule, problem.hint) == ("word-unknown", 'write: require "envelope";')
