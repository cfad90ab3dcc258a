"""foreverypart, RFC 5703, 3."""

from __future__ import annotations

from typing import Any

import pytest
from support.outcomes import effects, only
from support.sieve import Sieve

from sieveav.limits import Limits
from sieveav.running.effects import Store

MIXED = b"""From: a@b.example
Subject: top
Content-Type: multipart/mixed; boundary=outer
X-Part: 0

--outer
Content-Type: multipart/alternative; boundary=inner
X-Part: 1

--inner
X-Part: 2

plain
--inner
Content-Type: text/html
X-Part: 3

<p>html</p>
--inner--
--outer
Content-Type: message/rfc822
X-Part: 4

Subject: enclosed
X-Part: 5

text
--outer
Content-Type: application/pdf
Content-Disposition: attachment; filename="important.pdf"
X-Part: 6

%PDF
--outer--
"""

WORDS = 'require ["foreverypart", "mime", "variables", "fileinto", "copy"]; '
HERE = 'if header :mime :matches "X-Part" "*" { set "seen" "${seen}${1}"; } '


def seen(sieve: Sieve, script: str, message: bytes = MIXED, **more: Any) -> str:
    """The parts at which `HERE` ran, in order."""
    script = f'{WORDS} set "seen" "-"; {script.replace("HERE", HERE)} fileinto "${{seen}}";'
    return str(only(effects(sieve.run(script, message, **more), Store)).mailbox)[1:]


@pytest.mark.parametrize(
    ("script", "parts"),
    [
        ("HERE", "0"),
        ("foreverypart { HERE }", "0123456"),
        ("foreverypart { HERE } HERE", "01234560"),
        ('foreverypart { HERE if header :mime "X-Part" "3" { break; } }', "0123"),
        ('foreverypart { if header :mime "X-Part" "3" { break; } HERE } HERE', "0120"),
        # a nested loop iterates over the parts below the current part; there may be none
        ('foreverypart { if header :mime "X-Part" ["1", "3", "4"] { foreverypart { HERE } HERE } }', "231354"),
        ('foreverypart { foreverypart { HERE } if header :mime "X-Part" "1" { stop; } }', None),
        ("foreverypart { foreverypart { HERE break; } }", "125"),
        ('foreverypart :name "a" { foreverypart { HERE break :name "a"; } }', "1"),
        ('foreverypart :name "a" { HERE foreverypart :name "a" { HERE break :name "a"; } }', "0112234556"),
        ("foreverypart { foreverypart { foreverypart { foreverypart { HERE } } } }", ""),
        ("foreverypart { foreverypart { foreverypart { HERE } } }", "235"),
        ("foreverypart { foreverypart { foreverypart { } HERE } }", "123456235"),
        ("foreverypart { break; } foreverypart { HERE }", "0123456"),
    ],
)
def test_the_order_of_parts(sieve: Sieve, script: str, parts: str | None) -> None:
    if parts is None:
        assert sieve.actions(WORDS + script.replace("HERE", "")) == ["implicit keep"]
    else:
        assert seen(sieve, script) == parts


@pytest.mark.parametrize(
    "message", [b"X-Part: 7\n\nbody", b"X-Part: 7\n", b"X-Part: 7\nContent-Type: multipart/mixed\n\n"]
)
def test_a_message_without_parts_is_one_part(sieve: Sieve, message: bytes) -> None:
    assert seen(sieve, "foreverypart { HERE foreverypart { HERE } }", message) == "7"


def test_actions_in_a_loop(sieve: Sieve) -> None:
    script = """require ["mime", "foreverypart", "fileinto"];
    foreverypart {
        if allof (header :mime :param "filename" :contains "Content-Disposition" "important",
                  header :mime :subtype "Content-Type" "pdf", size :over 100) {
            fileinto "INBOX.important";
            break;
        }
    }"""
    assert sieve.actions(script, MIXED) == ["fileinto INBOX.important"]


def test_other_tests_look_at_the_message(sieve: Sieve) -> None:
    script = """require ["mime", "foreverypart"];
    foreverypart { if allof (header "Subject" "top", not header :mime "Subject" "top", exists "Subject",
                             not exists :mime "Subject") { discard; } }"""
    assert sieve.actions(script, MIXED) == ["discard"]


@pytest.mark.parametrize(
    ("line", "rules"),
    [
        ("break;", ["break-outside"]),
        ('break :name "a";', ["break-outside"]),
        ("if true { break; }", ["break-outside"]),
        ("foreverypart { } break;", ["break-outside"]),
        ('foreverypart :name "a" { foreverypart { break :name "a"; } break :name "b"; }', ["break-outside"]),
        ('foreverypart :name "a" { break :name "A"; }', ["break-outside"]),
        ('foreverypart :name "a" { if true { if true { break :name "a"; } } }', []),
        ("foreverypart { foreverypart { foreverypart { foreverypart { } } } }", []),
        ("foreverypart { foreverypart { foreverypart { foreverypart { foreverypart { } } } } }", ["loops-too-deep"]),
        ('foreverypart :name "${a}" { }', ["argument-not-constant"]),
        ('foreverypart { break :name "${a}"; }', ["argument-not-constant", "break-outside"]),
        ("foreverypart;", ["argument-type"]),
        ("foreverypart :name { }", ["argument-type"]),
        ('foreverypart "a" { }', ["argument-surplus"]),
    ],
)
def test_problems(sieve: Sieve, line: str, rules: list[str]) -> None:
    assert sieve.rules(WORDS + line) == rules


def test_a_loop_is_bounded_by_the_steps_of_a_run(sieve: Sieve) -> None:
    message = b"Content-Type: multipart/mixed; boundary=b\n" + b"\n--b\n\nx" * 900
    script = WORDS + 'foreverypart { set "a" "x"; }'
    assert sieve.actions(script, message) == ["implicit keep"]
    faulty = sieve.run(script, message, limits=Limits(steps=500))
    assert faulty.fault is not None
    assert faulty.fault.message.startswith("step limit")


def test_the_trace_names_the_parts(sieve: Sieve) -> None:
    outcome = sieve.run(WORDS + "foreverypart { }", MIXED, tracing=True)
    parts = [step.result for step in outcome.trace if step.what == "part"]
    assert parts[:3] == ["multipart/mixed", "multipart/alternative", "text/plain"]
