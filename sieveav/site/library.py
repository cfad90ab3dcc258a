"""library: entry points to the extensions there are; each file is imported when it is first required.

Ours come by the same door as everybody's: the entry point group `sieveav.extensions`, each entry naming a module or a
package that is scanned. A file is named after its chief capability, with `_` for what a name cannot hold, so that a
`require` is one import; what is not found so is looked for among what is loaded, and then by one scan of everything.
"""

from __future__ import annotations

import importlib
import logging
import pkgutil
import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from types import ModuleType

from sieveav.language.extension import Extension

GROUP = "sieveav.extensions"
OURS = "sieveav.extensions"

_log = logging.getLogger(__name__)


class Library:
    """All extensions that are installed. `roots` overrides the entry points: names of modules and packages."""

    def __init__(self, roots: Iterable[str] | None = None) -> None:
        self._given = None if roots is None else tuple(roots)
        self._known: dict[str, Extension] = {}
        self._scanned = False

    @property
    def _roots(self) -> Iterator[str]:
        """The names of the entries, ours first: its words cannot be taken over, and finding it costs no look at others."""
        if self._given is not None:
            yield from self._given
            return
        yield OURS
        yield from (value for value in self._entries if value != OURS)

    @cached_property
    def _entries(self) -> tuple[str, ...]:
        from importlib.metadata import entry_points  # 12 ms, not for a script that requires only what is ours

        return tuple(sorted({entry.value for entry in entry_points(group=GROUP)}))

    def find(self, capability: str) -> Extension | None:
        """The extension of `capability`, imported if it was not yet; None when nothing installed has it."""
        if capability in self._known:
            return self._known[capability]
        name = re.sub(r"[^a-z0-9]", "_", capability.lower())
        for root in self._roots:
            if re.fullmatch(r"[a-z][a-z0-9_]{0,63}", name) and self._package(root):
                module = self._import(f"{root}.{name}", optional=True)
                if module is not None:
                    self._gather(module)
                if capability in self._known:
                    return self._known[capability]
        self._scan()
        return self._known.get(capability)

    def everything(self) -> list[Extension]:
        """All extensions, in the order of their capabilities."""
        self._scan()
        return [self._known[capability] for capability in sorted(self._known)]

    def _package(self, root: str) -> bool:
        module = self._import(root)
        return module is not None and hasattr(module, "__path__")

    def _scan(self) -> None:
        if self._scanned:
            return
        self._scanned = True
        for root in self._roots:
            package = self._import(root)
            if package is None:
                continue
            self._gather(package)
            for found in sorted(pkgutil.iter_modules(getattr(package, "__path__", ())), key=lambda info: info.name):
                module = self._import(f"{root}.{found.name}")
                if module is not None:
                    self._gather(module)

    def _import(self, name: str, *, optional: bool = False) -> ModuleType | None:
        """Import a module. A third party's that cannot be imported is reported and left out; ours is a bug."""
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if optional and error.name == name:
                return None
            if name.startswith(OURS):
                raise
            _log.warning("extension %s is left out: %s", name, error)
        except Exception as error:
            if name.startswith(OURS):
                raise
            _log.warning("extension %s is left out: %s: %s", name, type(error).__name__, error)
        return None

    def _gather(self, module: ModuleType) -> None:
        for value in vars(module).values():
            if isinstance(value, Extension) and value.capability not in self._known:
                value.module = module.__name__
                self._known[value.capability] = value
