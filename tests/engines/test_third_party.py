"""An engine of another package: one file, found by its entry point, and used from the configuration to the script."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.accepting import Accepted
from support.packages import install, sieveav

from sieveav.scanning.contract import ENGINES

ENGINE = '''
"""acme: content into a verdict by a word that ACME does not like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sieveav.options import TEXT, Option
from sieveav.scanning import naming
from sieveav.scanning.contract import Content, Deadline, EngineType
from sieveav.scanning.naming import Naming
from sieveav.verdict import Status, Verdict


class Acme:
    def __init__(self, name: str, values: Mapping[str, Any]) -> None:
        self.name = name
        self._word = values["word"].encode()
        self._directory = values["file_base"]
        self._signatures = Naming.of(values)

    def scan(self, content: Content, deadline: Deadline) -> Verdict:
        with content.file(self._directory) as path:
            octets = path.read_bytes()
        assert list(self._directory.iterdir()) == []
        if self._word in octets:
            return self._signatures.verdict(self.name, "Acme.Word")
        recipients = content.envelope.recipients if content.envelope else ()
        scores = {recipient: {"acme_score": str(score)} for score, recipient in enumerate(recipients)}
        return Verdict(self.name, Status.CLEAN, values={"acme_seen": "yes\\r\\n"}, by_recipient=scores)

    def version(self, deadline: Deadline) -> str:
        return "ACME 1"


def make(name: str, values: Mapping[str, Any]) -> Acme:
    if not values["word"]:
        raise ValueError("word: a word is needed")
    return Acme(name, values)


engine = EngineType(
    name="acme",
    summary="ACME's scanner",
    pool="CPU",
    options=(Option("word", TEXT, "", "what it finds"), *naming.OPTIONS),
    make=make,
    cacheable=False,
)
'''

SITE = """
acme {{}}
antivirus "a" {{ acme "acme1" {{ word = "evil" file_base = "tmp" enabled = false {options} }} }}
sieve "s" {{ script "data_phase1" {{ source = "policy.siv" }} }}
"""

POLICY = """
acme_avscan;
if vctx :is "acme_status" "virus" { ec_action 550 "5.7.1 found %{vctx_mess:acme_status_info}"; stop; }
if not vctx :is "acme_seen" "yes" { ec_action 451 "4.7.1 not scanned"; stop; }
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with the package, a site that uses its engine, and a message that it finds."""
    install(
        tmp_path,
        "acme-scan",
        {"sieveav.engines": "acme_engines"},
        {"acme_engines/__init__.py": "", "acme_engines/acme.py": ENGINE},
    )
    (tmp_path / "tmp").mkdir()
    (tmp_path / "site.conf").write_text(SITE.format(options=""))
    (tmp_path / "policy.siv").write_text(POLICY)
    (tmp_path / "evil.eml").write_bytes(b"Subject: x\r\n\r\nsome evil words\r\n")
    (tmp_path / "good.eml").write_bytes(b"Subject: x\r\n\r\nhello\r\n")
    return tmp_path


def scan(site: Path, *arguments: str) -> list[tuple[str, str, str]]:
    done = sieveav(site, "scan", "--config", "site.conf", "--format", "json", *arguments)
    assert done.stderr == "", done.stderr
    results = [json.loads(line) for line in done.stdout.splitlines()]
    return [(v["engine"], v["status"], v["info"]) for result in results for v in result["engines"]]


def test_it_scans(site: Path) -> None:
    assert scan(site, "evil.eml", "good.eml") == [("acme", "infected", "Acme.Word"), ("acme", "clean", "")]
    assert list((site / "tmp").iterdir()) == []


def test_the_shared_options_work(site: Path) -> None:
    (site / "site.conf").write_text(SITE.format(options='classes = "Acme.*=macro"'))
    assert scan(site, "evil.eml") == [("acme", "macro", "Acme.Word")]


def test_its_action_and_its_variables(site: Path) -> None:
    done = sieveav(site, "decide", "--config", "site.conf", "--to", "a@example.com", "evil.eml")
    assert "550 5.7.1 found Acme.Word" in done.stdout


def test_its_values_for_each_recipient(site: Path) -> None:
    policy = 'acme_avscan; if vctx :is "acme_score" "1" { ec_action 554 "5.7.1 refused"; stop; } keep;'
    (site / "policy.siv").write_text(policy)
    (site / "site.conf").write_text(SITE.format(options="").replace("data_phase1", "each_rcpt_phase1"))
    done = sieveav(site, "decide", "--config", "site.conf", "--to", "a@x.org", "--to", "b@x.org", "good.eml")
    replies = {line.split()[0]: "554" in line for line in done.stdout.splitlines() if "@x.org" in line}
    assert replies == {"a@x.org": False, "b@x.org": True}


def test_its_mistakes_are_problems_of_the_configuration(site: Path) -> None:
    (site / "site.conf").write_text(SITE.format(options="").replace('word = "evil"', 'wrod = "evil"'))
    done = sieveav(site, "check-config", "site.conf")
    assert "wrod" in done.stdout + done.stderr
    (site / "site.conf").write_text(SITE.format(options="").replace('word = "evil"', 'word = ""'))
    done = sieveav(site, "check-config", "site.conf")
    assert "a word is needed" in done.stdout + done.stderr


def test_it_is_listed_and_explained(site: Path) -> None:
    assert "acme" in sieveav(site, "engines").stdout
    assert "what it finds" in sieveav(site, "explain", "acme").stdout


BROKEN = {
    "raises at import": "raise OSError('no library')",
    "ends the program": "raise SystemExit(3)",
    "is not Python": "engine = (",
    "declares nonsense": (
        "from sieveav.scanning.contract import EngineType\n"
        "engine = EngineType('bad name', 'x', 'CPU', (), lambda name, values: None)\n"
    ),
    "has the name of another": (
        "from sieveav.scanning.contract import EngineType\n"
        "engine = EngineType('yara', 'x', 'CPU', (), lambda name, values: None)\n"
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_one_is_left_out_with_one_line(case: str, site: Path, accepted: Accepted) -> None:
    install(site, "broken-scan", {"sieveav.engines": "broken_scan"}, {"broken_scan.py": BROKEN[case]})
    done = sieveav(site, "engines", "--format", "json")
    assert [row["name"] for row in json.loads(done.stdout)] == sorted({"acme", *ENGINES.everything()})
    accepted(done.stderr)
