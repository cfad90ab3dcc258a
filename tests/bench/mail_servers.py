"""mail_servers: the servers that are compared, each with a configuration of its own, on unix sockets and loopback.

    sieveav          `sieveav serve`, with as many workers as cores
    clamav-milter    Debian's, with the same clamd: OnInfected Reject, AddHeader No
    Dovecot          Debian's LMTP server with Pigeonhole, Maildir
    Postfix          one, with a port for each milter; what it takes is discarded

A server is ended by its process id, and the processor time that it and its children have used is read from /proc.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.mail_clients import connect
from support import postfix as mta
from support.daemons import end, until_it_answers

PROGRAMS = {"clamd": "clamav-daemon", "clamav-milter": "clamav-milter", "dovecot": "dovecot-lmtpd dovecot-sieve"}
"""Program -> the packages that it is in, beside Postfix."""

START = 30.0
"""Seconds until a server must answer."""

USERS = tuple(f"user{number}" for number in range(10))
ADDRESSES = tuple(f"{user}@example.com" for user in USERS)


def missing() -> list[str]:
    """The packages that are not installed."""
    path = os.environ.get("PATH", "") + os.pathsep + "/usr/sbin"
    names = [package for program, package in PROGRAMS.items() if shutil.which(program, path=path) is None]
    return names if mta.is_installed() else [*names, "postfix (started by root)"]


@dataclass(frozen=True)
class Process:
    """A running server; `address` is the path of its unix socket."""

    pid: int
    address: str

    def family(self) -> list[int]:
        """Its process and all below it."""
        found = [self.pid]
        for pid in found:
            for thread in Path(f"/proc/{pid}/task").glob("*/children"):
                found += map(int, thread.read_text().split())
        return found

    def cpu(self) -> float:
        """Seconds of processor time of the family, and of its members that have ended."""
        ticks = 0
        for pid in self.family():
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            except FileNotFoundError:
                continue
            ticks += sum(map(int, fields[11:15]))  # utime, stime, cutime, cstime: proc(5)
        return ticks / os.sysconf("SC_CLK_TCK")

    def worker(self) -> int:
        """The process that does the work: the only child."""
        (worker,) = self.family()[1:]
        return worker


def memory(pid: int, name: str) -> float:
    """A value of /proc/PID/status in MB: VmRSS is what is resident, VmHWM the most that was."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))


def forget_peak(pid: int) -> None:
    """Let VmHWM begin again at what is resident now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


@contextmanager
def _running(command: list[str], address: str, log: Path) -> Iterator[Process]:
    """A server in the foreground, from when its socket answers until it is ended."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        until_it_answers(command[0], process, lambda: _accepts(address), log)
        yield Process(process.pid, address)
    finally:
        end(process, 40)


def _accepts(address: str) -> bool:
    connect(address).close()
    return True


def _folder(base: Path, name: str) -> Path:
    folder = base / name
    folder.mkdir()
    folder.chmod(0o755)
    return folder


def write_scripts(folder: Path, scripts: Mapping[str, bytes]) -> None:
    """A script for each user, NAME.sieve."""
    folder.mkdir()
    for name, text in scripts.items():
        (folder / f"{name}.sieve").write_bytes(text)


# ---- sieveav

POLICY = """require ["antivirus", "ereject", "ec_action"];
if antivirus ["infected", "suspicious"] { ereject "This message contains a virus."; }
elsif antivirus "error" { ec_action 451 "4.7.1 This message cannot be scanned at this time."; }
"""

_ENGINE = """\
clamav {{}}
antivirus "a" {{ clamav "clamav1" {{ daemon = "{clamd}" action = "pass" enabled = false timeout = 60 }} }}
sieve "s" {{ script "data_phase1" {{ source = "policy.sieve" }} }}
"""

_MILTER = 'milter "m" {{ listen = "unix:{base}/milter" mode = 0666 }}\n'

_LMTP = """\
lmtp "l" {{ listen = "unix:{base}/lmtp" mode = 0666 deliver = "maildir:{base}/mail/%n" create = true size = "200M" }}
state {{ store = "sqlite:{base}/state.db" }}
"""


