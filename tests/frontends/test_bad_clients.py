"""Clients that misbehave, and what a real server does with them: everything at once, nothing at all, too slow, too much, gone
in the middle, a second message inside the first, from elsewhere."""

from __future__ import annotations

import logging
import random
import re
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from support.lmtp import Client, serving
from support.postfix import free_port
from support.serving import MESSAGE as MILTER_MESSAGE
from support.serving import Serve, packet
from support.submission import Submission, submission

from sieveav.frontends import connections, lmtp_session, milter_session
from sieveav.frontends.connections import may_connect
from sieveav.frontends.listening import LOCAL
from sieveav.frontends.lmtp_session import whole_lines
from sieveav.frontends.servers.milter import server as milter
from sieveav.site.site import Refused, load

CONFIG = """
lmtp "l" {
    listen = "inet:127.0.0.1:1" deliver = "maildir:FOLDER/mail/%d/%n" create = true submit = "SUBMIT"
}
milter "m" { listen = "inet:127.0.0.1:2" }
users { scripts = "%n.sieve" }
state { store = "sqlite:state.db" }
"""

HEADER = b"Received: from x by y with SMTP id 1\r\nFrom: bob@example.org\r\nSubject: hi\r\n\r\n"
ENVELOPE = b"LHLO x\r\nMAIL FROM:<bob@example.org>\r\nRCPT TO:<alice@example.com>\r\n"


@pytest.fixture
def sent() -> Iterator[Submission]:
    with submission() as server:
        yield server


Start = Callable[..., int]
"""Starts a server of this process with users' scripts; gives its port."""


@pytest.fixture
def folder(tmp_path: Path, sent: Submission) -> Path:
    (tmp_path / "site.conf").write_text(CONFIG.replace("FOLDER", str(tmp_path)).replace("SUBMIT", sent.address))
    return tmp_path


@pytest.fixture
def lmtp(folder: Path) -> Iterator[Start]:
    with ExitStack() as stack:

        def start(options: str = "", **scripts: str) -> int:
            config = folder / "site.conf"
            config.write_text(config.read_text().replace("create = true", f"create = true {options}"))
            for name, script in scripts.items():
                (folder / f"{name}.sieve").write_text(script)
            return stack.enter_context(serving(load(config)))

        yield start


@pytest.fixture
def mta(folder: Path) -> Iterator[Start]:
    """The same for the milter; the scripts are those of phases."""
    with ExitStack() as stack:

        def start(options: str = "", **scripts: str) -> int:
            config = folder / "site.conf"
            stanzas = "".join(f'script "{phase}_phase1" {{ source = "{phase}.sieve" }}' for phase in scripts)
            text = config.read_text().replace('"inet:127.0.0.1:2"', f'"inet:127.0.0.1:2" {options}')
            config.write_text(f'{text} sieve "s" {{ {stanzas} }}')
            for phase, script in scripts.items():
                (folder / f"{phase}.sieve").write_text(script)
            return stack.enter_context(serving(load(config), milter))

        yield start


def connect(port: int, source: str = "127.0.0.1") -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), 60, (source, 0))


def read_all(client: socket.socket) -> bytes:
    """What the server sends, to the end of the connection; also if it does not read what the client has sent."""
    octets = b""
    while True:
        try:
            more = client.recv(65536)
        except ConnectionResetError:
            more = b""
        if not more:
            return octets
        octets += more


def codes(octets: bytes) -> list[str]:
    return [line[:3].decode() for line in octets.split(b"\r\n") if line[3:4] == b" "]


def leave(client: socket.socket, *, reset: bool) -> None:
    """End a connection with a reset, or with an orderly end, after which the server may still answer."""
    if reset:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    else:
        client.shutdown(socket.SHUT_WR)
        read_all(client)


def stored(folder: Path, name: str = "alice") -> list[bytes]:
    return [path.read_bytes() for path in (folder / "mail").glob(f"*/{name}/new/*")]


