"""README: its examples are taken from the text and used, and its tables are compared with the program."""

from __future__ import annotations

import importlib
import re
import runpy
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import packages
from support.sieve import Sieve

from sieveav.language.checking import check
from sieveav.language.problems import report
from sieveav.language.vocabulary import Vocabulary
from sieveav.running.base import base
from sieveav.running.executing import execute
from sieveav.running.message import Message
from sieveav.running.questions import Context, Envelope
from sieveav.running.run import Case
from sieveav.scanning.assembling import assemble
from sieveav.scanning.contract import ENGINES, Content, Deadline, EngineType
from sieveav.scanning.pools import Pools
from sieveav.scanning.settings import EngineSettings
from sieveav.site.library import Library
from sieveav.site.rehearsal import Rehearsal
from sieveav.site.site import Site, load
from sieveav.site.stanza import STANZAS

README = (Path(__file__).parent.parent / "README.rst").read_text(encoding="utf-8")


def example(beginning: str) -> str:
    """The indented block of README that begins so."""
    lines = README[README.index("\n    " + beginning) + 1 :].splitlines(keepends=True)
    block = []
    for line in lines:
        if line.strip() and not line.startswith("    "):
            break
        block.append(line)
    return textwrap.dedent("".join(block))


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An importable package `theirs`, of somebody else."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    (folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == "theirs"]:
        del sys.modules[name]


@pytest.fixture
def theirs(package: Path) -> Library:
    """Our extensions, and README's."""
    (package / "vnd_example_archive.py").write_text(example('"""vnd.example.archive:'), encoding="utf-8")
    return Library(["sieveav.extensions", "theirs"])


@pytest.mark.parametrize(
    ("script", "subject", "actions"),
    [
        ('if shouting :least 9 "subject" { discard; }', "HELLO WORLDWIDEWEB", ["discard"]),
        ('if shouting :least 9 "subject" { discard; }', "Hello worldwideweb", []),
        ('archive "A";', "x", ['archive "Archive/2026/A"']),
        ('archive :year 2025 :urgent "A";', "x", ['archive "Archive/2025/A" with \\Flagged']),
        ("keep :urgent;", "x", ["keep with \\Flagged"]),
    ],
)
def test_the_extension(theirs: Library, script: str, subject: str, actions: list[str]) -> None:
    text = f'require "vnd.example.archive"; {script}'.encode()
    checked = check(text, "example.sieve", Vocabulary([base], theirs))
    assert checked.program is not None, [problem.message for problem in checked.problems]
    host: Any = None
    case = Case(Message(f"Subject: {subject}\n\n".encode()), Envelope(), host, Context())
    assert [action.summary() for action in execute(checked.program, case).actions] == actions


def test_the_test_of_the_extension(theirs: Library, tmp_path: Path) -> None:
    rehearsal = Rehearsal(Site(library=theirs), tmp_path / "example.svtest")
    checked = rehearsal.check(
        example('require ["vnd.dovecot.testsuite", "vnd.example.archive"').encode(), "example.svtest"
    )
    assert checked.program is not None, [report(checked.source, problem) for problem in checked.problems]
    assert rehearsal.run(checked).fault is None
    assert [(result.name, result.failure) for result in rehearsal.results] == [
        ("Mail that shouts is archived, and kept", None)
    ]


def test_the_test_of_a_policy(tmp_path: Path) -> None:
    site = load(Path(__file__).parent.parent / "samples/two-users/site.conf")
    rehearsal = Rehearsal(site, tmp_path / "policy.svtest")
    checked = rehearsal.check(
        example('require ["vnd.dovecot.testsuite", "vnd.sieveav.testsuite"];').encode(), "policy.svtest"
    )
    assert checked.program is not None, [report(checked.source, problem) for problem in checked.problems]
    assert rehearsal.run(checked).fault is None
    assert [result.failure for result in rehearsal.results] == [None, None]


def test_the_engine(package: Path) -> None:
    (package / "stub.py").write_text(example('"""stub:'), encoding="utf-8")
    engine_type: EngineType = importlib.import_module("theirs.stub").engine
    engine = assemble(engine_type, "stub", EngineSettings.defaults("stub"), Pools())
    assert engine.scan(Content(b"Subject: x\n\n"), Deadline.after(5)).status == "error"


def test_the_script(sieve: Sieve) -> None:
    assert sieve.problems(example('require ["antivirus", "ereject", "ec_action", "fileinto"]')) == []


def test_the_configuration(tmp_path: Path) -> None:
    for name in ("before.sieve", "clamav.siv", "family.txt"):
        (tmp_path / name).touch()
    (tmp_path / "scripts").mkdir()
    (tmp_path / "site.conf").write_text(example("clamav {}"), encoding="utf-8")
    site = load(tmp_path / "site.conf")
    assert [report(site.source, problem) for problem in site.warnings] == []


@pytest.fixture
def acme(tmp_path: Path) -> Path:
    """A distribution with README's stanza, command and lint rule."""
    files = {
        "acme/__init__.py": "",
        "acme/greylist.py": example('"""greylist:'),
        "acme/size.py": example('"""size:'),
        "acme/keep_alone.py": example('"""keep_alone:'),
        "site.conf": "greylist { wait = 5m }",
        "a.sieve": "keep;\n",
    }
    groups = dict.fromkeys(("sieveav.stanzas", "sieveav.commands", "sieveav.rules"), "acme")
    packages.install(tmp_path, "acme", groups, files)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["check-config", "site.conf"], ""),
        (["size", "a.sieve"], "a.sieve 6"),
        (["lint", "a.sieve"], "a.sieve:1:1: advice: this is what happens without it [keep-alone]"),
    ],
)
def test_the_stanza_the_command_and_the_rule(acme: Path, arguments: list[str], line: str) -> None:
    done = packages.sieveav(acme, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.partition("\n")[0] == line


def test_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "site.conf").write_text("")
    (tmp_path / "message.eml").write_bytes(b"Subject: x\n\nHi.\n")
    (tmp_path / "program.py").write_text(example("import sieveav\n").replace('open("message.eml", "rb")', "opened"))
    monkeypatch.chdir(tmp_path)
    with Path("message.eml").open("rb") as opened:
        runpy.run_path("program.py", {"opened": opened})
    assert capsys.readouterr().out == "alice@example.com ['implicit keep']\n"


# ---- tables


def first_column(heading: str) -> list[str]:
    """The names in the first column of the table with this heading."""
    text = README[README.index(f"\n{heading}") :]
    rows = text.split("\n=")[1].splitlines()[1:]
    return [name for row in rows for name in re.findall(r"``([^`]+)``", row[:45])]


def test_the_table_of_extensions() -> None:
    assert first_column("capability") == [name for name in Library().everything() if name]


def test_the_table_of_stanzas() -> None:
    assert set(first_column("stanza ")) == {*STANZAS.everything(), *ENGINES.everything()} | {"antivirus"}


def test_every_file_that_it_names_exists() -> None:
    root = Path(__file__).parent.parent
    for name in re.findall(r"``((?:sieveav|extensions|tests|samples)/[A-Za-z0-9_./*]*)``", README):
        assert "example" in name or list(root.glob(name)), name
    for name in re.findall(r"``((?:site|language|running|frontends|scanning)/[a-z_]+\.py)", README):
        assert (root / "sieveav" / name).is_file(), name
