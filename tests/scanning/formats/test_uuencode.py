"""uuencode: the files within a text."""

from __future__ import annotations

import base64
import binascii

import pytest

from sieveav.scanning.contract import Deadline
from sieveav.scanning.layers import Budget, Layer
from sieveav.scanning.unpacking import unpack

CONTENT = b"what is hidden in here, " * 20


def encoded(begin: bytes = b"begin 644 a.txt", end: bytes = b"`\nend\n") -> bytes:
    lines = [binascii.b2a_uu(CONTENT[at : at + 45]) for at in range(0, len(CONTENT), 45)]
    return begin + b"\n" + b"".join(lines) + end


def layers(text: bytes) -> list[tuple[str, bytes]]:
    items = list(unpack((Layer("x", text),), Budget(Deadline.after(60))))
    assert all(isinstance(item, Layer) for item in items)
    return [(item.name, item.data) for item in items[1:] if isinstance(item, Layer)]


@pytest.mark.parametrize(
    ("begin", "name"),
    [
        (b"begin 644 a.txt", "a.txt"),
        (b"begin 0000644 a b ", "a b"),
        (b"begin 6\ta", "a"),
        (b"begin 644", ""),
        (b"begin 644 ", ""),
        (b"begin 644 " + b"n" * 300, "n" * 300),
    ],
)
def test_what_begins_a_file(begin: bytes, name: str) -> None:
    for newline in (b"\n", b"\r\n"):
        text = b"Hello,\n" + encoded(begin) + b"bye\n" + encoded(b"begin 600 second")
        assert layers(text.replace(b"\n", newline)) == [(f"x/{name}", CONTENT), ("x/second", CONTENT)]


@pytest.mark.parametrize(
    "text", [b"begin", b"begin 644 a", b"begin with 644\n", b"so begin 644 a\nx", b"begin 8 a\nx\n"]
)
def test_text_that_has_none(text: bytes) -> None:
    assert layers(text) == []


def test_base64() -> None:
    text = b"begin-base64 644 a.txt\n" + base64.encodebytes(CONTENT) + b"====\n"
    assert layers(text) == [("x/a.txt", CONTENT)]
    assert layers(text.replace(b"\n", b"\n-\n")) == [("x/a.txt", CONTENT)]


def test_a_file_without_an_end() -> None:
    text = encoded(end=b"") + encoded(b"begin 644 b", b"")
    assert layers(text) == [("x/a.txt", CONTENT), ("x/b", CONTENT)]


def test_a_broken_line_is_skipped_or_read_all_the_same() -> None:
    """Readers differ; what only one of them gives is doubtful."""
    lines = encoded().splitlines(keepends=True)
    text = b"".join([*lines[:3], b"Mrubbish \xff\n", *lines[3:]])
    items = list(unpack((Layer("x", text),), Budget(Deadline.after(60))))
    first, second = items[1:]
    assert first == Layer("x/a.txt", CONTENT, unusual=True)
    assert isinstance(second, Layer)
    assert second.doubtful
    assert second.data[90:135] != CONTENT[90:135]
    assert second.data[135:] == CONTENT[90:]
