"""yenc: the files within a text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sieveav.scanning.contract import Deadline
from sieveav.scanning.layers import Budget, Layer
from sieveav.scanning.unpacking import unpack


def encoded(octets: bytes, name: bytes = b"a.bin") -> bytes:
    escape = {octet: b"=" + bytes([(octet + 64) & 255]) for octet in (0, 10, 13, 61)}
    text = b"".join(escape.get(octet, bytes([octet])) for octet in ((each + 42) & 255 for each in octets))
    return b"=ybegin line=128 size=%d name=%s\r\n%s\r\n=yend size=%d\r\n" % (len(octets), name, text, len(octets))


def layers(text: bytes) -> list[tuple[str, bytes]]:
    items = list(unpack((Layer("x", text),), Budget(Deadline.after(60))))
    assert all(isinstance(item, Layer) for item in items)
    return [(item.name, item.data) for item in items[1:] if isinstance(item, Layer)]


@given(st.binary(max_size=500), st.text("abc .", max_size=20))
def test_files_in_a_text(octets: bytes, name: str) -> None:
    octets = b"\xff" + octets  # begins no archive
    text = b"Hello,\r\n" + encoded(octets, name.encode()) + b"and\r\n" + encoded(b"two") + b"bye"
    assert layers(text) == [(f"x/{name.strip()}", octets), ("x/a.bin", b"two")]


def test_a_file_without_an_end() -> None:
    assert layers(encoded(b"hello").partition(b"\r\n=yend")[0]) == [("x/a.bin", b"hello")]


@pytest.mark.parametrize("text", [b"a =ybegin line=1 name=x\nk\n=yend\n", b"=ybegin", b"=ybegin line=128 name=x"])
def test_text_that_has_none(text: bytes) -> None:
    assert layers(text) == []
