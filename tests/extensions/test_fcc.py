"""RFC 8580, what fcc.svtest cannot say: flags, order, and what is only a warning."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from support.sieve import FakeHost, Sieve

from sieveav.running.carrying import carry, staged
from sieveav.running.effects import Record, Send, Store
from sieveav.running.message import Message
from sieveav.running.questions import Addresses, Now, Seen

FCC = 'require ["vacation", "fcc", "mailbox", "imap4flags"];'

MAIL = """From: ann@example.com
To: alice@example.com

Hi.
"""


@pytest.fixture
def host(fake_host: type[FakeHost]) -> Any:
    now = datetime(2026, 11, 24, tzinfo=UTC)
    return fake_host(answers={Seen: lambda _: False, Now: lambda _: now, Addresses: lambda _: ()})


@pytest.fixture
def effects(sieve: Sieve, host: Any) -> Any:
    """The effects of a vacation."""

    def run(script: str, **more: Any) -> tuple[Any, ...]:
        outcome = sieve.run(script, MAIL, sender="ann@example.com", host=host, **more)
        assert outcome.fault is None
        return next(action.effects for action in outcome.actions if action.name == "vacation")

    return run


def test_the_copy_is_the_message_that_is_sent(effects: Any) -> None:
    send, record, store = effects(f'{FCC} vacation :fcc "Sent" "x";')
    assert (type(send), type(record), type(store)) == (Send, Record, Store)
    assert store == Store("Sent", message=send.message, best_effort=True)


@pytest.mark.parametrize(
    "tags", [':fcc "Sent" :flags ["\\\\Seen", "x"] :create', ':create :flags ["\\\\Seen", "x"] :fcc "Sent"']
)
def test_the_tags_of_the_copy(effects: Any, tags: str) -> None:
    """RFC 8580, 3.1 and 3.2: in any order."""
    send, _, store = effects(f'{FCC} vacation {tags} "x";')
    assert store == Store("Sent", ("\\Seen", "x"), create=True, message=send.message, best_effort=True)


def test_the_flags_of_the_message_are_not_those_of_the_copy(sieve: Sieve, effects: Any) -> None:
    """RFC 5232, 3: the internal variable is about the message, also where an earlier script has set it."""
    assert effects(f'{FCC} addflag "a"; vacation :fcc "Sent" "x";')[2].flags == ()
    before = sieve.run('require "imap4flags"; addflag "a";', implicit=False)
    assert effects('require ["vacation", "fcc"]; vacation :fcc "Sent" "x";', before=before)[2].flags == ()


class Carrier:
    """Keeps what is done; its mailboxes are full."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def store(self, effect: Store, message: bytes) -> str:  # noqa: ARG002
        self.done.append(f"store {effect.mailbox}")
        return "over quota" if effect.mailbox else ""

    def send(self, effect: Send, message: bytes) -> str:  # noqa: ARG002
        self.done.append("send")
        return ""

    def record(self, effect: Record) -> str:  # noqa: ARG002
        self.done.append("record")
        return ""

    def pipe(self, effect: Any, message: bytes) -> str:
        raise NotImplementedError

    call = pipe

    def count(self, effect: Any) -> str:
        raise NotImplementedError


def test_a_copy_that_cannot_be_stored_is_a_warning_and_the_answer_is_remembered(sieve: Sieve, host: Any) -> None:
    outcome = sieve.run(f'{FCC} vacation :fcc "Sent" "x";', MAIL, sender="ann@example.com", host=host)
    carrier = Carrier()
    (note,) = carry(Message(MAIL.encode()), outcome, carrier)
    assert (note.severity, note.text) == ("warning", "over quota")
    assert carrier.done == ["store None", "send", "store Sent", "record"]
    assert len(staged(Message(MAIL.encode()), outcome)) == 4


def test_as_machines_read_it(sieve: Sieve, host: Any) -> None:
    outcome = sieve.run(f'{FCC} vacation :fcc "Sent" "x";', MAIL, sender="ann@example.com", host=host)
    shown = outcome.actions[0].as_json()
    assert (shown["action"], shown["address"], shown["mailbox"]) == ("vacation", "ann@example.com", "Sent")
    assert outcome.actions[0].summary() == 'vacation ann@example.com, "Sent"'


@pytest.mark.parametrize(
    ("script", "rule", "hint"),
    [
        ('require "vacation"; vacation :fcc "x" "y";', "tag-unknown", 'write: require "fcc";'),
        (f'{FCC} vacation :create "y";', "tag-missing", "write :fcc too"),
        (f'{FCC} vacation :fcc "a\x07" "y";', "mailbox-invalid", ""),
    ],
)
def test_problems(sieve: Sieve, script: str, rule: str, hint: str) -> None:
    assert [(problem.rule, problem.hint) for problem in sieve.check(script).problems] == [(rule, hint)]
