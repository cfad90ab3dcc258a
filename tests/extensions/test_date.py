"""RFC 5260, 4 and 5: what tests/extensions/date.svtest cannot say: hints and places, times and zones of one's choice."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from importlib import import_module
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.sieve import FakeHost, Sieve

from sieveav.running.questions import Now

date: Any = import_module("sieveav.extensions.date")

D = 'require ["date", "relational", "index", "comparator-i;ascii-numeric"];'

MESSAGE = "Date: Wed, 15 Jan 2025 12:00:00 +0000\nX-Summer: Tue, 15 Jul 2025 12:00:00 +0000\n\n"


class Berlin(tzinfo):
    """An hour ahead of UTC, two from April to September."""

    def utcoffset(self, at: datetime | None) -> timedelta:
        return timedelta(hours=2 if at is not None and 4 <= at.month <= 9 else 1)

    def dst(self, at: datetime | None) -> timedelta:
        return self.utcoffset(at) - timedelta(hours=1)

    def tzname(self, at: datetime | None) -> str:  # noqa: ARG002
        return "Berlin"


@pytest.fixture
def at(sieve: Sieve, fake_host: type[FakeHost]) -> Any:
    """Whether a test holds at a time."""

    def holds(test: str, now: datetime, message: str = MESSAGE) -> bool:
        return bool(sieve.holds(test, message, require=D, host=fake_host(answers={Now: lambda _: now})))

    return holds


# ---- the local time zone, RFC 5260, 4.1


@pytest.mark.parametrize(
    ("test", "seen"),
    [
        ('date "date" "iso8601"', "2025-01-15T13:00:00+01:00"),
        ('date "x-summer" "iso8601"', "2025-07-15T14:00:00+02:00"),
        ('date "x-summer" "zone"', "+0200"),
        ('currentdate "iso8601"', "2025-12-24T18:30:15+01:00"),
        ('currentdate :zone "-0500" "iso8601"', "2025-12-24T12:30:15-05:00"),
    ],
)
def test_a_date_has_the_offset_that_is_in_force_then(at: Any, test: str, seen: str) -> None:
    assert at(f'{test} "{seen}"', datetime(2025, 12, 24, 18, 30, 15, 999_999, tzinfo=Berlin()))


@pytest.mark.parametrize(
    ("offset", "zone", "time"),
    [
        (timedelta(hours=5, minutes=45), "+0545", "17:45:00"),
        (timedelta(hours=-3, minutes=-30), "-0330", "08:30:00"),
        (timedelta(0), "+0000", "12:00:00"),
        (timedelta(minutes=53, seconds=28), "+0053", "12:53:00"),  # the zone says what was added
        (timedelta(minutes=-53, seconds=-28), "-0054", "11:06:00"),
    ],
)
def test_a_local_zone_of_any_offset(at: Any, offset: timedelta, zone: str, time: str) -> None:
    now = datetime(2025, 1, 1, tzinfo=timezone(offset))
    assert at(f'date "date" "zone" "{zone}"', now)
    assert at(f'date "date" "time" "{time}"', now)


def test_a_date_that_has_no_place_in_the_local_zone(at: Any) -> None:
    message = "Date: 31 Dec 9999 23:30:00 +0000\n\n"
    assert at('date :originalzone "date" "hour" "23"', datetime(2025, 1, 1, tzinfo=Berlin()), message)
    assert not at('date :matches "date" "hour" "*"', datetime(2025, 1, 1, tzinfo=Berlin()), message)


# ---- RFC 5260, 5.1


@pytest.mark.parametrize(
    ("now", "holds"),
    [
        (datetime(2007, 6, 29, 12, tzinfo=UTC), False),  # a Friday
        (datetime(2007, 6, 29, 8, 59, 59, tzinfo=UTC), True),
        (datetime(2007, 6, 29, 9, tzinfo=UTC), False),
        (datetime(2007, 6, 29, 17, tzinfo=UTC), True),
        (datetime(2007, 6, 30, 12, tzinfo=UTC), True),
        (datetime(2007, 7, 1, 12, tzinfo=UTC), True),
        (datetime(2007, 7, 2, 12, tzinfo=UTC), False),
    ],
)
def test_after_business_hours_and_on_weekends(at: Any, now: datetime, holds: bool) -> None:
    test = """anyof(currentdate :is "weekday" "0",
              currentdate :is "weekday" "6",
              currentdate :value "lt" "hour" "09",
              currentdate :value "ge" "hour" "17")"""
    assert at(test, now) is holds


@pytest.mark.parametrize(("day", "holds"), [(29, False), (30, True), (31, True), (37, True), (38, False)])
def test_the_days_of_a_vacation(at: Any, day: int, holds: bool) -> None:
    test = """allof(currentdate :value "ge" "date" "2007-06-30",
              currentdate :value "le" "date" "2007-07-07")"""
    assert at(test, datetime(2007, 6, 1, 23, 59, tzinfo=UTC) + timedelta(days=day - 1)) is holds


@pytest.mark.parametrize("phase", ["connect", "rcptto", "data", "each_rcpt"])
def test_currentdate_needs_no_message(sieve: Sieve, phase: str) -> None:
    assert sieve.rules('require "date"; if currentdate "hour" "09" { stop; }', phase=phase) == []
    date_rules = sieve.rules('require "date"; if date "date" "hour" "09" { stop; }', phase=phase)
    assert bool(date_rules) is (phase in ("connect", "rcptto"))


# ---- problems and advice


@pytest.mark.parametrize(
    ("test", "problem", "hint"),
    [
        (
            'date "date" "moon" "1"',
            "date-part-invalid 2:16 unknown date-part",
            "write one of year, month, day, date, julian, hour, minute, second, time, iso8601, std11, zone, weekday",
        ),
        (
            'currentdate :zone "GMT" "hour" "01"',
            "zone-invalid 2:22 a time zone is + or - and four digits, hours and minutes",
            'write an offset from UTC, such as "+0530"',
        ),
        ('date :zone "+01:00" "date" "hour" "01"', "zone-invalid 2:15 a time zone is + or - and ", None),
        (
            'date :zone "+\u0660\u0661\u0660\u0660" "date" "hour" "01"',
            "zone-invalid 2:15 a time zone is + or - and ",
            None,
        ),
        ('date :zone "+0100\n" "date" "hour" "01"', "zone-invalid 2:15 a time zone is + or - and ", None),
        (
            'date :zone "+0100" :originalzone "date" "hour" "01"',
            "tag-conflict 2:23 :zone and :originalzone exclude each other",
            "leave one out",
        ),
        ('date "date:" "hour" "01"', "header-name 2:9 no header field has this name", 'write "date"'),
        ('date "date" "hour" "9"', 'key-never 2:23 "hour" never looks like this', 'it looks like "09"'),
        ('date "date" "hour" ["09", "24"]', 'key-never 2:30 "hour" never looks like this', 'it looks like "09"'),
        ('date :value "ge" "date" "hour" "9"', 'key-never 2:35 "hour" never looks like this', 'it looks like "09"'),
        ('currentdate "weekday" "Mon"', 'key-never 2:26 "weekday" never looks like this', 'it looks like "0"'),
        (
            'currentdate "date" "24.12.2024"',
            'key-never 2:23 "date" never looks like this',
            'it looks like "2024-12-24"',
        ),
        (
            'currentdate :comparator "i;ascii-numeric" :value "ge" "date" "2024-12-24"',
            'comparator-unfit 2:28 i;ascii-numeric sees only the first digits of "date"',
            "",
        ),
    ],
)
def test_problems(sieve: Sieve, test: str, problem: str, hint: str | None) -> None:
    script = f"{D}\nif {test} {{ stop; }}"
    (shown,) = sieve.problems(script)
    assert shown.startswith(problem)
    if hint is not None:
        assert sieve.check(script).problems[0].hint == hint


@pytest.mark.parametrize(
    "test",
    [
        'date :value "ge" "date" "date" "2024"',
        'date :contains "date" "date" "-12-"',
        'date :matches "date" "hour" "1?"',
        'date :is :comparator "i;ascii-numeric" "date" "hour" "9"',
        'date :count "eq" :comparator "i;ascii-numeric" "date" "date" "1"',
        'date "date" "second" "60"',
        'date "date" "zone" "-0500"',
        'date "date" "julian" "00054157"',
        'date "date" "iso8601" ["2024-12-24T18:30:00Z", "2024-12-24t18:30:00-05:00"]',
    ],
)
def test_no_advice(sieve: Sieve, test: str) -> None:
    assert sieve.problems(f"{D}\nif {test} {{ stop; }}") == []


@pytest.mark.parametrize("part", date.PARTS)
def test_examples_of_hints_are_what_a_part_looks_like(sieve: Sieve, part: str) -> None:
    assert sieve.problems(f'{D}\nif date "date" "{part}" "{date.PARTS[part].example}" {{ stop; }}') == []


# ---- dates


def test_a_field_is_read_once(sieve: Sieve, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    real = date.moment_of

    def moment_of(value: str) -> Any:
        read.append(value)
        return real(value)

    monkeypatch.setattr(date, "moment_of", moment_of)
    test = 'anyof(date :zone "+0100" "date" "hour" "01", date :zone "+0200" "Date" "year" "1999")'
    assert not sieve.holds(test, MESSAGE, require=D)
    assert read == ["Wed, 15 Jan 2025 12:00:00 +0000"]


MOMENTS = st.builds(
    lambda wall, offset, leap: date.Moment(wall.replace(second=59) if leap else wall, offset, leap),
    st.datetimes(datetime(1900, 1, 1), datetime(9999, 12, 31, 23, 59, 59)).map(lambda at: at.replace(microsecond=0)),
    st.integers(-99 * 60 - 59, 99 * 60 + 59),
    st.booleans(),
)


@given(MOMENTS)
def test_std11_is_read_as_what_it_was(moment: Any) -> None:
    assert date.moment_of(date.PARTS["std11"].of(moment)) == moment


@given(MOMENTS.filter(lambda moment: abs(moment.offset) < 24 * 60 and not moment.leap))
def test_iso8601_is_that_of_the_library(moment: Any) -> None:
    aware = moment.wall.replace(tzinfo=timezone(timedelta(minutes=moment.offset)))
    assert datetime.fromisoformat(date.PARTS["iso8601"].of(moment)) == aware


@given(MOMENTS, st.integers(-99 * 60 - 59, 99 * 60 + 59))
def test_there_and_back(moment: Any, offset: int) -> None:
    shifted = moment.shifted(offset)
    assert shifted is None or shifted.shifted(moment.offset) == moment


@given(MOMENTS)
def test_parts_look_as_they_are_said_to(moment: Any) -> None:
    for part in date.PARTS.values():
        assert re.fullmatch(part.form, part.of(moment))


@given(st.text(st.sampled_from(' \t()\\";:,+-0124NovSunEST'), max_size=40))
def test_any_value_gives_an_answer(value: str) -> None:
    moment = date.moment_of(value)
    assert moment is None or date.moment_of(f"x; {date.PARTS['std11'].of(moment)}") == moment


@pytest.mark.parametrize(
    "piece", ['"', '"\\', "(", "\\", "()", '"(\\', ";", " ", '(";', 'a"(', ')"', "1 Nov 2024 ", "Sun,"]
)
def test_a_long_value_is_read_in_linear_time(piece: str) -> None:
    assert date.moment_of(piece * 200_000) is None  # hours, if each piece were looked at from each other one
