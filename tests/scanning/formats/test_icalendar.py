"""icalendar: the files within calendars and cards."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.timing import assert_linear
from support.unpacked import unpacked

B64 = base64.b64encode(b"hello").decode()


def calendar(*lines: str) -> bytes:
    return "\r\n".join(
        ["BEGIN:VCALENDAR", "VERSION:2.0", "BEGIN:VEVENT", *lines, "END:VEVENT", "END:VCALENDAR", ""]
    ).encode()


@pytest.mark.parametrize(
    "line",
    [
        f"ATTACH;ENCODING=BASE64;VALUE=BINARY:{B64}",
        f"ATTACH;VALUE=BINARY;encoding=base64:{B64}",
        f'ATTACH;ENCODING="BASE64";VALUE=BINARY;X-FILENAME="a:b,c":{B64}',
        f"ATTACH;ENCODING=BASE64;VALUE=BINARY:\r\n {B64[:2]}\r\n\t{B64[2:]}",
        f"PHOTO;ENCODING=b;TYPE=JPEG:{B64}",
        f"PHOTO;BASE64:{B64}",
        f"PHOTO:data:image/jpeg;base64,{B64}",
    ],
)
@pytest.mark.parametrize("newline", [b"\r\n", b"\n"])
def test_what_is_found(line: str, newline: bytes) -> None:
    result = unpacked(calendar("SUMMARY:x", line, "UID:1").replace(b"\r\n", newline))
    assert (result.layers["file 0"], result.obstacles) == (b"hello", [])


@given(st.binary(max_size=300))
def test_any_content(octets: bytes) -> None:
    octets = b"\xff" + octets  # begins no archive
    text = base64.b64encode(octets).decode()
    folded = "\r\n ".join(text[at : at + 60] for at in range(0, len(text), 60))
    assert unpacked(calendar(f"ATTACH;ENCODING=BASE64;VALUE=BINARY:{folded}")).layers == {"file 0": octets}


@pytest.mark.parametrize("begin", [b"\xef\xbb\xbf", b"\r\n ", b""])
def test_how_it_begins(begin: bytes) -> None:
    text = calendar(f"ATTACH;ENCODING=BASE64:{B64}")
    assert b"hello" in unpacked(begin + text.lower().replace(B64.lower().encode(), B64.encode())).layers.values()
    assert unpacked(b"x" + begin + text).layers == {}


def test_an_ordinary_calendar() -> None:
    lines = ("ATTENDEE;CUTYPE=INDIVIDUAL;CN=B:mailto:b@example.com", "DESCRIPTION:encoding=base64", "ATTACH:cid:x")
    assert unpacked(calendar(*lines)).obstacles == []


@pytest.mark.parametrize("unit", [b";b:", b"\n ", b"=b;", b";b:A\n", b";base64,"])
def test_a_hostile_text_takes_linear_time(unit: bytes) -> None:
    assert_linear(lambda size: unpacked(b"BEGIN:VCALENDAR\n" + unit * (size // len(unit))), 1 << 14)
