"""Words of scripts as they are delivered: through the real LMTP server, with Maildirs and a submission server.

What `test_lmtp.py` shows is not repeated here: mailboxexists and :create, redirect (null sender, loops, refusals, done once),
a reply that is sent once, ereject.
"""

from __future__ import annotations

import email
import email.policy
import mailbox
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
from support.lmtp import Client, serving
from support.submission import Submission, submission

from sieveav.site.site import load

CONFIG = """
lmtp "l1" {
    listen = "inet:127.0.0.1:1"
    deliver = "maildir:FOLDER/mail/%n"
    create = true
    special_use = ( "Junk=\\\\Junk" "Spam=\\\\Junk" "Sent=\\\\Sent" )
    submit = "SUBMIT"
}
users { scripts = "%n.sieve" }
state { store = "sqlite:state.db" }
"""

ALICE = "alice@example.com"


@pytest.fixture
def sent() -> Iterator[Submission]:
    with submission() as server:
        yield server


Start = Callable[..., Client]


@pytest.fixture
def start(tmp_path: Path, sent: Submission) -> Iterator[Start]:
    """Starts the server with Alice's script, and connects to it."""
    with ExitStack() as stack:

        def start(script: str, config: str = CONFIG) -> Client:
            (tmp_path / "alice.sieve").write_text(script)
            (tmp_path / "site.conf").write_text(config.replace("FOLDER", str(tmp_path)).replace("SUBMIT", sent.address))
            port = stack.enter_context(serving(load(tmp_path / "site.conf")))
            return stack.enter_context(Client(port))

        yield start


def message(*fields: bytes, number: int = 1, body: bytes = b"Hello.") -> bytes:
    """A message with these header fields, in addition to its trace; `number` is that of its transmission."""
    trace = b"Received: from x by y with SMTP id %d; Tue, 24 Nov 2026 10:00:00 +0000" % number
    return b"\r\n".join([trace, *fields, b"", body, b""])


FIELDS = (b"From: Bob <bob@example.org>", b"To: alice@example.com", b"Subject: hi", b"Message-ID: <1@example.org>")
HELLO = message(*FIELDS)


def give(client: Client, raw: bytes = HELLO, sender: str = "bob@example.org") -> str:
    """The reply for Alice."""
    (reply,) = client.give(raw, ALICE, sender=sender)
    return reply


def stored(tmp_path: Path, folder: str = "") -> list[bytes]:
    """The messages in a folder of Alice's Maildir."""
    path = tmp_path / "mail" / "alice" / folder
    return sorted(file.read_bytes() for part in ("new", "cur") for file in (path / part).glob("*"))


def folders(tmp_path: Path) -> dict[str, int]:
    """The number of messages in each of Alice's folders that has any."""
    names = ["", *(path.name for path in (tmp_path / "mail" / "alice").glob(".*"))]
    return {name or "INBOX": count for name in names if (count := len(stored(tmp_path, name)))}


def make(tmp_path: Path, *names: str) -> None:
    """Make Alice's Maildir, with these mailboxes."""
    for name in ("", *(f".{name}" for name in names)):
        for part in ("new", "cur", "tmp"):
            (tmp_path / "mail" / "alice" / name / part).mkdir(parents=True)


ONCE = ("date", "message-id", "from", "to", "subject", "auto-submitted", "mime-version", "content-type")


def generated(octets: bytes) -> EmailMessage:
    """A message that a script sends, read by another parser; it must be what RFC 5322 and RFC 2045 ask for."""
    assert octets.replace(b"\r\n", b"").isascii()  # every relay takes it
    assert not {b"\r"[0], b"\n"[0], 0} & set(octets.replace(b"\r\n", b""))
    assert max(map(len, octets.split(b"\r\n"))) <= 998
    parsed = email.message_from_bytes(octets, policy=email.policy.default)
    assert isinstance(parsed, EmailMessage)
    assert [defect for part in parsed.walk() for defect in part.defects] == []
    assert {name: value.defects for name, value in parsed.items() if value.defects} == {}
    names = [name.lower() for name in parsed.keys()]  # noqa: SIM118  # a field may occur twice
    assert [name for name in ONCE if names.count(name) != 1] == []
    assert set(names) <= {*ONCE, "cc", "sender", "in-reply-to", "references", "importance", "content-transfer-encoding"}
    date = parsed["Date"].datetime
    assert date.utcoffset() is not None  # RFC 5322, 3.3: with a zone
    assert abs(datetime.now(UTC) - date) < timedelta(minutes=5)
    assert re.fullmatch(r"<[0-9a-f]{40}@[a-z.]+>", parsed["Message-ID"])
    return parsed


