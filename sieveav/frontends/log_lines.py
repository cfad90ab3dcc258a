"""log_lines: records of the log to lines on standard error: text, or JSON for programs.

    text   2026-07-28 10:00:00,123 812 INFO generation 1 is ready (workers: 2)
    json   {"time": "2026-07-28T08:00:00.123+00:00", "level": "info", "process": 812, "message": "generation 1 is ready ..."}

A record begins one line, whatever is in its message; the lines of a traceback are indented in text, and in JSON they are
the list `traceback`. The line for a message of mail has the fields of `message_log.py` in place of `message`.

If the journal of systemd reads the lines, each begins with its priority, such as <6> (sd-daemon(3)), and the text has no
time, because the journal has its own.
"""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TextIO

from sieveav.frontends.message_log import MessageLine, cut
from sieveav.frontends.output import as_json

MESSAGE = 1500
"""Octets of a message. With its traceback and all else it is shorter than PIPE_BUF: see message_log.LINE."""

TRACEBACK = 2000
"""Octets of a traceback: its last lines, which name the place and the error."""

PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}
"""Level -> priority (syslog(3))."""


class LogLines(logging.Formatter):
    """Formats records as lines of the form "text" or "json"; with `journal`, for the journal of systemd."""

    def __init__(self, form: str, *, journal: bool) -> None:
        super().__init__()
        self._write = FORMS[form]
        self._journal = journal

    def format(self, record: logging.LogRecord) -> str:
        prefix = f"<{PRIORITIES.get(record.levelno, 6)}>" if self._journal else ""
        time = "" if self._journal else f"{self.formatTime(record)} "
        return "\n".join(prefix + line for line in self._write(record, time))


def start_logging(form: str, level: int) -> None:
    """Log to standard error, from now on, in this process and those that it forks."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LogLines(form, journal=is_journal(sys.stderr)))
    logging.basicConfig(level=level, handlers=[handler], force=True)


def is_journal(stream: TextIO) -> bool:
    """Whether the journal of systemd reads `stream`. systemd.exec(5): JOURNAL_STREAM has its device and inode, and to look
    whether it is set is not sufficient, because processes inherit it whose standard error is something else."""
    named = os.environ.get("JOURNAL_STREAM", "")
    if not named:
        return False
    try:
        status = os.fstat(stream.fileno())
    except OSError:  # closed, or no file at all
        return False
    return named == f"{status.st_dev}:{status.st_ino}"


def _text_lines(record: logging.LogRecord, time: str) -> list[str]:
    message = str(record.msg) if isinstance(record.msg, MessageLine) else cut(record.getMessage(), MESSAGE)
    return [f"{time}{record.process} {record.levelname} {message}", *(f"    {line}" for line in _traceback(record))]


def _json_lines(record: logging.LogRecord, _: str) -> list[str]:
    moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    fields: dict[str, object] = {"time": moment, "level": record.levelname.lower(), "process": record.process}
    if isinstance(record.msg, MessageLine):
        fields |= record.msg.as_json()
    else:
        fields["message"] = cut(record.getMessage(), MESSAGE)
    lines = _traceback(record)
    return [as_json({**fields, "traceback": lines} if lines else fields)]


FORMS: Mapping[str, Callable[[logging.LogRecord, str], list[str]]] = {"text": _text_lines, "json": _json_lines}
"""Form -> the lines of a record; the text begins with the time that is given."""


def _traceback(record: logging.LogRecord) -> list[str]:
    """The last lines of the traceback of a record, each printable."""
    if not record.exc_info:
        return []
    lines = [cut(line, TRACEBACK // 4) for line in "".join(traceback.format_exception(*record.exc_info)).splitlines()]
    shown: list[str] = []
    room = TRACEBACK
    for line in reversed(lines):
        room -= len(as_json(line)) + len(", <3>    ")
        if room < 0:
            break
        shown.insert(0, line)
    return shown
