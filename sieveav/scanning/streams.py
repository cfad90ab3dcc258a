"""streams: compressed octets to chunks of what they unpack to, within bounds.

One interface for the decompressors of zlib, bz2 and lzma. Of thousands of concatenated streams none copies the rest of the
file, and the caller, who counts the chunks, may stop after any of them.
"""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Callable, Generator, Mapping
from typing import Protocol

from sieveav.scanning.layers import CHUNK, MEMORY

WINDOW = 64 * 1024
"""Octets passed to a decompressor at a time."""


class Decompressor(Protocol):
    """As those of bz2 and lzma."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class Inflate:
    """zlib's decompressor with the interface of the others. `bits` 31 reads gzip, -15 a raw deflate stream, 15 zlib's own."""

    def __init__(self, bits: int) -> None:
        self._stream = zlib.decompressobj(bits)
        self._full = False

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def needs_input(self) -> bool:
        return not self._stream.unconsumed_tail and not self._full

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        chunk = self._stream.decompress(self._stream.unconsumed_tail + data, max_length)
        self._full = len(chunk) == max_length
        return chunk


def xz() -> lzma.LZMADecompressor:
    """A decompressor of xz."""
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MEMORY)


def lzma_alone() -> lzma.LZMADecompressor:
    """A decompressor of .lzma, with any properties."""
    return lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=MEMORY)


def stream(
    decompressor: Decompressor, data: bytes, position: int, *, endless: bool = False
) -> Generator[bytes, None, int]:
    """Chunks of one compressed stream of `data` from `position`; returns where it ends.

    EOFError if it is truncated, unless it is `endless`: LZMA in zip need not mark its end.
    """
    while not decompressor.eof:
        window = data[position : position + WINDOW] if decompressor.needs_input else b""
        position += len(window)
        if decompressor.needs_input and not window:
            if endless:
                break
            raise EOFError
        yield decompressor.decompress(window, CHUNK)
    return position - len(decompressor.unused_data)


def streams(make: Callable[[], Decompressor], magic: bytes, data: bytes) -> Generator[bytes, None, int]:
    """Chunks of all streams concatenated in `data`, which gzip, bzip2 and xz allow; returns where the last one ends."""
    position = 0
    while data.startswith(magic, position):
        position = yield from stream(make(), data, position)  # a chunk of an empty one too: the deadline is checked
    return position


def unpacked_name(name: str, suffixes: Mapping[str, str]) -> str:
    """The name of the file in a compressed one: the last part of `name` with what replaces its suffix, as programs name it;
    "content" if it has none of `suffixes`. Windows ignores dots and blanks at its end."""
    last = name.rpartition("/")[2].rstrip(". ")
    for suffix, instead in suffixes.items():
        if last.lower().endswith(suffix) and len(last) > len(suffix):
            return last[: -len(suffix)] + instead
    return "content"
