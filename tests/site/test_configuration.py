"""The text of a configuration to stanzas: every syntax problem, with its exact place."""

from __future__ import annotations

import itertools
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ply import yacc
from support.accepting import Accepted

from sieveav.language.problems import Problem, Source, Span
from sieveav.limits import PROBLEMS
from sieveav.site import configuration
from sieveav.site.configuration import Setting, Stanza, read


def source(text: str) -> Source:
    return Source("site.conf", text)


def settings(stanza: Stanza) -> dict[str, object]:
    return {setting.name: setting.value for setting in stanza.settings}


def pointed(text: str, problems: list[Problem]) -> list[str]:
    """The pieces of `text` at which `problems` point."""
    return [text[problem.span.start : problem.span.end] for problem in problems]


def advice(problems: list[Problem]) -> list[str]:
    return [f"{problem.message} [{problem.rule}] = {problem.hint}" for problem in problems]


# Text to stanzas.


def test_a_tree_with_exact_spans() -> None:
    text = 'clamav {}\nantivirus "a1" { timeout = 20 clamav "c" {\n  daemon = ( "a" "b" ) } }'
    stanzas, problems = read(source(text))
    assert problems == []
    at = text.index
    inner = Stanza(
        "clamav", "c",
        (Setting("daemon", ("a", "b"), Span(at("daemon"), at(")") + 1), Span(at("daemon"), at("daemon") + 6),
                 Span(at("("), at(")") + 1)),),
        (), Span(at('clamav "c"'), len(text) - 2), Span(at('clamav "c"'), at('clamav "c"') + 6),
        Span(at('"c"'), at('"c"') + 3),
    )  # fmt: skip
    timeout = Setting("timeout", "20", Span(at("timeout"), at("20") + 2), Span(at("timeout"), at("timeout") + 7),
                      Span(at("20"), at("20") + 2))  # fmt: skip
    assert stanzas == (
        Stanza("clamav", None, (), (), Span(0, 9), Span(0, 6)),
        Stanza("antivirus", "a1", (timeout,), (inner,), Span(10, len(text)), Span(10, 19), Span(20, 24)),
    )


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("20", "20"),
        ('"20"', "20"),
        ("/var/tmp # a comment", "/var/tmp"),  # noqa: S108
        ("127.0.0.1:3310", "127.0.0.1:3310"),
        ("[::1]:3310", "[::1]:3310"),
        ("[::1]", "[::1]"),
        ("( [::1]:3310 [::2]:3310 )", ("[::1]:3310", "[::2]:3310")),
        ('"a", [::1]:3310', ("a", "[::1]:3310")),
        ("//srv/tmp", "//srv/tmp"),
        ("( //a //b\n //c )", ("//a", "//b", "//c")),
        ('"a", //b', ("a", "//b")),
        ('"// no comment"', "// no comment"),
        ("virus:", "virus:"),
        ("( virus: b:c : )", ("virus:", "b:c", ":")),
        ("::", "::"),
        ('"PUA"', "PUA"),
        ('"=PUA"', "=PUA"),
        ('"; [a] : => := include"', "; [a] : => := include"),
        ("\ninclude", "include"),
        ("\nx:y", "x:y"),
        ('"a # b { = }"', "a # b { = }"),
        (r'"say \"a\\b\""', r'say "a\b"'),
        ('""', ""),
        ("()", ()),
        ('( "a" )', ("a",)),
        ('( "a" "b" c )', ("a", "b", "c")),
        ('( "a", "b",\n c )', ("a", "b", "c")),
        ('"a", b', ("a", "b")),
        ('"a", b, c', ("a", "b", "c")),
        ('"a",\n b,\n c', ("a", "b", "c")),
        ("\n20\n", "20"),
        ("grün", "grün"),
        ("O'Brien", "O'Brien"),
    ],
)
def test_values(written: str, value: str | tuple[str, ...]) -> None:
    text = f"a {{ x = {written}\n y = z b {{}} }}"
    stanzas, problems = read(source(text))
    assert problems == []
    assert settings(stanzas[0]) == {"x": value, "y": "z"}
    assert [s.kind for s in stanzas[0].stanzas] == ["b"]
    span = stanzas[0].settings[0].value_span
    assert text[span.start : span.end] == written.removesuffix(" # a comment").strip()


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n",
        "# only a comment",
        "\ufeffclamav {}",
        "clamav clamav1 {}",
        "clamav{}yara{}",
        'a\n"b"\n{ }',
        'include "x" { }',
    ],
)
def test_well_formed(text: str) -> None:
    assert read(source(text))[1] == []


