"""Extensions by entry points: a third party's beside ours."""

from __future__ import annotations

import importlib
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sieveav.language.extension import Extension
from sieveav.site.library import DOCUMENTED, Library

SHOUT = '''"""shout: a test that shouts."""
from sieveav.extending import OF_A_MESSAGE, Acting, Action, Extension, Refuse
shout = Extension("vnd.example.shout", "example")

@shout.action("shout", phases=OF_A_MESSAGE)
class Shout(Acting):
    """shout: refuse loudly."""
    text: str
    def make_action(self):
        return Action("shout", (Refuse(self.text.upper()),))
'''


@pytest.fixture
def installed(tmp_path: Path) -> Callable[..., Callable[[str], subprocess.CompletedProcess[str]]]:
    """A distribution with an entry point and files: installed("stranger", {"stranger/__init__.py": "..."}) gives what runs
    a script where it is installed."""

    def install(entry: str, files: dict[str, str]) -> Callable[[str], subprocess.CompletedProcess[str]]:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        info = tmp_path / "stranger-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 1\n")
        (info / "entry_points.txt").write_text(f"[sieveav.extensions]\nthings = {entry}\n")

        def run(code: str) -> subprocess.CompletedProcess[str]:
            head = f"import sys, logging; sys.path.insert(0, {str(tmp_path)!r})\n"
            return subprocess.run(
                [sys.executable, "-c", head + code],
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
                cwd=tmp_path,
            )

        return run

    return install


SCRIPT = """
from sieveav.frontends.cli import main
open("m.eml", "w").write("Subject: x\\n\\n")
open("s.sieve", "w").write({script!r})
sys.exit(main(["run", "--to", "a@x.org", "s.sieve", "m.eml"]))
"""


@pytest.mark.parametrize("entry", ["stranger", "stranger.vnd_example_shout"])
def test_a_third_partys_word(
    installed: Callable[..., Callable[[str], subprocess.CompletedProcess[str]]], entry: str
) -> None:
    run = installed(entry, {"stranger/__init__.py": "", "stranger/vnd_example_shout.py": SHOUT})
    done = run(SCRIPT.format(script='require "vnd.example.shout"; shout "no";'))
    assert (done.returncode, done.stderr) == (0, "")
    assert "550 5.7.1 NO" in done.stdout


def test_it_is_listed_and_explained(
    installed: Callable[..., Callable[[str], subprocess.CompletedProcess[str]]],
) -> None:
    run = installed("stranger", {"stranger/__init__.py": "", "stranger/other_name.py": SHOUT})
    code = """
from sieveav.frontends.cli import main
main(["extensions"]); main(["explain", "shout"]); main(["explain", "vnd.example.shout"])
"""
    done = run(code)
    assert done.stderr == ""
    assert done.stdout.count("vnd.example.shout") >= 3
    assert "Refuse loudly" in done.stdout
    assert "a test that shouts" in done.stdout


@pytest.mark.parametrize(
    "broken",
    ["raise ValueError('no')", "import nothing_of_this_name", "def (", "import sys; sys.exit(1)", "1 / 0"],
)
@pytest.mark.parametrize("where", ["stranger/__init__.py", "stranger/broken.py"])
def test_a_broken_one_is_left_out_with_a_line_in_the_log(
    installed: Callable[..., Callable[[str], subprocess.CompletedProcess[str]]], broken: str, where: str
) -> None:
    files = {"stranger/__init__.py": "", "stranger/vnd_example_shout.py": SHOUT, where: broken}
    run = installed("stranger", files)
    code = """
logging.basicConfig(level=logging.WARNING, format="%(message)s")
from sieveav.site.library import Library
print([e.capability for e in Library().everything().values() if e.capability in ("copy", "vnd.example.shout")])
"""
    done = run(code)
    assert done.returncode == 0, done.stderr
    expected = ["copy"] if where == "stranger/__init__.py" else ["copy", "vnd.example.shout"]
    assert done.stdout == f"{expected}\n"
    assert done.stderr.startswith("stranger: stranger")
    assert " is left out: " in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("first", ["takeover", "fileinto", "ereject", "copy"])
