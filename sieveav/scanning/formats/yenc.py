"""yenc: the yEnc files within a text (yEnc 1.3); of a file in several parts, those that are there."""

from __future__ import annotations

from sieveav.scanning.format import Format
from sieveav.scanning.layers import Layer, plainly
from sieveav.transfer import yenc_files


def _looks_like(layer: Layer) -> bool:
    return b"=ybegin " in layer.data


yenc = Format("yenc", plainly(yenc_files), looks_like=_looks_like, needs=b"begin", unusual=True)
