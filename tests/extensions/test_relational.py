"""relational, RFC 5231."""

from __future__ import annotations

import itertools
import operator

import pytest
from support.accepting import Accepted
from support.sieve import Sieve
from support.timing import assert_linear

REQUIRE = 'require ["relational", "comparator-i;ascii-numeric", "fileinto", "envelope"];'
NUMERIC = ':comparator "i;ascii-numeric"'

# RFC 5231, 6
EXAMPLE = """received: one
received: two
subject: example
to: foo@example.com, baz@example.com
cc: qux@example.com

"""


@pytest.mark.parametrize(
    ("test", "holds"),
    [
        (f'address :count "ge" {NUMERIC} ["to", "cc"] ["3"]', True),
        (f'anyof (address :count "ge" {NUMERIC} ["to"] ["3"], address :count "ge" {NUMERIC} ["cc"] ["3"])', False),
        (f'header :count "ge" {NUMERIC} ["received"] ["3"]', False),
        (f'header :count "ge" {NUMERIC} ["received", "subject"] ["3"]', True),
        (f'header :count "ge" {NUMERIC} ["to", "cc"] ["3"]', False),
    ],
)
def test_the_examples(sieve: Sieve, test: str, holds: bool) -> None:
    assert sieve.holds(test, EXAMPLE, require=REQUIRE) is holds
    assert sieve.rules(f"{REQUIRE} if {test} {{ stop; }}") == []


# RFC 5231, 7
EXTENDED = """
if header :value "lt" :comparator "i;ascii-numeric" ["x-priority"] ["3"] {
   fileinto "Priority";
} elsif address :count "gt" :comparator "i;ascii-numeric" ["to"] ["5"] {
   # everything with more than 5 recipients in the "to" field is considered SPAM
   fileinto "SPAM";
} elsif address :value "gt" :all :comparator "i;ascii-casemap" ["from"] ["M"] {
   fileinto "From N-Z";
} else {
   fileinto "From A-M";
}
if allof (address :count "eq" :comparator "i;ascii-numeric" ["to", "cc"] ["1"] ,
          address :all :comparator "i;ascii-casemap" ["to", "cc"] ["me@foo.example.com"]) {
   fileinto "Only me";
}
"""


@pytest.mark.parametrize(
    ("message", "actions"),
    [
        ("X-Priority: 2\n\n", ["fileinto Priority"]),
        ("X-Priority: 3\nFrom: a@b.c\n\n", ["fileinto From A-M"]),
        ("To: a@b, b@b, c@b, d@b, e@b, f@b\n\n", ["fileinto SPAM"]),
        ("From: Aa <zoe@b.c>\nTo: me@foo.example.com\n\n", ["fileinto From N-Z", "fileinto Only me"]),
        ("From: al@b.c\nTo: me@foo.example.com\nCc: x@y.z\n\n", ["fileinto From A-M"]),
    ],
)
def test_the_extended_example(sieve: Sieve, message: str, actions: list[str]) -> None:
    assert sieve.actions(REQUIRE + EXTENDED, message) == actions


RELATIONS = {
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
    "eq": operator.eq,
    "ne": operator.ne,
}
SOME = [(), (2,), (1, 3), (2, 2), (2, 10)]


@pytest.mark.parametrize("relation", RELATIONS)
@pytest.mark.parametrize("match", [":value", ":count"])
def test_any_pair(sieve: Sieve, match: str, relation: str) -> None:
    """RFC 5231, 4.1: true if any pair is true; the message is on the left side."""
    for values, keys in itertools.product(SOME, SOME[1:]):
        message = "".join(f"X: {value}\n" for value in values) + "\n"
        listed = ", ".join(f'"{key}"' for key in keys)
        left = values if match == ":value" else (len(values),)
        expected = any(RELATIONS[relation](value, key) for value in left for key in keys)
        test = f'header {match} "{relation}" {NUMERIC} "x" [{listed}]'
        assert sieve.holds(test, message, require=REQUIRE) is expected, (values, keys)


@pytest.mark.parametrize(
    ("test", "message", "holds"),
    [
        ('header :value "gt" "x" "9"', "X: 10\n\n", False),  # i;ascii-casemap: by characters
        ('header :value "lt" "x" "B"', "X: a\n\n", True),
        ('header :value "lt" :comparator "i;octet" "x" "B"', "X: a\n\n", False),
        ('header :value "eq" "x" "ABC"', "X: abc\n\n", True),
        ('header :value "ne" "x" "ABC"', "X: abc\n\n", False),
        ('header :value "ne" "x" "ABC"', "\n", False),  # no value, no pair
        ('header :value "GE" "x" "abc"', "X: abd\n\n", True),  # strings in ABNF are case-insensitive
        (f'header :count "eq" {NUMERIC} "x" "1"', "X:\n\n", True),  # RFC 5231, 4.2: fields, empty or not
        (f'header :count "eq" {NUMERIC} "x" "0"', "\n", True),
        (f'header :count "lt" {NUMERIC} "x" "none"', "X: 1\n\n", True),  # not a number: greater than all
        # RFC 5231, 4.2: names of groups are ignored, the mailboxes within are counted
        (f'address :count "eq" {NUMERIC} "to" "3"', "To: Friends: a@b.c, d@e.f;, g@h.i\n\n", True),
        (f'address :count "eq" {NUMERIC} "to" "0"', "To: undisclosed-recipients:;\n\n", True),
        (f'address :count "eq" {NUMERIC} "to" "2"', "To: a@b.c (work), Dee <d@e.f>\n\n", True),
        (f'envelope :count "eq" {NUMERIC} "from" "1"', "\n", True),
        (f'envelope :count "eq" {NUMERIC} "to" "1"', "\n", True),
        (f'envelope :count "eq" {NUMERIC} ["from", "to"] "2"', "\n", True),
    ],
)
def test_what_is_compared(sieve: Sieve, test: str, message: str, holds: bool) -> None:
    assert sieve.holds(test, message, require=REQUIRE) is holds


