"""The command line: every command in both formats, exit statuses, and what goes wrong in one line."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sieveav import __version__
from sieveav.frontends import explaining, showing
from sieveav.frontends.cli import main
from sieveav.limits import SCRIPT_SIZE
from sieveav.running.base import base
from sieveav.running.outcome import Action, Outcome
from sieveav.scanning.contract import ENGINES
from sieveav.site.library import Library

EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!" + b"$H+H*"
HEAD = b"From: Bob <bob@example.org>\nTo: Alice <alice@example.com>\nSubject: x\n\n"

ALICE = """require ["antivirus", "ec_action", "variables", "vctx"];
# refuse
if antivirus "infected" {
    ec_action 550 "5.7.1 held: ${vctx.yara_status_info}" "virus:rejected";
}
"""
CAROL = """require ["antivirus", "fileinto"];



if antivirus "infected" {

    fileinto "Junk";
}
"""
SITE = """yara {}
antivirus "a" { yara "yara1" { enabled = false } }
users { scripts = "policies/%n.sieve" }
"""


@dataclass
class Done:
    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a site, two users, an infected message and a clean one; the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies/alice.sieve").write_text(ALICE)
    (tmp_path / "policies/carol.sieve").write_text(CAROL)
    (tmp_path / "site.conf").write_text(SITE)
    (tmp_path / "eicar.eml").write_bytes(HEAD + EICAR + b"\n")
    (tmp_path / "clean.eml").write_bytes(HEAD + b"Hi.\n")
    (tmp_path / "keep.sieve").write_text("keep;\n")
    return tmp_path


@pytest.fixture
def cli(here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:  # noqa: ARG001
    """Runs a command line in `here`: cli("run", "keep.sieve", "clean.eml", stdin=b"")."""

    def run(*arguments: str, stdin: bytes = b"") -> Done:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capsys.readouterr()
        status = main(arguments)
        captured = capsys.readouterr()
        return Done(status, captured.out, captured.err)

    return run


TO = ("--to", "alice@example.com", "--to", "carol@example.com")


# ---- decide and run, for people


def columns(line: str) -> list[str]:
    return re.split(r" {3,}", line.strip())


def test_decide_in_text(cli: Callable[..., Done]) -> None:
    done = cli("decide", "--config", "site.conf", *TO, "eicar.eml")
    assert (done.status, done.err) == (0, "")
    head, engine, alice, carol = done.lines
    assert head == "eicar.eml   from bob@example.org"
    assert engine.startswith("  yara   infected   Eicar_Test_File   ")
    assert re.fullmatch(r"\d+\.\d ms", columns(engine)[3])
    assert columns(alice) == ["alice@example.com", "550 5.7.1 held: Eicar_Test_File", "policies/alice.sieve:4"]
    assert columns(carol) == ["carol@example.com", 'fileinto "Junk"', "policies/carol.sieve:7"]
    assert alice.index("550") == carol.index("fileinto")
    assert alice.index("policies") == carol.index("policies")


def test_a_clean_message_in_text(cli: Callable[..., Done]) -> None:
    done = cli("decide", "--config", "site.conf", "clean.eml")
    assert columns(done.lines[1])[:2] == ["yara", "clean"]
    assert done.lines[2] == "  alice@example.com   implicit keep"


def test_several_messages(cli: Callable[..., Done]) -> None:
    done = cli("decide", "--config", "site.conf", "--to", "nobody@example.com", "clean.eml", "eicar.eml")
    assert [line for line in done.lines if not line.startswith(" ")] == [
        "clean.eml   from bob@example.org",
        "eicar.eml   from bob@example.org",
    ]
    rows = cli("decide", "--format", "json", "--config", "site.conf", "clean.eml", "eicar.eml").lines
    assert [json.loads(row)["message"] for row in rows] == ["clean.eml", "eicar.eml"]


ACTIONS = {
    "keep;": ["keep", "s.sieve:1"],
    "discard;": ["discard", "s.sieve:1"],
    'require "fileinto"; fileinto "a b";': ['fileinto "a b"', "s.sieve:1"],
    'redirect "carol@example.com";': ["redirect carol@example.com", "s.sieve:1"],
    'require "reject";\n\nreject "no\nmore";': ["550 5.7.1 no / more", "s.sieve:3"],
    'require ["imap4flags", "fileinto"]; fileinto :flags "\\\\Seen" "x";': ['fileinto "x" with \\Seen', "s.sieve:1"],
    "stop;": ["implicit keep"],
}


@pytest.mark.parametrize("script", ACTIONS)
def test_actions_in_text(cli: Callable[..., Done], here: Path, script: str) -> None:
    (here / "s.sieve").write_text(script)
    done = cli("run", "s.sieve", "clean.eml")
    assert (done.status, done.err) == (0, "")
    assert columns(done.lines[-1]) == ["alice@example.com", *ACTIONS[script]]


def test_a_response_for_all(cli: Callable[..., Done], here: Path) -> None:
    (here / "d.siv").write_text("ec_action 550 text:\nno\nmore\n.\n;")
    (here / "x.conf").write_text('sieve "s" { script "data_phase1" { source = "d.siv" } }')
    done = cli("decide", "--config", "x.conf", *TO, "clean.eml")
    assert columns(done.lines[1]) == ["alice@example.com, carol@example.com", "550 5.7.1 no / more", "d.siv:1"]
    (here / "y.conf").write_text('yara {} antivirus "a" { yara "y" { action = "reject" } }')
    done = cli("decide", "--config", "y.conf", "eicar.eml")
    assert columns(done.lines[2])[2] == "the engine's action"
    assert "Eicar" not in done.lines[2]


def test_a_fault_in_text(cli: Callable[..., Done], here: Path) -> None:
    (here / "s.sieve").write_text('require "reject";\nkeep; reject "x";')
    done = cli("run", "s.sieve", "clean.eml")
    assert done.status == 1
    assert columns(done.lines[1]) == ["alice@example.com", "implicit keep"]
    assert columns(done.lines[2]) == ["fault: reject conflicts with keep", "s.sieve:2"]
    done = cli("run", "--format", "json", "s.sieve", "clean.eml")
    assert done.status == 1
    assert done.json["recipients"][0]["fault"] == "s.sieve:2: reject conflicts with keep"


def test_a_script_that_is_tried_has_answered_nobody_before(cli: Callable[..., Done], here: Path) -> None:
    """`run` has no memory, and shows what a script does with a first message; an answer that is withheld is no action."""
    (here / "s.sieve").write_text('require "vacation";\nvacation "away";')
    (one,) = cli("run", "--format", "json", "s.sieve", "clean.eml").json["recipients"]
    assert [action["action"] for action in one["actions"]] == ["vacation", "keep"]
    assert one["actions"][0]["address"] == "bob@example.org"
    (one,) = cli("run", "--from", "", "--format", "json", "s.sieve", "clean.eml").json["recipients"]
    assert [action["action"] for action in one["actions"]] == ["keep"]


def test_what_a_script_has_to_say_beside_its_actions(cli: Callable[..., Done], here: Path) -> None:
    (here / "s.sieve").write_text('require ["reject", "vacation"];\nvacation "away";\nkeep;')
    done = cli("run", "--from", "", "s.sieve", "clean.eml")
    assert done.status == 0
    assert columns(done.lines[1])[:2] == ["alice@example.com", "keep"]
    said, where = columns(done.lines[2])
    assert said.startswith("advice: vacation withheld: ")
    assert where == "s.sieve:2"
    (one,) = cli("run", "--from", "", "--format", "json", "s.sieve", "clean.eml").json["recipients"]
    (note,) = one["notes"]
    assert (note["severity"], f"advice: {note['text']}") == ("advice", said)
    assert note["at"] == {"path": "s.sieve", "line": 2, "column": 1}
    (here / "s.sieve").write_text('require "reject";\nkeep; reject "x";')
    (one,) = cli("run", "--format", "json", "s.sieve", "clean.eml").json["recipients"]
    assert one["fault"] == "s.sieve:2: reject conflicts with keep"
    assert one["notes"] == []  # the fault is told once


def test_a_policys_fault_in_text(cli: Callable[..., Done], here: Path) -> None:
    (here / "d.siv").write_text('keep; ereject "x";')
    (here / "x.conf").write_text('sieve "s" { script "data_phase1" { source = "d.siv" } }')
    done = cli("decide", "--config", "x.conf", "clean.eml")
    assert done.status == 1
    assert columns(done.lines[1]) == ["fault: ereject conflicts with keep", "d.siv:1"]
    assert columns(done.lines[2])[1].startswith("451 4.3.0 ")
    done = cli("decide", "--config", "x.conf", "--format", "json", "clean.eml")
    assert done.json["fault"] == "d.siv:1: ereject conflicts with keep"
    assert done.json["smtp"]["code"] == 451


def test_an_action_that_nobody_has_heard_of(
    cli: Callable[..., Done], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = Action("odd", (), cancels_keep=False, details={"why": "because"})
    settled = Outcome.with_implicit_keep
    monkeypatch.setattr(Outcome, "with_implicit_keep", lambda self: settled(Outcome(actions=(odd,), keep=self.keep)))
    assert columns(cli("run", "keep.sieve", "clean.eml").lines[1]) == ["alice@example.com", "odd"]
    actions = cli("run", "--format", "json", "keep.sieve", "clean.eml").json["recipients"][0]["actions"]
    assert actions[0] == {"action": "odd", "why": "because"}
    assert here


def test_what_the_engines_action_refuses(cli: Callable[..., Done], here: Path) -> None:
    """Asked by a recipient's script, or by itself: the place says that no line decided."""
    (here / "policies/alice.sieve").write_text('require "antivirus"; yara_avscan;')
    for enabled, who in (
        ("false", ["alice@example.com", "carol@example.com"]),
        ("true", ["alice@example.com, carol@example.com"]),
    ):
        (here / "site.conf").write_text(SITE.replace("enabled = false", f"enabled = {enabled} action = reject"))
        lines = cli("decide", "--config", "site.conf", *TO, "eicar.eml").lines
        refused = [line for line in lines if "550 5.7.1" in line]
        assert [re.split(" {3,}", line.strip())[0] for line in refused] == who
        assert all(line.endswith("the engine's action") for line in refused)


