"""state: where scripts' memory is kept, such as which messages were seen (duplicate) or answered (vacation); and the verdicts
that nodes share, if they have a secret for that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sieveav.options import FILE, TEXT, Option
from sieveav.printing import without_passwords
from sieveav.site.stanza import Building, Placed, StanzaType
from sieveav.site.state import STATES, Outage, State, open_state, open_verdicts

if TYPE_CHECKING:
    from sieveav.site.verdicts import SharedVerdicts

_STORE = replace(TEXT, write=lambda store: TEXT.write(without_passwords(store)))


@dataclass(frozen=True)
class SiteMemory:
    """What a site keeps: the `state`, None without one; the `verdicts` that it shares, if it does; and what both report to when
    they fail."""

    state: State | None = None
    verdicts: SharedVerdicts | None = None
    outage: Outage = field(default_factory=Outage)


def _build(stanzas: Sequence[Placed], building: Building) -> SiteMemory:
    outage = Outage()
    state = _state(stanzas[0], building) if stanzas else None
    verdicts = _verdicts(stanzas[0], building, outage) if state is not None else None
    return SiteMemory(state, verdicts, outage)


def _state(stanza: Placed, building: Building) -> State | None:
    if not stanza.value("store"):
        known = " or ".join(f'"{name}:…"' for name in STATES.everything())
        building.report.error("option-missing", "state has no store", stanza.stanza.kind_span, f"write store = {known}")
        return None
    try:
        return open_state(stanza.value("store"), building.base)
    except ValueError as error:
        building.report.error("value-invalid", str(error), stanza.written["store"].span)
        return None


def _verdicts(stanza: Placed, building: Building, outage: Outage) -> SharedVerdicts | None:
    """The verdicts that are shared: with a secret only, because others may be able to write to the store."""
    path = stanza.value("verdict_key")
    if path is None:
        return None
    from sieveav.site.verdicts import SharedVerdicts, read_secret

    span = stanza.written["verdict_key"].span
    try:
        store = open_verdicts(stanza.value("store"), building.base)
        secret = read_secret(path)
        readable = path.stat().st_mode & 0o004
    except (ValueError, OSError) as error:
        building.report.error("value-invalid", str(error), span)
        return None
    if readable:
        hint = f"chmod o-r {path}"
        building.report.warn("value-risky", f"every user of this machine may read {path}", span, hint)
    return SharedVerdicts(store, secret, outage)


STATE = StanzaType(
    "state",
    "where scripts' memory is kept",
    (
        Option("store", _STORE, "", 'the backend and its location, such as "sqlite:/var/lib/sieveav/state.db"'),
        Option(
            "verdict_key",
            FILE,
            None,
            "a file with a secret of all nodes, of 32 octets or more: with it, they share the verdicts of engines",
        ),
    ),
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

    With verdict_key = "/etc/sieveav/verdict.key", processes and machines that share the store scan the same content once:
    clean is shared for a minute, infected for an hour, other verdicts never. The same verdict needs the same secret, type of
    engine, options, files that these name, version of the definitions and of sieveav. It does not see what a daemon does not
    report, such as clamd.conf and the signatures of third parties: share only between nodes whose daemons are configured alike.
    Verdicts are sealed with the secret: who can write to the store, and does not know it, can delete verdicts but not make
    any. Who knows it decides what is clean. Write one with

        openssl rand -hex -out /etc/sieveav/verdict.key 32

    readable for the server's user only, and copy it to each node. Without the store, each node scans for itself. An engine with
    a timeout of 2 s or less shares nothing, nor does one without a cache_size.
    """,
)
