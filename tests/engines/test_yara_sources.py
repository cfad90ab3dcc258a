"""The files of YARA rules: what they include, what they may not include, and that the compiler names the right file."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from sieveav.engines import yara_sources
from sieveav.engines.yara_scanner import Rules
from sieveav.engines.yara_sources import Source, Sources

RULE = "rule %s { condition: true }\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with files of rules, beside another file of rules."""
    (tmp_path / "rules" / "below").mkdir(parents=True)
    for name in ("outside.yar", "rules/a.yar", "rules/b.yar", "rules/below/c.yar"):
        (tmp_path / name).write_text(RULE % Path(name).stem)
    return tmp_path / "rules"


def read(*paths: Path) -> list[Source]:
    """The sources of the site's files."""
    return [source for source in Sources(paths).read() if source.namespace in map(str, paths)]


def rules(*paths: Path) -> list[str]:
    """The rules in the site's files."""
    return [rule.identifier for rule in Rules.of(Sources(paths).read()).compiled if rule.namespace in map(str, paths)]


INCLUDES = {
    "beside": ('include "a.yar"', ["a"]),
    "below": ('include "below/c.yar"', ["c"]),
    "there and back": ('include "below/../a.yar"', ["a"]),
    "here": ('include "./a.yar"', ["a"]),
    "several": ('include "a.yar" include "b.yar"\ninclude"below/c.yar"', ["a", "b", "c"]),
    "between rules": (RULE % "x" + 'include "a.yar"\n' + RULE % "y", ["x", "a", "y"]),
    "a rule of an included file": ('include "a.yar"\nrule x { condition: a }', ["a", "x"]),
    "a module": ('import "pe"\ninclude "a.yar"\nrule x { condition: pe.is_pe }', ["a", "x"]),
    "twice": ('include "a.yar"\ninclude "./a.yar"\ninclude "below/../a.yar"', ["a"]),
    "itself": (RULE % "x" + 'include "site.yar"', ["x"]),
    "comments": ('include /* x */ // "b.yar"\n "a.yar"', ["a"]),
    "CR LF": ('include "a.yar"\r\ninclude "b.yar"\r\n', ["a", "b"]),
}


@pytest.mark.parametrize("case", INCLUDES)
def test_includes(case: str, folder: Path) -> None:
    text, expected = INCLUDES[case]
    site = folder / "site.yar"
    site.write_bytes(text.encode())
    assert rules(site) == expected


NONE = {
    "a comment": '// include "no.yar"\n',
    "a long comment": '/* include\n"no.yar" */',
    "an unfinished comment after it": 'rule x { condition: true } /*/ include "no.yar" */',
    "a string": r'rule x { strings: $a = "include \"no.yar\"" condition: $a }',
    "a string with a backslash": r'rule x { strings: $a = "\\" $b = " include " condition: any of them }',
    "a string that looks like a comment": 'rule x { strings: $a = "/*" $b = "*/" $c = "//" condition: any of them }',
    "a regular expression": 'rule x { strings: $a = /include "no.yar"/ condition: $a }',
    "a regular expression with a quote": r'rule x { strings: $a = /"\/include "/ $b = "a" condition: any of them }',
    "hexadecimal": 'rule x { strings: $a = { 61 /* include "no.yar" */ 62 } condition: $a }',
    "the name of a string": 'rule x { strings: $include = "no.yar" condition: $include }',
    "a name that ends so": 'rule x { meta: no_include = "no.yar" condition: true }',
}


@pytest.mark.parametrize("text", NONE.values(), ids=NONE)
def test_what_is_no_include(text: str, folder: Path) -> None:
    """The compiler agrees: to it, an include is an error."""
    site = folder / "site.yar"
    site.write_text(text)
    assert [source.text for source in read(site)] == [text]
    assert set(rules(site)) <= {"x"}


@pytest.mark.parametrize(
    "name", ["../outside.yar", "below/../../outside.yar", "link.yar", "linked/outside.yar", "a\0b", "loop"]
)
def test_an_include_of_another_folder(name: str, folder: Path) -> None:
    (folder / "link.yar").symlink_to(folder.parent / "outside.yar")
    (folder / "linked").symlink_to(folder.parent)
    (folder / "loop").symlink_to("loop")
    site = folder / "site.yar"
    site.write_text(f'include "{name}"')
    with pytest.raises(ValueError, match=rf"^rules: {site}: (include .*: not in the folder|.*loop)"):
        read(site)


def test_an_absolute_include(folder: Path) -> None:
    site = folder / "site.yar"
    site.write_text(f'include "{folder.parent}/outside.yar"')
    with pytest.raises(ValueError, match="not in the folder of this file, nor below it"):
        read(site)


def test_the_folder_is_that_of_the_file_that_includes(folder: Path) -> None:
    """Not that of the site's file."""
    site, inner = folder / "site.yar", folder / "below" / "c.yar"
    site.write_text('include "below/c.yar"')
    inner.write_text('include "d.yar"')
    (folder / "below" / "d.yar").write_text(RULE % "d")
    assert rules(site) == ["d"]
    inner.write_text('include "../a.yar"')
    with pytest.raises(ValueError, match=f"^rules: {inner}: include"):
        read(site)


def test_links_within_the_folder(folder: Path) -> None:
    """As where the files of a folder are replaced together, by one link."""
    (folder / "version1").mkdir()
    (folder / "version1" / "x.yar").write_text(RULE % "x")
    (folder / "current").symlink_to("version1")
    (folder / "x.yar").symlink_to("current/x.yar")
    site = folder / "site.yar"
    site.write_text('include "x.yar"')
    assert rules(site) == ["x"]


