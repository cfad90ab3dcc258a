"""State: each backend remembers the same way, and what is wrong with a configuration of it is reported where it is."""

from __future__ import annotations

import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from support import packages
from support.sites import Decide, MakeSite, Show

from sieveav.site.site import Refused
from sieveav.site.state import STATES, State, StateType, open_state
from sieveav.site.states import memory

NOW = 1_700_000_000.0


@pytest.fixture(params=["memory:", "sqlite:state.db", pytest.param("redis", marks=pytest.mark.real)])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> State:
    """A store of each backend."""
    store = request.getfixturevalue("redis_server").url if request.param == "redis" else request.param
    return open_state(store, tmp_path)


def test_a_key_is_remembered_until_its_time(state: State) -> None:
    assert not state.seen("alice", "k", NOW)
    state.record("alice", "k", NOW, 60)
    assert state.seen("alice", "k", NOW)
    assert state.seen("alice", "k", NOW + 59)
    assert not state.seen("alice", "k", NOW + 60)


def test_each_owner_and_key_alone(state: State) -> None:
    state.record("alice", "k", NOW, 60)
    assert not state.seen("bob", "k", NOW)
    assert not state.seen("alice", "k2", NOW)
    assert not state.seen("alic", "e\0k", NOW)


def test_only_a_sliding_key_is_remembered_longer(state: State) -> None:
    state.record("a", "fixed", NOW, 60)
    state.record("a", "fixed", NOW + 30, 60)
    assert not state.seen("a", "fixed", NOW + 60)
    state.record("a", "fixed", NOW + 60, 60)
    assert state.seen("a", "fixed", NOW + 119)
    state.record("a", "sliding", NOW, 60)
    state.record("a", "sliding", NOW + 30, 60, sliding=True)
    assert state.seen("a", "sliding", NOW + 89)


def test_one_of_several_is_the_first(state: State) -> None:
    with ThreadPoolExecutor(8) as pool:
        first = list(pool.map(lambda _: state.record("a", "k", NOW, 60), range(40)))
    assert sorted(first) == [False] * 39 + [True]
    assert not state.record("a", "k", NOW + 59, 60, sliding=True)
    assert state.record("a", "k", NOW + 119, 60)


def test_a_key_is_forgotten(state: State) -> None:
    state.forget("a", "k")
    assert state.record("a", "k", NOW, 60)
    state.forget("b", "k")
    assert state.seen("a", "k", NOW)
    state.forget("a", "k")
    assert not state.seen("a", "k", NOW)
    assert state.record("a", "k", NOW, 60)


def test_nothing_is_remembered_for_no_time(state: State) -> None:
    state.record("a", "k", NOW, 0)
    assert not state.seen("a", "k", NOW)
    state.record("a", "k", NOW, 2**31 * 86400)
    assert state.seen("a", "k", NOW + 2**31 * 86399)


def test_any_text_is_a_key(state: State) -> None:
    for key in ("", "a b\r\n", "\0", "é", "\udcff", "k" * 100_000):
        assert not state.seen("alice", key, NOW)
        state.record("alice", key, NOW, 60)
        assert state.seen("alice", key, NOW)


def test_threads(state: State) -> None:
    def work(owner: str) -> None:
        for i in range(50):
            state.record(owner, f"k{i}", NOW, 60)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcdefgh"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(state.seen(name, f"k{i}", NOW) for name in "abcdefgh" for i in range(50))


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "LARGEST", 100)
    state = memory.Memory()
    for i in range(1000):
        state.record("a", f"k{i}", NOW, 60 + i)
    assert state.seen("a", "k999", NOW)
    assert sum(state.seen("a", f"k{i}", NOW) for i in range(1000)) <= 100


def test_sqlite_is_shared_and_lasts(tmp_path: Path) -> None:
    open_state("sqlite:state.db", tmp_path).record("a", "k", NOW, 60)
    assert open_state(f"sqlite:{tmp_path}/state.db", Path("/")).seen("a", "k", NOW)
    assert b"a\0k" not in (tmp_path / "state.db").read_bytes()


