"""The local time zone by the rules of the system."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from sieveav.site import clock
from sieveav.site.clock import LOCAL


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("utc", "local"),
    [
        ("2026-01-01T12:00", "2026-01-01T13:00:00+01:00"),
        ("2026-07-01T12:00", "2026-07-01T14:00:00+02:00"),
        ("1969-07-01T12:00", None),
        ("2080-07-01T12:00", "2080-07-01T14:00:00+02:00"),
        ("2026-10-25T00:30", "2026-10-25T02:30:00+02:00"),  # the hour that there is twice
        ("2026-10-25T01:30", "2026-10-25T02:30:00+01:00"),
        ("0001-01-01T00:00", "0001-01-01T01:00:00+01:00"),
        ("9999-12-31T20:30", "9999-12-31T21:30:00+01:00"),
    ],
)
def test_each_date_has_its_own_offset(utc: str, local: str | None) -> None:
    aware = datetime.fromisoformat(utc).replace(tzinfo=UTC)
    there = aware.astimezone(LOCAL)
    assert there.astimezone(UTC) == aware
    assert local is None or there.isoformat() == local


def test_a_date_that_is_none_there() -> None:
    with pytest.raises(OverflowError):
        datetime(9999, 12, 31, 23, 30, tzinfo=UTC).astimezone(LOCAL)


def test_now() -> None:
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(minutes=1)
    assert clock.now().tzname() in ("CET", "CEST")
    assert clock.now().dst() is None
