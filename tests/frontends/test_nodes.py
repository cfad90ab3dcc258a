"""Two nodes on one store: what one has done, the other does not do again; what one has scanned, the other does not scan."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from support.command_line import Cli
from support.daemons import Redis
from support.lmtp import Client, serving
from support.serving import CONFIG, Serve, policy
from support.submission import Submission, submission

from sieveav.site.site import Site, load
from sieveav.site.verdicts import SharedVerdicts

real = pytest.mark.real

VACATION = 'require "vacation"; vacation "I am away.";'

REDIRECT = 'require "copy"; redirect :copy "other@example.org"; redirect :copy "third@example.org"; keep;'


def message(number: int) -> bytes:
    return (
        b"Received: from x by y with SMTP id %d\r\nFrom: bob@example.org\r\nTo: alice@example.com\r\nSubject: hi\r\n\r\nHi.\r\n"
        % number
    )


@pytest.fixture
def sent() -> Iterator[Submission]:
    with submission() as server:
        yield server


@pytest.fixture
def sites() -> list[Site]:
    """The sites of the nodes that were started."""
    return []


@pytest.fixture
def start(tmp_path: Path, sent: Submission, sites: list[Site]) -> Iterator[Callable[..., Client]]:
    """Starts the LMTP server of a node of this name, which has its own mail folder, with this store, and connects to it."""
    (tmp_path / "verdict.key").write_bytes(b"0123456789abcdef" * 2)
    (tmp_path / "verdict.key").chmod(0o600)
    with ExitStack() as stack:

        def start(name: str, store: str, script: str, more: str = "") -> Client:
            (tmp_path / "alice.sieve").write_text(script)
            (tmp_path / f"{name}.conf").write_text(
                f'lmtp "l" {{ listen = "inet:127.0.0.1:1" deliver = "maildir:{tmp_path}/{name}/%d/%n" create = true '
                f'submit = "{sent.address}" }} users {{ scripts = "%n.sieve" }} state {{ store = "{store}" {more} }}\n'
                'yara {} antivirus "a" { yara "y" {} }'
            )
            site = load(tmp_path / f"{name}.conf")
            sites.append(site)
            return stack.enter_context(Client(stack.enter_context(serving(site))))

        yield start


@pytest.fixture(params=["sqlite:state.db", pytest.param("redis", marks=real)])
def store(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue("redis_server").url) if request.param == "redis" else str(request.param)


def stored(tmp_path: Path, name: str) -> int:
    """How many messages a node has stored."""
    return len(list((tmp_path / name / "example.com/alice/new").glob("*")))


def test_one_vacation(start: Callable[..., Client], store: str, sent: Submission, tmp_path: Path) -> None:
    one, two = start("one", store, VACATION), start("two", store, VACATION)
    for number, node in enumerate((one, two, one, two)):
        assert node.give(message(number), "alice@example.com") == ["250 2.0.0 Message accepted"]
    assert [each[:2] for each in sent.messages] == [("", "bob@example.org")]
    assert (stored(tmp_path, "one"), stored(tmp_path, "two")) == (2, 2)


def test_one_vacation_of_two_nodes_at_once(start: Callable[..., Client], store: str, sent: Submission) -> None:
    nodes = [start(name, store, VACATION) for name in ("one", "two")]
    replies: list[list[str]] = []
    gate = threading.Barrier(2)

    def give(node: Client, number: int) -> None:
        gate.wait(10)
        replies.append(node.give(message(number), "alice@example.com"))

    threads = [threading.Thread(target=give, args=(node, number)) for number, node in enumerate(nodes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert replies == [["250 2.0.0 Message accepted"]] * 2
    assert [each[:2] for each in sent.messages] == [("", "bob@example.org")]


class AfterOne(dict[str, str]):
    """Replies of a submission server that takes one message, and no other."""

    def __init__(self, messages: list[tuple[str, str, bytes]]) -> None:
        super().__init__()
        self.messages = messages

    def get(self, command: str, reply: str = "") -> str:  # type: ignore[override]
        return "451 4.3.0 later" if command == "MAIL" and self.messages else reply


def test_one_redirect(start: Callable[..., Client], store: str, sent: Submission, tmp_path: Path) -> None:
    """The MTA brings a message again, and to the other node: the first could not do all of it."""
    one, two = start("one", store, REDIRECT), start("two", store, REDIRECT)
    sent.replies = AfterOne(sent.messages)
    for node in (one, two):
        assert node.give(message(1), "alice@example.com")[0].startswith("451 4.3.0")
        assert [each[1] for each in sent.messages] == ["other@example.org"]
    sent.replies = {}
    for _ in range(2):
        assert two.give(message(1), "alice@example.com") == ["250 2.0.0 Message accepted"]
        assert [each[1] for each in sent.messages] == ["other@example.org", "third@example.org"]
    assert (stored(tmp_path, "one"), stored(tmp_path, "two")) == (1, 0)
    assert two.give(message(2), "alice@example.com") == ["250 2.0.0 Message accepted"]
    assert [each[1] for each in sent.messages] == ["other@example.org", "third@example.org"] * 2


@real
def test_a_redirect_without_the_store(
    start: Callable[..., Client], redis_server: Redis, sent: Submission, tmp_path: Path
) -> None:
    """It is sent and stored: nothing is lost."""
    one = start("one", redis_server.url, REDIRECT)
    redis_server.kill()
    assert one.give(message(1), "alice@example.com") == ["250 2.0.0 Message accepted"]
    assert [each[1] for each in sent.messages] == ["other@example.org", "third@example.org"]
    assert stored(tmp_path, "one") == 1


# ---- verdicts


def test_one_scan_and_not_on_the_event_loop(
    start: Callable[..., Client], sites: list[Site], store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that does not answer must not hold other connections."""
    loops: list[bool] = []

    def watched(name: str) -> Callable[..., Any]:
        original = getattr(SharedVerdicts, name)

        def call(*arguments: Any) -> Any:
            try:
                asyncio.get_running_loop()
                loops.append(True)
            except RuntimeError:
                loops.append(False)
            return original(*arguments)

        return call

    for name in ("find", "keep"):
        monkeypatch.setattr(SharedVerdicts, name, watched(name))
    key = 'verdict_key = "verdict.key"'
    one, two = start("one", store, "keep;", key), start("two", store, "keep;", key)
    for node in (one, two, one, two):
        assert node.give(message(1), "alice@example.com") == ["250 2.0.0 Message accepted"]
    counts = [site.scanners[0].engine.statistics.snapshot() for site in sites]
    assert [(each.messages, each.hits) for each in counts] == [(2, 1), (2, 2)]
    assert loops == [False] * 3  # looked for and kept by one, found by the other