def test_sqlite_deletes_old_keys(tmp_path: Path) -> None:
    """A few with each record: also by processes that end early, and never many at once."""
    state = open_state("sqlite:state.db", tmp_path)
    for i in range(25):
        state.record("a", f"k{i}", NOW, 60 + i)
    numbers = []
    for i in range(4):
        later = open_state("sqlite:state.db", tmp_path)
        later.record("a", f"later{i}", NOW + 83, 60)
        with closing(sqlite3.connect(tmp_path / "state.db")) as database:
            numbers += database.execute("SELECT count(*) FROM seen").fetchone()
    assert numbers == [25 + 1 - 10, 25 + 2 - 20, 1 + 3, 1 + 4]
    assert state.seen("a", "k24", NOW + 83)


def test_a_broken_database_is_an_error(tmp_path: Path) -> None:
    state = open_state("sqlite:state.db", tmp_path)
    (tmp_path / "state.db").write_bytes(b"this is not a database" * 100)
    with pytest.raises(OSError, match="file is not a database"):
        state.seen("a", "k", NOW)
    with pytest.raises(ValueError, match="file is not a database"):
        open_state("sqlite:state.db", tmp_path)


@pytest.mark.parametrize(
    ("inside", "pointed", "said"),
    [
        ("", "state", "state has no store"),
        ('store = "here"', '"here"', '"here" does not begin with one of memory:, redis:, sqlite:'),
        ('store = "nosql:x"', '"nosql:x"', '"nosql:x" does not begin with one of memory:, redis:, sqlite:'),
        ('store = "sqlite:"', '"sqlite:"', 'sqlite has no file: write "sqlite:/path/to/state.db"'),
        ('store = "sqlite:/nowhere/x"', '"sqlite:/nowhere/x"', "folder /nowhere does not exist"),
        (
            'store = "rdis://u:p@h/0"',
            '"rdis://***@h/0"',
            '"rdis://***@h/0" does not begin with one of memory:, redis:, sqlite:',
        ),
        ('store = "memory:x"', '"memory:x"', 'memory has no location: write "memory:"'),
    ],
)
def test_what_is_wrong_with_the_stanza(site: MakeSite, inside: str, pointed: str, said: str) -> None:
    with pytest.raises(Refused) as refused:
        site(f"state {{ {inside} }}")
    (problem,) = refused.value.problems
    text = refused.value.source.text
    assert (text[problem.span.start : problem.span.end], problem.message) == (pointed, said)


DUPLICATE = 'require ["duplicate", "fileinto"]; if duplicate { fileinto "twice"; }'


def test_a_site_with_a_state_answers_scripts(site: MakeSite, decided: Decide, shown: Show) -> None:
    made = site('state { store = "memory:" } users { scripts = "u.sieve" }', {"u.sieve": DUPLICATE})
    raw = b"Message-ID: <1@x>\n\nHi.\n"
    first = decided(made, raw=raw)
    assert shown(first) == ["alice implicit keep"]
    assert shown(decided(made, raw=raw)) == ["alice implicit keep"]  # deciding remembers nothing: carrying out does
    (record,) = first.recipients[0].outcome.records
    assert made.state is not None
    made.state.record("alice@example.com", record.key, time.time(), record.seconds)
    assert shown(decided(made, raw=raw)) == ["alice fileinto twice"]
    assert shown(decided(made, "bob@example.com", raw=raw)) == ["bob implicit keep"]


def test_all_backends_are_found() -> None:
    assert list(STATES.everything()) == ["memory", "redis", "sqlite"]


@pytest.mark.parametrize("name", ["", "Redis", "a b", "x:"])
def test_nonsense_is_refused(name: str) -> None:
    with pytest.raises(TypeError):
        StateType(name, "", lambda location, base: memory.Memory())  # noqa: ARG005


BACKEND = '''
"""drawer: keys in a drawer."""
from sieveav.site.state import StateType
from sieveav.site.states.memory import Memory
state = StateType("drawer", "in a drawer", lambda location, base: Memory())
'''


def test_a_third_partys_backend_is_one_file(tmp_path: Path) -> None:
    files = {"acme_states/__init__.py": "", "acme_states/drawer.py": BACKEND, "s.conf": 'state { store = "drawer:x" }'}
    packages.install(tmp_path, "acme-states", {"sieveav.states": "acme_states"}, files)
    done = packages.sieveav(tmp_path, "check-config", "s.conf")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
