"""The structure: what each package may import, and that its docstring says so. That it names no extension: test_form.py."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

LEAVES = {
    "verdict": [],
    "limits": [],
    "mime_defects": [],
    "options": [],
    "plugins": [],
    "printing": [],
    "transfer": [],
    "values": [],
    "composing": ["headers"],
    "headers": ["limits"],
    "readings": ["headers", "transfer"],
    "entity": ["headers", "transfer"],
    "dividing": ["limits"],
    "mime": ["limits", "headers", "transfer", "readings", "entity", "dividing"],
    "replacing": ["composing", "headers", "mime", "transfer"],
}
"""Modules that every package may import, and what they import themselves."""

IMPORTS = {
    "language": [],
    "running": ["language"],
    "scanning": [],
    "engines": ["scanning"],
    "site": ["language", "running", "scanning"],
    "lint": ["language", "running"],
    "frontends": ["language", "running", "scanning", "site", "lint"],
    "extending": ["language", "running"],
    "extensions": ["extending"],
    "api": ["language", "scanning", "site"],
    "av": ["scanning", "site"],
    "__main__": ["frontends"],
    "": ["api", "av", "language", "running", "site"],
}
"""Package (or module) -> the packages that it may import, beside itself and the leaves; "" is sieveav/__init__.py, which
imports each when it is first used."""

NO_LEAVES = {"extensions", "__main__"}
"""They have what they need of the leaves from elsewhere."""

PACKAGES_OF_OTHERS = {
    "sievelib": ["sieveav/language/syntax.py"],
    "ply": ["sieveav/site/config_tokens.py", "sieveav/site/configuration.py"],
    "pybase64": ["sieveav/transfer.py"],
    "redis": ["sieveav/site/states/redis.py"],
    "email_validator": ["sieveav/lint/rules/address_advice.py"],
    "prometheus_client": ["sieveav/frontends/measuring.py"],
    "re2": ["extensions/regex.py", "extensions/virustest.py"],
    "libarchive": ["sieveav/scanning/containers/reading.py"],
    "rarfile": ["sieveav/scanning/containers/reading.py"],
}
"""Package of others -> the only files that may import it. An engine or a format says so itself, with PACKAGE = "name"."""

PYTHON = sys.stdlib_module_names | {"compression"}
"""Packages of Python: `compression` only from 3.14 on, which may be newer than the one that runs the tests."""

FILES = sorted([*(ROOT / "sieveav").rglob("*.py"), *(ROOT / "extensions").rglob("*.py")])


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def package_of(path: Path) -> str:
    """The package, or the module beside packages, that a file belongs to; "" for sieveav/__init__.py."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return "extensions" if parts[0] == "extensions" else parts[1] if parts[1:] != ("__init__",) else ""


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and absolute name of everything that a file imports, at its top level or inside a function."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: write imports in full, sieveav.package.module"
            if node.module == "sieveav":
                yield from ((node.lineno, f"sieveav.{alias.name}") for alias in node.names)
            else:
                yield node.lineno, node.module or ""


def packages_of_others(path: Path) -> Iterator[tuple[int, str]]:
    """Line and name of each package, neither ours nor Python's, that a file imports."""
    for line, name in imports(path):
        package = name.partition(".")[0]
        if package != "sieveav" and package not in PYTHON:
            yield line, package


def declared_package(path: Path) -> str:
    """The package that an engine says it imports: PACKAGE = "name"."""
    for node in parsed(path).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "PACKAGE":
            return str(ast.literal_eval(node.value))
    return ""


