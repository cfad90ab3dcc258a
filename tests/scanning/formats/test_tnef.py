"""tnef: the attachments of winmail.dat, by their names."""

from __future__ import annotations

import struct
import tracemalloc

import pytest
from support.tnef import (
    BEGIN,
    BINARY,
    COMMENT,
    DATA,
    EMBEDDED,
    LONG,
    OBJECT,
    PROPERTIES,
    RENDERING,
    SHORT,
    STRING,
    SUBJECT,
    TITLE,
    UNICODE,
    attribute,
    number,
    properties,
    tag,
    tnef,
    value,
)
from support.unpacked import unpacked

from sieveav.limits import MIB
from sieveav.scanning.contract import Deadline
from sieveav.scanning.formats.tnef import MAGIC
from sieveav.scanning.formats.tnef import tnef as tnef_format
from sieveav.scanning.layers import Budget, Layer
from sieveav.verdict import Status

CONTENT = b"content"
FILE = BEGIN + attribute(DATA, CONTENT)

NUMBERED = bytes(16) + struct.pack("<LL", 0, 7)
NAMED = bytes(16) + struct.pack("<LL", 1, 6) + "abc".encode("utf-16-le") + b"\0\0"

OTHERS = (
    number(0x0E20, 0x03, b"1234"),
    number(0x0E21, 0x02, b"12"),
    number(0x0E22, 0x0B, b"1\0"),
    number(0x0E23, 0x40, b"12345678"),
    number(0x0E24, 0x48, b"1234567812345678"),
    value(0x0E25, BINARY, b"abcde"),
    value(0x0E26, 0x101E, b"one\0", b"three\0"),
    tag(0x0E27, 0x1003) + struct.pack("<L", 2) + b"12345678",
    tag(0x8001, 0x03) + NUMBERED + b"1234",
    tag(0x8002, 0x1E) + NAMED + value(0, 0, b"x\0")[4:],
)
"""Properties of all forms."""


def opened(data: bytes) -> tuple[dict[str, bytes], set[Status]]:
    """The layers without those that are only attributes, by name."""
    result = unpacked(data)
    return {name: octets for name, octets in result.layers.items() if not name[:8].isdigit()}, result.statuses


@pytest.mark.parametrize(
    ("attributes", "name"),
    [
        ([attribute(TITLE, b"a.eml\0")], "a.eml"),
        ([properties(value(LONG, STRING, b"a long name.eml\0"))], "a long name.eml"),
        ([properties(value(LONG, UNICODE, "ä.eml\0".encode("utf-16-le")))], "ä.eml"),
        ([properties(value(SHORT, STRING, b"ALONGN~1.EML\0"))], "ALONGN~1.EML"),
        (
            [
                properties(value(SHORT, STRING, b"short\0"), value(LONG, STRING, b"long\0")),
                attribute(TITLE, b"title\0"),
            ],
            "long",
        ),
        (
            [properties(value(SHORT, STRING, b"short\0"), value(LONG, STRING, b"\0")), attribute(TITLE, b"title\0")],
            "short",
        ),
        ([attribute(TITLE, b"title\0"), properties(value(COMMENT, STRING, b"comment\0"))], "title"),
        ([properties(*OTHERS, value(LONG, STRING, b"long\0"))], "long"),
        ([attribute(TITLE, b"a.eml\0.txt\0")], "a.eml"),
    ],
)
def test_the_name_of_an_attachment(attributes: list[bytes], name: str) -> None:
    """It may come before the data or after it."""
    title = attribute(SUBJECT, b"subject")
    expected = {f"{name}": CONTENT}
    if not name.lower().endswith(".eml"):
        assert opened(tnef(title, FILE, *attributes)) == (expected, set())
        assert opened(tnef(title, BEGIN, *attributes, attribute(DATA, CONTENT))) == (expected, set())
    assert opened(tnef(title, FILE, *attributes))[0].items() >= expected.items()


def test_each_attachment_has_its_own_name() -> None:
    files = [BEGIN + attribute(DATA, b"%d" % n) + attribute(TITLE, b"name %d\0" % n) for n in range(3)]
    assert opened(tnef(*files, FILE)) == (
        {**{f"name {n}": b"%d" % n for n in range(3)}, "0006800f": CONTENT},
        set(),
    )


def test_a_message_in_a_message() -> None:
    """An embedded message of Outlook: TNEF behind the identifier of an interface."""
    inner = tnef(FILE, properties(value(LONG, STRING, b"inner\0")))
    for _ in range(3):
        inner = tnef(
            BEGIN, properties(*OTHERS, value(EMBEDDED, OBJECT, b"interface of 16 " + inner)), attribute(TITLE, b"m")
        )
    layers, statuses = opened(inner)
    assert layers["m/m/m/inner"] == CONTENT
    assert statuses == set()


