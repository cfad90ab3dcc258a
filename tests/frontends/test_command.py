"""Commands as files: what they declare, their help, a third party's, completion of shells, the man page."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

import pytest
from support import packages
from support.accepting import Accepted
from support.command_line import Cli

from sieveav import __version__
from sieveav.frontends import completing
from sieveav.frontends.arguments import FILES
from sieveav.frontends.command import COMMANDS, Command, all_parsers

GREET = '''
"""greet: greet whoever is named

Third-party text.

Exit status: 0.
"""
from sieveav.frontends.command import Command

def arguments(parser):
    parser.add_argument("name", choices=("alice", "carol"), help="who")
    parser.add_argument("--loud", action="store_true", help="in capitals")

def run(args):
    print(f"Hello {args.name}.".upper() if args.loud else f"Hello {args.name}.")
    return 3

command = Command("greet", arguments, run)
'''

NAMES = sorted(COMMANDS.everything())


# ---- ours


def test_a_command_is_in_the_file_of_its_name() -> None:
    folder = Path(completing.__file__).parent / "commands"
    files = {path.stem.replace("_", "-") for path in folder.glob("*.py") if path.stem != "__init__"}
    assert set(NAMES) == files


@pytest.mark.parametrize("name", NAMES)
def test_help(cli: Cli, name: str) -> None:
    """It says what the exit status means, and of every option what it does and, if it has a value, its default."""
    command = COMMANDS.everything()[name]
    assert command.summary[0].islower()
    assert len(command.summary) < 110
    done = cli(name, "--help")
    assert (done.status, done.err) == (0, "")
    assert "Exit status: 0" in done.out
    for action in command.parser()._actions:
        assert action.help, action
        if action.option_strings and action.nargs != 0 and not action.required:
            assert "default" in action.help or "repeatable" in action.help, action


def test_the_overview(cli: Cli, accepted: Accepted) -> None:
    done = cli("--help")
    assert (done.status, done.err) == (0, "")
    accepted(done.lines)
    assert all(f"  {name} " in done.out for name in NAMES)


def test_the_version(cli: Cli) -> None:
    done = cli("--version")
    assert (done.status, done.out) == (0, f"sieveav {__version__}\n")


@pytest.mark.parametrize(
    ("arguments", "err"),
    [
        ([], "the command is missing (see sieveav --help)"),
        (["lnit"], 'unknown command "lnit"; did you mean "lint"?'),
        (["nothing-like-it"], 'unknown command "nothing-like-it"; see sieveav --help'),
        (["\x1b[31m"], 'unknown command "?[31m"; see sieveav --help'),
        (["--nonsense"], "unrecognized arguments: --nonsense (see sieveav --help)"),
        (["lint", "--fail", "error", "x"], "unrecognized arguments: --fail (see sieveav lint --help)"),
    ],
)
def test_no_such_command(cli: Cli, arguments: list[str], err: str) -> None:
    done = cli(*arguments)
    assert (done.status, done.out) == (2, "")
    assert done.err == f"sieveav: {err}\n"


def test_only_the_file_of_the_command_is_imported(tmp_path: Path) -> None:
    (tmp_path / "k.sieve").write_text("keep;")
    (tmp_path / "m.eml").write_text("Subject: x\n\n")
    program = (
        "import sys; from sieveav.frontends.cli import main; main(['run', 'k.sieve', 'm.eml']);"
        "print(sorted(name for name in sys.modules if name.startswith('sieveav.frontends.commands.')));"
        "print([n for n in ('importlib.metadata', 'sieveav.frontends.explaining', 'yara_x', 'ply') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path,
    )  # fmt: skip
    assert done.stdout.splitlines()[-2:] == ["['sieveav.frontends.commands.run']", "[]"]


# ---- a third party's


def test_a_third_partys_command(tmp_path: Path) -> None:
    """One file in an installed package: it runs, and it is in the help, completion and the man page."""
    packages.install(tmp_path, "acme-greet", {"sieveav.commands": "acme_greet"}, {"acme_greet.py": GREET})
    done = packages.sieveav(tmp_path, "greet", "alice", "--loud")
    assert (done.returncode, done.stdout, done.stderr) == (3, "HELLO ALICE.\n", "")
    done = packages.sieveav(tmp_path, "greet", "--help")
    assert (done.returncode, done.stdout.count("Third-party text.")) == (0, 1)
    done = packages.sieveav(tmp_path, "--help")
    assert re.search(r"^  greet +greet whoever is named$", done.stdout, re.MULTILINE)
    assert 'did you mean "greet"?' in packages.sieveav(tmp_path, "gret").stderr
    done = packages.sieveav(tmp_path, "completion", "bash")
    assert " greet " in done.stdout
    assert "alice carol" in done.stdout
    done = packages.sieveav(tmp_path, "man")
    assert ".SS greet" in done.stdout


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ("raise RuntimeError('no')", "acme_bad is left out: RuntimeError: no"),
        ("import nothing_there", "acme_bad is left out: ModuleNotFoundError"),
        (GREET.replace('"greet", ', '"Greet Me", '), "acme_bad is left out: TypeError: the name of a command"),
        (GREET.replace("arguments, run)", "arguments, 0)"), "acme_bad is left out: TypeError: command greet"),
        (GREET.replace('"greet", ', '"lint", '), "command lint is left out: sieveav has one of that name"),
    ],
)
def test_a_broken_one_is_left_out(tmp_path: Path, broken: str, reason: str) -> None:
    packages.install(tmp_path, "acme-bad", {"sieveav.commands": "acme_bad"}, {"acme_bad.py": broken})
    done = packages.sieveav(tmp_path, "--help")
    assert done.returncode == 0
    assert "greet" not in done.stdout
    (line,) = done.stderr.splitlines()
    assert line.startswith("sieveav: acme-bad: ")
    assert reason in line
    (tmp_path / "k.sieve").write_text("keep;")
    done = packages.sieveav(tmp_path, "lint", "k.sieve")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_one_whose_arguments_fail_is_left_out_of_the_completion(tmp_path: Path) -> None:
    text = GREET.replace('"--loud"', '"--debug"')
    packages.install(tmp_path, "acme-bad", {"sieveav.commands": "acme_bad"}, {"acme_bad.py": text})
    done = packages.sieveav(tmp_path, "completion", "bash")
    assert done.returncode == 0
    assert "greet" not in done.stdout
    assert "'lint --fail-on'" in done.stdout
    (line,) = done.stderr.splitlines()
    assert line.startswith("sieveav: acme_bad: command greet is left out: ArgumentError")


@pytest.mark.parametrize("name", ["", "Lint", "a b", "-x", "ä", "1x", None])
def test_names(name: str) -> None:
    with pytest.raises(TypeError):
        Command(name, lambda _: None, lambda _: 0)


def test_what_is_not_a_function() -> None:
    nothing: object = None

    def arguments(parser: ArgumentParser) -> None:
        raise AssertionError(parser)

    def run(args: Namespace) -> int:
        raise AssertionError(args)

    assert Command("x", arguments, run).name == "x"
    for wrong in ((nothing, run), (arguments, nothing)):
        with pytest.raises(TypeError):
            Command("x", *wrong)


def test_hostile_texts_stay_texts(tmp_path: Path) -> None:
    """In the completion scripts and the man page: what another package writes is neither shell nor roff."""
    hostile = GREET.replace('"in capitals"', """"x'; touch pwned; '$(touch pwned)`\\n.so /etc/passwd\\n'br" """)
    hostile = hostile.replace('("alice", "carol")', """("alice", "$(touch pwned)", "a'b")""")
    packages.install(tmp_path, "acme-greet", {"sieveav.commands": "acme_greet"}, {"acme_greet.py": hostile})
    for shell in completing.SHELLS:
        done = packages.sieveav(tmp_path, "completion", shell)
        assert (done.returncode, done.stderr) == (0, "")
        assert "$(touch" not in done.stdout
        assert "x';" not in done.stdout
        assert "alice" in done.stdout
    done = packages.sieveav(tmp_path, "man")
    assert "touch pwned" in done.stdout
    assert not [line for line in done.stdout.splitlines() if line.startswith((".so", "'"))]


# ---- completion


@pytest.fixture
def bash_script(cli: Cli, here: Path) -> Path:
    done = cli("completion", "bash")
    assert (done.status, done.err) == (0, "")
    path = here / "completion.bash"
    path.write_text(done.out)
    return path


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize(
    ("words", "replies"),
    [
        (["che"], ["check-config"]),
        (["run", "--f"], ["--from", "--format"]),
        (["run", "--format", ""], ["text", "json"]),
        (["run", "--format", "=", "js"], ["json"]),
        (["run", "--format", "="], ["text", "json"]),
        (["test", "--format", "j"], ["json", "junit"]),
        (["lint", "--fail-on", "w"], ["warning"]),
        (["lint", "--phase", "each"], ["each_rcpt"]),
        (["scan", "--engine", "ya"], ["yara"]),
        (["explain", "filei"], ["fileinto"]),
        (["explain", ":", "compar"], ["comparator"]),
        (["explain", "data_ph"], ["data_phase1", "data_phase2"]),
        (["completion", ""], ["bash", "zsh", "fish"]),
        (["run", "kee"], ["keep.sieve"]),
        (["decide", "--config", "sit"], ["site.conf"]),
        (["decide", "--to", ""], []),
        (["man", "x"], []),
    ],
    ids=" ".join,
)
def test_bash_completes(bash_script: Path, words: list[str], replies: list[str]) -> None:
    program = f"""
        compopt() {{ :; }}
        . {bash_script}
        COMP_WORDS=(sieveav "$@"); COMP_CWORD=$#; COMPREPLY=()
        _sieveav
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        ["bash", "-c", program, "bash", *words], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr == ""
    assert done.stdout.split() == replies


