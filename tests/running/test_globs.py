"""RFC 5228, 2.7.1 (`:matches`) and RFC 5229, 3.2 (what match variables hold)."""

from __future__ import annotations

import re
import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sieveav.running.globs import Glob, matcher

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
    """Dynamic programming over pattern and value: slow and plain."""
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
    """A regular expression whose stars take as little as they can."""
    kinds = {"*": "(.*?)", "?": "(.)"}
    expression = "".join(kinds.get(kind) or re.escape(character) for kind, character in parts(pattern))
    found = re.fullmatch(expression, value, re.DOTALL)
    return None if found is None else (value, *found.groups())


PATTERNS = st.text("ab*?\\", max_size=10)
VALUES = st.text("ab*?\\\n", max_size=14)


@given(PATTERNS, VALUES)
def test_it_matches_what_the_plain_one_does(pattern: str, value: str) -> None:
    wanted = matches(pattern, value)
    assert (Glob(pattern).places(value, no_clock) is not None) is wanted
    assert bool(matcher(pattern)(value, no_clock)) is wanted


@given(PATTERNS, VALUES)
def test_stars_take_as_little_as_they_can(pattern: str, value: str) -> None:
    assert Glob(pattern).captures(value, value, no_clock) == captures(pattern, value)


@given(st.lists(st.sampled_from(["*", "?", "a", "b", "\\*"]), max_size=8).map("".join), st.data())
def test_values_made_to_match(pattern: str, data: st.DataObject) -> None:
    value = "".join(
        data.draw(st.text("ab", max_size=3)) if kind == "*" else data.draw(st.sampled_from("ab")) if kind == "?" else c
        for kind, c in parts(pattern)
    )
    assert matcher(pattern)(value, no_clock)
    assert Glob(pattern).captures(value, value, no_clock) == captures(pattern, value)


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
    assert Glob(pattern).captures(value, value, no_clock) == found
    assert bool(matcher(pattern)(value, no_clock)) is (found is not None)


def test_captures_are_cut_from_the_value_before_folding() -> None:
    assert Glob("*B?D*").captures("ABCDE", "abCdE", no_clock) == ("abCdE", "a", "C", "E")


N = 200_000


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        ("*" * 50_000, "a" * N),
        ("a*" * 1000 + "b", "a" * N),
        ("*a" * 1000 + "*b", "a" * N),
        ("*" + "a" * 100 + "b*", "a" * N),
        ("?" * N, "a" * N),
        ("*?" * 10_000, "a" * N),
        ("*" + "a?" * 10 + "b*", "a" * N),
        ("*" + "?" * 1000 + "b*", "a" * N),
        ("\\*" * 50_000, "*" * 50_000),
    ],
)
def test_the_time_is_as_good_as_linear(pattern: str, value: str) -> None:
    begun = time.monotonic()
    matcher(pattern)(value, no_clock)
    Glob(pattern).captures(value, value, no_clock)
    assert time.monotonic() - begun < 3


class TimeIsOver(Exception):
    """What a clock raises."""


@pytest.mark.parametrize("holes", [50, 5_000, 50_000])
def test_the_clock_is_looked_at_where_time_is_spent(holes: int) -> None:
    """Every place where a piece with ? may stand costs time; the clock interrupts soon, however long the piece."""
    deadline = time.monotonic() + 0.3

    def clock() -> None:
        if time.monotonic() > deadline:
            raise TimeIsOver

    pattern, value = "*" + "a?" * holes + "ab*", "a" * (10 * N)
    with suppress(TimeIsOver):
        matcher(pattern)(value, clock)
    assert time.monotonic() < deadline + 1
