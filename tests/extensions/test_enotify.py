"""enotify, RFC 5435 and RFC 5436, beyond enotify.svtest: octets, settings, notes, places, methods of others."""

from __future__ import annotations

import email
import email.policy
import email.utils
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.message import EmailMessage
from hashlib import sha256
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.accepting import Accepted
from support.outcomes import only, present
from support.sieve import FakeHost, Install, Sieve

from sieveav.extending import Call, Effect, Extension, Run
from sieveav.extensions.enotify import Method, Notify, owner_parameter, parse_mailto
from sieveav.limits import VARIABLE_VALUE, Limits
from sieveav.running.effects import Record, Send
from sieveav.running.executing import execute
from sieveav.running.outcome import Action, Outcome
from sieveav.running.questions import Addresses, Envelope, Now, Seen

NOW = datetime(2026, 11, 24, 19, 0, 3, tzinfo=UTC)
NOTIFY = 'require ["enotify", "variables", "encoded-character"];'

MAIL = """From: Ann <ann@example.net>
To: Alice <alice@example.com>
Subject: Hello
Message-ID: <1@example.net>

Hi.
"""


@pytest.fixture
def host(fake_host: type[FakeHost]) -> FakeHost:
    return host_of(fake_host)


def host_of(fake_host: type[FakeHost], *own: str, seen: bool | None = False) -> FakeHost:
    return fake_host(answers={Seen: lambda _: seen, Now: lambda _: NOW, Addresses: lambda _: own})


def notify_of(outcome: Outcome) -> Action:
    """The one notification of an outcome that keeps the message too."""
    assert outcome.fault is None
    assert [action.name for action in outcome.actions] == ["notify", "keep"]
    return outcome.actions[0]


def sends(action: Action) -> list[Send]:
    return [effect for effect in action.effects if isinstance(effect, Send)]


Sent = Callable[..., Send]


@pytest.fixture
def sent(sieve: Sieve, host: FakeHost) -> Sent:
    """What a script with one notification to one address sends."""

    def send(script: str, mail: str | bytes = MAIL, **more: Any) -> Send:
        return only(sends(notify_of(sieve.run(f"{NOTIFY} {script}", mail, **{"host": host, **more}))))

    return send


