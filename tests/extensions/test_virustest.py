"""virustest, spamtest and spamtestplus, RFC 5235."""

from __future__ import annotations

from typing import Any

import pytest
from support.outcomes import present
from support.sieve import FakeHost, MakeVerdict, Sieve

from sieveav.verdict import Status, Verdict

REQUIRE = 'require ["virustest", "spamtestplus", "relational", "comparator-i;ascii-numeric"];'
NUMERIC = ':comparator "i;ascii-numeric"'

NUMBERS = {
    Status.CLEAN: 1,
    Status.SUSPICIOUS: 4,
    Status.ENCRYPTED: 4,
    Status.MACRO: 4,
    Status.LIMITS: 4,
    Status.UNSCANNABLE: 4,
    Status.INFECTED: 5,
    Status.ERROR: 0,
    Status.SKIPPED: 0,
}


def number(sieve: Sieve, test: str = "virustest", highest: int = 10, **more: Any) -> list[int]:
    """The numbers that the test matches."""
    return [n for n in range(highest + 1) if sieve.holds(f'{test} :is "{n}"', require=REQUIRE, **more)]


# ---- virustest, of the engines


@pytest.mark.parametrize("status", list(Status))
def test_every_status(sieve: Sieve, fake_host: type[FakeHost], verdict: MakeVerdict, status: Status) -> None:
    host = fake_host([verdict("yara", status)])
    assert number(sieve, host=host) == [NUMBERS[status]]
    tested = f'virustest :count "eq" {NUMERIC} "1"'
    assert sieve.holds(tested, require=REQUIRE, host=host) is (NUMBERS[status] > 0)
    assert sieve.holds(f'virustest :count "eq" {NUMERIC} "0"', require=REQUIRE, host=host) is (NUMBERS[status] == 0)


@pytest.mark.parametrize(("cured", "value"), [("replaced", 2), ("cured", 3), ("", 1)])
def test_cured(sieve: Sieve, fake_host: type[FakeHost], cured: str, value: int) -> None:
    host = fake_host([Verdict("yara", Status.CLEAN, cured=cured)])
    assert number(sieve, host=host) == [value]


@pytest.mark.parametrize(
    ("statuses", "value"),
    [
        (["clean", "infected"], 5),
        (["clean", "clean"], 1),
        (["clean", "error"], 0),  # an engine that failed: not tested, never clean
        (["error", "infected"], 5),
        (["skipped", "clean"], 0),
        (["encrypted", "clean"], 4),
    ],
)
def test_several_engines(
    sieve: Sieve, fake_host: type[FakeHost], verdict: MakeVerdict, statuses: list[str], value: int
) -> None:
    host = fake_host([verdict(f"e{i}", status) for i, status in enumerate(statuses)])
    assert number(sieve, host=host) == [value]


def test_no_engine_is_not_tested(sieve: Sieve) -> None:
    assert number(sieve) == [0]


# RFC 5235, 3.3
EXAMPLE = f"""require ["virustest", "fileinto", "relational", "comparator-i;ascii-numeric"];
if virustest :value "eq" {NUMERIC} "0" {{ fileinto "INBOX.unclassified"; }}
if virustest :value "eq" {NUMERIC} "4" {{ fileinto "INBOX.quarantine"; }}
elsif virustest :value "eq" {NUMERIC} "5" {{ discard; }}
"""


@pytest.mark.parametrize(
    ("status", "action"),
    [
        ("error", "fileinto INBOX.unclassified"),
        ("macro", "fileinto INBOX.quarantine"),
        ("infected", "discard"),
        ("clean", "implicit keep"),
    ],
)
def test_the_example(sieve: Sieve, fake_host: type[FakeHost], verdict: MakeVerdict, status: str, action: str) -> None:
    host = fake_host([verdict("yara", status)])
    assert sieve.actions(EXAMPLE, host=host) == [action]
    assert sieve.rules(EXAMPLE) == []


