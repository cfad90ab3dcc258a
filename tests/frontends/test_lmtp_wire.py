"""LMTP without I/O: octets of a client in, replies and events out."""

from __future__ import annotations

import sys
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.accepting import Accepted

from sieveav.frontends.lmtp_wire import Event, Limits, Mail, Message, Parameters, Quit, Rcpt, Session, Turn, reply
from sieveav.limits import REPLY_LINES
from sieveav.running.outcome import Response

REFUSED = Response(550, "5.1.1", "No such user")
FAILED = Response(451, "4.3.0", "Try later")

LHLO = b"LHLO client.example\r\n"
MAIL = b"MAIL FROM:<s@example.com>\r\n"
RCPT = b"RCPT TO:<a@example.com>\r\n"
OPENED = LHLO + MAIL + RCPT


class Client:
    """A session and a server that refuses addresses with `no`, and fails the delivery to those with `fail`."""

    def __init__(self, limits: Limits = Limits()) -> None:  # noqa: B008
        self.session = Session("mx.example.com", limits)
        self.written = b""
        self.events: list[Event] = []

    def send(self, *pieces: bytes) -> Client:
        for piece in pieces:
            self.take(self.session.feed(piece))
        return self

    def take(self, turn: Turn) -> None:
        while True:
            octets, event = turn
            self.written += octets
            if event is not None:
                self.events.append(event)
            match event:
                case Mail(sender):
                    turn = self.session.answer(REFUSED if sender.startswith("no") else None)
                case Rcpt(address):
                    turn = self.session.answer(REFUSED if address.startswith("no") else None)
                case Message(_, _, recipients):
                    turn = self.session.answer_message(
                        [FAILED if rcpt.address.startswith("fail") else None for rcpt in recipients]
                    )
                case _:
                    return

    @property
    def codes(self) -> list[str]:
        """The codes of the replies, without that to LHLO."""
        lines = self.written.decode().split("\r\n")[:-1]
        assert all(len(line) >= 3 for line in lines)
        return [line[:3] for line in lines if line[3:4] != "-" and line != "250 CHUNKING"]

    @property
    def messages(self) -> list[bytes]:
        return [event.raw for event in self.events if isinstance(event, Message)]

    @property
    def is_closed(self) -> bool:
        return Quit() in self.events


def data(content: bytes) -> bytes:
    return b"DATA\r\n" + content + b"\r\n.\r\n"


def codes(octets: bytes, limits: Limits = Limits()) -> list[str]:  # noqa: B008
    return Client(limits).send(octets).codes


# ---- a conversation

CONVERSATION = (
    b"HELP\r\nEHLO x\r\nNOOP at any time\r\n"
    + LHLO
    + b"mail from:<s@example.com> SIZE=100 body=8bitmime\r\nRCPT TO:<a@example.com>\r\nRCPT TO:<no@example.com>\r\n"
    b"Rcpt To:<fail@example.com> NOTIFY=NEVER\r\nRCPT TO:<a@example.com>\r\nDATA\r\n"
    b"Subject: x\r\n\r\n..dot\r\n.single\r\n...\r\n.\r\n"
    b"VRFY a\r\nMAIL FROM:<>\r\nRSET\r\nMAIL FROM:<>\r\nRCPT TO:<postmaster>\r\nBDAT 5\r\n\r\n.\r\nBDAT 6 LAST\r\nfour\r\n"
    b"MAIL FROM:<\xc3\xa4@example.com> SMTPUTF8\r\nRCPT TO:<b@\xc3\xb6.example>\r\nDATA\r\n.\r\nXXXX\r\nQUIT\r\nNOOP\r\n"
)

FIRST = Mail("s@example.com", (("SIZE", "100"), ("BODY", "8bitmime")))

EVENTS: list[Event] = [
    FIRST,
    Rcpt("a@example.com"),
    Rcpt("no@example.com"),
    Rcpt("fail@example.com", (("NOTIFY", "NEVER"),)),
    Rcpt("a@example.com"),
    Message(
        b"Subject: x\r\n\r\n.dot\r\nsingle\r\n..\r\n",
        FIRST,
        (Rcpt("a@example.com"), Rcpt("fail@example.com", (("NOTIFY", "NEVER"),)), Rcpt("a@example.com")),
    ),
    Mail(""),
    Mail(""),
    Rcpt("postmaster"),
    Message(b"\r\n.\r\nfour\r\n", Mail(""), (Rcpt("postmaster"),)),
    Mail("\xe4@example.com", (("SMTPUTF8", ""),)),
    Rcpt("b@\xf6.example"),
    Message(b"", Mail("\xe4@example.com", (("SMTPUTF8", ""),)), (Rcpt("b@\xf6.example"),)),
    Quit(),
]


