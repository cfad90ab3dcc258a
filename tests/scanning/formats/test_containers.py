"""containers: archives in the formats of libarchive, made by Debian's programs, and broken, large and hostile ones."""

from __future__ import annotations

import gzip
import lzma
import os
import random
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support import kits, ole2
from support.containers import need_libraries, packed
from support.faults import ENOUGH
from support.rar import MARKER_4, MARKER_5, SOLID, header_4, header_5, rar4, rar5
from support.unpacked import Unpacked, unpacked

from sieveav.scanning.containers import worker
from sieveav.scanning.containers.frames import MEMORY
from sieveav.scanning.containers.helpers import COMMAND, HELPERS, Helpers
from sieveav.scanning.contract import Deadline
from sieveav.scanning.formats import containers
from sieveav.scanning.layers import Budget, Layer
from sieveav.verdict import Status

pytestmark = pytest.mark.real

FILES = {"one.txt": b"hello\n", "two.bin": random.Random(1).randbytes(2000) * 90, "empty.txt": b""}

BSDTAR = ("bsdtar", "-cf", "packed")

COMMANDS: dict[str, tuple[str, ...]] = {
    "7z": (*BSDTAR, "--format", "7zip", *FILES),
    **{
        f"7z {method}": ("7zz", "a", "packed", "-t7z", f"-m0={method}", *FILES)
        for method in ("Copy", "LZMA", "PPMd", "BZip2")
    },
    "ar": (*BSDTAR, "--format", "arsvr4", *FILES),
    "cab": ("gcab", "-cz", "packed", *FILES),
    "cpio": (*BSDTAR, "--format", "cpio", *FILES),
    "cpio newc": (*BSDTAR, "--format", "newc", *FILES),
    "cpio bin": ("sh", "-c", f"ls {' '.join(FILES)} | cpio -o -H bin > packed"),
    "iso": (*BSDTAR, "--format", "iso9660", *FILES),
    "iso, level 1": ("genisoimage", "-o", "packed", *FILES),
    "lzh": ("jlha", "aq", "packed.lzh", *FILES),
    "lzh -lh5-": ("jlha", "aqo5", "packed.lzh", *FILES),
    "xar": (*BSDTAR, "--format", "xar", *FILES),
}
"""Format, and more -> how it is packed."""


@pytest.fixture(autouse=True)
def _libraries() -> None:
    need_libraries()


@pytest.fixture
def pack(tmp_path: Path) -> Callable[..., bytes]:
    """The archive that a program makes of `files`."""

    def pack(*command: str, files: dict[str, bytes] = FILES) -> bytes:
        for name, content in files.items():
            (tmp_path / name).write_bytes(content)
        packed(tmp_path, *command)
        return next(tmp_path.glob("packed*")).read_bytes()

    return pack


def files(found: Unpacked) -> dict[str, bytes]:
    """The layers by the names of plain ISO 9660 too."""
    return {name.lower().partition(";")[0].rstrip("."): data for name, data in found.layers.items()}


@pytest.mark.parametrize("how", COMMANDS)
def test_an_archive(pack: Callable[..., bytes], how: str) -> None:
    found = unpacked(pack(*COMMANDS[how]))
    assert (files(found), found.obstacles) == (FILES, [])


@pytest.mark.parametrize("make", [rar4, rar5])
def test_rar(make: Callable[..., bytes]) -> None:
    found = unpacked(make(FILES))
    assert (found.layers, found.obstacles) == (FILES, [])


def test_ar_as_compilers_write_it() -> None:
    """Its entries have no types. Fields: name, time, user, group, mode, size."""
    entries = (
        f"{name + '/':16}{0:<12}{0:<6}{0:<6}{'644':8}{len(data):<10}`\n".encode() + data for name, data in FILES.items()
    )
    found = unpacked(b"!<arch>\n" + b"".join(entries))
    assert (found.layers, found.obstacles) == (FILES, [])


LZ4 = (*BSDTAR, "--format", "raw", "--lz4", "two.bin")


@pytest.mark.parametrize(
    ("how", "name"), [(LZ4, "one.txt.lz4"), ((*BSDTAR, "--format", "raw", "-Z", "two.bin"), "one.txt.Z")]
)
def test_one_compressed_file(pack: Callable[..., bytes], how: tuple[str, ...], name: str) -> None:
    found = unpacked(pack(*how), name)
    assert (found.layers, found.obstacles) == ({"one.txt": FILES["two.bin"]}, [])


