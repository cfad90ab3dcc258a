"""data_uri: the contents within a text."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.timing import assert_linear
from support.unpacked import unpacked

B64 = base64.b64encode(b"hello").decode()


@given(st.binary(min_size=1, max_size=200), st.booleans())
def test_any_content(octets: bytes, is_quoted: bool) -> None:
    octets = b"\xff" + octets  # begins no archive
    text = base64.b64encode(octets).decode()
    html = f'<a href="data:application/octet-stream;base64,{quote(text) if is_quoted else text}">x</a>'
    assert unpacked(html.encode()).layers == {"data 0": octets}


@pytest.mark.parametrize(
    "text",
    [
        f"<img src='data:image/png;base64,{B64}'>",
        f"url(DATA:;BASE64,{B64})",
        f'"data:a/b;x=y;base64 , {B64[:3]}\r\n{B64[3:]}"',
        f"data:a/b;base64,{B64.rstrip('=')}",
        f"base64, base64,{B64}",
    ],
)
def test_what_is_found(text: str) -> None:
    result = unpacked(text.encode())
    assert b"hello" in result.layers.values()
    assert result.obstacles == []


@pytest.mark.parametrize(
    "text", ["base64", "base64:aGVsbG8=", "base64,", "base 64,aGVsbG8=", "data:,hello", "x64,aGVsbG8="]
)
def test_text_that_has_none(text: str) -> None:
    assert unpacked(text.encode()).layers == {}


@pytest.mark.parametrize(
    "text", ["base64,A", "it is in base64, and so on", "data:a/b;base64,%", "data:a/b;base64,%zz===="]
)
def test_any_text_is_no_obstacle(text: str) -> None:
    assert unpacked(text.encode()).obstacles == []


@pytest.mark.parametrize("unit", [b"base64,", b"base64 ", b"base64,%", b"base64,AAAA", b"base64\n,"])
def test_a_hostile_text_takes_linear_time(unit: bytes) -> None:
    assert_linear(lambda size: unpacked(unit * (size // len(unit))), 1 << 14)