def test_a_conversation(accepted: Accepted) -> None:
    client = Client()
    client.written = client.session.greeting()
    client.send(CONVERSATION)
    assert client.events == EVENTS
    assert client.session.helo == "client.example"
    accepted(client.written.decode())


@given(st.lists(st.integers(0, len(CONVERSATION)), max_size=20))
def test_cut_anywhere(cuts: list[int]) -> None:
    pieces = [CONVERSATION[a:b] for a, b in pairwise([0, *sorted(cuts), len(CONVERSATION)])]
    whole, cut = Client().send(CONVERSATION), Client().send(*pieces)
    assert (cut.events, cut.written) == (whole.events, whole.written)


def test_octet_by_octet() -> None:
    assert Client().send(*(bytes([octet]) for octet in CONVERSATION)).events == EVENTS


def test_a_client_that_is_gone_has_sent_only_whole_messages() -> None:
    ends = [CONVERSATION.index(each) + len(each) for each in (b"...\r\n.\r\n", b"four\r\n", b"DATA\r\n.\r\n")]
    for size in range(len(CONVERSATION)):
        client = Client().send(CONVERSATION[:size])
        assert client.events == EVENTS[: len(client.events)]
        assert len(client.messages) == sum(end <= size for end in ends)


# ---- nonsense

WORDS = (
    b"\r\n", b"\r", b"\n", b"\0", b".", b" ", b"\r\n.\r\n", b":", b"<", b">", b"@", b"LHLO x\r\n", b"MAIL FROM:<", b"RCPT TO:<",
    b"DATA\r\n", b"BDAT 5\r\n", b"BDAT 3 LAST\r\n", b"RSET\r\n", b"x@y>\r\n", b"SMTPUTF8", b"SIZE=", b"\xc3\xa4", b"\xff",
    LHLO, MAIL, RCPT, b"x" * 600, b"y" * 3000,
)  # fmt: skip


@given(st.lists(st.sampled_from(WORDS) | st.binary(max_size=8), max_size=40), st.integers(1, 50))
@example([OPENED, b"BDAT 99999999999999999999\r\n", b"y" * 3000], 1000)
def test_nonsense(words: list[bytes], size: int) -> None:
    octets = b"".join(words)
    limits = Limits(message=100, recipients=3, messages=3, errors=5)
    pieces = [octets[at : at + size] for at in range(0, len(octets), size)]
    whole, cut = Client(limits).send(octets), Client(limits).send(*pieces)
    assert (cut.events, cut.written) == (whole.events, whole.written)
    assert all(len(message) <= 100 for message in whole.messages)
    assert sum(code in ("500", "501", "553", "555") for code in whole.codes) <= 5
    for line in whole.written.split(b"\r\n")[:-1]:
        assert line[:3].isdigit()
        assert line.isascii()
        assert line.decode().isprintable()


@pytest.mark.parametrize("before", [b"", OPENED + b"DATA\r\n", OPENED + b"BDAT 2000000\r\n"], ids=["", "DATA", "BDAT"])
@pytest.mark.parametrize("filling", [b"x" * 1000, b"\r" * 1000, b"\n.\n" * 300, b"\r\n." + b"x" * 1000], ids=repr)
def test_nothing_without_end_is_kept(before: bytes, filling: bytes) -> None:
    client = Client(Limits(message=10_000)).send(before)
    for _ in range(1000):
        client.send(filling)
    session = client.session
    transaction = session._transaction
    content = 0 if transaction is None else sys.getsizeof(transaction.content)
    assert sys.getsizeof(session._buffer) + content < 40_000


@pytest.mark.parametrize("end", [b"x", b"\r", b"\r\n", b"\r\n.", b"\r\n.\r", b"\r\n.\r\r", b"\r\n\r\n.\r"])
def test_what_was_searched_is_not_looked_at_again(end: bytes) -> None:
    client = Client().send(OPENED, b"DATA\r\n")
    for _ in range(100):
        client.send(b"x" * 1000 + end)
        assert len(client.session._buffer) <= 4


@given(st.lists(st.sampled_from([b"\r", b"\n", b".", b"x", b"\r\n", b"\r\n."]), max_size=30), st.integers(1, 9))
def test_a_message_in_pieces_is_the_message(parts: list[bytes], size: int) -> None:
    """Read as a whole, by the rules: up to the first CRLF.CRLF, without the dots that follow CRLF."""
    sent = b"".join(parts) + b"\r\n.\r\n"
    content = b"\r\n" + sent
    expected = content[: content.index(b"\r\n.\r\n") + 2].replace(b"\r\n.", b"\r\n")[2:]
    client = Client().send(OPENED, b"DATA\r\n")
    client.send(*(sent[at : at + size] for at in range(0, len(sent), size)))
    assert client.messages[0] == expected


