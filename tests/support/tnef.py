"""tnef: attributes and properties to a winmail.dat; [MS-OXTNEF] has the layout."""

from __future__ import annotations

import struct

from sieveav.scanning.formats.tnef import MAGIC

SUBJECT, RENDERING, DATA, TITLE, PROPERTIES = 0x18004, 0x69002, 0x6800F, 0x18010, 0x69005
STRING, UNICODE, OBJECT, BINARY = 0x1E, 0x1F, 0x0D, 0x102
LONG, SHORT, EMBEDDED, COMMENT = 0x3707, 0x3704, 0x3701, 0x3004


def tnef(*attributes: bytes) -> bytes:
    return MAGIC + b"\1\0" + b"".join(attributes)


def attribute(identity: int, body: bytes) -> bytes:
    return struct.pack("<BLL", 2, identity, len(body)) + body + struct.pack("<H", sum(body) & 0xFFFF)


def padded(value: bytes) -> bytes:
    return value + bytes(-len(value) % 4)


def tag(identity: int, kind: int) -> bytes:
    return struct.pack("<HH", kind, identity)


def value(identity: int, kind: int, *octets: bytes) -> bytes:
    """A property of one of the types whose values have a length."""
    values = b"".join(struct.pack("<L", len(each)) + padded(each) for each in octets)
    return tag(identity, kind) + struct.pack("<L", len(octets)) + values


def number(identity: int, kind: int, octets: bytes) -> bytes:
    """A property of one of the other types."""
    return tag(identity, kind) + padded(octets)


def properties(*each: bytes, count: int | None = None) -> bytes:
    """The attribute of an attachment's properties; the stated `count` may be wrong."""
    return attribute(PROPERTIES, struct.pack("<L", len(each) if count is None else count) + b"".join(each))


BEGIN = attribute(RENDERING, bytes(14))
"""What each attachment begins with."""


def file(name: bytes, octets: bytes) -> bytes:
    """An attachment."""
    return BEGIN + attribute(DATA, octets) + properties(value(LONG, STRING, name + b"\0"))


def embedded(name: bytes, message: bytes) -> bytes:
    """An attachment that is a message, in TNEF, behind the identifier of its interface."""
    return BEGIN + properties(value(EMBEDDED, OBJECT, bytes(16) + message)) + attribute(TITLE, name + b"\0")
