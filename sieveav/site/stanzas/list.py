"""list: the external lists that scripts may ask about (RFC 6134)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sieveav.options import FILE, Option
from sieveav.running.lists import LIST_HINT, list_flaw, list_key
from sieveav.site.stanza import Building, Named, Placed, StanzaType


def _build(stanzas: Sequence[Placed], building: Building) -> dict[str, Path]:
    files: dict[str, Path] = {}
    report = building.report
    for stanza in stanzas:
        name = stanza.stanza.instance
        if "file" not in stanza.written:
            report.error("option-missing", f"{stanza.head} has no file", stanza.stanza.kind_span, 'write file = "…"')
        if not name:
            continue  # which is reported already
        flaw = list_flaw(name)
        if flaw:
            report.error("value-invalid", flaw, stanza.name_span, LIST_HINT)
        elif list_key(name) in files:
            report.error(
                "stanza-repeated", f"list {list_key(name)} is written twice", stanza.name_span, "write it once"
            )
        elif stanza.value("file") is not None:
            files[list_key(name)] = stanza.value("file")
    return files


LISTS = StanzaType(
    "list",
    'an external list that scripts know by its name, a URI or ":addrbook:default"',
    (Option("file", FILE, None, "its members, one on each line, at most 4 MiB; lines that begin with # are comments"),),
    Named.MUST,
    build=_build,
)
