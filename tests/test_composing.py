"""Header fields and messages that are composed: the standard library's parser reads in them what was put in."""

from __future__ import annotations

import email
import email.policy
import email.utils
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sieveav import composing, headers
from sieveav.composing import (
    LINE,
    LONGEST_LINE,
    WORD_LINE,
    address_line,
    compose,
    date_time,
    encoded,
    entity_flaw,
    field_line,
    fold,
    phrase,
    structured_line,
    without_controls,
)

NOW = datetime(2026, 11, 24, 19, 0, 3, tzinfo=UTC)
FROM = ("From", [("", "alice@example.com")])


def parsed(raw: bytes) -> EmailMessage:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def defects(message: EmailMessage) -> list[object]:
    return [*message.defects, *(defect for value in message.values() for defect in value.defects)]


def text_of(message: EmailMessage) -> str:
    """The content with `\\n` line ends."""
    return str(message.get_content()).replace("\r\n", "\n")


def lines_of(raw: bytes) -> list[bytes]:
    """The lines, which all end in CRLF; CR and LF occur nowhere else, there is no NUL, and no line is too long."""
    assert raw.endswith(b"\r\n")
    lines = raw[:-2].split(b"\r\n")
    assert all(b"\r" not in line and b"\n" not in line and b"\0" not in line for line in lines)
    assert max(map(len, lines)) <= LONGEST_LINE
    return lines


# ---- one line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("plain", "plain"),
        ("a\r\nb\x00c\td\x1be\x7ff\x85g\x9bh\u2028i\u2029j", "a  b c d e f g h i j"),
        ("\ud800x\udcff", "\ufffdx\ufffd"),
        ("Grüße \U0001f600", "Grüße \U0001f600"),
    ],
)
def test_text_without_controls(text: str, line: str) -> None:
    assert without_controls(text) == line


@given(st.text())
def test_one_line_of_any_text(text: str) -> None:
    line = without_controls(text)
    assert len(line) == len(text)
    assert len(f"{line}.".splitlines()) == 1
    assert not any(ord(c) < 32 or 127 <= ord(c) <= 159 or "\ud800" <= c <= "\udfff" for c in line)


# ---- encoded-words


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.integers(0, 75))
def test_encoded_words(text: str, room: int) -> None:
    """RFC 2047, 2: at most 75 characters each; 5: each of whole characters."""
    words = encoded(text, room)
    assert all(len(word) <= composing.WORD for word in words)
    assert "".join(headers.decode_words(word) for word in words) == on_one_line(text)
    assert headers.decode_words(" ".join(words)) == on_one_line(text)


def on_one_line(text: str) -> str:
    return headers.without_breaks(text)


def test_the_first_encoded_word_has_less_room() -> None:
    words = encoded("ä" * 100, 40)
    assert [len(word) for word in words[:3]] == [40, 72, 72]


# ---- fields


def unfolded(lines: str) -> str:
    return lines.replace("\n", "")


@given(st.text("ab  c-", max_size=400), st.integers(10, 100))
def test_folding_only_adds_line_breaks(value: str, width: int) -> None:
    line = f"Subject: {value.strip()}"
    folded = fold(line, width)
    assert unfolded(folded) == line
    first, *others = folded.split("\n")
    assert first.startswith("Subject: ")
    assert first == line or first[9:].strip()
    for other in others:
        assert other[0] == " "
        assert other.strip(), "RFC 5322, 4.2: no line of nothing but white space"
    for short in folded.split("\n"):
        words = short.strip().split()
        assert len(short) <= width or len(words) <= 2 or short.endswith("  "), "it could be folded"


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("Hello", b"X: Hello\r\n"),
        ("", b"X: \r\n"),
        ("  a  b \t", b"X: a  b\r\n"),
        ("a\r\nBcc: eve@example.com", b"X: a  Bcc: eve@example.com\r\n"),
        ("a\rb\nc\0d", b"X: a b c d\r\n"),
        ("Grüße", b"X: =?utf-8?b?R3LDvMOfZQ==?=\r\n"),
        ("=?utf-8?q?=41?=", b"X: =?utf-8?b?PT91dGYtOD9xPz00MT89?=\r\n"),
        ("a b? c=", b"X: a b? c=\r\n"),
        ("x" * 899, b"X: " + b"x" * 899 + b"\r\n"),
    ],
)
def test_field_line(value: str, line: bytes) -> None:
    assert field_line("X", value) == line


def test_a_field_has_the_line_ends_of_its_message() -> None:
    line = field_line("X", "Ä" * 60, b"\n")
    assert b"\r" not in line
    assert line.count(b"\n") == 3


