"""users: a recipient's address to the scripts that are theirs: the one that is active, and those that it may include.

Scripts are found by a template of paths, or in a folder for each user where a link names the active one. What is put into a
template comes from an envelope, so it never leaves the place that the template gives it.
"""

from __future__ import annotations

import errno
import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from glob import escape, glob
from pathlib import Path

from sieveav.running.addresses import envelope

_log = logging.getLogger(__name__)

DIALECTS: Mapping[str, str] = {".siv": "momentum"}
"""Suffix -> dialect. Momentum's dialect needs no `require`; every other suffix is plain Sieve."""

SUFFIX = ".sieve"
"""What a script's file may have after its name."""

ACTIVE = ".active"
"""The link, in a user's folder, to the script that is active."""

ENTRY_LENGTH = 255
"""Octets of the name of one entry of a folder; more is possible on no common file system."""


@dataclass(frozen=True)
class Users:
    """Where users' scripts are. `scripts` is a template for the path of a user's own script, `folder` one for the folder of
    their scripts; at most one of both is set. The templates are absolute paths with the marks %u, %n, %d and %%. `before`
    and `after` are the scripts that run before and after every user's own, `shared` is the folder of those that all may
    include."""

    scripts: str = ""
    folder: str = ""
    before: Path | None = None
    after: Path | None = None
    shared: Path | None = None

    def active(self, recipient: str) -> Path | None:
        """The script that runs for a recipient; None if they have none, or their address does not fit the template.

        A script that cannot be looked at is returned: reading it will report why.
        """
        if self.folder:
            folder = fill(self.folder, recipient)
            return None if folder is None else _within(folder, ACTIVE)
        path = fill(self.scripts, recipient) if self.scripts else None
        return path if path is not None and _exists(path) else None

    def personal(self, recipient: str) -> Path | None:
        """The folder of the scripts that a recipient's own may include by name; None if there cannot be one.

        With `folder` that is it. With `scripts` it is the folder of the recipient's own script; where users share that
        folder, so that each would find the scripts of all, it is the folder beside their script that has its name, without
        the suffix (`alice` beside `alice.sieve`).
        """
        if self.folder:
            return fill(self.folder, recipient)
        if not self.scripts:
            return None
        folder, _, file = self.scripts.rpartition("/")
        if _marks(file) <= _marks(folder):
            script = fill(self.scripts, recipient)
            return None if script is None else script.parent
        suffix = next((suffix for suffix in (SUFFIX, *DIALECTS) if file.endswith(suffix)), None)
        return None if suffix is None else fill(self.scripts.removesuffix(suffix), recipient)

    def everyone(self) -> Iterator[Path]:
        """The scripts of all users that are on disk, sorted: what the templates match, whatever the marks are filled
        with."""
        pattern = _replaced(self.folder or self.scripts, dict.fromkeys("und", "*"), escape)
        if pattern and self.folder:
            pattern += f"/*{SUFFIX}"
        for path in sorted(glob(pattern) if pattern else ()):  # noqa: PTH207  # Path.glob takes no absolute pattern
            if Path(path).is_file():
                yield Path(path)


@lru_cache(4096)  # a message asks for its recipients' paths several times
def fill(template: str, recipient: str) -> Path | None:
    """The path that `template` gives for a recipient; None if a mark's value could lead elsewhere, or is missing.

    `%u` is the whole address, `%n` its local part without detail (what follows "+"), `%d` its domain, all in lower case;
    `%%` is a per cent sign.
    """
    address = envelope(recipient)
    local = (address.local or "").partition("+")[0]
    values = {"u": address.text, "n": local, "d": address.domain or ""}
    lowered = {mark: _lower(value) for mark, value in values.items()}
    filled = _replaced(template, {mark: value for mark, value in lowered.items() if is_entry(value)})
    return None if filled is None else Path(filled)


def is_entry(name: str) -> bool:
    """Whether `name` can be used in a path: as the name of one entry of a folder that is not hidden, and nothing else."""
    return (
        bool(name)
        and len(name.encode("utf-8", "replace")) <= ENTRY_LENGTH
        and not name.startswith(".")
        and name.isprintable()
        and "/" not in name
        and "\\" not in name
    )


def named_script(folder: Path, name: str) -> Path | None:
    """The script of that name in `folder`: the file NAME.sieve or NAME; None if there is no such file. A link is followed
    to a file in the same folder, not to one outside of it."""
    if not is_entry(name):
        return None
    return next((path for entry in (f"{name}{SUFFIX}", name) if (path := _within(folder, entry)) is not None), None)


def _within(folder: Path, entry: str) -> Path | None:
    """The regular file that `entry` of `folder` is or links to, if that is in the folder."""
    try:
        base = os.path.realpath(folder, strict=True)
        real = os.path.realpath(folder / entry, strict=True)
    except OSError:  # it does not exist, its name is too long, or it is a link to itself
        return None
    if os.path.commonpath([base, real]) != base:
        _log.warning("script %s is a link to a file outside of its folder", folder / entry)
        return None
    if not Path(real).is_file():  # opening a pipe would wait for its writer
        return None
    return folder / os.path.relpath(real, base)


def _exists(path: Path) -> bool:
    """Whether there is a file; also if it cannot be looked at, because reading it will report why."""
    try:
        path.stat()
    except OSError as error:
        return error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)
    return True


def _lower(text: str) -> str:
    """`text` in lower case, except for characters such as U+212A, the Kelvin sign, whose lower case is an ASCII letter: they
    would name another user."""
    if text.isascii():
        return text.lower()
    return "".join(c if not c.isascii() and c.lower()[:1].isascii() else c.lower() for c in text)


_MARK = re.compile(r"%(.?)", re.DOTALL)


def _replaced(template: str, values: Mapping[str, str], quote: Callable[[str], str] = str) -> str | None:
    """`template` with its marks replaced, and what is between them quoted; None if a mark has no value."""
    known = {"%": "%", **values}
    parts = _MARK.split(template)  # text, mark, text, mark, ... text
    if any(mark not in known for mark in parts[1::2]):
        return None
    return "".join(known[part] if i % 2 else quote(part) for i, part in enumerate(parts))


def _marks(template: str) -> set[str]:
    """What of an address a part of a template contains: n (the local part), d (the domain), both for %u."""
    text = template.replace("%%", "")
    return {mark for mark in "nd" if f"%{mark}" in text or "%u" in text}