# Problems.


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a { b = }", "b"),
        ("a { b = c = 3 }", "b"),
        ("a { b = d {} }", "b"),
        ("a { b = , 3 c = 4 }", "b"),
        ("a { b = ) }", "b"),
        ("a = { b = 1 }", "="),
        ("a { b = c, }", ","),
        ("a { b = c,, d }", ","),
        ("a { b = c,\n d = 1 }", ","),
        ("a { b = ( c, ) }", ","),
        ("a { b = ( c,, d ) }", ","),
        ("a { b = ( , c ) }", ","),
        ("a { b = ( c d = 3 }", "("),
        ("a { b = ( c }", "("),
        ("a { b = ( c, }", "("),
        ("a { b = ( ( c ) }", "("),
        ("a { b = ( c = d = e ) }", "="),
        ("a { enabled }", "enabled"),
        ("a { one two three }", "one"),
        ("a { one\n two\n three }", "one"),
        ('a { x = 1 "y" }', '"y"'),
        ("a { reply = A virus was found\n b = 1 }", "virus"),
        ("a {} , b {}", ","),
        ("a { ) }", ")"),
        ("a { = 3 }", "="),
        ("{ a = 1 }", "{"),
        ('"a" { b = 1 }', '"a"'),
        ('a { "b" = 1 }', '"b"'),
        ("a { b = 'c' }", "'c'"),
        ("a { b = 'c\\\"d' }", "'c\\\"d'"),
        ("a {} }", "}"),
        ('a { b = "c\n}', '"c'),
        ('a { b = "c\\\r\n}', '"c\\'),
        (r'a { b = "c\d" }', r"\d"),
        ("a { b = c\0 }", "\0"),
        ("a { b = c\0d }", "\0"),
        ("a { \0 }", "\0"),
        ('a { b = "c\0d" }', "\0"),
        ("a { b\xa0= c }", "\xa0"),
        ("a { b = c\udce9 }", "\udce9"),
        ("a { " + "b" * 100 + " }", "b" * 100),
    ],
)
def test_one_syntax_problem(text: str, place: str, accepted: Accepted) -> None:
    problems = read(source(text))[1]
    assert pointed(text, problems) == [place]
    assert problems[0].rule == "syntax"
    accepted(advice(problems))


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("a { b {}", ["{"]),
        ("a { b {", ["{", "{"]),
        ("a { b = ", ["{", "b"]),
        ("a { b", ["{", "b"]),
        ('a { b = "c', ["{", '"c']),
        ("a { b = ( c", ["{", "("]),
        ("a { b = c,", ["{", ","]),
        ("a { b:", ["{", "b"]),
        ("a", ["a"]),
        ("[a", ["[a"]),
        ("include", ["include"]),
    ],
)
def test_a_text_that_ends_early(text: str, places: list[str]) -> None:
    assert pointed(text, read(source(text))[1]) == places


