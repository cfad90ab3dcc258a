"""Verdicts that nodes share: the same content is scanned once; nothing but a node's own record is believed."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import signal
import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.daemons import Redis
from support.sites import Decide

from sieveav.frontends.controlling import COMMANDS, Controlled, Refusal, Request
from sieveav.frontends.supervising import Worker
from sieveav.options import FILES, TEXT, Option
from sieveav.scanning import caching
from sieveav.scanning.caching import CLEAN_LIFE, Key
from sieveav.scanning.contract import Content, Deadline, EngineType
from sieveav.site.site import Refused, Site, load
from sieveav.site.state import RECORD, Outage, open_verdicts
from sieveav.site.states import redis as redis_backend
from sieveav.site.states import sqlite as sqlite_backend
from sieveav.site.verdicts import LIVES, SEAL, SharedVerdicts, read_secret
from sieveav.verdict import Status, Verdict

SECRET = b"0123456789abcdef0123456789abcdef"
NOW = 1_700_000_000.0
KEY = Key("engine", "version 1", True, b"digest")

real = pytest.mark.real


# ---- nodes


@dataclass
class Node:
    """A site with one engine: `scanned` are the contents that it scanned. It finds "virus", and answers `answer` otherwise."""

    site: Site
    decided: Decide
    scanned: list[bytes]
    engine: Engine

    def receive(self, raw: bytes = b"Subject: x\n\nHi.\n") -> Verdict:
        """The verdict on a message, as the scripts see it."""
        decision = self.decided(self.site, raw=raw)
        (verdict,) = decision.verdicts
        assert isinstance(verdict, Verdict)
        return verdict

    @property
    def hits(self) -> int:
        """Verdicts that needed no scan."""
        return self.site.scanners[0].engine.statistics.snapshot().hits


@dataclass
class Engine:
    name: str
    scanned: list[bytes]
    definitions: str = "1"
    answer: Status = Status.CLEAN
    more: Mapping[str, Any] = field(default_factory=dict)

    def scan(self, content: Content, deadline: Deadline) -> Verdict:
        assert deadline.left() > 0
        self.scanned.append(content.raw)
        if b"virus" in content.raw:
            return Verdict(self.name, Status.INFECTED, "Virus", 7)
        return Verdict(self.name, self.answer, "why", **self.more)

    def version(self, deadline: Deadline) -> str:  # noqa: ARG002
        return self.definitions


MakeNode = Callable[..., Node]


@pytest.fixture
def node(tmp_path: Path, decided: Decide) -> MakeNode:
    """Makes a node with this store, and these options of its engine, of the type `kind`."""
    (tmp_path / "verdict.key").write_bytes(SECRET)
    (tmp_path / "verdict.key").chmod(0o600)

    def make(store: str, options: str = "", kind: str = "av", key: str = "verdict.key") -> Node:
        scanned: list[bytes] = []
        made: list[Engine] = []

        def engine(name: str, values: Mapping[str, Any]) -> Engine:  # noqa: ARG001
            made.append(Engine(name, scanned))
            return made[-1]

        own = (Option("mood", TEXT, "good", "for tests"), Option("files", FILES, (), "for tests"))
        (tmp_path / "site.conf").write_text(
            f'state {{ store = "{store}" verdict_key = "{key}" }}\n{kind} {{ enabled = true }}\n'
            f'antivirus "a" {{ {kind} "{kind}1" {{ {options} }} }}'
        )
        kinds = {name: EngineType(name, "for tests", "CPU", own, engine) for name in ("av", "other")}
        site = load(tmp_path / "site.conf", engines=kinds)
        return Node(site, decided, scanned, made[0])

    return make


@pytest.fixture(params=["sqlite:state.db", pytest.param("redis", marks=real)])
def store(request: pytest.FixtureRequest) -> str:
    """The store of a configuration, of each backend that can share."""
    return str(request.getfixturevalue("redis_server").url) if request.param == "redis" else str(request.param)


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a failure the server is asked again at once."""
    monkeypatch.setattr(redis_backend, "PAUSE", 0.0)


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """What was logged of the state since it was looked at last."""
    caplog.set_level(logging.INFO)

    def logged() -> list[str]:
        lines = [f"{r.levelname} {r.getMessage()}" for r in caplog.records if r.name == "sieveav.site.state"]
        caplog.clear()
        return lines

    return logged