@pytest.mark.parametrize(
    "value", ["x" * 2000, "a" + " " * 2000 + "b", "Ä" * 2000, "=?" * 1000, "a " * 1000, "a  " * 1000]
)
def test_no_line_is_too_long(value: str) -> None:
    raw = field_line("Subject", value)
    lines_of(raw)
    assert str(parsed(raw + b"\r\n")["subject"]) == value.strip()


@given(st.text(max_size=300))
def test_a_field_of_any_text(text: str) -> None:
    raw = field_line("Subject", text)
    lines = lines_of(raw)
    if b"=?utf-8?b?" in raw:
        assert max(map(len, lines)) <= WORD_LINE  # RFC 2047, 2
    else:
        assert all(len(line) <= LINE or b" " not in line.strip().removeprefix(b"Subject: ") for line in lines)
    message = parsed(raw + b"\r\n")
    assert message.keys() == ["Subject"]
    assert defects(message) == []
    assert str(message["subject"]) == without_controls(text).strip()
    ((_, value),) = headers.fields(raw)
    assert headers.decode_words(headers.unfold(value)) == without_controls(text).strip()  # decode_words agrees


def test_only_text_outside_ascii_is_encoded() -> None:
    assert field_line("Subject", "Auto: Hello (was: Hi) + 50%?") == b"Subject: Auto: Hello (was: Hi) + 50%?\r\n"


# ---- addresses


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("", ""),
        ("Bob", "Bob"),
        ("Bob B Baker", "Bob B Baker"),
        ("Bob B. Baker", '"Bob B. Baker"'),
        ("Baker, Bob", '"Baker, Bob"'),
        ('a "b" \\c', '"a \\"b\\" \\\\c"'),
        ("<eve@example.com>,", '"<eve@example.com>,"'),
        ("Bob\r\nBcc: eve@example.com", '"Bob Bcc: eve@example.com"'),
        ("Jürgen", "=?utf-8?b?SsO8cmdlbg==?="),
        ("=?utf-8?q?x?=", "=?utf-8?b?PT91dGYtOD9xP3g/PQ==?="),
    ],
)
def test_phrase(name: str, written: str) -> None:
    assert phrase(name) == written


SPEC = st.builds(
    "{}@{}".format,
    st.from_regex(r"[a-z0-9+]{1,8}(\.[a-z0-9]{1,4})?", fullmatch=True),
    st.sampled_from(["example.com", "x.example"]),
)


def shown(name: str) -> str:
    return re.sub(" +", " ", without_controls(name)).strip()


def without_spaces(name: str) -> str:
    """Some releases of Python show a space between two encoded-words, or none if a word begins with one."""
    return "".join(without_controls(name).split())


@given(st.lists(st.tuples(st.text(max_size=60), SPEC), min_size=1, max_size=5))
def test_addresses_with_any_names(mailboxes: Sequence[tuple[str, str]]) -> None:
    raw = address_line("To", mailboxes)
    lines = lines_of(raw)
    assert all(len(line) <= WORD_LINE for line in lines if b"=?" in line)
    message = parsed(raw + b"\r\n")
    assert message.keys() == ["To"]
    assert defects(message) == []
    read = [(without_spaces(a.display_name), a.addr_spec) for a in message["to"].addresses]
    assert read == [(without_spaces(name), address) for name, address in mailboxes]
    ((_, value),) = headers.fields(raw)
    text = headers.decode_words(headers.unfold(value)).replace("\\", "")
    assert all(shown(name).replace("\\", "") in text for name, _ in mailboxes)


@pytest.mark.parametrize(
    "address",
    [
        "a b@example.com",
        "a@example.com\r\nBcc: b@example.com",
        "a@b>, <c@d",
        "a@b, c@d",
        "a",
        "",
        "a@\0b",
        '"a\r\n"@b',
        "a@b\x85",
    ],
)
def test_invalid_addresses(address: str) -> None:
    with pytest.raises(ValueError, match="is not an addr-spec"):
        address_line("To", [("", address)])


@pytest.mark.parametrize("address", ['"a b"@example.com', "a@[192.0.2.1]", "jürgen@example.com", "a+b=c@example.com"])
def test_unusual_addresses(address: str) -> None:
    assert address_line("To", [("", address)]) == f"To: {address}\r\n".encode()


# ---- structured fields


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("<a@b> <c@d>", b"X: <a@b> <c@d>\r\n"),
        ("<=?utf-8?q?x?=@b>", b"X: <=?utf-8?q?x?=@b>\r\n"),
        ("a\r\nBcc: b", b"X: a  Bcc: b\r\n"),
        ("ä", b"X: ?\r\n"),
    ],
)
def test_structured_line(value: str, line: bytes) -> None:
    assert structured_line("X", value) == line


# ---- dates