@pytest.mark.parametrize(
    ("mistake", "places", "meant"),
    [
        # another sign for "="
        ("timeout: 5", [":"], {"timeout": "5"}),
        ("timeout:5", [":"], {"timeout": "5"}),
        ("timeout : 5", [":"], {"timeout": "5"}),
        ("daemon:127.0.0.1:3310", [":"], {"daemon": "127.0.0.1:3310"}),
        ("timeout => 5", ["=>"], {"timeout": "5"}),
        ("timeout := 5", [":="], {"timeout": "5"}),
        ("timeout:=5", [":="], {"timeout": "5"}),
        ("timeout == 5", ["=="], {"timeout": "5"}),
        ("timeout = = 5", ["= ="], {"timeout": "5"}),
        ('"key": "value"', [":"], {"key": "value"}),
        ('"key":"value"', [":"], {"key": "value"}),
        ('"key":5', [":"], {"key": "5"}),
        ('"key" : "value",\n"more": 5', [":", ":"], {"key": "value", "more": "5"}),
        ("path: //srv/tmp", [":"], {"path": "//srv/tmp"}),
        # no "="
        ("timeout 5", ["timeout 5"], {"timeout": "5"}),
        ('timeout "5" # seconds', ['timeout "5"'], {"timeout": "5"}),
        ('daemon "a", "b"', ['daemon "a"'], {"daemon": ("a", "b")}),
        ('daemon ( "a" "b" )', ["daemon ("], {"daemon": ("a", "b")}),
        ("timeout [5]", ["timeout"], {}),
        # lists
        ('daemon = ["127.0.0.1:3310"]', ["["], {"daemon": ("127.0.0.1:3310",)}),
        ("daemon = [a, b]", ["["], {"daemon": ("a", "b")}),
        ("daemon = [a b]", ["["], {"daemon": ("a", "b")}),
        ("daemon = [a]", ["["], {"daemon": ("a",)}),
        ("daemon = [127.0.0.1:3310]", ["["], {"daemon": ("127.0.0.1:3310",)}),
        ('daemon = [ "a",\n "b"\n ]', ["["], {"daemon": ("a", "b")}),
        ("daemon = [ [::1]:3310, [::2] ]", ["["], {"daemon": ("[::1]:3310", "[::2]")}),
        ("daemon = [[::1]]", ["["], {"daemon": ("[::1]",)}),
        ("daemon = []", ["["], {"daemon": ()}),
        # comments
        ('// a comment: { "', ["//"], {}),
        ("//a comment", ["//"], {}),
        ("timeout = 5 // seconds }", ["//"], {"timeout": "5"}),
        ("timeout = // five\n 5", ["//"], {"timeout": "5"}),
        ("daemon = ( a // first\n b )", ["//"], {"daemon": ("a", "b")}),
        ("/* a comment: } */", ["/*"], {}),
        ("/* several\n = lines { */ timeout = 5", ["/*"], {"timeout": "5"}),
        ("/* not closed {\n timeout = 5", ["/*"], {"timeout": "5"}),
        ("; a comment: {", [";"], {}),
        # the rest
        ("enabled = true;", [";"], {"enabled": "true"}),
        ('include "more.conf"', ['include "more.conf"'], {}),
        ("@include more.conf", ["@include more.conf"], {}),
        ("readonly_include more.conf", ["readonly_include more.conf"], {}),
    ],
)
def test_mistakes_in_settings(mistake: str, places: list[str], meant: dict[str, object], accepted: Accepted) -> None:
    """Each has one problem, is read as what it means, and hides nothing that follows."""
    text = f"before {{}}\na {{\n{mistake}\nlast = 1\nb {{ x = 'y' }} }}\nc {{ z = }}"
    stanzas, problems = read(source(text))
    *ours, quotes, no_value = problems
    assert pointed(text, ours) == places
    assert pointed(text, [quotes, no_value]) == ["'y'", "z"]
    assert {problem.rule for problem in problems} == {"syntax"}
    assert [stanza.kind for stanza in stanzas] == ["before", "a", "c"]
    assert settings(stanzas[1]) == {**meant, "last": "1"}
    assert [settings(stanza) for stanza in stanzas[1].stanzas] == [{"x": "y"}]
    accepted(advice(ours))


@pytest.mark.parametrize(
    ("mistake", "place", "meant"),
    [
        ("a: { x = 1 }", ":", ("a", None)),
        ("a : { x = 1 }", ":", ("a", None)),
        ('"a": { x = 1 }', ":", ("a", None)),
        ('a "b": { x = 1 }', ":", ("a", "b")),
        ("a = { x = 1 }", "=", ("a", None)),
        ('a "b" = { x = 1 }', "=", ("a", "b")),
        ("a => { x = 1 }", "=>", ("a", None)),
        ("a { x = 1 };", ";", ("a", None)),
    ],
)
def test_mistakes_in_stanzas(mistake: str, place: str, meant: tuple[str, str | None], accepted: Accepted) -> None:
    text = f"{mistake}\nlast {{ z = }}"
    stanzas, problems = read(source(text))
    assert pointed(text, problems) == [place, "z"]
    assert [(stanza.kind, stanza.instance) for stanza in stanzas] == [meant, ("last", None)]
    assert settings(stanzas[0]) == {"x": "1"}
    accepted(advice(problems[:1]))


