"""clock: the system's clock to the time and the local time zone that scripts see."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone, tzinfo


class Local(tzinfo):
    """The system's local time zone: each date has the offset of its own season, whatever the season is now."""

    def _offset_at(self, at: datetime) -> datetime:
        """`at`, aware or in local time, with the offset that is in force then."""
        try:
            return at.astimezone()
        except (OverflowError, OSError, ValueError):  # a year that the system's functions cannot express
            standard = timezone(timedelta(seconds=-time.timezone))
            return (at if at.tzinfo else at.replace(tzinfo=standard)).astimezone(standard)

    def utcoffset(self, at: datetime | None) -> timedelta | None:
        return None if at is None else self._offset_at(at.replace(tzinfo=None)).utcoffset()

    def tzname(self, at: datetime | None) -> str | None:
        return None if at is None else self._offset_at(at.replace(tzinfo=None)).tzname()

    def dst(self, at: datetime | None) -> timedelta | None:  # noqa: ARG002  # the system does not say
        return None

    def fromutc(self, at: datetime) -> datetime:
        aware = self._offset_at(at.replace(tzinfo=UTC))
        local = aware.replace(tzinfo=self)
        return local if local.utcoffset() == aware.utcoffset() else local.replace(fold=1)


LOCAL = Local()


def now() -> datetime:
    """The time, in the local time zone."""
    return datetime.now(LOCAL)
