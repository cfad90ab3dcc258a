"""compressed: gzip, bzip2, xz and .lzma; the names of what is in them."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import struct
from collections.abc import Callable

import pytest
from support.unpacked import unpacked

from sieveav.verdict import Status

CONTENT = b"what is hidden in here, " * 20


def alone(
    content: bytes = CONTENT, *, lc: int = 3, lp: int = 0, pb: int = 2, dictionary: int = 2**16, size: int | None = None
) -> bytes:
    """.lzma with any properties; with a `size` in its header instead of a mark at its end."""
    filters = [{"id": lzma.FILTER_LZMA1, "lc": lc, "lp": lp, "pb": pb, "dict_size": dictionary}]
    octets = lzma.compress(content, lzma.FORMAT_ALONE, filters=filters)
    return octets if size is None else octets[:5] + struct.pack("<Q", size) + octets[13:]


COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "lzma": alone,
}


@pytest.mark.parametrize("compressor", COMPRESSORS)
def test_what_is_found(compressor: str) -> None:
    compress = COMPRESSORS[compressor]
    assert unpacked(compress(CONTENT)) == ({"content": CONTENT}, [])
    assert unpacked(compress(CONTENT[:9]) + compress(CONTENT[9:])).layers["content"].startswith(CONTENT[:9])


@pytest.mark.parametrize("compressor", COMPRESSORS)
def test_what_follows(compressor: str) -> None:
    data = COMPRESSORS[compressor](CONTENT)
    """Programs ignore it; a reader of another format may begin there."""
    assert unpacked(data + bytes(9)) == unpacked(data)
    assert unpacked(data + b"x", "a.lzma").obstacles == []
    assert unpacked(data + b"\0\0x", "a.lzma").layers["after the end"] == b"x"


@pytest.mark.parametrize("compressor", COMPRESSORS)
def test_truncated(compressor: str) -> None:
    data = COMPRESSORS[compressor](random.Random(1).randbytes(5000))
    for end in range(20, len(data), 501):
        assert unpacked(data[:end]).statuses == {Status.UNSCANNABLE}
    for end in range(20):
        unpacked(data[:end])


# ---- names


@pytest.mark.parametrize(
    ("name", "inner"),
    [
        ("a.eml.gz", "a.eml"),
        ("dir/a.EML.BZ2", "a.EML"),
        ("a.tgz", "a.tar"),
        ("a.txz", "a.tar"),
        ("a.svgz", "a.svg"),
        ("a.xz. .", "a"),
        ("a.txt", "content"),
        (".gz", "content"),
    ],
)
def test_the_name_of_the_content(name: str, inner: str) -> None:
    assert next(iter(unpacked(bz2.compress(CONTENT), name).layers)) == inner


def gzipped(name: str) -> bytes:
    file = io.BytesIO()
    with gzip.GzipFile(name, "wb", fileobj=file) as archive:
        archive.write(CONTENT)
    return file.getvalue()


def test_the_name_in_the_header() -> None:
    assert list(unpacked(gzipped("b.txt"), "a.gz").layers) == ["b.txt"]
    head = gzipped("b.txt")
    extra = head[:3] + b"\x0c" + head[4:10] + b"\4\0abcd" + head[10:]
    assert unpacked(extra, "a.gz") == ({"b.txt": CONTENT}, [])


@pytest.mark.parametrize("end", range(3, 24))
def test_a_header_that_is_cut(end: int) -> None:
    assert unpacked(gzipped("b.eml")[:end]).statuses == {Status.UNSCANNABLE}


# ---- .lzma, which has no magic


@pytest.mark.parametrize(
    "options", [{}, {"lc": 0}, {"lc": 4, "pb": 0}, {"lc": 0, "lp": 2, "pb": 1}, {"dictionary": 3 << 20}]
)
@pytest.mark.parametrize("content", [CONTENT, b"x", bytes(5000), random.Random(2).randbytes(90)])
def test_lzma_with_any_properties(options: dict[str, int], content: bytes) -> None:
    assert unpacked(alone(content, **options)) == ({"content": content}, [])


def test_lzma_that_states_its_size() -> None:
    result = unpacked(alone(lc=1, size=len(CONTENT)))
    assert result.layers == {"content": CONTENT}


def test_lzma_with_an_unusual_dictionary() -> None:
    """Only by its name: of other files too many would begin like it."""
    octets = alone(lc=1)
    octets = octets[:1] + struct.pack("<L", 5000) + octets[5:]
    assert unpacked(octets, "a.LZMA").layers == {"a": CONTENT}
    assert unpacked(octets).layers == {}


def test_lzma_that_needs_much_memory() -> None:
    octets = alone()
    assert unpacked(octets[:1] + b"\xff\xff\xff\xff" + octets[5:]).statuses == {Status.LIMITS}


@pytest.mark.parametrize("seed", range(200))
def test_other_octets_are_not_lzma(seed: int) -> None:
    """Also those that begin like it."""
    made = random.Random(seed)
    head = struct.pack("<BLQ", made.randrange(225), 1 << made.randrange(12, 32), made.choice([2**64 - 1, 5000]))
    data = b"\x5e" + head[1:] + b"\0" + made.randbytes(300)
    assert unpacked(data) == ({}, [])


@pytest.mark.parametrize("data", [bytes(5000), b"\x5e" + bytes(5000), b"\1\0\0\1\0" + b"\xff" * 8 + bytes(5000)])
def test_zeros_are_not_lzma(data: bytes) -> None:
    assert unpacked(data) == ({}, [])
