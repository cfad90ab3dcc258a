"""The rules of problems: each that code names is declared, with what is wrong."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from sieveav.extending import Choice, Extension, Use, Word, choice, tag, value
from sieveav.language.rules import RULE_NAME, RULES, unknown_choice
from sieveav.lint.linting import RULE_FAILED
from sieveav.lint.rule import RULES as LINT_RULES
from sieveav.running.base import base
from sieveav.site.library import Library

ROOT = Path(__file__).parent.parent.parent

CORE = sorted(path for package in ("language", "running") for path in (ROOT / "sieveav" / package).rglob("*.py"))
EXTENSIONS = sorted((ROOT / "extensions").glob("*.py"))
LINT = sorted((ROOT / "sieveav/lint").rglob("*.py"))

FIRST = {"Problem", "complain", "wrong", "defer"}
"""Functions whose first argument is a rule; `complain` in the checker, where `Use.complain` has `rule=`."""


def rules_in(path: Path) -> Iterator[str]:
    """The rules that a file names."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        values: list[ast.expr | None] = []
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func).rpartition(".")[2]
            values += [keyword.value for keyword in node.keywords if keyword.arg == "rule"]
            if name in FIRST and (name != "complain" or "language" in path.parts):
                values += node.args[:1]
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if ast.unparse(target).rpartition(".")[2] == "rule":
                values.append(node.value)
        elif isinstance(node, ast.arguments):
            named = [*zip(node.kwonlyargs, node.kw_defaults, strict=True)]
            values += [default for argument, default in named if argument.arg == "rule"]
        yield from (value.value for value in values if isinstance(value, ast.Constant) and isinstance(value.value, str))


def test_rules_in_code_are_seen() -> None:
    seen = {rule for path in CORE for rule in rules_in(path)}
    assert {"tag-unknown", "semicolon-missing", "argument-invalid", "syntax", "break-outside"} <= seen
    assert len({rule for path in EXTENSIONS for rule in rules_in(path)}) > 20


@pytest.mark.parametrize("path", CORE, ids=lambda path: path.name)
def test_rules_of_the_core_are_in_the_table(path: Path) -> None:
    assert set(rules_in(path)) <= {*RULES, *base.rules}


@pytest.mark.parametrize("path", EXTENSIONS, ids=lambda path: path.stem)
def test_rules_of_an_extension_are_declared_in_its_file(path: Path) -> None:
    module = f"sieveav.extensions.{path.stem}"
    extensions = [each for each in Library().everything().values() if each.module == module]
    declared = {rule for extension in extensions for rule in extension.rules}
    assert set(rules_in(path)) <= {*RULES, *declared}


@pytest.mark.parametrize("path", LINT, ids=lambda path: path.name)
def test_rules_of_lint_are_lint_rules(path: Path) -> None:
    assert set(rules_in(path)) <= {*LINT_RULES.everything(), RULE_FAILED}


def test_the_table_has_no_rule_that_nobody_reports() -> None:
    seen = {rule for path in [*CORE, *EXTENSIONS] for rule in rules_in(path)}
    # `nesting-too-deep` is a name in tokens.py; an address's rule is that of what `redirect` goes to
    assert set(RULES) - seen <= {"nesting-too-deep", "string-unquoted", "address-invalid"}


def test_names_and_meanings() -> None:
    every = [RULES, base.rules, *(extension.rules for extension in Library().everything().values())]
    for rules in every:
        for name, meaning in rules.items():
            assert name == "syntax" or RULE_NAME.fullmatch(name), name
            assert meaning.isprintable(), name
            assert meaning[0].islower() or meaning[0] in ":$", name
            assert not meaning.endswith("."), name


# ---- declared by an extension


def flaw(text: str) -> str:
    return "" if text == "red" else "not red"


def test_an_extension_declares_rules() -> None:
    ext = Extension("vnd.rules", "a test")
    assert ext.rule("flag-invalid", "the flag is not valid") == "flag-invalid"
    assert ext.rules == {"flag-invalid": "the flag is not valid"}


def test_rules_that_follow_from_other_declarations() -> None:
    """`<argument>-invalid` of an argument with a rule, `<kind>-unknown` of a kind whose choices strings name."""
    ext = Extension("vnd.rules", "a test")

    @ext.command("paint")
    class Paint(Word):
        main_colour: str = value(valid=flaw)
        year: int = tag(":year", 1, valid=lambda year: "")  # noqa: ARG005
        other: str = tag(":other", "")
        shade: Choice = choice("paint_shade", None, by=":shade")

        def check(self, use: Use) -> None: ...

        def run(self, run: object) -> None: ...

    @ext.choice("paint_shade", "dark")
    class Dark(Choice):
        pass

    @ext.choice("paint_size", ":large")
    class Large(Choice):
        pass

    assert ext.rules == {
        "main-colour-invalid": "the argument main-colour is invalid",
        "year-invalid": "the argument year is invalid",
        "paint-shade-unknown": "no paint shade has this name",
    }
    ext.rule("year-invalid", "the year is before 1970")
    assert ext.rules["year-invalid"] == "the year is before 1970"
    assert unknown_choice("paint_shade") == "paint-shade-unknown"


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("", "x"),
        ("flag", "x"),
        ("Flag-invalid", "x"),
        ("flag invalid", "x"),
        ("flag-invalid", ""),
        ("a-b", "two\nlines"),
    ],
)
def test_nonsense(name: str, meaning: str) -> None:
    ext = Extension("vnd.rules", "a test")
    with pytest.raises(TypeError, match=r"vnd\.rules: "):
        ext.rule(name, meaning)
    assert ext.rules == {}