def test_the_null_sender_does_not_count(sieve: Sieve) -> None:
    """RFC 5231, 4.2."""
    assert sieve.holds(f'envelope :count "eq" {NUMERIC} "from" "0"', require=REQUIRE, sender="")


@pytest.mark.parametrize(
    ("test", "rules"),
    [
        ('header :value "more" "x" "1"', ["relation-unknown"]),
        ('header :value "" "x" "1"', ["relation-unknown"]),
        ('header :value "x" "1"', ["relation-unknown", "argument-missing"]),
        ('header :value 3 "x" "1"', ["argument-type"]),
        ('header :value "gt" :contains "x" "1"', ["tag-repeated"]),
        ('header :value "gt" :value "lt" "x" "1"', ["tag-repeated"]),
    ],
)
def test_problems(sieve: Sieve, accepted: Accepted, test: str, rules: list[str]) -> None:
    script = f'require "relational";\nif {test} {{ stop; }}'
    assert sorted(sieve.rules(script)) == sorted(rules)
    accepted(sieve.texts(script))


def test_the_relation_is_a_constant_string(sieve: Sieve) -> None:
    script = 'require ["relational", "variables"]; set "r" "gt"; if header :value "${r}" "x" "1" { stop; }'
    assert sieve.rules(script) == ["relation-unknown"]


@pytest.mark.parametrize(
    ("test", "rules"),
    [
        ('header :count "gt" "x" "1"', ["count-not-numeric"]),
        ('header :count "gt" :comparator "i;octet" "x" "1"', ["count-not-numeric"]),
        ('header :comparator "i;octet" :count "gt" "x" "1"', ["count-not-numeric"]),
        (f'header :count "gt" {NUMERIC} "x" "1"', []),
    ],
)
def test_counting_needs_a_numeric_comparator(sieve: Sieve, test: str, rules: list[str]) -> None:
    """RFC 5231, 4.2: SHOULD only be used with numeric comparators: a warning, and it runs."""
    checked = sieve.check(f"{REQUIRE} if {test} {{ stop; }}")
    assert [problem.rule for problem in checked.problems] == rules
    assert checked.program is not None


def test_the_match_types_are_unknown_without_require(sieve: Sieve) -> None:
    (problem,) = sieve.check('if header :count "gt" "x" "1" { stop; }').problems
    assert (problem.rule, problem.hint) == ("tag-unknown", 'write: require "relational";')


def test_many_keys_and_values_take_linear_time(sieve: Sieve) -> None:
    def compare(count: int) -> None:
        keys = ", ".join(f'"{n}"' for n in range(count))
        message = "".join(f"X: v{n}\n" for n in range(count)) + "\n"
        for relation in ("eq", "lt"):
            test = f'header :value "{relation}" :comparator "i;octet" "x" [{keys}]'
            assert not sieve.holds(test, message, require=REQUIRE)

    assert_linear(compare, 1000)


COUNTED = """To: a@example.org, "b+detail"@example.org, friends: c@example.org, d@example.org;
Cc: undisclosed-recipients:;
X-Twice: 1
X-Twice: 2

"""


@pytest.mark.parametrize(
    ("test", "number"),
    [
        ('address :count "eq" :comparator "i;ascii-numeric" ["to", "cc"]', 4),
        ('address :detail :count "eq" :comparator "i;ascii-numeric" "to"', 4),
        ('address :domain :count "eq" :comparator "i;ascii-numeric" ["to", "to"]', 8),
        ('header :count "eq" :comparator "i;ascii-numeric" ["x-twice", "X-Twice"]', 4),
        ('envelope :detail :count "eq" :comparator "i;ascii-numeric" ["from", "to"]', 2),
    ],
)
def test_what_is_counted(sieve: Sieve, test: str, number: int) -> None:
    """RFC 5231, 4.2: addresses and fields, whatever the address part; the counts of all names are added."""
    require = 'require ["relational", "comparator-i;ascii-numeric", "subaddress", "envelope"];'
    assert sieve.holds(f'{test} "{number}"', COUNTED, require=require)
    assert not sieve.holds(f'{test} "{number + 1}"', COUNTED, require=require)
