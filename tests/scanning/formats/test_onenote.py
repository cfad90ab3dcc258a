"""onenote: the files within a section."""

from __future__ import annotations

import io
import struct
import zipfile

import pytest
from support.unpacked import unpacked

from sieveav.scanning.formats.onenote import FILE, KEY, KEY_END, ONE, STORE, TOC
from sieveav.verdict import Status

CONTENT = b"what is hidden in here, " * 20


def section(*parts: bytes, kind: bytes = ONE, store: bytes = STORE) -> bytes:
    """[MS-ONESTORE] 2.3.1: the header of 1024 octets, then `parts`."""
    return (kind + bytes(32) + store).ljust(1024, b"\0") + b"".join(parts) + bytes(90)


def stored(content: bytes, size: int | None = None) -> bytes:
    """[MS-ONESTORE] 2.6.13."""
    return FILE + struct.pack("<Q12x", len(content) if size is None else size) + content + bytes(-len(content) % 8)


def zipped(content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.exe", content)
    return file.getvalue()


@pytest.mark.parametrize("kind", [ONE, TOC])
def test_what_is_found(kind: bytes) -> None:
    result = unpacked(section(stored(b"\x89PNG"), bytes(7), stored(CONTENT), stored(zipped(CONTENT)), kind=kind))
    assert result.layers["file 2"] == CONTENT
    assert result.layers["file 3/a.exe"] == CONTENT
    assert result.obstacles == []


def test_an_ordinary_section() -> None:
    assert unpacked(section()) == ({}, [])


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (section(KEY + bytes(30) + KEY_END), Status.ENCRYPTED),
        (section(store=bytes(16)), Status.UNSCANNABLE),
        (section(stored(CONTENT, 2**63)), Status.UNSCANNABLE),
        (section(stored(CONTENT))[:1200], Status.UNSCANNABLE),
        (section(stored(b""))[:1044], Status.UNSCANNABLE),
        (section(stored(CONTENT, 2**63) * 2000), Status.LIMITS),
        (section(stored(b"") * 11_000), Status.LIMITS),
    ],
)
def test_what_is_reported(data: bytes, status: Status) -> None:
    assert status in unpacked(data).statuses


def test_what_is_left_of_a_file_is_found() -> None:
    assert unpacked(section(stored(CONTENT))[:1200]).layers["file 1"] == CONTENT[: 1200 - 1024 - 36]


def test_a_key_without_an_end() -> None:
    assert unpacked(section(KEY_END, KEY)).obstacles == []


def test_truncated_anywhere() -> None:
    data = section(stored(CONTENT), KEY, KEY_END)
    for end in range(len(data)):
        unpacked(data[:end])
