"""One connection from an MTA: an MTA of the test's own sends packets, and looks at what is answered."""

from __future__ import annotations

import asyncio
import re
import struct
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from support.submission import submission

from sieveav.frontends import milter_session
from sieveav.frontends.handing import peer
from sieveav.frontends.message_log import MessageLine
from sieveav.frontends.milter_events import Action, Step
from sieveav.frontends.milter_plan import Answering
from sieveav.frontends.milter_sending import Sending
from sieveav.frontends.milter_session import MilterSession
from sieveav.running.outcome import Response
from sieveav.site.deciding import Conversation
from sieveav.site.site import Site, load

OFFERED = int(Action(0x1FF)), int(Step(0x1FFFFF))

MESSAGE = [b"LSubject\0 hi\0", b"LX-Bad\0 1\0", b"N", b"BHello.\r\n", b"E"]


def packet(data: bytes) -> bytes:
    return struct.pack("!L", len(data)) + data


class Mta:
    """The MTA's side of a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, *packets: bytes) -> None:
        self.writer.write(b"".join(map(packet, packets)))

    async def receive(self) -> bytes:
        """One packet, its letter first; b"" at the end of the connection."""
        try:
            head = await asyncio.wait_for(self.reader.readexactly(4), 10)
        except asyncio.IncompleteReadError:
            return b""
        return await self.reader.readexactly(struct.unpack("!L", head)[0])

    async def negotiate(self) -> int:
        """The steps that are agreed on."""
        self.send(b"O" + struct.pack("!LLL", 6, *OFFERED))
        answer = await self.receive()
        assert answer[:1] == b"O"
        steps: int = struct.unpack("!LLL", answer[1:])[2]
        return steps

    async def final(self) -> list[bytes]:
        """All packets up to the final reply to the end of a message."""
        packets = []
        while True:
            received = await self.receive()
            packets.append(received)
            if received[:1] in (b"c", b"a", b"d", b"t", b"r", b"y", b""):
                return packets


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


@pytest.fixture
def site(tmp_path: Path) -> Callable[..., Site]:
    """Makes a site of scripts by their phases, "user" for users' own."""

    def make(**scripts: str) -> Site:
        stanzas = ""
        for phase, text in scripts.items():
            (tmp_path / f"{phase}.sieve").write_text(
                f'require ["vctx", "variables", "ec_action", "editheader", "envelope", "environment", "copy"]; {text}'
            )
            if phase != "user":
                stanzas += f'script "{phase}_phase1" {{ source = "{phase}.sieve" }}'
        users = 'users { scripts = "user.sieve" }' if "user" in scripts else ""
        (tmp_path / "site.conf").write_text(f'sieve "s" {{ {stanzas} }} {users}')
        return load(tmp_path / "site.conf")

    return make


@asynccontextmanager
async def connected(
    site: Site, executor: ThreadPoolExecutor, folder: Path, name: str = "milter.sock", **options: Any
) -> AsyncIterator[Mta]:
    loop = asyncio.get_running_loop()
    path = folder / name
    server = await loop.create_unix_server(lambda: MilterSession(site, executor, **options), path=str(path))
    reader, writer = await asyncio.open_unix_connection(str(path))
    try:
        yield Mta(reader, writer)
    finally:
        writer.close()
        server.close()
        await server.wait_closed()


def envelope(*recipients: bytes, sender: bytes = b"<bob@example.org>") -> list[bytes]:
    connect = b"Cmx.example.org\0" + b"4" + struct.pack("!H", 25) + b"192.0.2.1\0"
    rcpts = [b"R" + recipient + b"\0" for recipient in recipients or (b"<alice@example.com>",)]
    return [b"DC", connect, b"DH", b"Hmx.example.org\0", b"DM", b"M" + sender + b"\0", b"DR", *rcpts]