# ---- order

COMMANDS = {
    "LHLO": LHLO,
    "MAIL": MAIL,
    "RCPT": RCPT,
    "DATA": b"DATA\r\n",
    "BDAT": b"BDAT 6\r\nQUIT\r\n",
    "LAST": b"BDAT 6 LAST\r\nQUIT\r\n",
    "RSET": b"RSET\r\n",
    "NOOP": b"NOOP\r\n",
    "VRFY": b"VRFY x\r\n",
    "HELP": b"HELP\r\n",
    "HELO": b"HELO x\r\n",
    "QUIT": b"QUIT\r\n",
}

ALWAYS = "LHLO 250 RSET 250 NOOP 250 VRFY 252 HELP 214 HELO 500 QUIT 221 "


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ("", "MAIL 503 RCPT 503 DATA 503 BDAT 503 LAST 503"),
        ("LHLO", "MAIL 250 RCPT 503 DATA 503 BDAT 503 LAST 503"),
        ("LHLO MAIL", "MAIL 503 RCPT 250 DATA 503 BDAT 503 LAST 503"),
        ("LHLO MAIL RSET", "MAIL 250 RCPT 503 DATA 503 BDAT 503 LAST 503"),
        ("LHLO MAIL RCPT", "MAIL 503 RCPT 250 DATA 354 BDAT 250 LAST 250"),
        ("LHLO MAIL RCPT LHLO", "MAIL 250 RCPT 503 DATA 503 BDAT 503 LAST 503"),
        ("LHLO MAIL RCPT BDAT", "MAIL 503 RCPT 503 DATA 503 BDAT 250 LAST 250"),
        ("LHLO MAIL RCPT BDAT RSET", "MAIL 250 RCPT 503 DATA 503 BDAT 503 LAST 503"),
        ("LHLO MAIL RCPT BDAT LAST", "MAIL 250 RCPT 503 DATA 503 BDAT 503 LAST 503"),
    ],
)
def test_every_command_in_every_state(before: str, expected: str) -> None:
    words = (ALWAYS + expected).split()
    assert sorted(words[::2]) == sorted(COMMANDS)
    for name, code in zip(words[::2], words[1::2], strict=True):
        client = Client().send(*(COMMANDS[each] for each in before.split()))
        client.written = b""
        assert client.send(COMMANDS[name]).written.startswith(code.encode()), name
        assert client.written.count(b"\r\n") == (7 if name == "LHLO" else 1)
        assert client.is_closed == (name == "QUIT")


def test_a_refused_sender_or_recipient_is_not_in_the_message() -> None:
    client = Client().send(LHLO, b"MAIL FROM:<no@x>\r\n", RCPT, b"DATA\r\n")
    assert client.codes == ["550", "503", "503"]
    client = Client().send(LHLO, MAIL, b"RCPT TO:<no@x>\r\n", b"DATA\r\n", RCPT, data(b"x"))
    assert client.codes == ["250", "550", "503", "250", "354", "250"]
    assert [rcpt.address for event in client.events if isinstance(event, Message) for rcpt in event.recipients] == [
        "a@example.com"
    ]


def test_a_reply_for_each_accepted_recipient_in_their_order() -> None:
    rcpts = b"".join(b"RCPT TO:<%s@x>\r\n" % name for name in (b"a", b"fail", b"no", b"a", b"b"))
    client = Client().send(LHLO, MAIL, rcpts, b"BDAT 1\r\nx", b"BDAT 0 LAST\r\n")
    assert client.codes == ["250", "250", "250", "550", "250", "250", "250", "250", "451", "250", "250"]


def test_commands_wait_for_the_answer_to_the_one_before() -> None:
    session = Session("mx")
    assert session.feed(OPENED + b"DATA\r\n")[1] == Mail("s@example.com")
    assert session.feed(b"x\r\n") == (b"", None)
    assert session.answer()[1] == Rcpt("a@example.com")
    octets, event = session.answer()
    assert octets.endswith(b"354 End data with <CR><LF>.<CR><LF>\r\n")
    assert event is None
    octets, event = session.feed(b".\r\nNOOP\r\n")
    assert (octets, event) == (b"", Message(b"x\r\n", Mail("s@example.com"), (Rcpt("a@example.com"),)))
    assert session.answer_message([None]) == (b"250 2.0.0 Message accepted\r\n250 2.0.0 OK\r\n", None)


