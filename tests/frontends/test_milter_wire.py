"""The milter protocol as an MTA speaks it: packets in pieces, nonsense, truncated, too large, out of order."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.accepting import Accepted

from sieveav.frontends import milter_wire
from sieveav.frontends.milter_events import (
    Abort,
    Body,
    Connect,
    Data,
    EndOfHeaders,
    EndOfMessage,
    Event,
    Header,
    Helo,
    Macros,
    Mail,
    Negotiate,
    ProtocolError,
    Quit,
    QuitNewConnection,
    Rcpt,
    Unknown,
)
from sieveav.frontends.milter_wire import PACKET, Reader


def packet(letter: str, data: bytes = b"") -> bytes:
    return struct.pack("!L", 1 + len(data)) + letter.encode() + data


NEGOTIATE = packet("O", struct.pack("!LLL", 6, 0x1FF, 0x1FFFFF))
CONNECT = packet("C", b"mail.example.org\0" + b"4\x00\x19" + b"192.0.2.1\0")

SESSION: list[tuple[bytes, Event]] = [
    (NEGOTIATE, Negotiate(6, 0x1FF, 0x1FFFFF)),
    (
        packet("D", b"Cj\0mx.example.com\0{daemon_name}\0mx\0_\0mail.example.org [192.0.2.1]\0"),
        Macros(Connect, {b"j": b"mx.example.com", b"{daemon_name}": b"mx", b"_": b"mail.example.org [192.0.2.1]"}),
    ),
    (CONNECT, Connect(b"mail.example.org", "4", 25, b"192.0.2.1")),
    (packet("D", b"H"), Macros(Helo, {})),
    (packet("H", b"mail.example.org\0"), Helo(b"mail.example.org")),
    (
        packet("M", b"<A@Example.org>\0SIZE=100\0BODY=8BITMIME\0"),
        Mail(b"<A@Example.org>", (b"SIZE=100", b"BODY=8BITMIME")),
    ),
    (packet("R", b"b@example.com\0"), Rcpt(b"b@example.com")),
    (packet("U", b"XYZZY 1\0"), Unknown(b"XYZZY 1")),
    (packet("D", b"R{rcpt_addr}\0c\xff@example.com\0"), Macros(Rcpt, {b"{rcpt_addr}": b"c\xff@example.com"})),
    (packet("R", b"<c\xff@example.com>\0NOTIFY=NEVER\0"), Rcpt(b"<c\xff@example.com>", (b"NOTIFY=NEVER",))),
    (packet("T"), Data()),
    (packet("L", b"Subject\0 one\n\ttwo\0"), Header(b"Subject", b" one\n\ttwo")),
    (packet("L", b"X-Empty\0\0"), Header(b"X-Empty", b"")),
    (packet("N"), EndOfHeaders()),
    (packet("B", b"a\0b\r\n"), Body(b"a\0b\r\n")),
    (packet("B", b""), Body(b"")),
    (packet("B", b"x" * 65535), Body(b"x" * 65535)),
    (packet("D", b"Ei\0004F1\0"), Macros(EndOfMessage, {b"i": b"4F1"})),
    (packet("E"), EndOfMessage()),
    (packet("A"), Abort()),
    (packet("M", b"<>\0"), Mail(b"<>")),
    (packet("R", b"<d@example.com>\0"), Rcpt(b"<d@example.com>")),
    (packet("E", b"last\r\n"), EndOfMessage(b"last\r\n")),
    (packet("A"), Abort()),
    (packet("K"), QuitNewConnection()),
    (packet("C", b"localhost\0U"), Connect(b"localhost", "U", 0, b"")),
    (packet("Q"), Quit()),
]
"""Packets of a whole session, and their events."""


def test_a_session() -> None:
    reader = Reader()
    for octets, event in SESSION:
        assert reader.feed(octets) == [event]


@pytest.mark.parametrize(
    ("data", "event"),
    [
        (b"a\0006\x00\x19IPv6:2001:db8::1\0", Connect(b"a", "6", 25, b"2001:db8::1")),
        (b"a\0006\xff\xff2001:db8::1\0", Connect(b"a", "6", 65535, b"2001:db8::1")),
        (b"localhost\0L\0\0/run/socket\0", Connect(b"localhost", "L", 0, b"/run/socket")),
        (b"unknown\0U\0\0unknown\0", Connect(b"unknown", "U", 0, b"unknown")),
        (b"\0" + b"4\0\0\0", Connect(b"", "4", 0, b"")),
    ],
)
def test_addresses_of_clients(data: bytes, event: Event) -> None:
    assert Reader().feed(NEGOTIATE + packet("C", data)) == [Negotiate(6, 0x1FF, 0x1FFFFF), event]


def test_what_follows_the_flags_of_a_newer_version_is_ignored() -> None:
    assert Reader().feed(packet("O", struct.pack("!LLLL", 7, 1, 2, 3) + b"i\0")) == [Negotiate(7, 1, 2)]


# ---- pieces


def pieces(octets: bytes, cuts: list[int]) -> Iterator[bytes]:
    places = [0, *sorted(cut % (len(octets) + 1) for cut in cuts), len(octets)]
    for start, end in pairwise(places):
        yield octets[start:end]


@given(st.lists(st.integers(0, 200_000), max_size=30))
@example([])
@example(list(range(400)))
def test_events_do_not_depend_on_the_pieces(cuts: list[int]) -> None:
    reader = Reader()
    stream = b"".join(octets for octets, _ in SESSION)
    events = [event for piece in pieces(stream, cuts) for event in reader.feed(piece)]
    assert events == [event for _, event in SESSION]


STRING = st.binary(max_size=20).map(lambda octets: octets.replace(b"\0", b""))


@st.composite
def messages(draw: st.DrawFn) -> list[tuple[bytes, Event]]:
    sender, recipients = draw(STRING), draw(st.lists(STRING, max_size=4))
    fields, chunks = draw(st.lists(st.tuples(STRING, STRING), max_size=4)), draw(st.lists(st.binary(), max_size=3))
    parts: list[tuple[bytes, Event]] = [(packet("M", sender + b"\0"), Mail(sender))]
    parts += [(packet("R", recipient + b"\0"), Rcpt(recipient)) for recipient in recipients]
    parts += [(packet("L", name + b"\0" + value + b"\0"), Header(name, value)) for name, value in fields]
    parts += [(packet("B", chunk), Body(chunk)) for chunk in chunks]
    return [*parts, (packet("E"), EndOfMessage()), (packet("A"), Abort())]


@given(st.lists(messages(), max_size=3), st.lists(st.integers(0, 2000), max_size=10))
def test_messages_in_pieces(several: list[list[tuple[bytes, Event]]], cuts: list[int]) -> None:
    reader = Reader()
    reader.feed(NEGOTIATE)
    stream = b"".join(octets for message in several for octets, _ in message)
    events = [event for piece in pieces(stream, cuts) for event in reader.feed(piece)]
    assert events == [event for message in several for _, event in message]


class Lengths:
    """Counts how often the length of a packet is read."""

    size = 4

    def __init__(self) -> None:
        self.calls = 0

    def unpack_from(self, octets: bytes, offset: int) -> tuple[int, ...]:
        self.calls += 1
        return struct.unpack_from("!L", octets, offset)


def test_the_largest_packet_octet_by_octet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is read again for each piece: the length once when it is complete, and once when the packet is."""
    reader = Reader()
    reader.feed(NEGOTIATE)
    reader.feed(packet("M", b"<>\0"))
    body = b"x" * (PACKET - 1)
    lengths = Lengths()
    monkeypatch.setattr(milter_wire, "_LENGTH", lengths)
    events = [event for octet in packet("B", body) for event in reader.feed(bytes([octet]))]
    assert events == [Body(body)]
    assert lengths.calls == 2


