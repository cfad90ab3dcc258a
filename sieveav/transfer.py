"""transfer: encoded bodies to their octets, and back where something in an encoded part has changed.

Decoding is as lenient as that of mail clients: what a scanner does not decode, a client may show. A leaf, pure and total:
any octets give an answer, in linear time.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
PIECE = 64 * 1024
"""Octets that are looked at together."""

_NOT_BASE64 = bytes(set(range(256)) - set(_ALPHABET + b"="))
_UU_BEGIN = re.compile(rb"^begin [0-7]{3,4} [^\n]*+\n", re.MULTILINE)
_TRAILING = re.compile(rb"(?<![ \t])[ \t]++(?=\r?\n)")


def _base64(body: bytes) -> bytes:
    """RFC 2045, 6.8: other characters are skipped. Data after padding is decoded too, so nothing can hide behind it."""
    runs = body.translate(None, _NOT_BASE64).split(b"=")
    whole = (run[:-1] if len(run) % 4 == 1 else run for run in runs if run)
    return b"".join(binascii.a2b_base64(run + b"=" * (-len(run) % 4)) for run in whole)


def bad_base64(body: bytes | memoryview) -> bool:
    """Whether mail clients may decode this base64 differently: other characters, a wrong length, more than two paddings."""
    length = padding = 0
    for start in range(0, len(body), PIECE):  # a large attachment is not copied as a whole
        packed = bytes(body[start : start + PIECE]).translate(None, b" \t\r\n")
        data = packed.rstrip(b"=")
        if data and (padding or data.translate(None, _ALPHABET)):
            return True
        length += len(packed)
        padding += len(packed) - len(data)
    return length % 4 != 0 or padding > 2


def _quoted_printable(body: bytes) -> bytes:
    if any(blank in body for blank in (b" \n", b"\t\n", b" \r\n", b"\t\r\n")):
        body = _TRAILING.sub(b"", body)  # RFC 2045, 6.7 (3): added in transport; may hide a soft line break
    return binascii.a2b_qp(body)


def uu_line(line: bytes) -> bytes:
    """The octets of one uuencoded line, as many as its first character says: encoders leave rubbish after them, and white
    space may be lost or added in transport. binascii.Error for an invalid line."""
    characters = (((line[0] - 32) & 63) * 4 + 5) // 3 if line else 0
    return binascii.a2b_uu(line[:characters])


def _uuencoded(body: bytes) -> bytes:
    begin = _UU_BEGIN.search(body)
    if not begin:
        return body
    out: list[bytes] = []
    for line in body[begin.end() :].split(b"\n"):
        line = line.rstrip(b"\r")
        if line.strip() in (b"end", b"`", b""):
            if line.strip() == b"end":
                break
            continue
        try:
            out.append(uu_line(line))
        except binascii.Error:
            continue
    return b"".join(out)


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