def give(port: int, *recipients: str) -> list[str]:
    with Client(port) as client:
        return client.give(HEADER + b"Hello.\r\n", *(recipients or ("alice@example.com",)))


def wait_until(condition: Callable[[], object]) -> None:
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def is_quiet(caplog: pytest.LogCaptureFixture) -> bool:
    """Whether nothing was logged as an error, and no traceback was."""
    return not any(record.levelno >= logging.ERROR or record.exc_info for record in caplog.records)


# ---- everything at once, and a part of it

DIALOGUE = (
    ENVELOPE
    + b"RCPT TO:<carol@example.com>\r\nDATA\r\n"
    + HEADER
    + b"Hello.\r\n.\r\nRSET\r\nMAIL FROM:<>\r\nRCPT TO:<alice@example.com>\r\nBDAT 5\r\na: b\rBDAT 6 LAST\r\n"
    + b"\n\r\nx\r\nQUIT\r\n"
)
KEPT = 'require ["copy", "duplicate"]; if not duplicate { redirect :copy "other@example.org"; }'


def test_everything_in_one_write(lmtp: Start, folder: Path, sent: Submission, caplog: pytest.LogCaptureFixture) -> None:
    with connect(lmtp(carol=KEPT)) as client:
        client.sendall(DIALOGUE)
        expected = "220 250 250 250 250 354 250 250 250 250 250 250 250 221"
        assert codes(read_all(client)) == expected.split()
    assert len(stored(folder)) == 2
    assert len(stored(folder, "carol")) == len(sent.messages) == 1
    assert is_quiet(caplog)


@pytest.mark.parametrize("reset", [False, True])
def test_a_client_that_is_gone_after_any_octet(
    lmtp: Start, folder: Path, caplog: pytest.LogCaptureFixture, reset: bool
) -> None:
    """What it has sent whole is stored, and nothing else; a reset may take away what the server has not read."""
    port = lmtp(carol=KEPT)
    first = DIALOGUE.index(b"RSET")
    second = DIALOGUE.index(b"QUIT")
    for size in range(len(DIALOGUE) + 1):
        # each message is another one: their Received fields differ
        with connect(port) as client:
            client.sendall(DIALOGUE[:size].replace(b"id 1", b"id %d" % size))
            leave(client, reset=reset)
    sizes = range(len(DIALOGUE) + 1)
    alice = sum((size >= first) + (size >= second) for size in sizes)
    carol = sum(size >= first for size in sizes)
    assert give(port)[0].startswith("250")
    if reset:
        assert len(stored(folder)) <= alice + 1
    else:
        assert (len(stored(folder)), len(stored(folder, "carol"))) == (alice + 1, carol)
    texts = {raw.partition(b"\n\n")[2] for raw in stored(folder)}
    assert texts <= {b"Hello.\n", b"x\n"}
    assert list((folder / "mail").rglob("tmp/*")) == []
    assert is_quiet(caplog)


NEGOTIATION = packet(b"O" + struct.pack("!LLL", 6, 0x1FF, 0x1FFFFF))
NEGOTIATED = 17
"""Octets of the answer to it."""

SESSION = [b"DCj\0mx\0", b"Cmx\0" + b"4\0\x19192.0.2.1\0", b"Hmx\0", *MILTER_MESSAGE]
SECOND = [b"A", b"M<>\0", *MILTER_MESSAGE[1:]]
MILTER_DIALOGUE = NEGOTIATION + b"".join(map(packet, [*SESSION, *SECOND, b"Q"]))


def negotiate(client: socket.socket) -> None:
    client.sendall(NEGOTIATION)
    assert client.recv(NEGOTIATED, socket.MSG_WAITALL)[4:5] == b"O"


def ask(client: socket.socket, *packets: bytes) -> bytes:
    """What is answered to the last of these, the end of a message."""
    client.sendall(b"".join(map(packet, packets)))
    answers = b""
    while packet(b"c") not in answers and b"y" not in answers:
        more = client.recv(4096)
        assert more, answers
        answers += more
    return answers


