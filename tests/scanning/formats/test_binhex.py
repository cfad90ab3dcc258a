"""binhex: the forks of a Macintosh file."""

from __future__ import annotations

import binascii
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sieveav.scanning.contract import Deadline
from sieveav.scanning.formats import binhex
from sieveav.scanning.layers import Budget, Layer, Obstacle
from sieveav.scanning.unpacking import unpack
from sieveav.verdict import Status

BEGIN = b"(This file must be converted with BinHex 4.0)\r\n\r\n:"
TO_HQX = bytes.maketrans(binhex._BASE64, binhex._ALPHABET)


def packed(octets: bytes) -> bytes:
    """With a run for every octet that is repeated."""
    out = b""
    at = 0
    while at < len(octets):
        octet, count = octets[at : at + 1], 1
        while count < 255 and octets[at + count : at + count + 1] == octet:
            count += 1
        escaped = b"\x90\0" if octet == b"\x90" else octet
        out += escaped + bytes([0x90, count]) if count > 1 else escaped
        at += count
    return out


def encoded(data: bytes, resources: bytes = b"", name: bytes = b"a b") -> bytes:
    header = bytes([len(name)]) + name + struct.pack(">B4s4sHLL", 0, b"TEXT", b"ttxt", 0, len(data), len(resources))
    octets = packed(header + b"cc" + data + b"cc" + resources + b"cc")
    characters = binascii.b2a_base64(octets, newline=False).rstrip(b"=").translate(TO_HQX)
    lines = [characters[at : at + 64] for at in range(0, len(characters), 64)]
    return BEGIN + b"\r\n".join(lines) + b":\r\n"


def opened(text: bytes) -> tuple[list[Layer], list[Obstacle]]:
    items = list(unpack((Layer("x", text),), Budget(Deadline.after(60))))[1:]
    return [item for item in items if isinstance(item, Layer)], [item for item in items if isinstance(item, Obstacle)]


@given(st.binary(), st.binary(), st.binary(max_size=63))
def test_both_forks(data: bytes, resources: bytes, name: bytes) -> None:
    data, resources = b"\xff" + data + bytes(300) + b"\x90" * 500, b"\xff" + resources  # neither begins an archive
    layers, obstacles = opened(b"Hello,\n\n" + encoded(data, resources, name) + b"\nbye")
    assert [layer.data for layer in layers[:1]] == [data]
    assert resources in [layer.data for layer in layers]
    assert layers[0].name == f"x/{name.decode('ascii', 'replace')}"
    assert obstacles == []


def test_two_files() -> None:
    assert [layer.data for layer in opened(encoded(b"one") + encoded(b"two"))[0]] == [b"one", b"", b"two", b""]


def test_truncated_at_any_place() -> None:
    text = encoded(b"hello " * 20, b"resources")
    for end in range(len(BEGIN), len(text) - 3):
        assert {each.status for each in opened(text[:end])[1]} == {Status.UNSCANNABLE}, end


def test_a_run_of_everything_is_bounded() -> None:
    header = b"\1a" + struct.pack(">B4s4sHLL", 0, b"", b"", 0, 2**32 - 1, 0) + b"cca"
    characters = binascii.b2a_base64(header + b"\x90\xff" * 1_000_000).translate(TO_HQX, b"\n")
    assert Status.LIMITS in {each.status for each in opened(BEGIN + characters + b":")[1]}


@pytest.mark.parametrize(
    "text", [b"(This file must be converted with BinHex 4.0) is what it says.", b":abc:", BEGIN[:-1]]
)
def test_text_that_has_none(text: bytes) -> None:
    assert opened(text) == ([], [])
