"""command: content into a verdict by a scanner program that is run for it, by its exit status and what it writes.

    command /opt/acme/bin/scan --quiet /var/tmp/sieveav-x1
    output  /var/tmp/sieveav-x1: Eicar-Test-Signature FOUND
    status  1

The arguments are those of the configuration, without a shell; the only one that changes is the path of a file that sieveav
makes. Clean only after an exit status that the site says is clean, and if nothing in the output looks like a find.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sieveav.limits import MIB
from sieveav.options import TEXT, Option, integer
from sieveav.scanning import naming
from sieveav.scanning.children import COMMAND, Child, checked
from sieveav.scanning.contract import Content, Deadline, EngineType
from sieveav.scanning.dialogue import text
from sieveav.scanning.failover import ProtocolError, Unreached
from sieveav.scanning.naming import Naming
from sieveav.verdict import Status, Verdict, plain

PACKAGE = "re2"

OUTPUT = MIB
"""The most octets of what a program may write."""

PATH = "{path}"
"""The argument that is replaced."""

STATUSES = replace(integer(0, 255), many=True)


class Command:
    """Runs a program for each content."""

    def __init__(self, name: str, values: Mapping[str, Any]) -> None:
        self.name = name
        self._command = checked(values["command"])
        self._directory = values["file_base"]
        self._clean, self._infected = frozenset(values["clean"]), frozenset(values["infected"])
        self._pattern = _compiled(values["infected_pattern"])
        self._signatures = Naming.of(values)
        if PATH not in self._command[1:]:
            raise ValueError(f"command: one of the arguments must be {PATH}")
        if not self._clean:
            raise ValueError("clean: at least one exit status is needed")
        if not self._infected and not self._pattern:
            raise ValueError("infected: at least one exit status is needed, or an infected_pattern")
        if both := self._clean & self._infected:
            raise ValueError(f"infected: {min(both)} is an exit status of clean contents too")

    def scan(self, content: Content, deadline: Deadline) -> Verdict:
        """The verdict of one run."""
        with content.file(self._directory) as path:
            command = [str(path.absolute()) if argument == PATH else argument for argument in self._command]
            try:
                with Child(command, deadline) as child:
                    child.end()
                    output = child.rest(OUTPUT)
                    status = child.exit_status()
            except (Unreached, ProtocolError) as fault:
                return Verdict(self.name, Status.ERROR, str(fault))
        return self._verdict(status, output)

    def version(self, deadline: Deadline) -> str:  # noqa: ARG002  # there is no question for it
        return ""

    def _verdict(self, status: int, output: bytes) -> Verdict:
        if status < 0:
            return Verdict(self.name, Status.ERROR, f"ended by signal {-status}")
        match = self._pattern and self._pattern.search(output)
        verdict = Verdict(self.name, Status.CLEAN)
        if match or status in self._infected:
            name = text(match[1] or b"") if match else ""
            verdict = self._signatures.verdict(self.name, name or "unknown")
        if verdict.status is Status.CLEAN and status not in self._clean | self._infected:
            verdict = Verdict(self.name, Status.ERROR, f"exit status {status}")
        return replace(verdict, code=status)


def _compiled(pattern: str) -> Any:
    """The pattern for octets, None if it is "". ValueError if RE2 does not know it."""
    if not pattern:
        return None
    import re2  # 4 ms, only for sites with a pattern

    options = re2.Options()
    options.log_errors = False
    options.encoding = re2.Options.Encoding.LATIN1
    try:
        compiled = re2.compile(pattern.encode(), options)
    except re2.error as error:
        raise ValueError(f"infected_pattern: {text(bytes(error.args[0]))}") from None
    if not compiled.groups:
        raise ValueError(f'infected_pattern: "{plain(pattern)}" has no group; write ( ) around the name')
    return compiled


engine = EngineType(
    name="command",
    summary="a scanner program of the site's, run for each content: exit status and output",
    pool="IO",
    options=(
        replace(COMMAND, meaning=f"{COMMAND.meaning}; the argument {PATH} becomes the path of the content"),
        Option("clean", STATUSES, (), "exit statuses after which a content is clean"),
        Option("infected", STATUSES, (), "exit statuses after which it is infected"),
        Option(
            "infected_pattern", TEXT, "", "a regular expression (RE2) for output that names a find in its first group"
        ),
        *naming.OPTIONS,
    ),
    make=Command,
    punctual=True,
    details=(
        "Any other exit status is an error, as are a signal, output of more than 1 MiB and a run that takes too long. The"
        " pattern is looked for in standard output, whatever the exit status; write (?m) in front for ^ and $ at lines."
        " Standard error is logged. The program gets no input, and only PATH and LC_ALL in its environment."
    ),
)
