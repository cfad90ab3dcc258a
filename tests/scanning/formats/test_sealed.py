"""format: archives that are known and not opened, behind something else too; and files that only name them."""

from __future__ import annotations

import struct
import zlib

import pytest
from support.containers import WITHOUT_LIBRARIES
from support.unpacked import unpacked

from sieveav.scanning.contract import Deadline
from sieveav.scanning.formats import containers
from sieveav.scanning.layers import Budget, Layer
from sieveav.scanning.unpacking import unpack
from sieveav.verdict import Status


@pytest.fixture(autouse=True)
def _without_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "HELPERS", WITHOUT_LIBRARIES)


RAR_4 = b"Rar!\x1a\x07\x00"
RAR_5 = b"Rar!\x1a\x07\x01\x00"
SEVEN_ZIP = b"7z\xbc\xaf\x27\x1c"

START = struct.pack("<QQL", 1000, 50, 0xDEADBEEF)
START_OF_7Z = SEVEN_ZIP + b"\0\4" + struct.pack("<L", zlib.crc32(START)) + START
CFHEADER = b"MSCF" + struct.pack("<5L2B5H", 0, 600, 0, 44, 0, 3, 1, 1, 1, 0, 0, 0)

ARCHIVES = {
    "rar 4": RAR_4 + bytes.fromhex("cf907300000d00000000000000"),
    "rar 4, encrypted headers": RAR_4 + bytes.fromhex("ce997380000d00000000000000"),
    "rar 4, first volume": RAR_4 + bytes.fromhex("f1fb7301010d00000000000000"),
    "rar 5": RAR_5 + bytes.fromhex("3392b5e50a01050600050101808000"),
    "rar 5, encrypted headers": RAR_5 + bytes.fromhex("01020304210400000f") + bytes(30),
    "rar 5, long header": RAR_5 + bytes.fromhex("01020304890101050600"),
    "7z": START_OF_7Z,
    "cab": CFHEADER,
}

STUBS = {
    "MZ": b"MZ" + bytes(60_000),
    "ELF": b"\x7fELF" + bytes(300_000),
    "script": b"#!/bin/sh\ntail -c +40 $0\n",
    "picture": b"GIF89a" + bytes(1000),
    "far": b"MZ" + bytes(3_000_000),
    "magics only": b"MZ" + RAR_4 + RAR_5 + SEVEN_ZIP + b"MSCF\0\0\0\0",
    "a start with another checksum": b"MZ" + SEVEN_ZIP + b"\0\4" + bytes(4) + START,
}


@pytest.mark.parametrize("archive", ARCHIVES)
@pytest.mark.parametrize("stub", STUBS)
def test_an_archive_behind_something_else(archive: str, stub: str) -> None:
    assert unpacked(STUBS[stub] + ARCHIVES[archive] + b"rest").statuses == {Status.UNSCANNABLE}


@pytest.mark.parametrize("archive", ARCHIVES)
def test_an_archive_alone(archive: str) -> None:
    assert unpacked(ARCHIVES[archive] + b"rest").statuses == {Status.UNSCANNABLE}


@pytest.mark.parametrize("archive", ARCHIVES)
def test_an_archive_where_nobody_looks_for_it(archive: str) -> None:
    layer = Layer("x", ARCHIVES[archive], doubtful=True)
    assert list(unpack((layer,), Budget(Deadline.after(20)))) == [layer]


TABLE = b"\0".join((RAR_4, RAR_5, SEVEN_ZIP, b"MSCF", b"gzip", b"Unknown archive", RAR_4))


@pytest.mark.parametrize(
    "data",
    [
        *STUBS.values(),
        b"\x7fELF" + TABLE,
        b"\x7fELF" + RAR_5 + bytes(16) + RAR_4 + bytes(16) + SEVEN_ZIP + bytes(40) + b"MSCF" + bytes(60),
        b"MZ" + RAR_5 + b"7z archive data, version" + RAR_4 + b"*** RAR self-extractor ***",
        b"MZ" + (RAR_4 + RAR_5 + SEVEN_ZIP) * 100_000,
        b"MZ" + CFHEADER.replace(b"\x03\x01", b"\0\0"),
        b"MZ" + CFHEADER[:8] + bytes(4) + CFHEADER[12:],
        b"MZ" + CFHEADER[:16] + bytes(4) + CFHEADER[20:],
    ],
)
def test_a_program_that_names_archives(data: bytes) -> None:
    """As an unpacker does, or a list of magics."""
    assert unpacked(data).statuses == set()


@pytest.mark.parametrize("number", [1, 2, 15])
@pytest.mark.parametrize("magic", [b"NSR02", b"NSR03"])
def test_udf(magic: bytes, number: int) -> None:
    """The volume recognition sequence of ECMA-167, 2/8: one descriptor in each 2048 octets from 32,768 on."""
    image = bytearray(0x12000)
    image[0x8001:0x8006] = b"BEA01"
    assert unpacked(bytes(image)).statuses == set()
    at = 0x8001 + number * 0x800
    image[at : at + 5] = magic
    assert unpacked(bytes(image)).statuses == {Status.UNSCANNABLE}
