"""demo: the files of samples/server at work, with Postfix on loopback. Run it by `sh samples/mail/run`.

The files are used as they are, but for ports and paths, and for the engine: yara needs no daemon.
"""

from __future__ import annotations

import mailbox
import os
import pwd
import re
import signal
import smtplib
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

MAIL = Path(__file__).resolve().parent
SERVER = MAIL.parent / "server"

SENT = (
    ("clean.eml", ["alice", "carol", "dave"]),
    ("list.eml", ["carol"]),
    ("urgent.eml", ["carol", "dave"]),
    ("clean.eml", ["erin"]),
    ("eicar.eml", ["alice"]),
    ("encrypted-zip.eml", ["alice", "carol"]),
)
"""Messages, and to whom they are sent."""

SECONDS = 30
"""How long to wait for Postfix and sieveav."""

MAIN = """\
compatibility_level = 3.6
queue_directory = {base}/queue
data_directory = {base}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
maillog_file = {base}/postfix.log
maillog_file_prefixes = {base}
myhostname = mail.example.com
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
smtpd_recipient_restrictions = permit_mynetworks, reject
transport_maps = inline:{{ {{ example.org = virtual: }}, {{ example.net = virtual: }} }}
virtual_mailbox_maps = static:all/
virtual_mailbox_base = {base}/elsewhere
virtual_minimum_uid = 1
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
"""
"""A Postfix of its own. Mail to other places is delivered into one Maildir, for this page to show."""

MASTER = """\
127.0.0.1:{smtp} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
lmtp unix - - n - - lmtp
virtual unix - n n - - virtual
error unix - - n - - error
retry unix - - n - - error
showq unix n - n - - showq
proxymap unix - - n - - proxymap
flush unix n - n 1000? 0 flush
verify unix - - n - 1 verify
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # which stops Postfix too
    print("starting Postfix and sieveav on loopback ...", flush=True)
    with tempfile.TemporaryDirectory(prefix="sieveav-demo-") as folder:
        base = Path(folder)
        base.chmod(0o755)
        ports = {name: free_port() for name in ("smtp", "8891", "10024", "10587")}
        with running(base, ports):
            for name, users in SENT:
                recipients = [f"{user}@example.com" for user in users]
                print(f"\n{name} to {', '.join(users)}\n    {send(ports['smtp'], MAIL / name, recipients)}", flush=True)
            wait_until(lambda: queue_is_empty(base), (base / "postfix.log").read_text)
            print("\ndelivered:")
            for line in sorted([*delivered(base / "vmail" / "example.com"), *elsewhere(base / "elsewhere" / "all")]):
                print(f"    {line}")
    return 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(base: Path, ports: dict[str, int]) -> Iterator[None]:
    """Postfix and sieveav, with the files of samples/server."""
    nobody = pwd.getpwnam("nobody")
    for name in ("etc", "queue", "data", "elsewhere", "vmail", "state"):
        (base / name).mkdir()
    os.chown(base / "data", pwd.getpwnam("postfix").pw_uid, -1)
    os.chown(base / "elsewhere", nobody.pw_uid, nobody.pw_gid)

    def changed(path: Path) -> str:
        text = path.read_text()
        for port, other in ports.items():
            text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{other}")
        return text.replace("/var/vmail", f"{base}/vmail").replace("/var/lib/sieveav", f"{base}/state")

    def write(name: str, text: str) -> None:
        (base / name).parent.mkdir(parents=True, exist_ok=True)
        (base / name).write_text(text)

    for path in SERVER.rglob("*.sieve"):
        write(f"etc/{path.relative_to(SERVER)}", path.read_text())
    engine = re.sub(r'clamav "clamav1" \{[^}]*\}', 'yara "yara1" {}', changed(SERVER / "sieveav.conf"))
    write("etc/sieveav.conf", f"sieveav {{ workers = 1 }}\n{engine.replace('clamav {}', 'yara {}')}")
    write(
        "etc/main.cf",
        MAIN.format(base=base, uid=nobody.pw_uid, gid=nobody.pw_gid) + changed(SERVER / "postfix/main.cf"),
    )
    write("etc/master.cf", MASTER.format(smtp=ports["smtp"]) + changed(SERVER / "postfix/master.cf"))

    log = (base / "sieveav.log").open("w")
    command = [sys.executable, "-m", "sieveav", "serve", "--config", str(base / "etc/sieveav.conf")]
    sieveav = subprocess.Popen(command, stdout=log, stderr=log)
    postfix = ["postfix", "-c", str(base / "etc")]
    try:
        subprocess.run([*postfix, "start"], check=True, capture_output=True)
        wait_until(lambda: "is ready" in (base / "sieveav.log").read_text(), (base / "sieveav.log").read_text)
        wait_until(lambda: answers(ports["smtp"]), (base / "postfix.log").read_text)
        yield
    finally:
        subprocess.run([*postfix, "stop"], check=False, capture_output=True)
        sieveav.terminate()
        sieveav.wait()
        log.close()


def answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 5):
        return True
    return False


def wait_until(is_done: Callable[[], bool], reason: Callable[[], str]) -> None:
    """Wait, or end with a reason."""
    until = time.monotonic() + SECONDS
    while not is_done():
        if time.monotonic() > until:
            raise SystemExit(reason())
        time.sleep(0.05)


def send(port: int, path: Path, recipients: list[str]) -> str:
    """What a client hears."""
    message = path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    with smtplib.SMTP("127.0.0.1", port, timeout=SECONDS) as client:
        client.ehlo()
        client.mail("bob@example.org")
        for recipient in recipients:
            client.rcpt(recipient)
        code, text = client.data(message)
    return re.sub(r"(queued as) \S+", r"\1 ...", f"{code} {text.decode()}")


def queue_is_empty(base: Path) -> bool:
    done = subprocess.run(["postqueue", "-c", str(base / "etc"), "-j"], check=True, capture_output=True, text=True)
    return not done.stdout


def delivered(users: Path) -> Iterator[str]:
    """A line for each message in the users' Maildirs."""
    for user in users.iterdir():
        box = mailbox.Maildir(user)
        for folder in ("INBOX", *box.list_folders()):
            for message in box if folder == "INBOX" else box.get_folder(folder):
                yield f"{user.name:8}{folder:10}{message['Subject']}"


def elsewhere(maildir: Path) -> Iterator[str]:
    """A line for each message that was sent to other places."""
    if maildir.is_dir():
        for message in mailbox.Maildir(maildir):
            yield f"to {message['Delivered-To']}: {message['Subject']}"


if __name__ == "__main__":
    raise SystemExit(main())
