"""Readings: every content that a mail client may show for a part, or a defect that says that clients see other parts."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.timing import assert_linear

from sieveav import readings
from sieveav.mime import defects, parse, walk
from sieveav.mime_defects import AMBIGUOUS

PAYLOAD = b"payload:" + bytes(range(256)) + b"!"


def seen(raw: bytes) -> list[bytes]:
    """What mail clients may show of a message."""
    return [reading for part in walk(parse(raw)) for reading in part.readings()]


def is_seen(raw: bytes, payload: bytes) -> bool:
    """Whether scanners are shown the payload, for LF and for CRLF."""
    shown = any(payload in reading for reading in seen(raw))
    assert shown == any(payload in reading for reading in seen(raw.replace(b"\n", b"\r\n")))
    return shown


def is_ambiguous(raw: bytes) -> bool:
    return bool(AMBIGUOUS.intersection(defects(parse(raw))))


def labelled(label: str, body: bytes) -> bytes:
    return f"Subject: x\nContent-Transfer-Encoding: {label}\n\n".encode() + body


def quoted(octets: bytes) -> bytes:
    return b"".join(b"=%02X" % octet for octet in octets)


def uu(octets: bytes) -> bytes:
    return b"".join(binascii.b2a_uu(octets[at : at + 45]) for at in range(0, len(octets), 45)) + b"`\nend\n"


def yenc(octets: bytes) -> bytes:
    out = bytearray()
    for octet in octets:
        octet = (octet + 42) % 256
        out += bytes([61, (octet + 64) % 256]) if octet in b"\0\r\n=" else bytes([octet])
    lines = [bytes(out[at : at + 61]) for at in range(0, len(out), 61)]
    for number, line in enumerate(lines[:-1]):
        if line.endswith(b"=") and not line.endswith(b"=="):  # an escape stays on one line
            lines[number], lines[number + 1] = line[:-1], b"=" + lines[number + 1]
    return b"\n".join(lines) + b"\n"


# ---- base64


def test_base64_with_padding_amid_the_data(eicar: bytes) -> None:
    code = base64.b64encode(eicar)
    bodies = [
        code,
        code[:1] + b"=" + code[1:],
        b"=" + code,
        b"QU=A" + code,
        b"QUI=" + code,
        b"Q===" + code,
        b"QQ==" + code,
        code[:6] + b"=" + code[6:20] + b"=\n" + code[20:],
        code + b"=" + b"\n-- \nlist footer",
        code + b"\n" + b"=" * 10 + b"QQ==QQ=",
        b"\n".join(code[at : at + 7] for at in range(0, len(code), 7)),
    ]
    for body in bodies:
        assert is_seen(labelled("base64", body), eicar), body
        assert not is_ambiguous(labelled("base64", body))


def test_base64_decoded_line_by_line(eicar: bytes) -> None:
    """Each line for itself, as some do, though the characters of all lines are one number (RFC 2045, 6.8)."""
    for width in (1, 2, 10, 11, 100):
        parts = [eicar[at : at + width] for at in range(0, len(eicar), width)]
        body = b"\n".join(base64.b64encode(part).rstrip(b"=") for part in parts)
        assert is_seen(labelled("base64", body), eicar)


@pytest.mark.parametrize(
    ("body", "contents"),
    [
        (b"QUJD\r\nQUJD\r\nQQ==\r\n", [b"ABCABCA"]),
        (b"QUJD\r\nQUJD\r\n\r\n\r\n", [b"ABCABC"]),
        (b"QUJDQUJD\nQUJD\nQUJDQUJD\n", [b"ABCABCABCABCABC"]),
        (b"QU\nJD\n", [b"ABC", b"A$"]),
        (b"QUJD\nQ\nUJD\n", [b"ABCABC", b"ABCP\x90"]),
        (b"QUJD!", [b"ABC"]),
        (b"Q=UI", [b"P", b"AB", b"@\x05", b""]),
    ],
)
def test_few_readings(body: bytes, contents: list[bytes]) -> None:
    assert list(parse(labelled("base64", body)).readings()) == contents


def test_ordinary_base64_has_one_reading() -> None:
    for octets in (b"", b"a", bytes(200), bytes(100_000)):
        for newline in (b"\n", b"\r\n"):
            body = base64.encodebytes(octets).replace(b"\n", newline)
            assert list(parse(labelled("base64", body)).readings()) == [octets]
            assert list(parse(labelled("base64", newline + body + newline * 3)).readings()) == [octets]


# ---- quoted-printable


def test_quoted_printable_that_clients_read_in_two_ways(eicar: bytes) -> None:
    code = quoted(eicar)
    for body in (
        b"=\r" + code,
        code[:3] + b"=\r" + code[3:],
        b"".join(b"=%02X=\r" % octet for octet in eicar),
        b"=\rlost for some\n" + code,
        b"=" + code,
        b"===" + code,
        code[:30] + b"= \t\n" + code[30:],
        code[:30] + b"=\n" + code[30:],
    ):
        assert is_seen(labelled("quoted-printable", body), eicar), body
    assert b"= \n" in b"".join(seen(labelled("quoted-printable", b"a= \nb")))


@pytest.mark.parametrize("body", [b"a=3Db=\nc \nd\n", b"a = b\n", b"=E4=\r\n=F6\r\n", b"", b"a\rb=\n"])
def test_ordinary_quoted_printable_has_one_reading(body: bytes) -> None:
    assert len(seen(labelled("quoted-printable", body))) == 1


# ---- uuencode and yEnc

BEGINS = (
    "begin 644 a|begin 6 a|begin 0000644 a|begin 0o644 a|begin a|begin 644 |begin 644|begin |begin 999 a|"
    "text\nbegin of text\nbegin 600 a b|begin 644 " + "n" * 300 + "|no such line"
)


@pytest.mark.parametrize("begin", BEGINS.split("|"))
@pytest.mark.parametrize("label", ["x-uuencode", "uuencode", "X-UUE", "x-uuencode (c)", "uuencoded"])
def test_uuencode_by_its_label(begin: str, label: str, eicar: bytes) -> None:
    assert is_seen(labelled(label, begin.encode() + b"\n" + uu(eicar)), eicar)


def test_uuencode_without_a_line_that_begins_it(eicar: bytes) -> None:
    assert is_seen(labelled("x-uuencode", uu(eicar)), eicar)


def test_a_broken_line_within_uuencode(eicar: bytes) -> None:
    lines = uu(eicar).splitlines(keepends=True)
    assert is_seen(labelled("x-uuencode", b"begin 644 a\n" + b"M\x7f\x7f\n" + b"".join(lines)), eicar)
    lower = lines[0].replace(b"8", b"x").replace(b"3", b"s")  # as many bits, by a decoder that does not look
    assert lower != lines[0]
    assert is_seen(labelled("x-uuencode", b"begin 644 a\n" + lower + b"".join(lines[1:])), eicar)


@pytest.mark.parametrize("label", ["x-yencode", "yenc", "X-YEncode (c)"])
@pytest.mark.parametrize("part", [b"", b"=ypart begin=1 end=99\n"])
def test_yenc_by_its_label(label: str, part: bytes) -> None:
    start = b"text\n=ybegin line=128 size=265 name=a.com\n" + part
    assert is_seen(labelled(label, start + yenc(PAYLOAD) + b"=yend size=265\ntext\n"), PAYLOAD)
    assert is_seen(labelled(label, start + yenc(PAYLOAD)), PAYLOAD)


@given(st.binary(), st.binary())
def test_yenc_gives_what_was_encoded(octets: bytes, rubbish: bytes) -> None:
    raw = labelled("x-yencode", b"=ybegin x\n" + yenc(octets) + b"=yend\n" + rubbish)
    assert octets in list(parse(raw).readings())
    list(parse(labelled("x-yencode", b"=ybegin x\n" + rubbish)).readings())


# ---- what encoding a label names

BASE64_LABELS = (
    "(c) base64|(a (b) c) base64|base64,|base64x|base64.|base64;|=?us-ascii?q?base64?=|=?us-ascii?b?YmFzZTY0?=|x base64|"
    '"base64"|7bit base64|8bit, base64|base64 quoted-printable|quoted-printable, base64|base-64|b64|x-base64|mime|'
    "\u00a0base64|BASE64 (c)|(base64)|BaSe64/x|encoding=base64"
)
QUOTED_LABELS = (
    "(c) quoted-printable|quoted-printable,|quoted-printable.|quoted_printable|quotedprintable|qp"
    "|=?us-ascii?q?quoted-printable?="
)


@pytest.mark.parametrize("label", BASE64_LABELS.split("|"))
def test_labels_that_may_mean_base64(label: str, eicar: bytes) -> None:
    assert is_seen(labelled(label, base64.encodebytes(eicar)), eicar)
    assert is_seen(labelled(label, eicar), eicar)  # by a client that does not know the label
    assert not is_ambiguous(labelled(label, base64.encodebytes(eicar)))


@pytest.mark.parametrize("label", QUOTED_LABELS.split("|"))
def test_labels_that_may_mean_quoted_printable(label: str, eicar: bytes) -> None:
    assert is_seen(labelled(label, quoted(eicar)), eicar)
    assert is_seen(labelled(label, eicar), eicar)


PLAIN_LABELS = (
    "|7bit|8bit|binary|BINARY|7-bit|8-bit|8 bit|7 bit|8bits|7bit;|8bit (c)|none|utf-8|UTF8|us-ascii|iso-8859-1|text|plain"
    "|windows-1252|text/plain|koi8-r|7bit,|8BIT."
)


@pytest.mark.parametrize("label", PLAIN_LABELS.split("|"))
def test_labels_that_mean_no_encoding(label: str) -> None:
    assert seen(labelled(label, b"QUJD=41\n")) == [b"QUJD=41\n"]


def test_encodings_in_a_label() -> None:
    assert readings.encodings_in("quoted-printablex (base64) qp") == ("quoted-printable", "base64")
    assert readings.encodings_in("x-base64 7bit") == ()


# ---- line ends


@pytest.mark.parametrize(
    "text",
    [
        b"hi\rbegin 644 a\r#0V%T\r`\rend\r",
        b"hi\r=ybegin line=128 size=3 name=a\rmmm\r=yend\r",
        b"hi\r--b\rContent-Transfer-Encoding: base64\r\rQUJD\r",
        b"From: x\rcontent-type: text/html\r\rx",
        b"\r\nhi\r\rSubject : x\r\n",
    ],
)
def test_lines_behind_a_cr_that_is_no_line_end(text: bytes) -> None:
    for raw in (b"Subject: x\n\n" + text, labelled("base64", base64.encodebytes(text)), labelled("8bit", text)):
        shown = seen(raw)
        assert shown[0] == text
        assert len(shown) == 2
        assert b"\r" not in shown[1].replace(b"\r\n", b"")
        assert shown[1].replace(b"\r\n", b"\r") == text.replace(b"\r\n", b"\r")
        assert not is_ambiguous(raw)


def test_lines_behind_a_cr_in_an_encoding_by_lines(eicar: bytes) -> None:
    body = (b"begin 644 a\n" + uu(eicar)).replace(b"\n", b"\r")
    assert any(eicar in reading for reading in seen(labelled("x-uuencode", b"hi\r" + body)))


@pytest.mark.parametrize(
    "text", [b"a\rb\r\rc\r", b"1 %\r2 %\r100 %\r\n", b"a\r-- \rsig\r", b"\r\nbegin 644 x\r\n", b"x\rbeginning"]
)
def test_a_cr_in_ordinary_text_is_no_line_end(text: bytes) -> None:
    raw = b"Subject: x\n\n" + text
    assert seen(raw) == [text]
    assert defects(parse(raw)) == ()


# ---- an entity where none should be


@pytest.mark.parametrize("blank", [b"", b"\n", b" \n\t\n", b"\n\n\n"])
def test_an_empty_line_before_a_header(blank: bytes, eicar: bytes) -> None:
    entity = blank + b"X: y\nContent-Transfer-Encoding: base64\n\n" + base64.encodebytes(eicar)
    assert is_seen(b"\n" + entity, eicar)
    assert is_seen(b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\n" + entity + b"\n--b--\n", eicar)
    assert is_seen(b"From x@y Mon Jan 1\n\n" + entity, eicar)
    multipart = b"Content-Type: multipart/mixed; boundary=b\n\n--b\n" + entity + b"\n--b--\n"
    assert multipart in seen(b"\n" + blank + multipart)


def test_text_without_a_header_has_one_reading() -> None:
    assert seen(b"\nDear all:\n\nThe text.\n") == [b"Dear all:\n\nThe text.\n"]
    assert seen(b"\nContent-Type: text/html\n\n<p>") == [b"Content-Type: text/html\n\n<p>"]


@pytest.mark.parametrize(
    "subtype", ["external-body", "delivery-status", "disposition-notification", "feedback-report", "global-headers"]
)
def test_a_message_in_what_should_be_fields(subtype: str, eicar: bytes) -> None:
    entity = b"Content-Transfer-Encoding: base64\n\n" + base64.encodebytes(eicar)
    assert is_seen(f"Content-Type: message/{subtype}\n\n".encode() + entity, eicar)
    fields = b"Reporting-MTA: dns; x\n\nFinal-Recipient: rfc822; y\n"
    raw = f"Content-Type: message/{subtype}\n\n".encode() + fields
    assert seen(raw) == [fields]
    assert not is_ambiguous(raw)


# ---- anything

PIECES = (
    b"Content-Transfer-Encoding: |Content-Type: |message/news|message/delivery-status|multipart/mixed; boundary=b|base64"
    b"|quoted-printable|x-uuencode|x-yencode|utf-8|(|)| |,|\n|\n\n|\r|\r\n|\n--b\n|\r--b\r|\n--b--|=|==|=\r|= \n|=3D|QUJD|QU=A"
    b"|Q|begin 6 a\n|begin |#0V%T\n|M\n|end\n|=ybegin \n|=ypart \n|=yend\n|\xff|\0|From: |=?us-ascii?q?|?="
)
HOSTILE = st.lists(st.sampled_from(PIECES.split(b"|")), max_size=40).map(b"".join)
LABELS = st.lists(st.sampled_from([*BASE64_LABELS.split("|"), "x-uuencode", "x-yencode"]), max_size=4).map(" ".join)


def bodies() -> Iterator[st.SearchStrategy[bytes]]:
    yield st.binary()
    yield HOSTILE
    yield st.builds(labelled, LABELS, HOSTILE)
    yield st.builds(lambda octets: b"Content-Type: multipart/mixed; boundary=b\n" + labelled("qp", octets), HOSTILE)


@settings(max_examples=500)
@given(st.one_of(*bodies()))
def test_readings_are_total_distinct_and_few(raw: bytes) -> None:
    for part in walk(parse(raw)):
        contents = list(part.readings())
        assert contents[0] == part.decoded()
        assert len(set(contents)) == len(contents) <= readings.MOST


HUGE = {
    "pads": (b"base64", b"QQ="),
    "lone pads": (b"base64", b"="),
    "short lines": (b"base64", b"Q\n"),
    "soft breaks": (b"quoted-printable", b"=\r"),
    "blanks": (b"quoted-printable", b"= "),
    "equals": (b"quoted-printable", b"==58"),
    "uuencoded": (b"x-uuencode", b"#x\n"),
    "begins": (b"x-uuencode", b"begin 6 "),
    "yEnc": (b"x-yencode", b"=ybegin x\n=ypart x"),
    "escapes": (b"x-yencode", b"=ybegin x\n="),
    "CRs": (b"x", b"\r"),
    "fields behind CR": (b"8bit", b"\rcontent-x"),
    "unknown": (b"x", b"=\r=\n"),
    "many": (b"x base64 quoted-printable", b"=Q\r="),
    "blank lines": (b"", b"\n"),
}


@pytest.mark.parametrize("shape", HUGE)
def test_hostile_sizes_take_linear_time(shape: str) -> None:
    label, unit = HUGE[shape]
    head = b"Content-Transfer-Encoding: " + label + b"\n\n" if label else b"\n"

    def read(size: int) -> None:
        for _ in parse(head + unit * (size // len(unit))).readings():
            pass

    assert_linear(read, 1 << 16)


@pytest.mark.parametrize("unit", ["(", "base64 ", "x-", "=?us-ascii?q?base64?= ", "\u00a0", '"(', "()"])
def test_hostile_labels_take_linear_time(unit: str) -> None:
    def read(size: int) -> None:
        for _ in parse(labelled(unit * (size // len(unit)), b"QUJD")).readings():
            pass

    assert_linear(read, 1 << 15)