# ---- nonsense


def events_or_error(reader: Reader, octets: bytes) -> list[Event] | str:
    try:
        return reader.feed(octets)
    except ProtocolError as error:
        return str(error)


@given(st.lists(st.binary(max_size=40) | st.sampled_from([octets for octets, _ in SESSION]), max_size=12))
def test_any_octets_give_events_or_a_protocol_error(parts: list[bytes]) -> None:
    reader = Reader()
    results = [events_or_error(reader, part) for part in parts]
    errors = [result for result in results if isinstance(result, str)]
    assert all(error and error.isprintable() for error in errors)
    assert results[len(results) - len(errors) :] == errors[:1] * len(errors)


@given(st.sampled_from(list("OABCDEHKLMNQRTU")), st.binary(max_size=30), st.integers(0, 30))
def test_any_data_of_a_packet_gives_an_event_or_a_protocol_error(letter: str, data: bytes, repeat: int) -> None:
    reader = Reader()
    if letter != "O":
        reader.feed(NEGOTIATE)
    if letter not in "OC":
        reader.feed(packet("M", b"<>\0"))
    result = events_or_error(reader, packet(letter, data * repeat))
    assert len(result) == 1 or (isinstance(result, str) and result.isprintable())


def test_a_reader_is_dead_after_an_error() -> None:
    reader = Reader()
    with pytest.raises(ProtocolError) as first:
        reader.feed(NEGOTIATE + packet("\n"))
    with pytest.raises(ProtocolError) as again:
        reader.feed(CONNECT)
    assert str(again.value) == str(first.value)


