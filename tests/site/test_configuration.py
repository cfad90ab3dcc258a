"""The configuration's text to stanzas: every syntax problem, with true spans."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sieveav.language.problems import Source, Span
from sieveav.limits import PROBLEMS
from sieveav.site import configuration
from sieveav.site.configuration import Setting, Stanza, read


def source(text: str) -> Source:
    return Source("site.conf", text)


# Text to stanzas.


def test_a_tree_with_true_spans() -> None:
    text = 'clamav {}\nantivirus "a1" { timeout = 20 clamav "c" {\n  daemon = ( "a" \'b\' )'.replace("'", '"') + " } }"
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
        ('"a # b { = }"', "a # b { = }"),
        (r'"say \"a\\b\""', r'say "a\b"'),
        ('""', ""),
        ("()", ()),
        ('( "a" )', ("a",)),
        ('( "a" "b" c )', ("a", "b", "c")),
        ('( "a", "b",\n c )', ("a", "b", "c")),
        ('"a", b', ("a", "b")),
        ('"a", b, c', ("a", "b", "c")),
        ("\n20\n", "20"),
        ("grün", "grün"),
        ("O'Brien", "O'Brien"),
    ],
)
def test_values(written: str, value: str | tuple[str, ...]) -> None:
    stanzas, problems = read(source(f"a {{ x = {written}\n y = z b {{}} }}"))
    assert problems == []
    assert [(s.name, s.value) for s in stanzas[0].settings] == [("x", value), ("y", "z")]
    assert [s.kind for s in stanzas[0].stanzas] == ["b"]


@pytest.mark.parametrize(
    "text", ["", " \n", "# only a comment", "\ufeffclamav {}", "clamav clamav1 {}", "clamav{}yara{}"]
)
def test_well_formed(text: str) -> None:
    assert read(source(text))[1] == []


@pytest.mark.parametrize(
    ("text", "message", "pointed"),
    [
        ("a { b = }", '"b" has no value', "b ="),
        ("a { b = c = 3 }", '"b" has no value', "b ="),
        ("a { b = d {} }", '"b" has no value', "b ="),
        ("a = { b = 1 }", 'a stanza takes no "="', "="),
        ("a { b = ", '"b" has no value', "b ="),
        ("a { b = c, }", "after this comma a value is missing", ","),
        ("a { b = ( c, ) }", "after this comma a value is missing", ","),
        ("a { b = ( c d = 3 }", "a list that is never closed", "("),
        ("a { b = ( c }", "a list that is never closed", "("),
        ("a { b = ( ( c ) }", '"(" has no place in a list', "("),
        ("a { b = ( c = d ) }", '"=" has no place in a list', "="),
        ("a { enabled false }", '"enabled" stands alone: it belongs to no setting', "enabled"),
        ('a { x = 1 "y" }', '"y" stands alone: it belongs to no setting', '"y"'),
        ("a {} , b {}", '"," has no place here', ","),
        ("a { ) }", '")" stands alone: it belongs to no setting', ")"),
        ("a { = 3 }", '"=" stands alone: it belongs to no setting', "="),
        ("{ a = 1 }", "a stanza without a kind", "{"),
        ('"a" { b = 1 }', "a stanza without a kind", '"a"'),
        ('a { "b" = 1 }', "the name of a setting takes no quotes", '"b"'),
        ("a { b = 1; }", '";" has no place here: a setting ends with its value', ";"),
        ("a { b = 'c' }", "a string stands in double quotes", "'c'"),
        ("a {} }", '"}" closes nothing', "}"),
        ("a { b {}", '"{" is never closed', "{"),
        ('a { b = "c\n}', "a string that does not end on its line", '"c'),
        ('a { b = "c\\\r\n}', "a string that does not end on its line", '"c\\'),
        ('a { b = "c', "a string that does not end on its line", '"c'),
        (r'a { b = "c\d" }', r"\d is no escape: there are \" and \\", r"\d"),
        ("a { b = c\0 }", "the character U+0000 has no place here", "\0"),
        ('a { b = "c\0d" }', "the character U+0000 has no place in a string", "\0"),
        ("a { b\xa0= c }", "the character U+00A0 has no place here", "\xa0"),
        ("a { b = c\udce9 }", "a byte that is not UTF-8 has no place here", "\udce9"),
        ("b = 1 a {}", '"b" stands outside every stanza', "b"),
    ],
)
def test_one_syntax_problem(text: str, message: str, pointed: str) -> None:
    problems = read(source(text))[1]
    mine = [problem for problem in problems if problem.message == message]
    assert [text[p.span.start : p.span.end] for p in mine] == [pointed]
    unclosed = sum(problem.message == '"{" is never closed' for problem in problems)
    assert len(problems) == max(1, unclosed + (mine[0].message != '"{" is never closed'))


def test_every_syntax_problem_in_one_run_and_what_is_sound_is_kept() -> None:
    text = """\
