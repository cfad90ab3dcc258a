"""lazy: the settings of an engine into an engine that is made when it is first asked; what a site needs of its engines.

Imports nothing of an engine before it is asked: most commands ask none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from threading import Lock
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from sieveav.scanning.assembling import Assembled
    from sieveav.scanning.contract import Content, Deadline, Engine, EngineType
    from sieveav.scanning.settings import EngineSettings
    from sieveav.scanning.wrapping import Statistics
    from sieveav.verdict import Verdict

    class SiteEngine(Engine, Protocol):
        """An engine of a site: `Assembled` or `LazyEngine`."""

        @property
        def statistics(self) -> Statistics:
            """What it has done."""
            ...

        @property
        def servers(self) -> Mapping[str, bool]:
            """Name of each server of the engine -> whether it is asked. Empty if it has none."""
            ...

        def variables(self, verdict: Verdict) -> Mapping[str, str]:
            """The context variables that `verdict` sets."""
            ...

        def doubts(self, deadline: Deadline) -> Iterable[str]:
            """What in the set-up of what it asks may hide a virus, in words."""
            ...

        def flush(self) -> int:
            """Forget all remembered verdicts; returns how many there were."""
            ...


class LazyEngine:
    """The engine of the type that `settings` name, made when it is first asked. It then raises ValueError, with the reason, if
    it cannot work."""

    def __init__(self, settings: EngineSettings) -> None:
        self.name = settings.kind
        self._settings = settings
        self._lock = Lock()
        self._made: Assembled | None = None

    @property
    def _kind(self) -> EngineType:
        from sieveav.scanning.contract import ENGINES

        kind = ENGINES.find(self.name)
        if kind is None:
            raise ValueError(f"unknown engine {self.name}")
        return kind

    @property
    def _engine(self) -> Assembled:
        from sieveav.scanning.assembling import assemble
        from sieveav.scanning.pools import Pools

        with self._lock:
            if self._made is None:
                self._made = assemble(self._kind, self.name, self._settings, Pools())
            return self._made

    @property
    def statistics(self) -> Statistics:
        return self._engine.statistics

    @property
    def servers(self) -> Mapping[str, bool]:
        return self._engine.servers

    def scan(self, content: Content, deadline: Deadline) -> Verdict:
        return self._engine.scan(content, deadline)

    def version(self, deadline: Deadline) -> str:
        return self._engine.version(deadline)

    def variables(self, verdict: Verdict) -> Mapping[str, str]:
        return self._kind.variables(self.name, self._settings, verdict)

    def doubts(self, deadline: Deadline) -> Iterable[str]:
        return self._engine.doubts(deadline)

    def flush(self) -> int:
        return self._engine.flush()