@pytest.mark.parametrize("size", [0, PACKET + 1, 0xFFFFFFFF])
@pytest.mark.parametrize("slowly", [False, True])
def test_a_wrong_length_is_refused_before_any_data_comes(size: int, slowly: bool, accepted: Accepted) -> None:
    reader = Reader()
    *first, last = struct.pack("!L", size)
    reader.feed(NEGOTIATE)
    for piece in [bytes([octet]) for octet in first] if slowly else [bytes(first)]:
        assert reader.feed(piece) == []
    with pytest.raises(ProtocolError) as error:
        reader.feed(bytes([last]))
    accepted(str(error.value))


MALFORMED = [
    packet("\x7f"),
    packet("o"),
    packet("\n"),
    packet("4"),
    packet("C"),
    packet("C", b"no NUL"),
    packet("C", b"a\0"),
    packet("C", b"a\0004"),
    packet("C", b"a\0004\0"),
    packet("C", b"a\0004\0\0"),
    packet("C", b"a\0004\0\0no NUL"),
    packet("C", b"a\0004\0\0b\0c\0"),
    packet("C", b"a\0" + b"5\0\0b\0"),
    packet("C", b"a\0\n\0\0b\0"),
    packet("H"),
    packet("H", b"a"),
    packet("H", b"a\0b\0"),
    packet("M"),
    packet("M", b"a"),
    packet("M", b"a\0b"),
    packet("U"),
    packet("U", b"a"),
    packet("D"),
    packet("D", b"Z"),
    packet("D", b"D"),
    packet("D", b"A"),
    packet("D", b"Mi"),
    packet("D", b"Mi\0"),
    packet("D", b"Mi\0004F1"),
    packet("D", b"Mi\0004F1\0j\0"),
    packet("A", b"\0"),
    packet("Q", b"a"),
    packet("K", b"a"),
]

MALFORMED_IN_MESSAGE = [
    packet("R"),
    packet("R", b"a\0b"),
    packet("L"),
    packet("L", b"a\0"),
    packet("L", b"a\0b"),
    packet("L", b"a\0b\0c\0"),
    packet("T", b"a"),
    packet("N", b"\0"),
]


def test_malformed_packets(accepted: Accepted) -> None:
    lines = []
    cases = [(NEGOTIATE, MALFORMED), (NEGOTIATE + packet("M", b"<>\0"), MALFORMED_IN_MESSAGE)]
    for before, malformed in cases:
        for octets in malformed:
            reader = Reader()
            reader.feed(before)
            with pytest.raises(ProtocolError) as error:
                reader.feed(octets)
            lines.append(f"{octets[4:]!r}: {error.value}")
    accepted(lines)


@pytest.mark.parametrize("size", range(12))
def test_a_negotiation_that_is_too_short(size: int) -> None:
    with pytest.raises(ProtocolError, match="Negotiate: too short"):
        Reader().feed(packet("O", bytes(size)))


