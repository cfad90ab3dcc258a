"""The form of extensions: they use only the API, declare their rules, change nothing of the run, and the core names none
of them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from sieveav import extending
from sieveav.language.rules import RULES
from sieveav.site.library import Library

ROOT = Path(__file__).parent.parent

EXTENSIONS = sorted(path for path in (ROOT / "extensions").glob("*.py") if path.name != "__init__.py")

MAY_ASSIGN = {"match_values", "implicit"}
"""The attributes of a run that words may assign to."""

TESTS_MAY_ASSIGN = {*MAY_ASSIGN, "message", "envelope"}
"""The same in the test languages."""


def wrong(path: Path, tree: ast.AST) -> Iterator[str]:
    """What a file does that an extension must not do, with the lines."""
    may_assign = TESTS_MAY_ASSIGN if "testsuite" in path.stem else MAY_ASSIGN
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            owner = ast.unparse(node.value)
            private = node.attr.startswith("_") and not node.attr.startswith("__")
            if private and owner not in ("self", "cls"):
                yield f"{path.name}:{node.lineno} uses the private name {owner}.{node.attr}"
            if isinstance(node.ctx, ast.Store | ast.Del) and owner == "run" and node.attr not in may_assign:
                yield f"{path.name}:{node.lineno} assigns to run.{node.attr}"
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("setattr", "delattr"):
            target, name = ast.unparse(node.args[0]), ast.literal_eval(node.args[1])
            if target == "run" and name not in may_assign:
                yield f"{path.name}:{node.lineno} assigns to run.{name}"
        if isinstance(node, ast.ImportFrom) and node.module == "sieveav.extending":
            for alias in node.names:
                if alias.name not in extending.__all__:
                    yield f"{path.name}:{node.lineno} imports {alias.name}, which sieveav.extending does not name"


@pytest.mark.parametrize("path", EXTENSIONS, ids=lambda path: path.stem)
def test_an_extension_uses_only_the_api(path: Path) -> None:
    assert list(wrong(path, ast.parse(path.read_text(encoding="utf-8")))) == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("run._steps", "x.py:1 uses the private name run._steps"),
        ("self._steps", None),
        ("run.message = 1", "x.py:1 assigns to run.message"),
        ("run.match_values = ()", None),
        ("del run.keep", "x.py:1 assigns to run.keep"),
        ("run.keep += 1", "x.py:1 assigns to run.keep"),
        ("setattr(run, 'keep', 1)", "x.py:1 assigns to run.keep"),
        ("from sieveav.extending import merge_all", "x.py:1 imports merge_all, which sieveav.extending does not name"),
    ],
)
def test_what_is_wrong_is_found(line: str, expected: str | None) -> None:
    assert list(wrong(Path("x.py"), ast.parse(line))) == ([expected] if expected else [])


# ---- rules


def rules_in(path: Path) -> set[str]:
    """The rules of the problems that a file reports."""
    text = path.read_text(encoding="utf-8")
    return set(re.findall(r'(?:\brule=|complain\(\s*)"([a-z]+(?:-[a-z]+)+)"', text))


def test_extensions_declare_the_rules_of_their_problems() -> None:
    extensions = Library(["sieveav.extensions"]).everything().values()
    declared = {f"sieveav.extensions.{path.stem}": set(RULES) for path in EXTENSIONS}
    for extension in extensions:
        modules = {each.made.__module__ for each in extension.declared}
        for module in modules & declared.keys():
            declared[module] |= set(extension.rules)
    used = {f"sieveav.extensions.{path.stem}": rules_in(path) for path in EXTENSIONS}
    assert {module: rules - declared[module] for module, rules in used.items() if rules - declared[module]} == {}
    assert sum(map(len, used.values())) > 40


def test_extensions_declare_no_rule_that_they_do_not_report() -> None:
    """A second meaning for a rule of an argument with `valid=` is allowed."""
    for path in EXTENSIONS:
        text = path.read_text(encoding="utf-8")
        for name in re.findall(r'\.rule\("([a-z-]+)"', text):
            assert text.count(f'"{name}"') > 1 or "valid=" in text, f"{path.name}: {name}"


# ---- the core names no extension

PACKAGES = ("language", "running", "site", "frontends")


EXCUSED = {
    ("frontends", "antivirus"): "a word of Momentum's console",
    ("frontends", "error"): "a severity",
    ("frontends", "fileinto"): "an option of a stanza: what becomes of that action",
    ("frontends", "replace"): "what str.encode does with characters that it cannot encode",
    ("frontends", "special_use"): "an option: what mailboxes are for",
    ("frontends", "test"): "a command",
    ("language", "error"): "a severity",
    ("language", "index"): "an attribute: the place of a token among all",
    ("language", "string"): "a kind of token and of argument",
    ("language", "test"): "a seam, a kind of word",
    ("running", "envelope"): "a field of a question",
    ("running", "mailbox"): "the field of a Store, as machines read it",
    ("running", "replace"): "what str.decode does with octets that are not UTF-8",
    ("running", "special_use"): "the field of a Store, as machines read it",
    ("site", "antivirus"): "a stanza of Momentum's configuration",
    ("site", "global"): "a location of scripts, and the option that says where",
    ("site", "mailbox"): "what a test arranges",
    ("site", "reject"): "the value of an engine's option",
    ("site", "replace"): "what str.decode does with octets that are not UTF-8",
}
"""Package and string -> its meaning there: plain words that are also names of extensions."""


def names_of_extensions() -> set[str]:
    """Capabilities, words, tags, namespaces and file names of our extensions."""
    names = {path.stem for path in EXTENSIONS}
    for extension in Library(["sieveav.extensions"]).everything().values():
        names.add(extension.capability)
        names |= {d.name for d in extension.declared if d.seam in ("test", "action", "command", "tag", "namespace")}
    return names


def strings(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of each string literal of a file, except docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    asides = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in asides:
            yield node.lineno, node.value


def test_the_core_names_no_extension() -> None:
    names = names_of_extensions()
    assert len(names) > 80
    core = [path for package in PACKAGES for path in (ROOT / "sieveav" / package).rglob("*.py")]
    rules = set().union(*map(rules_in, EXTENSIONS)) - set(RULES)
    used, named = set(), []
    for path in core:
        for line, text in strings(path):
            where = path.relative_to(ROOT / "sieveav").parts[0]
            if (where, text) in EXCUSED:
                used.add((where, text))
            elif text in names | rules:
                named.append(f"{path.relative_to(ROOT)}:{line} names {text}")
    assert named == [], "the core must not name extensions: make a seam that any extension may use"
    assert used == set(EXCUSED), "EXCUSED has entries that are not needed"
