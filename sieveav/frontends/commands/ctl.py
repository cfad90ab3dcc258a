"""ctl: ask a running server what it has done, make it forget or reload, check a script

The server is sieveav serve, with the stanza control. The commands, as on Momentum's console:

    antivirus:NAME stats                what each engine of this stanza has done
    antivirus:NAME version              what the engines say of themselves and their definitions
    sieve:NAME stats                    what scripts have decided
    sieve:NAME reset                    count from 0 again what scripts have decided
    sieve:NAME flush cache              check all scripts again that are needed from now on
    sieve:NAME test PHASE SCRIPT        check the text of a script; it is not run
    sieve:NAME testfile PHASE FILE      check a script that this command reads
    config reload                       read the configuration again, and wait for the result
    flush                               forget all verdicts that are remembered

Statistics are the sums of all workers that run, each since it was started: a reload starts new ones. What is reset or flushed
is so in all of them. A version is what one worker hears.

Exit status: 0; 1 if the script has an error, or the configuration is not reloaded; 2 for wrong use, or if no server answers.
"""

from __future__ import annotations

import json
import socket
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sieveav.frontends import showing
from sieveav.frontends.arguments import Stop, UsageError, add_format
from sieveav.frontends.command import Command
from sieveav.frontends.output import Report, counted, print_error
from sieveav.frontends.sites import print_refusal
from sieveav.limits import SCRIPT_SIZE
from sieveav.printing import printable

TIMEOUT = 40.0
"""Seconds for an answer: a little more than the server takes at most."""

LARGEST = 16 * 1024 * 1024
"""Octets of an answer."""


def arguments(parser: ArgumentParser) -> None:
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--socket", metavar="PATH", help="the server's socket (default: the one that --config names)")
    where.add_argument("--config", metavar="FILE", help="the server's configuration (default: --socket is needed)")
    parser.add_argument("words", metavar="COMMAND", nargs="+", help="a command of several words, see above")
    add_format(parser)


def run(args: Namespace) -> int:
    request: dict[str, Any] = {"command": args.words}
    if args.words[1:2] == ["testfile"] and len(args.words) == 4:
        with Path(args.words[3]).open("rb") as file:
            request["text"] = file.read(SCRIPT_SIZE + 1).decode("utf-8", "surrogateescape")
    answer = _ask(args.socket or _socket(args), request)
    if "error" in answer:
        print_error(answer["error"])
        return 2
    report = Report(args.format)
    report.json(lambda: {"command": args.words, **answer})
    report.lines(map(printable, _lines(args.words, answer["answer"])))
    return int(_failed(answer["answer"]))


def _socket(args: Namespace) -> str:
    """The path of the socket that the configuration names."""
    from sieveav.frontends.servers.control import CONTROL
    from sieveav.site.site import Refused, read_settings

    try:
        listener = read_settings(args.config)[CONTROL]
    except Refused as refused:
        print_refusal(args, ((refused.source, problem) for problem in refused.problems))
        raise Stop(2) from None
    if listener is None:
        raise UsageError(f"{args.config}: there is no stanza control")
    return listener.address.removeprefix("unix:")


def _ask(path: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """The answer of the server. UsageError if there is none."""
    received = bytearray()
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(TIMEOUT)
            connection.connect(path)
            connection.sendall(json.dumps(request).encode() + b"\n")
            while not received.endswith(b"\n") and len(received) < LARGEST:
                octets = connection.recv(65536)
                if not octets:
                    break
                received += octets
        answer: dict[str, Any] = json.loads(received)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from None
    except ValueError:
        raise UsageError(f"{path}: the server does not answer") from None
    return answer


def _failed(answer: Any) -> bool:
    """Whether a configuration is not reloaded, or a script has an error."""
    if isinstance(answer, dict) and "done" in answer:
        return answer["done"] is not True
    problems = answer if isinstance(answer, list) else []
    return any(problem.get("severity") == "error" for problem in problems)


# ---- text

_SCRIPTS = {
    "Messages decided:": "messages",
    "Recipients:": "recipients",
    "Run-time errors:": "faults",
    "Scripts in cache:": "scripts",
}


def _lines(words: Sequence[str], answer: Any) -> Iterator[str]:
    """An answer for people; statistics in the form of Momentum's console."""
    kind, _, name = words[0].partition(":")
    write = _WRITERS.get((kind, words[1] if len(words) > 1 else ""))
    return write(name, answer) if write else iter(["done"])


def _versions(_: str, engines: Any) -> Iterator[str]:
    for each in engines:
        product, _, definitions = each["version"].partition("/")
        yield f"antivirus: {each['engine']}"
        yield f"AV scanner version number: {product or 'not available now'}"
        if definitions:
            yield f"AV definitions version: {definitions}"


def _script_statistics(name: str, values: Any) -> Iterator[str]:
    yield name
    yield from showing.numbers(_SCRIPTS, values)
    yield showing.average("Avg. time/message", values["ms"], values["messages"])


def _problems(_: str, problems: Any) -> Iterator[str]:
    for each in problems:
        place = f"{each['path']}:{each['line']}:{each['column']}"
        yield f"{place}: {each['severity']}: {each['message']} [{each['rule']}]"
        if each["hint"]:
            yield f"     = {each['hint']}"
    yield counted(len(problems), "problem")


def _forgotten(noun: str) -> Callable[[str, Any], Iterator[str]]:
    return lambda _, number: iter([f"{counted(number, noun)} forgotten"])


_WRITERS: Mapping[tuple[str, str], Callable[[str, Any], Iterator[str]]] = {
    ("antivirus", "stats"): lambda _, engines: showing.statistics_lines(engines),
    ("antivirus", "version"): _versions,
    ("sieve", "stats"): _script_statistics,
    ("sieve", "flush"): _forgotten("script"),
    ("sieve", "test"): _problems,
    ("sieve", "testfile"): _problems,
    ("config", "reload"): lambda _, result: iter([result["text"]]),
    ("flush", ""): _forgotten("verdict"),
}
"""The kind of the first word and the second word of a command -> the lines of its answer."""


command = Command("ctl", arguments, run)
