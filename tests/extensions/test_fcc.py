"""fcc, RFC 8580, beyond fcc.svtest: flags, order, warnings."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from support.accepting import Accepted
from support.sieve import FakeHost, Sieve

from sieveav.running.carrying import carry, staged
from sieveav.running.effects import Effect, Record, Send, Store
from sieveav.running.message import Message
from sieveav.running.questions import Addresses, Now, Seen

FCC = 'require ["vacation", "fcc", "mailbox", "imap4flags"];'

MAIL = """From: ann@example.com
To: alice@example.com

Hi.
"""


@pytest.fixture
def host(fake_host: type[FakeHost]) -> FakeHost:
    now = datetime(2026, 11, 24, tzinfo=UTC)
    return fake_host(answers={Seen: lambda _: False, Now: lambda _: now, Addresses: lambda _: ()})


Effects = Callable[..., tuple[Any, ...]]


@pytest.fixture
def effects(sieve: Sieve, host: FakeHost) -> Effects:
    """The effects of a vacation."""

    def run(script: str, **more: Any) -> tuple[Any, ...]:
        outcome = sieve.run(script, MAIL, sender="ann@example.com", host=host, **more)
        assert outcome.fault is None
        return next(action.effects for action in outcome.actions if action.name == "vacation")

    return run


def test_the_copy_is_the_message_that_is_sent(effects: Effects) -> None:
    send, record, store = effects(f'{FCC} vacation :fcc "Sent" "x";')
    assert (type(send), type(record), type(store)) == (Send, Record, Store)
    assert store == Store("Sent", message=send.message, best_effort=True)


@pytest.mark.parametrize(
    "tags", [':fcc "Sent" :flags ["\\\\Seen", "x"] :create', ':create :flags ["\\\\Seen", "x"] :fcc "Sent"']
)
def test_the_tags_of_the_copy(effects: Effects, tags: str) -> None:
    """RFC 8580, 3.1 and 3.2: in any order."""
    send, _, store = effects(f'{FCC} vacation {tags} "x";')
    assert store == Store("Sent", ("\\Seen", "x"), create=True, message=send.message, best_effort=True)


def test_the_flags_of_the_message_are_not_those_of_the_copy(sieve: Sieve, effects: Effects) -> None:
    """RFC 5232, 3: the internal variable applies to the message, even if an earlier script has set it."""
    assert effects(f'{FCC} addflag "a"; vacation :fcc "Sent" "x";')[2].flags == ()
    before = sieve.run('require "imap4flags"; addflag "a";', implicit=False)
    assert effects('require ["vacation", "fcc"]; vacation :fcc "Sent" "x";', before=before)[2].flags == ()


class Carrier:
    """Records what it does; its mailboxes are full."""

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

    def claim(self, effect: Record) -> bool:
        return not self.record(effect)

    def release(self, effect: Record) -> None:
        raise NotImplementedError

    def pipe(self, effect: Effect, message: bytes) -> str:
        raise NotImplementedError

    call = pipe

    def count(self, effect: Effect) -> str:
        raise NotImplementedError


def test_a_copy_that_cannot_be_stored_is_a_warning_and_the_answer_is_remembered(sieve: Sieve, host: FakeHost) -> None:
    outcome = sieve.run(f'{FCC} vacation :fcc "Sent" "x";', MAIL, sender="ann@example.com", host=host)
    carrier = Carrier()
    (note,) = carry(Message(MAIL.encode()), outcome, carrier)
    assert (note.severity, note.text) == ("warning", "over quota")
    assert carrier.done == ["store None", "record", "send", "store Sent"]
    assert len(staged(Message(MAIL.encode()), outcome)) == 3


def test_json(sieve: Sieve, host: FakeHost) -> None:
    outcome = sieve.run(f'{FCC} vacation :fcc "Sent" "x";', MAIL, sender="ann@example.com", host=host)
    shown = outcome.actions[0].as_json()
    assert (shown["action"], shown["address"], shown["mailbox"]) == ("vacation", "ann@example.com", "Sent")
    assert outcome.actions[0].summary() == 'vacation ann@example.com, "Sent"'


@pytest.mark.parametrize(
    ("script", "rule"),
    [
        ('require "vacation"; vacation :fcc "x" "y";', "tag-unknown"),
        (f'{FCC} vacation :create "y";', "tag-missing"),
        (f'{FCC} vacation :fcc "a\x07" "y";', "mailbox-invalid"),
    ],
)
def test_problems(sieve: Sieve, accepted: Accepted, script: str, rule: str) -> None:
    assert sieve.rules(script) == [rule]
    accepted(sieve.texts(script))
