"""sieveav ctl and the server that it asks, with two workers: all are covered, scripts are checked, nonsense harms nothing."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.accepting import Accepted
from support.command_line import Cli, Done, validator
from support.serving import CONFIG, Serve, Server, policy

from sieveav.frontends.commands import ctl as ctl_command
from sieveav.frontends.controlling import COMMANDS, LARGEST, Refusal, Request, Totals, find, read_request
from sieveav.frontends.message_log import message_line
from sieveav.frontends.servers.control import CONTROL
from sieveav.running.outcome import KEPT, Fault, Outcome
from sieveav.running.questions import Context
from sieveav.site.site import Refused, Site, load
from sieveav.site.transaction import Decision, RecipientDecision, Session

MORE = """
yara {} antivirus "antivirus1" { yara "yara1" { enabled = true mime_decompose = false } }
control { listen = "unix:FOLDER/c.sock" }
"""


class Console:
    """A server with two workers, and command lines that ask it."""

    def __init__(self, server: Server, cli: Cli, path: Path) -> None:
        self.server = server
        self.path = path
        self._cli = cli

    def __call__(self, *words: str) -> Done:
        return self._cli("ctl", "--socket", str(self.path), *words)

    def answer(self, *words: str) -> Any:
        """The JSON of a command's answer, which covers both workers if it covers all."""
        done = self(*words, "--format", "json")
        value = json.loads(done.out)
        validator("ctl").validate(value)
        assert value["command"] == list(words)
        return value["answer"]

    def raw(self, line: bytes) -> bytes:
        """What the server answers to a line."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            client.connect(str(self.path))
            try:
                client.sendall(line)
                client.shutdown(socket.SHUT_WR)
                return b"".join(iter(lambda: client.recv(4096), b""))
            except (BrokenPipeError, ConnectionResetError):
                return b""


@pytest.fixture
def console(serve: Serve, cli: Cli, tmp_path: Path) -> Console:
    (tmp_path / "run").mkdir()
    server = serve(policy("no"), CONFIG + MORE, RUNTIME_DIRECTORY=str(tmp_path / "run"))
    server.wait_for("generation 1 is ready")
    return Console(server, cli, tmp_path / "c.sock")


def test_statistics_of_all_workers(console: Console, accepted: Accepted, tmp_path: Path) -> None:
    """Workers that were killed do not count, nor do those of before a reload."""
    assert console.path.stat().st_mode & 0o777 == 0o600
    shown = [*console("antivirus:antivirus1", "stats").lines]
    for _ in range(6):
        assert console.server.answer() == b"y550 5.7.1 no\0"
    (yara,) = console.answer("antivirus:antivirus1", "stats")
    assert (yara["engine"], yara["messages"], yara["parts"]) == ("yara", 6, 0)
    assert 4 <= yara["hits"] <= 5
    scripts = console.answer("sieve:s", "stats")
    assert (scripts["messages"], scripts["recipients"], scripts["faults"]) == (6, 6, 0)
    assert scripts["scripts"] == 2
    shown += console("sieve:s", "stats").lines
    assert console.answer("flush") == 6 - yara["hits"]
    assert console.answer("sieve:s", "flush", "cache") == 2
    assert console.answer("sieve:s", "reset") is None
    shown += console("sieve:s", "reset").lines
    assert console.answer("sieve:s", "stats") == {"messages": 0, "recipients": 0, "faults": 0, "ms": 0.0, "scripts": 0}
    shown += console("antivirus:antivirus1", "version").lines
    accepted(re.sub(r"\d+\.\d+ms|yara-x .*", "..", line) for line in shown)

    os.kill(console.server.workers[0], signal.SIGKILL)
    until = time.monotonic() + 20
    while _workers(console) != 2:
        assert time.monotonic() < until
        time.sleep(0.1)
    assert console.answer("config", "reload")["done"] is True
    (folder,) = (tmp_path / "run").iterdir()
    while len(list(folder.glob("*.sock"))) != 2:  # those of ended workers are removed when somebody asks
        console("flush")
        assert time.monotonic() < until + 20
    (yara,) = console.answer("antivirus:antivirus1", "stats")
    assert yara["messages"] == 0
    assert console.server.stop() == 0


def _workers(console: Console) -> int:
    return int(json.loads(console("flush", "--format", "json").out)["workers"])


def test_a_reload_reports_its_result(console: Console, tmp_path: Path) -> None:
    assert console("config", "reload").out == "generation 2 is ready (workers: 2)\n"
    (tmp_path / "p.sieve").write_text("nonsense;")
    failed = console("config", "reload")
    assert failed.status == 1
    assert "not reloaded, the old configuration stays in force: " in failed.out
    assert "p.sieve:1:1: unknown command nonsense" in failed.out
    assert console.server.answer() == b"y550 5.7.1 no\0"
    (tmp_path / "p.sieve").write_text(policy("two"))
    assert console.answer("config", "reload") == {"done": True, "text": "generation 3 is ready (workers: 2)"}
    assert console.server.answer() == b"y550 5.7.1 two\0"


def test_scripts_are_checked(console: Console, accepted: Accepted, tmp_path: Path) -> None:
    good, bad, momentum = (tmp_path / name for name in ("good.sieve", "bad.sieve", "own.siv"))
    good.write_text("keep;")
    bad.write_bytes(b'require "fileinto"; fileinto "\xff"; stop')
    momentum.write_text('ec_action 550 "no";')
    results = [
        console("sieve:s", "test", "data", "keep;"),
        console("sieve:s", "test", "each_rcpt_phase1", "keep; kepe;"),
        console("sieve:s", "test", "data_phase2", 'require "vacation"; vacation "x";'),
        console("sieve:s", "test", "never", "keep;"),
        console("sieve:s", "testfile", "each_rcpt", str(good)),
        console("sieve:s", "testfile", "each_rcpt", str(bad)),
        console("sieve:s", "testfile", "data", str(momentum)),
        console("sieve:s", "testfile", "data", str(tmp_path / "none")),
    ]
    assert [done.status for done in results] == [0, 1, 1, 2, 0, 1, 0, 2]
    accepted("\n".join(f"{done.out}{done.err}".replace(str(tmp_path), "...") for done in results))
    assert console.answer("sieve:s", "test", "data", "kepe;")[0]["rule"] == "word-unknown"


@pytest.mark.parametrize(
    "words",
    [["nonsense"], ["antivirus:other", "stats"], ["antivirus:", "stats"], ["sieve:other", "reset"], ["flush", "cache"]],
)
def test_what_is_not_there(console: Console, words: list[str], accepted: Accepted) -> None:
    done = console(*words)
    assert (done.status, done.out) == (2, "")
    accepted(done.err)


def test_the_socket_of_a_configuration(console: Console, cli: Cli, tmp_path: Path) -> None:
    assert cli("ctl", "--config", str(tmp_path / "site.conf"), "flush").status == 0
    (tmp_path / "other.conf").write_text("users {}")
    assert "there is no stanza control" in cli("ctl", "--config", str(tmp_path / "other.conf"), "flush").err
    (tmp_path / "wrong.conf").write_text("usres {}")
    assert cli("ctl", "--config", str(tmp_path / "wrong.conf"), "flush").status == 2
    console.server.stop()
    gone = console("flush")
    assert (gone.status, gone.err) == (2, f"sieveav: {console.path}: Connection refused\n")


def test_versions_are_asked_while_messages_are_scanned(console: Console) -> None:
    """A question takes no part of what answers mail servers (Momentum's bug history: hang when version was asked)."""
    replies: list[bytes] = []

    def ask() -> None:
        replies.extend(console.server.answer() for _ in range(20))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(5):
        assert console.answer("antivirus:antivirus1", "version")[0]["version"].startswith("yara-x ")
    for thread in threads:
        thread.join()
    assert replies == [b"y550 5.7.1 no\0"] * 80
    assert console.answer("antivirus:antivirus1", "stats")[0]["messages"] == 80


# ---- nonsense


def test_lines_that_are_no_requests(console: Console) -> None:
    for line, error in [
        (b"\n", "the request is not JSON"),
        (b"[" * 100_000 + b"\n", "the request is not JSON"),
        (b"\xff\xfe\n", "the request is not JSON"),
        (b'{"command": "flush"}\n', 'the request is not {"command": [word, ...]}'),
        (b'{"command": ["flush"], "more": 1}\n', 'the request is not {"command": [word, ...]}'),
        (b'{"command": ["\\u001b[2J\\ud800"]}\n', "unknown command ?[2J?: the commands are "),
        (b'{"command": ["sieve:s", "testfile", "data", "x"], "text": "\\ud800"}\n', "the script is not text"),
    ]:
        assert error in json.loads(console.raw(line))["error"]
    assert console.raw(b'{"command": ["flush"]}') == b""  # no end of line
    assert console.raw(b"x" * (LARGEST + 100_000)) == b""
    idle = [socket.socket(socket.AF_UNIX) for _ in range(60)]
    for each in idle:
        each.connect(str(console.path))
    for each in idle:
        each.close()
    until = time.monotonic() + 10
    while console("flush").status:
        assert time.monotonic() < until
    assert console.server.answer() == b"y550 5.7.1 no\0"
    assert not [line for line in console.server.lines if "Traceback" in line or "ERROR" in line]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)
