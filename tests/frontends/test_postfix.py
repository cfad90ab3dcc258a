"""The milter behind the real Postfix: what the SMTP client hears, and what is delivered to whom."""

from __future__ import annotations

import asyncio
import smtplib
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from support import postfix as support
from support.daemons import need

from sieveav.frontends.milter_session import MilterSession
from sieveav.site.site import Site, load

pytestmark = pytest.mark.real

CLEAN = (
    b"From: bob@example.org\r\nTo: alice@example.com\r\nX-Bad: 1\r\nSubject: hi\r\nX-Bad: 2\r\n"
    b"X-Fold: a\r\n\tb\r\n\r\nHello.\r\n..dots\r\n"
)

POLICY = """require ["antivirus", "ec_action", "ec_disconnect", "editheader", "variables", "vctx"];
if antivirus "infected" { ec_action 550 "5.7.1 virus: ${vctx.yara_status_info}
second line"; }
if exists "X-Bye" { ec_disconnect "4.7.0 not today"; }
if antivirus "error" { ec_action 451 "4.7.1 could not be scanned"; }
addheader "X-Checked" "yes"; deleteheader "X-Bad";
"""

USER = """require ["envelope", "copy"];
if envelope "to" "carol@example.com" { discard; }
elsif envelope "to" "dave@example.com" { redirect "other@example.com"; }
elsif envelope "to" "erin@example.com" { redirect :copy "second@example.com"; }
"""

RCPT = """require ["envelope", "ec_action", "ec_disconnect", "ec_tarpit"];
if envelope "to" "no@example.com" { ec_action 550 "5.1.1 no such user"; }
elsif envelope "to" "bye@example.com" { ec_disconnect "4.7.0 go away"; }
elsif envelope "to" "slow@example.com" { ec_tarpit 2; }
"""

CONFIG = """yara {}
antivirus "a" { yara "y" { enabled = false } }
sieve "s" {
  script "each_rcpt_phase1" { source = "policy.sieve" }
  script "rcptto_phase1" { source = "rcpt.sieve" }
}
users { scripts = "user.sieve" }
"""


@contextmanager
def serving(site: Site, listener: socket.socket) -> Iterator[None]:
    """A milter in a thread of this process."""
    loop = asyncio.new_event_loop()
    is_inet = listener.family != socket.AF_UNIX
    with ThreadPoolExecutor(4) as executor:

        async def start() -> asyncio.Server:
            return await loop.create_server(lambda: MilterSession(site, executor, answer_data=is_inet), sock=listener)

        server = loop.run_until_complete(start())
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        try:
            yield
        finally:
            loop.call_soon_threadsafe(server.close)
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.run_until_complete(server.wait_closed())
            loop.run_until_complete(asyncio.sleep(0.05))  # connections that are closing
            loop.close()


