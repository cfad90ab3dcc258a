"""controlling: requests of `sieveav ctl` to answers, of one worker or of all together.

A request is one line of JSON, and its answer is another:

    {"command": ["antivirus:antivirus1", "stats"]}
    {"workers": 2, "answer": [{"engine": "clamav", "messages": 5, ...}]}

`text` is the script of testfile. An answer is an object with `error` instead, if there is none. The worker that gets a request
asks all workers that run, each at a socket of its own in the folder that they share, with the same request and `"here": true`,
and joins their answers: statistics are those of the workers that run, each since it was started.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import ascii_uppercase
from typing import Any, NamedTuple

from sieveav.frontends import showing
from sieveav.frontends.message_log import Answered
from sieveav.frontends.output import as_json
from sieveav.frontends.supervising import Worker, last_result
from sieveav.language.checking import check
from sieveav.language.extension import SMTP_PHASES
from sieveav.language.problems import as_json as problem_as_json
from sieveav.limits import SCRIPT_SIZE
from sieveav.printing import printable
from sieveav.scanning.contract import Deadline
from sieveav.site.repository import missing
from sieveav.site.scans import Scanner
from sieveav.site.scripts import dialect_of
from sieveav.site.site import Site
from sieveav.site.stanzas.antivirus import ANTIVIRUS

_log = logging.getLogger(__name__)

LARGEST = 6 * SCRIPT_SIZE + 64 * 1024
"""Octets of a request: a script, with every octet of it escaped, and of an answer."""

TIMEOUT = 30.0
"""Seconds for a request and its answer."""

PATIENCE = 10.0
"""Seconds for a worker to answer another one, and for an engine to say its version."""

RELOAD = 20.0
"""Seconds to wait for the end of a reload."""

PROBLEMS = 1000
"""Problems of a script that are reported."""

SUFFIX = ".sock"


class Refusal(Exception):
    """A request that is not answered; the text says why."""


@dataclass
class Totals:
    """What scripts have decided in this worker: messages, recipients, faults, and the milliseconds that messages took. Safe to
    use from several threads."""

    messages: int = 0
    recipients: int = 0
    faults: int = 0
    ms: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def observe(self, answered: Answered) -> None:
        """Count a message."""
        faults = answered.faults
        with self._lock:
            self.messages += 1
            self.recipients += len(answered.decision.recipients)
            self.faults += faults
            self.ms += answered.seconds * 1000

    def reset(self) -> None:
        """Begin again."""
        with self._lock:
            self.messages = self.recipients = self.faults = 0
            self.ms = 0.0

    def as_json(self) -> dict[str, Any]:
        with self._lock:
            return {name: value for name, value in vars(self).items() if not name.startswith("_")}


@dataclass(frozen=True)
class Controlled:
    """What requests are about: the site of this worker, its totals, the worker, and the process that started it."""

    site: Site
    worker: Worker
    totals: Totals = field(default_factory=Totals)
    supervisor: int = field(default_factory=os.getppid)


class Request(NamedTuple):
    """A request, as it is read from a line."""

    command: tuple[str, ...]
    text: str = ""
    here: bool = False


def read_request(line: bytes) -> Request:
    """The request on a line; Refusal if it is none."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        raise Refusal("the request is not JSON") from None
    fields = value if isinstance(value, dict) else {}
    command, text, here = fields.get("command"), fields.get("text", ""), fields.get("here", False)
    words = tuple(command) if isinstance(command, list) else ()
    is_one = bool(words) and all(isinstance(word, str) for word in words)
    if not is_one or not isinstance(text, str) or not isinstance(here, bool) or fields.keys() - set(Request._fields):
        raise Refusal('the request is not {"command": [word, ...]}')
    return Request(words, text, here)


# ---- commands

Arguments = Sequence[str]
"""What a command has in place of the capital words of its usage."""


def _engines(controlled: Controlled, name: str) -> Iterable[Scanner]:
    """The engines of the framework of this name."""
    frameworks = {framework.instance: framework for framework in controlled.site.settings[ANTIVIRUS]}
    if name not in frameworks:
        raise Refusal(f'there is no antivirus "{name}"{_known(frameworks)}')
    own = [engine.settings for engine in frameworks[name].engines]
    return [scanner for scanner in controlled.site.scanners if scanner.settings in own]


def _check_sieve(controlled: Controlled, name: str) -> None:
    names = [stanza.instance for stanza in controlled.site.settings.stanzas if stanza.type.name == "sieve"]
    if name not in names:
        raise Refusal(f'there is no sieve "{name}"{_known(names)}')


