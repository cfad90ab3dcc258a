"""Patterns: RFC 5228, 2.7.1 (`:matches`) and RFC 5229, 3.2 (the values of match variables)."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.timing import assert_linear

from sieveav.running.patterns import COMPARISONS_BETWEEN_TICKS, MatchesPattern, Piece, matcher

Parts = list[str | None]


def no_clock() -> None: ...


def parts(pattern: str) -> list[tuple[str, str]]:
    """The pattern as ("*", ""), ("?", "") and ("=", character)."""
    found = []
    at = 0
    while at < len(pattern):
        if pattern[at] == "\\" and at + 1 < len(pattern):
            found.append(("=", pattern[at + 1]))
            at += 2
            continue
        found.append((pattern[at], "") if pattern[at] in "*?" else ("=", pattern[at]))
        at += 1
    return found


def matches(pattern: str, value: str) -> bool:
    """Dynamic programming over pattern and value: slow but simple."""
    reach = [True] + [False] * len(value)
    for kind, character in parts(pattern):
        if kind == "*":
            for i in range(len(value)):
                reach[i + 1] = reach[i + 1] or reach[i]
        else:
            fits = [kind == "?" or c == character for c in value]
            reach = [False, *(reach[i] and fits[i] for i in range(len(value)))]
    return reach[-1]


def captures(pattern: str, value: str) -> tuple[str, ...] | None:
    """A regular expression whose stars match as little as possible."""
    kinds = {"*": "(.*?)", "?": "(.)"}
    expression = "".join(kinds.get(kind) or re.escape(character) for kind, character in parts(pattern))
    found = re.fullmatch(expression, value, re.DOTALL)
    return None if found is None else (value, *found.groups())


PATTERNS = st.text("ab*?\\", max_size=10)
VALUES = st.text("ab*?\\\n", max_size=14)


@given(PATTERNS, VALUES)
def test_it_agrees_with_a_plain_implementation(pattern: str, value: str) -> None:
    wanted = matches(pattern, value)
    assert (MatchesPattern(pattern).positions(value, no_clock) is not None) is wanted
    assert bool(matcher(pattern)(value, no_clock)) is wanted


@given(PATTERNS, VALUES)
def test_stars_match_as_little_as_possible(pattern: str, value: str) -> None:
    assert MatchesPattern(pattern).captures(value, value, no_clock) == captures(pattern, value)


@given(st.lists(st.sampled_from(["*", "?", "a", "b", "\\*"]), max_size=8).map("".join), st.data())
def test_values_made_to_match(pattern: str, data: st.DataObject) -> None:
    value = "".join(
        data.draw(st.text("ab", max_size=3)) if kind == "*" else data.draw(st.sampled_from("ab")) if kind == "?" else c
        for kind, c in parts(pattern)
    )
    assert matcher(pattern)(value, no_clock)
    assert MatchesPattern(pattern).captures(value, value, no_clock) == captures(pattern, value)


@pytest.mark.parametrize(
    ("pattern", "value", "found"),
    [
        ("", "", ("",)),
        ("", "a", None),
        ("*", "", ("", "")),
        ("*", "abc", ("abc", "abc")),
        ("?", "", None),
        ("?", "a", ("a", "a")),
        ("?*", "a", ("a", "a", "")),
        ("**", "ab", ("ab", "", "ab")),
        ("*?*", "ab", ("ab", "", "a", "b")),
        ("a*b", "ab", ("ab", "")),
        ("a*b", "axbyb", ("axbyb", "xby")),
        ("*a*", "xaya", ("xaya", "x", "ya")),
        ("*ab?", "abxabyabz", ("abxabyabz", "abxaby", "z")),
        ("?b?*", "abcde", ("abcde", "a", "c", "de")),
        ("aba*aba", "aba", None),
        ("aba*aba", "abaaba", ("abaaba", "")),
        ("\\*", "*", ("*",)),
        ("\\*", "a", None),
        ("\\?", "?", ("?",)),
        ("\\?", "a", None),
        ("\\\\", "\\", ("\\",)),
        ("\\\\*", "\\abc", ("\\abc", "abc")),
        ("\\a", "a", ("a",)),
        ("a\\", "a\\", ("a\\",)),
        ("*\n?", "x\ny", ("x\ny", "x", "y")),
        ("[a-z]*", "[a-z]b", ("[a-z]b", "b")),
    ],
)
def test_patterns(pattern: str, value: str, found: tuple[str, ...] | None) -> None:
    assert MatchesPattern(pattern).captures(value, value, no_clock) == found
    assert bool(matcher(pattern)(value, no_clock)) is (found is not None)


def test_captures_are_cut_from_the_value_before_folding() -> None:
    assert MatchesPattern("*B?D*").captures("ABCDE", "abCdE", no_clock) == ("abCdE", "a", "C", "E")


@pytest.mark.parametrize(
    ("unit", "value"), [("*", "a"), ("a*", "a"), ("*a", "a"), ("?", "a"), ("*?", "a"), ("*a?", "a"), ("\\\\*", "*")]
)
@pytest.mark.parametrize("end", ["", "b", "*b", "?b*"])
def test_each_piece_of_a_pattern_is_searched_once(
    monkeypatch: pytest.MonkeyPatch, unit: str, value: str, end: str
) -> None:
    searches = comparisons = 0
    find, fits = Piece.find, Piece.fits

    def counted_find(piece: Piece, *arguments: Any) -> int:
        nonlocal searches
        searches += 1
        return find(piece, *arguments)

    def counted_fits(piece: Piece, *arguments: Any) -> bool:
        nonlocal comparisons
        comparisons += 1
        return fits(piece, *arguments)

    monkeypatch.setattr(Piece, "find", counted_find)
    monkeypatch.setattr(Piece, "fits", counted_fits)
    pattern = MatchesPattern(unit * 2_000 + end)
    length = 10_000
    pattern.captures(value * length, value * length, no_clock)
    assert searches <= len(pattern.pieces)
    assert comparisons <= len(pattern.pieces) + length


@pytest.mark.parametrize("pattern", ["*" + "a" * 100 + "b*", "*" + "a?" * 10 + "b*", "*" + "?" * 1000 + "b*", "a*a?b*"])
def test_long_values_take_linear_time(pattern: str) -> None:
    assert_linear(lambda size: matcher(pattern)("a" * size, no_clock), 5_000)


class TimeIsOver(Exception):
    """Raised by a clock."""


@pytest.mark.parametrize("wildcards", [10, 100, 1_000])
def test_the_clock_is_looked_at_where_time_is_spent(wildcards: int) -> None:
    """Each position of a piece with ? takes time in proportion to its literals, and that many comparisons are counted."""
    ticks = 0

    def clock() -> None:
        nonlocal ticks
        ticks += 1
        if ticks == 20:
            raise TimeIsOver

    positions = 25 * COMPARISONS_BETWEEN_TICKS // wildcards
    pattern, value = "*" + "aa?" * wildcards + "b*", "a" * (positions + 3 * wildcards)
    with pytest.raises(TimeIsOver):
        matcher(pattern)(value, clock)
