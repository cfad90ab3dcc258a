"""icalendar: the files within a calendar or a card: iCalendar (RFC 5545, 3.1.3) and vCard (RFC 2426, 2.4.1)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sieveav.scanning.format import Format
from sieveav.scanning.layers import plainly
from sieveav.transfer import DECODERS

_BEGIN = re.compile(rb"(?:\xef\xbb\xbf)?\s*+BEGIN[ \t]*+:[ \t]*+V", re.IGNORECASE)
_FOLD = re.compile(rb"\r?\n[ \t]")  # RFC 5545, 3.1
_BINARY = re.compile(rb'[;=]"?(?:BASE64|B)"?(?=[;:,])[^\r\n]*+', re.IGNORECASE)
"""What says that the value of a property is binary, or a data URI, to the end of the line."""


def _files(data: bytes) -> Iterator[tuple[str, bytes]]:
    for number, line in enumerate(_BINARY.finditer(_FOLD.sub(b"", data))):
        yield f"file {number}", DECODERS["base64"](line[0].replace(b",", b":").rpartition(b":")[2])


icalendar = Format(
    "icalendar",
    plainly(_files),
    looks_like=lambda layer: _BEGIN.match(layer.data) is not None,
    unusual=True,
)
