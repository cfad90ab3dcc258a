"""transfer: encoded bodies to their octets, and back where something in an encoded part has changed.

Decoding is as lenient as that of mail clients: what a scanner does not decode, a client may show. A leaf, pure and total:
any octets give an answer, in linear time.
"""

from __future__ import annotations

import binascii
import io
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import compress, islice

from pybase64 import b64decode

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
PIECE = 64 * 1024
"""Octets that are looked at together."""

_NOT_BASE64 = bytes(set(range(256)) - set(_ALPHABET + b"="))
_UU_BEGIN = re.compile(rb"^begin [0-7]{3,4} [^\n]*+\n", re.MULTILINE)
_TRAILING = re.compile(rb"(?<![ \t])[ \t]++(?=\r?\n)")


def _base64(body: bytes) -> bytes:
    """RFC 2045, 6.8: other characters are skipped. Data after padding is decoded too, so nothing can hide behind it."""
    data = body.rstrip(b"= \t\r\n")
    if b"=" not in data:
        with suppress(binascii.Error):  # a character is left
            return b64decode(data + b"==")  # a tenth of the time
    runs = body.translate(None, _NOT_BASE64).split(b"=")
    whole = (run[:-1] if len(run) % 4 == 1 else run for run in runs if run)
    return b"".join(binascii.a2b_base64(run + b"=" * (-len(run) % 4)) for run in whole)


def bad_base64(body: bytes | memoryview) -> bool:
    """Whether mail clients may decode this base64 differently: other characters, a wrong length, more than two paddings."""
    length = padding = 0
    for start in range(0, len(body), PIECE):  # a large attachment is not copied as a whole
        packed = bytes(body[start : start + PIECE]).translate(None, b" \t\r\n")
        data = packed.rstrip(b"=")
        if data and (padding or b"=" in data or not _is_base64(data)):
            return True
        length += len(packed)
        padding += len(packed) - len(data)
    return length % 4 != 0 or padding > 2


def _is_base64(data: bytes) -> bool:
    """Whether there are characters of the alphabet alone."""
    groups = len(data) // 4 * 4
    try:
        b64decode(data[:groups], validate=True)
    except binascii.Error:
        return False
    return not data[groups:].translate(None, _ALPHABET)


def _alike_lines(body: bytes) -> int:
    """The end of the lines that are as long as the first, if that has whole groups: as encoders write them. 0 if others are
    between them."""
    length = body.find(b"\n") + 1
    if not length or len(body[:length].rstrip()) % 4:
        return 0
    count = len(body) // length
    end = count * length
    alike = body[length - 1 :: length].count(b"\n") == count == body.count(b"\n", 0, end)
    return end if alike else 0


def lines_are_whole(body: bytes) -> bool:
    """Whether every line but the last has whole groups of four, so that decoding line by line is the same."""
    at = _alike_lines(body)
    left = 0
    while at < len(body):  # a large attachment is not divided into lines as a whole
        stop = body.find(b"\n", at + PIECE) + 1 or len(body)
        for line in body[at:stop].split():
            if left:
                return False
            left = len(line) % 4
        at = stop
    return True


_LARGE_PIECE = 1024 * 1024


def regular_base64(body: memoryview) -> bytes | None:
    """The octets of base64 as encoders write it, in lines of whole groups of four, which all clients decode alike; None for any
    other. Nothing of a large attachment is copied as a whole but the result."""
    out = io.BytesIO()
    at, ended = 0, False
    while at < len(body):
        piece = bytes(body[at : at + _LARGE_PIECE])
        if at + len(piece) < len(body):
            piece = piece[: piece.rfind(b"\n") + 1]
        at += len(piece)
        packed = piece.translate(None, b" \t\r\n")
        if not piece or (ended and packed) or len(packed) % 4 or not lines_are_whole(piece):
            return None
        try:
            out.write(b64decode(packed, validate=True))
        except binascii.Error:
            return None
        ended = packed.endswith(b"=")
    return out.getvalue()


def runs_of_base64(body: bytes) -> bytes:
    """base64 in which each padding and each line end begins a new group of four: as decoders read that go line by line."""
    return _base64(body.replace(b"\n", b"="))


