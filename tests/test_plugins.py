"""Plug-ins: what entry points bring, ours first, and what a broken package does not bring down."""

from __future__ import annotations

import importlib
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support import packages

from sieveav.engines import clamav, yara
from sieveav.plugins import Plugins
from sieveav.scanning.contract import ENGINES, EngineType

ENGINE = """
from sieveav.scanning.contract import EngineType
engine = EngineType({name!r}, "third party", "IO", (), lambda name, options: None)
"""

Install = Callable[[str, str, dict[str, str]], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs a distribution with one entry point and the files it needs: install(distribution, value, files)."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield lambda distribution, value, files: packages.install(tmp_path, distribution, {"sieveav.engines": value}, files)
    for name in set(sys.modules) - before:
        del sys.modules[name]


def engines() -> Plugins[EngineType]:
    return Plugins(EngineType, "engine", "sieveav.engines", ["sieveav.engines"])


def test_ours() -> None:
    found = ENGINES.everything()
    assert list(found) == sorted(found)
    assert (found["clamav"], found["yara"]) == (clamav.engine, yara.engine)
    assert yara.engine.module == "sieveav.engines.yara"
    assert yara.engine.doc.startswith("yara: ")


@pytest.mark.parametrize("name", ["yara", "clamav"])
def test_one_of_ours_by_name(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def look_for_others(**_: str) -> None:
        raise AssertionError("entry points were read")

    monkeypatch.setattr("importlib.metadata.entry_points", look_for_others)
    found = engines().find(name)
    assert found is not None
    assert found.name == name
    assert found.pool in ("CPU", "IO")


@pytest.mark.parametrize(
    "name", ["nothing", "", "_clamd", "contract", "a.b", "../x", "class", "Yara", "y" * 10_000, "\0"]
)
def test_none_by_that_name(name: str) -> None:
    assert engines().find(name) is None


def test_a_third_partys_module_and_package(install: Install) -> None:
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
    found = engines()
    inner = found.find("inner")
    assert inner is not None
    assert (inner.summary, inner.module) == ("third party", "their_package.inner")
    assert {"theirs", "inner", "yara", "clamav"} <= set(found.everything())


def test_only_the_file_of_that_name_is_imported(install: Install) -> None:
    install(
        "two",
        "their_two",
        {
            "their_two/__init__.py": "",
            "their_two/first.py": ENGINE.format(name="first"),
            "their_two/second.py": ENGINE.format(name="second"),
        },
    )
    assert engines().find("second") is not None
    assert "their_two.second" in sys.modules
    assert "their_two.first" not in sys.modules


@pytest.mark.parametrize(
    "text",
    ["raise RuntimeError('no\\nERROR forged')", "import nothing_there", "this is no python", "1/0", "raise SystemExit"],
)
def test_a_broken_one_is_left_out(text: str, install: Install, caplog: pytest.LogCaptureFixture) -> None:
    install("broken-one", "their_broken", {"their_broken.py": text})
    found = engines()
    assert {"yara", "clamav"} <= set(found.everything())
    found.everything()
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("broken-one: their_broken is left out: ")
    assert "\n" not in line


def test_a_missing_one_is_left_out(install: Install, caplog: pytest.LogCaptureFixture) -> None:
    install("missing", "their_missing", {})
    assert "yara" in engines().everything()
    assert "missing: their_missing is left out: ModuleNotFoundError" in caplog.text


def test_two_of_one_name(install: Install, caplog: pytest.LogCaptureFixture) -> None:
    install("a-bad-one", "their_clamav", {"their_clamav.py": ENGINE.format(name="clamav")})
    assert engines().everything()["clamav"] is clamav.engine
    assert "a-bad-one: engine clamav is left out: sieveav has one of that name" in caplog.text


def test_the_same_one_twice_is_one(install: Install, caplog: pytest.LogCaptureFixture) -> None:
    install("again", "sieveav.engines.yara", {})
    assert engines().everything()["yara"] is yara.engine
    assert caplog.text == ""


def test_scanning_imports_neither_yara_x_nor_clamd() -> None:
    program = (
        "import sys; from sieveav.scanning.contract import ENGINES; ENGINES.everything();"
        "sys.exit('clamd' in sys.modules or 'yara_x' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-W", "error", "-c", program], check=False, timeout=60).returncode == 0


def test_a_thread_that_looks_while_another_imports_misses_nothing(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    """REVIEW F1: half of a scan must never be seen."""
    files = {f"their_many/e{i}.py": ENGINE.format(name=f"engine-{i}") for i in range(10)}
    install("many", "their_many", {"their_many/__init__.py": "", **files})
    found = engines()
    begun = threading.Event()
    imported = importlib.import_module

    def slow(name: str) -> object:
        begun.set()
        time.sleep(0.005)
        return imported(name)

    monkeypatch.setattr(importlib, "import_module", slow)
    thread = threading.Thread(target=found.everything)
    thread.start()
    assert begun.wait(10)
    assert found.find("engine-9") is not None
    thread.join()
