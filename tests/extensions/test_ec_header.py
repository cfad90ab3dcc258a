"""ec_header: header fields are added and deleted by the scripts of a site."""

from __future__ import annotations

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
    ],
)
def test_fields(sieve: Sieve, script: str, delivered: str) -> None:
    assert header(sieve, script) == delivered.split()


def test_later_tests_see_it(sieve: Sieve) -> None:
    script = 'ec_header_add "X-B" "new"; if header "x-b" "new" { ec_header_delete "X-A"; }'
    assert "X-A:" not in header(sieve, script)


def test_a_value_with_line_ends_adds_one_field(sieve: Sieve) -> None:
    assert header(sieve, 'ec_header_add "X-B" " a\r\nBcc: x\x07 ";')[:3] == ["X-B:", "aBcc:", "x"]


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
