"""pgp: an encrypted message is reported, a signed one is opened, and nothing is said about keys, signatures or other octets."""

from __future__ import annotations

import base64
import bz2
import random
import zlib
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from support.unpacked import damaged, unpacked

from sieveav.scanning.contract import Content, Deadline
from sieveav.scanning.layers import Budget, Layer
from sieveav.scanning.unpacking import layers
from sieveav.verdict import Status

CONTENT = b"what is hidden in here, " * 60
MESSAGE = b"Content-Type: application/x; name=a.txt\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(
    CONTENT
)


def new(kind: int, body: bytes, size: int = 0) -> bytes:
    """A packet in the new format; in pieces of 2**size octets."""
    packet = bytes((0xC0 | kind,))
    while size and len(body) > 1 << size:
        packet, body = packet + bytes((0xE0 | size,)) + body[: 1 << size], body[1 << size :]
    if len(body) < 192:
        return packet + bytes((len(body),)) + body
    if len(body) < 8384:
        return packet + bytes((192 + (len(body) - 192 >> 8), len(body) - 192 & 0xFF)) + body
    return packet + b"\xff" + len(body).to_bytes(4, "big") + body


def old(kind: int, body: bytes, size: int = 2) -> bytes:
    """A packet in the old format, with a length of 2**size octets; 3: none."""
    length = len(body).to_bytes(1 << size, "big") if size < 3 else b""
    return bytes((0x80 | kind << 2 | size,)) + length + body


def literal(content: bytes, name: bytes = b"a.txt") -> bytes:
    return b"b" + bytes((len(name),)) + name + b"date" + content


RANDOM = random.Random(1).randbytes(600)
ONE_PASS = old(4, b"\3\0\x0a\1" + bytes(8) + b"\1", 0)
SIGNATURE = old(2, b"\4\0\1\x0a" + bytes(300), 1)
FOR_RECIPIENT, FOR_PASSWORD = old(1, b"\3" + bytes(8) + b"\1" + RANDOM[:260], 1), old(3, b"\4\x09\3\2" + bytes(9), 0)
PROTECTED = new(18, b"\1" + RANDOM)


def raw_deflate(data: bytes) -> bytes:
    return zlib.compress(data, wbits=-15)


def armour(octets: bytes, headers: bytes = b"Version: 1\nComment: a/b: c\n") -> bytes:
    checksum = b"=" + base64.b64encode(b"crc")
    text = b"-----BEGIN PGP MESSAGE-----\n" + headers + b"\n" + base64.encodebytes(octets)
    return b"Hello,\n\n" + text + checksum + b"\n-----END PGP MESSAGE-----\nbye\n"


