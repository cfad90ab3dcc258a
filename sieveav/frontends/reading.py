"""reading: names on the command line to messages, envelopes and scripts; `-` is standard input, which is read once."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from sieveav import headers
from sieveav.frontends.arguments import UsageError
from sieveav.limits import SCRIPT_SIZE
from sieveav.running.addresses import envelope, mailboxes
from sieveav.running.message import Message
from sieveav.site.scripts import contents

LARGEST = 256 * 1024 * 1024
"""Octets of a message file: no mail is larger, and all of it is held in memory."""

STANDARD_INPUT = "-"


def standard_input() -> BinaryIO:
    """Standard input, as octets."""
    if sys.stdin is None:
        raise UsageError("standard input is closed")
    return sys.stdin.buffer


def octets(name: str, largest: int = LARGEST) -> bytes:
    """What the file `name` holds. OSError when it cannot be read, UsageError when it is too large."""
    if name == STANDARD_INPUT:
        found = standard_input().read(largest + 1)
    else:
        with Path(name).open("rb") as file:
            found = file.read(largest + 1)
    if len(found) > largest:
        raise UsageError(f"{name} has more than {largest} octets")
    return found


def script(name: str) -> bytes:
    """What the script `name` holds, as far as the checker reads. OSError when it cannot be read."""
    return standard_input().read(SCRIPT_SIZE + 1) if name == STANDARD_INPUT else contents(Path(name))


def messages(names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Each message by its name. Each file is seen to be readable before the first is handled."""
    check_readable(names)
    for name in names:
        yield name, octets(name)


def check_readable(names: Sequence[str]) -> None:
    """OSError for the first file that cannot be read: nothing is to be done with some, and then not with all."""
    if sum(name == STANDARD_INPUT for name in names) > 1:
        raise UsageError("- stands for standard input, and that can be read only once")
    for name in names:
        if name != STANDARD_INPUT:
            with Path(name).open("rb") as file:
                file.read(1)


def address(text: str, option: str) -> str:
    """An address given on the command line, without angle brackets. UsageError when it is none."""
    found = envelope(text)
    if not found.text or found.local is None:
        raise UsageError(f'{option}: "{text}" is no mail address')
    return found.text


_SENDER = ("return-path", "sender", "from")
_RECIPIENT = ("envelope-to", "to")


def sender_of(message: Message, given: str | None) -> str:
    """The envelope's sender: as given, else what the message's own fields say."""
    if given is not None:
        return address(given, "--from") if given.strip("<> ") else ""
    return _first(message, _SENDER, "sender@example.com")


def recipients_of(message: Message, given: Iterable[str] | None) -> tuple[str, ...]:
    """The envelope's recipients: as given, each once, else what the message's own fields say."""
    if given:
        return tuple(dict.fromkeys(address(text, "--to") for text in given))
    return (_first(message, _RECIPIENT, "recipient@example.com"),)


def _first(message: Message, names: Iterable[str], otherwise: str) -> str:
    for name in names:
        for value in message.fields.get(name, ()):
            text = headers.unfold(value)
            if text == "<>":
                return ""
            for found in mailboxes(text):
                if found.local is not None:
                    return found.text
    return otherwise
