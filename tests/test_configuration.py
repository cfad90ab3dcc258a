"""The configuration file: text to stanzas (every syntax problem, true spans), stanzas to settings (every rule)."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sieveav.language.problems import Problem, Severity, Source, Span
from sieveav.limits import PROBLEMS, Limits
from sieveav.options import SECONDS, TEXT, TEXTS, Option, ValueType
from sieveav.scanning.contract import Engine, EngineType
from sieveav.site import configuration
from sieveav.site.checking import check
from sieveav.site.configuration import Setting, Stanza, read
from sieveav.site.options import COMMON, LATER_PHASES, LATER_STANZAS, Settings


def make(name: str, values: Mapping[str, Any]) -> Engine:
    raise NotImplementedError


DAEMON = Option("daemon", TEXTS, ("127.0.0.1:3310",), "where clamd listens")
RULES = Option("rules", ValueType("file", str, many=True), (), "files of rules")
ENGINES = {
    "clamav": EngineType("clamav", "clamd", "IO", (DAEMON,), make),
    "yara": EngineType("yara", "rules", "CPU", (RULES,), make),
}
EXTENSIONS = {
    "vacation": {"min_period": Option("min_period", SECONDS, 86400.0, ""), "from": Option("from", TEXT, "", "")}
}


def source(text: str) -> Source:
    return Source("site.conf", text)


def checked(text: str, base: Path = Path("/nowhere")) -> tuple[Settings, list[Problem]]:
    stanzas, problems = read(source(text))
    assert problems == []
    return check(stanzas, source(text), ENGINES, EXTENSIONS.get, base, lambda: EXTENSIONS)


def said(text: str, problems: list[Problem]) -> list[tuple[str, str]]:
    """Each problem's rule and the text it points at."""
    return [(problem.rule, text[problem.span.start : problem.span.end]) for problem in problems]


def one_engine(inner: str, base: Path = Path("/nowhere")) -> Any:
    settings, problems = checked(f'clamav {{}} antivirus "a" {{ clamav "c" {{ {inner} }} }}', base)
    assert problems == []
    return settings.frameworks[0].engines[0]


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
        "import sys; from sieveav.site import configuration as c, checking\n"
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


# Stanzas to settings.

DOCUMENTED = """
clamav {
  Enabled = false
  daemon = "127.0.0.1:3310"
  timeout = "20"
  action = pass
  paranoid = false
  context_variable = "VIRUS"
  skip_context_variable = "skip_virus_check"
  file_base = "/var/tmp"
}
sieve "sieve1" { script "data_phase1" { source = "clamav.siv" } }
"""


def test_the_documented_stanza(tmp_path: Path) -> None:
    (tmp_path / "clamav.siv").write_text("clamav_avscan;")
    settings, problems = checked(DOCUMENTED, tmp_path)
    assert problems == []
    (framework,) = settings.frameworks
    (engine,) = framework.engines
    assert (framework.instance, engine.kind, engine.instance) == ("clamav", "clamav", "clamav")
    assert (engine.active, engine.timeout, engine.context_variable) == (False, 20.0, "VIRUS")
    assert engine.file_base == Path("/var/tmp")  # noqa: S108
    assert engine.options == {"daemon": ("127.0.0.1:3310",)}
    assert settings.phases == {"data_phase1": (tmp_path / "clamav.siv",)}


def test_defaults() -> None:
    engine = one_engine("")
    values = {f.name: getattr(engine, f.name) for f in fields(engine) if f.name != "span"}
    assert values == {
        "kind": "clamav", "instance": "c", "active": True, "action": "pass", "cache_size": 1000,
        "context_variable": "clamav_status", "error_code": 451, "file_base": None, "max_concurrency": 0,
        "mime_decompose": False, "paranoid": False, "skip_context_variable": "skip_virus_check", "timeout": 10.0,
        "options": {"daemon": ("127.0.0.1:3310",)},
    }  # fmt: skip
    settings, problems = checked("")
    assert problems == []
    assert settings == Settings()


ROWS: list[tuple[str, str, Any]] = [
    ("action", "REJECT", "reject"),
    ("cache_size", "0", 0),
    ("context_variable", "virus", "virus"),
    ("error_code", "421", 421),
    ("file_base", "tmp", Path("tmp")),
    ("max_concurrency", "4", 4),
    ("paranoid", "1", True),
    ("skip_context_variable", "skip", "skip"),
    ("timeout", "1m", 60.0),
]


