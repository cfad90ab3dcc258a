"""Stanzas to settings: every rule of every stanza."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.accepting import Accepted
from support.sieve import FixedLibrary

from sieveav.language.extension import Extension
from sieveav.language.problems import Problem, Severity, Source, report
from sieveav.limits import PROBLEMS, Limits
from sieveav.options import FILES, SECONDS, TEXT, TEXTS, Option
from sieveav.scanning.contract import ENGINES as INSTALLED
from sieveav.scanning.contract import Engine, EngineType
from sieveav.scanning.settings import COMMON, EngineSettings
from sieveav.site.configuration import read
from sieveav.site.settings import check
from sieveav.site.stanza import Building, Report, Settings
from sieveav.site.stanzas.antivirus import ANTIVIRUS
from sieveav.site.stanzas.extension import EXTENSIONS
from sieveav.site.stanzas.limits import LIMITS
from sieveav.site.stanzas.list import LISTS
from sieveav.site.stanzas.sieve import SIEVE, Policy
from sieveav.site.stanzas.sieveav import SIEVEAV, ServerSettings
from sieveav.site.stanzas.state import STATE
from sieveav.site.stanzas.users import USERS
from sieveav.site.users import Users
from sieveav.verdict import Verdict


def make(name: str, values: Mapping[str, Any]) -> Engine:
    raise NotImplementedError


DAEMON = Option("daemon", TEXTS, ("127.0.0.1:3310",), "where clamd listens")
RULES = Option("rules", FILES, (), "files of rules")
ENGINES = {
    "clamav": EngineType("clamav", "clamd", "IO", (DAEMON,), make),
    "yara": EngineType("yara", "rules", "CPU", (RULES,), make),
}
vacation = Extension("vacation", "for tests")
vacation.setting(Option("min_period", SECONDS, 86400.0, ""))
vacation.setting(Option("from", TEXT, "", ""))
LIBRARY = FixedLibrary([vacation])


def source(text: str) -> Source:
    return Source("site.conf", text)


def checked(text: str, base: Path = Path("/nowhere")) -> tuple[Settings, list[Problem]]:
    stanzas, problems = read(source(text))
    assert problems == []
    return check(stanzas, Building(Report(), source(text), base, LIBRARY, ENGINES))


def engines_of(settings: Settings) -> list[EngineSettings]:
    return [engine.settings for engine in settings[ANTIVIRUS][0].engines]


def said(text: str, problems: list[Problem]) -> list[tuple[str, str]]:
    """Each problem's rule and the text it points at."""
    return [(problem.rule, text[problem.span.start : problem.span.end]) for problem in problems]


def one_engine(inner: str, base: Path = Path("/nowhere")) -> Any:
    settings, problems = checked(f'clamav {{}} antivirus "a" {{ clamav "c" {{ {inner} }} }}', base)
    assert problems == []
    return settings[ANTIVIRUS][0].engines[0].settings


def stand_alone(text: str) -> tuple[list[tuple[str, str, bool]], list[Problem]]:
    """The type, instance and activity of each engine if `spam` cannot be inside antivirus, and the problems."""

    def variables(name: str, settings: EngineSettings, verdict: Verdict) -> dict[str, str]:  # noqa: ARG001
        return {"spam-class": "x"}

    kind = EngineType("spam", "for tests", "IO", (DAEMON,), make, variables=variables, within=("",))
    stanzas, _ = read(source(text))
    settings, problems = check(stanzas, Building(source=source(text), engines=ENGINES | {"spam": kind}))
    engines = [engine.settings for framework in settings[ANTIVIRUS] for engine in framework.engines]
    return [(engine.kind, engine.instance, engine.active) for engine in engines], problems


