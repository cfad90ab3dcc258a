"""Header blocks: their ends, their fields, and the values of fields as text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.timing import assert_linear

from sieveav import headers, limits, mime
from sieveav.headers import (
    characters,
    decode_words,
    field_octets,
    fields,
    header_end,
    keyword,
    newline_of,
    uncommented,
    unfold,
)

# ---- fields


@pytest.mark.parametrize(
    ("raw", "ends"),
    [
        (b"", (0, 0)),
        (b"A: b\r\n\r\nbody", (6, 8)),
        (b"A: b\n\nbody", (5, 6)),
        (b"A: b\r\n\nbody", (6, 7)),
        (b"A: b\n\r\nbody", (5, 7)),
        (b"\r\nbody", (0, 2)),
        (b"\nA: b\n\nbody", (0, 1)),
        (b"A: b\r\nC: d", (10, 10)),
    ],
)
def test_the_header_ends_at_the_first_empty_line(raw: bytes, ends: tuple[int, int]) -> None:
    assert header_end(raw) == ends


def test_a_large_header_is_cut_without_moving_the_body(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HEADER_BLOCK", 10)
    raw = b"A: 1\r\nB: 2\r\nC: 3\r\n\r\nbody"
    assert header_end(raw) == (10, 20)
    part = mime.parse(raw)
    assert part.body == b"body"
    assert "header-too-large" in part.defects


@pytest.mark.parametrize(
    ("header", "ends"),
    [
        (b"", []),
        (b"A: b\nC:\n d\n", []),
        (b"From x\nA: b\n", []),
        (b"A: b\nC : d\nE : f\n", [5]),
        (b"C : d\n", [0]),
        (b"A: b\nFrom x\nC: d\n", []),
        (b"A: b\nFrom x\n", [5]),
        (b"A: b\n>From x\nC: d\n", [5]),
        (b"A: b\n>From x\nC : d\n", [5, 13]),
        (b"A: b\n \n c\nD: e\n", [5]),
        (b"A: b\n\t", [5]),
        (b"A: b\nnothing\n", [5]),
    ],
)
def test_lines_at_which_the_header_ends_for_some(header: bytes, ends: list[int]) -> None:
    assert headers.early_ends(header) == ends
    assert len(headers.early_ends(header.replace(b"\n", b"\r\n"))) == len(ends)


@pytest.mark.parametrize("unit", [b"A:\n", b"\n ", b"\nFrom ", b"\nFrom x", b">From \n", b"A", b"\n\t\r", b"\r"])
def test_hostile_headers_take_linear_time(unit: bytes) -> None:
    assert_linear(lambda size: headers.early_ends(unit * size), 1 << 15)


@pytest.mark.parametrize(
    ("charset", "alike"),
    [
        ("", True),
        ("us-ascii", True),
        ("iso-8859-1", True),
        ("windows-1252", True),
        ("shift_jis", True),
        ("iso-2022-jp", True),
        ("gb18030", True),
        ("utf-16", False),
        ("utf-16le", False),
        ("utf-32", False),
        ("utf-7", False),
        ("cp037", False),
    ],
)
def test_charsets_that_are_like_ascii(charset: str, alike: bool) -> None:
    assert headers.is_like_ascii(headers.codec_of(charset)) is alike


@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_fields(end: str) -> None:
    lines = [
        "From a@b Mon Jan 1 00:00:00 2024",
        "Subject : x",
        "Received: a",
        "\tb",
        " c",
        "no field",
        "X-:",
        "To:\0 é: f",
    ]
    raw = end.join([*lines, ""]).encode()
    assert fields(raw) == [("Subject", " x"), ("Received", f" a{end}\tb{end} c"), ("X-", ""), ("To", "\0 é: f")]
    assert fields(b"A: \xff") == [("A", " \ufffd")]
    assert fields(b"A: b\r\r\nC: d\r\r\n") == [("A", " b"), ("C", " d")]


@given(st.lists(st.tuples(st.from_regex(r"\A[!-9;-~]{1,9}\Z"), st.text(st.characters(exclude_characters="\r\n")))))
def test_fields_are_read_as_written(written: list[tuple[str, str]]) -> None:
    raw = "".join(f"{name}:{value}\r\n" for name, value in written).encode("utf-8", "replace")
    assert fields(raw) == [(name, value.encode("utf-8", "replace").decode()) for name, value in written]


def test_unfolding() -> None:
    assert unfold(" a\r\n b\n\tc \r\n ") == "a b\tc"
    assert unfold(" plain ") == "plain"


# ---- encoded-words


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("plain", "plain"),
        ("=?utf-8?Q?caf=C3=A9_x?=", "café x"),
        ("=?ISO-8859-1*de?b?5A==?= b", "ä b"),
        ("=?utf-8?B?w6Q?=", "ä"),  # padding missing
        ("a =?utf-8?q?b?= =?utf-8?B?Yw==?=\t d", "a bc\t d"),
        ("=?utf-8?q?=C3?= =?utf-8?q?=A4?=", "ä"),  # cut within a character
        ("=?utf-8?q?a?= x =?utf-8?q?b?=", "a x b"),
        ("=?utf-8?q?a?= =?latin1?q?=E4?=", "aä"),
        ("=?x-unknown?q?a?= =?utf-8?q?b?=", "=?x-unknown?q?a?= b"),
        ("=?rot13?q?a?=", "=?rot13?q?a?="),
        ("=?utf-8?B?a?=", "=?utf-8?B?a?="),
        ("=?utf-8?B?*AAA?=", "=?utf-8?B?*AAA?="),
        ("=?utf-8?q?=FF?=", "\ufffd"),
        ("=?utf-8?q?a=0D=0ABcc:=00x?=", "a  Bcc: x"),
        ("=?utf-8?q?", "=?utf-8?q?"),
    ],
)
def test_encoded_words(value: str, shown: str) -> None:
    assert decode_words(value) == shown


@given(st.text() | st.from_regex(r"(=\?(utf-8|utf-7|iso-2022-jp|x)(\*de)?\?[bBqQx]\?[\w=+/?]{0,9}\?=\s?){0,4}"))
def test_encoded_words_never_raise_nor_break_lines(value: str) -> None:
    shown = decode_words(value)
    for character in "\r\n\0":
        assert shown.count(character) <= value.count(character)
    if value.isascii():
        shown.encode()


@pytest.mark.parametrize("codec", sorted(set(headers._CHARSETS.values())))
def test_every_charset_decodes_anything(codec: str) -> None:
    for data in (bytes(range(256)), b"+2AA-+AAA~{!!\x1b$B!", b"\xff\xfe\x00\xd8", b"\x00\x00\xd8\x00"):
        characters(data, codec).encode()


# ---- copies of fields


@pytest.mark.parametrize(
    ("raw", "newline"),
    [(b"", b"\r\n"), (b"a", b"\r\n"), (b"\n", b"\n"), (b"\r\n", b"\r\n"), (b"a\nb\r\n", b"\n"), (b"a\r\nb\n", b"\r\n")],
)
def test_the_line_end_of_a_message(raw: bytes, newline: bytes) -> None:
    assert newline_of(raw) == newline


def test_copies_of_fields() -> None:
    header = b"From x\nSubject \t: a\n b\rBcc: c\0\r\nno field\nTo: d"
    assert field_octets(header, b"\r\n") == [("subject", b"Subject: a\n b Bcc: c \r\n"), ("to", b"To: d\r\n")]


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ("auto-replied (vacation)", "auto-replied"),
        ("No", "no"),
        ("\r\n (a) (b) no; x=y", "no"),
        ("no(comment)", "no"),
        ("", ""),
        ("(comment)", ""),
        ("multipart/report; boundary=x", "multipart/report"),
        ("((nested) comment) no", ""),
    ],
)
def test_keyword(value: str, word: str) -> None:
    assert keyword(value) == word


@pytest.mark.parametrize(
    ("value", "rest"),
    [
        ("plain", "plain"),
        ("a(b)c", "a c"),
        ("(a (b) c) d (e)", "  d  "),
        ('a "(b)" (c)', 'a "(b)"  '),
        (r"a (b \) c) d", "a   d"),
        (r"a (b \( c) d", "a   d"),
        ('(a "b) c', "  c"),
        ("a) b", "a) b"),
        ("a (b (c) d", "a  (b (c) d"),
        (r"a \(b", r"a \(b"),
    ],
)
def test_values_without_comments(value: str, rest: str) -> None:
    assert uncommented(value) == rest


@given(st.text('()\\" ab', max_size=30))
def test_comments_of_any_value(value: str) -> None:
    assert set(uncommented(value)) <= {*value, " "}


@pytest.mark.parametrize("unit", ["(", "()", "(a", "\\(", '"(', "(()"])
def test_hostile_comments_take_linear_time(unit: str) -> None:
    assert_linear(lambda size: uncommented(unit * size), 1 << 14)


# ---- structured values


def test_values_that_are_well_formed() -> None:
    for value in ("text/plain", 'a/b (c); d=e; f="g;h"', "a/b;"):
        assert headers.is_well_formed(value)
    for value in ("text", "a/b c", "a/b; c=d e", "(a) b/c", "\u00a0a/b"):
        assert not headers.is_well_formed(value)
    assert headers.media_type_of(" A / b; c=d") == ("A", "b")
    assert headers.parameters_of("x; A=b; a=c") == headers.parameters_in(headers.settings_of("x; A=b")) == {"a": "b"}
