"""The command serve, as a process: it answers an MTA, reloads, keeps what is good, and stops."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.command_line import validator
from support.serving import CONFIG, Serve, policy


def test_it_answers_logs_and_stops(serve: Serve) -> None:
    server = serve()
    server.wait_for("(workers: 2)")
    assert server.answer() == b"y550 5.7.1 one\0"
    line = server.wait_for("frontend=milter server=m1")
    assert re.match(r"[0-9-]{10} [0-9:,]{12} [0-9]+ INFO frontend=milter ", line)
    assert 'result=refuse reply="550 5.7.1 one" to=alice@example.com' in line
    assert server.socket.stat().st_mode & 0o777 == 0o600
    assert server.stop() == 0


def test_the_log_in_json(serve: Serve) -> None:
    """Also what the supervisor logs, and what is not a message's."""
    server = serve(config=CONFIG.replace("workers = 2", "workers = 1 log = json"))
    server.wait_for("generation 1 is ready")
    server.answer()
    server.wait_for("frontend")
    server.process.send_signal(signal.SIGHUP)
    server.wait_for("generation 2 is ready")
    assert server.stop() == 0
    lines = [json.loads(line) for line in server.lines]
    for line in lines:
        validator("serve").validate(line)
    (message,) = [line for line in lines if "frontend" in line]
    assert (message["server"], message["result"]) == ("m1", "refuse")
    assert [recipient["to"] for recipient in message["recipients"]] == ["alice@example.com"]
    assert message["process"] != server.process.pid == lines[-1]["process"]
    assert lines[-1]["message"] == "stopping"


@pytest.mark.parametrize("form", ["text", "json"])
def test_the_log_in_the_journal_of_systemd(serve: Serve, form: str) -> None:
    """Each line has its priority, and the text no time."""
    server = serve(config=CONFIG.replace("workers = 2", f"workers = 1 log = {form}"), journal=True)
    line = server.wait_for("generation 1 is ready")
    assert line.startswith(f"<6>{server.process.pid} INFO generation" if form == "text" else '<6>{"time": "')
    (server.socket.parent / "p.sieve").write_text("nonsense;")
    server.process.send_signal(signal.SIGHUP)
    assert server.wait_for("not reloaded").startswith("<3>")
    assert server.stop() == 0


def test_a_reload_takes_what_is_good_and_keeps_what_was(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    server.wait_for("generation 1 is ready")
    (tmp_path / "p.sieve").write_text("nonsense;")
    server.process.send_signal(signal.SIGHUP)
    assert "p.sieve:1:1: unknown command nonsense" in server.wait_for("not reloaded")
    assert server.answer() == b"y550 5.7.1 one\0"
    (tmp_path / "p.sieve").write_text(policy("two"))
    server.process.send_signal(signal.SIGHUP)
    server.wait_for("generation 2 is ready")
    assert server.answer() == b"y550 5.7.1 two\0"
    assert server.stop() == 0


def test_a_user_s_script_that_changes_needs_no_reload(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "alice.sieve").write_text("discard;")
    server = serve("stop;", f'{CONFIG} users {{ scripts = "%n.sieve" }}')
    server.wait_for("(workers: 2)")
    assert server.answer() == b"d"
    (tmp_path / "alice.sieve").write_text("keep;")
    assert server.answer() == b"c"


def test_a_worker_that_is_killed_is_replaced(serve: Serve) -> None:
    server = serve(config=CONFIG.replace("workers = 2", "workers = 1"))
    server.wait_for("(workers: 1)")
    os.kill(server.workers[0], signal.SIGKILL)
    assert server.answer() == b"y550 5.7.1 one\0"  # the connection waits for the next worker
    assert server.stop() == 0


def test_a_worker_that_is_killed_after_a_bad_reload_has_what_was(serve: Serve, tmp_path: Path) -> None:
    """The configuration and the policy are broken: it has what was loaded before."""
    server = serve(config=CONFIG.replace("workers = 2", "workers = 1"))
    server.wait_for("(workers: 1)")
    (tmp_path / "site.conf").write_text("nonsense {}")
    (tmp_path / "p.sieve").write_text("nonsense;")
    server.process.send_signal(signal.SIGHUP)
    server.wait_for("not reloaded")
    os.kill(server.workers[0], signal.SIGKILL)
    assert server.answer() == b"y550 5.7.1 one\0"
    assert server.stop() == 0


def test_other_sockets_need_a_restart(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    server.wait_for("generation 1 is ready")
    config = (tmp_path / "site.conf").read_text()
    (tmp_path / "site.conf").write_text(config.replace("m.sock", "other.sock"))
    server.process.send_signal(signal.SIGHUP)
    assert "sockets have changed (m1): restart the server" in server.wait_for("not reloaded")
    (tmp_path / "site.conf").write_text(f'{config}\nmetrics {{ listen = "inet:127.0.0.1:1" }}\n')
    server.process.send_signal(signal.SIGHUP)
    server.wait_for("(metrics): restart the server")
    (tmp_path / "site.conf").write_text(config)
    server.process.send_signal(signal.SIGHUP)
    server.wait_for("generation 2 is ready")
    assert server.answer() == b"y550 5.7.1 one\0"


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("usres {}", "unknown stanza usres"),
        ("users {}", "no server is configured"),
        ('milter "m" {}', 'milter "m" has no listen'),
        ('milter "m" { listen = "here" }', '"here" is not unix:/path'),
        ('milter "m" { listen = "unix:/nowhere/x/m.sock" }', "/nowhere/x/m.sock"),
        ('milter "m" { listen = "unix:FOLDER/m.sock" mode = 999 }', "is not the mode of a file"),
        ('milter "m" { listen = "unix:FOLDER/m.sock" owner = "nobody-of-this-name" }', "nobody-of-this-name"),
        (
            'milter "m" { listen = "unix:FOLDER/m.sock" } milter "n" { listen = "unix:FOLDER/m.sock" }',
            'is the address of milter "m" too',
        ),
    ],
)
def test_what_cannot_be_started(tmp_path: Path, config: str, said: str) -> None:
    (tmp_path / "site.conf").write_text(config.replace("FOLDER", str(tmp_path)))
    done = subprocess.run(
        [sys.executable, "-m", "sieveav", "serve", "--config", "site.conf"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 2
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_policy_with_an_error_does_not_start(serve: Serve) -> None:
    server = serve("nonsense;")
    assert server.process.wait(30) == 2
    server.reading.join()
    assert any("unknown command nonsense" in line for line in server.lines)
