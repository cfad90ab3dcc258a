"""The notice about refusals: what people and machines read in it, and what attackers cannot put there."""

from __future__ import annotations

import email
import email.policy
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sieveav.frontends import dsn
from sieveav.frontends.dsn import Refused, dsn_parameters, notice
from sieveav.running.outcome import Response

DATE = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
HEADER = b"From: bob@example.org\r\nSubject: hi\r\n\tthere\r\n"
NO = Response(550, "5.7.1", "no")


def refused(recipient: str = "alice@example.com", reason: str = "no", *parameters: bytes) -> Refused:
    return Refused(recipient, Response(550, "5.7.1", reason), reason, parameters)


def parsed(octets: bytes) -> EmailMessage:
    """A message without any defect, whose lines end with CRLF and are not too long."""
    assert b"\n" not in octets.replace(b"\r\n", b"")
    assert b"\r" not in octets.replace(b"\r\n", b"")
    assert max(map(len, octets.split(b"\r\n"))) <= 998
    message = email.message_from_bytes(octets, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    for part in message.walk():
        assert part.defects == []
        assert [field.defects for field in part.values() if field.defects] == []
    return message


def parts(*all_refused: Refused, header: bytes = HEADER, sender: str = "bob@example.org", **more: Any) -> list[Any]:
    """The notice, and its parts: the text, the fields of the message and of each recipient, and the header."""
    octets = notice(all_refused, sender, header, **{"host": "mx.example.com", "date": DATE, **more})
    message = parsed(octets)
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "delivery-status"
    text, status, returned = message.iter_parts()
    assert [part.get_content_type() for part in (text, status, returned)] == [
        "text/plain",
        "message/delivery-status",
        "text/rfc822-headers",
    ]
    blocks: Any = status.get_payload()
    texts = [part.get_content().replace("\r\n", "\n") for part in (text, returned)]
    return [message, texts[0], [block.items() for block in blocks], texts[1]]


def test_a_notice() -> None:
    message, text, status, header = parts(refused(reason="I don't want\nyour birdseed!"))
    assert [(name, str(value)) for name, value in message.items()][1:7] == [
        ("Date", "Wed, 04 Mar 2026 05:06:07 +0000"),
        ("From", "Mail Delivery System <MAILER-DAEMON@mx.example.com>"),
        ("To", "bob@example.org"),
        ("Subject", "Your message was refused by a mail filter"),
        ("Auto-Submitted", "auto-replied"),
        ("MIME-Version", "1.0"),
    ]
    assert text == (
        "Your message was refused by the recipient's mail filter, and is not delivered to\n\n    alice@example.com\n\n"
        "The reason given is as follows:\n\nI don't want\nyour birdseed!\n"
    )
    assert status == [
        [("Reporting-MTA", "dns; mx.example.com"), ("Arrival-Date", "Wed, 4 Mar 2026 05:06:07 +0000")],
        [
            ("Final-Recipient", "rfc822; alice@example.com"),
            ("Action", "failed"),
            ("Status", "5.7.1"),
            ("Diagnostic-Code", "smtp; 550 5.7.1 I don't want your birdseed!"),
        ],
    ]
    assert header == "From: bob@example.org\nSubject: hi\n\tthere\n"


def test_the_same_is_the_same() -> None:
    assert notice([refused()], "b@x.org", HEADER, host="mx", date=DATE) == notice(
        [refused()], "b@x.org", HEADER, host="mx", date=DATE
    )


def test_several_recipients() -> None:
    """A reason is written once for all who give it; each recipient has a status."""
    _, text, status, _ = parts(refused("a@x.org"), refused("b@x.org", "never"), refused("c@x.org"))
    assert text.count("\nno\n") == 1
    assert "by the recipients' mail filters, and is not delivered to\n\n    a@x.org\n    c@x.org\n\n" in text
    assert "    b@x.org\n\nThe reason given is as follows:\n\nnever\n" in text
    assert [block[0][1] for block in status[1:]] == [f"rfc822; {name}@x.org" for name in "abc"]


def test_a_reason_that_is_not_ascii() -> None:
    """RFC 5429, 2.1.2: the reason itself, beside the reply that SMTP allows."""
    message, text, status, _ = parts(refused(reason="Zu groß für mich \N{SNOWMAN}"))
    assert "\n\nZu groß für mich \N{SNOWMAN}\n" in text
    assert ("Diagnostic-Code", "smtp; 550 5.7.1 Zu gro? fur mich ?") in status[1]
    assert message.as_bytes().isascii()


@pytest.mark.parametrize(
    ("response", "status"),
    [(NO, "5.7.1"), (Response(554, "5.3.4", "x"), "5.3.4"), (Response(550, "4.7.1", "x"), "5.7.1")],
)
def test_the_status(response: Response, status: str) -> None:
    assert ("Status", status) in parts(Refused("a@x.org", response, "x"))[2][1]


ADDRESSES = {
    '"a b"@x.org': 'rfc822; "a b"@x.org',
    "ü+a@x.org": "utf-8; \\x{FC}\\x{2B}a@x.org",
    "a\r\nAction: delivered@x.org": "rfc822; a??Action: delivered@x.org",
    "\udc80@x.org": "rfc822; ?@x.org",
}


@pytest.mark.parametrize("address", ADDRESSES)
def test_odd_addresses(address: str) -> None:
    _, _, status, _ = parts(refused(address))
    assert status[1][0] == ("Final-Recipient", ADDRESSES[address])
    assert [name for name, _ in status[1]] == ["Final-Recipient", "Action", "Status", "Diagnostic-Code"]


def test_odd_senders() -> None:
    octets = notice([refused()], "ü@x.org", HEADER, host="mx.example.com", date=DATE)
    assert "\r\nTo: ü@x.org\r\n".encode() in octets  # RFC 6532, 3.2
    assert octets.replace("ü".encode(), b"").isascii()
    assert parts(refused(), sender="root")[0]["To"] == "undisclosed-recipients:;"


def test_an_odd_host() -> None:
    message, _, status, _ = parts(refused(), host="mx\r\nBcc: x@x.org")
    assert message["From"] == "Mail Delivery System <MAILER-DAEMON@localhost.invalid>"
    assert message["Bcc"] is None
    assert status[0][0] == ("Reporting-MTA", "dns; localhost.invalid")


def test_what_the_client_asks_for() -> None:
    mail = (b"SIZE=10", b"envid=QQ+2B1", b"RET=FULL")
    rcpt = refused("a@x.org", "no", b"ORCPT=rfc822;b+2Bc@x.org", b"NOTIFY=FAILURE")
    _, _, status, _ = parts(rcpt, parameters=dsn_parameters(mail))
    assert status[0][0] == ("Original-Envelope-Id", "QQ+1")
    assert status[1][0] == ("Original-Recipient", "rfc822; b+c@x.org")


@pytest.mark.parametrize(
    "parameter", [b"ORCPT=rfc822;a+0D+0AAction:x", b"ORCPT=rfc822;a b", b"ORCPT=x y;a", b"ORCPT=a", b"ORCPT=rfc822;+FF"]
)
def test_parameters_that_are_nonsense(parameter: bytes) -> None:
    assert len(parts(refused("a@x.org", "no", parameter))[2][1]) == 4


@pytest.mark.parametrize(
    ("parameters", "wants"),
    [
        ((), True),
        ((b"NOTIFY=NEVER",), False),
        ((b"notify=success,failure",), True),
        ((b"NOTIFY=SUCCESS",), False),
        ((b"ORCPT=rfc822;NOTIFY=NEVER",), True),
    ],
)
def test_whether_a_notice_is_wanted(parameters: tuple[bytes, ...], wants: bool) -> None:
    assert refused("a@x.org", "no", *parameters).wants_notice is wants


def test_parameters_that_are_kept() -> None:
    assert dsn_parameters([b"SIZE=1", b"notify=NEVER", b"ORCPT=" + b"x" * 600, b"ENVID=x", b""]) == (
        b"notify=NEVER",
        b"ENVID=x",
    )


@pytest.mark.parametrize(
    ("header", "shown"),
    [
        (b"Subject: caf\xe9\r\n", "Subject: caf\ufffd\n"),
        (b"X: " + b"x" * 2000 + b"\r\n", "X: " + "x" * 2000 + "\n"),
        (b"X: a\rb\0c\r\n.\r\nFrom x\r\n", "X: a b\0c\n.\nFrom x\n"),
        (b"", ""),
        (b"X: no end", "X: no end"),
    ],
)
def test_odd_headers(header: bytes, shown: str) -> None:
    assert parts(refused(), header=header)[3] == shown


def test_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    header = b"".join(b"X-%04d: 1\r\n" % n for n in range(9000))
    returned = parts(refused(), header=header)[3]
    assert returned.endswith(": 1\n")
    assert dsn.HEADER - 20 < len(returned.replace("\n", "\r\n")) <= dsn.HEADER
    monkeypatch.setattr(dsn, "TEXT", 100)
    _, text, status, _ = parts(*(refused(f"u{n}@x.org", f"{n}" * 60) for n in range(1, 4)))
    assert ("1" * 60 + "\n" in text, "2" * 40 + "\n" in text, "33" in text) == (True, True, False)
    assert len(status) == 4
    _, text, status, _ = parts(*(refused(f"u{n}@x.org") for n in range(150)))
    assert "    u99@x.org\n    and 50 others\n" in text
    assert len(status) == 151
    assert ("Diagnostic-Code", "smtp; 550 5.7.1 " + "x" * 490) in [
        (name, value) for name, value in parts(refused(reason="x" * 900))[2][1]
    ]


TEXTS = st.text(max_size=60)
PATHS = TEXTS.filter(lambda text: "\n" not in text)


@given(PATHS, TEXTS, st.binary(max_size=200), TEXTS, st.lists(st.binary(max_size=30), max_size=3))
def test_whatever_is_in_it_it_is_a_report(
    recipient: str, reason: str, header: bytes, sender: str, more: list[bytes]
) -> None:
    """Of three parts, with a status of one recipient who has failed."""
    one = Refused(recipient, Response(550, "5.7.1", reason), reason, (*more, b"ORCPT=" + b"".join(more)))
    octets = notice([one], sender, header, host="mx.example.com", date=DATE, parameters=(b"ENVID=" + header,))
    message: Any = email.message_from_bytes(octets, policy=email.policy.default)
    kinds = [part.get_content_type() for part in message.iter_parts()]
    assert kinds == ["text/plain", "message/delivery-status", "text/rfc822-headers"]
    assert {"From", "Subject", "Auto-Submitted"} <= set(message) <= NAMES
    assert [block["Action"] for block in message.get_payload()[1].get_payload()] == [None, "failed"]


NAMES = {"Message-ID", "Date", "From", "To", "Subject", "Auto-Submitted", "MIME-Version", "Content-Type"}
