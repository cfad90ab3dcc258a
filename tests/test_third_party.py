"""An extension of somebody else: a package of its own, found by its entry point, on public names alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sieveav.language.checking import check
from sieveav.language.problems import report
from sieveav.language.vocabulary import Vocabulary
from sieveav.running.base import base
from sieveav.running.executing import execute
from sieveav.running.message import Message
from sieveav.running.outcome import Outcome
from sieveav.running.questions import Context, Envelope, Host, Service
from sieveav.running.run import Case
from sieveav.site.library import Library

ARCHIVE = '''
"""vnd.acme.archive: store mail in ACME's archive (ours).

    archive :year 2026 :copy "Invoices/${1}";
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sieveav.extending import (
    Acting, Action, Call, Comparator, Extension, ForeignTag, Matcher, Matching, MatchType, Run, Service, Store, Strings,
    Subject, Fields, HeaderValues, Use, Word, names_of, mailbox_flaw, tag, value,
)

archive = Extension("vnd.acme.archive", "ACME")


def year_flaw(year: int) -> str:
    return "" if 1970 <= year <= 9999 else "not a year"


@archive.action("archive", like=["fileinto"])
class Archive(Acting):
    """archive: store the message in a folder of the archive. It takes the tags of fileinto."""

    year: int = tag(":year", 2000, valid=year_flaw)
    folder: str = value(valid=mailbox_flaw, hint="write a folder's name")

    def stands_for(self) -> Action:
        return Action("archive", (Store(f"Archive/{self.year}/{self.folder}"), Call("acme", (("folder", self.folder),))))


@archive.tag(":sealed", on=["fileinto", "archive"])
class Sealed(ForeignTag):
    """:sealed: with the flag $Sealed."""

    def amend(self, action: Action) -> Action:
        return action.changing(Store, flags=("$Sealed",))


@archive.tag(":twice", on=[":sealed"])
class Twice(ForeignTag):
    """:twice: beside :sealed, with two flags."""

    def amend(self, action: Action) -> Action:
        return action.changing(Store, flags=("$Sealed", "$Sealed2"))


@archive.match_type(":sounds")
class Sounds(MatchType):
    """:sounds: the value has the consonants of the key."""

    def matcher(self, comparator: Comparator, keys: Sequence[str]) -> Matcher:
        fold = comparator.fold or str
        wanted = {bare(fold(key)) for key in keys}
        return lambda values, run: any(bare(value) in wanted for value in values)


def bare(text: str) -> str:
    return "".join(c for c in text if c not in "aeiouAEIOU ")


@archive.test("customer", like=["header"])
class Customer(Matching):
    """customer: whether a field's value matches; it takes the tags of header."""

    names: Strings
    keys: Strings

    def subject_for(self, fold: Any) -> Subject:
        return HeaderValues(Fields(names_of(self.names)), fold)


@archive.test("known_customer")
class KnownCustomer(Word):
    """known_customer: whether ACME's service knows the sender."""

    def holds(self, run: Run) -> bool:
        answer = run.ask(Service("acme", (("sender", run.envelope.sender),)))
        if answer is None:
            run.fail("the site has no service acme", self)
        return answer.get("known") == "yes"
