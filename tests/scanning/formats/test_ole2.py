"""ole2: what is found in an OLE2 file, and what is said about it; nothing about ordinary ones."""

from __future__ import annotations

import io
import random
import struct
import zipfile
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from support import documents
from support.ole2 import CUTOFF, END, SECTOR, Tree, assembled, entry, ole2
from support.unpacked import damaged, unpacked

from sieveav.scanning import layers as bounds
from sieveav.scanning.contract import Deadline
from sieveav.scanning.layers import Budget
from sieveav.verdict import Status

CONTENT = b"what is hidden in here, " * 20

SUMMARY = bytes.fromhex("feff0000060102000000000000000000") + bytes(400)
CURRENT_USER = struct.pack("<HHLLLLHHBBH", 0, 0x0FF6, 20, 20, 0xE391C05F, 0, 0, 0x03F4, 3, 0, 8)
WORD = b"\xec\xa5\xc1\x00" + bytes(6) + b"\xf0\x12" + bytes(CUTOFF)


def zipped(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, CONTENT)
    return file.getvalue()


def packaged(content: bytes, name: bytes = b"a.exe") -> bytes:
    """The native data of an object of the class Package."""
    path = b"C:\\temp\\" + name + b"\0"
    head = b"\2\0" + name + b"\0" + path + b"\0\0\3\0" + struct.pack("<L", len(path)) + path
    return head + struct.pack("<L", len(content)) + content + bytes(20)


def native(data: bytes) -> dict[str, Tree | bytes]:
    return {"\1CompObj": bytes(80), "\1Ole10Native": struct.pack("<L", len(data)) + data, "\3ObjInfo": bytes(6)}


def record(kind: int, data: bytes, instance: int = 0) -> bytes:
    """A record of PowerPoint. [MS-PPT] 2.3.1."""
    return struct.pack("<HHL", instance << 4, kind, len(data)) + data


def deflated(data: bytes) -> bytes:
    return record(0x1011, struct.pack("<L", len(data)) + zlib.compress(data), 1)


def presentation(*records: bytes) -> dict[str, Tree | bytes]:
    body = record(1000, record(1001, bytes(40))) + b"".join(records)
    return {"PowerPoint Document": body.ljust(CUTOFF, b"\0"), "Current User": CURRENT_USER}


def attachment(**names: bytes) -> dict[str, Tree | bytes]:
    """The streams of an attachment in a .msg; the names are those of properties."""
    streams = {f"__substg1.0_{each.removeprefix('p')}": name for each, name in names.items()}
    return {"__properties_version1.0": bytes(32), "__substg1.0_37010102": CONTENT, **streams}


MACROS: Tree = {"Macros": {"VBA": {"_VBA_PROJECT": bytes(7), "dir": bytes(9)}, "PROJECT": b""}}


# ---- what is found


@pytest.mark.parametrize(
    ("tree", "name"),
    [
        ({"CONTENTS": CONTENT}, "CONTENTS"),
        ({"Large": CONTENT * 100}, "Large"),
        ({"ObjectPool": {"_1": native(packaged(CONTENT))}}, "ObjectPool/_1/\1Ole10Native/a.exe"),
        ({"MBD1": native(CONTENT)}, "MBD1/\1Ole10Native/data"),
        ({"MBD1": native(b"\2\0" + CONTENT)}, "MBD1/\1Ole10Native/data"),
        ({"MBD1": native(b"\2\0" + CONTENT + b"\0\0ab")}, "MBD1/\1Ole10Native/data"),
        ({"MBD1": {"Package": zipped("a.exe")}}, "MBD1/Package/a.exe"),
        (presentation(deflated(ole2(native(packaged(CONTENT))))), "PowerPoint Document/object 1/\1Ole10Native/a.exe"),
        (presentation(record(0x1011, ole2({"a": CONTENT}))), "PowerPoint Document/object 1/a"),
        (presentation(deflated(b""), deflated(ole2({"a": CONTENT}))), "PowerPoint Document/object 2/a"),
        ({"__attach_version1.0_#00000000": attachment()}, "__attach_version1.0_#00000000/__substg1.0_37010102"),
        ({"#": attachment(p3707001F="a b.exe".encode("utf-16-le"), p3704001F=b"x\0")}, "#/a b.exe"),
        ({"#": attachment(p3704001F="a~1.exe\0".encode("utf-16-le"))}, "#/a~1.exe"),
        ({"#": attachment(p3707001E=b"a.exe\0", p3704001E=b"a~1.exe")}, "#/a.exe"),
        ({"#": attachment(p3707001F=b"", p3704001E=b"a~1.exe")}, "#/a~1.exe"),
        ({"#": attachment(p3707001E=b"n" * 5000, p3704001E=b"a~1.exe")}, "#/a~1.exe"),
        ({"#": {"__substg1.0_3701000D": {"#1": attachment(p3707001E=b"a.exe")}}}, "#/__substg1.0_3701000D/#1/a.exe"),
    ],
)
def test_what_is_found(tree: Tree, name: str) -> None:
    """And nothing is reported: what only begins like a Package is data."""
    result = unpacked(ole2(tree))
    assert CONTENT in result.layers[name]
    assert result.obstacles == []


