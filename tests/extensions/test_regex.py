"""draft-murchison-sieve-regex-07: what tests/extensions/regex.svtest cannot say: hints, places, octets, bounds, properties."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import import_module
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.sieve import Sieve

regex: Any = import_module("sieveav.extensions.regex")

R = 'require ["regex", "variables", "virustest"];'


@pytest.mark.parametrize(
    ("key", "message", "hint"),
    [
        ("a*?", 'character 3, "?": this is repeated already', "leave it out: of the matches the longest is taken"),
        ("a**", 'character 3, "*": this is repeated already', "put a group around the first"),
        ("?a", 'character 1, "?a": there is nothing to repeat here', r'write "\\?" for the character'),
        ("(a", 'character 1, "(a": this group has no )', r'write "\\(" for the character'),
        ("a)", 'character 2, ")": this ) closes no group', r'write "\\)" for the character'),
        ("[a", 'character 1, "[a": this [ has no ]', r'write "\\[" for the character'),
        (r"a\\", 'character 2, "\\": a backslash ends the expression', r'write "\\\\" for one backslash'),
        (r"\\w", 'character 1, "\\w": \\w is not defined in POSIX', 'write "[[:alnum:]_]"'),
        (r"\\n", 'character 1, "\\n": \\n is not defined in POSIX', "write the character itself"),
        (r"\\<", 'character 1, "\\<": word boundaries are not supported', 'write "<" for the character'),
        (r"\\b", 'character 1, "\\b": word boundaries are not supported', ""),
        ("a{,3}", 'character 2, "{,3}": invalid repetition', r'write {n}, {n,} or {n,m}, or "\\{" for the character'),
        ("a{4,3}", 'character 2, "{4,3}": invalid repetition', "write the lower number first"),
        ("(?i)a", 'character 1, "(?i)a": options are not supported', None),
        ("(?!a)", 'character 1, "(?!a)": look-ahead is not supported', 'use a second test with "not"'),
        ("(?:a)", 'character 1, "(?:a)": this kind of group is not supported', 'write "(" instead of "(?:"'),
        ("[z-a]", 'character 2, "z-a]": the range ends before it begins', "write the - last for the character"),
        ("[[:a:]]", 'character 2, "[:a:]]": unknown character class', None),
        ("ä\u202e(", 'character 3, "(": this group has no )', None),
    ],
)
def test_problems(sieve: Sieve, key: str, message: str, hint: str | None) -> None:
    script = f'{R}\nif header :regex "subject" ["x", "{key}"] {{ stop; }}'
    assert sieve.problems(script) == [f"regex-invalid 2:34 invalid regular expression: {message}"]
    if hint is not None:
        assert sieve.check(script).problems[0].hint == hint


@pytest.mark.parametrize(
    ("key", "at", "hint"),
    [
        (r"x[\\d]", 3, "write classes such as [:digit:]"),
        (r"[^a\\]]", 4, "write ] first to have it in there"),
    ],
)
def test_a_backslash_within_brackets(sieve: Sieve, key: str, at: int, hint: str) -> None:
    script = f'{R}\nif header :regex "subject" "{key}" {{ stop; }}'
    checked = sieve.check(script)
    assert sieve.problems(script) == [
        f"regex-backslash 2:28 character {at}: within [ ] a backslash is a character like others"
    ]
    assert checked.program is not None
    assert checked.problems[0].hint == hint


@pytest.mark.parametrize("key", [r"[\\.]", r"[a\\]", r"\\.[.]", r"[^\\/]"])
def test_a_backslash_that_is_meant(sieve: Sieve, key: str) -> None:
    problems = sieve.rules(f'{R}\nif header :regex "subject" "{key}" {{ stop; }}')
    assert problems == (["regex-backslash"] if key == r"[a\\]" else [])


def test_keys_of_any_name_are_checked(sieve: Sieve) -> None:
    assert sieve.problems(f'{R}\nif virustest :regex "[" {{ stop; }}') == [
        'regex-invalid 2:21 invalid regular expression: character 1, "[": this [ has no ]'
    ]


@pytest.mark.parametrize(
    ("comparator", "at"),
    [("i;ascii-numeric", "2:28"), ("i;unicode-casemap", "2:28"), ("i;octet", ""), ("I;ASCII-CASEMAP", "")],
)
def test_comparators(sieve: Sieve, comparator: str, at: str) -> None:
    require = 'require ["regex", "comparator-i;ascii-numeric", "comparator-i;unicode-casemap"];'
    script = f'{require}\nif header :regex :comparator "{comparator}" "subject" "(" {{ stop; }}'
    (problem,) = sieve.check(script).problems
    assert problem.rule == ("comparator-unfit" if at else "regex-invalid")
    assert not at or problem.hint == 'use "i;octet" or "i;ascii-casemap"'


def test_a_fault_is_at_the_match_type(sieve: Sieve) -> None:
    outcome = sieve.run(f'{R}\nset "x" "(";\nif string\n    :regex "a" "${{x}}" {{ stop; }}')
    assert (outcome.fault.place.line, outcome.fault.place.column) == (4, 5)
    assert outcome.fault.message == 'invalid regular expression: character 1, "(": this group has no )'


def test_a_fault_shows_nothing_unprintable(sieve: Sieve) -> None:
    message = "Subject: (\x1b[31m\x00\x7f\u202e\n\n"
    script = f'{R} if header :matches "subject" "*" {{ set "x" "${{1}}"; }} if string :regex "a" "${{x}}" {{ stop; }}'
    assert sieve.run(script, message).fault.message == (
        'invalid regular expression: character 3, "[31m": this [ has no ]'
    )


# ---- bounds


def test_the_expressions_of_a_script_together(sieve: Sieve) -> None:
    tests = "\n".join(f'if header :regex "x" "{".{1000}" * 5}{i}" {{ stop; }}' for i in range(40))
    (problem,) = sieve.problems(f"{R}\n{tests}")
    assert problem == "regex-invalid 26:22 the regular expressions of this script are too large together"


def test_expressions_that_are_too_large_are_tried_so_often_and_no_more(sieve: Sieve) -> None:
    tests = "\n".join(f'if header :regex "x" "{".{1000}" * 20}{i}" {{ stop; }}' for i in range(40))
    assert len(sieve.problems(f"{R}\n{tests}")) == 9


def test_a_value_that_would_take_too_long(sieve: Sieve) -> None:
    """No more than a fault of the clock's comes later than it should."""
    script = f'{R} if header :regex "subject" "^{"[ab]{1000}" * 10}x" {{ discard; }}'
    assert sieve.run(script, f"Subject: {'x' * 19_000}\n\n").fault is None
    assert sieve.run(script, f"Subject: {'x' * 20_000}\n\n").fault.message == (
        "the value is too long for this regular expression"
    )


