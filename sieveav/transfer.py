"""transfer: transfer encodings undone, as leniently as mail readers do: what a scanner gives up on, a reader may show.

A leaf, pure and total: any octets give an answer, in linear time.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NOT_BASE64 = bytes(set(range(256)) - set(_ALPHABET + b"="))
_UU_BEGIN = re.compile(rb"^begin [0-7]{3,4} [^\n]*+\n", re.MULTILINE)
_TRAILING = re.compile(rb"(?<![ \t])[ \t]++(?=\r?\n)")


def _base64(body: bytes) -> bytes:
    """RFC 2045, 6.8: other characters are skipped. What follows a padding is decoded too: nothing hides behind it."""
    runs = body.translate(None, _NOT_BASE64).split(b"=")
    whole = (run[:-1] if len(run) % 4 == 1 else run for run in runs if run)
    return b"".join(binascii.a2b_base64(run + b"=" * (-len(run) % 4)) for run in whole)


def bad_base64(body: bytes) -> bool:
    """Whether readers may differ on this base64: other characters, a wrong length, more than two paddings."""
    packed = body.translate(None, b" \t\r\n")
    data = packed.rstrip(b"=")
    return len(packed) % 4 != 0 or len(packed) - len(data) > 2 or bool(data.translate(None, _ALPHABET))


def _quoted_printable(body: bytes) -> bytes:
    if any(blank in body for blank in (b" \n", b"\t\n", b" \r\n", b"\t\r\n")):
        body = _TRAILING.sub(b"", body)  # RFC 2045, 6.7 (3): added on the way, and may hide a soft line break
    return binascii.a2b_qp(body)


def uu_line(line: bytes) -> bytes:
    """The octets of one uuencoded line, as many as it says it has: encoders leave rubbish after them, and white space may
    have been lost or added on the way. binascii.Error for what is none."""
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
"""By the encoding's name, lower-case."""

PLAIN = frozenset({"7bit", "8bit", "binary"})
"""The encodings that change nothing."""
