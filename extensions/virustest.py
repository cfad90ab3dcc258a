"""virustest, spamtest: how sure it is that the message holds a virus, or is spam, as a number (RFC 5235).

virustest asks the antivirus engines: 0 not tested or failed, 1 clean, 2 replaced, 3 cured, 4 perhaps (suspicious,
encrypted, macros, beyond a limit, unscannable), 5 infected. With the setting status_header it reads what another scanner
wrote into a header field of that name instead; spamtest always does, for no engine of this version judges spam.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sieveav.extending import (
    INTEGER,
    TEXT,
    TEXTS,
    Extension,
    ForeignTag,
    MatchingValues,
    Option,
    Run,
    Scan,
    Status,
    Verdict,
    one_of,
    unfold,
    worst,
)

virustest = Extension("virustest", "RFC 5235")
spamtest = Extension("spamtest", "RFC 5235")
spamtestplus = Extension("spamtestplus", "RFC 5235", implies=["spamtest"])

for _extension in (virustest, spamtest):
    _extension.setting(Option("status_header", TEXT, "", "the header field in which another scanner left its result"))
    _extension.setting(
        Option(
            "status_type",
            one_of("score", "strlen", "text"),
            "score",
            "how that field says it: a number, the length of a row of characters, or one of some texts",
        )
    )
    _extension.setting(Option("max_value", INTEGER, 0, "the number, or length, that is the highest"))
    _extension.setting(Option("max_header", TEXT, "", "the header field that holds the highest number instead"))
    _extension.setting(Option("text_values", TEXTS, (), 'what the texts mean, each as "VALUE=TEXT"'))

_DIGITS = re.compile("[0-9]{1,3}")
_NUMBER = re.compile(r"-?[0-9]{1,9}(?:\.[0-9]{1,9})?")


def _field(run: Run, name: str) -> str | None:
    """The value of the first field of that name: the one added last, nearest to us."""
    values = run.message.fields.get(name.lower(), ())
    return unfold(values[0]) if values else None


def _number(run: Run, name: str) -> float | None:
    found = _NUMBER.search(_field(run, name) or "")
    return float(found[0]) if found else None


def _share(run: Run, settings: Mapping[str, Any]) -> float | None:
    """The result of another scanner as a share of the highest, from 0 to 1; None when there is none to be read."""
    value = _field(run, settings["status_header"])
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
    value = (_field(run, settings["status_header"]) or "").lower()
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