def addresses(parsed: EmailMessage, name: str) -> list[str]:
    return [address.addr_spec for address in parsed[name].addresses]


def text(parsed: EmailMessage) -> str:
    """The text of a message, with LF at the end of each line."""
    content = parsed.get_content()
    assert isinstance(content, str)
    return content.replace("\r\n", "\n")


# ---- vacation, RFC 5230

VACATION = 'require "vacation"; vacation "I am away.\r\nReally.";'

EVIL = b"Subject: =?utf-8?q?Hi=0D=0ABcc:_evil=40example.org=0D=0A=0D=0Abody?="
LATIN = b"Subject: Gr\xfc\xdfe\x00\x1b[1m"
UTF_8 = "Subject: Grüße".encode()


def test_the_answer_of_vacation(start: Start, sent: Submission, tmp_path: Path) -> None:
    raw = message(*FIELDS, b"References: <0@example.org>\r\n <00@example.org>", b"In-Reply-To: <9@example.org>")
    assert give(start(VACATION), raw).startswith("250")
    ((sender, recipient, octets),) = sent.messages
    assert (sender, recipient) == ("", "bob@example.org")  # RFC 5230, 5.1
    assert "RCPT TO:<bob@example.org> NOTIFY=NEVER" in sent.commands
    answer = generated(octets)
    assert answer["From"] == ALICE  # RFC 5230, 5.4
    assert answer["To"] == "bob@example.org"  # RFC 5230, 5.5
    assert answer["Subject"] == "Auto: hi"  # RFC 5230, 5.3
    assert answer["Auto-Submitted"] == "auto-replied (vacation)"  # RFC 5230, 5.6
    assert answer["In-Reply-To"] == "<1@example.org>"  # RFC 5230, 5.8
    assert answer["References"] == "<0@example.org> <00@example.org> <1@example.org>"
    assert text(answer) == "I am away.\nReally.\n"  # RFC 5230, 5.7
    assert folders(tmp_path) == {"INBOX": 1}  # RFC 5230, 4.7: the implicit keep


@pytest.mark.parametrize(
    ("field", "subject"),
    [
        (EVIL, "Auto: Hi  Bcc: evil@example.org    body"),
        (LATIN, "Auto: Gr\ufffd\ufffde  [1m"),
        (UTF_8, "Auto: Grüße"),
        (b"Subject: =?utf-8?b?w7w=?= =?x?q?y?= \xff", None),
        (b"Subject:" + b" long" * 3000, None),
        (b"Subject: " + b"x" * 3000, None),
        (b"Subject: folded\r\n \r\n\t,\r\n here", None),
        (b"X: 1", "Automated reply"),
    ],
)
def test_an_answer_to_a_hostile_subject(start: Start, sent: Submission, field: bytes, subject: str | None) -> None:
    assert give(start(VACATION), message(*FIELDS[:2], field)).startswith("250")
    ((_, recipient, octets),) = sent.messages
    answer = generated(octets)
    assert recipient == "bob@example.org"
    assert (answer["Bcc"], addresses(answer, "To")) == (None, ["bob@example.org"])
    assert subject is None or answer["Subject"] == subject
    assert text(answer) == "I am away.\nReally.\n"


@pytest.mark.parametrize(
    ("sender", "address"),
    [
        ('"bob smith"@example.org', '"bob smith"@example.org'),
        ('"b\\"o\\\\b"@example.org', '"b\\"o\\\\b"@example.org'),
        ('"a@b.c,evil"@example.org', '"a@b.c,evil"@example.org'),
        ("bob@[192.0.2.1]", "bob@[192.0.2.1]"),
        ("o'hara=x@example.org", "o'hara=x@example.org"),
    ],
)
def test_an_answer_to_a_quoted_sender(start: Start, sent: Submission, sender: str, address: str) -> None:
    assert give(start(VACATION), sender=sender).startswith("250")
    ((reverse_path, recipient, octets),) = sent.messages
    assert (reverse_path, recipient) == ("", address)
    (to,) = generated(octets)["To"].addresses
    assert (to.display_name, to.domain) == ("", address.rpartition("@")[2])
    assert f"\r\nTo: {address}\r\n".encode() in octets


