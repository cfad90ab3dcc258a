"""mime: look at the header fields of MIME parts (RFC 5703).

    header :mime :anychild :contenttype "Content-Type" "text/html"
    header :mime :param "filename" :matches "Content-Disposition" "*.exe"
    exists :mime :anychild "Content-MD5"

With :mime, header, address and exists look at the part that foreverypart is at, outside a loop at the message's own fields;
with :anychild at all parts below it too. In Content-Type and Content-Disposition, :type, :subtype, :contenttype and :param
look at one piece of the value.
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

TESTS = ("header", "address", "exists")


@mime.tag(":mime", on=TESTS)
class Mime(ForeignTag):
    """:mime: look at the current part. RFC 5703, 4."""

    any_field = True  # RFC 5703, 4.2: whatever the field, it is read as one of addresses

    def amend(self, subject: Any) -> Any:
        return replace(subject, needs=PART)


@dataclass(frozen=True)
class Everywhere:
    """The values of a part and of all below it."""

    source: Any

    def of(self, asked: Any) -> list[str]:
        return [value for entity in asked.walk() for value in self.source.of(entity)]


@mime.tag(":anychild", on=[":mime"], order=20)  # last: what other tags choose, they choose within each part
class AnyChild(ForeignTag):
    """:anychild: look at the parts below it, too. RFC 5703, 4.1."""

    def amend(self, subject: Any) -> Any:
        return replace(subject, source=Everywhere(subject.source))


# ---- pieces of structured fields, RFC 5703, 4.1

Read = Callable[[str], list[str]]
"""The value of a field to what is looked at of it: nothing, where it cannot be read."""


def _type(value: str) -> list[str]:
    found = media_type_of(value)
    return [] if found is None else [found[0]]


def _subtype(value: str) -> list[str]:
    found = media_type_of(value)
    return [] if found is None else [found[1]]


def _content_type(value: str) -> list[str]:
    found = media_type_of(value)
    return [] if found is None else ["/".join(found)]


def _disposition(value: str) -> list[str]:
    found = disposition_of(value)
    return [] if found is None else [found]


def _blank(value: str) -> list[str]:  # noqa: ARG001
    return [""]


_READ: dict[str, dict[str, Read]] = {
    ":type": {"content-type": _type, "content-disposition": _disposition},
    ":subtype": {"content-type": _subtype},
    ":contenttype": {"content-type": _content_type, "content-disposition": _disposition},
}
"""What each tag reads of which fields; of all others it is a blank string."""

OPTIONS = frozenset({*_READ, ":param"})


@dataclass(frozen=True)
class Pieces:
    """What the tag `option` reads of the fields `names`."""

    names: tuple[str, ...]
    option: str

    def of(self, asked: HeaderSource) -> list[str]:
        found: list[str] = []
        for name in self.names:
            read = _READ[self.option].get(name, _blank)
            for value in asked.fields.get(name, ()):
                found += read(unfold(value))
        return found


@dataclass(frozen=True)
class Parameters:
    """The parameters `wanted` (lower-case) of the fields `names`."""

    names: tuple[str, ...]
    wanted: tuple[str, ...]

    def of(self, asked: HeaderSource) -> list[str]:
        found: list[str] = []
        for value in (value for name in self.names for value in asked.fields.get(name, ())):
            given = parameters_of(unfold(value))
            found += [given[name] for name in self.wanted if name in given]
        return found


class _Option(ForeignTag):
    """One of those of which there can be but one."""

    def check(self, use: Use) -> None:
        if ":mime" not in use.tags:
            use.complain(self.span, f"{self.name} is allowed only beside :mime", "write :mime too", rule="tag-missing")
        given = sorted(OPTIONS & use.tags)
        if self.name != given[0]:
            use.complain(self.span, f"{self.name} does not go together with {given[0]}", rule="tag-conflict")

    def amend(self, subject: Any) -> Any:
        return replace(subject, source=Pieces(subject.source.names, self.name))


# They come first of all tags, for they read the fields.


@mime.tag(":type", on=["header"], order=-20)
class Type(_Option):
    """:type: the type of a Content-Type, the disposition of a Content-Disposition."""


@mime.tag(":subtype", on=["header"], order=-20)
class Subtype(_Option):
    """:subtype: the subtype of a Content-Type."""


@mime.tag(":contenttype", on=["header"], order=-20)
class ContentType(_Option):
    """:contenttype: type and subtype of a Content-Type, the disposition of a Content-Disposition."""


@mime.tag(":param", on=["header"], order=-20)
class Param(_Option):
    """:param: the parameters of these names, such as "filename", in any field."""

    wanted: Strings

    def amend(self, subject: Any) -> Any:
        return replace(subject, source=Parameters(subject.source.names, names_of(self.wanted)))