@pytest.mark.parametrize(("name", "written", "value"), ROWS)
def test_an_option_that_works(name: str, written: str, value: Any, tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    if isinstance(value, Path):
        value = tmp_path / value
    assert getattr(one_engine(f"{name.upper()} = {written}", tmp_path), name) == value
    above, problems = checked(f'clamav {{}} antivirus "a" {{ {name} = {written} clamav "c" {{}} }}', tmp_path)
    assert problems == []
    assert getattr(above.frameworks[0].engines[0], name) == value


def test_every_common_option_has_a_row() -> None:
    others = {"enabled", "debug_level", "mime_decompose", "pool", "use_wire_rep"}
    assert {option.name for option in COMMON} == {name for name, _, _ in ROWS} | others


def test_mime_decompose_needs_file_base(tmp_path: Path) -> None:
    assert one_engine("mime_decompose = 1 file_base = .", tmp_path).mime_decompose
    text = 'clamav {} antivirus "a" { mime_decompose = on clamav "c" {} }'
    assert said(text, checked(text)[1]) == [("missing-option", "mime_decompose")]


def test_an_engines_own_value_goes_before_the_frameworks() -> None:
    inner = 'clamav "c" { timeout = 5 enabled = on } yara "y" {}'
    text = f'clamav {{}} yara {{}} antivirus "a" {{ timeout = 20 enabled = no {inner} }}'
    settings, problems = checked(text)
    assert problems == []
    assert [(e.timeout, e.active) for e in settings.frameworks[0].engines] == [(5.0, True), (20.0, False)]


@pytest.mark.parametrize(
    ("above", "inside", "active"), [("", "", True), ("enabled = off", "", False), ("", "enabled = 0", False)]
)
def test_passive(above: str, inside: str, active: bool) -> None:
    settings, problems = checked(f'clamav {{ {above} }} antivirus "a" {{ clamav "c" {{ {inside} }} }}')
    assert problems == []
    assert settings.frameworks[0].engines[0].active is active


@pytest.mark.parametrize(
    "inner", ["debug_level = 0", "pool = io", "use_wire_rep = true", "enabled = yes", "cache_size = 1000"]
)
def test_what_does_nothing_is_taken_at_its_default(inner: str) -> None:
    one_engine(inner)


ENGINE = 'clamav {} antivirus "a" { clamav "c" { %s } }'


@pytest.mark.parametrize(
    ("text", "found"),
    [
        # kinds, places, names
        ("clamv {}", [("unknown-stanza", "clamv")]),
        ("extension {}", [("instance-name", "extension")]),
        ("antivirus {}", [("instance-name", "antivirus"), ("engine-unused", "antivirus")]),
        ('limits "l" {}', [("instance-name", '"l"')]),
        ('clamav "c" { timeout = 3 }', [("instance-name", '"c"')]),
        ('script "data_phase1" {}', [("misplaced", "script")]),
        ("users { limits { x = 1 } }", [("misplaced", "limits"), ("unknown-option", "x")]),
        ("limits {} LIMITS {}", [("repeated-stanza", "LIMITS")]),
        ('extension "vacation" {} extension "vacation" {}', [("repeated-stanza", "extension")]),
        # options
        (ENGINE % "timeuot = 3", [("unknown-option", "timeuot")]),
        (ENGINE % "timeout = 3 Timeout = 4", [("repeated-option", "Timeout")]),
        (ENGINE % "timeout = soon", [("bad-value", "soon")]),
        (ENGINE % 'timeout = "0"', [("bad-value", '"0"')]),
        (ENGINE % "timeout = ( 1 2 )", [("bad-value", "( 1 2 )")]),
        (ENGINE % "enabled = maybe", [("bad-value", "maybe")]),
        (ENGINE % "action = quarantine", [("bad-value", "quarantine")]),
        (ENGINE % "cache_size = -1", [("bad-value", "-1")]),
        (ENGINE % 'context_variable = ""', [("bad-value", '""')]),
        (ENGINE % "error_code = 200", [("bad-value", "200")]),
        (ENGINE % "error_code = 554", [("bad-value", "554")]),
        (ENGINE % "file_base = nowhere", [("bad-value", "nowhere")]),
        (ENGINE % f"file_base = {'x' * 5000}", [("bad-value", "x" * 5000)]),
        (ENGINE % 'mime_decompose = 1 file_base = ""', [("bad-value", '""')]),
        (ENGINE % "actions = 3", [("misplaced", "actions")]),
        ('antivirus "a" { daemon = x }', [("engine-unused", "antivirus"), ("misplaced", "daemon")]),
        # not in this version
        (ENGINE % "debug_level = 1", [("not-in-this-version", "1")]),
        (ENGINE % "pool = mine", [("not-in-this-version", "mine")]),
        (ENGINE % "use_wire_rep = false", [("not-in-this-version", "false")]),
        ('sieve "s" { cache_size = 200 cache_life = 260 }', []),
        (
            'sieve "s" { cache_size = 201 cache_life = 0 }',
            [("not-in-this-version", "201"), ("not-in-this-version", "0")],
        ),
        ('sieveav { workers = 2 user = "sieveav" log = text mixed = bounce }', []),
        (
            "sieveav { workers = 3 user = root log = json mixed = tempfail }",
            [("not-in-this-version", value) for value in ("3", "root", "json", "tempfail")],
        ),
        ('csapi {} antivirus "a" { csapi "c" { x = 1 } }', [("not-in-this-version", "csapi")] * 2),
        # engines
        ('antivirus "a" { clamav "c" {} }', [("engine-not-global", "clamav")]),
        ("clamav {}", [("engine-unused", "clamav")]),
        ("clamav { enabled = false }", [("engine-unused", "clamav")]),
        ('clamav { daemon = x } antivirus "a" { clamav "c" {} }', [("misplaced", "daemon")]),
        ('clamav {} antivirus "a" { clamav "c" {} clamav "d" {} }', [("same-variable", "clamav")]),
        ('clamav {} antivirus "a" { clamav "c" {} } antivirus "b" { clamav "c" {} }', [("same-variable", "clamav")]),
        ('clamav {} antivirus "a" { clamav "c" {} clamav "d" { context_variable = v } }', []),
        (
            'clamav {} antivirus "a" { clamav "c" {} clamav "c" { context_variable = v } }',
            [("repeated-stanza", "clamav")],
        ),
        (
            'clamav {} antivirus "a" { clamav "c" {} clamav "d" { context_variable = clamav_status_info } }',
            [("same-variable", "clamav_status_info")],
        ),
        # scripts
        ('sieve "s" { script "data_phase1" {} }', [("missing-option", "script")]),
        ('sieve "s" { script "data_phase3" { source = "x" } }', [("bad-value", '"data_phase3"'), ("bad-value", '"x"')]),
        ('sieve "s" { runtime_error = "panic" }', [("bad-value", '"panic"')]),
        ('sieve "s" {} sieve "t" { runtime_error = continue }', [("bad-value", "continue")]),
        ('users { scripts = "/v/%d/%x/%%/100%" }', [("bad-value", "%x"), ("bad-value", "%")]),
        ("users { before = b.sieve after = a.sieve }", [("bad-value", "b.sieve"), ("bad-value", "a.sieve")]),
        ("limits { actions = 0 redirects = 0 steps = many }", [("bad-value", "0"), ("bad-value", "many")]),
        ('extension "vacatoin" { min_period = 1d }', [("unknown-extension", '"vacatoin"')]),
        ('extension "vacation" { min_perod = 1d }', [("unknown-option", "min_perod")]),
        ('extension "vacation" { min_period = x }', [("bad-value", "x")]),
    ],
)
def test_a_rule(text: str, found: list[tuple[str, str]]) -> None:
    assert said(text, checked(text)[1]) == found


@pytest.mark.parametrize("kind", sorted(LATER_STANZAS))
def test_a_stanza_of_a_later_version(kind: str) -> None:
    (problem,) = checked(f'{kind} "x" {{ any = thing more {{}} }}')[1]
    assert (problem.rule, problem.message) == ("not-in-this-version", f"{kind} is not in this version")


@pytest.mark.parametrize("phase", sorted(LATER_PHASES))
def test_a_phase_of_a_later_version(phase: str) -> None:
    (problem,) = checked(
        f'sieve "s" {{ script "{phase}" {{ source = "/dev/null/../null" }} }}'.replace("/dev/null/../null", __file__)
    )[1]
    assert (problem.rule, problem.message) == ("not-in-this-version", f"the phase {phase} is not in this version")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("clamv {}", 'did you mean "clamav"?'),
        (ENGINE % "timeuot = 3", 'did you mean "timeout"?'),
        ('extension "vacatoin" {}', 'did you mean "vacation"?'),
        ('sieve "s" { script "data_phas1" { source = "x" } }', 'did you mean "data_phase1"?'),
        ('script "data_phase1" {}', "it stands inside sieve"),
        ("users { clamav {} }", "it stands at the top level or inside antivirus"),
        (ENGINE % "redirects = 3", "it belongs in limits"),
        ('antivirus "a" { clamav "c" {} }', "write clamav {} at the top level too"),
    ],
)
def test_hints(text: str, hint: str) -> None:
    assert hint in [problem.hint for problem in checked(text)[1]]


