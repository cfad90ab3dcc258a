"""output: lines and values to standard output, errors and progress to standard error.

On a terminal, text is coloured and wrapped to its width, never within a word. Elsewhere each row is one line, for `grep`,
and prose is wrapped at `PROSE` columns.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import TextIO

from sieveav.printing import printable

PROSE = 100
"""Columns of prose when standard output is not a terminal."""

NARROWEST = 40
"""Columns that are used on a terminal that has fewer."""

_COLOURS = {"bad": "\x1b[31m", "good": "\x1b[32m", "odd": "\x1b[33m", "dim": "\x1b[2m", "bold": "\x1b[1m"}


def print_lines(lines: Iterable[str]) -> None:
    """Print lines to standard output."""
    for line in lines:
        print(line)  # noqa: T201


def print_error(text: str) -> None:
    """Print one line about what went wrong to standard error."""
    print(f"sieveav: {printable(text)}", file=sys.stderr)  # noqa: T201


def error_text(error: OSError) -> str:
    """An error of the system in one line: the file, and the reason."""
    name = f"{error.filename}: " if error.filename is not None else ""
    return f"{name}{error.strerror or error}"


class Report:
    """What a command prints in the format that was chosen: lines for people, or JSON for programs."""

    def __init__(self, chosen: str) -> None:
        self.is_json = chosen == "json"

    def lines(self, lines: Iterable[str]) -> None:
        """Print `lines` if the format is text."""
        if not self.is_json:
            print_lines(lines)

    def json(self, value: Callable[[], object]) -> None:
        """Print what `value()` returns, on one line, if the format is json."""
        if self.is_json:
            print_lines([as_json(value())])


# ---- JSON


def as_json(value: object) -> str:
    r"""A value as JSON in ASCII. An octet of a file name that is not UTF-8 is written `\xNN`, and any other lone surrogate
    as U+FFFD: JSON text with surrogates is refused or changed by other programs."""
    import json  # only for this format

    text = json.dumps(value)
    return json.dumps(_without_surrogates(value)) if "\\ud" in text else text


def _without_surrogates(value: object) -> object:
    if isinstance(value, str):
        return re.sub("[\ud800-\udfff]", _readable, value)
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_surrogates(item) for item in value]
    return value


def _readable(match: re.Match[str]) -> str:
    octet = ord(match[0]) - 0xDC00  # as PEP 383 (surrogateescape) hides an octet of a file name
    return f"\\x{octet:02x}" if 0x80 <= octet <= 0xFF else "\ufffd"


# ---- text


def is_terminal() -> bool:
    """Whether standard output is a terminal."""
    return sys.stdout.isatty()


def paint(text: str, colour: str, stream: TextIO | None = None) -> str:
    """`text` in a colour; as it is if `stream` (standard output) is not a terminal, or NO_COLOR or TERM=dumb is set."""
    isatty = (stream or sys.stdout).isatty
    plain = not colour or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not isatty()
    return text if plain else f"{_COLOURS[colour]}{text}\x1b[0m"


def width() -> int | None:
    """The columns of the terminal; None if standard output is not a terminal."""
    if not is_terminal():
        return None
    import shutil  # 4 ms, only for terminals

    return max(NARROWEST, shutil.get_terminal_size().columns)


def prose(text: str, columns: int | None = None, indent: str = "", hanging: str = "") -> Iterator[str]:
    """The lines of a text, each after `indent`: paragraphs and items (`* `, `Why: `) are wrapped to `columns`, their further
    lines after `hanging` too; indented lines stay as they are."""
    columns = columns or width() or PROSE
    for number, lines in groupby(_marked(text), key=lambda marked: marked[0]):
        if number:
            joined = " ".join(line for _, line in lines)
            yield from _wrapped(joined, columns, indent, "  " if joined.startswith("* ") else hanging)
        else:
            yield from (f"{indent}{line}".rstrip() for _, line in lines)


_ITEM = r"\* |[A-Z][a-z]+: "
"""What begins an item: of a list, or a paragraph with a title."""


def _marked(text: str) -> Iterator[tuple[int, str]]:
    """Each line with the number of the paragraph or list item that it belongs to, 0 for one that stays as it is."""
    number = 0
    before = ""
    for line in text.splitlines():
        if line[:1] in ("", " ") and not (line.startswith("  ") and before.startswith("* ")):
            before = ""
            yield 0, line
        else:
            if not before or re.match(_ITEM, line):
                number += 1
                before = line
            yield number, line.strip()


def _wrapped(text: str, columns: int, indent: str, hanging: str = "") -> list[str]:
    import textwrap  # only for what is too wide, and for prose

    return textwrap.wrap(
        text,
        columns,
        initial_indent=indent,
        subsequent_indent=indent + hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )


Cell = tuple[str, str]
"""A text and its colour, "" for none."""

PADDED = 40
"""Columns up to which the cells of a table are padded."""

GAP = "   "


def columns(rows: Sequence[Sequence[Cell]], indent: int) -> Iterator[str]:
    """Rows of cells as lines, their columns aligned. On a terminal, the last cell of a row that is too long is wrapped in
    its column; if even that is too narrow, each cell but the first has lines of its own."""
    rows = [[(printable(text), colour) for text, colour in row] for row in rows]
    count = max(map(len, rows), default=0)
    widths = [min(PADDED, max((len(row[i][0]) for row in rows if i < len(row)), default=0)) for i in range(count)]
    most = width()
    for row in rows:
        padded = [text.ljust(widths[i]) if i + 1 < len(row) else text for i, (text, _) in enumerate(row)]
        line = " " * indent + GAP.join(padded).rstrip()
        if most is None or len(line) <= most:
            cells = [paint(text, colour) for text, (_, colour) in zip(padded, row, strict=True)]
            yield " " * indent + GAP.join(cells).rstrip()
        else:
            yield from _folded(row, padded, indent, most)


def _folded(row: Sequence[Cell], padded: Sequence[str], indent: int, most: int) -> Iterator[str]:
    """The lines of a row that is wider than the terminal."""
    text, colour = row[-1]
    begin = indent + sum(len(cell) + len(GAP) for cell in padded[:-1])
    if most - begin >= NARROWEST // 2 and len(max(text.split(), key=len, default="")) <= most - begin:
        cells = [paint(cell, c) for cell, (_, c) in zip(padded[:-1], row[:-1], strict=True)]
        first, *rest = _wrapped(text, most - begin, "") or [""]
        yield " " * indent + GAP.join([*cells, paint(first, colour)])
        yield from (" " * begin + paint(line, colour) for line in rest)
        return
    for i, (text, colour) in enumerate(row):
        margin = " " * (indent + (4 if i else 0))
        yield from (margin + paint(line, colour) for line in _wrapped(text, most - len(margin), ""))


def counted(number: int, one: str, many: str = "") -> str:
    """`number` with its noun: `1 file`, `2 files`."""
    return f"{number} {one if number == 1 else many or one + 's'}"


# ---- progress

_BAR = 30
_EVERY = 0.1
"""Seconds between two drawings of a progress line."""


def progress(total: int, noun: str = "files") -> Callable[[int, str], None]:
    """A progress bar on standard error, if that is a terminal: show(done, note). With `done` = `total` it disappears."""
    if not sys.stderr.isatty() or total < 2:
        return lambda _done, _note: None
    drawn = 0.0

    def show(done: int, note: str) -> None:
        nonlocal drawn
        now = time.monotonic()
        if done < total and now - drawn < _EVERY:
            return
        drawn = now
        filled = _BAR * done // total
        bar = f"[{'#' * filled}{'.' * (_BAR - filled)}] {done}/{total} {noun}{', ' if note else ''}{note}"
        sys.stderr.write(f"\r\x1b[K{bar if done < total else ''}")
        sys.stderr.flush()

    return show
