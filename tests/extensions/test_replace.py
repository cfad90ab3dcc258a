"""replace, RFC 5703, 5, beyond replace.svtest: strict parsers accept the result; octets, hints."""

from __future__ import annotations

import email
from email.message import EmailMessage
from email.policy import default, strict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.sieve import Sieve

REQUIRE = 'require ["replace", "foreverypart", "mime", "fileinto"];\n'

MESSAGE = b"""From: a@example.com
Subject: top
X-Odd \t: kept
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: image/png
Content-Transfer-Encoding: base64

AAAA
--b
Content-Type: message/rfc822

Subject: inner
From: c@example.com
Content-Type: text/html

<b>x</b>
--b--
"""


def made(sieve: Sieve, script: str, message: bytes = MESSAGE) -> bytes:
    """The octets of the message after the script."""
    outcome = sieve.run(REQUIRE + script, message)
    assert outcome.fault is None, outcome.fault
    octets = [effect.octets for action in outcome.actions for effect in action.effects if hasattr(effect, "octets")]
    assert isinstance(octets[-1], bytes)
    return octets[-1]


def read(raw: bytes) -> EmailMessage:
    """A message parsed strictly; all fields and texts of all parts are read."""
    message = email.message_from_bytes(raw, policy=default + strict)
    assert isinstance(message, EmailMessage)
    for part in message.walk():
        assert isinstance(part, EmailMessage)
        for value in part.values():
            assert value.defects == ()
        if part.get_content_maintype() == "text":
            part.get_content()
    return message


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=80),
    st.lists(
        st.sampled_from(["--b", "--b--", "\n", "\r\n", "\r", "ä", "x" * 1100, ".", "From x", " "]), max_size=8
    ).map("".join),
)
STATELESS = [HealthCheck.function_scoped_fixture]


@settings(max_examples=150, suppress_health_check=STATELESS)
@given(TEXTS, st.sampled_from([b"\n", b"\r\n"]))
def test_a_text_replaces_a_part(sieve: Sieve, text: str, newline: bytes) -> None:
    script = f'foreverypart {{ if header :mime :type "Content-Type" "image" {{ replace {quoted(text)}; }} }}'
    raw = made(sieve, script, MESSAGE.replace(b" \t:", b":").replace(b"\n", newline))
    message = read(raw)
    types = [part.get_content_type() for part in message.walk()]
    assert types == ["multipart/mixed", "text/plain", "message/rfc822", "text/html"]
    assert (newline == b"\n") == (b"\r" not in raw)
    assert max(map(len, raw.split(b"\n"))) <= 999


@settings(max_examples=150, suppress_health_check=STATELESS)
@given(TEXTS, TEXTS)
def test_a_text_replaces_the_message(sieve: Sieve, subject: str, text: str) -> None:
    message = read(made(sieve, f"replace :subject {quoted(subject)} {quoted(text)};"))
    names = "Subject Original-Subject From X-Odd MIME-Version Content-Type Content-Transfer-Encoding"
    assert sorted(message.keys()) == sorted(names.split())
    assert message["Original-Subject"] == "top"
    assert message["X-Odd"] == "kept"
    shown = "".join(c for c in subject if c.isprintable() and c != " ")
    assert "".join(c for c in message["Subject"] if c.isprintable() and c != " ") == shown


@pytest.mark.parametrize(
    "authors",
    [
        "a@example.org",
        "A <a@example.org>",
        '"A, B" <a@example.org>, b@example.org',
        "Ärger <a@example.org>",
        '"\\"" <a@example.org>',
        ", ".join(f"Person Number {n} <p{n}@example.org>" for n in range(30)),
    ],
)
def test_authors(sieve: Sieve, authors: str) -> None:
    raw = made(sieve, f'replace :from {quoted(authors)} "x";')
    message = read(raw)
    assert message["From"].addresses[0].addr_spec.endswith("@example.org")
    assert message["Original-From"] == "a@example.com"
    assert max(map(len, raw.split(b"\n"))) <= 78


def test_a_header_with_lines_that_are_not_fields(sieve: Sieve) -> None:
    message = b"From x\nFrom: a@example.com\nno field\nX-A: 1\rX-Evil: 1\0\nSubject: x\r\n\nbody"
    read(made(sieve, 'replace "x";', message))
    assert b"X-A: 1 X-Evil: 1 \n" in made(sieve, 'replace "x";', message)


@pytest.mark.parametrize("message", [b"", b"\n", b"\r\n\r\n", b"Subject: x", b"Subject: x\r\n", b"body only"])
def test_minimal_messages(sieve: Sieve, message: bytes) -> None:
    for script in ('replace "x";', 'foreverypart { replace :subject "s" "x"; }'):
        assert read(made(sieve, script, message)).get_content().strip() == "x"


@pytest.mark.parametrize(
    ("line", "rules"),
    [
        ('replace "x";', []),
        ('replace :mime "Content-Type: text/plain\n\nx";', []),
        ('replace :mime :subject "a" "\n";', ["tag-conflict"]),
        ('replace :mime :from "a@b" "\n";', ["tag-conflict"]),
        ('replace :mime "x";', ["replacement-invalid"]),
        ('replace :mime "Content-Type: text/html; name=ä\n\nx";', ["replacement-invalid"]),
        ('replace :from "a b" "x";', ["sender-invalid"]),
        ('replace :from "" "x";', ["sender-invalid"]),
        ('replace :from "\\"x\r\n y\\" <a@example.org>" "x";', ["sender-invalid"]),
        ('replace :from "undisclosed:;" "x";', ["sender-invalid"]),
        ("replace;", ["argument-missing"]),
        ('replace :text "x";', ["tag-unknown"]),
    ],
)
def test_problems(sieve: Sieve, line: str, rules: list[str]) -> None:
    assert sieve.rules(REQUIRE + line) == rules


def test_allowed_in_a_data_phase(sieve: Sieve) -> None:
    assert sieve.rules(REQUIRE + 'replace "x";', phase="spool") == []
