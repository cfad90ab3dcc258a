"""LMTP behind the real Postfix: what is delivered, bounced, and brought again until it can be done."""

from __future__ import annotations

import smtplib
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from support import postfix as support
from support.daemons import need
from support.lmtp import serving
from support.postfix import free_port

from sieveav.site.site import load

pytestmark = pytest.mark.real

CONFIG = """
lmtp "l1" { listen = "inet:127.0.0.1:1" deliver = "maildir:BASE/mail/%d/%n" create = true submit = "smtp:127.0.0.1:PORT" }
users { scripts = "%n.sieve" }
state { store = "sqlite:state.db" }
"""

SCRIPTS = {
    "carol": 'require "fileinto"; require "mailbox"; fileinto :create "Lists/a";',
    "dave": 'require "ereject"; ereject "not here";',
    "erin": 'require ["copy", "vacation"]; redirect :copy "other@example.net"; vacation "I am away.";',
    "frank": "discard;",
}

MESSAGE = b"From: bob@example.net\r\nTo: alice@example.com, erin@example.com\r\nSubject: hi\r\n\r\nHello.\r\n.dots\r\n"


class Setup:
    """A Postfix that delivers by our LMTP server, and what both have delivered."""

    def __init__(self, postfix: support.Postfix, base: Path) -> None:
        self.postfix = postfix
        self.base = base

    def send(self, *names: str, number: int = 1) -> None:
        with smtplib.SMTP("127.0.0.1", self.postfix.port, timeout=30) as client:
            for _ in range(number):
                client.sendmail("bob@example.net", [f"{name}@example.com" for name in names], MESSAGE)

    def stored(self, name: str, folder: str = "") -> list[bytes]:
        path = self.base / "mail" / "example.com" / name / folder / "new"
        return [file.read_bytes() for file in path.iterdir()] if path.is_dir() else []

    def empty_queue(self, seconds: float = 30.0) -> None:
        """Wait until Postfix has nothing more to do."""
        until = time.monotonic() + seconds
        while not self.postfix.queue_is_empty():
            assert time.monotonic() < until, self.postfix.log
            self.postfix.flush()
            time.sleep(0.5)


@pytest.fixture
def base() -> Iterator[Path]:
    need(support.is_installed(), "postfix (or root, who starts it)")
    # Not in tmp_path: Postfix runs as users of its own, and each start of pytest closes its folders to others.
    with TemporaryDirectory(prefix="postfix-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def start(base: Path) -> Iterator[Callable[..., Setup]]:
    """Starts our LMTP server and Postfix."""
    with ExitStack() as stack:

        def start(config: str = CONFIG, port: int = 0) -> Setup:
            submission = free_port()
            for name, script in SCRIPTS.items():
                (base / f"{name}.sieve").write_text(script)
            text = config.replace("BASE", str(base)).replace("PORT", str(submission))
            (base / "site.conf").write_text(text)
            if not port:
                port = stack.enter_context(serving(load(base / "site.conf")))
            (base / "postfix").mkdir()
            lmtp = f"inet:127.0.0.1:{port}"
            return Setup(stack.enter_context(support.postfix(base / "postfix", lmtp=lmtp, submission=submission)), base)

        yield start


def test_each_recipient(start: Callable[..., Setup]) -> None:
    setup = start()
    setup.send("alice", "carol", "dave", "erin", "frank")
    own = {str(message["Delivered-To"]): message for message in setup.postfix.delivered(3)}
    assert {name: str(message["Subject"]) for name, message in own.items()} == {
        "other@example.net": "hi",
        "bob@example.net": own["bob@example.net"]["Subject"],
    }
    setup.empty_queue()
    assert [len(setup.stored(name)) for name in ("alice", "carol", "dave", "erin", "frank")] == [1, 0, 0, 1, 0]
    (octets,) = setup.stored("carol", ".Lists.a")
    assert octets.startswith(
        b"Return-Path: <bob@example.net>\nDelivered-To: carol@example.com\nReceived: from mail.example.com"
    )
    assert octets.endswith(b"\n\nHello.\n.dots\n")
    subjects = sorted(str(message["Subject"]) for message in setup.postfix.delivered(3) if message["Subject"] != "hi")
    assert subjects == ["Auto: hi", "Undelivered Mail Returned to Sender"]  # erin's reply, and the notice about dave
    assert "not here" in setup.postfix.log


def test_what_cannot_be_done_now_is_brought_again(start: Callable[..., Setup], base: Path) -> None:
    (base / "mail").write_text("a file where the folder of all Maildirs should be")
    setup = start()
    setup.send("alice", "erin", number=3)
    time.sleep(2)
    assert not setup.postfix.queue_is_empty()
    assert "451 4.3.0 This message cannot be delivered" in setup.postfix.log
    (base / "mail").unlink()
    setup.empty_queue()
    assert [len(setup.stored(name)) for name in ("alice", "erin")] == [3, 3]
    subjects = sorted(str(message["Subject"]) for message in setup.postfix.delivered(4))
    assert subjects == ["Auto: hi", "hi", "hi", "hi"]  # erin's reply, once, and redirects