def test_two_nodes_scan_the_same_content_once(store: str, node: MakeNode, logged: Callable[[], list[str]]) -> None:
    one, two = node(store), node(store)
    for raw in (b"Subject: a\n\nclean\n", b"Subject: a\n\nvirus\n"):
        own, shared = one.receive(raw), two.receive(raw)
        assert own == shared
        assert (shared.engine, shared.version) == ("av", "1")
        assert two.receive(raw) == own
    assert [own.status, own.info, own.code] == [Status.INFECTED, "Virus", 7]
    assert (len(one.scanned), two.scanned) == (2, [])
    assert (one.hits, two.hits) == (0, 4)
    assert two.receive(b"Subject: b\n\nanother\n").status is Status.CLEAN
    assert one.receive(b"Subject: b\n\nanother\n").status is Status.CLEAN
    assert (len(one.scanned), len(two.scanned)) == (2, 1)
    assert logged() == []


def test_a_part_is_not_a_message(store: str, node: MakeNode) -> None:
    one, two = node(store), node(store)
    for each, is_message in ((one, True), (two, False)):
        content = Content(b"Subject: a\n\nx\n", is_message=is_message)
        assert each.site.scanners[0].engine.scan(content, Deadline.after(10)).status is Status.CLEAN
    assert (len(one.scanned), len(two.scanned)) == (1, 1)


def test_other_definitions_scan_again(store: str, node: MakeNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caching, "VERSION_LIFE", 0.0)
    one, two = node(store), node(store)
    one.receive()
    two.engine.definitions = "2"
    assert two.receive().version == "2"
    two.engine.definitions = "1"
    assert two.receive().version == "1"
    assert (len(one.scanned), len(two.scanned)) == (1, 1)


def test_without_a_version_nothing_is_shared(store: str, node: MakeNode) -> None:
    one, two = node(store), node(store)
    for each in (one, two):
        each.engine.definitions = ""
        each.receive()
    assert (len(one.scanned), len(two.scanned)) == (1, 1)


@pytest.mark.parametrize(
    ("options", "kind", "scans"),
    [
        ('mood = "bad"', "av", 1),
        ("paranoid = true", "av", 1),
        ('files = ( "a" "c" )', "av", 1),
        ("", "other", 1),
        ("timeout = 20 cache_size = 7 action = reject error_code = 450 max_concurrency = 2", "av", 0),
    ],
)
def test_what_a_verdict_depends_on(tmp_path: Path, node: MakeNode, options: str, kind: str, scans: int) -> None:
    for name in "abc":
        (tmp_path / name).write_text(name)
    own = 'files = ( "a" "b" )' if "files" in options else ""
    one, two = node("sqlite:state.db", own), node("sqlite:state.db", options, kind)
    one.receive()
    two.receive()
    assert (len(one.scanned), len(two.scanned)) == (1, scans)


def test_the_content_of_files_counts(tmp_path: Path, node: MakeNode) -> None:
    scans = []
    for text in ("a", "a", "b"):
        (tmp_path / "list").write_text(text)
        each = node("sqlite:state.db", 'files = "list"')
        each.receive()
        scans.append(len(each.scanned))
    assert scans == [1, 0, 1]


@pytest.mark.parametrize("status", set(Status) - set(LIVES))
def test_other_verdicts_are_not_shared(node: MakeNode, status: Status) -> None:
    one, two = node("sqlite:state.db"), node("sqlite:state.db")
    for each in (one, two):
        each.engine.answer = status
        assert each.receive().status is status
    assert (len(one.scanned), len(two.scanned)) == (1, 1)


@pytest.mark.parametrize("more", [{"cured": "cured"}, {"values": {"a": "b"}}, {"by_recipient": {"a@b": {"a": "b"}}}])
def test_a_verdict_that_says_more_is_not_shared(node: MakeNode, more: Mapping[str, Any]) -> None:
    one, two = node("sqlite:state.db"), node("sqlite:state.db")
    for each in (one, two):
        each.engine.more = more
        each.receive()
    assert (len(one.scanned), len(two.scanned)) == (1, 1)


def test_little_time_is_for_the_scan(node: MakeNode) -> None:
    one, two = node("sqlite:state.db"), node("sqlite:state.db", "timeout = 2")
    one.receive()
    assert two.receive().status is Status.CLEAN
    assert len(two.scanned) == 1


