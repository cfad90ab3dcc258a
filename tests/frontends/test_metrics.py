"""Metrics: what two workers count, read by Prometheus' own parser, over restarts and reloads."""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from support.serving import CONFIG, Serve, Server, policy

from sieveav.frontends.message_log import Answered, log_message, message_line, observers
from sieveav.frontends.servers.metrics import METRICS, OK, requested, response
from sieveav.running.outcome import IMPLICIT_KEEP, KEPT, UNDECIDED, Outcome, Response
from sieveav.running.questions import Context
from sieveav.scanning.pools import Pool
from sieveav.site.site import Refused, load
from sieveav.site.transaction import Decision, RecipientDecision, Session

Metrics = dict[str, float]
"""A metric with its labels, as Prometheus writes them -> its value."""


def metrics_of(text: str) -> Metrics:
    found: Metrics = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


class Scraped:
    """A server, and what Prometheus reads there."""

    def __init__(self, server: Server, port: int) -> None:
        self.server = server
        self.port = port
        self.url = f"http://127.0.0.1:{port}/metrics"

    def metrics(self) -> Metrics:
        with urllib.request.urlopen(self.url, timeout=10) as answer:  # noqa: S310  # http
            assert answer.headers["Content-Type"].startswith("text/plain; version=")
            return metrics_of(answer.read().decode())

    def wait_until(self, holds: Callable[[Metrics], bool]) -> Metrics:
        until = time.monotonic() + 20
        while not holds(found := self.metrics()):
            assert time.monotonic() < until, found
            time.sleep(0.1)
        return found

    def raw(self, request: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as client:
            client.sendall(request)
            client.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: client.recv(4096), b""))


@pytest.fixture
def start(serve: Serve, tmp_path: Path) -> Callable[..., Scraped]:
    """Starts a server with metrics on a free port."""

    def start(script: str = policy("no"), more: str = "", options: str = "") -> Scraped:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        config = f'{CONFIG} metrics {{ listen = "inet:127.0.0.1:{port}" {options} }} {more}'
        (tmp_path / "run").mkdir()
        server = serve(script, config, RUNTIME_DIRECTORY=str(tmp_path / "run"))
        server.wait_for("generation 1 is ready")
        return Scraped(server, port)

    return start


MESSAGES = "sieveav_messages_total{frontend=milter,result=refuse,server=m1}"


def test_all_workers_are_counted_together(start: Callable[..., Scraped], tmp_path: Path) -> None:
    """Also those that were killed and those of earlier generations, in a number of files that does not grow."""
    scraped = start()
    server = scraped.server
    assert scraped.metrics()["sieveav_workers"] == 2
    for _ in range(6):
        assert server.answer() == b"y550 5.7.1 no\0"
    found = scraped.metrics()
    assert found[MESSAGES] == 6
    assert found["sieveav_recipient_actions_total{action=refuse,frontend=milter}"] == 6
    assert found["sieveav_decision_seconds_count{frontend=milter}"] == 6
    assert found["sieveav_decision_seconds_bucket{frontend=milter,le=+Inf}"] == 6

    os.kill(server.workers[0], signal.SIGKILL)
    assert scraped.wait_until(lambda found: found["sieveav_workers"] == 2)[MESSAGES] == 6
    (folder,) = (tmp_path / "run").iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    numbers = []
    for generation in range(2, 6):
        server.process.send_signal(signal.SIGHUP)
        server.wait_for(f"generation {generation} is ready")
        scraped.wait_until(lambda found: found["sieveav_workers"] == 2)
        server.answer()
        numbers.append(len(list(folder.iterdir())))
    assert scraped.metrics()[MESSAGES] == 10
    assert numbers[-1] <= 4 * 3 * 2  # lock, counters, gauges, histograms; three generations; two workers
    assert server.stop() == 0
    assert not folder.exists()


SITE = """
yara {} antivirus "antivirus1" { yara "yara1" { enabled = true mime_decompose = false } }
users { scripts = "%n.sieve" }
"""


def test_verdicts_the_cache_and_actions(start: Callable[..., Scraped], tmp_path: Path) -> None:
    (tmp_path / "alice.sieve").write_text("discard;")
    (tmp_path / "carol.sieve").write_text("keep;")
    scraped = start("stop;", SITE)
    for _ in range(4):
        to = (b"R<alice@example.com>\0", b"R<carol@example.com>\0")
        assert scraped.server.answer(b"M<bob@example.org>\0", *to, b"LSubject\0 hi\0", b"N", b"E")[:1] == b"-"
    found = scraped.wait_until(lambda found: found["sieveav_engine_messages_total{engine=yara}"] == 4)
    assert found["sieveav_messages_total{frontend=milter,result=accept,server=m1}"] == 4
    assert found["sieveav_recipient_actions_total{action=discard,frontend=milter}"] == 4
    assert found["sieveav_recipient_actions_total{action=keep,frontend=milter}"] == 4
    assert found["sieveav_verdicts_total{engine=yara,status=clean}"] == 4
    assert found["sieveav_scan_seconds_count{engine=yara}"] == 4
    assert 2 <= found["sieveav_engine_cache_hits_total{engine=yara}"] <= 3  # each of two workers scans once
    assert found["sieveav_pool_size{pool=CPU}"] == 8
    assert found["sieveav_pool_depth{pool=CPU}"] == 0


