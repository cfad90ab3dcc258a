"""What spamtest and virustest read in another scanner's fields: numbers without a leading zero, and parts of a field."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from support.sieve import Sieve

from sieveav.language.problems import Severity
from sieveav.options import Option

REQUIRE = 'require ["virustest", "spamtestplus"];'


@pytest.fixture
def number(sieve: Sieve) -> Callable[..., int]:
    """The one number that a test holds for, its settings read as a configuration's are."""

    def find(test: str, header: str, highest: int = 10, **settings: Any) -> int:
        extension = sieve.library.find(test.split()[0])
        read = {name: extension.settings[name].value(written) for name, written in settings.items()}
        more = {"message": f"{header}\n\n", "require": REQUIRE, "settings": {extension.capability: read}}
        (found,) = [n for n in range(highest + 1) if sieve.holds(f'{test} :is "{n}"', **more)]
        return found

    return find


@pytest.mark.parametrize(
    ("score", "percent"),
    [
        (".4", 40),
        ("0.4", 40),
        ("-.4", 0),
        ("+.4", 40),
        ("score=.25", 25),
        ("is .05", 5),
        ("1.", 100),
        ("v.1", 100),  # the point ends a word
        ("0..4", 0),
        (".", 0),
        ("1.0.4", 100),
    ],
)
def test_a_score_without_a_leading_zero(number: Any, score: str, percent: int) -> None:
    """RFC 5235, 3.2: the number must mean what was tested."""
    assert number("spamtest :percent", f"X-Score: {score}", 100, status_header="X-Score", max_value="1") == percent


STATUS = "X-Spam-Status: No, score=-1.6 required=5.0 tests=BAYES_00=-1.9,\n\tRDNS_NONE=0.793 version=3.4.6"


@pytest.mark.parametrize(
    ("header", "percent"),
    [
        (STATUS, 0),
        (STATUS.replace("-1.6", "2.5"), 50),
        (STATUS.replace("-1.6", "2.5").replace("5.0", "10"), 25),
        (STATUS.replace("-1.6", ".5"), 10),
        (STATUS.replace("-1.6", "12.5"), 100),
        (STATUS.replace("score", "points"), 0),
        (STATUS.replace("required", "wanted"), 0),
        ("X-Other: score=5 required=5", 0),
    ],
)
def test_a_part_of_a_field(number: Any, header: str, percent: int) -> None:
    """SpamAssassin's own field: no number is the first of it."""
    settings = {
        "status_header": "X-Spam-Status: score=(-?[[:digit:]]*\\.?[[:digit:]]+)",
        "max_header": "x-spam-status : required=([0-9.]+)",
    }
    assert number("spamtest :percent", header, 100, **settings) == percent


def test_what_the_pattern_does_not_find_was_not_tested(sieve: Sieve) -> None:
    """RFC 5235, 3.1: then a :count is of none."""
    require = 'require ["spamtest", "relational", "comparator-i;ascii-numeric"];'
    settings = {"spamtest": {"status_header": "X-Score: score=([0-9]+)", "max_value": 10}}
    test = 'spamtest :count "eq" :comparator "i;ascii-numeric" "0"'
    assert sieve.holds(test, "X-Score: 7\n\n", require=require, settings=settings)
    assert not sieve.holds(test, "X-Score: score=7\n\n", require=require, settings=settings)


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("X-Virus-Scan: Found to be clean.", 1),
        ("X-Virus-Scan: Found to be infected.", 5),
        ("X-Virus-Scan: found to be infected.", 0),
        ("X-Virus-Scan: infected", 0),
    ],
)
def test_a_text_within_a_field(number: Any, header: str, value: int) -> None:
    settings = {
        "status_header": "X-Virus-Scan: Found to be (.+)\\.",
        "status_type": "text",
        "text_values": ("1=clean", "5=infected"),
    }
    assert number("virustest", header, 5, **settings) == value


def test_a_row_of_characters_within_a_field(number: Any) -> None:
    settings = {"status_header": "X-Level: level: ([*]*)", "status_type": "strlen", "max_value": "10"}
    assert number("spamtest", "X-Level: level: *****", **settings) == 5


def test_a_group_that_takes_no_part(number: Any) -> None:
    assert number("spamtest", "X-Score: b", status_header="X-Score: a(1)|b", max_value="10") == 0


def test_the_first_field_is_read_alone(number: Any) -> None:
    """What was added last is nearest to us; the others may be the sender's."""
    settings = {"status_header": "X-Score: s=([0-9]+)", "max_value": "10"}
    assert number("spamtest", "X-Score: s=3\nX-Score: s=10", **settings) == 3
    assert number("spamtest", "X-Score: none\nX-Score: s=10", **settings) == 0


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("X-Score: (", "is not a regular expression: missing )"),
        ("X-Score: (a)\\1", "is not a regular expression: invalid escape sequence"),
        ("X-Score: ((a{1000}){1000}){1000}", "is not a regular expression: "),
        ("X-Score: [0-9]+", "has no group"),
        ("X-Score: (?:a)", "has no group"),
        ("X-Score:", "has no group"),
        (": (a)", "is not the name of a header field"),
        ("X Score", '"X Score" is not the name of a header field'),
        ("X Score: (a)", '"X Score" is not the name of a header field'),
    ],
)
@pytest.mark.parametrize("name", ["status_header", "max_header"])
@pytest.mark.parametrize("capability", ["virustest", "spamtest"])
def test_a_bad_pattern_is_a_problem_of_the_configuration(
    sieve: Sieve, written: str, reason: str, name: str, capability: str, capfd: Any
) -> None:
    option: Option = sieve.library.find(capability).settings[name]
    with pytest.raises(ValueError, match=r"is not|has no") as raised:
        option.value(written)
    assert reason in str(raised.value)
    assert capfd.readouterr() == ("", "")  # RE2 prints nothing of its own


@pytest.mark.parametrize("written", ["", "X-Score", "X-Score: (.)", "x: a:(b)"])
def test_a_good_setting_stays_as_written(sieve: Sieve, written: str) -> None:
    assert sieve.library.find("spamtest").settings["status_header"].value(written) == written


def test_hostile_values(number: Any) -> None:
    """A pattern that others match in exponential time, and a field as long as can be."""
    settings = {"status_header": "X-Score: ^(?:(?:a+)+)+(b)$", "max_value": "10"}
    begun = time.process_time()
    assert number("spamtest", "X-Score: " + "a" * 900_000, **settings) == 0
    assert time.process_time() - begun < 5


@pytest.mark.parametrize("octets", [b"\xff\xfe 7", b"\xed\xa0\x80 7", "\u00e9\U0001f600 7".encode()])
def test_any_octets(sieve: Sieve, octets: bytes) -> None:
    settings = {"spamtest": {"status_header": "X-Score: ([0-9])", "max_value": 10}}
    message = b"X-Score: " + octets + b"\n\n"
    assert sieve.holds('spamtest "7"', message, require='require "spamtest";', settings=settings)


def test_the_script_has_no_problem_of_it(sieve: Sieve) -> None:
    script = f'{REQUIRE} if spamtest "1" {{ stop; }}'
    checked = sieve.check(script, settings={"spamtest": {"status_header": "X-Score: ([0-9])", "max_value": 10}})
    assert [problem for problem in checked.problems if problem.severity is Severity.ERROR] == []
