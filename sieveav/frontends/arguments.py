"""arguments: the grammar of the command line: every command with its options, and what is said of wrong use."""

from __future__ import annotations

import argparse
import os
from typing import NoReturn

from sieveav import __version__

PHASES = ("data", "each_rcpt")


class UsageError(Exception):
    """The command cannot do this; the text is one line for people."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see {self.prog} --help)")


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _jobs(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 256:
        raise argparse.ArgumentTypeError(f"write a number from 1 to 256, not {text!r}")
    return int(text)


def parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    top = _Parser(
        prog="sieveav",
        description="A Sieve interpreter that knows about viruses.",
        epilog="Exit status: 0 fine, 1 something found or refused, 2 wrong use or an input that cannot be read.",
    )
    top.add_argument("--version", action="version", version=f"sieveav {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def command(name: str, summary: str, formats: tuple[str, ...] = ("text", "json")) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = commands.add_parser(name, help=summary, description=summary + ".")
        made.add_argument("--format", choices=formats, default="text", help="for people (text), or for machines")
        made.add_argument("--debug", action="store_true", help="log more, and show where a fault of sieveav's own was")
        return made

    def envelope(made: argparse.ArgumentParser) -> None:
        made.add_argument(
            "--to", action="append", metavar="ADDR", help="a recipient; repeat for several (default: the message's)"
        )
        made.add_argument(
            "--from", dest="sender", metavar="ADDR", help='the sender; "" is the null sender (default: the message\'s)'
        )
        made.add_argument(
            "--mailbox", action="append", default=[], metavar="NAME", help="a mailbox that exists, beside INBOX; repeat"
        )
        made.add_argument(
            "--set",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="a context variable, set before any script runs",
        )
        made.add_argument("--trace", action="store_true", help="show every test, action, question and answer")

    made = command("run", "Run one script on messages, for each recipient")
    made.add_argument("script", metavar="SCRIPT", help="the user's script of every recipient; - is standard input")
    made.add_argument("messages", metavar="MESSAGE", nargs="+", help="message files; - is standard input")
    made.add_argument(
        "--config", metavar="FILE", help="the site (default: the embedded engine yara, when a script asks)"
    )
    envelope(made)

    made = command("decide", "What a site does with messages: its scripts, and each recipient's own")
    made.add_argument("messages", metavar="MESSAGE", nargs="+", help="message files; - is standard input")
    made.add_argument("--config", metavar="FILE", required=True, help="the site")
    envelope(made)

    made = command("scan", "Ask the engines alone; status 1 when something is not clean")
    made.add_argument("messages", metavar="MESSAGE", nargs="+", help="message files; - is standard input")
    made.add_argument("--config", metavar="FILE", help="the site (default: the embedded engine yara)")
    made.add_argument(
        "--engine", action="append", default=[], metavar="NAME", help="only this engine; repeat for several"
    )

    made = command("lint", "Find what is wrong with scripts, all of it")
    made.add_argument(
        "paths", metavar="PATH", nargs="+", help="scripts; directories are searched for *.sieve and *.siv; -"
    )
    made.add_argument("--config", metavar="FILE", help="the site whose engines and extensions' settings count")
    made.add_argument("--phase", choices=PHASES, default="each_rcpt", help="the SMTP phase that the scripts are for")
    made.add_argument(
        "--fail-on", choices=("error", "warning", "advice"), default="error", help="the least that gives status 1"
    )

    made = command("check-config", "Find what is wrong with a configuration and with the scripts it names")
    made.add_argument("file", metavar="FILE", help="the configuration; - is standard input")

    made = command("test", "Run tests of scripts, written in Sieve", formats=("text", "json", "junit", "tap"))
    made.add_argument("paths", metavar="PATH", nargs="+", help="test files; directories are searched for *.svtest")
    made.add_argument("--config", metavar="FILE", help="the site that test_run decides for, and whose settings count")
    made.add_argument("--filter", metavar="NAME", default="", help="only the tests with NAME in their name")
    made.add_argument(
        "--jobs", metavar="N", type=_jobs, default=_processors(), help="files at a time (default: %(default)s)"
    )
    made.add_argument("--verbose", "-v", action="store_true", help="list the tests that pass, and what was logged")

    command("extensions", "List the extensions of the language")
    command("engines", "List the engines and their options")
    made = command("explain", "Explain an extension, a word, a tag, an engine or an option")
    made.add_argument("name", metavar="NAME")
    return top
