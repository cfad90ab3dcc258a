"""run and decide: decisions for people and programs, the envelope, traces, standard input, refused scripts."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from support.accepting import Accepted
from support.command_line import HEAD, SITE, TO, Cli, Done, Terminal, columns

from sieveav.frontends import transactions
from sieveav.limits import SCRIPT_SIZE
from sieveav.running.outcome import Action, Outcome
from sieveav.site import deciding
from sieveav.site.site import Site
from sieveav.site.transaction import Decision, Session, Transaction

# ---- for people


def test_decide_in_text(cli: Cli, accepted: Accepted) -> None:
    done = cli("decide", "--config", "site.conf", *TO, "eicar.eml")
    assert (done.status, done.err) == (0, "")
    accepted(done.shown)
    head, engine, alice, carol = done.lines
    assert head == "eicar.eml   from bob@example.org"
    assert re.fullmatch(r"\d+\.\d ms", columns(engine)[3])
    assert columns(alice) == ["alice@example.com", "550 5.7.1 held: Eicar_Test_File", "policies/alice.sieve:4"]
    assert columns(carol) == ["carol@example.com", 'fileinto "Junk"', "policies/carol.sieve:7"]
    assert alice.index("550") == carol.index("fileinto")
    assert alice.index("policies") == carol.index("policies")


def test_a_clean_message_in_text(cli: Cli) -> None:
    done = cli("decide", "--config", "site.conf", "clean.eml")
    assert columns(done.lines[1])[:2] == ["yara", "clean"]
    assert done.lines[2] == "  alice@example.com   implicit keep"


def test_several_messages(cli: Cli) -> None:
    done = cli("decide", "--config", "site.conf", "--to", "nobody@example.com", "clean.eml", "eicar.eml")
    assert done.heads == ["clean.eml   from bob@example.org", "eicar.eml   from bob@example.org"]
    objects = cli("decide", "--format", "json", "--config", "site.conf", "clean.eml", "eicar.eml").objects
    assert [decision["message"] for decision in objects] == ["clean.eml", "eicar.eml"]


@pytest.mark.parametrize("command", [["run", "keep.sieve"], ["decide", "--config", "site.conf"]])
def test_a_message_that_cannot_be_read_does_not_stop_the_others(cli: Cli, command: list[str]) -> None:
    done = cli(*command, "clean.eml", "missing.eml", "eicar.eml")
    assert done.heads == ["clean.eml   from bob@example.org", "eicar.eml   from bob@example.org"]
    assert (done.status, done.err) == (2, "sieveav: missing.eml: No such file or directory\n")


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
def test_actions_in_text(cli: Cli, here: Path, script: str) -> None:
    (here / "s.sieve").write_text(script)
    done = cli("run", "s.sieve", "clean.eml")
    assert (done.status, done.err) == (0, "")
    assert columns(done.lines[-1]) == ["alice@example.com", *ACTIONS[script]]


def test_a_response_to_everyone(cli: Cli, here: Path) -> None:
    (here / "d.siv").write_text("ec_action 550 text:\nno\nmore\n.\n;")
    (here / "x.conf").write_text('sieve "s" { script "data_phase1" { source = "d.siv" } }')
    done = cli("decide", "--config", "x.conf", *TO, "clean.eml")
    assert columns(done.lines[1]) == ["alice@example.com, carol@example.com", "550 5.7.1 no / more", "d.siv:1"]
    (here / "y.conf").write_text('yara {} antivirus "a" { yara "y" { action = "reject" } }')
    done = cli("decide", "--config", "y.conf", "eicar.eml")
    assert columns(done.lines[2])[2] == "the engine's action"
    assert "Eicar" not in done.lines[2]


def test_a_delay_and_counters(cli: Cli, here: Path, accepted: Accepted) -> None:
    (here / "c.siv").write_text("ec_tarpit 3;")
    (here / "d.siv").write_text('ec_tarpit 5;\nec_inc_counter "policy:seen";')
    (here / "x.conf").write_text(
        'sieve "s" { script "connect_phase1" { source = "c.siv" } script "data_phase1" { source = "d.siv" } }'
    )
    accepted(cli("decide", "--config", "x.conf", *TO, "clean.eml").lines)
    decision = cli.json("decide", "--config", "x.conf", *TO, "clean.eml")
    assert (decision["delay"], decision["counters"]) == (8, ["policy:seen"])
    assert decision["recipients"][0]["actions"][0]["seconds"] == 5


def test_the_end_of_a_connection(cli: Cli, here: Path, accepted: Accepted) -> None:
    (here / "d.siv").write_text('ec_tarpit 5;\nec_disconnect "go away";')
    (here / "x.conf").write_text('sieve "s" { script "mailfrom_phase1" { source = "d.siv" } }')
    accepted(cli("decide", "--config", "x.conf", *TO, "clean.eml").lines)
    smtp = cli.json("decide", "--config", "x.conf", *TO, "clean.eml")["smtp"]
    assert smtp == {"code": 421, "enhanced": "4.7.1", "text": "go away", "delay": 5, "disconnect": True}


def test_a_fault(cli: Cli, here: Path, accepted: Accepted) -> None:
    (here / "s.sieve").write_text('require "reject";\nkeep; reject "x";')
    done = cli("run", "s.sieve", "clean.eml")
    assert done.status == 1
    assert columns(done.lines[1]) == ["alice@example.com", "implicit keep"]
    accepted(done.lines)
    done = cli("run", "--format", "json", "s.sieve", "clean.eml")
    assert done.status == 1
    (recipient,) = done.json["recipients"]
    accepted(recipient["fault"])
    assert recipient["fault"].startswith("s.sieve:2: ")
    assert recipient["notes"] == []  # the fault is reported once


def test_a_script_that_is_tried_has_answered_nobody_before(cli: Cli, here: Path) -> None:
    """`run` has no memory, and shows what a script does with a first message; an answer that is withheld is no action."""
    (here / "s.sieve").write_text('require "vacation";\nvacation "away";')
    (one,) = cli.json("run", "s.sieve", "clean.eml")["recipients"]
    assert [action["action"] for action in one["actions"]] == ["vacation", "keep"]
    assert one["actions"][0]["address"] == "bob@example.org"
    (one,) = cli.json("run", "--from", "", "s.sieve", "clean.eml")["recipients"]
    assert [action["action"] for action in one["actions"]] == ["keep"]


def test_notes(cli: Cli, here: Path) -> None:
    (here / "s.sieve").write_text('require ["reject", "vacation"];\nvacation "away";\nkeep;')
    done = cli("run", "--from", "", "s.sieve", "clean.eml")
    assert done.status == 0
    assert columns(done.lines[1])[:2] == ["alice@example.com", "keep"]
    shown, where = columns(done.lines[2])
    assert where == "s.sieve:2"
    (one,) = cli.json("run", "--from", "", "s.sieve", "clean.eml")["recipients"]
    (note,) = one["notes"]
    assert (note["severity"], f"advice: {note['text']}") == ("advice", shown)
    assert note["at"] == {"path": "s.sieve", "line": 2, "column": 1}


def test_a_fault_of_a_site_script(cli: Cli, here: Path, accepted: Accepted) -> None:
    (here / "d.siv").write_text('keep; ereject "x";')
    (here / "x.conf").write_text('sieve "s" { script "data_phase1" { source = "d.siv" } }')
    done = cli("decide", "--config", "x.conf", "clean.eml")
    assert done.status == 1
    accepted(done.lines)
    decision = cli.json("decide", "--config", "x.conf", "clean.eml")
    assert decision["fault"].startswith("d.siv:1: ")
    assert (decision["smtp"]["code"], decision["phase"]) == (451, "data")


def test_an_action_that_the_front_end_does_not_know(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = Action("odd", (), cancels_keep=False, details={"why": "because"})
    with_implicit_keep = Outcome.with_implicit_keep
    monkeypatch.setattr(
        Outcome, "with_implicit_keep", lambda self: with_implicit_keep(Outcome(actions=(odd,), keep=self.keep))
    )
    assert columns(cli("run", "keep.sieve", "clean.eml").lines[1]) == ["alice@example.com", "odd"]
    actions = cli.json("run", "keep.sieve", "clean.eml")["recipients"][0]["actions"]
    assert actions[0] == {"action": "odd", "why": "because"}


@pytest.mark.parametrize(
    ("enabled", "refused"),
    [("false", ["alice@example.com", "carol@example.com"]), ("true", ["alice@example.com, carol@example.com"])],
)
def test_a_refusal_by_the_engines_action(cli: Cli, here: Path, enabled: str, refused: list[str]) -> None:
    """When a recipient's script asks, or in any case: no line of a script has decided."""
    (here / "policies/alice.sieve").write_text('require "antivirus"; yara_avscan;')
    (here / "site.conf").write_text(SITE.replace("enabled = false", f"enabled = {enabled} action = reject"))
    lines = [line for line in cli("decide", "--config", "site.conf", *TO, "eicar.eml").lines if "550 5.7.1" in line]
    assert [columns(line)[0] for line in lines] == refused
    assert all(line.endswith("the engine's action") for line in lines)


