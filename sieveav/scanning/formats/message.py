"""message: a message to its decoded parts, also within an archive. RFC 5322, RFC 2045 to 2047."""

from __future__ import annotations

from collections.abc import Iterator

from sieveav import mime
from sieveav.scanning.format import Format, openers
from sieveav.scanning.layers import Budget, Item, Layer, Obstacle
from sieveav.verdict import Status

EXTENSIONS = (".eml", ".mht", ".mhtml")
"""The ends of the names of files that mail clients and browsers open as messages."""


def parts(name: str, structure: mime.Part) -> Iterator[Item]:
    """The decoded parts of a message, and an obstacle for each defect for which mail clients may see other ones."""
    for defect in mime.defects(structure):
        if defect in mime.AMBIGUOUS:
            yield Obstacle(Status.UNSCANNABLE, f"ambiguous MIME: {defect}")
    for part in mime.walk(structure):
        if not part.parts:
            yield from _readings(f"{name}/{part.filename or part.content_type}", part)


def _readings(name: str, part: mime.Part) -> Iterator[Layer]:
    """What mail clients may show for a part. If the first is an archive, another that is broken is the same one with more or
    fewer octets, as a footer below base64 gives; if it is nothing, one that nobody can open is not clean."""
    layer = None
    for octets in part.readings():
        layer = Layer(name, octets, doubtful=layer is not None and (layer.doubtful or bool(openers(layer))))
        yield layer


def _is_named_so(layer: Layer) -> bool:
    return layer.name.lower().endswith(EXTENSIONS)


def _open(layer: Layer, budget: Budget) -> Iterator[Item]:  # noqa: ARG001  # has the signature of all openers
    return parts(layer.name, mime.parse(layer.data))


message = Format("message", _open, looks_like=_is_named_so)
