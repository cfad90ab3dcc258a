"""The real Dovecot, set up by the files of samples/server: it stores what our LMTP server relays, and shows our Maildirs."""

from __future__ import annotations

import grp
import os
import pwd
import re
import shutil
import smtplib
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from support import dovecot as support
from support import postfix as mta
from support.daemons import free_port, need
from support.lmtp import Client, serving

from sieveav.frontends.maildir import Maildir
from sieveav.frontends.mailstores import Mailstore
from sieveav.frontends.servers.lmtp import LMTP
from sieveav.running.effects import Store
from sieveav.running.questions import Mailbox
from sieveav.site.site import load

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[2]
SERVER = ROOT / "samples/server"

RELAYED = {
    # user    script                                          the mailboxes that get the message, in IMAP's encoding
    "alice": ("", ["INBOX"]),
    "keeps": ("keep;", ["INBOX"]),
    "simple": ('fileinto "Lists";', ["Lists"]),
    "nested": ('fileinto "Lists/python/dev";', ["Lists/python/dev"]),
    "odd": ('fileinto "R&D, a b + c@d";', ["R&-D, a b + c@d"]),
    "below": ('fileinto "inbox/Sub";', ["INBOX/Sub"]),
    "both": ('fileinto "Lists"; keep;', ["INBOX", "Lists"]),
    "umlaut": ('fileinto "Entwürfe";', ["INBOX"]),  # Dovecot 2.3 has no SMTPUTF8
    "dotted": ('fileinto "a.b";', ["INBOX"]),  # no name of a folder in a Maildir
    "outside": ('fileinto "../simple";', ["INBOX"]),
}

OTHERS = ("carol", "dave", "seen", "again", "octets", "waits", "folders", "theirs", "noop", "idle")

MESSAGE = (
    b"Received: from x by y with SMTP id %s\r\nFrom: bob@example.org\r\nTo: alice@example.com\r\nSubject: hi\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
    b"\r\nGr\xc3\xbc\xc3\x9fe.\r\n.dots\r\n..\r\n\r\n"
)


def adapted(text: str, base: Path) -> str:
    """A file of samples/server with paths, user and group of this test."""
    nobody = pwd.getpwnam("nobody")
    text = text.replace("/var/vmail", f"{base}/dovecot/mail").replace("/run/dovecot", f"{base}/dovecot/run")
    text = text.replace("/var/lib/sieveav", f"{base}/site")
    text = re.sub(r"(?m)_uid = vmail$", "_uid = nobody", text)
    return re.sub(r"(?m)(_gid|group) = vmail$", rf"\1 = {grp.getgrgid(nobody.pw_gid).gr_name}", text)


@dataclass(frozen=True)
class Setup:
    """Dovecot, the port of our LMTP server that relays to it, the store of the same site that is a Maildir for each user, and
    the port where a submission server may listen."""

    base: Path
    dovecot: support.Dovecot
    lmtp: int
    maildirs: Mailstore
    submission: int

    def found(self, user: str) -> dict[str, int]:
        """How many messages are in the user's mailboxes; those without any are left out."""
        with self.dovecot.imap(f"{user}@example.com") as client:
            numbers = {name: len(client.messages(name)) for name in client.names()}
        return {name: number for name, number in numbers.items() if number}

    def messages(self, user: str, mailbox: str = "INBOX") -> list[tuple[list[str], bytes]]:
        """The flags and the octets of the messages in a mailbox."""
        with self.dovecot.imap(f"{user}@example.com") as client:
            return client.messages(mailbox)


@pytest.fixture(scope="module")
def setup() -> Iterator[Setup]:
    need(support.is_installed(), "dovecot-lmtpd and dovecot-imapd (or root, who starts them)")
    # Not in a folder of pytest, which only its user may enter.
    with TemporaryDirectory(prefix="dovecot-") as folder:
        base = Path(folder)
        base.chmod(0o755)
        shutil.copytree(SERVER, base / "site")
        scripts = {
            **{name: script for name, (script, _) in RELAYED.items()},
            "seen": 'require "imap4flags"; keep :flags ["\\\\Seen", "\\\\Flagged"];',
            "again": 'fileinto "Lists"; keep;',
            "full": 'fileinto "Lists";',
            "unknown": 'fileinto "Lists";',
        }
        for name, script in scripts.items():
            (base / "site/users" / f"{name}.sieve").write_text(f'require "fileinto"; {script}')

        submission = free_port()
        conf = adapted((SERVER / "sieveav.conf").read_text(), base).replace(
            "127.0.0.1:10587", f"127.0.0.1:{submission}"
        )
        conf = re.sub(r'clamav "clamav1" \{[^}]*\}', 'yara "yara1" {}', conf).replace("clamav {}", "yara {}")
        sample = adapted((SERVER / "dovecot/sieveav.conf").read_text(), base)
        instead = re.search(r'write (deliver = "lmtp:[^"]*") in sieveav.conf', sample)
        assert instead is not None
        (base / "site/maildirs.conf").write_text(conf)
        (base / "site/relay.conf").write_text(re.sub(r'deliver = "[^"]*"', instead[1], conf))
        (maildirs,) = load(base / "site/maildirs.conf").settings[LMTP]

        users = {f"{name}@example.com": "" for name in (*RELAYED, *OTHERS)}
        users["full@example.com"] = "userdb_quota_rule=*:bytes=100"
        (base / "dovecot").mkdir()
        with (
            support.dovecot(base / "dovecot", sample, users) as dovecot,
            serving(load(base / "site/relay.conf")) as port,
        ):
            yield Setup(base, dovecot, port, maildirs.store, submission)