FORMS: dict[str, Callable[[bytes], bytes]] = {
    "new": lambda content: new(11, literal(content)),
    "in pieces": lambda content: new(11, literal(content), 7),
    "old": lambda content: old(11, literal(content)),
    "signed": lambda content: ONE_PASS + new(11, literal(content)) + SIGNATURE,
    "signed, as PGP 2 does": lambda content: SIGNATURE + old(11, literal(content)),
    "a marker": lambda content: old(10, b"PGP", 0) + new(11, literal(content)),
    "not compressed": lambda content: new(8, b"\0" + new(11, literal(content))),
    "ZIP": lambda content: old(8, b"\1" + raw_deflate(ONE_PASS + new(11, literal(content)) + SIGNATURE), 3),
    "ZIP in pieces": lambda content: new(
        8, b"\1" + raw_deflate(new(2, b"\4\0\1\x0a" + RANDOM) + new(11, literal(content))), 7
    ),
    "ZLIB": lambda content: new(8, b"\2" + zlib.compress(new(11, literal(content)))),
    "BZip2": lambda content: old(8, b"\3" + bz2.compress(old(11, literal(content)))),
    "compressed twice": lambda content: new(
        8, b"\1" + raw_deflate(new(8, b"\2" + zlib.compress(old(11, literal(content)))))
    ),
    "padding within": lambda content: new(
        8, b"\1" + raw_deflate(old(10, b"PGP", 0) + new(21, RANDOM) + new(11, literal(content)))
    ),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("around", [bytes, armour, lambda octets: armour(octets, b"").replace(b"\n", b"\r\n")])
def test_a_message_is_opened(form: str, around: Callable[[bytes], bytes]) -> None:
    for content, name in ((CONTENT, "a.txt"), (MESSAGE, "a.txt.eml/a.txt")):
        result = unpacked(around(FORMS[form](content)))
        assert CONTENT in [data for each, data in result.layers.items() if each.endswith(name)]
        assert result.obstacles == []


@pytest.mark.parametrize(
    ("name", "path"), [(b"", "b.exe"), (b"_CONSOLE", "_CONSOLE"), ("ä.exe".encode(), "ä.exe"), (b"\xff", "\ufffd")]
)
def test_a_name(name: bytes, path: str) -> None:
    assert unpacked(new(11, literal(CONTENT, name)), "x/b.exe.GPG").layers == {path: CONTENT}


def test_a_file_that_is_named_as_a_message() -> None:
    """It need not look like one."""
    assert unpacked(new(21, RANDOM) + new(11, literal(CONTENT)), "x.pgp").layers == {"a.txt": CONTENT}


def test_armour_in_html() -> None:
    html = b'<html><body><pre class="x">' + armour(FOR_RECIPIENT + PROTECTED).removeprefix(b"Hello,\n\n")
    assert unpacked(html).statuses == {Status.ENCRYPTED}


def test_two_messages_in_a_text() -> None:
    broken = armour(new(11, literal(b"one", b"1"))[:-1])
    assert unpacked(broken + armour(new(11, literal(b"two", b"2")))).layers == {"1": b"on", "2": b"two"}
    text = armour(new(11, literal(b"one", b"1"))) + armour(new(11, literal(b"two", b"2")))
    assert unpacked(text).layers == {"1": b"one", "2": b"two"}


@pytest.mark.parametrize(
    "octets",
    [
        FOR_RECIPIENT + PROTECTED,
        FOR_RECIPIENT + FOR_RECIPIENT + FOR_PASSWORD + PROTECTED,
        FOR_PASSWORD + PROTECTED,
        FOR_PASSWORD + new(9, RANDOM),
        new(1, b"\6\x21\6" + RANDOM) + new(18, b"\2\x09\2" + RANDOM),
        new(3, b"\5\x09\2\3" + bytes(40)) + new(20, b"\1\x09\2" + RANDOM),
        new(1, b"\3" + bytes(8) + b"\x19" + bytes(60)) + new(18, b"\1" + RANDOM * 20, 9),
        PROTECTED,
        (FOR_RECIPIENT + PROTECTED)[:-100],
        new(8, b"\1" + raw_deflate(FOR_RECIPIENT + PROTECTED)),
    ],
)
def test_what_is_encrypted(octets: bytes) -> None:
    assert len(unpacked(octets).obstacles) == 1
    for data in (octets, armour(octets), armour(octets).rpartition(b"\n=")[0], armour(octets).replace(b"\n", b"\r")):
        assert unpacked(data).statuses == {Status.ENCRYPTED}


def test_pgp_mime() -> None:
    raw = (
        b'Content-Type: multipart/encrypted; protocol="application/pgp-encrypted"; boundary=b\n\n'
        b"--b\nContent-Type: application/pgp-encrypted\n\nVersion: 1\n\n"
        b"--b\nContent-Type: application/octet-stream; name=encrypted.asc\n\n"
        + armour(FOR_RECIPIENT + PROTECTED)
        + b"--b--\n"
    )
    items = list(layers(Content(raw), Budget(Deadline.after(60))))
    assert {each.status for each in items if not isinstance(each, Layer)} == {Status.ENCRYPTED}


KEYS = new(6, b"\4date\1" + RANDOM) + new(13, b"A <a@example.com>") + SIGNATURE

ORDINARY = {
    "keys": KEYS,
    "a key in armour": armour(KEYS).replace(b"MESSAGE", b"PUBLIC KEY BLOCK"),
    "keys as a message": armour(KEYS),
    "a signature": SIGNATURE,
    "two signatures": SIGNATURE * 2,
    "a signature in armour": armour(SIGNATURE).replace(b"MESSAGE", b"SIGNATURE"),
    "a signature as a message": armour(SIGNATURE),
    "a clear-signed text": b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nhi\n"
    + armour(SIGNATURE).replace(b"MESSAGE", b"SIGNATURE"),
    "a quotation": armour(FOR_RECIPIENT + PROTECTED).replace(b"\n", b"\n> "),
    "a quotation without blanks": armour(FOR_RECIPIENT + PROTECTED).replace(b"\n", b"\n>"),
    "talk of it": b'It has to begin with\n-----BEGIN PGP MESSAGE-----\nand then "Version: 1", or so.\n',
    "an ellipsis": b"-----BEGIN PGP MESSAGE-----\n\n[...]\n\n-----END PGP MESSAGE-----\n",
    "only the line": b"-----BEGIN PGP MESSAGE-----",
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(100),
    "a placeholder": b"-----BEGIN PGP MESSAGE-----\n\nyes, it goes here\n\n-----END PGP MESSAGE-----\n",
    "begins like compressed data": old(8, b"\1" + RANDOM, 3),
    "begins like compressed data that contain a packet": new(8, b"\0" + new(9, RANDOM[:18])),
    "begins like a literal packet": old(11, b"b" + RANDOM, 3),
    "begins like a key": FOR_PASSWORD + b"text",
    "padding": new(21, RANDOM) + new(11, literal(CONTENT)),
    "one octet": b"\xc9",
    "a length that fits by chance": new(9, RANDOM[:18]),
}


@pytest.mark.parametrize("what", ORDINARY)
def test_what_is_not_a_message(what: str) -> None:
    result = unpacked(ORDINARY[what])
    assert result.obstacles == []
    assert result.layers == {}


@pytest.mark.parametrize("first", range(128, 256))
def test_other_octets_are_not_a_message(first: int) -> None:
    source = random.Random(first)
    for second in range(0, 256, 7):
        data = bytes((first, second)) + source.randbytes(source.choice((3, 300)))
        assert unpacked(data, "x.bin").statuses <= {Status.UNSCANNABLE} - {Status.ENCRYPTED}


# ---- hostile


@pytest.mark.parametrize("form", FORMS)
def test_truncated_anywhere(form: str) -> None:
    """Nothing of the content is missing without a word."""
    whole = FORMS[form](random.Random(2).randbytes(200))
    content = list(unpacked(whole).layers.values())[-1]
    for end in range(1, len(whole)):
        for result in (unpacked(whole[:end]), unpacked(armour(whole[:end]))):
            assert result.statuses <= {Status.UNSCANNABLE}
            assert result.obstacles or not result.layers or content in result.layers.values()


def test_what_is_before_a_fault_is_scanned() -> None:
    packet = new(11, literal(CONTENT))
    for octets in (
        packet,
        new(11, literal(CONTENT), 9),
        new(8, b"\0" + packet),
        new(8, b"\1" + zlib.compress(packet, 0)[2:-4]),
    ):
        result = unpacked(armour(octets[:-30]))
        assert result.statuses == {Status.UNSCANNABLE}
        assert CONTENT[:1200] in result.layers.popitem()[1]


def test_bombs() -> None:
    assert unpacked(new(8, b"\1" + raw_deflate(new(11, literal(bytes(60_000_000)))))).statuses == {Status.LIMITS}
    octets = new(11, literal(CONTENT))
    for _ in range(20):
        octets = new(8, b"\1" + raw_deflate(octets))
    assert unpacked(octets).statuses == {Status.LIMITS}


def test_a_body_in_very_many_pieces() -> None:
    octets = b"\xcb" + b"\xe0b" * 200_000 + b"\0"
    assert unpacked(armour(octets)).statuses == {Status.UNSCANNABLE}


@pytest.mark.parametrize(
    "line", [b"-----BEGIN PGP MESSAGE-----\n", b"a:", b"=", b"\n", b"-----BEGIN PGP MESSAGE-----\na"]
)
def test_many_lines(line: bytes) -> None:
    budget = Budget(Deadline.after(60))
    unpacked(b"-----BEGIN PGP MESSAGE-----\n" + line * 100_000, budget=budget)
    assert budget.deadline.left() > 50


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=300)
@given(damaged([form(MESSAGE) for form in FORMS.values()], 1000, 6))
def test_damage_raises_nothing(octets: bytes) -> None:
    unpacked(octets)
    unpacked(armour(octets))