@pytest.mark.parametrize("section", ["[antivirus]", '[antivirus "a1"]', "[[antivirus]]", "[ antivirus:a1 ]", "[]"])
def test_a_section_of_an_ini_file(section: str, accepted: Accepted) -> None:
    """The settings in it are not reported one by one."""
    text = f"early = 1\n{section}\ntimeout = 5\nenabled = true\nlast {{ x = }}"
    stanzas, problems = read(source(text))
    assert pointed(text, problems) == ["early", section, "x"]
    assert [problem.rule for problem in problems] == ["setting-misplaced", "syntax", "syntax"]
    assert [stanza.kind for stanza in stanzas] == ["last"]
    accepted(advice(problems[1:2]))


def test_settings_outside_any_stanza(accepted: Accepted) -> None:
    text = "timeout=5\nenabled=true\nyara {}"
    stanzas, problems = read(source(text))
    assert pointed(text, problems) == ["timeout", "enabled"]
    assert [problem.rule for problem in problems] == ["setting-misplaced"] * 2
    assert [stanza.kind for stanza in stanzas] == ["yara"]
    accepted(advice(problems))


@pytest.mark.parametrize(
    "text",
    [
        '{\n"clamav": {\n"daemon": ["a:1", "b:2"],\n"timeout": 5\n},\n"yara": {}\n}',
        "antivirus:\n  clamav:\n    timeout: 5\n",
        "This is not a configuration.\nIt is a letter, with\nsome lines of text: none is a setting.",
        "a { timeout 5 enabled false }",
        "x = a 5 k {}",
        "a { x = 1\n timeout:5 k {} }",
    ],
)
def test_other_texts(text: str, accepted: Accepted) -> None:
    where = source(text)
    problems = read(where)[1]
    accepted(f"{where.position(p.span.start).line}: {line}" for p, line in zip(problems, advice(problems), strict=True))


def test_every_syntax_problem_in_one_run_and_the_rest_is_kept() -> None:
    text = """\
clamav { enabled = timeout = 20
  daemon = ( "a" "b"
  x = "open
  z false  y = 3
} }
yara { rules = , "r" paranoid = on }
sieve "s" { script "data_phase1" { source = "x.siv" }
"""
    stanzas, problems = read(source(text))
    places = [(*source(text).position(p.span.start), *source(text).position(p.span.end)) for p in problems]
    assert places == [
        (1, 10, 1, 17),  # enabled
        (2, 12, 2, 13),  # (
        (3, 7, 3, 12),  # "open
        (4, 3, 4, 4),  # z
        (5, 3, 5, 4),  # }
        (6, 8, 6, 13),  # rules
        (7, 11, 7, 12),  # {
    ]
    names = [[setting.name for setting in stanza.settings] for stanza in stanzas]
    assert names == [["timeout", "daemon", "x", "y"], ["paranoid"], []]
    assert stanzas[2].stanzas[0].settings[0].value == "x.siv"


# Bounds.


def test_bounds(accepted: Accepted) -> None:
    deepest = "a {" * 16 + "}" * 16
    assert read(source(deepest))[1] == []
    deeper = "a {" * 17 + " b = = { } " + "}" * 17 + "c {}"
    stanzas, too_deep = read(source(deeper))
    assert [stanza.kind for stanza in stanzas] == ["a", "c"]
    assert len(read(source("a { b = }" * 1000))[1]) == PROBLEMS
    stanzas, too_long = read(source(" " * (configuration.SIZE + 1)))
    assert (stanzas, [problem.span for problem in too_long]) == ((), [Span(0, 1)])
    accepted(advice(too_deep + too_long))


def test_a_message_quotes_little_of_the_text() -> None:
    word = "b" * 10_000
    texts = (word, f"{word} = ", f"{word}: 5", f"{word} 5", f"[{word}]", f"include {word}", f"{word} = {{ }}", f"'{word}'",
             f"a = '{word}'", f'"{word}" {{ }}', f"a = ( {word}= )", f"a := {word}", f"a {'=' * 10_000} 1")  # fmt: skip
    for text in texts:
        for problem in read(source(text))[1]:
            assert len(problem.message) + len(problem.hint) < 250, text[:20]


