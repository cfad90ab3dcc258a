"""What a milter sends before it accepts a message: once, or the message is deferred."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.submission import Submission, submission

from sieveav.frontends.handing import peer
from sieveav.frontends.milter_plan import Answering, Plan, plan
from sieveav.frontends.milter_sending import Envelope, Sending
from sieveav.running.message import Message
from sieveav.site.deciding import DEFERRED, decide
from sieveav.site.site import Site, load
from sieveav.site.transaction import Decision, Transaction

RAW = b"Received: from x by y with SMTP id 1\r\nFrom: bob@example.org\r\nTo: alice@example.com\r\nSubject: hi\r\n\r\nHello.\r\n"

SCRIPTS = {
    "alice": 'require "vacation"; vacation "I am away.";',
    "carol": 'require "ereject"; ereject "I want no birdseed.";',
    "dave": 'require "enotify"; notify "mailto:dave@example.net";',
    "erin": 'require "ec_action"; ec_action 554 "5.3.4 too big for me";',
}


@pytest.fixture
def sent() -> Iterator[Submission]:
    with submission() as server:
        yield server


class Milter:
    """A milter of a site whose users have SCRIPTS, or those that a test writes into `folder`."""

    def __init__(self, folder: Path, address: str, *, state: bool = True) -> None:
        self.folder = folder
        for name, script in SCRIPTS.items():
            (folder / f"{name}.sieve").write_text(script)
        stanza = 'state { store = "sqlite:state.db" }' if state else ""
        (folder / "site.conf").write_text(f'users {{ scripts = "%n.sieve" }} {stanza}')
        self.site: Site = load(folder / "site.conf")
        self.sending = Sending(self.site, peer(address))
        self.is_over: Callable[[], bool] = lambda: False

    def decide(self, raw: bytes, names: tuple[str, ...], sender: str) -> Decision:
        recipients = tuple(f"{name}@example.com" for name in names)
        return decide(self.site, Transaction(Message(raw), sender, recipients))

    def give(self, *names: str, raw: bytes = RAW, sender: str = "bob@example.org", **parameters: bytes) -> Plan:
        """The plan for a message, carried out."""
        decision = self.decide(raw, names, sender)
        answer = plan(decision, Message(raw), Answering(sends=True, bounce=True))
        asked = {f"{name}@example.com": (parameter,) for name, parameter in parameters.items()}
        return self.sending.send(answer, Message(raw), Envelope(sender, "mx.example.com", asked), self.is_over)


@pytest.fixture
def milter(tmp_path: Path, sent: Submission) -> Milter:
    return Milter(tmp_path, sent.address)


def to(sent: Submission) -> list[tuple[str, str]]:
    """The envelopes of what was sent."""
    return [(sender, recipient) for sender, recipient, _ in sent.messages]


def parsed(octets: bytes) -> Any:
    return email.message_from_bytes(octets, policy=email.policy.default)


def test_nothing_is_sent(milter: Milter, sent: Submission) -> None:
    assert milter.give("frank", "george") == Plan()
    assert sent.commands == []


def test_what_scripts_send(milter: Milter, sent: Submission) -> None:
    answer = milter.give("alice", "dave")
    assert (answer.response, answer.remove, answer.warnings) == (None, (), ())
    assert to(sent) == [("", "bob@example.org"), ("", "dave@example.net")]
    assert parsed(sent.messages[0][2])["Auto-Submitted"].startswith("auto-replied")
    assert "RCPT TO:<bob@example.org> NOTIFY=NEVER" in sent.commands


def test_a_reply_is_sent_once(milter: Milter, sent: Submission) -> None:
    """Claimed before it is sent: of two messages that were decided at once, one is answered."""
    decisions = [milter.decide(raw, ("alice",), "bob@example.org") for raw in (RAW, RAW.replace(b"id 1", b"id 2"))]
    for decision, number in zip(decisions, (b"1", b"2"), strict=True):
        message = Message(RAW.replace(b"id 1", b"id " + number))
        answer = plan(decision, message, Answering(sends=True))
        assert answer.sends
        assert milter.sending.send(answer, message, Envelope("bob@example.org"), milter.is_over).response is None
    assert to(sent) == [("", "bob@example.org")]
    assert milter.give("alice").sends == ()


def test_one_notice_for_all_who_refuse(milter: Milter, sent: Submission) -> None:
    answer = milter.give("carol", "frank", "erin")
    assert answer.remove == ("carol@example.com", "erin@example.com")
    ((sender, recipient, octets),) = sent.messages
    assert (sender, recipient) == ("", "bob@example.org")
    message = parsed(octets)
    text, status, header = message.iter_parts()
    assert "I want no birdseed." in text.get_content()
    assert "too big for me" in text.get_content()
    assert [(b["Final-Recipient"], b["Status"]) for b in status.get_payload()[1:]] == [
        ("rfc822; carol@example.com", "5.7.1"),
        ("rfc822; erin@example.com", "5.3.4"),
    ]
    assert status.get_payload()[0]["Reporting-MTA"] == "dns; mx.example.com"
    assert header.get_content().encode() == RAW.partition(b"\r\n\r\n")[0] + b"\r\n"
    assert "Hello" not in octets.decode()


def test_the_reason_that_the_script_gives(milter: Milter, sent: Submission) -> None:
    """RFC 5429, 2.1.2: not the line that SMTP has room for."""
    reason = "Ich will keine Vögel. " * 40
    (milter.folder / "carol.sieve").write_text(f'require "ereject"; ereject "{reason}";')
    milter.give("carol", "frank")
    text, _, _ = parsed(sent.messages[0][2]).iter_parts()
    assert reason.strip() in text.get_content()


def test_replies_before_the_notice(milter: Milter, sent: Submission) -> None:
    milter.give("carol", "dave")
    assert to(sent) == [("", "dave@example.net"), ("", "bob@example.org")]


@pytest.mark.parametrize("field", [b"", b"Message-ID: <1@x>\r\n"])
def test_a_message_that_comes_again(milter: Milter, sent: Submission, field: bytes) -> None:
    """What is sent for it is not sent again, whatever had failed; another message with the same text gets its own."""
    raw = RAW if not field else field + RAW.partition(b"\r\n")[2]
    sent.replies["."] = "451 later"
    assert milter.give("carol", "dave", raw=raw).response == DEFERRED
    assert sent.messages == []
    del sent.replies["."]
    for _ in range(3):
        assert milter.give("carol", "dave", raw=raw).response is None
    assert len(sent.messages) == 2
    milter.give("carol", "dave", raw=raw.replace(b"1", b"2"))
    assert len(sent.messages) == 4


def test_a_notice_that_fails_does_not_repeat_replies(milter: Milter, sent: Submission) -> None:
    (milter.folder / "frank.sieve").write_text('require "ereject"; ereject "no";')
    message = Message(RAW)
    answer = plan(milter.decide(RAW, ("dave", "frank"), "bob@example.org"), message, Answering(sends=True, bounce=True))
    unsent = replace(answer, notices=())
    assert milter.sending.send(unsent, message, Envelope("bob@example.org"), milter.is_over).response is None
    sent.replies["MAIL"] = "421 busy"
    failed = milter.give("dave", "frank")
    assert failed.response == DEFERRED
    assert failed.reason == "cannot send a notice of the refusals to bob@example.org: 421 busy"
    del sent.replies["MAIL"]
    assert milter.give("dave", "frank").response is None
    assert to(sent) == [("", "dave@example.net"), ("", "bob@example.org")]


def test_a_message_in_two_transactions(milter: Milter, sent: Submission) -> None:
    """Each recipient is in one notice, however the client divides them."""
    milter.give("carol", "frank")
    milter.give("carol", "erin", "frank")
    statuses = [[*parsed(octets).iter_parts()][1].get_payload()[1:] for _, _, octets in sent.messages]
    assert [[block["Final-Recipient"] for block in blocks] for blocks in statuses] == [
        ["rfc822; carol@example.com"],
        ["rfc822; erin@example.com"],
    ]


def test_messages_that_cannot_be_known_again(milter: Milter, sent: Submission) -> None:
    raw = RAW.partition(b"\r\n")[2]
    for _ in range(2):
        milter.give("carol", "frank", raw=raw)
    assert len(sent.messages) == 2


def test_without_a_state(tmp_path: Path, sent: Submission) -> None:
    """A reply needs a memory, a notice does not."""
    milter = Milter(tmp_path, sent.address, state=False)
    for _ in range(2):
        assert milter.give("alice", "carol").response is None
    assert [message["Subject"] for message in map(parsed, (octets for _, _, octets in sent.messages))] == [
        "Your message was refused by a mail filter"
    ] * 2


def test_a_reply_that_cannot_be_sent_now(milter: Milter, sent: Submission) -> None:
    sent.replies["RCPT"] = "450 later"
    answer = milter.give("alice", "carol")
    assert answer.response == DEFERRED
    assert answer.reason == "alice@example.com: cannot send to bob@example.org: 450 later"
    del sent.replies["RCPT"]
    assert milter.give("alice", "carol").response is None
    assert len(sent.messages) == 2


def test_what_is_refused_for_good_is_logged(milter: Milter, sent: Submission) -> None:
    sent.replies["RCPT"] = "550 no"
    answer = milter.give("alice", "carol")
    assert (answer.response, answer.remove) == (None, ("carol@example.com",))
    assert answer.warnings == (
        "alice@example.com: cannot send to bob@example.org: 550 no",
        "cannot send a notice of the refusals to bob@example.org: 550 no",
    )


def test_no_server(tmp_path: Path) -> None:
    milter = Milter(tmp_path, "smtp:127.0.0.1:1")
    assert milter.give("carol", "frank").response == DEFERRED


@pytest.mark.parametrize(
    ("sender", "why"), [("", "the null sender"), ("a\udc80@x.org", "not an address"), ("a b@x.org", "an address")]
)
def test_senders_who_get_no_notice(milter: Milter, sent: Submission, sender: str, why: str) -> None:
    answer = milter.give("carol", "frank", sender=sender)
    assert (answer.response, answer.remove) == (None, ("carol@example.com",))
    (warning,) = answer.warnings
    assert why in warning
    assert sent.messages == []


def test_a_sender_who_wants_no_notice(milter: Milter, sent: Submission) -> None:
    assert milter.give("carol", "frank", carol=b"NOTIFY=NEVER").warnings == ()
    assert sent.messages == []
    milter.give("carol", "erin", "frank", carol=b"NOTIFY=NEVER", erin=b"NOTIFY=FAILURE,DELAY")
    assert "erin@example.com" in sent.messages[0][2].decode()
    assert "carol@example.com" not in sent.messages[0][2].decode()


def test_a_copy_that_cannot_be_stored(milter: Milter, sent: Submission) -> None:
    script = 'require ["vacation", "fcc"]; vacation :fcc "Sent" "I am away.";'
    (milter.folder / "alice.sieve").write_text(script)
    answer = milter.give("alice")
    assert (answer.response, len(sent.messages)) == (None, 1)
    assert answer.warnings == ('alice@example.com: no copy is stored: "Sent"',)


def test_nothing_is_sent_for_a_message_that_is_deferred_meanwhile(milter: Milter, sent: Submission) -> None:
    milter.is_over = lambda: len(sent.messages) == 1
    milter.give("alice", "dave", "carol")
    assert to(sent) == [("", "bob@example.org")]
    milter.is_over = lambda: False
    milter.give("alice", "dave", "carol")
    assert len(sent.messages) == 3