def test_an_answer_that_nothing_awaits() -> None:
    session = Session("mx")
    for octets, responses in ((b"", []), (LHLO, [None]), (MAIL, [None])):
        session.feed(octets)
        with pytest.raises(ValueError, match="awaits an answer"):
            session.answer_message(responses)
    session.answer()
    with pytest.raises(ValueError, match="awaits an answer"):
        session.answer()
    session.feed(RCPT)
    session.answer()
    session.feed(data(b""))
    for wrong in ([], [None, None]):
        with pytest.raises(ValueError, match="awaits an answer"):
            session.answer_message(wrong)
    with pytest.raises(ValueError, match="awaits an answer"):
        session.answer()


def test_several_messages_in_one_connection() -> None:
    transaction = MAIL + RCPT + data(b"1") + MAIL + RCPT + b"BDAT 1 LAST\r\n2" + MAIL + RCPT + data(b"3")
    client = Client(Limits(messages=3)).send(LHLO, transaction, MAIL, RCPT)
    assert client.messages == [b"1\r\n", b"2", b"3\r\n"]
    assert client.codes[-2:] == ["250", "421"]
    assert client.is_closed


# ---- addresses and parameters


def mail(argument: str) -> Mail | str:
    client = Client().send(LHLO, f"MAIL {argument}\r\n".encode())
    return next((event for event in client.events if isinstance(event, Mail)), None) or client.codes[0]


def rcpt(argument: str, declared: str = "") -> Rcpt | str:
    client = Client().send(LHLO, f"MAIL FROM:<>{declared}\r\nRCPT {argument}\r\n".encode())
    return next((event for event in client.events if isinstance(event, Rcpt)), None) or client.codes[1]


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("<a@b>", "a@b"),
        (" <a@b>", "a@b"),
        ("<A.b+c=d@Example.COM>", "A.b+c=d@Example.COM"),
        ("<a..b.@x.y>", "a..b.@x.y"),
        ("<.@x>", None),
        ('<"a b>@\\"\\\\"@x>', '"a b>@\\"\\\\"@x'),
        ('<""@x>', '""@x'),
        ("<a@[192.0.2.1]>", "a@[192.0.2.1]"),
        ("<a@[IPv6:2001:db8::1]>", "a@[IPv6:2001:db8::1]"),
        ("<@a,@b.c:d@e>", "d@e"),
        ("<@a:>", None),
        ("<@a,d@e>", None),
        ("<a_b@c_d>", "a_b@c_d"),
        ("a@b", None),
        ("<a@b", None),
        ("a@b>", None),
        ("<a@>", None),
        ("<@b>", None),
        ("<a>", None),
        ("<a@b@c>", None),
        ("<a b@c>", None),
        ("<a@b c>", None),
        ("<a@.b>", None),
        ("<a@b.>", None),
        ("<a@b..c>", None),
        ("<a@[b]c>", None),
        ("<a@[b>", None),
        ('<"a@b>', None),
        ('<"a"b@c>', None),
        ("<<a@b>>", None),
        ("<a@b>x", None),
        ("<a,b@c>", None),
        ("<a/b@c>", "a/b@c"),
        ("<a@b/c>", None),
        (f"<{'x' * 498}@y>", f"{'x' * 498}@y"),
        (f"<{'x' * 499}@y>", None),
        ("< >", None),
        ("", None),
    ],
)
def test_addresses(path: str, address: str | None) -> None:
    assert mail(f"FROM:{path}") == ("501" if address is None else Mail(address))
    assert rcpt(f"TO:{path}") == ("501" if address is None else Rcpt(address))


def test_null_sender_and_postmaster() -> None:
    assert mail("FROM:<>") == Mail("")
    assert mail("FROM:<postmaster>") == "501"
    assert rcpt("TO:<>") == "501"
    assert rcpt("TO:<PostMaster>") == Rcpt("PostMaster")
    assert rcpt("TO:<@a:postmaster>") == Rcpt("postmaster")


@pytest.mark.parametrize("argument", ["", "<a@b>", "TO:<a@b>", "FROM", "FROM :<a@b>", "FROM:<a@b>SIZE=1"])
def test_mail_needs_from(argument: str) -> None:
    assert mail(argument) == "501"


@pytest.mark.parametrize("address", ["\xe4@example.com", "a@\u4f8b\u3048.jp", '"\xe4 b"@x', "\U0001f600@x"])
def test_utf8_must_be_declared(address: str) -> None:
    assert mail(f"FROM:<{address}>") == "553"
    assert mail(f"FROM:<{address}> SMTPUTF8") == Mail(address, (("SMTPUTF8", ""),))
    assert rcpt(f"TO:<{address}>") == "553"
    assert rcpt(f"TO:<{address}>", " SMTPUTF8") == Rcpt(address)


def test_a_route_in_utf8() -> None:
    assert mail("FROM:<@\xe4:a@b>") == "553"
    assert mail("FROM:<@\xe4:a@b> SMTPUTF8") == Mail("a@b", (("SMTPUTF8", ""),))