FIELDS = st.dictionaries(st.sampled_from(["command", "text", "here", "path"]), JSON)


@given(st.binary(max_size=100) | (JSON | FIELDS).map(lambda value: json.dumps(value).encode()))
def test_any_line_is_a_request_or_refused(line: bytes) -> None:
    try:
        request = read_request(line)
    except Refusal:
        return
    assert request.command
    assert all(isinstance(word, str) for word in request.command)


@given(st.lists(st.sampled_from(" ".join(COMMANDS).split()) | st.text(max_size=9), max_size=5))
def test_any_words_are_a_command_or_refused(words: list[str]) -> None:
    with suppress(Refusal):
        assert find(words)[0] in COMMANDS.values()


@pytest.mark.parametrize("usage", COMMANDS)
def test_every_command_is_found_and_described(usage: str) -> None:
    console, arguments = find(usage.split())
    assert console is COMMANDS[usage]
    assert arguments == [word.rpartition(":")[2] for word in usage.split() if word.rpartition(":")[2].isupper()]
    assert f"    {usage}  " in (ctl_command.__doc__ or "")


def test_a_request() -> None:
    assert read_request(b'{"command": ["a", "b"], "text": "t", "here": true}') == Request(("a", "b"), "t", True)


# ---- totals, stanza, scripts


