"""discovery: the entry points of the group `sieveav.engines` into the kinds of engine there are, by name.

An entry names a module or a package, which is scanned for `EngineKind` objects; our own engines come by the same door.
Scanning imports the files of engines, and these import what they need (yara_x, clamd) only when an engine is made or
used.
"""

from __future__ import annotations

import logging
import pkgutil
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING

from sieveav.engines.contract import EngineKind

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "sieveav.engines"

OURS = "sieveav.engines"
"""Our own package: the entry `core`, and what is scanned when nothing is installed (in a checkout)."""

_log = logging.getLogger(__name__)


@cache
def kinds() -> Mapping[str, EngineKind]:
    """All kinds of engine by name, in the order of names.

    A stranger's entry that cannot be imported, or brings an engine of a name that is taken, is left out, with a warning
    in the log: it must take neither the others down nor the place of one. Ours come first.
    """
    found: dict[str, tuple[str, EngineKind]] = {}
    for source, value in sorted(_entries(), key=lambda entry: (entry[1] != OURS, entry)):
        for kind in _kinds_of(source, value):
            other = found.setdefault(kind.name, (source, kind))
            if other[1] is not kind:
                _log.warning("%s: the engine %s is left out: %s has one of that name", source, kind.name, other[0])
    return MappingProxyType({name: found[name][1] for name in sorted(found)})


def kind(name: str) -> EngineKind | None:
    """The kind called `name`, None when there is none. One of our own costs no more than the import of its file."""
    if name.isidentifier() and not name.startswith("_"):
        try:
            own = getattr(import_module(f"{OURS}.{name}"), "engine", None)
        except ModuleNotFoundError:
            own = None
        if isinstance(own, EngineKind) and own.name == name:
            return own
    return kinds().get(name)


def _entries() -> Iterator[tuple[str, str]]:
    """Each entry as its distribution's name and the module it names, our own always among them."""
    from importlib.metadata import entry_points  # 12 ms, not for a command that names its engine

    found = {(_distribution(entry), entry.value) for entry in entry_points(group=GROUP)}
    if not any(value == OURS for _, value in found):
        found.add(("sieveav", OURS))
    yield from found


def _distribution(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else "?"


def _kinds_of(source: str, value: str) -> Iterator[EngineKind]:
    for module in _modules(source, value):
        for _, thing in sorted(vars(module).items()):
            if isinstance(thing, EngineKind):
                yield thing


def _modules(source: str, value: str) -> Iterator[ModuleType]:
    """The module that `value` names and, if it is a package, those directly in it but for `_private` ones."""
    module = _imported(source, value.partition(":")[0].strip())
    if module is None:
        return
    yield module
    for inner in sorted(pkgutil.iter_modules(getattr(module, "__path__", ())), key=lambda inner: inner.name):
        if not inner.name.startswith("_") and (found := _imported(source, f"{module.__name__}.{inner.name}")):
            yield found


def _imported(source: str, name: str) -> ModuleType | None:
    try:
        return import_module(name)
    except (Exception, SystemExit) as fault:  # a stranger's module may raise anything
        if name == OURS or name.startswith(f"{OURS}."):
            raise
        _log.warning("%s: the engine module %s is left out: %s: %s", source, name, type(fault).__name__, fault)
        return None
