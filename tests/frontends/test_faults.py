"""Faults of the world while mail arrives: disks, other servers, the state, clamd, workers, the clock. What cannot be done now
is deferred, and done once when it can be; and what addresses and scripts name is inside of its place."""

from __future__ import annotations

import errno
import os
import re
import resource
import signal
import smtplib
import socket
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from support.daemons import StartClamd
from support.lmtp import Client, serving
from support.postfix import free_port
from support.serving import Serve
from support.submission import Submission, submission

from sieveav.site import clock
from sieveav.site.site import load
from sieveav.site.state import State, open_state
from sieveav.site.states import sqlite
from sieveav.site.users import Users, fill

CONFIG = """
lmtp "l" {
    listen = "inet:127.0.0.1:1" deliver = "maildir:FOLDER/mail/%d/%n" create = true submit = "SUBMIT"
}
users { scripts = "FOLDER/scripts/%n.sieve" }
state { store = "sqlite:state.db" }
"""

VACATION = 'require "vacation"; vacation "I am away.";'
COPY = 'require "copy"; redirect :copy "other@example.org";'


def message(number: int = 1) -> bytes:
    return (
        b"Received: from x by y with SMTP id %d\r\nFrom: bob@example.org\r\nTo: alice@example.com\r\n"
        b"Subject: number %d\r\n\r\nHello.\r\n" % (number, number)
    )


@pytest.fixture
def sent() -> Iterator[Submission]:
    with submission() as server:
        yield server


Start = Callable[..., Client]


@pytest.fixture
def start(tmp_path: Path, sent: Submission) -> Iterator[Start]:
    """Starts the server of a site with scripts by recipient, and connects to it."""
    with ExitStack() as stack:

        def start(config: str = CONFIG, **scripts: str) -> Client:
            (tmp_path / "scripts").mkdir(exist_ok=True)
            for name, script in scripts.items():
                (tmp_path / "scripts" / f"{name}.sieve").write_text(script)
            (tmp_path / "site.conf").write_text(config.replace("FOLDER", str(tmp_path)).replace("SUBMIT", sent.address))
            port = stack.enter_context(serving(load(tmp_path / "site.conf")))
            return stack.enter_context(Client(port))

        yield start


def stored(folder: Path, name: str = "alice") -> list[bytes]:
    return [path.read_bytes() for path in (folder / "mail").glob(f"*/{name}/new/*")]


def numbers(messages: list[bytes]) -> Counter[bytes]:
    return Counter(
        number for raw in messages for number in re.findall(rb"^Subject: number (\d+)\r?$", raw, re.MULTILINE)
    )


def wait_until(condition: Callable[[], object]) -> None:
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


# ---- the disk


def _fail(number: int) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> Any:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("write", errno.ENOSPC),
        ("write", errno.EDQUOT),
        ("write", errno.EIO),
        ("fsync", errno.ENOSPC),
        ("fsync", errno.EIO),
        ("rename", errno.EROFS),
        ("mkdir", errno.EROFS),
        ("mkdir", errno.ENOSPC),
        ("open", errno.EMFILE),
        ("open", errno.EACCES),
        ("open", errno.EROFS),
    ],
)
def test_a_disk_that_fails(
    start: Start, sent: Submission, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, number: int
) -> None:
    """Full, read-only, broken, closed to us: the message comes again, and what was done for it is not done twice."""
    client = start(alice=COPY)
    real = getattr(os, name)
    failing = True
    calls: list[int] = []

    def half(file: int, octets: Any) -> int:
        """Writes some octets, and then none."""
        calls.append(file)
        if len(calls) == 1:
            return int(real(file, octets[:10]))
        return int(_fail(number)())

    def only_below(path: Any, *rest: Any, **more: Any) -> Any:
        """Fails for mail alone: also the log and the state use files."""
        if failing and ("mail" in str(path) or any(name.endswith("dir_fd") for name in more)):
            _fail(number)()
        return real(path, *rest, **more)

    replacement = {"write": half, "fsync": _fail(number)}.get(name, only_below)
    monkeypatch.setattr(os, name, replacement)
    assert client.give(message(), "alice@example.com") == [
        "451 4.3.0 This message cannot be delivered at this time, please try again later"
    ]
    failing = False
    monkeypatch.undo()
    assert [path for path in tmp_path.rglob("mail/**/*") if path.is_file()] == []
    assert client.give(message(), "alice@example.com")[0].startswith("250")
    assert numbers(stored(tmp_path)) == {b"1": 1}
    assert len(sent.messages) == 1


