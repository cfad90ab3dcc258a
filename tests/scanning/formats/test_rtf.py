"""rtf: the objects within a text."""

from __future__ import annotations

import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.documents import ole2_with_macro
from support.ole2 import ole2
from support.unpacked import unpacked

from sieveav.scanning import layers as bounds
from sieveav.scanning.contract import Deadline
from sieveav.scanning.formats.ole_object import MAGIC
from sieveav.scanning.layers import Budget
from sieveav.verdict import Status

CONTENT = b"what is hidden in here, " * 20


def text(*parts: bytes) -> bytes:
    """A document as Word writes it, with `parts`."""
    return (
        b"{\\rtf1\\ansi\\ansicpg1252\\deff0{\\fonttbl{\\f0\\froman\\fcharset0{\\*\\panose 02020603050405020304}Times;}}\r\n"
        b"{\\colortbl;\\red0\\green0\\blue0;}{\\*\\generator Msftedit 5.41;}\r\n" + b"".join(parts) + b"\\par}\r\n\0"
    )


def wrapped(data: bytes) -> bytes:
    """As hexadecimal digits, in lines."""
    digits = data.hex()
    return "\r\n".join(digits[at : at + 128] for at in range(0, len(digits), 128)).encode()


def group(digits: bytes, start: bytes = b"\\object\\objemb{\\*\\objclass Package}\\objw9{\\*\\objdata ") -> bytes:
    return b"{" + start + digits + b"}{\\result{\\pict\\wmetafile8 0100}}}"


def string(value: bytes) -> bytes:
    return struct.pack("<L", len(value)) + value


def ole1(native: bytes, name: bytes = b"Package\0") -> bytes:
    """An embedded object. [MS-OLEDS] 2.2.5."""
    return struct.pack("<LL", 0x0501, 2) + string(name) + string(b"") + string(b"") + string(native)


def packaged(content: bytes) -> bytes:
    return b"\2\0a.exe\0C:\\a.exe\0\0\0\3\0" + string(b"C:\\a.exe\0") + string(content) + bytes(9)


OBJECT = ole1(packaged(CONTENT))
DIGITS = wrapped(OBJECT)


# ---- what is found


@pytest.mark.parametrize(
    "digits",
    [
        DIGITS,
        DIGITS.upper(),
        b" ".join(DIGITS[at : at + 1] for at in range(len(DIGITS))),
        DIGITS.replace(b"\r\n", b"\\par\n"),
        DIGITS.replace(b"\r\n", b"{}{}{}"),
        DIGITS.replace(b"\r\n", b"\\'ab"),
        DIGITS.replace(b"\r\n", b"{\\*\\other 41}"),
        DIGITS.replace(b"\r\n", b"{\\*\\other 4}"),
        DIGITS.replace(b"\r\n", b"7\\par "),
        DIGITS.replace(b"\r\n", b"{\\*\\objdata 41}"),
        DIGITS[:20] + b"{\\*\\other " + DIGITS[20:] + b"}",
        DIGITS[:20] + b"{" + DIGITS[20:] + b"}",
        b"\\bin%d " % len(OBJECT) + OBJECT,
        DIGITS[:20] + b"\\bin%d " % (len(OBJECT) - 10) + OBJECT[10:],
        b"\\objdata " + DIGITS,
        b"01{\\*\\objdata " + DIGITS + b"}",
        b"01{{\\*\\objdata 02{\\*\\objdata " + DIGITS + b"}}}",
    ],
)
def test_what_is_found(digits: bytes) -> None:
    for document in (text(group(digits)), b"{\\rtf1{\\objdata " + digits.rstrip(b"}")):
        result = unpacked(document)
        assert any(name.endswith("/a.exe") and data == CONTENT for name, data in result.layers.items())
        assert result.obstacles == []


@pytest.mark.parametrize("start", [b"\\rt", b"{\\rtf1", b" {\\rt", b"\xef\xbb\xbf{ \\rtf"])
def test_how_a_text_begins(start: bytes) -> None:
    found = unpacked(start + b"{\\objdata " + DIGITS + b"}}").layers
    assert (CONTENT in found.values()) == start.lstrip(b"\xef\xbb\xbf ").startswith(b"{")


@pytest.mark.parametrize("word", [b"\\objdata", b"\\*\\objdata", b"\\datastore", b"\\*\\objdata9", b"\\objdata-1 "])
def test_the_groups_of_objects(word: bytes) -> None:
    assert CONTENT in unpacked(text(group(DIGITS, b"{" + word + b"\n"))).layers.values()