'''

METADATA = "Metadata-Version: 2.1\nName: acme-sieve\nVersion: 1.0\n"
ENTRY_POINTS = "[sieveav.extensions]\nacme = acme_sieve\n"

MESSAGE = (
    b"From: Bob <bob@example.org>\r\nTo: alice@example.com\r\nSubject: Robert\r\nX-N: one\r\nX-N: two\r\n\r\nHi.\r\n"
)


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder with the package, as pip would have installed it."""
    package = tmp_path / "acme_sieve"
    package.mkdir()
    (package / "__init__.py").write_text('"""acme_sieve: ACME\'s extensions."""\n')
    (package / "archive.py").write_text(ARCHIVE)
    info = tmp_path / "acme_sieve-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(METADATA)
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    return tmp_path


def sieveav(installed: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(installed), "NO_COLOR": "1"}
    command = [sys.executable, "-m", "sieveav", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=installed, check=False)


def test_it_is_found_and_used_from_the_command_line(installed: Path) -> None:
    (installed / "a.eml").write_bytes(MESSAGE)
    script = """
        require ["vnd.acme.archive", "copy", "imap4flags", "index", "mailbox"];
        addflag "\\\\Flagged";
        if customer :sounds "subject" "RoBoRT" { archive :year 2026 :copy :create "Invoices"; }
        if customer :index 2 "x-n" "two" { archive "Second"; }
        archive :sealed :twice "Third";
    """
    (installed / "a.sieve").write_text(textwrap.dedent(script))
    done = sieveav(installed, "run", "a.sieve", "a.eml", "--format", "json")
    assert done.stderr == ""
    (recipient,) = json.loads(done.stdout)["recipients"]
    actions = [{name: a[name] for name in ("action", "mailbox", "flags")} for a in recipient["actions"]]
    assert actions == [
        {"action": "archive", "mailbox": "Archive/2026/Invoices", "flags": ["\\Flagged"]},
        {"action": "archive", "mailbox": "Archive/2000/Second", "flags": ["\\Flagged"]},
        # imap4flags amends every store that does not say its own flags by :flags, and so overrides another's
        {"action": "archive", "mailbox": "Archive/2000/Third", "flags": ["\\Flagged"]},
    ]
    assert recipient["actions"][0]["create"] is True
    assert recipient["actions"][0]["service"] == "acme"


def test_its_mistakes_are_reported_as_those_of_ours_are(installed: Path) -> None:
    (installed / "b.sieve").write_text(
        'require "vnd.acme.archive";\narchive :year 1 "x";\narchive "";\narchive :twice "x";\narchiv "x";\n'
    )
    done = sieveav(installed, "lint", "--format", "json", "b.sieve")
    found = [(p["line"], p["column"], p["rule"], p["message"], p["hint"]) for p in json.loads(done.stdout)]
    assert found == [
        (2, 15, "year-invalid", "not a year", None),
        (3, 9, "folder-invalid", "mailbox name is empty", "write a folder's name"),
        (4, 9, "tag-missing", ":twice is allowed only beside :sealed", "write :sealed too"),
        (5, 1, "word-unknown", "unknown command archiv", 'did you mean "archive"?'),
    ]


def test_it_is_explained_and_listed(installed: Path) -> None:
    assert "vnd.acme.archive" in sieveav(installed, "extensions").stdout
    said = sieveav(installed, "explain", "archive").stdout
    assert "[:year <number>] <folder: string>" in said


@pytest.fixture
def run(installed: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """Runs a script with the package and a host that answers for ACME's service."""
    monkeypatch.syspath_prepend(str(installed))
    for name in [name for name in sys.modules if name.partition(".")[0] == "acme_sieve"]:
        monkeypatch.delitem(sys.modules, name)

    def run(script: str, answers: dict[type, Callable[[Any], Any]]) -> Outcome:
        library = Library(["sieveav.extensions", "acme_sieve"])
        checked = check(script.encode(), "c.sieve", Vocabulary([base], library))
        assert checked.program is not None, [report(checked.source, problem) for problem in checked.problems]
        case = Case(Message(MESSAGE), Envelope("bob@example.org", "alice@example.com"), Host(answers), Context())
        return execute(checked.program, case).with_implicit_keep()

    return run


SCRIPT = 'require "vnd.acme.archive"; if known_customer { archive "Known"; }'


def test_it_asks_a_service(run: Callable[..., Outcome]) -> None:
    asked: list[Service] = []

    def answer(question: Service) -> dict[str, str]:
        asked.append(question)
        return {"known": "yes"}

    assert [action.name for action in run(SCRIPT, {Service: answer}).actions] == ["archive"]
    assert asked == [Service("acme", (("sender", "bob@example.org"),))]


def test_a_host_without_the_service(run: Callable[..., Outcome]) -> None:
    outcome = run(SCRIPT, {})
    assert outcome.fault is not None
    assert (outcome.fault.message, str(outcome.fault.place)) == ("the site has no service acme", "c.sieve:1")
    assert [action.summary() for action in outcome.actions] == ["implicit keep"]


def test_wrong_values_of_variables_are_faults_in_the_same_words(run: Callable[..., Outcome]) -> None:
    outcome = run('require ["vnd.acme.archive", "variables"]; archive "${x}";', {})
    assert outcome.fault is not None
    assert outcome.fault.message == "mailbox name is empty"