@pytest.fixture
def client(setup: Setup) -> Iterator[Client]:
    """A client of our LMTP server."""
    with Client(setup.lmtp) as client:
        yield client


def message(identity: str) -> bytes:
    """A message that is not the same as another."""
    return MESSAGE.replace(b"%s", identity.encode())


# ---- relay


@pytest.mark.parametrize("user", RELAYED)
def test_a_mailbox(setup: Setup, client: Client, user: str) -> None:
    assert client.give(message(user), f"{user}@example.com") == ["250 2.0.0 Message accepted"]
    assert setup.found(user) == dict.fromkeys(RELAYED[user][1], 1), setup.dovecot.log


def test_a_created_mailbox_is_subscribed(setup: Setup, client: Client) -> None:
    client.give(message("subscribed"), "simple@example.com")
    with setup.dovecot.imap("simple@example.com") as imap:
        assert imap.names("LSUB") == ["Lists"]


def test_a_detail_that_a_sender_has_written_is_no_mailbox(setup: Setup, client: Client) -> None:
    assert client.give(message("detail"), "waits+Any/thing@example.com")[0].startswith("250")
    assert setup.found("waits") == {"INBOX": 1}


def test_flags_are_lost(setup: Setup, client: Client) -> None:
    assert client.give(message("flags"), "seen@example.com")[0].startswith("250")
    ((flags, _),) = setup.messages("seen")
    assert flags == []


def test_the_octets(setup: Setup, client: Client) -> None:
    raw = message("octets")
    assert client.give(raw, "octets@example.com")[0].startswith("250")
    ((_, octets),) = setup.messages("octets")
    trace, scanned, rest = octets.partition(b"X-Virus-Scanned: by sieveav\r\n")
    assert (scanned + rest).endswith(raw)
    names = re.findall(rb"(?m)^([A-Za-z-]+):", trace)
    assert names == [b"Return-Path", b"Delivered-To", b"Received", b"Received"]  # Dovecot's three, and ours


def test_each_recipient_has_a_reply(setup: Setup, client: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    before = setup.found("simple").get("Lists", 0)
    names = ("simple", "unknown", "full", "carol", "stranger")
    replies = client.give(message("each"), *(f"{name}@example.com" for name in names))
    later = "451 4.3.0 This message cannot be delivered at this time, please try again later"
    no_user = "550 5.1.1 No such user here"
    assert replies == ["250 2.0.0 Message accepted", no_user, later, "250 2.0.0 Message accepted", no_user]
    assert setup.found("simple")["Lists"] == before + 1
    assert setup.found("carol") == {"INBOX": 1}
    assert setup.found("full") == {}
    line = caplog.records[-1].getMessage()
    assert "unknown@example.com: 550 5.1.1 <unknown+Lists@example.com> User doesn't exist" in line
    assert "full@example.com: 552 5.2.2 <full+Lists@example.com> Quota exceeded" in line
    assert "stored in INBOX" not in line


def test_while_it_is_stopped(setup: Setup, client: Client) -> None:
    raw = message("stopped")
    setup.dovecot.stop()
    try:
        assert client.give(raw, "again@example.com")[0].startswith("451 4.3.0")
    finally:
        setup.dovecot.start()
    assert setup.found("again") == {}
    assert client.give(raw, "again@example.com")[0].startswith("250")
    assert setup.found("again") == {"INBOX": 1, "Lists": 1}


def test_the_socket_is_for_the_group(setup: Setup) -> None:
    status = setup.dovecot.lmtp.stat()
    assert (status.st_mode & 0o777, status.st_gid) == (0o660, pwd.getpwnam("nobody").pw_gid)
    with as_nobody(), socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(setup.dovecot.lmtp))
        assert connection.recv(4) == b"220 "


def test_readme_names_the_same_socket() -> None:
    address = re.search(r'"(lmtp:unix:[^"]*)"', (ROOT / "README.rst").read_text(encoding="utf-8"))
    assert address is not None
    assert f'deliver = "{address[1]}"' in (SERVER / "dovecot/sieveav.conf").read_text()


# ---- Maildirs


