"""settings: a site's stanzas to the settings in force, and all types of stanza to their defaults, in the file's syntax.

For `check-config -n` and `-d`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from sieveav.frontends.entries import option_json
from sieveav.frontends.explaining import library, stanzas
from sieveav.options import Option
from sieveav.printing import printable
from sieveav.site.site import Site
from sieveav.site.stanza import Named, Placed, StanzaType, Value
from sieveav.site.stanzas.extension import EXTENSIONS

INDENT = "  "


# ---- in force


def in_force(site: Site) -> Iterator[str]:
    """The settings of a site that differ from their defaults, each with its place; stanzas without any are shown too."""
    yield from _inside(site, _outer(site), "")


def in_force_json(site: Site) -> list[dict[str, object]]:
    """The same for programs."""
    return [
        {
            "stanza": " / ".join(path),
            "name": option.name,
            "value": option.kind.show(value.value),
            "path": site.source.path,
            "line": _line(site, value),
            "default": option.kind.show(option.default),
        }
        for path, placed in _walk(_outer(site), ())
        for option, value in _changed(placed)
    ]


def _outer(site: Site) -> list[Placed]:
    """The stanzas that are not inside another."""
    everything = list(site.settings.stanzas)
    inner = {id(placed) for stanza in everything for placed in stanza.inner}
    return [placed for placed in everything if id(placed) not in inner]


def _walk(placed: Iterable[Placed], above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Placed]]:
    for each in placed:
        path = (*above, each.head)
        yield path, each
        yield from _walk(each.inner, path)


def _changed(placed: Placed) -> Iterator[tuple[Option, Value]]:
    for name, value in placed.written.items():
        if value.value != placed.options[name].default:
            yield placed.options[name], value


def _line(site: Site, value: Value) -> int:
    return site.source.position(value.span.start).line


def _inside(site: Site, placed: Iterable[Placed], indent: str) -> Iterator[str]:
    for each in placed:
        yield f"{indent}{printable(each.head)} {{"
        for option, value in _changed(each):
            written = printable(f"{option.name} = {option.kind.show(value.value)}")
            yield f"{indent}{INDENT}{written}  # {printable(site.source.path)}:{_line(site, value)}"
        yield from _inside(site, each.inner, indent + INDENT)
        yield f"{indent}}}"


# ---- defaults


def defaults() -> Iterator[str]:
    """Every stanza that is installed with all of its options: the default and the meaning of each, a comment for one that
    has no default."""
    for stanza in _types():
        if stanza.within[0] == "":
            yield from _default_lines(stanza, "")


def defaults_json() -> list[dict[str, str]]:
    """The same for programs."""
    return [
        {"stanza": f'{stanza.name} "{name}"' if stanza is EXTENSIONS else stanza.name, **option_json(option)}
        for stanza in _types()
        for name, options in _instances(stanza)
        for option in options
    ]


def _types() -> list[StanzaType[Any]]:
    return sorted(stanzas().values(), key=lambda stanza: stanza.name)


def _default_lines(stanza: StanzaType[Any], indent: str) -> Iterator[str]:
    yield f"{indent}# {stanza.meaning}"
    for name, options in _instances(stanza):
        yield f"{indent}{stanza.name}{f' {chr(34)}{name}{chr(34)}' if name else ''} {{"
        for option in map(option_json, options):
            start = "# " if option["default"] in ("", '""') else ""  # not set
            yield f"{indent}{INDENT}{start}{option['name']} = {option['default']}  # {option['type']}: {option['meaning']}"
        for inner in _types():
            if stanza.name == inner.within[0]:
                yield from _default_lines(inner, indent + INDENT)
        yield f"{indent}}}"


def _instances(stanza: StanzaType[Any]) -> Iterator[tuple[str, Iterable[Option]]]:
    """The stanzas of a type, each with its name: one, but for the settings of extensions one for each that has any."""
    if stanza is EXTENSIONS:
        for extension in library().everything().values():
            if extension.settings:
                yield extension.name, extension.settings.values()
    else:
        yield f"{stanza.name}1" if stanza.named is Named.MUST else "", stanza.options
