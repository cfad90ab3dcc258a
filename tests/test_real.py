"""A whole site with clamd, and with yara: from a message to what becomes of it."""

from __future__ import annotations

import base64
import json
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.sites import MakeSite

from sieveav.frontends.cli import main
from sieveav.running.message import Message
from sieveav.site.deciding import decide
from sieveav.site.site import Site, load
from sieveav.site.transaction import Decision, Transaction

pytestmark = pytest.mark.real

ALICE = """require ["antivirus", "ec_action", "variables", "vctx"];
if antivirus ["infected", "suspicious"] { ec_action 550 "5.7.1 held: ${vctx.virus_info}" "virus:rejected"; }
elsif antivirus "error" { ec_action 451 "4.7.1 cannot be checked now"; }
"""
CAROL = """require ["antivirus", "fileinto"];
if antivirus "error" { keep; }
elsif not antivirus "clean" { fileinto "Junk"; }
"""
NAMES = {"clamav": "Eicar-Test-Signature", "yara": "Eicar_Test_File"}

TO = ("alice@example.com", "carol@example.com")


@pytest.fixture
def site(tmp_path: Path) -> Callable[..., Site]:
    """A site with one engine and two users; `more` goes into the engine's stanza."""

    def make(engine: str, more: str = "", *, enabled: bool = False, rest: str = "") -> Site:
        (tmp_path / "alice.sieve").write_text(ALICE)
        (tmp_path / "carol.sieve").write_text(CAROL)
        (tmp_path / "site.conf").write_text(
            f'{engine} {{}}\nantivirus "a" {{ {engine} "e" {{ enabled = {str(enabled).lower()}\n'
            f'context_variable = "virus"\n{more} }} }}\n{rest}\nusers {{ scripts = "%n.sieve" }}\n'
        )
        return load(tmp_path / "site.conf")

    return make


@pytest.fixture(params=["clamav", "yara"])
def engine(request: pytest.FixtureRequest) -> tuple[str, str]:
    """An engine and what its stanza needs."""
    if request.param == "yara":
        return "yara", ""
    clamd = request.getfixturevalue("clamd")
    return "clamav", f'daemon = "{clamd.socket}"'


def mail(attached: bytes) -> bytes:
    return (
        b"DKIM-Signature: v=1\r\nFrom: bob@example.org\r\nTo: alice@example.com\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nHello\r\n--b\r\n"
        b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + base64.encodebytes(attached).replace(b"\n", b"\r\n")
        + b"--b--\r\n"
    )


def decided(site: Site, raw: bytes) -> Decision:
    return decide(site, Transaction(Message(raw), "bob@example.org", TO))


def shown(decision: Decision) -> list[str]:
    if decision.response is not None:
        return [f"{decision.response.code} {decision.response.text}"]
    found = []
    for one in decision.recipients:
        assert one.outcome.fault is None
        if one.response is not None:
            found.append(f"{one.response.code} {one.response.text}")
        found += [f"{action.name} {action.as_json().get('mailbox', '')}".strip() for action in one.outcome.actions]
    return found


def test_infected_to_two_whose_scripts_differ(site: MakeSite, engine: tuple[str, str], eicar: bytes) -> None:
    decision = decided(site(*engine), mail(eicar))
    assert [verdict.status for verdict in decision.verdicts] == ["infected"]
    answer, filed = shown(decision)
    assert answer.startswith(f"550 held: {NAMES[engine[0]]}")
    assert filed == "fileinto Junk"


def test_clean_passes(site: MakeSite, engine: tuple[str, str]) -> None:
    decision = decided(site(*engine), mail(b"nothing"))
    assert [verdict.status for verdict in decision.verdicts] == ["clean"]
    assert shown(decision) == ["keep", "keep"]