@pytest.mark.parametrize(
    ("fields", "in_reply_to", "references"),
    [
        ((b"Message-ID: nonsense",), None, None),
        ((b"Message-ID: <1@x>\r\n (c) <2@x>", b"References: <a b> <0@x>\xff <\xfc@x>"), "<1@x>", "<0@x> <1@x>"),
        ((b"Message-ID: <1@x>", b"References:" + b" <%250d@x>" % 7 + b" <z@x>" * 3000), "<1@x>", None),
        ((b"Message-ID: <1@x>", b"In-Reply-To: <0@x>"), "<1@x>", "<0@x> <1@x>"),
        ((b"Message-ID: <1@x>", b"In-Reply-To: <0@x> <00@x>"), "<1@x>", "<1@x>"),
    ],
)
def test_the_thread_of_an_answer(
    start: Start, sent: Submission, fields: tuple[bytes, ...], in_reply_to: str | None, references: str | None
) -> None:
    """RFC 5230, 5.8; RFC 5322, 3.6.4."""
    assert give(start(VACATION), message(*FIELDS[:3], *fields)).startswith("250")
    ((_, _, octets),) = sent.messages
    answer = generated(octets)
    assert answer["In-Reply-To"] == in_reply_to
    if references is None and in_reply_to:
        assert 2 <= len(answer["References"].split()) <= 100
    else:
        assert answer["References"] == references


def test_an_answer_outside_ascii(start: Start, sent: Submission) -> None:
    script = (
        'require "vacation"; vacation :from "Älice <alice@example.com>" :subject "Grüße aus Köln" "Schöne Grüße ☃";'
    )
    assert give(start(script)).startswith("250")
    ((_, _, octets),) = sent.messages
    answer = generated(octets)
    assert (answer["Subject"], text(answer)) == ("Grüße aus Köln", "Schöne Grüße ☃\n")
    assert answer["From"].addresses[0].display_name == "Älice"