# ---- other servers


def test_a_submission_server_that_is_down_and_comes_back(start: Start, tmp_path: Path) -> None:
    port = free_port()
    config = CONFIG.replace("SUBMIT", f"smtp:127.0.0.1:{port}")
    client = start(
        config, alice='require ["copy", "fileinto", "mailbox"]; redirect :copy "o@x.org"; fileinto :create "A";'
    )
    for _ in range(2):
        assert client.give(message(), "alice@example.com")[0].startswith("451")
    with submission(port) as server:
        for _ in range(2):
            assert client.give(message(), "alice@example.com")[0].startswith("250")
    assert [recipient for _, recipient, _ in server.messages] == ["o@x.org"]
    assert [path.parent.parent.name for path in tmp_path.rglob("new/*")] == [".A"]


def test_a_mail_store_that_is_down_and_comes_back(start: Start, sent: Submission, tmp_path: Path) -> None:
    port = free_port()
    client = start(CONFIG.replace("maildir:FOLDER/mail/%d/%n", f"lmtp:inet:127.0.0.1:{port}"), alice=COPY)
    for _ in range(2):
        assert client.give(message(), "alice@example.com")[0].startswith("451")
    (tmp_path / "second.conf").write_text(
        f'lmtp "l2" {{ listen = "inet:127.0.0.1:1" deliver = "maildir:{tmp_path}/mail/%d/%n" create = true }}'
    )
    with serving(load(tmp_path / "second.conf"), port=port):
        assert client.give(message(), "alice@example.com")[0].startswith("250")
    assert numbers(stored(tmp_path)) == {b"1": 1}
    assert len(sent.messages) == 1


# ---- the state


