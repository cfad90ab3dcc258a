"""message: what is a message although nothing says so, and what only begins like one."""

from __future__ import annotations

import base64
import time

import pytest
from support.unpacked import unpacked

from sieveav.scanning.contract import Content, Deadline
from sieveav.scanning.layers import Budget
from sieveav.scanning.unpacking import layers
from sieveav.verdict import Status

HIDDEN = b"what is hidden in here"
B64 = base64.b64encode(HIDDEN)
AMBIGUOUS = b"Content-Type: multipart/mixed; boundary=a; boundary=b\n\n--a\n\nx\n--a--\n"

MHTML = (
    b"Content-Type: multipart/related; boundary=b\n\n--b\nContent-Type: application/x-mso\n"
    b"Content-Transfer-Encoding: base64\nContent-Location: file:///C:/editdata.mso\n\n" + B64 + b"\n--b--\n"
)


def opened(data: bytes, name: str = "x/a") -> tuple[bool, set[Status]]:
    """Whether the octets that are hidden are in a layer; the statuses of what cannot be opened."""
    result = unpacked(data, name)
    return any(HIDDEN in octets for octets in result.layers.values()), result.statuses


@pytest.mark.parametrize(
    "name", ["a.eml", "A.EML", "a.eml.", "a.eml ", "a.eml. .", "dir\\a.eml", "a.nws", "a.mht", "a.mhtml"]
)
def test_by_its_name(name: str) -> None:
    assert opened(b"Content-Transfer-Encoding: base64\n\n" + B64, f"x/{name}") == (True, set())
    assert opened(AMBIGUOUS, f"x/{name}") == (False, {Status.UNSCANNABLE})


@pytest.mark.parametrize(
    "begin",
    [
        b"MIME-Version: 1.0\n",
        b"From: <Saved by Blink>\nSnapshot-Content-Location: https://example.com/\nSubject: x\nMIME-Version: 1.0\n",
        b'From: "Saved by Windows Internet Explorer 8"\nSubject: x\n',
        b"Return-Path: <a@example.com>\nDelivered-To: b@example.com\n",
        b"X-Mozilla-Status: 0001\nReceived: from a\n\tby b\n  ; today\nSUBJECT : x\n",
        b"From a@example.com Mon Jan  1 00:00:00 2024\nFrom: a\nTo: b\n",
        b"From : a\nX: y\n",
        b">From a@example.com Mon Jan  1 00:00:00 2024\nFrom: a\nTo: b\n",
        b"\xef\xbb\xbfFrom: a\nTo: b\n",
        b"\n \r\n\nFrom: a\nTo: b\n",
        b"X: " + b"y" * 60_000 + b"\nFrom: a\nTo: b\n",
    ],
)
@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_by_its_fields(begin: bytes, newline: bytes) -> None:
    assert opened((begin + MHTML).replace(b"\n", newline)) == (True, set())


@pytest.mark.parametrize(
    "begin",
    [
        b"MIME-Version: 1.0\n",
        b"Hello,\nFrom: a\nTo: b\nMIME-Version: 1.0\n",
        b"From: a\nX: y\n",
        b"From: a\nfrom: a\n",
        b"key: value\n" * 10,
        b"From a to b\nSubject: x\n",
        b"From : a\n",
    ],
)
def test_text(begin: bytes) -> None:
    assert opened(begin + b"Transfer: base64\n\n" + B64) == (False, set())


@pytest.mark.parametrize("name", ["x/a", "x/a.txt", "message/text/plain"])
def test_what_only_begins_like_a_message_may_be_ambiguous(name: str) -> None:
    """People quote headers."""
    assert opened(b"From: a\nTo: b\n" + AMBIGUOUS, name) == (False, set())
    sealed = base64.encodebytes(b"Rar!\x1a\x07\x01\x00")
    text = b"From: a\nMIME-Version: 1.0\nContent-Transfer-Encoding: base64\n\n" + sealed
    assert opened(text, name) == (False, set())


@pytest.mark.parametrize("name", ["x/a.doc", "x/A.DOC ", "x/a.xls", "x/a.rtf"])
def test_a_document_that_is_a_message(name: str) -> None:
    """Word opens it, whatever is in front of it."""
    assert opened(b"MIME-Version: 1.0\n" + MHTML, name) == (True, set())
    assert opened(b"MIME-Version: 1.0\n" + AMBIGUOUS, name) == (False, {Status.UNSCANNABLE})
    for junk in (b"junk\n\n", b"%PDF-1.7\nstream\n\0\xff\r\n", b"X-MIME-Version: 2\n\n"):
        assert opened(junk + b"Mime-Version: 1.0\n" + MHTML, name) == (True, set())
    assert opened(b"MIME-Version: 1.0\njunk\n" + MHTML, name) == (True, set())
    assert opened(b"junk MIME-Version: 1.0\n" + MHTML, name) == (False, set())


def test_headers_one_below_the_other() -> None:
    """A digest is no message in a message in a message."""
    text = b"From: a\nTo: b\nSubject: c\n\n" * 100
    assert unpacked(text) == ({"text/plain": text[26:]}, [])


def test_the_message_itself_is_parsed_once() -> None:
    raw = b"From: a\nTo: b\nSubject: c\n\nhello"
    items = list(layers(Content(raw), Budget(Deadline.after(60))))
    assert [item[:2] for item in items] == [("message", raw), ("message/text/plain", b"hello")]


@pytest.mark.parametrize(
    "data",
    [
        b"a:\n" * 3_000_000,
        b"a:" + b"\n " * 3_000_000,
        b"a:" + b"\r" * 9_000_000,
        b" \n" * 4_000_000,
        b"a" * 9_000_000,
        b"\nMIME-Version" * 700_000,
        b"\nMIME-Version" + b" " * 9_000_000,
        b"From " * 2_000_000,
    ],
)
def test_other_octets_do_not_take_long(data: bytes) -> None:
    start = time.monotonic()
    for name in ("x/a", "x/a.doc"):
        assert opened(data, name) == (False, set())
    assert time.monotonic() - start < 30
