"""The command line as a whole: wrong use, what cannot be read, internal errors, processes, and any octets as input."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support.command_line import TO, Cli, validate

from sieveav.frontends.cli import main
from sieveav.frontends.command import COMMANDS

# ---- wrong use, and what cannot be read

WRONG = [
    [],
    ["nonsense"],
    ["run"],
    ["run", "keep.sieve"],
    ["run", "--nonsense", "keep.sieve", "clean.eml"],
    ["run", "--format", "xml", "keep.sieve", "clean.eml"],
    ["run", "missing.sieve", "clean.eml"],
    ["run", "keep.sieve", "missing.eml"],
    ["run", ".", "clean.eml"],
    ["run", "keep.sieve", "."],
    ["run", "--config", "missing.conf", "keep.sieve", "clean.eml"],
    ["run", "--config", ".", "keep.sieve", "clean.eml"],
    ["run", "--to", "", "keep.sieve", "clean.eml"],
    ["run", "--to", "nobody", "keep.sieve", "clean.eml"],
    ["run", "--to", "a@b@c", "keep.sieve", "clean.eml"],
    ["run", "--to", "a b@c", "keep.sieve", "clean.eml"],
    ["run", "--to", "a@x.org\r\nRCPT TO:<b@x.org>", "keep.sieve", "clean.eml"],
    ["run", "--from", "nobody", "keep.sieve", "clean.eml"],
    ["run", "--set", "x", "keep.sieve", "clean.eml"],
    ["run", "--set", "=x", "keep.sieve", "clean.eml"],
    ["run", "-", "-"],
    ["run", "keep.sieve", "-", "-"],
    ["decide", "clean.eml"],
    ["decide", "--config", "site.conf"],
    ["decide", "--config", "missing.conf", "clean.eml"],
    ["decide", "--config", "site.conf", "missing.eml"],
    ["scan"],
    ["scan", "missing.eml"],
    ["scan", "-", "-"],
    ["scan", "--engine", "nod32", "clean.eml"],
    ["lint"],
    ["lint", "-", "-"],
    ["lint", "--phase", "nonsense", "keep.sieve"],
    ["lint", "--fail-on", "nonsense", "keep.sieve"],
    ["check-config"],
    ["check-config", "missing.conf"],
    ["check-config", "."],
    ["test"],
    ["test", "--jobs", "0", "keep.sieve"],
    ["explain"],
    ["explain", "nonsense"],
    ["explain", "\x1b[31m"],
    ["completion", "csh"],
    ["man", "page"],
]


@pytest.mark.parametrize("arguments", WRONG, ids=" ".join)
def test_wrong_use(cli: Cli, arguments: Sequence[str]) -> None:
    done = cli(*arguments)
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("sieveav: ")
    assert len(done.err.splitlines()) == 1
    assert done.err.rstrip("\n").isprintable()
    assert "internal error" not in done.err


def test_what_is_wrong_is_named(cli: Cli) -> None:
    assert cli("run", "keep.sieve", "missing.eml").err == "sieveav: missing.eml: No such file or directory\n"
    assert cli("run", "keep.sieve", ".").err == "sieveav: .: Is a directory\n"
    assert "--to" in cli("run", "--to", "x", "keep.sieve", "clean.eml").err
    assert '"x"' in cli("run", "--set", "x", "keep.sieve", "clean.eml").err
    assert "yara" in cli("scan", "--engine", "nod32", "clean.eml").err


def test_permission_denied(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Path.open

    def refuse(path: Path, *arguments: Any, **options: Any) -> Any:
        if path.name == "clean.eml":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return opened(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", refuse)
    done = cli("run", "keep.sieve", "clean.eml", "eicar.eml")
    assert (done.status, done.err) == (2, "sieveav: clean.eml: Permission denied\n")
    assert done.heads == ["eicar.eml   from bob@example.org"]


# ---- internal errors


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the command extensions fail."""

    def fail(args: Namespace) -> int:
        raise RuntimeError(f"oh\nno {args.format}")

    command = COMMANDS.find("extensions")
    assert command is not None
    monkeypatch.setattr(command, "run", fail)


@pytest.mark.usefixtures("failing")
def test_an_internal_error_is_one_line_and_has_a_status_of_its_own(cli: Cli) -> None:
    done = cli("extensions")
    assert (done.status, done.out) == (70, "")
    assert done.err == "sieveav: internal error: RuntimeError: oh?no text (--debug shows where)\n"
    with pytest.raises(RuntimeError):
        cli("extensions", "--debug")


# ---- any octets at all

