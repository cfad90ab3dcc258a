"""composing: header fields and whole messages of our own, from text to octets.

A leaf, pure: the same input gives the same octets. Lines are folded (RFC 5322, 2.2.3), what is not ASCII is in encoded
words (RFC 2047), and no control character of the input reaches a line: a text from a message can add no field.
"""

from __future__ import annotations

import base64

LINE = 78
"""Characters of a line, its end aside. RFC 5322, 2.1.1."""

WORD = 75
"""Characters of an encoded word. RFC 2047, 2."""

_PREFIX, _SUFFIX = "=?utf-8?b?", "?="
_OCTETS_OF_WORD = (WORD - len(_PREFIX) - len(_SUFFIX)) // 4 * 3


def one_line(text: str) -> str:
    """`text` with a space for each control character, and U+FFFD for what is no character."""
    text = text.encode("utf-8", "replace").decode("utf-8")
    return text if text.isprintable() else "".join(" " if c < " " or "\x7f" <= c <= "\x9f" else c for c in text)


def encoded(text: str, room: int = WORD) -> list[str]:
    """`text` as encoded words (RFC 2047), each of whole characters, the first of at most `room` characters."""
    words: list[str] = []
    limit = max(3, min(_OCTETS_OF_WORD, (room - len(_PREFIX) - len(_SUFFIX)) // 4 * 3))
    chunk = b""
    for character in text:
        octets = character.encode("utf-8")
        if chunk and len(chunk) + len(octets) > limit:
            words.append(f"{_PREFIX}{base64.b64encode(chunk).decode()}{_SUFFIX}")
            chunk, limit = b"", _OCTETS_OF_WORD
        chunk += octets
    words.append(f"{_PREFIX}{base64.b64encode(chunk).decode()}{_SUFFIX}")
    return words


def field_line(name: str, value: str, newline: bytes = b"\r\n") -> bytes:
    """One header field of unstructured text: `name: value`, encoded and folded, with its line end.

    `name` must be a field's name (RFC 5322, 3.6.8). White space around the value is dropped; a value that could be taken
    for an encoded word is one.
    """
    value = one_line(value).strip()
    plain = value.isascii() and "=?" not in value and max(map(len, value.split(" "))) < 900
    first = f"{name}: "
    if not plain:
        words = encoded(value, LINE - len(first))
        return (
            (f"{first}{words[0]}" + "".join(f"\n {word}" for word in words[1:]) + "\n").encode().replace(b"\n", newline)
        )
    return (fold(first + value) + "\n").encode().replace(b"\n", newline)


def fold(line: str) -> str:
    """A header line folded at spaces, where it has any that far. RFC 5322, 2.2.3: a fold adds a line break only."""
    lines: list[str] = []
    while len(line) > LINE:
        at = line.rfind(" ", line.find(":") + 2 if not lines else 1, LINE + 1)
        if at < 0:
            at = line.find(" ", LINE)
        if at <= 0 or not line[:at].strip() or not line[at:].strip():
            break  # a line of nothing but white space would end the header
        lines.append(line[:at])
        line = line[at:]
    return "\n".join([*lines, line])
