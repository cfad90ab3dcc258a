"""yara_worker: compiled YARA rules into processes that scan by them: one for each processor makes use of all.

Such a process is started and ended as an external scanner program is (`programs`). It gets the rules as an open file, and says
their version when it has loaded them. Then it gets one content at a time: whether it is a message, its size in octets, the
seconds that are left, and the octets. It answers with the status, the version of the rules, and the name or reason:

    C: 1 5512 9.8
    C: (5512 octets)
    S: infected 0123456789ab Eicar_Test_File

It is killed at the deadline, whatever a rule does.
"""

from __future__ import annotations

import io
import json
import os
import resource
import sys
import tempfile
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from sieveav.engines.yara_scanner import Rules, YaraScanner
from sieveav.limits import MIB
from sieveav.scanning.contract import Content, Deadline
from sieveav.scanning.daemon import Protocol
from sieveav.scanning.dialogue import Answer, Dialogue, Line, Question, Request
from sieveav.scanning.failover import Failover, ProtocolError
from sieveav.scanning.programs import Programs
from sieveav.verdict import Status, Verdict

MEMORY = 2048 * MIB
"""Octets of data that a process may have: far more than the limits of unpacking allow and rules need."""

_LATER = 2.0
"""Seconds that a process has beyond the deadline, at which it is killed: yara-x counts whole seconds, and may be early."""

_STATUSES = frozenset(Status)

_MAIN = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from sieveav.engines.yara_worker import main
main()
"""


class Workers:
    """Processes that scan as `scanner` does, as the engine of its name. They are started when they are needed. `values` are
    those of the engine's options. ValueError if the rules cannot be written to a temporary file."""

    def __init__(self, scanner: YaraScanner, values: Mapping[str, Any]) -> None:
        self.name = scanner.name
        self._version = scanner.version(Deadline.after(0))
        rules = _file(scanner.rules, values["file_base"])
        weakref.finalize(self, rules.close)
        options = {
            "name": self.name,
            "rules": rules.fileno(),
            "version": scanner.rules.version,
            **{option: values[option] for option in ("classes", "allow")},
        }
        files = (rules.fileno(),)
        programs = Programs(self.name, _command(), _PROTOCOL, {}, values["processes"], options, files)
        programs.name = "worker process"
        self._asked = Failover(self.name, [programs])

    def scan(self, content: Content, deadline: Deadline) -> Verdict:
        """The verdict of a process; `error` if there is none in time."""
        return self._asked.scan(content, deadline)

    def version(self, deadline: Deadline) -> str:  # noqa: ARG002  # there is nothing to wait for
        """As that of the scanner."""
        return self._version


def _file(rules: Rules, directory: Path | None) -> BinaryIO:
    """A temporary file with the rules. It has no name, so that none is left behind."""
    try:
        file = tempfile.TemporaryFile(dir=directory)  # noqa: SIM115  # open as long as there are processes
        rules.save(file)
        file.flush()
    except OSError as error:
        raise ValueError(f"processes: the rules cannot be written: {error.strerror or error}") from None
    return file


def _command() -> tuple[str, ...]:
    """It does not depend on the environment, but finds what this process finds."""
    paths = json.dumps([os.path.abspath(path) for path in sys.path])  # noqa: PTH100  # "" is the current directory
    return (sys.executable, "-I", "-c", _MAIN, paths)


def scan(request: Request) -> Dialogue[Answer]:
    """Ask for a verdict on a content."""
    raw = request.content.raw
    asked = b"%d %d %f\n" % (request.content.is_message, len(raw), request.deadline.left())
    yield Question((asked, raw))
    status, *more = (yield Line()).decode("latin-1").split(" ", 2)
    if status not in _STATUSES or len(more) != 2:
        raise ProtocolError("not an answer")
    version, info = more
    return Answer(Status(status), info, version=version, is_open=True)


def _probe(request: Request) -> Dialogue[bool]:
    """Whether it works: it has a verdict on nothing."""
    return (yield from scan(request)).status is not Status.ERROR


_PROTOCOL = Protocol(0, scan, _probe)


def main() -> None:
    """What such a process does, from its standard input to its standard output."""
    _limit_memory()
    heard, said = sys.stdin.buffer, sys.stdout.buffer
    options = json.loads(heard.readline())["options"]
    octets = os.pread(options["rules"], os.fstat(options["rules"]).st_size, 0)  # several processes share the position
    scanner = YaraScanner(options["name"], Rules.load(io.BytesIO(octets), options["version"]), options)
    said.write(json.dumps({"id": 0, "version": options["version"]}).encode() + b"\n")
    said.flush()
    while line := heard.readline():
        is_message, size, seconds = line.split()
        content = Content(heard.read(int(size)), is_message=is_message == b"1")
        verdict = scanner.scan(content, Deadline.after(float(seconds) + _LATER))
        said.write(f"{verdict.status} {verdict.version} {verdict.info}\n".encode())
        said.flush()


def _limit_memory() -> None:
    """A content that needs more than MEMORY ends in a verdict that is not clean, or ends the process."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit = MEMORY if hard == resource.RLIM_INFINITY else min(MEMORY, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))
