"""subaddress: the user and the detail of an address such as ken+sieve@example.org (RFC 5233).

:user is what stands before the separator, or the whole local part where there is none; :detail what stands after the first
one. An address without a separator has no detail and matches nothing, not even ""; ken+@example.org has the detail "".
The separator is the setting recipient_delimiter, of whose characters each separates; it must be the one the mail system
itself uses.
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
        "the characters that separate user and detail, each of them does; empty: nothing does",
    )
)


@dataclass(frozen=True)
class _Divided:
    """The user, or the detail, by the separators in force; a value, so that equal questions to a message are one."""

    settings: Mapping[str, Any]
    detail: bool

    def __call__(self, address: Address) -> str | None:
        if address.local is None:
            return None
        places = [at for c in self.settings["recipient_delimiter"] if (at := address.local.find(c)) >= 0]
        if not places:  # RFC 5233, 4: no detail matches no key, and the user is all of it
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
