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


def test_a_question_with_its_answer() -> None:
    octets = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
    (head, body), said, unheard = play(http.fetch("POST /x HTTP/1.1", "a:1", (("X", 1),), (b"con", b"tent")), octets)
    assert (head.code, body, unheard) == (200, b"hello", b"")
    assert said == b"POST /x HTTP/1.1\r\nHost: a:1\r\nUser-Agent: sieveav\r\nX: 1\r\nContent-Length: 7\r\n\r\ncontent"
    (_, body), said, _ = play(http.fetch("GET /x HTTP/1.1", "a:1"), octets)
    assert said == b"GET /x HTTP/1.1\r\nHost: a:1\r\nUser-Agent: sieveav\r\n\r\n"


def test_only_200_has_an_answer() -> None:
    octets = b"HTTP/1.1 503 Too\x1b busy\r\nContent-Length: 5\r\n\r\nhello"
    with pytest.raises(ProtocolError, match="503 Too busy"):
        play(http.fetch("GET /x HTTP/1.1", "a:1"), octets)
    assert play(http.ask("GET /x HTTP/1.1", "a:1"), octets).answer.code == 503


def test_the_length_of_an_answer_is_bounded() -> None:
    octets = b"HTTP/1.1 200 OK\r\n\r\n" + bytes(http.ANSWER)
    assert len(play(http.fetch("GET /x HTTP/1.1", "a:1"), octets).answer[1]) == http.ANSWER
    with pytest.raises(ProtocolError, match="more than 65536 octets"):
        play(http.fetch("GET /x HTTP/1.1", "a:1"), octets.replace(b"\r\n\r\n", b"\r\nContent-Length: 65537\r\n\r\n"))


@pytest.mark.parametrize(
    ("field", "expected"),
    [("Content-Length: 5", True), ("Transfer-Encoding: chunked", True), ("Connection: close", False)],
)
def test_whether_a_body_has_a_length(field: str, expected: bool) -> None:
    assert http.parsed(f"HTTP/1.1 200 OK\r\n{field}\r\n\r\n".encode()).has_length is expected


def test_fields_that_cannot_be_sent_are_left_out() -> None:
    fields = (
        ("A", "a@example.com"),
        ("B", ""),
        ("C", "c\r\nX: y"),
        ("D", "d\0"),
        ("E", "é@example.com"),
        ("F", "\udc80"),
    )
    assert list(http.printable(fields)) == [("A", "a@example.com"), ("E", "é@example.com")]