def talk(port: int) -> bytes:
    """What is answered to both messages of the dialogue."""
    with connect(port) as client:
        negotiate(client)
        answers = ask(client, *SESSION) + ask(client, *SECOND)
        client.sendall(packet(b"Q"))
        return answers + read_all(client)


def answer(port: int, *packets: bytes) -> bytes:
    """What is answered at the end of a message."""
    with connect(port) as client:
        negotiate(client)
        return ask(client, b"M<>\0", *packets, b"E")


@pytest.mark.parametrize("reset", [False, True])
def test_an_mta_that_is_gone_after_any_octet(mta: Start, caplog: pytest.LogCaptureFixture, reset: bool) -> None:
    caplog.set_level("INFO")
    port = mta(data="stop;")
    for size in range(len(MILTER_DIALOGUE)):
        with connect(port) as client:
            client.sendall(MILTER_DIALOGUE[:size])
            leave(client, reset=reset)
    assert talk(port) == packet(b"c") * 2
    first = MILTER_DIALOGUE.index(packet(b"E")) + 5
    second = MILTER_DIALOGUE.index(packet(b"Q"))
    sizes = range(len(MILTER_DIALOGUE))
    firsts = 2 + sum(size >= first for size in sizes)

    def decided() -> int:
        return sum("result=" in str(record.msg) for record in caplog.records)

    if not reset:
        wait_until(lambda: decided() >= firsts)
    assert decided() <= firsts + sum(size >= second for size in sizes)  # the second may find the client gone
    assert is_quiet(caplog)


# ---- nonsense


@pytest.mark.parametrize("front_end", ["lmtp", "milter"])
def test_nonsense(lmtp: Start, mta: Start, caplog: pytest.LogCaptureFixture, front_end: str) -> None:
    """Whatever comes, no exception does: the milter's protocol has errors, which are logged without a traceback."""
    rng = random.Random(5321)
    whole = DIALOGUE if front_end == "lmtp" else MILTER_DIALOGUE
    port = lmtp() if front_end == "lmtp" else mta(data="stop;")
    for _ in range(150):
        octets = bytearray(whole)
        for _ in range(rng.randrange(1, 6)):
            at = rng.randrange(len(octets))
            change = rng.randrange(4)
            if change == 0:
                octets[at] = rng.randrange(256)
            elif change == 1:
                del octets[at : at + rng.randrange(1, 30)]
            elif change == 2:
                octets[at:at] = rng.randbytes(rng.randrange(1, 30))
            else:
                octets[at:at] = octets[at : at + rng.randrange(1, 60)]
        with connect(port) as client, suppress(OSError):  # the server may close it first
            client.sendall(octets)
            client.shutdown(socket.SHUT_WR)
            read_all(client)
    assert not any(record.exc_info for record in caplog.records)
    assert all(str(record.getMessage()).isprintable() for record in caplog.records)
    if front_end == "lmtp":
        assert give(port)[0].startswith("250")
    else:
        assert talk(port) == packet(b"c") * 2


# ---- a second message inside the first

EVIL = b"MAIL FROM:<evil@x>\r\nRCPT TO:<carol@example.com>\r\nDATA\r\nevil"
ENDS = [
    b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r\n.\r", b"\r.\r", b"\r.\n", b"\r.\r\n", b"\n\n.\n\n", b"\r\r\n.\r\r\n", b"\n.\r",
    b"\r\n\0.\r\n", b"\r\n.\0\r\n", b"\r\n. \r\n", b"\r\n..\r\n", b"\r\r.\r\r", b"\n\r.\n\r",
]  # fmt: skip