def test_what_an_earlier_script_did_is_shown_beside_a_later_refusal(cli: Cli, here: Path) -> None:
    """RFC 5429, 2.4: the archive of a site gets what the user refuses."""
    (here / "before.sieve").write_text('require ["fileinto", "copy"]; fileinto :copy "Archive";')
    (here / "alice.sieve").write_text('require "reject"; reject "no bills, please";')
    (here / "x.conf").write_text('users { before = "before.sieve"  scripts = "%n.sieve" }')
    done = cli("decide", "--config", "x.conf", "--to", "alice@example.com", "clean.eml")
    assert done.status == 0
    _, refused, archived = done.lines
    assert columns(refused) == ["alice@example.com", "550 5.7.1 no bills, please", "alice.sieve:1"]
    assert columns(archived) == ['fileinto "Archive"', "before.sieve:1"]


def test_colours_on_a_terminal_only(cli: Cli, terminal: Terminal) -> None:
    command = ["decide", "--trace", "--config", "site.conf", *TO, "eicar.eml"]
    plain = cli(*command).out
    terminal(columns=200, colour=True)
    coloured = cli(*command).out
    assert "\x1b[31m" in coloured
    stripped = re.sub("\x1b" + r"\[\d+m", "", coloured)
    assert [line.split()[:2] for line in stripped.splitlines()] == [line.split()[:2] for line in plain.splitlines()]
    assert "\x1b" not in cli(*command, "--format", "json").out