@pytest.mark.parametrize(
    ("text", "engine"),
    [
        ("spam {}", ("spam", "spam", True)),
        ("spam { enabled = false }", ("spam", "spam", False)),
        ('spam "spam1" {}', ("spam", "spam1", True)),
        ('spam "spam1" { daemon = x }', ("spam", "spam1", True)),
    ],
)
def test_an_engine_that_is_alone_at_the_top_level(text: str, engine: tuple[str, str, bool]) -> None:
    assert stand_alone(text) == ([engine], [])


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ('antivirus "a" { spam "b" {} }', "stanza-misplaced"),
        ('spam "a" {} spam "b" { context_variable = v }', "variable-repeated"),
        ("spam {} spam {}", "stanza-repeated"),
    ],
)
def test_mistakes_with_such_an_engine(text: str, rule: str) -> None:
    assert rule in [problem.rule for problem in stand_alone(text)[1]]


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
    (framework,) = settings[ANTIVIRUS]
    engine = framework.engines[0].settings
    assert (framework.instance, engine.kind, engine.instance) == ("clamav", "clamav", "clamav")
    assert (engine.active, engine.timeout, engine.context_variable) == (False, 20.0, "VIRUS")
    assert engine.file_base == Path("/var/tmp")  # noqa: S108
    assert engine.options == {"daemon": ("127.0.0.1:3310",)}
    assert settings[SIEVE].phases == {"data_phase1": (tmp_path / "clamav.siv",)}


def test_defaults() -> None:
    engine = one_engine("")
    values = {f.name: getattr(engine, f.name) for f in fields(engine)}
    assert values == {
        "kind": "clamav", "instance": "c", "active": True, "action": "pass", "cache_size": 1000,
        "context_variable": "clamav_status", "debug_level": 0, "error_code": 451, "file_base": None, "max_concurrency": 0,
        "mime_decompose": False, "paranoid": False, "skip_context_variable": "skip_virus_check", "timeout": 10.0,
        "pool": "IO", "use_wire_rep": True,
        "replace_text": "A part of this message was removed here, because it was infected.",
        **dict.fromkeys(["infected", "suspicious", "encrypted", "macro", "limits", "unscannable", "error"], ""),
        "options": {"daemon": ("127.0.0.1:3310",)},
    }  # fmt: skip
    settings, problems = checked("")
    assert problems == []
    assert (settings[ANTIVIRUS], settings[SIEVE], settings[LIMITS]) == ((), Policy(), Limits())
    assert (settings[USERS], settings[LISTS], settings[STATE].state, settings[EXTENSIONS]) == (Users(), {}, None, {})


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
    ("infected", "replace", "replace"),
    ("replace_text", "gone", "gone"),
    ("suspicious", "tempfail", "tempfail"),
    ("encrypted", "tempfail", "tempfail"),
    ("macro", "pass", "pass"),
    ("limits", "tempfail", "tempfail"),
    ("unscannable", "reject", "reject"),
    ("error", "tempfail", "tempfail"),
    ("use_wire_rep", "off", False),
]