FAILING = """
clamav {} antivirus "antivirus1" { clamav "clamav1" { daemon = "FOLDER/clamd.sock" enabled = true timeout = 5 } }
state { store = "sqlite:FOLDER/missing/state.db" }
users { scripts = "%n.sieve" }
"""


def test_what_fails(start: Callable[..., Scraped], tmp_path: Path) -> None:
    """The server of an engine that is not asked any more, the state; one worker notices each, or both do."""
    (tmp_path / "missing").mkdir()
    (tmp_path / "alice.sieve").write_text('require "duplicate"; if duplicate { discard; }')
    scraped = start("stop;", FAILING)
    (tmp_path / "missing").rmdir()
    for number in range(6):
        field = f"LMessage-ID\0 <{number}@example.org>\0".encode()
        scraped.server.answer(b"M<bob@example.org>\0", b"R<alice@example.com>\0", field, b"N", b"E")
    (server,) = [line for line in scraped.server.lines if "clamd.sock" in line][:1]
    path = next(word for word in server.split() if word.endswith("clamd.sock:")).rstrip(":")
    failing = f"sieveav_engine_server_failing{{engine=clamav,server={path}}}"
    errors = "sieveav_engine_errors_total{engine=clamav}"
    # each worker looks at its engines once a second
    found = scraped.wait_until(
        lambda found: found[failing] >= 1 and found["sieveav_state_failing"] >= 1 and found[errors] >= 6
    )
    assert found[failing] <= 2
    assert found["sieveav_state_failing"] == found["sieveav_state_outages_total"] <= 2
    assert found["sieveav_verdicts_total{engine=clamav,status=error}"] == 6
    assert found[errors] == 6


def test_no_label_comes_from_a_message(start: Callable[..., Scraped]) -> None:
    """Counters that the configuration does not name are counted together."""
    script = """require ["ec_inc_counter", "variables", "fileinto"];
        if header :matches "subject" "*" { ec_inc_counter "${1}"; ec_inc_counter "policy"; }
    """
    scraped = start(script, options='counters = ( "policy" "never" )')
    for number in range(5):
        subject = f"LSubject\0 secret-{number}\0".encode()
        scraped.server.answer(b"M<secret@example.org>\0", b"R<secret@example.com>\0", subject, b"N", b"E")
    found = scraped.metrics()
    counted = {name: value for name, value in found.items() if name.startswith("sieveav_script_counters_total")}
    assert counted == {
        "sieveav_script_counters_total{counter=never}": 0,
        "sieveav_script_counters_total{counter=other}": 5,
        "sieveav_script_counters_total{counter=policy}": 5,
    }
    assert "secret" not in "".join(found)


# ---- HTTP


def test_requests_over_a_connection(start: Callable[..., Scraped]) -> None:
    scraped = start()
    assert scraped.raw(b"GET /metrics HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200 OK\r\n")
    assert scraped.raw(b"GET / HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 404 ")
    assert b"\r\nAllow: GET\r\n" in scraped.raw(b"POST /metrics HTTP/1.1\r\n\r\n")
    assert scraped.raw(b"\0\xff nonsense\r\n\r\n").startswith(b"HTTP/1.1 400 ")
    assert scraped.raw(b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 20000 + b"\r\n\r\n") == b""
    assert scraped.raw(b"GET /metr") == b""
    accept = b"Accept: application/openmetrics-text;version=1.0.0\r\n"
    assert scraped.raw(b"GET /metrics HTTP/1.1\r\n" + accept + b"\r\n").endswith(b"# EOF\n")
    idle = [socket.create_connection(("127.0.0.1", scraped.port)) for _ in range(50)]
    for each in idle:
        each.close()
    scraped.wait_until(lambda found: found["sieveav_workers"] == 2)
    assert not [line for line in scraped.server.lines if "Traceback" in line or "ERROR" in line]


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: a/b\r\naccept:c\r\n\r\n", (OK, "a/b,c")),
        (b"GET /metrics?x=1 HTTP/1.1\r\n\r\n", (OK, "")),
        (b"GET /metricsx HTTP/1.1\r\n\r\n", ("404 Not Found", "")),
        (b"HEAD /metrics HTTP/1.1\r\n\r\n", ("405 Method Not Allowed", "")),
        (b"GET /metrics HTTP/2.0\r\n\r\n", ("400 Bad Request", "")),
        (b"GET /metrics\r\n\r\n", ("400 Bad Request", "")),
    ],
)
def test_requested(head: bytes, expected: tuple[str, str]) -> None:
    assert requested(head) == expected