@pytest.mark.parametrize("end", ENDS, ids=repr)
@pytest.mark.parametrize("chunked", [False, True])
def test_a_message_inside_a_message(lmtp: Start, folder: Path, sent: Submission, end: bytes, chunked: bool) -> None:
    """It is text: here, in the mailbox, and for the server that the message is sent on to, however that ends messages."""
    content = HEADER + b"before" + end + EVIL + end + b"after\r\n"
    data = b"BDAT %d LAST\r\n%s" % (len(content), content)
    if not chunked:
        data = b"DATA\r\n" + content.replace(b"\r\n.", b"\r\n..") + b".\r\n"
    with connect(lmtp(alice='require "copy"; redirect :copy "other@example.org";')) as client:
        client.sendall(ENVELOPE + data + b"QUIT\r\n")
        assert codes(read_all(client)) == ["220", "250", "250", "250", *([] if chunked else ["354"]), "250", "221"]
    (octets,) = stored(folder)
    assert stored(folder, "carol") == []
    assert b"\r" not in octets
    assert octets.endswith(b"after\n")
    ((sender, recipient, onward),) = sent.messages
    assert (sender, recipient) == ("bob@example.org", "other@example.org")
    assert re.search(rb"\r(?!\n)|(?<!\r)\n", onward) is None
    # the same lines for everybody
    assert octets.partition(b"Subject: hi")[2] == onward.partition(b"Subject: hi")[2].replace(b"\r\n", b"\n")
    assert all("evil" not in command for command in sent.commands)


@pytest.mark.parametrize(
    ("raw", "lines"),
    [
        (b"a\r\n.\r\nb", b"a\r\n.\r\nb"),
        (b"a\nb\n", b"a\r\nb\r\n"),
        (b"a\rb\r", b"a b "),
        (b"\n\r\n\r\r\n\n\r", b"\r\n\r\n \r\n\r\n "),
        (b"\0\xff", b"\0\xff"),
        (b"", b""),
        (b"a\r \nb", b"a  \r\nb"),
        (b"\n\r", b"\r\n "),
    ],
)
def test_line_ends(raw: bytes, lines: bytes) -> None:
    assert whole_lines(raw) == lines
    assert whole_lines(lines) == lines


