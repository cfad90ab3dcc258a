"""ooxml: macros and passwords of zipped documents: OOXML (ECMA-376, part 2) and OpenDocument (ODF 1.3, part 2).

Only names are read here, and the lists of types and of passwords that each package contains. The entries are opened by
`zip.py`; what is in a vbaProject.bin of any name is seen by `ole2.py`.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from sieveav.limits import MIB
from sieveav.scanning.format import Format
from sieveav.scanning.formats import zip as zip_format
from sieveav.scanning.layers import Budget, Item, Layer, Obstacle
from sieveav.verdict import Status

_TYPES = "[content_types].xml"
_MANIFEST = "meta-inf/manifest.xml"

_SCRIPT = re.compile(r"(?:basic/(?!(?:[^/]+/)?script-l[bc]\.xml$)|scripts/).*[^/]")
"""The name of a macro in an OpenDocument file. The lists of them are in a document without any, too."""


def _document(layer: Layer, budget: Budget) -> Iterator[Item]:
    names = {name.lower().replace("\\", "/").lstrip("/") for name in zip_format.names(layer.data, budget)}
    if any(name.endswith("vbaproject.bin") for name in names):
        yield Obstacle(Status.MACRO, f"macros: {layer.name}")
    if any(name.startswith("xl/macrosheets/") for name in names):
        yield Obstacle(Status.MACRO, f"Excel 4 macros: {layer.name}")
    if not names.isdisjoint((_MANIFEST, "content.xml")) and any(map(_SCRIPT.fullmatch, names)):
        yield Obstacle(Status.MACRO, f"macros: {layer.name}")


# ---- the lists in a package

_LARGEST = 2 * MIB
"""Octets of a list: 10,000 members in a package need fewer."""

_MEANINGS = {
    _TYPES: ((re.compile(r"vnd\.ms-excel\.(?:intl)?macrosheet"), Status.MACRO, "Excel 4 macros"),),
    _MANIFEST: (
        (re.compile(r"<(?:[\w.\-]+:)?encryption-data[\s/>]"), Status.ENCRYPTED, "encrypted"),
        (re.compile(r"vnd\.sun\.star\.basic-library"), Status.MACRO, "macros"),
    ),
}
"""[Content_Types].xml: a sheet of macros may have any name, but must have its type. META-INF/manifest.xml: the types, and how
each encrypted file was encrypted."""


def _list(name: str) -> Format:
    def opener(layer: Layer, budget: Budget) -> Iterator[Item]:  # noqa: ARG001  # has the signature of all openers
        text, package = _text(layer.data[:_LARGEST]), layer.name[: -len(name) - 1]
        for pattern, status, what in _MEANINGS[name]:
            if pattern.search(text):
                yield Obstacle(status, f"{what}: {package}")
        if len(layer.data) > _LARGEST:
            yield Obstacle(Status.LIMITS, f"a list of more than {_LARGEST // MIB} MiB: {layer.name}")

    return Format(name, opener, looks_like=lambda layer: layer.name.lower().endswith("/" + name))


def _text(xml: bytes) -> str:
    """The ASCII characters of XML in any Unicode encoding; references to characters are resolved."""
    return html.unescape(xml.replace(b"\0", b"").decode("latin-1")).lower()


ooxml = Format("ooxml", _document, ((0, b"PK"),))
content_types = _list(_TYPES)
manifest = _list(_MANIFEST)
