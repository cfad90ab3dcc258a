"""smime: what is signed is found, what is encrypted is reported, and nothing is said about certificates."""

from __future__ import annotations

import base64
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

CONTENT = b"what is hidden in here, " * 20
MESSAGE = b"Content-Type: application/x; name=a.txt\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(
    CONTENT
)

PKCS7, SMIME = bytes.fromhex("2a864886f70d0107"), bytes.fromhex("2a864886f70d01091001")
DATA, SIGNED, ENVELOPED, SIGNED_ENVELOPED, DIGESTED, ENCRYPTED = (PKCS7 + bytes((number,)) for number in range(1, 7))
AUTHENTICATED, COMPRESSED, AUTH_ENVELOPED = (SMIME + bytes((number,)) for number in (2, 9, 23))


def ber(tag: int, *parts: bytes, states: bool = True) -> bytes:
    """An element; its length is stated or not."""
    body = b"".join(parts)
    if not states:
        return bytes((tag, 0x80)) + body + b"\0\0"
    if len(body) < 0x80:
        return bytes((tag, len(body))) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 + len(length))) + length + body


def identifier(kind: bytes) -> bytes:
    return ber(0x06, kind)


VERSION, ALGORITHM = ber(0x02, b"\1"), ber(0x30, identifier(b"\x60\x86\x48\1"), ber(0x05))
CERTIFICATES, SIGNERS = ber(0xA0, ber(0x04, bytes(700))), ber(0x31, bytes(300))


def string(content: bytes, size: int = 0, states: bool = True) -> bytes:
    """An OCTET STRING, in pieces of that size."""
    if not size:
        return ber(0x04, content)
    pieces = (ber(0x04, content[at : at + size]) for at in range(0, len(content), size))
    return ber(0x24, *pieces, states=states)


def cms(kind: bytes, *fields: bytes, states: bool = True) -> bytes:
    return ber(0x30, identifier(kind), ber(0xA0, ber(0x30, *fields, states=states), states=states), states=states)


def signed(*content: bytes, kind: bytes = DATA, states: bool = True) -> bytes:
    """Signed data with this content, which is an element, or with none."""
    inner = ber(0x30, identifier(kind), *(ber(0xA0, each, states=states) for each in content if content), states=states)
    algorithms = ber(0x31, ALGORITHM, states=states)
    return cms(SIGNED, VERSION, algorithms, inner, CERTIFICATES, SIGNERS, states=states)


def compressed(content: bytes) -> bytes:
    inner = ber(0x30, identifier(DATA), ber(0xA0, string(zlib.compress(content), 100, states=False)))
    return cms(COMPRESSED, VERSION, ALGORITHM, inner)


def with_fields(kind: bytes, *fields: bytes) -> Callable[[bytes], bytes]:
    return lambda content: cms(kind, *fields, ber(0x30, identifier(DATA), ber(0xA0, string(content))))


