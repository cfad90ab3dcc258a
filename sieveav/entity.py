"""entity: the header of a MIME entity to what it says of the body, and the defects in that.

A leaf, pure and total, in linear time. Of several fields or parameters of one name the first counts. The defects are those of
`mime_defects.DEFECTS`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from sieveav.headers import (
    MEDIA_TYPE,
    decode_words,
    disposition_of,
    fields,
    is_well_formed,
    media_type_of,
    parameters_in,
    parameters_of,
    settings_of,
    uncommented,
    unfold,
)
from sieveav.transfer import DECODERS, PLAIN


class Entity(NamedTuple):
    """What a header says of the body; see `mime.Part`."""

    content_type: str
    parameters: dict[str, str]
    encoding: str
    label: str
    disposition: str
    filename: str
    defects: list[str]


STRUCTURAL = {
    "content-type": "duplicate-content-type",
    "content-transfer-encoding": "duplicate-encoding",
    "content-disposition": "duplicate-disposition",
}
"""The fields that describe a body, and the defect if there are different ones."""


def entity(header: bytes, default: str) -> Entity:
    """What a header block says, in which no Content-Type means the type `default`."""
    lines = b"\n" + header
    defects = [name for name, sign in _HEADER_SIGNS.items() if sign.search(lines)]
    structural = _structural(header)
    defects += [STRUCTURAL[name] for name, values in structural.items() if len(set(values)) > 1]
    types, encodings, dispositions = structural.values()
    content_type, parameters, type_defects = _content_type(types, default)
    defects += type_defects
    label = encodings[0] if encodings else ""
    encoding = _encoding(label) if label else "7bit"
    if encoding not in PLAIN and encoding not in DECODERS:
        defects.append("unknown-encoding")
    value = dispositions[0] if dispositions else ""
    disposition = (disposition_of(value) or "").lower()
    filename = decode_words(parameters_of(value).get("filename") or parameters.get("name", ""))
    return Entity(content_type, parameters, encoding, label, disposition, filename, defects)


def _structural(header: bytes) -> dict[str, list[str]]:
    """The values of the fields in STRUCTURAL."""
    structural: dict[str, list[str]] = {name: [] for name in STRUCTURAL}
    for name, value in fields(header):
        if (values := structural.get(name.lower())) is not None:
            values.append(unfold(value))
    return structural


_HEADER_SIGNS = {
    "nul": re.compile(rb"\0"),
    "bare-cr": re.compile(rb"\r(?![\r\n]|\Z)"),
    "bad-header-line": re.compile(rb"\n(?![ \t]|\r?+\Z|>?From |[!-9;-~]++[ \t]*+:)"),
}

# ---- the type and the encoding

_TYPE_ALONE = re.compile(rf"{MEDIA_TYPE}\s*+(?:;|\Z)", re.ASCII)
_TYPE_WORD = re.compile(r"\s*+(multipart|message)(?![\w-])", re.ASCII | re.IGNORECASE)
_SUBTYPES = {"multipart": "multipart/mixed", "message": "message/rfc822"}  # the primary ones. RFC 2046, 5.1.3 and 5.2.1
_NAMES_BOUNDARY = re.compile(r"boundary(?:\*[0-9*]*+)?\s*+=", re.IGNORECASE)
_NO_VISIBLE = re.compile(r"[^!-~]++")
# RFC 2046, 5.1.1, with the other visible characters that real mailers use and all clients accept.
_BOUNDARY = re.compile(r"[!#-\[\]-~ ]{0,69}[!#-\[\]-~]")
_ENCODING = re.compile(r'[^\s;"()]++')


def _boundary_defects(value: str, settings: list[tuple[str, str]], boundary: str | None) -> Iterator[str]:
    if boundary is None:
        yield "missing-boundary"
        return
    plain = {text for name, text in settings if name == "boundary"}
    extended = any(name.startswith("boundary*") for name, _ in settings)
    if len(plain) + extended > 1:
        yield "duplicate-boundary"
    if not boundary:
        yield "empty-boundary"
    elif extended or "\\" in value or not _BOUNDARY.fullmatch(boundary) or not is_well_formed(value):
        yield "unclear-boundary"


def _content_type(values: list[str], default: str) -> tuple[str, dict[str, str], list[str]]:
    """The type, its parameters and defects."""
    if not values:
        return default, {}, []  # RFC 2045, 5.2; RFC 2046, 5.1.5
    value, defects = values[0], []
    settings = settings_of(value)
    parameters = parameters_in(settings)
    named = media_type_of(value)
    content_type = "/".join(named).lower() if named else ""
    if not named or not is_well_formed(value):
        visible = _visible(value)
        content_type = content_type or _guessed_type(visible)
        defects = ["bad-content-type"]
        if _may_be_multipart(value, visible, content_type):
            defects.append("unclear-boundary")
    if content_type.startswith("multipart/"):
        defects += _boundary_defects(value, settings, parameters.get("boundary"))
        if "boundary" not in parameters:
            parameters = parameters_of(_visible(value)) | parameters
    if content_type == "message/partial":
        defects.append("message-partial")
    return content_type, parameters, defects


def _visible(value: str) -> str:
    """A Content-Type as the most lenient clients read it: without comments (RFC 2045, 5.1 allows them anywhere), its
    encoded-words decoded, and with a space for each character that is not visible ASCII."""
    return _NO_VISIBLE.sub(" ", decode_words(uncommented(value)))


def _guessed_type(visible: str) -> str:
    """The type in a value that does not begin with one."""
    if named := media_type_of(visible):
        return "/".join(named).lower()
    word = _TYPE_WORD.match(visible)
    return _SUBTYPES[word[1].lower()] if word else "text/plain"  # RFC 2045, 5.2


def _may_be_multipart(value: str, visible: str, content_type: str) -> bool:
    """Whether an invalid value that is not read as a multipart names a boundary, so that some clients divide the body."""
    if (
        content_type.startswith("multipart/")
        or _TYPE_ALONE.match(value)
        or not _NAMES_BOUNDARY.search(f"{value} {visible}")
    ):
        return False
    return not content_type.startswith("text/") or not media_type_of(value) or "multipart" in visible.lower()


def _encoding(label: str) -> str:
    """The encoding that a Content-Transfer-Encoding's value names; "7bit" if it is empty. RFC 2045, 6.1."""
    encoding = label.lower()
    if encoding in PLAIN or encoding in DECODERS:
        return encoding
    word = _ENCODING.search(uncommented(encoding))
    return word[0] if word else "7bit"
