"""slk: Excel 4 macros in a SYLK text (.slk), which Excel opens as a workbook."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sieveav.scanning.format import Format
from sieveav.scanning.layers import Budget, Item, Layer, Obstacle
from sieveav.verdict import Status

_MACROS = re.compile(
    rb"[\r\n][ \t]{0,16}(?:O;(?:[^\r\n]*;)?E[ \t]*(?:[;\r\n\0]|\Z)|NN;(?:[^\r\n]*;)?NAuto_(?:open|close|activate|deactivate))",
    re.IGNORECASE,
)
"""A record of options with the field E, "this is a macro sheet", or the name of a macro that runs by itself."""


def _open(layer: Layer, budget: Budget) -> Iterator[Item]:  # noqa: ARG001  # has the signature of all openers
    if _MACROS.search(layer.data):
        yield Obstacle(Status.MACRO, f"Excel 4 macros: {layer.name}")


slk = Format("slk", _open, ((0, b"ID;"),))