def test_totals() -> None:
    faulty = RecipientDecision("a@example.com", Outcome(fault=Fault("x")), None, {})
    kept = RecipientDecision("b@example.com", KEPT, None, {})
    decision = Decision(None, (faulty, kept), (), Context(), fault=Fault("y"))
    totals = Totals()
    for _ in range(2):
        totals.observe(message_line("lmtp", "1", Session(), "", decision, size=1, seconds=0.5).answered)
    assert totals.as_json() == {"messages": 2, "recipients": 4, "faults": 4, "ms": 1000.0}
    totals.reset()
    assert totals.as_json() == {"messages": 0, "recipients": 0, "faults": 0, "ms": 0.0}


@pytest.mark.parametrize(
    ("stanza", "message"),
    [
        ("control {}", "control has no listen"),
        (
            'control { listen = "inet:127.0.0.1:1" }',
            "control is a unix socket, because its permissions say who may ask",
        ),
    ],
)
def test_a_stanza_with_an_error(stanza: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "site.conf").write_text(stanza)
    with pytest.raises(Refused, match=message):
        load(tmp_path / "site.conf")


def test_the_stanza(tmp_path: Path) -> None:
    (tmp_path / "site.conf").write_text('control { listen = "unix:/run/c.sock" }')
    listener = load(tmp_path / "site.conf").settings[CONTROL]
    assert listener is not None
    assert (listener.address, listener.mode) == ("unix:/run/c.sock", 0o600)
    assert Site().settings[CONTROL] is None


def test_the_last_good_script_is_not_forgotten(tmp_path: Path) -> None:
    site, good, changed = Site(), tmp_path / "good.sieve", tmp_path / "changed.sieve"
    for path in (good, changed):
        path.write_text("keep;")
        site.scripts.runnable(path, "data")
    changed.write_text("nonsense;")
    assert site.scripts.runnable(changed, "data").program is not None
    assert (site.scripts.flush(), site.scripts.kept) == (1, 1)
    assert site.scripts.runnable(changed, "data").program is not None