def _known(names: Iterable[str]) -> str:
    shown = ", ".join(f'"{name}"' for name in names)
    return f": write {shown}" if shown else ""


def _engine_statistics(controlled: Controlled, request: Request, arguments: Arguments) -> Any:  # noqa: ARG001
    scanners = _engines(controlled, arguments[0])
    return [showing.statistics_json(each.name, each.engine.statistics.snapshot()) for each in scanners]


def _versions(controlled: Controlled, request: Request, arguments: Arguments) -> Any:  # noqa: ARG001
    deadline = Deadline.after(PATIENCE)
    scanners = _engines(controlled, arguments[0])
    return [{"engine": each.name, "version": each.engine.version(deadline)} for each in scanners]


def _script_statistics(controlled: Controlled, request: Request, arguments: Arguments) -> Any:  # noqa: ARG001
    _check_sieve(controlled, arguments[0])
    return {**controlled.totals.as_json(), "scripts": controlled.site.scripts.kept}


def _reset(controlled: Controlled, request: Request, arguments: Arguments) -> Any:  # noqa: ARG001
    _check_sieve(controlled, arguments[0])
    controlled.totals.reset()


def _flush_scripts(controlled: Controlled, request: Request, arguments: Arguments) -> Any:  # noqa: ARG001
    _check_sieve(controlled, arguments[0])
    return controlled.site.scripts.flush()


def _flush_verdicts(controlled: Controlled, request: Request, arguments: Arguments) -> Any:  # noqa: ARG001
    """How many verdicts are forgotten, and why not those that nodes share, if that failed. These are forgotten first, by the
    worker that was asked, so that none comes back from there."""
    shared, failure = 0, ""
    if controlled.site.verdicts and not request.here:
        try:
            shared = controlled.site.verdicts.clear()
        except OSError as error:
            failure = str(error)
    return shared + sum(scanner.engine.flush() for scanner in controlled.site.scanners), failure


def _test(controlled: Controlled, request: Request, arguments: Arguments) -> Any:  # noqa: ARG001
    name, phase, script = arguments
    return _check_script(controlled, name, phase, script, "script")


def _test_file(controlled: Controlled, request: Request, arguments: Arguments) -> Any:
    name, phase, path = arguments
    return _check_script(controlled, name, phase, request.text, path)


def _check_script(controlled: Controlled, name: str, phase: str, text: str, path: str) -> Any:
    """The problems of a script, as the phase would run it."""
    _check_sieve(controlled, name)
    phase = phase.removesuffix("_phase1").removesuffix("_phase2")
    if phase not in SMTP_PHASES:
        raise Refusal(f'unknown phase "{phase}": the phases are {", ".join(SMTP_PHASES)}')
    try:
        octets = text.encode("utf-8", "surrogateescape")  # what is not UTF-8 is a problem of the script
    except UnicodeEncodeError:
        raise Refusal("the script is not text") from None
    checked = check(octets, path, controlled.site.vocabulary(phase, dialect_of(path)))
    problems = [*checked.problems, *missing(controlled.site, checked)]
    return [problem_as_json(checked.source, problem) for problem in problems[:PROBLEMS]]


def _reload(controlled: Controlled, request: Request, arguments: Arguments) -> Any:  # noqa: ARG001
    """Ask the supervisor for a reload, and wait for its result."""
    folder = controlled.worker.folder
    try:
        before = last_result(folder).number
    except FileNotFoundError:
        raise Refusal("the server is starting") from None
    if os.getppid() != controlled.supervisor:
        raise Refusal("the server is ending")
    os.kill(controlled.supervisor, signal.SIGHUP)
    until = time.monotonic() + RELOAD
    while time.monotonic() < until:
        result = last_result(folder)
        if result.number != before:
            return {"done": not result.failed, "text": result.text}
        time.sleep(0.05)
    return {"done": None, "text": f"asked for, and not done within {RELOAD:g} s: see the log"}


# ---- joining