def refusal(package: str, may: set[str], path: Path, line: int, name: str) -> str:
    also = ", ".join(sorted(may)) or "nothing of ours"
    return (
        f"{path.relative_to(ROOT)}:{line} is in the package {package}, which may import itself and {also}. "
        f"It imports {name}. See IMPORTS in tests/test_packages.py and the docstring of the package."
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_imports_only_what_its_package_may(path: Path) -> None:
    package = package_of(path)
    if package in LEAVES:
        may = set(LEAVES[package])
    else:
        assert package in IMPORTS, f"{path.relative_to(ROOT)} is in no package that tests/test_packages.py knows"
        may = set(IMPORTS[package]) | (set() if package in NO_LEAVES else set(LEAVES))
    for line, name in imports(path):
        first, _, rest = name.partition(".")
        if first == "sieveav" and rest != "__version__":
            used = rest.partition(".")[0]
            assert used in may | {package}, refusal(package or "sieveav", may, path, line, name)
        assert first not in ("extensions", "tests"), refusal(package, may, path, line, name)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_few_files_import_packages_of_others(path: Path) -> None:
    where = str(path.relative_to(ROOT))
    for line, package in packages_of_others(path):
        if where.startswith(("sieveav/engines/", "sieveav/scanning/formats/")):
            assert package == declared_package(path), f'{where}:{line} imports {package}: write PACKAGE = "{package}"'
        else:
            allowed = PACKAGES_OF_OTHERS.get(package, [])
            assert where in allowed, f"{where}:{line} imports {package}; only {', '.join(allowed) or 'no file'} may"


def test_an_extension_knows_no_other_extension() -> None:
    """Not even by its file's name: what several share is a seam."""
    files = {path.stem for path in (ROOT / "extensions").glob("*.py")}
    for path in (ROOT / "extensions").glob("*.py"):
        for line, name in imports(path):
            inner = name.removeprefix("sieveav.extensions")
            assert inner == name, f"{path.name}:{line} imports {name}: extensions import sieveav.extending alone"
    assert "copy" in files


def test_the_extensions_of_the_checkout_are_those_of_the_package() -> None:
    assert (ROOT / "sieveav/extensions").is_symlink()
    assert (ROOT / "sieveav/extensions").resolve() == ROOT / "extensions"


def test_the_api_for_extensions_contains_no_logic() -> None:
    """sieveav/extending.py: imports, and the lists that group what they are."""
    tree = parsed(ROOT / "sieveav/extending.py")
    lists: list[list[str]] = []
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AugAssign):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            assert ast.unparse(target) == "__all__", f"sieveav/extending.py:{node.lineno}"
            lists.append(ast.literal_eval(node.value))
        else:
            is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            assert is_docstring or isinstance(node, ast.ImportFrom), f"sieveav/extending.py:{node.lineno}"
    imported = [a.asname or a.name for node in tree.body if isinstance(node, ast.ImportFrom) for a in node.names]
    assert sorted(name for names in lists for name in names) == sorted(imported)
    for names in lists:
        assert names == sorted(names, key=lambda name: (not name.isupper(), not name[0].isupper(), name))


def test_the_top_level() -> None:
    entries = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    ours = {"LICENSE", "README.rst", "extensions", "pyproject.toml", "samples", "sieveav", "tests"}
    assert ours <= entries
    assert entries - ours <= {"build", "dist", "sieveav.egg-info"}


# ---- the docstrings of packages

HEADINGS = ("*Takes*:", "*Gives*:", "*Imports*:", "*Never*:", "*Begin at*:")

PACKAGES = sorted(path.parent for path in FILES if path.name == "__init__.py" and path.parent.name != "sieveav")


def docstring(package: Path) -> str:
    return ast.get_docstring(parsed(package / "__init__.py")) or ""


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_each_package_says_what_it_is(package: Path) -> None:
    text = docstring(package)
    places = [text.find(heading) for heading in HEADINGS]
    assert text.startswith(f"{package.name}: "), f"{package.name}/__init__.py begins with its name and a sentence"
    assert -1 not in places, f"the docstring of {package.name} has no {HEADINGS[places.index(-1)]}"
    assert places == sorted(places), f"the headings of {package.name}'s docstring are in another order"
    named = [word for word in text.split("`")[1::2] if word.endswith(".py")]
    assert named, f"the docstring of {package.name} names no file to begin at"
    for word in named:
        file = package / word if (package / word).exists() else package.parent / word
        assert file.is_file(), f"{package.name}'s docstring names {word}, which does not exist"


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_each_package_says_what_it_imports(package: Path) -> None:
    """Its *Imports* line names the packages that it may import, and the packages of others that its files do import."""
    text = docstring(package)
    line = text[text.index("*Imports*:") : text.index("*Never*:")]
    words = set(re.findall(r"[a-z_][a-z0-9_]*", line))
    name = package_of(package / "__init__.py")
    named = words & {*IMPORTS, *LEAVES}
    allowed = {*IMPORTS[name], name, *LEAVES}
    assert named <= allowed, f"{package.name} says that it imports {sorted(named - allowed)}"
    if package.name == name:
        assert set(IMPORTS[name]) <= named | {name}, f"{name} does not say that it imports {IMPORTS[name]}"
    used = {other for path in package.glob("*.py") for _, other in packages_of_others(path)}
    assert used <= words, f"{package.name} does not say that it imports {sorted(used - words)}"


def test_every_package_is_known() -> None:
    assert {package_of(path) for path in FILES} == {*IMPORTS, *LEAVES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_module_says_what_it_is(path: Path) -> None:
    """Its first line: its own name (an extension's: a capability's), a colon, what it turns into what."""
    text = ast.get_docstring(parsed(path))
    assert text, f"{path.relative_to(ROOT)} has no docstring"
    first = text.split("\n", maxsplit=1)[0]
    name, colon, _ = first.partition(":")
    assert colon, f"{path.relative_to(ROOT)}: {first!r} does not begin with a name and a colon"
    if package_of(path) != "extensions" and path.name not in ("__init__.py", "__main__.py"):
        assert name.replace("-", "_") == path.stem
