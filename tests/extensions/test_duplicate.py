"""RFC 7352: what tests in Sieve (duplicate.svtest) cannot say: hints, spans, records, what the host is asked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.sieve import FakeHost, Sieve

from sieveav.running.effects import Record
from sieveav.running.questions import Seen
from sieveav.site.rehearsal import Delivery

key_of: Any = import_module("sieveav.extensions.duplicate").key_of

MESSAGE = b"Message-ID: <secret@example.com>\nSubject: ALERT: disk full\n\nHi.\n"

KEY = key_of(None, "<secret@example.com>")


@pytest.fixture
def seen(fake_host: type[FakeHost]) -> Any:
    """A host that has seen these keys; with None, one that has lost its memory."""

    def make(*keys: str | None) -> Any:
        return fake_host(answers={Seen: lambda asked: None if None in keys else asked.key in keys})

    return make


def records(sieve: Sieve, test: str, host: Any, **more: Any) -> tuple[Record, ...]:
    script = f'require ["duplicate", "variables"]; if {test} {{ discard; }}'
    return tuple(sieve.run(script, MESSAGE, host=host, **more).records)


def test_what_is_recorded(sieve: Sieve, seen: Any) -> None:
    assert records(sieve, "duplicate", seen()) == (Record(KEY, 43200),)
    assert records(sieve, "duplicate :seconds 60", seen()) == (Record(KEY, 60),)
    assert records(sieve, "duplicate :last :seconds 60", seen()) == (Record(KEY, 60, sliding=True),)
    assert records(sieve, "duplicate :seconds 4000000000", seen()) == (Record(KEY, 172800),)
    assert records(sieve, "duplicate :seconds 0", seen()) == ()
    assert records(sieve, 'duplicate :header "x-none"', seen()) == ()


def test_a_duplicate_is_recorded_again_only_with_last(sieve: Sieve, seen: Any) -> None:
    assert records(sieve, "duplicate", seen(KEY)) == ()
    assert records(sieve, "duplicate :last", seen(KEY)) == (Record(KEY, 43200, sliding=True),)


def test_a_key_is_recorded_once(sieve: Sieve, seen: Any) -> None:
    assert records(sieve, "anyof (duplicate, duplicate :last, duplicate :seconds 9)", seen()) == (Record(KEY, 9),)


def test_a_memory_that_is_lost_makes_no_duplicate(sieve: Sieve, seen: Any) -> None:
    outcome = sieve.run('require "duplicate"; if duplicate { discard; }', MESSAGE, host=seen(None))
    assert [action.name for action in outcome.actions] == ["keep"]
    assert outcome.records == (Record(KEY, 43200),)


def test_nothing_of_the_unique_id_can_be_read_in_the_key(sieve: Sieve, seen: Any) -> None:
    host = seen()
    (record,) = records(sieve, 'duplicate :handle "a handle" :uniqueid "a secret"', host)
    assert [question.key for question in host.asked] == [record.key]
    assert "secret" not in record.key
    assert "handle" not in record.key
    assert len(record.key) == len("duplicate:") + 64


def test_it_is_no_action(sieve: Sieve, seen: Any) -> None:
    outcome = sieve.run('require "duplicate"; if duplicate { discard; }', MESSAGE, host=seen())
    assert [action.as_json() for action in outcome.actions] == [{"action": "keep", "flags": [], "implicit": True}]


def test_example_2_marks_the_second_alert(sieve: Sieve, seen: Any) -> None:
    script = """require ["duplicate", "variables", "imap4flags", "fileinto"];
    if header :matches "subject" "ALERT: *" {
      if duplicate :seconds 60 :uniqueid "${1}" { setflag "\\\\seen"; }
      fileinto "Alerts";
    }"""
    for keys, flags in (((), []), ((key_of(None, "disk full"),), ["\\Seen"])):
        (action,) = sieve.run(script, MESSAGE, host=seen(*keys)).actions
        assert action.as_json()["flags"] == flags


@pytest.mark.parametrize(("parts", "fault"), [(100, None), (101, "more than 100 keys to remember")])
def test_no_script_remembers_more_keys_than_the_limit(sieve: Sieve, seen: Any, parts: int, fault: str | None) -> None:
    """The part that the loop begins with is the message itself."""
    inner = "".join(f"--b\nContent-ID: <{n}>\n\n{n}\n" for n in range(parts - 1))
    message = f'Content-ID: <m>\nContent-Type: multipart/mixed; boundary="b"\n\n{inner}--b--\n'
    script = """require ["duplicate", "foreverypart", "variables", "mime"];
    foreverypart {
      if header :mime :matches "content-id" "*" { if duplicate :uniqueid "${1}" { discard; } }
    }"""
    outcome = sieve.run(script, message, host=seen())
    assert (outcome.fault.message if outcome.fault else None) == fault
    assert len(outcome.records) == (0 if fault else parts)


TEXTS = st.text(max_size=8) | st.text(alphabet="ah\0\x01", max_size=4)


@given(st.none() | TEXTS, TEXTS, st.none() | TEXTS, TEXTS)
def test_different_handles_and_ids_have_different_keys(a: str | None, b: str, c: str | None, d: str) -> None:
    assert (key_of(a, b) == key_of(c, d)) == ((a, b) == (c, d))


def test_any_string_has_a_key() -> None:
    """Octets that are no UTF-8 are lone surrogates in a string."""
    assert key_of("\udcff", "\ud800") != key_of("\udcff", "\ud801")


# ---- problems

REQUIRE = 'require "duplicate";'


@pytest.mark.parametrize(
    ("test", "rule", "at", "hint"),
    [
        ('duplicate :header "a" :uniqueid "b"', "tag-conflict", '"b"', "write one of them"),
        ("duplicate :seconds 172801", "too-long", "172801", "write :seconds 172800"),
        ("duplicate :seconds 0", "never-holds", "0", ""),
        ('duplicate :header "subject:"', "header-name", '"subject:"', 'write "subject"'),
        ('duplicate :header ""', "header-name", '""', ""),
    ],
)
def test_problems(sieve: Sieve, test: str, rule: str, at: str, hint: str) -> None:
    checked = sieve.check(f"{REQUIRE} if {test} {{ stop; }}")
    (problem,) = checked.problems
    assert (problem.rule, problem.hint) == (rule, hint)
    assert checked.source.text[problem.span.start : problem.span.end] == at
    assert (checked.program is None) == (rule == "tag-conflict")  # RFC 7352, 3.1 and 3.3: the others are no errors


def test_no_warning_up_to_the_maximum(sieve: Sieve) -> None:
    assert sieve.rules(f"{REQUIRE} if duplicate :seconds 172800 {{ stop; }}") == []
    settings = {"duplicate": {"max_period": 60.0}}
    assert sieve.rules(f"{REQUIRE} if duplicate :seconds 61 {{ stop; }}", settings=settings) == ["too-long"]


@pytest.mark.parametrize("phase", ["data", "imap"])
def test_only_where_mail_is_delivered_to_a_recipient(sieve: Sieve, phase: str) -> None:
    """RFC 7352, 3.4: not with IMAP events."""
    assert sieve.rules(f"{REQUIRE} if duplicate {{ stop; }}", phase=phase) == ["wrong-phase"]


# ---- the memory that tests of scripts have


def test_the_memory_of_a_rehearsal() -> None:
    now = datetime(2026, 11, 24, tzinfo=UTC)
    memory = Delivery(lambda: now, {})
    memory.record(Record("first", 100))
    memory.record(Record("sliding", 100, sliding=True))
    now += timedelta(seconds=60)
    memory.record(Record("first", 100))
    memory.record(Record("sliding", 100, sliding=True))
    now += timedelta(seconds=60)
    assert not memory.seen("first")
    assert memory.seen("sliding")
    memory.record(Record("first", 100))
    assert memory.seen("first")