def _added(answers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The sums of the numbers of the same name."""
    total: dict[str, Any] = {}
    for name, value in ((name, value) for answer in answers for name, value in answer.items()):
        total[name] = value if isinstance(value, str) else total.get(name, 0) + value
    return total


def _added_by_engine(answers: Sequence[Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    rows: dict[str, list[Mapping[str, Any]]] = {}
    for row in (row for answer in answers for row in answer):
        rows.setdefault(row["engine"], []).append(row)
    return [_added(of_one) for of_one in rows.values()]


def _nothing(answers: Sequence[Any]) -> None:  # noqa: ARG001
    return None


def _flushed(answers: Sequence[tuple[int, str]]) -> int:
    """How many verdicts are forgotten; Refusal if shared ones are not, which must not go unnoticed."""
    for _, failure in answers:
        if failure:
            raise Refusal(f"the verdicts of the workers are forgotten, but not those that nodes share: {failure}")
    return sum(number for number, _ in answers)


class Console(NamedTuple):
    """A command: `answer` is this worker's, in a thread. With `join`, all workers are asked, and it joins their answers."""

    answer: Callable[[Controlled, Request, Arguments], Any]
    join: Callable[[Sequence[Any]], Any] | None = None


COMMANDS = {
    "antivirus:NAME stats": Console(_engine_statistics, _added_by_engine),
    "antivirus:NAME version": Console(_versions),
    "sieve:NAME stats": Console(_script_statistics, _added),
    "sieve:NAME reset": Console(_reset, _nothing),
    "sieve:NAME flush cache": Console(_flush_scripts, sum),
    "sieve:NAME test PHASE SCRIPT": Console(_test),
    "sieve:NAME testfile PHASE FILE": Console(_test_file),
    "config reload": Console(_reload),
    "flush": Console(_flush_verdicts, _flushed),
}
"""Usage -> command. A word in capitals, also after a colon, is what the user chooses."""


def find(command: Sequence[str]) -> tuple[Console, Arguments]:
    """The command that these words are, and what they have in place of the capital words; Refusal if there is none."""
    for usage, console in COMMANDS.items():
        arguments = _match(usage.split(), command)
        if arguments is not None:
            return console, arguments
    words = printable(" ".join(command), "?", 200)
    raise Refusal(f"unknown command {words}: the commands are {', '.join(COMMANDS)}")


def _match(usage: Sequence[str], command: Sequence[str]) -> list[str] | None:
    if len(usage) != len(command):
        return None
    arguments = []
    for pattern, word in zip(usage, command, strict=True):
        fixed = pattern.rstrip(ascii_uppercase)
        if word != fixed and (fixed == pattern or not word.startswith(fixed)):
            return None
        if fixed != pattern:
            arguments.append(word.removeprefix(fixed))
    return arguments


# ---- answering


async def reply(controlled: Controlled, line: bytes) -> bytes:
    """The answer to a request, as a line. Never raises."""
    try:
        request = read_request(line)
        console, arguments = find(request.command)
        own = await asyncio.to_thread(console.answer, controlled, request, arguments)
        if request.here or console.join is None:
            answer: dict[str, Any] = {"workers": 1, "answer": own}
        else:
            answers = [own, *await _others(controlled.worker, request)]
            answer = {"workers": len(answers), "answer": console.join(answers)}
    except Refusal as refusal:
        answer = {"error": printable(str(refusal))}
    except Exception as error:  # the worker goes on
        _log.error("control: internal error", exc_info=error)
        answer = {"error": "internal error, see the log"}
    return f"{as_json(answer)}\n".encode()


def own_socket(worker: Worker) -> Path:
    """Where a worker answers the others. One that replaces another one has its socket."""
    return worker.folder / f"{worker.generation}.{worker.number}{SUFFIX}"


async def _others(worker: Worker, request: Request) -> list[Any]:
    """The answers of the other workers that run. Refusal if one does not answer: a sum without it would be wrong."""
    others = sorted(path for path in worker.folder.glob(f"*{SUFFIX}") if path != own_socket(worker))
    line = f"{as_json(request._replace(here=True)._asdict())}\n".encode()
    try:
        async with asyncio.timeout(PATIENCE):
            answers = await asyncio.gather(*(_other(worker, path, line) for path in others))
    except TimeoutError:
        raise Refusal(f"a worker does not answer within {PATIENCE:g} s") from None
    return [answer["answer"] for answer in answers if "answer" in answer]


async def _other(worker: Worker, path: Path, line: bytes) -> dict[str, Any]:
    """The answer of another worker; an empty one if it has ended, or has another configuration."""
    try:
        reader, writer = await asyncio.open_unix_connection(path, limit=LARGEST)
        try:
            writer.write(line)
            answer: dict[str, Any] = json.loads(await reader.readline() or b"{}")
        finally:
            writer.close()
    except (ConnectionError, FileNotFoundError) as error:
        _log.debug("control: worker %s has ended: %s", path.stem, type(error).__name__)
        if int(path.stem.partition(".")[0]) < worker.generation:  # its generation has no new workers
            path.unlink(missing_ok=True)
        return {}
    if "error" in answer:
        _log.info("control: worker %s: %s", path.stem, answer["error"])
    return answer
