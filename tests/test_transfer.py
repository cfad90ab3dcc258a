"""Transfer encodings: lenient decoders, and encoders whose output they decode."""

from __future__ import annotations

import base64
import binascii

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.timing import assert_linear

from sieveav import transfer
from sieveav.mime import Part, parse
from sieveav.transfer import DECODERS, ENCODERS

# ---- decoders


def encoded(encoding: str, body: bytes) -> Part:
    return parse(f"Content-Transfer-Encoding: {encoding}\r\n\r\n".encode() + body)


@pytest.mark.parametrize(
    ("encoding", "body", "octets"),
    [
        ("base64", b"QUJ\r\nD!*", b"ABC"),
        ("base64", b"QUI", b"AB"),
        ("base64", b"QUI=QUI=", b"ABAB"),
        ("base64", b"Q", b""),
        ("quoted-printable", b"a=3Db=\r\nc \t\r\nd= \r\ne=zz=", b"a=bc\r\nde=zz"),
        ("x-uuencode", b"x\nbegin 644 a.b\n#0V%T\n`\nend\nrest", b"Cat"),
        ("uuencode", b"no beginning", b"no beginning"),
        ("x-unheard", b"QUJD", b"QUJD"),
        ("8bit", b"\xff\0", b"\xff\0"),
    ],
)
def test_transfer_encodings(encoding: str, body: bytes, octets: bytes) -> None:
    assert encoded(encoding, body).decoded() == octets


@given(st.binary())
def test_base64_round_trip(octets: bytes) -> None:
    part = encoded("base64", base64.encodebytes(octets))
    assert part.decoded() == octets
    assert part.defects == ()


@pytest.mark.parametrize("rubbish", [b"", b" ", b"x", b"xyz"])
def test_rubbish_after_a_uuencoded_line_hides_nothing(rubbish: bytes) -> None:
    line = binascii.b2a_uu(b"what a reader shows").rstrip(b"\n")
    raw = b"Content-Transfer-Encoding: x-uuencode\n\nbegin 644 a\n" + line + rubbish + b"\n`\nend\n"
    assert parse(raw).decoded() == b"what a reader shows"


# ---- other readings of an encoding

ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
CODES = st.text("AQz+/===\n*").map(str.encode)


def groups_one_by_one(body: bytes) -> bytes:
    """base64 in groups of four, the `=` of a group being zeros of which none is given."""
    data = bytes(octet for octet in body if octet in ALPHABET + b"=")
    out = b""
    for at in range(0, len(data), 4):
        group = data[at : at + 4].ljust(4, b"=")
        out += base64.b64decode(group.replace(b"=", b"A"))[: max(0, 3 - group.count(b"="))]
    return out


def octet_by_octet(body: bytes) -> bytes:
    """base64 as decoders read it that skip an `=` unless it completes a group, and stop there."""
    characters, pads = b"", 0
    for octet in body:
        if octet == 61:
            pads += 1
            if len(characters) % 4 >= 2 and len(characters) % 4 + pads >= 4:
                break
        elif octet in ALPHABET:
            characters, pads = characters + bytes([octet]), 0
    return DECODERS["base64"](characters)


@given(CODES)
def test_paddings_amid_base64(body: bytes) -> None:
    assert transfer.groups_of_base64(body) == groups_one_by_one(body)
    assert transfer.base64_to_padding(body) == octet_by_octet(body)
    assert transfer.base64_without_padding(body) == DECODERS["base64"](body.replace(b"=", b"*"))
    lines = [DECODERS["base64"](line) for line in body.split(b"\n")]
    assert transfer.runs_of_base64(body) == b"".join(lines)


@given(st.binary(), st.binary(max_size=9))
def test_lenient_uuencode_gives_what_was_encoded(octets: bytes, rubbish: bytes) -> None:
    lines = [binascii.b2a_uu(octets[at : at + 45]) for at in range(0, len(octets), 45)]
    assert transfer.lenient_uu_lines(b"".join(lines) + b"`\nend\n" + rubbish) == octets
    transfer.lenient_uu_lines(rubbish + b"\n" + b"".join(lines))


def test_yenc_files() -> None:
    body = b"=ybegin line=9 name= a b\nk=n\r\n=yend\n=ybegin b\n=ypart c\n==\xff\n=yendless\n=yend\n=ybegin"
    first, second = transfer.yenc_files(body)
    assert first == ("a b", b"A\x04")
    assert second[0] == ""
    assert second[1][:2] == bytes([(61 - 64 - 42) % 256, 255 - 42])
    assert transfer.yenc_lines(b"") == b""
    assert transfer.yenc_lines(b"k=") == b"A"


# ---- encoders

OCTETS = st.one_of(
    st.binary(max_size=200),
    st.lists(
        st.sampled_from([b"-", b" ", b"\t", b"\r", b"\n", b"\r\n", b"=", b"=3D", b"a" * 30, b"\xff", b".", b"--b"]),
        max_size=60,
    ).map(b"".join),
)


@settings(max_examples=500)
@given(OCTETS, st.sampled_from([b"\n", b"\r\n"]), st.sampled_from(sorted(ENCODERS)))
def test_encoders_and_decoders_agree_and_no_line_can_be_a_boundary(content: bytes, newline: bytes, name: str) -> None:
    body = ENCODERS[name](content, newline)
    assert DECODERS[name](body) == content
    assert body.isascii()
    for line in body.split(newline):
        assert len(line) <= 76
        assert not line.startswith(b"-")


def test_every_decoder_has_an_encoder() -> None:
    assert ENCODERS.keys() == DECODERS.keys()


@pytest.mark.parametrize("name", sorted(ENCODERS))
@pytest.mark.parametrize("content", [b"a", b"\xff", b"-\n", b"\r", b" \n"])
def test_encoding_is_linear(name: str, content: bytes) -> None:
    assert_linear(lambda size: ENCODERS[name](content * size, b"\n"), 12_000)


REGULAR = st.builds(
    lambda octets, newline, cut: base64.encodebytes(octets).replace(b"\n", newline)[: cut or None],
    st.binary(max_size=300),
    st.sampled_from([b"\n", b"\r\n", b" \n"]),
    st.integers(0, 400),
)


@given(st.one_of(REGULAR, st.text("QUJD=\n\r !", max_size=40).map(str.encode)), st.integers(4, 80))
def test_regular_base64_is_what_all_decode_alike(body: bytes, piece: int) -> None:
    """In pieces of any size; what is not regular is left to others."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transfer, "_LARGE_PIECE", piece)
        octets = transfer.regular_base64(memoryview(body))
    if octets is None:
        return
    assert octets == DECODERS["base64"](body) == transfer.runs_of_base64(body) == transfer.base64_without_padding(body)
    assert not transfer.bad_base64(body)


@pytest.mark.parametrize("octets", [b"", b"a", b"ab", b"abc" * 100, bytes(3_000_000)])
def test_what_encoders_write_is_regular(octets: bytes) -> None:
    for newline in (b"\n", b"\r\n"):
        body = base64.encodebytes(octets).replace(b"\n", newline)
        assert transfer.regular_base64(memoryview(body)) == octets
        assert transfer.regular_base64(memoryview(body + newline)) == octets


@pytest.mark.parametrize(
    "body", [b"QUI", b"QUJD\nQ\nUJD\n", b"QQ==\nQUJD\n", b"QU=JD", b"QUJD!", b"QQ===", b"QUJ\nDQ==", b"="]
)
def test_what_some_decode_in_another_way_is_not_regular(body: bytes) -> None:
    assert transfer.regular_base64(memoryview(body)) is None
