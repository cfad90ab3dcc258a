"""enclose, RFC 5703, 6, beyond enclose.svtest: strict parsers accept the result; octets, hints."""

from __future__ import annotations

import email
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import default, strict
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.outcomes import effect
from support.sieve import FakeHost, Sieve

from sieveav.mime import parse
from sieveav.running.effects import Rewrite
from sieveav.running.questions import Now

REQUIRE = 'require ["enclose", "foreverypart", "mime"];\n'

MESSAGE = b"""Received: from x
From: Ann <a@example.com>
Subject: top
Date: Mon, 23 Nov 2026 07:00:00 +0100
MIME-Version: 1.0
Content-Type: multipart/signed; boundary=b

--b

text
--b
Content-Type: application/pgp-signature

xyz
--b--
"""


def made(sieve: Sieve, fake_host: type[FakeHost], script: str, message: bytes = MESSAGE, **more: Any) -> bytes:
    host = fake_host(answers={Now: lambda _: datetime(2026, 11, 24, 12, 0, tzinfo=UTC)})
    outcome = sieve.run(REQUIRE + script, message, host=host, **more)
    assert outcome.fault is None, outcome.fault
    return effect(outcome.actions[0], Rewrite).octets


def read(raw: bytes) -> EmailMessage:
    message = email.message_from_bytes(raw, policy=default + strict)
    assert isinstance(message, EmailMessage)
    for value in message.values():
        assert value.defects == ()
    return message


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60),
    st.lists(st.sampled_from(["--b", "\n", "\r", "ä", "x" * 1100, " "])).map("".join),
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TEXTS, TEXTS, st.sampled_from([b"\n", b"\r\n"]), st.sampled_from([b"", b"x", b"x\r", b"\xff\0", b"--b--\n"]))
def test_a_strict_parser_accepts_it_and_the_message_is_unchanged(
    sieve: Sieve, fake_host: type[FakeHost], subject: str, text: str, newline: bytes, last: bytes
) -> None:
    original = MESSAGE.replace(b"\n", newline) + last
    raw = made(sieve, fake_host, f"enclose :subject {quoted(subject)} {quoted(text)};", original)
    message = read(raw)
    names = "From Date Message-ID Subject MIME-Version Content-Type Content-Transfer-Encoding"
    assert sorted(message.keys()) == sorted(names.split())
    first, second = parse(raw).parts
    assert first.content_type == "text/plain"
    assert second.content_type == "message/rfc822"
    assert second.body == original  # RFC 5703, 11: any message
    shown = "".join(c for c in subject if c.isprintable() and c != " ")
    assert "".join(c for c in message["Subject"] if c.isprintable() and c != " ") == shown


def test_the_new_message(sieve: Sieve, fake_host: type[FakeHost]) -> None:
    raw = made(sieve, fake_host, 'enclose :subject "Warning" "grün";', b"Subject: x\nFrom: a@example.com\n\nbody")
    assert raw.decode().splitlines()[0] == "Subject: Warning"
    message = read(raw)
    assert message["From"] == "alice@example.com"
    assert message["Date"] == "Tue, 24 Nov 2026 12:00:00 +0000"
    assert message["Message-ID"].endswith("@example.com>")
    assert [part.get_content_type() for part in message.walk()] == [
        "multipart/mixed",
        "text/plain",
        "message/rfc822",
        "text/plain",
    ]
    text, enclosed = message.iter_parts()
    assert isinstance(text, EmailMessage)
    assert text.get_content() == "grün\n"
    assert isinstance(enclosed, EmailMessage)
    assert enclosed.get_content()["Subject"] == "x"
    assert raw == made(
        sieve, fake_host, 'enclose :subject "Warning" "grün";', b"Subject: x\nFrom: a@example.com\n\nbody"
    )


@pytest.mark.parametrize(
    ("recipient", "author"),
    [
        ("bob@example.org", "bob@example.org"),
        ("", "nobody@localhost.invalid"),
        ("root", "nobody@localhost.invalid"),
        ('"a b"@example.org', '"a b"@example.org'),
    ],
)
def test_the_author_is_the_recipient(sieve: Sieve, fake_host: type[FakeHost], recipient: str, author: str) -> None:
    message = read(made(sieve, fake_host, 'enclose "x";', recipient=recipient))
    assert [address.addr_spec for address in message["From"].addresses] == [author]


@pytest.mark.parametrize("message", [b"", b"\n", b"Subject: x", b"body only", b"Subject: x\rBcc: y\0\n\nx"])
def test_minimal_messages(sieve: Sieve, fake_host: type[FakeHost], message: bytes) -> None:
    raw = made(sieve, fake_host, 'enclose :headers ["Subject", "Bcc"] "x";', message)
    header = email.message_from_bytes(raw, policy=default)  # defects of the enclosed message do not matter
    assert header.get_content_type() == "multipart/mixed"
    assert "bcc" not in header
    assert header.defects == []
    assert parse(raw).parts[1].body == message


@pytest.mark.parametrize(
    ("line", "rules"),
    [
        ('enclose "x";', []),
        ('enclose :subject "a" :headers "From" "x";', []),
        ('enclose :headers ["From", "content-type"] "x";', ["header-not-copied"]),
        ('enclose :headers "From:" "x";', ["header-name"]),
        ("enclose;", ["argument-missing"]),
        ('enclose :mime "x";', ["tag-unknown"]),
    ],
)
def test_problems(sieve: Sieve, line: str, rules: list[str]) -> None:
    assert sieve.rules(REQUIRE + line) == rules


def test_it_needs_a_recipient(sieve: Sieve) -> None:
    assert sieve.rules(REQUIRE + 'enclose "x";', phase="spool") == ["phase-invalid"]