@pytest.mark.parametrize("char", ["\0", "\r", "\n", "\t", "\x7f", "\x85", "\u2028", "\u202e", "\ufeff", "\xa0"])
def test_what_is_not_printable_is_refused(char: str) -> None:
    assert mail(f'FROM:<"{char}"@b> SMTPUTF8') == "500"
    assert mail(f"FROM:<a@b>{char}") == "500"
    assert codes(f"NOOP{char}\r\n".encode()) == ["500"]
    assert codes(f"{char}NOOP\r\n".encode()) == ["500"]


def test_octets_that_are_not_utf8_are_refused() -> None:
    assert codes(LHLO + b"MAIL FROM:<\xe4@b> SMTPUTF8\r\n") == ["500"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("   ", ()),
        (" SIZE=0  BODY=7BIT ", (("SIZE", "0"), ("BODY", "7BIT"))),
        (" size=1", (("SIZE", "1"),)),
        (" RET=hdrs ENVID=a+2Bb", (("RET", "hdrs"), ("ENVID", "a+2Bb"))),
        (f" ENVID={'x' * 100}", (("ENVID", "x" * 100),)),
        (f" ENVID={'x' * 101}", "501"),
        (" ENVID=a+b", "501"),
        (" SMTPUTF8 ENVID=\xe4", "501"),
        (" SIZE", "501"),
        (" SIZE=", "501"),
        (" SIZE=-1", "501"),
        (" SIZE=1a", "501"),
        (f" SIZE={'9' * 21}", "501"),
        (" SIZE=1 SIZE=1", "501"),
        (" SIZE=1=1", "501"),
        (f" SIZE={'9' * 20}", "552"),
        (" BODY=BINARYMIME", "501"),
        (" BODY", "501"),
        (" SMTPUTF8=yes", "501"),
        (" RET=SOME", "501"),
        (" =1", "501"),
        (" \xe4", "501"),
        (" NOTIFY=NEVER", "555"),
        (" AUTH=<>", "555"),
        (" XFORWARD", "555"),
    ],
)
def test_parameters_of_mail(text: str, expected: Parameters | str) -> None:
    assert mail(f"FROM:<a@b>{text}") == (expected if isinstance(expected, str) else Mail("a@b", expected))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a+2Bb@c", (("NOTIFY", "SUCCESS,DELAY"), ("ORCPT", "rfc822;a+2Bb@c"))),
        (" notify=never", (("NOTIFY", "never"),)),
        (" NOTIFY=NEVER,DELAY", "501"),
        (" NOTIFY=", "501"),
        (" NOTIFY=DELAY,", "501"),
        (" ORCPT=a@b", "501"),
        (" ORCPT=;a@b", "501"),
        (f" ORCPT=rfc822;{'x' * 501}", "501"),
        (" ORCPT=utf-8;\xe4@b", "553"),
        (" SIZE=1", "555"),
    ],
)
def test_parameters_of_rcpt(text: str, expected: Parameters | str) -> None:
    assert rcpt(f"TO:<a@b>{text}") == (expected if isinstance(expected, str) else Rcpt("a@b", expected))


def test_an_original_recipient_in_utf8() -> None:
    assert rcpt("TO:<a@b> ORCPT=utf-8;\xe4@b", " SMTPUTF8") == Rcpt("a@b", (("ORCPT", "utf-8;\xe4@b"),))


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("LHLO", "501"),
        ("LHLO ", "501"),
        ("LHLO a b", "501"),
        (f"LHLO {'x' * 256}", "501"),
        ("LHLO \xe4", "501"),
        ("DATA x", "501"),
        ("RSET x", "501"),
        ("QUIT x", "501"),
        ("VRFY", "501"),
        ("RSET  ", "250"),
        ("noop", "250"),
        ("", "500"),
        (" NOOP", "500"),
        ("NOOPS", "500"),
        ("STARTTLS", "500"),
        ("QU\u0131T", "500"),
        ("\u017fTARTTLS", "500"),
    ],
)
def test_arguments(command: str, code: str) -> None:
    assert codes(f"{command}\r\n".encode()) == [code]


# ---- lines


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\n\r", b"\n\n", b"\r\r"], ids=repr)
def test_only_crlf_ends_a_command(end: bytes) -> None:
    assert codes(b"NOOP" + end) == []
    assert codes(b"NOOP" + end + b"NOOP\r\nNOOP\r\n") == ["500", "250"]


