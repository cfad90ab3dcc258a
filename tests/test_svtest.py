"""The test files written in Sieve, and `sieveav test` on good and bad ones."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest
from support.accepting import Accepted

from sieveav.frontends.cli import main
from sieveav.frontends.testing import counts, run_file, run_files

ROOT = Path(__file__).parent.parent
FILES = sorted((ROOT / "tests").rglob("*.svtest"))

HEAD = 'require ["vnd.dovecot.testsuite", "vnd.sieveav.testsuite", "fileinto", "variables", "foreverypart"];\n'

Write = Callable[..., str]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_ours_pass(path: Path) -> None:
    result = run_file(str(path), None, "")
    assert [f"{test.at}: {test.name}: {test.reason}" for test in result.tests if test.reason] == []
    assert result.tests


def test_the_sample_site() -> None:
    folder = ROOT / "samples/two-users"
    result = run_file(str(folder / "policy.svtest"), str(folder / "site.conf"), "")
    assert [test for test in result.tests if test.reason] == []
    assert len(result.tests) == 4


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a test file; its path."""

    def write(text: str, name: str = "a.svtest") -> str:
        (tmp_path / name).write_text(text, newline="")
        return str(tmp_path / name)

    return write


@pytest.mark.parametrize(
    "block",
    [
        'test_fail "because";',
        'test_fail "";',
        "stop;",
        'foreverypart { test_fail "inside"; }',
        'fileinto "${x}";',
        "test_message :smtp 3;",
        'test_message :folder "A" 0;',
        "if test_script_run { keep; }",
        'test_run "nowhere.sieve";',
        'test_binary_load "x";',
        'test_config_set "sieve_max_redirects" "many";',
    ],
)
def test_failures(write: Write, accepted: Accepted, block: str) -> None:
    path = write(f'{HEAD}test "one" {{ {block} }}\ntest "two" {{ keep; }}\n')
    one, two = run_file(path, None, "").tests
    assert (one.name, one.line, one.at) == ("one", 2, f"{path}:2")
    accepted(one.reason)
    assert (two.name, two.reason) == ("two", "")


def test_a_test_without_end_does_not_stop_the_others(write: Write) -> None:
    """A loop over a thousand parts with a thousand commands in it: more steps than a test may take."""
    parts = "--b\n\nx\n" * 990
    message = f"Content-Type: multipart/mixed; boundary=b\n\n{parts}--b--\n"
    block = "if false { keep; }\n" * 1100
    text = f'test_set "message" "{message}";\ntest "long" {{ foreverypart {{\n{block}}} }}\ntest "next" {{ keep; }}\n'
    long, after = run_file(write(HEAD + text), None, "").tests
    assert long.reason.startswith("run-time error: step limit")
    assert (after.name, after.reason) == ("next", "")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("frob;\n", 1),
        (HEAD + 'test_set "subject" "x";\n', 2),
        (HEAD + 'test_config_set "sieve_frob" "1";\n', 2),
        (HEAD + 'if true { test "a" { keep; } }\n', 2),
        (HEAD + 'test_verdict "clamav" "dirty";\n', 2),
        (HEAD + "keep;\n", 0),
        (HEAD + 'test_fail "outside";\n', 2),
        ("\xff\xfe\0", 1),
        ("", 0),
    ],
    ids=["unknown", "object", "key", "nested", "verdict", "no test", "fail", "octets", "empty"],
)
def test_files_that_cannot_be_run_are_one_failed_test(write: Write, accepted: Accepted, text: str, line: int) -> None:
    (test,) = run_file(write(text), None, "").tests
    assert (test.name, test.line) == ("a.svtest", line)
    accepted(test.reason)


GOOD = HEAD + 'test "one" { keep; }\ntest "two" { keep; }\n'
BAD = HEAD + 'test "three <&\\"#" { test_fail "no & <never>"; }\n'


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    status = main(["test", *arguments])
    return status, capsys.readouterr().out


def test_text(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = write(GOOD), write(BAD, "b.svtest")
    assert run(capsys, good) == (0, "2 passed, 0 failed\n")
    assert run(capsys, good, bad) == (1, f'{bad}:2: test "three <&"#": no & <never>\n2 passed, 1 failed\n')
    assert run(capsys, "-v", good)[1].splitlines()[0] == f'{good}:2: test "one": passed'


def test_filter(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(GOOD)
    assert run(capsys, "--filter", "TWO", path) == (0, "1 passed, 0 failed\n")
    assert main(["test", "--filter", "four", path]) == 2
    assert capsys.readouterr().err == 'sieveav: --filter: no test has "four" in its name\n'


def test_json(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = write(GOOD), write(BAD, "b.svtest")
    status, out = run(capsys, "--format", "json", good, bad)
    found = json.loads(out)
    assert (status, found["passed"], found["failed"]) == (1, 2, 1)
    assert [file["path"] for file in found["files"]] == [good, bad]
    assert found["files"][1]["tests"] == [
        {"name": 'three <&"#', "line": 2, "passed": False, "at": f"{bad}:2", "reason": "no & <never>"}
    ]


def test_tap(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = write(GOOD), write(BAD, "b.svtest")
    assert run(capsys, "--format", "tap", good, bad)[1].splitlines() == [
        "TAP version 13",
        "1..3",
        f"ok 1 - {good}: one",
        f"ok 2 - {good}: two",
        f'not ok 3 - {bad}: three <&"\\#',
        f"# {bad}:2: no & <never>",
    ]


def test_junit(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = write(GOOD), write(BAD, "b.svtest")
    suites = ET.fromstring(run(capsys, "--format", "junit", good, bad)[1])  # noqa: S314  # our own
    assert suites.attrib == {"tests": "3", "failures": "1"}
    (failure,) = suites.findall("testsuite/testcase/failure")
    assert failure.attrib["message"] == f"{bad}:2: no & <never>"
    assert [case.attrib["name"] for case in suites.findall("testsuite/testcase")] == ["one", "two", 'three <&"#']


def test_many_files_at_a_time_give_what_one_after_the_other_gives(write: Write) -> None:
    paths = [write(GOOD, f"{i}.svtest") for i in range(3)] + [write(BAD, "b.svtest")]
    progress: list[tuple[int, str]] = []
    several = run_files(paths, None, "", 2, lambda done, failed: progress.append((done, failed)))
    single = run_files(paths, None, "", 1, lambda _done, _failed: None)
    assert [result.tests for result in several] == [result.tests for result in single]
    assert counts(several) == (6, 1)
    assert progress[-1] == (4, "1 failed")


def test_wrong_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"sieveav: {tmp_path}: no test files (*.svtest) found\n"
    assert main(["test", str(tmp_path / "none.svtest")]) == 2
    assert "No such file" in capsys.readouterr().err
    assert main(["test", "--jobs", "0", str(tmp_path)]) == 2


def test_a_site_with_errors(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    conf = write("frob {}\n", "site.conf")
    assert main(["test", "--config", conf, write(GOOD)]) == 2
    assert "frob" in capsys.readouterr().out


def test_as_a_command(write: Write) -> None:
    done = subprocess.run([sys.executable, "-m", "sieveav", "test", write(GOOD)], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"2 passed, 0 failed\n", b"")
