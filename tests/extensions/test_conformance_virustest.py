"""spamtest and virustest with header fields of other scanners: numbers without a leading zero, parts of a field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support.outcomes import only, present
from support.sieve import Sieve

from sieveav.language.problems import Severity

REQUIRE = 'require ["virustest", "spamtestplus"];'


@pytest.fixture
def number(sieve: Sieve) -> Callable[..., int]:
    """The only number that a test matches; its settings are parsed as those of a configuration."""

    def find(test: str, header: str, highest: int = 10, **settings: Any) -> int:
        extension = present(sieve.library.find(test.split()[0]))
        values = {extension.capability: {name: extension.settings[name].value(settings[name]) for name in settings}}

        def matches(number: int) -> bool:
            return sieve.holds(f'{test} :is "{number}"', f"{header}\n\n", require=REQUIRE, settings=values)

        return only(number for number in range(highest + 1) if matches(number))

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
def test_a_score_without_a_leading_zero(number: Callable[..., int], score: str, percent: int) -> None:
    """RFC 5235, 3.2: the value must express the result of the tests."""
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
def test_a_part_of_a_field(number: Callable[..., int], header: str, percent: int) -> None:
    """SpamAssassin's field, which has other numbers before the score."""
    settings = {
        "status_header": "X-Spam-Status: score=(-?[[:digit:]]*\\.?[[:digit:]]+)",
        "max_header": "x-spam-status : required=([0-9.]+)",
    }
    assert number("spamtest :percent", header, 100, **settings) == percent


def test_without_a_match_the_message_was_not_tested(sieve: Sieve) -> None:
    """RFC 5235, 3.1: :count then counts 0."""
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
def test_a_text_within_a_field(number: Callable[..., int], header: str, value: int) -> None:
    settings = {
        "status_header": "X-Virus-Scan: Found to be (.+)\\.",
        "status_type": "text",
        "text_values": ("1=clean", "5=infected"),
    }
    assert number("virustest", header, 5, **settings) == value


def test_a_row_of_characters_within_a_field(number: Callable[..., int]) -> None:
    settings = {"status_header": "X-Level: level: ([*]*)", "status_type": "strlen", "max_value": "10"}
    assert number("spamtest", "X-Level: level: *****", **settings) == 5


def test_a_group_that_does_not_participate(number: Callable[..., int]) -> None:
    assert number("spamtest", "X-Score: b", status_header="X-Score: a(1)|b", max_value="10") == 0


def test_only_the_first_field_is_read(number: Callable[..., int]) -> None:
    """The field added last comes first; others may come from the sender."""
    settings = {"status_header": "X-Score: s=([0-9]+)", "max_value": "10"}
    assert number("spamtest", "X-Score: s=3\nX-Score: s=10", **settings) == 3
    assert number("spamtest", "X-Score: none\nX-Score: s=10", **settings) == 0


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("X-Score: (", "regular expression"),
        ("X-Score: (a)\\1", "regular expression"),
        ("X-Score: ((a{1000}){1000}){1000}", "regular expression"),
        ("X-Score: [0-9]+", "group"),
        ("X-Score: (?:a)", "group"),
        ("X-Score:", "group"),
        (": (a)", "header field name"),
        ("X Score", "header field name"),
        ("X Score: (a)", "header field name"),
    ],
)
@pytest.mark.parametrize("name", ["status_header", "max_header"])
@pytest.mark.parametrize("capability", ["virustest", "spamtest"])
def test_an_invalid_pattern_is_a_problem_of_the_configuration(
    sieve: Sieve, written: str, reason: str, name: str, capability: str, capfd: pytest.CaptureFixture[str]
) -> None:
    option = present(sieve.library.find(capability)).settings[name]
    with pytest.raises(ValueError, match=reason):
        option.value(written)
    assert capfd.readouterr() == ("", "")  # RE2 prints nothing


@pytest.mark.parametrize("written", ["", "X-Score", "X-Score: (.)", "x: a:(b)"])
def test_a_valid_setting_is_not_changed(sieve: Sieve, written: str) -> None:
    assert present(sieve.library.find("spamtest")).settings["status_header"].value(written) == written


def test_hostile_values(number: Callable[..., int]) -> None:
    """A pattern that backtracking engines match in exponential time: with one, this test would not end."""
    settings = {"status_header": "X-Score: ^(?:(?:a+)+)+(b)$", "max_value": "10"}
    assert number("spamtest", "X-Score: " + "a" * 900_000, **settings) == 0


@pytest.mark.parametrize("octets", [b"\xff\xfe 7", b"\xed\xa0\x80 7", "\u00e9\U0001f600 7".encode()])
def test_any_octets(sieve: Sieve, octets: bytes) -> None:
    settings = {"spamtest": {"status_header": "X-Score: ([0-9])", "max_value": 10}}
    message = b"X-Score: " + octets + b"\n\n"
    assert sieve.holds('spamtest "7"', message, require='require "spamtest";', settings=settings)


def test_the_script_has_no_problem(sieve: Sieve) -> None:
    script = f'{REQUIRE} if spamtest "1" {{ stop; }}'
    checked = sieve.check(script, settings={"spamtest": {"status_header": "X-Score: ([0-9])", "max_value": 10}})
    assert [problem for problem in checked.problems if problem.severity is Severity.ERROR] == []