def test_explain_for_machines(cli: Callable[..., Done]) -> None:
    done = cli("explain", "--format", "json", "stop")
    assert done.json["name"] == "stop"
    assert done.json["lines"] == cli("explain", "stop").lines


def test_colours_on_a_terminal_only(cli: Callable[..., Done], monkeypatch: pytest.MonkeyPatch) -> None:
    command = ["decide", "--trace", "--config", "site.conf", *TO, "eicar.eml"]
    plain = cli(*command).out
    monkeypatch.setattr("sieveav.frontends.showing.sys.stdout.isatty", lambda: True)
    coloured = cli(*command).out
    assert "\x1b[31m" in coloured
    stripped = re.sub("\x1b" + r"\[\d+m", "", coloured)
    assert [line.split()[:2] for line in stripped.splitlines()] == [line.split()[:2] for line in plain.splitlines()]
    assert "\x1b" not in cli(*command, "--format", "json").out


# ---- decide and run, for machines


def test_decide_in_json(cli: Callable[..., Done]) -> None:
    """The shape that programs rely on, to the letter."""
    done = cli("decide", "--format", "json", "--config", "site.conf", *TO, "eicar.eml")
    assert (done.status, done.err) == (0, "")
    assert len(done.lines) == 1
    found = done.json
    (engine,) = found["engines"]
    assert isinstance(engine.pop("ms"), float)
    assert isinstance(engine.pop("version"), str)
    context = {
        "yara_status": "virus",
        "yara_status_info": "Eicar_Test_File",
        "yara_status_class": "infected",
        "yara_info": "Eicar_Test_File",
    }
    assert found == {
        "message": "eicar.eml",
        "smtp": None,
        "context": {},
        "engines": [{"engine": "yara", "status": "infected", "info": "Eicar_Test_File", "code": None}],
        "recipients": [
            {
                "recipient": "alice@example.com",
                "smtp": {"code": 550, "enhanced": "5.7.1", "text": "held: Eicar_Test_File"},
                "context": context,
                "actions": [],
                "fault": None,
                "notes": [],
            },
            {
                "recipient": "carol@example.com",
                "smtp": None,
                "context": context,
                "actions": [
                    {
                        "action": "fileinto",
                        "mailbox": "Junk",
                        "flags": [],
                        "at": {"path": "policies/carol.sieve", "line": 7, "column": 5},
                    }
                ],
                "fault": None,
                "notes": [],
            },
        ],
    }


