"""reasons: what the words of daemons mean."""

from __future__ import annotations

import pytest

from sieveav.engines.reasons import status_of
from sieveav.verdict import Status


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        ("the archive is ENCRYPTED", Status.ENCRYPTED),
        ("password protected", Status.ENCRYPTED),
        ("the file is a decompression bomb", Status.LIMITS),
        ("too many files", Status.LIMITS),
        ("recursion", Status.LIMITS),
        ("corrupted archive", Status.UNSCANNABLE),
        ("unsupported archive", Status.UNSCANNABLE),
        ("", Status.ERROR),
        ("timeout", Status.ERROR),
        ("permission denied", Status.ERROR),
        ("the limit of the licence is exceeded", Status.ERROR),
    ],
)
def test_words(reason: str, status: Status) -> None:
    assert status_of(reason) is status
    assert status_of(reason, Status.SKIPPED) is (Status.SKIPPED if status is Status.ERROR else status)