def test_a_narrow_terminal(cli: Cli, terminal: Terminal) -> None:
    terminal(columns=50)
    done = cli("decide", "--config", "site.conf", *TO, "eicar.eml")
    assert max(map(len, done.lines)) <= 50
    assert "held: Eicar_Test_File" in done.out
    assert "policies/alice.sieve:4" in done.out


# ---- for programs


def test_decide_in_json(cli: Cli) -> None:
    """The shape that programs rely on, to the letter."""
    decision = cli.json("decide", "--config", "site.conf", *TO, "eicar.eml")
    (engine,) = decision["engines"]
    assert isinstance(engine.pop("ms"), float)
    assert isinstance(engine.pop("version"), str)
    context = {
        "yara_status": "virus",
        "yara_status_info": "Eicar_Test_File",
        "yara_status_class": "infected",
        "yara_info": "Eicar_Test_File",
    }
    assert decision == {
        "message": "eicar.eml",
        "smtp": None,
        "phase": None,
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
        "fault": None,
    }


def test_an_implicit_keep_and_a_response_to_everyone_in_json(cli: Cli, here: Path) -> None:
    (one,) = cli.json("run", "/dev/null", "clean.eml")["recipients"]
    assert one["actions"] == [{"action": "keep", "flags": [], "implicit": True}]
    (here / "y.conf").write_text('yara {} antivirus "a" { yara "y" { action = "reject" } }')
    decision = cli.json("decide", "--config", "y.conf", *TO, "eicar.eml")
    assert (decision["smtp"]["code"], decision["smtp"]["enhanced"], decision["phase"]) == (550, "5.7.1", "data")
    assert decision["context"]["yara_status"] == "virus"
    for one in decision["recipients"]:
        assert (one["smtp"], one["actions"], one["context"], one["fault"]) == (None, [], {}, None)