def test_an_implicit_keep_and_a_response_for_all_in_json(cli: Callable[..., Done], here: Path) -> None:
    (one,) = cli("run", "--format", "json", "/dev/null", "clean.eml").json["recipients"]
    assert one["actions"] == [{"action": "keep", "flags": [], "implicit": True}]
    (here / "y.conf").write_text('yara {} antivirus "a" { yara "y" { action = "reject" } }')
    found = cli("decide", "--config", "y.conf", "--format", "json", *TO, "eicar.eml").json
    assert (found["smtp"]["code"], found["smtp"]["enhanced"]) == (550, "5.7.1")
    assert set(found["smtp"]) == {"code", "enhanced", "text"}
    assert found["context"]["yara_status"] == "virus"
    for one in found["recipients"]:
        assert (one["smtp"], one["actions"], one["context"], one["fault"]) == (None, [], {}, None)


def test_run_needs_no_configuration_and_no_engine_is_asked_unless_by_the_script(cli: Callable[..., Done]) -> None:
    assert cli("run", "--format", "json", "keep.sieve", "eicar.eml").json["engines"] == []
    (engine,) = cli("run", "--format", "json", "policies/carol.sieve", "eicar.eml").json["engines"]
    assert (engine["engine"], engine["status"]) == ("yara", "infected")


def test_run_with_a_configuration_takes_the_users_place(cli: Callable[..., Done]) -> None:
    found = cli("run", "--config", "site.conf", "--format", "json", *TO, "keep.sieve", "eicar.eml").json
    assert [one["actions"][0]["action"] for one in found["recipients"]] == ["keep", "keep"]


# ---- the envelope


def envelope(done: Done) -> tuple[str, list[str]]:
    return done.lines[0].partition("   from ")[2], [one.split()[0] for one in done.lines[1:]]


@pytest.mark.parametrize(
    ("head", "sender", "recipient"),
    [
        (
            "Return-Path: <r@x.org>\nSender: s@x.org\nFrom: f@x.org\nEnvelope-To: e@x.org\nTo: t@x.org",
            "r@x.org",
            "e@x.org",
        ),
        ("Sender: s@x.org\nFrom: f@x.org\nTo: t@x.org", "s@x.org", "t@x.org"),
        ("From: A <f@x.org>, b@x.org\nTo: none, T <t@x.org>, u@x.org", "f@x.org", "t@x.org"),
        ("Return-Path: <>\nFrom: f@x.org", "<>", "recipient@example.com"),
        ("Subject: x", "sender@example.com", "recipient@example.com"),
        ("From: nobody\nTo: undisclosed-recipients:;", "sender@example.com", "recipient@example.com"),
        ("Return-Path: nonsense\nFrom: f@x.org", "f@x.org", "recipient@example.com"),
    ],
)
def test_the_envelope_of_the_message(cli: Callable[..., Done], head: str, sender: str, recipient: str) -> None:
    """SIEVE 3."""
    done = cli("run", "keep.sieve", "-", stdin=head.encode() + b"\n\n")
    assert envelope(done) == (sender, [recipient])


@pytest.mark.parametrize(
    ("given", "sender"),
    [("", "<>"), ("<>", "<>"), (" ", "<>"), ("a@b.org", "a@b.org"), ("<a@b.org>", "a@b.org")],
)
def test_from(cli: Callable[..., Done], here: Path, given: str, sender: str) -> None:
    done = cli("run", "--from", given, "keep.sieve", "clean.eml")
    assert envelope(done) == (sender, ["alice@example.com"])
    (here / "null.sieve").write_text('require "envelope"; if envelope "from" "" { discard; }')
    (one,) = cli("run", "--format", "json", "--from", given, "null.sieve", "clean.eml").json["recipients"]
    assert one["actions"][0]["action"] == ("discard" if sender == "<>" else "keep")


def test_to_each_once(cli: Callable[..., Done]) -> None:
    done = cli("run", "--to", "a@x.org", "--to", "<b@x.org>", "--to", "a@x.org", "keep.sieve", "clean.eml")
    assert envelope(done) == ("bob@example.org", ["a@x.org", "b@x.org"])


def test_set_and_mailbox(cli: Callable[..., Done], here: Path) -> None:
    (here / "s.sieve").write_text(
        'require ["vctx", "mailbox", "fileinto"];'
        'if allof (vctx "a" "b=c", vctx "e" "", mailboxexists ["Junk", "inbox", "INBOX"]) { fileinto "Junk"; }'
    )
    options = ["--set", "a=b=c", "--set", "e="]
    done = cli("run", *options, "--mailbox", "Junk", "s.sieve", "clean.eml")
    assert 'fileinto "Junk"' in done.out
    assert "implicit keep" in cli("run", *options, "s.sieve", "clean.eml").out
    found = cli("run", "--format", "json", *options, "s.sieve", "clean.eml").json
    assert found["context"] == {"a": "b=c", "e": ""}


# ---- trace


def test_trace(cli: Callable[..., Done]) -> None:
    plain = cli("decide", "--config", "site.conf", *TO, "eicar.eml")
    done = cli("decide", "--trace", "--config", "site.conf", *TO, "eicar.eml")
    steps = [line for line in done.lines if line.startswith("      ")]
    assert [line for line in done.lines if line not in steps][2:] == plain.lines[2:]
    assert steps[0].split(maxsplit=1) == [
        "policies/alice.sieve:3",
        "scan the message by all: yara: infected (Eicar_Test_File)",
    ]
    assert any("antivirus: holds" in step for step in steps)
    found = cli("decide", "--trace", "--format", "json", "--config", "site.conf", *TO, "eicar.eml").json
    assert found["trace"] == []
    first = found["recipients"][0]["trace"][0]
    assert first == {
        "at": {"path": "policies/alice.sieve", "line": 3, "column": 1},
        "what": "scan the message by all",
        "result": "yara: infected (Eicar_Test_File)",
    }


