"""README's examples are what they say: each is taken from the text and used."""

from __future__ import annotations

import importlib
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.sieve import Sieve

from sieveav.language.checking import check
from sieveav.language.problems import Source, report
from sieveav.language.vocabulary import Vocabulary
from sieveav.running.base import base
from sieveav.running.executing import execute
from sieveav.running.message import Message
from sieveav.running.questions import Context, Envelope
from sieveav.running.run import Case
from sieveav.scanning.contract import ENGINES
from sieveav.site import checking, configuration
from sieveav.site.library import Library
from sieveav.site.options import Settings
from sieveav.site.rehearsal import Rehearsal
from sieveav.site.site import Site, load

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
    rehearsal = Rehearsal(Site(Settings(), theirs), tmp_path / "example.svtest")
    checked = rehearsal.check(
        example('require ["vnd.dovecot.testsuite", "vnd.example.archive"').encode(), "example.svtest"
    )
    assert checked.program is not None, [report(checked.source, problem) for problem in checked.problems]
    assert rehearsal.run(checked).fault is None
    assert [(result.name, result.failure) for result in rehearsal.results] == [
        ("Mail that shouts is archived, and kept", None)
    ]


def test_the_test_of_a_policy(tmp_path: Path) -> None:
    site, _, _ = load(Path(__file__).parent.parent / "samples/two-users/site.conf")
    rehearsal = Rehearsal(site, tmp_path / "policy.svtest")
    checked = rehearsal.check(
        example('require ["vnd.dovecot.testsuite", "vnd.sieveav.testsuite"];').encode(), "policy.svtest"
    )
    assert checked.program is not None, [report(checked.source, problem) for problem in checked.problems]
    assert rehearsal.run(checked).fault is None
    assert [result.failure for result in rehearsal.results] == [None, None]


def test_the_engine(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (package / "stub.py").write_text(example('"""stub:'), encoding="utf-8")
    kind = importlib.import_module("theirs.stub").engine
    monkeypatch.setattr(ENGINES, "_everything", {"stub": kind})
    from sieveav.scanning.assembling import assemble
    from sieveav.scanning.contract import Content, Deadline

    made = assemble(kind, "stub", options={})
    assert made.scan(Content(b"Subject: x\n\n"), Deadline.after(5)).status == "error"


def test_the_script(sieve: Sieve) -> None:
    assert sieve.problems(example('require ["antivirus", "ereject", "ec_action", "fileinto"]')) == []


def test_the_configuration(tmp_path: Path) -> None:
    text = example("clamav {}")
    for name in ("before.sieve", "clamav.siv", "family.txt"):
        (tmp_path / name).touch()
    (tmp_path / "scripts").mkdir()
    source = Source("site.conf", text)
    stanzas, problems = configuration.read(source)
    _, more = checking.check(stanzas, source, ENGINES.everything(), lambda _: None, tmp_path)
    assert [report(source, problem) for problem in [*problems, *more]] == []