@pytest.mark.parametrize(
    ("start", "most"), [(b"NOOP ", 512), (b"XXXX ", 512), (b"MAIL FROM:<a@b>", 2048), (b"RCPT TO:<a@b>", 2048)]
)
@pytest.mark.parametrize("at_once", [True, False])
def test_longest_line(start: bytes, most: int, at_once: bool) -> None:
    for length, is_long in ((most, False), (most + 1, True), (most + 2, True), (10 * most, True)):
        line = start.ljust(length - 2) + b"\r\n"
        client = Client().send(LHLO)
        client.written = b""
        client.send(*([line] if at_once else (bytes([octet]) for octet in line)), b"QUIT\r\n")
        assert client.written.startswith(b"500 5.5.2 Line too long\r\n") == is_long
        assert client.codes[1:] == ["221"]


def test_many_errors_end_the_connection() -> None:
    client = Client(Limits(errors=3)).send(b"X\r\nDATA\r\nDATA\r\nDATA\r\nX\r\nRCPT\r\nX\r\nNOOP\r\nNOOP\r\n")
    assert client.codes == ["500", "503", "503", "503", "500", "503", "500", "421"]
    assert client.events == [Quit()]
    assert client.send(b"NOOP\r\n", b"x" * 5000).codes[-1] == "421"
    assert not client.session._buffer


def test_what_the_server_refuses_is_no_error_of_the_client() -> None:
    refused = b"MAIL FROM:<no@x>\r\n" + RCPT + b"DATA\r\n" + MAIL + b"RCPT TO:<no@x>\r\nBDAT 1 LAST\r\nxRSET\r\n"
    client = Client(Limits(errors=1)).send(LHLO, refused * 20, b"QUIT\r\n")
    assert client.codes == ["550", "503", "503", "250", "550", "503", "250"] * 20 + ["221"]


# ---- content

SMUGGLED = b"\r\nMAIL FROM:<evil@x>\r\nRCPT TO:<b@x>\r\nDATA\r\nevil"


@pytest.mark.parametrize(
    "end",
    [
        b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r\n.\r", b"\r.\r", b"\r.\n", b"\r.\r\n", b"\n\n.\n\n", b"\r\r\n.\r\r\n",
        b"\r\n\0.\r\n", b"\r\n.\0\r\n", b"\r\n. \r\n", b"\r\n..\r\n",
    ],
    ids=repr,
)  # fmt: skip
def test_nothing_else_ends_data(end: bytes) -> None:
    """SMTP smuggling: a message that contains what other servers may take for its end."""
    content = b"before" + end + b"X" + SMUGGLED
    client = Client().send(OPENED, data(content), b"QUIT\r\n")
    assert client.messages == [content.replace(b"\r\n.", b"\r\n") + b"\r\n"]
    assert client.codes == ["250", "250", "354", "250", "221"]


def test_what_comes_after_the_end_is_a_command() -> None:
    client = Client().send(OPENED, data(b"x" + b"\r\n.\r\nNOOP"))
    assert client.messages == [b"x\r\n"]
    assert client.codes == ["250", "250", "354", "250", "250", "500"]


@given(st.lists(st.sampled_from([b"\r\n", b"\r", b"\n", b".", b"..", b"x", b"\0", b"\xff"])).map(b"".join))
@example(b"")
@example(b".")
@example(b".\r.\n.")
def test_content_arrives_as_sent(content: bytes) -> None:
    lines = (content + b"\r\n").split(b"\r\n")
    stuffed = b"\r\n".join(b"." + line if line.startswith(b".") else line for line in lines)
    assert Client().send(OPENED, b"DATA\r\n", stuffed + b".\r\n").messages == [content + b"\r\n"]
    chunks = (b"BDAT %d\r\n%s" % (len(part), part) for part in (content[:3], content[3:]))
    assert Client().send(OPENED, *chunks, b"BDAT 0 LAST\r\n").messages == [content]


@given(st.integers(0, 30), st.sampled_from([b"x" * 8 + b"\r\n", b"..\r\n", b"\r\n"]), st.integers(1, 200))
def test_largest_message(count: int, line: bytes, size: int) -> None:
    """Stuffed dots do not count (RFC 1870, 5)."""
    raw = line.replace(b"..", b".") * count
    octets = b"RCPT TO:<b@x>\r\nDATA\r\n" + line * count + b".\r\nNOOP\r\n"
    client = Client(Limits(message=60)).send(OPENED, *(octets[at : at + size] for at in range(0, len(octets), size)))
    is_large = len(raw) > 60
    assert client.messages == ([] if is_large else [raw])
    assert client.codes == ["250"] * 3 + ["354"] + (["552"] * 2 if is_large else ["250"] * 2) + ["250"]


def test_after_a_message_that_is_too_large() -> None:
    client = Client(Limits(message=10)).send(OPENED, data(b"x" * 1000), MAIL, RCPT, data(b"x"))
    assert client.codes == ["250", "250", "354", "552", "250", "250", "354", "250"]
    assert client.messages == [b"x\r\n"]


