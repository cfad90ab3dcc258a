"""RFC 5228, 8: what is a script, what is said of one that is none, and that nothing makes the reader raise or dawdle."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sievelib.parser import Parser

from sieveav import limits
from sieveav.language.phrases import Argument, Number, Phrase, String, Strings, Tag
from sieveav.language.problems import Severity, Source
from sieveav.language.syntax import read


def arguments(script: str) -> tuple[Argument, ...]:
    """The arguments of the one command of `script`."""
    (phrase,), problems = read(script)
    assert [p for p in problems if p.severity is Severity.ERROR] == []
    return phrase.arguments


def shown(phrase: Phrase) -> Any:
    """A phrase without its places, in short: (word, arguments, tests, block)."""
    given: list[Any] = []
    for argument in phrase.arguments:
        if isinstance(argument, Strings):
            given.append([item.value for item in argument.items])
        else:
            given.append(argument.name if isinstance(argument, Tag) else argument.value)
    block = None if phrase.block is None else [shown(inner) for inner in phrase.block]
    return phrase.word, given, [shown(test) for test in phrase.tests], block


def told(script: str) -> list[str]:
    """`line:column-length rule: message | hint` of each problem."""
    source = Source("", script)
    found = []
    for problem in read(script)[1]:
        line, column = source.position(problem.span.start)
        length = problem.span.end - problem.span.start
        found.append(f"{line}:{column}-{length} {problem.rule}: {problem.message} | {problem.hint}".removesuffix(" | "))
    return found


# ---- tokens, RFC 5228, 2.4 and 8.1


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ('""', ""),
        ('"a"', "a"),
        ('"a b\tc"', "a b\tc"),
        (r'"\""', '"'),
        (r'"\\"', "\\"),
        (r'"\\\""', '\\"'),
        (r'"\\*"', r"\*"),
        (r'"\a"', "a"),
        ('"# no comment"', "# no comment"),
        ('"/* none */"', "/* none */"),
        ('"a\r\nb"', "a\r\nb"),
        ('"a\nb"', "a\r\nb"),
        ('"a\\\nb"', "a\r\nb"),
        ('"grün \U0001f600"', "grün \U0001f600"),
        ('"\x01\x7f"', "\x01\x7f"),
        ("text:\n.\n", ""),
        ("text:\nabc\n.\n", "abc\r\n"),
        ("text:\r\nabc\r\n.\r\n", "abc\r\n"),
        ("TEXT:\nabc\n.\n", "abc\r\n"),
        ("text: \t \nabc\n.\n", "abc\r\n"),
        ("text: # why not\nabc\n.\n", "abc\r\n"),
        ("text:\n..\n.\n", ".\r\n"),
        ("text:\n..a\n...b\n.c\n.\n", ".a\r\n..b\r\n.c\r\n"),
        ("text:\n\n\n.\n", "\r\n\r\n"),
        ('text:\n"no; end" /* { \\ \n.\n', '"no; end" /* { \\ \r\n'),
        ("text:\n# part of it\n. \n.\n", "# part of it\r\n. \r\n"),
    ],
)
def test_strings(written: str, value: str) -> None:
    (string,) = arguments(f"x {written};")
    assert isinstance(string, String)
    assert string.value == value
    assert string.span == (2, 2 + len(written))


def test_a_multi_line_string_may_end_with_the_file_and_stand_in_a_list() -> None:
    assert told("x text:\na\n.") == ["3:1-1 semicolon-missing: ; is missing at the end of the script"]
    (items,) = arguments('x ["a", text:\nb\n.\n, "c"];')
    assert isinstance(items, Strings)
    assert [item.value for item in items.items] == ["a", "b\r\n", "c"]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("0", 0),
        ("007", 7),
        ("2147483647", 2**31 - 1),
        ("1K", 1024),
        ("1k", 1024),
        ("2M", 2 * 1024**2),
        ("3g", 3 * 1024**3),
        ("9" * 18, int("9" * 18)),
        ("9" * 5000, 10**18),
        ("0" * 5000 + "5", 5),
    ],
)
def test_numbers(written: str, value: int) -> None:
    (number,) = arguments(f"x {written};")
    assert isinstance(number, Number)
    assert number.value == value


def test_words_and_tags_have_no_case_strings_have() -> None:
    assert [shown(phrase) for phrase in read('IF Not HEADER :Is "A" "B" { Keep; }')[0]] == [
        ("if", [], [("not", [], [("header", [":is", "A", "B"], [], None)], None)], [("keep", [], [], None)])
    ]


@pytest.mark.parametrize(
    "script",
    [
        "# only this",
        "#a\r\n/* b */keep/**/;/***//* * / **/#c",
        '/* several\nlines { ; " */ keep;',
        "keep # to the end ; }\n;",
        "\ufeffkeep;",
        "",
        " \t\r\n",
        "keep;#",
    ],
)
def test_comments_and_blanks_are_nothing(script: str) -> None:
    phrases, problems = read(script)
    assert problems == []
    assert [phrase.word for phrase in phrases] in ([], ["keep"])


def test_places_are_counted_in_characters() -> None:
    (phrase,), _ = read('/* \U0001f600 */ x :tag "é" ["a", "b"] 12K;')
    text = '/* \U0001f600 */ x :tag "é" ["a", "b"] 12K;'
    assert text[slice(*phrase.span)] == "x"
    assert [text[slice(*argument.span)] for argument in phrase.arguments] == [":tag", '"é"', '["a", "b"]', "12K"]
    assert text[slice(*phrase.whole)] == text[8:-1]


def test_the_whole_of_a_phrase_goes_to_its_last_test() -> None:
    text = 'if anyof (not header "a" "b", true) { keep; }'
    (phrase,), _ = read(text)
    assert text[slice(*phrase.tests[0].whole)] == 'anyof (not header "a" "b", true'
    assert text[slice(*phrase.tests[0].tests[0].whole)] == 'not header "a" "b"'


# ---- what is no script

PROBLEMS = {
    # the end of a command
    "keep": ["1:4-1 semicolon-missing: ; is missing at the end of the script"],
    "keep\nstop;": ["2:1-4 semicolon-missing: ; is missing before stop | write ; at the end of the command before"],
    "if true { keep }": ["1:16-1 semicolon-missing: ; is missing before } | write ; at the end of the command before"],
    'x "a"\nif true { }': [
        "2:1-2 semicolon-missing: ; is missing before if | write ; at the end of the command before"
    ],
    "if true { stop } keep;": [
        "1:16-1 semicolon-missing: ; is missing before } | write ; at the end of the command before"
    ],
    "keep;;": ['1:6-1 syntax: a command must begin here, not ";"'],
    "if true { };": ['1:12-1 syntax: a command must begin here, not ";"'],
    # blocks
    "}": ["1:1-1 syntax: this } closes nothing"],
    "if true { } }\nkeep;": ["1:13-1 syntax: this } closes nothing"],
    "if true {\n keep;": ["1:9-1 syntax: this block is never closed | write } at its end"],
    "if true { if false { keep; }": ["1:9-1 syntax: this block is never closed | write } at its end"],
    "if true { if false {": [
        "1:9-1 syntax: this block is never closed | write } at its end",
        "1:20-1 syntax: this block is never closed | write } at its end",
    ],
    "{ keep; }": ['1:1-1 syntax: a command must begin here, not "{"'],
    "if true keep;": ["1:13-1 syntax: { is missing before ; | write if ... { ... }"],
    "if true;": ["1:8-1 syntax: { is missing before ; | write if ... { ... }"],
    "if true else { }": ["1:9-4 syntax: { is missing before else | write if ... { ... }"],
    "if if { }": ["1:4-2 syntax: { is missing before if | write if ... { ... }"],
    # if, elsif, else
    "if { }": ['1:4-1 syntax: if takes a test, not "{" | write: if TEST { ... }'],
    'if true { } elsif "a" { }': ["1:19-3 syntax: elsif takes a test, not a string | write: elsif TEST { ... }"],
    "elsif true { }": ["1:1-5 syntax: elsif must follow the block of an if or elsif"],
    "if true { } keep; else { }": ["1:19-4 syntax: else must follow the block of an if or elsif"],
    "if true { } else { } else { }": ["1:22-4 syntax: else must follow the block of an if or elsif"],
    "if true { } else { } elsif true { }": ["1:22-5 syntax: elsif must follow the block of an if or elsif"],
    "if true { else { } }": ["1:11-4 syntax: else must follow the block of an if or elsif"],
    "if true { } else true { }": ["1:18-4 syntax: else takes no test | write elsif with a test, or else without one"],
    'if true { } else "a" { }': ["1:18-3 syntax: else is followed by a block, not a string"],
    "if true { } else if true { } else { }": ["1:18-2 syntax: else if is one word here | write elsif"],
    "if true": ["1:7-1 syntax: the script ends in the middle of if"],
    "if true { } else": ["1:16-1 syntax: the script ends in the middle of else"],
    # tests
    "not true;": ["1:1-3 syntax: not is a test, not a command | write: if not ... { ... }"],
    "anyof (true) { }": ["1:1-5 syntax: anyof is a test, not a command | write: if anyof ... { ... }"],
    "keep not true;": ["1:6-3 syntax: not is a test: it stands before a block in { and }"],
    "if not { }": ['1:8-1 syntax: a test must stand here, not "{"'],
    "if anyof true { }": ['1:10-4 syntax: anyof takes a list of tests, not "true" | write: anyof (TEST, TEST)'],
    "if allof () { }": ['1:11-1 syntax: a test must stand here, not ")"'],
    "if allof (true,) { }": ['1:16-1 syntax: a test must stand here, not ")"'],
    "if allof (true, { }": ['1:17-1 syntax: a test must stand here, not "{"'],
    "if (true) { }": ["1:4-1 syntax: only anyof and allof take a list of tests"],
    "keep (true);": ["1:6-1 syntax: only anyof and allof take a list of tests"],
    "if anyof (true) keep; }": [
        '1:17-4 syntax: "keep" follows a list of tests | a , a ) or a { may follow it',
        "1:23-1 syntax: this } closes nothing",
    ],
    "if true, false { }": ["1:8-1 syntax: this comma stands in no list | tests are listed in ( ), strings in [ ]"],
    "keep, stop;": ["1:5-1 syntax: this comma stands in no list | tests are listed in ( ), strings in [ ]"],
    # lists of strings
    'x ["a" "b"];': [
        "1:8-3 syntax: a string stands in a string list | a list is [ then strings with commas between, then ]"
    ],
    "x [];": ['1:4-1 syntax: "]" stands in a string list | a list is [ then strings with commas between, then ]'],
    'x ["a",];': ['1:8-1 syntax: "]" stands in a string list | a list is [ then strings with commas between, then ]'],
    "x [1];": ['1:4-1 syntax: "1" stands in a string list | a list is [ then strings with commas between, then ]'],
    'x ["a"': ["1:6-1 syntax: the script ends in the middle of x"],
    "x );": ['1:3-1 syntax: ")" is not expected here'],
    # tokens
    'keep "abc;\nstop;': ['1:6-11 syntax: this string never ends | end it with "'],
    "keep; /* abc\nstop;": ["1:7-12 syntax: this comment never ends | end it with */"],
    "x text:\nabc\n": ["1:3-10 syntax: this text: block never ends | end it with a line holding only ."],
    "x text:": ["1:3-5 syntax: this text: block never ends | end it with a line holding only ."],
    "x text: abc\n.\n;": ["1:3-12 syntax: the text of text: begins on the next line"],
    "x 12a;": ['1:3-3 syntax: "12a" is no number: digits, then K, M or G at most'],
    "x 1KB;": ['1:3-3 syntax: "1KB" is no number: digits, then K, M or G at most'],
    "x -1;": ['1:3-1 syntax: "-" means nothing here'],
    "x : a;": ['1:3-1 syntax: ":" means nothing here'],
    "x 'a';": ['1:3-1 syntax: "\'" means nothing here | a string stands in " and "'],
    "x “a”;": ['1:3-1 syntax: "“" means nothing here | a string stands in " and "'],
    "²;": ['1:1-1 syntax: "²" means nothing here'],
    "é;": ['1:1-1 syntax: "é" means nothing here'],
    "x \x02;": ['1:3-1 syntax: "\\x02" means nothing here'],
    'x "a\0";': ["1:5-1 syntax: a NUL stands here"],
    "# \0": ["1:3-1 syntax: a NUL stands here"],
    ":a;": ['1:1-2 syntax: a command must begin here, not ":a"'],
    '"a";': ["1:1-3 syntax: a command must begin here, not a string"],
    # several
    "keep\nstop\nif {}\n}\nx [;\nkeep 12a;\nkeep": [
        "2:1-4 semicolon-missing: ; is missing before stop | write ; at the end of the command before",
        "3:1-2 semicolon-missing: ; is missing before if | write ; at the end of the command before",
        '3:4-1 syntax: if takes a test, not "{" | write: if TEST { ... }',
        "4:1-1 syntax: this } closes nothing",
        '5:4-1 syntax: ";" stands in a string list | a list is [ then strings with commas between, then ]',
        '6:6-3 syntax: "12a" is no number: digits, then K, M or G at most',
        "7:4-1 semicolon-missing: ; is missing at the end of the script",
    ],
    "if true {\n  keep\n} elsif { stop; } else {\n  discard\n}": [
        "3:1-1 semicolon-missing: ; is missing before } | write ; at the end of the command before",
        '3:9-1 syntax: elsif takes a test, not "{" | write: elsif TEST { ... }',
        "5:1-1 semicolon-missing: ; is missing before } | write ; at the end of the command before",
    ],
}


@pytest.mark.parametrize("script", PROBLEMS)
def test_problems(script: str) -> None:
    assert told(script) == PROBLEMS[script]


def test_what_can_be_read_beside_a_problem_is_read() -> None:
    phrases, _ = read('if header :is { keep; }\nfileinto "a"\nelse { stop; }\n) discard;\nredirect "b";')
    assert [shown(phrase) for phrase in phrases][-1] == ("redirect", ["b"], [], None)
    assert ("fileinto", ["a"], [], None) in [shown(phrase) for phrase in phrases]
    assert phrases[0].block is not None
    assert [inner.word for inner in phrases[0].block] == ["keep"]


def test_advice() -> None:
    (problem,) = read(r'x "\\ \" \d";')[1]
    assert (problem.rule, problem.severity, problem.span) == ("escape-undefined", Severity.ADVICE, (9, 11))
    text = b'x "a\xff\xfe\xff";'.decode("utf-8", "surrogateescape")
    (problem,) = read(text)[1]
    assert (problem.rule, problem.severity, problem.span) == ("not-utf-8", Severity.WARNING, (4, 5))


# ---- limits


@pytest.mark.parametrize(
    ("unit", "what"),
    [
        ("if true { ", "blocks"),
        ("x { ", "blocks"),
        ("if not ", "tests"),
        ("not ", "tests"),
        ("if anyof(", "tests"),
        ("anyof(", "tests"),
        ("a ", "tests"),
    ],
)
def test_too_deep_is_a_problem(unit: str, what: str) -> None:
    prefix = "" if unit.startswith(("if", "x")) else "if "
    phrases, problems = read(prefix + unit * 100_000)
    assert phrases == ()
    assert [(problem.rule, problem.message) for problem in problems] == [("too-deep", f"{what} nest deeper than 32")]


def test_deep_is_fine_up_to_the_limit() -> None:
    n = limits.BLOCK_NESTING
    assert read("if true { " * n + "}" * n)[1] == []
    assert read("if true { " * (n + 1) + "}" * (n + 1))[1][0].rule == "too-deep"
    n = limits.TEST_NESTING
    assert read("if " + "not " * (n - 1) + "true { }")[1] == []
    assert read("if " + "not " * n + "true { }")[1][0].rule == "too-deep"
    assert read("if " + "anyof (true, " * (n - 1) + "true" + ")" * (n - 1) + "{ }")[1] == []


def test_many_arms_and_wide_lists_are_not_deep() -> None:
    phrases, problems = read("if true { }" + " elsif true { }" * 2000 + " else { keep; }")
    assert problems == []
    assert [phrase.word for phrase in phrases] == ["if", *["elsif"] * 2000, "else"]
    assert read(f"if anyof ({', '.join(['not allof (true, false)'] * 2000)}) {{ }}")[1] == []
    assert read("x [" + ", ".join(["text:\n.\n", '"a"'] * 2000) + "];")[1] == []
    assert read("if true { if true { } } " * 2000)[1] == []


def test_the_size_is_bounded_in_octets() -> None:
    assert read("#" + "a" * (limits.SCRIPT_SIZE - 1))[1] == []
    for text in ("#" + "a" * limits.SCRIPT_SIZE, "#" + "é" * (limits.SCRIPT_SIZE // 2)):
        phrases, problems = read(text)
        assert phrases == ()
        assert [problem.rule for problem in problems] == ["too-large"]


def test_problems_are_bounded() -> None:
    _, problems = read("keep stop;\n" * 5000)
    assert problems[-1].rule == "too-many-problems"
    assert [problem.rule for problem in problems[:-1]] == ["semicolon-missing"] * limits.PROBLEMS


HOSTILE = [
    *[
        "text:",
        "text:\n",
        "text: x\n",
        "text:#\n",
        '"',
        '"\\',
        "(",
        "[",
        "{",
        "}",
        ";",
        "a ",
        "a;",
        "a b;",
        "if ",
        "not ",
    ],
    *[
        "/*",
        "*/",
        "#",
        "1",
        ":",
        '"a",',
        '["a",',
        "anyof(",
        "if true {",
        "else ",
        "else if ",
        "if { ",
        ") ",
        "keep, ",
        "\0",
    ],
    *["é", "'", 'x "\\a";', "if true { keep }\n", "if true { } elsif { }\n", "x true;", "\r", ".\n", "x [ ; "],
]


@pytest.mark.parametrize("prefix", ["", "if true {\n", "x anyof(true,"])
def test_hostile_scripts_take_little_time(prefix: str) -> None:
    for unit in HOSTILE:
        begun = time.monotonic()
        read(prefix + unit * (8_000 // len(unit.encode())))
        assert time.monotonic() - begun < 5, unit


@pytest.mark.parametrize("unit", ["text:", "text: #\n", "if true { keep }\n"])
def test_a_mebibyte_takes_seconds(unit: str) -> None:
    begun = time.monotonic()
    read("x anyof(" + unit * ((limits.SCRIPT_SIZE - 100) // len(unit)))
    assert time.monotonic() - begun < 10


# ---- the grammar of RFC 5228, 8.2, a second time

SHAPING = {"if", "elsif", "else", "not", "anyof", "allof"}


class Refused(Exception):
    """The tokens are no script."""


class Recogniser:
    """Tokens to what `shown` gives, by the grammar of RFC 5228, 8.2, with what 3.1, 5.2, 5.3 and 5.8 add: where if, elsif
    and else stand, and what they, not, anyof and allof take. A test of another name takes one test or none, no list of
    them; a command takes a test only with a block."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self.at = 0

    def script(self) -> list[Any]:
        found = self.commands()
        if self.at < len(self.tokens):
            raise Refused
        return found

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, wanted: str = "") -> str:
        token = self.peek()
        if not token or (wanted and token != wanted):
            raise Refused
        self.at += 1
        return token

    def word(self) -> bool:
        return self.peek()[:1].isalpha()

    def arguments(self) -> Iterator[Any]:
        while self.peek()[:1] in set('"[:1'):
            taken = self.take()
            if taken != "[":
                yield 1 if taken == "1" else taken.strip('"')
                continue
            items = [self.string()]
            while self.peek() == ",":
                self.take()
                items.append(self.string())
            self.take("]")
            yield items

    def string(self) -> str:
        token = self.take()
        if token[0] != '"':
            raise Refused
        return token.strip('"')

    def test(self) -> Any:
        if not self.word() or self.peek() in ("if", "elsif", "else"):
            raise Refused
        word = self.take()
        if word == "not":
            return word, [], [self.test()], None
        if word in ("anyof", "allof"):
            self.take("(")
            tests = [self.test()]
            while self.peek() == ",":
                self.take()
                tests.append(self.test())
            self.take(")")
            return word, [], tests, None
        given = list(self.arguments())
        return word, given, [self.test()] if self.word() else [], None

    def block(self) -> list[Any]:
        self.take("{")
        found = self.commands()
        self.take("}")
        return found

    def commands(self) -> list[Any]:
        found: list[Any] = []
        while self.word():
            word = self.take()
            before = found[-1][0] if found else ""
            if word in ("not", "anyof", "allof") or (word in ("elsif", "else") and before not in ("if", "elsif")):
                raise Refused
            given = [] if word in SHAPING else list(self.arguments())
            tests = [self.test()] if word in ("if", "elsif") or (word != "else" and self.word()) else []
            if tests or word == "else" or self.peek() == "{":
                found.append((word, given, tests, self.block()))
            else:
                self.take(";")
                found.append((word, given, [], None))
        return found


