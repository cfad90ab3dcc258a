"""scan: verdicts, folders, summaries, --ping, and the exit status."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.accepting import Accepted
from support.command_line import HEAD, Cli, Terminal, columns
from support.daemons import EICAR

from sieveav.frontends.commands import scan
from sieveav.frontends.output import progress
from sieveav.scanning.contract import Content, Deadline
from sieveav.scanning.lazy import LazyEngine
from sieveav.scanning.settings import EngineSettings
from sieveav.site.scans import Scanner
from sieveav.site.site import embedded
from sieveav.verdict import Status, Verdict


def test_verdicts(cli: Cli, accepted: Accepted) -> None:
    done = cli("scan", "clean.eml")
    assert (done.status, done.err) == (0, "")
    done = cli("scan", "clean.eml", "eicar.eml")
    assert (done.status, done.err) == (1, "")
    accepted(done.shown)
    done = cli("scan", "--format", "json", "--engine", "yara", "eicar.eml")
    assert (done.status, done.json["message"]) == (1, "eicar.eml")
    (engine,) = done.json["engines"]
    assert (engine["engine"], engine["status"]) == ("yara", "infected")


def test_passive_engines_and_those_of_the_site(cli: Cli, here: Path) -> None:
    (here / "two.conf").write_text(
        'yara {} antivirus "a" { yara "y1" { enabled = off } yara "y2" { enabled = off context_variable = "v" } }'
    )
    done = cli("scan", "--config", "two.conf", "clean.eml")
    assert [columns(line)[0] for line in done.lines[1:]] == ["yara", "y2"]
    done = cli("scan", "--config", "two.conf", "--engine", "y2", "clean.eml")
    assert [columns(line)[0] for line in done.lines[1:]] == ["y2"]
    assert "yara, y2" in cli("scan", "--config", "two.conf", "--engine", "nod32", "clean.eml").err


def test_nothing_scanned_is_not_clean(cli: Cli, here: Path) -> None:
    """In `scan && deliver`, no engine must not look like a clean message."""
    (here / "c.conf").write_text("clamav {}")
    done = cli("scan", "--config", "c.conf", "clean.eml")
    assert (done.status, done.out) == (2, "")
    assert "no engine runs here; nothing was scanned" in done.err


# ---- exit status


class StandIn(LazyEngine):
    """An engine that answers what the test says, and reports no version."""

    def __init__(self, settings: EngineSettings, verdict: Callable[[], Verdict]) -> None:
        super().__init__(settings)
        self._verdict = verdict

    def scan(self, content: Content, deadline: Deadline) -> Verdict:  # noqa: ARG002
        return self._verdict()

    def version(self, deadline: Deadline) -> str:  # noqa: ARG002
        return ""


def answer(monkeypatch: pytest.MonkeyPatch, verdict: Callable[[], Verdict]) -> None:
    """Let the engine of the site without a configuration answer `verdict()`."""
    settings = EngineSettings.defaults("yara")
    scanner = Scanner("yara", settings, StandIn(settings, verdict))
    monkeypatch.setattr(scan, "site_of", lambda _: embedded().with_scanners((scanner,)))


FAILED = Verdict("yara", Status.ERROR, "connection refused")
FOUND = Verdict("yara", Status.INFECTED, "X")
LATER = Verdict("yara", Status.ENCRYPTED, "a.zip")
CLEAN = Verdict("yara", Status.CLEAN)


@pytest.mark.parametrize(
    ("verdicts", "status"),
    [
        ([CLEAN], 0),
        ([FOUND], 1),
        ([LATER], 1),
        ([FAILED], 2),
        ([FOUND, FAILED], 2),
        ([FAILED, FOUND], 2),
        ([LATER, CLEAN], 1),
    ],
)
def test_exit_status(cli: Cli, monkeypatch: pytest.MonkeyPatch, verdicts: list[Verdict], status: int) -> None:
    left = list(verdicts)
    answer(monkeypatch, lambda: left.pop(0))
    assert cli("scan", *["clean.eml", "eicar.eml"][: len(verdicts)]).status == status
    assert left == []


def test_a_file_that_cannot_be_read_does_not_stop_the_others(cli: Cli, accepted: Accepted) -> None:
    done = cli("scan", "--summary", "clean.eml", "missing.eml", "eicar.eml")
    assert done.heads[:2] == ["clean.eml", "eicar.eml"]
    assert (done.status, done.err) == (2, "sieveav: missing.eml: No such file or directory\n")
    accepted(done.shown[-1:])


# ---- folders, --infected, summaries


@pytest.fixture
def maildir(here: Path) -> Path:
    """A Maildir with three messages, two of them infected, and a pipe."""
    for name, body in (("cur/1:2,S", b"Hi.\n"), ("new/2", EICAR + b"\n"), (".Junk/cur/3:2,", EICAR + b"\n")):
        path = here / "Maildir" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(HEAD + body)
    (here / "Maildir/tmp").mkdir()
    os.mkfifo(here / "Maildir/tmp/pipe")
    return here / "Maildir"


def test_a_folder(cli: Cli, maildir: Path, accepted: Accepted) -> None:
    done = cli("scan", "Maildir", "--summary")
    assert (done.status, done.err) == (1, "")
    accepted(done.shown)
    assert maildir.is_dir()


def test_only_what_is_not_clean(cli: Cli, maildir: Path) -> None:
    assert cli("scan", "--infected", str(maildir)).heads == [f"{maildir}/.Junk/cur/3:2,", f"{maildir}/new/2"]
    objects = cli("scan", "--infected", "--format", "json", str(maildir)).objects
    assert [Path(scanned["message"]).name for scanned in objects] == ["3:2,", "2"]
    assert cli("scan", "--infected", "clean.eml").out == ""


@pytest.mark.usefixtures("maildir")
def test_the_summary_in_json(cli: Cli) -> None:
    *_, last = cli("scan", "--summary", "--format", "json", "Maildir", "missing.eml").objects
    assert last["summary"].pop("seconds") >= 0
    assert last == {"summary": {"files": 3, "not_scanned": 1, "statuses": {"infected": 2, "clean": 1}}}


@pytest.mark.usefixtures("maildir")
def test_the_summary_on_a_terminal(cli: Cli, terminal: Terminal) -> None:
    assert "scanned" not in cli("scan", "Maildir").out
    terminal()
    assert cli("scan", "Maildir").shown[-1] == "3 files scanned: 1 clean, 2 infected; .. s"
    assert "scanned" not in cli("scan", "clean.eml").out


def test_an_empty_folder(cli: Cli, here: Path) -> None:
    (here / "empty").mkdir()
    done = cli("scan", "empty", "clean.eml")
    assert (done.status, done.err, done.heads) == (2, "sieveav: empty: no files found\n", ["clean.eml"])


def test_ctrl_c_prints_the_summary(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    verdicts = [CLEAN]

    def verdict() -> Verdict:
        if verdicts:
            return verdicts.pop()
        raise KeyboardInterrupt

    answer(monkeypatch, verdict)
    done = cli("scan", "--summary", "clean.eml", "eicar.eml", "keep.sieve")
    assert (done.status, done.err) == (130, "sieveav: interrupted\n")
    assert done.shown[-1] == "1 file scanned: 1 clean; 2 not scanned; .. s"


def test_the_progress_bar(
    terminal: Terminal, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    progress(9)(5, "1 infected")
    assert capsys.readouterr().err == ""  # not a terminal
    terminal()
    clock = iter([1.0, 1.01, 5.0])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    show = progress(9)
    show(3, "1 infected")
    show(4, "too soon")
    show(9, "")
    assert capsys.readouterr().err == f"\r\x1b[K[{'#' * 10}{'.' * 20}] 3/9 files, 1 infected\r\x1b[K"
    progress(1)(0, "a single file")
    assert capsys.readouterr().err == ""


# ---- --ping


def test_ping(cli: Cli) -> None:
    done = cli("scan", "--ping")
    assert (done.status, done.err) == (0, "")
    name, answer, version = columns(done.out)
    assert (name, answer) == ("yara", "answers")
    ping = cli.json("scan", "--ping")
    assert ping == {"engine": "yara", "answers": True, "version": version, "reason": None}


def test_ping_says_why_an_engine_does_not_answer(cli: Cli, here: Path, accepted: Accepted) -> None:
    (here / "two.conf").write_text(
        'yara {} clamav {} antivirus "a" { yara "y" {} clamav "c" { daemon = ( "127.0.0.1:1" "/none" ) timeout = 1 } }'
    )
    done = cli("scan", "--ping", "--config", "two.conf", "--format", "json")
    assert done.status == 2
    assert [(ping["engine"], ping["answers"]) for ping in done.objects] == [("yara", True), ("clamav", False)]
    yara, clamav = done.objects
    assert (yara["reason"], clamav["version"]) == (None, "")
    accepted(clamav["reason"])
    done = cli("scan", "--ping", "--config", "two.conf")
    assert done.status == 2
    assert columns(done.lines[1]) == ["clamav", "does not answer", clamav["reason"]]
    assert cli("scan", "--ping", "--config", "two.conf", "--engine", "yara").status == 0


@pytest.mark.parametrize(
    ("verdict", "status", "reason"),
    [
        (CLEAN, 0, None),
        (FOUND, 0, None),
        (FAILED, 2, FAILED.info),
        (Verdict("yara", Status.ERROR), 2, "unknown error"),
    ],
)
def test_ping_of_an_engine_that_reports_no_version(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, verdict: Verdict, status: int, reason: str | None
) -> None:
    answer(monkeypatch, lambda: verdict)
    done = cli("scan", "--ping", "--format", "json")
    assert done.status == status
    assert done.json == {"engine": "yara", "answers": reason is None, "version": "", "reason": reason}


@pytest.mark.parametrize("arguments", [["--ping", "clean.eml"], ["--self-test", "clean.eml"], []])
def test_what_scans_no_files_takes_no_paths(cli: Cli, arguments: list[Any]) -> None:
    done = cli("scan", *arguments)
    assert (done.status, done.out) == (2, "")
    assert "PATH" in done.err
    assert cli("scan", "--ping", "--self-test").status == 2


# ---- --self-test


def test_self_test(cli: Cli) -> None:
    done = cli("scan", "--self-test")
    assert (done.status, done.err, done.lines[0]) == (0, "", "yara")
    rows = [columns(line) for line in done.lines[1:]]
    assert rows[0] == ["a harmless message", "passed", "clean"]
    assert rows[-1] == ["in a zip archive", "passed", "infected", "Eicar_Test_File"]
    assert {row[1] for row in rows} == {"passed"}
    objects = cli("scan", "--self-test", "--format", "json").objects
    assert [(each["verdict"]["engine"], each["passed"]) for each in objects] == [("yara", True)] * 5


@pytest.mark.parametrize(("verdict", "status"), [(CLEAN, 1), (FOUND, 1), (LATER, 1), (FAILED, 2)])
def test_self_test_fails(cli: Cli, monkeypatch: pytest.MonkeyPatch, verdict: Verdict, status: int) -> None:
    """Where a virus is not found, or one is found in a harmless message, or nothing is scanned."""
    answer(monkeypatch, lambda: verdict)
    done = cli("scan", "--self-test", "--format", "json")
    assert done.status == status
    assert {each["passed"] for each in done.objects} == ({True, False} if verdict in (CLEAN, FOUND) else {False})


@pytest.mark.parametrize(
    ("engine", "script", "warned"),
    [
        ("", "", True),
        ('action = "reject"', "", False),
        ("", 'require "ec_action"; if antivirus "error" { ec_action 451 "later"; }', False),
        ("", 'if antivirus "infected" { discard; }', True),
    ],
)
def test_self_test_warns_of_mail_that_is_accepted_when_no_engine_works(
    cli: Cli, here: Path, engine: str, script: str, warned: bool
) -> None:
    (here / "policy.siv").write_text(script)
    (here / "self.conf").write_text(
        f'yara {{}} antivirus "a" {{ yara "y" {{ {engine} }} }}'
        'sieve "s" { script "data_phase1" { source = "policy.siv" } }'
    )
    done = cli("scan", "--self-test", "--config", "self.conf")
    assert done.status == int(warned)
    assert ("accepted when no engine works" in done.out) == warned


def test_self_test_warns_of_a_permanent_error(cli: Cli, here: Path) -> None:
    (here / "self.conf").write_text('yara {} antivirus "a" { yara "y" { action = "reject" error_code = 554 } }')
    done = cli("scan", "--self-test", "--config", "self.conf", "--format", "json")
    assert done.status == 1
    assert [each["warning"][:16] for each in done.objects if "warning" in each] == ["error_code = 554"]


# ---- --stats


def test_stats(cli: Cli) -> None:
    done = cli("scan", "--stats", "eicar.eml", "clean.eml")
    at = done.lines.index("yara")
    assert [line.rpartition(" ")[0].rstrip() for line in done.lines[at:]] == [
        "",
        "  Messages checked:",
        "  MIME parts checked:",
        "  Viruses detected:",
        "  Viruses cured:",
        "  Avg. time/message",
        "  Avg. time/MIME part",
    ]
    assert [line.split()[-1] for line in done.lines[at + 1 : at + 5]] == ["2", "0", "1", "0"]
    assert done.lines[-1] == "  Avg. time/MIME part nanms"
    objects = cli("scan", "--stats", "eicar.eml", "--format", "json").objects
    (counts,) = objects[-1]["stats"]
    assert (counts["engine"], counts["messages"], counts["viruses"]) == ("yara", 1, 1)
