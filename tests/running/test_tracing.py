"""The trace of a run: what was tested, done and asked, with what result."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from support.accepting import Accepted
from support.outcomes import present
from support.sieve import FakeHost, Sieve

from sieveav.language.problems import Severity
from sieveav.limits import Limits
from sieveav.running import tracing
from sieveav.running.message import Message
from sieveav.running.outcome import LINE_LENGTH, Note, Outcome, Step
from sieveav.running.questions import (
    Addresses,
    CarryOut,
    Context,
    Decided,
    Envelope,
    Environment,
    Now,
    Question,
    Ran,
    Scan,
    Scanned,
    Script,
    Seen,
)
from sieveav.running.run import Run
from sieveav.verdict import Status, Verdict


def lines(outcome: Outcome) -> list[str]:
    return [f"{step.place.line if step.place else '-'} | {step.what} | {step.result}" for step in outcome.trace]


SCRIPT = """require ["fileinto", "mailbox", "variables", "imap4flags", "vctx", "relational", "antivirus"];
if allof (not header "subject" "x", mailboxexists ["INBOX", "Missing"]) { keep; }
if header :contains ["from",  # a comment
    "to"] "alice" {
  set "name" "${unset}Alice";
  set :lower "name" "${name}";
  addflag "\\\\Seen";
  vctx_mess_set "key" "value";
  vctx_conn_set "key" "value";
  if anyof (size :over 1K, string :matches "${name}" "al*", header :count "ge" "from" "1") {
    fileinto "${1}";
    addflag ["\\\\Seen", "\\\\Answered"];
  }
}
vctx_mess_delete "key";
clamav_avscan;
if not mailboxexists "INBOX" {
  discard;
} elsif address :domain "cc" "example.com" {
  discard;
} else {
  redirect "bob@example.com";
  stop;
}
keep;
"""


def test_every_test_command_and_question(sieve: Sieve, accepted: Accepted) -> None:
    host = FakeHost([Verdict("clamav", Status.INFECTED, "Eicar")], {"clamav_status": "virus"}, ["INBOX"])
    accepted(lines(sieve.run(SCRIPT, host=host, tracing=True)))


def test_without_tracing(sieve: Sieve) -> None:
    traced, untraced = (sieve.run(SCRIPT, tracing=tracing) for tracing in (True, False))
    assert untraced.trace == ()
    assert traced.actions == untraced.actions


def test_an_answer_that_is_not_asked_for_again_is_remembered(sieve: Sieve) -> None:
    host = FakeHost(mailboxes=["a"])
    script = 'require "mailbox"; if mailboxexists ["a", "a", "b"] { }'
    first, second = (sieve.run(script, host=host, tracing=True) for _ in range(2))
    asked = [step.result for step in first.trace[:3]]
    assert asked == ["yes", "yes (remembered)", "no"]
    assert [step.result for step in second.trace[:3]] == ["yes (remembered)", "yes (remembered)", "no (remembered)"]


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([], "no values"),
        (["a"], '"a"'),
        (["a", "b", "c"], '"a", "b", "c"'),
        (["a", "b", "c", "d", "e"], '"a", "b", "c" and 2 more'),
        (["x" * 60], f'"{"x" * 60}"'),
        (["x" * 61], f'"{"x" * 60}..."'),
        (["=?utf-8?q?a=1B=5B31mb=C2=85=E2=80=AE?="], '"a?[31mb??"'),
        (["Grüße"], '"Grüße"'),
    ],
)
def test_values_of_messages_are_bounded_and_printable(sieve: Sieve, values: list[str], shown: str) -> None:
    message = "".join(f"X-A: {value}\r\n" for value in values) + "\r\n"
    for test in ('header "x-a" "none"', 'header :matches "x-a" "none"'):
        script = f'require "variables"; set "a" "${{1}}"; if {test} {{ }}'
        assert sieve.run(script, message, tracing=True).trace[-1].result == f"false ({shown})"


@pytest.mark.parametrize(
    ("question", "answer", "shown"),
    [
        (Environment("name"), "mx.example.com", "mx.example.com"),
        (Environment("name"), None, "none"),
        (Seen("k"), True, "yes"),
        (Addresses(), (), "none"),
        (Addresses(), ("a@b", "c@d", "e@f", "g@h"), "a@b, c@d, e@f and 1 more"),
        (Now(), datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00+00:00"),
        (Scan(), Scanned(()), "none"),
        (Ran("p"), (0, b"x" * 100), "0, 100 octets"),
        (CarryOut(Message(b""), Envelope(), Outcome()), (Note(Severity.ERROR, "disk full"),), "disk full"),
        (Decided("", Message(b""), Envelope(), Context()), Outcome(), "implicit keep"),
    ],
)
def test_answers(sieve: Sieve, question: Question[Any], answer: object, shown: str) -> None:
    case = sieve.case(host=FakeHost(answers={type(question): lambda _: answer}), tracing=True)
    run = Run(sieve.program("keep;"), case)
    run.ask(question)
    assert [(step.what, step.result) for step in present(run.tracer).steps] == [(str(question), shown)]


def test_an_included_script_has_variables_of_its_own(sieve: Sieve, accepted: Accepted) -> None:
    require = 'require ["include", "variables"];'
    scripts = {
        "ends": sieve.check(f'{require}\nset "a" "2";', path="ends.sieve"),
        "returns": sieve.check(f'{require}\nset "b" "3";\nif true {{ return; }}', path="returns.sieve"),
        "stops": sieve.check(f'{require}\nset "c" "4";\nstop;', path="stops.sieve"),
    }
    host = FakeHost(answers={Script: lambda question: scripts[question.name]})
    script = f'{require}\nset "a" "1";\ninclude "ends";\nset "b" "${{a}}";\ninclude "returns"; include "stops"; keep;'
    outcome = sieve.run(script, host=host, tracing=True)
    accepted(f"{step.place} | {step.what} | {step.result}" for step in outcome.trace)


def test_faults(sieve: Sieve) -> None:
    outcome = sieve.run('redirect "a@b";', tracing=True, limits=Limits(redirects=0))
    assert lines(outcome) == ["1 | fault | more than 0 redirects"]


def test_the_length_of_a_trace_is_limited(sieve: Sieve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "STEPS", 3)
    outcome = sieve.run("if anyof (false, false, false, false, true) { discard; }", tracing=True)
    assert lines(outcome)[2:] == ["1 | false | false", "- | trace | cut after 3 lines"]
    assert [action.name for action in outcome.actions] == ["discard"]


def test_a_line_is_one_line() -> None:
    step = Step(None, "a\nb\x1b[0m", "c\r\n" + "x" * 2000)
    assert (step.what, step.result) == ("a b [0m", "c  " + "x" * (LINE_LENGTH - 3))