WORDS = ["if", "elsif", "else", "not", "anyof", "allof", "true", "x"]
TOKENS = [*WORDS, '"s"', "1", ":t", "[", "]", "(", ")", "{", "}", ";", ","]


def joined(*parts: st.SearchStrategy[list[str]]) -> st.SearchStrategy[list[str]]:
    return st.tuples(*parts).map(lambda lists: [token for tokens in lists for token in tokens])


def many(part: st.SearchStrategy[list[str]], most: int) -> st.SearchStrategy[list[str]]:
    return st.lists(part, max_size=most).map(lambda lists: [token for tokens in lists for token in tokens])


def token(*texts: str) -> st.SearchStrategy[list[str]]:
    return st.just(list(texts))


LISTED = st.integers(1, 3).map(lambda n: ["[", *['"s"', ","] * (n - 1), '"s"', "]"])
ARGUMENTS = many(token('"s"') | token("1") | token(":t") | LISTED, 3)
GENERIC = joined(token("x") | token("true"), ARGUMENTS)
TESTS = st.recursive(
    GENERIC,
    lambda inner: (
        joined(token("not"), inner)
        | joined(GENERIC, inner)
        | joined(token("anyof", "(") | token("allof", "("), inner, many(joined(token(","), inner), 2), token(")"))
    ),
    max_leaves=6,
)
COMMANDS = st.recursive(
    joined(GENERIC, token(";")),
    lambda inner: many(
        joined(token("if"), TESTS, token("{"), inner, token("}"))
        | joined(token("if"), TESTS, token("{", "}", "elsif"), TESTS, token("{"), inner, token("}", "else", "{", "}"))
        | joined(GENERIC, token("{"), inner, token("}"))
        | joined(GENERIC, TESTS, token("{"), inner, token("}"))
        | joined(GENERIC, token(";")),
        3,
    ),
    max_leaves=8,
)