@pytest.mark.parametrize(
    ("date", "text"),
    [
        (NOW, "Tue, 24 Nov 2026 19:00:03 +0000"),
        (NOW.replace(tzinfo=None), "Tue, 24 Nov 2026 19:00:03 -0000"),
        (NOW.replace(tzinfo=timezone(timedelta(hours=5, minutes=30))), "Tue, 24 Nov 2026 19:00:03 +0530"),
        (NOW.replace(tzinfo=timezone(-timedelta(hours=3, minutes=30))), "Tue, 24 Nov 2026 19:00:03 -0330"),
        (NOW.replace(year=999, day=1), "Fri, 1 Nov 0999 19:00:03 +0000"),
    ],
)
def test_date_time(date: datetime, text: str) -> None:
    assert date_time(date) == text


ZONES = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(min_value=datetime(1900, 1, 2), max_value=datetime(2500, 1, 1), timezones=ZONES))
def test_any_date(date: datetime) -> None:
    assert email.utils.parsedate_to_datetime(date_time(date)) == date.replace(microsecond=0)


# ---- whole messages


@given(subject=st.text(max_size=100), name=st.text(max_size=10), body=st.text(max_size=400), identity=st.text())
def test_a_message_of_any_texts(subject: str, name: str, body: str, identity: str) -> None:
    fields: list[composing.Field] = [
        ("From", [(name, "alice@example.com")]),
        ("To", [("", "bob@example.org")]),
        ("Subject", subject),
        ("References", b"<1@example.org> <2@example.org>"),
    ]
    raw = compose(fields, body, NOW, [identity])
    lines_of(raw)
    assert raw.isascii(), "it passes every transport"
    assert raw == compose(fields, body, NOW, [identity])
    message = parsed(raw)
    assert defects(message) == []
    assert message.keys() == [
        "Message-ID", "Date", "From", "To", "Subject", "References", "MIME-Version", "Content-Type",
        "Content-Transfer-Encoding",
    ]  # fmt: skip
    assert message["date"].datetime == NOW
    assert without_spaces(message["from"].addresses[0].display_name) == without_spaces(name)
    assert message["subject"] == without_controls(subject).strip()
    assert message["references"] == "<1@example.org> <2@example.org>"
    content = text_of(message)
    assert all(c in "\t\n" or not (ord(c) < 32 or 127 <= ord(c) <= 159) for c in content)
    expected = body.replace("\r\n", "\n").replace("\r", "\n")
    if all(c.isprintable() or c == "\n" for c in expected):
        assert content == (expected if expected.endswith("\n") or not expected else f"{expected}\n")


@pytest.mark.parametrize(
    ("body", "encoding", "content"),
    [
        ("Hi.\r\n", "7bit", "Hi.\n"),
        ("Hi.", "7bit", "Hi.\n"),
        ("", "7bit", ""),
        ("a\nb\rc\r\nd", "7bit", "a\nb\nc\nd\n"),
        ("a\x00b\x1bc\td", "7bit", "a b c\td\n"),
        ("Schöne Grüße", "quoted-printable", "Schöne Grüße\n"),
        ("x" * 999, "quoted-printable", "x" * 999 + "\n"),
        ("trailing ü \n.\nFrom here\n", "quoted-printable", "trailing ü \n.\nFrom here\n"),
        ("Я могу есть стекло", "base64", "Я могу есть стекло\n"),
        ("\ud800ü" + "a" * 20, "quoted-printable", "\ufffdü" + "a" * 20 + "\n"),
    ],
)
def test_text(body: str, encoding: str, content: str) -> None:
    message = parsed(compose([FROM], body, NOW, []))
    assert message["content-type"] == 'text/plain; charset="utf-8"'
    assert message["content-transfer-encoding"] == encoding
    assert text_of(message) == content
    assert defects(message) == []


def test_message_ids() -> None:
    """A hash of the identity and the time, at the domain of the author."""

    def message_id(identity: Sequence[str], date: datetime = NOW, address: str = "a@example.com") -> str:
        return str(parsed(compose([("From", [("", address)])], "x", date, identity))["message-id"])

    assert message_id(["a"]) == message_id(["a"])
    ids = [message_id(["a"]), message_id(["b"]), message_id(["a", ""]), message_id(["a"], NOW + timedelta(seconds=1))]
    ids += [message_id(["a", "bc"]), message_id(["ab", "c"])]
    assert len(set(ids)) == 6
    assert message_id(["\ud800"]).endswith("@example.com>")
    assert message_id([], address="a@[192.0.2.1]").endswith("@localhost.invalid>")
    assert message_id([], address="a@exämple.com").endswith("@localhost.invalid>")
    assert b"@localhost.invalid>" in compose([], "", NOW, [])