def test_a_state_that_is_locked(
    start: Start, sent: Submission, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Mail goes on, no reply is sent twice, and a message to many recipients waits for it once."""
    caplog.set_level("INFO")
    monkeypatch.setattr(sqlite, "WAIT", 0.5)
    names = [f"user{number}" for number in range(40)]
    away = VACATION.replace('vacation "', 'vacation :addresses "alice@example.com" "')
    client = start(**dict.fromkeys(names, away))
    assert client.give(message(1), "user0@example.com")[0].startswith("250")
    assert len(sent.messages) == 1
    with closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        begun = time.monotonic()
        replies = client.give(message(2), *(f"{name}@example.com" for name in names))
        assert time.monotonic() - begun < 10
        other.execute("ROLLBACK")
    assert [reply[:3] for reply in replies] == ["250"] * 40
    assert len(sent.messages) == 1
    assert caplog.text.count("database is locked") == 1
    wait_until(lambda: client.give(message(3), "user1@example.com") and len(sent.messages) == 2)
    assert "state: it works again" in caplog.text


def _remove(folder: Path) -> None:
    for path in folder.glob("state.db*"):
        path.unlink()


def _replace(folder: Path) -> None:
    _remove(folder)
    (folder / "state.db").touch()


@pytest.mark.parametrize("change", [_remove, _replace])
def test_a_state_that_is_removed(
    start: Start, sent: Submission, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    """The file that is there now remembers, not the one that nobody can open any more."""
    client = start(alice=VACATION)
    for number in range(2):
        client.give(message(number), "alice@example.com")
    assert len(sent.messages) == 1
    change(tmp_path)
    for number in range(2, 4):
        assert client.give(message(number), "alice@example.com")[0].startswith("250")
    assert len(sent.messages) == 2
    with closing(sqlite3.connect(tmp_path / "state.db")) as database:
        assert database.execute("SELECT count(*) FROM seen").fetchone()[0] > 0
    assert len(stored(tmp_path)) == 4


def test_a_state_that_is_emptied(
    start: Start, sent: Submission, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same file, without its tables: they are made again."""
    monkeypatch.setattr(sqlite, "PAUSE", 0.0)
    client = start(alice=VACATION)
    client.give(message(1), "alice@example.com")
    with closing(sqlite3.connect(tmp_path / "state.db")) as database:
        database.execute("DROP TABLE seen")
    for number in range(2, 5):
        assert client.give(message(number), "alice@example.com")[0].startswith("250")
    assert len(sent.messages) == 2


def test_a_state_that_is_destroyed(
    start: Start, sent: Submission, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "PAUSE", 0.0)
    client = start(alice=VACATION)
    client.give(message(1), "alice@example.com")
    _remove(tmp_path)
    for path in ("nothing that could be a database" * 50, None):
        if path is None:
            (tmp_path / "state.db").unlink()
            (tmp_path / "state.db").mkdir()
        else:
            (tmp_path / "state.db").write_text(path)
        assert client.give(message(2), "alice@example.com")[0].startswith("250")
        assert len(sent.messages) == 1  # who knows whether it was sent
    (tmp_path / "state.db").rmdir()
    client.give(message(3), "alice@example.com")
    client.give(message(4), "alice@example.com")
    assert len(sent.messages) == 2
    assert len(stored(tmp_path)) == 5


def test_the_folder_of_the_state_is_read_only(start: Start, sent: Submission, monkeypatch: pytest.MonkeyPatch) -> None:
    """As root, who may write everywhere, the database itself says so."""
    monkeypatch.setattr(sqlite, "PAUSE", 0.0)
    client = start(alice=VACATION, carol=COPY)
    real: Callable[..., sqlite3.Connection] = sqlite3.connect

    def read_only(path: Path, **more: Any) -> sqlite3.Connection:
        return real(f"file:{path}?mode=ro", uri=True, **more)

    monkeypatch.setattr(sqlite3, "connect", read_only)
    replies = client.give(message(1), "alice@example.com", "carol@example.com")
    assert [reply[:3] for reply in replies] == ["250", "250"]
    assert [recipient for _, recipient, _ in sent.messages] == ["other@example.org"]
    monkeypatch.setattr(sqlite3, "connect", real)
    client.give(message(2), "alice@example.com")
    assert len(sent.messages) == 2


# ---- clamd

CLAMD = """
sieveav {{ workers = 1 }}
milter "m1" {{ listen = "unix:FOLDER/m.sock" }}
clamav {{ }}
antivirus "a" {{ action = "reject" clamav "c" {{ daemon = "{socket}" }} }}
"""


@pytest.mark.real
def test_clamd_is_killed_in_the_middle_of_a_scan(serve: Serve, start_clamd: StartClamd) -> None:
    running = start_clamd()
    server = serve(config=CLAMD.format(socket=running.socket))
    server.wait_for("generation 1 is ready")
    assert server.answer() == b"c"
    running.signal(signal.SIGSTOP)
    answers: list[bytes] = []
    during = [b"M<>\0", b"R<a@b.c>\0", b"LSubject\0 during\0", b"N", b"E"]  # the verdict on the first one is remembered
    scanning = threading.Thread(target=lambda: answers.append(server.answer(*during)))
    scanning.start()
    wait_until(lambda: _has_octets(running.socket))
    running.kill()
    scanning.join()
    assert answers[0].startswith(b"y451 ")
    Path(running.socket).unlink()
    start_clamd(LocalSocket=running.socket)
    assert server.answer(*during) == b"c"
    assert server.stop() == 0


def _has_octets(path: str) -> bool:
    """Whether a connection to a unix socket is open that its server has not accepted, or not answered."""
    rows = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()[1:]]
    return sum(row[-1] == path and row[3] == "00000000" for row in rows) > 0


# ---- workers


def process_config(folder: Path, workers: int, deliver: str) -> tuple[str, int]:
    port = free_port()
    return (
        f'sieveav {{ workers = {workers} }} users {{ scripts = "{folder}/none/%n" }} '
        f'lmtp "l" {{ listen = "inet:127.0.0.1:{port}" deliver = "{deliver}" create = true }} '
        f'state {{ store = "sqlite:{folder}/state.db" }}\n',
        port,
    )