@given(st.binary(max_size=200) | st.binary(max_size=50).map(b"GET /metrics HTTP/1.1\r\nAccept: ".__add__))
def test_any_request_has_an_answer(head: bytes) -> None:
    status, accept = requested(head)
    assert (status == OK) or accept == ""
    assert response(status, b"x").startswith(b"HTTP/1.1 ")


# ---- what is counted of a message


def one(outcome: Outcome = KEPT, reply: Response | None = None) -> RecipientDecision:
    return RecipientDecision("alice@example.com", outcome, reply, {})


REFUSAL, DEFERRAL = Response(550, "5.7.1", "no"), Response(451, "4.7.1", "later")


@pytest.mark.parametrize(
    ("recipients", "fields", "result", "actions"),
    [
        ([one()], {}, "accept", ["keep"]),
        ([one(), one(UNDECIDED)], {"discarded": True}, "discard", ["keep"]),
        ([one(), one()], {"reply": DEFERRAL}, "defer", ["defer", "defer"]),
        ([one(reply=REFUSAL), one(reply=REFUSAL)], {}, "refuse", ["refuse", "refuse"]),
        (
            [one(reply=REFUSAL), one(Outcome(actions=(IMPLICIT_KEEP, IMPLICIT_KEEP)))],
            {},
            "mixed",
            ["refuse", "keep", "keep"],
        ),
        ([one()], {"replies": {"alice@example.com": DEFERRAL}}, "defer", ["defer"]),
        ([], {}, "accept", []),
    ],
)
def test_answered(
    recipients: list[RecipientDecision], fields: dict[str, object], result: str, actions: list[str]
) -> None:
    decision = Decision(None, tuple(recipients), (), Context())
    line = message_line("lmtp", "1", Session(), "", decision, size=1, seconds=0.1, **fields)  # type: ignore[arg-type]
    assert line.answered.result == result
    assert list(line.answered.actions) == actions


def test_an_observer_that_fails_fails_no_message(caplog: pytest.LogCaptureFixture) -> None:
    def fail(answered: Answered) -> None:
        raise OSError(answered.frontend)

    line = message_line("lmtp", "1", Session(), "", Decision(None, (), (), Context()), size=1, seconds=0.1)
    observers.append(fail)
    try:
        log_message(logging.getLogger("sieveav.x"), line)
    finally:
        observers.remove(fail)
    assert caplog.messages == ["a message is not counted"]


def test_the_depth_of_a_pool() -> None:
    pool, begun, go = Pool("P", 1), threading.Semaphore(0), threading.Event()

    def work() -> None:
        begun.release()
        go.wait(10)

    threads = [threading.Thread(target=run, args=(work, 10)) for run in (pool.run, pool.run_here, pool.run_here)]
    for thread in threads:
        thread.start()
    begun.acquire(timeout=10)
    until = time.monotonic() + 10
    while pool.depth != 3:
        assert time.monotonic() < until
    go.set()
    for thread in threads:
        thread.join()
    while pool.depth:
        assert time.monotonic() < until


# ---- the stanza


def test_without_the_stanza_nothing_is_imported(tmp_path: Path) -> None:
    (tmp_path / "site.conf").write_text('milter "m1" { listen = "inet:127.0.0.1:1" }')
    program = """
import sys
from sieveav.frontends.server import SERVERS
from sieveav.site.site import load
site = load("site.conf")
assert not SERVERS.everything()["metrics"].listeners(site.settings)
print([name for name in sys.modules if name.startswith("prometheus") or name == "asyncio"])
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("stanzas", "message"),
    [
        ("metrics {}", "metrics has no listen"),
        ('metrics { listen = "inet:localhost:1" }', '"inet:localhost:1" is not unix:/path or inet:address:port'),
        (
            'milter "m" { listen = "inet:127.0.0.1:1" } metrics { listen = "inet:127.0.0.1:1" }',
            'inet:127.0.0.1:1 is the address of milter "m" too',
        ),
        (
            'milter "metrics" { listen = "inet:127.0.0.1:2" } metrics { listen = "inet:127.0.0.1:1" }',
            "of that name too",
        ),
    ],
)
def test_a_stanza_with_an_error(stanzas: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "site.conf").write_text(stanzas)
    with pytest.raises(Refused, match=re.escape(message)):
        load(tmp_path / "site.conf")


def test_the_stanza(tmp_path: Path) -> None:
    (tmp_path / "site.conf").write_text('metrics { listen = "unix:/run/m.sock" counters = ( "a" "b" ) }')
    settings = load(tmp_path / "site.conf").settings[METRICS]
    assert settings is not None
    assert (settings.listener.address, settings.listener.name) == ("unix:/run/m.sock", "metrics")
    assert settings.counters == ("a", "b")