def test_an_answer_that_is_a_mime_entity(start: Start, sent: Submission) -> None:
    """RFC 5230, 4.4."""
    entity = "Content-Type: multipart/alternative; boundary=b\n\n--b\n\nplain ü\n--b\nContent-Type: text/html\n\n<p>x\n--b--\n"
    script = f'require "vacation"; vacation :mime text:\n{entity}.\n;'
    assert give(start(script)).startswith("250")
    ((_, _, octets),) = sent.messages
    parsed = email.message_from_bytes(octets, policy=email.policy.default)
    assert [defect for part in parsed.walk() for defect in part.defects] == []
    assert [part.get_content_type() for part in parsed.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    assert parsed["Content-Transfer-Encoding"] == "8bit"
    assert any(command.endswith(" BODY=8BITMIME") for command in sent.commands)


@pytest.mark.parametrize(
    ("field", "sender"),
    [
        (b"Auto-Submitted: auto-generated", "bob@example.org"),
        (b"List-Id: <x.example.org>", "bob@example.org"),
        (b"Precedence: bulk", "bob@example.org"),
        (b"X: 1", ""),
        (b"X: 1", "owner-list@example.org"),
        (b"X: 1", "MAILER-DAEMON@example.org"),
        (b"X: 1", ALICE),
    ],
)
def test_what_is_not_answered(start: Start, sent: Submission, tmp_path: Path, field: bytes, sender: str) -> None:
    """RFC 5230, 4.6."""
    assert give(start(VACATION), message(*FIELDS, field), sender).startswith("250")
    assert sent.messages == []
    assert folders(tmp_path) == {"INBOX": 1}


# ---- enotify, RFC 5435; RFC 5436

NOTIFY = 'require "enotify"; notify "mailto:ops@example.net?cc=Carol%20%3Ccarol@example.net%3E";'


@pytest.mark.parametrize("sender", ["bob@example.org", ""])
def test_a_notification(start: Start, sent: Submission, tmp_path: Path, sender: str) -> None:
    assert give(start(NOTIFY), sender=sender).startswith("250")
    assert [recipient for _, recipient, _ in sent.messages] == ["ops@example.net", "carol@example.net"]
    (octets,) = {octets for _, _, octets in sent.messages}
    notification = generated(octets)
    assert {each for each, _, _ in sent.messages} == {""}  # RFC 5436, 2.7
    assert notification["Auto-Submitted"] == f'auto-notified; owner-email="{ALICE}"'  # RFC 5436, 2.7.1
    assert addresses(notification, "From") == [ALICE]
    assert (addresses(notification, "To"), addresses(notification, "Cc")) == (
        ["ops@example.net"],
        ["carol@example.net"],
    )
    assert notification["Subject"] == "hi"
    assert notification["Message-ID"] != "<1@example.org>"  # RFC 5436, 2.7: not copied
    assert text(notification) == "From: Bob <bob@example.org>\nSubject: hi\n"
    assert folders(tmp_path) == {"INBOX": 1}  # RFC 5435, 3: no other action is affected


@pytest.mark.parametrize("field", [EVIL, LATIN, UTF_8, b"Subject: " + b"x" * 3000])
@pytest.mark.parametrize(
    "script",
    [
        NOTIFY,
        """require ["enotify", "variables"]; if header :matches "subject" "*" { set "s" "${1}"; }
        notify :message "${s}" "mailto:ops@example.net";""",
        """require ["enotify", "variables"]; if header :matches "subject" "*" { set :encodeurl "s" "${1}"; }
        notify "mailto:ops@example.net?subject=${s}&body=${s}&importance=${s}";""",
    ],
)
def test_a_notification_of_a_hostile_message(start: Start, sent: Submission, field: bytes, script: str) -> None:
    raw = message(b'From: "\xfc\x00 =?utf-8?q?=0D=0ACc:_x?=" <bob@example.org>', FIELDS[1], field)
    assert give(start(script), raw).startswith("250")
    assert {recipient for _, recipient, _ in sent.messages} <= {"ops@example.net", "carol@example.net"}
    notification = generated(sent.messages[0][2])
    assert notification["Bcc"] is None
    assert addresses(notification, "To") == ["ops@example.net"]
    assert addresses(notification, "From") == [ALICE]


def test_fields_of_the_uri_that_are_ignored(start: Start, sent: Submission) -> None:
    """RFC 5436, 2.7."""
    names = "from=x@y.z", "auto-submitted=no", "received=x", "message-id=%3Cx@y%3E", "date=x", "bcc=evil@example.org"
    script = f'require "enotify"; notify "mailto:ops@example.net?{"&".join(names)}";'
    assert give(start(script)).startswith("250")
    ((_, recipient, octets),) = sent.messages
    notification = generated(octets)
    assert recipient == "ops@example.net"
    assert addresses(notification, "From") == [ALICE]
    assert notification["Auto-Submitted"].startswith("auto-notified")


def test_an_automatic_message_causes_no_notification(start: Start, sent: Submission) -> None:
    """RFC 5436, 2.7."""
    assert give(start(NOTIFY), message(*FIELDS, b"Auto-Submitted: auto-replied")).startswith("250")
    assert sent.messages == []


@pytest.mark.parametrize("script", [VACATION, NOTIFY])
def test_what_is_sent_once(start: Start, sent: Submission, tmp_path: Path, script: str) -> None:
    """RFC 5436, 2.7: once it is submitted, it MUST NOT be submitted again. The store fails for now, and the MTA tries again."""
    client = start(script)
    (tmp_path / "mail").write_text("in the way of the Maildirs")
    assert give(client).startswith("451")
    assert sent.messages == []  # what is stored comes first
    (tmp_path / "mail").unlink()
    for _ in range(2):
        assert give(client).startswith("250")
    assert len(sent.messages) == (1 if script == VACATION else 2)  # to one address, or to two


# ---- fcc, RFC 8580

FCC = 'require ["vacation", "enotify", "fcc", "mailbox", "imap4flags", "special-use"];'


@pytest.mark.parametrize(
    "script",
    [
        'vacation :fcc "Sent" :create :flags "\\\\Seen" "I am away.";',
        'notify :fcc "Sent" :create :flags "\\\\Seen" "mailto:ops@example.net";',
    ],
)
def test_the_copy_of_what_is_sent(start: Start, sent: Submission, tmp_path: Path, script: str) -> None:
    assert give(start(f"{FCC} {script}")).startswith("250")
    ((_, _, octets),) = sent.messages
    generated(octets)
    (copy,) = stored(tmp_path, ".Sent")
    assert copy == octets.replace(b"\r\n", b"\n")  # as it was sent, without the trace of the incoming message
    (marked,) = mailbox.Maildir(tmp_path / "mail/alice/.Sent")
    assert marked.get_flags() == "S"


def test_the_copy_by_its_special_use(start: Start, sent: Submission, tmp_path: Path) -> None:
    script = f'{FCC} vacation :fcc "Answers" :create :specialuse "\\\\Sent" "I am away.";'
    client = start(script)
    make(tmp_path, "Sent")
    assert give(client).startswith("250")
    assert len(sent.messages) == 1
    assert folders(tmp_path) == {".Sent": 1, "INBOX": 1}


@pytest.mark.parametrize(
    ("replies", "copies", "answer"),
    [({"RCPT": "550 no"}, 0, "250"), ({".": "554 no"}, 0, "250"), ({"RCPT": "451 later"}, 0, "451"), ({}, 1, "250")],
)
def test_no_copy_of_what_is_not_sent(
    start: Start, sent: Submission, tmp_path: Path, replies: dict[str, str], copies: int, answer: str
) -> None:
    client = start(f'{FCC} vacation :fcc "Sent" :create "I am away.";')
    sent.replies.update(replies)
    assert give(client).startswith(answer)
    assert (len(sent.messages), len(stored(tmp_path, ".Sent")), len(stored(tmp_path))) == (copies, copies, 1)


def test_no_copy_without_a_submission_server(start: Start, tmp_path: Path) -> None:
    config = CONFIG.replace('submit = "SUBMIT"', "")
    assert give(start(f'{FCC} vacation :fcc "Sent" :create "I am away.";', config)).startswith("250")
    assert folders(tmp_path) == {"INBOX": 1}


def test_a_copy_if_one_of_two_addresses_is_refused(start: Start, sent: Submission, tmp_path: Path) -> None:
    script = f'{FCC} notify :fcc "Sent" :create "mailto:n%C3%B6@example.net,ops@example.net";'
    sent.extensions = ("SIZE", "8BITMIME", "DSN")  # without SMTPUTF8, the first address cannot be used
    assert give(start(script)).startswith("250")
    assert [recipient for _, recipient, _ in sent.messages] == ["ops@example.net"]
    assert folders(tmp_path) == {".Sent": 1, "INBOX": 1}


def test_a_copy_that_cannot_be_stored(
    start: Start, sent: Submission, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """RFC 8580: a failed copy never fails the action."""
    caplog.set_level("INFO")
    assert give(start(f'{FCC} vacation :fcc "Nowhere" "I am away.";')).startswith("250")
    assert len(sent.messages) == 1
    assert folders(tmp_path) == {"INBOX": 1}
    assert 'mailbox \\"Nowhere\\" does not exist' in caplog.text


# ---- special-use, RFC 8579

JUNK = """require ["special-use", "fileinto", "mailbox", "copy"];
if specialuse_exists "Spam" "\\\\Junk" { fileinto :specialuse "\\\\Junk" :copy "Other"; }
fileinto :specialuse "\\\\junk" :create "Junk";
"""


def test_the_mailbox_with_a_special_use(start: Start, tmp_path: Path) -> None:
    client = start(JUNK)
    make(tmp_path, "Spam")
    assert give(client).startswith("250")
    assert folders(tmp_path) == {".Spam": 1}  # RFC 5228, 2.10.3: once, though both actions store there


def test_a_mailbox_that_is_created_for_a_special_use(start: Start, tmp_path: Path) -> None:
    client = start(JUNK)
    for number in range(2):
        assert give(client, message(*FIELDS, number=number)).startswith("250")
    assert folders(tmp_path) == {".Junk": 2}


@pytest.mark.parametrize("mailboxes", [("Junk",), ()])
def test_a_mailbox_by_two_names(start: Start, tmp_path: Path, mailboxes: tuple[str, ...]) -> None:
    """RFC 5228, 2.10.3: once in a mailbox, but an edit makes it another message."""
    script = """require ["special-use", "fileinto", "mailbox", "editheader"];
    fileinto :specialuse "\\\\Junk" :create "Other"; fileinto :create "Junk"; addheader "X-A" "1"; keep; fileinto "Junk";"""
    client = start(script)
    make(tmp_path, *mailboxes)
    assert give(client).startswith("250")
    assert folders(tmp_path) == ({"INBOX": 1, ".Junk": 1} if mailboxes else {"INBOX": 1, ".Junk": 1, ".Other": 1})


# ---- mailbox, RFC 5490


@pytest.mark.parametrize(
    "name", [b"../../evil", b"/etc/evil", b"a.b", b"a//b", b"~evil", b"x" * 200 + b"/" + b"y" * 54]
)
def test_a_hostile_mailbox_name(start: Start, tmp_path: Path, name: bytes) -> None:
    script = """require ["fileinto", "mailbox", "variables"];
    if header :matches "x-box" "*" { set "box" "${1}"; }
    if mailboxexists "${box}" { discard; stop; }
    fileinto :create "${box}";"""
    assert give(start(script), message(*FIELDS, b"X-Box: " + name)).startswith("250")
    assert folders(tmp_path) == {"INBOX": 1}
    assert [path.name for path in (tmp_path / "mail").iterdir()] == ["alice"]
    assert sorted(path.name for path in tmp_path.iterdir() if "state" not in path.name) == [
        "alice.sieve",
        "mail",
        "site.conf",
    ]


# ---- duplicate, RFC 7352

DUPLICATE = 'require ["duplicate", "fileinto", "mailbox"]; if duplicate { fileinto :create "Again"; }'


def test_a_duplicate(start: Start, tmp_path: Path) -> None:
    client = start(DUPLICATE)
    for number in range(3):
        assert give(client, message(*FIELDS, number=number)).startswith("250")
    other = client.give(HELLO, "carol@example.com")  # RFC 7352, 3.4: each recipient has a list of their own
    assert other == ["250 2.0.0 Message accepted"]
    assert folders(tmp_path) == {"INBOX": 1, ".Again": 2}


def test_a_message_that_failed_is_no_duplicate_of_itself(start: Start, sent: Submission, tmp_path: Path) -> None:
    """RFC 7352, 3: the ID is remembered only after a success."""
    client = start('require "duplicate"; if duplicate { discard; stop; } redirect "other@example.org";')
    sent.replies["RCPT"] = "451 later"
    for _ in range(2):
        assert give(client).startswith("451")
    sent.replies.clear()
    assert give(client).startswith("250")
    assert [recipient for _, recipient, _ in sent.messages] == ["other@example.org"]
    assert give(client, message(*FIELDS, number=2)).startswith("250")
    assert len(sent.messages) == 1
    assert not (tmp_path / "mail").exists()


# ---- editheader, RFC 5293


def test_edits(start: Start, sent: Submission, tmp_path: Path) -> None:
    script = """require ["editheader", "fileinto", "mailbox", "copy"];
    fileinto :copy :create "Before";
    deleteheader "X-Old"; deleteheader "Received"; addheader "X-New" "one"; addheader :last "X-Last" "two";
    redirect :copy "other@example.org";"""
    raw = message(*FIELDS, b"X-Old: a\r\n b", b"x-old: c")
    assert give(start(script), raw).startswith("250")
    (before,) = stored(tmp_path, ".Before")
    (after,) = stored(tmp_path)
    assert before.endswith(raw.replace(b"\r\n", b"\n"))
    trace, edited = after[: after.index(b"X-New")], after[after.index(b"X-New") :]
    assert edited == (
        b"X-New: one\n" + message(*FIELDS, b"X-Last: two").replace(b"\r\n", b"\n")
    )  # RFC 5293, 6: Received is never deleted
    assert trace.startswith(b"Return-Path: <bob@example.org>\nDelivered-To: alice@example.com\nReceived: from ")
    ((sender, _, octets),) = sent.messages
    assert sender == "bob@example.org"
    assert octets.partition(b"\r\n")[2] == edited.replace(b"\n", b"\r\n")


@pytest.mark.parametrize(
    ("field", "added"),
    [
        (EVIL, "[Hi  Bcc: evil@example.org    body]"),
        (LATIN, None),
        (UTF_8, "[Grüße]"),
        (b"Subject: " + b"x y" * 300, f"[{'x y' * 300}]"),
    ],
)
def test_a_field_with_hostile_text(start: Start, tmp_path: Path, field: bytes, added: str | None) -> None:
    """RFC 5293, 4: other control characters are an error, after which the message is stored as it came."""
    script = """require ["editheader", "variables"];
    if header :matches "subject" "*" { addheader "X-Copy" "[${1}]"; }"""
    raw = message(*FIELDS[:2], field)
    assert give(start(script), raw).startswith("250")
    (octets,) = (octets for octets in stored(tmp_path) if b"Your mail filter" not in octets)
    assert octets.endswith(raw[raw.index(FIELDS[0]) :].replace(b"\r\n", b"\n"))
    parsed = email.message_from_bytes(octets, policy=email.policy.default)
    assert (parsed["X-Copy"], parsed["Bcc"]) == (added, None)
    assert added is None or parsed["X-Copy"].defects == ()


# ---- redirect, RFC 5228, 4.2


@pytest.mark.parametrize("sender", ['"b\\"o b"@example.org', "bob@[192.0.2.1]", "x=y+z@example.org"])
def test_a_redirect_of_odd_octets(start: Start, sent: Submission, sender: str) -> None:
    raw = message(*FIELDS[:2], LATIN, EVIL, body=b"\xff\x00\r\n.\r\n..dots\r\n" + b"x" * 5000)
    assert give(start('redirect "other@example.org";'), raw, sender).startswith("250")
    assert sent.messages == [(sender, "other@example.org", b"X-Sieve-Redirected-From: alice@example.com\r\n" + raw)]
    assert any("BODY=8BITMIME" in command for command in sent.commands)


# ---- reject, RFC 5429


@pytest.mark.parametrize("action", ["reject", "ereject"])
@pytest.mark.parametrize(
    ("reason", "reply"),
    [
        ("no", "550 5.7.1 no"),
        ("one\r\ntwo", "550 5.7.1 one\n5.7.1 two"),
        ("250 2.0.0 ok", "550 5.7.1 250 2.0.0 ok"),
        ("${subject}", "550 5.7.1 Hi  Bcc: evil@example.org    body"),
    ],
)
def test_a_refusal(start: Start, sent: Submission, tmp_path: Path, action: str, reason: str, reply: str) -> None:
    """The reply is for Alice alone, and the MTA sends the notice (RFC 5429, 2.1 and 2.2)."""
    script = f"""require ["{action}", "variables"];
    if header :matches "subject" "*" {{ set "subject" "${{1}}"; }}
    {action} "{reason}";"""
    for sender in ("bob@example.org", ""):
        replies = start(script).give(message(*FIELDS[:2], EVIL), ALICE, "carol@example.com", sender=sender)
        assert replies == [reply, "250 2.0.0 Message accepted"]
    assert sent.messages == []
    assert folders(tmp_path) == {}


@pytest.mark.parametrize("field", [LATIN, UTF_8, b"Subject: " + b"y" * 3000])
def test_a_refusal_outside_ascii(start: Start, field: bytes) -> None:
    """RFC 5429, 2.1.1: the client has not asked for UTF-8. RFC 5321, 4.5.3.1.5: a line has at most 512 octets."""
    script = 'require ["ereject", "variables"]; if header :matches "subject" "*" { ereject "no: ${1}"; }'
    client = start(script)
    (reply,) = client.give(message(*FIELDS[:2], field), ALICE)
    assert reply.startswith("550 5.7.1 no: ")
    assert reply.isascii()
    assert reply.replace("\n", "").isprintable()
    assert max(map(len, reply.split("\n"))) <= 510  # and CRLF


# ---- environment, RFC 5183


@pytest.mark.parametrize(
    ("item", "value"),
    [
        ("remote-ip", "127.0.0.1"),
        ("remote-host", ""),
        ("name", "sieveav"),
        ("phase", "during"),
        ("vnd.sieveav.helo", "client.example.org"),
    ],
)
def test_the_environment(start: Start, tmp_path: Path, item: str, value: str) -> None:
    script = f'require ["environment", "fileinto", "mailbox"]; if environment "{item}" "{value}" {{ fileinto :create "Yes"; }}'
    assert give(start(script)).startswith("250")
    assert folders(tmp_path) == {".Yes": 1}


def test_an_unknown_item_of_the_environment(start: Start, tmp_path: Path) -> None:
    """RFC 5183, 4: the test fails."""
    script = 'require ["environment", "relational"]; if environment :count "eq" "vnd.example.x" "0" { discard; }'
    assert give(start(script)).startswith("250")
    assert folders(tmp_path) == {"INBOX": 1}
