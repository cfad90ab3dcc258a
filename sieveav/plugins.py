"""plugins: the entry points of installed packages to the values that their files declare.

Whatever is added by a file arrives here: extensions, engines, stanzas, commands, lint rules, state backends. A file
declares a value of a subclass of `Plugin` at its top level; an entry point names the module, or the package whose modules
are scanned. A file is named after the value it declares, so that `find` imports no other; what no file is named after is
found by importing all of them, once.

Ours come first, and no other package can take the place of one. A package that cannot be imported, or that declares a name
which is taken, is left out with one line in the log, which names its distribution.
"""

from __future__ import annotations

import importlib
import inspect
import logging
import pkgutil
import re
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from types import MappingProxyType, ModuleType
from typing import Generic, TypeVar

_log = logging.getLogger(__name__)


def identifier(name: str) -> str:
    """`name` as an identifier: lower case, with `_` for every character that an identifier cannot contain."""
    return re.sub(r"[^a-z0-9]", "_", name.lower())


class Plugin:
    """Base class of the values that files declare."""

    name: str
    """What it is found by."""

    module: str = ""
    """The module that declares it; set when it is found."""

    @property
    def doc(self) -> str:
        """The docstring of its module."""
        return inspect.cleandoc(getattr(sys.modules.get(self.module), "__doc__", None) or "")


P = TypeVar("P", bound=Plugin)


class Plugins(Generic[P]):
    """All values of the class `kind` that are installed. `what` names one in log lines ("engine"), `group` is the group of
    entry points, `ours` are our own modules and packages in it. `roots`, in tests, are used instead of both."""

    def __init__(
        self, kind: type[P], what: str, group: str, ours: Iterable[str], roots: Iterable[str] | None = None
    ) -> None:
        self._kind = kind
        self._what = what
        self._group = group
        # Reentrant, because a module that is imported may look for another plug-in.
        self._lock = threading.RLock()
        self._ours = tuple(_Root(kind, "sieveav", name, ours=True) for name in ours)
        self._given = None if roots is None else tuple(_Root(kind, "sieveav", name, ours=False) for name in roots)

    def find(self, name: str) -> P | None:
        """The plug-in of that name, None if there is none. Imports its file, where a file has its name."""
        with self._lock:
            return next((value for root in self._roots() if (value := root.find(name)) is not None), None)

    def everything(self) -> Mapping[str, P]:
        """All plug-ins by name, sorted. Imports every file, once."""
        with self._lock:  # another thread waits for the whole: in half of it, it would miss some
            return self._everything

    @cached_property
    def _everything(self) -> Mapping[str, P]:
        found: dict[str, tuple[P, _Root[P]]] = {}
        for root in self._roots():
            for value in root.everything():
                other, owner = found.setdefault(value.name, (value, root))
                if other is not value:
                    _log.warning(
                        "%s: %s %s is left out: %s has one of that name",
                        root.distribution,
                        self._what,
                        value.name,
                        owner.distribution,
                    )
        return MappingProxyType({name: found[name][0] for name in sorted(found)})

    def _roots(self) -> Iterator[_Root[P]]:
        """Ours first: finding one of them does not look for others."""
        if self._given is not None:
            yield from self._given
        else:
            yield from self._ours
            yield from self._others

    @cached_property
    def _others(self) -> tuple[_Root[P], ...]:
        from importlib.metadata import entry_points  # 12 ms, which a command that uses only ours does not need

        ours = {root.name for root in self._ours}
        entries = {(entry.value.partition(":")[0].strip(), entry.dist) for entry in entry_points(group=self._group)}
        named = {(name, dist.name if dist else "?") for name, dist in entries if name not in ours}
        return tuple(_Root(self._kind, distribution, name, ours=False) for name, distribution in sorted(named))


class _Root(Generic[P]):
    """What one entry point brings: a module, or a package with its modules, except for those that begin with `_`."""

    def __init__(self, kind: type[P], distribution: str, name: str, *, ours: bool) -> None:
        self.distribution = distribution
        self.name = name
        self._kind = kind
        self._is_ours = ours
        self._found: dict[str, P] = {}
        self._imported: set[str] = set()

    def find(self, name: str) -> P | None:
        """The plug-in of that name: from the file of its name, or from all of them."""
        file = identifier(name)
        if name not in self._found and file in self._files:
            self._gather(file)
        if name not in self._found:
            self.everything()
        return self._found.get(name)

    def everything(self) -> Iterable[P]:
        """All that this root brings."""
        for file in ("", *self._files):
            self._gather(file)
        return self._found.values()

    @cached_property
    def _module(self) -> ModuleType | None:
        return self._import(self.name)

    @cached_property
    def _files(self) -> tuple[str, ...]:
        modules = pkgutil.iter_modules(getattr(self._module, "__path__", ()))
        return tuple(sorted(module.name for module in modules if not module.name.startswith("_")))

    def _gather(self, file: str) -> None:
        """Import a file of the package, or with "" the module itself, and keep the plug-ins that it declares."""
        if file in self._imported:
            return
        module = self._import(f"{self.name}.{file}") if file else self._module
        for value in list(vars(module).values()) if module else ():
            if isinstance(value, self._kind):
                if not value.module:
                    object.__setattr__(value, "module", module.__name__ if module else "")  # some are frozen
                self._found.setdefault(value.name, value)
        self._imported.add(file)

    def _import(self, name: str) -> ModuleType | None:
        try:
            return importlib.import_module(name)
        except (Exception, SystemExit) as error:  # a module of another package may raise anything
            if self._is_ours:
                raise
            text = " ".join(f"{type(error).__name__}: {error}".split())
            _log.warning("%s: %s is left out: %s", self.distribution, name, text)
        return None