def test_two_files_may_include_the_same(folder: Path) -> None:
    one, two = folder / "one.yar", folder / "two.yar"
    for site in (one, two):
        site.write_text('include "a.yar"\n' + RULE % "own")
    assert rules(one, two) == ["a", "own"] * 2


ERRORS = {
    "in the file, before": ("rule broken\ninclude 'a.yar'", "site.yar", 2),
    "in the file, after": ('\ninclude "a.yar"\n\nrule x { condition: unknown }', "site.yar", 4),
    "on the same line": ('\ninclude "a.yar" rule x { condition: unknown }', "site.yar", 2),
    "in the included file": ('include "a.yar"\ninclude "wrong.yar"\n', "wrong.yar", 3),
    "in both": ('include "wrong.yar" rule broken', "wrong.yar", 3),
    "the same rule": ('include "a.yar"\nrule a { condition: true }', "site.yar", 2),
    "an include in a rule": ('rule x { include "a.yar" }', "site.yar", 1),
}


@pytest.mark.parametrize("case", ERRORS)
def test_an_error_names_file_and_line(case: str, folder: Path) -> None:
    text, name, line = ERRORS[case]
    site = folder / "site.yar"
    site.write_text(text)
    (folder / "wrong.yar").write_text("\n\nrule x { condition: nothing }")
    with pytest.raises(ValueError, match=rf"^rules: {folder}/{name}: error.* --> {folder}/{name}:{line}:"):
        rules(site)


@pytest.mark.parametrize("name", ["missing.yar", ".", "a\0b", "fifo"])
@pytest.mark.parametrize("is_included", [False, True])
def test_what_cannot_be_read(name: str, is_included: bool, folder: Path) -> None:
    os.mkfifo(folder / "fifo")
    path = folder / name
    if is_included:
        (folder / "site.yar").write_text(f'include "{name}"')
        path = folder / "site.yar"
    with pytest.raises(ValueError, match=f"^rules: {folder}"):
        read(path)


def chain(folder: Path, length: int) -> Path:
    """A file that includes one that includes one …, so many in all."""
    for number in range(1, length):
        (folder / f"{number}.yar").write_text(f'include "{number + 1}.yar"')
    (folder / f"{length}.yar").write_text(RULE % "last")
    return folder / "1.yar"


def test_depth(folder: Path) -> None:
    assert rules(chain(folder, yara_sources.DEPTH)) == ["last"]
    with pytest.raises(ValueError, match="16 files include one another"):
        read(chain(folder, yara_sources.DEPTH + 1))


def test_the_number_of_files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yara_sources, "FILES", 3)
    site = folder / "site.yar"
    site.write_text('include "a.yar" include "b.yar"')
    assert rules(site) == ["a", "b"]
    site.write_text('include "a.yar" include "b.yar" include "below/c.yar"')
    with pytest.raises(ValueError, match="more than 3 are included"):
        read(site)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("//" + "x" * 100, 102),
        ('include "a.yar"', 15 + len(RULE % "a")),
        (
            "\n\n\n" + 'include "a.yar"' + RULE % "x",
            3 + 3 + 15 + len(RULE % "a") + len(RULE % "x"),
        ),  # and the line ends again
    ],
)
def test_the_size_of_all(text: str, size: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = folder / "site.yar"
    site.write_text(text)
    monkeypatch.setattr(yara_sources, "SIZE", size)
    read(site)
    monkeypatch.setattr(yara_sources, "SIZE", size - 1)
    with pytest.raises(ValueError, match="octets of rules"):
        read(site)


@pytest.fixture
def _within_20_seconds() -> Iterator[None]:
    signal.alarm(20)
    yield
    signal.alarm(0)


@pytest.mark.usefixtures("_within_20_seconds")
@pytest.mark.parametrize(
    "repeated", ["/*", '"', '\\"', '"\\', "/", "include", "include/*", "include//", "include ", 'include"']
)
def test_it_does_not_hang(repeated: str, folder: Path) -> None:
    site = folder / "site.yar"
    site.write_text(repeated * 300_000)
    with suppress(ValueError):
        read(site)


CHANGES: dict[str, tuple[Callable[[Path], Any], bool]] = {
    "nothing": (lambda _: None, False),
    "its content": (lambda path: path.write_text(RULE % "longer_name"), True),
    "its time": (lambda path: os.utime(path, (1, 1)), True),
    "its file": (
        lambda path: shutil.copy2(path, path.with_name("copy")) and path.with_name("copy").replace(path),
        True,
    ),
    "it is removed": (lambda path: path.unlink(), True),
}


@pytest.mark.parametrize("case", CHANGES)
def test_whether_files_have_changed(case: str, folder: Path) -> None:
    change, expected = CHANGES[case]
    site = folder / "site.yar"
    site.write_text('include "a.yar"')
    for path in (site, folder / "a.yar"):
        sources = Sources((site,))
        list(sources.read())
        assert not sources.have_changed
        change(path)
        assert sources.have_changed is expected
        folder.joinpath("a.yar").write_text(RULE % "a")
        site.write_text('include "a.yar"')


def test_a_file_that_was_missing_and_appears(folder: Path) -> None:
    site = folder / "site.yar"
    site.write_text('include "new.yar"')
    sources = Sources((site,))
    with pytest.raises(ValueError, match=f"^rules: {folder}/new.yar: No such file"):
        list(sources.read())
    assert not sources.have_changed
    (folder / "new.yar").write_text(RULE % "x")
    assert sources.have_changed
