"""ec_log: a line of the log."""

from __future__ import annotations

import pytest
from support.outcomes import only, present
from support.sieve import Sieve

from sieveav.limits import Limits

REQUIRE = 'require ["ec_log", "variables", "ec_action"];'


def test_it_is_a_note_with_its_place(sieve: Sieve) -> None:
    outcome = sieve.run(f'{REQUIRE}\nec_log "one\r\ntwo\x1b[0m";')
    note = only(outcome.notes)
    assert (note.severity, note.text, present(note.place).line) == ("advice", "one  two [0m", 2)
    assert [action.summary() for action in outcome.actions] == ["implicit keep"]


def test_it_remains_after_a_response(sieve: Sieve) -> None:
    outcome = sieve.run(f'{REQUIRE} ec_log "seen"; ec_action 550 "no";')
    assert [note.text for note in outcome.notes] == ["seen"]


def test_lines_and_their_length_are_bounded(sieve: Sieve) -> None:
    script = REQUIRE + 'ec_log "a";' * 5
    long = "a" * 10_000
    assert len(sieve.run(script, limits=Limits(notes=3)).notes) == 3
    assert len(only(sieve.run(f'{REQUIRE} ec_log "{long}";').notes).text) == 1024


@pytest.mark.parametrize("phase", ["connect", "rcptto", "data", "each_rcpt", "imap"])
def test_phases(sieve: Sieve, phase: str) -> None:
    assert sieve.rules('require "ec_log"; ec_log "a";', phase=phase) == []


@pytest.mark.parametrize(
    ("script", "rule"),
    [("ec_log;", "argument-missing"), ("ec_log 1;", "argument-type"), ('ec_log "a" "b";', "argument-surplus")],
)
def test_problems(sieve: Sieve, script: str, rule: str) -> None:
    assert sieve.rules(REQUIRE + script) == [rule]