def test_a_recipient_without_a_script_is_said_in_the_trace(cli: Callable[..., Done]) -> None:
    done = cli("decide", "--trace", "--config", "site.conf", "--to", "nobody@x.org", "clean.eml")
    assert done.lines[-1].split() == ["no", "script:", "implicit", "keep"]


# ---- standard input


def test_dash(cli: Callable[..., Done], here: Path) -> None:
    infected = (here / "eicar.eml").read_bytes()
    assert cli("run", "-", "eicar.eml", stdin=b"discard;").lines[-1].split()[1] == "discard"
    assert cli("run", "keep.sieve", "-", stdin=infected).lines[0] == "-   from bob@example.org"
    assert cli("scan", "-", stdin=infected).status == 1
    assert cli("decide", "--config", "site.conf", "-", stdin=infected).lines[2].split()[1] == "550"
    assert cli("lint", "-", stdin=b"kep;").lines[0].startswith("-:1:1: error: ")
    assert cli("check-config", "-", stdin=b"nonsense {}").lines[0].startswith("-:1:1: error: ")
    assert cli("check-config", "-", stdin=SITE.encode()) == Done(0, "", "")


# ---- wrong use, and what cannot be read

WRONG = [
    [],
    ["nonsense"],
    ["run"],
    ["run", "keep.sieve"],
    ["run", "--nonsense", "keep.sieve", "clean.eml"],
    ["run", "--format", "xml", "keep.sieve", "clean.eml"],
    ["run", "missing.sieve", "clean.eml"],
    ["run", "keep.sieve", "missing.eml"],
    ["run", "keep.sieve", "clean.eml", "missing.eml"],
    ["run", ".", "clean.eml"],
    ["run", "keep.sieve", "."],
    ["run", "--config", "missing.conf", "keep.sieve", "clean.eml"],
    ["run", "--config", ".", "keep.sieve", "clean.eml"],
    ["run", "--to", "", "keep.sieve", "clean.eml"],
    ["run", "--to", "nobody", "keep.sieve", "clean.eml"],
    ["run", "--to", "a@b@c", "keep.sieve", "clean.eml"],
    ["run", "--to", "a b@c", "keep.sieve", "clean.eml"],
    ["run", "--to", "a@x.org\r\nRCPT TO:<b@x.org>", "keep.sieve", "clean.eml"],
    ["run", "--from", "nobody", "keep.sieve", "clean.eml"],
    ["run", "--set", "x", "keep.sieve", "clean.eml"],
    ["run", "--set", "=x", "keep.sieve", "clean.eml"],
    ["run", "-", "-"],
    ["run", "keep.sieve", "-", "-"],
    ["decide", "clean.eml"],
    ["decide", "--config", "site.conf"],
    ["decide", "--config", "missing.conf", "clean.eml"],
    ["decide", "--config", "site.conf", "missing.eml"],
    ["scan"],
    ["scan", "missing.eml"],
    ["scan", "clean.eml", "missing.eml"],
    ["scan", "--engine", "nod32", "clean.eml"],
    ["lint"],
    ["lint", "missing.sieve"],
    ["lint", "policies/alice.sieve", "missing.sieve"],
    ["lint", "-", "-"],
    ["lint", "--phase", "nonsense", "keep.sieve"],
    ["lint", "--fail-on", "nonsense", "keep.sieve"],
    ["check-config"],
    ["check-config", "missing.conf"],
    ["check-config", "."],
    ["explain"],
    ["explain", "nonsense"],
    ["explain", "\x1b[31m"],
]


@pytest.mark.parametrize("arguments", WRONG, ids=" ".join)
def test_wrong_use(cli: Callable[..., Done], arguments: Sequence[str]) -> None:
    for extra in ([], ["--format", "json"]) if arguments and arguments[0] not in ("explain", "nonsense") else ([],):
        done = cli(*arguments, *extra)
        assert (done.status, done.out) == (2, "")
        assert done.err.startswith("sieveav: ")
        assert len(done.err.splitlines()) == 1
        assert done.err.rstrip("\n").isprintable()
        assert "fault of our own" not in done.err


def test_what_cannot_be_read_is_named(cli: Callable[..., Done]) -> None:
    assert cli("run", "keep.sieve", "missing.eml").err == "sieveav: missing.eml: No such file or directory\n"
    assert cli("run", "keep.sieve", ".").err == "sieveav: .: Is a directory\n"
    assert "--to" in cli("run", "--to", "x", "keep.sieve", "clean.eml").err
    assert '"x"' in cli("run", "--set", "x", "keep.sieve", "clean.eml").err
    assert "yara" in cli("scan", "--engine", "nod32", "clean.eml").err
    assert 'did you mean "fileinto"?' in cli("explain", "filinto").err


def test_unreadable(cli: Callable[..., Done], here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "clean.eml").chmod(0)
    if os.geteuid() == 0:  # root can read everything

        def refuse(path: Path, *_: object) -> None:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

        monkeypatch.setattr(Path, "open", refuse)
        (here / "keep.sieve").touch()
        assert cli("scan", "clean.eml").err == "sieveav: clean.eml: Permission denied\n"
        return
    assert cli("run", "keep.sieve", "clean.eml").err == "sieveav: clean.eml: Permission denied\n"


def test_a_name_with_control_characters(cli: Callable[..., Done], here: Path) -> None:
    name = "a\x1b[31m\nb.eml"
    (here / name).write_bytes(HEAD)
    done = cli("run", "keep.sieve", name)
    assert done.lines[0] == "a?[31m?b.eml   from bob@example.org"
    assert cli("scan", name).lines[0] == "a?[31m?b.eml"
    assert cli("run", "--format", "json", "keep.sieve", name).json["message"] == name
    assert cli("lint", "missing\x1b\n").err == "sieveav: missing??: No such file or directory\n"


# ---- a script that does not check

BAD = 'require "filinto";\nkep;\nfileinto "x";\nif header :index 1 "a" "b" { keep; }\n'


