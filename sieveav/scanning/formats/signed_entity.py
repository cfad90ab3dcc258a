"""signed_entity: what was signed or compressed as a whole to a layer that is opened as a message if it is one.

S/MIME and PGP/MIME sign a MIME entity: fields and a body, mostly without those that make a message (RFC 8551, 3.1; RFC 3156).
Programs also sign files of any kind.
"""

from __future__ import annotations

import re

from sieveav.scanning.layers import Layer

_FIELD = re.compile(rb"[\r\n]Content-(?:Type|Transfer-Encoding)[ \t]*+:", re.IGNORECASE)
_EMPTY_LINE = re.compile(rb"\n\r?\n|\r\r")


def as_entity(layer: Layer) -> Layer:
    """`layer`, named as a message if its first lines have a field of MIME: without one it is a text as it is, or a file."""
    empty_line = _EMPTY_LINE.search(layer.data)
    is_entity = _FIELD.search(b"\n" + layer.data[: empty_line.start() if empty_line else None])
    return layer._replace(name=f"{layer.name}.eml") if is_entity else layer
