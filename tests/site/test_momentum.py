"""What went wrong in the product that this one follows, by its release notes: one test for each."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from support.daemons import EICAR, Clamd
from support.engines import Engines
from support.faults import ENOUGH
from support.scanning import Serve
from support.scripted import Peer
from support.sites import Decide, MakeSite, Show

from sieveav.running.message import Message
from sieveav.scanning.contract import Content, Deadline, EngineType
from sieveav.site.deciding import decide
from sieveav.site.site import Site, load
from sieveav.site.transaction import Decision, Transaction
from sieveav.verdict import Status, Verdict

HEAD = b"Subject: x\r\n\r\n"
RECIPIENT = "alice@example.com"


class Asked:
    """An engine that answers `verdict`, for a virus in the content another, and keeps the contents that it got."""

    name = "av"

    def __init__(self, status: Status = Status.CLEAN, info: str = "") -> None:
        self.verdict = Verdict("av", status, info)
        self.contents: list[bytes] = []

    def scan(self, content: Content, deadline: Deadline) -> Verdict:
        assert deadline.left() > 0
        self.contents.append(content.raw)
        return Verdict("av", Status.INFECTED, "Virus") if EICAR in content.raw else self.verdict

    def version(self, deadline: Deadline) -> str:
        assert deadline.left() > 0
        return "1"


def make(directory: Path, config: str, engine: Asked | None = None, script: str = "stop;") -> Site:
    """A site with this configuration, whose file b.siv is this script, and with an engine av."""
    (directory / "b.siv").write_text(script)
    (directory / "site.conf").write_text(config)
    if engine is None:
        return load(directory / "site.conf")
    return load(directory / "site.conf", engines={"av": EngineType("av", "for tests", "CPU", (), lambda *_: engine)})


def decided(site: Site, raw: bytes, *recipients: str) -> Decision:
    return decide(site, Transaction(Message(raw), "bob@example.org", recipients or (RECIPIENT,)))


def ours(**options: str) -> str:
    written = " ".join(f"{name} = {value}" for name, value in options.items())
    return f'av {{}} antivirus "a" {{ av "v" {{ {written} }} }} sieve "s" {{ script "data_phase1" {{ source = "b.siv" }} }}'


@pytest.mark.real
@pytest.mark.parametrize("decompose", [0, 1])
@pytest.mark.parametrize("place", [131_071, 131_072, 1_000_000])
def test_only_the_first_128_kb_was_sent(place: int, decompose: int, clamd: Clamd, tmp_path: Path) -> None:
    options = f"action = reject mime_decompose = {decompose} file_base = {tmp_path}"
    config = (
        f'clamav {{}} yara {{}} antivirus "a" {{ {options} clamav "c" {{ daemon = "{clamd.socket}" }} yara "y" {{}} }}'
    )
    site = make(tmp_path, config)
    lines = b"0123456789abcdef\r\n" * (place // 18 + 1)
    verdicts = decided(site, HEAD + lines[: place - len(HEAD) - 2] + b"\r\n" + EICAR + b"\r\n" + lines).verdicts
    assert [verdict.status for verdict in verdicts] == [Status.INFECTED] * 2
    assert {verdict.status for verdict in decided(site, HEAD + lines * 2).verdicts} == {Status.CLEAN}


@pytest.mark.parametrize("wire", ["true", "false"])
def test_a_message_was_scanned_with_the_dots_of_the_wire(wire: str, tmp_path: Path) -> None:
    engine = Asked()
    raw = HEAD + b".\r\n..\r\n.hidden\r\n"
    decided(make(tmp_path, ours(use_wire_rep=wire, enabled="false"), engine, "av_avscan;"), raw)
    assert engine.contents == [raw]


@pytest.mark.parametrize("order", ["all", "first"])
@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        (("infected", "unscannable"), "infected"),
        (("unscannable", "infected"), "infected"),
        (("unscannable", "suspicious"), "suspicious"),
        (("clean", "unscannable"), "unscannable"),
        (("error", "infected"), "infected"),
    ],
)
def test_a_virus_and_something_unscannable_gave_unscannable(
    order: str, statuses: tuple[str, str], expected: str, engines: Engines, site: MakeSite, decided: Decide, shown: Show
) -> None:
    engines.said = {name: (status, "x") for name, status in zip(("av", "f-secure"), statuses, strict=True)}
    engine = f'antivirus "a" {{ order = {order} av "av" {{}} f-secure "f" {{}} }}'
    made = site(
        f"av {{}} f-secure {{}} {engine} users {{ before = b.sieve }}",
        {"b.sieve": f'require ["antivirus", "fileinto"]; if antivirus "{expected}" {{ fileinto "{expected}"; }}'},
    )
    assert shown(decided(made)) == [f"alice fileinto {expected}"]


@pytest.mark.parametrize("name", ["Win.Spyware.Gator-1", "Adware.Agent", "Osx.Trojan.Spyware", "Txt.Riskware.X"])
def test_spyware_was_not_counted_as_infected(name: str, serve: Serve, tmp_path: Path) -> None:
    def clamd(peer: Peer) -> None:
        peer.instream()
        peer.send(f"stream: {name} FOUND\0".encode())

    config = 'clamav {} antivirus "a" { action = reject cache_size = 0 clamav "c" { daemon = "%s" } }'
    decision = decided(make(tmp_path, config % serve(clamd).address), HEAD)
    assert [(verdict.status, verdict.info) for verdict in decision.verdicts] == [(Status.INFECTED, name)]
    assert decision.response is not None
    assert decision.response.code == 550


@pytest.mark.parametrize(
    "reply",
    [
        "stream: Can't allocate memory ERROR",
        "stream: Eicar-Signature FOUND ERROR",
        "stream: OK ERROR",
        "INSTREAM size limit exceeded ERROR",
        "stream: Malformed database ERROR",
        "COMMAND UNAVAILABLE",
    ],
)
def test_an_error_was_taken_for_a_virus_or_for_clean(reply: str, serve: Serve, tmp_path: Path) -> None:
    def clamd(peer: Peer) -> None:
        peer.instream()
        peer.send(reply.encode() + b"\0")

    config = 'clamav {} antivirus "a" { cache_size = 0 clamav "c" { daemon = "%s" } }'
    decision = decided(make(tmp_path, config % serve(clamd).address), HEAD)
    assert [verdict.status for verdict in decision.verdicts] == [Status.ERROR]
    variables = decision.context.message
    assert variables["clamav_status"] == "error"
    assert variables["clamav_status_info"].startswith("error: ")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (Status.INFECTED, {"av_status": "virus", "av_status_info": "x"}),
        (Status.UNSCANNABLE, {"av_status": "unscannable", "av_status_info": "x"}),
        (Status.ERROR, {"av_status": "error", "av_status_info": "error: x"}),
        (Status.CLEAN, {}),
    ],
)
def test_the_second_variable_was_not_set_with_action_pass(
    status: Status, expected: Mapping[str, str], tmp_path: Path
) -> None:
    variables = decided(make(tmp_path, ours(action="pass"), Asked(status, "x")), HEAD).context.message
    assert {name: variables[name] for name in ("av_status", "av_status_info") if name in variables} == expected
    named = ours(action="pass", context_variable="v")
    variables = decided(make(tmp_path, named, Asked(status, "x")), HEAD).context.message
    assert {f"av_status{name[1:]}": variables[name] for name in ("v", "v_info") if name in variables} == expected


PASSIVE = [
    'av { enabled = false } antivirus "a" { av "v" { action = reject } }',
    'av {} antivirus "a" { av "v" { enabled = false action = reject } }',
    "av { enabled = false action = reject }",
]


@pytest.mark.parametrize("config", PASSIVE)
def test_a_passive_engine_scanned_all_the_same(config: str, tmp_path: Path) -> None:
    engine = Asked(Status.INFECTED)
    scripts = ' sieve "s" { script "data_phase1" { source = "b.siv" } }'
    assert decided(make(tmp_path, config + scripts, engine), HEAD).response is None
    assert engine.contents == []
    decided(make(tmp_path, config + scripts, engine, "av_avscan;"), HEAD)
    assert engine.contents == [HEAD]


KILLED = "import os; os.kill(os.getpid(), 9)"
HANGS = "import time; time.sleep(60)"


@pytest.mark.parametrize("program", ["", KILLED, HANGS, "raise ValueError"])
@pytest.mark.parametrize("decompose", [0, 1])
def test_temporary_files_were_left(program: str, decompose: int, tmp_path: Path) -> None:
    """After a time limit, an exception, the death of the engine."""
    base = tmp_path / "base"
    base.mkdir()
    note = f"import sys; open({str(tmp_path / 'asked')!r}, 'a').write(sys.argv[-1] + '\\n'); {program}"
    site = make(
        tmp_path,
        f'command {{}} antivirus "a" {{ timeout = 2 file_base = {base} mime_decompose = {decompose} command "c" '
        f'{{ command = ( "{sys.executable}" "-IS" "scan.py" "{{path}}" ) clean = 0 infected = 9 }} }}'.replace(
            "scan.py", str(tmp_path / "scan.py")
        ),
    )
    (tmp_path / "scan.py").write_text(note)
    (verdict,) = decided(site, HEAD + b"hello\r\n").verdicts
    assert verdict.status is (Status.ERROR if program else Status.CLEAN)
    files = (tmp_path / "asked").read_text().split()
    assert files
    assert all(Path(file).parent == base for file in files)
    assert list(base.iterdir()) == []


def test_it_hung_when_the_version_was_asked_during_a_scan(tmp_path: Path) -> None:
    began, go_on = threading.Event(), threading.Event()

    class Slow(Asked):
        def scan(self, content: Content, deadline: Deadline) -> Verdict:
            began.set()
            assert go_on.wait(20)
            return super().scan(content, deadline)

    site = make(tmp_path, ours(max_concurrency="1", timeout="30"), Slow())
    scan = threading.Thread(target=lambda: decided(site, HEAD))
    scan.start()
    assert began.wait(20)
    assert [scanner.engine.version(Deadline.after(5)) for scanner in site.scanners] == ["1"]
    go_on.set()
    scan.join(20)
    assert not scan.is_alive()


@pytest.mark.parametrize(
    ("enabled", "data", "own"),
    [
        ("true", "stop;", ""),  # scanned in the data phase, without a script
        ("false", "av_avscan;", ""),  # by a script for all recipients
        ("false", "stop;", "av_avscan;"),  # by that of each
    ],
)
def test_verdicts_of_recipients_were_lost(enabled: str, data: str, own: str, tmp_path: Path) -> None:
    class ForEach(Asked):
        def scan(self, content: Content, deadline: Deadline) -> Verdict:
            assert content.envelope is not None
            super().scan(content, deadline)
            each = {recipient: {"av_verdict": recipient[0]} for recipient in content.envelope.recipients}
            return Verdict("av", Status.CLEAN, values={"av_verdict": "all"}, by_recipient=each)

    engine = ForEach()
    require = 'require ["antivirus", "fileinto", "variables", "vctx"];'
    (tmp_path / "r.siv").write_text(f'{require} {own} fileinto "${{vctx.av_verdict}}";')
    config = ours(enabled=enabled, cache_size="0") + ' users { before = "r.siv" }'
    decision = decided(make(tmp_path, config, engine, data), HEAD, *(f"{name}@example.com" for name in "abc"))
    assert [one.outcome.actions[-1].as_json()["mailbox"] for one in decision.recipients] == ["a", "b", "c"]
    assert engine.contents == [HEAD]


@pytest.mark.parametrize("engine", ["eleven { servers = %s }", "eleven { servers = %s protocol = http }"])
def test_the_time_limit_did_not_count_while_recipients_were_sent(engine: str, serve: Serve, tmp_path: Path) -> None:
    """To a server that does not read."""
    config = engine.replace("}", "timeout = 1 enabled = true }") % f'"{serve(Peer.silence).address}"'
    site = make(tmp_path, config)
    start = time.monotonic()
    decision = decided(site, HEAD, *(f"{number}-{'x' * 50}@example.com" for number in range(50_000)))
    (verdict,) = decision.verdicts
    assert verdict.status is Status.ERROR
    assert time.monotonic() - start < ENOUGH + 20


INPUTS: list[tuple[bytes, str]] = [
    (HEAD + b"x" * 20_000_000, RECIPIENT),
    (HEAD, "first_last@example.com"),
    (HEAD, "_@example.com"),
    (b"Subject: x\r\n\r\n", RECIPIENT),
    (b"Subject: x\r\n", RECIPIENT),
    (b"", RECIPIENT),
    (b"\r\n", RECIPIENT),
    (HEAD, "alice@ExAmPlE.COM"),
    (HEAD, "Alice@EXAMPLE.com"),
]


@pytest.mark.parametrize(("raw", "recipient"), INPUTS, ids=[f"{len(raw)} {recipient}" for raw, recipient in INPUTS])
def test_messages_that_it_failed_on(raw: bytes, recipient: str, tmp_path: Path) -> None:
    """Large ones, an underscore in a recipient, empty bodies, domains in upper case."""
    users = tmp_path / "users/example.com"
    users.mkdir(parents=True)
    (users / f"{recipient.partition('@')[0].lower()}.sieve").write_text('require "fileinto"; fileinto "Own";')
    for engine, expected in ((Asked(), None), (Asked(Status.INFECTED, "x"), 550)):
        config = ours(action="reject") + ' users { scripts = "users/%d/%n.sieve" }'
        decision = decided(make(tmp_path, config, engine), raw, recipient)
        assert engine.contents[0] == raw
        assert (decision.response.code if decision.response else None) == expected
        if not expected:
            (one,) = decision.recipients
            assert [action.as_json()["mailbox"] for action in one.outcome.actions] == ["Own"]