def test_no_octet_of_a_message_that_is_too_large_is_kept() -> None:
    client = Client(Limits(message=100)).send(OPENED, b"DATA\r\n" + b"x" * 1000)
    for _ in range(3):
        client.send(b"x" * 100)
        transaction = client.session._transaction
        assert transaction is not None
        assert (bytes(client.session._buffer), transaction.content.getvalue()) == (b"", b"")


@pytest.mark.parametrize("cut", range(6))
def test_the_end_of_a_message_that_is_too_large_may_be_cut(cut: int) -> None:
    end = b"\r\n.\r\n"
    client = Client(Limits(message=10)).send(OPENED, b"DATA\r\n" + b"x" * 1000 + end[:cut], end[cut:], b"NOOP\r\n")
    assert client.codes == ["250", "250", "354", "552", "250"]


def test_many_recipients() -> None:
    rcpts = b"".join(b"RCPT TO:<u%d@example.com>\r\n" % number for number in range(10_000))
    client = Client(Limits(recipients=10_000)).send(LHLO + MAIL + rcpts + data(b"x"))
    assert client.codes == ["250"] * 10_001 + ["354"] + ["250"] * 10_000
    client = Client(Limits(recipients=100)).send(LHLO + MAIL + rcpts + data(b"x"))
    assert client.codes == ["250"] * 101 + ["452"] * 9_900 + ["354"] + ["250"] * 100


@pytest.mark.parametrize(
    ("octets", "expected", "messages"),
    [
        (b"BDAT 0 LAST\r\n", "250", [b""]),
        (b"BDAT 0\r\nBDAT 0 last\r\n", "250 250", [b""]),
        (b"BDAT 3   LAST\r\n.\r\n", "250", [b".\r\n"]),
        (b"BDAT 003 LAST\r\nabc", "250", [b"abc"]),
        (b"BDAT 20\r\n" + b"x" * 20 + b"BDAT 0 LAST\r\n", "250 250", [b"x" * 20]),
        (b"BDAT 21\r\n" + b"x" * 21 + b"BDAT 1 LAST\r\nx", "552 552", []),
        (b"BDAT 10\r\n" + b"x" * 10 + b"BDAT 11\r\n" + b"x" * 11 + b"BDAT 1\r\nxRSET\r\nNOOP\r\n", "250 552 552 250 250", []),
        (b"BDAT 21 LAST\r\n" + b"x" * 21 + b"NOOP\r\n", "552 250", []),
        (b"BDAT 1\r\nxDATA\r\nBDAT 1 LAST\r\ny", "250 503 250", [b"xy"]),
        (b"BDAT 1\r\nxRCPT TO:<b@x>\r\nBDAT 1 LAST\r\ny", "250 503 250", [b"xy"]),
        (b"BDAT 1 LAST\r\nxBDAT 6 LAST\r\nQUIT\r\n", "250 503", [b"x"]),
        (b"DATA\r\n.\r\nBDAT 6 LAST\r\nQUIT\r\n", "354 250 503", [b""]),
        (b"BDAT\r\nNOOP\r\n", "501 421", []),
        (b"BDAT x\r\nNOOP\r\n", "501 421", []),
        (b"BDAT -1\r\nNOOP\r\n", "501 421", []),
        (b"BDAT 1 LAS\r\nNOOP\r\n", "501 421", []),
        (b"BDAT 1 LAST x\r\nNOOP\r\n", "501 421", []),
        (b"BDAT " + b"9" * 20 + b"\r\nNOOP\r\n", "", []),
        (b"BDAT " + b"9" * 21 + b"\r\nNOOP\r\n", "501 421", []),
    ],
)  # fmt: skip
def test_bdat(octets: bytes, expected: str, messages: list[bytes]) -> None:
    for pieces in ([octets], [bytes([octet]) for octet in octets]):
        client = Client(Limits(message=20)).send(OPENED, *pieces)
        assert client.codes[2:] == expected.split()
        assert client.messages == messages
        assert client.is_closed == expected.endswith("421")


def test_bdat_that_is_too_large_has_a_reply_for_each_recipient() -> None:
    client = Client(Limits(message=20)).send(OPENED, RCPT, b"BDAT 30\r\n", b"x" * 30, b"BDAT 1 LAST\r\nx")
    assert client.codes[3:] == ["552", "552", "552"]


# ---- the end


def test_close_between_commands() -> None:
    session = Session("mx")
    session.feed(LHLO + b"NOO")
    assert session.close(Response(421, "4.3.2", "Shutting down")) == (b"421 4.3.2 Shutting down\r\n", Quit())
    assert session.feed(b"P\r\n") == (b"", None)
    assert session.close(Response(421, "4.3.2", "Shutting down")) == (b"", None)