@pytest.mark.parametrize("command", ["run", "decide"])
def test_a_script_that_does_not_check(cli: Callable[..., Done], here: Path, command: str) -> None:
    (here / "bad.sieve").write_text(BAD)
    (here / "bad.conf").write_text('users { before = "bad.sieve" after = "bad.sieve" }')
    what = ["run", "bad.sieve"] if command == "run" else ["decide", "--config", "bad.conf"]
    done = cli(*what, "clean.eml")
    assert (done.status, done.err) == (1, "")
    heads = [line for line in done.lines if not line.startswith(" ")]
    assert [head.partition("[")[2] for head in heads[:4]] == [
        "require-unknown]",
        "word-unknown]",
        "word-unknown]",
        "tag-unknown]",
    ]
    assert all(re.match(r"(?:.*/)?bad\.sieve:[1-4]:\d+: error: ", head) for head in heads)
    done = cli(*what, "--format", "json", "clean.eml")
    assert (done.status, len(done.lines)) == (1, 1)
    assert list(done.json) == ["problems"]
    assert [problem["line"] for problem in done.json["problems"][:4]] == [1, 2, 3, 4]
    assert set(done.json["problems"][0]) == KEYS


def test_warnings_do_not_hinder(cli: Callable[..., Done], here: Path) -> None:
    (here / "w.sieve").write_text('require "antivirus"; if antivirus "virus" { discard; }')
    done = cli("run", "w.sieve", "clean.eml")
    assert done.status == 0
    assert "implicit keep" in done.out


def test_a_user_script_that_does_not_check_keeps(cli: Callable[..., Done], here: Path) -> None:
    (here / "policies/alice.sieve").write_text(BAD)
    done = cli("decide", "--config", "site.conf", *TO, "eicar.eml")
    assert done.status == 1
    assert columns(done.lines[2])[1] == "implicit keep"
    assert "the script does not check" in done.lines[3]
    assert columns(done.lines[4])[1] == 'fileinto "Junk"'


@pytest.mark.parametrize("size", [SCRIPT_SIZE + 1, SCRIPT_SIZE + 2, 3 * SCRIPT_SIZE])
@pytest.mark.parametrize("name", ["large.sieve", "-"])
def test_a_script_that_is_too_large(cli: Callable[..., Done], here: Path, size: int, name: str) -> None:
    (here / "large.sieve").write_bytes(b"#" * size)
    for command in (["run", name, "clean.eml"], ["lint", name]):
        done = cli(*command, stdin=b"#" * size)
        assert (done.status, done.err) == (1, "")
        assert len([line for line in done.lines if not line.startswith(" ")]) == 1


@pytest.mark.parametrize(
    "command",
    [["run", "keep.sieve", "clean.eml"], ["decide", "clean.eml"], ["scan", "clean.eml"], ["lint", "keep.sieve"]],
)
def test_a_configuration_that_is_refused(cli: Callable[..., Done], here: Path, command: list[str]) -> None:
    (here / "bad.conf").write_text("nonsense {}\nyara { rulez = 1 }\n")
    done = cli(*command, "--config", "bad.conf")
    assert (done.status, done.err) == (1, "")
    heads = [line for line in done.lines if not line.startswith(" ")]
    assert [head.partition(": error")[0] for head in heads if ": error" in head] == ["bad.conf:1:1", "bad.conf:2:8"]
    assert len(cli(*command, "--config", "bad.conf", "--format", "json").json["problems"]) == len(heads)


# ---- scan


def test_scan(cli: Callable[..., Done]) -> None:
    done = cli("scan", "clean.eml")
    assert (done.status, done.err, done.lines[0]) == (0, "", "clean.eml")
    assert columns(done.lines[1])[:2] == ["yara", "clean"]
    done = cli("scan", "clean.eml", "eicar.eml")
    assert done.status == 1
    assert columns(done.lines[3])[:3] == ["yara", "infected", "Eicar_Test_File"]
    done = cli("scan", "--format", "json", "--engine", "yara", "eicar.eml")
    assert done.status == 1
    assert done.json["message"] == "eicar.eml"
    (engine,) = done.json["engines"]
    assert set(engine) == {"engine", "status", "info", "code", "version", "ms"}
    assert (engine["engine"], engine["status"]) == ("yara", "infected")


def test_scan_asks_passive_engines_and_those_of_the_site(cli: Callable[..., Done], here: Path) -> None:
    (here / "two.conf").write_text(
        'yara {} antivirus "a" { yara "y1" { enabled = off } yara "y2" { enabled = off context_variable = "v" } }'
    )
    done = cli("scan", "--config", "two.conf", "clean.eml")
    assert [columns(line)[0] for line in done.lines[1:]] == ["yara", "y2"]
    assert [
        columns(line)[0] for line in cli("scan", "--config", "two.conf", "--engine", "y2", "clean.eml").lines[1:]
    ] == ["y2"]


# ---- lint

KEYS = {"path", "line", "column", "end_line", "end_column", "rule", "severity", "message", "hint"}


def test_lint_in_text(cli: Callable[..., Done], here: Path) -> None:
    (here / "site.sieve").write_text('require "fileinto";\n\n\nif header :index 1 "a" "b" { keep; }\n')
    done = cli("lint", "site.sieve")
    assert (done.status, done.err) == (1, "")
    assert done.lines == [
        "site.sieve:4:11: error: header takes no :index [tag-unknown]",
        '   4 | if header :index 1 "a" "b" { keep; }',
        "     |           ^^^^^^",
        '     = write: require "index";',
    ]


def test_lint_in_json_counts_code_points(cli: Callable[..., Done], here: Path) -> None:
    (here / "u.sieve").write_text('require "fileinto"; fileinto "\U0001f600\u00e9"; kep;\r\nkeep\r\n', newline="")
    done = cli("lint", "--format", "json", "u.sieve")
    assert (done.status, len(done.lines)) == (1, 1)
    assert [set(problem) for problem in done.json] == [KEYS] * len(done.json)
    first = done.json[0]
    assert (first["path"], first["line"], first["column"]) == ("u.sieve", 1, 36)
    assert (first["end_line"], first["end_column"]) == (1, 39)
    assert (first["rule"], first["severity"], first["hint"]) == ("word-unknown", "error", 'did you mean "keep"?')
    assert (done.json[1]["rule"], done.json[1]["line"]) == ("semicolon-missing", 2)


def test_lint_of_nothing_wrong(cli: Callable[..., Done]) -> None:
    assert cli("lint", "keep.sieve", "policies") == Done(0, "", "")
    assert cli("lint", "--format", "json", "keep.sieve", "policies") == Done(0, "[]\n", "")


