"""mime: test the header fields of MIME parts (RFC 5703, 4).

    header :mime :anychild :contenttype "Content-Type" "text/html"
    header :mime :param "filename" :matches "Content-Disposition" "*.exe"
    exists :mime :anychild "Content-MD5"

With :mime, header, address and exists test the current part of foreverypart; outside a loop, the message's own fields.
With :anychild they test all parts below it too. :type, :subtype, :contenttype and :param select a piece of Content-Type
and Content-Disposition.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from sieveav.extending import (
    PART,
    Extension,
    ForeignTag,
    HeaderSource,
    Strings,
    Use,
    disposition_of,
    media_type_of,
    names_of,
    parameters_of,
    unfold,
)

mime = Extension("mime", "RFC 5703, 4")
mime.rule("tag-conflict", "the tag conflicts with another tag")

TESTS = ("header", "address", "exists")


@mime.tag(":mime", on=TESTS)
class Mime(ForeignTag):
    """:mime: test the current part. RFC 5703, 4."""

    any_field = True  # RFC 5703, 4.2: any field may be parsed as addresses

    def amend(self, subject: Any) -> Any:
        return replace(subject, needs=PART)


@dataclass(frozen=True)
class Everywhere:
    """The values of a part and of all parts below it."""

    source: Any

    def of(self, whole: Any) -> list[str]:
        return [value for entity in whole.walk() for value in self.source.of(entity)]


@mime.tag(":anychild", on=[":mime"], order=20)  # ordered last: other tags select within each part
class AnyChild(ForeignTag):
    """:anychild: also test the parts below the current one. RFC 5703, 4.1."""

    def amend(self, subject: Any) -> Any:
        return replace(subject, source=Everywhere(subject.source))


# ---- pieces of structured fields, RFC 5703, 4.1

Read = Callable[[str], list[str]]
"""The value of a field to the selected piece: an empty list if the value cannot be parsed."""


def _type(value: str) -> list[str]:
    media_type = media_type_of(value)
    return [] if media_type is None else [media_type[0]]


def _subtype(value: str) -> list[str]:
    media_type = media_type_of(value)
    return [] if media_type is None else [media_type[1]]


def _content_type(value: str) -> list[str]:
    media_type = media_type_of(value)
    return [] if media_type is None else ["/".join(media_type)]


def _disposition(value: str) -> list[str]:
    disposition = disposition_of(value)
    return [] if disposition is None else [disposition]


def _blank(value: str) -> list[str]:  # noqa: ARG001
    return [""]


_READ: dict[str, dict[str, Read]] = {
    ":type": {"content-type": _type, "content-disposition": _disposition},
    ":subtype": {"content-type": _subtype},
    ":contenttype": {"content-type": _content_type, "content-disposition": _disposition},
}
"""Tag -> field name -> what reads the piece. RFC 5703, 4.1: of all other fields it is a blank string."""

OPTIONS = frozenset({*_READ, ":param"})


@dataclass(frozen=True)
class Pieces:
    """The pieces that the tag `option` selects in the fields `names`."""

    names: tuple[str, ...]
    option: str

    def of(self, source: HeaderSource) -> list[str]:
        pieces: list[str] = []
        for name in self.names:
            read = _READ[self.option].get(name, _blank)
            for value in source.fields.get(name, ()):
                pieces += read(unfold(value))
        return pieces


@dataclass(frozen=True)
class Parameters:
    """The parameters `wanted` (lower-case) of the fields `names`."""

    names: tuple[str, ...]
    wanted: tuple[str, ...]

    def of(self, source: HeaderSource) -> list[str]:
        values: list[str] = []
        for text in (text for name in self.names for text in source.fields.get(name, ())):
            parameters = parameters_of(unfold(text))
            values += [parameters[name] for name in self.wanted if name in parameters]
        return values


class _Option(ForeignTag):
    """A tag that selects a piece; only one of them is allowed."""

    def check(self, use: Use) -> None:
        if ":mime" not in use.tags:
            use.complain(self.span, f"{self.name} is allowed only beside :mime", "write :mime too", rule="tag-missing")
        options = sorted(OPTIONS & use.tags)
        if self.name != options[0]:
            use.complain(self.span, f"{self.name} conflicts with {options[0]}", rule="tag-conflict")

    def amend(self, subject: Any) -> Any:
        return replace(subject, source=Pieces(subject.source.names, self.name))


# ordered before all other tags, because they replace the source


@mime.tag(":type", on=["header"], order=-20)
class Type(_Option):
    """:type: the type of a Content-Type, the disposition of a Content-Disposition. RFC 5703, 4.1."""


@mime.tag(":subtype", on=["header"], order=-20)
class Subtype(_Option):
    """:subtype: the subtype of a Content-Type."""


@mime.tag(":contenttype", on=["header"], order=-20)
class ContentType(_Option):
    """:contenttype: type and subtype of a Content-Type, the disposition of a Content-Disposition."""


@mime.tag(":param", on=["header"], order=-20)
class Param(_Option):
    """:param: the parameters with these names, such as "filename", of any field."""

    wanted: Strings

    def amend(self, subject: Any) -> Any:
        return replace(subject, source=Parameters(subject.source.names, names_of(self.wanted)))
