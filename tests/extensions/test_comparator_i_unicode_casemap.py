"""i;unicode-casemap, RFC 5051."""

# ruff: noqa: RUF001  # letters of other alphabets that look like Latin ones

from __future__ import annotations

import pytest
from support.sieve import Sieve

REQUIRE = 'require ["comparator-i;unicode-casemap", "relational"];'
CASEMAP = ':comparator "i;unicode-casemap"'


@pytest.mark.parametrize(
    ("value", "key", "holds"),
    [
        ("Hello", "hELLO", True),
        ("école", "ÉCOLE", True),
        ("e\u0301cole", "ÉCOLE", True),  # a combining accent
        ("ecole", "ÉCOLE", False),
        ("ΑΘΗΝΑΣ", "αθηνας", True),  # both small sigmas have one title case
        ("ΑΘΗΝΑΣ", "αθηνασ", True),
        ("ПРИВЕТ", "привет", True),
        ("ǆ", "ǅ", True),  # one letter, in lower and in title case
        ("Ｆｒｅｅ", "free", True),  # compatibility forms are decomposed
        ("²", "2", True),
        ("ﬁ", "ﬁ", True),
        ("ﬁ", "fi", False),  # decomposed after title-casing; this one has no simple title case
        ("straße", "STRASSE", False),  # one character's title case is one character
        ("straße", "STRAßE", True),
        ("İstanbul", "i\u0307stanbul", True),
        ("", "", True),
    ],
)
def test_is(sieve: Sieve, value: str, key: str, holds: bool) -> None:
    assert sieve.holds(f'header {CASEMAP} "x" "{key}"', f"X: {value}\n\n", require=REQUIRE) is holds


@pytest.mark.parametrize(
    ("match", "value", "key", "holds"),
    [
        (":contains", "Grande École", "école", True),
        (":contains", "Grande École", "ecole", False),
        (":matches", "Привет, мир", "ПРИВЕТ*", True),
        (":matches", "мир", "М?Р", True),  # RFC 5228, 2.7.1: ? is one Unicode character, not one octet
        (":matches", "мир", "М?", False),
        (':value "lt"', "а", "Б", True),
        (':value "gt"', "б", "А", True),
        (':value "lt"', "é", "F", True),  # it sorts with its letter
    ],
)
def test_other_matches(sieve: Sieve, match: str, value: str, key: str, holds: bool) -> None:
    assert sieve.holds(f'header {match} {CASEMAP} "x" "{key}"', f"X: {value}\n\n", require=REQUIRE) is holds


def test_the_default_comparator_ignores_only_ascii_case(sieve: Sieve) -> None:
    assert not sieve.holds('header "x" "ÉCOLE"', "X: école\n\n")


def test_octets_that_are_not_text(sieve: Sieve) -> None:
    assert not sieve.holds(f'header {CASEMAP} "x" "é"', b"X: \xff\xfe\xe9\n\n", require=REQUIRE)
