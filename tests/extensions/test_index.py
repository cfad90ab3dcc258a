"""index, RFC 5260, 6."""

from __future__ import annotations

import pytest
from support.accepting import Accepted
from support.sieve import Sieve

REQUIRE = 'require "index";'

MESSAGE = """To: a@one.example, b@one.example
X-Mine: 1
X-Mine: 2
Cc: c@two.example
X-Other: 3
X-Mine: 4
To: d@three.example

"""


@pytest.mark.parametrize(
    ("tags", "names", "value"),
    [
        (":index 1", '"x-mine"', "1"),
        (":index 2", '"x-mine"', "2"),
        (":index 3", '"X-Mine"', "4"),
        (":index 1 :last", '"x-mine"', "4"),
        (":last :index 3", '"x-mine"', "1"),
        # several names: in the order of the list, then of the message
        (":index 1", '["x-other", "x-mine"]', "3"),
        (":index 2", '["x-other", "x-mine"]', "1"),
        (":index 1", '["x-mine", "x-other"]', "1"),
        (":index 3", '["x-mine", "x-other"]', "4"),
        (":index 4", '["x-mine", "x-other"]', "3"),
        (":index 1 :last", '["x-mine", "x-other"]', "3"),
    ],
)
def test_header(sieve: Sieve, tags: str, names: str, value: str) -> None:
    found = [one for one in "1234" if sieve.holds(f'header {tags} {names} "{one}"', MESSAGE, require=REQUIRE)]
    assert found == [value]


@pytest.mark.parametrize("tags", [":index 4", ":index 4 :last", ":index 2147483647", ":last :index 2147483647"])
def test_no_field_has_this_number(sieve: Sieve, tags: str) -> None:
    assert not sieve.holds(f'header {tags} :matches "x-mine" "*"', MESSAGE, require=REQUIRE)


@pytest.mark.parametrize(
    ("test", "holds"),
    [
        ('address :index 1 "to" "a@one.example"', True),
        ('address :index 1 "to" "b@one.example"', True),  # the field is counted, not the addresses in it
        ('address :index 1 "to" "d@three.example"', False),
        ('address :index 2 :domain "to" "three.example"', True),
        ('address :domain :last :index 1 ["to", "cc"] "two.example"', True),
        ('address :index 3 ["to", "cc"] "c@two.example"', True),
    ],
)
def test_address(sieve: Sieve, test: str, holds: bool) -> None:
    assert sieve.holds(test, MESSAGE, require=REQUIRE) is holds


@pytest.mark.parametrize(
    ("test", "place"),
    [
        ('header :last "x" "1"', "tag-missing 2:11"),
        ('header :index 0 "x" "1"', "number-invalid 2:18"),
        ('header :index 1 :index 2 "x" "1"', "tag-repeated 2:20"),
        ('header :index "1" "x" "1"', "argument-type 2:18"),
        ('exists :index 1 "x"', "tag-unknown 2:11"),
    ],
)
def test_problems(sieve: Sieve, accepted: Accepted, test: str, place: str) -> None:
    script = f"{REQUIRE}\nif {test} {{ stop; }}"
    assert sieve.places(script) == [place]
    accepted(sieve.texts(script))


def test_the_tags_are_unknown_without_require(sieve: Sieve) -> None:
    (problem,) = sieve.check('if header :index 1 "x" "1" { stop; }').problems
    assert (problem.rule, problem.hint) == ("tag-unknown", 'write: require "index";')
