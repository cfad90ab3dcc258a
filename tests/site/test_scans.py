"""What engines get of a transaction, and what scripts get of their verdicts."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sieveav import mime
from sieveav.running.message import Message
from sieveav.scanning.contract import Content, Deadline, EngineType
from sieveav.site.deciding import decide
from sieveav.site.site import Site, load
from sieveav.site.transaction import Session, Transaction
from sieveav.verdict import Status, Verdict

CONFIG = 'spam {} antivirus "a" { spam "s" { enabled = false } } users { before = "b.sieve" }'

SCRIPT = """require ["antivirus", "vctx", "variables", "fileinto", "body"];
if body :contains "nothing" { stop; }
spam_avscan;
fileinto "${vctx.spam_score}-${vctx.spam_all}";
"""


class SpamEngine:
    """Answers with values of its own, which differ between recipients; keeps the contents that it got."""

    name = "spam"

    def __init__(self) -> None:
        self.contents: list[Content] = []

    def scan(self, content: Content, deadline: Deadline) -> Verdict:  # noqa: ARG002
        self.contents.append(content)
        assert content.envelope is not None
        scores = {recipient: {"spam_score": f"{n}"} for n, recipient in enumerate(content.envelope.recipients)}
        return Verdict("spam", Status.CLEAN, values={"spam_all": "yes\r\n", "spam_score": "none"}, by_recipient=scores)

    def version(self, deadline: Deadline) -> str:  # noqa: ARG002
        return ""


@pytest.fixture
def engine() -> SpamEngine:
    return SpamEngine()


@pytest.fixture
def site(tmp_path: Path, engine: SpamEngine) -> Site:
    def make(name: str, options: Mapping[str, Any]) -> SpamEngine:  # noqa: ARG001
        return engine

    (tmp_path / "b.sieve").write_text(SCRIPT)
    (tmp_path / "site.conf").write_text(CONFIG)
    spam = EngineType("spam", "for tests", "CPU", (), make, cacheable=False)
    return load(tmp_path / "site.conf", engines={"spam": spam})


MESSAGE = (
    b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\n\r\nHi.\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>Hi.\r\n--b--\r\n"
)


def test_values_of_an_engine_are_each_recipients_own(site: Site) -> None:
    decision = decide(site, Transaction(Message(MESSAGE), "bob@example.org", ("a@x.org", "b@x.org")))
    mailboxes = [one.outcome.actions[0].as_json()["mailbox"] for one in decision.recipients]
    assert mailboxes == ["0-yes", "1-yes"]


def test_an_engine_gets_the_envelope_and_the_session(site: Site, engine: SpamEngine) -> None:
    session = Session("192.0.2.1", "mx.example.org", "bob")
    decide(site, Transaction(Message(MESSAGE), "bob@example.org", ("a@x.org", "b@x.org"), session))
    (content,) = engine.contents
    assert content.envelope == ("bob@example.org", ("a@x.org", "b@x.org"), "192.0.2.1", "mx.example.org", "bob")


def test_a_message_is_parsed_once(site: Site, engine: SpamEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a script that looks into the body, and by the checks around every engine."""
    parses: list[bytes] = []
    parse = mime.parse

    def counted(raw: bytes, *args: Any, **more: Any) -> mime.Part:
        parses.append(raw)
        return parse(raw, *args, **more)

    monkeypatch.setattr(mime, "parse", counted)
    decide(site, Transaction(Message(MESSAGE), "bob@example.org", ("a@x.org", "b@x.org")))
    assert parses == [MESSAGE]
    assert engine.contents[0].structure is not None
    assert parses == [MESSAGE]


EDITS = 'require "editheader"; addheader "X-A" "%s";'


@pytest.mark.parametrize("wire", ["true", "false"])
def test_use_wire_rep(wire: str, tmp_path: Path, engine: SpamEngine) -> None:
    """With false, an engine that is asked by a script scans the message with the edits of the scripts before it; recipients
    with the same edits share the scan."""
    (tmp_path / "edit.siv").write_text(EDITS % "1")
    (tmp_path / "scan.siv").write_text(f'{EDITS % "2"} spam_avscan; if antivirus "infected" {{ discard; }}')
    (tmp_path / "site.conf").write_text(
        f'spam {{}} antivirus "a" {{ spam "s" {{ enabled = false use_wire_rep = {wire} }} }}'
        'sieve "s" { script "data_phase1" { source = "edit.siv" } script "each_rcpt_phase1" { source = "scan.siv" } }'
    )
    kind = EngineType("spam", "for tests", "CPU", (), lambda *_: engine, cacheable=False)
    made = load(tmp_path / "site.conf", engines={"spam": kind})
    decide(made, Transaction(Message(MESSAGE), "bob@example.org", ("a@x.org", "b@x.org")))
    (content,) = engine.contents
    assert content.raw == (MESSAGE if wire == "true" else b"X-A: 1\r\n" + MESSAGE)
    assert len(content.structure.parts) == 2


@pytest.mark.parametrize(("level", "logged"), [(0, False), (1, True)])
def test_debug_level(level: int, logged: bool, tmp_path: Path, engine: SpamEngine, caplog: Any) -> None:
    caplog.set_level("INFO")
    (tmp_path / "site.conf").write_text(f'spam {{}} antivirus "a" {{ spam "s" {{ debug_level = {level} }} }}')
    kind = EngineType("spam", "for tests", "CPU", (), lambda *_: engine, cacheable=False)
    made = load(tmp_path / "site.conf", engines={"spam": kind})
    decide(made, Transaction(Message(MESSAGE), "bob@example.org", ("a@x.org",)))
    assert ("spam: clean" in caplog.text) == logged


def test_a_message_is_freed_when_it_is_decided(site: Site, engine: SpamEngine) -> None:
    """At once: until a garbage collection, there may be many large ones."""
    message = Message(MESSAGE)
    gone = weakref.ref(message)
    gc.disable()
    try:
        decide(site, Transaction(message, "bob@example.org", ("a@x.org", "b@x.org")))
        engine.contents.clear()
        del message
        assert gone() is None
    finally:
        gc.enable()


def test_an_engine_may_name_its_action(tmp_path: Path, engine: SpamEngine) -> None:
    def make(name: str, options: Mapping[str, Any]) -> SpamEngine:  # noqa: ARG001
        return engine

    types = {
        "spam": EngineType("spam", "for tests", "CPU", (), make, action="{}_score"),
        "mute": EngineType("mute", "for tests", "CPU", (), make, action=""),
    }
    (tmp_path / "b.sieve").write_text('require "antivirus"; spam_score;')
    (tmp_path / "site.conf").write_text(
        'spam {} mute {} antivirus "a" { spam "s" {} mute "m" {} } users { before = "b.sieve" }'
    )
    site = load(tmp_path / "site.conf", engines=types)
    assert site.scripts.checked(tmp_path / "b.sieve", "each_rcpt").problems == ()
    for word in ("spam_avscan", "mute_avscan", "mute"):
        (tmp_path / "b.sieve").write_text(f'require "antivirus"; {word};')
        assert site.scripts.checked(tmp_path / "b.sieve", "each_rcpt").program is None
