"""ec_header: header fields are added and deleted by the scripts of a site."""

from __future__ import annotations

import email
import email.policy

import pytest
from support.accepting import Accepted
from support.sieve import Sieve

from sieveav.limits import Limits
from sieveav.running.carrying import staged
from sieveav.running.message import Message

REQUIRE = 'require ["ec_header", "variables"];'

MAIL = "Received: a\nX-A: one\nSubject: Hello\nx-a: two\n\nHi.\n"


def header(sieve: Sieve, script: str, message: str = MAIL) -> list[str]:
    """The header that is delivered."""
    outcome = sieve.run(REQUIRE + script, message, phase="data")
    assert outcome.fault is None, outcome.fault
    (delivery,) = staged(Message(message.encode()), outcome)
    return delivery.message.header.decode().split()


@pytest.mark.parametrize(
    ("script", "delivered"),
    [
        ('ec_header_add "X-B" "new";', "X-B: new Received: a X-A: one Subject: Hello x-a: two"),
        ('ec_header_add "X-A" "new";', "X-A: new Received: a X-A: one Subject: Hello x-a: two"),
        (
            'ec_header_add "X-B" "1"; ec_header_add "X-B" "2";',
            "X-B: 2 X-B: 1 Received: a X-A: one Subject: Hello x-a: two",
        ),
        ('ec_header_delete "X-A";', "Received: a Subject: Hello"),
        ('ec_header_delete "X-Nothing";', "Received: a X-A: one Subject: Hello x-a: two"),
        ('ec_header_delete "x-a"; ec_header_add "X-A" "3";', "X-A: 3 Received: a Subject: Hello"),
        ('ec_header_add "X-A" ""; ec_header_delete "X-A";', "Received: a Subject: Hello"),
        ('ec_header_prefix "subject" "[new] ";', "subject: [new] Hello Received: a X-A: one x-a: two"),
        ('ec_header_postfix "Subject" " (new)";', "Subject: Hello (new) Received: a X-A: one x-a: two"),
        ('ec_header_prefix "X-A" "1";', "X-A: 1one Received: a Subject: Hello x-a: two"),
        (
            'ec_header_prefix "X-B" "1"; ec_header_postfix "X-B" "2";',
            "X-B: 12 Received: a X-A: one Subject: Hello x-a: two",
        ),
    ],
)
def test_fields(sieve: Sieve, script: str, delivered: str) -> None:
    assert header(sieve, script) == delivered.split()


def test_later_tests_see_it(sieve: Sieve) -> None:
    script = 'ec_header_add "X-B" "new"; if header "x-b" "new" { ec_header_delete "X-A"; }'
    assert "X-A:" not in header(sieve, script)


def test_a_value_with_line_ends_adds_one_field(sieve: Sieve) -> None:
    assert header(sieve, 'ec_header_add "X-B" " a\r\nBcc: x\x07 ";')[:3] == ["X-B:", "aBcc:", "x"]


def test_an_encoded_value_is_decoded_before_text_is_added(sieve: Sieve) -> None:
    mail = "Subject: =?utf-8?q?M=C3=BCll?=\n\n"
    outcome = sieve.run(REQUIRE + 'ec_header_prefix "Subject" "[\u00e9] ";', mail, phase="data")
    (delivery,) = staged(Message(mail.encode()), outcome)
    assert (
        email.message_from_bytes(delivery.message.raw, policy=email.policy.default)["Subject"] == "[\u00e9] M\u00fcll"
    )


@pytest.mark.parametrize("word", ["prefix", "postfix"])
def test_text_with_line_ends_around_a_value_adds_one_field(sieve: Sieve, word: str) -> None:
    assert header(sieve, f'ec_header_{word} "X-B" "a\r\nBcc: x";')[:3] == ["X-B:", "aBcc:", "x"]


@pytest.mark.parametrize(
    ("mail", "value"),
    [
        (MAIL, "one"),
        ("X-A: =?utf-8?q?M=C3=BCll_?=\n =?utf-8?q?x?=\n\n", "M\u00fcll x"),
        ("X-A:  a\n\tb \n\n", "a b"),
        ("X-A: =?utf-8?q?a=0D=0Ab?=\n\n", "a  b"),
        ("X-A:\n\n", ""),
    ],
)
def test_a_value_in_a_context_variable(sieve: Sieve, mail: str, value: str) -> None:
    script = 'ec_header_get "X-A" "a"; ec_header_add "X-Seen" "<${vctx_mess.a}>";'
    outcome = sieve.run('require "vctx";' + REQUIRE + script, mail, phase="data")
    assert outcome.fault is None
    assert outcome.actions[0].as_json()["value"] == f"<{value}>"


def test_a_variable_is_unset_without_a_field(sieve: Sieve) -> None:
    script = (
        'vctx_mess_set "a" "old"; ec_header_get "X-None" "a"; if vctx_mess :contains "a" "" { ec_header_delete "X-A"; }'
    )
    outcome = sieve.run('require "vctx";' + REQUIRE + script, MAIL, phase="data")
    assert (outcome.fault, [action.name for action in outcome.actions]) == (None, ["keep"])


def test_a_long_value_is_cut(sieve: Sieve) -> None:
    long = "a" * 5000
    (action, _) = sieve.run(REQUIRE + f'ec_header_add "X-B" "{long}";', phase="data").actions
    assert len(str(action.as_json()["value"])) == 2048


def test_the_number_of_edits_is_bounded(sieve: Sieve) -> None:
    outcome = sieve.run(REQUIRE + 'ec_header_add "X" "y";' * 3, phase="data", limits=Limits(edits=2))
    assert outcome.fault is not None
    assert outcome.fault.message == "more than 2 edits"


@pytest.mark.parametrize(
    ("script", "rules"),
    [
        ('ec_header_add "X" "y";', []),
        ('ec_header_add "X:" "y";', ["name-invalid"]),
        ('ec_header_add "" "y";', ["name-invalid"]),
        ('ec_header_add "X";', ["argument-missing"]),
        ('ec_header_delete "Received";', ["name-invalid"]),
        ('ec_header_delete "a b";', ["name-invalid"]),
        ('ec_header_delete ["a"];', ["argument-type"]),
        ('ec_header_prefix "Received" "x";', ["name-invalid"]),
        ('ec_header_get "X:" "a";', ["name-invalid"]),
    ],
)
def test_problems(sieve: Sieve, accepted: Accepted, script: str, rules: list[str]) -> None:
    assert sieve.rules(REQUIRE + script, phase="data") == rules
    accepted(sieve.texts(REQUIRE + script, phase="data"))


@pytest.mark.parametrize(
    ("phase", "rules"), [("data", []), ("spool", []), ("each_rcpt", ["phase-invalid"]), ("rcptto", ["phase-invalid"])]
)
def test_phases(sieve: Sieve, phase: str, rules: list[str]) -> None:
    """In each_rcpt it would go round what the settings of editheader forbid to users."""
    assert sieve.rules('require "ec_header"; ec_header_delete "X";', phase=phase) == rules