def test_an_archive_in_an_attachment() -> None:
    streams = {**attachment(p3707001E=b"a.zip"), "__substg1.0_37010102": b"MZ stub" + zipped("a.exe")}
    assert unpacked(ole2({"#": streams})).layers["#/a.zip/a.exe"] == CONTENT


# ---- what is reported


@pytest.mark.parametrize(
    ("tree", "status"),
    [
        (MACROS, Status.MACRO),
        ({"_VBA_PROJECT_CUR": {"VBA": {"dir": b""}}}, Status.MACRO),
        ({"vba": {"Dir": b""}}, Status.MACRO),
        ({"MBD1": MACROS}, Status.MACRO),
        (presentation(deflated(ole2({"VBA": {"_VBA_PROJECT": b""}}))), Status.MACRO),
        ({"#": {**attachment(), "__substg1.0_37010102": ole2(MACROS)}}, Status.MACRO),
        ({"Workbook": documents.workbook(documents.sheet(0), documents.sheet(1))}, Status.MACRO),
        ({"Book": documents.workbook(documents.sheet(6))}, Status.MACRO),
        ({"Workbook": documents.workbook((0x0809, struct.pack("<HH12x", 0x0600, 0x40)))}, Status.MACRO),
        ({"Workbook": documents.workbook((0x002F, b"\1\0"))}, Status.ENCRYPTED),
        ({"WordDocument": WORD[:11] + b"\x13" + WORD[12:]}, Status.ENCRYPTED),
        ({**presentation(), "Current User": CURRENT_USER[:12] + b"\xdf\xc4\xd1\xf3"}, Status.ENCRYPTED),
        ({"EncryptedPackage": CONTENT, "EncryptionInfo": b"\4\0\4\0"}, Status.ENCRYPTED),
        ({"\tDRMContent": CONTENT}, Status.ENCRYPTED),
        ({"Binary.a": b"MSCF\0\0\0\0"}, Status.UNSCANNABLE),
        ({"MBD1": {"Package": zipped("a")[:-30]}}, Status.UNSCANNABLE),
        (presentation(deflated(ole2({}))[:-40]), Status.UNSCANNABLE),
    ],
)
def test_what_is_reported(tree: Tree, status: Status) -> None:
    assert unpacked(ole2(tree)).statuses == {status}


def test_nothing_behind_a_password_is_read() -> None:
    records = ((0x002F, b"\1\0"), documents.sheet(1))
    assert unpacked(ole2({"Workbook": documents.workbook(*records)})).statuses == {Status.ENCRYPTED}
    assert unpacked(ole2({"Workbook": documents.workbook(*records[::-1])})).statuses == {Status.ENCRYPTED, Status.MACRO}


# ---- ordinary files

CHANCE = [
    b"\x1f\x8b",
    b"\x60\xea",
    b"\x71\xc7",
    b"BZh",
    b"Rar!\x1a\x07",
    b"\x28\xb5\x2f\xfd",
    b"MSCF\0\0\0\0",
    b"PK\3\4",
]
"""What archives begin with: streams of any octets do so by chance."""