def base64_without_padding(body: bytes) -> bytes:
    """base64 whose `=` are skipped like any other character."""
    return _base64(body.translate(None, b"="))


_PADS = re.compile(rb"=++")
_MANY_PADS = 1000


def base64_to_padding(body: bytes) -> bytes:
    """base64 up to the padding that completes a group of four; single `=` elsewhere are skipped."""
    data = body.translate(None, _NOT_BASE64)
    used = at = 0
    for pads in islice(_PADS.finditer(data), _MANY_PADS):  # beyond them, it is the beginning of base64_without_padding
        used += pads.start() - at
        if used % 4 == 3 or (used % 4 == 2 and len(pads[0]) > 1):
            return base64_without_padding(data[: pads.start()])
        at = pads.end()
    return base64_without_padding(data)


_ZERO_FOR_PAD = bytes.maketrans(b"=", b"A")
_IS_PAD = bytes(octet == 61 for octet in range(256))


def groups_of_base64(body: bytes) -> bytes:
    """base64 in groups of four characters, padding included: each `=` of a group means an octet less, wherever it is."""
    data = body.translate(None, _NOT_BASE64)
    data += b"=" * (-len(data) % 4)
    octets = binascii.a2b_base64(data.translate(_ZERO_FOR_PAD))
    # The paddings of all groups are counted at once: a loop would be slow for a body that is all padding.
    is_pad = data.translate(_IS_PAD)
    count = sum(int.from_bytes(is_pad[place::4], "big") for place in range(4)).to_bytes(len(data) // 4, "big")
    kept = bytearray(len(octets))
    for place in range(3):
        kept[place::3] = count.translate(bytes(pads < 3 - place for pads in range(256)))
    return bytes(compress(octets, kept))


def _quoted_printable(body: bytes) -> bytes:
    if any(blank in body for blank in (b" \n", b"\t\n", b" \r\n", b"\t\r\n")):
        body = _TRAILING.sub(b"", body)  # RFC 2045, 6.7 (3): added in transport; may hide a soft line break
    return binascii.a2b_qp(body)


def _uu_line(line: bytes) -> bytes:
    """The octets of one uuencoded line, as many as its first character says: encoders leave rubbish after them, and white
    space may be lost or added in transport. binascii.Error for an invalid line."""
    characters = (((line[0] - 32) & 63) * 4 + 5) // 3 if line else 0
    return binascii.a2b_uu(line[:characters])


def _uuencoded(body: bytes) -> bytes:
    begin = _UU_BEGIN.search(body)
    return uu_lines(body[begin.end() :]) if begin else body


def uu_lines(lines: bytes) -> bytes:
    """uuencoded lines up to `end`; those that are not valid are skipped."""
    out: list[bytes] = []
    for line in lines.split(b"\n"):
        line = line.rstrip(b"\r")
        if line.strip() in (b"end", b"`", b""):
            if line.strip() == b"end":
                break
            continue
        try:
            out.append(_uu_line(line))
        except binascii.Error:
            continue
    return b"".join(out)


_UU_TO_BASE64 = bytes(_ALPHABET[(octet - 32) & 63] for octet in range(256))


def _lenient_uu_line(line: bytes) -> bytes:
    length = (line[0] - 32) & 63
    data = line[1 : 1 + (length + 2) // 3 * 4].translate(_UU_TO_BASE64)
    data += b"A" * ((length + 2) // 3 * 4 - len(data))
    return binascii.a2b_base64(data)[:length]


def lenient_uu_lines(lines: bytes) -> bytes:
    """uuencoded lines up to `end`, read without looking whether they are valid: only six bits of each character count, and
    what is missing is zero."""
    out: list[bytes] = []
    for line in lines.split(b"\n"):
        text = line.strip()
        if text == b"end":
            break
        if text:
            out.append(_lenient_uu_line(line.rstrip(b"\r")))
    return b"".join(out)


# yEnc 1.3: each octet plus 42; NUL, LF, CR and `=` as `=` and the sum plus 64.
_Y_BEGIN = re.compile(rb"^=ybegin [^\n]*+(?:\n=ypart [^\n]*+)?\n", re.MULTILINE)
_Y_END = re.compile(rb"^=yend(?![^ \r\n])", re.MULTILINE)
_Y_PLAIN = bytes((octet - 42) & 255 for octet in range(256))
_Y_ESCAPED = bytes((octet - 42 - 64) & 255 for octet in range(256))
_Y_ESCAPES = bytes(255 * (octet == 61) for octet in range(256))
_Y_KEPT = bytes(octet != 61 for octet in range(256))


def yenc_lines(lines: bytes) -> bytes:
    """The octets of yEnc's lines, without those that begin with `=y`."""
    # Two `=` are an escaped `=`; written as the octet of the same meaning, every other `=` escapes what is behind it. All
    # are replaced at once: a loop would be slow for a body that is all escapes.
    text = lines.translate(None, b"\r\n").replace(b"==", bytes([(61 - 64) & 255]))
    escaped = int.from_bytes(b"\0" + text.translate(_Y_ESCAPES)[:-1], "big")
    plain = int.from_bytes(text.translate(_Y_PLAIN), "big")
    other = int.from_bytes(text.translate(_Y_ESCAPED), "big")
    octets = (plain ^ ((plain ^ other) & escaped)).to_bytes(len(text) + 1, "big")
    return bytes(compress(octets[1:], text.translate(_Y_KEPT)))


def yenc_files(text: bytes) -> Iterator[tuple[str, bytes]]:
    """The names and octets of the yEnc files within a text. A file without an end lasts to the end of the text."""
    at = 0
    while begin := _Y_BEGIN.search(text, at):
        end = _Y_END.search(text, begin.end())
        at = end.start() if end else len(text)
        name = begin[0].partition(b"\n")[0].partition(b" name=")[2]
        yield name.strip().decode("ascii", "replace"), yenc_lines(text[begin.end() : at])


DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "base64": _base64,
    "quoted-printable": _quoted_printable,
    **dict.fromkeys(("uuencode", "uue", "x-uue", "x-uuencode"), _uuencoded),
}
"""Name of an encoding, in lower case -> its decoder."""

PLAIN = frozenset({"7bit", "8bit", "binary"})
"""The encodings that change nothing."""

# ---- encoding


def _to_base64(content: bytes, newline: bytes) -> bytes:
    """RFC 2045, 6.8: lines of 76 characters."""
    lines = [binascii.b2a_base64(content[at : at + 57], newline=False) for at in range(0, len(content), 57)]
    return newline.join([*lines, b""])


_NOT_PRINTABLE = re.compile(rb"[^\t !-<>-~]+|[ \t]\Z")
_PIECE = re.compile(rb".{1,70}(?:(?<==)..|(?<==.).)?")


def _quoted(line: bytes) -> list[bytes]:
    """A line in pieces of at most 74 characters, none of which begins with a hyphen, so none can be a boundary."""
    line = _NOT_PRINTABLE.sub(lambda run: f"={run[0].hex('=')}".upper().encode(), line)
    return [b"=2D" + piece[1:] if piece[:1] == b"-" else piece for piece in _PIECE.findall(line)]


def _to_quoted_printable(content: bytes, newline: bytes) -> bytes:
    """RFC 2045, 6.7. A line end other than `newline` is encoded like any octets."""
    soft = b"=" + newline
    return newline.join([soft.join(_quoted(line)) for line in content.split(newline)])


def _to_uuencode(content: bytes, newline: bytes) -> bytes:
    lines = [b"begin 644 part"]
    at = 0
    while at < len(content):
        length = 12 if len(content) - at == 13 else 45  # a line of 13 octets would begin with a hyphen, like a boundary
        lines.append(binascii.b2a_uu(content[at : at + length], backtick=True).rstrip(b"\n"))
        at += length
    return newline.join([*lines, b"`", b"end", b""])


ENCODERS: dict[str, Callable[[bytes, bytes], bytes]] = {
    "base64": _to_base64,
    "quoted-printable": _to_quoted_printable,
    **dict.fromkeys(("uuencode", "uue", "x-uue", "x-uuencode"), _to_uuencode),
}
"""Name of an encoding -> its encoder, as in DECODERS; the second argument is the line end. The decoder of that name gives the
same octets again, and no line of the result begins with a hyphen."""