def parsed(send: Send) -> EmailMessage:
    assert send.message is not None
    message = email.message_from_bytes(send.message, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    assert message.defects == []
    assert [defect for value in message.values() for defect in value.defects] == []
    return message


def text_of(message: EmailMessage) -> str:
    return str(message.get_content()).replace("\r\n", "\n")


# ---- the message


def test_the_octets_of_a_notification(sent: Sent) -> None:
    send = sent('notify :importance "1" "mailto:tim@example.org";')
    assert send.message is not None
    lines = send.message.decode().split("\r\n")
    assert lines[0].startswith("Message-ID: <")
    assert lines[0].endswith("@example.com>")
    assert lines[1:] == [
        "Date: Tue, 24 Nov 2026 19:00:03 +0000",
        'Auto-Submitted: auto-notified; owner-email="alice@example.com"',
        "From: alice@example.com",
        "To: tim@example.org",
        "Subject: Hello",
        "Importance: high",
        "MIME-Version: 1.0",
        'Content-Type: text/plain; charset="utf-8"',
        "Content-Transfer-Encoding: 7bit",
        "",
        "From: Ann <ann@example.net>",
        "Subject: Hello",
        "",
    ]


def test_the_effects(sieve: Sieve, host: FakeHost) -> None:
    """RFC 5435, 7: it conflicts with no other action, and does not cancel the implicit keep."""
    action = notify_of(sieve.run(f'{NOTIFY} notify "mailto:tim@example.org?cc=ann@example.org";', MAIL, host=host))
    to, cc = action.effects
    assert isinstance(to, Send)
    assert isinstance(cc, Send)
    assert (to.address, to.sender, to.parameters) == ("tim@example.org", "", ())
    assert (cc.address, cc.message) == ("ann@example.org", to.message)
    assert (action.conflicts, action.cancels_keep, action.sends) == (frozenset(), False, 0)
    assert not any(isinstance(question, Seen) for question in host.asked)


def test_all_parts_of_a_uri(sent: Sent) -> None:
    send = sent(
        'notify "mailto:Tim%20%C3%9C%20%3Ctim@example.org%3E?SUBJECT=Gr%C3%BC%C3%9Fe'
        '&body=%e2%82%ac%0D%0A.%0D%0A&x-a=%C3%BC&importance=low";'
    )
    message = parsed(send)
    assert send.address == "tim@example.org"
    assert message["to"] == "Tim Ü <tim@example.org>"
    assert (message["subject"], message["x-a"], message.get_all("importance")) == ("Grüße", "ü", ["low"])
    assert text_of(message) == "€\n.\n"


@pytest.mark.parametrize(
    ("arguments", "subject", "text"),
    [
        ('"mailto:a@b.example"', "Hello", "From: Ann <ann@example.net>\nSubject: Hello\n"),
        ('"mailto:a@b.example?subject=x"', "x", "From: Ann <ann@example.net>\nSubject: Hello\n"),
        ('"mailto:a@b.example?subject="', "", "From: Ann <ann@example.net>\nSubject: Hello\n"),
        ('"mailto:a@b.example?body=y"', "Hello", "y\n"),
        (':message "m" "mailto:a@b.example?subject=x"', "m", ""),
        (':message "m" "mailto:a@b.example?body=y"', "m", "y\n"),
        (':message "" "mailto:a@b.example?subject=x"', "", ""),
        (':message "m\r\nn" "mailto:a@b.example"', "m  n", "m\nn\n"),
        (f':message "{"m" * 1000}" "mailto:a@b.example"', "m" * 900, "m" * 1000 + "\n"),
        (':message "=?utf-8?q?x?=" "mailto:a@b.example"', "=?utf-8?q?x?=", ""),
    ],
)
def test_subject_and_text(sent: Sent, arguments: str, subject: str, text: str) -> None:
    """RFC 5436, 2.7."""
    message = parsed(sent(f"notify {arguments};"))
    assert message["subject"] == subject
    assert text_of(message) == text


def test_two_runs_are_equal_and_two_notifications_are_not(sieve: Sieve, host: FakeHost) -> None:
    def messages(mail: str) -> list[Any]:
        script = f'{NOTIFY} notify "mailto:a@b.example"; notify "mailto:c@b.example";'
        return [send.message for action in sieve.run(script, mail, host=host).actions for send in sends(action)]

    assert messages(MAIL) == messages(MAIL)
    ids = {message.split(b"\r\n")[0] for mail in (MAIL, MAIL.replace("<1@", "<2@")) for message in messages(mail)}
    assert len(ids) == 4, "each notification has a Message-ID of its own"


PIECES = st.sampled_from(
    ["\r\n", "\n", "\r", "\0", "Bcc: eve@example.com", ": ", "<", ">", "@", "é", "=?utf-8?q?=0D=0Ax?=", " ", "\t", "a",
     "\x85", ",", '"', "&", "?", "=", "%", "%0D%0A", "\u2028", "\\", "a@b.example", ";"]
)  # fmt: skip
TEXT = st.lists(PIECES, max_size=12).map("".join)

KNOWN = [b"Message-ID", b"Date", b"Auto-Submitted", b"From", b"To", b"Cc", b"Reply-To", b"Subject", b"X-Url", b"Importance",
         b"MIME-Version", b"Content-Type", b"Content-Transfer-Encoding"]  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(subject=TEXT, origin=TEXT, text=TEXT, name=TEXT)
def test_no_text_adds_fields_to_the_notification(
    sieve: Sieve, fake_host: type[FakeHost], subject: str, origin: str, text: str, name: str
) -> None:
    mail = f"X: {text}\nFrom: {origin}\nMessage-ID: <{text}>\nSubject: {subject}\n\nx".replace("\nBcc", "\nX-Bcc")
    encoded = quote(text, safe="")
    quoted = '"' + "".join(f"\\{c}" if c in '"\\' else c for c in name if c not in "\r\n") + '"'
    to = quote(f"{quoted} <tim@example.org>", safe="")
    script = (
        f'{NOTIFY} if header :matches ["x", "subject"] "*" {{ notify :importance "3" :message "${{1}}"'
        f'"mailto:{to}?x-url={encoded}&body={encoded}&subject={encoded}&cc=a@b.example"; }}'
        'else { notify "mailto:tim@example.org?reply-to=a@b.example"; }'
    )
    outcome = sieve.run(script, mail.encode(), host=host_of(fake_host))
    assert outcome.fault is None
    for send in [send for action in outcome.actions for send in sends(action)]:
        assert send.message is not None
        head = send.message.partition(b"\r\n\r\n")[0]
        names = [line.partition(b":")[0] for line in head.split(b"\r\n") if line[:1] not in b" \t"]
        assert names == [known for known in KNOWN if known in names]
        assert not any(octet < 32 for octet in head.replace(b"\r\n", b""))
        assert max(map(len, send.message.split(b"\r\n"))) <= 998
        message = parsed(send)
        assert {address for _, address in email.utils.getaddresses([message["to"]])} == {"tim@example.org"}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(uri=TEXT)
def test_every_text_is_a_valid_uri_or_has_a_flaw(sieve: Sieve, fake_host: type[FakeHost], uri: str) -> None:
    """Both tests and notify agree (RFC 5435, 4), and a valid one is sent."""
    uri = f"mailto:a@b.example?x={uri}"
    written = f"${{hex: {uri.encode().hex(' ')}}}"
    script = f"""{NOTIFY} # a@b.example
        if valid_notify_method "{written}" {{ set "u" "{written}"; notify "${{u}}"; }}"""
    outcome = sieve.run(script, MAIL, host=host_of(fake_host))
    assert outcome.fault is None
    assert any(action.effects for action in outcome.actions if action.name == "notify") == (not parse_mailto(uri).flaw)


# ---- who sends it


def test_the_author_and_the_owner(sieve: Sieve, fake_host: type[FakeHost]) -> None:
    """RFC 5436, 2.7: the envelope's recipient; with an event of IMAP, which has no envelope, the user's address."""
    host = host_of(fake_host, "alice@example.org")
    for recipient, owner in (("alice@example.com", "alice@example.com"), ("", "alice@example.org")):
        outcome = sieve.run(f'{NOTIFY} notify "mailto:a@b.example";', MAIL, recipient=recipient, host=host)
        message = parsed(only(sends(notify_of(outcome))))
        assert message["from"] == owner
        assert message["auto-submitted"] == f'auto-notified; owner-email="{owner}"'


@pytest.mark.parametrize(
    ("owner", "parameter"),
    [
        ("a@b.example", 'owner-email="a@b.example"'),
        ('"a \\" b"@b.example', 'owner-email="\\"a \\\\\\" b\\"@b.example"'),
        ("é@b.example", f"owner-token={sha256('é@b.example'.encode()).hexdigest()[:40]}"),
    ],
)
def test_the_parameter_of_the_owner(owner: str, parameter: str) -> None:
    """RFC 5436, 2.7.1: a quoted string; a token (RFC 3834, 5) has no characters outside ASCII."""
    assert owner_parameter(owner) == parameter


@pytest.mark.parametrize(
    ("author", "authors", "shown"),
    [
        ("Al <al@EXAMPLE.com>", (), "Al <al@EXAMPLE.com>"),
        ("al@sub.example.com", (), None),
        ("al@b.example", (), None),
        ("al@b.example", ("B.example",), "al@b.example"),
        ("Al@b.example", ("al@B.example",), "Al@b.example"),
        ("bo@b.example", ("al@b.example",), None),
    ],
)
def test_which_authors_are_allowed(
    sieve: Sieve, host: FakeHost, author: str, authors: tuple[str, ...], shown: str | None
) -> None:
    """RFC 5435, 3.3: one that is not allowed is ignored."""
    configured = {"enotify": {"authors": authors}}
    script = f'{NOTIFY} notify :from "{author}" "mailto:a@b.example";'
    outcome = sieve.run(script, MAIL, host=host, settings=configured)
    assert parsed(only(sends(notify_of(outcome))))["from"] == (shown or "alice@example.com")
    assert [note.severity for note in outcome.notes] == ([] if shown else ["warning"])


@pytest.mark.parametrize(
    ("sender", "author", "configured", "expected"),
    [
        ("bob@b.example", "", False, ""),
        ("bob@b.example", "", True, "alice@example.com"),
        ("bob@b.example", ':from "Al <al@example.com>"', True, "al@example.com"),
        ("bob@b.example", ':from "al@b.example"', True, "alice@example.com"),
        ("", ':from "Al <al@example.com>"', True, ""),
    ],
)
def test_the_envelope_sender(sent: Sent, sender: str, author: str, configured: bool, expected: str) -> None:
    """RFC 5436, 2.7: MUST be null for a message with a null sender."""
    more = {"sender": sender, "settings": {"enotify": {"send_from_author": configured}}}
    assert sent(f'notify {author} "mailto:a@b.example";', **more).sender == expected


# ---- what is withheld


@pytest.mark.parametrize(
    ("mail", "recipient"),
    [
        ("Auto-Submitted: auto-generated\n" + MAIL, "alice@example.com"),
        ("Auto-Submitted: no\nAuto-Submitted:\n" + MAIL, "alice@example.com"),
        ("Received: x\n" * 51 + MAIL, "alice@example.com"),
        (MAIL, "alice"),
    ],
    ids=["automatic", "empty", "loop", "no owner"],
)
def test_why_a_notification_is_withheld(
    sieve: Sieve, accepted: Accepted, host: FakeHost, mail: str, recipient: str
) -> None:
    outcome = sieve.run(f'{NOTIFY}\nnotify "mailto:a@b.example";', mail, recipient=recipient, host=host)
    action = notify_of(outcome)
    assert (action.effects, action.cancels_keep) == ((), False)
    note = only(outcome.notes)
    assert (note.severity, present(note.place).line) == ("advice", 2)
    assert note.text == f"notify withheld: {action.withheld}"
    accepted(note.text)


def test_the_loop_of_redirects_is_the_one_of_notifications(sieve: Sieve, host: FakeHost) -> None:
    mail = "Received: x\n" * 3 + MAIL
    for most, withheld in ((3, False), (2, True)):
        outcome = sieve.run(f'{NOTIFY} notify "mailto:a@b.example";', mail, host=host, limits=Limits(received=most))
        assert bool(notify_of(outcome).withheld) == withheld


def test_a_field_that_an_earlier_script_has_removed(sieve: Sieve, host: FakeHost) -> None:
    mail = "Auto-Submitted: auto-replied\n" + MAIL
    first = sieve.run('require "editheader"; deleteheader "auto-submitted";', mail, host=host, implicit=False)
    outcome = sieve.run(f'{NOTIFY} notify "mailto:a@b.example";', mail, host=host, before=first)
    assert [action.withheld != "" for action in outcome.actions if action.name == "notify"] == [True]


@pytest.mark.parametrize(("seen", "count"), [(False, 1), (True, 0), (None, 0)])
def test_the_shortest_interval(
    sieve: Sieve, fake_host: type[FakeHost], accepted: Accepted, seen: bool | None, count: int
) -> None:
    """RFC 5436, 5. If it is not known when an address had a notification, it gets none."""
    host = host_of(fake_host, seen=seen)
    script = f'{NOTIFY} notify "mailto:A@b.example";'
    action = notify_of(sieve.run(script, MAIL, host=host, settings={"enotify": {"min_interval": 600.0}}))
    assert [send.address for send in sends(action)] == ["A@b.example"] * count
    records = [effect for effect in action.effects if isinstance(effect, Record)]
    assert [(record.seconds, record.sliding) for record in records] == [(600, False)] * count
    (asked,) = [question for question in host.asked if isinstance(question, Seen)]
    assert asked.key == f"notify {sha256(b'a@b.example').hexdigest()[:40]}", "stays the same in all versions"
    assert all(record.key == asked.key for record in records)
    if not count:
        accepted(action.withheld)


def test_recipients_from_variables(sieve: Sieve, host: FakeHost, accepted: Accepted) -> None:
    """RFC 5435, 8: SHOULD NOT be allowed, unless the site does."""
    script = f'{NOTIFY} if address :matches "from" "*" {{ notify "mailto:${{1}}"; }}'
    outcome = sieve.run(script, MAIL, host=host)
    assert notify_of(outcome).withheld == "there are no recipients"
    assert outcome.notes[0].severity == "warning"
    accepted(note.text for note in outcome.notes)
    allowed = {"enotify": {"recipients_from_variables": True}}
    assert sends(notify_of(sieve.run(script, MAIL, host=host, settings=allowed)))[0].address == "ann@example.net"


@pytest.mark.parametrize(
    ("written", "address", "count"),
    [
        ("tim@example.org", "Tim@Example.org", 1),
        ("mailto:tim%40example.org", "tim@example.org", 1),
        ("<tim@example.org>.", "tim@example.org", 1),
        ("tim@example.org", "im@example.org", 0),
        ("tim@example.org.uk", "tim@example.org", 0),
        ("tim@example.organic", "tim@example.org", 0),
        ("a.tim@example.org", "tim@example.org", 0),
        ("a+tim@example.org", "tim@example.org", 0),
    ],
)
def test_an_address_that_the_script_contains(
    sieve: Sieve, host: FakeHost, written: str, address: str, count: int
) -> None:
    script = f'{NOTIFY} # {written}\nif header :matches "x" "*" {{ notify "mailto:${{1}}"; }}'
    assert len(sends(notify_of(sieve.run(script, f"X: {address}\n{MAIL}", host=host)))) == count


# ---- limits


@pytest.mark.parametrize("most", [0, 1, 3])
def test_the_most_notifications(sieve: Sieve, host: FakeHost, most: int) -> None:
    """RFC 5435, 8 (2); those of earlier scripts count, withheld ones do not."""
    configured = {"enotify": {"max_notifications": most}}
    script = NOTIFY + "".join(f'notify "mailto:{name}@b.example"; notify "mailto:{name}@b.example";' for name in "abc")
    fault = sieve.run(script, MAIL, host=host, settings=configured).fault
    assert (fault.message if fault else None) == (None if most == 3 else f"more than {most} notifications")
    first = sieve.run(f'{NOTIFY} notify "mailto:z@b.example";', MAIL, host=host, implicit=False)
    assert sieve.run(script, MAIL, host=host, settings=configured, before=first).fault is not None


def test_the_most_recipients(sieve: Sieve, accepted: Accepted) -> None:
    script = f'{NOTIFY} notify "mailto:a@b.example,b@b.example?cc=c@b.example";'
    assert sieve.rules(script, settings={"enotify": {"max_recipients": 3}}) == []
    assert sieve.rules(script, settings={"enotify": {"max_recipients": 2}}) == ["method-invalid"]
    accepted(sieve.texts(script, settings={"enotify": {"max_recipients": 2}}))


@pytest.mark.parametrize(
    "uri",
    [
        "mailto:a@b.example?" + "&".join(f"x{number}=" for number in range(33)),
        "mailto:a@b.example?body=" + "a" * 65536,
        "mailto:a@b.example?" + "x" * 71 + "=",
        "mailto:" + ",".join(["a@b.example"] * 200),
    ],
    ids=["fields", "octets", "name", "addresses"],
)
def test_the_bounds_of_a_uri(uri: str) -> None:
    assert parse_mailto(uri).flaw


def test_a_notification_is_not_a_redirect(sieve: Sieve, host: FakeHost) -> None:
    script = NOTIFY + "".join(f'redirect "{name}@b.example";' for name in "abcd") + 'notify "mailto:e@b.example";'
    assert sieve.run(script, MAIL, host=host).fault is None


def test_encoded_text_is_cut_after_a_whole_character(sieve: Sieve, host: FakeHost) -> None:
    """So the sender cannot make the URI invalid with a long subject."""
    mail = f"X: {'é' * 3000}\n{MAIL}"
    script = f'{NOTIFY} if header :matches "x" "*" {{ set :encodeurl "x" "${{1}}"; notify "mailto:a@b.example?body=${{x}}"; }}'
    message = parsed(only(sends(notify_of(sieve.run(script, mail, host=host)))))
    assert text_of(message) == "é" * (VARIABLE_VALUE // 6) + "\n"


# ---- output and problems


def test_json(sieve: Sieve, host: FakeHost) -> None:
    script = f'{NOTIFY} notify :from "al@example.com" :importance "3" :options "a=b" :message "m" "mailto:a@b.example";'
    shown = notify_of(sieve.run(script, MAIL, host=host)).as_json()
    assert str(shown.pop("message")).startswith("Message-ID: ")
    assert shown.pop("at") == {"path": "test.sieve", "line": 1, "column": len(NOTIFY) + 2}
    assert shown == {
        "action": "notify",
        "address": "a@b.example",
        "sender": "",
        "method": "mailto:a@b.example",
        "importance": "3",
        "from": "al@example.com",
        "options": ["a=b"],
        "text": "m",
    }


@pytest.mark.parametrize(
    ("script", "place", "severity"),
    [
        ('notify "x";', "method-invalid 2:8", "error"),
        ('notify "mailto:x";', "method-invalid 2:8", "error"),
        ('notify "mailto:a@b.example?x";', "method-invalid 2:8", "error"),
        ('notify "mailto:a@b.example?x:=y";', "method-invalid 2:8", "error"),
        ('notify "tel:+14085551212";', "method-unknown 2:8", "warning"),
        ('notify "mailto:";', "method-part-ignored 2:8", "warning"),
        ('notify "mailto:a@b.example?from=c@d.example";', "method-part-ignored 2:8", "warning"),
        ('notify "mailto:a@b.example?x=1&x=2";', "method-part-ignored 2:8", "warning"),
        ('notify :options "a=b" "mailto:a@b.example";', "method-part-ignored 2:23", "warning"),
        ('notify :options "-a=b" "mailto:a@b.example";', "options-invalid 2:17", "error"),
        ('notify :options "a=${hex:0a}" "mailto:a@b.example";', "options-invalid 2:17", "error"),
        ('notify :importance "" "mailto:a@b.example";', "importance-invalid 2:20", "error"),
        ('notify :from "" "mailto:a@b.example";', "author-invalid 2:14", "error"),
        ('if valid_notify_method ["mailto:a@b.example", "mailto:x"] { keep; }', "method-invalid 2:47", "warning"),
        ('if valid_notify_method "x" { keep; }', "method-invalid 2:24", "warning"),
    ],
)
def test_problems(sieve: Sieve, accepted: Accepted, script: str, place: str, severity: str) -> None:
    assert sieve.places(f"{NOTIFY}\n{script}")[:1] == [place]
    assert sieve.check(f"{NOTIFY}\n{script}").problems[0].severity == severity
    accepted(sieve.texts(f"{NOTIFY}\n{script}"))


@pytest.mark.parametrize(
    "script",
    [
        'if valid_notify_method "xmpp:a@b.example" { keep; }',
        'if notify_method_capability "xmpp:a@b.example" "x" "y" { keep; }',
        'set "m" "x"; notify "${m}";',
    ],
)
def test_no_problem(sieve: Sieve, script: str) -> None:
    """RFC 5435, 3.2, 4 and 5: scripts may ask for what they do not know."""
    assert sieve.rules(f"{NOTIFY} {script}") == []


@pytest.mark.parametrize(
    ("phase", "rules"), [("each_rcpt", []), ("imap", []), ("data", ["phase-invalid"]), ("rcptto", ["phase-invalid"])]
)
def test_phases(sieve: Sieve, phase: str, rules: list[str]) -> None:
    """RFC 6785, 3.6: with IMAP events too."""
    assert sieve.rules('require "enotify"; notify "mailto:a@b.example";', phase=phase) == rules
    assert sieve.rules('require "enotify"; if valid_notify_method "mailto:" { stop; }', phase=phase) == []


def test_the_original_recipient_is_an_address_of_the_user(sieve: Sieve, host: FakeHost) -> None:
    case = sieve.case(MAIL, host=host)
    case.envelope = Envelope("bob@b.example", "alice@example.com", "sales@b.example")
    script = f'{NOTIFY} notify :from "sales@b.example" "mailto:c@b.example";'
    (action,) = execute(sieve.program(script), case).actions
    assert parsed(only(sends(action)))["from"] == "sales@b.example"


# ---- methods of others

sms = Extension("vnd.test.sms", "a method of others")


@sms.choice("notify_method", "sms")
class Sms(Method):
    def flaw(self, uri: str, settings: Mapping[str, Any]) -> str:  # noqa: ARG002
        return "" if uri.partition(":")[2].isdigit() else "not a number"

    def capability(self, uri: str, name: str) -> str | None:
        return {"online": "no", "vnd.test.country": uri[4:6]}.get(name)

    def effects(self, word: Notify, run: Run) -> tuple[Effect, ...] | str:  # noqa: ARG002
        if word.importance == "3":
            return "not important"
        return (Call("sms", (("to", word.method[4:]), ("text", word.message))),)


@pytest.fixture
def with_sms(install: Install) -> Sieve:
    return install(sms, "enotify", "variables")


SMS = 'require ["enotify", "variables", "vnd.test.sms"];'


def test_a_method_of_others(with_sms: Sieve) -> None:
    action = notify_of(with_sms.run(f'{SMS} notify :message "x" "SMS:4912";', MAIL))
    assert action.effects == (Call("sms", (("to", "4912"), ("text", "x"))),)
    action = notify_of(with_sms.run(f'{SMS} notify :importance "3" "sms:4912";', MAIL))
    assert (action.effects, action.withheld) == ((), "not important")


@pytest.mark.parametrize(
    ("test", "holds"),
    [
        ('valid_notify_method ["sms:1", "mailto:a@b.example"]', True),
        ('valid_notify_method ["sms:x"]', False),
        ('notify_method_capability "sms:1" "online" "no"', True),
        ('notify_method_capability "sms:4912" "VND.test.country" "49"', True),
        ('notify_method_capability :matches "sms:x" "online" "*"', False),
        ('notify_method_capability "mailto:a@b.example" "online" "maybe"', True),
    ],
)
def test_the_tests_of_a_method_of_others(with_sms: Sieve, test: str, holds: bool) -> None:
    assert with_sms.holds(test, require=SMS) == holds


def test_it_must_be_required(with_sms: Sieve) -> None:
    assert with_sms.rules('require "enotify"; notify "sms:1";') == ["method-unknown"]
