"""yara_sources: files of YARA rules into their sources, with what they include; and whether a file has changed since.

    include "mail/droppers.yar"

The compiler would open any path that an `include` names, and does not say which files it has read. So includes are resolved
here: a file includes only files in its own folder and in the folders below it. A file with includes becomes several sources,
which the compiler gets in their order. A file that is included again counts once, so it may include itself.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from sieveav.limits import MIB
from sieveav.verdict import plain

SIZE = 64 * MIB
"""Octets of all sources together; the largest public collections have a tenth of it."""

FILES = 10_000
"""Files that are read for one file of the site's; the largest public collections have a tenth of it."""

DEPTH = 16
"""Files that include one another; YARA's own limit."""

_COMMENT = r"//[^\n]*+|/\*(?s:.*?)(?:\*/|\Z)"

_TOKENS = re.compile(
    rf"""
    {_COMMENT}
    | "(?:[^"\\\n]|\\.)*+"?
    | /(?:[^/\\\n]|\\.)++/?  # a regular expression: division is written with a backslash
    | \binclude\b(?:\s|{_COMMENT})*+"(?P<name>[^"\\\n]*+)"
    """,
    re.VERBOSE | re.ASCII,
)
"""What may contain the word `include`, and an include itself, of which only the last has a `name`."""

_Stamp = tuple[int, int, int] | None
"""What changes if a file is changed; None if there is no file."""


class Source(NamedTuple):
    """Rules in a row: the `file` they are in, and the name of the site's file that they belong to, which is the namespace. The
    `text` begins with as many line ends as the file has lines before it, so that the compiler names the right one."""

    namespace: str
    file: str
    text: str


class Sources:
    """One reading of the included rules and of the site's files `paths`."""

    def __init__(self, paths: Sequence[Path | str]) -> None:
        self._paths = tuple(map(Path, paths))
        self._stamps: dict[Path, _Stamp] = {}
        self._octets = 0

    def read(self) -> Iterator[Source]:
        """The sources in their order. ValueError, with the file and the reason, if one cannot be read or is too large."""
        for included in sorted(resources.files("sieveav.engines").iterdir(), key=lambda file: file.name):
            if included.name.endswith(".yar"):
                yield Source(included.name, included.name, included.read_text(encoding="utf-8"))
        for path in self._paths:
            yield from self._file(str(path), path, set())

    @property
    def have_changed(self) -> bool:
        """Whether a file that was read, or was looked for, is another one now."""
        return any(_stamp(path) != stamp for path, stamp in self._stamps.items())

    def _file(self, namespace: str, path: Path, seen: set[Path], depth: int = 1) -> Iterator[Source]:
        """The sources of one file, and of those that it includes; `seen` has all files of the namespace."""
        text = self._text(path)
        seen.add(path.resolve())
        if depth > DEPTH or len(seen) > FILES:
            raise _wrong(path, f"more than {DEPTH} files include one another, or more than {FILES} are included")
        begin = lines = 0
        for token in _TOKENS.finditer(text):
            if token["name"] is not None:
                yield from self._source(namespace, path, lines, text[begin : token.start()])
                lines += text.count("\n", begin, token.end())
                begin = token.end()
                included = _included(path, token["name"])
                if included.resolve() not in seen:
                    yield from self._file(namespace, included, seen, depth + 1)
        yield from self._source(namespace, path, lines, text[begin:])

    def _source(self, namespace: str, path: Path, lines: int, text: str) -> Iterator[Source]:
        if text and not text.isspace():
            self._count(path, lines)
            yield Source(namespace, str(path), "\n" * lines + text)

    def _text(self, path: Path) -> str:
        self._stamps[path] = _stamp(path)  # before it is read: what is changed meanwhile is read again
        try:
            if not stat.S_ISREG(path.stat().st_mode):
                raise OSError("not a file")
            with path.open("rb") as file:
                octets = file.read(SIZE - self._octets + 1)
            text = octets.decode()
        except (OSError, ValueError) as error:
            raise _wrong(path, getattr(error, "strerror", "") or str(error)) from None
        self._count(path, len(octets))
        return text

    def _count(self, path: Path, octets: int) -> None:
        self._octets += octets
        if self._octets > SIZE:
            raise _wrong(path, f"more than {SIZE} octets of rules")


def _included(path: Path, name: str) -> Path:
    """The file that the file at `path` includes by this name. ValueError if it is not in its folder or below."""
    folder = path.parent
    try:
        if (folder / name).resolve().is_relative_to(folder.resolve()):
            return folder / name
    except (OSError, RuntimeError, ValueError):  # a loop of symbolic links, or NUL
        pass
    raise _wrong(path, f'include "{name}": not in the folder of this file, nor below it')


def _stamp(path: Path) -> _Stamp:
    try:
        status = os.stat(path)  # noqa: PTH116  # as fast as can be
    except (OSError, ValueError):
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _wrong(path: Path, reason: str) -> ValueError:
    return ValueError(f"rules: {plain(str(path))}: {plain(reason)}")
