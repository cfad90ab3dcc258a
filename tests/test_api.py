"""The names that a Python program uses: import sieveav, and nothing else."""

from __future__ import annotations

import base64
import subprocess
import sys
from pathlib import Path

import pytest

import sieveav
from sieveav import av, mime


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


# ---- in the shape of Momentum's Lua functions

HARMLESS = b"Subject: x\n\nHi.\n"
AV = av.AvStatus


def site_of(here: Path, options: str = "") -> sieveav.Site:
    (here / "site.conf").write_text(
        f'yara {{}} clamav {{}} antivirus "a" {{ clamav "c" {{ {options} }} yara "y" {{}} }}'
    )
    return sieveav.load(here / "site.conf")


def test_the_engines_in_turn(tmp_path: Path, eicar: bytes) -> None:
    """Up to the first that finds a virus; and the worst of all counts."""
    engines = sieveav.Antivirus(site_of(tmp_path, 'daemon = "127.0.0.1:1" timeout = 1'))
    assert engines.engines() == ("clamav", "yara")
    context: dict[str, str] = {}
    status, info, engine, code = engines.scan(message=HARMLESS, context=context)
    assert (status, engine, code) == (engines.Status.ERROR, "clamav", None)
    assert "127.0.0.1:1" in info
    assert context["clamav_status"] == "error"
    assert engines.scan(message=HARMLESS + eicar) == (AV.INFECTED, "Eicar_Test_File", "yara", None)
    assert engines.scan("YARA", HARMLESS) == (AV.CLEAN, "", "yara", None)
    assert engines.scan("yara", HARMLESS, {"skip_virus_check": "1"}).status is AV.SKIPPED


def test_what_cannot_be_scanned(eicar: bytes) -> None:
    engines = sieveav.Antivirus()
    assert engines.scan().status is AV.NOT_SUITABLE_FOR_STREAMING
    assert sieveav.Antivirus(message=HARMLESS + eicar).scan().status is AV.INFECTED
    assert engines.scan("clamav", HARMLESS).status is AV.NO_ENGINE
    assert engines.scan("x" * 41, HARMLESS).status is AV.NAME_TOO_LONG
    assert engines.scan("x" * 40, HARMLESS).status is AV.NO_ENGINE
    broken = b"Content-Type: multipart/mixed; boundary=a; boundary=b\n\n--a\n\nx\n--a--\n"
    assert engines.scan(message=broken).status is AV.UNSCANNABLE


def test_parts(eicar: bytes) -> None:
    """A part that some clients decode in another way than others is scanned in each."""
    engines = sieveav.Antivirus()
    code = base64.b64encode(eicar)
    entity = b"Content-Transfer-Encoding: base64\n\n%s\n"
    raw = b"Content-Type: multipart/mixed; boundary=a\n\n--a\n\nHi.\n--a\n" + entity % code
    raw += b"--a\n" + entity % (b"QQ=" + code) + b"--a--\n"
    whole = mime.parse(raw)
    assert engines.scan_part(whole).status is AV.PART_IS_CONTAINER
    results = [engines.scan_part(part).status for part in whole.parts]
    assert results == [AV.CLEAN, AV.INFECTED, AV.INFECTED]
    context: dict[str, str] = {}
    engines.scan_part(whole.parts[1], context=context)
    assert context == {}
    assert engines.scan_part(whole.parts[1], "clamav").status is AV.NO_ENGINE