def test_another_secret_is_another_site(store: str, node: MakeNode, tmp_path: Path) -> None:
    (tmp_path / "other.key").write_bytes(SECRET[::-1])
    (tmp_path / "other.key").chmod(0o600)
    one, two = node(store), node(store, key="other.key")
    one.receive()
    two.receive()
    assert (len(one.scanned), len(two.scanned)) == (1, 1)


# ---- failures


@real
@pytest.mark.usefixtures("no_pause")
def test_nodes_decide_without_the_store(redis_server: Redis, node: MakeNode, logged: Callable[[], list[str]]) -> None:
    """Each scans for itself, and says so once."""
    nodes = [node(redis_server.url), node(f"redis://{redis_server.socket}?db=0")]
    nodes[0].receive()
    redis_server.kill()
    for each, where in zip(nodes, (f"127.0.0.1:{redis_server.port}", redis_server.socket), strict=True):
        for number in range(3):
            assert each.receive(b"Subject: %d\n\nx\n" % number).status is Status.CLEAN
        assert each.receive(b"Subject: v\n\nvirus\n").status is Status.INFECTED
        assert logged() == [f"ERROR state: redis {where}: Connection refused"]
    assert [len(each.scanned) for each in nodes] == [5, 4]
    redis_server.start()
    assert nodes[0].receive(b"Subject: new\n\nx\n").status is Status.CLEAN
    assert logged() == ["INFO state: it works again"]
    assert nodes[1].receive(b"Subject: new\n\nx\n").status is Status.CLEAN
    assert len(nodes[1].scanned) == 4


@real
def test_a_store_that_hangs_makes_no_scan_late(
    redis_server: Redis, node: MakeNode, logged: Callable[[], list[str]]
) -> None:
    one = node(redis_server.url, "timeout = 3")
    one.receive()
    redis_server.signal(signal.SIGSTOP)
    begun = time.monotonic()
    assert [one.receive(b"Subject: %d\n\nx\n" % n).status for n in range(3)] == [Status.CLEAN] * 3
    assert time.monotonic() - begun < 2
    redis_server.signal(signal.SIGCONT)
    assert len(one.scanned) == 4
    (line,) = logged()
    assert re.fullmatch(r"ERROR state: redis 127\.0\.0\.1:\d+: Timeout.*", line)


@real
def test_a_store_that_is_full(redis_server: Redis, node: MakeNode, logged: Callable[[], list[str]]) -> None:
    """That it can be read is no sign that it works again."""
    one = node(redis_server.url)
    redis_server.ask("CONFIG SET maxmemory 1")
    for number in range(3):
        assert one.receive(b"Subject: %d\n\nx\n" % number).status is Status.CLEAN
    (line,) = logged()
    assert re.match(r"ERROR state: redis .*maxmemory", line)
    redis_server.ask("CONFIG SET maxmemory 0")
    one.receive(b"Subject: new\n\nx\n")
    assert logged() == ["INFO state: it works again"]


def test_a_database_that_is_busy(node: MakeNode, tmp_path: Path, logged: Callable[[], list[str]]) -> None:
    one = node("sqlite:state.db")
    one.receive()
    with closing(sqlite3.connect(tmp_path / "state.db.verdicts")) as other:
        other.execute("BEGIN IMMEDIATE")
        assert one.receive(b"Subject: new\n\nx\n").status is Status.CLEAN
    assert logged() == [f"ERROR state: {tmp_path / 'state.db.verdicts'}: database is locked"]
    with one_lock(one):
        assert one.receive(b"Subject: newer\n\nx\n").status is Status.CLEAN
    assert len(one.scanned) == 3


def one_lock(node: Node) -> Any:
    """The lock that another thread would hold while it uses the database."""
    assert node.site.verdicts is not None
    assert isinstance(node.site.verdicts._store, sqlite_backend.Verdicts)
    return node.site.verdicts._store._lock


# ---- what others write


