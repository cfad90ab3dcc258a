"""subaddress: test the user or the detail part of an address such as ken+sieve@example.org (RFC 5233).

:user is the local part before the first separator, or all of it without one; :detail is the text after the first separator.
An address without a separator has no detail, which matches nothing, not even ""; ken+@example.org has the detail "". Each
character of the setting recipient_delimiter is a separator; it must be set as in the mail system itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sieveav.extending import TEXT, Address, Choice, Extension, Option

subaddress = Extension("subaddress", "RFC 5233")
subaddress.setting(
    Option(
        "recipient_delimiter",
        TEXT,
        "+",
        "the characters that separate user and detail; empty: none",
    )
)


@dataclass(frozen=True)
class _Divided:
    """The user or the detail part, by the configured separators. Equal values make equal subjects, which are computed once."""

    settings: Mapping[str, Any]
    detail: bool

    def __call__(self, address: Address) -> str | None:
        if address.local is None:
            return None
        places = [at for c in self.settings["recipient_delimiter"] if (at := address.local.find(c)) >= 0]
        if not places:  # RFC 5233, 4: without a separator there is no detail, and the user is all of it
            return None if self.detail else address.local
        first = min(places)
        return address.local[first + 1 :] if self.detail else address.local[:first]


@subaddress.address_part(":user")
class User(Choice):
    """:user: the local part up to the separator. RFC 5233, 4."""

    @property
    def part(self) -> _Divided:
        return _Divided(self.settings, detail=False)


@subaddress.address_part(":detail")
class Detail(Choice):
    """:detail: the local part after the separator. RFC 5233, 4."""

    @property
    def part(self) -> _Divided:
        return _Divided(self.settings, detail=True)
