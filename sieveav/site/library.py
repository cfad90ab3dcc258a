"""library: entry points to the extensions there are; each file is imported when it is first required.

Ours come by the same door as everybody's: the entry point group `sieveav.extensions`, each entry naming a module or a
package that is scanned. A file is named after its chief capability, with `_` for what a name cannot hold, so that a
`require` is one import; what is not found so is looked for among what is loaded, and then by one scan of everything.
A stranger's file is looked into only for what none of ours brings: our words cannot be taken over.
"""

from __future__ import annotations

import importlib
import logging
import pkgutil
import re
import threading
from collections.abc import Iterable, Iterator
from functools import cached_property
from types import ModuleType

from sieveav.language.extension import Extension, identifier

GROUP = "sieveav.extensions"

LATER = frozenset(
    """convert enotify environment envelope-deliverby envelope-dsn extracttext imapsieve mailboxid mboxmetadata
    processcalendar redirect-deliverby redirect-dsn servermetadata snooze special-use vnd.dovecot.debug
    vnd.dovecot.environment vnd.dovecot.execute vnd.dovecot.filter vnd.dovecot.pipe vnd.dovecot.report""".split()
)
"""Capabilities of the standards and of other servers that this version does not have: told apart from slips of the pen."""

OURS = "sieveav.extensions"

_log = logging.getLogger(__name__)


class Library:
    """All extensions that are installed. `roots` overrides the entry points: names of modules and packages."""

    def __init__(self, roots: Iterable[str] | None = None) -> None:
        self._given = None if roots is None else tuple(_Root(name) for name in roots)
        self._ours = _Root(OURS)

    @property
    def _roots(self) -> Iterator[_Root]:
        """The entries, ours first; finding what is ours costs no look at others."""
        if self._given is not None:
            yield from self._given
            return
        yield self._ours
        yield from self._others

    @cached_property
    def _others(self) -> tuple[_Root, ...]:
        from importlib.metadata import entry_points  # 12 ms, not for a script that requires only what is ours

        return tuple(_Root(name) for name in sorted({entry.value for entry in entry_points(group=GROUP)} - {OURS}))

    def find(self, capability: str) -> Extension | None:
        """The extension of `capability`, imported if it was not yet; None when nothing installed has it."""
        for root in self._roots:
            found = root.find(capability)
            if found is not None:
                return found
        return None

    def later(self, capability: str) -> bool:
        """Whether `capability` is a real one that this version does not have."""
        return capability.lower() in LATER

    def everything(self) -> list[Extension]:
        """All extensions, in the order of their capabilities."""
        known: dict[str, Extension] = {}
        for root in self._roots:
            known = {**root.everything(), **known}
        return [known[capability] for capability in sorted(known)]


class _Root:
    """What one entry point brings: a module, or a package with its modules."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._known: dict[str, Extension] = {}
        self._scanned = False
        self._lock = threading.Lock()

    @cached_property
    def _module(self) -> ModuleType | None:
        return self._import(self._name)

    def find(self, capability: str) -> Extension | None:
        """The extension of `capability`: by its file's name, else by a scan."""
        name = identifier(capability)
        by_name = not self._scanned and re.fullmatch(r"[a-z][a-z0-9_]{0,63}", name)
        if by_name and capability not in self._known and hasattr(self._module, "__path__"):
            self._gather(self._import(f"{self._name}.{name}", optional=True))
        return self._known.get(capability) or self.everything().get(capability)

    def everything(self) -> dict[str, Extension]:
        """All that is here, by capability."""
        if not self._scanned:
            with self._lock:  # another thread waits for the whole: in half of it, it would miss what is there
                if not self._scanned:
                    self._scan()
                    self._scanned = True
        return self._known

    def _scan(self) -> None:
        self._gather(self._module)
        modules = pkgutil.iter_modules(getattr(self._module, "__path__", ()))
        for name in sorted(module.name for module in modules):
            self._gather(self._import(f"{self._name}.{name}"))

    def _import(self, name: str, *, optional: bool = False) -> ModuleType | None:
        """Import a module. A third party's that cannot be imported is reported and left out; ours is a bug."""
        try:
            return importlib.import_module(name)
        except (Exception, SystemExit) as error:  # a stranger's module may raise anything
            if optional and isinstance(error, ModuleNotFoundError) and error.name == name:
                return None
            if self._name == OURS:
                raise
            _log.warning("extension %s is left out: %s: %s", name, type(error).__name__, error)
        return None

    def _gather(self, module: ModuleType | None) -> None:
        if module is None:
            return
        for value in vars(module).values():
            if isinstance(value, Extension) and value.capability not in self._known:
                value.module = value.module or module.__name__
                self._known[value.capability] = value