# ---- order

SAMPLES = {
    "Negotiate": NEGOTIATE,
    "Macros": packet("D", b"M"),
    "Connect": CONNECT,
    "Helo": packet("H", b"a\0"),
    "Mail": packet("M", b"<>\0"),
    "Rcpt": packet("R", b"<b@example.com>\0"),
    "Data": packet("T"),
    "Header": packet("L", b"A\0 1\0"),
    "EndOfHeaders": packet("N"),
    "Body": packet("B", b"a"),
    "EndOfMessage": packet("E"),
    "Abort": packet("A"),
    "Quit": packet("Q"),
    "QuitNewConnection": packet("K"),
    "Unknown": packet("U", b"a\0"),
}

PATHS = {
    "": "",
    "Negotiate": "Negotiate",
    "Connect": "Negotiate Connect",
    "Helo": "Negotiate Connect Helo",
    "Mail": "Negotiate Connect Helo Mail",
    "Rcpt": "Negotiate Connect Helo Mail Rcpt",
    "Data": "Negotiate Connect Helo Mail Rcpt Data",
    "Header": "Negotiate Connect Helo Mail Rcpt Data Header",
    "EndOfHeaders": "Negotiate Connect Helo Mail Rcpt Data Header EndOfHeaders",
    "Body": "Negotiate Connect Helo Mail Rcpt Data Header EndOfHeaders Body",
    "EndOfMessage": "Negotiate Connect Helo Mail Rcpt Data Header EndOfHeaders Body EndOfMessage",
    "Abort": "Negotiate Connect Helo Mail Abort",
    "QuitNewConnection": "Negotiate Connect Helo QuitNewConnection",
    "Quit": "Negotiate Connect Helo Quit",
}
"""State, named for the last event that matters -> events that lead to it."""

MAY_FOLLOW = {
    "": "Negotiate Quit",
    "Negotiate": "Connect Helo Mail Unknown",
    "Connect": "Helo Mail Unknown",
    "Helo": "Helo Mail Unknown",
    "Mail": "Helo Mail Unknown Rcpt Data Header EndOfHeaders Body EndOfMessage",
    "Rcpt": "Helo Mail Unknown Rcpt Data Header EndOfHeaders Body EndOfMessage",
    "Data": "Mail Header EndOfHeaders Body EndOfMessage",
    "Header": "Mail Header EndOfHeaders Body EndOfMessage",
    "EndOfHeaders": "Mail Body EndOfMessage",
    "Body": "Mail Body EndOfMessage",
    "EndOfMessage": "Helo Mail Unknown",
    "Abort": "Helo Mail Unknown",
    "QuitNewConnection": "Negotiate Connect Helo Mail Unknown",
    "Quit": "",
}
"""State -> what may come next, beside what may come at any time."""


@pytest.mark.parametrize("state", PATHS)
@pytest.mark.parametrize("name", SAMPLES)
def test_every_event_in_every_state(state: str, name: str) -> None:
    reader = Reader()
    for before in PATHS[state].split():
        reader.feed(SAMPLES[before])
    allowed = MAY_FOLLOW[state].split()
    if state not in ("", "Quit"):
        allowed += ["Abort", "Macros", "Quit", "QuitNewConnection"]
    if name in allowed:
        assert [type(event).__name__ for event in reader.feed(SAMPLES[name])] == [name]
    else:
        with pytest.raises(ProtocolError) as error:
            reader.feed(SAMPLES[name])
        assert name in str(error.value)
        assert state in str(error.value)


@pytest.mark.parametrize("between", ["Macros", "Unknown"])
def test_macros_and_unknown_commands_do_not_change_the_order(between: str) -> None:
    reader = Reader()
    reader.feed(NEGOTIATE + CONNECT + SAMPLES["Mail"] + SAMPLES[between])
    assert reader.feed(SAMPLES["Rcpt"]) == [Rcpt(b"<b@example.com>")]
    with pytest.raises(ProtocolError, match="Connect after Rcpt"):
        reader.feed(SAMPLES[between] + CONNECT)
