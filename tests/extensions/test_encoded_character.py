"""encoded-character, RFC 5228, 2.4.2.4."""

from __future__ import annotations

import pytest
from support.accepting import Accepted
from support.sieve import Sieve
from support.timing import assert_linear

REQUIRE = 'require ["encoded-character", "fileinto"];'


def read(sieve: Sieve, text: str) -> str:
    """The meaning of a string in a script: the mailbox that it names."""
    (action,) = sieve.run(f'{REQUIRE} fileinto "{text}";').actions
    return str(action.as_json()["mailbox"])


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("$${hex:40}", "$@"),  # RFC 5228, 2.4.2.4: the examples
        ("${hex: 40 }", "@"),
        ("${HEX: 40}", "@"),
        ("${hex:40", "${hex:40"),
        ("${hex:400}", "${hex:400}"),
        ("${hex:4${hex:30}}", "${hex:40}"),
        ("${unicode:40}", "@"),
        ("${ unicode:40}", "${ unicode:40}"),
        ("${UNICODE:40}", "@"),
        ("${UnICoDE:0000040}", "@"),
        ("${Unicode:40}", "@"),
        ("${Unicode:Cool}", "${Unicode:Cool}"),
        ("$${hex:24 24}", "$$$"),
        ("${hex:4 4}${hex:4}", None),  # control characters: tested below
        ("${hex:}", "${hex:}"),
        ("${hex: }", "${hex: }"),
        ("${hex:40,41}", "${hex:40,41}"),
        ("${hex:4041}", "${hex:4041}"),
        ("${hex:40\t 41\r\n42}", "@AB"),
        ("${hex:40\n41}", "@A"),
        ("${hex:24}{hex:40}", "${hex:40}"),  # decoded only once
        ("${hex:24}${unicode:7b}unicode:40}", "${unicode:40}"),
        ("${unicode:263A 263b}", "☺☻"),
        ("${unicode:10FFFD}", "\U0010fffd"),
        ("${unicode:D7FF}${unicode:E000}", "\ud7ff\ue000"),
        ("${hex:e2 98 ba}", "☺"),
        ("${hex:e2}${hex: 98 ba }", "☺"),  # octets are joined, wherever they come from
        ("é${hex:c3 a9}", "éé"),
        ("${un\u0131code:40}", "${un\u0131code:40}"),  # a dotless i is another letter
        ("no ${name} here", "no ${name} here"),
    ],
)
def test_strings(sieve: Sieve, written: str, meant: str | None) -> None:
    if meant is not None:
        assert read(sieve, written) == meant
    else:
        assert sieve.rules(f'{REQUIRE} fileinto "{written}";') == ["mailbox-invalid"]


@pytest.mark.parametrize("number", ["200000", "DF01", "D800", "dfff", "110000", "0000110000", "40 D800", "F" * 100])
def test_numbers_that_are_not_code_points_are_errors(sieve: Sieve, accepted: Accepted, number: str) -> None:
    script = f'{REQUIRE}\nfileinto "a${{unicode:{number}}}";'
    assert sieve.places(script) == ["character-invalid 2:10"]
    accepted(sieve.texts(script))


@pytest.mark.parametrize("text", ["${unicode:200000", "${unicode:200000 x}", "${hex:200000}", "${ unicode:200000}"])
def test_only_a_well_formed_sequence_is_an_error(sieve: Sieve, text: str) -> None:
    """RFC 5228, 2.4.2.4: MUST NOT raise an error unless the sequence is well-formed."""
    assert read(sieve, text) == text


def test_the_example_in_a_test(sieve: Sieve) -> None:
    test = 'header :contains "Subject" "$${hex:24 24}"'
    assert sieve.holds(test, "Subject: make $$$ fast\n\n", require=REQUIRE)
    assert not sieve.holds(test, "Subject: make $$ fast\n\n", require=REQUIRE)


def test_octets_that_are_not_utf8(sieve: Sieve) -> None:
    """They are kept as octets, which no mailbox name may contain."""
    assert sieve.rules(f'{REQUIRE} fileinto "a${{hex:ff}}";') == ["mailbox-invalid"]
    assert sieve.rules(f'{REQUIRE} if header "subject" "a${{hex:ff 00}}" {{ stop; }}') == []


def test_characters_come_before_variables(sieve: Sieve) -> None:
    """RFC 5229, 3.1: the example."""
    script = """require ["encoded-character", "variables"];
        set "name" "Ethelbert";
        if header :contains "Subject" "dear${hex:20 24 7b 4e}ame}" { discard; }"""
    assert sieve.actions(script, "Subject: my dear Ethelbert!\n\n") == ["discard"]


def test_strings_are_plain_without_require(sieve: Sieve) -> None:
    assert sieve.holds('header "subject" "${hex:40}"', "Subject: ${hex:40}\n\n")


def test_multi_line_strings_too(sieve: Sieve) -> None:
    script = f'{REQUIRE}\nif header "subject" [text:\n${{unicode:40}}${{hex:40}}\n.\n, "${{hex:41}}"] {{ discard; }}'
    assert sieve.actions(script, "Subject: A\n\n") == ["discard"]


@pytest.mark.parametrize(
    "text", ["${hex:", "${hex: ", "${hex:" + " " * 100, "${unicode:" + "0" * 100 + " ", "${hex:40}"]
)
def test_linear_time(sieve: Sieve, text: str) -> None:
    def check(octets: int) -> None:
        assert sieve.rules(f'{REQUIRE} if header "x" "{text * (octets // len(text))}" {{ stop; }}') == []

    assert_linear(check, 125_000)
