"""limits: what one run of a script may use."""

from __future__ import annotations

from collections.abc import Sequence

from sieveav.limits import Limits
from sieveav.options import DURATION, SIZE, Option, integer
from sieveav.site.stanza import Building, Placed, StanzaType

_DEFAULT = Limits()

OPTIONS = (
    Option("actions", integer(1, 10_000), _DEFAULT.actions, "actions for one recipient"),
    Option("redirects", integer(0, 1_000), _DEFAULT.redirects, "redirects for one recipient"),
    Option("steps", integer(1, 10**12), _DEFAULT.steps, "commands and tests that one script runs"),
    Option("wall_clock", DURATION, _DEFAULT.wall_clock, "how long one script runs, without the time of scans"),
    Option("received", integer(1, 10_000), _DEFAULT.received, "Received fields; a redirect of a message with more is a loop"),
    Option("edits", integer(0, 10_000), _DEFAULT.edits, "changes that one script makes to the message"),
    Option("rewritten", SIZE, _DEFAULT.rewritten, "octets of all messages that replace and enclose make in one script"),
    Option("notes", integer(0, 100_000), _DEFAULT.notes, "lines that one script logs"),
    Option("records", integer(0, 10_000), _DEFAULT.records, "keys that one script remembers"),
)  # fmt: skip


def _build(stanzas: Sequence[Placed], building: Building) -> Limits:  # noqa: ARG001
    return Limits(**stanzas[0].values()) if stanzas else _DEFAULT


LIMITS = StanzaType("limits", "what one run of a script may use", OPTIONS, build=_build)