def test_run_needs_no_configuration_and_scans_only_when_the_script_asks(cli: Cli) -> None:
    assert cli.json("run", "keep.sieve", "eicar.eml")["engines"] == []
    (engine,) = cli.json("run", "policies/carol.sieve", "eicar.eml")["engines"]
    assert (engine["engine"], engine["status"]) == ("yara", "infected")


def test_run_with_a_configuration_replaces_the_users_scripts(cli: Cli) -> None:
    decision = cli.json("run", "--config", "site.conf", *TO, "keep.sieve", "eicar.eml")
    assert [one["actions"][0]["action"] for one in decision["recipients"]] == ["keep", "keep"]


# ---- the envelope and the session


def envelope(done: Done) -> tuple[str, list[str]]:
    return done.lines[0].partition("   from ")[2], [line.split()[0] for line in done.lines[1:]]


@pytest.mark.parametrize(
    ("head", "sender", "recipients"),
    [
        ("Return-Path: <r@x.org>\nSender: s@x.org\nFrom: f@x.org\nTo: t@x.org", "r@x.org", ["t@x.org"]),
        ("Sender: s@x.org\nFrom: f@x.org\nTo: t@x.org", "s@x.org", ["t@x.org"]),
        ("From: A <f@x.org>, b@x.org\nTo: none, T <t@x.org>, u@x.org", "f@x.org", ["t@x.org", "u@x.org"]),
        ("From: f@x.org\nEnvelope-To: e@x.org, f@x.org\nTo: t@x.org", "f@x.org", ["e@x.org", "f@x.org"]),
        ("From: f@x.org\nX-Original-To: o@x.org\nEnvelope-To: e@x.org", "f@x.org", ["o@x.org"]),
        (
            "From: f@x.org\nX-Original-To: o@x.org\nDelivered-To: d@x.org\nDelivered-To: old@x.org",
            "f@x.org",
            ["d@x.org"],
        ),
        ("From: f@x.org\nTo: t@x.org, <t@x.org>, T <t@x.org>", "f@x.org", ["t@x.org"]),
        (
            "From: f@x.org\nTo: " + ", ".join(f"u{i}@x.org" for i in range(120)),
            "f@x.org",
            [f"u{i}@x.org" for i in range(100)],
        ),
        ("Return-Path: <>\nFrom: f@x.org", "<>", ["recipient@example.com"]),
        ("Subject: x", "sender@example.com", ["recipient@example.com"]),
        ("From: nobody\nTo: undisclosed-recipients:;", "sender@example.com", ["recipient@example.com"]),
        ("Return-Path: nonsense\nFrom: f@x.org", "f@x.org", ["recipient@example.com"]),
    ],
)
def test_the_envelope_of_the_message(cli: Cli, head: str, sender: str, recipients: list[str]) -> None:
    done = cli("run", "keep.sieve", "-", stdin=head.encode() + b"\n\n")
    assert envelope(done) == (sender, recipients)


@pytest.mark.parametrize(
    ("option", "sender"),
    [("", "<>"), ("<>", "<>"), (" ", "<>"), ("a@b.org", "a@b.org"), ("<a@b.org>", "a@b.org")],
)
def test_from(cli: Cli, here: Path, option: str, sender: str) -> None:
    done = cli("run", "--from", option, "keep.sieve", "clean.eml")
    assert envelope(done) == (sender, ["alice@example.com"])
    (here / "null.sieve").write_text('require "envelope"; if envelope "from" "" { discard; }')
    (one,) = cli.json("run", "--from", option, "null.sieve", "clean.eml")["recipients"]
    assert one["actions"][0]["action"] == ("discard" if sender == "<>" else "keep")