def test_lines_are_looked_at_one_after_the_other(sieve: Sieve) -> None:
    """A list of words in a long text: each line is short enough for it."""
    words = "|".join(f"{i * 48271 % 65537:x}-{i}" for i in range(300))
    require = 'require ["body", "regex"];'
    text = "this is a line with the word as such and not the other one\n" * 20_000
    assert len(text) * _translated(f"({words})").size > regex.WORK
    assert not sieve.holds(f'body :raw :regex "({words})"', f"A: b\n\n{text}", require=require)
    assert sieve.holds(
        f'body :raw :regex "({words})"', f"A: b\n\n{text} {299 * 48271 % 65537:x}-299 {text}", require=require
    )
    assert sieve.run(f'{require} if body :raw :regex "({words})[^0-9]" {{ stop; }}', f"A: b\n\n{text}").fault


@pytest.mark.parametrize(
    ("pattern", "within"),
    [
        ("a.b", True),
        ("^a$", True),
        ("[a-z]", True),
        ("[[:alpha:]]", True),
        ("a\nb", False),
        ("[^a]", False),
        ("[\t-a]", False),
        ("[[:space:]]", False),
        ("[[:cntrl:]]", False),
        ("[[.newline.]]", False),
        ("a\\\n", False),
    ],
)
def test_expressions_that_match_within_a_line(pattern: str, within: bool) -> None:
    assert _translated(pattern).within_line is within


@given(st.text("ab\n", max_size=30), st.integers(0, 10))
def test_slices_are_whole_lines(text: str, length: int) -> None:
    data = text.encode()
    slices = list(regex._slices(data, length))
    assert b"\n".join(slices) == data
    assert all(len(piece) <= length or b"\n" not in piece[:-1] or piece.count(b"\n") == 0 for piece in slices)