@real
@pytest.mark.parametrize(
    "write",
    [
        "SET {one} nonsense",
        "SET {one} ''",
        "APPEND {one} x",
        "SETRANGE {one} 40 x",
        "SETRANGE {one} 1000000 x",
        "COPY {two} {one} REPLACE",
        "DEL {one}|LPUSH {one} x",
        "DEL {one}|HSET {one} a b",
    ],
)
def test_what_others_write_is_ignored(
    redis_server: Redis, node: MakeNode, write: str, logged: Callable[[], list[str]]
) -> None:
    """A record that was changed, or is that of another content: a node scans, says nothing, and writes its own."""
    one, two, three = (node(redis_server.url) for _ in range(3))

    def keys() -> set[str]:
        return {word.decode() for word in redis_server.ask("KEYS sieveav:verdict:*").split() if b"verdict" in word}

    assert one.receive(b"Subject: x\n\nclean\n").status is Status.CLEAN
    clean = keys()
    assert one.receive(b"Subject: x\n\nvirus\n").status is Status.INFECTED
    (infected,) = keys() - clean
    for command in write.format(one=infected, two=clean.pop()).split("|"):
        assert not redis_server.ask(command).startswith(b"-")
    assert two.receive(b"Subject: x\n\nvirus\n").status is Status.INFECTED
    assert three.receive(b"Subject: x\n\nvirus\n").status is Status.INFECTED
    assert (len(two.scanned), len(three.scanned)) == (1, 0)
    assert logged() == []