def test_lint_searches_directories(cli: Callable[..., Done], here: Path) -> None:
    for name in ("b.sieve", "a/c.siv", "a/d.sieve", "a/e.txt", ".f.sieve", "g.conf"):
        (here / "d" / name).parent.mkdir(parents=True, exist_ok=True)
        (here / "d" / name).write_text("kep;")
    found = cli("lint", "--format", "json", "d").json
    assert [problem["path"] for problem in found] == ["d/.f.sieve", "d/a/c.siv", "d/a/d.sieve", "d/b.sieve"]
    assert [problem["path"] for problem in cli("lint", "--format", "json", "d/a/e.txt", "d/b.sieve").json] == [
        "d/a/e.txt",
        "d/b.sieve",
    ]


LEVELS = {
    "error": "kep;",
    "warning": 'require "antivirus"; if antivirus "virus" { stop; }',
    "advice": 'redirect "root@localhost";',
}


@pytest.mark.parametrize("worst", LEVELS)
@pytest.mark.parametrize("fail_on", LEVELS)
def test_fail_on(cli: Callable[..., Done], here: Path, worst: str, fail_on: str) -> None:
    (here / "l.sieve").write_text(LEVELS[worst])
    done = cli("lint", "--fail-on", fail_on, "--format", "json", "l.sieve")
    assert [problem["severity"] for problem in done.json] == [worst]
    assert done.status == int(list(LEVELS).index(worst) <= list(LEVELS).index(fail_on))
    assert cli("lint", "l.sieve").status == int(worst == "error")


def test_lint_knows_all_engines_or_those_of_the_site(cli: Callable[..., Done], here: Path) -> None:
    (here / "e.sieve").write_text('require "antivirus"; clamav_avscan; if antivirus :engine "clamav" "clean" { stop; }')
    assert cli("lint", "e.sieve").status == 0
    found = cli("lint", "--config", "site.conf", "--format", "json", "e.sieve").json
    assert [problem["rule"] for problem in found] == ["word-unknown", "engine-unknown"]


def test_lint_for_a_phase(cli: Callable[..., Done], here: Path) -> None:
    (here / "f.sieve").write_text('require "fileinto"; fileinto "x";')
    assert cli("lint", "f.sieve").status == 0
    (problem,) = cli("lint", "--phase", "data", "--format", "json", "f.sieve").json
    assert problem["rule"] == "wrong-phase"


# ---- check-config


def test_check_config(cli: Callable[..., Done], here: Path) -> None:
    assert cli("check-config", "site.conf") == Done(0, "", "")
    assert cli("check-config", "--format", "json", "site.conf") == Done(0, "[]\n", "")
    (here / "bad.conf").write_text("\nnonsense {}\nyara { rulez = 1 }\nlimits { actions = 0 }\n")
    done = cli("check-config", "bad.conf")
    assert done.status == 1
    heads = [line for line in done.lines if not line.startswith(" ")]
    assert [head.split(": error: ")[0] for head in heads if ": error: " in head] == [
        "bad.conf:2:1",
        "bad.conf:3:8",
        "bad.conf:4:20",
    ]
    found = cli("check-config", "--format", "json", "bad.conf").json
    assert {frozenset(problem) for problem in found} == {frozenset(KEYS)}


def test_check_config_of_policy_scripts(cli: Callable[..., Done], here: Path) -> None:
    (here / "bad.sieve").write_text('require "fileinto";\nfileinto "x"; kep;\n')
    config = """yara {} antivirus "a" { yara "y" { enabled = off error_code = 554 } }
    sieve "s" { script "data_phase1" { source = "bad.sieve" } }
    users { before = "bad.sieve" }"""
    (here / "p.conf").write_text(config)
    done = cli("check-config", "--format", "json", "p.conf")
    assert done.status == 1
    found = [(problem["path"], problem["line"], problem["rule"], problem["severity"]) for problem in done.json]
    assert found == [
        ("p.conf", 1, "bad-value", "warning"),
        ("bad.sieve", 2, "wrong-phase", "error"),
        ("bad.sieve", 2, "word-unknown", "error"),
        ("bad.sieve", 2, "word-unknown", "error"),
    ]
    (here / "bad.sieve").write_text("keep;")
    assert cli("check-config", "p.conf").status == 0  # only a warning


# ---- extensions, engines, explain


def test_extensions(cli: Callable[..., Done]) -> None:
    done = cli("extensions")
    assert done.status == 0
    assert any(line.startswith("fileinto ") for line in done.lines)
    found = cli("extensions", "--format", "json").json
    assert [row["name"] for row in found] == sorted(row["name"] for row in found)
    assert {frozenset(row) for row in found} == {frozenset({"name", "source", "summary"})}
    assert all(row["name"] and row["source"] and row["summary"] for row in found)


def test_engines(cli: Callable[..., Done]) -> None:
    done = cli("engines")
    assert done.status == 0
    assert any(line.startswith("clamav ") for line in done.lines)
    found = cli("engines", "--format", "json").json
    assert [row["name"] for row in found] == list(ENGINES.everything())
    assert all(set(row) == {"name", "summary", "pool", "options"} for row in found)


def names() -> list[str]:
    """Everything that has a name: capabilities, words, tags, choices, engines, their options, settings, stanzas."""
    from sieveav.site.options import forms

    found = set()
    for extension in [base, *Library().everything().values()]:
        found |= {extension.capability} if extension.capability else set()
        found |= set(extension.settings)
        found |= {
            declared.name for declared in extension.declared if declared.seam not in ("reader", "amender", "family")
        }
        found |= {d.name.replace("{}", "clamav") for d in extension.declared if d.seam == "family"}
    for form in forms(ENGINES.everything()).values():
        found |= {form.kind} | {option.name for option in form.options}
    return sorted(found)


def test_explain_explains_everything_that_has_a_name() -> None:
    for name in names():
        for asked in {name, name.upper(), name.removeprefix(":")}:
            lines = explaining.explain(asked)
            assert lines, f"nothing explains {asked}"
            assert len("".join(lines)) > len(name)
            assert all(line.isprintable() for line in lines)
            assert lines[-1]