def test_it_scans_once_and_sets_the_variables(sieve: Sieve, fake_host: type[FakeHost], verdict: MakeVerdict) -> None:
    host = fake_host([verdict("yara", "infected", "E")], {"yara_status": "virus"})
    script = 'require ["virustest", "vctx"]; if allof (virustest "5", vctx "yara_status" "virus") { discard; }'
    assert sieve.actions(script, host=host) == ["discard"]
    assert [str(question) for question in host.asked] == ["scan the message with all engines"]


# ---- of another scanner's header


def settings(capability: str, **values: Any) -> dict[str, Any]:
    return {capability: {"status_header": "X-Result", **values}}


@pytest.mark.parametrize(
    ("header", "more", "value"),
    [
        ("X-Result: 0", {"max_value": 4}, 1),
        ("X-Result: 1", {"max_value": 4}, 2),
        ("X-Result: 2", {"max_value": 4}, 3),
        ("X-Result: 3", {"max_value": 4}, 4),
        ("X-Result: 4", {"max_value": 4}, 5),
        ("X-Result: 99", {"max_value": 4}, 5),
        ("X-Result: -3", {"max_value": 4}, 1),
        ("X-Result: score 3.9 of 4", {"max_value": 4}, 4),
        ("X-Result: none", {"max_value": 4}, 0),
        ("X-Other: 4", {"max_value": 4}, 0),
        ("X-Result: 4", {}, 0),  # the highest value is not configured
        ("X-Result: 4\nX-Max: 8", {"max_header": "X-Max"}, 3),
        ("X-Result: 4\nX-Max: none", {"max_header": "X-Max", "max_value": 4}, 0),
        ("X-Result: 4", {"max_header": "X-Max"}, 0),
        ("X-Result: 4\nX-Max: 0", {"max_header": "X-Max"}, 0),
        ("X-Result: 4\nX-Max: -1", {"max_header": "X-Max"}, 0),
        ("X-Result: 1\nX-Result: 4", {"max_value": 4}, 2),  # the first one was added last
        ("X-Result: xx and more", {"status_type": "strlen", "max_value": 4}, 3),
        ("X-Result:", {"status_type": "strlen", "max_value": 4}, 1),
        ("X-Result: xxxxxxxx", {"status_type": "strlen", "max_value": 4}, 5),
        ("X-Result: Infected", {"status_type": "text", "text_values": ("1=clean", "5=infected")}, 5),
        ("X-Result: CLEAN", {"status_type": "text", "text_values": ("1=clean", "5=infected")}, 1),
        ("X-Result: perhaps", {"status_type": "text", "text_values": ("1=clean", "5=infected")}, 0),
        ("X-Result: x", {"status_type": "text", "text_values": ("9=x", "a=x", "x")}, 0),
        ("X-Result:", {"status_type": "text", "text_values": ("1=",)}, 0),
    ],
)
def test_virustest_of_a_header(
    sieve: Sieve, fake_host: type[FakeHost], header: str, more: dict[str, Any], value: int
) -> None:
    host = fake_host()
    assert number(sieve, message=f"{header}\n\n", host=host, settings=settings("virustest", **more)) == [value]
    assert host.asked == []  # it is read, not scanned


