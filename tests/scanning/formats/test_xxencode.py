"""xxencode: the files within a text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.hidden import to_xxencode
from support.timing import assert_linear
from support.unpacked import unpacked

from sieveav.scanning.formats.xxencode import xxencode
from sieveav.scanning.layers import Layer


@given(st.binary(min_size=1, max_size=500), st.sampled_from([b"\n", b"\r\n"]))
def test_files_in_a_text(octets: bytes, newline: bytes) -> None:
    octets = b"\xff" + octets  # begins no archive
    text = b"Hello,\nbegin 644 a.com\n%s+\nend\nbegin 0600 b\n%send\nbye" % (to_xxencode(octets), to_xxencode(b"two"))
    layers = unpacked(text.replace(b"\n", newline)).layers
    assert (layers["a.com"], layers["b"]) == (octets, b"two")


def test_a_file_without_an_end() -> None:
    assert unpacked(b"begin 644 a\n" + to_xxencode(b"hello").rstrip()).layers["a"] == b"hello"


@pytest.mark.parametrize(
    "text",
    [
        b"begin 644 a\n",
        b"begin 644 a\n#0V%T\n`\nend\n",
        b"begin x\nhhh\n",
        b"begin644 a\nhhh\n",
        b"so begin 644 a\nhhh\n",
    ],
)
def test_text_that_has_none(text: bytes) -> None:
    assert xxencode.looks_like is not None
    assert not xxencode.looks_like(Layer("x", text))


@pytest.mark.parametrize("unit", [b"begin 6\n", b"begin 6 \n+\n", b"begin 6\nend\n", b"begin ", b"begin 6\n++++"])
def test_a_hostile_text_takes_linear_time(unit: bytes) -> None:
    assert_linear(lambda size: unpacked(unit * (size // len(unit))), 1 << 14)
