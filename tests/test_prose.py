"""The prose that people read: none of the idioms that read as if translated."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

IDIOMS = {
    r"\bstands?\b(?!-in)": "is, must be, appears",
    r"\b(?:told|tells)\b": "reports, says",
    r"\banew\b": "again",
    r"\b(?:what|that|this|which) (?:is|are) none\b": "is not one, invalid",
    r"\b(?:just|by) now\b": "currently, so far",
    r"\bbe it\b": "even if",
    r"\ball the same\b": "anyway",
    r"\bas the grammar has it\b": "according to the grammar",
    r"\bslips? of\b": "typo",
    r"\bstranger": "untrusted, third-party",
    r"\bfault of (?:ours|our own)\b": "internal error",
    r"\breaders? of mail\b": "mail client",
    r"\b(?:lobby|the house|the hall|this room|the room)\b": "package, public API",
}
"""Idiom -> what to write."""

PATTERNS = (
    "README.rst",
    "sieveav/**/*.py",
    "sieveav/**/*.yar",
    "extensions/*.py",
    "samples/**/*",
    "tests/expected/**/*",
)

FILES = sorted(
    path
    for pattern in PATTERNS
    for path in ROOT.glob(pattern)
    if path.is_file() and path.suffix != ".eml" and "__pycache__" not in path.parts
)


def idioms(text: str) -> Iterator[str]:
    """`line: idiom: what to write` of each idiom in a text."""
    for number, line in enumerate(text.splitlines(), 1):
        for pattern, instead in IDIOMS.items():
            for match in re.finditer(pattern, line, re.IGNORECASE):
                yield f"{number}: {match[0]}: write {instead}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_plain_english(path: Path) -> None:
    assert list(idioms(path.read_text(encoding="utf-8"))) == []


def test_it_finds_them() -> None:
    assert list(idioms("fine\nWhat stands here is told anew\n")) == [
        "2: stands: write is, must be, appears",
        "2: told: write reports, says",
        "2: anew: write again",
    ]