def talk(site: Site, executor: ThreadPoolExecutor, folder: Path, *packets: bytes, **options: Any) -> list[bytes]:
    """What is answered to a whole message, after the negotiation."""

    async def run() -> list[bytes]:
        async with connected(site, executor, folder, **options) as mta:
            await mta.negotiate()
            mta.send(*packets)
            return await mta.final()

    return asyncio.run(run())


def message_lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The lines of the log for messages."""
    return [str(record.msg) for record in caplog.records if isinstance(record.msg, MessageLine)]


def test_a_message_is_accepted_with_one_reply(
    site: Callable[..., Site], executor: ThreadPoolExecutor, tmp_path: Path
) -> None:
    assert talk(site(), executor, tmp_path, *envelope(), *MESSAGE) == [b"c"]


def test_steps_without_scripts_are_not_answered(
    site: Callable[..., Site], executor: ThreadPoolExecutor, tmp_path: Path
) -> None:
    async def steps(**scripts: str) -> int:
        async with connected(site(**scripts), executor, tmp_path) as mta:
            return await mta.negotiate()

    silent = Step.NR_CONN | Step.NR_HELO | Step.NR_MAIL | Step.NR_RCPT
    assert asyncio.run(steps()) & silent == silent
    scripts = {"connect": "stop;", "rcptto": "stop;"}
    assert asyncio.run(steps(**scripts)) & silent == Step.NR_HELO | Step.NR_MAIL


def test_edits_and_recipients(site: Callable[..., Site], executor: ThreadPoolExecutor, tmp_path: Path) -> None:
    user = """addheader "X-New" "v"; deleteheader "X-Bad";
    if envelope "to" "Carol@example.com" { discard; stop; }
    if envelope "to" "dave@example.com" { redirect "x@example.org"; }"""
    made = site(user=user)
    recipients = (b"<alice@example.com>", b"<Carol@Example.com>", b"<dave@example.com>")
    answers = talk(made, executor, tmp_path, *envelope(*recipients), *MESSAGE)
    assert answers == [
        b"m\0\0\0\1X-Bad\0\0",
        b"i\0\0\0\1X-New\0 v\0",
        b"-<Carol@Example.com>\0",
        b"-<dave@example.com>\0",
        b"+<x@example.org>\0",
        b"c",
    ]


def test_a_refusal_has_the_policys_own_text(
    site: Callable[..., Site], executor: ThreadPoolExecutor, tmp_path: Path
) -> None:
    made = site(data='ec_action 550 "5.7.1 one\ntwo 100%";')
    assert talk(made, executor, tmp_path, *envelope(), *MESSAGE) == [b"y550-5.7.1 one\r\n550 5.7.1 two 100%%\0"]


def test_a_message_that_is_held(
    site: Callable[..., Site], executor: ThreadPoolExecutor, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    made = site(data='require "vnd.sieveav.quarantine"; quarantine "odd \u2028attachment";')
    assert talk(made, executor, tmp_path, *envelope(), *MESSAGE) == [b"qodd attachment\0", b"c"]
    (line,) = message_lines(caplog)
    assert 'result=accept to=alice@example.com action="quarantine odd attachment" action=keep' in line


def test_a_discard(site: Callable[..., Site], executor: ThreadPoolExecutor, tmp_path: Path) -> None:
    assert talk(site(user="discard;"), executor, tmp_path, *envelope(), *MESSAGE) == [b"d"]


def test_what_cannot_be_done_is_deferred_and_logged(
    site: Callable[..., Site], executor: ThreadPoolExecutor, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    (answer,) = talk(site(user='require "fileinto"; fileinto "Junk";'), executor, tmp_path, *envelope(), *MESSAGE)
    assert answer.startswith(b"y451 4.3.0 ")
    (line,) = message_lines(caplog)
    assert 'result=defer reply="451 4.3.0 ' in line
    assert "needs delivery, which a milter cannot do" in line
    assert 'to=alice@example.com action="fileinto Junk"' in line


BIRDSEED = 'require "ereject"; if envelope "to" ["carol@example.com", "dave@example.com"] { ereject "no birdseed"; }'


def test_refusals_of_some_recipients(
    site: Callable[..., Site], executor: ThreadPoolExecutor, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """They are removed, and the sender gets a notice, about those of whom one is wanted; else the message is deferred."""
    caplog.set_level("INFO")
    made = site(user=BIRDSEED)
    packets = [*envelope(sender=b"<bob@example.org>\0ENVID=xyz"), b"R<carol@example.com>\0ORCPT=rfc822;c@x.org\0"]
    packets += [b"R<dave@example.com>\0NOTIFY=NEVER\0", *MESSAGE]
    packets[0] = b"DCj\0mx.example.com\0"
    with submission() as sent:
        options = {"answering": Answering(sends=True, bounce=True), "sending": Sending(made, peer(sent.address))}
        sent.replies["."] = "451 later"
        (answer,) = talk(made, executor, tmp_path, *packets, **options)
        assert answer.startswith(b"y451 4.3.0 ")
        del sent.replies["."]
        answers = talk(made, executor, tmp_path, *packets, **options)
        assert answers == [b"-<carol@example.com>\0", b"-<dave@example.com>\0", b"c"]
    ((sender, recipient, octets),) = sent.messages
    assert (sender, recipient) == ("", "bob@example.org")
    for text in ("dns; mx.example.com", "Id: xyz", "Original-Recipient: rfc822; c@x.org", "rfc822; carol@", "birdseed"):
        assert text in octets.decode()
    assert "dave" not in octets.decode()
    deferred, accepted = message_lines(caplog)
    assert 'reason="cannot send a notice of the refusals to bob@example.org: 451 later"' in deferred
    assert "result=accept to=alice@example.com action=keep to=carol@example.com" in accepted


def test_what_scripts_send_once_the_message_is_given_up(
    site: Callable[..., Site], executor: ThreadPoolExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing: the message comes again."""
    monkeypatch.setattr(milter_session, "DEADLINE", 0.2)
    given_up = threading.Event()
    decide = Conversation.end_of_data

    def slow(self: Conversation, message: object) -> object:
        decision = decide(self, message)  # type: ignore[arg-type]
        given_up.wait(10)
        return decision

    monkeypatch.setattr(Conversation, "end_of_data", slow)
    made = site(user=BIRDSEED)
    with submission() as sent:
        options = {"answering": Answering(sends=True, bounce=True), "sending": Sending(made, peer(sent.address))}
        recipients = [b"<alice@example.com>", b"<carol@example.com>"]
        (answer,) = talk(made, executor, tmp_path, *envelope(*recipients), *MESSAGE, **options)
        assert answer.startswith(b"y451 ")
        given_up.set()
        executor.shutdown()
        assert sent.commands == []