ORDINARY: dict[str, Tree] = {
    "doc": {
        "WordDocument": WORD,
        "1Table": bytes(3000),
        "Data": b"\x1f\x8b\0\0" + bytes(CUTOFF),
        "\5SummaryInformation": SUMMARY,
        "\5DocumentSummaryInformation": SUMMARY,
        "\1CompObj": bytes(110),
        "ObjectPool": {"_1": {"\1Ole": bytes(20), "\1CompObj": bytes(80), "Workbook": documents.workbook()}},
    },
    "xls": {"Workbook": documents.workbook(documents.sheet(0), documents.sheet(2)), "\5SummaryInformation": SUMMARY},
    "ppt": {
        **presentation(record(0x040E, zipped("theme/theme/theme1.xml")), record(0x041D, zipped("a.xml", "b.xml"))),
        "Pictures": record(0xF01E, random.Random(1).randbytes(9000), 0x6E0),
        "\5SummaryInformation": SUMMARY,
    },
    "msg": {
        "__properties_version1.0": bytes(200),
        "__nameid_version1.0": {
            "__substg1.0_00020102": bytes(64),
            "__substg1.0_00030102": b"",
            "__substg1.0_00040102": b"x",
        },
        "__substg1.0_1000001F": "Hello,".encode("utf-16-le"),
        "__substg1.0_10090102": random.Random(2).randbytes(900),
        "__recip_version1.0_#00000000": {f"__substg1.0_{n:08X}": start for n, start in enumerate(CHANCE)},
        "__attach_version1.0_#00000000": attachment(p3707001F="a.txt".encode("utf-16-le")),
    },
    "msi": {f"\u4840{n}": start + b"x" * 90 for n, start in enumerate(CHANCE)},
    "Thumbs.db": {
        "Catalog": bytes(90),
        "256_a": bytes(24) + b"\xff\xd8\xff\xe0" + bytes(6000),
        "1": bytes(12) + b"\xff\xd8",
    },
    "a cut archive within a stream": {"CONTENTS": b"text" + zipped("a.xml")[9:]},
    "nothing": {},
}


@pytest.mark.parametrize("kind", ORDINARY)
def test_an_ordinary_file(kind: str) -> None:
    assert unpacked(ole2(ORDINARY[kind])).obstacles == []


