"""index: test only one of several header fields, by its number (RFC 5260, 6).

    header :index 1 :contains "received" "mx.example.org"
    date :last :index 1 "received" "date" "2024-12-24"

:index 1 is the first field of the given name, 2 the second; with :last they are counted from the end. With several names,
all fields of the first name come before those of the second. Fields are counted, not the addresses in them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from sieveav.extending import Extension, ForeignTag, Message, value

index = Extension("index", "RFC 5260, 6")


@dataclass(frozen=True)
class OneField:
    """The field with this number among those of `source`; counted from 1, from the end if `backwards`.

    RFC 5260, 6: "all the named header fields are counted in the order specified by the header-list". Sources return them
    in that order: by name, and fields of the same name in the order of the message.
    """

    source: Any
    number: int
    backwards: bool = False

    def of(self, message: Message) -> list[str]:
        values: list[str] = self.source.of(message)
        at = len(values) - self.number if self.backwards else self.number - 1
        return values[at : at + 1] if at >= 0 else []


def number_flaw(number: int) -> str:
    """What is wrong with an index. RFC 5260, 6: beginning at 1."""
    return "" if number else ":index starts at 1"


@index.tag(":index", on=["header", "address", "date"], order=10)
class Index(ForeignTag):
    """:index: only the field with this number is tested. RFC 5260, 6."""

    number: int = value(valid=number_flaw, hint="write :index 1 for the first field")

    def amend(self, subject: Any) -> Any:
        return replace(subject, source=OneField(subject.source, self.number))


@index.tag(":last", on=[":index"], order=11)
class Last(ForeignTag):
    """:last: :index counts from the end. RFC 5260, 6: an error without :index."""

    def amend(self, subject: Any) -> Any:
        return replace(subject, source=replace(subject.source, backwards=True))