@pytest.mark.parametrize("content", [b"DATA\r\nx\r\n.\r\nNOOP\r\n", b"BDAT 3 LAST\r\nx\r\nNOOP\r\n"])
def test_close_waits_for_the_message_in_progress(content: bytes) -> None:
    client = Client().send(OPENED, content[:-7])
    client.take(client.session.close(Response(421, "4.3.2", "Shutting down")))
    assert not client.is_closed
    client.send(content[-7:])
    assert client.messages == [b"x\r\n"]
    assert client.codes[-2:] == ["250", "421"]
    assert client.is_closed


def test_close_waits_for_the_answer() -> None:
    session = Session("mx")
    session.feed(OPENED)
    assert session.close(Response(421, "4.3.2", "Bye")) == (b"", None)
    refused = Response(450, "4.7.1", "Later")
    assert session.answer(refused) == (b"450 4.7.1 Later\r\n421 4.3.2 Bye\r\n", Quit())


@pytest.mark.parametrize(
    ("rest", "codes"),
    [
        (RCPT + data(b"x"), ["250", "354", "250"]),
        (RCPT + b"BDAT 1\r\nxBDAT 1 LAST\r\ny", ["250", "250", "250"]),
        (b"RSET\r\n", ["250"]),
        (LHLO, []),
        (b"", []),
    ],
)
def test_close_waits_for_the_end_of_the_message(rest: bytes, codes: list[str]) -> None:
    client = Client().send(LHLO, MAIL)
    client.take(client.session.close(Response(421, "4.3.2", "Bye")))
    assert not client.is_closed
    client.send(rest, MAIL if rest else b"")
    assert client.codes == ["250", *codes, *(["421"] if rest else [])]
    assert client.is_closed == bool(rest)


@pytest.mark.parametrize("response", [Response(421, "4.7.0", "Go"), Response(550, "5.7.1", "Go", disconnect=True)])
def test_an_answer_may_end_the_connection(response: Response) -> None:
    session = Session("mx")
    session.feed(OPENED + RCPT + data(b"x"))
    assert session.answer()[1] == session.answer()[1] == Rcpt("a@example.com")
    session.answer()
    octets, event = session.answer_message([response, None])
    assert octets == reply(response.code, response.enhanced, "Go") + b"250 2.0.0 Message accepted\r\n"
    assert event == Quit()


# ---- replies


@pytest.mark.parametrize(
    ("arguments", "octets"),
    [
        ((250, "", ""), b"250\r\n"),
        ((250, "2.0.0", ""), b"250 2.0.0\r\n"),
        ((220, "", "mx LMTP"), b"220 mx LMTP\r\n"),
        ((550, "5.7.1", "one\ntwo"), b"550-5.7.1 one\r\n550 5.7.1 two\r\n"),
        ((550, "5.7.1", "one\n\ntwo "), b"550-5.7.1 one\r\n550-5.7.1\r\n550 5.7.1 two\r\n"),
        ((250, "", "one\n\ntwo"), b"250-one\r\n250-\r\n250 two\r\n"),
        ((550, "5.7.1", "a\r250 b\0\x85\u2028c\x1b[0m"), b"550 5.7.1 a250 bc[0m\r\n"),
        ((550, "5.7.1", "\xe4"), b"550 5.7.1 ?\r\n"),
        ((550, "5.7.1", "x" * 600), b"550 5.7.1 " + b"x" * 500 + b"\r\n"),
    ],
)
def test_replies(arguments: tuple[int, str, str], octets: bytes) -> None:
    assert reply(*arguments) == octets


@given(
    st.text() | st.lists(st.sampled_from(["\n", "\r", "\xe4" * 300, "x" * 511, "\U0001f600"])).map("".join),
    st.booleans(),
)
@example("x\xe4" * 300, True)
@example("\n" * 200, False)
def test_a_reply_is_one_reply(text: str, utf8: bool) -> None:
    octets = reply(550, "5.7.1", text, utf8=utf8)
    lines = octets.split(b"\r\n")
    assert lines.pop() == b""
    assert 1 <= len(lines) <= REPLY_LINES
    for line in lines:
        assert len(line) <= 510
        assert line.decode().isprintable()
        assert line.isascii() or utf8
    assert [line[3:9] for line in lines] == [b"-5.7.1"] * (len(lines) - 1) + [b" 5.7.1"]


def test_utf8_in_replies_only_if_declared() -> None:
    for declared, expected in ((b"", b"550 5.7.1 uber\r\n"), (b" SMTPUTF8", b"550 5.7.1 \xc3\xbcber\r\n")):
        session = Session("mx")
        session.feed(LHLO + b"MAIL FROM:<>" + declared + b"\r\n" + RCPT)
        session.answer()
        assert session.answer(Response(550, "5.7.1", "\xfcber"))[0] == expected
