"""Unpacking: layers and obstacles, within bounds; nothing is raised."""

from __future__ import annotations

import binascii
import bz2
import gzip
import io
import lzma
import random
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.unpacked import damaged

from sieveav.scanning import layers as bounds
from sieveav.scanning.contract import Content, Deadline
from sieveav.scanning.format import FORMATS, SEALED, openers
from sieveav.scanning.formats import tnef as tnef_format
from sieveav.scanning.layers import Budget, Layer, Obstacle
from sieveav.scanning.unpacking import layers, unpack
from sieveav.verdict import Status

TREASURE = b"what is hidden in here, " * 20


def zipped(content: bytes = TREASURE, name: str = "a.txt", method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        archive.writestr(name, content)
    return stream.getvalue()


def tarred(content: bytes = TREASURE, name: str = "a.txt", form: int = tarfile.USTAR_FORMAT) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=form) as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


def uuencoded(content: bytes = TREASURE) -> bytes:
    lines = [binascii.b2a_uu(content[at : at + 45]) for at in range(0, len(content), 45)]
    return b"Look:\r\nbegin 644 a.txt\n" + b"".join(lines) + b"`\nend\nBye\n"


def tnef(content: bytes = TREASURE) -> bytes:
    return tnef_format.MAGIC + b"\1\0" + struct.pack("<BLL", 2, 0x6800F, len(content)) + content + b"\0\0"


def raw_lzma(content: bytes = TREASURE) -> bytes:
    return lzma.compress(content, lzma.FORMAT_ALONE)


def opened(data: bytes, budget: Budget | None = None) -> tuple[list[Layer], list[Obstacle]]:
    items = list(unpack((Layer("x", data),), budget or Budget(Deadline.after(60))))
    return [item for item in items if isinstance(item, Layer)], [item for item in items if isinstance(item, Obstacle)]


def finds(data: bytes) -> bool:
    return any(TREASURE in layer.data for layer in opened(data)[0])


def statuses(data: bytes) -> set[Status]:
    return {obstacle.status for obstacle in opened(data)[1]}


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "lzma": raw_lzma,
    "tar": tarred,
    "gnu tar, long name": lambda data: tarred(data, "n" * 300, tarfile.GNU_FORMAT),
    "pax tar, long name": lambda data: tarred(data, "n" * 300, tarfile.PAX_FORMAT),
    "zip": zipped,
    "zip, stored": lambda data: zipped(data, method=zipfile.ZIP_STORED),
    "zip, bzip2": lambda data: zipped(data, method=zipfile.ZIP_BZIP2),
    "zip, lzma": lambda data: zipped(data, method=zipfile.ZIP_LZMA),
    "zip behind a program": lambda data: b"MZ program" + zipped(data),
    "uuencode": uuencoded,
    "tnef": tnef,
    "gzip, two members": lambda data: gzip.compress(data[:9]) + gzip.compress(data[9:]),
    "gzip, padded": lambda data: gzip.compress(data) + bytes(512),
    "tar, twice": lambda data: tarred(b"first") + tarred(data),
}


@pytest.mark.parametrize("outer", PACKERS)
@pytest.mark.parametrize("inner", PACKERS)
def test_what_is_packed_twice_is_found(outer: str, inner: str) -> None:
    packed = PACKERS[outer](PACKERS[inner](TREASURE))
    assert finds(packed)
    assert opened(packed)[1] == []


