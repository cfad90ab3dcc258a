"""entries: what is explained to the lines that people read and the objects that programs read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from sieveav.frontends.output import Cell, columns, paint, prose
from sieveav.options import Option


@dataclass(frozen=True)
class Entry:
    """One thing that has a name. `kind` is what it is ("test", "option", …), `require` the capability that brings it,
    `on` the words or stanzas it belongs to, `members` what it contains, (name, meaning)."""

    kind: str
    name: str
    usage: str = ""
    require: str = ""
    source: str = ""
    text: str = ""
    on: tuple[str, ...] = ()
    members: tuple[tuple[str, str], ...] = ()
    options: tuple[Mapping[str, str], ...] = ()

    def as_json(self) -> dict[str, object]:
        """The entry for programs; "" and empty lists for what it does not have."""
        return asdict(self)


def option_json(option: Option) -> dict[str, str]:
    """An option for programs; the default in the configuration's syntax, "" for none."""
    return {
        "name": option.name,
        "type": f"list of: {option.kind.name}" if option.kind.many else option.kind.name,
        "default": option.kind.show(option.default),
        "meaning": option.meaning,
    }


def lines(entries: Sequence[Entry]) -> Iterator[str]:
    """Entries for people, an empty line between two. The options of a stanza are listed in full, unless the
    question is rather about a word of that name."""
    for number, entry in enumerate(entries):
        if number:
            yield ""
        short = entry.kind == "stanza" and any(other.require for other in entries)
        yield from _entry_lines(replace(entry, options=()) if short else entry)
        if short and entry.options:
            listed = ", ".join(option["name"] for option in entry.options)
            yield from ["", *prose(f"Options (see: sieveav explain OPTION): {listed}.", indent="  ")]


def _entry_lines(entry: Entry) -> Iterator[str]:
    of = f", of {', '.join(entry.on)}" if entry.on else ""
    first, *rest = prose(f"{entry.kind}: {entry.usage or entry.name}{of}", hanging="    ")
    yield paint(entry.kind, "bold") + first.removeprefix(entry.kind)
    yield from rest
    require = f'require "{entry.require}";' if entry.require else ""
    if require or entry.source:
        yield f"  {'   '.join(filter(None, (require, entry.source)))}"
    for block in (
        list(prose(entry.text, indent="  ")),
        list(columns([[(name, ""), (meaning, "dim")] for name, meaning in entry.members], 2)),
        list(columns([option_row(option) for option in entry.options], 2)),
    ):
        if block:
            yield from ["", *block]


def option_row(option: Mapping[str, str]) -> list[Cell]:
    """An option as a row: its default in the configuration's syntax, its type and meaning."""
    written = f"{option['name']} = {option['default']}" if option["default"] else option["name"]
    return [(written, ""), (option["type"], "dim"), (option["meaning"], "")]
