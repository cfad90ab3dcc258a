"""vacation, RFC 5230 and RFC 6131, beyond vacation.svtest: notes, places, hints, octets."""

from __future__ import annotations

import email
import email.policy
from datetime import UTC, datetime
from email.message import EmailMessage
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.accepting import Accepted
from support.outcomes import only, present
from support.sieve import FakeHost, Sieve

from sieveav.running.effects import Record, Send
from sieveav.running.executing import execute
from sieveav.running.outcome import Action, Outcome
from sieveav.running.questions import Addresses, Envelope, Now, Seen

NOW = datetime(2026, 11, 24, 19, 0, 3, tzinfo=UTC)
VACATION = 'require ["vacation", "vacation-seconds", "variables", "reject"];'

MAIL = """From: Ann <ann@example.com>
To: Alice <alice@example.com>
Subject: Hello
Message-ID: <1@example.com>

Hi.
"""


@pytest.fixture
def host(fake_host: type[FakeHost]) -> FakeHost:
    """A host that has not answered anybody."""
    return fake_host(answers={Seen: lambda _: False, Now: lambda _: NOW, Addresses: lambda _: ()})


def vacation_of(outcome: Outcome) -> Action:
    assert outcome.fault is None
    assert [action.name for action in outcome.actions] == ["vacation", "keep"]
    return outcome.actions[0]


def sent(action: Action) -> Send:
    (send,) = [effect for effect in action.effects if isinstance(effect, Send)]
    return send