@pytest.mark.parametrize(
    ("header", "more", "value", "percent"),
    [
        ("X-Result: 0", {"max_value": 10}, 1, 0),
        ("X-Result: 5", {"max_value": 10}, 5, 50),
        ("X-Result: 2.9", {"max_value": 10}, 3, 29),
        ("X-Result: 7", {"max_value": 9}, 8, 77),
        ("X-Result: 10", {"max_value": 10}, 10, 100),
        ("X-Result: 100", {"max_value": 10}, 10, 100),
        ("X-Result: -1.5", {"max_value": 10}, 1, 0),
        ("X-Result: ****", {"status_type": "strlen", "max_value": 8}, 5, 50),
        ("X-Result: Yes, score=5.0 required=5.0", {"max_value": 10}, 5, 50),
        ("X-Result: spam", {"status_type": "text", "text_values": ("10=spam", "1=ham")}, 10, 10),
        ("X-Result: spam", {"status_type": "text", "text_values": ("\u00b2=spam",)}, 0, 0),
    ],
)
def test_spamtest_of_a_header(sieve: Sieve, header: str, more: dict[str, Any], value: int, percent: int) -> None:
    message, given = f"{header}\n\n", settings("spamtest", **more)
    assert number(sieve, "spamtest", message=message, settings=given) == [value]
    assert number(sieve, "spamtest :percent", 100, message=message, settings=given) == [percent]


def test_spamtest_without_a_header_is_not_tested(sieve: Sieve, fake_host: type[FakeHost], verdict: MakeVerdict) -> None:
    host = fake_host([verdict("yara", "infected")])
    for test in ("spamtest", "spamtest :percent"):
        assert number(sieve, test, host=host) == [0]
        assert sieve.holds(f'{test} :count "eq" {NUMERIC} "0"', require=REQUIRE)
    assert host.asked == []


def test_percent_and_count_distinguish_clean_from_not_tested(sieve: Sieve) -> None:
    """RFC 5235, 3.2.2."""
    given = settings("spamtest", max_value=10)
    test = f'allof (spamtest :percent "0", spamtest :percent :count "eq" {NUMERIC} "1")'
    assert sieve.holds(test, "X-Result: 0\n\n", require=REQUIRE, settings=given)


@pytest.mark.parametrize("require", ["spamtestplus", 'spamtest", "spamtestplus', 'spamtestplus", "spamtest'])
def test_percent_needs_spamtestplus_in_any_order(sieve: Sieve, require: str) -> None:
    """RFC 5235, 3.2: spamtestplus brings the test and :percent, also beside spamtest."""
    assert sieve.rules(f'require ["{require}"]; if spamtest :percent "0" {{ stop; }}') == []
    assert sieve.rules(f'require ["{require}"]; if spamtest "0" {{ stop; }}') == []


def test_percent_without_spamtestplus(sieve: Sieve) -> None:
    """RFC 5235, 3.2: MUST be an error."""
    (problem,) = sieve.check('require "spamtest"; if spamtest :percent "0" { stop; }').problems
    assert (problem.rule, problem.hint) == ("tag-unknown", 'write: require "spamtestplus";')


@pytest.mark.parametrize(
    ("test", "rules"),
    [
        ("virustest", ["argument-missing"]),
        ("virustest 5", ["argument-type"]),
        ('virustest ["1", "2"]', ["argument-type"]),
        ('virustest :percent "1"', ["tag-unknown"]),
        ('spamtest :percent :percent "1"', ["tag-repeated"]),
        (f'virustest :contains {NUMERIC} "1"', ["comparator-unfit"]),
        ('virustest :value "5"', ["argument-missing"]),
        ('virustest :value "xx" "5"', ["relation-unknown"]),
    ],
)
def test_problems(sieve: Sieve, test: str, rules: list[str]) -> None:
    assert sieve.rules(f"{REQUIRE} if {test} {{ stop; }}")[: len(rules)] == rules


@pytest.mark.parametrize("phase", ["data", "each_rcpt", "connect", "rcptto"])
def test_phases(sieve: Sieve, phase: str) -> None:
    expected = [] if phase in ("data", "each_rcpt") else ["phase-invalid", "phase-invalid"]
    script = 'require ["virustest", "spamtest"]; if anyof (virustest "5", spamtest "10") { stop; }'
    assert sieve.rules(script, phase=phase) == expected


def test_count_is_seen_by_its_attribute(sieve: Sieve) -> None:
    relational = present(sieve.library.find("relational"))
    (count,) = [declared.made for declared in relational.declared if declared.name == ":count"]
    assert count.counts is True