UNITS = ["a ", "= ", "{", "}", 'a="b\n', "\0 ", "a = b ", "(", ",", "a=(", "k {}", "'", '"\\', '\\"', "(a", "a,", "#", ":",
         "a: ", "a:b\n", "a b\n", "a b: ", "[", "[a", "a=[", "a=[b ", "a=[]", "]", "[:", "[a]\n", "//", "/*\n", "/* */", ";",
         ";\n", "; a\n", "include a\n", '"a":', '"a":1,', "=>", "a\n", "(a=", "\n"]  # fmt: skip


@pytest.mark.parametrize("unit", UNITS)
def test_work_is_linear(unit: str) -> None:
    """Counted are the lines that run, of the module and of PLY."""
    lines = 0

    def trace(frame: FrameType, event: str, arg: object) -> Any:  # noqa: ARG001
        nonlocal lines
        lines += event == "line"
        return trace

    def work(size: int) -> int:
        nonlocal lines
        text = source(("a { x = " + unit * size)[:size])
        before, lines = sys.gettrace(), 0
        sys.settrace(trace)
        try:
            read(text)
        finally:
            sys.settrace(before)
        return lines

    work(10)  # the first run makes PLY's tables
    assert work(1_200) < 6 * work(300)


GAP = "\t" * 1000


@pytest.mark.parametrize("start", ["", "a { x = ", 'a { x = "'])
@pytest.mark.parametrize(
    "unit",
    [
        "a",
        "[",
        "]",
        "[:",
        ":",
        "a:",
        "\0",
        "\xa0",
        "//",
        "/*\n",
        "#",
        "'",
        '\\"',
        "\\a",
        GAP,
        f"a{GAP}",
        f"[a{GAP}",
        f";{GAP}",
    ],
)
def test_the_longest_text_does_not_hang(start: str, unit: str) -> None:
    """The regular expressions, whose work cannot be counted: with quadratic ones this would take many minutes."""
    text = start + unit * (configuration.SIZE // len(unit))
    begin = time.monotonic()
    read(source(text[: configuration.SIZE]))
    assert time.monotonic() - begin < 60


def test_reading_prints_nothing_writes_nothing_and_imports_late(tmp_path: Path) -> None:
    code = (
        "import sys; from sieveav.site import configuration as c, settings\n"
        "from sieveav.language.problems import Source\n"
        "assert 'ply' not in sys.modules; assert not c.read(Source('', 'a { b = 1 }'))[1]"
    )
    command = [sys.executable, "-W", "error", "-c", code]
    here = {str(path) for path in Path(configuration.__file__).parent.glob("*.py")}
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, check=False, env={"PYTHONPATH": ":".join(sys.path)}
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert list(tmp_path.iterdir()) == []
    assert {str(path) for path in Path(configuration.__file__).parent.glob("*.py")} == here


# Any text at all.

NAMES = "clamav yara antivirus sieve script users limits extension csapi sieveav timeout enabled source steps include"
SIGNS = (
    """{ } { } = = ( ) , ; " ' \\ # % 1 on "a" : := => [ ] [a] // /* */ "data_phase1" "vacation" "%u% scripts a: x:y"""
)
WORDS = st.sampled_from([*NAMES.split(), *SIGNS.split(), "\n", "\0", "\udc80", "\xa0"])


def check_any(text: str) -> None:
    problems = read(source(text))[1]
    for problem in problems:
        assert 0 <= problem.span.start <= problem.span.end <= len(text)
        assert problem.message
    assert problems == sorted(problems, key=lambda problem: problem.span)


def test_the_grammar_has_no_conflicts() -> None:
    class Log:
        def warning(self, message: str, *args: object) -> None:
            raise AssertionError(message % args)

        info = debug = error = warning

    yacc.yacc(module=configuration._Grammar(), write_tables=False, debug=False, errorlog=Log())


@given(st.one_of(st.text(), st.lists(WORDS).map(" ".join), st.lists(WORDS).map("".join)))
def test_any_text_gives_problems_and_never_raises(text: str) -> None:
    check_any(text)


@pytest.mark.parametrize("start", ["", "a { b = ", "a { b = (", "a { b = c,"])
def test_the_grammar_takes_every_short_sequence_of_tokens(start: str) -> None:
    tokens = ("a", '"b"', "=", ":", ",", "(", ")", "{", "}", "[", "\n")
    for length in range(4):
        for sequence in itertools.product(tokens, repeat=length):
            check_any(start + " ".join(sequence))
