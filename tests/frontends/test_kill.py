"""Killed workers under load, with the real Postfix: no message is lost, and nobody is answered twice."""

from __future__ import annotations

import os
import random
import re
import signal
import smtplib
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from support import postfix as support
from support.daemons import need
from support.postfix import free_port

pytestmark = pytest.mark.real

MESSAGES = int(os.environ.get("SIEVEAV_KILL_MESSAGES", "60"))
"""How many messages are sent, each to four recipients; 500 are a longer test."""

CONFIG = """
sieveav {{ workers = 2 }}
lmtp "l1" {{
    listen = "inet:127.0.0.1:{port}" deliver = "maildir:{base}/mail/%d/%n" create = true submit = "smtp:127.0.0.1:{submission}"
}}
users {{ scripts = "{base}/%n.sieve" }}
state {{ store = "sqlite:{base}/state.db" }}
"""

SCRIPTS = {
    "carol": 'require ["fileinto", "mailbox"]; fileinto :create "Lists"; keep;',
    "erin": 'require "copy"; redirect :copy "other@example.net";',
    "grace": 'require ["vacation", "vacation-seconds"]; vacation "I am away.";',
}

RECIPIENTS = ("alice", *SCRIPTS)


@pytest.fixture
def base() -> Iterator[Path]:
    need(support.is_installed(), "postfix (or root, who starts it)")
    with TemporaryDirectory(prefix="postfix-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


class Server:
    """`sieveav serve`, whose workers can be killed."""

    def __init__(self, config: Path) -> None:
        self.log = config.with_name("serve.log")
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "sieveav", "serve", "--config", str(config)], stderr=log
            )
        self.kills = 0

    def workers(self) -> list[int]:
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in path.read_text().split()]

    def kill(self, rng: random.Random) -> None:
        """kill -9 one worker."""
        workers = self.workers()
        if workers:
            os.kill(rng.choice(workers), signal.SIGKILL)
            self.kills += 1

    def wait(self, seconds: float = 30) -> None:
        until = time.monotonic() + seconds
        while "is ready" not in self.log.read_text():
            assert time.monotonic() < until, self.log.read_text()
            time.sleep(0.05)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(40) == 0


def numbers(texts: list[str]) -> Counter[int]:
    """How often each message's number occurs."""
    return Counter(
        int(match[1]) for text in texts if (match := re.search(r"^Subject: number (\d+)$", text, re.MULTILINE))
    )


def in_maildir(base: Path, name: str, folder: str = "") -> list[str]:
    path = base / "mail" / "example.com" / name / folder / "new"
    return [file.read_text() for file in path.iterdir()] if path.is_dir() else []


def test_kill(base: Path) -> None:
    rng = random.Random(8)
    port, submission = free_port(), free_port()
    for name, script in SCRIPTS.items():
        (base / f"{name}.sieve").write_text(script)
    (base / "site.conf").write_text(CONFIG.format(base=base, port=port, submission=submission))
    (base / "postfix").mkdir()
    with ExitStack() as stack:
        server = Server(base / "site.conf")
        stack.callback(server.stop)
        server.wait()
        lmtp = f"inet:127.0.0.1:{port}"
        postfix = stack.enter_context(support.postfix(base / "postfix", lmtp=lmtp, submission=submission))
        done = threading.Event()

        def kill() -> None:
            while not done.wait(rng.uniform(0.05, 0.6)):
                server.kill(rng)

        killer = threading.Thread(target=kill)
        killer.start()
        try:
            with smtplib.SMTP("127.0.0.1", postfix.port, timeout=60) as client:
                for number in range(MESSAGES):
                    sender = f"bob{number % 7}@example.net"
                    message = f"From: {sender}\r\nTo: grace@example.com\r\nSubject: number {number}\r\n\r\nHi.\r\n"
                    client.sendmail(sender, [f"{name}@example.com" for name in RECIPIENTS], message)
            until = time.monotonic() + 10 + MESSAGES / 20
            while time.monotonic() < until and not postfix.queue_is_empty():
                time.sleep(0.2)
        finally:
            done.set()
            killer.join()
        until = time.monotonic() + 60
        while not postfix.queue_is_empty():
            assert time.monotonic() < until, postfix.log[-5000:]
            postfix.flush()
            time.sleep(0.5)
        own = [message.as_string() for message in postfix.delivered(MESSAGES + 7)]
    assert server.kills > 3
    everything = set(range(MESSAGES))
    for name, folder in (("alice", ""), ("carol", ""), ("carol", ".Lists"), ("erin", ""), ("grace", "")):
        stored = numbers(in_maildir(base, name, folder))
        assert set(stored) == everything, f"{name} {folder}: lost {everything - set(stored)}"
        # a worker that is killed after a store and before its reply stores again
        assert stored.total() - MESSAGES <= 20 * server.kills
    redirected = numbers(own)
    assert set(redirected) == everything
    assert redirected.total() - MESSAGES <= server.kills  # killed between the submission and its record
    replies = Counter(
        match[1] for text in own if (match := re.search(r"^To: (bob\d)@example.net$", text, re.MULTILINE))
    )
    assert max(replies.values(), default=0) == 1
    again = sum(numbers(in_maildir(base, name)).total() - MESSAGES for name in RECIPIENTS)
    print(f"{server.kills} kills: stored again {again}, redirected again {redirected.total() - MESSAGES}")