def test_ours_first(installed: Callable[..., Callable[[str], subprocess.CompletedProcess[str]]], first: str) -> None:
    """A stranger's file cannot take over a capability of ours, not even one that no file of ours is named after, and
    whatever is asked first."""
    taken = "".join(
        f"e{i} = Extension({name!r}, 'stolen')\n" for i, name in enumerate(["fileinto", "ereject", "takeover"])
    )
    borrowed = "from sieveav.extensions.copy import copy\n"
    run = installed(
        "stranger",
        {
            "stranger/__init__.py": "",
            "stranger/takeover.py": f"from sieveav.extending import Extension\n{borrowed}{taken}",
            "stranger/fileinto.py": f"from sieveav.extending import Extension\n{taken}",
        },
    )
    code = f"""
from sieveav.site.library import Library
library = Library()
library.find({first!r})
for name in ("fileinto", "ereject", "takeover", "copy"):
    print(name, library.find(name).source == "stolen", library.find(name).module)
print(len([e for e in library.everything().values() if e.capability == "fileinto"]))
"""
    done = run(code)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "fileinto False sieveav.extensions.fileinto"
    assert lines[1] == "ereject False sieveav.extensions.reject"
    assert lines[2].startswith("takeover True stranger.")
    assert lines[3] == "copy False sieveav.extensions.copy"
    assert lines[4] == "1"


def test_every_file_is_named_after_a_capability_it_brings() -> None:
    """So that a require is one import."""
    for extension in Library().everything().values():
        stem = extension.module.rpartition(".")[2]
        names = {e.capability for e in Library().everything().values() if e.module == extension.module}
        assert any("".join(c if c.isalnum() else "_" for c in name.lower()) == stem for name in names), stem


@pytest.mark.parametrize(
    "name", ["", "nothing", "__init__", "os", "../copy", "Copy", "copy.py", "a" * 1000, "\x00", "copy\n"]
)
def test_what_is_not_there(name: str) -> None:
    assert Library().find(name) is None


def test_finding_what_is_ours_loads_no_more_than_its_file(tmp_path: Path) -> None:
    code = """
import sys
from sieveav.site.library import Library
assert Library().find("copy").capability == "copy"
print(sorted(name for name in sys.modules if name.startswith("sieveav.extensions.")), "importlib.metadata" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True, cwd=tmp_path
    )
    assert done.stdout == "['sieveav.extensions.copy'] False\n"


def test_roots_of_a_tests_own() -> None:
    assert Library(["sieveav.extensions"]).find("copy") is not None
    assert Library([]).find("copy") is None
    assert Library([]).everything() == {}
    assert all(
        isinstance(extension, Extension) for extension in Library(["json", "sieveav.extensions"]).everything().values()
    )


def test_a_documented_capability_that_is_missing() -> None:
    assert Library().later("vnd.dovecot.pipe")
    assert not Library().later("vnd.nobody")


def test_what_is_here_is_documented() -> None:
    assert {name for name in Library().everything() if not name.startswith("vnd.sieveav.")} <= DOCUMENTED


def test_a_thread_that_asks_while_another_scans_misses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were the scan visible before its end, a valid script would be refused until its file changes."""
    library = Library(["sieveav.extensions"])
    begun = threading.Event()
    imported = importlib.import_module

    def slow(name: str) -> Any:
        begun.set()
        time.sleep(0.01)
        return imported(name)

    monkeypatch.setattr(importlib, "import_module", slow)
    scan = threading.Thread(target=library.everything)
    scan.start()
    assert begun.wait(5)
    time.sleep(0.02)
    assert library.find("vnd.sieveav.testsuite") is not None
    scan.join()