def test_a_mailbox_in_the_address(site: Callable[..., Site], executor: ThreadPoolExecutor, tmp_path: Path) -> None:
    """Removed before it is added: an MTA removes added recipients too."""
    user = """require "fileinto"; if envelope "to" "alice@example.com" { fileinto "Junk"; }
    elsif envelope "to" "alice+Junk@example.com" { discard; } else { fileinto :copy "A b"; }"""
    recipients = (b"<alice@example.com>", b"<alice+Junk@example.com>", b"<carol@example.com>")
    options = {"answering": Answering(plus=True)}
    answers = talk(site(user=user), executor, tmp_path, *envelope(*recipients), *MESSAGE, **options)
    assert answers == [
        b"-<alice@example.com>\0",
        b"-<alice+Junk@example.com>\0",
        b"+<alice+Junk@example.com>\0",
        b'+<"carol+A b"@example.com>\0',
        b"c",
    ]


def test_scripts_know_the_names_of_client_and_server(
    site: Callable[..., Site], executor: ThreadPoolExecutor, tmp_path: Path
) -> None:
    made = site(
        data="""if allof (environment "remote-host" "mx.example.org", environment "host" "mail.example.com",
                          environment "domain" "example.com", environment "location" "MTA") { ec_action 550 "seen"; }"""
    )
    macros, *rest = envelope()
    packets = [macros + b"j\0mail.example.com\0", *rest, *MESSAGE]
    assert talk(made, executor, tmp_path, *packets) == [b"y550 5.7.1 seen\0"]
    unnamed = [packet.replace(b"Cmx.example.org", b"C[192.0.2.1]") for packet in packets]
    assert talk(made, executor, tmp_path, *unnamed) == [b"c"]


