"""Match types and comparators (RFC 5228, 2.7), and the base classes of tests that use them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from support.sieve import FakeHost, Install, Sieve

from sieveav.extending import Extension, Fields, Fold, HeaderValues, MatchingValues, Run, Strings
from sieveav.running.executing import execute
from sieveav.running.matching import Matching
from sieveav.running.message import Subject

CASEMAP, OCTET = "", ':comparator "i;octet"'


@pytest.mark.parametrize(
    ("value", "test", "casemap", "octet"),
    [
        ("frobnitzm", ':is "s" "frobnitzm"', True, True),
        ("frobnitzm", ':is "s" "FROBnitzm"', True, False),
        ("frobnitzm", ':is "s" "frob"', False, False),
        ("frobnitzm", '"s" "frobnitzm"', True, True),
        ("frobnitzm", ':contains "s" "frob"', True, True),
        ("frobnitzm", ':contains "s" "NIT"', True, False),
        ("frobnitzm", ':contains "s" "fbm"', False, False),
        ("frobnitzm", ':contains "s" ""', True, True),
        ("frobnitzm", ':is "s" ""', False, False),
        ("", ':is "s" ""', True, True),
        ("", ':contains "s" ""', True, True),
        ("", ':matches "s" ""', True, True),
        ("", ':matches "s" "*"', True, True),
        ("", ':matches "s" "?*"', False, False),
        ("frobnitzm", ':matches "s" "f*m"', True, True),
        ("frobnitzm", ':matches "s" "F*M"', True, False),
        ("frobnitzm", ':matches "s" "f?ob*"', True, True),
        ("frobnitzm", ':matches "s" "frob"', False, False),
        ("frobnitzm", ':matches "s" "*z?"', True, True),
        ("frobnitzm", ':matches "s" "?????????"', True, True),
        ("frobnitzm", ':matches "s" "????????"', False, False),
        ("a*c", r':matches "s" "a\\*c"', True, True),
        ("abc", r':matches "s" "a\\*c"', False, False),
        ("a?c", r':matches "s" "a\\?c"', True, True),
        ("abc", r':matches "s" "a\\?c"', False, False),
        ("abc", r':matches "s" "a\?c"', True, True),
        ("a\\c", r':matches "s" "a\\\\c"', True, True),
        ("a\\c", r':is "s" "a\\c"', True, True),
        # several keys
        ("two", ':is "s" ["one", "TWO"]', True, False),
        ("two", ':contains "s" ["x", "y", "w"]', True, True),
        ("two", ':matches "s" ["x*", "*O"]', True, False),
        ("two", ':is "s" ["one", "three"]', False, False),
        # only ASCII letters are folded; `?` is an octet
        ("ÄB", ':is "s" "Äb"', True, False),
        ("ÄB", ':is "s" "äb"', False, False),
        ("ÄB", ':contains "s" "äb"', False, False),
        ("ÄB", ':matches "s" "??b"', True, False),
        ("ÄB", ':matches "s" "?b"', False, False),
        ("ÄB", ':matches "s" "*?B"', True, True),
        ("ÄB", ':matches "s" "Ä?"', True, True),
        ("Äß", ':matches "s" "????"', True, True),
        ("\U0001f600", ':matches "s" "????"', True, True),
        ("\U0001f600", ':matches "s" "?"', False, False),
    ],
)
def test_matching(sieve: Sieve, value: str, test: str, casemap: bool, octet: bool) -> None:
    mail = f"S: {value}\n\nbody\n"
    assert sieve.holds(f"header {CASEMAP} {test}", mail) is casemap
    assert sieve.holds(f"header {OCTET} {test}", mail) is octet
    assert sieve.holds(f'header :comparator "I;ASCII-casemap" {test}', mail) is casemap
    # the same with match variables, and in an instrumented run
    bound = 'require "variables"; if string "${1}" "" { }'
    assert sieve.holds(f"header {OCTET} {test}", mail, require=bound) is octet
    assert sieve.holds(f"header {CASEMAP} {test}", mail, tracing=True) is casemap


# ---- base classes


@pytest.fixture
def words(install: Install) -> Sieve:
    """Two tests: `first` of the first character of the Subject, `values` of some values that are not of the message."""
    ext = Extension("vnd.match", "a test")

    @ext.test("first")
    class First(Matching):
        keys: Strings

        def subject_for(self, fold: Fold) -> Subject:
            return HeaderValues(Fields(("subject",)), lambda text: (fold or str)(text[:1]))

    @ext.test("values")
    class Values(MatchingValues):
        texts: Strings
        keys: Strings

        def values(self, run: Run) -> Sequence[str]:  # noqa: ARG002
            return self.texts

    return install(ext, "variables", "relational", "fileinto", "comparator-i;ascii-numeric")


REQUIRE = 'require ["vnd.match", "variables", "relational", "fileinto", "comparator-i;ascii-numeric"];'


@pytest.mark.parametrize(
    ("test", "holds"),
    [
        ('first "h"', True),
        ('first :comparator "i;octet" "h"', False),
        ('first :comparator "i;octet" "H"', True),
        ('first :matches "?"', True),
        ('values ["a", "b"] "B"', True),
        ('values :comparator "i;octet" ["a", "b"] "B"', False),
        ('values :contains ["abc", "x"] ["no", "C"]', True),
        ('values :count "eq" ["a", "", "b"] "2"', True),  # RFC 5231, 4.2: an empty value does not count
        ('values :value "gt" :comparator "i;ascii-numeric" ["9", "x"] "10"', True),  # RFC 4790, 9.1: x is infinity
        ('values :value "gt" :comparator "i;ascii-numeric" "9" "10"', False),
    ],
)
def test_tests_with_a_match_type(words: Sieve, test: str, holds: bool) -> None:
    message = "Subject: Hello\n\n"
    assert words.holds(test, message, require=REQUIRE, host=FakeHost()) is holds
    bound = f'{REQUIRE} if string "${{1}}" "" {{ }}'  # with match variables
    assert words.holds(test, message, require=bound, host=FakeHost()) is holds


@pytest.mark.parametrize(
    ("test", "mailbox"),
    [
        ('values :matches ["no", "Abc", "Abd"] ["x*", "a?*"]', "Abc b c"),  # of the first value, not folded
        ('values :matches ["no", "Abc"] "x*"', "  "),
        ('first :matches "*"', "H H "),
        ('values :is "Abc" "abc"', "  "),
    ],
)
def test_match_variables(words: Sieve, test: str, mailbox: str) -> None:
    """RFC 5229, 3.2: a match that fails leaves them unchanged."""
    script = f'{REQUIRE} if {test} {{ }} fileinto "-${{0}} ${{1}} ${{2}}";'
    assert words.actions(script, "Subject: Hello\n\n") == [f"fileinto -{mailbox}".rstrip()]


def test_a_subject_is_answered_once_for_all_tests_and_recipients(install: Install) -> None:
    ext = Extension("vnd.match", "a test")
    asked = []

    def counted(text: str) -> str:
        asked.append(text)
        return text

    @ext.test("counted")
    class Counted(Matching):
        keys: Strings

        def subject_for(self, fold: Fold) -> Subject:  # noqa: ARG002
            return HeaderValues(Fields(("subject",)), counted)

    sieve = install(ext)
    case = sieve.case("Subject: Hello\n\n")
    program = sieve.program('require "vnd.match"; if anyof (counted "a", counted "b", counted :contains "c") { }')
    for _ in range(2):
        execute(program, case)
    assert asked == ["Hello"]


@pytest.mark.parametrize("test", ["values :contains", 'values :value "gt"', "values :matches"])
def test_match_types_that_a_comparator_does_not_support(words: Sieve, test: str) -> None:
    comparator = "i;ascii-numeric"
    rules = words.rules(f'{REQUIRE} if {test} :comparator "{comparator}" "a" "1" {{ }}')
    assert rules == ([] if 'value "' in test else ["comparator-unfit"])
