"""state: where scripts' memory is kept, such as which messages were seen (duplicate) or answered (vacation)."""

from __future__ import annotations

from collections.abc import Sequence

from sieveav.options import TEXT, Option
from sieveav.site.stanza import Building, Placed, StanzaType
from sieveav.site.state import STATES, State, open_state


def _build(stanzas: Sequence[Placed], building: Building) -> State | None:
    if not stanzas:
        return None
    stanza = stanzas[0]
    if not stanza.value("store"):
        known = " or ".join(f'"{name}:…"' for name in STATES.everything())
        building.report.error("option-missing", "state has no store", stanza.stanza.kind_span, f"write store = {known}")
        return None
    try:
        return open_state(stanza.value("store"), building.base)
    except ValueError as error:
        building.report.error("value-invalid", str(error), stanza.written["store"].span)
        return None


STATE = StanzaType(
    "state",
    "where scripts' memory is kept",
    (Option("store", TEXT, "", 'the backend and its location, such as "sqlite:/var/lib/sieveav/state.db"'),),
    build=_build,
)
