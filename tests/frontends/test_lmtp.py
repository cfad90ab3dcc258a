"""LMTP: what is delivered to whom, what each recipient's reply is, and what is not done twice."""

from __future__ import annotations

import email
import email.policy
import mailbox
import smtplib
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from support.lmtp import Client, serving
from support.submission import Submission, submission

from sieveav.frontends.failure import Failure
from sieveav.frontends.mailstores import Maildirs, with_mailbox
from sieveav.running.effects import Store
from sieveav.site.site import Refused, load

CONFIG = """
lmtp "l1" { listen = "inet:127.0.0.1:1" deliver = "maildir:FOLDER/mail/%d/%n" create = true submit = "SUBMIT" }
users { scripts = "%n.sieve" }
state { store = "sqlite:state.db" }
"""

MESSAGE = (
    b"Received: from x by y with SMTP id 1\r\nFrom: bob@example.org\r\nTo: alice@example.com\r\nSubject: hi\r\n\r\n"
    b"Hello.\r\n.dots\r\n"
)

Start = Callable[..., Client]


@pytest.fixture
def sent() -> Iterator[Submission]:
    with submission() as server:
        yield server


@pytest.fixture
def start(tmp_path: Path, sent: Submission) -> Iterator[Start]:
    """Starts the server of a site with scripts by recipient, and connects to it."""
    with ExitStack() as stack:

        def start(config: str = CONFIG, **scripts: str) -> Client:
            for name, script in scripts.items():
                (tmp_path / f"{name}.sieve").write_text(script)
            config = config.replace("FOLDER", str(tmp_path)).replace("SUBMIT", sent.address)
            (tmp_path / "site.conf").write_text(config.replace("NUMBER", str(sent.port)))
            port = stack.enter_context(serving(load(tmp_path / "site.conf")))
            return stack.enter_context(Client(port))

        yield start


def stored(tmp_path: Path, name: str = "alice", folder: str = "") -> list[bytes]:
    """The messages in a folder of a Maildir."""
    path = tmp_path / "mail" / "example.com" / name / folder
    return sorted(file.read_bytes() for part in ("new", "cur") for file in (path / part).glob("*"))


def test_a_message_is_stored_with_its_trace(start: Start, tmp_path: Path) -> None:
    assert start().give(MESSAGE, "alice@example.com") == ["250 2.0.0 Message accepted"]
    (octets,) = stored(tmp_path)
    head, rest = octets.split(b"\n", 5)[:5], octets.split(b"\n", 5)[5]
    assert head[:3] == [
        b"Return-Path: <bob@example.org>",
        b"Delivered-To: alice@example.com",
        b"Received: from client.example.org ([127.0.0.1])",
    ]
    assert b" with LMTP id " in head[3]
    assert head[4].startswith(b"\tfor <alice@example.com>; ")
    assert rest == MESSAGE.replace(b"\r\n", b"\n")


def test_each_recipient_has_a_reply(start: Start, tmp_path: Path) -> None:
    client = start(
        carol='require "fileinto"; fileinto "Lists/a";',
        dave='require "ereject"; ereject "not here";',
        erin="discard;",
        frank='require ["fileinto", "mailbox", "imap4flags"]; fileinto :create :flags "\\\\Seen" "Junk";',
    )
    names = ["alice", "carol", "dave", '"a/b"', "erin", "frank", "alice"]
    replies = client.give(MESSAGE, *(f"{name}@example.com" for name in names))
    assert [reply[:9] for reply in replies] == [
        "250 2.0.0",
        "250 2.0.0",
        "550 5.7.1",
        "550 5.1.1",
        "250 2.0.0",
        "250 2.0.0",
        "250 2.0.0",
    ]
    assert [len(stored(tmp_path, name)) for name in ("alice", "carol", "dave", "erin", "frank")] == [1, 1, 0, 0, 0]
    assert len(stored(tmp_path, "frank", ".Junk")) == 1
    box = mailbox.Maildir(tmp_path / "mail/example.com/frank/.Junk")
    assert [message.get_flags() for message in box] == ["S"]