def test_nul_in_a_message_and_in_commands(lmtp: Start, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    with connect(lmtp()) as client:
        client.sendall(
            b"LHLO x\r\nNOOP \0\r\nMAIL FROM:<a\0@b>\r\nMAIL FROM:<a@b> \0\r\nM\0AIL FROM:<a@b>\r\n"
            + ENVELOPE.replace(b"LHLO x\r\n", b"")
            + b"RCPT TO:<alice@example.com\0>\r\nDATA\r\nX-\0: \0\r\nSubject: a\0b\r\n\r\n\0\r\n.\r\nQUIT\r\n"
        )
        assert codes(read_all(client)) == "220 250 500 500 500 500 250 250 500 354 250 221".split()
    (octets,) = stored(folder)
    assert octets.endswith(b"X-\0: \0\nSubject: a\0b\n\n\0\n")
    assert all(str(record.msg).isprintable() for record in caplog.records)


# ---- too much


def peak(process: int) -> int:
    """The most memory that a process has had, in MiB."""
    status = Path(f"/proc/{process}/status").read_text()
    match = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert match is not None
    return int(match[1]) // 1024


def process_config(folder: Path, **options: str) -> str:
    words = " ".join(f"{name} = {value}" for name, value in options.items())
    deliver = f'deliver = "maildir:{folder}/mail/%d/%n" create = true'
    return (
        "sieveav { workers = 1 }\n"
        f'lmtp "l" {{ listen = "inet:127.0.0.1:{free_port()}" {deliver} {words} }}\n'
        'users { scripts = "p.sieve" }\nstate { store = "sqlite:state.db" }\n'
    )


def port_of(config: str) -> int:
    match = re.search(r"127\.0\.0\.1:(\d+)", config)
    assert match is not None
    return int(match[1])


def test_a_message_of_100_megabytes_is_thrown_away(serve: Serve, tmp_path: Path) -> None:
    config = process_config(tmp_path, size="1m")
    server = serve("keep;", config)
    server.wait_for("generation 1 is ready")
    give(port_of(config))
    (worker,) = server.workers
    before = peak(worker)
    block = (b"x" * 76 + b"\r\n") * 13_000
    whole = [block] * 104
    assert sum(map(len, whole)) > 100_000_000
    with connect(port_of(config)) as client:
        client.sendall(ENVELOPE + b"DATA\r\n")
        for each in whole:
            client.sendall(each)
        client.sendall(b".\r\nMAIL FROM:<a@b>\r\nRCPT TO:<alice@example.com>\r\nBDAT %d LAST\r\n" % (len(block) * 104))
        for each in whole:
            client.sendall(each)
        client.sendall(b"QUIT\r\n")
        assert codes(read_all(client)) == "220 250 250 250 354 552 250 250 552 221".split()
    assert peak(worker) - before < 16
    assert give(port_of(config))[0].startswith("250")
    assert len(stored(tmp_path)) == 2
    assert server.stop() == 0


def test_10_000_recipients(serve: Serve, tmp_path: Path) -> None:
    config = process_config(tmp_path)
    server = serve("discard;", config)
    server.wait_for("generation 1 is ready")
    give(port_of(config))
    (worker,) = server.workers
    before = peak(worker)
    with connect(port_of(config)) as client:
        client.sendall(b"LHLO x\r\nMAIL FROM:<bob@example.org>\r\n")
        client.sendall(b"".join(b"RCPT TO:<u%d@example.com>\r\n" % number for number in range(10_000)))
        client.sendall(b"DATA\r\n" + HEADER + b".\r\nQUIT\r\n")
        replies = read_all(client)
    assert codes(replies) == ["220", "250", "250", *["250"] * 1000, *["452"] * 9000, "354", *["250"] * 1000, "221"]
    assert replies.count(b"452 4.5.3 ") == 9000
    assert peak(worker) - before < 32
    assert server.stop() == 0


def test_10_001_recipients_and_what_else_an_mta_can_send_without_end(
    mta: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    port = mta()
    recipients = [b"R<u%d@example.com>\0" % number for number in range(10_001)]
    header = [b"LA\0 b\0", b"N"]
    assert answer(port, *recipients[1:], *header).endswith(b"c")
    assert b"y452 4.5.3 " in answer(port, *recipients, *header)
    assert b"y553 5.1.3 " in answer(port, b"R" + b"a" * 4097 + b"\0", *header)
    monkeypatch.setattr(milter_session, "LARGEST", 100_000)
    rcpt = recipients[0]
    assert answer(port, rcpt, *[b"LA\0 b\0"] * 1000, b"N").endswith(b"c")
    assert b"y552 5.3.4 " in answer(port, rcpt, *[b"LA\0 b\0"] * 20_000, b"N")
    assert b"y552 5.3.4 " in answer(port, rcpt, *[b"L" + b"A" * 1000 + b"\0\0"] * 100, b"N")
    assert b"y552 5.3.4 " in answer(port, rcpt, *header, *[b"B" + b"x" * 1000] * 100)
    assert answer(port, rcpt, *header, *[b"B"] * 2000).endswith(b"c")
    assert answer(port, rcpt, *[b"DL{m%d}\0v\0" % number for number in range(2000)], b"N").endswith(b"c")
    assert is_quiet(caplog)


def test_a_message_without_recipients_is_not_dropped(mta: Start) -> None:
    """All of none would be a discard, which the client reads as 250."""
    assert b"y451 " in answer(mta(), b"LA\0 b\0", b"N")


# ---- too slow


def drip(client: socket.socket, octets: bytes, pause: float = 0.05) -> float:
    """Send octet after octet until the server closes the connection: how many seconds that took."""
    begun = time.monotonic()
    for octet in octets:
        try:
            client.sendall(bytes([octet]))
        except OSError:
            break
        client.settimeout(pause)
        try:
            if not client.recv(4096):
                break
        except TimeoutError:
            continue
        except OSError:
            break
    return time.monotonic() - begun


def test_a_command_that_never_ends(lmtp: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lmtp_session, "IDLE", 0.5)
    port = lmtp()
    with connect(port) as slow:
        assert drip(slow, b"NOOP " + b"x" * 1000) < 5
        assert give(port)[0].startswith("250")


def test_a_client_that_says_nothing_of_use(lmtp: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole commands, one after the other, and never a message."""
    monkeypatch.setattr(lmtp_session, "MESSAGE", 0.5)
    with connect(lmtp()) as client:
        assert drip(client, b"NOOP\r\n" * 1000, 0.01) < 5


@pytest.mark.parametrize("start", [b"DATA\r\n", b"BDAT 100000 LAST\r\n"])
def test_a_message_that_never_ends(lmtp: Start, folder: Path, monkeypatch: pytest.MonkeyPatch, start: bytes) -> None:
    monkeypatch.setattr(lmtp_session, "MESSAGE", 0.5)
    port = lmtp()
    with connect(port) as slow:
        slow.sendall(ENVELOPE + start)
        begun = time.monotonic()
        replies = b""
        slow.settimeout(0.05)
        while b"421" not in replies:
            slow.sendall(b"x")
            try:
                replies += slow.recv(4096)
            except TimeoutError:
                assert time.monotonic() < begun + 5
    assert b"421 4.4.2 The message takes too long\r\n" in replies
    assert not (folder / "mail").exists()
    assert give(port)[0].startswith("250")


def test_the_time_that_the_server_takes_is_not_the_clients(
    lmtp: Start, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lmtp_session, "MESSAGE", 0.9)
    monkeypatch.setattr(lmtp_session, "IDLE", 0.9)
    (folder / "slow.sieve").write_text('require "ec_tarpit"; ec_tarpit 1;')
    with (folder / "site.conf").open("a") as config:
        config.write('sieve "s" { script "rcptto_phase1" { source = "slow.sieve" } }')
    with Client(lmtp(alice='require "ec_tarpit"; ec_tarpit 1;')) as client:
        for _ in range(2):
            assert client.give(HEADER, "alice@example.com")[0].startswith("250")


@pytest.mark.parametrize(
    ("name", "octets"),
    [
        ("IDLE", b""),
        ("PACKET", packet(b"M" + b"x" * 1000 + b"\0")),
        ("CONTENT", packet(b"M<>\0") + packet(b"R<a@b>\0") + packet(b"LA\0 b\0") * 200),
    ],
)
def test_an_mta_that_takes_too_long(
    mta: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str, octets: bytes
) -> None:
    monkeypatch.setattr(milter_session, name, 0.5)
    with connect(mta()) as client:
        negotiate(client)
        if octets:
            assert drip(client, octets, 0.01 if name == "CONTENT" else 0.05) < 10
        else:
            assert client.recv(1) == b""
    assert "takes too long" in caplog.text
    assert is_quiet(caplog)


def test_a_message_within_the_time_of_an_mta(mta: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session may be longer than the time for one message's content."""
    monkeypatch.setattr(milter_session, "CONTENT", 0.5)
    with connect(mta()) as client:
        negotiate(client)
        for _ in range(3):
            client.sendall(b"".join(map(packet, MILTER_MESSAGE[:-1])))
            time.sleep(0.3)  # it is the time itself that is tested
            assert ask(client, b"E") == packet(b"c")


@pytest.mark.parametrize("front_end", ["lmtp", "milter"])
def test_a_client_that_does_not_read(lmtp: Start, mta: Start, monkeypatch: pytest.MonkeyPatch, front_end: str) -> None:
    """Nothing more is read from it, and it does not keep its connection."""
    monkeypatch.setattr(connections, "STALLED", 1.0)
    port = lmtp() if front_end == "lmtp" else mta(ehlo="stop;")
    asking = (b"HELP\r\n" if front_end == "lmtp" else packet(b"Hmx\0")) * 10_000
    with connect(port) as client:
        if front_end == "milter":
            negotiate(client)
        client.setblocking(False)
        sent, begun = 0, time.monotonic()
        while True:
            try:
                sent += client.send(asking)
            except BlockingIOError:
                assert time.monotonic() < begun + 20
                time.sleep(0.01)
            except OSError:
                break
        assert sent < 100_000_000


# ---- too many, and from elsewhere


def test_one_client_leaves_room_for_others(
    lmtp: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connections, "OF_ONE_CLIENT", 2)
    port = lmtp()
    with connect(port) as one, connect(port) as two, connect(port) as three, connect(port, "127.0.0.2") as other:
        assert read_all(three).startswith(b"421 4.3.2 ")
        for client in (one, two, other):
            client.sendall(b"QUIT\r\n")
            assert codes(read_all(client)) == ["220", "221"]
    assert "a connection from 127.0.0.1 is refused: too many connections" in caplog.text


def test_too_many_milter_connections(mta: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "CONNECTIONS", 1)
    port = mta()
    with connect(port) as one:
        negotiate(one)
        with connect(port) as two:
            two.sendall(NEGOTIATION)
            assert read_all(two) == b""
        assert ask(one, *MILTER_MESSAGE) == packet(b"c")


@pytest.mark.parametrize("front_end", ["lmtp", "milter"])
def test_only_clients_may_connect(lmtp: Start, mta: Start, caplog: pytest.LogCaptureFixture, front_end: str) -> None:
    port = (lmtp if front_end == "lmtp" else mta)('clients = ( "127.0.0.2" "192.0.2.0/24" )')
    asking = b"QUIT\r\n" if front_end == "lmtp" else NEGOTIATION
    with connect(port) as foreign, connect(port, "127.0.0.2") as client:
        foreign.sendall(asking)
        refused = read_all(foreign)
        client.sendall(asking)
        reply = read_all(client) if front_end == "lmtp" else client.recv(4096)
    if front_end == "lmtp":
        assert refused == b"554 5.7.1 Your address may not connect to this server\r\n"
        assert codes(reply) == ["220", "221"]
    else:
        assert refused == b""
        assert reply[4:5] == b"O"
    assert f"{front_end}: a connection from 127.0.0.1 is refused: clients do not include it" in caplog.text


@pytest.mark.parametrize(
    ("client", "allowed"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("::ffff:192.0.2.1", False),
        ("192.0.2.1", False),
        ("fe80::1%eth0", False),
        ("2001:db8::1", False),
    ],
)
def test_this_machine_only_unless_the_configuration_says_more(client: str, allowed: bool) -> None:
    assert may_connect(client, LOCAL) == allowed
    assert may_connect(client, ("0.0.0.0/0", "::/0"))


@pytest.mark.parametrize(
    ("options", "rules"),
    [
        ('listen = "inet:0.0.0.0:1"', ["clients-missing"]),
        ('listen = "inet:[2001:db8::1]:1"', ["clients-missing"]),
        ('listen = "inet:0.0.0.0:1" clients = ( "192.0.2.1/24" )', []),
        ('listen = "inet:[::1]:1"', []),
        ('listen = "unix:/m"', []),
        ('listen = "unix:/m" clients = ( "mail.example.com" )', ["value-invalid"]),
    ],
)
def test_a_configuration_says_who_may_connect(tmp_path: Path, options: str, rules: list[str]) -> None:
    (tmp_path / "site.conf").write_text(f'milter "m" {{ {options} }}')
    try:
        problems = load(tmp_path / "site.conf").warnings
    except Refused as refused:
        problems = refused.problems
    assert [problem.rule for problem in problems] == rules