def parsed(send: Send) -> EmailMessage:
    assert send.message is not None
    message = email.message_from_bytes(send.message, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    assert message.defects == []
    assert [defect for value in message.values() for defect in value.defects] == []
    return message


# ---- the answer


def test_the_octets_of_an_answer(sieve: Sieve, host: FakeHost) -> None:
    action = vacation_of(sieve.run(f'{VACATION} vacation "I am away.";', MAIL, sender="ann@example.com", host=host))
    send = sent(action)
    assert send.message is not None
    lines = send.message.decode().split("\r\n")
    assert lines[0].startswith("Message-ID: <")
    assert lines[0].endswith("@example.com>")
    assert lines[1:] == [
        "Date: Tue, 24 Nov 2026 19:00:03 +0000",
        "From: alice@example.com",
        "To: ann@example.com",
        "Subject: Auto: Hello",
        "In-Reply-To: <1@example.com>",
        "References: <1@example.com>",
        "Auto-Submitted: auto-replied (vacation)",
        "MIME-Version: 1.0",
        'Content-Type: text/plain; charset="utf-8"',
        "Content-Transfer-Encoding: 7bit",
        "",
        "I am away.",
        "",
    ]


def test_the_effects_of_an_answer(sieve: Sieve, host: FakeHost) -> None:
    """RFC 5230, 5.1: NOTIFY=NEVER too."""
    send, record = vacation_of(
        sieve.run(f'{VACATION} vacation "x";', MAIL, sender="ann@example.com", host=host)
    ).effects
    assert isinstance(send, Send)
    assert isinstance(record, Record)
    assert (send.address, send.sender, send.parameters) == ("ann@example.com", "", (("NOTIFY", "NEVER"),))
    assert (record.seconds, record.sliding) == (7 * 86400, False)
    assert [question for question in host.asked if isinstance(question, Seen)] == [Seen(record.key)]


def test_it_is_incompatible_with_refusals(sieve: Sieve, host: FakeHost) -> None:
    """RFC 5230, 4.7."""
    action = vacation_of(sieve.run(f'{VACATION} vacation "x";', MAIL, sender="ann@example.com", host=host))
    assert action.conflicts == {"reject", "ereject"}
    assert not action.cancels_keep


def test_two_runs_are_equal_and_two_recipients_are_not(sieve: Sieve, host: FakeHost) -> None:
    def run(recipient: str, mail: str = MAIL) -> Any:
        script = f'{VACATION} vacation :addresses "alice@example.com" "x";'
        return sent(
            vacation_of(sieve.run(script, mail, sender="ann@example.com", recipient=recipient, host=host))
        ).message

    assert run("alice@example.com") == run("alice@example.com")
    ids = {
        run(r, m).split(b"\r\n")[0] for r in ("alice@example.com", "a@x") for m in (MAIL, MAIL.replace("<1@", "<2@"))
    }
    assert len(ids) == 4, "each answer has a Message-ID of its own"


def test_json(sieve: Sieve, host: FakeHost) -> None:
    script = f'{VACATION} vacation :days 3 :subject "Grüße" :from "Al <al@example.com>" :handle "h" :mime "\r\nx";'
    shown = vacation_of(sieve.run(script, MAIL, sender="ann@example.com", host=host)).as_json()
    assert str(shown.pop("message")).startswith("Message-ID: ")
    assert shown.pop("at") == {"path": "test.sieve", "line": 1, "column": len(VACATION) + 2}
    assert shown == {
        "action": "vacation",
        "address": "ann@example.com",
        "sender": "",
        "parameters": {"NOTIFY": "NEVER"},
        "seconds": 3 * 86400,
        "subject": "Grüße",
        "from": "Al <al@example.com>",
        "handle": "h",
        "mime": True,
        "reason": "\r\nx",
    }


@pytest.mark.parametrize(
    ("subject", "line"),
    [
        ("Hello", b"Subject: Hello"),
        ("a =?utf-8?q?b?= c", b"Subject: a =?utf-8?q?b?= c"),
        ("Grüße", b"Subject: =?utf-8?b?R3LDvMOfZQ==?="),
    ],
)
def test_encoded_words_if_and_only_if_there_are_other_characters(
    sieve: Sieve, host: FakeHost, subject: str, line: bytes
) -> None:
    """RFC 5230, 4.3: MUST."""
    script = f'{VACATION} vacation :subject "{subject}" "x";'
    message = sent(vacation_of(sieve.run(script, MAIL, sender="ann@example.com", host=host))).message
    assert message is not None
    assert line in message.split(b"\r\n")


def test_a_decoded_subject_that_looks_encoded_is_not_decoded_again(sieve: Sieve, host: FakeHost) -> None:
    mail = MAIL.replace("Hello", "=?utf-8?q?=3D=3Futf-8=3Fq=3F=41=3F=3D?=")
    message = parsed(
        sent(vacation_of(sieve.run(f'{VACATION} vacation "x";', mail, sender="ann@example.com", host=host)))
    )
    assert message["subject"] == "Auto: =?utf-8?q?A?="


def test_references_are_bounded(sieve: Sieve, host: FakeHost) -> None:
    many = " ".join(f"<{number}@example.com>" for number in range(1000))
    mail = f"References: {many}\nMessage-ID: <{'x' * 300}@example.com> <own@example.com>\n" + MAIL.replace(
        "Message-ID", "X"
    )
    message = parsed(
        sent(vacation_of(sieve.run(f'{VACATION} vacation "x";', mail, sender="ann@example.com", host=host)))
    )
    references = message["references"].split()
    assert len(references) == 100
    assert (references[0], references[1], references[-1]) == (
        "<0@example.com>",
        "<902@example.com>",
        "<own@example.com>",
    )
    assert message["in-reply-to"] == "<own@example.com>"


PIECES = st.sampled_from(
    [
        "\r\n",
        "\n",
        "\r",
        "\0",
        "Bcc: eve@example.com",
        ": ",
        "<",
        ">",
        "@",
        "é",
        "=?utf-8?q?=0D=0Ax?=",
        " ",
        "\t",
        "a",
        "\x85",
        ",",
        '"',
    ]
)
TEXT = st.lists(PIECES, max_size=12).map("".join)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(subject=TEXT, references=TEXT, text=TEXT, sender=TEXT)
def test_no_text_of_a_message_adds_fields_to_the_answer(
    sieve: Sieve, fake_host: type[FakeHost], subject: str, references: str, text: str, sender: str
) -> None:
    host = fake_host(answers={Seen: lambda _: False, Now: lambda _: NOW, Addresses: lambda _: ()})
    mail = f"X: {text}\nReferences: {references}\nMessage-ID: <{text}>\nSubject: {subject}\nTo: alice@example.com\n\nx"
    mail = mail.replace("\nBcc", "\nX-Bcc")
    script = VACATION + 'if header :matches ["x", "subject"] "*" { vacation :handle "${1}" :addresses "${1}" "${1}"; }'
    outcome = sieve.run(script, mail.encode(), sender=f"{sender}@example.org", host=host)
    assert outcome.fault is None
    for action in outcome.actions:
        for send in [effect for effect in action.effects if isinstance(effect, Send)]:
            assert send.message is not None
            head = send.message.partition(b"\r\n\r\n")[0]
            names = [line.partition(b":")[0] for line in head.split(b"\r\n") if line[:1] not in b" \t"]
            known = [b"Message-ID", b"Date", b"From", b"To", b"Subject", b"In-Reply-To", b"References", b"Auto-Submitted",
                     b"MIME-Version", b"Content-Type", b"Content-Transfer-Encoding"]  # fmt: skip
            assert names == [name for name in known if name in names]
            assert b"\n" not in head.replace(b"\r\n", b"")
            assert not any(octet < 32 for octet in head.replace(b"\r\n", b""))


# ---- notes


@pytest.mark.parametrize(
    ("mail", "sender"),
    [
        (MAIL, ""),
        (MAIL, "ann"),
        (MAIL, "owner-x@example.com"),
        (MAIL, "Alice@Example.com"),
        ("List-ID: <x>\n" + MAIL, "ann@example.com"),
        ("Precedence: junk\n" + MAIL, "ann@example.com"),
        (MAIL.replace("alice", "other"), "ann@example.com"),
    ],
    ids=["null", "invalid", "system", "self", "list", "bulk", "not addressed"],
)
def test_why_an_answer_is_withheld(sieve: Sieve, accepted: Accepted, host: FakeHost, mail: str, sender: str) -> None:
    outcome = sieve.run(f'{VACATION}\nvacation "x";', mail, sender=sender, host=host)
    action = vacation_of(outcome)
    assert (action.effects, action.cancels_keep) == ((), False)
    note = only(outcome.notes)
    assert (note.severity, present(note.place).line) == ("advice", 2)
    assert note.text == f"vacation withheld: {action.withheld}"
    accepted(note.text)
    assert not any(isinstance(question, Seen | Now) for question in host.asked)


@pytest.mark.parametrize(("seen", "severity"), [(True, "advice"), (None, "warning")])
def test_an_answer_that_was_sent_before_and_no_memory(
    sieve: Sieve, accepted: Accepted, fake_host: type[FakeHost], seen: bool | None, severity: str
) -> None:
    """RFC 5230, 8: MUST NOT be sent more often; without a memory that is not known."""
    host = fake_host(answers={Seen: lambda _: seen, Now: lambda _: NOW, Addresses: lambda _: ()})
    outcome = sieve.run(f'{VACATION} vacation "x";', MAIL, sender="ann@example.com", host=host)
    assert vacation_of(outcome).effects == ()
    assert only(outcome.notes).severity == severity
    accepted(only(outcome.notes).text)


def test_no_memory_is_needed_to_answer_every_message(sieve: Sieve, fake_host: type[FakeHost]) -> None:
    """RFC 6131, 2."""
    host = fake_host(answers={Now: lambda _: NOW, Addresses: lambda _: ()})
    bounds = {"vacation": {"min_period": 0.0}}
    script = f'{VACATION} vacation :seconds 0 "x";'
    action = vacation_of(sieve.run(script, MAIL, sender="ann@example.com", host=host, settings=bounds))
    assert not any(isinstance(effect, Record) for effect in action.effects)
    assert sent(action)


def test_a_recipient_without_a_valid_address(sieve: Sieve, host: FakeHost) -> None:
    bounds = {"vacation": {"dont_check_recipient": True}}
    script = f'{VACATION} vacation "x";'
    outcome = sieve.run(script, MAIL, sender="ann@example.com", recipient="alice", host=host, settings=bounds)
    assert vacation_of(outcome).withheld == "the recipient has no valid email address"


# ---- memory


def test_keys_stay_the_same_in_all_versions(sieve: Sieve, host: FakeHost) -> None:
    """Otherwise everybody would be answered again after an upgrade."""

    def key(script: str) -> str:
        _, record = vacation_of(sieve.run(VACATION + script, MAIL, sender="Ann@example.com", host=host)).effects
        assert isinstance(record, Record)
        return record.key

    def hashed(text: str) -> str:
        return f"vacation {sha256(text.encode()).hexdigest()[:40]}"

    assert key('vacation "x";') == hashed(r'["[null, null, \"x\", false]", "ann@example.com"]')
    assert key('vacation :handle "x" "y";') == hashed(r'["[\"handle\", \"x\"]", "ann@example.com"]')


# ---- problems


@pytest.mark.parametrize(
    ("script", "place", "severity"),
    [
        ('vacation :from "x" "y";', "author-invalid 2:16", "error"),
        ('vacation :addresses ["a@b", "x"] "y";', "addresses-invalid 2:29", "warning"),
        ('vacation :mime "y";', "reason-invalid 2:16", "error"),
        ('vacation :days 0 "y";', "period-limit 2:10", "warning"),
        ('vacation :days 61 "y";', "period-limit 2:10", "warning"),
        ('vacation :seconds 1800 "y";', "period-limit 2:10", "warning"),
        ('vacation :days 1 :seconds 1 "y";', "tag-repeated 2:18", "error"),
    ],
)
def test_problems(sieve: Sieve, accepted: Accepted, script: str, place: str, severity: str) -> None:
    assert sieve.places(f"{VACATION}\n{script}")[:1] == [place]
    assert sieve.check(f"{VACATION}\n{script}").problems[0].severity == severity
    accepted(sieve.texts(f"{VACATION}\n{script}"))


@pytest.mark.parametrize(
    ("least", "shown"), [(7200.0, "2h"), (300.0, "5m"), (90.0, "90s"), (172800.0, "2d"), (0.0, None)]
)
def test_the_shortest_period_in_the_syntax_of_settings(sieve: Sieve, least: float, shown: str | None) -> None:
    texts = sieve.texts(f'{VACATION} vacation :seconds 1 "y";', settings={"vacation": {"min_period": least}})
    assert [f" is {shown};" in text for text in texts] == ([] if shown is None else [True])


@pytest.mark.parametrize(
    ("script", "hint"),
    [
        ('vacation "x";', 'write: require "vacation";'),
        ('require "vacation"; vacation :seconds 5 "x";', 'write: require "vacation-seconds";'),
    ],
)
def test_hints_to_require(sieve: Sieve, script: str, hint: str) -> None:
    assert [problem.hint for problem in sieve.check(script).problems] == [hint]


@pytest.mark.parametrize(
    ("phase", "rules"), [("each_rcpt", []), ("imap", ["phase-invalid"]), ("data", ["phase-invalid"])]
)
def test_phases(sieve: Sieve, phase: str, rules: list[str]) -> None:
    """RFC 6785, 3.11: not with IMAP events."""
    assert sieve.rules('require "vacation"; vacation "x";', phase=phase) == rules


# ---- other scripts and actions


def test_after_another_script_of_the_recipient(sieve: Sieve, host: FakeHost) -> None:
    first = sieve.run(f'{VACATION} vacation "a";', MAIL, sender="ann@example.com", host=host, implicit=False)
    outcome = sieve.run(f'{VACATION} vacation "b";', MAIL, sender="ann@example.com", host=host, before=first)
    assert outcome.fault is None
    first_one, second = [action.withheld for action in outcome.actions if action.name == "vacation"]
    assert first_one == ""
    assert "earlier script" in second


def test_a_refusal_of_a_later_script_drops_the_answer(sieve: Sieve, host: FakeHost) -> None:
    first = sieve.run(f'{VACATION} vacation "a";', MAIL, sender="ann@example.com", host=host, implicit=False)
    outcome = sieve.run('require "ec_action"; ec_action 550 "no";', MAIL, host=host, before=first)
    assert outcome.actions == ()


def test_an_answer_does_not_count_as_a_redirect(sieve: Sieve, host: FakeHost) -> None:
    """The limit of redirects applies to the incoming message."""
    script = VACATION + "".join(f'redirect "{name}@example.com";' for name in "abcd") + 'vacation "x";'
    assert sieve.run(script, MAIL, sender="ann@example.com", host=host).fault is None


def test_the_envelope_of_the_original_recipient(sieve: Sieve, host: FakeHost) -> None:
    case = sieve.case(MAIL, host=host)
    case.envelope = Envelope("alias@example.com", "alice@example.com", "Alias@example.com")
    (action,) = execute(sieve.program(f'{VACATION} vacation "x";'), case).actions
    assert action.withheld == "the sender is the recipient"