clamav { enabled = timeout = 20
  daemon = ( "a" "b"
  x = "open
  z false  y = 3
} }
yara { rules = = "r" paranoid = on }
sieve "s" { script "data_phase1" { source = "x.siv" }
"""
    stanzas, problems = read(source(text))
    places = [(*source(text).position(p.span.start), *source(text).position(p.span.end)) for p in problems]
    assert places == [
        (1, 10, 1, 19),  # enabled =
        (2, 12, 2, 13),  # (
        (3, 7, 3, 12),  # "open
        (4, 3, 4, 4),  # z
        (5, 3, 5, 4),  # }
        (6, 8, 6, 15),  # rules =
        (7, 11, 7, 12),  # {
    ]
    assert [[s.name for s in stanza.settings] for stanza in stanzas] == [["timeout", "x", "y"], ["paranoid"], []]
    assert stanzas[2].stanzas[0].settings[0].value == "x.siv"


def test_bounds() -> None:
    deepest = "a {" * 16 + "}" * 16
    assert read(source(deepest))[1] == []
    deeper = "a {" * 17 + " b = = { } " + "}" * 17 + "c {}"
    stanzas, problems = read(source(deeper))
    assert [problem.message for problem in problems] == ["stanzas nested more than 16 deep"]
    assert [stanza.kind for stanza in stanzas] == ["a", "c"]
    assert len(read(source("a { b = }" * 1000))[1]) == PROBLEMS
    assert [p.rule for p in read(source(" " * (configuration.SIZE + 1)))[1]] == ["syntax"]


@pytest.mark.parametrize(
    "unit",
    ["a ", "= ", "{", "}", 'a="b\n', "\0 ", "a = b ", "(", ",", "a=(", "k {}", "'", '"\\', '\\"', "(a", "a,", "#"],
)
def test_time_is_linear(unit: str) -> None:
    def seconds(size: int) -> float:
        text = source(("a { x = " + unit * size)[:size])
        begin = time.perf_counter()
        read(text)
        return time.perf_counter() - begin

    seconds(100)
    assert seconds(80_000) < 16 * max(seconds(20_000), 0.01)


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

NAMES = "clamav yara antivirus sieve script users limits extension csapi sieveav timeout enabled source steps"
SIGNS = """{ } { } = = ( ) , ; " ' \\ # % 1 on "a" "data_phase1" "vacation" "%u% scripts file_base mime_decompose"""
WORDS = st.sampled_from([*NAMES.split(), *SIGNS.split(), "\n", "\0", "\udc80", "\xa0"])


@given(st.one_of(st.text(), st.lists(WORDS).map(" ".join), st.lists(WORDS).map("".join)))
def test_any_text_gives_problems_and_never_raises(text: str) -> None:
    for problem in read(source(text))[1]:
        assert 0 <= problem.span.start <= problem.span.end <= len(text)
        assert problem.message
    assert problems == sorted(problems, key=lambda problem: problem.span)
