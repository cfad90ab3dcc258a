"""Lint rules: their examples, what a rule must declare, and rules of other packages."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
from support import packages
from support.accepting import Accepted
from support.sieve import Sieve

from sieveav.language.problems import Edit, Problem, Severity, Span
from sieveav.language.rules import RULES as CHECKER_RULES
from sieveav.language.syntax import read
from sieveav.lint.linting import findings
from sieveav.lint.rule import RULES, Rule, Script

EXAMPLES = [
    (rule.name, script, is_bad)
    for rule in RULES.everything().values()
    for is_bad, scripts in ((False, rule.good), (True, rule.bad))
    for script in scripts
]


@pytest.mark.parametrize(("name", "script", "is_bad"), EXAMPLES)
def test_examples(sieve: Sieve, accepted: Accepted, name: str, script: str, is_bad: bool) -> None:
    checked = sieve.check(script)
    problems = [problem for problem in findings(checked) if problem.rule == name]
    assert bool(problems) is is_bad
    assert checked.program is not None, "the checker reports this script"
    # a reason after a colon may be that of another package, in the words of its version
    accepted(f"{p.severity}: {p.message.partition(': ')[0]} | {p.hint}\n{script[slice(*p.span)]}" for p in problems)


@pytest.mark.parametrize("name", RULES.everything())
def test_a_rule_has_a_file_of_its_name_that_explains_it(name: str) -> None:
    rule = RULES.everything()[name]
    assert rule.module == f"sieveav.lint.rules.{name.replace('-', '_')}"
    assert name not in CHECKER_RULES
    headings = [line.partition(":")[0] for line in rule.doc.splitlines()[2:] if line[:1].isupper()]
    assert headings == ["What", "Why", "Example", "Instead"]


def test_what_a_rule_sees(sieve: Sieve) -> None:
    text = 'require "copy"; # why\nif not true { keep; if false { } } stop;'
    checked = sieve.check(text)
    script = Script(checked)
    assert [phrase.word for phrase in script.phrases()] == [
        "require",
        "if",
        "not",
        "true",
        "keep",
        "if",
        "false",
        "stop",
    ]
    assert [[phrase.word for phrase in block] for block in script.blocks()] == [
        ["require", "if", "stop"],
        ["keep", "if"],
        [],
    ]
    assert [comment.text for comment in script.comments] == ["# why"]
    assert script.vocabulary is not None
    assert script.vocabulary.capabilities == {"copy"}
    assert script.source.text == text


def nothing(script: Script) -> list[Problem]:  # noqa: ARG001
    return []


def test_a_problem_of_a_rule() -> None:
    rule = Rule("a-b", Severity.WARNING, nothing, good=["keep;"], bad=["stop;"])
    edit = Edit(Span(1, 2), "x")
    assert rule.problem("wrong", Span(1, 2), "right", [edit]) == Problem(
        "a-b", "wrong", Span(1, 2), "right", Severity.WARNING, (edit,)
    )


DECLARATION: dict[str, Any] = {
    "name": "a-b",
    "severity": Severity.ADVICE,
    "check": nothing,
    "good": ["keep;"],
    "bad": ["stop;"],
}


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "Nonsense"},
        {"name": "one"},
        {"name": 3},
        {"name": "tag-unknown"},
        {"severity": "advice"},
        {"check": None},
        {"good": []},
        {"bad": ()},
        {"bad": "stop;", "good": [3]},
    ],
)
def test_nonsense_in_a_declaration(wrong: dict[str, Any]) -> None:
    Rule(**DECLARATION)
    with pytest.raises(TypeError):
        Rule(**{**DECLARATION, **wrong})


# ---- rules of other packages

NO_KEEP = '''
"""no_keep: keep says what happens anyway."""

from sieveav.language.problems import Severity
from sieveav.lint.rule import Rule


def check(script):
    for phrase in script.phrases():
        if phrase.word == "keep":
            yield rule.problem("keep is implicit", phrase.span, "leave it out")


rule = Rule("keep-explicit", Severity.WARNING, check, good=["stop;"], bad=["keep;"])
'''

SCRIPT = "if true {\n    keep;\n}\nstop; stop;"


def lint(folder: Path, distribution: str, *files: str) -> Any:
    """`sieveav lint` with a package of these files, each with its entry point."""
    names = {f"{distribution}_rules/f{i}.py": text for i, text in enumerate(files)}
    init = {f"{distribution}_rules/__init__.py": '"""rules: ours."""\n'}
    packages.install(folder, distribution, {"sieveav.rules": f"{distribution}_rules"}, {**init, **names})
    return packages.sieveav(folder, "lint", "-", stdin=SCRIPT)


def test_a_rule_of_another_package_is_one_file(tmp_path: Path) -> None:
    result = lint(tmp_path, "acme", NO_KEEP)
    assert "2:5: warning: keep is implicit [keep-explicit]" in result.stdout
    assert "[command-unreachable]" in result.stdout
    assert result.stderr == ""
    assert result.returncode == 0


@pytest.mark.parametrize("broken", ["import nothing_here", NO_KEEP.replace("Severity.WARNING", "'warning'"), "1 / 0"])
def test_a_rule_that_raises_at_import_is_left_out(tmp_path: Path, broken: str) -> None:
    result = lint(tmp_path, "acme", NO_KEEP, broken)
    assert "[keep-explicit]" in result.stdout
    assert "[command-unreachable]" in result.stdout
    (line,) = result.stderr.splitlines()
    assert "acme" in line
    assert "acme_rules.f1 is left out" in line


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("raise ValueError(phrase.word)", "ValueError: if"),
        ("yield phrase.word", "TypeError: 'if' is not a Problem"),
        ("phrase.nothing", "AttributeError: 'Phrase' object has no attribute 'nothing'"),
    ],
)
def test_a_rule_that_raises_is_an_error_that_names_it(tmp_path: Path, line: str, message: str) -> None:
    failing = NO_KEEP.replace('if phrase.word == "keep":', f"{line}\n        if False:")
    result = lint(tmp_path, "acme", failing)
    text = f"error: the lint rule keep-explicit of acme_rules.f0 failed: {message} [rule-failed]"
    assert text in result.stdout
    assert "[command-unreachable]" in result.stdout
    assert result.returncode == 1


def test_every_rule_of_ours_is_a_file() -> None:
    folder = Path(__file__).parent.parent.parent / "sieveav/lint/rules"
    files = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert {name.replace("-", "_") for name, rule in RULES.everything().items() if ".lint." in rule.module} == files
    for file in files:
        assert ast.get_docstring(ast.parse((folder / f"{file}.py").read_text(encoding="utf-8")))


def test_examples_are_scripts() -> None:
    for _, script, _ in EXAMPLES:
        assert read(script).problems == []