@pytest.mark.parametrize("shell", list(completing.SHELLS))
def test_every_command_and_option_is_completed(cli: Cli, shell: str) -> None:
    done = cli("completion", shell)
    assert (done.status, done.err) == (0, "")
    for command, parser in all_parsers():
        assert command.name in done.out
        for option in (option for action in parser._actions for option in action.option_strings):
            in_fish = f"-l {option[2:]}" if option.startswith("--") else f"-s {option[1:]}"
            assert (in_fish if shell == "fish" else option) in done.out
    if shutil.which(shell):
        checked = subprocess.run([shell, "-n"], input=done.out, text=True, capture_output=True, check=False, timeout=60)
        assert (checked.returncode, checked.stderr) == (0, "")
    assert done.out.count("'") % 2 == 0


def test_files_have_known_metavars() -> None:
    named = {action.metavar for _, parser in all_parsers() for action in parser._actions}
    assert named >= FILES


# ---- man


def test_man(cli: Cli) -> None:
    done = cli("man")
    assert (done.status, done.err) == (0, "")
    requests = {line.split()[0] for line in done.lines if line.startswith(".")}
    assert requests <= {".TH", ".SH", ".SS", ".PP", ".TP", ".B", ".I", ".RI", ".nf", ".fi"}
    for command, parser in all_parsers():
        assert f".SS {command.name}".replace("-", "\\-") in done.lines
        for option in (option for action in parser._actions for option in action.option_strings):
            assert option.replace("-", "\\-") in done.out


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_groff_takes_the_man_page(cli: Cli, here: Path) -> None:
    (here / "sieveav.1").write_text(cli("man").out)
    done = subprocess.run(
        ["groff", "-man", "-Tascii", "-ww", "sieveav.1"], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "Exit status: 0 if there is no problem" in " ".join(done.stdout.split())