@contextmanager
def as_nobody() -> Iterator[None]:
    """The effective user for a while, as whom sieveav and Dovecot use the Maildirs."""
    nobody = pwd.getpwnam("nobody")
    with TemporaryDirectory() as folder:  # what is imported late, now: Python may be where nobody else can read
        Maildir(folder).store("ü", b"", create=True)
    os.setegid(nobody.pw_gid)
    os.seteuid(nobody.pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


def store(setup: Setup, user: str, mailbox: str | None, raw: bytes = MESSAGE, *flags: str, create: bool = True) -> None:
    """Store a message in a user's Maildir."""
    with as_nobody():
        effect = Store(mailbox, flags=flags, create=create)
        assert setup.maildirs.store(f"{user}@example.com", "bob@example.org", effect, raw) is None


FOLDERS = {
    "Lists": "Lists",
    "Lists/python": "Lists/python",
    "Entwürfe/ß für €": "Entw&APw-rfe/&AN8- f&APw-r &IKw-",
    "日本語": "&ZeVnLIqe-",
    "R&D, a b + c%": "R&-D, a b + c%",
}
"""Mailbox -> its name in IMAP's encoding."""


FLAGS = {
    "Lists": ("\\Seen",),
    "Lists/python": ("\\Answered", "\\Flagged"),
    "日本語": ("\\Deleted", "\\Draft"),
}


def test_folders(setup: Setup) -> None:
    for mailbox in FOLDERS:
        store(setup, "folders", mailbox, message(mailbox), *FLAGS.get(mailbox, ()))
    store(setup, "folders", None)
    with setup.dovecot.imap("folders@example.com") as imap:
        assert imap.names() == sorted(["INBOX", *FOLDERS.values()])
        assert imap.names("LSUB") == sorted(FOLDERS.values())
        for mailbox, name in FOLDERS.items():
            octets = message(mailbox)
            assert imap.messages(name) == [([*FLAGS.get(mailbox, ())], octets)]
            assert imap.fetch("1", "(RFC822.SIZE)")[1] == [b"1 (RFC822.SIZE %d)" % len(octets)]
        assert imap.messages() == [([], MESSAGE)]
    assert "Error:" not in setup.dovecot.log, setup.dovecot.log


def test_folders_that_a_mail_client_has_made(setup: Setup) -> None:
    with setup.dovecot.imap("theirs@example.com") as imap:
        for name in ("Work/&APw-ber", "Sent"):
            assert imap.create(name)[0] == "OK"
            assert imap.subscribe(name)[0] == "OK"
        assert setup.maildirs.has("theirs@example.com", Mailbox("Work/über"))
        store(setup, "theirs", "Work/über", create=False)
        store(setup, "theirs", "Work/new")
        assert imap.names("LSUB") == ["Sent", "Work/&APw-ber", "Work/new"]
        assert [len(imap.messages(name)) for name in imap.names("LSUB")] == [0, 1, 1]
        assert imap.delete("Sent")[0] == "OK"
    assert not setup.maildirs.has("theirs@example.com", Mailbox("Sent"))


def test_a_message_for_a_mailbox_that_is_selected(setup: Setup) -> None:
    with setup.dovecot.imap("noop@example.com") as imap:
        imap.select()
        assert imap.response("EXISTS")[1] == [b"0"]
        for number in (b"1", b"2"):
            store(setup, "noop", None)
            until = time.monotonic() + 10
            while imap.response("EXISTS")[1] != [number]:
                assert time.monotonic() < until, setup.dovecot.log
                imap.noop()
        assert imap.messages() == [([], MESSAGE)] * 2


def test_a_message_for_a_client_that_waits(setup: Setup) -> None:
    with setup.dovecot.imap("idle@example.com") as imap:
        imap.select()
        imap.send(b"idle IDLE\r\n")  # RFC 2177
        assert imap.readline() == b"+ idling\r\n"
        store(setup, "idle", None)
        lines = iter(imap.readline, b"")
        assert b"* 1 EXISTS\r\n" in lines
        imap.send(b"DONE\r\n")
        assert any(line.startswith(b"idle OK") for line in lines)
        assert imap.messages() == [([], MESSAGE)]


# ---- a whole way


def test_from_postfix_to_dovecot(setup: Setup) -> None:
    need(mta.is_installed(), "postfix (or root, who starts it)")
    raw = (ROOT / "samples/mail/list.eml").read_bytes()
    with TemporaryDirectory(prefix="postfix-") as folder:
        lmtp = f"inet:127.0.0.1:{setup.lmtp}"
        with mta.postfix(Path(folder), lmtp=lmtp, submission=setup.submission) as postfix:
            with smtplib.SMTP("127.0.0.1", postfix.port, timeout=30) as smtp:
                names = ("alice", "carol", "dave", "erin", "unknown")
                smtp.sendmail("bob@example.net", [f"{name}@example.com" for name in names], raw)
            (notice,) = postfix.delivered(1)
            until = time.monotonic() + 20
            while not postfix.queue_is_empty():
                assert time.monotonic() < until, postfix.log
                time.sleep(0.05)
    report = notice.as_string()
    for name, reason in {"erin": "550 5.7.1 This mailbox is", "unknown": "550 5.1.1 No such user"}.items():
        assert f"<{name}@example.com>: host 127.0.0.1[127.0.0.1] said: {reason}" in report
    for name, mailbox in {"alice": "INBOX", "carol": "Lists", "dave": "INBOX"}.items():
        octets = setup.messages(name, mailbox)[-1][1]
        assert octets.startswith(b"Return-Path: <bob@example.net>\r\nDelivered-To: %s" % name.encode())
        assert b"\r\nSubject: [Python] Release\r\n" in octets
