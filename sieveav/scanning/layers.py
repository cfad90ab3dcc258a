"""layers: what a content is unpacked into, what cannot be opened, and what may be unpacked at most.

Everything is bounded: by the constants below, and by the deadline, which is checked every `CHUNK` octets.
"""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from sieveav.limits import MIB
from sieveav.scanning.contract import Deadline
from sieveav.verdict import Status

DEPTH = 16
"""Archives within archives; clamd's MaxRecursion is 17, people send two or three."""

MEMBERS = 10_000
"""Layers of one content, of all depths together; clamd's MaxFiles."""

OCTETS = 100 * MIB
"""Octets unpacked from one content, of all depths together."""

RATIO = 250
"""Octets that one packed octet may become in a layer larger than `RATIO_FROM`. ClamAV's old default; office documents stay
under 100, a bomb of zeros packed by deflate has 1000."""

RATIO_FROM = 4 * MIB
"""A smaller layer is harmless at any ratio."""

MEMORY = 100 * MIB
"""Octets that one decompressor may allocate: `xz -9` needs 65 MiB, a malicious header asks for 4 GiB."""

CHUNK = MIB
"""Octets unpacked between two checks of the bounds: a hundredth of a second for bzip2."""


class Layer(NamedTuple):
    """Octets to scan, with the path to them: `name/member/member`. `opened` is the name of a format whose contents come
    anyway: it is not looked for in these octets. A `doubtful` layer is one of several readings of the same octets, or is where
    nobody looks for it: what of it is broken is no obstacle. An `unusual` one may be what other scanners do not see."""

    name: str
    data: bytes
    opened: str = ""
    doubtful: bool = False
    unusual: bool = False


class Obstacle(NamedTuple):
    """Something that could not be opened, as the status and reason of a verdict; and the name of its `format` if it is not
    broken, but nothing here opens it."""

    status: Status
    reason: str
    format: str = ""


Item = Layer | Obstacle


@dataclass
class Budget:
    """What may still be unpacked of one content. `over` is set when a bound is exceeded; unpacking then ends."""

    deadline: Deadline
    members: int = MEMBERS
    octets: int = OCTETS
    over: Obstacle | None = field(default=None, init=False)

    def check(self, unpacked: int = 0, total: int = 0, packed: int = 0) -> bool:
        """Count `unpacked` octets of a layer that now has `total`, unpacked from `packed`; false if that is too much."""
        self.octets -= unpacked
        if self.deadline.left() <= 0:
            self.over = Obstacle(Status.ERROR, "timeout")
        elif self.octets < 0:
            self.over = Obstacle(Status.LIMITS, f"unpacks to more than {OCTETS // MIB} MiB")
        elif total > RATIO_FROM and total > RATIO * packed:
            self.over = Obstacle(Status.LIMITS, f"unpacks to more than {RATIO} times its size")
        return self.over is None

    def member(self) -> bool:
        """Count one layer; false if that is one too many."""
        self.members -= 1
        if self.members < 0:
            self.over = Obstacle(Status.LIMITS, f"more than {MEMBERS} members")
        return self.check()


Opener = Callable[[Layer, Budget], Iterator[Item]]
"""A layer to everything in it. It may raise any Exception for malformed data: see `safely`."""


def safely(items: Iterator[Item], name: str) -> Iterator[Item]:
    """`items` up to the first exception, then an obstacle.

    Any exception, because those of the standard library for malformed archives are not a closed set (struct.error,
    zlib.error, EOFError, OverflowError, NotImplementedError, ...), and each of them means that this cannot be opened.
    """
    try:
        yield from items
    except Exception as error:
        yield _obstacle(error, name)


def doubtfully(items: Iterator[Item]) -> Iterator[Item]:
    """`items` of a doubtful layer."""
    for item in items:
        if isinstance(item, Layer):
            yield item._replace(doubtful=True)
        elif item.status is not Status.UNSCANNABLE or item.format:
            yield item


def unusually(items: Iterator[Item]) -> Iterator[Item]:
    """`items` of a layer in an unusual format."""
    for item in items:
        yield item._replace(unusual=True) if isinstance(item, Layer) else item


def _obstacle(error: Exception, name: str) -> Obstacle:
    if isinstance(error, lzma.LZMAError) and "limit" in str(error):
        return Obstacle(Status.LIMITS, f"needs more than {MEMORY // MIB} MiB to unpack: {name}")
    return Obstacle(Status.UNSCANNABLE, f"broken or unknown archive: {name}")


def member(
    name: str, chunks: Iterator[bytes], budget: Budget, packed: int, promised: tuple[int, int] | None = None
) -> Iterator[Item]:
    """One layer from its `chunks`, which were `packed` octets. What was unpacked before a fault is a layer too, because a find
    outranks a fault.

    `promised` is the size and CRC-32 that the archive states; other content is an obstacle.
    """
    pieces: list[bytes] = []
    total = 0
    fault: Obstacle | None = None
    try:
        for chunk in chunks:
            pieces.append(chunk)
            total += len(chunk)
            if not budget.check(len(chunk), total, packed):
                break
    except Exception as error:  # as in safely
        fault = _obstacle(error, name)
    data = b"".join(pieces)
    if fault is None and promised and budget.over is None and promised != (len(data), zlib.crc32(data)):
        fault = Obstacle(Status.UNSCANNABLE, f"not the size or checksum it states: {name}")
    yield Layer(name, data)
    if fault:
        yield fault


def plainly(read: Callable[[bytes], Iterator[tuple[str, bytes]]]) -> Opener:
    """The opener of a format without compression, from a function of its octets to the names and octets of its members."""

    def opener(layer: Layer, budget: Budget) -> Iterator[Item]:
        for name, data in read(layer.data):
            yield from member(f"{layer.name}/{name}", iter((data,)), budget, len(data))

    return opener
