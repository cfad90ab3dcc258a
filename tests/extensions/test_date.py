"""date, RFC 5260, 4 and 5, beyond date.svtest: places and hints of problems, chosen times and zones."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from importlib import import_module
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.accepting import Accepted
from support.sieve import FakeHost, Sieve

from sieveav.running.questions import Now

date: Any = import_module("sieveav.extensions.date")

D = 'require ["date", "relational", "index", "comparator-i;ascii-numeric"];'

MESSAGE = "Date: Wed, 15 Jan 2025 12:00:00 +0000\nX-Summer: Tue, 15 Jul 2025 12:00:00 +0000\n\n"


class Berlin(tzinfo):
    """UTC plus one hour, plus two from April to September."""

    def utcoffset(self, at: datetime | None) -> timedelta:
        return timedelta(hours=2 if at is not None and 4 <= at.month <= 9 else 1)

    def dst(self, at: datetime | None) -> timedelta:
        return self.utcoffset(at) - timedelta(hours=1)

    def tzname(self, at: datetime | None) -> str:  # noqa: ARG002
        return "Berlin"


@pytest.fixture
def at(sieve: Sieve, fake_host: type[FakeHost]) -> Callable[..., bool]:
    """Whether a test is true at a time."""

    def holds(test: str, now: datetime, message: str = MESSAGE) -> bool:
        return sieve.holds(test, message, require=D, host=fake_host(answers={Now: lambda _: now}))

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
def test_a_date_has_the_offset_in_force_at_that_time(at: Callable[..., bool], test: str, seen: str) -> None:
    assert at(f'{test} "{seen}"', datetime(2025, 12, 24, 18, 30, 15, 999_999, tzinfo=Berlin()))


@pytest.mark.parametrize(
    ("offset", "zone", "time"),
    [
        (timedelta(hours=5, minutes=45), "+0545", "17:45:00"),
        (timedelta(hours=-3, minutes=-30), "-0330", "08:30:00"),
        (timedelta(0), "+0000", "12:00:00"),
        (timedelta(minutes=53, seconds=28), "+0053", "12:53:00"),  # the zone shows the offset that was added
        (timedelta(minutes=-53, seconds=-28), "-0054", "11:06:00"),
    ],
)
def test_a_local_zone_of_any_offset(at: Callable[..., bool], offset: timedelta, zone: str, time: str) -> None:
    now = datetime(2025, 1, 1, tzinfo=timezone(offset))
    assert at(f'date "date" "zone" "{zone}"', now)
    assert at(f'date "date" "time" "{time}"', now)


def test_a_date_beyond_the_last_year_in_the_local_zone(at: Callable[..., bool]) -> None:
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
def test_after_business_hours_and_on_weekends(at: Callable[..., bool], now: datetime, holds: bool) -> None:
    test = """anyof(currentdate :is "weekday" "0",
              currentdate :is "weekday" "6",
              currentdate :value "lt" "hour" "09",
              currentdate :value "ge" "hour" "17")"""
    assert at(test, now) is holds


@pytest.mark.parametrize(("day", "holds"), [(29, False), (30, True), (31, True), (37, True), (38, False)])
def test_the_days_of_a_vacation(at: Callable[..., bool], day: int, holds: bool) -> None:
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
    ("test", "place"),
    [
        ('date "date" "moon" "1"', "date-part-invalid 2:16"),
        ('currentdate :zone "GMT" "hour" "01"', "zone-invalid 2:22"),
        ('date :zone "+01:00" "date" "hour" "01"', "zone-invalid 2:15"),
        ('date :zone "+0160" "date" "hour" "01"', "zone-invalid 2:15"),
        ('date :zone "+\u0660\u0661\u0660\u0660" "date" "hour" "01"', "zone-invalid 2:15"),
        ('date :zone "+0100\n" "date" "hour" "01"', "zone-invalid 2:15"),
        ('date :zone "+0100" :originalzone "date" "hour" "01"', "tag-conflict 2:23"),
        ('date "date:" "hour" "01"', "header-name 2:9"),
        ('date "date" "hour" "9"', "key-never 2:23"),
        ('date "date" "hour" ["09", "24"]', "key-never 2:30"),
        ('date :value "ge" "date" "hour" "9"', "key-never 2:35"),
        ('currentdate "weekday" "Mon"', "key-never 2:26"),
        ('currentdate "date" "24.12.2024"', "key-never 2:23"),
        ('currentdate :comparator "i;ascii-numeric" :value "ge" "date" "2024-12-24"', "comparator-unfit 2:28"),
    ],
)
def test_problems(sieve: Sieve, accepted: Accepted, test: str, place: str) -> None:
    script = f"{D}\nif {test} {{ stop; }}"
    assert sieve.places(script) == [place]
    accepted(sieve.texts(script))


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
def test_examples_in_hints_are_valid_keys(sieve: Sieve, part: str) -> None:
    assert sieve.problems(f'{D}\nif date "date" "{part}" "{date.PARTS[part].example}" {{ stop; }}') == []


# ---- dates


def test_a_field_is_parsed_once(sieve: Sieve, monkeypatch: pytest.MonkeyPatch) -> None:
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
def test_std11_is_parsed_to_the_same_moment(moment: Any) -> None:
    assert date.moment_of(date.PARTS["std11"].of(moment)) == moment


@given(MOMENTS.filter(lambda moment: abs(moment.offset) < 24 * 60 and not moment.leap))
def test_iso8601_equals_that_of_datetime(moment: Any) -> None:
    aware = moment.wall.replace(tzinfo=timezone(timedelta(minutes=moment.offset)))
    assert datetime.fromisoformat(date.PARTS["iso8601"].of(moment)) == aware


@given(MOMENTS, st.integers(-99 * 60 - 59, 99 * 60 + 59))
def test_to_another_zone_and_back(moment: Any, offset: int) -> None:
    shifted = moment.shifted(offset)
    assert shifted is None or shifted.shifted(moment.offset) == moment


@given(MOMENTS)
def test_parts_have_their_form(moment: Any) -> None:
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
    assert date.moment_of(piece * 200_000) is None  # hours in quadratic time
