"""A third-party extension: one file in an installed package, found by its entry point, that uses only the API."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.accepting import Accepted
from support.outcomes import fault
from support.packages import install, sieveav

from sieveav.language.checking import check
from sieveav.language.problems import report
from sieveav.language.vocabulary import Vocabulary
from sieveav.running.base import base
from sieveav.running.effects import mailbox_flaw
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

    def make_action(self) -> Action:
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

MESSAGE = (
    b"From: Bob <bob@example.org>\r\nTo: alice@example.com\r\nSubject: Robert\r\nX-N: one\r\nX-N: two\r\n\r\nHi.\r\n"
)


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder with the package, as pip would have installed it."""
    files = {"acme_sieve/__init__.py": '"""acme_sieve: ACME\'s extensions."""\n', "acme_sieve/archive.py": ARCHIVE}
    install(tmp_path, "acme-sieve", {"sieveav.extensions": "acme_sieve"}, files)
    return tmp_path


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
        # imap4flags amends every Store without the tag :flags, so it overrides flags from other tags
        {"action": "archive", "mailbox": "Archive/2000/Third", "flags": ["\\Flagged"]},
    ]
    assert recipient["actions"][0]["create"] is True
    assert recipient["actions"][0]["service"] == "acme"


def test_mistakes_with_its_words_are_reported(installed: Path, accepted: Accepted) -> None:
    (installed / "b.sieve").write_text(
        'require "vnd.acme.archive";\narchive :year 1 "x";\narchive "";\narchive :twice "x";\narchiv "x";\n'
    )
    problems = json.loads(sieveav(installed, "lint", "--format", "json", "b.sieve").stdout)
    assert [(problem["line"], problem["column"], problem["rule"]) for problem in problems] == [
        (2, 15, "year-invalid"),
        (3, 9, "folder-invalid"),
        (4, 9, "tag-missing"),
        (5, 1, "word-unknown"),
    ]
    accepted(f"{problem['message']}\n  = {problem['hint']}" for problem in problems)


def test_it_is_explained_and_listed(installed: Path) -> None:
    assert "vnd.acme.archive" in sieveav(installed, "extensions").stdout
    assert "[:year <number>] <folder: string>" in sieveav(installed, "explain", "archive").stdout


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
    error = fault(outcome)
    assert (error.message, str(error.place)) == ("the site has no service acme", "c.sieve:1")
    assert [action.summary() for action in outcome.actions] == ["implicit keep"]


def test_invalid_values_of_variables_are_run_time_errors(run: Callable[..., Outcome]) -> None:
    outcome = run('require ["vnd.acme.archive", "variables"]; archive "${x}";', {})
    assert fault(outcome).message == mailbox_flaw("")