def test_the_log(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    client = start(alice='require "fileinto"; fileinto "No";', dave='require "ereject"; ereject "no";')
    client.give(MESSAGE, "alice@example.com", "dave@example.com")
    (line,) = [record.getMessage() for record in caplog.records if "frontend=lmtp" in record.getMessage()]
    assert "frontend=lmtp server=l1 id=" in line
    assert " client=127.0.0.1 helo=client.example.org sender=bob@example.org size=" in line
    assert line.endswith(
        ' warning="alice@example.com: mailbox \\"No\\" does not exist; stored in INBOX"'
        ' to=alice@example.com action="fileinto No" to=dave@example.com reply="550 5.7.1 no"'
    ), line


def test_several_messages_on_a_connection(start: Start, tmp_path: Path) -> None:
    client = start()
    for _ in range(3):
        assert client.give(MESSAGE, "alice@example.com") == ["250 2.0.0 Message accepted"]
    assert client.give(MESSAGE, '"../x"@example.com') == ["550 5.1.1 No such user here"]
    assert client.give(MESSAGE, "alice@example.com") == ["250 2.0.0 Message accepted"]
    assert len(stored(tmp_path)) == 4


def test_a_maildir_that_does_not_exist(start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    client = start(CONFIG.replace("create = true", ""))
    assert client.give(MESSAGE, "alice@example.com")[0].startswith("451 4.3.0")
    assert "the Maildir does not exist" in caplog.text
    assert not (tmp_path / "mail").exists()


def test_a_redirect(start: Start, sent: Submission, tmp_path: Path) -> None:
    client = start(alice='redirect "other@example.org";')
    assert client.give(MESSAGE, "alice@example.com")[0].startswith("250")
    assert sent.messages == [
        ("bob@example.org", "other@example.org", b"X-Sieve-Redirected-From: alice@example.com\r\n" + MESSAGE)
    ]
    assert stored(tmp_path) == []


def test_the_null_sender_stays(start: Start, sent: Submission) -> None:
    assert (
        start(alice='redirect "other@example.org";').give(MESSAGE, "alice@example.com", sender="")[0].startswith("250")
    )
    assert [message[:2] for message in sent.messages] == [("", "other@example.org")]


def test_a_redirect_that_comes_back(start: Start, sent: Submission, tmp_path: Path) -> None:
    client = start(alice='redirect "other@example.org";')
    assert client.give(b"X-Sieve-Redirected-From: Alice@example.com\r\n" + MESSAGE, "alice@example.com")[0].startswith(
        "250"
    )
    assert (len(sent.messages), len(stored(tmp_path))) == (0, 1)


@pytest.mark.parametrize(
    ("command", "reply"), [("RCPT", "550 no"), ("MAIL", "501 no"), (".", "554 no"), ("DATA", "554 no")]
)
def test_a_redirect_that_is_refused(start: Start, sent: Submission, tmp_path: Path, command: str, reply: str) -> None:
    sent.replies[command] = reply
    assert start(alice='redirect "other@example.org";').give(MESSAGE, "alice@example.com")[0].startswith("250")
    assert len(stored(tmp_path)) == 1


@pytest.mark.parametrize("command", ["greeting", "EHLO", "MAIL", "RCPT", "DATA", "."])
def test_a_redirect_is_tried_again_and_done_once(start: Start, sent: Submission, tmp_path: Path, command: str) -> None:
    client = start(
        alice='require ["copy", "fileinto"]; redirect :copy "other@example.org"; redirect "third@example.org"; keep;'
    )
    sent.replies[command] = "451 later"
    if command == "EHLO":
        sent.replies["HELO"] = "451 later"
    for _ in range(2):
        assert client.give(MESSAGE, "alice@example.com")[0].startswith("451 4.3.0")
    assert sent.messages == []
    sent.replies.clear()
    for _ in range(2):
        assert client.give(MESSAGE, "alice@example.com")[0].startswith("250")
    assert [recipient for _, recipient, _ in sent.messages] == ["other@example.org", "third@example.org"]
    assert len(stored(tmp_path)) == 1


def test_a_new_message_with_the_same_text(start: Start, sent: Submission) -> None:
    client = start(alice='redirect "other@example.org";')
    for number in range(2):
        raw = MESSAGE.replace(b"id 1", b"id %d" % number)
        assert client.give(raw, "alice@example.com")[0].startswith("250")
    own = MESSAGE.partition(b"\r\n")[2]
    for _ in range(2):  # without a Received field, nobody can say that it is the same one
        assert client.give(own, "alice@example.com")[0].startswith("250")
    assert len(sent.messages) == 4


VACATION = 'require "vacation"; vacation "I am away.";'


def test_a_reply_is_sent_once(start: Start, sent: Submission, tmp_path: Path) -> None:
    client = start(alice=VACATION)
    for _ in range(2):
        assert client.give(MESSAGE, "alice@example.com")[0].startswith("250")
    ((sender, recipient, octets),) = sent.messages
    assert (sender, recipient) == ("", "bob@example.org")
    assert b"\r\nAuto-Submitted: auto-replied" in octets
    assert len(stored(tmp_path)) == 2


def test_a_reply_that_is_refused_does_not_hold_the_message(start: Start, sent: Submission, tmp_path: Path) -> None:
    sent.replies["RCPT"] = "550 no"
    assert start(alice=VACATION).give(MESSAGE, "alice@example.com")[0].startswith("250")
    assert len(stored(tmp_path)) == 1


def test_without_a_submission_server(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    client = start(CONFIG.replace('submit = "SUBMIT"', ""), alice=VACATION, carol='redirect "x@example.org";')
    replies = client.give(MESSAGE, "alice@example.com", "carol@example.com")
    assert [reply[:3] for reply in replies] == ["250", "451"]
    assert "there is no submission server" in caplog.text


def test_the_state_is_gone(start: Start, sent: Submission, tmp_path: Path) -> None:
    client = start(alice='redirect "other@example.org";', carol=VACATION)
    (tmp_path / "state.db").write_bytes(b"not a database, but long enough to look like one of them" * 20)
    replies = client.give(MESSAGE, "alice@example.com", "carol@example.com")
    assert [reply[:3] for reply in replies] == ["250", "250"]
    assert [recipient for _, recipient, _ in sent.messages] == ["other@example.org"]  # nobody is answered twice


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("keep;\nfoo;", "alice.sieve, line 2, column 1: the script has an error: unknown command foo"),
        ('require "variables"; set "x" "${y}"; redirect "${x}";', "alice.sieve, line 1, column 38: "),
    ],
)
def test_a_user_is_told_of_an_error_in_their_script_once(start: Start, tmp_path: Path, script: str, error: str) -> None:
    client = start(alice=script)
    for _ in range(2):
        assert client.give(MESSAGE, "alice@example.com") == ["250 2.0.0 Message accepted"]
    first, second, note = sorted(stored(tmp_path), key=lambda octets: b"Your mail filter" in octets)
    assert b"Subject: hi\n" in first
    assert b"Subject: hi\n" in second
    parsed = email.message_from_bytes(note, policy=email.policy.default)
    assert parsed.defects == []
    assert parsed["From"] == "Mail filter <postmaster@example.com>"
    assert parsed["To"] == "alice@example.com"
    assert parsed["Auto-Submitted"] == "auto-generated"
    assert error in parsed.get_content()
    assert str(tmp_path) not in parsed.get_content()


def test_no_note_without_state(start: Start, tmp_path: Path) -> None:
    client = start(CONFIG.replace('state { store = "sqlite:state.db" }', ""), alice="foo;")
    assert client.give(MESSAGE, "alice@example.com")[0].startswith("250")
    assert len(stored(tmp_path)) == 1


def test_a_note_that_cannot_be_stored(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = Maildirs.store

    def store(
        self: Maildirs, recipient: str, sender: str, effect: Store, message: bytes, trace: bytes = b""
    ) -> Failure | None:
        if b"Your mail filter" in message:
            return Failure(True, "disk full")
        return real(self, recipient, sender, effect, message, trace)

    monkeypatch.setattr(Maildirs, "store", store)
    client = start(alice="foo;")
    for _ in range(2):
        assert client.give(MESSAGE, "alice@example.com")[0].startswith("250")
    warnings = [record.getMessage() for record in caplog.records if "no note" in record.getMessage()]
    assert warnings == ["no note about a script is stored for alice@example.com: disk full"] * 2
    assert len(stored(tmp_path)) == 2


def test_a_policy_refuses_the_whole_message(start: Start, tmp_path: Path) -> None:
    policy = 'require "ec_action"; ec_action 550 "5.7.1 not today\r\nor tomorrow";'
    client = start(CONFIG + 'sieve "s" { script "data_phase1" { source = "p.sieve" } }', p=policy)
    replies = client.give(MESSAGE, "alice@example.com", "carol@example.com")
    assert replies == ["550 5.7.1 not today\n5.7.1 or tomorrow"] * 2
    assert not (tmp_path / "mail").exists()


def test_phases_before_the_message(start: Start) -> None:
    config = (
        CONFIG
        + 'sieve "s" { script "mailfrom_phase1" { source = "m.sieve" } script "rcptto_phase1" { source = "r.sieve" } }'
    )
    client = start(
        config,
        m='require ["envelope", "ec_action"]; if envelope "from" "evil@example.org" { ec_action 550 "5.7.1 you"; }',
        r='require ["envelope", "ec_action"]; if envelope "to" "carol@example.com" { ec_action 450 "4.2.1 later"; }',
    )
    replies = client.give(MESSAGE, "alice@example.com", "carol@example.com")
    assert replies == ["250 2.0.0 Message accepted", "450 4.2.1 later"]
    client.ehlo_or_helo_if_needed()
    assert client.docmd("MAIL", "FROM:<evil@example.org>") == (550, b"5.7.1 you")


POLICY = """
sieve "s" {
    script "mailfrom_phase1" { source = "m.siv" }
    script "rcptto_phase1" { source = "r.siv" }
    script "data_phase1" { source = "d.siv" }
}
"""


@pytest.fixture
def policy(start: Start, tmp_path: Path) -> Callable[..., Client]:
    """Starts the server with scripts of a site by their phases: m, r, d."""

    def policy(**scripts: str) -> Client:
        for name in "mrd":
            (tmp_path / f"{name}.siv").write_text(scripts.get(name, ""))
        return start(CONFIG + POLICY)

    return policy


def test_a_delayed_reply_is_in_nobodys_way(policy: Callable[..., Client]) -> None:
    client = policy(m='if environment "vnd.sieveav.helo" "slow" { ec_tarpit 25; }')
    assert client.sock is not None
    with socket.create_connection(client.sock.getpeername(), timeout=20) as slow, slow.makefile("rb") as replies:
        assert replies.readline().startswith(b"220 ")
        slow.sendall(b"LHLO slow\r\nMAIL FROM:<a@b.c>\r\n")
        while replies.readline()[3:4] != b" ":  # the last line of the reply to LHLO
            pass
        assert client.give(MESSAGE, "alice@example.com") == ["250 2.0.0 Message accepted"]
        slow.settimeout(0)
        with pytest.raises(BlockingIOError):  # no reply has come
            slow.recv(1)


@pytest.mark.parametrize("phase", ["m", "r", "d"])
def test_a_delayed_reply_is_given(policy: Callable[..., Client], tmp_path: Path, phase: str) -> None:
    client = policy(**{phase: "ec_tarpit 1;"})
    assert client.give(MESSAGE, "alice@example.com") == ["250 2.0.0 Message accepted"]
    assert len(stored(tmp_path)) == 1


def test_a_message_that_scripts_quarantine(start: Start, tmp_path: Path) -> None:
    """Only a milter can have it held: it is deferred, or delivered after its release."""
    for name, text in {"m": "", "r": "", "d": 'require "vnd.sieveav.quarantine"; quarantine "odd";'}.items():
        (tmp_path / f"{name}.siv").write_text(text)
    (answer,) = start(CONFIG + POLICY).give(MESSAGE, "alice@example.com")
    assert answer.startswith("451 4.3.0 ")
    assert stored(tmp_path) == []
    client = start(CONFIG.replace("deliver =", "quarantined = deliver deliver =") + POLICY)
    assert client.give(MESSAGE, "alice@example.com") == ["250 2.0.0 Message accepted"]
    assert len(stored(tmp_path)) == 1


@pytest.mark.parametrize("phase", ["m", "r", "d"])
def test_the_end_of_a_connection(policy: Callable[..., Client], tmp_path: Path, phase: str) -> None:
    client = policy(**{phase: 'ec_disconnect "4.7.0 go away";'})
    client.ehlo_or_helo_if_needed()
    commands = ["MAIL FROM:<a@b.c>", "RCPT TO:<alice@example.com>", "DATA"]
    replies = [client.docmd(command) for command in commands[: {"m": 1, "r": 2, "d": 3}[phase]]]
    if phase == "d":
        client.send(b"Subject: x\r\n\r\n.\r\n")
        replies.append(client.getreply())
    assert replies[-1] == (421, b"4.7.0 go away")
    with pytest.raises(smtplib.SMTPServerDisconnected):
        client.docmd("NOOP")
    assert not (tmp_path / "mail").exists()


def test_addresses_outside_ascii(start: Start, sent: Submission, tmp_path: Path) -> None:
    client = start(rené='require "copy"; redirect :copy "jürgen@example.org";')
    client.command_encoding = "utf-8"
    assert client.give(MESSAGE, "rené@example.com", options=" SMTPUTF8")[0].startswith("250")
    assert [recipient for _, recipient, _ in sent.messages] == ["jürgen@example.org"]
    assert "MAIL FROM:<bob@example.org> SIZE=" in sent.commands[1]
    assert sent.commands[1].endswith(" SMTPUTF8")
    assert b"Delivered-To: ren\xc3\xa9@example.com" in stored(tmp_path, "rené")[0]


def test_a_mailbox_that_exists(start: Start, tmp_path: Path) -> None:
    script = """require ["mailbox", "fileinto"];
    if mailboxexists "Junk" { fileinto "Junk"; } else { fileinto :create "Junk"; }
    if mailboxexists "No" { fileinto "No"; }"""
    client = start(alice=script)
    for number in range(2):
        assert client.give(MESSAGE.replace(b"id 1", b"id %d" % number), "alice@example.com")[0].startswith("250")
    assert len(stored(tmp_path, folder=".Junk")) == 2


def test_a_message_that_is_too_large(start: Start) -> None:
    client = start(CONFIG.replace("create = true", "create = true size = 1k"))
    assert client.give(MESSAGE + b"x" * 2000 + b"\r\n", "alice@example.com") == ["552 5.3.4 Message too large"]
    assert client.give(MESSAGE, "alice@example.com")[0].startswith("250")


def test_a_maildir_that_is_not_writable(start: Start, tmp_path: Path) -> None:
    (tmp_path / "mail").write_text("a file")
    client = start()
    assert (
        client.give(MESSAGE, "alice@example.com", "carol@example.com")
        == ["451 4.3.0 This message cannot be delivered at this time, please try again later"] * 2
    )
    (tmp_path / "mail").unlink()
    assert client.give(MESSAGE, "alice@example.com")[0].startswith("250")


def test_an_internal_error_answers_nothing(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = start()

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("sieveav.frontends.lmtp_session.Conversation.end_of_data", fail)
    with pytest.raises(smtplib.SMTPServerDisconnected):
        client.give(MESSAGE, "alice@example.com")
    assert not (tmp_path / "mail").exists()


def test_an_internal_error_of_one_recipient(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    from sieveav.frontends.mailstores import Maildirs

    store = Maildirs.store

    def fail(self: Maildirs, recipient: str, *rest: Any) -> Any:
        if recipient.startswith("carol"):
            raise ZeroDivisionError
        return store(self, recipient, *rest)

    monkeypatch.setattr(Maildirs, "store", fail)
    replies = start().give(MESSAGE, "alice@example.com", "carol@example.com")
    assert [reply[:3] for reply in replies] == ["250", "451"]


# ---- relay

RELAY = CONFIG.replace("maildir:FOLDER/mail/%d/%n", "lmtp:inet:127.0.0.1:NUMBER")


def test_a_relay(start: Start, tmp_path: Path) -> None:
    """Two of our servers: the second one stands for Dovecot."""
    (tmp_path / "second.conf").write_text(
        f'lmtp "l2" {{ listen = "inet:127.0.0.1:1" deliver = "maildir:{tmp_path}/mail/%d/%u" create = true }}'
    )
    with serving(load(tmp_path / "second.conf")) as port:
        config = CONFIG.replace("maildir:FOLDER/mail/%d/%n", f"lmtp:inet:127.0.0.1:{port}")
        client = start(config, alice='require "fileinto"; fileinto "Junk"; fileinto "Käse"; keep;', carol="discard;")
        replies = client.give(MESSAGE, "alice@example.com", "carol@example.com")
    assert [reply[:3] for reply in replies] == ["250", "250"]
    assert sorted(path.name for path in (tmp_path / "mail" / "example.com").iterdir()) == [
        "alice+junk@example.com",
        "alice@example.com",
    ]
    assert len(stored(tmp_path, "alice+junk@example.com")) == 1
    assert len(stored(tmp_path, "alice@example.com")) == 2  # keep, and the mailbox whose name does not fit


def test_a_relay_that_is_down(start: Start) -> None:
    client = start(CONFIG.replace("maildir:FOLDER/mail/%d/%n", "lmtp:inet:127.0.0.1:1"))
    assert client.give(MESSAGE, "alice@example.com")[0].startswith("451 4.3.0")


@pytest.mark.parametrize(
    ("command", "reply", "expected"),
    [
        ("RCPT", "550 5.1.1 no", "550 5.1.1 No such user here"),
        ("RCPT", "550-Mailbox unknown.\r\n550 5.1.1 User unknown", "550 5.1.1 No such user here"),
        (".", "550 5.1.1 no", "550 5.1.1 No such user here"),
        ("RCPT", "450 5.1.1 no", "451 4.3.0 "),
        ("RCPT", "550 no 5.1.1", "451 4.3.0 "),
        ("RCPT", "550 5.1.10 no", "451 4.3.0 "),
        ("RCPT", "550 5.7.1 no", "451 4.3.0 "),
        ("RCPT", "552 5.2.2 full", "451 4.3.0 "),
        (".", "552 5.2.2 full", "451 4.3.0 "),
        ("MAIL", "550 5.7.1 no", "451 4.3.0 "),
        ("LHLO", "550 5.7.1 no", "451 4.3.0 "),
        ("greeting", "554 5.3.2 no", "451 4.3.0 "),
    ],
)
def test_a_relay_that_refuses(start: Start, sent: Submission, command: str, reply: str, expected: str) -> None:
    sent.replies[command] = reply
    client = start(RELAY, alice='require "fileinto"; fileinto "Junk";')
    assert client.give(MESSAGE, "alice@example.com")[0].startswith(expected)
    assert sent.messages == []


def test_a_relay_delivers_itself(start: Start, sent: Submission) -> None:
    """RFC 5321, 4.4: Return-Path is for the final delivery."""
    assert start(RELAY).give(MESSAGE, "alice@example.com")[0].startswith("250")
    ((_, _, octets),) = sent.messages
    assert octets.startswith(b"Received: from client.example.org ([127.0.0.1])\r\n\tby ")
    assert octets.endswith(MESSAGE)


@pytest.mark.parametrize(
    ("recipient", "mailbox", "address"),
    [
        ("alice@example.com", "INBOX", "alice@example.com"),
        ("alice+shop@example.com", "INBOX", "alice@example.com"),
        ('"al ice+shop"@example.com', "INBOX", '"al ice"@example.com'),
        ('"al+ice"@example.com', "INBOX", "al@example.com"),
        ("+shop@example.com", "INBOX", "+shop@example.com"),
        ("alice+shop@example.com", "Junk/a b", '"alice+Junk/a b"@example.com'),
        ("alice@example.com", 'a"b', '"alice+a\\"b"@example.com'),
        ("alice@example.com", "Käse", None),
        ("alice@example.com", "../x", None),
    ],
)
def test_the_address_of_a_mailbox(recipient: str, mailbox: str, address: str | None) -> None:
    assert with_mailbox(recipient, mailbox) == address


# ---- configuration


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('lmtp "l" {}', 'lmtp "l" has no listen'),
        ('lmtp "l" { listen = "inet:127.0.0.1:1" }', 'lmtp "l" has no deliver'),
        ('lmtp "l" { listen = "inet:127.0.0.1:1" deliver = "mbox:/x" }', "does not begin with maildir: or lmtp:"),
        ('lmtp "l" { listen = "inet:127.0.0.1:1" deliver = "maildir:mail/%n" }', "needs an absolute path"),
        ('lmtp "l" { listen = "inet:127.0.0.1:1" deliver = "maildir:/mail/%d" }', "write %n or %u"),
        ('lmtp "l" { listen = "inet:127.0.0.1:1" deliver = "maildir:/mail/%x" }', "the marks %u"),
        ('lmtp "l" { listen = "inet:127.0.0.1:1" deliver = "lmtp:dovecot" }', "is not unix:/path"),
        (
            'lmtp "l" { listen = "inet:127.0.0.1:1" deliver = "lmtp:unix:/x" submit = "lmtp:unix:/x" }',
            "does not begin with smtp:",
        ),
        (
            'lmtp "l" { listen = "inet:127.0.0.1:1" deliver = "lmtp:unix:/x" submit = "smtp:mail:25" }',
            "is not unix:/path",
        ),
        (
            'milter "l" { listen = "unix:/a" } lmtp "l" { listen = "unix:/b" deliver = "lmtp:unix:/x" }',
            "a server of that name too",
        ),
        (
            'milter "m" { listen = "unix:/a" } lmtp "l" { listen = "unix:/a" deliver = "lmtp:unix:/x" }',
            "the address of milter",
        ),
    ],
)
def test_mistakes(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "site.conf").write_text(text)
    with pytest.raises(Refused) as refused:
        load(tmp_path / "site.conf")
    assert any(message in problem.message for problem in refused.value.problems), refused.value.problems


def test_no_state(tmp_path: Path) -> None:
    (tmp_path / "site.conf").write_text('lmtp "l" { listen = "unix:/a" deliver = "lmtp:unix:/x" }')
    assert [problem.rule for problem in load(tmp_path / "site.conf").warnings] == ["state-missing"]


# ---- clients


def test_an_idle_client_is_closed(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sieveav.frontends.lmtp_session.IDLE", 0.2)
    client = start()
    assert client.getreply() == (421, b"4.4.2 Nothing was sent for too long")


def test_too_many_connections(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sieveav.frontends.connections.CONNECTIONS", 1)
    client = start()
    assert client.sock is not None
    with pytest.raises(smtplib.SMTPConnectError) as refused:
        Client(client.sock.getpeername()[1])
    assert refused.value.smtp_code == 421
    assert client.give(MESSAGE, "alice@example.com")[0].startswith("250")


@pytest.mark.parametrize("after", ["LHLO x\r\n", "LHLO x\r\nMAIL FROM:<a@b.c>\r\n", "RCPT", "DATA\r\n", "half"])
def test_a_client_that_goes_away(start: Start, tmp_path: Path, after: str) -> None:
    client = start()
    assert client.sock is not None
    commands = {
        "RCPT": "LHLO x\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<alice@example.com>\r\n",
        "DATA\r\n": "LHLO x\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<alice@example.com>\r\nDATA\r\n",
        "half": "LHLO x\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<alice@example.com>\r\nDATA\r\nSubject: x\r\n\r\nHel",
    }
    with socket.create_connection(client.sock.getpeername()) as other:
        other.sendall(commands.get(after, after).encode())
    assert client.give(MESSAGE, "alice@example.com")[0].startswith("250")
    assert len(stored(tmp_path)) == 1