def test_a_worker_is_killed_with_a_message_in_hand(serve: Serve, tmp_path: Path) -> None:
    """The client hears nothing, so the message stays its own; the next connection is served."""
    store = socket.create_server(("127.0.0.1", 0))
    config, port = process_config(tmp_path, 1, f"lmtp:inet:127.0.0.1:{store.getsockname()[1]}")
    server = serve(config=config)
    server.wait_for("generation 1 is ready")
    with store, Client(port) as client:
        heard: list[object] = []

        def give() -> None:
            try:
                heard.extend(client.give(message(), "alice@example.com"))
            except smtplib.SMTPServerDisconnected:
                heard.append("closed")

        giving = threading.Thread(target=give)
        giving.start()
        delivering, _ = store.accept()  # the message is decided, and being stored
        (worker,) = server.workers
        os.kill(worker, signal.SIGKILL)
        giving.join(20)
        delivering.close()
    assert heard == ["closed"]
    server.wait_for("was killed by signal 9")
    with Client(port) as client:
        assert client.give(message(), "alice@example.com")[0].startswith("451")  # its store is gone
    assert server.stop() == 0


def test_reloads_under_load(serve: Serve, tmp_path: Path) -> None:
    """Four clients deliver as MTAs do: one that is closed between two messages connects again."""
    config, port = process_config(tmp_path, 2, f"maildir:{tmp_path}/mail/%d/%n")
    server = serve(config=config)
    server.wait_for("generation 1 is ready")
    done = threading.Event()
    replies: list[str] = []
    given: list[int] = []
    failures: list[Exception] = []

    def begin(client: Client) -> bool:
        """Begin a message, unless the server has closed the connection."""
        try:
            client.ehlo_or_helo_if_needed()
            return client.docmd("MAIL", "FROM:<bob@example.org>")[0] == 250
        except (smtplib.SMTPServerDisconnected, ConnectionError):
            return False

    def deliver(number: int) -> None:
        try:
            while not done.is_set():
                with closing(Client(port)) as client:
                    while not done.is_set() and begin(client):
                        number += 1
                        assert client.docmd("RCPT", "TO:<alice@example.com>") == (250, b"2.1.5 Recipient OK")
                        assert client.docmd("DATA")[0] == 354
                        client.send(message(number) + b".\r\n")
                        code, text = client.getreply()
                        replies.append(f"{code} {text.decode()}")
                        given.append(number)
        except Exception as error:
            failures.append(error)

    clients = [threading.Thread(target=deliver, args=(number * 100_000,)) for number in range(1, 5)]
    for each in clients:
        each.start()
    try:
        for generation in (2, 3, 4):
            before = len(given)
            server.process.send_signal(signal.SIGHUP)
            server.wait_for(f"generation {generation} is ready")
            wait_until(lambda before=before: failures or len(given) > before + 40)  # type: ignore[misc]
    finally:
        done.set()
        for each in clients:
            each.join(20)
    assert failures == []
    assert set(replies) == {"250 2.0.0 Message accepted"}
    assert numbers(stored(tmp_path)) == Counter(b"%d" % number for number in given)
    assert server.stop() == 0


