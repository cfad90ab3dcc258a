"""printing: untrusted text to text that is safe to show on one line.

A leaf. Scripts, messages and engines choose much of what ends up in problems, faults, notes, traces and replies.
"""

from __future__ import annotations

import re

_AFTER_SLASHES = re.compile(r'(?<=//)(?:[^"\\\n]|\\.)++')
"""The rest of a URL after `//`, as far as it may go: to the end of the string, or of the line."""


def printable(text: str, replacement: str = "?", length: int | None = None) -> str:
    """The first `length` characters of `text`, all of them without a length, with `replacement` for each that is not
    printable: line ends, tabs, other control characters, lone surrogates. It cannot start a line or move a cursor."""
    text = text[:length]
    return text if text.isprintable() else "".join([c if c.isprintable() else replacement for c in text])


def without_passwords(text: str) -> str:
    """`text` with `*` for each character from the `//` of a URL to its last `@`: who logs in, and with what password. It is as
    long as before, so that places in it are the same."""
    return _AFTER_SLASHES.sub(_hidden, text)


def _hidden(url: re.Match[str]) -> str:
    login, at, rest = url[0].rpartition("@")
    return "*" * len(login) + at + rest
