"""printing: untrusted text to text that is safe to show on one line.

A leaf. Scripts, messages and engines choose much of what ends up in problems, faults, notes, traces and replies.
"""

from __future__ import annotations


def printable(text: str, replacement: str = "?", length: int | None = None) -> str:
    """The first `length` characters of `text`, all of them without a length, with `replacement` for each that is not
    printable: line ends, tabs, other control characters, lone surrogates. It cannot start a line or move a cursor."""
    text = text[:length]
    return text if text.isprintable() else "".join([c if c.isprintable() else replacement for c in text])