def test_nothing_is_written(sieve: Sieve, capfd: pytest.CaptureFixture[str]) -> None:
    """RE2 logs what it refuses, and that it has run out of states, unless it is told not to."""
    sieve.problems(f'{R} if header :regex "x" "((a{{30}}){{30}}){{30}}" {{ stop; }}')
    message = f"Subject: {'0110100110010110' * 4000}\n\n"
    assert not sieve.holds('header :regex "subject" "1[01]{200}x"', message, require=R)
    assert capfd.readouterr() == ("", "")


def test_re2_is_loaded_for_the_first_expression() -> None:
    program = """if True:
        import sys
        from sieveav.site.library import Library
        from sieveav.language.checking import check
        from sieveav.language.vocabulary import Vocabulary
        from sieveav.running.base import base
        for test in ("true", 'header :regex "x" "a"'):
            checked = check(f'require "regex"; if {test} {{ stop; }}'.encode(), "a", Vocabulary([base], Library()))
            assert checked.program
            print("re2" in sys.modules)
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


# ---- properties


class Comparator:
    def __init__(self, caseless: bool) -> None:
        self.fold = str.upper if caseless else None


def _translated(pattern: str, *, caseless: bool = False) -> Any:
    return regex._translated(pattern, Comparator(caseless), True)[0]


def found(pattern: str, text: str, *, caseless: bool = False) -> Any:
    """What `pattern` matches in `text`, and its groups; None for nothing."""
    expression = _translated(pattern, caseless=caseless)
    match = regex._compiled(expression.re2, True).search(regex._octets(text))
    return match and [match[0].decode(), *(group and group.decode() for group in match.groups())]


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_what_is_quoted_matches_itself(text: str) -> None:
    text = text.replace("\r\n", "\n")
    quoted = regex.QuoteRegex.amend(None, text)
    assert found(f"^{quoted}$", text) == [text]
    assert found(f"^{quoted}$", text + "x") is None or "\n" in text + "x" or not text


LITERALS = st.sampled_from(["a", "b", "C", "1", "é", " ", r"\.", r"\*", r"\\", "-", "_"])
BRACKETS = st.sampled_from(
    ["[ab]", "[^ab]", "[a-c]", "[^A-Z]", "[]x]", "[^]x]", "[a-]", "[A-c]", "[1é]", "[.]", "[^a^]"]
)
ATOMS = LITERALS | BRACKETS | st.just(".") | st.sampled_from(["(^)", "($)"])


def _larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    quantifiers = st.sampled_from(["", "?", "*", "+", "{2}", "{0,2}", "{1,}"])
    repeated = st.builds("({}){}".format, inner, quantifiers)
    return repeated | st.builds("{}{}".format, inner, inner) | st.builds("{}|{}".format, inner, inner)


PATTERNS = st.recursive(ATOMS, _larger, max_leaves=8)
TEXTS = st.text("abcABC1éÉ .*\\-_x]^\n", max_size=12)


@given(PATTERNS, TEXTS, st.booleans())
def test_matches_are_found_where_another_library_finds_them(pattern: str, text: str, caseless: bool) -> None:
    flags = re.MULTILINE | (re.IGNORECASE if caseless else 0)
    if caseless:  # that library knows no ASCII letters alone, but in bytes
        expected: Any = re.search(pattern.encode("latin-1"), text.encode("latin-1"), flags)
        before = None if expected is None else len(text[: expected.start()])
    else:
        expected = re.search(pattern, text, flags)
        before = None if expected is None else expected.start()
    match = found(pattern, text, caseless=caseless)
    assert (match is None) is (before is None)
    if match is not None and before is not None:
        assert text.startswith(match[0], before)
        assert len(match[0]) >= len(expected[0])  # the longest at the first place


@given(st.text("ab\\[](){}*+?|^$.-:=,0129é\n", max_size=20), st.booleans())
def test_any_text_is_an_expression_or_has_a_flaw(pattern: str, caseless: bool) -> None:
    try:
        match = found(pattern, "aab(.)\n12", caseless=caseless)
    except regex._Invalid as flaw:
        match, at = None, flaw.at
    else:
        at = None
    assert at is None or 1 <= at <= len(pattern)
    assert match is None or match[0] in "aab(.)\n12"
