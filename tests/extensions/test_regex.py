"""regex, draft-murchison-sieve-regex-07, beyond regex.svtest: places, octets, limits, properties."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import import_module
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.accepting import Accepted
from support.outcomes import fault, present
from support.sieve import Sieve

regex: Any = import_module("sieveav.extensions.regex")

R = 'require ["regex", "variables", "virustest"];'


@pytest.mark.parametrize(
    ("key", "at"),
    [
        ("a*?", 3),
        ("a**", 3),
        ("?a", 1),
        ("(a", 1),
        ("a)", 2),
        ("[a", 1),
        (r"a\\", 2),
        (r"\\w", 1),
        (r"\\n", 1),
        (r"\\<", 1),
        (r"\\b", 1),
        ("a{,3}", 2),
        ("a{4,3}", 2),
        ("(?i)a", 1),
        ("(?!a)", 1),
        ("(?:a)", 1),
        ("[z-a]", 2),
        ("[[:a:]]", 2),
        ("ä\u202e(", 3),
    ],
)
def test_problems(sieve: Sieve, accepted: Accepted, key: str, at: int) -> None:
    script = f'{R}\nif header :regex "subject" ["x", "{key}"] {{ stop; }}'
    assert sieve.places(script) == ["regex-invalid 2:34"]
    assert f"character {at}," in sieve.check(script).problems[0].message
    accepted(sieve.texts(script))


@pytest.mark.parametrize(("key", "at"), [(r"x[\\d]", 3), (r"[^a\\]]", 4)])
def test_a_backslash_within_brackets(sieve: Sieve, accepted: Accepted, key: str, at: int) -> None:
    script = f'{R}\nif header :regex "subject" "{key}" {{ stop; }}'
    checked = sieve.check(script)
    assert sieve.places(script) == ["regex-backslash 2:28"]
    assert f"character {at}:" in checked.problems[0].message
    assert checked.program is not None
    accepted(sieve.texts(script))


@pytest.mark.parametrize("key", [r"[\\.]", r"[a\\]", r"\\.[.]", r"[^\\/]"])
def test_a_backslash_that_is_intended(sieve: Sieve, key: str) -> None:
    problems = sieve.rules(f'{R}\nif header :regex "subject" "{key}" {{ stop; }}')
    assert problems == (["regex-backslash"] if key == r"[a\\]" else [])


def test_keys_of_any_name_are_checked(sieve: Sieve) -> None:
    assert sieve.places(f'{R}\nif virustest :regex "[" {{ stop; }}') == ["regex-invalid 2:21"]


@pytest.mark.parametrize(
    ("comparator", "rule"),
    [
        ("i;ascii-numeric", "comparator-unfit"),
        ("i;unicode-casemap", "comparator-unfit"),
        ("i;octet", "regex-invalid"),
        ("I;ASCII-CASEMAP", "regex-invalid"),
    ],
)
def test_comparators(sieve: Sieve, accepted: Accepted, comparator: str, rule: str) -> None:
    require = 'require ["regex", "comparator-i;ascii-numeric", "comparator-i;unicode-casemap"];'
    script = f'{require}\nif header :regex :comparator "{comparator}" "subject" "(" {{ stop; }}'
    assert sieve.rules(script) == [rule]
    accepted(sieve.texts(script))


def test_a_fault_is_at_the_match_type(sieve: Sieve, accepted: Accepted) -> None:
    error = fault(sieve.run(f'{R}\nset "x" "(";\nif string\n    :regex "a" "${{x}}" {{ stop; }}'))
    place = present(error.place)
    assert (place.line, place.column) == (4, 5)
    accepted(error.message)


def test_a_fault_shows_nothing_unprintable(sieve: Sieve) -> None:
    message = "Subject: (\x1b[31m\x00\x7f\u202e\n\n"
    script = f'{R} if header :matches "subject" "*" {{ set "x" "${{1}}"; }} if string :regex "a" "${{x}}" {{ stop; }}'
    assert 'character 3, "[31m":' in fault(sieve.run(script, message)).message


# ---- bounds


def test_the_expressions_of_a_script_together(sieve: Sieve, accepted: Accepted) -> None:
    tests = "\n".join(f'if header :regex "x" "{".{1000}" * 5}{i}" {{ stop; }}' for i in range(40))
    assert sieve.places(f"{R}\n{tests}") == ["regex-invalid 26:22"]
    accepted(sieve.texts(f"{R}\n{tests}"))


def test_only_a_few_expressions_that_are_too_large_are_compiled(sieve: Sieve) -> None:
    tests = "\n".join(f'if header :regex "x" "{".{1000}" * 20}{i}" {{ stop; }}' for i in range(40))
    assert len(sieve.problems(f"{R}\n{tests}")) == 9


def test_a_value_that_would_take_too_long(sieve: Sieve, accepted: Accepted) -> None:
    """RE2 cannot be interrupted when the time limit is reached."""
    script = f'{R} if header :regex "subject" "^{"[ab]{1000}" * 10}x" {{ discard; }}'
    assert sieve.run(script, f"Subject: {'x' * 19_000}\n\n").fault is None
    accepted(fault(sieve.run(script, f"Subject: {'x' * 20_000}\n\n")).message)


def test_lines_are_searched_separately(sieve: Sieve) -> None:
    """A list of words in a long text: each line is short enough."""
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


def test_re2_prints_nothing(sieve: Sieve, capfd: pytest.CaptureFixture[str]) -> None:
    """By default RE2 logs expressions that it rejects, and that it runs out of states."""
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
    """The match of `pattern` in `text` and its groups; None if there is none."""
    expression = _translated(pattern, caseless=caseless)
    match = regex._compiled(expression.re2, True).search(regex._octets(text))
    return match and [match[0].decode(), *(group and group.decode() for group in match.groups())]


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_a_quoted_text_matches_itself(text: str) -> None:
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
def test_matches_begin_where_those_of_the_re_module_do(pattern: str, text: str, caseless: bool) -> None:
    flags = re.MULTILINE | (re.IGNORECASE if caseless else 0)
    if caseless:  # re ignores the case of ASCII letters only in bytes
        expected: Any = re.search(pattern.encode("latin-1"), text.encode("latin-1"), flags)
        before = None if expected is None else len(text[: expected.start()])
    else:
        expected = re.search(pattern, text, flags)
        before = None if expected is None else expected.start()
    match = found(pattern, text, caseless=caseless)
    assert (match is None) is (before is None)
    if match is not None and before is not None:
        assert text.startswith(match[0], before)
        assert len(match[0]) >= len(expected[0])  # the longest at the first position


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