@pytest.mark.parametrize(
    ("family", "sent", "known"),
    [
        (b"6", b"IPv6:2001:db8:0:0:0:0:0:1", "IPv6:2001:db8::1"),  # Debian's Sendmail
        (b"6", b"2001:DB8::1", "IPv6:2001:db8::1"),
        (b"6", b"::ffff:192.0.2.1", "192.0.2.1"),
        (b"4", b"192.0.2.1", "192.0.2.1"),
        (b"4", b"nonsense", "nonsense"),
    ],
)
def test_the_address_of_the_client_has_one_form(
    site: Callable[..., Site], executor: ThreadPoolExecutor, tmp_path: Path, family: bytes, sent: bytes, known: str
) -> None:
    made = site(data=f'if environment "remote-ip" "{known}" {{ ec_action 550 "seen"; }}')
    packets = [*envelope(), *MESSAGE]
    place = next(i for i, one in enumerate(packets) if one[:1] == b"C")
    packets[place] = b"Cmx\0" + family + struct.pack("!H", 25) + sent + b"\0"
    assert talk(made, executor, tmp_path, *packets) == [b"y550 5.7.1 seen\0"]


PHASES: Mapping[str, bytes] = {"connect": b"C", "ehlo": b"H", "mailfrom": b"M", "rcptto": b"R"}


@pytest.mark.parametrize("phase", PHASES)
def test_a_phase_answers_its_own_step(
    site: Callable[..., Site], executor: ThreadPoolExecutor, tmp_path: Path, phase: str
) -> None:
    made = site(**{phase: f'if environment "remote-ip" "192.0.2.1" {{ ec_action 550 "5.7.1 not in {phase}"; }}'})

    async def run() -> bytes:
        async with connected(made, executor, tmp_path) as mta:
            await mta.negotiate()
            packets = envelope()
            last = next(i for i, sent in enumerate(packets) if sent[:1] == PHASES[phase])
            mta.send(*packets[: last + 1])
            return await mta.receive()

    assert asyncio.run(run()) == f"y550 5.7.1 not in {phase}\0".encode()


@pytest.mark.parametrize("phase", [*PHASES, "data"])
def test_a_delayed_reply_holds_no_thread(site: Callable[..., Site], tmp_path: Path, phase: str) -> None:
    """The only thread answers another connection while the reply to the first one is delayed."""
    made = site(**{phase: 'require "ec_tarpit"; if environment "remote-ip" "192.0.2.1" { ec_tarpit 25; }'})
    others = [b"Cmx\0" + b"4" + struct.pack("!H", 25) + b"192.0.2.2\0", *envelope()[2:], *MESSAGE]

    async def run() -> bool:
        with ThreadPoolExecutor(1) as executor:
            async with connected(made, executor, tmp_path) as slow, connected(made, executor, tmp_path, "b") as other:
                await slow.negotiate()
                slow.send(*envelope(), *MESSAGE)
                waiting = asyncio.create_task(slow.receive())
                await other.negotiate()
                other.send(*others)
                for _ in range(2 if phase in PHASES else 1):
                    assert await other.receive() == b"c"
                return waiting.cancel()  # false if there was a reply

    assert asyncio.run(run())


@pytest.mark.parametrize("phase", [*PHASES, "data"])
def test_a_delayed_reply_is_given(
    site: Callable[..., Site], executor: ThreadPoolExecutor, tmp_path: Path, phase: str
) -> None:
    made = site(**{phase: 'require "ec_tarpit"; ec_tarpit 1; ec_action 550 "5.7.1 no";'})
    assert talk(made, executor, tmp_path, *envelope(), *MESSAGE)[0] == b"y550 5.7.1 no\0"