@st.composite
def nearly(draw: st.DrawFn) -> list[str]:
    """The tokens of a script, with a slip or two."""
    tokens = draw(COMMANDS)
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(tokens)))
        tokens[at : at + draw(st.integers(0, 1))] = draw(st.lists(st.sampled_from(TOKENS), max_size=1))
    return tokens


@settings(max_examples=400)
@given(st.lists(st.sampled_from(TOKENS), max_size=12) | nearly(), st.sampled_from([" ", "\r\n", "/**/", " #\n"]))
def test_what_is_read_is_what_the_grammar_has(tokens: list[str], between: str) -> None:
    script = between.join(tokens)
    phrases, problems = read(script)
    try:
        wanted = Recogniser(tokens).script()
    except Refused:
        assert problems
    else:
        assert problems == []
        assert [shown(phrase) for phrase in phrases] == wanted


# ---- any input at all

SOUP = [
    *['"', "'", "\\", "/*", "*/", "#", "text:", "\n.\n", "\r\n", "\0", "\udcff", "é", "\ufeff", "1K", "1Z", ":", ":is"],
    *["keep", "if", "else", "elsif", "not", "anyof", "true", '"a"', "[", "]", "(", ")", "{", "}", ";", ",", " ", "\n"],
]


@given(st.lists(st.sampled_from(SOUP), max_size=40).map("".join) | st.text(max_size=60))
def test_no_text_raises(text: str) -> None:
    _, problems = read(text.encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape"))
    assert problems == sorted(problems, key=lambda problem: problem.span)
    for problem in problems:
        assert problem.message.isprintable()


@given(st.lists(st.sampled_from(SOUP), max_size=40).map("".join))
def test_problems_lie_within_the_text(text: str) -> None:
    for problem in read(text)[1]:
        assert 0 <= problem.span.start <= problem.span.end <= len(text)
        Source("", text).position(problem.span.end)


@given(st.binary(max_size=80))
def test_no_octets_raise(octets: bytes) -> None:
    read(octets.decode("utf-8", "surrogateescape"))


# ---- sievelib for others

SCRIPTS = [
    'require "fileinto";\nif header :is "subject" "a" { fileinto "b"; } else { keep; }',
    'require ["vacation", "copy"]; vacation :days 7 "away"; redirect :copy "a@example.com";',
    "if anyof (true, not false) { stop; }",
    "if true keep;",
    "sieveavcommand;",
    "if sieveavtest { keep; }",
    "else { }",
    'fileinto "not required";',
    "unknown;",
    "keep",
    "",
]

BOTH_WAYS = """
    import json, sys
    from sievelib.parser import Parser

    scripts = json.loads(sys.stdin.read())

    def parsed():
        found = []
        for script in scripts:
            parser = Parser()
            good = parser.parse(script)
            found.append([good, "" if good else parser.error, [command.name for command in parser.result]])
        return found

    before = parsed()
    from sieveav.language.syntax import read
    imported = parsed()
    for script in scripts:
        read(script)
    assert before == imported == parsed(), (before, imported, parsed())
    assert [good for good, _, _ in before].count(True) >= 4, before
"""


def test_importing_us_leaves_sievelib_as_it_was() -> None:
    scripts = [script for script in SCRIPTS if "sieveav" not in script]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(BOTH_WAYS)],
        input=json.dumps(scripts),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_readers_and_sievelib_go_on_at_once() -> None:
    def theirs() -> list[Any]:
        found = []
        for script in SCRIPTS:
            parser = Parser()
            found.append((parser.parse(script), [command.name for command in parser.result]))
        return found

    def ours() -> list[Any]:
        return [([shown(phrase) for phrase in phrases], problems) for phrases, problems in map(read, SCRIPTS)]

    wanted = theirs(), ours()
    wrong: list[Any] = []

    def work() -> None:
        for _ in range(20):
            found = theirs(), ours()
            if found != wanted:
                wrong.append(found)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
