"""reading: names on the command line to messages, scripts and envelopes; `-` is standard input, which is read once."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Generic, TypeVar

from sieveav import headers
from sieveav.frontends.arguments import STANDARD_INPUT, UsageError
from sieveav.frontends.output import error_text, print_error
from sieveav.limits import SCRIPT_SIZE
from sieveav.running.addresses import Address, envelope, mailboxes
from sieveav.running.message import Message
from sieveav.site.scripts import contents

T = TypeVar("T")

LARGEST = 256 * 1024 * 1024
"""Octets of a message file: no mail is larger, and all of it is kept in memory."""

RECIPIENTS = 100
"""Recipients that are taken from a message: what every server takes in one transaction (RFC 5321, 4.5.3.1.8)."""

SENDER = "sender@example.com"
RECIPIENT = "recipient@example.com"
"""The envelope of a message that has no address in the fields below."""


def standard_input() -> BinaryIO:
    """Standard input, as octets."""
    if sys.stdin is None:
        raise UsageError("standard input is closed")
    return sys.stdin.buffer


def octets(name: str, largest: int = LARGEST) -> bytes:
    """The contents of the file `name`. OSError if it cannot be read, UsageError if it is too large."""
    if name == STANDARD_INPUT:
        content = standard_input().read(largest + 1)
    else:
        with Path(name).open("rb") as file:
            content = file.read(largest + 1)
    if len(content) > largest:
        raise UsageError(f"{name} has more than {largest} octets")
    return content


def script(name: str, largest: int = SCRIPT_SIZE) -> bytes:
    """The contents of the script `name`, as far as the checker reads. OSError if it cannot be read."""
    return standard_input().read(largest + 1) if name == STANDARD_INPUT else contents(Path(name), largest)


class Inputs(Generic[T]):
    """The files of a command line, read one after another: (name, `read(name)`). What cannot be read is reported on
    standard error and left out; `status` is then 2, else 0. UsageError if standard input is named twice.

    With `suffixes`, folders are searched, with all folders below, for files that end with one of them (`("",)`: all files).
    A folder without any is reported too, because a mistyped path must not pass; `what` is what was looked for.
    """

    def __init__(
        self, paths: Sequence[str], read: Callable[[str], T], suffixes: tuple[str, ...] = (), what: str = "files"
    ) -> None:
        if sum(path == STANDARD_INPUT for path in paths) > 1:
            raise UsageError("standard input (-) can be read only once")
        self.status = 0
        self._read = read
        self.names: list[str] = []
        """All files, each once."""
        for path in paths:
            if suffixes and path != STANDARD_INPUT and Path(path).is_dir():
                self.names += self._search(path, suffixes, what)
            else:
                self.names.append(path)
        self.names = list(dict.fromkeys(self.names))

    def __iter__(self) -> Iterator[tuple[str, T]]:
        for name in self.names:
            try:
                content = self._read(name)
            except (OSError, UsageError) as error:
                self._report(error)
            else:
                yield name, content

    def _search(self, folder: str, suffixes: tuple[str, ...], what: str) -> list[str]:
        failed = self.status
        files = [
            str(path)
            for parent, _, names in os.walk(folder, onerror=self._report)
            for name in names
            if name.endswith(suffixes) and (path := Path(parent, name)).is_file()  # not a pipe, which may never end
        ]
        if not files and self.status == failed:
            patterns = ", ".join(f"*{suffix}" for suffix in suffixes if suffix)
            self._report(UsageError(f"{folder}: no {what}{f' ({patterns})' if patterns else ''} found"))
        return sorted(files)

    def _report(self, error: OSError | UsageError) -> None:
        print_error(error_text(error) if isinstance(error, OSError) else str(error))
        self.status = 2


# ---- the envelope


def address(text: str, option: str) -> str:
    """The address in an option's value, without angle brackets. UsageError if it is not one."""
    parsed = envelope(text)
    if not parsed.text or parsed.local is None:
        raise UsageError(f'{option}: "{text}" is not a valid email address')
    return parsed.text


_SENDER_FIELDS = ("return-path", "sender", "from")
_RECIPIENT_FIELDS = ("delivered-to", "x-original-to", "envelope-to", "to")
"""Postfix writes the first two, Exim the third."""


def sender_of(message: Message, option: str | None) -> str:
    """The envelope's sender: the option's value, else the first address in the message's own fields."""
    if option is not None:
        return address(option, "--from") if option.strip("<> ") else ""
    addresses = _first_addresses(message, _SENDER_FIELDS)
    return SENDER if addresses is None else addresses[0].text if addresses else ""


def recipients_of(message: Message, options: Iterable[str] | None) -> tuple[str, ...]:
    """The envelope's recipients, each once: the options' values, else all addresses of the first field that has any."""
    if options:
        return tuple(dict.fromkeys(address(text, "--to") for text in options))
    addresses = _first_addresses(message, _RECIPIENT_FIELDS)
    return tuple(dict.fromkeys(a.text for a in addresses[:RECIPIENTS])) if addresses else (RECIPIENT,)


def _first_addresses(message: Message, names: Iterable[str]) -> list[Address] | None:
    """The addresses in the first field with any; empty for the null reverse-path `<>`, None if no field has one."""
    for name in names:
        for value in message.fields.get(name, ()):
            text = headers.unfold(value)
            if text == "<>":
                return []
            addresses = [mailbox for mailbox in mailboxes(text) if mailbox.local is not None]
            if addresses:
                return addresses
    return None
