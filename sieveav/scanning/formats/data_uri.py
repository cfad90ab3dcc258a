"""data_uri: the contents of the data URIs within a text, such as HTML or SVG. RFC 2397."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

from sieveav.scanning.format import Format
from sieveav.scanning.layers import plainly
from sieveav.transfer import DECODERS

_HEAD = re.compile(rb"64(?<=base64)\s*+,", re.IGNORECASE)  # begins with digits, so it is as fast as a search
_CONTENT = re.compile(rb"[A-Za-z0-9+/=%\s]*+")


def _contents(data: bytes) -> Iterator[tuple[str, bytes]]:
    for number, head in enumerate(_HEAD.finditer(data)):
        content = _CONTENT.match(data, head.end())
        if content and content[0]:
            yield f"data {number}", DECODERS["base64"](unquote_to_bytes(content[0]))


data_uri = Format(
    "data_uri", plainly(_contents), looks_like=lambda layer: _HEAD.search(layer.data) is not None, needs=b"64"
)
