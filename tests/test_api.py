"""The names that a Python program uses: import sieveav, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import sieveav


def test_every_name_is_there() -> None:
    for name in sieveav.__all__:
        assert getattr(sieveav, name) is not None
    assert set(sieveav.__all__) <= set(dir(sieveav))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        sieveav.nothing  # noqa: B018


def test_importing_it_imports_nothing_more() -> None:
    code = "import sieveav, sys; print([name for name in sys.modules if name.startswith('sieveav.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_site_decides(tmp_path: Path) -> None:
    (tmp_path / "u.sieve").write_text('require "fileinto"; fileinto "Work";')
    (tmp_path / "site.conf").write_text('users { scripts = "u.sieve" }')
    site = sieveav.load(tmp_path / "site.conf")
    message = sieveav.Message(b"Subject: x\n\nHi.\n")
    decision = sieveav.decide(site, sieveav.Transaction(message, "bob@example.org", ("alice@example.com",)))
    (recipient,) = decision.recipients
    assert [action.as_json()["mailbox"] for action in recipient.outcome.actions] == ["Work"]


def test_a_configuration_with_errors(tmp_path: Path) -> None:
    (tmp_path / "site.conf").write_text("usres {}")
    with pytest.raises(sieveav.Refused) as refused:
        sieveav.load(str(tmp_path / "site.conf"))
    assert [problem.rule for problem in refused.value.problems] == ["stanza-unknown"]
    assert "site.conf:1:1" in str(refused.value)


def test_check() -> None:
    checked = sieveav.check('require "fileinto"; filinto "x";')
    assert checked.program is None
    assert [problem.rule for problem in checked.problems] == ["word-unknown"]
    assert sieveav.check("keep;", phase="data").program is not None
    assert sieveav.check('vctx_conn_set "a" "b";', "policy.siv", phase="connect").program is not None


def test_scan(eicar: bytes) -> None:
    (verdict,) = sieveav.scan(b"Subject: x\n\n" + eicar)
    assert (verdict.engine, verdict.status) == ("yara", sieveav.Status.INFECTED)
    assert [verdict.status for verdict in sieveav.scan(b"Subject: x\n\nHi.\n", engines=["yara"])] == ["clean"]
    with pytest.raises(ValueError, match="unknown engine clamav; the site's engines are yara"):
        sieveav.scan(b"", engines=["clamav"])