@pytest.mark.parametrize("compress", [gzip.compress, lzma.compress, bytes])
def test_rpm(pack: Callable[..., bytes], compress: Callable[[bytes], bytes]) -> None:
    """A lead, a header with signatures and one with properties, both empty here, and cpio."""
    header = b"\x8e\xad\xe8\x01" + bytes(12)
    lead = struct.pack(">4sBBhh66shh16s", b"\xed\xab\xee\xdb", 3, 0, 0, 1, b"x-1-1", 1, 5, b"")
    found = unpacked(lead + header * 2 + compress(pack(*COMMANDS["cpio newc"])))
    assert (found.layers, found.obstacles) == (FILES, [])


ARCHIVES = ("7z", "cab", "iso", "cpio newc", "xar", "lzh")


@pytest.mark.parametrize("how", ["7z", "cab"])
def test_behind_a_program(pack: Callable[..., bytes], how: str) -> None:
    found = unpacked(b"MZ" + bytes(100_000) + pack(*COMMANDS[how]))
    assert (files(found), found.obstacles) == (FILES, [])


@pytest.mark.parametrize("make", [rar4, rar5])
def test_rar_behind_a_program(make: Callable[..., bytes]) -> None:
    found = unpacked(b"MZ" + bytes(100_000) + make(FILES) + b"signature")
    assert (found.layers, found.obstacles) == (FILES, [])


def test_within_each_other(pack: Callable[..., bytes]) -> None:
    seven = pack(*COMMANDS["7z"])
    found = unpacked(rar5({"a.rar": rar4({"b.7z": seven})}))
    assert found.layers["a.rar/b.7z/two.bin"] == FILES["two.bin"]
    assert found.obstacles == []


def test_a_rar_in_pieces_in_the_sectors_of_a_document() -> None:
    """What is attached to a document is opened as a stream, in order."""
    found = unpacked(ole2.ole2({"attached": rar4(FILES)}))
    assert found.layers["attached/two.bin"] == FILES["two.bin"]
    assert unpacked(ole2.ole2({"attached": bytes(5000)}) + rar4(FILES)[:512]).obstacles == []


# ---- encrypted


@pytest.mark.parametrize(("option", "reason"), [("-mhe=off", "encrypted: x/one.txt"), ("-mhe=on", "encrypted: x/")])
def test_an_encrypted_7z(pack: Callable[..., bytes], option: str, reason: str) -> None:
    found = unpacked(pack("7zz", "a", "packed.7z", "-psecret", option, "one.txt"))
    assert [tuple(obstacle) for obstacle in found.obstacles] == [(Status.ENCRYPTED, reason, "")]


@pytest.mark.parametrize("encrypted", [("one.txt",), ("two.bin",), tuple(FILES)])
@pytest.mark.parametrize("make", [rar4, rar5])
def test_an_encrypted_rar(make: Callable[..., bytes], encrypted: tuple[str, ...]) -> None:
    found = unpacked(make(FILES, encrypted=encrypted))
    assert found.layers == {name: data for name, data in FILES.items() if name not in encrypted}
    assert [(each.status, each.reason) for each in found.obstacles] == [
        (Status.ENCRYPTED, f"encrypted: x/{name}") for name in FILES if name in encrypted
    ]


def test_an_encrypted_solid_rar() -> None:
    """libarchive would have to unpack each file to go to the next."""
    assert unpacked(rar5(FILES, SOLID, encrypted=tuple(FILES))).statuses == {Status.ENCRYPTED}


@pytest.mark.parametrize(
    "data",
    [
        MARKER_4 + header_4(0x73, 0x80, bytes(6)) + bytes(99),
        MARKER_5 + header_5(4, b"\0\0\x0f" + bytes(16)) + bytes(99),  # version, flags, iterations, salt
    ],
)
def test_rar_with_encrypted_headers(data: bytes) -> None:
    assert unpacked(data).statuses == {Status.ENCRYPTED}


# ---- what is hidden, broken or not all there