def test_explain(cli: Callable[..., Done]) -> None:
    done = cli("explain", "virustest")
    assert (done.status, done.err) == (0, "")
    assert done.lines[0] == 'require "virustest";   RFC 5235'
    assert "action: fileinto <mailbox: string>" in cli("explain", "fileinto").out
    assert ":days <number: number>" in cli("explain", "vacation").out
    assert "clamav_avscan" not in cli("explain", "yara_avscan").out
    assert "engine clamav" in cli("explain", "clamav").out
    assert "error_code" in cli("explain", "error_code").out
    assert "require" not in cli("explain", "keep").out


# ---- help and version


def test_help_and_version(cli: Callable[..., Done], capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--help"], ["run", "--help"], ["--version"]):
        with pytest.raises(SystemExit) as exit_:
            cli(*arguments)
        assert exit_.value.code == 0
    assert capsys.readouterr().out == f"sieveav {__version__}\n"


# ---- strangers' text


HOSTILE = (
    b'From: "\x1b[31mred\x07"@x.org\nReturn-Path: <"a\x1bb"@x.org>\nTo: "\x1b]0;t\x07"@x.org\n'
    b"Subject: \x1b[2J\xff\xfe \xe2\x80\xae =?utf-8?q?=1B=5B2J=00=0D=0Ax?=\n\n\x1b[31m\n"
)


def test_no_control_characters_of_a_message_reach_text(cli: Callable[..., Done], here: Path) -> None:
    (here / "hostile.eml").write_bytes(HOSTILE)
    script = """require ["variables", "fileinto", "reject", "vctx", "imap4flags", "envelope"];
    if header :matches "subject" "*" { set "s" "${1}"; }
    if envelope :matches "to" "*" { set "t" "${1}"; }
    vctx_mess_set "s" "${s}";
    addflag "${s}";
    if vctx_mess :is "mode" "reject" { reject "${s}"; stop; }
    if vctx_mess :is "mode" "redirect" { redirect "${t}"; stop; }
    fileinto "${s}";"""
    (here / "h.sieve").write_text(script)
    for mode in ("reject", "redirect", "fileinto"):
        for extra in ([], ["--trace"]):
            done = cli("run", *extra, "--set", f"mode={mode}", "h.sieve", "hostile.eml")
            assert done.err == ""
            for line in done.lines:
                assert line.isprintable(), (mode, line)
            found = cli("run", "--format", "json", *extra, "--set", f"mode={mode}", "h.sieve", "hostile.eml")
            assert found.json["message"] == "hostile.eml"
            assert found.out.isascii()


def test_no_control_characters_of_a_script_reach_text(cli: Callable[..., Done], here: Path) -> None:
    bad = (
        'kep\x1b; require "\x1b[31m\u202e"; fileinto :\x1b "x"; if header ["\x07:"] "x" { stop; } redirect "\x1b\x00";'
    )
    (here / "b.sieve").write_text(bad)
    done = cli("lint", "b.sieve")
    assert done.status == 1
    for line in done.lines:
        assert line.replace("\t", "").isprintable(), line
    assert cli("lint", "--format", "json", "b.sieve").out.isascii()


def test_bytes_that_are_no_utf_8(cli: Callable[..., Done], here: Path) -> None:
    (here / "b.sieve").write_bytes(b'kep "\xff\xfe";')
    assert cli("lint", "b.sieve").out.isprintable() is False  # newlines, and nothing else
    assert all(line.isprintable() for line in cli("lint", "b.sieve").lines)
    assert cli("lint", "--format", "json", "b.sieve").json


# ---- any octets at all

ODD = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.lists(
        st.sampled_from(
            [b"keep", b";", b"if ", b"{", b"}", b'"a"', b" ", b"require", b'["vctx","variables"]', b"header", b":is",
             b"not ", b"text:\n", b".\n", b"/*", b"*/", b"#", b"1K", b"(", b")", b",", b"\x00", b"\xff", b"${", b"antivirus",
             b"yara", b"=", b"sieve", b"users", b"scripts", b"true", b"\r\n", b'antivirus "a"', b"To: ", b"@", b"<", b":"]
        ),
        max_size=30,
    ).map(b"".join),
)  # fmt: skip


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("any")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(script=ODD, message=ODD, config=ODD, json_=st.booleans())
@example(b"keep;", b'To: "\xff"@x\n', b'users { scripts = "\x00" }', True)
@example(b'require "vctx"; vctx_mess_set "\xff" "x";', b"", b"\xff", True)
@example(b"\xef\xbb\xbfkeep;", b"\n", b"\xef\xbb\xbfyara {}", False)
def test_any_octets(
    scratch: Path, capsys: pytest.CaptureFixture[str], script: bytes, message: bytes, config: bytes, json_: bool
) -> None:
    """Never a traceback, never a fault of our own; JSON is JSON."""
    for name, octets in (("s.sieve", script), ("m.eml", message), ("c.conf", config)):
        (scratch / name).write_bytes(octets)
    s, m, c = (str(scratch / name) for name in ("s.sieve", "m.eml", "c.conf"))
    for command in (
        ["run", "--trace", s, m],
        ["run", "--config", c, s, m],
        ["decide", "--config", c, m],
        ["scan", m],
        ["lint", s],
        ["check-config", c],
    ):
        capsys.readouterr()
        status = main([*command, *(["--format", "json"] if json_ else [])])
        done = capsys.readouterr()
        assert status in (0, 1), (command, done.err)
        assert "--config" in command or done.err == ""  # else the warnings of a configuration
        assert all(line.replace("\t", "").isprintable() for line in done.err.split("\n"))
        if json_:
            for line in done.out.splitlines():
                json.loads(line)
        else:
            assert all(line.replace("\t", "").isprintable() for line in done.out.split("\n"))


# ---- real processes


def process(*arguments: str, cwd: Path, **more: Any) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "sieveav", *arguments]
    return subprocess.run(command, capture_output=True, timeout=60, check=False, cwd=cwd, **more)


def test_a_real_process(here: Path) -> None:
    done = process("decide", "--config", "site.conf", *TO, "eicar.eml", cwd=here)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\x1b" not in done.stdout  # no terminal, no colour
    assert b"550 5.7.1 held: Eicar_Test_File" in done.stdout
    assert process("run", "keep.sieve", "missing.eml", cwd=here).returncode == 2
    assert process("lint", "-", cwd=here, input=b"kep;").returncode == 1
    discarded = process("run", "-", "clean.eml", cwd=here, input=b"discard;")
    assert discarded.stdout.endswith(b"  alice@example.com   discard   -:1\n")


