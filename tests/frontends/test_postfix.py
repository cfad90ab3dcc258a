"""The milter behind the real Postfix: what the SMTP client hears, and what is delivered to whom."""

from __future__ import annotations

import asyncio
import email
import email.policy
import smtplib
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from support import postfix as support
from support.daemons import need
from support.submission import submission

from sieveav.frontends.servers import milter
from sieveav.frontends.supervising import Worker
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

QUARANTINE = """require ["vnd.sieveav.quarantine", "editheader"];
addheader "X-Checked" "yes"; quarantine "too odd";
"""

RCPT = """require ["envelope", "ec_action", "ec_disconnect", "ec_tarpit"];
if envelope "to" "no@example.com" { ec_action 550 "5.1.1 no such user"; }
elsif envelope "to" "bye@example.com" { ec_disconnect "4.7.0 go away"; }
elsif envelope "to" "slow@example.com" { ec_tarpit 2; }
"""

CONFIG = """milter "m1" { listen = "unix:/m" }
yara {}
antivirus "a" { yara "y" { enabled = false } }
sieve "s" {
  script "each_rcpt_phase1" { source = "policy.sieve" }
  script "rcptto_phase1" { source = "rcpt.sieve" }
}
users { scripts = "user.sieve" }
"""

SENDING = (
    CONFIG.replace('"unix:/m"', '"unix:/m" submit = "SUBMIT" fileinto = plus') + 'state { store = "sqlite:state.db" }\n'
)

OTHER_USER = """require ["envelope", "ereject", "vacation", "fileinto"];
if envelope "to" "alice@example.com" { vacation "I am away."; }
elsif envelope "to" "carol@example.com" { ereject "I want no birdseed."; }
elsif envelope "to" "dave@example.com" { fileinto "Junk"; }
elsif envelope "to" "erin@example.com" { keep; fileinto "Old mail"; }
"""

FROM_AN_MTA = (
    b"Received: from client by mx.example.org with SMTP id 1\r\nMessage-ID: <1@example.org>\r\n"
    b"Date: Wed, 4 Mar 2026 05:06:07 +0000\r\n" + CLEAN
)
"""What Postfix adds nothing to: it is the same when it comes again."""


@contextmanager
def serving(site: Site, listener: socket.socket) -> Iterator[None]:
    """The milter of a site in a thread of this process."""
    loop = asyncio.new_event_loop()
    with ThreadPoolExecutor(4) as executor:
        worker = Worker(1, 1, {"m1": (listener,)}, listener, -1)
        running = loop.run_until_complete(milter.server.start(site, worker, executor))
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        try:
            yield
        finally:
            asyncio.run_coroutine_threadsafe(running.drain(0), loop).result(10)
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.run_until_complete(asyncio.sleep(0.05))  # connections that are closing
            loop.close()


