"""The wheel, built from a clean copy, holds every package and nothing else."""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

PACKAGED = ("sieveav", "extensions", "pyproject.toml", "README.rst", "LICENSE")


def shipped() -> set[str]:
    """What the wheel must contain, by its names there: all Python files, py.typed, the engines' rules, the JSON Schema."""
    found = {"sieveav/py.typed"}
    for path in (ROOT / "sieveav").rglob("*"):
        if path.suffix in (".py", ".json") or (path.suffix == ".yar" and path.parent.name == "engines"):
            found.add(str(path.relative_to(ROOT)))
    found |= {f"sieveav/extensions/{path.name}" for path in (ROOT / "extensions").glob("*.py")}
    return found


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built without the network: with the setuptools that is installed."""
    copy = tmp_path_factory.mktemp("copy")
    leftovers = shutil.ignore_patterns("__pycache__", "*.egg-info", "build", "dist")
    for name in PACKAGED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=leftovers)
        else:
            shutil.copy(ROOT / name, copy / name)
    made = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run(
        [*command, "--wheel-dir", str(made), str(copy)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
    )
    assert done.returncode == 0, done.stderr
    (found,) = made.glob("*.whl")
    return found


def test_it_holds_every_file_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
    held = {name for name in names if ".dist-info/" not in name}
    assert shipped() - held == set(), "package-data of pyproject.toml is a list kept by hand"
    assert held - shipped() == set()
    assert {name.rpartition("/")[2] for name in names - held} >= {"METADATA", "RECORD", "entry_points.txt", "LICENSE"}


def test_its_entry_points(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("entry_points.txt")]
        points = configparser.ConfigParser(delimiters=["="])
        points.read_string(archive.read(name).decode())
    assert {section: dict(points[section]) for section in points.sections()} == {
        "console_scripts": {"sieveav": "sieveav.frontends.cli:main"},
        "sieveav.extensions": {"core": "sieveav.extensions"},
        "sieveav.engines": {"core": "sieveav.engines"},
        "sieveav.formats": {"core": "sieveav.scanning.formats"},
        "sieveav.stanzas": {"core": "sieveav.site.stanzas", "servers": "sieveav.frontends.servers"},
        "sieveav.servers": {"core": "sieveav.frontends.servers"},
        "sieveav.states": {"core": "sieveav.site.states"},
        "sieveav.commands": {"core": "sieveav.frontends.commands"},
        "sieveav.rules": {"core": "sieveav.lint.rules"},
    }


def test_it_runs_from_where_it_is_unpacked(wheel: Path, tmp_path: Path) -> None:
    """With its own files, not this checkout's: the engine's rules and the extensions are found."""
    place = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(place)
    (tmp_path / "m.eml").write_bytes(b"Subject: x\n\nHi.\n")
    (tmp_path / "s.sieve").write_text(
        'require ["antivirus", "copy", "fileinto"]; if antivirus "clean" { fileinto "x"; }'
    )
    code = f"""
import sys
sys.path.insert(0, {str(place)!r})
sys.meta_path = [finder for finder in sys.meta_path if "editable" not in repr(finder).lower()]
import sieveav, sieveav.extensions
assert sieveav.__file__.startswith({str(place)!r}), sieveav.__file__
assert sieveav.extensions.__file__.startswith({str(place)!r}), sieveav.extensions.__file__
from sieveav.frontends.cli import main
sys.exit(main(["run", "s.sieve", "m.eml"]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert 'fileinto "x"' in done.stdout
