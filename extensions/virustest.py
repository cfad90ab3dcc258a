"""virustest, spamtest: how sure it is that the message holds a virus, or is spam, as a number (RFC 5235).

virustest asks the antivirus engines: 0 not tested or failed, 1 clean, 2 replaced, 3 cured, 4 perhaps (suspicious,
encrypted, macros, beyond a limit, unscannable), 5 infected. With the setting status_header it reads what another scanner
wrote into a header field of that name instead; spamtest always does, for no engine of this version judges spam.

    extension "spamtest" { status_header = "X-Spam-Status: score=(-?[0-9.]+)"
                           max_header = "X-Spam-Status: required=([0-9.]+)" }

The patterns are of the administrator and the fields of strangers, so RE2 matches them, in linear time.
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
    worst,
)

virustest = Extension("virustest", "RFC 5235")
spamtest = Extension("spamtest", "RFC 5235")
spamtestplus = Extension("spamtestplus", "RFC 5235", implies=["spamtest"])


@lru_cache(maxsize=64)
def _source(text: str) -> tuple[str, Any]:
    """What status_header and max_header say: the name of a field, in lower case, and the pattern whose first group is the
    value in it, None where all of it is. ValueError with a reason."""
    name, colon, pattern = text.partition(":")
    name, pattern = name.strip(), pattern.strip()
    if not _FIELD_NAME.fullmatch(name):
        raise ValueError(f'"{name}" is not the name of a header field')
    if not colon:
        return name.lower(), None
    import re2  # 4 ms, for settings with a pattern

    options = re2.Options()
    options.log_errors = False
    try:
        compiled = re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        shown = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise ValueError(f'"{pattern}" is not a regular expression: {shown}') from None
    if not compiled.groups:
        raise ValueError(f'"{pattern}" has no group: write ( ) around the part that is the value')
    return name.lower(), compiled


def _read_source(text: str) -> str:
    if text:
        _source(text)
    return text


LENGTH = 4096
"""Characters of a field that a pattern looks at: RE2 is linear, but cannot be interrupted."""

_FIELD_NAME = re.compile("[!-9;-~]+")
SOURCE = ValueType("header field, or field: regular expression", _read_source)

for _extension in (virustest, spamtest):
    _extension.setting(
        Option(
            "status_header",
            SOURCE,
            "",
            "the header field in which another scanner left its result; with a colon and a regular expression after the "
            "name, what its first group matches in the field",
        )
    )
    _extension.setting(
        Option(
            "status_type",
            one_of("score", "strlen", "text"),
            "score",
            "how that field says it: a number, the length of a row of characters, or one of some texts",
        )
    )
    _extension.setting(Option("max_value", INTEGER, 0, "the number, or length, that is the highest"))
    _extension.setting(
        Option("max_header", SOURCE, "", "where the highest number is instead, in the form of status_header")
    )
    _extension.setting(Option("text_values", TEXTS, (), 'what the texts mean, each as "VALUE=TEXT"'))

_DIGITS = re.compile("[0-9]{1,3}")
_NUMBER = re.compile(r"-?(?:[0-9]{1,9}(?:\.[0-9]{1,9})?|(?<![\w.])\.[0-9]{1,9})")
"""RFC 5235, 3.2: the number must mean what was tested, so one may begin with its point."""


def _value(run: Run, source: str) -> str | None:
    """What `source`, a setting, says is the value: of the first field of its name, the one added last, nearest to us."""
    name, pattern = _source(source)
    values = run.message.fields.get(name, ())
    if not values:
        return None
    value = unfold(values[0])
    if pattern is None:
        return value
    found = pattern.search(value[:LENGTH].encode("utf-8", "replace").decode("utf-8"))  # RE2 takes no lone surrogates
    return None if found is None else found[1]


def _number(run: Run, source: str) -> float | None:
    found = _NUMBER.search(_value(run, source) or "")
    return float(found[0]) if found else None


def _share(run: Run, settings: Mapping[str, Any]) -> float | None:
    """The result of another scanner as a share of the highest, from 0 to 1; None when there is none to be read."""
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
    """How many of so many steps `share` has reached; what a float falls short of one is none."""
    return int(share * steps + 1e-9)


def _text_value(run: Run, settings: Mapping[str, Any]) -> str | None:
    value = (_value(run, settings["status_header"]) or "").lower()
    pairs = (pair.partition("=") for pair in settings["text_values"])
    return next((number for number, _, text in pairs if value and text.lower() == value), None)


class _Result(MatchingValues):
    """A test of a number, "0" when nothing was tested; then also a :count of none (RFC 5235, 3.1)."""

    value: str
    compares_texts = False

    def number(self, run: Run) -> int | None:
        """The result; None when the message was not tested."""
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
"""RFC 5235, 3.3. What is not here was not tested."""

CURED = {"replaced": 2, "cured": 3}


def virus_value(verdict: Verdict) -> int | None:
    """The number that stands for `verdict`; None for one that says nothing of the message."""
    if verdict.status is Status.CLEAN and verdict.cured in CURED:
        return CURED[verdict.cured]
    return OF_VERDICT.get(verdict.status)


@virustest.test("virustest")
class Virustest(_Result):
    """virustest: whether the number for viruses, "0" to "5", matches the value (RFC 5235, 3.3)."""

    value: str

    def number(self, run: Run) -> int | None:
        if not self.settings["status_header"]:
            return virus_value(worst(run.ask(Scan()).verdicts))
        if self.settings["status_type"] == "text":
            text = _text_value(run, self.settings)
            return int(text) if text in ("1", "2", "3", "4", "5") else None
        share = _share(run, self.settings)
        return None if share is None else 1 + _steps(share, 4)


@spamtestplus.tag(":percent", on=["spamtest"])
class Percent(ForeignTag):
    """:percent: the number goes from "0" to "100" (RFC 5235, 3.2.2)."""


@spamtest.test("spamtest")
class Spamtest(_Result):
    """spamtest: whether the number for spam, "0" to "10", matches the value (RFC 5235, 3.2.1)."""

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