@pytest.mark.parametrize("phase", [*PHASES, "data", "each_rcpt"])
def test_the_end_of_a_connection_is_421(
    site: Callable[..., Site], executor: ThreadPoolExecutor, tmp_path: Path, phase: str
) -> None:
    """Never the reply that shuts a connection down: after DATA it accepts the message."""
    made = site(**{phase: 'require "ec_disconnect"; ec_disconnect "4.7.0 go away";'})
    assert talk(made, executor, tmp_path, *envelope(), *MESSAGE)[0] == b"y421 4.7.0 go away\0"


def test_a_response_that_ends_the_connection_for_good_is_421_too() -> None:
    ending = Response(550, "5.7.1", "no", disconnect=True)
    assert milter_session._reply(ending).endswith(b"y421 4.7.1 no\0")


def test_several_messages_in_one_session(
    site: Callable[..., Site], executor: ThreadPoolExecutor, tmp_path: Path
) -> None:
    count = 'vctx_conn_set "n" "${vctx_conn.n}x"; if vctx_conn "n" "xxx" { ec_action 450 "4.7.1 enough"; }'
    made = site(data=count)

    async def run() -> list[bytes]:
        async with connected(made, executor, tmp_path) as mta:
            await mta.negotiate()
            answers = []
            for number in range(4):
                packets = envelope() if number == 0 else [b"DM", b"M<b@x.org>\0", b"R<a@x.org>\0"]
                mta.send(*packets, *MESSAGE)
                answers += await mta.final()
                mta.send(b"A")
            return answers

    answers = asyncio.run(run())
    assert answers == [b"c", b"c", b"y450 4.7.1 enough\0", b"c"]


def test_an_aborted_message_leaves_nothing_for_the_next(
    site: Callable[..., Site], executor: ThreadPoolExecutor, tmp_path: Path
) -> None:
    made = site(user='if exists "X-Bad" { discard; }')
    first = [*envelope(b"<gone@example.com>"), *MESSAGE[:3], b"A"]
    second = [b"M<b@x.org>\0", b"R<a@x.org>\0", b"LSubject\0 hi\0", b"N", b"E"]
    assert talk(made, executor, tmp_path, *first, *second) == [b"c"]


