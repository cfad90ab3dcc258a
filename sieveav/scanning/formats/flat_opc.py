"""flat_opc: the files within a document that is one XML text: Flat OPC (ECMA-376), Word 2003 XML, Visio's, flat OpenDocument.

Also ActiveMime, in which Word 2003 XML and MHTML have their macros and objects: an OLE2 file, deflated.
"""

from __future__ import annotations

import base64
import re
import string
import zlib
from collections.abc import Iterator

from sieveav.scanning.format import Format
from sieveav.scanning.layers import Budget, Item, Layer, Obstacle, member, plainly
from sieveav.scanning.streams import Inflate, stream
from sieveav.verdict import Status

_START = re.compile(rb"[\xef\xbb\xbf\xff\xfe\0\s]*+<")


def _xml(data: bytes) -> bytes:
    """The ASCII characters of XML in any Unicode encoding; b"" if `data` does not begin like XML."""
    if not _START.match(data):
        return b""
    return data.replace(b"\0", b"") if b"\0" in data[:256] else data


# ---- base64

_ELEMENT = re.compile(
    rb"<(?:[\w.\-]{1,64}:)?(?:binaryData|binData|VBProjectData|binary-data)(?=[\s/>])"
    rb"(?:[^<>\"']|\"[^\"]{0,256}\"|'[^']{0,256}')*+[^<>]*(?<!/)>"
)
"""The start of an element whose text is base64. The prefix is any."""

_ASIDE = rb"<!--.*?(?:-->|\Z)|<\?.*?(?:\?>|\Z)|<!\[CDATA\[(.*?)(?:\]\]>|\Z)"
"""What may be within such a text; group 1 is part of it."""

_EXTENT = re.compile(rb"(?:[^<]++|%b)*+" % _ASIDE, re.DOTALL)
_ASIDES = re.compile(_ASIDE, re.DOTALL)

_LINE_END = re.compile(rb"&#(?:0*(?:9|10|13|32)|x0*(?:9|[aA]|[dD]|20));")
"""References to white space, which serializers write."""

_BASE64 = (string.ascii_letters + string.digits + "+/").encode()
_NO_BASE64 = bytes(set(range(256)) - set(_BASE64))


def _files(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The files in base64. ValueError if there are references to characters in it: nobody writes it so."""
    text = _xml(data)
    position = number = 0
    while element := _ELEMENT.search(text, position):
        extent = _EXTENT.match(text, element.end())
        position, number = (extent or element).end(), number + 1
        digits = _LINE_END.sub(b"", _ASIDES.sub(rb"\1", text[element.end() : position]))
        yield f"file {number}", _decoded(digits)
        if b"&" in digits:
            raise ValueError("a reference to a character")


def _decoded(digits: bytes) -> bytes:
    """As readers decode base64: other characters are skipped."""
    digits = digits.translate(None, _NO_BASE64)
    digits = digits[:-1] if len(digits) % 4 == 1 else digits
    return base64.b64decode(digits + b"=" * (-len(digits) % 4))


# ---- macros of flat OpenDocument

_MODULE = re.compile(rb"<[\w.\-]{1,64}:source-code[\s>]")
_OPEN_DOCUMENT = b":opendocument:"


def _has_module(layer: Layer) -> bool:
    text = _xml(layer.data)
    return _OPEN_DOCUMENT in text and _MODULE.search(text) is not None


def _macros(layer: Layer, budget: Budget) -> Iterator[Item]:  # noqa: ARG001  # has the signature of all openers
    yield Obstacle(Status.MACRO, f"macros: {layer.name}")


# ---- ActiveMime

_ZLIB = re.compile(rb"\x78[\x01\x5e\x9c\xda]")
_HEAD = 4096
"""The octets of ActiveMime in which its deflated data begins; usually at 50."""


def _active_mime(layer: Layer, budget: Budget) -> Iterator[Item]:
    for start in _ZLIB.finditer(layer.data, 0, _HEAD):
        try:
            begins = zlib.decompressobj().decompress(layer.data[start.start() : start.start() + _HEAD], 1)
        except zlib.error:
            continue
        if begins:
            chunks = stream(Inflate(15), layer.data, start.start())
            yield from member(f"{layer.name}/content", chunks, budget, len(layer.data))
            return
    raise ValueError("nothing deflated")


flat_opc = Format(
    "flat opc", plainly(_files), looks_like=lambda layer: _ELEMENT.search(_xml(layer.data)) is not None, unusual=True
)
flat_open_document = Format("flat opendocument", _macros, looks_like=_has_module)
active_mime = Format("activemime", _active_mime, ((0, b"ActiveMime\0"),), unusual=True)