def test_archives_in_pieces_within_a_presentation() -> None:
    """The sectors of its themes are in any order, so that the whole file ends like an archive that is broken."""
    archive = zipped(*(f"theme/{n}.xml" for n in range(30)))
    data = ole2(presentation(record(0x040E, archive))) + archive[len(archive) // 2 :]
    assert unpacked(data).obstacles == []


def test_an_archive_behind_a_document() -> None:
    assert unpacked(ole2(ORDINARY["doc"]) + zipped("a.exe")).layers["a.exe"] == CONTENT


@pytest.mark.parametrize("stream", ["Data", "1Table", "Pictures", "__substg1.0_0E1D001F", "\u4840a"])
@pytest.mark.parametrize("start", CHANCE)
def test_streams_of_any_octets(stream: str, start: bytes) -> None:
    assert unpacked(ole2({stream: start + bytes(90)})).obstacles == []


# ---- hostile files


def changed(data: bytes, at: int, *numbers: int) -> bytes:
    return data[:at] + struct.pack(f"<{len(numbers)}L", *numbers) + data[at + 4 * len(numbers) :]


def looped(size: int, root_size: int = 0) -> bytes:
    """One stream of `size` octets whose only sector is followed by itself; and such a mini stream."""
    child = entry("a", 2, start=0, size=size)
    root = entry("Root Entry", 5, child=1, start=0, size=root_size)
    return assembled(bytes(SECTOR) + root + child + bytes(256), [0, END], 1, 0, 2**31)


@pytest.mark.parametrize(
    "data", [looped(2**31), looped(64 * CUTOFF), looped(100, 2**32 - 1), looped(100, 2**32 - 1)[:-10]]
)
def test_sectors_in_a_ring(data: bytes) -> None:
    assert unpacked(data).statuses == {Status.UNSCANNABLE}


def test_a_stream_that_ends_before_its_size() -> None:
    child, root = entry("a", 2, size=2 * CUTOFF), entry("Root Entry", 5, child=1)
    data = assembled(CONTENT.ljust(SECTOR) + root + child + bytes(256), [END, END], 1)
    assert unpacked(data).layers["a"].startswith(CONTENT)
    assert unpacked(data).statuses == {Status.UNSCANNABLE}


def test_a_ring_at_the_end_of_the_file() -> None:
    """Its last sector has one octet: each turn of the ring reads no more. The table of small streams is that ring."""
    count, last = 7990, 8054
    child, root = entry("a", 2, size=100), entry("Root Entry", 5, child=1, size=100)
    data = assembled(bytes(count * SECTOR) + root + child + bytes(256), [END] * (count + 1), count, last, 2**31)
    table = (count + 2) * SECTOR
    assert len(data) == (last + 1) * SECTOR
    budget = Budget(Deadline.after(60))
    assert unpacked(changed(data, table + 4 * last, last) + b"x", budget=budget).statuses == {Status.UNSCANNABLE}
    assert budget.deadline.left() > 55


def test_a_directory_in_a_ring() -> None:
    count = 8000
    data = assembled(bytes(count * SECTOR) + entry("Root Entry", 5) + bytes(384), [*[END] * count, count], count)
    assert unpacked(data).statuses == {Status.LIMITS}


def test_a_table_of_the_table_in_a_ring() -> None:
    """A sector of it states 127 times where the same sector of the table is, and then itself."""
    table = struct.pack("<128L", *[1] * 127, 0)
    data = assembled(table + entry("Root Entry", 5) + bytes(384), [END, END], 1)
    data = changed(changed(data, 44, 2**31), 68, 0, (2**31 - 109) // 127 + 1)
    assert unpacked(data).statuses == {Status.LIMITS}


def test_more_streams_than_members() -> None:
    data = ole2({f"{n:05}": b"" for n in range(bounds.MEMBERS + 1)})
    assert unpacked(data).statuses == {Status.LIMITS}
    data = ole2({f"{n:05}": b"" for n in range(2 * bounds.MEMBERS)})
    assert unpacked(data).statuses == {Status.LIMITS}


def test_entries_in_one_line() -> None:
    """Each is to the right of the one before: the tree is as deep as the directory is long."""
    entries = [entry("Root Entry", 5, child=1), *(entry(f"{n}", 2, right=n + 1) for n in range(1, 4000))]
    sectors = b"".join(entries)
    data = assembled(sectors, [*range(1, len(sectors) // SECTOR), END], 0)
    assert unpacked(data).statuses == {Status.UNSCANNABLE}


@pytest.mark.parametrize("shift", [0, 2, 5, 16, 31, 0xFFFF])
def test_sectors_of_another_size(shift: int) -> None:
    data = ole2(ORDINARY["doc"])
    assert Status.UNSCANNABLE in unpacked(data[:30] + struct.pack("<H", shift) + data[32:]).statuses


def test_streams_that_share_their_sectors() -> None:
    """Each of a thousand is nearly as large as the file."""
    body, count = 2000 * SECTOR, 1000
    made: dict[int, bytes] = {}

    def tree(low: int, high: int) -> int:
        if low >= high:
            return 0xFFFFFFFF
        at = (low + high) // 2
        made[at] = entry(f"{at}", 2, left=tree(low, at), right=tree(at + 1, high), start=0, size=body)
        return at

    made[0] = entry("Root Entry", 5, child=tree(1, count))
    directory = b"".join(made[n] for n in sorted(made))
    table = [*range(1, 2000), END, *range(2001, 2000 + len(directory) // SECTOR), END]
    result = unpacked(assembled(bytes(body) + directory, table, 2000))
    assert result.statuses == {Status.UNSCANNABLE}
    assert sum(map(len, result.layers.values())) < 3 * body


def test_objects_that_overlap() -> None:
    """Each states that it is as long as the rest of the stream."""
    heads = b"".join(b"\x00\x00\x11\x10\xff\xff\xff\x7f\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" for _ in range(20_000))
    assert Status.LIMITS in unpacked(ole2(presentation(heads))).statuses


def test_the_deadline_is_checked_among_records() -> None:
    class Checks(Budget):
        checks = 0

        def check(self, unpacked: int = 0, total: int = 0, packed: int = 0) -> bool:
            self.checks += 1
            return super().check(unpacked, total, packed)

    budget = Checks(Deadline.after(60))
    unpacked(ole2({"Workbook": bytes(400_000)}), budget=budget)
    assert budget.checks >= 10


SAMPLES = [ole2(tree) for tree in (*ORDINARY.values(), MACROS, presentation(deflated(ole2(native(packaged(CONTENT))))))]


@pytest.mark.parametrize("sample", SAMPLES)
def test_truncated_anywhere(sample: bytes) -> None:
    for end in range(0, len(sample), 97):
        unpacked(sample[:end])


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=200)
@given(damaged(SAMPLES, 2**16, 9))
def test_damage_raises_nothing(octets: bytes) -> None:
    unpacked(octets)