@pytest.mark.parametrize(
    ("text", "severity"),
    [
        (ENGINE % "error_code = 554", Severity.WARNING),
        (ENGINE % "error_code = 600", Severity.ERROR),
        ("clamav {}", Severity.WARNING),
        ('antivirus "a" {}', Severity.WARNING),
        ('antivirus "a" { clamav "c" {} }', Severity.ERROR),
    ],
)
def test_severities(text: str, severity: Severity) -> None:
    assert [problem.severity for problem in checked(text)[1]] == [severity]


def test_quarantine_is_told_of() -> None:
    (problem,) = checked(ENGINE % "action = Quarantine")[1]
    assert "removed in Momentum 3.1" in problem.message


def test_a_whole_site(tmp_path: Path) -> None:
    base = tmp_path / "100%"
    base.mkdir()
    for name in ("a.siv", "b.siv", "c.siv", "before.sieve", "site.yar"):
        (base / name).write_text("")
    text = """
    clamav {} yara {}
    antivirus "one" { clamav "c1" { daemon = "/run/clamd" } yara "y1" { rules = ( "site.yar" ) enabled = false } }
    sieve "s" { script "each_rcpt_phase1" { source = "b.siv" }  runtime_error = continue
                script "data_phase1" { source = "c.siv" } script "DATA_phase1" { source = "a.siv" } }
    users { scripts = "%d/%n.sieve" before = before.sieve }
    limits { Actions = 3 redirects = 0 steps = 10 wall_clock = 1.5 received = 20 }
    extension "vacation" { MIN_period = 2d }
    """
    settings, problems = checked(text, base)
    assert problems == []
    clamav, yara = settings.frameworks[0].engines
    assert (clamav.options, yara.options) == ({"daemon": ("/run/clamd",)}, {"rules": (base / "site.yar",)})
    assert (clamav.active, yara.active, settings.runtime_error) == (True, False, "continue")
    assert settings.phases == {"data_phase1": (base / "c.siv", base / "a.siv"), "each_rcpt_phase1": (base / "b.siv",)}
    assert list(settings.phases) == ["data_phase1", "each_rcpt_phase1"]
    assert settings.users.scripts == str(tmp_path / "100%%" / "%d/%n.sieve")
    assert (settings.users.before, settings.users.after) == (base / "before.sieve", None)
    assert settings.limits == Limits(3, 0, 10, 1.5, 20)
    assert settings.extensions == {"vacation": {"min_period": 172800.0, "from": ""}}
    assert text[slice(*clamav.span)] == "clamav"


