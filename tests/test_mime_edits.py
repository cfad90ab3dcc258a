"""Tests of replacing: that one part is another and all else is as it was, whatever the octets; and of transfer's
encoders, which write what is put into an encoded part."""

from __future__ import annotations

import email
from collections.abc import Iterator
from email.policy import default

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sieveav import composing, limits
from sieveav.headers import fields
from sieveav.mime import Part, parse, walk, with_header
from sieveav.replacing import replaced
from sieveav.transfer import ENCODERS

Path = tuple[int, ...]

NESTED = b"""Subject: top
Content-Type: multipart/mixed; boundary=outer

preamble
--outer
Content-Type: multipart/alternative; boundary=inner

--inner

plain
--inner
Content-Type: text/html

<p>html</p>
--inner--
--outer
Content-Type: message/rfc822

Subject: enclosed

text
--outer
--outer
Content-Type: application/pdf

%PDF
--outer--
epilogue
"""


def paths(part: Part, path: Path = ()) -> Iterator[Path]:
    yield path
    for number, below in enumerate(part.parts):
        yield from paths(below, (*path, number))


def at(part: Part, path: Path) -> Part:
    for number in path:
        part = part.parts[number]
    return part


def octets_of(part: Part) -> bytes:
    return part.source[part.begin : part.end]


# ---- places


def test_a_part_begins_with_its_header_and_ends_with_its_body() -> None:
    root = parse(NESTED)
    assert octets_of(root) == NESTED
    assert octets_of(at(root, (0, 1))) == b"Content-Type: text/html\n\n<p>html</p>"
    assert octets_of(at(root, (1, 0))) == b"Subject: enclosed\n\ntext"
    assert octets_of(at(root, (2,))) == b""
    assert octets_of(at(root, (3,))) == b"Content-Type: application/pdf\n\n%PDF"


# ---- replacing

NEW = b"Content-Type: text/plain\n\nnew"


@pytest.mark.parametrize("path", list(paths(parse(NESTED))))
def test_one_part_is_replaced_and_the_others_stay(path: Path) -> None:
    before = parse(NESTED)
    after = parse(replaced(before, path, NEW))
    assert octets_of(at(after, path)) == NEW
    kept = [other for other in paths(before) if other[: len(path)] != path and path[: len(other)] != other]
    for other in kept:
        assert octets_of(at(after, other)) == octets_of(at(before, other))
    assert not at(after, path).parts
    assert len(list(walk(after))) == len(list(paths(before))) - len(list(walk(at(before, path)))) + 1


def test_the_octets_around_a_part_do_not_change() -> None:
    assert replaced(parse(NESTED), (3,), NEW) == NESTED.replace(b"Content-Type: application/pdf\n\n%PDF", NEW)
    assert replaced(parse(NESTED), (), NEW) == NEW
    # the line end before the second boundary was that of the first
    assert replaced(parse(NESTED), (2,), NEW) == NESTED.replace(b"--outer\n--outer", b"--outer\n" + NEW + b"\n--outer")


def test_a_part_that_does_not_exist() -> None:
    with pytest.raises(IndexError):
        replaced(parse(NESTED), (3, 0), NEW)


PIECES = [
    *(b"--a", b"--b", b"--a--", b"--b--", b"--", b"a", b"\n", b"\n", b"\r\n", b"\n\n", b"\r", b"x: y\n"),
    b"\n--a\n",
    b"\n--b\n",
    b"\n--a--\n",
    b"Content-Type: multipart/mixed; boundary=a\n\n",
    b"Content-Type: multipart/digest; boundary=b\n\n",
    b"Content-Type: multipart/mixed; boundary=a; x=y\nContent-Transfer-Encoding: base64\n\n",
    b"Content-Type: message/rfc822\n\n",
    b"Content-Type: message/rfc822\n",
    b"Content-Type: text/plain\n\n",
]
MESSAGES = st.lists(st.sampled_from(PIECES), max_size=25).map(b"".join)
OCTETS = st.one_of(
    st.binary(max_size=200),
    st.lists(
        st.sampled_from([b"-", b" ", b"\r", b"\n", b"\r\n", b"=", b"a" * 30, b"\xff", b".", b"--b"]), max_size=60
    ).map(b"".join),
)
NEW_PARTS = st.one_of(MESSAGES, OCTETS)


