"""state: where scripts' memory is kept, such as which messages were seen (duplicate) or answered (vacation)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sieveav.options import TEXT, Option
from sieveav.printing import without_passwords
from sieveav.site.stanza import Building, Placed, StanzaType
from sieveav.site.state import STATES, State, open_state

_STORE = replace(TEXT, write=lambda store: TEXT.write(without_passwords(store)))


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
    (Option("store", _STORE, "", 'the backend and its location, such as "sqlite:/var/lib/sieveav/state.db"'),),
    build=_build,
    details="""
    The processes of one machine share an SQLite database; machines share a Redis or Valkey server:

        store = "sqlite:/var/lib/sieveav/state.db"
        store = "redis://127.0.0.1:6379/0"
        store = "redis://user:password@db.example.com:6379/0"
        store = "redis:///run/redis/redis-server.sock?db=0"
        store = "memory:"

    In a user or password, / ? # @ % are written %2F %3F %23 %40 %25. The connection is not encrypted. In memory, each process
    remembers for itself until it ends.

    While the store cannot be used, scripts run as if they could not know what was seen: no message is a duplicate, and
    vacation sends nothing. The log says when that begins and ends.
    """,
)
