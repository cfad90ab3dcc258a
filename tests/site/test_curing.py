"""infected = replace: a text in the place of infected parts."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sieveav import mime
from sieveav.running.effects import Rewrite
from sieveav.running.message import Message
from sieveav.site.deciding import decide
from sieveav.site.site import load
from sieveav.site.transaction import Decision, Transaction

TEXT = "Part removed: infected."


def entity(octets: bytes) -> bytes:
    return b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.b64encode(
        octets
    )


def mixed(*entities: bytes, boundary: bytes = b"b") -> bytes:
    parts = b"".join(b"--%s\r\n%s\r\n" % (boundary, each) for each in entities)
    return b"Content-Type: multipart/mixed; boundary=%s\r\n\r\n%s--%s--\r\n" % (boundary, parts, boundary)


HEAD = b"From: bob@example.org\r\nTo: alice@example.com\r\nSubject: x\r\nMIME-Version: 1.0\r\n"
HELLO = b"Content-Type: text/plain\r\n\r\nHello."


def embedded(message: bytes) -> bytes:
    return b"Content-Type: message/rfc822\r\n\r\n" + message


SCRIPT = """require ["virustest", "antivirus", "relational", "comparator-i;ascii-numeric", "fileinto", "vctx"];
if virustest :value "eq" :comparator "i;ascii-numeric" "2" { fileinto "replaced"; }
elsif virustest :value "eq" :comparator "i;ascii-numeric" "1" { fileinto "clean"; }
"""


@pytest.fixture
def decided(tmp_path: Path) -> Callable[..., Decision]:
    def decided(raw: bytes, options: str = "", site: str = "") -> Decision:
        (tmp_path / "u.sieve").write_text(SCRIPT)
        (tmp_path / "site.conf").write_text(
            f'yara {{}} antivirus "a" {{ yara "y" {{ infected = replace replace_text = "{TEXT}" {options} }} }}'
            f'users {{ scripts = "u.sieve" }} {site}'
        )
        made = load(tmp_path / "site.conf")
        decision = decide(made, Transaction(Message(raw), "bob@example.org", ("alice@example.com",)))
        decided.site = made  # type: ignore[attr-defined]
        return decision

    return decided


def stored(raw: bytes, decision: Decision) -> bytes:
    (one,) = decision.recipients
    message = Message(raw)
    for action in one.outcome.actions:
        for effect in action.effects:
            if isinstance(effect, Rewrite):
                message = message.edited(effect)
    return message.raw


@pytest.mark.parametrize("case", ["attachment", "two", "nested", "in a message", "alternative reading"])
def test_infected_parts_are_replaced(case: str, eicar: bytes, decided: Any) -> None:
    bad = entity(eicar)
    body, left = {
        "attachment": (mixed(HELLO, bad, HELLO), 3),
        "two": (mixed(bad, HELLO, bad), 3),
        "nested": (mixed(HELLO, mixed(HELLO, bad, boundary=b"c")), 3),
        "in a message": (mixed(HELLO, embedded(HEAD + bad)), 2),
        "alternative reading": (mixed(HELLO, bad.replace(b"\r\n\r\n", b"\r\n\r\nQQ=")), 2),
    }[case]
    raw = HEAD + body
    decision = decided(raw)
    assert decision.response is None
    assert [(verdict.status, verdict.cured) for verdict in decision.verdicts] == [("clean", "replaced")]
    new = mime.parse(stored(raw, decision))
    leaves = [part for part in mime.walk(new) if not part.parts]
    assert len(leaves) == left
    texts = [part.text().strip() for part in leaves]
    assert TEXT in texts
    assert texts.count("Hello.") == raw.count(b"Hello.")
    assert eicar not in b"".join(part.decoded() for part in leaves)
    assert new.first("Subject") == "x"
    (one,) = decision.recipients
    assert [action.name for action in one.outcome.actions] == ["cure", "fileinto"]
    assert "replaced" in one.outcome.actions[1].summary()
    assert decision.context.message.get("yara_status") is None
    (scanner,) = decided.site.scanners
    assert scanner.engine.statistics.snapshot().cured == 1


def test_nothing_is_replaced_in_a_clean_message(decided: Any) -> None:
    decision = decided(HEAD + mixed(HELLO, HELLO))
    (one,) = decision.recipients
    assert [action.name for action in one.outcome.actions] == ["fileinto"]
    assert decision.verdicts[0].cured == ""


@pytest.mark.parametrize("case", ["all of it", "its header", "its preamble"])
def test_what_cannot_be_replaced_is_refused(case: str, eicar: bytes, decided: Any) -> None:
    raw = {
        "all of it": HEAD + entity(eicar),
        "its header": b"X-A: " + eicar + b"\r\n" + HEAD + mixed(HELLO, HELLO),
        "its preamble": HEAD + mixed(HELLO, entity(eicar)).replace(b"--b\r\n", eicar + b"\r\n--b\r\n", 1),
    }[case]
    decision = decided(raw)
    assert decision.response is not None
    assert decision.response.code == 550
    assert decision.verdicts[0].status == "infected"


def test_a_passive_engine_replaces_nothing(eicar: bytes, decided: Any) -> None:
    decision = decided(HEAD + mixed(HELLO, entity(eicar)), "enabled = false")
    (one,) = decision.recipients
    assert one.response is not None
    assert one.response.code == 550


def test_other_engines_scan_the_new_message(eicar: bytes, decided: Any) -> None:
    raw = HEAD + mixed(HELLO, entity(eicar))
    decision = decided(raw, '} yara "z" { context_variable = other')
    assert [verdict.status for verdict in decision.verdicts] == ["clean", "clean"]
