"""tar: the files in it, by the names that programs give them."""

from __future__ import annotations

import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.unpacked import unpacked

from sieveav.verdict import Status

CONTENT = b"content " * 100


def header(name: bytes, size: int, kind: bytes = b"0", prefix: bytes = b"", magic: bytes = b"ustar\x0000") -> bytes:
    start = name.ljust(100, b"\0") + b"0000644\0" + b"0000000\0" * 2 + b"%011o\0" % size + b"%011o\0" % 0
    rest = (kind + bytes(100) + magic).ljust(189, b"\0") + prefix
    whole = (start + b" " * 8 + rest).ljust(512, b"\0")
    return whole[:148] + b"%06o\0 " % sum(whole) + whole[156:]


def entry(name: bytes, content: bytes = CONTENT, kind: bytes = b"0", prefix: bytes = b"") -> bytes:
    return header(name, len(content), kind, prefix) + content + bytes(-len(content) % 512)


def record(key: bytes, value: bytes) -> bytes:
    """A record of pax, with the length of itself."""
    rest = b" " + key + b"=" + value + b"\n"
    length = next(n for n in range(len(rest), len(rest) + 9) if len(b"%d" % n) + len(rest) == n)
    return b"%d" % length + rest


def pax(*records: bytes, kind: bytes = b"x") -> bytes:
    return entry(b"PaxHeaders/x", b"".join(records), kind)


def opened(data: bytes) -> tuple[dict[str, bytes], set[Status]]:
    result = unpacked(data + bytes(1024))
    return result.layers, result.statuses


LONG = "d" * 120 + "/" + "n" * 60 + ".pdf"


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("name", ["a.pdf", LONG])
def test_names(form: int, name: str) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=form) as archive:
        for each in (name, "b.txt"):
            member = tarfile.TarInfo(each)
            member.size = len(CONTENT)
            archive.addfile(member, io.BytesIO(CONTENT))
    assert opened(stream.getvalue()) == ({name: CONTENT, "b.txt": CONTENT}, set())


@given(st.text("äb /.", min_size=1, max_size=300), st.binary(max_size=700))
def test_any_name_and_content(name: str, content: bytes) -> None:
    content = b"\xff" + content  # begins no archive
    octets = name.encode()
    for data in (pax(record(b"path", octets)), entry(b"././@LongLink", octets + b"\0", b"L")):
        layers, statuses = opened(data + entry(b"short", content))
        assert layers[name] == content
        assert statuses == set()


@pytest.mark.parametrize(
    ("data", "names"),
    [
        (entry(b"n", prefix=b"p/q"), ["p/q/n"]),
        (header(b"n", 0, prefix=b"1234", magic=b"ustar  \0"), ["n"]),  # GNU has times there
        (header(b"n", 0, prefix=b"1234", magic=b""), ["n"]),
        (entry(b"", b"long\0", b"L") + entry(b"a") + entry(b"b"), ["long", "b"]),
        (entry(b"", b"link\0", b"K") + entry(b"a"), ["a"]),
        (entry(b"", b"long\0", b"L") + header(b"s", 0, b"2") + entry(b"a"), ["a"]),
        (pax(record(b"mtime", b"1"), record(b"path", b"p size=3")) + entry(b"a") + entry(b"b"), ["p size=3", "b"]),
        (pax(record(b"comment", b" GNU.sparse.major=1")) + entry(b"a"), ["a"]),
        (pax(record(b"path", b"p"), kind=b"X") + entry(b"a"), ["p"]),
        (pax(record(b"comment", b"git"), kind=b"g") + entry(b"a"), ["a"]),
        (pax(record(b"comment", b"c") + bytes(5)) + entry(b"a"), ["a"]),
        # programs disagree which of two counts
        (entry(b"", b"one\0", b"L") + pax(record(b"path", b"two")) + entry(b"a"), ["one", "two"]),
    ],
)
def test_which_name_counts(data: bytes, names: list[str]) -> None:
    layers, statuses = opened(data)
    assert list(layers) == names
    assert statuses == set()


@pytest.mark.parametrize(
    "note",
    [
        pax(record(b"size", b"5")),
        pax(record(b"GNU.sparse.major", b"1")),
        pax(record(b"path", b"for all"), kind=b"g"),
        pax(b"5 a=b"),
        pax(b"9 a=b\n"),
        pax(b"2 a=b\n"),
        pax(b"0 a=b\n"),
        pax(b"6 a=b\n0 a=b\n"),
        pax(b"path=a\n"),
        pax(b"6 abcd\n"),
        pax(b"9" * 5000 + b" a=b\n"),
    ],
)
def test_records_that_programs_may_read_in_two_ways(note: bytes) -> None:
    assert opened(note + entry(b"a"))[1] == {Status.UNSCANNABLE}


@pytest.mark.parametrize(
    "size", [b"0000_000001\0", b"+0000000001\0", b"-0000000001\0", b"00000\x00000001", b"00000000009"]
)
def test_sizes_that_programs_may_read_in_two_ways(size: bytes) -> None:
    octets = bytearray(entry(b"a", b"x"))
    octets[124 : 124 + len(size)] = size
    octets[148:156] = b" " * 8
    octets[148:156] = b"%06o\0 " % sum(octets[:512])
    assert opened(bytes(octets))[1] == {Status.UNSCANNABLE}


@pytest.mark.parametrize("note", [pax(record(b"path", b"p" * 10**6)), entry(b"", b"n" * 10**6 + b"\0", b"L")])
def test_a_name_of_a_megabyte(note: bytes) -> None:
    """Its end is kept: it is in the name of everything below."""
    inner = b"".join(entry(b"%d" % number, b"x") for number in range(1000))
    layers, statuses = opened(note + entry(b"a", inner))
    assert len(layers) == 1001
    assert max(map(len, layers)) < 1100
    assert statuses == set()


def test_many_names_for_one_file() -> None:
    notes = b"".join(entry(b"", b"%d\0" % number, b"L") for number in range(5000))
    layers, statuses = opened(notes + entry(b"a", bytes(100_000)))
    assert statuses == {Status.LIMITS}
    assert len(layers) < 1200


def test_truncated_anywhere() -> None:
    whole = pax(record(b"path", b"long")) + entry(b"a") + entry(b"", b"name\0", b"L") + entry(b"b")
    for length in range(513, len(whole)):
        assert list(unpacked(whole[:length]).layers) in ([], ["long"], ["long", "name"])
