"""virustest, spamtest: test how likely the message is infected, or is spam, as a number (RFC 5235).

virustest asks the antivirus engines: 0 not tested or failed, 1 clean, 2 replaced, 3 cured, 4 possibly infected
(suspicious, encrypted, macros, limit exceeded, unscannable), 5 infected. With the setting status_header it reads the result
of another scanner from a header field instead. spamtest always does, because no engine of this version detects spam.

    extension "spamtest" { status_header = "X-Spam-Status: score=(-?[0-9.]+)"
                           max_header = "X-Spam-Status: required=([0-9.]+)" }

The header fields are untrusted, so the patterns are matched by RE2, in linear time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sieveav.extending import (
    INTEGER,
    TEXTS,
    Extension,
    ForeignTag,
    MatchingValues,
    Option,
    Run,
    Scan,
    Status,
    ValueType,
    Verdict,
    one_of,
    unfold,
    worst_verdict,
)

virustest = Extension("virustest", "RFC 5235")
spamtest = Extension("spamtest", "RFC 5235")
spamtestplus = Extension("spamtestplus", "RFC 5235", implies=["spamtest"])


@lru_cache(maxsize=64)
def _source(text: str) -> tuple[str, Any]:
    """The setting status_header or max_header: the lower-case name of a field, and the pattern whose first group is the value
    in it; None: the whole field is. Raises ValueError with a reason."""
    name, colon, pattern = text.partition(":")
    name, pattern = name.strip(), pattern.strip()
    if not _FIELD_NAME.fullmatch(name):
        raise ValueError(f'"{name}" is not a valid header field name')
    if not colon:
        return name.lower(), None
    import re2  # 4 ms, only for settings with a pattern

    options = re2.Options()
    options.log_errors = False
    try:
        compiled = re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        shown = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise ValueError(f'"{pattern}" is not a valid regular expression: {shown}') from None
    if not compiled.groups:
        raise ValueError(f'"{pattern}" has no group; write ( ) around the value')
    return name.lower(), compiled


def _read_source(text: str) -> str:
    if text:
        _source(text)
    return text


LENGTH = 4096
"""The most characters of a field that a pattern searches: RE2 is linear, but cannot be interrupted."""

_FIELD_NAME = re.compile("[!-9;-~]+")
SOURCE = ValueType("header field, or field: regular expression", _read_source)

for _extension in (virustest, spamtest):
    _extension.setting(
        Option(
            "status_header",
            SOURCE,
            "",
            "the header field with another scanner's result; with a colon and a regular expression after the name, the "
            "result is what its first group matches in the field",
        )
    )
    _extension.setting(
        Option(
            "status_type",
            one_of("score", "strlen", "text"),
            "score",
            "the form of the result: a number, the length of a row of characters, or one of several texts",
        )
    )
    _extension.setting(Option("max_value", INTEGER, 0, "the highest number, or length"))
    _extension.setting(
        Option(
            "max_header", SOURCE, "", "the header field with the highest number instead, in the form of status_header"
        )
    )
    _extension.setting(Option("text_values", TEXTS, (), 'the meaning of the texts, each as "VALUE=TEXT"'))

_DIGITS = re.compile("[0-9]{1,3}")
_NUMBER = re.compile(r"-?(?:[0-9]{1,9}(?:\.[0-9]{1,9})?|(?<![\w.])\.[0-9]{1,9})")
"""A decimal number, which may begin with its point: RFC 5235, 3.2: the value is the result of the tests."""


def _value(run: Run, source: str) -> str | None:
    """The value that the setting `source` selects, from the first field of its name: it was added last, closest to us."""
    name, pattern = _source(source)
    values = run.message.fields.get(name, ())
    if not values:
        return None
    value = unfold(values[0])
    if pattern is None:
        return value
    match = pattern.search(value[:LENGTH].encode("utf-8", "replace").decode("utf-8"))  # RE2 accepts no lone surrogates
    return None if match is None else match[1]


def _number(run: Run, source: str) -> float | None:
    match = _NUMBER.search(_value(run, source) or "")
    return float(match[0]) if match else None


def _share(run: Run, settings: Mapping[str, Any]) -> float | None:
    """The result of another scanner as a fraction of the highest, from 0 to 1; None if there is none."""
    value = _value(run, settings["status_header"])
    highest = _number(run, settings["max_header"]) if settings["max_header"] else float(settings["max_value"])
    if value is None or not highest or highest < 0:
        return None
    if settings["status_type"] == "strlen":
        result: float | None = len(value.split(" ")[0])
    else:
        result = _number(run, settings["status_header"])
    return None if result is None else max(0.0, min(1.0, result / highest))


def _steps(share: float, steps: int) -> int:
    """How many of `steps` equal steps `share` has reached, tolerating rounding errors."""
    return int(share * steps + 1e-9)


def _text_value(run: Run, settings: Mapping[str, Any]) -> str | None:
    value = (_value(run, settings["status_header"]) or "").lower()
    pairs = (pair.partition("=") for pair in settings["text_values"])
    return next((number for number, _, text in pairs if value and text.lower() == value), None)


class _Result(MatchingValues):
    """A test of a number. RFC 5235, 3.1: "0" if the message was not tested, and then :count counts 0."""

    value: str
    compares_texts = False

    def number(self, run: Run) -> int | None:
        """The result; None if the message was not tested."""
        raise NotImplementedError

    @property
    def keys(self) -> tuple[str, ...]:  # type: ignore[override]
        return (self.value,)

    def values(self, run: Run) -> Sequence[str]:
        number = self.number(run)
        if number is not None:
            return (str(number),)
        return () if self.match.counts else ("0",)


OF_VERDICT = {
    Status.CLEAN: 1,
    Status.SUSPICIOUS: 4,
    Status.ENCRYPTED: 4,
    Status.MACRO: 4,
    Status.LIMITS: 4,
    Status.UNSCANNABLE: 4,
    Status.INFECTED: 5,
}
"""RFC 5235, 3.3. With any other status, the message was not tested."""

CURED = {"replaced": 2, "cured": 3}


def virus_value(verdict: Verdict) -> int | None:
    """The number for `verdict`; None if it says nothing about the message."""
    if verdict.status is Status.CLEAN and verdict.cured in CURED:
        return CURED[verdict.cured]
    return OF_VERDICT.get(verdict.status)


@virustest.test("virustest")
class Virustest(_Result):
    """virustest: whether the virus value, "0" to "5", matches. RFC 5235, 3.3."""

    value: str

    def number(self, run: Run) -> int | None:
        if not self.settings["status_header"]:
            return virus_value(worst_verdict(run.ask(Scan()).verdicts))
        if self.settings["status_type"] == "text":
            text = _text_value(run, self.settings)
            return int(text) if text in ("1", "2", "3", "4", "5") else None
        share = _share(run, self.settings)
        return None if share is None else 1 + _steps(share, 4)


@spamtestplus.tag(":percent", on=["spamtest"])
class Percent(ForeignTag):
    """:percent: the spam value is "0" to "100". RFC 5235, 3.2.2."""


@spamtest.test("spamtest")
class Spamtest(_Result):
    """spamtest: whether the spam value, "0" to "10", matches. RFC 5235, 3.2.1."""

    value: str

    def number(self, run: Run) -> int | None:
        if not self.settings["status_header"]:
            return None
        percent = ":percent" in self.written
        if self.settings["status_type"] == "text":
            text = _text_value(run, self.settings) or ""
            return int(text) if _DIGITS.fullmatch(text) and int(text) <= (100 if percent else 10) else None
        share = _share(run, self.settings)
        if share is None:
            return None
        return _steps(share, 100) if percent else 1 + _steps(share, 9)
