"""reasons: the words in which a daemon says why it could not scan something, into a status."""

from __future__ import annotations

import re

from sieveav.verdict import Status

_WORDS = (
    (r"encrypted|password", Status.ENCRYPTED),
    (r"\bbomb|\brecursion|\bnest(?:ed|ing)\b|\btoo (?:big|deep|large|many)\b", Status.LIMITS),
    (r"\bcorrupt|\bdamaged|\bmalformed|\bunsupported|\bnot supported", Status.UNSCANNABLE),
)
"""Only words that are said of a content: "limit" may be that of a licence, which is an error."""

_STATUSES = tuple((re.compile(words, re.IGNORECASE), status) for words, status in _WORDS)


def status_of(reason: str, otherwise: Status = Status.ERROR) -> Status:
    """The status that a reason means; `otherwise` if its words do not say."""
    return next((status for words, status in _STATUSES if words.search(reason)), otherwise)