ODD = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.lists(
        st.sampled_from(
            [b"keep", b";", b"if ", b"{", b"}", b'"a"', b" ", b"require", b'["vctx","variables"]', b"header", b":is",
             b"not ", b"text:\n", b".\n", b"/*", b"*/", b"#", b"1K", b"(", b")", b",", b"\x00", b"\xff", b"${", b"antivirus",
             b"yara", b"=", b"sieve", b"users", b"scripts", b"true", b"\r\n", b'antivirus "a"', b"To: ", b"@", b"<", b":"]
        ),
        max_size=30,
    ).map(b"".join),
)  # fmt: skip


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("any")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(script=ODD, message=ODD, config=ODD, is_json=st.booleans())
@example(b"keep;", b'To: "\xff"@x\n', b'users { scripts = "\x00" }', True)
@example(b'require "vctx"; vctx_mess_set "\xff" "x";', b"", b"\xff", True)
@example(b"\xef\xbb\xbfkeep;", b"\n", b"\xef\xbb\xbfyara {}", False)
def test_any_octets(
    scratch: Path, capsys: pytest.CaptureFixture[str], script: bytes, message: bytes, config: bytes, is_json: bool
) -> None:
    """Never a traceback, never an internal error; text is printable, JSON follows the schema."""
    for name, octets in (("s.sieve", script), ("m.eml", message), ("c.conf", config)):
        (scratch / name).write_bytes(octets)
    s, m, c = (str(scratch / name) for name in ("s.sieve", "m.eml", "c.conf"))
    for command in (
        ["run", "--trace", s, m],
        ["run", "--config", c, s, m],
        ["decide", "--config", c, m],
        ["scan", m],
        ["lint", s],
        ["check-config", c],
    ):
        capsys.readouterr()
        status = main([*command, *(["--format", "json"] if is_json else [])])
        done = capsys.readouterr()
        assert status in (0, 1, 2) if "--config" in command else status in (0, 1), (command, done.err)
        assert "--config" in command or done.err == ""  # else the warnings of a configuration
        assert all(line.replace("\t", "").isprintable() for line in done.err.split("\n"))
        if is_json:
            validate(tuple(command), done.out)
        else:
            assert all(line.replace("\t", "").isprintable() for line in done.out.split("\n"))


# ---- real processes


def process(*arguments: str, cwd: Path, **more: Any) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "sieveav", *arguments]
    return subprocess.run(command, capture_output=True, timeout=60, check=False, cwd=cwd, **more)


def test_a_real_process(here: Path) -> None:
    done = process("decide", "--config", "site.conf", *TO, "eicar.eml", cwd=here)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\x1b" not in done.stdout  # no terminal, no colour
    assert b"550 5.7.1 held: Eicar_Test_File" in done.stdout
    assert process("run", "keep.sieve", "missing.eml", cwd=here).returncode == 2
    assert process("lint", "-", cwd=here, input=b"kep;").returncode == 1
    discarded = process("run", "-", "clean.eml", cwd=here, input=b"discard;")
    assert discarded.stdout.endswith(b"  alice@example.com   discard   -:1\n")


def test_debug_logs(here: Path) -> None:
    (here / "s.sieve").write_text('require "reject"; keep; reject "x";')
    done = process("run", "--debug", "s.sieve", "clean.eml", cwd=here)
    assert done.returncode == 1
    assert b"WARNING sieveav.site.deciding: script s.sieve:1: " in done.stderr
    assert process("run", "s.sieve", "clean.eml", cwd=here).stderr == b""


def test_a_terminal_that_knows_only_ascii(here: Path) -> None:
    (here / "u.sieve").write_text('require "fileinto"; fileinto "\u00dcmlaut";')
    done = process("run", "u.sieve", "clean.eml", cwd=here, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0
    assert rb'fileinto "\xdcmlaut"' in done.stdout


@pytest.mark.parametrize(
    ("redirection", "status", "err"),
    [
        ("<&-", 2, "sieveav: standard input is closed\n"),
        (">&- <clean.eml", 0, ""),
        ("2>&- <clean.eml", 0, ""),
    ],
)
def test_streams_that_are_closed_from_the_beginning(here: Path, redirection: str, status: int, err: str) -> None:
    command = f"{sys.executable} -m sieveav run keep.sieve - {redirection}"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60, check=False, cwd=here)
    assert (done.returncode, done.stderr) == (status, err)


@pytest.mark.parametrize(
    "command", [["extensions"], ["engines", "--format", "json"], ["explain", "fileinto"], ["--help"], ["man"]]
)
def test_a_broken_pipe(here: Path, command: list[str]) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "sieveav", *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=here
    ) as running:
        assert running.stdout
        assert running.stderr
        running.stdout.close()
        err = running.stderr.read()
    assert (running.returncode, err) == (0, b"")


def test_json_of_a_process_is_one_line_a_message(here: Path) -> None:
    done = process("run", "--format", "json", "keep.sieve", "clean.eml", "eicar.eml", cwd=here)
    assert [json.loads(line)["message"] for line in done.stdout.splitlines()] == ["clean.eml", "eicar.eml"]