@pytest.mark.parametrize(
    "octets",
    [
        ole1(ole2_with_macro(), b"Word.Document.8\0"),
        ole2_with_macro(),
        b"\1\5\0\0\2" + bytes(3) + b"\xff" * 9 + ole2_with_macro(),
    ],
)
def test_macros(octets: bytes) -> None:
    """Also behind a header that only some can read. The same octets are opened once."""
    obstacles = unpacked(text(group(wrapped(octets)))).obstacles
    assert {obstacle.status for obstacle in obstacles} == {Status.MACRO}
    assert len(obstacles) == len(unpacked(ole2_with_macro()).obstacles)


def test_each_reading_is_one_layer() -> None:
    assert list(unpacked(text(group(b"414243"), group(b"414243"), group(b"42"))).layers) == ["object 1", "object 2"]


def test_the_readings_of_an_object() -> None:
    """With or without the group in it, with or without an odd digit; and the object in that."""
    layers = unpacked(text(b"{\\objdata 4142 4{}a{\\*\\objdata 4344}4546}")).layers
    assert set(layers.values()) == {b"ABJCDEF", b"ABCDEF", b"ABJEF", b"ABEF", b"CD"}


# ---- ordinary texts


def datastore() -> bytes:
    """What Word writes into each document."""
    empty = ole1(ole2({}), b"Msxml2.SAXXMLReader.6.0\0")
    return b"{\\*\\datastore " + wrapped(empty) + b"}"


@pytest.mark.parametrize(
    "part",
    [
        b"",
        b"{\\pict\\pngblip " + wrapped(b"\x89PNG" + bytes(900)) + b"}",
        b"{\\*\\themedata " + wrapped(b"PK\3\4" + bytes(90)) + b"}{\\*\\objdatax 4d5a}",
        datastore(),
        group(b"") + group(b"0"),
        group(wrapped(ole1(packaged(b"MZ, not " + MAGIC + b", a document")))),
        group(wrapped(ole1(random.Random(1).randbytes(90), b"Equation.3\0"))),
        b"{\\field{\\*\\fldinst HYPERLINK}}\\'e4\\u228 \\{\\}\\\\",
    ],
)
def test_an_ordinary_text(part: bytes) -> None:
    assert unpacked(text(part)).obstacles == []


@pytest.mark.parametrize(
    "part", [b"", b"{\\*\\objdata }", b"{\\pict 4d5a}", b"{\\*\\objdatax 4d5a}", b"{\\result 4d5a}"]
)
def test_a_text_without_objects(part: bytes) -> None:
    assert unpacked(text(part)).layers == {}


# ---- hostile texts


def test_objects_within_objects() -> None:
    assert unpacked(text(b"{\\objdata" * (bounds.DEPTH + 1))).statuses == {Status.LIMITS}
    assert unpacked(text(b"{\\objdata 4{" * bounds.DEPTH)).obstacles == []


def test_more_objects_than_members() -> None:
    assert unpacked(text(*(b"{\\objdata %06x}" % n for n in range(11_000)))).statuses == {Status.LIMITS}


@pytest.mark.parametrize(
    "piece", [b"{", b"}", b"{}", b"\\", b"\\a", b"\\'", b"4\\a", b"{4}", b"{4", b"\\bin0 ", b"\\bin-9 4"]
)
def test_a_hostile_text_does_not_hang(piece: bytes) -> None:
    assert unpacked(text(b"{\\objdata " + piece * (200_000 // len(piece)))).obstacles == []


def test_the_deadline_is_checked_among_tokens() -> None:
    class Late(Budget):
        def check(self, unpacked: int = 0, total: int = 0, packed: int = 0) -> bool:
            self.checks = getattr(self, "checks", 0) + 1
            return super().check(unpacked, total, packed)

    budget = Late(Deadline.after(60))
    unpacked(text(b"{\\objdata " + b"\\a" * 50_000), budget=budget)
    assert budget.checks >= 10


@pytest.mark.parametrize("size", [b"99999999999999999999", b"-1", b"0", b""])
def test_binary_data_of_any_size(size: bytes) -> None:
    assert unpacked(text(b"{\\objdata 41\\bin" + size + b" 42}")).obstacles == []


PIECES = [
    b"{",
    b"}",
    b"{\\*\\objdata ",
    b"\\objdata",
    b"4d5",
    b"\\bin3 ",
    b"\\bin999 ",
    b"\\",
    b"'",
    b"0105000002000000",
    DIGITS,
]


@given(st.lists(st.sampled_from(PIECES)))
def test_any_text_raises_nothing(pieces: list[bytes]) -> None:
    assert unpacked(b"{\\rtf1" + b"".join(pieces)).statuses <= {Status.LIMITS}