@settings(max_examples=300)
@given(MESSAGES, st.data())
def test_a_part_replaced_by_its_own_octets_gives_the_same_message(raw: bytes, data: st.DataObject) -> None:
    root = parse(raw)
    path = data.draw(st.sampled_from(list(paths(root))))
    assert replaced(root, path, octets_of(at(root, path))) == raw


@settings(max_examples=500)
@given(MESSAGES, NEW_PARTS, st.data())
def test_the_new_octets_are_exactly_one_part(raw: bytes, octets: bytes, data: st.DataObject) -> None:
    before = parse(raw)
    path = data.draw(st.sampled_from(list(paths(before))))
    after = parse(replaced(before, path, octets))
    # a line end is added where none sets the part off from the boundary that comes next, and belongs to no part
    assert octets_of(at(after, path)) == octets
    for depth in range(len(path)):
        assert at(after, path[:depth]).content_type == at(before, path[:depth]).content_type
        siblings = range(len(at(before, path[:depth]).parts))
        assert len(at(after, path[:depth]).parts) == len(siblings)
        for number in siblings:
            if number != path[depth]:
                other = (*path[:depth], number)
                assert octets_of(at(after, other)) == octets_of(at(before, other))


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable", "uuencode"])
@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_the_content_of_an_encoded_part_is_encoded_again(encoding: str, newline: bytes) -> None:
    inner = b"Subject: enclosed\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\n\ntwo \xff\n--b--\n"
    inner = inner.replace(b"\n", newline)
    head = f"Content-Type: message/rfc822\nContent-Transfer-Encoding: {encoding}\n\n".encode().replace(b"\n", newline)
    raw = head + ENCODERS[encoding](inner, newline)
    after = parse(replaced(parse(raw), (0, 1), b"Subject: x" + newline * 2 + b"\xffnew"))
    assert [part.body for part in after.parts[0].parts] == [b"one", b"\xffnew"]
    assert after.header == head[: -len(newline)]
    assert after.body.isascii()
    # and a multipart that shows no part until it is decoded
    part = ENCODERS[encoding](b"--c" + newline * 2 + inner + newline + b"--c--" + newline, newline)
    raw = f"Content-Type: multipart/mixed; boundary=c\nContent-Transfer-Encoding: {encoding}\n\n".encode() + part
    assert [part.content_type for part in walk(parse(raw))] == ["multipart/mixed", "text/plain"]
    after = parse(replaced(parse(raw), (0,), b"\nnew --c\n--c"))
    assert [part.body for part in after.parts] == [b"new --c\n--c"]


def test_a_multipart_gets_another_boundary_if_the_new_part_contains_it() -> None:
    raw = (
        b'Subject: x\nContent-Type: Multipart/Mixed; charset="a\\"b"; boundary=outer; name*=utf-8\'\'%C3%A4\nTo: y\n\n'
        b"pre\n--outer \n\none\n--outer\n\ntwo\n--outer--\nepilogue\n"
    )
    octets = b"\n--outer--\nX: hidden\n\n--outerly"
    after = replaced(parse(raw), (1,), octets)
    root = parse(after)
    assert [part.body for part in root.parts] == [b"one", octets[1:]]
    assert root.surroundings() == (b"pre", b"epilogue\n")
    assert root.content_type == "multipart/mixed"
    assert {**root.parameters, "boundary": ""} == {"charset": 'a"b', "name": "ä", "boundary": ""}
    assert [name for name, _ in fields(root.header)] == ["Subject", "Content-Type", "To"]
    assert "boundary-lookalike" not in root.defects
    assert after == replaced(parse(raw), (1,), octets)


