"""command_line: command lines run in this process, their JSON checked against the schema; with a site to run them on."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from sieveav.frontends.cli import main
from sieveav.frontends.commands.explain import schema
from support.daemons import EICAR

HEAD = b"From: Bob <bob@example.org>\nTo: Alice <alice@example.com>\nSubject: x\n\n"

ALICE = """require ["antivirus", "ec_action", "variables", "vctx"];
# refuse
if antivirus "infected" {
    ec_action 550 "5.7.1 held: ${vctx.yara_status_info}" "virus:rejected";
}
"""
CAROL = """require ["antivirus", "fileinto"];



if antivirus "infected" {

    fileinto "Junk";
}
"""
SITE = """yara {}
antivirus "a" { yara "yara1" { enabled = false } }
users { scripts = "policies/%n.sieve" }
"""
TO = ("--to", "alice@example.com", "--to", "carol@example.com")

TIME = re.compile(r"\d+\.\d ms|\d+\.\d s\b")


def make_site(folder: Path) -> None:
    """Write a site, its two users, a script, an infected message and a clean one."""
    (folder / "policies").mkdir()
    (folder / "policies/alice.sieve").write_text(ALICE)
    (folder / "policies/carol.sieve").write_text(CAROL)
    (folder / "site.conf").write_text(SITE)
    (folder / "eicar.eml").write_bytes(HEAD + EICAR + b"\n")
    (folder / "clean.eml").write_bytes(HEAD + b"Hi.\n")
    (folder / "keep.sieve").write_text("keep;\n")


@dataclass
class Done:
    """What a command line did: exit status, standard output, standard error."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def shown(self) -> list[str]:
        """The lines of output without times, which differ from run to run."""
        return [
            re.sub(r" +\.\. ms", "   .. ms", TIME.sub(lambda m: f".. {m[0].split()[1]}", line)) for line in self.lines
        ]

    @property
    def heads(self) -> list[str]:
        """The lines that are not indented."""
        return [line for line in self.lines if not line.startswith(" ")]

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def objects(self) -> list[Any]:
        """The JSON of each line."""
        return [json.loads(line) for line in self.lines]


@cache
def validator(definition: str) -> Draft202012Validator:
    """A validator for one definition of the schema."""
    whole = json.loads(schema())
    Draft202012Validator.check_schema(whole)
    assert definition in whole["$defs"]
    return Draft202012Validator({"$ref": f"#/$defs/{definition}", "$defs": whole["$defs"]})


def validate(arguments: tuple[str, ...], out: str) -> None:
    """Fail if the JSON that a command line has printed does not follow the schema."""
    command = arguments[0]
    special = {"--ping": "ping", "--self-test": "self-test", "-n": "settings", "-d": "defaults"}
    definition = next((special[option] for option in arguments if option in special), command)
    assert out.isascii()
    for line in out.splitlines():
        error = next(validator(definition).iter_errors(json.loads(line)), None)
        assert error is None, f"{command}: {error}"


class Cli:
    """Runs command lines: cli("run", "keep.sieve", "clean.eml", stdin=b"")."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capsys = capsys
        self._monkeypatch = monkeypatch

    def __call__(self, *arguments: str, stdin: bytes = b"") -> Done:
        self._monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        self._capsys.readouterr()
        status = main(arguments)
        captured = self._capsys.readouterr()
        if ("--format", "json") in pairwise(arguments):
            validate(arguments, captured.out)
        return Done(status, captured.out, captured.err)

    def json(self, *arguments: str) -> Any:
        """The one JSON value that a command prints with `--format json`."""
        return self(*arguments, "--format", "json").json


def columns(line: str) -> list[str]:
    """The cells of a line of a table."""
    return re.split(r" {3,}", line.strip())


Terminal = Callable[..., None]
"""The fixture `terminal`: terminal(columns=80) makes standard output and error a terminal."""