@pytest.mark.parametrize(("name", "written", "value"), ROWS)
def test_an_option_that_works(name: str, written: str, value: Any, tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    if isinstance(value, Path):
        value = tmp_path / value
    assert getattr(one_engine(f"{name.upper()} = {written}", tmp_path), name) == value
    above, problems = checked(f'clamav {{}} antivirus "a" {{ {name} = {written} clamav "c" {{}} }}', tmp_path)
    assert problems == []
    assert getattr(above[ANTIVIRUS][0].engines[0].settings, name) == value


def test_every_common_option_has_a_row() -> None:
    others = {"enabled", "debug_level", "mime_decompose", "pool"}
    assert {option.name for option in COMMON} == {name for name, _, _ in ROWS} | others


def test_mime_decompose_needs_file_base(tmp_path: Path) -> None:
    assert one_engine("mime_decompose = 1 file_base = .", tmp_path).mime_decompose
    text = 'clamav {} antivirus "a" { mime_decompose = on clamav "c" {} }'
    assert said(text, checked(text)[1]) == [("option-missing", "mime_decompose")]


def test_an_engines_own_value_goes_before_the_frameworks() -> None:
    inner = 'clamav "c" { timeout = 5 enabled = on } yara "y" {}'
    text = f'clamav {{}} yara {{}} antivirus "a" {{ timeout = 20 enabled = no {inner} }}'
    settings, problems = checked(text)
    assert problems == []
    assert [(e.timeout, e.active) for e in engines_of(settings)] == [(5.0, True), (20.0, False)]


@pytest.mark.parametrize(
    ("above", "inside", "active"), [("", "", True), ("enabled = off", "", False), ("", "enabled = 0", False)]
)
def test_passive(above: str, inside: str, active: bool) -> None:
    settings, problems = checked(f'clamav {{ {above} }} antivirus "a" {{ clamav "c" {{ {inside} }} }}')
    assert problems == []
    assert settings[ANTIVIRUS][0].engines[0].settings.active is active


@pytest.mark.parametrize(
    ("above", "within", "inside", "level"),
    [
        ("debug_level = 1", "", "", 1),
        ("debug_level = 1", "debug_level = 2", "", 2),
        ("debug_level = 1", "debug_level = 2", "debug_level = 3", 3),
        ("", "", "", 0),
    ],
)
def test_debug_level(above: str, within: str, inside: str, level: int) -> None:
    """Of the three places where it may be, the inmost counts."""
    settings, problems = checked(f'clamav {{ {above} }} antivirus "a" {{ {within} clamav "c" {{ {inside} }} }}')
    assert problems == []
    assert settings[ANTIVIRUS][0].engines[0].settings.debug_level == level


@pytest.mark.parametrize(
    "inner", ["debug_level = 0", "pool = io", "use_wire_rep = true", "enabled = yes", "cache_size = 1000"]
)
def test_what_does_nothing_is_taken_at_its_default(inner: str) -> None:
    one_engine(inner)


ENGINE = 'clamav {} antivirus "a" { clamav "c" { %s } }'


MISTAKES: list[tuple[str, list[tuple[str, str]]]] = [
    # kinds, places, names
    ("clamv {}", [("stanza-unknown", "clamv")]),
    ("extension {}", [("stanza-name", "extension")]),
    ("antivirus {}", [("stanza-name", "antivirus"), ("engine-unused", "antivirus")]),
    ('limits "l" {}', [("stanza-name", '"l"')]),
    ('clamav "c" { timeout = 3 }', [("stanza-name", '"c"')]),
    ('script "data_phase1" {}', [("stanza-misplaced", "script")]),
    ("users { limits { x = 1 } }", [("stanza-misplaced", "limits"), ("option-unknown", "x")]),
    ("limits {} LIMITS {}", [("stanza-repeated", "LIMITS")]),
    ('extension "vacation" {} extension "vacation" {}', [("stanza-repeated", "extension")]),
    ("users { clamav {} }", [("stanza-misplaced", "clamav")]),
    (
        'sieve "s" { script "data_phas1" { source = "x" } }',
        [("phase-unknown", '"data_phas1"'), ("value-invalid", '"x"')],
    ),
    ('extension "vacatoin" {}', [("extension-unknown", '"vacatoin"')]),
    # options
    (ENGINE % "redirects = 3", [("option-misplaced", "redirects")]),
    (ENGINE % "timeuot = 3", [("option-unknown", "timeuot")]),
    (ENGINE % "timeout = 3 Timeout = 4", [("option-repeated", "Timeout")]),
    (ENGINE % "timeout = soon", [("value-invalid", "soon")]),
    (ENGINE % 'timeout = "0"', [("value-invalid", '"0"')]),
    (ENGINE % "timeout = ( 1 2 )", [("value-invalid", "( 1 2 )")]),
    (ENGINE % "enabled = maybe", [("value-invalid", "maybe")]),
    (ENGINE % "action = quarantine", [("value-invalid", "quarantine")]),
    (ENGINE % "encrypted = drop", [("value-invalid", "drop")]),
    (ENGINE % "order = first", [("option-misplaced", "order")]),
    ('clamav {} antivirus "a" { order = any clamav "c" {} }', [("value-invalid", "any")]),
    (ENGINE % "cache_size = -1", [("value-invalid", "-1")]),
    (ENGINE % 'context_variable = ""', [("value-invalid", '""')]),
    (ENGINE % "error_code = 200", [("value-invalid", "200")]),
    (ENGINE % "error_code = 554", [("value-risky", "554")]),
    (ENGINE % "file_base = nowhere", [("value-invalid", "nowhere")]),
    (ENGINE % f"file_base = {'x' * 5000}", [("value-invalid", "x" * 5000)]),
    (ENGINE % 'mime_decompose = 1 file_base = ""', [("value-invalid", '""')]),
    (ENGINE % "actions = 3", [("option-misplaced", "actions")]),
    ('antivirus "a" { daemon = x }', [("engine-unused", "antivirus"), ("option-misplaced", "daemon")]),
    # not in this version
    (ENGINE % "pool = mine", [("pool-unknown", "mine")]),
    ('sieve "s" { cache_size = 200 cache_life = 260 }', []),
    ('sieve "s" { cache_size = 0 }', [("value-invalid", "0")]),
    ('sieveav { workers = 2 user = "sieveav" log = text }', []),
    ("sieveav { log = json }", []),
    (
        "sieveav { workers = 257 log = xml }",
        [("value-invalid", "257"), ("value-invalid", "xml")],
    ),
    ('milter "m" { listen = "unix:/m" mixed = tempfail fileinto = plus }', []),
    ('milter "m" { listen = "unix:/m" mixed = bounce }', [("option-conflict", "bounce")]),
    ('milter "m" { listen = "unix:/m" mixed = bounce submit = "lmtp:x" }', [("value-invalid", '"lmtp:x"')]),
    (
        'milter "m" { listen = "unix:/m" submit = "smtp:127.0.0.1:1" mixed = bounce }',
        [("state-missing", "milter")],
    ),
    (
        'milter "m" { listen = "unix:/m" refuse_only = true submit = "smtp:127.0.0.1:1" fileinto = plus }',
        [("option-conflict", "submit"), ("option-conflict", "fileinto")],
    ),
    ('opswat {} antivirus "a" { opswat "c" { x = 1 } }', [("stanza-unknown", "opswat")] * 2),
    # engines
    ('antivirus "a" { clamav "c" {} }', [("engine-not-global", "clamav")]),
    ("clamav {}", [("engine-unused", "clamav")]),
    ("clamav { enabled = false }", [("engine-unused", "clamav")]),
    ('clamav { daemon = x } antivirus "a" { clamav "c" {} }', [("option-misplaced", "daemon")]),
    ('clamav {} antivirus "a" { clamav "c" {} clamav "d" {} }', [("variable-repeated", "clamav")]),
    (
        'clamav {} antivirus "a" { clamav "c" {} } antivirus "b" { clamav "c" {} }',
        [("variable-repeated", "clamav")],
    ),
    ('clamav {} antivirus "a" { clamav "c" {} clamav "d" { context_variable = v } }', []),
    (
        'clamav {} antivirus "a" { clamav "c" {} clamav "c" { context_variable = v } }',
        [("stanza-repeated", "clamav")],
    ),
    (
        'clamav {} antivirus "a" { clamav "c" {} clamav "d" { context_variable = clamav_status_info } }',
        [("variable-repeated", "clamav_status_info")],
    ),
    # scripts
    ('sieve "s" { script "data_phase1" {} }', [("option-missing", "script")]),
    (
        'sieve "s" { script "data_phase3" { source = "x" } }',
        [("phase-unknown", '"data_phase3"'), ("value-invalid", '"x"')],
    ),
    ('sieve "s" { runtime_error = "panic" }', [("value-invalid", '"panic"')]),
    ('sieve "s" {} sieve "t" { runtime_error = continue }', [("option-conflict", "continue")]),
    ('sieve "s" { send_infected = true } sieve "t" {}', [("option-conflict", "sieve")]),
    ('users { scripts = "/v/%d/%x/%%/100%" }', [("value-invalid", "%x"), ("value-invalid", "%")]),
    ("users { before = b.sieve after = a.sieve }", [("value-invalid", "b.sieve"), ("value-invalid", "a.sieve")]),
    ("limits { actions = 0 redirects = 0 steps = many }", [("value-invalid", "0"), ("value-invalid", "many")]),
    ('extension "vacatoin" { min_period = 1d }', [("extension-unknown", '"vacatoin"')]),
    ('extension "vacation" { min_perod = 1d }', [("option-unknown", "min_perod")]),
    ('extension "vacation" { min_period = x }', [("value-invalid", "x")]),
]
"""A configuration, and the rule of each problem with the text that it points at."""


@pytest.mark.parametrize(("text", "found"), MISTAKES, ids=[text for text, _ in MISTAKES])
def test_a_rule(text: str, found: list[tuple[str, str]], accepted: Accepted) -> None:
    problems = checked(text)[1]
    assert said(text, problems) == found
    accepted(report(source(text), problem) for problem in problems)


def test_the_server() -> None:
    text = 'sieveav { workers = 2 user = "sieveav" log = JSON }'
    assert checked(text)[0][SIEVEAV] == ServerSettings(2, "sieveav", "json")
    assert checked("")[0][SIEVEAV] == ServerSettings(0, "", "text")


@pytest.mark.parametrize("product", ["fsecure", "opswat", "sophos", "trend"])
def test_a_product_that_an_engine_asks(product: str) -> None:
    text = f'{product} "x" {{ any = thing more {{}} }}'
    (problem,) = check(read(source(text))[0], Building(source=source(text), engines=INSTALLED.everything()))[1]
    assert problem.rule == "stanza-unknown"
    assert problem.hint.endswith(f'write icap "{product}" {{ profile = "{product}" }}')


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
    assert said(text, problems) == [("phase-repeated", '"DATA_phase1"')]
    clamav, yara = engines_of(settings)
    assert (clamav.options, yara.options) == ({"daemon": ("/run/clamd",)}, {"rules": (base / "site.yar",)})
    assert (clamav.active, yara.active, settings[SIEVE].runtime_error) == (True, False, "continue")
    assert settings[SIEVE].phases == {
        "data_phase1": (base / "c.siv", base / "a.siv"),
        "each_rcpt_phase1": (base / "b.siv",),
    }
    assert list(settings[SIEVE].phases) == ["data_phase1", "each_rcpt_phase1"]
    assert settings[USERS].scripts == str(tmp_path / "100%%" / "%d/%n.sieve")
    assert (settings[USERS].before, settings[USERS].after) == (base / "before.sieve", None)
    assert settings[LIMITS] == Limits(3, 0, 10, 1.5, 20)
    assert settings[EXTENSIONS] == {"vacation": {"min_period": 172800.0, "from": ""}}
    assert [text[slice(*engine.span)] for engine in settings[ANTIVIRUS][0].engines] == ["clamav", "yara"]


def test_problems_of_all_stanzas_come_in_order_and_bounded() -> None:
    text = 'clamv {} users { x = 1 } antivirus "a" { clamav "c" { timeout = x } }'
    found = said(text, checked(text)[1])
    assert found == [
        ("stanza-unknown", "clamv"), ("option-unknown", "x"), ("engine-not-global", "clamav"), ("value-invalid", "x"),
    ]  # fmt: skip
    assert len(checked("nosuch {} " * 500)[1]) == PROBLEMS


# Any text at all.

NAMES = "clamav yara antivirus sieve script users limits extension csapi sieveav timeout enabled source steps"
SIGNS = """{ } { } = = ( ) , ; " ' \\ # % 1 on "a" "data_phase1" "vacation" "%u% scripts file_base mime_decompose"""
WORDS = st.sampled_from([*NAMES.split(), *SIGNS.split(), "\n", "\0", "\udc80", "\xa0"])


@given(st.one_of(st.text(), st.lists(WORDS).map(" ".join), st.lists(WORDS).map("".join)))
def test_any_text_gives_problems_and_never_raises(text: str) -> None:
    stanzas, problems = read(source(text))
    _, more = check(stanzas, Building(Report(), source(text), Path("/nowhere"), LIBRARY, ENGINES))
    for problem in problems + more:
        assert 0 <= problem.span.start <= problem.span.end <= len(text)
        assert problem.message
    assert problems == sorted(problems, key=lambda problem: problem.span)
