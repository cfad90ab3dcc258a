"""date: test the date and time of a header field, and the current date and time (RFC 5260, 4 and 5).

    date :value "ge" :originalzone "date" "hour" "09"
    date :zone "+0100" :is "received" "weekday" ["0", "6"]
    currentdate :value "ge" "date" "2024-12-24"

date uses the first field of the given name (with "index", another one). Its value is a date, or has one after its last
semicolon. The date is converted to the local time zone; with :zone to that zone; with :originalzone it keeps its own. A
field without a valid date matches nothing.

The date-parts: "year", "month", "day", "date" (2024-12-24), "julian" (the Modified Julian Day), "hour", "minute", "second",
"time" (18:30:00), "iso8601" (2024-12-24T18:30:00+01:00), "std11" (Tue, 24 Dec 2024 18:30:00 +0100), "zone" (+0100),
"weekday" ("0" for Sunday to "6"). Numbers have leading zeros: the hour is "09", not "9".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any, NamedTuple

from sieveav.extending import (
    PHASES,
    Extension,
    Fields,
    MatchingValues,
    Message,
    Now,
    Run,
    Severity,
    Strings,
    Subject,
    Use,
    check_names,
    derived,
    intern_subject,
    names_of,
    tag,
    unfold,
    value,
)

extension = Extension("date", "RFC 5260, 4 and 5")
extension.rule("key-never", "the date-part never has this value")
extension.rule("tag-conflict", "the tag conflicts with another tag")


# ---- a moment


class Moment(NamedTuple):
    """A date and time in a time zone: `wall` is the local time (naive), `offset` the minutes east of UTC. With `leap`, the
    59 in its seconds means 60 (a leap second)."""

    wall: datetime
    offset: int
    leap: bool = False

    def shifted(self, offset: int) -> Moment | None:
        """The same moment in another time zone; None if its year there is beyond 9999, which no date-part can express."""
        try:
            return self._replace(wall=self.wall + timedelta(minutes=offset - self.offset), offset=offset)
        except OverflowError:
            return None

    def local(self, zone: tzinfo) -> Moment | None:
        """The same moment in `zone`, with the offset in force there at that time; None as in `shifted`."""
        try:
            utc = (self.wall - timedelta(minutes=self.offset)).replace(tzinfo=UTC)
            return self.shifted(_minutes(utc.astimezone(zone)))
        except OverflowError:
            return None


def _minutes(time: datetime) -> int:
    """The offset of an aware time in whole minutes: +hhmm expresses no more."""
    return int((time.utcoffset() or timedelta()).total_seconds() // 60)


# ---- dates of header fields, RFC 2822, 3.3 and 4.3

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH_NUMBERS = {name.lower(): number for number, name in enumerate(_MONTHS, 1)}

_DATE = re.compile(
    rf"""
    [ ]*+ (?: (?:{"|".join(_DAYS)}) [ ]*+ , [ ]*+ )?
    ([0-9]{{1,2}}+) [ ]++ ({"|".join(_MONTHS)}) [ ]++ ([0-9]{{2,9}}+) [ ]++
    ([0-9]{{2}}) [ ]*+ : [ ]*+ ([0-9]{{2}}) (?: [ ]*+ : [ ]*+ ([0-9]{{2}}) )? [ ]++
    (?: ([+-]) ([0-9]{{2}}) ([0-9]{{2}}) | ([A-Z]++) ) [ ]*+
    """,
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
"""RFC 2822, 3.3 and 4.3; comments and tabs were replaced by spaces. No piece matches into the next: linear time."""

_ZONES = {"UT": 0, "GMT": 0, "EDT": -4, "EST": -5, "CDT": -5, "CST": -6, "MDT": -6, "MST": -7, "PDT": -7, "PST": -8}
"""RFC 2822, 4.3: hours east of UTC."""

_OUTSIDE = re.compile(r'[^()\\";]++|\\.|"(?>(?:[^"\\]++|\\.)*)"|[()\\";]', re.DOTALL)
_INSIDE = re.compile(r"[^()\\]++|\\.|[()\\]", re.DOTALL)
"""Pieces of a value outside and inside a comment. An unclosed quoted string is tried only once, because no quote follows."""


def _last_part(value: str) -> str:
    """The text after the last semicolon outside comments and quoted strings, with a space for each comment
    (RFC 2822, 3.2.3). RFC 5260, 4: of several dates the last one is used."""
    if "(" not in value and '"' not in value:
        return value.rpartition(";")[2]
    pieces: list[str] = []
    at = depth = 0
    while at < len(value):
        match = (_INSIDE if depth else _OUTSIDE).match(value, at)
        assert match is not None  # every character begins a piece  # noqa: S101
        piece, at = match[0], match.end()
        if piece == "(":
            depth += 1
            piece = " "
        elif depth:
            depth -= piece == ")"
            continue
        if piece == ";":
            pieces.clear()
        else:
            pieces.append(piece)
    return "".join(pieces)


def moment_of(value: str) -> Moment | None:
    """The date and time in the unfolded value of a header field, None if it has no valid one."""
    match = _DATE.fullmatch(_last_part(value).replace("\t", " "))
    if match is None:
        return None
    day, month, year, hour, minute, second, sign, hours, minutes, name = match.groups()
    if minutes is not None and int(minutes) > 59:  # RFC 2822, 3.3: the range is -9959 through +9959
        return None
    if name in ("J", "j"):  # RFC 2822, 4.3: the only letter that is not a zone
        return None
    # RFC 2822, 4.3: military zones and unknown names are equivalent to "-0000"
    offset = _ZONES.get(name.upper(), 0) * 60 if name else int(hours) * 60 + int(minutes)
    leap = second == "60"  # RFC 2822, 3.3: 23:59:60 is in the range
    try:
        wall = datetime(
            _full_year(year),
            _MONTH_NUMBERS[month.lower()],
            int(day),
            int(hour),
            int(minute),
            59 if leap else int(second or 0),  # RFC 2822, 3.3: the seconds are optional
        )
    except ValueError:  # RFC 5260, 4: not valid according to the rules of the calendar
        return None
    if wall.year < 1900:  # RFC 2822, 3.3: the year is any numeric year 1900 or later
        return None
    return Moment(wall, -offset if sign == "-" else offset, leap)


def _full_year(digits: str) -> int:
    """RFC 2822, 4.3: a two-digit year is from 1950 to 2049, a three-digit year counts from 1900."""
    year = int(digits)
    if len(digits) == 2 and year < 50:
        return 2000 + year
    return 1900 + year if len(digits) < 4 else year


@dataclass(frozen=True)
class FirstDate(Subject):
    """The date in the first of the header fields, None if it has no valid one. RFC 5260, 4: only the first one is used."""

    source: Any
    needs: str = field(default="", kw_only=True)

    def of(self, message: Message) -> Moment | None:
        values: Sequence[str] = self.source.of(message)
        return moment_of(unfold(values[0])) if values else None


# ---- date-parts, RFC 5260, 4.2


def _zone(moment: Moment, colon: str = "") -> str:
    hours, minutes = divmod(abs(moment.offset), 60)
    return f"{'-' if moment.offset < 0 else '+'}{hours:02}{colon}{minutes:02}"  # an offset of 0 has a positive sign


def _second(moment: Moment) -> str:
    return "60" if moment.leap else f"{moment.wall.second:02}"


def _time(moment: Moment) -> str:
    return f"{moment.wall.hour:02}:{moment.wall.minute:02}:{_second(moment)}"


def _date(moment: Moment) -> str:
    return f"{moment.wall.year:04}-{moment.wall.month:02}-{moment.wall.day:02}"


def _iso8601(moment: Moment) -> str:
    """RFC 3339, 5.6, with upper-case letters, and Z for the offset 0."""
    return f"{_date(moment)}T{_time(moment)}{_zone(moment, ':') if moment.offset else 'Z'}"


def _std11(moment: Moment) -> str:
    """RFC 2822, 3.3."""
    wall = moment.wall
    month = _MONTHS[wall.month - 1]
    return f"{_DAYS[wall.weekday()]}, {wall.day:02} {month} {wall.year:04} {_time(moment)} {_zone(moment)}"


_MJD_0 = date(1858, 11, 17).toordinal()
"""RFC 5260, 4.2: day 0 of the Modified Julian Days. (The routines of its appendix A give the Julian Day.)"""


class Part(NamedTuple):
    """A date-part: its string for a moment, the pattern of all such strings, and an example."""

    of: Callable[[Moment], str]
    form: str
    example: str


PARTS = {
    "year": Part(lambda moment: f"{moment.wall.year:04}", "[0-9]{4}", "2024"),
    "month": Part(lambda moment: f"{moment.wall.month:02}", "0[1-9]|1[0-2]", "09"),
    "day": Part(lambda moment: f"{moment.wall.day:02}", "0[1-9]|[12][0-9]|3[01]", "09"),
    "date": Part(_date, "[0-9]{4}-[0-9]{2}-[0-9]{2}", "2024-12-24"),
    "julian": Part(lambda moment: str(moment.wall.toordinal() - _MJD_0), "[0-9]+", "60668"),
    "hour": Part(lambda moment: f"{moment.wall.hour:02}", "[01][0-9]|2[0-3]", "09"),
    "minute": Part(lambda moment: f"{moment.wall.minute:02}", "[0-5][0-9]", "09"),
    "second": Part(_second, "[0-5][0-9]|60", "09"),
    "time": Part(_time, "[0-9]{2}:[0-9]{2}:[0-9]{2}", "18:30:00"),
    "iso8601": Part(_iso8601, "[0-9-]{10}T[0-9:]{8}(Z|[+-][0-9]{2}:[0-9]{2})", "2024-12-24T18:30:00+01:00"),
    "std11": Part(_std11, ".*", "Tue, 24 Dec 2024 18:30:00 +0100"),
    "zone": Part(_zone, "[+-][0-9]{4}", "+0100"),
    "weekday": Part(lambda moment: str(moment.wall.isoweekday() % 7), "[0-6]", "0"),
}

_NUMBERS = frozenset({"year", "month", "day", "julian", "hour", "minute", "second", "weekday"})
"""RFC 5260, 4.3: the date-parts that i;ascii-numeric can compare."""


def part_flaw(name: str) -> str:
    """What is wrong with the name of a date-part. RFC 5260, 4.2: names are case-insensitive."""
    return "" if name.lower() in PARTS else "unknown date-part"


def zone_flaw(text: str) -> str:
    """What is wrong with a time zone. RFC 5260, 4.1: ( "+" / "-" ) 4DIGIT, the last two are minutes."""
    if not re.fullmatch("[+-][0-9]{4}", text):
        return "invalid time zone"
    return "" if text[3:] <= "59" else "the minutes of a time zone must be 00 to 59"


_PART_HINT = f"write one of {', '.join(PARTS)}"
_ZONE_HINT = 'write + or - and four digits (hours and minutes), such as "+0530"'


# ---- tests


class _OfMoment(MatchingValues):
    """A test of one part of a date and time. An invalid date has no value, and counts as 0 (RFC 5260, 4)."""

    zone: str = tag(":zone", "", valid=zone_flaw, hint=_ZONE_HINT)
    date_part: str = value(valid=part_flaw, hint=_PART_HINT)
    keys: Strings
    text_of: Callable[[Moment], str] = derived()
    offset: int | None = derived(None)
    """Minutes east of UTC; None without :zone."""

    def check(self, use: Use) -> None:
        super().check(use)
        names = [name.value.lower() for name in use.strings("date_part") if not part_flaw(name.value)]
        if names and not self.match.counts:
            self._advise(use, names[0])

    def _advise(self, use: Use, name: str) -> None:
        """Warn of comparisons that are never true, or only by chance. RFC 5260, 4.3."""
        part = PARTS[name]
        if self.comparator.numeric:
            if name not in _NUMBERS:
                message = f'{self.comparator.name} compares only the first number in "{name}"'
                use.complain("comparator", message, rule="comparator-unfit", severity=Severity.WARNING)
        elif self.match.name == ":is" or (self.match.needs == "ordering" and name in _NUMBERS):
            for key in use.strings("keys"):
                if not re.fullmatch(part.form, key.value, re.IGNORECASE | re.DOTALL):
                    message = f'"{name}" never has this form'
                    hint = f'write it like "{part.example}"'
                    use.complain(key, message, hint, rule="key-never", severity=Severity.WARNING)

    def prepare(self) -> None:
        super().prepare()
        self.text_of = PARTS[self.date_part.lower()].of
        if self.zone:
            minutes = int(self.zone[1:3]) * 60 + int(self.zone[3:])
            self.offset = -minutes if self.zone[0] == "-" else minutes

    def moment(self, run: Run) -> Moment | None:
        """The date and time in the time zone of its source; None if there is no valid one."""
        raise NotImplementedError

    def in_zone(self, moment: Moment, run: Run) -> Moment | None:
        """The same moment in the zone that is compared. RFC 5260, 4.1: the local time zone without :zone."""
        if self.offset is not None:
            return moment.shifted(self.offset)
        zone = run.ask(Now()).tzinfo
        return moment if zone is None else moment.local(zone)

    def values(self, run: Run) -> Sequence[str]:
        moment = self.moment(run)
        converted = None if moment is None else self.in_zone(moment, run)
        return () if converted is None else (self.text_of(converted),)


@extension.test("date")
class Date(_OfMoment):
    """date: whether a part of the date and time in a header field matches a key. RFC 5260, 4."""

    original: bool = tag(":originalzone")
    header_name: str
    date_part: str = value(valid=part_flaw, hint=_PART_HINT)
    keys: Strings
    subject: Any = derived()

    def check(self, use: Use) -> None:
        super().check(use)
        check_names(use, "header_name")
        if use.has("zone") and use.has("original"):  # RFC 5260, 4.1: an error
            use.complain("original", ":zone conflicts with :originalzone", "leave one out", rule="tag-conflict")

    def prepare(self) -> None:
        super().prepare()
        subject: Any = FirstDate(Fields(names_of([self.header_name])))
        for amender in self.tags:  # RFC 5260, 6: :index and :last
            subject = amender.amend(subject)
        self.subject = intern_subject(subject)

    def moment(self, run: Run) -> Moment | None:
        # each field is parsed once for all tests, zones and recipients
        moment: Moment | None = run.focus(self.subject.subject.needs)[self.subject]
        return moment

    def in_zone(self, moment: Moment, run: Run) -> Moment | None:
        return moment if self.original else super().in_zone(moment, run)


@extension.test("currentdate", phases=PHASES)
class CurrentDate(_OfMoment):
    """currentdate: whether a part of the current date and time matches a key. RFC 5260, 5: it stays the same all through a
    script."""

    def moment(self, run: Run) -> Moment:
        return Moment(run.ask(Now()).astimezone(UTC).replace(tzinfo=None, microsecond=0), 0)