def test_an_internal_error_defers(
    site: Callable[..., Site],
    executor: ThreadPoolExecutor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a bug")

    caplog.set_level("INFO")
    monkeypatch.setattr(Conversation, "end_of_data", fail)
    (answer,) = talk(site(), executor, tmp_path, *envelope(), *MESSAGE)
    assert answer.startswith(b"y451 ")
    assert "a bug" in caplog.text
    (line,) = message_lines(caplog)
    assert 'reason="internal error" to=alice@example.com' in line


def test_a_decision_that_takes_too_long(
    site: Callable[..., Site],
    executor: ThreadPoolExecutor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Progress is reported, then the message is deferred; the next one is decided. Each is logged once, as it is answered."""
    caplog.set_level("INFO")
    monkeypatch.setattr(milter_session, "PROGRESS", 0.05)
    monkeypatch.setattr(milter_session, "DEADLINE", 0.3)
    going_on = threading.Event()
    decide = Conversation.end_of_data

    def slow(self: Conversation, message: object) -> object:
        if not going_on.is_set():
            going_on.wait(10)
        return decide(self, message)  # type: ignore[arg-type]

    monkeypatch.setattr(Conversation, "end_of_data", slow)

    async def run() -> tuple[list[bytes], list[bytes]]:
        async with connected(site(), executor, tmp_path) as mta:
            await mta.negotiate()
            mta.send(*envelope(), *MESSAGE)
            first = await mta.final()
            going_on.set()
            mta.send(b"A", b"M<b@x.org>\0", b"R<a@x.org>\0", *MESSAGE)
            return first, await mta.final()

    first, second = asyncio.run(run())
    executor.shutdown()
    assert set(first[:-1]) == {b"p"}
    assert first[-1].startswith(b"y451 ")
    assert second == [b"c"]
    given_up, accepted = message_lines(caplog)
    assert 'reason="no decision within 0.3 s" to=alice@example.com' in given_up
    assert "sender=b@x.org" in accepted
    assert "result=accept" in accepted


def test_a_message_that_is_aborted_while_it_is_decided_is_not_answered(
    site: Callable[..., Site], executor: ThreadPoolExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    going_on, deciding = threading.Event(), threading.Event()
    decide = Conversation.end_of_data

    def slow(self: Conversation, message: object) -> object:
        deciding.set()
        going_on.wait(10)
        return decide(self, message)  # type: ignore[arg-type]

    monkeypatch.setattr(Conversation, "end_of_data", slow)
    made = site(user='if exists "X-Bad" { discard; }')

    async def run() -> list[bytes]:
        async with connected(made, executor, tmp_path) as mta:
            await mta.negotiate()
            mta.send(*envelope(), *MESSAGE)
            await asyncio.get_running_loop().run_in_executor(None, deciding.wait, 10)
            mta.send(b"A", b"M<b@x.org>\0", b"R<a@x.org>\0", b"LSubject\0 hi\0", b"N", b"E")
            await asyncio.sleep(0.1)  # so that the packets have arrived
            going_on.set()
            return await mta.final()

    assert asyncio.run(run()) == [b"c"]  # of the second message alone: the first would be discarded


@pytest.mark.parametrize(
    "packets", [[b"E"], [b"M<a@b>\0"], [b"O\0"], [b"?"], [b"O" + struct.pack("!LLL", 6, 0, 0)], [b""]]
)
def test_nonsense_ends_the_connection(
    site: Callable[..., Site], executor: ThreadPoolExecutor, tmp_path: Path, packets: list[bytes]
) -> None:
    async def run() -> bytes:
        async with connected(site(), executor, tmp_path) as mta:
            mta.send(*packets)
            return await mta.receive()

    assert asyncio.run(run()) == b""


def test_too_large_and_too_many(
    site: Callable[..., Site],
    executor: ThreadPoolExecutor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr(milter_session, "LARGEST", 1000)
    (answer,) = talk(site(), executor, tmp_path, *envelope(), b"LA\0 b\0", b"N", b"B" + b"x" * 1000, b"E")
    assert answer.startswith(b"y552 5.3.4 ")
    monkeypatch.setattr(milter_session, "RECIPIENTS", 2)
    recipients = [b"<a%d@x.org>" % n for n in range(3)]
    (answer,) = talk(site(), executor, tmp_path, *envelope(*recipients), *MESSAGE)
    assert answer.startswith(b"y452 4.5.3 ")
    large, many = message_lines(caplog)
    assert 'result=refuse reply="552 5.3.4 This message is larger than this site accepts" to=alice@example.com' in large
    assert 'result=defer reply="452 4.5.3 Too many recipients" to=a0@x.org to=a1@x.org' in many


def test_one_line_in_the_log_for_a_message(
    site: Callable[..., Site], executor: ThreadPoolExecutor, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    packets = [*envelope(b"<alice@example.com>", b"<x\x1b@example.com>")[:-1], b"R<b@x.org>\0"]
    talk(site(user="discard;"), executor, tmp_path, *packets, *MESSAGE[:-1], b"DEi\x004ABC\0", b"E")
    (line,) = message_lines(caplog)
    assert re.sub(r"ms=[0-9.]+", "ms=1", line) == (
        "frontend=milter id=4ABC client=192.0.2.1 helo=mx.example.org sender=bob@example.org size=33 ms=1 result=discard "
        "to=alice@example.com action=discard to=b@x.org action=discard"
    )
