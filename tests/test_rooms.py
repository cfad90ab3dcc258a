"""The house: which room may use what, and that each has its card. That it names no extension: test_form.py."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

LEAVES = {
    "verdict": [],
    "limits": [],
    "options": [],
    "plugins": [],
    "transfer": [],
    "values": [],
    "composing": ["headers"],
    "headers": ["limits"],
    "mime": ["limits", "headers", "transfer", "composing"],
}
"""What every room may use, and what they use themselves."""

ROOMS = {
    "language": [],
    "running": ["language"],
    "scanning": [],
    "engines": ["scanning"],
    "site": ["language", "running", "scanning"],
    "lint": ["language", "running"],
    "frontends": ["language", "running", "scanning", "site", "lint"],
    "extending": ["language", "running"],
    "extensions": ["extending"],
    "__main__": ["frontends"],
}
"""Room -> the rooms it may use, beside itself and the leaves."""

NO_LEAVES = {"extensions", "__main__"}
"""Rooms that have what they need of the leaves from elsewhere."""

KEPT = {
    "sievelib": ["sieveav/language/syntax.py"],
    "clamd": ["sieveav/engines/_clamd.py"],
    "yara_x": ["sieveav/engines/yara.py"],
    "ply": ["sieveav/site/configuration.py"],
    "email_validator": ["sieveav/lint/linting.py"],
    "re2": ["extensions/regex.py", "extensions/virustest.py"],
}
"""Package of others -> the only files that may import it."""

FILES = sorted([*(ROOT / "sieveav").rglob("*.py"), *(ROOT / "extensions").rglob("*.py")])


def room_of(path: Path) -> str:
    """The room that a file of ours is in, "" for the hall (sieveav/__init__.py)."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return "extensions" if parts[0] == "extensions" else parts[1] if parts[1:] != ("__init__",) else ""


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and absolute name of everything that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: write imports in full, sieveav.room.module"
            if node.module == "sieveav":
                yield from ((node.lineno, f"sieveav.{alias.name}") for alias in node.names)
            else:
                yield node.lineno, node.module or ""


def told(room: str, may: set[str], path: Path, line: int, used: str) -> str:
    also = ", ".join(sorted(may)) or "nothing of ours"
    return (
        f"{path.relative_to(ROOT)}:{line} is in the room {room}, which may use: itself, {also}. "
        f"It imports {used}. See the table ROOMS in tests/test_rooms.py and the docstring of the room's __init__.py."
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_imports_only_what_its_room_may(path: Path) -> None:
    room = room_of(path)
    if room in LEAVES:
        may = set(LEAVES[room])
    elif room:
        assert room in ROOMS, f"{path.relative_to(ROOT)} is in no room that tests/test_rooms.py knows"
        may = set(ROOMS[room]) | (set() if room in NO_LEAVES else set(LEAVES))
    else:
        may = set()
    for line, name in imports(path):
        package, _, rest = name.partition(".")
        if package == "sieveav" and rest != "__version__":
            used = rest.partition(".")[0]
            assert used in may | {room}, told(room or "sieveav", may, path, line, name)
        elif package in ("extensions", "tests"):
            raise AssertionError(told(room, may, path, line, name))
        elif package in KEPT:
            where = str(path.relative_to(ROOT))
            assert where in KEPT[package], f"{where}:{line} imports {package}; only {', '.join(KEPT[package])} may"


def test_an_extension_knows_no_other_extension() -> None:
    """Not even by its file's name: what several share is a seam."""
    files = {path.stem for path in (ROOT / "extensions").glob("*.py")}
    for path in (ROOT / "extensions").glob("*.py"):
        for line, name in imports(path):
            inner = name.removeprefix("sieveav.extensions")
            assert inner == name, f"{path.name}:{line} imports {name}: extensions know sieveav.extending alone"
    assert "copy" in files


def test_the_lobby_holds_no_logic() -> None:
    """sieveav/extending.py: imports, and the list of what they are."""
    tree = ast.parse((ROOT / "sieveav/extending.py").read_text(encoding="utf-8"))
    for node in tree.body:
        is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        is_list = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
        assert is_docstring or is_list or isinstance(node, ast.ImportFrom), f"sieveav/extending.py:{node.lineno}"
    lists = [ast.literal_eval(node.value) for node in tree.body if isinstance(node, ast.Assign)]
    named = [a.asname or a.name for node in tree.body if isinstance(node, ast.ImportFrom) for a in node.names]
    assert lists == [sorted(named, key=lambda name: (not name.isupper(), not name[0].isupper(), name))]


# ---- cards

HEADINGS = ("*Takes*:", "*Gives*:", "*Imports*:", "*Never*:", "*Begin at*:")

PACKAGES = sorted(path.parent for path in FILES if path.name == "__init__.py" and path.parent.name != "sieveav")


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_each_package_has_its_card(package: Path) -> None:
    card = ast.get_docstring(ast.parse((package / "__init__.py").read_text(encoding="utf-8"))) or ""
    places = [card.find(heading) for heading in HEADINGS]
    assert card.startswith(f"{package.name}: "), f"{package.name}/__init__.py begins with its name and a sentence"
    assert -1 not in places, f"the card of {package.name} has no {HEADINGS[places.index(-1)]}"
    assert places == sorted(places), f"the headings of {package.name}'s card stand in another order"
    named = [word for word in card.split("`")[1::2] if word.endswith(".py")]
    assert named, f"the card of {package.name} names no file to begin at"
    for word in named:
        assert (package / word).is_file(), f"{package.name}'s card names {word}, which is not there"


def test_every_room_is_known_and_every_room_known_is_there() -> None:
    assert {room_of(path) for path in FILES} == {"", *ROOMS, *LEAVES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_module_says_what_it_is(path: Path) -> None:
    """Its first line: its own name (an extension's: a capability's), a colon, what it turns into what."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert docstring, f"{path.relative_to(ROOT)} has no docstring"
    first = docstring.split("\n", maxsplit=1)[0]
    name, colon, _ = first.partition(":")
    assert colon, f"{path.relative_to(ROOT)}: {first!r} does not begin with a name and a colon"
    if room_of(path) != "extensions" and path.name not in ("__init__.py", "__main__.py"):
        assert name == path.stem