@pytest.mark.parametrize("packer", sorted(set(PACKERS) - {"uuencode", "tnef"}))
def test_a_truncated_archive_is_an_obstacle(packer: str) -> None:
    packed = PACKERS[packer](random.Random(1).randbytes(20_000))
    cut = packed[: len(packed) * 2 // 3]
    if openers(Layer("x", cut)):  # except for the program: the end of its archive is missing
        assert statuses(cut) == {Status.UNSCANNABLE}


def test_what_is_before_a_fault_is_scanned() -> None:
    packed = gzip.compress(TREASURE, 0)
    assert finds(packed[:-8])
    assert statuses(packed[:-8]) == {Status.UNSCANNABLE}


@pytest.mark.parametrize(
    "data",
    [
        b"Rar!\x1a\x07\x01\x00",
        b"7z\xbc\xaf\x27\x1c\0\4",
        b"MSCF\0\0\0\0",
        b"\x60\xea\0\0",
        b"\x22\x00-lh5-",
        b"0123456**ACE**",
        b"ZOO 2.10 Archive.\x1a\0\0\xdc\xa7\xc4\xfd",
        bytes(0x8001) + b"CD001",
        b"xar!\0\x1c",
        b"\x28\xb5\x2f\xfd",
        b"\x04\x22\x4d\x18",
        b"\x1f\x9d\x90",
        b"EGGA\0\1",
        b"!<arch>\ndebian-binary",
        b"070701" + b"0" * 104,
        b"x" * 600 + b"koly" + b"x" * 508,
        b"\x50\x2a\x4d\x18",
    ],
)
def test_archives_that_are_not_opened(data: bytes) -> None:
    assert statuses(data) == {Status.UNSCANNABLE}
    assert statuses(zipped(data)) == {Status.UNSCANNABLE}


@pytest.mark.parametrize("data", [b"", b"x", b"Subject: x\r\n\r\nhello", b"begin at the end", bytes(1000), b"MZ" * 400])
def test_what_is_not_an_archive(data: bytes) -> None:
    assert opened(data) == ([Layer("x", data)], [])


def flag(archive: bytes, bits: int, where: bytes, offset: int) -> bytes:
    octets = bytearray(archive)
    octets[octets.index(where) + offset] |= bits
    return bytes(octets)


def test_an_encrypted_entry_whichever_header_says_so() -> None:
    local = flag(zipped(), 1, b"PK\3\4", 6)
    central = flag(zipped(), 1, b"PK\1\2", 8)
    for archive in (local, central, flag(local, 1, b"PK\1\2", 8), gzip.compress(local)):
        assert statuses(archive) == {Status.ENCRYPTED}


@pytest.mark.parametrize("method", [1, 6, 9, 93, 95, 98, 99])
def test_methods_that_the_standard_library_lacks(method: int) -> None:
    octets = bytearray(zipped())
    struct.pack_into("<H", octets, octets.index(b"PK\3\4") + 8, method)
    struct.pack_into("<H", octets, octets.index(b"PK\1\2") + 10, method)
    assert statuses(bytes(octets)) == {Status.UNSCANNABLE}


@pytest.mark.parametrize(("field", "size"), [(8, "<H"), (14, "<L"), (18, "<L"), (22, "<L")])
def test_two_headers_that_disagree(field: int, size: str) -> None:
    octets = bytearray(zipped())
    struct.pack_into(size, octets, octets.index(b"PK\3\4") + field, 12)
    assert Status.UNSCANNABLE in statuses(bytes(octets))


def test_a_size_that_lies() -> None:
    """Directory and header state a smaller size, and the right checksum for that."""
    octets = bytearray(zipped())
    for start, crc, size in ((b"PK\3\4", 14, 22), (b"PK\1\2", 16, 24)):
        at = octets.index(start)
        struct.pack_into("<L", octets, at + crc, zlib.crc32(TREASURE[:10]))
        struct.pack_into("<L", octets, at + size, 10)
    assert finds(bytes(octets))
    assert statuses(bytes(octets)) == {Status.UNSCANNABLE}


def test_an_entry_that_the_directory_does_not_list() -> None:
    first, second = zipped(name="first"), zipped(name="other")
    assert statuses(first + second) == {Status.UNSCANNABLE}  # most programs see only the second, some the first


def test_data_descriptors() -> None:
    class Unseekable(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *_: int) -> int:
            raise OSError

        def tell(self) -> int:
            raise OSError

    stream = Unseekable()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", TREASURE)
        archive.writestr("b", TREASURE)
    assert finds(stream.getvalue())
    assert statuses(stream.getvalue()) == set()


@pytest.mark.parametrize(
    "bomb",
    [
        zipped(bytes(60_000_000)),
        gzip.compress(bytes(60_000_000)),
        bz2.compress(bytes(60_000_000)),
        lzma.compress(bytes(60_000_000), preset=0),
    ],
    ids=["zip", "gzip", "bzip2", "xz"],
)
def test_bombs(bomb: bytes) -> None:
    """Not more is unpacked than the ratio allows, and the chunk in which that is noticed."""
    most = max(bounds.RATIO_FROM, bounds.RATIO * len(bomb)) + bounds.CHUNK
    for data in (bomb, zipped(bomb, method=zipfile.ZIP_STORED)):
        budget = Budget(Deadline.after(60))
        _, obstacles = opened(data, budget)
        assert {obstacle.status for obstacle in obstacles} == {Status.LIMITS}
        assert bounds.OCTETS - budget.octets <= len(data) + most < 60_000_000


def test_more_octets_than_allowed() -> None:
    budget = Budget(Deadline.after(60), octets=1000)
    layers_, obstacles = opened(zipped(TREASURE * 3), budget)
    assert [obstacle.status for obstacle in obstacles] == [Status.LIMITS]
    assert TREASURE in layers_[-1].data


def test_more_members_than_allowed() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for number in range(50):
            archive.writestr(str(number), b"")
    assert [o.status for o in opened(stream.getvalue(), Budget(Deadline.after(60), members=20))[1]] == [Status.LIMITS]
    directory = (b"PK\1\2" + bytes(42)) * (bounds.MEMBERS + 1)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0, 0, len(directory), 4, 0)
    assert statuses(b"PK\3\4" + directory + end) == {Status.LIMITS}


def test_deeper_than_allowed() -> None:
    nested = TREASURE
    for _ in range(bounds.DEPTH + 1):
        nested = zipped(nested)
    assert statuses(nested) == {Status.LIMITS}
    assert finds(zipped(zipped(zipped(TREASURE))))


def test_more_time_than_allowed() -> None:
    layers_, obstacles = opened(zipped(), Budget(Deadline.after(0)))
    assert obstacles == [Obstacle(Status.ERROR, "timeout")]
    assert len(layers_) == 1