Start = Callable[..., support.Postfix]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts Postfix with our milter: start(kind), kind being unix or inet."""
    need(support.is_installed(), "postfix (or root, who starts it)")
    with ExitStack() as stack:

        def start(kind: str = "unix", config: str = CONFIG, user: str = USER, policy: str = POLICY) -> support.Postfix:
            # Not in tmp_path: Postfix runs as users of its own, and each start of pytest closes its folders to others.
            base = Path(stack.enter_context(TemporaryDirectory(prefix="postfix-")))
            base.chmod(0o755)
            (base / "policy.sieve").write_text(policy)
            (base / "user.sieve").write_text(user)
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


def test_one_refuses_and_one_accepts(start: Start) -> None:
    """The sender gets one notice, however often the client brings the message."""
    with submission() as sent:
        postfix = start(config=SENDING.replace("SUBMIT", sent.address), user=OTHER_USER)
        sent.replies["."] = "451 later"
        recipients = ("carol@example.com", "frank@example.com")
        assert send(postfix, FROM_AN_MTA, *recipients).startswith("451 4.3.0 ")
        assert sent.messages == []
        del sent.replies["."]
        assert send(postfix, FROM_AN_MTA, *recipients) == "sent"
        assert [message["Delivered-To"] for message in postfix.delivered(1)] == ["frank@example.com"]
        assert send(postfix, FROM_AN_MTA, *recipients) == "sent"  # as if the client had not heard the reply
        ((sender, recipient, octets),) = sent.messages
    assert (sender, recipient) == ("", "bob@example.org")
    notice: Any = email.message_from_bytes(octets, policy=email.policy.default)
    assert [part.defects for part in notice.walk() if part.defects] == []
    text, status, header = notice.iter_parts()
    assert text.get_content().endswith(
        "carol@example.com\r\n\r\nThe reason given is as follows:\r\n\r\nI want no birdseed.\r\n"
    )
    of_the_message, of_carol = status.get_payload()
    assert of_the_message["Reporting-MTA"] == "dns; mail.example.com"
    assert [str(value) for value in of_carol.values()] == [
        "rfc822; carol@example.com",
        "failed",
        "5.7.1",
        "smtp; 550 5.7.1 I want no birdseed.",
    ]
    assert header.get_content().startswith("Received: from client by mx.example.org")
    assert [message["Delivered-To"] for message in postfix.delivered(2)] == ["frank@example.com"] * 2


def test_the_client_wants_no_notice(start: Start) -> None:
    with submission() as sent:
        postfix = start(config=SENDING.replace("SUBMIT", sent.address), user=OTHER_USER)
        with smtplib.SMTP("127.0.0.1", postfix.port, timeout=30) as client:
            client.ehlo()
            assert client.mail("bob@example.org")[0] == 250
            assert client.rcpt("carol@example.com", ["NOTIFY=NEVER"])[0] == 250
            assert client.rcpt("frank@example.com")[0] == 250
            assert client.data(FROM_AN_MTA)[0] == 250
        assert [message["Delivered-To"] for message in postfix.delivered(1)] == ["frank@example.com"]
        assert sent.commands == []


def test_all_refuse(start: Start) -> None:
    with submission() as sent:
        postfix = start(config=SENDING.replace("SUBMIT", sent.address), user=OTHER_USER)
        assert send(postfix, FROM_AN_MTA, "carol@example.com") == "550 5.7.1 I want no birdseed."
        assert sent.commands == []


def test_a_reply_is_sent_once(start: Start) -> None:
    with submission() as sent:
        postfix = start(config=SENDING.replace("SUBMIT", sent.address), user=OTHER_USER)
        for number in (b"1", b"1", b"2"):
            message = FROM_AN_MTA.replace(b"id 1", b"id " + number)
            assert send(postfix, message, "alice@example.com") == "sent"
        assert [message["Delivered-To"] for message in postfix.delivered(3)] == ["alice@example.com"] * 3
        ((sender, recipient, octets),) = sent.messages
    assert (sender, recipient) == ("", "bob@example.org")
    assert b"I am away." in octets


def test_a_mailbox_in_the_address(start: Start) -> None:
    """Also if it is that of another recipient, who is removed."""
    with submission() as sent:
        user = OTHER_USER + 'elsif envelope "to" "dave+Junk@example.com" { discard; }'
        postfix = start(config=SENDING.replace("SUBMIT", sent.address), user=user)
        recipients = ("dave@example.com", "dave+Junk@example.com", "erin@example.com")
        assert send(postfix, CLEAN, *recipients) == "sent"
    assert [message["Delivered-To"] for message in postfix.delivered(3)] == [
        '"erin+Old mail"@example.com',
        "dave+Junk@example.com",
        "erin@example.com",
    ]


def test_a_message_that_is_held(start: Start) -> None:
    """Nobody gets it before it is released; then everybody does, as their scripts say."""
    postfix = start(config=CONFIG.replace("each_rcpt_phase1", "data_phase1"), policy=QUARANTINE)
    assert send(postfix, CLEAN, "alice@example.com", "carol@example.com", "dave@example.com") == "sent"
    (queued,) = postfix.queue()
    assert queued["queue_name"] == "hold"
    assert "milter triggers HOLD action" in postfix.log
    assert postfix.delivered(0) == []
    postfix.release()
    names = [message["Delivered-To"] for message in postfix.delivered(2)]
    assert names == ["alice@example.com", "dave@example.com"]
    assert all(message["X-Checked"] == "yes" for message in postfix.delivered(2))


def test_recipients_who_redirect_to_each_other(start: Start) -> None:
    """Both are removed and added: nobody loses the message."""
    user = """require "envelope"; if envelope "to" "alice@example.com" { redirect "carol@example.com"; }
    elsif envelope "to" "carol@example.com" { redirect "alice@example.com"; }"""
    postfix = start(user=user)
    assert send(postfix, CLEAN, "alice@example.com", "carol@example.com") == "sent"
    names = [message["Delivered-To"] for message in postfix.delivered(2)]
    assert names == ["alice@example.com", "carol@example.com"]


def test_fields_added_at_both_ends(start: Start) -> None:
    """Also if the header has one of the name that is added at the end."""
    user = """require "editheader";
    addheader :last "X-Fold" "last"; addheader :last "X-Last" "1"; addheader "X-Top" "1"; deleteheader "Subject";"""
    postfix = start(user=user)
    assert send(postfix, CLEAN, "alice@example.com") == "sent"
    (message,) = postfix.delivered(1)
    names = message.keys()
    begin = names.index("X-Top")
    assert names[begin - 1] == "Received"
    assert names[begin : begin + 3] == ["X-Top", "X-Checked", "From"]
    assert names[-2:] == ["X-Fold", "X-Last"]
    assert message.get_all("X-Fold") == ["a\n\tb", "last"]
