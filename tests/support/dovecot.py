"""dovecot: Debian's Dovecot on loopback with a configuration of its own: LMTP on a unix socket, and IMAP.

What is tested is added to that configuration, such as the file of samples/server.
"""

from __future__ import annotations

import imaplib
import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.daemons import end, free_port, until_it_answers

START = 20.0
"""Seconds until it must answer; it takes well under one."""

PASSWORD = "secret"  # noqa: S105

_CONFIG = """\
base_dir = {base}/run
state_dir = {base}/state
log_path = {base}/log
protocols = imap lmtp
ssl = no
disable_plaintext_auth = no
mail_plugins = quota
passdb {{
  driver = passwd-file
  args = {base}/users
}}
userdb {{
  driver = passwd-file
  args = {base}/users
}}
plugin {{
  quota = count:User quota
  quota_vsizes = yes
}}
service imap-login {{
  inet_listener imap {{
    address = 127.0.0.1
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
"""


def is_installed() -> bool:
    """Whether Dovecot, with LMTP and IMAP, can be started: it must be, by root."""
    there = all(Path("/usr/lib/dovecot", name).exists() for name in ("imap", "lmtp"))
    return there and shutil.which("dovecot", path="/usr/sbin") is not None and os.geteuid() == 0


@dataclass
class Dovecot:
    """A Dovecot that can be stopped and started again; its IMAP port, and the users' addresses."""

    base: Path
    port: int
    users: tuple[str, ...]
    process: subprocess.Popen[bytes] | None = None

    @property
    def lmtp(self) -> Path:
        """The unix socket of its LMTP server."""
        return self.base / "run" / "lmtp"

    @property
    def log(self) -> str:
        path = self.base / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = ["/usr/sbin/dovecot", "-F", "-c", str(self.base / "conf")]
        with (self.base / "output").open("wb") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=output)
        until_it_answers("dovecot", self.process, self._answers, self.base / "output", self.base / "log", seconds=START)

    def _answers(self) -> bool:
        # it opens all sockets before it starts any service
        imaplib.IMAP4("127.0.0.1", self.port, timeout=START).logout()
        return True

    def stop(self) -> None:
        """Stop it with all its processes, and wait until they have ended."""
        if self.process is not None:
            end(self.process)

    @contextmanager
    def imap(self, user: str) -> Iterator[Imap]:
        """A mail client of a user."""
        client = Imap("127.0.0.1", self.port, timeout=START)
        try:
            client.login(user, PASSWORD)
            yield client
        finally:
            client.logout()


class Imap(imaplib.IMAP4):
    """A mail client. Names of mailboxes are in IMAP's encoding (RFC 3501, 5.1.3)."""

    def names(self, command: str = "LIST") -> list[str]:
        """The mailboxes that can be selected, or by LSUB those that are subscribed to, sorted."""
        answers = self.lsub()[1] if command == "LSUB" else self.list()[1]
        lines = [line.decode() for line in answers if isinstance(line, bytes)]
        matches = [re.fullmatch(r'\(([^)]*)\) "/" "?(.*?)"?', line) for line in lines]
        return sorted(match[2] for match in matches if match and "\\Noselect" not in match[1])

    def messages(self, name: str = "INBOX") -> list[tuple[list[str], bytes]]:
        """The flags but \\Recent, sorted, and the octets of each message in a mailbox; nothing is changed by that."""
        status, answers = self.select(f'"{name}"', readonly=True)
        assert status == "OK", answers
        if answers == [b"0"]:
            return []
        pairs = [pair for pair in self.fetch("1:*", "(FLAGS BODY.PEEK[])")[1] if isinstance(pair, tuple)]
        return [
            (sorted(set(map(bytes.decode, imaplib.ParseFlags(head))) - {"\\Recent"}), octets) for head, octets in pairs
        ]


@contextmanager
def dovecot(base: Path, settings: str, users: Mapping[str, str]) -> Iterator[Dovecot]:
    """Start Dovecot in `base`, which other users may read, with further settings; stop it at the end. `users`: address -> extra
    fields of the user database."""
    nobody = pwd.getpwnam("nobody")
    for name in ("home", "mail"):
        (base / name).mkdir()
        os.chown(base / name, nobody.pw_uid, nobody.pw_gid)
    lines = [f"{user}:{{PLAIN}}{PASSWORD}::::{base}/home/{user}::{extra}\n" for user, extra in users.items()]
    (base / "users").write_text("".join(lines))
    running = Dovecot(base, free_port(), tuple(users))
    (base / "conf").write_text(_CONFIG.format(base=base, port=running.port) + settings)
    try:
        running.start()
        yield running
    finally:
        running.stop()
