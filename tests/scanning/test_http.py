"""Headers and bodies of HTTP."""

from __future__ import annotations

import pytest

from sieveav.scanning import http
from sieveav.scanning.dialogue import Dialogue, play
from sieveav.scanning.failover import ProtocolError


def response(limit: int = 10) -> Dialogue[bytes]:
    return (yield from http.body((yield from http.head()), limit))


@pytest.mark.parametrize(
    ("octets", "expected", "unheard"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"hello", b""),
        (b"HTTP/1.0 200\nContent-Length: 5\n\nhellomore", b"hello", b"more"),
        (b"HTTP/1.1 200 OK\r\n\r\nhello", b"hello", b""),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nhel\r\n2\r\nlo\r\n0\r\nX: y\r\n\r\n",
            b"hello",
            b"",
        ),
    ],
)
def test_bodies(octets: bytes, expected: bytes, unheard: bytes) -> None:
    played = play(response(), octets)
    assert (played.answer, played.unheard) == (expected, unheard)


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (b"HTTP/1.1 OK\r\n\r\n", "not HTTP: HTTP/1.1 OK"),
        (b"ICAP/1.0 200 OK\r\n\r\n", "not HTTP: ICAP/1.0 200 OK"),
        (b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n", "not a header field: A : b"),
        (b"HTTP/1.1 200 OK\r\n folded\r\n\r\n", "not a header field: folded"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 2000 + b"\r\n", "more than 1000 lines in a header"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "a body with two lengths"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "not a length: 5 6"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello", "not a length: [+]5"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world", "more than 10 octets"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", "connection closed"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "unknown transfer coding: gzip"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello!\r\n",
            "a chunk that is longer than it says",
        ),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", "not the size of a chunk: -1"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\nworlds", "more than 10 octets"),
    ],
)
def test_what_breaks_the_protocol(octets: bytes, reason: str) -> None:
    with pytest.raises(ProtocolError, match=reason):
        play(response(), octets)


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nConnection: X, Close\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n", True),
        (b"ICAP/1.0 204\r\n\r\n", True),
        (b"ICAP/1.0 204\r\nConnection: close\r\n\r\n", False),
    ],
)
def test_which_connections_are_kept(octets: bytes, expected: bool) -> None:
    assert http.parsed(octets, octets[:4].decode()).is_open is expected


def test_fields() -> None:
    head = http.parsed(b"HTTP/1.1 403 No\r\nA: 1\r\n\t2\r\nb:\r\nA: 3\x1b[31m\r\n\r\n")
    assert (str(head), head.fields, head.field("a"), head.field("c")) == (
        "403 No",
        {"a": ["1", "2", "3[31m"], "b": [""]},
        "1 2 3[31m",
        "",
    )
    with pytest.raises(ProtocolError, match="without its end"):
        http.parsed(b"HTTP/1.1 200 OK\r\nA: 1")


def test_a_request_has_no_more_lines_than_it_says() -> None:
    assert http.request("GET / HTTP/1.1", (("Host", "a"),)) == b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    with pytest.raises(ValueError, match="a line end"):
        http.request("GET / HTTP/1.1", (("Host", "a\nX: y"),))


def test_chunks_are_the_content() -> None:
    sent = b"".join(http.chunked((b"hello", b"", b" world"), 4))
    assert sent == b"4\r\nhell\r\n1\r\no\r\n4\r\n wor\r\n2\r\nld\r\n0\r\n\r\n"
    assert play(http.chunks(11), sent) == (b"hello world", b"", b"")
