"""envelope: test the sender and the recipient of the SMTP envelope (RFC 5228, 5.4).

    envelope :domain :is "from" "example.org"

"from" is the address of MAIL FROM. A bounce has none: it matches "", whatever the address part. "to" is the recipient that
the script runs for; it is not available in phases that run once for a message.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sieveav.extending import (
    OF_A_MESSAGE,
    OF_A_RECIPIENT,
    Address,
    Choice,
    Extension,
    MatchingValues,
    Run,
    Strings,
    Use,
    choice,
    derived,
    envelope_address,
)

envelope = Extension("envelope", "RFC 5228, 5.4")

OF_AN_ENVELOPE = ("mailfrom", "rcptto", *OF_A_MESSAGE)
"""The phases in which there is an envelope."""

Part = Callable[[Address], str | None]


def _values(text: str, part: Part) -> list[str]:
    address = envelope_address(text)
    value = part(address) if address.text else ""  # RFC 5228, 5.4: the null reverse-path is "" for every ADDRESS-PART
    return [] if value is None else [value]


@envelope.choice("envelope_part", "from")
class From(Choice):
    """from: the address of MAIL FROM. RFC 5228, 5.4."""

    phases = OF_AN_ENVELOPE

    @staticmethod
    def values(run: Run, part: Part) -> list[str]:
        return _values(run.envelope.sender, part)


@envelope.choice("envelope_part", "to")
class To(Choice):
    """to: the address of the RCPT TO that the script runs for. RFC 5228, 5.4."""

    phases = ("rcptto", *OF_A_RECIPIENT)

    @staticmethod
    def values(run: Run, part: Part) -> list[str]:
        return _values(run.envelope.recipient, part)


@envelope.test("envelope", phases=OF_AN_ENVELOPE)
class EnvelopeTest(MatchingValues):
    """envelope: whether a part of an address of the envelope matches a key. RFC 5228, 5.4.

    Envelope parts are choices of the kind "envelope_part", so other extensions can add some: `values(run, part)` returns
    the values of the address part `part`; `phases` are those in which they are available.
    """

    address_part: Any = choice("address_part", ":all")
    parts: Strings
    keys: Strings
    available: Mapping[str, Any] = derived()

    def check(self, use: Use) -> None:
        super().check(use)
        parts = use.choices("envelope_part")
        self.available = {name: part for name, part in parts.items() if use.phase in part.phases}
        for part in use.strings("parts"):
            if use.chosen("envelope_part", part) and part.value.lower() not in self.available:
                message = f'envelope part "{part.value}" is not available in a script that runs once per message'
                use.complain(part, message, "use it in the script of a recipient", rule="phase-invalid")

    def values(self, run: Run) -> list[str]:
        return self._of(run, self.address_part.part)

    def counted(self, run: Run) -> list[str]:
        """RFC 5231, 4.2: addresses are counted, whatever the address part; a null reverse-path does not count."""
        return [text for text in self._of(run, lambda address: address.text) if text]

    def _of(self, run: Run, address_part: Part) -> list[str]:
        values: list[str] = []
        for name in self.parts:
            part = self.available.get(name.lower())  # RFC 5228, 5.4: case-insensitive
            if part is None:  # from a variable; RFC 5228, 5.4: unknown parts are errors
                run.fail(f'unknown envelope part "{name}"')
            values += part.values(run, address_part)
        return values
