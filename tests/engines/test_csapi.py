"""csapi: a Protection Engine over ICAP (a scripted server), or a program that pretends to be linked with the kit."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import kits
from support.faults import chunks, head
from support.scanning import Ask, Serve
from support.scripted import Peer

from sieveav.engines.csapi import KIT, engine
from sieveav.running.message import Message
from sieveav.scanning.contract import Engine
from sieveav.site.deciding import decide
from sieveav.site.site import load
from sieveav.site.transaction import Transaction
from sieveav.verdict import Status

DEFAULTS = {option.name: option.default for option in engine.options} | {"file_base": None}


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    with kits.nothing_left():
        yield


def program(directory: Path, scan: str, **more: str) -> Path:
    """A program that is one file."""
    command = kits.write(directory, scan, **more)
    path = directory / "scanner"
    path.write_text(f"#!{sys.executable} -IS\n" + Path(command[-1]).read_text())
    path.chmod(0o700)
    return path


def made(**values: Any) -> Engine:
    return engine.make("csapi", {**DEFAULTS, **values})


def test_a_program(tmp_path: Path, ask: Ask) -> None:
    version = f"open({str(tmp_path / 'options')!r}, 'w').write(json.dumps(asked['options'])); say(asked, version='1')"
    scan = "say(asked, status='infected' if content(asked) == b'evil' else 'clean', info='Trojan.Gen.2', code=41129)"
    scanner = made(scanner_path=program(tmp_path, scan, version=version), max_extract_depth=3)
    verdict = ask(scanner, b"evil", 20.0)
    assert (verdict.status, verdict.info, verdict.code) == (Status.INFECTED, "Trojan.Gen.2", 41129)
    assert ask(scanner, b"good", 20.0).status is Status.CLEAN
    options = json.loads((tmp_path / "options").read_text())
    assert options == {option.name: option.default for option in KIT} | {"max_extract_depth": 3}


def test_a_server(serve: Serve, ask: Ask) -> None:
    asked: list[bytes] = []

    def script(peer: Peer) -> None:
        asked.append(head(peer))
        head(peer), head(peer), chunks(peer)
        peer.send(
            b'ICAP/1.0 201 Created\r\nISTag: "1"\r\nX-Infection-Found: Type=0; Resolution=1; Threat=Trojan.Gen.2;\r\n'
        )
        peer.send(b"Encapsulated: null-body=0\r\n\r\n")
        peer.drain()

    verdict = ask(made(server=(serve(script).address,)))
    assert (verdict.status, verdict.info) == (Status.INFECTED, "Trojan.Gen.2")
    assert b"/SYMCScanResp-AV ICAP/1.0" in asked[0]


SITE = """csapi {{}}
antivirus "antivirus1" {{
  csapi "csapi1" {{
    enabled = false
    action = "pass"
    context_variable = "virus"
    max_concurrency = 4
    cache_size = 0
    server = "{server}"
  }}
}}
sieve "sieve1" {{
  script "data_phase1" {{ source = "scan.siv" }}
  script "each_rcpt_phase1" {{ source = "process.siv" }}
}}
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


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            b"201 Created\r\nX-Infection-Found: Type=0; Resolution=1; Threat=Trojan.Gen.2;",
            (550, "Virus detected Trojan.Gen.2"),
        ),
        (
            b"201 Created\r\nX-Infection-Found: Type=2; Resolution=2; Threat=Container size violation;",
            (550, "Virus detected Container size violation"),
        ),
        (b"539 Aborted - No AV scanning license", (451, "AV system offline")),
        (b"506 Server too busy", (451, "AV system offline")),
        (b"204 No Content", None),
    ],
)
def test_momentums_scripts_in_two_phases(
    answer: bytes, expected: tuple[int, str] | None, serve: Serve, tmp_path: Path
) -> None:
    def script(peer: Peer) -> None:
        head(peer), head(peer), head(peer), chunks(peer)
        peer.send(b"ICAP/1.0 " + answer + b'\r\nISTag: "1"\r\nConnection: close\r\nEncapsulated: null-body=0\r\n\r\n')
        peer.drain()

    (tmp_path / "scan.siv").write_text("csapi_avscan;")
    (tmp_path / "process.siv").write_text(PROCESS)
    (tmp_path / "site.conf").write_text(SITE.format(server=serve(script).address))
    transaction = Transaction(Message(b"Subject: x\r\n\r\n"), "bob@example.org", ("a@example.com", "b@example.com"))
    decision = decide(load(tmp_path / "site.conf"), transaction)
    replies = [one.response and (one.response.code, one.response.text) for one in decision.recipients]
    assert replies == [expected] * 2


def test_no_server(ask: Ask) -> None:
    assert ask(made(server=("127.0.0.1:1",))).status is Status.ERROR


@pytest.mark.parametrize("option", KIT, ids=lambda option: option.name)
def test_a_bound_of_the_kit_needs_the_kit(option: Any) -> None:
    with pytest.raises(ValueError, match=f"^{option.name}: "):
        made(**{option.name: option.value("7")})


@pytest.mark.parametrize(
    ("name", "written", "value"),
    [
        ("max_cumulative_extract_size", "0", 209_715_200),
        ("max_cumulative_extract_size", "4294967294", 4_294_967_294),
        ("max_cumulative_extract_size", "4294967295", None),
        ("max_extract_size", "4g", None),
        ("max_extract_depth", "50", 50),
        ("max_extract_depth", "51", None),
        ("max_extract_depth", "0", None),
        ("max_file_count", "0", None),
    ],
)
def test_bounds(name: str, written: str, value: int | None) -> None:
    option = next(option for option in KIT if option.name == name)
    if value is None:
        with pytest.raises(ValueError, match="is"):
            option.value(written)
    else:
        assert option.value(written) == value
