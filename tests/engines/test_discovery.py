"""Discovery: what entry points bring, ours among them, and what a broken one does not bring down."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sieveav.engines import clamav, discovery, yara

ENGINE = """
from sieveav.engines.contract import EngineKind
engine = EngineKind({name!r}, "a stranger's", "IO", (), lambda name, options: None)
"""


@pytest.fixture(autouse=True)
def afresh() -> Iterator[None]:
    discovery.kinds.cache_clear()
    yield
    discovery.kinds.cache_clear()


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Installs a distribution with one entry point and the files it needs."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)

    def install(distribution: str, value: str, files: dict[str, str]) -> None:
        metadata = tmp_path / f"{distribution}-1.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1\n")
        (metadata / "entry_points.txt").write_text(f"[sieveav.engines]\nx = {value}\n")
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    yield install
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_ours() -> None:
    kinds = discovery.kinds()
    assert {"clamav", "yara"} <= set(kinds)
    assert list(kinds) == sorted(kinds)
    assert (kinds["clamav"], kinds["yara"]) == (clamav.engine, yara.engine)


@pytest.mark.parametrize("name", ["yara", "clamav"])
def test_one_of_ours_by_name(name: str) -> None:
    kind = discovery.kind(name)
    assert kind
    assert kind.name == name
    assert kind.pool in ("CPU", "IO")
    assert discovery.kinds.cache_info().currsize == 0


@pytest.mark.parametrize("name", ["nothing", "", "_clamd", "contract", "a.b", "../x", "caching", "class"])
def test_none_by_that_name(name: str) -> None:
    assert discovery.kind(name) is None


def test_a_strangers_module_and_package(install: Any) -> None:
    install("one", "their_engine", {"their_engine.py": ENGINE.format(name="theirs")})
    install(
        "two",
        "their_package",
        {
            "their_package/__init__.py": "",
            "their_package/inner.py": ENGINE.format(name="inner"),
            "their_package/_private.py": "raise RuntimeError",
        },
    )
    assert {"theirs", "inner", "yara", "clamav"} <= set(discovery.kinds())
    found = discovery.kind("inner")
    assert found
    assert found.summary == "a stranger's"


@pytest.mark.parametrize(
    "text", ["raise RuntimeError('no')", "import nothing_there", "this is no python", "1/0", "raise SystemExit"]
)
def test_a_broken_one_is_left_out(text: str, install: Any, caplog: pytest.LogCaptureFixture) -> None:
    install("broken", "their_broken", {"their_broken.py": text})
    assert {"yara", "clamav"} <= set(discovery.kinds())
    assert "their_broken is left out" in caplog.text


def test_a_missing_one_is_left_out(install: Any, caplog: pytest.LogCaptureFixture) -> None:
    install("missing", "their_missing", {})
    assert "yara" in discovery.kinds()
    assert "their_missing is left out" in caplog.text


def test_two_of_one_name(install: Any, caplog: pytest.LogCaptureFixture) -> None:
    install("a-bad-one", "their_clamav", {"their_clamav.py": ENGINE.format(name="clamav")})
    assert discovery.kinds()["clamav"].make.__module__ == "sieveav.engines.clamav"
    assert "the engine clamav is left out: sieveav has one of that name" in caplog.text


def test_the_same_one_twice_is_one(install: Any) -> None:
    install("again", "sieveav.engines.yara", {})
    assert discovery.kinds()["yara"] is yara.engine


def test_scanning_imports_neither_yara_x_nor_clamd() -> None:
    program = (
        "import sys; from sieveav.engines import discovery; discovery.kinds();"
        "sys.exit('clamd' in sys.modules or 'yara_x' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-W", "error", "-c", program], check=False, timeout=60).returncode == 0
