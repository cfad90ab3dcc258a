"""The samples do what they say. A new message in samples/mail wants one row in ROWS, and nothing else."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support import postfix
from support.daemons import need

from sieveav.engines import clamav
from sieveav.frontends.cli import main
from sieveav.running.message import Message
from sieveav.scanning.contract import Content, Deadline
from sieveav.site.deciding import decide
from sieveav.site.site import Site, load
from sieveav.site.transaction import Decision, Transaction
from sieveav.verdict import Status, Verdict

SAMPLES = Path(__file__).parent.parent / "samples"
MAIL = SAMPLES / "mail"

KEPT = ["alice keep (implicit)", "carol keep (implicit)"]
DELIVERED = ["alice keep", "carol keep"]
VIRUS = "all 550 5.7.1 this message contains a virus"
UNCHECKED = "all 550 5.7.1 this message contains content that could not be scanned"
QUARANTINED = ["alice fileinto Quarantine", "carol fileinto Quarantine"]
HELD = ["alice 550 5.7.1 held: Eicar_Test_File", "carol fileinto Junk"]
SUSPECTED = ["alice fileinto Suspicious", "carol fileinto Junk"]
REFUSED = ["all 550 5.7.1 virus: Eicar_Test_File"]

SITES = ("two-users/site.conf", "gate/gate.conf", "pass-unscannable/pass-unscannable.conf")

ROWS: dict[str, tuple[list[str], list[str], list[str]]] = {
    # message            two-users  gate         pass-unscannable
    "clean.eml": (KEPT, DELIVERED, KEPT),
    "list.eml": (KEPT, DELIVERED, KEPT),
    "urgent.eml": (KEPT, DELIVERED, KEPT),
    "eicar.eml": (HELD, [VIRUS], REFUSED),
    "eicar-base64.eml": (HELD, [VIRUS], REFUSED),
    "eicar-zip.eml": (HELD, [VIRUS], REFUSED),
    "encrypted-zip.eml": (SUSPECTED, [UNCHECKED], QUARANTINED),
    "macro.eml": (SUSPECTED, [UNCHECKED], QUARANTINED),
    "broken-mime.eml": (SUSPECTED, [UNCHECKED], QUARANTINED),
}


def shown(decision: Decision) -> list[str]:
    assert decision.fault is None
    if decision.response is not None:
        return [f"all {decision.response.code} {decision.response.enhanced} {decision.response.text}"]
    found = []
    for one in decision.recipients:
        assert one.outcome.fault is None
        name = one.recipient.partition("@")[0]
        if one.response is not None:
            found.append(f"{name} {one.response.code} {one.response.enhanced} {one.response.text}")
        for action in one.outcome.actions:
            mailbox = action.as_json().get("mailbox", "")
            found.append(f"{name} {action.name} {mailbox}{'(implicit)' if action.implicit else ''}".strip())
    return found


def through(site: Site, raw: bytes) -> list[str]:
    return shown(decide(site, Transaction(Message(raw), "bob@example.org", ("alice@example.com", "carol@example.com"))))


def test_every_message_has_a_row_and_every_row_a_message() -> None:
    there, known = {path.name for path in MAIL.glob("*.eml")}, set(ROWS)
    assert not there - known, (
        f"samples/mail has {sorted(there - known)}: give each a row in ROWS of tests/test_samples.py"
    )
    assert not known - there, (
        f"ROWS of tests/test_samples.py has {sorted(known - there)}, which are not in samples/mail"
    )


@pytest.mark.parametrize("config", SITES)
@pytest.mark.parametrize("name", ROWS)
def test_a_message_through_a_site(name: str, config: str) -> None:
    site = load(SAMPLES / config)
    assert site.warnings == ()
    assert through(site, (MAIL / name).read_bytes()) == ROWS[name][SITES.index(config)]


@pytest.mark.parametrize("config", [*SITES, "momentum/clamav.conf"])
def test_check_config(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check-config", str(SAMPLES / config)]) == 0
    assert capsys.readouterr().out == ""


def test_every_script_lints_clean(capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["lint", "--fail-on", "advice", str(SAMPLES)])
    assert (status, capsys.readouterr().out) == (0, "")


@pytest.mark.parametrize(
    ("recipient", "head", "body", "expected"),
    [
        ("alice@example.com", "List-Id: X <dev.lists.example.org>", "Hi.", ["alice fileinto lists/dev.lists"]),
        ("alice+shop@example.com", "Subject: x", "Hi.", ["alice+shop fileinto Shopping"]),
        ("alice@example.com", "Subject: x", "Hi.", ["alice keep (implicit)"]),
    ],
)
def test_filter(recipient: str, head: str, body: str, expected: list[str]) -> None:
    site = load(SAMPLES / "two-users/site.conf")
    script = site.scripts.checked(SAMPLES / "filter.sieve", "each_rcpt")
    assert script.problems == ()
    transaction = Transaction(Message(f"{head}\n\n{body}\n".encode()), "bob@example.org", (recipient,))
    assert shown(decide(site, transaction, script=script)) == expected


def test_filter_files_what_is_infected() -> None:
    site = load(SAMPLES / "two-users/site.conf")
    script = site.scripts.checked(SAMPLES / "filter.sieve", "each_rcpt")
    for name in ("eicar-base64.eml", "eicar-zip.eml", "macro.eml"):
        transaction = Transaction(Message((MAIL / name).read_bytes()), "bob@example.org", ("alice@example.com",))
        assert shown(decide(site, transaction, script=script)) == ["alice fileinto Junk"]


def test_filter_flags_mail_to_half_the_company() -> None:
    site = load(SAMPLES / "two-users/site.conf")
    script = site.scripts.checked(SAMPLES / "filter.sieve", "each_rcpt")
    many = ", ".join(f"u{n}@example.com" for n in range(21))
    for to, flags in ((many, ["$Bulk"]), (many.partition(",")[0], [])):
        transaction = Transaction(Message(f"To: {to}\n\nHi.\n".encode()), "bob@example.org", ("alice@example.com",))
        (one,) = decide(site, transaction, script=script).recipients
        (action,) = one.outcome.actions
        assert action.as_json()["flags"] == flags


# ---- Momentum's own script and stanza, as its page prints them

STANZA = """clamav {
  Enabled = false
  daemon = "127.0.0.1:3310"
  timeout = "20"
  action = pass
  paranoid = false
  context_variable = "VIRUS"
  skip_context_variable = "skip_virus_check"
  file_base = "/var/tmp"
}
"""

SCRIPT = """clamav_avscan;
if vctx :contains "VIRUS_info" "error" {
  ec_action 451 "AV system offline" "virus:check error";
  stop;
}
elsif vctx :contains "VIRUS_info" "" {
  ec_action 550 "Virus detected %{vctx_mess:clamav_status_info}" "virus:Viruses rejected";
  stop;
}
"""


def test_momentums_sample_is_what_its_page_prints() -> None:
    assert (SAMPLES / "momentum/clamav.siv").read_text() == SCRIPT
    assert (SAMPLES / "momentum/clamav.conf").read_text().startswith(STANZA)


class StandIn:
    name = "clamav"

    def __init__(self, status: Status, info: str) -> None:
        self.verdict = Verdict("clamav", status, info)

    def scan(self, content: Content, deadline: Deadline) -> Verdict:  # noqa: ARG002
        return self.verdict

    def version(self, deadline: Deadline) -> str:  # noqa: ARG002
        return ""


@pytest.fixture
def momentum() -> Callable[..., Site]:
    """The sample with an engine that says so."""

    def make(status: Status, info: str = "") -> Site:
        kind = replace(clamav.engine, make=lambda name, options: StandIn(status, info))  # noqa: ARG005
        site = load(SAMPLES / "momentum/clamav.conf", engines={"clamav": kind})
        assert site.warnings == ()
        return site

    return make


@pytest.mark.parametrize(
    ("status", "info", "expected"),
    [
        (Status.INFECTED, "Eicar-Test-Signature", ["all 550 5.7.1 Virus detected"]),
        (Status.INFECTED, "", ["all 550 5.7.1 Virus detected"]),
        (Status.UNSCANNABLE, "odd", ["all 550 5.7.1 Virus detected"]),
        (Status.ERROR, "no answer", ["all 451 4.7.1 AV system offline"]),
        (Status.CLEAN, "", KEPT),
        # lint says so: a virus that is called so reads as an outage
        (Status.INFECTED, "Trojan.Error", ["all 451 4.7.1 AV system offline"]),
    ],
)
def test_momentums_script(momentum: Callable[..., Site], status: Status, info: str, expected: list[str]) -> None:
    assert through(momentum(status, info), (MAIL / "clean.eml").read_bytes()) == expected


def test_momentums_counters_and_skip_variable(momentum: Callable[..., Site]) -> None:
    site = momentum(Status.INFECTED, "E")
    transaction = Transaction(Message(b"\n"), "", ("alice@example.com",))
    decision = decide(site, transaction)
    assert decision.response is not None
    assert decision.response.counter == "virus:Viruses rejected"
    assert decision.context.message == {
        "VIRUS": "virus",
        "VIRUS_info": "E",
        "VIRUS_class": "infected",
        "clamav_info": "E",
    }
    skipping = replace(transaction, variables={"skip_virus_check": "1"})
    assert decide(site, skipping).response is None


@pytest.mark.real
def test_momentums_script_with_clamd(clamd: Any, tmp_path: Path) -> None:
    config = (SAMPLES / "momentum/clamav.conf").read_text()
    (tmp_path / "clamav.siv").write_text(SCRIPT)
    for port, expected in (
        (clamd.port, {"eicar.eml": ["all 550 5.7.1 Virus detected"], "clean.eml": KEPT}),
        (1, {name: ["all 451 4.7.1 AV system offline"] for name in ("eicar.eml", "clean.eml")}),
    ):
        (tmp_path / "site.conf").write_text(config.replace("127.0.0.1:3310", f"127.0.0.1:{port}"))
        site = load(tmp_path / "site.conf")
        for name, found in expected.items():
            assert through(site, (MAIL / name).read_bytes()) == found


# Its other two pages, in their words.

CSAPI = """csapi {}
antivirus "antivirus1" { csapi "csapi1" { enabled = false action = "pass" context_variable = "virus" max_concurrency = 4 } }
sieve "sieve1" {
  script "data_phase1" { source = "scan.siv" }
  script "each_rcpt_phase1" { source = "process.siv" }
}
"""

PROCESS = """if vctx :contains "virus" "error" {
  ec_action 451 "AV system offline" "virus:check error";
  stop;
}
elsif vctx :contains "virus" "" {
  ec_action 550 "Virus detected %{vctx_mess:virus_info}" "virus:Viruses rejected";
  stop;
}
"""

THIRD = """if vctx :is "clamav_status" "error" {
  ec_action 451 "AV system offline" "virus:check error";
}
elsif vctx :is "clamav_status" "virus" {
  ec_action 550 "Virus detected %{vctx_mess:clamav_info}" "virus:Viruses rejected";
}
"""


def stand_in(name: str, status: Status, info: str) -> Any:
    return {name: replace(clamav.engine, name=name, make=lambda called, options: StandIn(status, info))}  # noqa: ARG005


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (Status.INFECTED, "550 5.7.1 Virus detected Some.Virus"),
        (Status.ERROR, "451 4.7.1 AV system offline"),
        (Status.CLEAN, "keep (implicit)"),
    ],
)
def test_csapis_scripts_in_two_phases(tmp_path: Path, status: Status, expected: str) -> None:
    (tmp_path / "scan.siv").write_text("csapi_avscan;")
    (tmp_path / "process.siv").write_text(PROCESS)
    (tmp_path / "site.conf").write_text(CSAPI)
    site = load(tmp_path / "site.conf", engines=stand_in("csapi", status, "Some.Virus"))
    assert through(site, b"Subject: x\n\n") == [f"alice {expected}", f"carol {expected}"]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (Status.SUSPICIOUS, ["all 550 5.7.1 Virus detected Some.Virus"]),
        (Status.ERROR, ["all 451 4.7.1 AV system offline"]),
        (Status.ENCRYPTED, KEPT),
        (Status.CLEAN, KEPT),
    ],
)
def test_the_third_pages_script(tmp_path: Path, status: Status, expected: list[str]) -> None:
    (tmp_path / "third.siv").write_text(THIRD)
    (tmp_path / "site.conf").write_text(
        'clamav {} antivirus "a" { clamav "c" {} } sieve "s" { script "data_phase1" { source = "third.siv" } }'
    )
    site = load(tmp_path / "site.conf", engines=stand_in("clamav", status, "Some.Virus"))
    assert through(site, b"Subject: x\n\n") == expected


@pytest.mark.real
def test_the_server() -> None:
    """sh samples/mail/run, as README says."""
    need(postfix.is_installed(), "postfix (or root, who starts it)")
    done = subprocess.run(
        ["sh", "samples/mail/run"], cwd=SAMPLES.parent, capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stdout) == (0, SHOWN), done.stderr


SHOWN = """\
starting Postfix and sieveav on loopback ...

clean.eml to alice, carol, dave
    250 2.0.0 Ok: queued as ...

list.eml to carol
    250 2.0.0 Ok: queued as ...

urgent.eml to carol, dave
    250 2.0.0 Ok: queued as ...

clean.eml to erin
    550 5.7.1 This mailbox is not in use; write to office@example.com

eicar.eml to alice
    550 5.7.1 This message contains a virus

encrypted-zip.eml to alice, carol
    550 5.7.1 This message contains content that cannot be scanned

delivered:
    alice   INBOX     Lunch on Tuesday
    carol   INBOX     Lunch on Tuesday
    carol   INBOX     urgent: the contract
    carol   Lists     [Python] Release
    dave    INBOX     Lunch on Tuesday
    dave    INBOX     urgent: the contract
    to bob@example.org: I am away
    to colleague@example.net: urgent: the contract
"""
