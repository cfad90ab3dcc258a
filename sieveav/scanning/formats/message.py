"""message: a message to its decoded parts, also within an archive. RFC 5322, RFC 2045 to 2047."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain

from sieveav import limits, mime
from sieveav.mime_defects import AMBIGUOUS, HARMLESS
from sieveav.scanning.format import Format, openers
from sieveav.scanning.layers import Budget, Item, Layer, Obstacle, doubtfully
from sieveav.verdict import Status

EXTENSIONS = (".eml", ".nws", ".mht", ".mhtml")
"""The ends of the names of files that mail clients and browsers open as messages."""

DOCUMENTS = (".doc", ".dot", ".rtf", ".xls", ".xlt", ".ppt", ".pps")
"""Those of files that office programs open as messages, if they are (MHTML, RFC 2557)."""

_FIELDS = frozenset(
    b"cc content-transfer-encoding content-type date delivered-to from message-id mime-version received reply-to "
    b"return-path sender subject to".split()
)
"""Two of them among the first fields make a message of something that is not named so."""

_BLANK = re.compile(rb"(?:\xef\xbb\xbf)?\s*+(?:>?From (?![ \t]*+:)[^\r\n]*+\s*+)?")
"""What may be before the first field: a byte order mark, empty lines, the line of a mailbox."""

_FIELD = re.compile(rb"([!-9;-~]++)[ \t]*+:(?>(?:[^\r\n]*+(?:\r\n?|\n)[ \t])*)[^\r\n]*+(?:\r\n?|\n|\Z)")

_MIME_VERSION = re.compile(rb"mime-version(?<![^\r\n]mime-version)[ \t]*+:")
"""At the beginning of a line, in small letters: it begins with a literal, so it is as fast as a search."""

_HEADER = 64 * limits.KIB
"""Octets in which two of `_FIELDS` are looked for."""


def parts(name: str, structure: mime.Part, *, is_unusual: bool = False) -> Iterator[Item]:
    """The decoded parts of a message, and an obstacle for each defect for which mail clients may see other ones.

    They are unusual if the message is, or if something about it is, so that other scanners may see other parts.
    """
    defects = mime.defects(structure)
    for defect in defects:
        if defect in AMBIGUOUS:
            yield Obstacle(Status.UNSCANNABLE, f"ambiguous MIME: {defect}")
    is_unusual = is_unusual or not HARMLESS.issuperset(defects)
    for part in mime.walk(structure):
        is_unusual = is_unusual or (part.content_type.startswith("message/") and part.content_type != "message/rfc822")
        for around in part.surroundings() if part.parts else ():
            if around.strip():
                yield Layer(f"{name}/{part.content_type}", around, unusual=is_unusual)
        if not part.parts:
            for layer in _readings(f"{name}/{part.filename or part.content_type}", part):
                yield layer._replace(unusual=True) if is_unusual else layer


def _readings(name: str, part: mime.Part) -> Iterator[Layer]:
    """What mail clients may show for a part. If the first is an archive, another that is broken is the same one with more or
    fewer octets, as a footer below base64 gives; if it is nothing, one that nobody can open is not clean."""
    contents = part.readings()
    first, second = next(contents), next(contents, None)
    layer = Layer(name, first, unusual=second is not None)
    yield layer
    if second is not None:
        for octets in chain((second,), contents):
            is_doubtful = layer.doubtful or bool(openers(layer))
            layer = Layer(name, octets, doubtful=is_doubtful, unusual=True)
            yield layer


def _is_named(layer: Layer, extensions: tuple[str, ...]) -> bool:
    """Whether its name ends so for Windows, which ignores dots and blanks at the end."""
    return layer.name.rstrip(". ").lower().endswith(extensions)


def _begin(data: bytes) -> int:
    """The offset of the first field of a message that is all of `data`, -1 if it is not one."""
    blank = _BLANK.match(data)
    at = begin = blank.end() if blank else 0
    end = begin + _HEADER
    found: set[bytes] = set()
    while at < end and (field := _FIELD.match(data, at, end)):
        found |= _FIELDS & {field[1].lower()}
        if len(found) > 1:
            return begin
        at = field.end()
    return -1


def _begin_in_document(layer: Layer) -> int:
    """The offset of a message behind something else, for which office programs look; -1 if there is none."""
    found = _MIME_VERSION.search(layer.data.lower()) if _is_named(layer, DOCUMENTS) else None
    return found.start() if found else -1


def _looks_like_one(layer: Layer) -> bool:
    return _is_named(layer, EXTENSIONS) or _begin(layer.data) >= 0 or _begin_in_document(layer) >= 0


def _open(layer: Layer, budget: Budget) -> Iterator[Item]:  # noqa: ARG001  # has the signature of all openers
    """The parts. Those of a text that only looks like a message, such as a quoted header, are doubtful; and its body is not
    looked at as a message again."""
    if _is_named(layer, EXTENSIONS):
        return parts(layer.name, mime.parse(layer.data), is_unusual=True)
    begin = _begin(layer.data)
    is_certain = begin >= 0 and _is_named(layer, DOCUMENTS)
    structure = mime.parse(layer.data[begin if begin >= 0 else _begin_in_document(layer) :])
    items = parts(layer.name, structure, is_unusual=True)
    if not structure.parts:
        items = (item._replace(opened=message.name) if isinstance(item, Layer) else item for item in items)
    return items if is_certain else doubtfully(items)


message = Format("message", _open, looks_like=_looks_like_one)