class Checks(Budget):
    """Counts the checks of the bounds; the time is over after `most` of them."""

    def __init__(self, most: int = 10**9) -> None:
        super().__init__(Deadline.after(60))
        self.checks = 0
        self.most = most

    def check(self, unpacked: int = 0, total: int = 0, packed: int = 0) -> bool:
        self.checks += 1
        if self.checks == self.most:
            self.deadline = Deadline.after(0)
        return super().check(unpacked, total, packed)


def test_the_deadline_is_checked_for_each_chunk() -> None:
    packed = bz2.compress(random.Random(1).randbytes(3_000_000))
    budget = Checks(most=4)
    _, obstacles = opened(packed * 5, budget)
    assert obstacles == [Obstacle(Status.ERROR, "timeout")]
    assert budget.checks == 4
    assert bounds.OCTETS - budget.octets <= 4 * bounds.CHUNK


def test_the_deadline_is_checked_between_empty_streams() -> None:
    budget = Checks()
    _, obstacles = opened(gzip.compress(b"") * 50_000, budget)
    assert obstacles == []
    assert budget.checks >= 50_000


@pytest.mark.parametrize(
    "header",
    [
        {124: b"-0000000001\0"},
        {124: b"\xff" * 12},
        {124: b"\x80" + b"\xff" * 11},
        {124: b"99999999999\0"},
        {156: b"S"},
        {156: b"1"},
    ],
)
def test_tar_headers_that_lie(header: dict[int, bytes]) -> None:
    octets = bytearray(tarred())
    for at, value in header.items():
        octets[at : at + len(value)] = value
    octets[148:156] = b" " * 8
    octets[148:156] = b"%06o\0 " % sum(octets[:512])
    assert statuses(bytes(octets)) == {Status.UNSCANNABLE}


def test_a_pax_header_that_gives_another_size() -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        entry = tarfile.TarInfo("a")
        entry.pax_headers = {"size": "5"}
        archive.addfile(entry)
    assert statuses(stream.getvalue()) == {Status.UNSCANNABLE}


def test_zip_lzma_that_needs_much_memory() -> None:
    octets = bytearray(zipped(method=zipfile.ZIP_LZMA))
    properties = octets.index(b"a.txt") + 5 + 4
    struct.pack_into("<L", octets, properties + 1, 0xFFFFFFFF)
    assert statuses(bytes(octets)) == {Status.LIMITS}


def test_messages_within_archives_are_parsed() -> None:
    message = b"Content-Transfer-Encoding: base64\r\n\r\n" + binascii.b2a_base64(zipped())
    assert finds(zipped(message, "forwarded.EML"))
    assert not finds(zipped(message, "forwarded.txt"))


def test_layers_of_a_message() -> None:
    raw = (
        b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nhello\r\n--b\r\n"
        b"Content-Type: application/zip; name=a.zip\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + binascii.b2a_base64(zipped())
        + b"--b--\r\n"
    )
    items = list(layers(Content(raw), Budget(Deadline.after(60))))
    assert [item[0] for item in items] == ["message", "message/text/plain", "message/a.zip", "message/a.zip/a.txt"]
    assert items[-1] == Layer("message/a.zip/a.txt", TREASURE)


def test_ambiguous_mime() -> None:
    raw = b"Content-Type: multipart/mixed; boundary=a; boundary=b\r\n\r\n--a\r\n\r\nx\r\n--a--\r\n"
    items = list(layers(Content(raw), Budget(Deadline.after(60))))
    assert Obstacle(Status.UNSCANNABLE, "ambiguous MIME: duplicate-boundary") in items


MAGICS = [magic for each in FORMATS.everything().values() for _, magic in each.magics]
MAGICS += [magic for _, magics in SEALED for _, magic in magics]

SAMPLES = [pack(TREASURE) for pack in PACKERS.values()]


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=300)
@given(st.sampled_from(MAGICS), st.binary(max_size=600))
def test_nonsense_after_magic_octets_raises_nothing(magic: bytes, rest: bytes) -> None:
    opened(magic + rest)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=500)
@given(
    damaged(SAMPLES, 2000, 6),
    st.integers(0, 2000),
)
def test_damage_raises_nothing(octets: bytes, end: int) -> None:
    opened(octets)
    opened(octets[:end])


@settings(deadline=None)
@given(st.binary(max_size=2000), st.booleans())
def test_any_octets_raise_nothing(raw: bytes, is_message: bool) -> None:
    first, *_ = layers(Content(raw, is_message=is_message), Budget(Deadline.after(10)))
    assert isinstance(first, Layer)
    assert first.data == raw


def test_what_is_broken_in_a_doubtful_layer_is_no_obstacle_but_what_nothing_opens_is() -> None:
    broken, unknown = zipped()[:-30], bytearray(zipped())
    for at in (8, unknown.index(b"PK\1\2") + 10):  # the method, in the entry's header and in the directory's
        unknown[at] = 97
    budget = Budget(Deadline.after(60))
    for data, statuses in ((broken, set()), (bytes(unknown), {Status.UNSCANNABLE})):
        items = list(unpack((Layer("x", data, doubtful=True),), budget))
        assert {item.status for item in items if isinstance(item, Obstacle)} == statuses