def test_the_store_shows_no_content(store: str, node: MakeNode, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Neither its digest, by which one could ask whether a content was scanned, nor the secret."""
    raw = b"Subject: x\n\nHi.\n"
    node(store).receive(raw)
    if store.startswith("redis"):
        server = request.getfixturevalue("redis_server")
        (key,) = [word for word in server.ask("KEYS *").split() if word.startswith(b"sieveav:")]
        written = key + server.ask(f"GET {key.decode()}")
    else:
        written = b"".join(path.read_bytes() for path in tmp_path.glob("state.db.verdicts*"))
    assert b'"clean", "why"' in written
    digest = hashlib.sha256(raw)
    for text in (raw, digest.digest(), digest.hexdigest().encode(), SECRET):
        assert text not in written


class Records(dict[bytes, bytes]):
    """A store in memory, which forgets nothing."""

    def get(self, name: bytes) -> bytes | None:  # type: ignore[override]
        return super().get(name)

    def put(self, name: bytes, record: bytes, now: float, seconds: float) -> None:
        assert now + seconds > now
        assert len(record) <= RECORD
        self[name] = record

    def clear(self) -> int:  # type: ignore[override]
        raise NotImplementedError


def shared(records: Records, now: float = NOW, secret: bytes = SECRET) -> SharedVerdicts:
    return SharedVerdicts(records, secret, Outage(), lambda: now)


def test_a_record_is_for_its_time_only() -> None:
    """Also if clocks differ, and if a clock is set back."""
    records = Records()
    shared(records).keep(KEY, Verdict("a", Status.CLEAN))
    shared(records).keep(KEY._replace(content=b"other"), Verdict("a", Status.INFECTED, "V"))

    def left(now: float, key: Key = KEY) -> float | None:
        found = shared(records, now).find("b", key)
        return found and found[1]

    assert [left(NOW), left(NOW + 59), left(NOW + 60), left(NOW + 61)] == [CLEAN_LIFE, 1, None, None]
    assert [left(NOW - 10), left(NOW - 60), left(NOW - 61)] == [CLEAN_LIFE, CLEAN_LIFE, None]
    assert left(NOW + 3599, KEY._replace(content=b"other")) == 1


def test_what_has_expired_is_scanned_again(store: str, node: MakeNode, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two, three = node(store), node(store), node(store)
    one.receive()
    for each in (two, three):
        assert each.site.verdicts is not None
        monkeypatch.setattr(each.site.verdicts, "_clock", lambda: time.time() + CLEAN_LIFE)
        each.receive()
    assert [len(each.scanned) for each in (one, two, three)] == [1, 1, 0]


@real
def test_the_server_deletes_records_itself(redis_server: Redis) -> None:
    made = open_verdicts(redis_server.url, Path("/"))
    made.put(b"n" * 32, b"record", NOW, 100)
    made.put(b"m" * 32, b"record", NOW, 0.001)
    assert made.get(b"n" * 32) == b"record"
    key = f"sieveav:verdict:{(b'n' * 32).hex()}"
    assert 90_000 < int(redis_server.ask(f"PTTL {key}")[1:]) <= 100_000
    until = time.monotonic() + 10
    while redis_server.ask("DBSIZE") != b":1\r\n":
        assert time.monotonic() < until


def test_sqlite_deletes_old_records(tmp_path: Path) -> None:
    made = open_verdicts("sqlite:state.db", tmp_path)
    for number in range(30):
        made.put(b"%32d" % number, b"record", NOW, 60)
    for number in range(3):
        made.put(b"new%29d" % number, b"record", NOW + 60, 60)
    assert made.clear() == 3


@pytest.mark.parametrize("value", ["'text'", "1", "zeroblob(1000000)"])
def test_sqlite_reads_records_only(tmp_path: Path, value: str) -> None:
    made = open_verdicts("sqlite:state.db", tmp_path)
    made.put(b"n" * 32, b"record", NOW, 60)
    with closing(sqlite3.connect(tmp_path / "state.db.verdicts")) as other:
        other.execute(f"UPDATE verdicts SET record = {value}")  # noqa: S608
        other.commit()
    found = made.get(b"n" * 32)
    assert found is None or len(found) == RECORD + 1


def sealed(records: Records, text: bytes) -> None:
    """Make the record of KEY one with this text, as only a node can."""
    made = shared(records)
    name = made._name(KEY)
    records[name] = made._seal(name, text) + text


GOOD = ["clean", "why", None, "1", NOW + 30]

WRONG: dict[int, tuple[Any, ...]] = {
    0: ("error", "encrypted", "skipped", "CLEAN", "", None, 1, [], {}),
    1: (None, 1, "a\nb", "é", "\x7f", "x" * 257, ["x"]),
    2: (1.5, "1", True, [1]),
    3: (None, "\0", "x" * 257),
    4: (None, 1_700_000_030, "1", True, NOW, NOW - 1, NOW + 121, 1e300, float("nan"), float("inf")),
}
"""Place in a record -> values that do not belong there."""


def test_a_record_of_a_node_is_read() -> None:
    records = Records()
    sealed(records, json.dumps(GOOD).encode())
    assert shared(records).find("av", KEY) == (Verdict("av", Status.CLEAN, "why", None, "1"), 30.0)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"nonsense",
        b"[]",
        b"{}",
        b"[" * 2000,
        json.dumps(dict.fromkeys("abcde")).encode(),
        json.dumps([*GOOD, 1]).encode(),
        *(json.dumps([*GOOD[:place], value, *GOOD[place + 1 :]]).encode() for place in WRONG for value in WRONG[place]),
    ],
)
def test_a_record_is_exactly_one(text: bytes) -> None:
    """Also if a node wrote it, such as one of another version."""
    records = Records()
    sealed(records, text)
    assert shared(records).find("av", KEY) is None


@given(st.binary(max_size=200), st.integers(0, 200))
def test_any_octets_are_no_record(octets: bytes, cut: int) -> None:
    records = Records()
    sealed(records, json.dumps(GOOD).encode())
    ((name, record),) = records.items()
    for other in (octets, record[:cut] + octets, octets + record):
        if other != record:
            records[name] = other
            assert shared(records).find("av", KEY) is None


def test_a_seal_is_for_one_record() -> None:
    """Each of key, text and secret counts; a name is no seal."""
    records = Records()
    shared(records).keep(KEY, Verdict("a", Status.CLEAN))
    ((name, record),) = records.items()
    for place, value in enumerate(("e", "v", False, b"d")):
        key = Key(*(value if i == place else old for i, old in enumerate(KEY)))  # type: ignore[arg-type]
        records[shared(records)._name(key)] = record
        assert shared(records).find("a", key) is None
    assert shared(Records({name: record}), secret=SECRET + b"x").find("a", KEY) is None
    other = shared(records, secret=SECRET + b"x")
    assert shared(Records({other._name(KEY): record}), secret=SECRET + b"x").find("a", KEY) is None
    assert shared(Records({name: name + record[SEAL:]})).find("a", KEY) is None
    assert shared(Records({name: record})).find("a", KEY) is not None


def test_the_longest_texts_fit() -> None:
    records = Records()
    verdict = Verdict("a", Status.INFECTED, '"' * 256, -(2**63), "\\" * 256)
    shared(records).keep(KEY, verdict)
    assert shared(records).find("a", KEY) == (verdict, 3600.0)


# ---- flush


def flush(site: Site, tmp_path: Path, *, here: bool = False) -> Any:
    controlled = Controlled(site, Worker(1, 1, {}, None, -1, tmp_path))  # type: ignore[arg-type]
    console = COMMANDS["flush"]
    assert console.join is not None
    return console.join([console.answer(controlled, Request(("flush",), here=here), ())])


def test_flush_covers_them(store: str, node: MakeNode, tmp_path: Path) -> None:
    one, two = node(store), node(store)
    for number in range(3):
        one.receive(b"Subject: %d\n\nx\n" % number)
    two.receive(b"Subject: 0\n\nx\n")
    assert flush(two.site, tmp_path, here=True) == 1  # its own: the worker that was asked does the rest
    two.receive(b"Subject: 0\n\nx\n")
    assert two.scanned == []
    assert flush(one.site, tmp_path) == 6
    assert flush(two.site, tmp_path) == 1
    two.receive(b"Subject: 0\n\nx\n")
    assert len(two.scanned) == 1


@real
def test_flush_leaves_other_keys(redis_server: Redis, node: MakeNode, tmp_path: Path) -> None:
    one = node(redis_server.url)
    assert one.site.state is not None
    one.site.state.record("a", "k", NOW, 60)
    redis_server.ask("SET other 1")
    assert one.site.verdicts is not None
    for number in range(3 * redis_backend.SCANNED):
        one.site.verdicts.keep(KEY._replace(content=b"%d" % number), Verdict("a", Status.CLEAN))
    assert flush(one.site, tmp_path) == 3 * redis_backend.SCANNED
    assert redis_server.ask("DBSIZE") == b":2\r\n"


@real
def test_flush_says_what_it_could_not_do(
    redis_server: Redis, node: MakeNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = node(redis_server.url)
    one.receive()
    with monkeypatch.context() as patch:
        patch.setattr(redis_backend, "CLEARING", -1.0)
        with pytest.raises(Refusal, match=r"not all verdicts are deleted within -1 s$"):
            flush(one.site, tmp_path)
    redis_server.kill()
    reason = (
        r"^the verdicts of the workers are forgotten, but not those that nodes share: redis .*: Connection refused$"
    )
    with pytest.raises(Refusal, match=reason):
        flush(one.site, tmp_path)
    one.receive()
    assert len(one.scanned) == 2


# ---- the configuration


@pytest.mark.parametrize(
    ("store", "secret", "problem"),
    [
        ("memory:", SECRET, r'memory: is not shared: leave this out, or write store = "redis:…" or "sqlite:…"'),
        (
            "sqlite:state.db",
            SECRET[:31] + b"\n\n",
            r"fewer than 32 octets: write one with openssl rand -hex -out \S+ 32",
        ),
        ("sqlite:state.db", b"", r"fewer than 32 octets"),
        ("sqlite:state.db", b"x" * 4097, r"more than 4096 octets: is it a secret\?"),
        ("sqlite:state.db", None, r'there is no file "'),
    ],
)
def test_what_is_wrong_with_the_secret(tmp_path: Path, store: str, secret: bytes | None, problem: str) -> None:
    if secret is not None:
        (tmp_path / "k").write_bytes(secret)
    (tmp_path / "site.conf").write_text(f'state {{ store = "{store}" verdict_key = "k" }}')
    with pytest.raises(Refused, match=problem) as refused:
        load(tmp_path / "site.conf")
    (found,) = refused.value.problems
    assert refused.value.source.text[found.span.start : found.span.end] == '"k"'


def test_a_secret_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Is a directory"):
        read_secret(tmp_path)


def test_a_secret_that_all_may_read(tmp_path: Path) -> None:
    (tmp_path / "k").write_bytes(b" " + SECRET + b"\n")
    assert read_secret(tmp_path / "k") == SECRET
    (tmp_path / "site.conf").write_text('state { store = "sqlite:state.db" verdict_key = "k" }')
    (tmp_path / "k").chmod(0o604)
    (warning,) = load(tmp_path / "site.conf").warnings
    assert (warning.rule, warning.hint) == ("value-risky", f"chmod o-r {tmp_path / 'k'}")
    (tmp_path / "k").chmod(0o640)
    assert load(tmp_path / "site.conf").warnings == ()


def test_without_a_secret_nothing_is_shared(tmp_path: Path) -> None:
    (tmp_path / "site.conf").write_text('state { store = "sqlite:state.db" }')
    site = load(tmp_path / "site.conf")
    assert site.state is not None
    assert site.verdicts is None