def test_problems_of_all_stanzas_come_in_order_and_bounded() -> None:
    text = 'clamv {} users { x = 1 } antivirus "a" { clamav "c" { timeout = x } }'
    found = said(text, checked(text)[1])
    assert found == [
        ("unknown-stanza", "clamv"), ("unknown-option", "x"), ("engine-not-global", "clamav"), ("bad-value", "x"),
    ]  # fmt: skip
    assert len(checked("nosuch {} " * 500)[1]) == PROBLEMS


# Any text at all.

NAMES = "clamav yara antivirus sieve script users limits extension csapi sieveav timeout enabled source steps"
SIGNS = """{ } { } = = ( ) , ; " ' \\ # % 1 on "a" "data_phase1" "vacation" "%u% scripts file_base mime_decompose"""
WORDS = st.sampled_from([*NAMES.split(), *SIGNS.split(), "\n", "\0", "\udc80", "\xa0"])


@given(st.one_of(st.text(), st.lists(WORDS).map(" ".join), st.lists(WORDS).map("".join)))
def test_any_text_gives_problems_and_never_raises(text: str) -> None:
    stanzas, problems = read(source(text))
    _, more = check(stanzas, source(text), ENGINES, EXTENSIONS.get, Path("/nowhere"))
    for problem in problems + more:
        assert 0 <= problem.span.start <= problem.span.end <= len(text)
        assert problem.message
    assert problems == sorted(problems, key=lambda problem: problem.span)
