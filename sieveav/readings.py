"""readings: an encoded body to each content that a mail client may show for it.

A leaf, pure and total: any octets give an answer, in linear time. Where clients decode the same body in different ways and
ordinary mail has such bodies too, nothing is refused: each content is given, scanners look at all, and only a find counts.
They are few: at most MOST, and one for a body that is encoded as the RFCs say.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b
from itertools import islice

from sieveav.headers import decode_words
from sieveav.transfer import (
    DECODERS,
    PLAIN,
    bad_base64,
    base64_to_padding,
    base64_without_padding,
    groups_of_base64,
    lenient_uu_lines,
    lines_are_whole,
    runs_of_base64,
    yenc_files,
)

MOST = 440
"""More readings than one body can have, with all that is wrong about it together. Ordinary bodies have one."""

_NAMES = 2
"""The encodings that are tried of those that a label names."""


def distinct(contents: Iterable[bytes]) -> Iterator[bytes]:
    """The contents in order, each once."""
    every = iter(contents)
    first = next(every, None)
    if first is None:
        return
    yield first
    seen: set[bytes] = set()
    for content in every:
        if not seen:  # most bodies have one reading, which need not be compared
            seen.add(_digest(first))
        key = _digest(content)
        if key not in seen:
            seen.add(key)
            yield content


def _digest(content: bytes) -> bytes:
    """What is kept of a content in order to compare it."""
    return blake2b(content, digest_size=16).digest()


# ---- base64


def _base64(body: bytes) -> Iterator[bytes]:
    decode = DECODERS["base64"]
    yield decode(body)
    bad = bad_base64(body)
    if bad or not lines_are_whole(body):
        yield runs_of_base64(body)
    if bad and b"=" in body:
        # RFC 2045, 6.8 says nothing of data behind padding, and lets a decoder ignore what does not belong there.
        yield base64_without_padding(body)
        yield groups_of_base64(body)
        yield base64_to_padding(body)
        yield decode(body.partition(b"=")[0])


# ---- quoted-printable

_CR_BREAK = re.compile(rb"=[ \t]*+\r(?!\n)")
_BLANK_BREAK = re.compile(rb"=[ \t]++\r?\n")


def _quoted_printable(body: bytes) -> Iterator[bytes]:
    decode = DECODERS["quoted-printable"]
    yield decode(body)
    texts = [body]
    if _CR_BREAK.search(body):  # a soft line break for some, for others the begin of one that lasts until LF
        texts.append(_CR_BREAK.sub(b"", body))
    if b"==" in body:  # RFC 2045, 6.7: the first may be shown as it is; for some that includes the second
        texts += [text.replace(b"==", b"=3D=").replace(b"==", b"=3D=") for text in texts]  # again for each third
    yield from map(decode, texts[1:])
    if _BLANK_BREAK.search(body):  # RFC 2045, 6.7 (3): white space behind `=` is to be deleted, which not all do
        yield binascii.a2b_qp(body)


# ---- uuencode and yEnc

_ANY_BEGIN = re.compile(rb"^begin(?![^ \t\r\n])[^\n]*+\n", re.MULTILINE)
_OCTAL_BEGIN = re.compile(rb"^begin [0-7oO_]++(?![^ \r\n])[^\n]*+\n", re.MULTILINE)


def _uuencode(body: bytes) -> Iterator[bytes]:
    yield DECODERS["uuencode"](body)
    begins = [_ANY_BEGIN.search(body), _OCTAL_BEGIN.search(body)]
    starts = dict.fromkeys(begin.end() if begin else 0 for begin in begins)
    yield from (lenient_uu_lines(body[start:]) for start in starts)
    yield body  # no RFC has this encoding, so a client may show the text, and what else is uuencoded in it


def _yenc(body: bytes) -> Iterator[bytes]:
    yield body
    for _, octets in islice(yenc_files(body), 1):
        yield octets


# ---- what encoding a label names

_VARIANTS: dict[str, Callable[[bytes], Iterator[bytes]]] = {
    "base64": _base64,
    "quoted-printable": _quoted_printable,
    **dict.fromkeys(("uuencode", "uue", "x-uue", "x-uuencode"), _uuencode),
    **dict.fromkeys(("x-yencode", "yencode", "x-yenc", "yenc"), _yenc),
}
"""Name of an encoding -> the readings of a body; the first is that of DECODERS."""

_NAMED = re.compile(rf'(?<![^\s;,"()=?])(?:{"|".join(_VARIANTS)})')
_NO_LETTER = re.compile(r"[^a-z0-9]++")
_PLAIN_WORDS = re.compile(
    r"(?:[78]bits?|binary|none|null|nil|no|plain|text|raw|identity|unencoded|utf(?:7|8|16|32)|(?:us)?ascii|ansi|unicode"
    r"|iso[0-9]++|latin[0-9]|windows[0-9]++|cp[0-9]++|koi8.|gb[0-9k]++|big5|textplain|texthtml)?"
)


def encodings_in(label: str) -> tuple[str, ...]:
    """The encodings with which a word of a Content-Transfer-Encoding's value begins, in that order: some clients compare no
    more than the beginning, some skip what is before, some decode encoded-words in it."""
    found: dict[Callable[[bytes], Iterator[bytes]], str] = {}
    words = f"{label} {decode_words(label)}"
    if "=?" in label:  # more lenient decoders may find either in it
        words += " base64 quoted-printable"
    for name in _NAMED.findall(words.lower()):
        found.setdefault(_VARIANTS[name], name)
    return tuple(found.values())


def contents(body: bytes, encoding: str, label: str) -> Iterator[bytes]:
    """The readings of a body, given the encoding that is understood and the label that says so. The first is what DECODERS
    give."""
    said = label.lower()
    known = _VARIANTS.get(encoding)
    if known:
        yield from known(body)
        if said == encoding:
            return
    yield body
    if said in PLAIN or not said:
        return
    named = encodings_in(label)
    for name in named[:_NAMES]:
        yield from _VARIANTS[name](body)
    if not named and encoding not in PLAIN and not _PLAIN_WORDS.fullmatch(_NO_LETTER.sub("", said)):
        # RFC 2045, 6.4: a body in an unknown encoding is to be left alone. Some clients guess.
        yield next(_base64(body))
        yield next(_quoted_printable(body))


# ---- line ends


def by_lines(encoding: str, label: str) -> bool:
    """Whether what ends a line matters for the decoding of a body."""
    return encoding not in PLAIN and not (encoding in ("base64", "quoted-printable") and label.lower() == encoding)


_LINES_BEHIND_CR = re.compile(
    rb"\r(?!\n)(?:--[!-~][!-~ ]{0,71}+[\r\n]|begin[ -]|=ybegin |(?:content-[a-z-]++|mime-version|received|return-path"
    rb"|message-id|from|to|subject|date)[ \t]*+:)",
    re.IGNORECASE,
)


def with_line_ends(content: bytes) -> bytes | None:
    """`content` with CRLF for each CR that is no line end (RFC 2046, 4.1.1), if behind such a CR is what begins a part, a
    file or a header for a client that ends lines there; else None, because a CR alone is common in text."""
    if b"\r" not in content or not _LINES_BEHIND_CR.search(content):
        return None
    if b"\r\n" not in content:
        return content.replace(b"\r", b"\r\n")
    return content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