Start = Callable[..., support.Postfix]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts Postfix with our milter: start(kind), kind being unix or inet."""
    need(support.is_installed(), "postfix (or root, who starts it)")
    with ExitStack() as stack:

        def start(kind: str = "unix", config: str = CONFIG) -> support.Postfix:
            # Not in tmp_path: Postfix runs as users of its own, and each start of pytest closes its folders to others.
            base = Path(stack.enter_context(TemporaryDirectory(prefix="postfix-")))
            base.chmod(0o755)
            (base / "policy.sieve").write_text(POLICY)
            (base / "user.sieve").write_text(USER)
            (base / "rcpt.sieve").write_text(RCPT)
            (base / "site.conf").write_text(config)
            listener = socket.socket(socket.AF_UNIX if kind == "unix" else socket.AF_INET)
            if kind == "unix":
                listener.bind(str(base / "m.sock"))
                (base / "m.sock").chmod(0o666)
                address = f"unix:{base}/m.sock"
            else:
                listener.bind(("127.0.0.1", 0))
                address = f"inet:127.0.0.1:{listener.getsockname()[1]}"
            stack.enter_context(serving(load(base / "site.conf"), listener))
            (base / "postfix").mkdir()
            return stack.enter_context(support.postfix(base / "postfix", address))

        yield start


def send(postfix: support.Postfix, message: bytes, *recipients: str) -> str:
    """What the client hears: "sent", or the reply; with the recipients who were refused."""
    with smtplib.SMTP("127.0.0.1", postfix.port, timeout=30) as client:
        try:
            refused = client.sendmail("bob@example.org", list(recipients), message)
        except smtplib.SMTPDataError as error:
            return f"{error.smtp_code} {_text(error.smtp_error)}"
        except smtplib.SMTPRecipientsRefused as error:
            refused = error.recipients
    return " ".join(["sent", *(f"{r}: {code} {_text(text)}" for r, (code, text) in refused.items())])


def _text(reply: bytes | str) -> str:
    return reply if isinstance(reply, str) else reply.decode()


@pytest.mark.parametrize("kind", ["unix", "inet"])
def test_each_recipient_gets_what_their_scripts_say(start: Start, kind: str) -> None:
    postfix = start(kind)
    recipients = [f"{name}@example.com" for name in ("alice", "carol", "dave", "erin")]
    assert send(postfix, CLEAN, *recipients) == "sent"
    delivered = postfix.delivered(4)
    names = [str(message["Delivered-To"]).partition("@")[0] for message in delivered]
    assert names == ["alice", "erin", "other", "second"]
    for message in delivered:
        assert message["X-Checked"] == "yes"
        assert message["X-Bad"] is None
        assert message["X-Fold"] == "a\n\tb"
        assert message.get_payload() == "Hello.\n..dots\n"


def test_an_infected_message_is_refused_with_the_policys_own_text(start: Start, eicar: bytes) -> None:
    postfix = start()
    infected = b"Subject: x\r\n\r\n" + eicar + b"\r\n"
    answer = send(postfix, infected, "alice@example.com", "erin@example.com")
    assert answer == "550 5.7.1 virus: Eicar_Test_File\n5.7.1 second line"
    assert postfix.queue_is_empty()
    assert postfix.delivered(0) == []


def test_a_recipient_who_is_refused_and_one_who_is_not(start: Start) -> None:
    postfix = start()
    answer = send(postfix, CLEAN, "no@example.com", "alice@example.com")
    assert answer == "sent no@example.com: 550 5.1.1 no such user"
    assert [message["Delivered-To"] for message in postfix.delivered(1)] == ["alice@example.com"]


def test_a_discard_of_all_is_accepted_and_delivered_to_nobody(start: Start) -> None:
    postfix = start()
    assert send(postfix, CLEAN, "carol@example.com") == "sent"
    assert send(postfix, CLEAN, "alice@example.com") == "sent"
    assert [message["Delivered-To"] for message in postfix.delivered(1)] == ["alice@example.com"]
    assert postfix.queue_is_empty()


@pytest.mark.parametrize("message", [CLEAN, b"X-Bye: 1\r\n" + CLEAN])
def test_the_end_of_a_connection(start: Start, message: bytes) -> None:
    """Before DATA and after it, where the message must not be accepted."""
    postfix = start()
    with smtplib.SMTP("127.0.0.1", postfix.port, timeout=30) as client:
        client.ehlo()
        assert client.mail("bob@example.org")[0] == 250
        if message is CLEAN:
            assert client.rcpt("bye@example.com") == (421, b"4.7.0 go away")
        else:
            assert client.rcpt("alice@example.com")[0] == 250
            assert client.data(message) == (421, b"4.7.0 not today")
        with pytest.raises(smtplib.SMTPServerDisconnected):
            client.noop()
    assert postfix.queue_is_empty()
    assert postfix.delivered(0) == []


def test_a_delayed_reply(start: Start) -> None:
    postfix = start()
    assert send(postfix, CLEAN, "slow@example.com") == "sent"
    assert [message["Delivered-To"] for message in postfix.delivered(1)] == ["slow@example.com"]


def test_clamd_is_down(start: Start) -> None:
    config = CONFIG.replace("yara {}", "clamav {}").replace(
        'yara "y" { enabled', 'clamav "c" { daemon = "127.0.0.1:1" enabled'
    )
    postfix = start(config=config)
    assert send(postfix, CLEAN, "alice@example.com") == "451 4.7.1 could not be scanned"
    assert postfix.queue_is_empty()


def test_several_messages_in_one_session(start: Start, eicar: bytes) -> None:
    postfix = start()
    with smtplib.SMTP("127.0.0.1", postfix.port, timeout=30) as client:
        for number in range(3):
            client.sendmail("bob@example.org", ["alice@example.com"], CLEAN.replace(b"hi", b"n%d" % number))
            with pytest.raises(smtplib.SMTPDataError):
                client.sendmail("bob@example.org", ["alice@example.com"], b"Subject: x\r\n\r\n" + eicar)
    assert sorted(str(message["Subject"]) for message in postfix.delivered(3)) == ["n0", "n1", "n2"]
