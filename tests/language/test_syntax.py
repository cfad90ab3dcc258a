"""RFC 5228, 8: what a script is, what is reported of one that is not, and that no input makes the reader raise or hang."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sievelib.parser import Parser
from support.accepting import Accepted

from sieveav import limits
from sieveav.language.phrases import Argument, Number, Phrase, String, StringList, Tag
from sieveav.language.problems import Problem, Severity, Source
from sieveav.language.syntax import read
from sieveav.language.tokens import statement_text, tokenize


def arguments(script: str) -> tuple[Argument, ...]:
    """The arguments of the one command of `script`."""
    (phrase,), problems, _ = read(script)
    assert [p for p in problems if p.severity is Severity.ERROR] == []
    return phrase.arguments


def shown(phrase: Phrase) -> Any:
    """A phrase without its places, in short: (word, arguments, tests, block)."""
    arguments: list[Any] = []
    for argument in phrase.arguments:
        if isinstance(argument, StringList):
            arguments.append([item.value for item in argument.items])
        else:
            arguments.append(argument.name if isinstance(argument, Tag) else argument.value)
    block = None if phrase.block is None else [shown(inner) for inner in phrase.block]
    return phrase.word, arguments, [shown(test) for test in phrase.tests], block


def shown_place(source: Source, problem: Problem) -> str:
    """The place of a problem: `line:column-length`."""
    line, column = source.position(problem.span.start)
    return f"{line}:{column}-{problem.span.end - problem.span.start}"


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
    (problem,) = read("x text:\na\n.").problems
    assert (problem.rule, problem.span) == ("semicolon-missing", (10, 11))
    (items,) = arguments('x ["a", text:\nb\n.\n, "c"];')
    assert isinstance(items, StringList)
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
    phrases, problems, _ = read(script)
    assert problems == []
    assert [phrase.word for phrase in phrases] in ([], ["keep"])


def test_places_are_counted_in_characters() -> None:
    (phrase,), *_ = read('/* \U0001f600 */ x :tag "é" ["a", "b"] 12K;')
    text = '/* \U0001f600 */ x :tag "é" ["a", "b"] 12K;'
    assert text[slice(*phrase.span)] == "x"
    assert [text[slice(*argument.span)] for argument in phrase.arguments] == [":tag", '"é"', '["a", "b"]', "12K"]
    assert text[slice(*phrase.whole)] == text[8:-1]


def test_the_whole_of_a_phrase_goes_to_its_last_test() -> None:
    text = 'if anyof (not header "a" "b", true) { keep; }'
    (phrase,), *_ = read(text)
    assert text[slice(*phrase.tests[0].whole)] == 'anyof (not header "a" "b", true'
    assert text[slice(*phrase.tests[0].tests[0].whole)] == 'not header "a" "b"'


# ---- what is not a script

PROBLEMS = {
    # the end of a command
    "keep": ["1:4-1 semicolon-missing"],
    "keep\nstop;": ["1:4-1 semicolon-missing"],
    "if true { keep }": ["1:14-1 semicolon-missing"],
    'x "a"\nif true { }': ["1:5-1 semicolon-missing"],
    "if true { stop } keep;": ["1:14-1 semicolon-missing"],
    "keep;;": ["1:6-1 syntax"],
    "if true { };": ["1:12-1 syntax"],
    # blocks
    "}": ["1:1-1 syntax"],
    "if true { } }\nkeep;": ["1:13-1 syntax"],
    "if true {\n keep;": ["1:9-1 syntax"],
    "if true { if false { keep; }": ["1:9-1 syntax"],
    "if true { if false {": ["1:9-1 syntax", "1:20-1 syntax"],
    "{ keep; }": ["1:1-1 syntax"],
    "if true keep;": ["1:13-1 syntax"],
    "if true;": ["1:8-1 syntax"],
    "if true else { }": ["1:9-4 syntax"],
    "if if { }": ["1:4-2 syntax"],
    # if, elsif, else
    "if { }": ["1:4-1 syntax"],
    'if true { } elsif "a" { }': ["1:19-3 syntax"],
    "elsif true { }": ["1:1-5 syntax"],
    "if true { } keep; else { }": ["1:19-4 syntax"],
    "if true { } else { } else { }": ["1:22-4 syntax"],
    "if true { } else { } elsif true { }": ["1:22-5 syntax"],
    "if true { else { } }": ["1:11-4 syntax"],
    "if true { } else true { }": ["1:18-4 syntax"],
    'if true { } else "a" { }': ["1:18-3 syntax"],
    "if true { } else if true { } else { }": ["1:18-2 syntax"],
    "if true": ["1:7-1 syntax"],
    "if true { } else": ["1:16-1 syntax"],
    # tests
    "not true;": ["1:1-3 syntax"],
    "anyof (true) { }": ["1:1-5 syntax"],
    "keep not true;": ["1:6-3 syntax"],
    "if not { }": ["1:8-1 syntax"],
    "if anyof true { }": ["1:10-4 syntax"],
    "if allof () { }": ["1:11-1 syntax"],
    "if allof (true,) { }": ["1:16-1 syntax"],
    "if allof (true, { }": ["1:17-1 syntax"],
    "if (true) { }": ["1:4-1 syntax"],
    "keep (true);": ["1:6-1 syntax"],
    "if anyof (true) keep; }": ["1:17-4 syntax", "1:23-1 syntax"],
    "if true, false { }": ["1:8-1 syntax"],
    "keep, stop;": ["1:5-1 syntax"],
    # lists of strings
    'x ["a" "b"];': ["1:8-3 syntax"],
    "x [];": ["1:4-1 syntax"],
    'x ["a",];': ["1:8-1 syntax"],
    "x [1];": ["1:4-1 syntax"],
    'x ["a"': ["1:6-1 syntax"],
    "x );": ["1:3-1 syntax"],
    # tokens
    'keep "abc;\nstop;': ["1:6-11 syntax"],
    "keep; /* abc\nstop;": ["1:7-12 syntax"],
    "x text:\nabc\n": ["1:3-10 syntax"],
    "x text:": ["1:3-5 syntax"],
    "x text: abc\n.\n;": ["1:3-12 syntax"],
    "x 12a;": ["1:3-3 syntax"],
    "x 1KB;": ["1:3-3 syntax"],
    "x -1;": ["1:3-1 syntax"],
    "x : a;": ["1:3-1 syntax"],
    "x 'a';": ["1:3-1 syntax"],
    "x “a”;": ["1:3-1 syntax"],
    "²;": ["1:1-1 syntax"],
    "é;": ["1:1-1 syntax"],
    "x \x02;": ["1:3-1 syntax"],
    'x "a\0";': ["1:5-1 syntax"],
    "# \0": ["1:3-1 syntax"],
    # text without quotes
    "reject This message was refused because it has a virus;": ["1:8-47 string-unquoted"],
    "redirect bob@example.com;": ["1:10-15 string-unquoted"],
    "fileinto INBOX.Junk\nkeep;": ["1:10-10 string-unquoted", "1:19-1 semicolon-missing"],
    "if true { reject It's over if you ask; }": ["1:18-20 string-unquoted"],
    "fileinto Junk;": ["1:8-1 semicolon-missing"],
    "keep stop discard { }": [],
    "reject " + "because " * 50 + "yes;": ["1:8-403 string-unquoted"],
    ":a;": ["1:1-2 syntax"],
    '"a";': ["1:1-3 syntax"],
    # several
    "keep\nstop\nif {}\n}\nx [;\nkeep 12a;\nkeep": [
        "1:4-1 semicolon-missing",
        "2:4-1 semicolon-missing",
        "3:4-1 syntax",
        "4:1-1 syntax",
        "5:4-1 syntax",
        "6:6-3 syntax",
        "7:4-1 semicolon-missing",
    ],
    "if true {\n  keep\n} elsif { stop; } else {\n  discard\n}": [
        "2:6-1 semicolon-missing",
        "3:9-1 syntax",
        "4:9-1 semicolon-missing",
    ],
}


@pytest.mark.parametrize("script", PROBLEMS)
def test_problems(accepted: Accepted, script: str) -> None:
    source = Source("", script)
    problems = read(script).problems
    assert [f"{shown_place(source, problem)} {problem.rule}" for problem in problems] == PROBLEMS[script]
    accepted(f"{problem.message} | {problem.hint}".removesuffix(" | ") for problem in problems)


def test_what_can_be_read_beside_a_problem_is_read() -> None:
    phrases, *_ = read('if header :is { keep; }\nfileinto "a"\nelse { stop; }\n) discard;\nredirect "b";')
    assert [shown(phrase) for phrase in phrases][-1] == ("redirect", ["b"], [], None)
    assert ("fileinto", ["a"], [], None) in [shown(phrase) for phrase in phrases]
    assert phrases[0].block is not None
    assert [inner.word for inner in phrases[0].block] == ["keep"]


def test_advice(accepted: Accepted) -> None:
    (escape,) = read(r'x "\\ \" \d";').problems
    assert (escape.rule, escape.severity, escape.span) == ("escape-undefined", Severity.ADVICE, (9, 11))
    text = b'x "a\xff\xfe\xff";'.decode("utf-8", "surrogateescape")
    (octets,) = read(text).problems
    assert (octets.rule, octets.severity, octets.span) == ("encoding-invalid", Severity.WARNING, (4, 5))
    accepted(f"{problem.message} | {problem.hint}" for problem in (escape, octets))


def mended(script: str) -> str:
    """The script after the edits of its problems."""
    edits = [edit for problem in read(script).problems for edit in problem.edits]
    for edit in sorted(edits, key=lambda edit: edit.span, reverse=True):
        script = script[: edit.span.start] + edit.text + script[edit.span.end :]
    return script


@pytest.mark.parametrize(
    ("script", "after"),
    [
        ("keep", "keep;"),
        ("keep # why\nstop;", "keep; # why\nstop;"),
        ("if true { keep }", "if true { keep; }"),
        ("if true { } else if true { }", "if true { } elsif true { }"),
        ("redirect bob@example.com", 'redirect "bob@example.com";'),
        ("reject say \\ no;", 'reject "say \\\\ no";'),
    ],
)
def test_edits_mend_the_script(script: str, after: str) -> None:
    assert mended(script) == after
    assert read(after).problems == []


def test_comments_are_kept() -> None:
    text = "# one\r\nkeep; /* two\n*/ #three\nif {\nx text: # four\n# text\n.\n; /**/"
    comments = read(text).comments
    assert [comment.text for comment in comments] == ["# one", "/* two\n*/", "#three", "# four", "/**/"]
    assert [text[slice(*comment.span)] for comment in comments] == [comment.text for comment in comments]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('header :is "a" "b" { keep; }', 'header :is "a" "b"'),
        ("keep;", "keep"),
        ("stop", "stop"),
        ('x [ "a" , # no\n "b" ] /* no */ 1K ;', 'x ["a", "b"] 1K'),
        ("not anyof ( true ,\n false ) , true", "not anyof (true, false)"),
        ("true ) {", "true"),
        ("x text: # no\na line\nanother\n.\n;", "x text: a line another"),
        ('x "a\n\n  b";', 'x "a b"'),
        (f'x "{"a" * 80}" "b";', f'x "{"a" * 54}...'),
        ("x text:\nunterminated", "x text: unterminated"),
        ('x "unterminated', 'x " unterminated'),
    ],
)
def test_the_text_of_a_statement(text: str, shown: str) -> None:
    assert statement_text(f"if {text}", 3) == shown
    assert len(shown) <= 60


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
    phrases, problems, _ = read(prefix + unit * 100_000)
    assert phrases == ()
    assert [(problem.rule, problem.message) for problem in problems] == [
        ("nesting-too-deep", f"{what} are nested more than 32 deep")
    ]


@pytest.mark.parametrize("between", [" ", "\n", " anyof (", " not "])
def test_prose_is_not_too_deep(between: str) -> None:
    """Words in a row are nested tests only where a test or a block may be."""
    words = between.join(["word"] * 100)
    assert "nesting-too-deep" not in [problem.rule for problem in read(f"reject {words};").problems]
    for script in (f"reject {words} {{ }}", f"if {words}"):
        assert [problem.rule for problem in read(script).problems] == ["nesting-too-deep"]


def test_deep_is_fine_up_to_the_limit() -> None:
    n = limits.BLOCK_NESTING
    assert read("if true { " * n + "}" * n)[1] == []
    assert read("if true { " * (n + 1) + "}" * (n + 1))[1][0].rule == "nesting-too-deep"
    n = limits.TEST_NESTING
    assert read("if " + "not " * (n - 1) + "true { }")[1] == []
    assert read("if " + "not " * n + "true { }")[1][0].rule == "nesting-too-deep"
    assert read("if " + "anyof (true, " * (n - 1) + "true" + ")" * (n - 1) + "{ }")[1] == []


def test_many_arms_and_wide_lists_are_not_deep() -> None:
    phrases, problems, _ = read("if true { }" + " elsif true { }" * 2000 + " else { keep; }")
    assert problems == []
    assert [phrase.word for phrase in phrases] == ["if", *["elsif"] * 2000, "else"]
    assert read(f"if anyof ({', '.join(['not allof (true, false)'] * 2000)}) {{ }}")[1] == []
    assert read("x [" + ", ".join(["text:\n.\n", '"a"'] * 2000) + "];")[1] == []
    assert read("if true { if true { } } " * 2000)[1] == []


def test_the_size_is_bounded_in_octets() -> None:
    assert read("#" + "a" * (limits.SCRIPT_SIZE - 1))[1] == []
    for text in ("#" + "a" * limits.SCRIPT_SIZE, "#" + "é" * (limits.SCRIPT_SIZE // 2)):
        phrases, problems, _ = read(text)
        assert phrases == ()
        assert [problem.rule for problem in problems] == ["script-too-large"]


def test_problems_are_bounded() -> None:
    _, problems, _ = read("keep\nstop;\n" * 5000)
    assert problems[-1].rule == "problems-too-many"
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


def calls(text: str) -> int:
    """The calls that reading `text` takes, of functions and of C functions: its work, the same on every machine."""
    count = 0

    def profile(frame: Any, event: str, argument: Any) -> None:  # noqa: ARG001
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(profile)
    try:
        read(text)
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("prefix", ["", "if true {\n", "x anyof(true,"])
def test_hostile_scripts_take_linear_work(prefix: str) -> None:
    for unit in HOSTILE:
        short, long = (calls(prefix + unit * (octets // len(unit.encode()))) for octets in (2_000, 8_000))
        assert long <= 8 * short, unit


@pytest.mark.parametrize("unit", ["text:", "text: #\n", "/* "])
def test_what_is_unterminated_is_one_token(unit: str) -> None:
    """Each start of one would otherwise be tried to the end of the text."""
    tokens, comments = tokenize(unit * 9, limits.TO_RUN)
    assert len(tokens) <= 2
    assert comments == []


def test_a_script_to_run_is_bounded_in_words() -> None:
    rule = "if true {keep;}"  # three words, seven tokens
    n = limits.SCRIPT_WORDS // 3
    assert read(rule * n).problems == []
    (problem,) = read(rule * (n + 1)).problems
    assert problem.rule == "script-too-long"
    assert problem.span.start == 15 * n + (0, 3, 9)[limits.SCRIPT_WORDS % 3]
    assert read(rule * (n + 1), limits.TO_LINT).problems == []
    assert read(rule * (n + 1)).phrases == ()


def test_a_script_to_run_is_bounded_in_tokens() -> None:
    text = ";" * limits.SCRIPT_SIZE
    tokens, _ = tokenize(text, limits.TO_RUN)
    assert len(tokens) == limits.SCRIPT_TOKENS + 1
    assert [problem.rule for problem in read(text).problems] == ["script-too-long"]


def test_a_script_to_lint_may_be_larger() -> None:
    text = "#" * (limits.SCRIPT_SIZE + 1)
    assert [problem.rule for problem in read(text).problems] == ["script-too-large"]
    assert read(text, limits.TO_LINT).problems == []


# ---- the grammar of RFC 5228, 8.2, a second time

SHAPING = {"if", "elsif", "else", "not", "anyof", "allof"}


class Refused(Exception):
    """The tokens are not a script."""


class Recogniser:
    """Tokens to what `shown` gives, by the grammar of RFC 5228, 8.2, with what 3.1, 5.2, 5.3 and 5.8 add: where if, elsif
    and else may be, and what they, not, anyof and allof take. A test of another name takes one test or none, no list of
    them; a command takes a test only with a block."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self.at = 0

    def script(self) -> list[Any]:
        commands = self.commands()
        if self.at < len(self.tokens):
            raise Refused
        return commands

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
        arguments = list(self.arguments())
        return word, arguments, [self.test()] if self.word() else [], None

    def block(self) -> list[Any]:
        self.take("{")
        commands = self.commands()
        self.take("}")
        return commands

    def commands(self) -> list[Any]:
        commands: list[Any] = []
        while self.word():
            word = self.take()
            before = commands[-1][0] if commands else ""
            if word in ("not", "anyof", "allof") or (word in ("elsif", "else") and before not in ("if", "elsif")):
                raise Refused
            arguments = [] if word in SHAPING else list(self.arguments())
            tests = [self.test()] if word in ("if", "elsif") or (word != "else" and self.word()) else []
            if tests or word == "else" or self.peek() == "{":
                commands.append((word, arguments, tests, self.block()))
            else:
                self.take(";")
                commands.append((word, arguments, [], None))
        return commands


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
    """The tokens of a script, with a mistake or two."""
    tokens = draw(COMMANDS)
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(tokens)))
        tokens[at : at + draw(st.integers(0, 1))] = draw(st.lists(st.sampled_from(TOKENS), max_size=1))
    return tokens


@settings(max_examples=400)
@given(st.lists(st.sampled_from(TOKENS), max_size=12) | nearly(), st.sampled_from([" ", "\r\n", "/**/", " #\n"]))
def test_what_is_read_is_what_the_grammar_has(tokens: list[str], between: str) -> None:
    script = between.join(tokens)
    phrases, problems, _ = read(script)
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
    _, problems, _ = read(text.encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape"))
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
        results = []
        for script in scripts:
            parser = Parser()
            good = parser.parse(script)
            results.append([good, "" if good else parser.error, [command.name for command in parser.result]])
        return results

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
        results = []
        for script in SCRIPTS:
            parser = Parser()
            results.append((parser.parse(script), [command.name for command in parser.result]))
        return results

    def ours() -> list[Any]:
        return [([shown(phrase) for phrase in phrases], problems) for phrases, problems, _ in map(read, SCRIPTS)]

    wanted = theirs(), ours()
    wrong: list[Any] = []

    def work() -> None:
        for _ in range(20):
            results = theirs(), ours()
            if results != wanted:
                wrong.append(results)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