def test_data_in_a_property() -> None:
    data = tnef(BEGIN, properties(value(EMBEDDED, BINARY, CONTENT), value(LONG, STRING, b"a.bin\0")))
    assert opened(data) == ({"a.bin": CONTENT}, set())
    items = list(tnef_format.open(Layer("x", data), Budget(Deadline.after(60))))
    assert [item.data for item in items if isinstance(item, Layer) and item.unusual] == [CONTENT]


@pytest.mark.parametrize(
    "attributes",
    [
        [attribute(TITLE, b"one"), attribute(TITLE, b"two")],
        [properties(value(LONG, STRING, b"one"), value(LONG, STRING, b"two"))],
        [properties(value(LONG, STRING, b"one")), properties(value(LONG, STRING, b"two"))],
        [properties(value(LONG, STRING, b"one"), count=2)],
        [properties(number(0x0E20, 0x7777, b"1234"), value(LONG, STRING, b"one"))],
        [properties(value(LONG, STRING, b"one")[:-2])],
        [properties(tag(LONG, STRING) + struct.pack("<LL", 1, 0xFFFFFFFF) + b"one")],
        [properties(tag(LONG, STRING) + struct.pack("<L", 0xFFFFFFFF) + b"one")],
        [properties(tag(0x0E20, 0x1003) + struct.pack("<L", 0xFFFFFFFF) + b"1234")],
        [properties(tag(0x8001, 0x03) + bytes(16) + struct.pack("<LL", 1, 0xFFFFFFFF) + b"1234")],
        [properties(count=0xFFFFFFFF)],
        [attribute(PROPERTIES, b"")],
    ],
)
def test_what_programs_may_read_in_two_ways(attributes: list[bytes]) -> None:
    layers, statuses = opened(tnef(FILE, *attributes))
    assert CONTENT in layers.values()
    assert statuses == {Status.UNSCANNABLE}


def test_truncated_anywhere() -> None:
    title, last = attribute(TITLE, b"name\0"), properties(*OTHERS)
    whole = tnef(FILE, title, last)
    for length in range(len(whole) - len(last) + 9, len(whole) - 2):
        layers, statuses = opened(whole[:length])
        assert layers["name"] == CONTENT
        assert statuses == {Status.UNSCANNABLE}
    for length in range(len(MAGIC), len(whole)):
        opened(whole[:length])


@pytest.mark.parametrize(
    "data",
    [
        tnef(*[attribute(RENDERING, b"")] * 200_000),
        tnef(*[attribute(TITLE, b"")] * 200_000),
        tnef(BEGIN, *[attribute(PROPERTIES, b"")] * 200_000),
    ],
    ids=["attachments", "titles", "properties"],
)
def test_more_attributes_than_allowed(data: bytes) -> None:
    assert Status.LIMITS in opened(data)[1]


def test_no_more_is_kept_of_them() -> None:
    data = tnef(*[attribute(SUBJECT, b"subject")] * 200_000)
    tracemalloc.start()
    try:
        opened(data)
        assert tracemalloc.get_traced_memory()[1] < 10 * MIB
    finally:
        tracemalloc.stop()


def test_many_properties() -> None:
    many = [number(0x0E20, 0x02, b"12")] * 200_000
    assert opened(tnef(FILE, properties(*many, value(LONG, STRING, b"name")))) == ({"name": CONTENT}, set())


def test_the_deadline_is_checked_for_each_property() -> None:
    deadline = Deadline.after(60)
    checks = iter([*[deadline] * 5, Deadline.after(0)])

    class Checks(Budget):
        def check(self, unpacked: int = 0, total: int = 0, packed: int = 0) -> bool:
            self.deadline = next(checks)
            return super().check(unpacked, total, packed)

    budget = Checks(deadline)
    many = [number(0x0E20, 0x02, b"12")] * 1000
    result = unpacked(tnef(FILE, properties(*many)), budget=budget)
    assert list(result.layers) == ["00069002"]
    assert result.statuses == {Status.ERROR}


def test_a_name_of_a_megabyte() -> None:
    """Its end is kept: it is in the name of everything below."""
    files = [attribute(DATA, b"")] * 1000
    layers, _ = opened(tnef(*files, attribute(TITLE, b"n" * MIB + b".txt")))
    assert max(map(len, layers)) < 2000
