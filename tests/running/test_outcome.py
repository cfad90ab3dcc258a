"""Outcomes: responses, repeated actions, and what many scripts of one recipient come to together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sieveav.running.outcome import Action, Outcome, Refuse, Send, Store, mailbox_flaw, response


@pytest.mark.parametrize(
    ("code", "text", "enhanced", "said"),
    [
        (550, "no", "5.7.1", "no"),
        (451, "later", "4.7.1", "later"),
        (250, "fine", "2.0.0", "fine"),
        (550, "5.1.1 no such user", "5.1.1", "no such user"),
        (550, "5.7.123 no", "5.7.123", "no"),
        (550, "5.1.1", "5.1.1", ""),
        (550, "5.1.1  two", "5.1.1", " two"),
        (550, "4.1.1 another class", "5.7.1", "4.1.1 another class"),
        (550, "5.1 no", "5.7.1", "5.1 no"),
        (550, "5.1.1.1 no", "5.7.1", "5.1.1.1 no"),
        (550, "5.1234.1 no", "5.7.1", "5.1234.1 no"),
        (550, "5.x.1 no", "5.7.1", "5.x.1 no"),
        (550, "5.²1.1 no", "5.7.1", "5.²1.1 no"),
        (550, "5..1 no", "5.7.1", "5..1 no"),
        (550, "one\r\ntwo\nthree\rfour", "5.7.1", "one\ntwo\nthree four"),
        (550, "5.1.1 one\r\ntwo", "5.1.1", "one\ntwo"),
        (550, "a\0b\x1b[31mc\x7f\x85d", "5.7.1", "ab[31mcd"),
        (550, "one  \ntwo \n", "5.7.1", "one\ntwo"),
        (550, "\n\none\n\ntwo\n\n", "5.7.1", "one\n\ntwo"),
        (550, "", "5.7.1", ""),
        (550, "grün", "5.7.1", "grün"),
    ],
)
def test_responses(code: int, text: str, enhanced: str, said: str) -> None:
    found = response(code, text, "counted")
    assert (found.code, found.enhanced, found.text, found.counter) == (code, enhanced, said, "counted")
    assert found.as_json() == {"code": code, "enhanced": enhanced, "text": said}


@pytest.mark.parametrize(
    ("name", "flaw"),
    [
        ("INBOX", False),
        ("a/b c.ü", False),
        ("x" * 255, False),
        ("", True),
        ("x" * 256, True),
        ("a\r\nb", True),
        ("a\0", True),
        ("\x85", True),
        ("\udc80", True),
    ],
)
def test_mailboxes(name: str, flaw: bool) -> None:
    assert bool(mailbox_flaw(name)) is flaw


def test_what_repeats_what() -> None:
    into = Action("fileinto", (Store("a"),))
    assert into.repeats(Action("fileinto", (Store("a", ("\\Seen",), create=True),), details={"x": 1}))
    assert not into.repeats(Action("fileinto", (Store("b"),)))
    assert not into.repeats(Action("keep", (Store(),)))
    assert Action("redirect", (Send("a@b"),)).repeats(Action("redirect", (Send("a@b"),)))
    assert not Action("note", (), details={"x": 1}).repeats(Action("note", (), details={"x": 2}))
    assert Action("note", (), details={"x": 1}).repeats(Action("note", (), details={"x": 1}))


def test_an_action_as_json() -> None:
    action = Action("odd", (Store("a", ("b",)), Send("c@d"), Refuse("no")), details={"more": 1}, place={"line": 1})
    assert action.as_json() == {
        "action": "odd",
        "mailbox": "a",
        "flags": ["b"],
        "address": "c@d",
        "reason": "no",
        "more": 1,
        "at": {"line": 1},
    }


def test_settling() -> None:
    assert [action.as_json() for action in Outcome().with_implicit_keep().actions] == [
        {"action": "keep", "flags": [], "implicit": True}
    ]
    assert Outcome().with_implicit_keep() == Outcome().with_implicit_keep()
    assert Outcome(keep=False).with_implicit_keep().actions == ()
    assert Outcome(ended=True).with_implicit_keep().actions == ()
    kept = Outcome((Action("keep", (Store(),)),))
    assert kept.with_implicit_keep() == kept


# ---- one script after another: (scripts, the actions in short)

INTO = 'require "fileinto"; fileinto'


@pytest.mark.parametrize(
    ("scripts", "actions"),
    [
        (["if false { stop; }", "if false { stop; }"], ["implicit keep"]),
        (["keep;", "if false { stop; }"], ["keep"]),
        (["if false { stop; }", "keep;"], ["keep"]),
        (["keep;", "discard;"], ["discard"]),
        (["keep;", f'{INTO} "a";'], ["fileinto a"]),
        (["keep;", "keep;"], ["keep"]),
        (["keep;", f'{INTO} "a"; keep;'], ["fileinto a", "keep"]),
        (['require ["copy", "fileinto"]; fileinto :copy "a";', "discard;"], ["fileinto a", "discard"]),
        (['require ["copy", "fileinto"]; fileinto :copy "a";', f'{INTO} "a";'], ["fileinto a"]),
        (['require ["copy", "fileinto"]; fileinto :copy "a";', "keep;"], ["fileinto a", "keep"]),
        (['require ["copy"]; redirect :copy "a@b";', "stop;"], ["redirect a@b", "implicit keep"]),
    ],
)
def test_scripts_one_after_another(sieve: Any, scripts: list[str], actions: list[str]) -> None:
    first, second = scripts
    before = sieve.run(first)
    before = replace(before, actions=tuple(action for action in before.actions if not action.implicit))
    assert before.keep
    assert sieve.actions(second, before=before) == actions


def test_a_fault_leaves_what_earlier_scripts_decided(sieve: Any) -> None:
    before = sieve.run('require ["copy", "fileinto"]; fileinto :copy "a"; keep;')
    redirects = "".join(f'redirect "{i}@example.com";' for i in range(5))
    assert sieve.actions(redirects, before=before) == ["fileinto a", "keep", "fault: more than 4 redirects"]


def test_limits_are_of_all_scripts_together(sieve: Any) -> None:
    before = sieve.run('require "copy"; redirect :copy "a@b"; redirect :copy "c@d"; redirect :copy "e@f";')
    before = replace(before, actions=tuple(action for action in before.actions if not action.implicit))
    assert sieve.actions('redirect "x@y"; redirect "a@b";', before=before)[-1] == "redirect a@b"
    assert sieve.actions('redirect "x@y"; redirect "z@z";', before=before)[-1] == "fault: more than 4 redirects"


def test_the_trace_goes_on(sieve: Any) -> None:
    before = sieve.run("keep;", tracing=True)
    after = sieve.run("stop;", tracing=True, before=before)
    assert after.trace[: len(before.trace)] == before.trace
    assert len(after.trace) > len(before.trace)


def test_lines_are_cut_to_what_a_reply_holds() -> None:
    """RFC 5321, 4.5.3.1.5: 512 octets with code and line end; a character is never cut in two."""
    found = response(550, "a" * 600 + "\n" + "é" * 600)
    first, second = found.text.split("\n")
    assert len(f"550-{found.enhanced} {first}\r\n") == 512
    assert 510 < len(f"550 {found.enhanced} {second}\r\n".encode()) <= 512
    assert len(response(451, "x\n" * 1000).text.split("\n")) == 100