def test_the_workers_of_a_server(serve: Serve, cli: Cli, tmp_path: Path) -> None:
    """Of two workers one scans; `ctl flush` reaches what they share."""
    (tmp_path / "run").mkdir()
    (tmp_path / "verdict.key").write_bytes(b"0123456789abcdef" * 2)
    (tmp_path / "verdict.key").chmod(0o600)
    more = """
yara {} antivirus "antivirus1" { yara "yara1" { enabled = true mime_decompose = false } }
control { listen = "unix:FOLDER/c.sock" }
state { store = "sqlite:state.db" verdict_key = "verdict.key" }
"""
    server = serve(policy("no"), CONFIG + more, RUNTIME_DIRECTORY=str(tmp_path / "run"))
    server.wait_for("generation 1 is ready")

    def answer(*words: str) -> Any:
        done = cli("ctl", "--socket", str(tmp_path / "c.sock"), *words, "--format", "json")
        return json.loads(done.out)["answer"]

    for scans in (1, 2):
        for _ in range(6):
            assert server.answer() == b"y550 5.7.1 no\0"
        (yara,) = answer("antivirus:antivirus1", "stats")
        assert (yara["messages"], yara["hits"]) == (6 * scans, 5 * scans)
        assert answer("flush") in (2, 3)  # the shared one, and that of each worker that was asked
    assert server.stop() == 0