@contextmanager
def sieveav(
    base: Path,
    name: str,
    protocol: str,
    *,
    clamd: str = "",
    scripts: Mapping[str, bytes] | None = None,
    workers: int = 0,
) -> Iterator[Process]:
    """Our server for "milter" or "lmtp". `clamd`: one policy asks for the verdict. `scripts`: users' own, by name."""
    folder = _folder(base, name)
    text = (
        f"sieveav {{{{ workers = {workers or os.cpu_count() or 1} }}}}\n" + {"milter": _MILTER, "lmtp": _LMTP}[protocol]
    )
    if clamd:
        text += _ENGINE
        (folder / "policy.sieve").write_text(POLICY)
    if scripts:
        text += 'users {{ scripts = "{base}/scripts/%n.sieve" }}\n'
        write_scripts(folder / "scripts", scripts)
    (folder / "site.conf").write_text(text.format(base=folder, clamd=clamd))
    command = [sys.executable, "-m", "sieveav", "serve", "--config", str(folder / "site.conf")]
    with _running(command, str(folder / protocol), folder / "log") as process:
        until = time.monotonic() + START
        while b"is ready" not in (folder / "log").read_bytes():
            if time.monotonic() > until:
                raise RuntimeError((folder / "log").read_text())
            time.sleep(0.05)
        yield process


# ---- its peers

_CLAMAV_MILTER = """\
MilterSocket unix:{base}/milter
MilterSocketMode 666
FixStaleSocket yes
User root
Foreground yes
ClamdSocket unix:{clamd}
OnClean Accept
OnInfected Reject
OnFail Defer
AddHeader No
LogFile {base}/messages
LogInfected Basic
LogClean Basic
TemporaryDirectory {base}
MaxFileSize 100M
"""


@contextmanager
def clamav_milter(base: Path, clamd: str) -> Iterator[Process]:
    """Debian's clamav-milter. Like ours, it writes a line into its log for each message."""
    folder = _folder(base, "clamav-milter")
    (folder / "conf").write_text(_CLAMAV_MILTER.format(base=folder, clamd=clamd))
    command = ["/usr/sbin/clamav-milter", f"--config-file={folder / 'conf'}"]
    with _running(command, str(folder / "milter"), folder / "log") as process:
        yield process


_DOVECOT = """\
base_dir = {base}/run
state_dir = {base}/state
log_path = {base}/messages
protocols = lmtp
ssl = no
first_valid_uid = 1
mail_location = maildir:{base}/mail/%n
mail_fsync = {fsync}
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={base}/home/%n allow_all_users=yes
}}
service lmtp {{
  process_min_avail = 10
  unix_listener {base}/lmtp {{
    mode = 0666
  }}
}}
protocol lmtp {{
  mail_plugins = sieve
  mail_fsync = {fsync}
}}
plugin {{
  sieve = file:{base}/scripts/%n.sieve
}}
"""


@contextmanager
def dovecot(base: Path, fsync: str, scripts: Mapping[str, bytes]) -> Iterator[Process]:
    """Dovecot's LMTP server with Pigeonhole and users' scripts. `fsync` is its mail_fsync: always or optimized."""
    folder = _folder(base, f"dovecot-{fsync}")
    write_scripts(folder / "scripts", scripts)
    nobody = pwd.getpwnam("nobody")
    for name in ("mail", "home", "state", "run"):
        (folder / name).mkdir()
    for name in ("mail", "home", "scripts"):  # Pigeonhole keeps the compiled script beside it
        os.chown(folder / name, nobody.pw_uid, nobody.pw_gid)
    (folder / "conf").write_text(_DOVECOT.format(base=folder, fsync=fsync))
    with _running(
        ["/usr/sbin/dovecot", "-F", "-c", str(folder / "conf")], str(folder / "lmtp"), folder / "log"
    ) as process:
        yield process


# ---- Postfix


@contextmanager
def postfix(base: Path, milters: Mapping[str, str]) -> Iterator[tuple[mta.Postfix, dict[str, int]]]:
    """A Postfix that discards what it takes; with it, for each milter's socket ("": none) the port where that is asked."""
    ports = {name: mta.free_port() for name in milters}
    services = "".join(
        f"127.0.0.1:{ports[name]} inet n - n - - smtpd -o smtpd_milters={address and 'unix:' + address}\n"
        for name, address in milters.items()
    )
    with mta.postfix(_folder(base, "postfix")) as running:
        etc = running.base / "etc"
        with (etc / "master.cf").open("a") as master:
            master.write(services)
        for setting in ("transport_maps=static:discard:", "in_flow_delay=0", "message_size_limit=0"):
            subprocess.run(["postconf", "-c", str(etc), "-e", setting], check=True, timeout=60)
        subprocess.run(["postfix", "-c", str(etc), "reload"], check=True, timeout=60, capture_output=True)
        until = time.monotonic() + START
        for port in ports.values():
            while True:
                try:
                    connect(port).close()
                    break
                except OSError:
                    if time.monotonic() > until:
                        raise RuntimeError(running.log) from None
                    time.sleep(0.05)
        yield running, ports


def delivered(mail: Path) -> int:
    """The messages in the Maildirs below a folder."""
    return sum(1 for _ in mail.glob("*/new/*"))
