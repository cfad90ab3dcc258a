"""threadpool: the threads that engines' scans run in."""

from __future__ import annotations

from collections.abc import Sequence

from sieveav.scanning.pools import OPTIONS, Pools
from sieveav.site.stanza import Building, Named, Placed, StanzaType


def _build(stanzas: Sequence[Placed], building: Building) -> Pools:
    sizes: dict[str, int | None] = {}
    for stanza in stanzas:
        name = stanza.instance.upper()
        if name in sizes:
            message = f"threadpool {name} is written twice: names are the same in upper and lower case"
            building.report.error("stanza-repeated", message, stanza.name_span, "write it once")
        elif stanza.stanza.instance:
            sizes[name] = stanza.value("concurrency")
    return Pools(sizes)


POOLS = StanzaType(
    "threadpool", "threads that scans run in; an engine names them with pool", OPTIONS, Named.MUST, build=_build
)