@pytest.mark.parametrize("how", ARCHIVES)
def test_truncated(pack: Callable[..., bytes], how: str) -> None:
    archive = pack(*COMMANDS[how])
    for size in (len(archive) // 3, len(archive) * 2 // 3):
        found = unpacked(archive[: 0x9000 if how == "iso" else size])
        assert found.statuses == {Status.UNSCANNABLE}


@pytest.mark.parametrize("make", [rar4, rar5])
@pytest.mark.parametrize("end", [20, 100, 50_000])
def test_a_truncated_rar(make: Callable[..., bytes], end: int) -> None:
    found = unpacked(make(FILES)[:-end])
    assert found.layers["one.txt"] == FILES["one.txt"]
    assert found.statuses == {Status.UNSCANNABLE}


@pytest.mark.parametrize("make", [rar4, rar5])
def test_a_rar_with_another_content(make: Callable[..., bytes]) -> None:
    """Its checksum, which libarchive does not look at when content is stored."""
    found = unpacked(make(FILES).replace(b"hello", b"hullo"))
    assert found.layers["one.txt"] == b"hullo\n"
    assert found.statuses == {Status.UNSCANNABLE}


@pytest.mark.parametrize("make", [rar4, rar5])
def test_a_volume(make: Callable[..., bytes]) -> None:
    """Flags: the archive is in volumes; another follows."""
    assert unpacked(make(FILES, flags=1, end_flags=1)).statuses == {Status.UNSCANNABLE}


@pytest.mark.parametrize(
    "data", [rar4({}), rar5({}), b"7z\xbc\xaf\x27\x1c\0\4" + bytes(24), b"!<arch>\n", b"RE~^" + bytes(99)]
)
def test_no_entries(data: bytes) -> None:
    assert unpacked(data).statuses == {Status.UNSCANNABLE}


@pytest.mark.parametrize("data", [b"\x04\x22\x4d\x18", b"\x1f\xa0" + bytes(99), b"\x02\x21\x4c\x18"])
def test_what_only_begins_like_a_compressed_file(data: bytes) -> None:
    """It is not passed on as its own content."""
    found = unpacked(data)
    assert (found.layers, found.statuses) == ({}, {Status.UNSCANNABLE})


@pytest.mark.parametrize(("hide", "unusual"), [("-hide", True), ("-hide-joliet", False)])
def test_a_file_in_one_tree_of_a_disc_only(pack: Callable[..., bytes], hide: str, unusual: bool) -> None:
    """Windows shows the tree of Joliet, Unix that of Rock Ridge."""
    disc = pack("genisoimage", "-r", "-J", hide, "two.bin", "-o", "packed", *FILES)
    items = list(containers.iso.open(Layer("x", disc), Budget(Deadline.after(60))))
    assert sorted(layer.data for layer in items if isinstance(layer, Layer)) == sorted(FILES.values())
    assert [item.unusual for item in items if isinstance(item, Layer) and item.data == FILES["two.bin"]] == [unusual]
    assert len(items) == len(FILES)


def test_a_disc_with_udf_beside(pack: Callable[..., bytes]) -> None:
    """Which has a tree of its own, that nothing here reads."""
    assert unpacked(pack("genisoimage", "-udf", "-o", "packed", *FILES)).statuses == {Status.UNSCANNABLE}


@pytest.mark.parametrize("format_", ["iso9660", "xar", "newc", "cpio"])
def test_another_name_of_a_file(tmp_path: Path, format_: str) -> None:
    """A file is read once. With another extension it is another kind of file: a message, for example."""
    (tmp_path / "a.txt").write_bytes(b"Subject: x\r\n\r\nhello\r\n")
    for name in ("b.txt", "c.eml"):
        (tmp_path / name).hardlink_to(tmp_path / "a.txt")
    for name, statuses in (("b.txt", set()), ("c.eml", {Status.UNSCANNABLE})):
        packed(tmp_path, "bsdtar", "-cf", "packed", "--format", format_, "a.txt", name)
        assert unpacked((tmp_path / "packed").read_bytes()).statuses == statuses


# ---- hostile


def test_a_bomb(pack: Callable[..., bytes]) -> None:
    found = unpacked(pack(*BSDTAR, "--format", "7zip", "zeros", files={"zeros": bytes(80_000_000)}))
    assert found.statuses == {Status.LIMITS}
    assert len(found.layers["zeros"]) < 20_000_000


def test_a_dictionary_of_4_gib(pack: Callable[..., bytes]) -> None:
    """A 7z whose header has the properties of LZMA in clear: lc/lp/pb and the size of the dictionary."""
    archive = bytearray(pack("7zz", "a", "packed.7z", "-m0=LZMA", "-mhc=off", "two.bin"))
    at = archive.index(b"\x23\x03\x01\x01\x05\x5d") + 6
    archive[at : at + 4] = struct.pack("<L", 0xF0000000)
    start, size = struct.unpack_from("<QQ", archive, 12)
    archive[28:32] = struct.pack("<L", zlib.crc32(archive[32 + start : 32 + start + size]))
    archive[8:12] = struct.pack("<L", zlib.crc32(archive[12:32]))
    assert unpacked(bytes(archive)).statuses == {Status.LIMITS}


def test_more_than_may_be_unpacked(pack: Callable[..., bytes]) -> None:
    noise = random.Random(3).randbytes(1_000_000) * 8
    archive = pack(*BSDTAR, "--format", "cpio", "noise", files={"noise": noise})
    found = unpacked(archive, budget=Budget(Deadline.after(60), octets=2_000_000))
    assert found.statuses == {Status.LIMITS}
    assert 1_000_000 < len(found.layers["noise"]) < 4_000_000


def test_many_members() -> None:
    found = unpacked(rar4({f"{number}": b"" for number in range(60)}), budget=Budget(Deadline.after(60), members=50))
    assert found.statuses == {Status.LIMITS}


@pytest.fixture
def children_do(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Has the child of a helper run this code instead of reading, within its limits."""
    started: list[Helpers] = []

    def do(code: str) -> None:
        instead = (
            "from sieveav.scanning.containers import reading",
            "real = reading.read",
            f"reading.read = lambda kind, octets, send: exec({code!r})",
        )
        begin, path, main = COMMAND[-1].split("; ", 2)
        started.append(Helpers((*COMMAND[:-1], "; ".join((begin, path, *instead, main)))))
        monkeypatch.setattr(containers, "HELPERS", started[-1])

    with kits.nothing_left():
        yield do
        for helpers in started:
            helpers.close()


OUT = "send(b'M', b'a'); send(b'D', repr({}).encode()); send(b'C')"


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("while True: pass", Status.LIMITS),
        (f"held = [bytes(1_000_000) for _ in range({2 * MEMORY // 1_000_000})]", Status.LIMITS),
        ("import os; os._exit(1)", Status.LIMITS),  # as libarchive does without memory
        ("import os; os.kill(os.getpid(), 11)", Status.UNSCANNABLE),
        ("import os; os.abort()", Status.UNSCANNABLE),
        ("import os; os._exit(7)", Status.UNSCANNABLE),
        ("raise SystemExit", Status.UNSCANNABLE),
        ("import os; os.write(os.memfd_create('x'), b'x')", Status.UNSCANNABLE),
        ("import os; os.fork()", Status.UNSCANNABLE),
        ("held = [open('/dev/null') for _ in range(20)]", Status.UNSCANNABLE),
    ],
)
def test_what_a_child_may_not_do(children_do: Callable[[str], None], code: str, status: Status) -> None:
    children_do(code)
    assert unpacked(rar4(FILES)).statuses == {status}


@pytest.mark.parametrize(("how", "status"), [(COMMANDS["cpio"], 1), (LZ4, -20)])
def test_less_than_is_stated(
    children_do: Callable[[str], None], pack: Callable[..., bytes], how: tuple[str, ...], status: int
) -> None:
    """libarchive says that this is all, or gives a warning: no failure."""
    archive = pack(*how)
    children_do(f"reading.ffi.read_data_block = lambda *_: {status}; real(kind, octets, send)")
    found = unpacked(archive)
    assert (set(found.layers.values()), found.statuses) == ({b""}, {Status.UNSCANNABLE})


def test_fewer_entries_than_the_other_reader_sees(children_do: Callable[[str], None]) -> None:
    children_do(
        "first = iter((True,)); other = reading.ffi.read_next_header2; "
        "reading.ffi.read_next_header2 = lambda *a, first=first, other=other: other(*a) if next(first, False) else 1; "
        "real(kind, octets, send)"
    )
    found = unpacked(rar4(FILES))
    assert (set(found.layers), found.statuses) == ({"one.txt"}, {Status.UNSCANNABLE})


def test_what_a_child_has(children_do: Callable[[str], None]) -> None:
    """Files: no input, the frames, no errors. Not the rights of root."""
    children_do(
        "import os; "
        + OUT.format("(sorted(os.listdir('/proc/self/fd'))[:3], os.getuid(), os.readlink('/proc/self/fd/0'))")
    )
    user = worker.NOBODY if os.getuid() == 0 else os.getuid()
    assert unpacked(rar4(FILES)).layers["a"].decode() == repr((["0", "1", "2"], user, "/dev/null"))


def test_mutants(pack: Callable[..., bytes]) -> None:
    """Whatever comes of them, it comes soon."""
    rand = random.Random(4)
    begun = time.monotonic()
    for archive in (rar4(FILES), rar5(FILES), *(pack(*COMMANDS[how]) for how in ("7z", "cab"))):
        for _ in range(5):
            mutant = bytearray(archive)
            for _ in range(rand.randint(1, 20)):
                mutant[rand.randrange(8, len(mutant))] = rand.randrange(256)
            unpacked(bytes(mutant))
    assert time.monotonic() - begun < ENOUGH


def test_many_archives_from_threads() -> None:
    archives = [rar4({"a": b"%d" % number}) for number in range(200)]
    found: list[Unpacked] = []

    def work(mine: list[bytes]) -> None:
        found.extend(map(unpacked, mine))

    with kits.nothing_left():
        before = kits.children()
        threads = [threading.Thread(target=work, args=(archives[number::4],)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(kits.children() - before) <= len(os.sched_getaffinity(0))
        HELPERS.close()
    assert sorted(int(each.layers["a"]) for each in found) == list(range(200))