def test_a_terminal_that_knows_only_ascii(here: Path) -> None:
    (here / "u.sieve").write_text('require "fileinto"; fileinto "\u00dcmlaut";')
    done = process("run", "u.sieve", "clean.eml", cwd=here, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0
    assert rb'fileinto "\xdcmlaut"' in done.stdout


def test_streams_that_are_closed_from_the_beginning(here: Path) -> None:
    for redirection, status, err in (
        ("<&-", 2, "sieveav: standard input is closed\n"),
        (">&- <clean.eml", 0, ""),
        ("2>&- <clean.eml", 0, ""),
    ):
        command = f"{sys.executable} -m sieveav run keep.sieve - {redirection}"
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60, check=False, cwd=here)
        assert (done.returncode, done.stderr) == (status, err)


@pytest.mark.parametrize("command", [["extensions"], ["engines", "--format", "json"], ["explain", "fileinto"]])
def test_a_broken_pipe(here: Path, command: list[str]) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "sieveav", *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=here
    ) as running:
        assert running.stdout
        assert running.stderr
        running.stdout.close()
        err = running.stderr.read()
    assert (running.returncode, err) == (0, b"")


def test_a_fault_of_our_own_is_one_line_and_its_own_status(
    cli: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    from sieveav.frontends import commands

    def fail(given: object) -> int:  # noqa: ARG001
        raise RuntimeError("oh\nno")

    monkeypatch.setitem(commands.COMMANDS, "extensions", fail)
    done = cli("extensions")
    assert (done.status, done.out) == (70, "")
    assert done.err == "sieveav: a fault of our own: RuntimeError: oh?no (--debug shows where)\n"
    with pytest.raises(RuntimeError):
        cli("extensions", "--debug")


def test_what_an_earlier_script_did_is_shown_beside_a_later_refusal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """RFC 5429, 2.4: the archive of a site gets what the user refuses."""
    (tmp_path / "before.sieve").write_text('require ["fileinto", "copy"]; fileinto :copy "Archive";')
    (tmp_path / "alice.sieve").write_text('require "reject"; reject "no bills, please";')
    (tmp_path / "site.conf").write_text('users { before = "before.sieve"  scripts = "%n.sieve" }')
    (tmp_path / "a.eml").write_text("From: bob@example.org\nSubject: x\n\n")
    arguments = ["--config", str(tmp_path / "site.conf"), "--to", "alice@example.com", str(tmp_path / "a.eml")]
    assert main(["decide", *arguments]) == 0
    head, refused, archived = capsys.readouterr().out.splitlines()
    assert head.endswith("from bob@example.org")
    assert refused.split()[:7] == [
        "alice@example.com",
        "550",
        "5.7.1",
        "no",
        "bills,",
        "please",
        f"{tmp_path}/alice.sieve:1",
    ]
    assert archived.split() == ["fileinto", '"Archive"', f"{tmp_path}/before.sieve:1"]


@pytest.mark.parametrize(
    "command", [["run", "s.sieve", "m.eml"], ["decide", "m.eml"], ["scan", "m.eml"], ["lint", "s.sieve"]]
)
def test_warnings_of_the_configuration_are_shown(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On standard error: they are no part of what the command reports."""
    monkeypatch.chdir(tmp_path)
    Path("s.sieve").write_text("keep;")
    Path("m.eml").write_text("Subject: x\n\n")
    Path("c.conf").write_text('clamav {} yara {} antivirus "a" { yara "y" { enabled = false } }')
    assert main([*command, "--config", "c.conf"]) == 0
    done = capsys.readouterr()
    assert done.err.splitlines()[0] == "c.conf:1:1: warning: clamav is never used [engine-unused]"
    assert "never used" not in done.out


@pytest.mark.parametrize("command", [["check-config", "c.conf"], ["lint", "--config", "c.conf", "before.sieve"]])
def test_what_scripts_name_and_the_site_does_not_have(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A warning: the script is there when it runs, or it is a run-time error then."""
    monkeypatch.chdir(tmp_path)
    Path("shared").mkdir()
    Path("shared/there.sieve").write_text("keep;")
    Path("family.txt").write_text("a@example.com\n")
    Path("before.sieve").write_text(
        'require ["include", "extlists"];\n'
        'include :global "there"; include :global "gone"; include :global :optional "perhaps"; include "personal";\n'
        'if header :list "from" ["tag:a,2026:family", "tag:a,2026:friends"] { stop; }\n'
    )
    Path("c.conf").write_text(
        'users { before = "before.sieve"  global = "shared" }  list "tag:a,2026:family" { file = "family.txt" }'
    )
    assert main([*command, "--format", "json"]) == 0
    found = [(p["line"], p["column"], p["rule"], p["message"]) for p in json.loads(capsys.readouterr().out)]
    assert found == [
        (2, 42, "script-missing", 'there is no global script "gone"'),
        (3, 46, "list-missing", 'the site has no list "tag:a,2026:friends"'),
    ]


def test_nothing_scanned_is_not_clean(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of `scan && deliver`, the second must not run because no engine is configured."""
    (tmp_path / "c.conf").write_text("clamav {}")
    (tmp_path / "m.eml").write_text("Subject: x\n\n")
    assert main(["scan", "--config", str(tmp_path / "c.conf"), str(tmp_path / "m.eml")]) == 2
    assert "no engine runs here; nothing was scanned" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["lint", "test"])
def test_a_folder_without_what_is_looked_for(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong path must not make a check in CI green."""
    (tmp_path / "m.eml").write_text("Subject: x\n\n")
    assert main([command, str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith(f"sieveav: {tmp_path}: no ")


def test_a_folder_that_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "a.sieve").write_text("keep;")
    scandir = os.scandir

    def refusing(path: Any) -> Any:
        if str(path).endswith("below"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    assert main(["lint", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"sieveav: {tmp_path}/below: Permission denied\n"


@pytest.mark.parametrize(("variable", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_no_colour_where_none_is_wanted(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert showing.paint("x", "bad") == "\x1b[31mx\x1b[0m"
    monkeypatch.setenv(variable, value)
    assert showing.paint("x", "bad") == "x"