FORMS: dict[str, Callable[[bytes], bytes]] = {
    "DER": lambda content: signed(string(content)),
    "BER": lambda content: signed(string(content, 7, states=False), states=False),
    "pieces with a length": lambda content: signed(string(content, 7)),
    "pieces in pieces": lambda content: signed(
        ber(0x24, string(content[:50], 9, states=False), string(content[50:]), states=False)
    ),
    "a length of its own form": lambda content: signed(string(content)).replace(
        b"\x06\x09" + SIGNED, b"\x06\x81\x09" + SIGNED
    ),
    "signed within signed": lambda content: signed(string(signed(string(content))), kind=DATA),
    "signed within signed, without its type": lambda content: signed(
        string(ber(0x30, VERSION, ber(0x31), ber(0x30, identifier(DATA), ber(0xA0, string(content))))), kind=SIGNED
    ),
    "data": lambda content: ber(0x30, identifier(DATA), ber(0xA0, string(content))),
    "digested": with_fields(DIGESTED, VERSION, ALGORITHM),
    "authenticated": with_fields(AUTHENTICATED, VERSION, ber(0x31, bytes(90)), ALGORITHM, ber(0xA1, bytes(9))),
    "compressed": compressed,
    "PEM, CMS": lambda content: b"-----BEGIN CMS-----\n" + base64.encodebytes(signed(string(content))),
    "PEM": lambda content: (
        b"Hello,\r\n-----BEGIN PKCS7-----\r\n"
        + base64.encodebytes(signed(string(content))).replace(b"\n", b"\r\n")
        + b"-----END PKCS7-----\r\n"
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_signed_message_is_opened(form: str) -> None:
    result = unpacked(FORMS[form](MESSAGE), "smime.p7m")
    assert CONTENT in [data for name, data in result.layers.items() if name.endswith(".eml/a.txt")]
    assert result.obstacles == []


@pytest.mark.parametrize("form", sorted(set(FORMS) - {"a length of its own form"}))
@pytest.mark.parametrize(
    "content", [CONTENT, b"%PDF-1.7\r\n" + CONTENT, b"<?xml version='1.0'?>\n<a/>\n\nContent-Type: x"]
)
def test_a_signed_file_is_not_opened_as_a_message(form: str, content: bytes) -> None:
    result = unpacked(FORMS[form](content), "x/a.pdf.p7m")
    assert content in result.layers.values()
    assert not any(".eml" in name for name in result.layers)
    assert result.obstacles == []


@pytest.mark.parametrize("before", [b"", b"\r\n", b"junk\r\n", b"\n\n"])
def test_lines_before_the_fields(before: bytes) -> None:
    result = unpacked(signed(string(before + MESSAGE)))
    assert CONTENT in result.layers.values() or result.statuses == {Status.UNSCANNABLE}


def test_a_name() -> None:
    assert unpacked(signed(string(CONTENT)), "x/a.pdf.P7M").layers == {"a.pdf": CONTENT}
    assert unpacked(signed(string(CONTENT)), "x").layers == {"content": CONTENT}


def test_what_is_signed_is_not_seen_by_other_scanners() -> None:
    message = b"Content-Type: application/pkcs7-mime\nContent-Transfer-Encoding: base64\n\n"
    raw = message + base64.encodebytes(signed(string(MESSAGE)))
    found = [each for each in layers(Content(raw), Budget(Deadline.after(60))) if isinstance(each, Layer)]
    assert [each.unusual for each in found] == [False, False, True, True]
    assert found[-1].data == CONTENT


@pytest.mark.parametrize(
    "data",
    [
        *(cms(kind, VERSION, bytes(90)) for kind in (ENVELOPED, SIGNED_ENVELOPED, ENCRYPTED, AUTH_ENVELOPED)),
        cms(ENVELOPED, VERSION, bytes(90), states=False),
        cms(ENVELOPED, VERSION, bytes(90))[:30],
        signed(string(cms(ENVELOPED, VERSION))),
        signed(string(ber(0x30, VERSION)), kind=ENVELOPED),
        compressed(cms(ENVELOPED, VERSION)),
    ],
)
def test_what_is_encrypted(data: bytes) -> None:
    assert unpacked(data).statuses == {Status.ENCRYPTED}


@pytest.mark.parametrize(
    "data",
    [
        signed(),
        signed(states=False),
        signed()[:100],
        cms(SIGNED, VERSION, ber(0x31), ber(0x30, identifier(DATA)), CERTIFICATES, ber(0x31)),
        ber(0x30, identifier(SIGNED)),
        ber(0x30, VERSION, cms(ENCRYPTED, VERSION)),  # PKCS#12
        ber(0x30, ber(0x30, VERSION, ALGORITHM), ALGORITHM),  # a certificate
        b"0",
        b"0\x80",
        b"0\xff\x06",
        b"0 files were found",
        b"-----BEGIN PKCS7-----",
    ],
)
def test_what_has_no_content(data: bytes) -> None:
    result = unpacked(data)
    assert result.obstacles == []
    assert not any(result.layers.values())


def test_a_content_that_is_no_string() -> None:
    """A security catalogue, for one. PKCS#7 1.5."""
    content = ber(0x30, ber(0x04, CONTENT))
    assert unpacked(signed(content, kind=b"\x2b\6\1"), "a.cat").layers == {"content": content}


# ---- hostile


@pytest.mark.parametrize("form", sorted(set(FORMS) - {"PEM", "PEM, CMS"}))
def test_truncated_anywhere(form: str) -> None:
    """Nothing of the content is missing without a word."""
    whole = FORMS[form](random.Random(1).randbytes(400))
    content = [data for data in unpacked(whole).layers.values() if not data.startswith(b"0")][-1]
    for end in range(25, len(whole)):
        result = unpacked(whole[:end])
        assert result.statuses <= {Status.UNSCANNABLE}
        assert result.obstacles or not result.layers or content in result.layers.values()


def test_what_is_before_a_fault_is_scanned() -> None:
    result = unpacked(signed(string(CONTENT))[:300])
    assert result.statuses == {Status.UNSCANNABLE}
    assert CONTENT[:200] in result.layers["content"]


def test_a_bomb() -> None:
    assert Status.LIMITS in unpacked(compressed(bytes(60_000_000))).statuses


ENDLESS = {
    "empty pieces": b"\x04\0" * 500_000,
    "empty strings": b"\x24\0" * 500_000,
    "strings in strings": b"\x24\x80" * 500_000,
}


@pytest.mark.parametrize("shape", ENDLESS)
def test_the_deadline_is_checked_among_pieces(shape: str) -> None:
    class Checks(Budget):
        checks = 0

        def check(self, unpacked: int = 0, total: int = 0, packed: int = 0) -> bool:
            self.checks += 1
            return super().check(unpacked, total, packed)

    budget = Checks(Deadline.after(60))
    result = unpacked(signed(ber(0x24, ENDLESS[shape], states=False)), budget=budget)
    assert budget.checks >= 100 or result.statuses == {Status.UNSCANNABLE}


@pytest.mark.parametrize("shape", ENDLESS)
def test_elements_before_the_content_are_bounded(shape: str) -> None:
    data = cms(SIGNED, ber(0x31, ENDLESS[shape], states=False), states=False)
    budget = Budget(Deadline.after(60))
    assert unpacked(data, budget=budget).statuses == {Status.UNSCANNABLE}
    assert budget.deadline.left() > 50


def test_more_than_allowed() -> None:
    nested = string(MESSAGE)
    for _ in range(200):
        nested = ber(0x24, nested)
    inner = ber(0x30, identifier(DATA), ber(0xA0, string(MESSAGE)))
    many = ber(0x31, ALGORITHM * 20_000, states=False)
    for data in (signed(nested), cms(SIGNED, VERSION, many, inner), cms(SIGNED, *[VERSION] * 20, inner)):
        assert unpacked(data).statuses == {Status.UNSCANNABLE}


def test_deeper_than_allowed() -> None:
    data = MESSAGE
    for _ in range(20):
        data = signed(string(data))
    assert unpacked(data).statuses == {Status.LIMITS}


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=300)
@given(damaged([form(MESSAGE) for form in FORMS.values()], 1000, 6))
def test_damage_raises_nothing(octets: bytes) -> None:
    unpacked(octets)