def test_to_each_once(cli: Cli) -> None:
    done = cli("run", "--to", "a@x.org", "--to", "<b@x.org>", "--to", "a@x.org", "keep.sieve", "clean.eml")
    assert envelope(done) == ("bob@example.org", ["a@x.org", "b@x.org"])


def test_set_and_mailbox(cli: Cli, here: Path) -> None:
    (here / "s.sieve").write_text(
        'require ["vctx", "mailbox", "fileinto"];'
        'if allof (vctx "a" "b=c", vctx "e" "", mailboxexists ["Junk", "inbox", "INBOX"]) { fileinto "Junk"; }'
    )
    options = ["--set", "a=b=c", "--set", "e="]
    assert 'fileinto "Junk"' in cli("run", *options, "--mailbox", "Junk", "s.sieve", "clean.eml").out
    assert "implicit keep" in cli("run", *options, "s.sieve", "clean.eml").out
    assert cli.json("run", *options, "s.sieve", "clean.eml")["context"] == {"a": "b=c", "e": ""}


def test_the_session(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    sessions: list[Session] = []

    def decide(site: Site, transaction: Transaction, **options: Any) -> Decision:
        sessions.append(transaction.session)
        return deciding.decide(site, transaction, **options)

    monkeypatch.setattr(transactions, "decide", decide)
    assert cli("run", "keep.sieve", "clean.eml").status == 0
    options = ["--client", "192.0.2.1", "--helo", "mx.example.org", "--login", "bob"]
    assert cli("decide", "--config", "site.conf", *options, "clean.eml").status == 0
    assert sessions == [Session(), Session("192.0.2.1", "mx.example.org", "bob")]


# ---- trace


def test_trace(cli: Cli, accepted: Accepted) -> None:
    plain = cli("decide", "--config", "site.conf", *TO, "eicar.eml")
    done = cli("decide", "--trace", "--config", "site.conf", *TO, "eicar.eml")
    steps = [line for line in done.lines if line.startswith("      ")]
    assert [line.split() for line in done.lines if line not in steps][2:] == [line.split() for line in plain.lines[2:]]
    accepted(steps)
    assert steps[0].split()[0] == "policies/alice.sieve:3"
    decision = cli.json("decide", "--trace", "--config", "site.conf", *TO, "eicar.eml")
    assert decision["trace"] == []
    assert decision["recipients"][0]["trace"][0]["at"] == {"path": "policies/alice.sieve", "line": 3, "column": 1}


def test_the_trace_of_a_recipient_without_a_script(cli: Cli) -> None:
    done = cli("decide", "--trace", "--config", "site.conf", "--to", "nobody@x.org", "clean.eml")
    assert done.lines[-1].split() == ["no", "script:", "implicit", "keep"]


# ---- standard input


def test_dash(cli: Cli, here: Path) -> None:
    infected = (here / "eicar.eml").read_bytes()
    assert cli("run", "-", "eicar.eml", stdin=b"discard;").lines[-1].split()[1] == "discard"
    assert cli("run", "keep.sieve", "-", stdin=infected).lines[0] == "-   from bob@example.org"
    assert cli("scan", "-", stdin=infected).status == 1
    assert cli("decide", "--config", "site.conf", "-", stdin=infected).lines[2].split()[1] == "550"
    assert cli("lint", "-", stdin=b"kep;").lines[0].startswith("-:1:1: error: ")
    assert cli("check-config", "-", stdin=b"nonsense {}").lines[0].startswith("-:1:1: error: ")
    assert cli("check-config", "-", stdin=SITE.encode()) == Done(0, "", "")


# ---- a script that does not check

BAD = 'require "filinto";\nkep;\nfileinto "x";\nif header :index 1 "a" "b" { keep; }\n'


@pytest.mark.parametrize("command", ["run", "decide"])
def test_a_script_that_does_not_check(cli: Cli, here: Path, command: str) -> None:
    (here / "bad.sieve").write_text(BAD)
    (here / "bad.conf").write_text('users { before = "bad.sieve" after = "bad.sieve" }')
    what = ["run", "bad.sieve"] if command == "run" else ["decide", "--config", "bad.conf"]
    done = cli(*what, "clean.eml")
    assert (done.status, done.err) == (1, "")
    rules = ["require-unknown]", "word-unknown]", "word-unknown]", "tag-unknown]"]
    assert [head.rpartition("[")[2] for head in done.heads[:4]] == rules
    assert all(re.match(r"(?:.*/)?bad\.sieve:[1-4]:\d+: error: ", head) for head in done.heads)
    done = cli(*what, "--format", "json", "clean.eml")
    assert (done.status, len(done.lines)) == (1, 1)
    assert [problem["line"] for problem in done.json["problems"][:4]] == [1, 2, 3, 4]


def test_a_warning_does_not_stop_a_script(cli: Cli, here: Path) -> None:
    (here / "w.sieve").write_text('require "mailbox"; if mailboxexists "" { keep; } discard;')
    assert [problem["severity"] for problem in cli.json("lint", "w.sieve")] == ["warning"]
    done = cli("run", "w.sieve", "clean.eml")
    assert (done.status, columns(done.lines[-1])[1]) == (0, "discard")


def test_a_users_script_that_does_not_check_keeps(cli: Cli, here: Path) -> None:
    (here / "policies/alice.sieve").write_text(BAD)
    done = cli("decide", "--config", "site.conf", *TO, "eicar.eml")
    assert done.status == 1
    assert columns(done.lines[2])[1] == "implicit keep"
    assert columns(done.lines[3])[0].startswith("fault: ")
    assert columns(done.lines[4])[1] == 'fileinto "Junk"'


@pytest.mark.parametrize("size", [SCRIPT_SIZE + 1, SCRIPT_SIZE + 2, 3 * SCRIPT_SIZE])
@pytest.mark.parametrize("name", ["large.sieve", "-"])
def test_a_script_that_is_too_large(cli: Cli, here: Path, size: int, name: str) -> None:
    (here / "large.sieve").write_bytes(b"#" * size)
    for command in (["run", name, "clean.eml"], ["lint", name]):
        done = cli(*command, stdin=b"#" * size)
        assert (done.status, done.err, len(done.heads)) == (1, "", 1)


# ---- untrusted text

HOSTILE = (
    b'From: "\x1b[31mred\x07"@x.org\nReturn-Path: <"a\x1bb"@x.org>\nTo: "\x1b]0;t\x07"@x.org\n'
    b"Subject: \x1b[2J\xff\xfe \xe2\x80\xae =?utf-8?q?=1B=5B2J=00=0D=0Ax?=\n\n\x1b[31m\n"
)


def test_no_control_characters_of_a_message_are_printed(cli: Cli, here: Path) -> None:
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
            assert (
                cli.json("run", *extra, "--set", f"mode={mode}", "h.sieve", "hostile.eml")["message"] == "hostile.eml"
            )


def test_file_names_with_control_characters(cli: Cli, here: Path) -> None:
    name = "a\x1b[31m\nb.eml"
    (here / name).write_bytes(HEAD)
    done = cli("run", "keep.sieve", name)
    assert done.lines[0] == "a?[31m?b.eml   from bob@example.org"
    assert cli("scan", name).lines[0] == "a?[31m?b.eml"
    assert cli.json("run", "keep.sieve", name)["message"] == name
    assert cli("lint", "missing\x1b\n").err == "sieveav: missing??: No such file or directory\n"


def test_file_names_that_are_not_utf_8(cli: Cli, here: Path) -> None:
    r"""In JSON, `\xNN`: a lone surrogate is no valid text."""
    name = b"m\xe9l.eml".decode("utf-8", "surrogateescape")
    try:
        (here / name).write_bytes(HEAD)
    except OSError:
        pytest.skip("the file system takes no such names")
    done = cli("run", "--format", "json", "keep.sieve", name)
    assert json.loads(done.out)["message"] == r"m\xe9l.eml"
    assert cli("run", "keep.sieve", name).lines[0].startswith("m?l.eml")
