"""The events of the milter protocol, what is agreed on, and the octets of a message."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.accepting import Accepted

from sieveav.frontends.milter_events import (
    Abort,
    Action,
    Body,
    Connect,
    Content,
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
    Step,
    Unknown,
    crlf,
    negotiate,
    replied,
    without_brackets,
)

EVENTS: list[Event] = [
    Negotiate(6, 0, 0),
    Macros(Mail, {}),
    Connect(b"a", "4", 25, b"192.0.2.1"),
    Helo(b"a"),
    Mail(b"a"),
    Rcpt(b"a"),
    Data(),
    Header(b"a", b"b"),
    EndOfHeaders(),
    Body(b"a"),
    EndOfMessage(b"a"),
    Abort(),
    Quit(),
    QuitNewConnection(),
    Unknown(b"a"),
]


def test_an_event_is_equal_only_to_its_own_kind() -> None:
    for i, event in enumerate(EVENTS):
        assert [other == event for other in EVENTS] == [i == j for j in range(len(EVENTS))]
        assert [other != event for other in EVENTS] == [i != j for j in range(len(EVENTS))]
        assert event
    assert len({event for event in EVENTS if not isinstance(event, Macros)}) == len(EVENTS) - 1
    assert {Data(), Data(), Abort()} == {Abort(), Data()}


@pytest.mark.parametrize(
    ("path", "address"),
    [
        (b"<a@Example.org>", b"a@Example.org"),
        (b"a@Example.org", b"a@Example.org"),
        (b"<>", b""),
        (b"", b""),
        (b"<", b"<"),
        (b"<a", b"<a"),
        (b'<"<a>"@b>', b'"<a>"@b'),
    ],
)
def test_the_address_without_brackets(path: bytes, address: bytes) -> None:
    assert without_brackets(path) == address


# ---- what is agreed on

ALL_STEPS = Step(0x1FFFFF)


@pytest.mark.parametrize(("theirs", "agreed"), [(2, 2), (4, 4), (6, 6), (7, 6), (0xFFFFFFFF, 6)])
def test_the_version(theirs: int, agreed: int) -> None:
    assert negotiate(Negotiate(theirs, 0, 0), Action(0), Step(0)).version == agreed


@pytest.mark.parametrize("theirs", [0, 1])
def test_versions_that_are_too_old(theirs: int, accepted: Accepted) -> None:
    with pytest.raises(ProtocolError) as error:
        negotiate(Negotiate(theirs, 0x1FF, 0), Action(0), Step(0))
    accepted(str(error.value))


@given(st.integers(0, 0x1FF), st.integers(0, 0x1FF), st.integers(0, 0xFFFFFFFF), st.integers(0, 0x1FFFFF))
def test_nothing_is_agreed_on_that_was_not_offered(offered: int, wanted: int, protocol: int, steps: int) -> None:
    try:
        agreed = negotiate(Negotiate(6, offered, protocol), Action(wanted), Step(steps))
    except ProtocolError:
        assert wanted & ~offered
    else:
        assert agreed == Negotiate(6, wanted, protocol & steps)
        assert wanted & ~offered == 0


def test_missing_actions_are_named(accepted: Accepted) -> None:
    with pytest.raises(ProtocolError) as error:
        negotiate(Negotiate(2, 0x1F, 0), Action.CHGHDRS | Action.QUARANTINE | Action.CHGFROM, ALL_STEPS)
    accepted(str(error.value))


NO_REPLY_FLAGS: dict[type[Event], Step] = {
    Connect: Step.NR_CONN,
    Helo: Step.NR_HELO,
    Mail: Step.NR_MAIL,
    Rcpt: Step.NR_RCPT,
    Data: Step.NR_DATA,
    Header: Step.NR_HDR,
    EndOfHeaders: Step.NR_EOH,
    Body: Step.NR_BODY,
    Unknown: Step.NR_UNKN,
}


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_which_events_need_a_reply(event: Event) -> None:
    has_no_reply = isinstance(event, Macros | Abort | Quit | QuitNewConnection)
    flag = NO_REPLY_FLAGS.get(type(event), Step(0))
    assert (type(event) in replied(0)) is not has_no_reply
    assert (type(event) in replied(ALL_STEPS & ~flag)) is not has_no_reply
    assert (type(event) in replied(ALL_STEPS)) is isinstance(event, Negotiate | EndOfMessage)
    assert (type(event) in replied(flag)) is (not has_no_reply and not flag)


# ---- the message

LEADSPC = Step.HDR_LEADSPC


def rebuild(fields: Iterable[Header], body: Iterable[bytes], steps: int) -> bytes:
    """The octets of a message."""
    content = Content(steps)
    for field in fields:
        content.add_field(field)
    for chunk in body:
        content.add_body(chunk)
    return content.whole()


def test_a_message() -> None:
    fields = [
        Header(b"From", b" a@example.org"),
        Header(b"Subject", b"\tone\n two\n\t three  "),
        Header(b"X-Empty", b""),
        Header(b"X-8-Bit", b" \xe4\xff"),
        Header(b"x-ODD", b"no space"),
    ]
    body = [b"first\r", b"\nlast, with a NUL \0\r\n", b"\r\n"]
    assert rebuild(fields, body, LEADSPC) == (
        b"From: a@example.org\r\n"
        b"Subject:\tone\r\n two\r\n\t three  \r\n"
        b"X-Empty:\r\n"
        b"X-8-Bit: \xe4\xff\r\n"
        b"x-ODD:no space\r\n"
        b"\r\n"
        b"first\r\nlast, with a NUL \0\r\n\r\n"
    )


def test_without_the_leading_space() -> None:
    assert rebuild([Header(b"A", b"1"), Header(b"B", b"")], [], 0) == b"A: 1\r\nB: \r\n\r\n"


NAMES = st.from_regex(rb"[!-9;-~]+", fullmatch=True)
VALUES = st.from_regex(rb"( [!-~\xe4]+(\r\n[ \t][!-~]+)*)?", fullmatch=True)


@given(st.lists(st.tuples(NAMES, VALUES), max_size=5), st.lists(st.binary(), max_size=4))
def test_the_octets_of_an_ordinary_message_come_back(fields: list[tuple[bytes, bytes]], chunks: list[bytes]) -> None:
    message = b"".join(name + b":" + value + b"\r\n" for name, value in fields) + b"\r\n" + b"".join(chunks)
    events = [Header(name, value.replace(b"\r\n", b"\n")) for name, value in fields]
    assert rebuild(events, chunks, LEADSPC) == message


@pytest.mark.parametrize(
    ("sent", "fields", "body", "steps", "rebuilt"),
    [
        (b"A : 1\r\n\r\n", [Header(b"A", b" 1")], b"", LEADSPC, b"A: 1\r\n\r\n"),
        (b"A: 1\r2\r\n\r\n", [Header(b"A", b" 1 2")], b"", LEADSPC, b"A: 1 2\r\n\r\n"),
        (b"A: 1\0002\r\n\r\n", [Header(b"A", b" 1")], b"", LEADSPC, b"A: 1\r\n\r\n"),
        (b"A: 1\r\nB", [Header(b"A", b" 1")], b"B\r\n", LEADSPC, b"A: 1\r\n\r\nB\r\n"),
        (b"no header\r\n", [], b"no header\r\n", LEADSPC, b"\r\nno header\r\n"),
        (b"A: 1\r\n\r\na\nb", [Header(b"A", b" 1")], b"a\r\nb\r\n", LEADSPC, b"A: 1\r\n\r\na\r\nb\r\n"),
        (b"From b\r\n\r\n", [Header(b"X-Mailbox-Line", b" From b")], b"", LEADSPC, b"X-Mailbox-Line: From b\r\n\r\n"),
        (b"A:1\r\nB:  2\r\n\r\n", [Header(b"A", b"1"), Header(b"B", b" 2")], b"", 0, b"A: 1\r\nB:  2\r\n\r\n"),
    ],
)
def test_what_cannot_be_had_back(sent: bytes, fields: list[Header], body: bytes, steps: int, rebuilt: bytes) -> None:
    """What a client sent, the events that Postfix 3.7 makes of it, and their octets: except for the last case, those are the
    octets that it delivers, because it changed the message before."""
    assert rebuild(fields, [body], steps) == rebuilt
    assert rebuilt != sent


@given(st.lists(st.sampled_from([b"a", b"\r\n", b"\n", b"\r"])).map(b"".join))
def test_crlf(octets: bytes) -> None:
    assert b"\n" not in crlf(octets).replace(b"\r\n", b"")
    assert crlf(octets).replace(b"\r\n", b"\n") == octets.replace(b"\r\n", b"\n")
    assert crlf(crlf(octets)) == crlf(octets)
