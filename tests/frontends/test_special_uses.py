"""The special uses of mailboxes: as they are written, in Maildirs, in the LMTP server's configuration, and in decide."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.command_line import Cli

from sieveav.frontends.maildir import Maildir
from sieveav.frontends.mailstores import Maildirs, mailstore
from sieveav.frontends.special_uses import exists, special_use
from sieveav.running.effects import Store
from sieveav.running.questions import Mailbox
from sieveav.site.site import Refused, load


@pytest.mark.parametrize(
    ("text", "use"),
    [
        ("Junk=\\Junk", ("Junk", "\\junk")),
        ("inbox=\\X-In", ("INBOX", "\\x-in")),
        ("a=b=\\Sent", ("a=b", "\\sent")),
        ("Lists/My Junk=\\Junk", ("Lists/My Junk", "\\junk")),
    ],
)
def test_what_is_written(text: str, use: tuple[str, str]) -> None:
    assert special_use(text) == use


@pytest.mark.parametrize(
    "text", ["", "Junk", "Junk=Junk", "Junk \\Junk", "=\\Junk", "Junk=\\", "Junk=\\a b", "a\n=\\Junk"]
)
def test_mistakes(text: str) -> None:
    with pytest.raises(ValueError, match=r'" is not MAILBOX=\\ATTRIBUTE, such as Junk=\\Junk$') as error:
        special_use(text)
    assert "\n" not in str(error.value)


USES = (("Junk", "\\junk"), ("Spam", "\\junk"), ("Sent", "\\sent"), ("Sent", "\\important"), ("INBOX", "\\inbox"))


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (Mailbox("Spam"), True),
        (Mailbox("inbox"), True),
        (Mailbox("Junk"), False),
        (Mailbox(""), False),
        (Mailbox("", special_use="\\JUNK"), True),
        (Mailbox("", special_use="\\Trash"), False),
        (Mailbox("Spam", special_use="\\Junk"), True),
        (Mailbox("Junk", special_use="\\Junk"), False),
        (Mailbox("Sent", special_use="\\Junk"), False),
        (Mailbox("Sent", special_use="\\Important"), True),
        (Mailbox("Inbox", special_use="\\Inbox"), True),
        (Mailbox("Spam", mailbox_id="F1"), False),
        (Mailbox("", mailbox_id="F1"), False),
    ],
)
def test_answers(asked: Mailbox, answer: bool) -> None:
    assert exists(asked, USES, lambda name: name.replace("inbox", "INBOX") in ("INBOX", "Spam", "Sent")) is answer


# ---- stores


@pytest.fixture
def box(tmp_path: Path) -> Path:
    """The Maildir of alice@example.com, with the mailboxes Spam and Sent."""
    for name in ("Spam", "Sent"):
        assert Maildir(tmp_path / "alice", make=True).store(name, b"", create=True) is None
    for path in tmp_path.rglob("*S=0"):
        path.unlink()
    return tmp_path / "alice"


def messages(box: Path) -> dict[str, int]:
    """The number of messages in each folder that has any."""
    counts = {folder.name: len([*folder.glob("new/*"), *folder.glob("cur/*")]) for folder in [box, *box.glob(".*")]}
    return {"INBOX" if name == box.name else name: count for name, count in counts.items() if count}


@pytest.mark.parametrize(
    ("effect", "folder"),
    [
        (Store("Old", special_use="\\Junk"), ".Spam"),  # Junk, the first with the attribute, does not exist
        (Store("Old", special_use="\\SENT", create=True), ".Sent"),
        (Store("Sent", special_use="\\Trash"), ".Sent"),
        (Store("New", special_use="\\Trash", create=True), ".New"),
        (Store(None, special_use="\\Unknown"), "INBOX"),
        (Store("Sent"), ".Sent"),
    ],
)
def test_a_message_in_a_maildir(box: Path, effect: Store, folder: str) -> None:
    store = Maildirs(f"{box.parent}/%n", special_uses=USES)
    assert store.store("alice@example.com", "", effect, b"Subject: x\r\n\r\n") is None
    assert messages(box) == {folder: 1}


def test_a_missing_mailbox(box: Path) -> None:
    failure = Maildirs(f"{box.parent}/%n", special_uses=USES).store(
        "alice@example.com", "", Store("Old", special_use="\\Trash"), b"x"
    )
    assert failure is not None
    assert (failure.temporary, failure.text) == (False, 'mailbox "Old" does not exist')
    assert messages(box) == {}


def test_what_is_created_has_the_attribute_that_the_site_gives_to_its_name(box: Path) -> None:
    """RFC 8579, 4.1."""
    store = Maildirs(f"{box.parent}/%n", special_uses=(("Bin", "\\trash"),))
    assert not store.has("alice@example.com", Mailbox("", special_use="\\Trash"))
    for mailbox in ("Bin", "Basket"):
        assert store.store("alice@example.com", "", Store(mailbox, special_use="\\Trash", create=True), b"x") is None
    assert store.has("alice@example.com", Mailbox("Bin", special_use="\\Trash"))
    assert messages(box) == {".Bin": 2}


def test_without_the_site_no_mailbox_has_an_attribute(box: Path) -> None:
    store = Maildirs(f"{box.parent}/%n")
    assert store.has("alice@example.com", Mailbox("Sent"))
    assert not store.has("alice@example.com", Mailbox("Sent", special_use="\\Sent"))
    assert store.place("alice@example.com", Store("Old", special_use="\\Sent")) == "Old"


def test_an_address_without_a_maildir(box: Path) -> None:
    store = Maildirs(f"{box.parent}/%n", special_uses=USES)
    assert not store.has('"../alice"@example.com', Mailbox("", special_use="\\Junk"))
    assert not store.has("carol@example.com", Mailbox("", special_use="\\Junk"))
    assert not (box.parent / "carol").exists()


def test_another_server_knows_no_attributes() -> None:
    store = mailstore("lmtp:inet:127.0.0.1:1", special_uses=USES)
    assert store.has("alice@example.com", Mailbox("inbox"))
    assert not store.has("alice@example.com", Mailbox("INBOX", special_use="\\Inbox"))
    assert not store.has("alice@example.com", Mailbox("", special_use="\\Junk"))
    assert store.place("alice@example.com", Store("Old", special_use="\\Junk")) == "Old"


# ---- configuration

LMTP = 'lmtp "l1" { listen = "inet:127.0.0.1:1" deliver = "maildir:/mail/%n" special_use = ( "Junk=\\\\Junk" "S=\\\\Sent" ) }'


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Junk=", "Junk ", '"Junk \\Junk" is not MAILBOX=\\ATTRIBUTE, such as Junk=\\Junk'),
        ("Junk=", "a.b=", 'a Maildir cannot have the mailbox "a.b": write / between its parts'),
        ("Junk=", "../Junk=", 'a Maildir cannot have the mailbox "../Junk": write / between its parts'),
    ],
)
def test_mistakes_in_the_configuration(tmp_path: Path, old: str, new: str, message: str) -> None:
    (tmp_path / "site.conf").write_text(LMTP.replace(old, new))
    with pytest.raises(Refused) as refused:
        load(tmp_path / "site.conf")
    invalid = [problem.message for problem in refused.value.problems if problem.rule == "value-invalid"]
    assert invalid == [message]


def test_an_option_without_effect(tmp_path: Path) -> None:
    (tmp_path / "site.conf").write_text(LMTP.replace("maildir:/mail/%n", "lmtp:unix:/x"))
    messages = [problem.message for problem in load(tmp_path / "site.conf").warnings]
    assert "special_use has no effect: the other server's mailboxes are not known" in messages


def test_the_settings_are_written_as_they_are_read(cli: Cli, here: Path) -> None:
    (here / "lmtp.conf").write_text(LMTP)
    assert 'special_use = ( "Junk=\\\\Junk" "S=\\\\Sent" )' in cli("check-config", "-n", "lmtp.conf").out


# ---- run and decide

SCRIPT = """require ["special-use", "fileinto"];
if specialuse_exists "\\\\Junk" { fileinto :specialuse "\\\\Junk" "Spam"; }
"""


@pytest.mark.parametrize(
    ("mailboxes", "shown"),
    [
        ([], "implicit keep"),
        (["Junk"], "implicit keep"),
        (["Junk=\\Sent"], "implicit keep"),
        (["Junk=\\Junk"], 'fileinto \\Junk or else "Spam"'),
        (["a", "b=\\JUNK"], 'fileinto \\Junk or else "Spam"'),
    ],
)
def test_run(cli: Cli, here: Path, mailboxes: list[str], shown: str) -> None:
    (here / "s.sieve").write_text(SCRIPT)
    options = [text for mailbox in mailboxes for text in ("--mailbox", mailbox)]
    assert shown in cli("run", *options, "s.sieve", "clean.eml").out


def test_json_and_trace(cli: Cli, here: Path) -> None:
    (here / "s.sieve").write_text(SCRIPT)
    options = ["run", "--mailbox", "Junk=\\Junk", "s.sieve", "clean.eml"]
    (action,) = cli.json(*options)["recipients"][0]["actions"]
    assert (action["mailbox"], action["special_use"]) == ("Spam", "\\Junk")
    assert "a mailbox with \\Junk exists: yes" in cli(*options, "--trace").out


def test_decide_knows_what_the_lmtp_server_is_configured_for(cli: Cli, here: Path) -> None:
    users = 'users { scripts = "s.sieve" } state { store = "sqlite:state.db" }'
    (here / "s.sieve").write_text(SCRIPT)
    (here / "lmtp.conf").write_text(f"{LMTP} {users}")
    options = ["decide", "--config", "lmtp.conf", "--mailbox"]
    assert 'fileinto \\Junk or else "Spam"' in cli(*options, "Junk", "clean.eml").out
    assert "implicit keep" in cli(*options, "Spam", "clean.eml").out


def test_wrong_use(cli: Cli, here: Path) -> None:
    (here / "s.sieve").write_text(SCRIPT)
    done = cli("run", "--mailbox", "Junk=\\a b", "s.sieve", "clean.eml")
    assert done.status == 2
    assert '--mailbox: "Junk=\\a b" is not MAILBOX=\\ATTRIBUTE, such as Junk=\\Junk' in done.err
