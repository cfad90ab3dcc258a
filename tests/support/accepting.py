"""accepting: text that a test sees, compared with a file beside the tests, which `pytest --accept` rewrites.

`tests/language/test_checking.py` has its texts in `tests/expected/language/test_checking.txt`, a section for each test:

    ==== test_a_name[case]
    the text
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent

MARK = "==== "


_seen: dict[Path, set[str]] = {}
"""File -> the sections that the tests of this run have asked for."""


def stale(*, remove: bool) -> list[str]:
    """The sections, in the files of tests that have run, that no test has asked for; `remove` removes them."""
    found: list[str] = []
    for path, names in sorted(_seen.items()):
        sections = read(path)
        unused = sorted(sections.keys() - names)
        found += (f"{path}: {name}" for name in unused)
        if unused and remove:
            write(path, {name: lines for name, lines in sections.items() if name in names})
    return found


class Accepted:
    """What one test is to see. Call it with the text, or its lines; each call of a test has a section of its own."""

    def __init__(self, node: pytest.Item, *, rewrite: bool) -> None:
        module = node.path.relative_to(TESTS)
        self.path = TESTS / "expected" / module.with_suffix(".txt")
        self._name = node.nodeid.partition("::")[2].replace("\n", "\\n")
        self._rewrite = rewrite
        self._calls = 0

    def __call__(self, text: str | Iterable[str]) -> None:
        lines = text.splitlines() if isinstance(text, str) else [line for each in text for line in each.split("\n")]
        self._calls += 1
        name = self._name if self._calls == 1 else f"{self._name} #{self._calls}"
        sections = read(self.path)
        _seen.setdefault(self.path, set()).add(name)
        if self._rewrite:
            write(self.path, {**sections, name: lines})
        elif lines != sections.get(name):
            changes = difflib.unified_diff(sections.get(name, []), lines, "expected", "seen", lineterm="")
            text = "\n".join(changes)
            pytest.fail(f"{self.path}: {name}\n{text}\nIf what is seen is right, run pytest --accept.", pytrace=False)


def read(path: Path) -> dict[str, list[str]]:
    """The sections of a file, by the names of their tests."""
    sections: dict[str, list[str]] = {}
    section: list[str] = []
    for line in path.read_text(encoding="utf-8").split("\n")[:-1] if path.exists() else ():
        if line.startswith(MARK):
            section = sections[line.removeprefix(MARK)] = []
        else:
            section.append(line.removeprefix("\\") if line.startswith(f"\\{MARK}") else line)
    return sections


def write(path: Path, sections: dict[str, list[str]]) -> None:
    """The sections, sorted by name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines: list[str] = []
    for name in sorted(sections):
        lines.append(f"{MARK}{name}")
        lines += (f"\\{line}" if line.startswith(MARK) else line for line in sections[name])
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
