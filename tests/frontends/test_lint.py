"""lint and check-config: problems in scripts and configurations, for people and programs, and the exit status."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from support.accepting import Accepted
from support.command_line import Cli, Done, Terminal

# ---- lint


def test_lint_in_text(cli: Cli, here: Path, accepted: Accepted) -> None:
    (here / "site.sieve").write_text('require "fileinto";\n\n\nif header :index 1 "a" "b" { keep; }\n')
    done = cli("lint", "site.sieve")
    assert (done.status, done.err) == (1, "")
    assert done.heads[0].startswith("site.sieve:4:11: error: ")
    assert done.heads[0].endswith(" [tag-unknown]")
    accepted(done.lines)


def test_lint_in_json_counts_code_points(cli: Cli, here: Path) -> None:
    (here / "u.sieve").write_text('require "fileinto"; fileinto "\U0001f600\u00e9"; kep;\r\nkeep\r\n', newline="")
    done = cli("lint", "--format", "json", "u.sieve")
    assert (done.status, len(done.lines)) == (1, 1)
    first, second = done.json
    assert (first["path"], first["line"], first["column"]) == ("u.sieve", 1, 36)
    assert (first["end_line"], first["end_column"]) == (1, 39)
    assert (first["rule"], first["severity"], first["hint"]) == ("word-unknown", "error", 'did you mean "keep"?')
    assert (second["rule"], second["line"]) == ("semicolon-missing", 2)


def test_nothing_wrong(cli: Cli) -> None:
    assert cli("lint", "keep.sieve", "policies") == Done(0, "", "")
    assert cli("lint", "--format", "json", "keep.sieve", "policies") == Done(0, "[]\n", "")


def test_a_summary_on_a_terminal(cli: Cli, here: Path, terminal: Terminal) -> None:
    (here / "bad.sieve").write_text('kep; kep; require "imap4flags";\nredirect "root@localhost";')
    terminal(columns=200)
    assert cli("lint", "keep.sieve", "policies").lines == ["3 scripts, no problems"]
    assert cli("lint", "bad.sieve").lines[-1] == "1 script, 3 errors, 1 advice"
    assert cli("check-config", "site.conf").lines == ["1 configuration, 2 scripts, no problems"]
    assert cli("lint", "--format", "json", "keep.sieve").out == "[]\n"


def test_folders(cli: Cli, here: Path) -> None:
    for name in ("b.sieve", "a/c.siv", "a/d.sieve", "a/e.txt", ".f.sieve", "g.conf"):
        (here / "d" / name).parent.mkdir(parents=True, exist_ok=True)
        (here / "d" / name).write_text("kep;")
    paths = [problem["path"] for problem in cli.json("lint", "d")]
    assert paths == ["d/.f.sieve", "d/a/c.siv", "d/a/d.sieve", "d/b.sieve"]
    paths = [problem["path"] for problem in cli.json("lint", "d/a/e.txt", "d/b.sieve")]
    assert paths == ["d/a/e.txt", "d/b.sieve"]


def test_a_script_that_cannot_be_read_does_not_stop_the_others(cli: Cli, here: Path) -> None:
    (here / "bad.sieve").write_text("kep;")
    done = cli("lint", "missing.sieve", "bad.sieve", "--format", "json")
    assert (done.status, done.err) == (2, "sieveav: missing.sieve: No such file or directory\n")
    assert [problem["path"] for problem in done.json] == ["bad.sieve"]


@pytest.mark.parametrize("command", ["lint", "test"])
def test_a_folder_without_scripts(cli: Cli, here: Path, command: str) -> None:
    """A mistyped path must not make a check in CI pass."""
    (here / "mail").mkdir()
    (here / "mail/m.eml").write_text("Subject: x\n\n")
    done = cli(command, "mail")
    assert done.status == 2
    assert done.err.startswith("sieveav: mail: no ")


def test_a_folder_that_cannot_be_read(cli: Cli, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "d/below").mkdir(parents=True)
    (here / "d/a.sieve").write_text("kep;")
    scandir = os.scandir

    def refusing(path: Any) -> Any:
        if str(path).endswith("below"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    done = cli("lint", "d")
    assert (done.status, done.err) == (2, "sieveav: d/below: Permission denied\n")
    assert done.heads[0].startswith("d/a.sieve:1:1: error: ")


LEVELS = {
    "error": "kep;",
    "warning": 'require "mailbox"; if mailboxexists "" { keep; }',
    "advice": 'redirect "root@localhost";',
}


@pytest.mark.parametrize("worst", LEVELS)
@pytest.mark.parametrize("fail_on", LEVELS)
def test_fail_on(cli: Cli, here: Path, worst: str, fail_on: str) -> None:
    (here / "l.sieve").write_text(LEVELS[worst])
    done = cli("lint", "--fail-on", fail_on, "--format", "json", "l.sieve")
    assert [problem["severity"] for problem in done.json] == [worst]
    assert done.status == int(list(LEVELS).index(worst) <= list(LEVELS).index(fail_on))
    assert cli("lint", "l.sieve").status == int(worst == "error")


def test_all_engines_or_those_of_the_site(cli: Cli, here: Path) -> None:
    (here / "e.sieve").write_text('require "antivirus"; clamav_avscan; if antivirus :engine "clamav" "clean" { stop; }')
    assert cli("lint", "e.sieve").status == 0
    problems = cli.json("lint", "--config", "site.conf", "e.sieve")
    assert [(problem["column"], problem["severity"]) for problem in problems] == [(22, "error"), (58, "error")]


def test_phase(cli: Cli, here: Path) -> None:
    (here / "f.sieve").write_text('require "fileinto"; fileinto "x";')
    assert cli("lint", "f.sieve").status == 0
    (problem,) = cli.json("lint", "--phase", "data", "f.sieve")
    assert problem["rule"] == "phase-invalid"


def test_no_control_characters_of_a_script_are_printed(cli: Cli, here: Path) -> None:
    bad = (
        'kep\x1b; require "\x1b[31m\u202e"; fileinto :\x1b "x"; if header ["\x07:"] "x" { stop; } redirect "\x1b\x00";'
    )
    (here / "b.sieve").write_text(bad)
    done = cli("lint", "b.sieve")
    assert done.status == 1
    for line in done.lines:
        assert line.replace("\t", "").isprintable(), line
    assert cli("lint", "--format", "json", "b.sieve").out.isascii()


def test_octets_that_are_not_utf_8(cli: Cli, here: Path) -> None:
    (here / "b.sieve").write_bytes(b'kep "\xff\xfe";')
    assert all(line.isprintable() for line in cli("lint", "b.sieve").lines)
    assert cli.json("lint", "b.sieve")


# ---- check-config


def test_check_config(cli: Cli, here: Path, accepted: Accepted) -> None:
    assert cli("check-config", "site.conf") == Done(0, "", "")
    assert cli("check-config", "--format", "json", "site.conf") == Done(0, "[]\n", "")
    (here / "bad.conf").write_text("\nnonsense {}\nyara { rulez = 1 }\nlimits { actions = 0 }\n")
    done = cli("check-config", "bad.conf")
    assert done.status == 1
    accepted(done.lines)
    heads = [head.split(": error: ")[0] for head in done.heads if ": error: " in head]
    assert heads == ["bad.conf:2:1", "bad.conf:3:8", "bad.conf:4:20"]
    assert len(cli.json("check-config", "bad.conf")) == len(done.heads)


def test_the_scripts_of_the_site(cli: Cli, here: Path) -> None:
    (here / "bad.sieve").write_text('require "fileinto";\nfileinto "x"; kep;\n')
    (here / "p.conf").write_text(
        """yara {} antivirus "a" { yara "y" { enabled = off error_code = 554 } }
        sieve "s" { script "data_phase1" { source = "bad.sieve" } }
        users { before = "bad.sieve" }"""
    )
    done = cli("check-config", "--format", "json", "p.conf")
    assert done.status == 1
    assert [(problem["path"], problem["line"], problem["rule"], problem["severity"]) for problem in done.json] == [
        ("p.conf", 1, "value-risky", "warning"),
        ("bad.sieve", 2, "phase-invalid", "error"),
        ("bad.sieve", 2, "word-unknown", "error"),
        ("bad.sieve", 2, "word-unknown", "error"),
    ]
    (here / "bad.sieve").write_text("keep;")
    assert cli("check-config", "p.conf").status == 0  # only a warning


def test_the_scripts_of_users(cli: Cli, here: Path) -> None:
    (here / "policies/alice.sieve").write_text("kep;")
    (here / "policies/dave.sieve").write_text('if antivirus "infected" { stop; }')
    done = cli("check-config", "--format", "json", "site.conf")
    assert done.status == 1
    assert [(Path(problem["path"]).name, problem["rule"]) for problem in done.json] == [
        ("alice.sieve", "word-unknown"),
        ("dave.sieve", "word-unknown"),
    ]


def test_a_script_of_a_user_that_cannot_be_read(cli: Cli, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "policies/carol.sieve").write_text("kep;")
    is_alice = Path.name.__get__
    opened = Path.open

    def refusing(path: Path, *arguments: Any, **options: Any) -> Any:
        if is_alice(path) == "alice.sieve":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return opened(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", refusing)
    done = cli("check-config", "--format", "json", "site.conf")
    assert done.status == 2
    assert done.err.endswith("policies/alice.sieve: Permission denied\n")
    assert [problem["rule"] for problem in done.json] == ["word-unknown"]


# ---- what a configuration adds


@pytest.mark.parametrize(
    "command",
    [["run", "keep.sieve", "clean.eml"], ["decide", "clean.eml"], ["scan", "clean.eml"], ["lint", "keep.sieve"]],
)
def test_a_configuration_with_errors(cli: Cli, here: Path, command: list[str]) -> None:
    """Status 2: nothing was run, decided, scanned or checked."""
    (here / "bad.conf").write_text("nonsense {}\nyara { rulez = 1 }\n")
    done = cli(*command, "--config", "bad.conf")
    assert (done.status, done.err) == (2, "")
    heads = [head.partition(": error")[0] for head in done.heads if ": error" in head]
    assert heads == ["bad.conf:1:1", "bad.conf:2:8"]
    assert len(cli(*command, "--config", "bad.conf", "--format", "json").json["problems"]) == len(done.heads)


@pytest.mark.parametrize(
    "command",
    [["run", "keep.sieve", "clean.eml"], ["decide", "clean.eml"], ["scan", "clean.eml"], ["lint", "keep.sieve"]],
)
def test_warnings_of_the_configuration(cli: Cli, here: Path, command: list[str]) -> None:
    """On standard error: they are no part of what the command reports."""
    (here / "c.conf").write_text('clamav {} yara {} antivirus "a" { yara "y" { enabled = false } }')
    done = cli(*command, "--config", "c.conf")
    assert done.status == 0
    first = done.err.splitlines()[0]
    assert first.startswith("c.conf:1:1: warning: ")
    assert first.endswith("[engine-unused]")
    assert "engine-unused" not in done.out


def test_warnings_are_coloured_if_standard_error_is_a_terminal(
    cli: Cli, here: Path, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "c.conf").write_text('clamav {} yara {} antivirus "a" { yara "y" { enabled = false } }')
    terminal(colour=True)
    assert "\x1b[" in cli("lint", "--config", "c.conf", "keep.sieve").err
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False)
    assert "\x1b[" not in cli("lint", "--config", "c.conf", "keep.sieve").err


@pytest.mark.parametrize("command", [["check-config", "c.conf"], ["lint", "--config", "c.conf", "before.sieve"]])
def test_what_scripts_name_and_the_site_does_not_have(cli: Cli, here: Path, command: list[str]) -> None:
    """A warning: the script is there when it runs, or it is a run-time error then."""
    (here / "shared").mkdir()
    (here / "shared/there.sieve").write_text("keep;")
    (here / "family.txt").write_text("a@example.com\n")
    (here / "before.sieve").write_text(
        'require ["include", "extlists"];\n'
        'include :global "there"; include :global "gone"; include :global :optional "perhaps"; include "personal";\n'
        'if header :list "from" ["tag:a,2026:family", "tag:a,2026:friends"] { stop; }\n'
    )
    (here / "c.conf").write_text(
        'users { before = "before.sieve"  global = "shared" }  list "tag:a,2026:family" { file = "family.txt" }'
    )
    done = cli(*command, "--format", "json")
    assert done.status == 0
    assert [(problem["line"], problem["column"], problem["rule"]) for problem in done.json] == [
        (2, 42, "script-missing"),
        (3, 46, "list-missing"),
    ]