def test_boundaries_on_all_levels_change_and_differ() -> None:
    inner = b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b--\n"
    raw = b"Content-Type: multipart/mixed; boundary=a\n\n--a\n" + inner + b"--a--\n"
    octets = b"\n\n--a\n\n--b\n\n--b--\n--a--\n"
    root = parse(replaced(parse(raw), (0, 0), octets))
    assert octets_of(root.parts[0].parts[0]) == octets
    assert len({"a", "b", root.parameters["boundary"], root.parts[0].parameters["boundary"]}) == 4
    assert len(list(walk(root))) == 3


def test_many_parts_and_deep_ones() -> None:
    """It takes no time that a person would notice; time that is quadratic in the octets would not end."""
    raw = b"Content-Type: multipart/mixed; boundary=b\n\n" + b"\n--b\n\nx" * (limits.MIME_PARTS + 100)
    root = parse(raw)
    for number in (0, 500, len(root.parts) - 1):
        after = parse(replaced(root, (number,), b"\nnew\n--b"))
        assert at(after, (number,)).body == b"new\n--b"
    deep = (
        b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(60))
        + b"\n" * 5_000_000
    )
    path = max(paths(parse(deep)), key=len)
    assert len(path) == limits.MIME_DEPTH
    assert at(parse(replaced(parse(deep), path, b"\nnew")), path).body == b"new"


# ---- the header alone


def test_another_header_above_the_same_parts() -> None:
    root = parse(NESTED)
    other = with_header(root, b"X: 1\n" + root.header)
    assert other.first("x") == "1"
    assert root.first("x") is None
    assert other.parts is root.parts
    assert other.body == root.body


# ---- entities

TEXTS = st.one_of(
    st.text(max_size=200), st.lists(st.sampled_from(["--a", "ä", "\n", "\r\n", "x" * 1200]), max_size=9).map("".join)
)


def defects_of(raw: bytes) -> list[object]:
    """The defects that a strict parser finds in a message."""
    message = email.message_from_bytes(raw, policy=default)
    found: list[object] = []
    for part in message.walk():
        found += part.defects
        for value in part.values():
            found += value.defects
        if part.get_content_maintype() == "text":
            part.get_content()
    return found


@given(TEXTS, st.sampled_from([b"\n", b"\r\n"]))
def test_a_text_is_a_part_that_a_strict_reader_reads(text: str, newline: bytes) -> None:
    raw = b"MIME-Version: 1.0" + newline + composing.text_part(text, newline)
    assert defects_of(raw) == []
    part = parse(raw)
    lines = part.text().replace("\r\n", "\n")
    assert lines.isprintable() or "\n" in lines
    kept = "".join(c for c in text if c.isprintable() and not "\ud800" <= c <= "\udfff")
    assert "".join(c for c in lines if c.isprintable() and c != " ") == kept.replace(" ", "")
    assert max(map(len, raw.split(b"\n"))) < 1000
    assert newline == b"\r\n" or b"\r" not in raw


@given(st.lists(OCTETS, min_size=1, max_size=4), st.sampled_from([b"\n", b"\r\n"]))
def test_entities_are_parts_octet_for_octet(contents: list[bytes], newline: bytes) -> None:
    entities = [composing.message_part(octets, newline) for octets in contents]
    raw = composing.mixed(entities, newline)
    root = parse(raw)
    assert [octets_of(part) for part in root.parts] == entities
    assert [part.body for part in root.parts] == contents
    assert root.surroundings() == (b"", b"")


@pytest.mark.parametrize(
    ("message", "encoding"),
    [
        (b"a", "7bit"),
        (b"\xc3\xa4", "8bit"),
        (b"a" * 999, "binary"),
        (b"a\rb", "binary"),
        (b"\0", "binary"),
        (b"a\r\n", "7bit"),
    ],
)
def test_the_encoding_describes_the_message(message: bytes, encoding: str) -> None:
    part = composing.message_part(message)
    assert parse(part).encoding == encoding
    assert parse(composing.mixed([b"\r\na", part])).encoding == encoding


def test_a_boundary_does_not_occur_in_the_contents() -> None:
    first = composing.boundary(b"a")
    assert first == composing.boundary(b"a")
    assert first != composing.boundary(b"b")
    assert len(first) <= 70
