"""zstd: a file, compressed, in one frame or several (RFC 8878), and the decompressor that zip's method 93 uses too."""

from __future__ import annotations

import lzma
import struct
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from sieveav.scanning.format import Format
from sieveav.scanning.layers import Budget, Item, Layer, member
from sieveav.scanning.streams import Decompressor, stream, unpacked_name

if TYPE_CHECKING:
    from backports.zstd import ZstdDecompressor

PACKAGE = "backports"

MAGIC = b"\x28\xb5\x2f\xfd"
_SKIPPABLE = tuple(bytes((octet,)) + b"\x2a\x4d\x18" for octet in range(0x50, 0x60))
"""RFC 8878, 3.1.2."""

_SKIP = struct.Struct("<4sL")

WINDOW_LOG = 27
"""The largest window is two to the power of this, 128 MiB: what the format's own programs take unless they are asked to."""


class _Zstd:
    """A decompressor of one frame that needs a bounded memory."""

    def __init__(self) -> None:
        if sys.version_info >= (3, 14):
            from compression.zstd import DecompressionParameter, ZstdDecompressor
        else:
            from backports.zstd import DecompressionParameter, ZstdDecompressor
        self._stream: ZstdDecompressor = ZstdDecompressor(options={DecompressionParameter.window_log_max: WINDOW_LOG})

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def needs_input(self) -> bool:
        return self._stream.needs_input

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        try:
            return self._stream.decompress(data, max_length)
        except Exception as error:
            if "memory" in str(error):
                raise lzma.LZMAError("over the memory limit") from error
            raise


def zstd_frame() -> Decompressor:
    """A decompressor of one frame."""
    return _Zstd()


def _frames(data: bytes) -> Iterator[bytes]:
    """Chunks of all frames, which may be concatenated; skippable ones hold no content. RFC 8878, 3.1.

    LZ4 has the same skippable frames: what follows them is then in no format that is opened, and ValueError is raised.
    """
    position = 0
    while position < len(data):
        if data.startswith(MAGIC, position):
            position = yield from stream(zstd_frame(), data, position)
        elif data.startswith(_SKIPPABLE, position):
            _, size = _SKIP.unpack_from(data, position)
            position += _SKIP.size + size
            yield b""  # the deadline is checked
        elif data[position:].strip(b"\0"):
            raise ValueError("something follows the last frame")
        else:
            return
    if position > len(data):
        raise EOFError


def _open(layer: Layer, budget: Budget) -> Iterator[Item]:
    name = unpacked_name(layer.name, {".zst": "", ".zstd": "", ".tzst": ".tar"})
    return member(f"{layer.name}/{name}", _frames(layer.data), budget, len(layer.data))


zstd = Format("zstd", _open, tuple((0, magic) for magic in (MAGIC, *_SKIPPABLE)), unusual=True)
