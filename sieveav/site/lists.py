"""lists: the external lists of a site: names to members, read from files, and the questions about them to answers.

A file has one member on each line, in UTF-8. White space around a member, empty lines and lines that begin with `#` are
ignored. A value is in a list if it equals a member, whatever the case of ASCII letters, also in local parts of addresses: as
`:is` compares if a script names no comparator.
"""

from __future__ import annotations

import logging
import stat
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from sieveav.limits import MIB
from sieveav.running.base import ascii_upper
from sieveav.running.questions import Answers, Listed, Members
from sieveav.site.scripts import Stamp, stamp_of

_log = logging.getLogger(__name__)

LARGEST = 4 * MIB
"""Octets of a list's file. A larger one is not read at all, because a part of a list is not the list."""


class MemberList:
    """The members of one list, in their order."""

    def __init__(self, members: Iterable[str]) -> None:
        self.members = tuple(dict.fromkeys(members))
        self._keys = frozenset(map(ascii_upper, self.members))

    def has_any(self, values: Iterable[str]) -> bool:
        """Whether any of the values is in the list."""
        return any(ascii_upper(value) in self._keys for value in values)


def answers(find: Callable[[str], MemberList | None]) -> Answers:
    """How questions about lists are answered; `find` returns the list of a name (a URI), None if there is no such list."""

    def listed(asked: Listed) -> bool | None:
        members = find(asked.list)
        return None if members is None else not asked.values or members.has_any(asked.values)

    def members_of(asked: Members) -> tuple[str, ...] | None:
        members = find(asked.list)
        return None if members is None else members.members

    return {Listed: listed, Members: members_of}


def members_in(text: str) -> list[str]:
    """The members in the text of a file."""
    lines = (line.strip() for line in text.removeprefix("\ufeff").split("\n"))
    return [line for line in lines if line and not line.startswith("#")]


class Lists:
    """The lists whose members are in files: name (a URI) -> file. A file is read again when it has changed."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._files = files
        self._kept: dict[str, tuple[Stamp, MemberList]] = {}

    def find(self, name: str) -> MemberList | None:
        """The list of that name; None if there is no such list, or its file cannot be read, which is logged."""
        path = self._files.get(name)
        if path is None:
            return None
        try:
            return self._read(name, path)
        except OSError as error:
            _log.error("list %s: %s: %s", name, path, error.strerror or error)
            return None

    def _read(self, name: str, path: Path) -> MemberList:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for its writer
            raise OSError("not a regular file")
        stamp = stamp_of(status)
        kept = self._kept.get(name)
        if kept is None or kept[0] != stamp:
            with path.open("rb") as file:
                raw = file.read(LARGEST + 1)
            if len(raw) > LARGEST:
                raise OSError(f"larger than {LARGEST // MIB} MiB")
            kept = self._kept[name] = (stamp, MemberList(members_in(raw.decode("utf-8", "replace"))))
        return kept[1]