@pytest.mark.parametrize(("action", "expected"), [("reject", 1), ("pass", 2)])
def test_an_active_engine(site: MakeSite, engine: tuple[str, str], eicar: bytes, action: str, expected: int) -> None:
    made = site(engine[0], f"{engine[1]}\naction = {action}", enabled=True)
    found = shown(decided(made, mail(eicar)))
    assert len(found) == expected
    assert found[0].startswith("550 ")
    assert ("Eicar" in found[0]) is (action == "pass")  # of itself the framework names no virus
    assert shown(decided(made, mail(b"nothing"))) == ["keep", "keep"]


def test_the_command_line(
    site: MakeSite, engine: tuple[str, str], eicar: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site(*engine)
    (tmp_path / "m.eml").write_bytes(mail(eicar))
    arguments = [f"--to={to}" for to in TO]
    assert (
        main(["decide", "--config", str(tmp_path / "site.conf"), "--format=json", *arguments, str(tmp_path / "m.eml")])
        == 0
    )
    found = json.loads(capsys.readouterr().out)
    assert found["engines"][0]["engine"] == engine[0]
    assert found["engines"][0]["version"]
    assert found["recipients"][0]["smtp"]["code"] == 550
    assert found["recipients"][1]["actions"][0]["mailbox"] == "Junk"


# ---- clamd is gone


@pytest.mark.parametrize("daemon", ["127.0.0.1:1", "/nonexistent/clamd.sock"])
def test_clamd_is_down(site: MakeSite, daemon: str) -> None:
    """451 by one policy, passed by another; never clean."""
    decision = decided(site("clamav", f'daemon = "{daemon}"'), mail(b"nothing"))
    assert [verdict.status for verdict in decision.verdicts] == ["error"]
    assert shown(decision) == ["451 cannot be checked now", "keep"]


@pytest.mark.parametrize(("action", "expected"), [("reject", ["452 "]), ("pass", ["451 ", "keep"])])
def test_clamd_is_down_and_the_engine_active(site: MakeSite, action: str, expected: list[str]) -> None:
    more = f'daemon = "127.0.0.1:1"\naction = {action}\nerror_code = 452'
    found = shown(decided(site("clamav", more, enabled=True), mail(b"nothing")))
    assert len(found) == len(expected)
    assert all(line.startswith(begin) for line, begin in zip(found, expected, strict=True))
    assert "127.0.0.1" not in found[0]


def test_clamd_is_killed_in_the_middle(site: MakeSite, start_clamd: Callable[..., Any], eicar: bytes) -> None:
    own = start_clamd()
    made = site("clamav", f'daemon = "{own.socket}"\ntimeout = 10')
    assert shown(decided(made, mail(b"nothing"))) == ["keep", "keep"]
    own.signal(signal.SIGSTOP)  # so that the scan is surely under way
    killing = threading.Timer(0.3, own.kill)
    killing.start()
    begun = time.monotonic()
    decision = decided(made, mail(eicar))
    killing.join()
    assert time.monotonic() - begun < 8
    assert [verdict.status for verdict in decision.verdicts] == ["error"]
    assert shown(decision) == ["451 cannot be checked now", "keep"]
    assert [verdict.status for verdict in decided(made, mail(b"other")).verdicts] == ["error"]


def test_clamd_does_not_answer_in_time(site: MakeSite, start_clamd: Callable[..., Any]) -> None:
    own = start_clamd()
    made = site("clamav", f'daemon = "{own.socket}"\ntimeout = 0.5')
    own.signal(signal.SIGSTOP)
    begun = time.monotonic()
    decision = decided(made, mail(b"nothing"))
    assert time.monotonic() - begun < 3
    (verdict,) = decision.verdicts
    assert verdict.status == "error"
    assert "timeout" in verdict.info
    own.signal(signal.SIGCONT)
    assert shown(decided(made, mail(b"nothing"))) == ["keep", "keep"]  # an error is not remembered


def test_clamd_comes_back(site: MakeSite, start_clamd: Callable[..., Any], clamd: Any, eicar: bytes) -> None:
    """Another daemon answers for one that is gone."""
    own = start_clamd()
    made = site("clamav", f'daemon = ( "{own.socket}" "{clamd.socket}" )')
    own.kill()
    assert shown(decided(made, mail(eicar)))[1] == "fileinto Junk"
