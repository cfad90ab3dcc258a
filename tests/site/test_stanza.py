"""A stanza of a third party: one file in its package, checked and explained as ours are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support import packages

from sieveav.options import TEXT, Option
from sieveav.site.stanza import STANZAS, Named, StanzaType

STANZA = '''
"""greylist: which senders wait."""
from sieveav.options import DURATION, Option, integer
from sieveav.site.stanza import Named, StanzaType

def build(stanzas, building):
    for stanza in stanzas:
        if stanza.value("wait") > 3600:
            building.report.warn("greylist-long", "nobody waits for so long", stanza.written["wait"].span, "write 5m")
    return {stanza.instance: stanza.values() for stanza in stanzas}

GREYLIST = StanzaType(
    "greylist", "senders that wait",
    (Option("wait", DURATION, 300.0, "how long"), Option("size", integer(1, 9), 3, "how many")),
    Named.MUST, build=build,
)
'''

CONFIG = """greylist "a" { wait = 2h sise = 3 size = 10 }
greylist {}
"""


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    files = {"acme_stanzas/__init__.py": "", "acme_stanzas/greylist.py": STANZA, "site.conf": CONFIG}
    packages.install(tmp_path, "acme-stanzas", {"sieveav.stanzas": "acme_stanzas"}, files)
    return tmp_path


def test_it_is_checked_as_ours_are(installed: Path) -> None:
    done = packages.sieveav(installed, "check-config", "--format", "json", "site.conf")
    assert done.stderr == ""
    problems = [(p["line"], p["column"], p["rule"]) for p in json.loads(done.stdout)]
    assert problems == [
        (1, 23, "greylist-long"),
        (1, 26, "option-unknown"),
        (1, 42, "value-invalid"),
        (2, 1, "stanza-name"),
    ]


def test_it_is_explained(installed: Path) -> None:
    done = packages.sieveav(installed, "explain", "greylist")
    assert done.stderr == ""
    assert "senders that wait" in done.stdout.lower()
    assert "wait" in done.stdout


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("raise RuntimeError('no')", "acme-stanzas: acme_stanzas.greylist is left out: RuntimeError: no"),
        (
            STANZA.replace('"greylist", "senders', '"users", "senders'),
            "acme-stanzas: stanza users is left out: sieveav has one",
        ),
        (STANZA.replace('Option("wait", DURATION, 300.0, "how long")', '"wait"'), "greylist is left out: TypeError: "),
        (STANZA.replace("build=build", "build=3"), "greylist is left out: TypeError: "),
        (STANZA.replace('"greylist", "senders', '"", "senders'), "greylist is left out: TypeError: "),
    ],
)
def test_one_that_cannot_be_used_is_left_out(installed: Path, text: str, line: str) -> None:
    (installed / "acme_stanzas/greylist.py").write_text(text)
    (installed / "site.conf").write_text("users {}")
    code = (
        "import logging; logging.basicConfig(format='%(message)s')\n"
        "from sieveav.site.site import load; load('site.conf'); load('site.conf')"
    )
    done = packages.python(installed, code)
    assert done.returncode == 0, done.stderr
    (logged,) = done.stderr.splitlines()
    assert line in logged


def test_ours_are_found() -> None:
    names = "antivirus control extension limits list lmtp metrics milter script sieve sieveav state threadpool users"
    assert set(STANZAS.everything()) == set(names.split())


@pytest.mark.parametrize("name", ["", "-", None])
def test_a_name_that_is_not_a_word(name: str) -> None:
    with pytest.raises(TypeError):
        StanzaType(name, "", (Option("x", TEXT, "", ""),), Named.MUST)
