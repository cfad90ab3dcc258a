"""postfix: Debian's Postfix on loopback with a configuration of its own, which delivers into one Maildir."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from pathlib import Path

_MAIN = """\
compatibility_level = 3.6
queue_directory = {base}/queue
data_directory = {base}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = {base}/log
maillog_file_prefixes = {base}
myhostname = mail.example.com
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtpd_recipient_restrictions = permit_mynetworks, reject
virtual_mailbox_domains = example.com example.net
transport_maps = {transport}
minimal_backoff_time = 1s
maximal_backoff_time = 2s
queue_run_delay = 1s
transport_retry_time = 1s
default_destination_concurrency_failed_cohort_limit = 0
virtual_mailbox_base = {base}/mail
virtual_mailbox_maps = static:all/
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
smtpd_milters = {milter}
milter_protocol = 6
milter_default_action = tempfail
alias_maps =
alias_database =
smtputf8_enable = yes
"""

_MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
127.0.0.1:{submission} inet n - n - - smtpd -o smtpd_milters=
lmtp unix - - n - - lmtp
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
showq unix n - n - - showq
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


def is_installed() -> bool:
    """Whether Postfix can be started: it must be, by root."""
    return shutil.which("postfix") is not None and os.geteuid() == 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Postfix:
    """A running Postfix: its SMTP port, the port for submission, where no milter asks, and the Maildir that its own
    deliveries go to, those for example.com and example.net."""

    port: int
    submission: int
    base: Path

    @property
    def log(self) -> str:
        path = self.base / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def delivered(self, number: int, seconds: float = 10.0) -> list[Message]:
        """The messages in the Maildir, once there are `number`, sorted by Delivered-To."""
        new = self.base / "mail" / "all" / "new"
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            files = list(new.iterdir()) if new.is_dir() else []
            if len(files) >= number:
                break
            time.sleep(0.05)
        messages = [message_from_bytes(path.read_bytes()) for path in (new.iterdir() if new.is_dir() else ())]
        return sorted(messages, key=lambda message: str(message["Delivered-To"]))

    def flush(self) -> None:
        """Try at once to deliver what was deferred."""
        subprocess.run(["postqueue", "-c", str(self.base / "etc"), "-f"], check=True, timeout=10)

    def release(self) -> None:
        """Release what is on hold."""
        subprocess.run(["postsuper", "-c", str(self.base / "etc"), "-H", "ALL"], check=True, timeout=10)
        self.flush()

    def queue(self) -> list[dict[str, object]]:
        """The messages in the queue, as `postqueue -j` describes them."""
        done = subprocess.run(
            ["postqueue", "-c", str(self.base / "etc"), "-j"], capture_output=True, text=True, check=False, timeout=10
        )
        return [json.loads(line) for line in done.stdout.splitlines()]

    def queue_is_empty(self) -> bool:
        return not self.queue()


@contextmanager
def postfix(base: Path, milter: str = "", lmtp: str = "", submission: int = 0) -> Iterator[Postfix]:
    """Start Postfix in `base` with a milter, such as unix:/path or inet:host:port; stop it at the end. Mail for example.com
    goes to the server `lmtp`, such as inet:host:port, if there is one."""
    nobody, owner = pwd.getpwnam("nobody"), pwd.getpwnam("postfix")
    base.chmod(0o755)
    for name in ("etc", "queue", "data", "mail"):
        (base / name).mkdir()
    os.chown(base / "data", owner.pw_uid, owner.pw_gid)
    os.chown(base / "mail", nobody.pw_uid, nobody.pw_gid)
    port, submission = free_port(), submission or free_port()
    transport = f"inline:{{{{ example.com = lmtp:{lmtp} }}}}" if lmtp else ""
    main = _MAIN.format(base=base, milter=milter, transport=transport, uid=nobody.pw_uid, gid=nobody.pw_gid)
    (base / "etc" / "main.cf").write_text(main)
    (base / "etc" / "master.cf").write_text(_MASTER.format(port=port, submission=submission))
    command = ["postfix", "-c", str(base / "etc")]
    started = subprocess.run([*command, "start"], capture_output=True, text=True, check=False, timeout=60)
    running = Postfix(port, submission, base)
    assert started.returncode == 0, started.stderr + running.log
    try:
        _wait_for(port, running)
        yield running
    finally:
        subprocess.run([*command, "stop"], capture_output=True, check=False, timeout=60)


def _wait_for(port: int, running: Postfix) -> None:
    until = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert time.monotonic() < until, running.log
            time.sleep(0.05)
        else:
            return
