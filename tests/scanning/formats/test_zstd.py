"""zstd: what is compressed in frames."""

from __future__ import annotations

import importlib
import struct
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.unpacked import unpacked

from sieveav.scanning import layers as bounds
from sieveav.verdict import Status

zstd = importlib.import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")

CONTENT = b"what is hidden in here, " * 20
FRAME: bytes = zstd.compress(CONTENT)


def skippable(size: int, body: bytes, octet: int = 0x50) -> bytes:
    """RFC 8878, 3.1.2."""
    return bytes((octet,)) + b"\x2a\x4d\x18" + struct.pack("<L", size) + body


@pytest.mark.parametrize(
    "data",
    [
        FRAME,
        zstd.compress(CONTENT[:9]) + zstd.compress(CONTENT[9:]),
        skippable(3, b"abc") + FRAME + skippable(0, b"", 0x5F),
        FRAME + bytes(9),
        zstd.compress(FRAME),
    ],
)
def test_what_is_found(data: bytes) -> None:
    result = unpacked(data)
    assert CONTENT in result.layers.values()
    assert result.obstacles == []


@pytest.mark.parametrize(
    ("name", "inner"),
    [("a.txt.zst", "a.txt"), ("a.TZST", "a.tar"), ("a.zstd. ", "a"), (".zst", "content"), ("a", "content")],
)
def test_the_name_of_the_content(name: str, inner: str) -> None:
    assert list(unpacked(FRAME, name).layers) == [inner]


@pytest.mark.parametrize(
    "data",
    [
        FRAME[:-1],
        FRAME[:4],
        FRAME + b"x",
        FRAME + FRAME[:9],
        skippable(9, b"abc"),
        skippable(2**32 - 1, FRAME),
        skippable(0, b"")[:6],
        skippable(3, b"abc") + b"\x04\x22\x4d\x18",
    ],
)
def test_what_cannot_be_read(data: bytes) -> None:
    """LZ4 begins with the same skippable frames."""
    assert unpacked(data).statuses == {Status.UNSCANNABLE}


def test_what_needs_much_memory() -> None:
    """RFC 8878, 3.1.1.1.2: a window of two to the power of 31."""
    assert unpacked(b"\x28\xb5\x2f\xfd\x00\xa8" + FRAME[6:]).statuses == {Status.LIMITS}


def test_a_bomb() -> None:
    result = unpacked(zstd.compress(bytes(60_000_000)))
    assert result.statuses == {Status.LIMITS}
    assert len(result.layers["content"]) <= bounds.RATIO_FROM + bounds.CHUNK


def test_a_flood_of_empty_frames() -> None:
    assert unpacked(zstd.compress(b"") * 20_000).obstacles == []


@given(st.integers(0, 10_000), st.binary(max_size=9))
def test_damage_raises_nothing(at: int, octets: bytes) -> None:
    at %= len(FRAME)
    assert unpacked(FRAME[:at] + octets + FRAME[at + len(octets) :]).statuses <= {Status.UNSCANNABLE, Status.LIMITS}
