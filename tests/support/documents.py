"""documents: the smallest OLE2 documents that scanners treat specially."""

from __future__ import annotations

import struct

from support.ole2 import ole2


def ole2_with_macro() -> bytes:
    """With the streams of a VBA project."""
    return ole2({"VBA": {"_VBA_PROJECT": bytes(64), "dir": bytes(64)}})


def ole2_encrypted() -> bytes:
    """With the streams of an encrypted OOXML document."""
    return ole2({"EncryptedPackage": bytes(64), "EncryptionInfo": bytes(64)})


def workbook(*records: tuple[int, bytes]) -> bytes:
    """The stream of a workbook: BOF, `records`, EOF. [MS-XLS] 2.1.4."""
    every = ((0x0809, struct.pack("<HH12x", 0x0600, 5)), *records, (0x000A, b""))
    return b"".join(struct.pack("<HH", kind, len(data)) + data for kind, data in every)


def sheet(kind: int) -> tuple[int, bytes]:
    """The record BoundSheet8 of a sheet with this `dt`: 1 has Excel 4.0 macros. [MS-XLS] 2.4.28."""
    return 0x0085, struct.pack("<LBBBB", 0, 0, kind, 1, 0) + b"M"


def ole2_with_macro_sheet() -> bytes:
    """A workbook with one sheet of Excel 4.0 macros."""
    return ole2({"Workbook": workbook(sheet(1)).ljust(4096, b"\0")})
