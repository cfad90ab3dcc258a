"""The octets of each reply and edit of a filter."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.accepting import Accepted

from sieveav import limits
from sieveav.frontends import milter_replies as replies
from sieveav.frontends.milter_events import Negotiate, Step

LEADSPC = Step.HDR_LEADSPC


def unpacked(octets: bytes) -> list[tuple[str, bytes]]:
    """The packets in `octets`: letter and data."""
    packets = []
    while octets:
        (size,) = struct.unpack_from("!L", octets)
        assert 1 <= size <= len(octets) - 4
        packets.append((octets[4:5].decode(), octets[5 : 4 + size]))
        octets = octets[4 + size :]
    return packets


@pytest.mark.parametrize(
    ("octets", "letter"),
    [
        (replies.CONTINUE, b"c"),
        (replies.ACCEPT, b"a"),
        (replies.DISCARD, b"d"),
        (replies.TEMPFAIL, b"t"),
        (replies.REJECT, b"r"),
        (replies.SKIP, b"s"),
        (replies.PROGRESS, b"p"),
    ],
)
def test_replies_without_data(octets: bytes, letter: bytes) -> None:
    assert octets == b"\0\0\0\1" + letter


def test_what_is_agreed_on() -> None:
    assert replies.negotiated(Negotiate(6, 0x1FF, 0x100080)) == (b"\0\0\0\x0dO\0\0\0\x06\0\0\x01\xff\0\x10\0\x80")


# ---- replies with a code


@pytest.mark.parametrize(
    ("code", "enhanced", "text", "line"),
    [
        (550, "5.7.1", "one", b"550 5.7.1 one\0"),
        (550, "5.7.1", "one\ntwo\nthree", b"550-5.7.1 one\r\n550-5.7.1 two\r\n550 5.7.1 three\0"),
        (421, "4.7.0", "later", b"421 4.7.0 later\0"),
        (451, "4.123.456", "", b"451 4.123.456\0"),
        (451, "4.3.0", "a\n", b"451-4.3.0 a\r\n451 4.3.0\0"),
        (550, "5.7.1", "100% %s", b"550 5.7.1 100%% %%s\0"),
        (550, "5.7.1", "a\r\n250 ok\0b\x07\tc", b"550-5.7.1 a\r\n550 5.7.1 250 okbc\0"),
        (550, "5.7.1", "gr\xfc\xdfe", b"550 5.7.1 gre\0"),
        (550, "5.7.1", "4.7.1 x", b"550 5.7.1 4.7.1 x\0"),
    ],
)
def test_a_reply(code: int, enhanced: str, text: str, line: bytes) -> None:
    assert unpacked(replies.reply(code, enhanced, text)) == [("y", line)]


@given(st.text(alphabet=st.characters() | st.sampled_from("\n\r%\0"), max_size=300), st.sampled_from([421, 450, 554]))
def test_a_client_sees_nothing_but_correct_lines(text: str, code: int) -> None:
    ((letter, data),) = unpacked(replies.reply(code, f"{code // 100}.7.1", text))
    assert letter == "y"
    assert data.endswith(b"\0")
    assert data.replace(b"%%", b"").count(b"%") == 0
    *first, last = data[:-1].replace(b"%%", b"%").split(b"\r\n")
    assert len(first) == text.count("\n")
    for line in [*first, last]:
        assert line.decode().isprintable()
        assert line[4:9] == f"{code // 100}.7.1".encode()
    assert all(line.startswith(f"{code}-".encode()) for line in first)
    assert last.startswith(f"{code} ".encode())


def test_long_replies_are_cut() -> None:
    ((_, data),) = unpacked(replies.reply(550, "5.7.1", "\n".join(["%" * 2000] * 500)))
    lines = data[:-1].replace(b"%%", b"%").split(b"\r\n")
    assert len(lines) == limits.REPLY_LINES
    assert {len(line) + len(b"\r\n") for line in lines} == {limits.REPLY_LINE}  # as a client sees it


INVALID_CODES = [
    (250, "2.0.0"),
    (354, "5.7.1"),
    (600, "5.7.1"),
    (399, "4.7.1"),
    (55, "5.7.1"),
    (550, "4.7.1"),
    (450, "5.7.1"),
    (550, ""),
    (550, "5.7"),
    (550, "5.7.1234"),
    (550, "5.7.1 x"),
    (550, "5.7.1\n"),
    (550, "5.7.\u0661"),
]


def test_codes_that_cannot_be_sent(accepted: Accepted) -> None:
    lines = []
    for code, enhanced in INVALID_CODES:
        with pytest.raises(ValueError, match="code") as error:
            replies.reply(code, enhanced, "text")
        lines.append(str(error.value))
    accepted(lines)


# ---- edits of the header


@pytest.mark.parametrize(
    ("octets", "letter", "data"),
    [
        (replies.add_header(b"X-A", b"v", LEADSPC), "h", b"X-A\0 v\0"),
        (replies.add_header(b"X-A", b"v", 0), "h", b"X-A\0v\0"),
        (replies.add_header(b"X-A", b" \tv ", LEADSPC), "h", b"X-A\0 v \0"),
        (replies.add_header(b"X-A", b" \tv ", 0), "h", b"X-A\0v \0"),
        (replies.add_header(b"X-A", b"", LEADSPC), "h", b"X-A\0 \0"),
        (replies.add_header(b"X-A", b"", 0), "h", b"X-A\0\0"),
        (replies.add_header(b"X-A", b"a\r\n\tb\n c\xff", LEADSPC), "h", b"X-A\0 a\n\tb\n c\xff\0"),
        (replies.add_header(b"X-A", b"\r\n v", LEADSPC), "h", b"X-A\0 \n v\0"),
        (replies.add_header(b"X-A", b"a\rb\0c", LEADSPC), "h", b"X-A\0 abc\0"),
        (replies.insert_header(0, b"X-A", b"v", LEADSPC), "i", b"\0\0\0\0X-A\0 v\0"),
        (replies.insert_header(258, b"X-A", b"v", 0), "i", b"\0\0\1\2X-A\0v\0"),
        (replies.change_header(1, b"X-A", b"v", LEADSPC), "m", b"\0\0\0\1X-A\0 v\0"),
        (replies.change_header(2, b"X-A", b"v", 0), "m", b"\0\0\0\2X-A\0v\0"),
        (replies.change_header(1, b"X-A", b"", LEADSPC), "m", b"\0\0\0\1X-A\0 \0"),
        (replies.change_header(1, b"X-A", b"", 0), "m", b"\0\0\0\1X-A\0 \0"),
        (replies.delete_header(3, b"X-A"), "m", b"\0\0\0\3X-A\0\0"),
    ],
)
def test_edits_of_the_header(octets: bytes, letter: str, data: bytes) -> None:
    assert unpacked(octets) == [(letter, data)]


NAMED: list[Callable[[bytes], bytes]] = [
    lambda name: replies.add_header(name, b"v", LEADSPC),
    lambda name: replies.insert_header(1, name, b"v", LEADSPC),
    lambda name: replies.change_header(1, name, b"v", LEADSPC),
    lambda name: replies.delete_header(1, name),
]
VALUED: list[Callable[[bytes], bytes]] = [
    lambda value: replies.add_header(b"X-A", value, LEADSPC),
    lambda value: replies.insert_header(1, b"X-A", value, 0),
    lambda value: replies.change_header(1, b"X-A", value, LEADSPC),
]


@pytest.mark.parametrize("edit", NAMED)
@pytest.mark.parametrize("name", [b"", b"X A", b"X:", b"X\n", b"X\0", b"X\r\nY", b"X-\xe4", b"X\t", b"X\x7f"])
def test_names_that_no_header_field_can_have(edit: Callable[[bytes], bytes], name: bytes) -> None:
    with pytest.raises(ValueError, match="name of a header field"):
        edit(name)


@pytest.mark.parametrize("edit", VALUED)
@pytest.mark.parametrize(
    "value", [b"a\nX-Evil: b", b"a\r\nX-Evil: b", b"a\n", b"\n", b"a\n\n b", b"a\n \n b", b"a\n \t", b"a\n\r\0X: b"]
)
def test_values_that_no_header_field_can_have(edit: Callable[[bytes], bytes], value: bytes) -> None:
    with pytest.raises(ValueError, match="continuation line"):
        edit(value)


@given(st.binary() | st.lists(st.sampled_from([b"a", b"\n", b"\r", b"\0", b" ", b":"])).map(b"".join))
def test_a_value_never_adds_a_field_or_ends_the_header(value: bytes) -> None:
    try:
        ((_, data),) = unpacked(replies.add_header(b"X-A", value, LEADSPC))
    except ValueError:
        return
    lines = data.removeprefix(b"X-A\0").removesuffix(b"\0").split(b"\n")
    assert b"\0" not in data[4:-1]
    assert b"\r" not in data
    assert all(line[:1] in (b" ", b"\t") for line in lines)
    assert all(line.strip(b" \t") for line in lines[1:])


@pytest.mark.parametrize("index", [-1, 0, 1 << 31])
def test_indexes_out_of_range(index: int) -> None:
    with pytest.raises(ValueError, match="out of range"):
        replies.change_header(index, b"X-A", b"v", LEADSPC)
    with pytest.raises(ValueError, match="out of range"):
        replies.delete_header(index, b"X-A")
    with pytest.raises(ValueError, match="out of range"):
        replies.insert_header(index or -1, b"X-A", b"v", LEADSPC)


# ---- other edits


@pytest.mark.parametrize(
    ("octets", "letter", "data"),
    [
        (replies.add_recipient(b"b@example.com"), "+", b"<b@example.com>\0"),
        (replies.add_recipient(b"<b@example.com>"), "+", b"<b@example.com>\0"),
        (replies.add_recipient(b"b@example.com", b"NOTIFY=NEVER"), "2", b"<b@example.com>\0NOTIFY=NEVER\0"),
        (replies.delete_recipient(b"B\xff@Example.com"), "-", b"B\xff@Example.com\0"),
        (replies.delete_recipient(b"<b@example.com>"), "-", b"<b@example.com>\0"),
        (replies.change_from(b"a@example.org"), "e", b"<a@example.org>\0"),
        (replies.change_from(b""), "e", b"<>\0"),
        (replies.change_from(b"<>"), "e", b"<>\0"),
        (replies.quarantine("a virus"), "q", b"a virus\0"),
        (replies.quarantine("a\r\n\0v\xefrus"), "q", b"avrus\0"),
        (replies.quarantine("\xef\n"), "q", b"held by a filter\0"),
    ],
)
def test_edits_of_the_envelope_and_quarantine(octets: bytes, letter: str, data: bytes) -> None:
    assert unpacked(octets) == [(letter, data)]


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda: replies.add_recipient(b""), "empty address"),
        (lambda: replies.add_recipient(b"<>"), "empty address"),
        (lambda: replies.add_recipient(b"a\0b"), "control character"),
        (lambda: replies.add_recipient(b"a\r\nb"), "control character"),
        (lambda: replies.add_recipient(b"a@b", b"NOTIFY=NEVER\0x"), "parameter"),
        (lambda: replies.add_recipient(b"a@b", b"NOTIFY=NEVER\n"), "parameter"),
        (lambda: replies.delete_recipient(b"a\0b"), "NUL"),
        (lambda: replies.change_from(b"a\0b"), "control character"),
        (lambda: replies.change_from(b"a\x7fb"), "control character"),
    ],
)
def test_addresses_that_cannot_be_sent(edit: Callable[[], bytes], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        edit()


@pytest.mark.parametrize(
    ("size", "chunks"),
    [(0, [0]), (1, [1]), (65535, [65535]), (65536, [65535, 1]), (200_000, [65535, 65535, 65535, 3395])],
)
def test_a_body_is_sent_in_chunks(size: int, chunks: list[int]) -> None:
    packets = unpacked(replies.replace_body(b"x" * size))
    assert [(letter, len(data)) for letter, data in packets] == [("b", chunk) for chunk in chunks]
    assert b"".join(data for _, data in packets) == b"x" * size


def test_line_ends_of_a_body() -> None:
    assert unpacked(replies.replace_body(b"a\nb\r\n\n\0c")) == [("b", b"a\r\nb\r\n\r\n\0c")]