@pytest.mark.parametrize("name", ["", "a b", "a:", "a\r\nb", "ä", "Date", "message-id", "Mime-Version", "Content-Type"])
def test_invalid_field_names(name: str) -> None:
    with pytest.raises(ValueError, match="is not a valid field name here"):
        compose([(name, "x")], "", NOW, [])


def test_a_field_without_addresses_is_left_out() -> None:
    assert b"To:" not in compose([FROM, ("To", [])], "x", NOW, [])


# ---- MIME entities


ALTERNATIVE = """Content-Type: multipart/alternative; boundary=foo

--foo

I'm at the beach.

--foo
Content-Type: text/html; charset=us-ascii

<p>I'm at the beach.</p>

--foo--
"""


def test_an_entity() -> None:
    raw = compose([FROM], ALTERNATIVE.encode(), NOW, [])
    lines_of(raw)
    message = parsed(raw)
    assert defects(message) == []
    assert [part.get_content_type() for part in message.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    (_, plain, _) = message.walk()
    assert text_of(plain) == "I'm at the beach.\n"


@pytest.mark.parametrize(
    ("entity", "fields", "content"),
    [
        (b"\nHi\n", ["Content-Type"], b"Hi\r\n"),
        (
            "Content-Type: text/plain; charset=utf-8\n\nä\n".encode(),
            ["Content-Type", "Content-Transfer-Encoding"],
            "ä\r\n".encode(),
        ),
        (
            b"Subject: x\r\nBcc: y\r\nMIME-Version: 2.0\r\nContent-Language: en\r\n\r\nHi",
            ["Content-Language", "Content-Type"],
            b"Hi",
        ),
        (b"Content-Type: text/plain\ncontent-type: text/html\n\nHi", ["Content-Type"], b"Hi"),
        (b"Content-Type:\n text/plain;\n\tformat=flowed\n\n", ["Content-Type"], b""),
        (b"Content-Type: text/plain\n", ["Content-Type"], b""),
        (b"Content-Type: text/plain\n\na\0b\rc\n", ["Content-Type"], b"ab\r\nc\r\n"),
    ],
)
def test_the_fields_and_content_of_an_entity(entity: bytes, fields: list[str], content: bytes) -> None:
    raw = compose([FROM], entity, NOW, [])
    head, _, body = raw.partition(b"\r\n\r\n")
    message = parsed(raw)
    assert message.keys() == ["Message-ID", "Date", "From", "MIME-Version", *fields]
    assert body == content
    assert message["mime-version"] == "1.0"
    assert message.get("content-transfer-encoding", "8bit") == "8bit"
    assert head.isascii()


@given(
    st.lists(st.sampled_from([*"C-: \r\n\tä\0x", "Content-Type: ", "Bcc: ", "\r\n\r\n", "\n\n"]), max_size=40).map(
        "".join
    )
)
def test_an_entity_adds_only_content_fields(text: str) -> None:
    raw = compose([FROM], text.encode(), NOW, [])
    message = parsed(raw)
    assert message.keys()[:4] == ["Message-ID", "Date", "From", "MIME-Version"]
    assert all(name.lower().startswith("content-") for name in message.keys()[4:])
    assert len({name.lower() for name in message.keys()}) == len(message.keys())  # noqa: SIM118
    assert b"\0" not in raw


@pytest.mark.parametrize(
    ("entity", "flaw"),
    [
        (ALTERNATIVE, ""),
        (ALTERNATIVE.replace("\n", "\r\n"), ""),
        ("", ""),
        ("\nHi", ""),
        ("Content-Type: text/plain", ""),
        ("Content-Type:\n text/plain\n\nä\n", ""),
        ("Hello\n\nHi", "not a MIME entity: line 1 is not a header field"),
        ("Content-Type: text/plain\nHello", "not a MIME entity: line 2 is not a header field"),
        (" Content-Type: text/plain\n\n", "not a MIME entity: line 1 is not a header field"),
        ("Content-Description: ä\n\n", "the header of a MIME entity cannot contain 8-bit characters"),
        ("\n" + "x" * 998, ""),
        ("\n" + "x" * 999, "a line of a MIME entity cannot be longer than 998 octets"),
        ("\n" + "ä" * 500, "a line of a MIME entity cannot be longer than 998 octets"),
    ],
)
def test_entity_flaw(entity: str, flaw: str) -> None:
    assert entity_flaw(entity) == flaw


# ---- cost


@pytest.mark.parametrize("unit", ["a ", "ä", "a", "  a", "=?", "\r\n"])
def test_composing_is_linear(unit: str) -> None:
    """Quadratic work would take minutes for a megabyte."""
    raw = compose([FROM, ("Subject", unit * 400_000)], unit * 400_000, NOW, [])
    assert len(raw) < 12_000_000
