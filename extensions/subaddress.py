"""subaddress: the user and the detail of an address such as ken+sieve@example.org (RFC 5233).

:user is what stands before the separator, or the whole local part where there is none; :detail what stands after the first
one. An address without a separator has no detail and matches nothing, not even ""; ken+@example.org has the detail "".
The separator is the setting recipient_delimiter; it must be the one the mail system itself uses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sieveav.extending import TEXT, Address, Extension, Option

subaddress = Extension("subaddress", "RFC 5233")
subaddress.setting(
    Option(
        "recipient_delimiter", TEXT, "+", "what separates user and detail, one or more characters; empty: nothing does"
    )
)


@dataclass(frozen=True)
class _User:
    """The user by a separator; a value, so that equal questions to a message are one."""

    separator: str

    def __call__(self, address: Address) -> str | None:
        if address.local is None or not self.separator:
            return address.local
        return address.local.partition(self.separator)[0]  # RFC 5233, 4: all of it where nothing separates


@dataclass(frozen=True)
class _Detail:
    """The detail by a separator."""

    separator: str

    def __call__(self, address: Address) -> str | None:
        if address.local is None or not self.separator:
            return None
        _, found, detail = address.local.partition(self.separator)
        return detail if found else None  # RFC 5233, 4: no detail matches no key; an empty one is ""


@subaddress.address_part(":user")
class User:
    """:user: the local part up to the separator. RFC 5233, 4."""

    settings: Mapping[str, Any]

    @property
    def part(self) -> _User:
        return _User(self.settings["recipient_delimiter"])


@subaddress.address_part(":detail")
class Detail:
    """:detail: the local part after the separator. RFC 5233, 4."""

    settings: Mapping[str, Any]

    @property
    def part(self) -> _Detail:
        return _Detail(self.settings["recipient_delimiter"])
