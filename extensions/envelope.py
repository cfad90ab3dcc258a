"""envelope: compare with the sender and the recipient that the SMTP client gave (RFC 5228, 5.4).

    envelope :domain :is "from" "example.org"

"from" is the address of MAIL FROM; a bounce has none, and matches "", whatever part of an address is asked for. "to" is
the one recipient that this run is for: there is none yet in a phase that is about the message as a whole.
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

Part = Callable[[Address], str | None]


def _values(text: str, part: Part) -> list[str]:
    address = envelope_address(text)
    found = part(address) if address.text else ""  # RFC 5228, 5.4: the null reverse-path is "" for every ADDRESS-PART
    return [] if found is None else [found]


@envelope.choice("envelope_part", "from")
class From(Choice):
    """from: the address of MAIL FROM. RFC 5228, 5.4."""

    phases = OF_A_MESSAGE

    @staticmethod
    def values(run: Run, part: Part) -> list[str]:
        return _values(run.envelope.sender, part)


@envelope.choice("envelope_part", "to")
class To(Choice):
    """to: the address of the RCPT TO that this run is for. RFC 5228, 5.4."""

    phases = OF_A_RECIPIENT

    @staticmethod
    def values(run: Run, part: Part) -> list[str]:
        return _values(run.envelope.recipient, part)


@envelope.test("envelope")
class EnvelopeTest(MatchingValues):
    """envelope: whether a part of an address of the envelope matches a key. RFC 5228, 5.4.

    The parts of the envelope are choices of the kind "envelope_part", so that other extensions can add theirs:
    `values(run, part)` gives what is compared, `part` being the address part asked for, and `phases` says when it is known.
    """

    address_part: Any = choice("address_part", ":all")
    parts: Strings
    keys: Strings
    known: Mapping[str, Any] = derived()

    def check(self, use: Use) -> None:
        super().check(use)
        parts = use.choices("envelope_part")
        self.known = {name: part for name, part in parts.items() if use.phase in part.phases}
        for part in use.strings("parts"):
            if use.chosen("envelope_part", part) and part.value.lower() not in self.known:
                message = f'there is no "{part.value}" yet where the script is for the whole message'
                use.complain(part, message, "ask for it in the script of a recipient", rule="wrong-phase")

    def values(self, run: Run) -> list[str]:
        return self._of(run, self.address_part.part)

    def counted(self, run: Run) -> list[str]:
        """RFC 5231, 4.2: addresses are counted, whatever part of them is asked for; a null reverse-path is none."""
        return [text for text in self._of(run, lambda address: address.text) if text]

    def _of(self, run: Run, asked: Part) -> list[str]:
        found: list[str] = []
        for name in self.parts:
            part = self.known.get(name.lower())  # RFC 5228, 5.4: without regard to case
            if part is None:  # a variable's value; RFC 5228, 5.4: unknown parts are errors
                run.fail(f'there is no envelope part "{name}"')
            found += part.values(run, asked)
        return found