def test_a_server_may_open_as_many_files_as_the_system_lets_it(serve: Serve) -> None:
    """The usual 1024 are fewer than the connections that a worker may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        server = serve()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    server.wait_for("generation 1 is ready")
    for process in (server.process.pid, *server.workers):
        limits = Path(f"/proc/{process}/limits").read_text()
        assert re.search(rf"^Max open files +{min(hard, 65536)} ", limits, re.MULTILINE)
    assert server.stop() == 0


# ---- the clock


@pytest.fixture(params=["memory:", "sqlite:state.db", pytest.param("redis", marks=pytest.mark.real)])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> State:
    store = request.getfixturevalue("redis_server").url if request.param == "redis" else request.param
    return open_state(store, tmp_path)


@pytest.mark.parametrize("back", [3600.0, 365 * 86400.0])
def test_what_is_remembered_when_the_clock_goes_back(state: State, back: float) -> None:
    now = time.time()
    assert state.record("a", "k", now, 60)
    for at in (now - back, now - 1, now + 59):
        assert state.seen("a", "k", at)
        assert not state.record("a", "k", at, 60)
    assert state.record("a", "other", now - back, 60)
    assert state.seen("a", "k", now + 59)  # also when the clock is right again
    assert not state.seen("a", "k", now + 60)
    state.record("a", "sliding", now, 60, sliding=True)
    assert not state.record("a", "sliding", now - back, 60, sliding=True)


@pytest.mark.parametrize("back", [timedelta(hours=1), timedelta(days=365), timedelta(days=-365)])
def test_mail_when_the_clock_goes_back_or_forth(
    start: Start, sent: Submission, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, back: timedelta
) -> None:
    client = start(
        alice=VACATION, carol=COPY, dave='require ["date", "fileinto"]; if currentdate :is "year" "1" { stop; }'
    )
    real = clock.now
    recipients = ["alice@example.com", "carol@example.com", "dave@example.com"]
    assert [reply[:3] for reply in client.give(message(1), *recipients)] == ["250"] * 3
    assert len(sent.messages) == 2
    monkeypatch.setattr(clock, "now", lambda: real() - back)
    assert [reply[:3] for reply in client.give(message(1), *recipients)] == ["250"] * 3
    if back > timedelta():
        assert len(sent.messages) == 2  # neither the reply nor the copy again
    assert [reply[:3] for reply in client.give(message(2), *recipients)] == ["250"] * 3
    monkeypatch.setattr(clock, "now", real)
    assert [reply[:3] for reply in client.give(message(2), *recipients)] == ["250"] * 3
    replies = [recipient for _, recipient, _ in sent.messages if recipient == "bob@example.org"]
    copies = [numbers([raw]) for _, recipient, raw in sent.messages if recipient == "other@example.org"]
    assert len(replies) == 1 + (back < timedelta())
    if abs(back) < timedelta(days=1):
        assert copies == [{b"1": 1}, {b"2": 1}]
    assert len(stored(tmp_path)) == len(stored(tmp_path, "dave")) == 4


WALL_CLOCK = {
    "sieveav/engines/clamav.py": 1,  # the age of definitions
    "sieveav/frontends/lmtp_session.py": 2,  # an identity, and the date of Received
    "sieveav/frontends/maildir.py": 2,  # the names of files, and the age of leftovers
    "sieveav/site/clock.py": 1,  # the time that scripts see
}
"""File -> how often it looks at the wall clock, which may go back; durations are measured with the monotonic clock."""


def test_durations_do_not_depend_on_the_wall_clock() -> None:
    root = Path(__file__).parents[2]
    found = {}
    for path in sorted([*root.glob("sieveav/**/*.py"), *root.glob("extensions/*.py")]):
        looks = re.findall(r"\btime\.time\(\)|\btime_ns\(\)|\b(?:datetime\.now|utcnow|today)\(", path.read_text())
        if looks:
            found[str(path.relative_to(root))] = len(looks)
    assert found == WALL_CLOCK


# ---- names of mailboxes, and addresses

MAILBOXES = [
    "../x", "../../x", "/etc/x", "a/../../b", "a/../b", "..", ".", "INBOX/../..", "INBOX/..", "./a", "a/.", "a//b", "~root/x",
    "x" * 300, "\u00fc" * 300, "a" * 200 + "/" + "b" * 200, "%d/%n", "%%", "..\\..\\x", "a\\b", "cur/../../x", "new", "tmp/x",
    ".ssh/x", "a.b", "scripts/alice.sieve", "CON", " ", "\u202e", "-rf",
]  # fmt: skip


def test_a_script_cannot_name_what_is_outside(start: Start, tmp_path: Path) -> None:
    before = 'require ["fileinto", "mailbox", "variables", "encoded-character"];\n'
    quoted = [f'fileinto :create "{name}";'.replace("\\", "\\\\") for name in MAILBOXES]
    scripts = {f"user{number}": before + text for number, text in enumerate(quoted)}
    scripts |= {
        "nul": before + 'fileinto :create "a${hex:00}/../b";',
        "variable": before + 'set "up" ".."; fileinto :create "${up}/${up}/x";',
        "newline": before + 'fileinto :create "a${hex:0a}b";',
        "header": before + 'if header :matches "subject" "*" { fileinto :create "${1}"; }',
    }
    client = start(**scripts)
    raw = message().replace(b"Subject: number 1", b"Subject: ../../../out")
    for name in scripts:
        assert client.give(raw, f"{name}@example.com")[0].startswith("250"), name
    entries = {path.relative_to(tmp_path) for path in tmp_path.rglob("*")}
    allowed = {Path("site.conf"), Path("scripts"), Path("mail"), Path("mail/example.com")}
    allowed |= {Path(f"mail/example.com/{name}") for name in scripts} | {
        Path(f"scripts/{name}.sieve") for name in scripts
    }
    allowed |= {Path(f"state.db{end}") for end in ("", "-wal", "-shm")}
    for path in entries - allowed:
        assert path.parts[:2] == ("mail", "example.com"), path
        assert path.parts[3] in ("cur", "new", "tmp", "subscriptions") or re.fullmatch(r"\.[^.].*", path.parts[3]), path
    for name in scripts:  # there may be a note about the script, too
        raws = [path.read_bytes() for path in (tmp_path / "mail/example.com" / name).rglob("new/*")]
        assert sum(octets.endswith(b"\n\nHello.\n") for octets in raws) == 1
    assert not [path for path in tmp_path.parent.glob("out*") if path.is_file()]


ADDRESSES = [
    "../alice@example.com", "..@example.com", ".@example.com", ".hidden@example.com", "a/b@example.com", "/etc/x@example.com",
    '"../x"@example.com', '"a/../../b"@example.com', '"/etc/passwd"@example.com', '"a\\\\..\\\\b"@example.com',
    "alice@..", "alice@../../etc", "alice@.", "alice@.example.com", "alice@[../x]", "x" * 300 + "@example.com",
    "alice@" + "x" * 300 + ".com", '"\x7f"@example.com', '".."@example.com', "@example.com", "alice@", "", "@",
    '""@example.com', "a\0b@example.com", "a\nb@example.com", "\u202ea@example.com", "a\u2028b@example.com", "+x@example.com",
    '"+../x"@example.com',
]  # fmt: skip
TEMPLATES = ["/base/%d/%n", "/base/%u", "/base/%n/Maildir", "/base/%d/%n.sieve"]


@pytest.mark.parametrize("address", ADDRESSES, ids=ascii)
def test_an_address_stays_in_the_template(address: str) -> None:
    """Where it has a path at all: that of one folder or file, in the place that the template gives."""
    for template in TEMPLATES:
        path = fill(template, address)
        if path is not None:
            assert len(path.parts) == len(Path(template).parts)
            assert not any(part in ("..", ".") or "\0" in part or part.startswith(".") for part in path.parts)
            assert path.parts[:2] == ("/", "base")
            assert all(
                len(part.encode()) <= 255 for part in path.parts[: 1 + template.count("/") - template.count(".")]
            )
    users = Users("/base/%d/%n.sieve"), Users(folder="/base/%d/%n")
    for each in users:
        assert each.active(address) is None
        personal = each.personal(address)
        assert personal is None or (personal.parts[:2] == ("/", "base") and ".." not in personal.parts)


def test_marks_of_an_address_are_not_marks_of_the_template() -> None:
    assert fill("/base/%d/%n", "%d%n%u%%@x.org") == Path("/base/x.org/%d%n%u%%")
    assert fill("/base/%%n/%n", "A%N@x") == Path("/base/%n/a%n")


@pytest.mark.parametrize("address", ADDRESSES, ids=ascii)
def test_mail_for_an_address_stays_in_its_place(start: Start, tmp_path: Path, address: str) -> None:
    client = start()
    refused = False
    try:
        replies = client.give(message(), address, options=" SMTPUTF8") if "\n" not in address else ["501"]
    except (smtplib.SMTPServerDisconnected, UnicodeEncodeError, ValueError):
        refused, replies = True, []
    files = [path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()]
    outside = [
        path for path in files if path.parts[0] != "mail" and not path.name.startswith(("site.conf", "state.db"))
    ]
    assert outside == []
    mail = [path for path in files if path.parts[0] == "mail"]
    assert all(len(path.parts) == 5 and path.parts[3] == "new" for path in mail)
    assert refused or bool(mail) == replies[0].startswith("250")
    assert refused or replies[0][:3] in ("250", "501", "500", "550", "553")


def test_addresses_in_upper_case_are_the_same_user(start: Start, tmp_path: Path) -> None:
    client = start()
    for address in ("Alice@Example.COM", "alice@example.com", "ALICE+detail@example.com"):
        assert client.give(message(), address)[0].startswith("250")
    assert [path.name for path in (tmp_path / "mail").iterdir()] == ["example.com"]
    assert len(stored(tmp_path)) == 3
