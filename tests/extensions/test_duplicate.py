"""duplicate, RFC 7352, beyond duplicate.svtest: hints, spans, records, questions to the host."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.accepting import Accepted
from support.sieve import FakeHost, Sieve

from sieveav.running.effects import Record
from sieveav.running.questions import Seen
from sieveav.site.rehearsal import Delivery

key_of: Any = import_module("sieveav.extensions.duplicate").key_of

MESSAGE = b"Message-ID: <secret@example.com>\nSubject: ALERT: disk full\n\nHi.\n"

KEY = key_of(None, "<secret@example.com>")


MakeHost = Callable[..., FakeHost]


@pytest.fixture
def seen(fake_host: type[FakeHost]) -> MakeHost:
    """A host that has seen these keys; with None, one without memory."""

    def make(*keys: str | None) -> FakeHost:
        return fake_host(answers={Seen: lambda asked: None if None in keys else asked.key in keys})

    return make


def records(sieve: Sieve, test: str, host: FakeHost, **more: Any) -> tuple[Record, ...]:
    script = f'require ["duplicate", "variables"]; if {test} {{ discard; }}'
    return tuple(sieve.run(script, MESSAGE, host=host, **more).records)


def test_what_is_recorded(sieve: Sieve, seen: MakeHost) -> None:
    assert records(sieve, "duplicate", seen()) == (Record(KEY, 43200),)
    assert records(sieve, "duplicate :seconds 60", seen()) == (Record(KEY, 60),)
    assert records(sieve, "duplicate :last :seconds 60", seen()) == (Record(KEY, 60, sliding=True),)
    assert records(sieve, "duplicate :seconds 4000000000", seen()) == (Record(KEY, 172800),)
    assert records(sieve, "duplicate :seconds 0", seen()) == ()
    assert records(sieve, 'duplicate :header "x-none"', seen()) == ()


def test_a_duplicate_is_recorded_again_only_with_last(sieve: Sieve, seen: MakeHost) -> None:
    assert records(sieve, "duplicate", seen(KEY)) == ()
    assert records(sieve, "duplicate :last", seen(KEY)) == (Record(KEY, 43200, sliding=True),)


def test_a_key_is_recorded_once(sieve: Sieve, seen: MakeHost) -> None:
    assert records(sieve, "anyof (duplicate, duplicate :last, duplicate :seconds 9)", seen()) == (Record(KEY, 9),)


def test_without_memory_nothing_is_a_duplicate(sieve: Sieve, seen: MakeHost) -> None:
    outcome = sieve.run('require "duplicate"; if duplicate { discard; }', MESSAGE, host=seen(None))
    assert [action.name for action in outcome.actions] == ["keep"]
    assert outcome.records == (Record(KEY, 43200),)


def test_the_key_does_not_contain_the_unique_id(sieve: Sieve, seen: MakeHost) -> None:
    host = seen()
    (record,) = records(sieve, 'duplicate :handle "a handle" :uniqueid "a secret"', host)
    assert [question.key for question in host.asked] == [record.key]
    assert "secret" not in record.key
    assert "handle" not in record.key
    assert len(record.key) == len("duplicate:") + 64


def test_it_is_not_an_action(sieve: Sieve, seen: MakeHost) -> None:
    outcome = sieve.run('require "duplicate"; if duplicate { discard; }', MESSAGE, host=seen())
    assert [action.as_json() for action in outcome.actions] == [{"action": "keep", "flags": [], "implicit": True}]


def test_example_2_marks_the_second_alert(sieve: Sieve, seen: MakeHost) -> None:
    script = """require ["duplicate", "variables", "imap4flags", "fileinto"];
    if header :matches "subject" "ALERT: *" {
      if duplicate :seconds 60 :uniqueid "${1}" { setflag "\\\\seen"; }
      fileinto "Alerts";
    }"""
    for keys, flags in (((), []), ((key_of(None, "disk full"),), ["\\Seen"])):
        (action,) = sieve.run(script, MESSAGE, host=seen(*keys)).actions
        assert action.as_json()["flags"] == flags


@pytest.mark.parametrize(("parts", "fits"), [(100, True), (101, False)])
def test_no_script_remembers_more_keys_than_the_limit(sieve: Sieve, seen: MakeHost, parts: int, fits: bool) -> None:
    """The first part of the loop is the message itself."""
    inner = "".join(f"--b\nContent-ID: <{n}>\n\n{n}\n" for n in range(parts - 1))
    message = f'Content-ID: <m>\nContent-Type: multipart/mixed; boundary="b"\n\n{inner}--b--\n'
    script = """require ["duplicate", "foreverypart", "variables", "mime"];
    foreverypart {
      if header :mime :matches "content-id" "*" { if duplicate :uniqueid "${1}" { discard; } }
    }"""
    outcome = sieve.run(script, message, host=seen())
    assert (outcome.fault is None) is fits
    assert len(outcome.records) == (parts if fits else 0)


TEXTS = st.text(max_size=8) | st.text(alphabet="ah\0\x01", max_size=4)


@given(st.none() | TEXTS, TEXTS, st.none() | TEXTS, TEXTS)
def test_different_handles_and_ids_have_different_keys(a: str | None, b: str, c: str | None, d: str) -> None:
    assert (key_of(a, b) == key_of(c, d)) == ((a, b) == (c, d))


def test_any_string_has_a_key() -> None:
    """Octets that are not UTF-8 are lone surrogates in a string."""
    assert key_of("\udcff", "\ud800") != key_of("\udcff", "\ud801")


# ---- problems

REQUIRE = 'require "duplicate";'


@pytest.mark.parametrize(
    ("test", "rule", "at"),
    [
        ('duplicate :header "a" :uniqueid "b"', "tag-conflict", '"b"'),
        ("duplicate :seconds 172801", "period-limit", "172801"),
        ("duplicate :seconds 0", "period-zero", "0"),
        ('duplicate :header "subject:"', "header-name", '"subject:"'),
        ('duplicate :header ""', "header-name", '""'),
    ],
)
def test_problems(sieve: Sieve, accepted: Accepted, test: str, rule: str, at: str) -> None:
    checked = sieve.check(f"{REQUIRE} if {test} {{ stop; }}")
    (problem,) = checked.problems
    assert problem.rule == rule
    accepted(sieve.texts(f"{REQUIRE} if {test} {{ stop; }}"))
    assert checked.source.text[problem.span.start : problem.span.end] == at
    assert (checked.program is None) == (rule == "tag-conflict")  # RFC 7352, 3.1 and 3.3: the others are not errors


def test_no_warning_up_to_the_maximum(sieve: Sieve) -> None:
    assert sieve.rules(f"{REQUIRE} if duplicate :seconds 172800 {{ stop; }}") == []
    settings = {"duplicate": {"max_period": 60.0}}
    assert sieve.rules(f"{REQUIRE} if duplicate :seconds 61 {{ stop; }}", settings=settings) == ["period-limit"]


@pytest.mark.parametrize("phase", ["data", "imap"])
def test_only_in_scripts_of_a_recipient(sieve: Sieve, phase: str) -> None:
    """RFC 7352, 3.4: not with IMAP events."""
    assert sieve.rules(f"{REQUIRE} if duplicate {{ stop; }}", phase=phase) == ["phase-invalid"]


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
