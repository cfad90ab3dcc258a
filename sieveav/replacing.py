"""replacing: a message, one part of it and other octets to the message with these in its place.

A leaf, pure and total. All other octets remain as they are, but for what must change with that part.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from sieveav.composing import boundary
from sieveav.headers import TOKEN, field_spans, newline_of
from sieveav.mime import Part, boundary_of
from sieveav.transfer import ENCODERS

_Change = tuple[int, int, bytes]
"""The octets from one offset to another are replaced by these."""


def replaced(root: Part, path: Sequence[int], octets: bytes) -> bytes:
    """The message with the tree `root`, in which `octets` replace the header and body of the part at `path`.

    A path is the numbers, from 0, of nested parts; that of the root is empty. IndexError if there is no such part. The
    content of an encoded message or multipart is encoded again. An enclosing multipart gets another boundary if the octets
    have a line that begins with its own, because they must remain one part.
    """
    chain = [root]
    for number in path:
        chain.append(chain[-1].parts[number])
    part = chain.pop()
    source = part.source
    if not chain or octets == source[part.begin : part.end]:
        return root.source if chain else octets
    octets = _set_off(octets, source, part.end)
    if not chain[-1].content_type.startswith("message/"):
        octets = _in_a_line(part, newline_of(source)) + octets
    elif chain[-1].source is source:
        octets = _as_body(octets, chain[-1])
    changes = [(part.begin, part.end, octets)]
    while chain:
        around = chain.pop()
        header: Iterable[_Change] = ()
        divided = not around.content_type.startswith("message/")
        mark = b"--" + boundary_of(around)
        if divided and (octets.startswith(mark) or b"\n" + mark in octets):
            other = boundary(source, octets, b"%d" % len(chain))
            changes += _gaps(around, source, mark, b"--" + other.encode())
            header = _renamed(around, other)
        if around.source is not source:
            content = _spliced(source, changes)[1 if divided else 0 :]  # see _multipart
            source = around.source
            octets = ENCODERS[around.encoding](content, newline_of(source))
            octets = _as_body(_set_off(octets, source, around.end), around)
            changes = [(around.start, around.end, octets)]
        changes += header
    return _spliced(source, changes)


def _spliced(source: bytes, changes: list[_Change]) -> bytes:
    pieces, at = [], 0
    for begin, end, octets in sorted(changes):
        pieces += [source[at:begin], octets]
        at = end
    return b"".join([*pieces, source[at:]])


def _set_off(octets: bytes, source: bytes, end: int) -> bytes:
    """`octets` in the form that precedes source[end:], which is nothing, or a boundary with the line end before it."""
    after = source[end : end + 1]
    added = b""
    if octets and after not in (b"", b"\r", b"\n"):  # that line end is also the one of the last boundary
        added = after = newline_of(source)
    if octets.endswith(b"\r") and after == b"\n":  # it would become a part of the line end before the boundary
        return octets + b"\r" + added
    return octets + added


_EMPTY_LINE_LAST = re.compile(rb"(?:\A|\n)\r?\n\Z")


def _as_body(octets: bytes, around: Part) -> bytes:
    """`octets` in the form that follows the header of `around`, which may lack an empty line at its end."""
    newline = newline_of(around.source)
    if around.begin == around.start:  # without a header, it begins with the empty line
        return _in_a_line(around, newline) + newline + octets
    head = around.source[around.begin : around.start]
    added = b"\n" if head.endswith(b"\r") else b"" if head.endswith(b"\n") else newline
    if _EMPTY_LINE_LAST.search(head + added) is None:
        added += newline
    return added + octets


def _in_a_line(part: Part, newline: bytes) -> bytes:
    """The line end that is missing before a part if the message ends with its boundary."""
    return newline if part.source[part.begin - 1 : part.begin] not in (b"", b"\n") else b""


def _gaps(around: Part, source: bytes, mark: bytes, other: bytes) -> Iterator[_Change]:
    """Changes that put another boundary in each boundary line of a multipart."""
    end = around.around[0][1]
    begins = [(part.begin, part.end) for part in around.parts]
    if around.around[1] != (0, 0):
        begins.append((around.around[1][0], 0))
    for begin, next_end in begins:
        yield end, begin, source[end:begin].replace(mark, other, 1)
        end = next_end


def _renamed(around: Part, boundary: str) -> Iterator[_Change]:
    """Changes that put another boundary in the header of a multipart: one Content-Type field replaces all."""
    newline = newline_of(around.source)
    lines = [f"Content-Type: {around.content_type}"]
    for name, value in {**around.parameters, "boundary": boundary}.items():
        if not re.fullmatch(TOKEN, name, re.ASCII):
            continue
        if value.isascii() and value.isprintable():
            value = value.replace("\\", "\\\\").replace('"', '\\"')
            lines.append(f'{name}="{value}"')
        else:  # RFC 2231, 4
            lines.append(f"{name}*=utf-8''" + "".join(f"%{octet:02X}" for octet in value.encode("utf-8", "replace")))
    field = f";{newline.decode()} ".join(lines).encode("utf-8", "replace") + newline
    for name, begin, end in field_spans(around.header):
        if name == "content-type":
            yield around.begin + begin, around.begin + end, field
            field = b""
