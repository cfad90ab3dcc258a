"""assembling: an engine's type and settings into the engine that a site asks.

The wrappers, from the outside in, and the reason for their order:

    Counted         counts every question and the answer that goes out
    Timed           one time limit for everything inside: waiting, retries and parts
    Paranoid        (paranoid) looks at the structure of the message, whatever the engine answers
    Decomposed      (mime_decompose) the message, then part by part; each part is cached separately
    Cached          (cache_size) a remembered verdict needs no thread; nor does one that other nodes share
    StructureCheck  what the engine may not open or see; with its verdict, it is remembered
    Pooled          (pool, max_concurrency) only scans that do happen take a thread, or a place in the pool
    the engine      with its own failover inside
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sieveav import __version__
from sieveav.scanning.caching import Cached, Shared
from sieveav.scanning.contract import Deadline, Engine, EngineType
from sieveav.scanning.failover import Failover
from sieveav.scanning.format import ANY
from sieveav.scanning.pools import Pools
from sieveav.scanning.settings import EngineSettings
from sieveav.scanning.structure import StructureCheck
from sieveav.scanning.wrapping import (
    Counted,
    Decomposed,
    EngineWrapper,
    Paranoid,
    Pooled,
    Statistics,
    Timed,
)
from sieveav.verdict import Verdict

OUTSIDE = frozenset(
    """enabled debug_level action cache_size context_variable error_code file_base max_concurrency pool skip_context_variable
    timeout infected suspicious encrypted macro limits unscannable error replace_text""".split()
)
"""The options of every engine on which its verdicts do not depend. Nodes that share verdicts may differ in these."""


class Assembled(EngineWrapper):
    """An engine of a site: it scans, reports its version and what it has done (`statistics`), and forgets on demand."""

    def __init__(
        self,
        kind: EngineType,
        settings: EngineSettings,
        inner: Engine,
        statistics: Statistics,
        cache: Cached | None,
        made: Engine,
    ) -> None:
        super().__init__(inner)
        self.kind = kind
        self.settings = settings
        self.statistics = statistics
        self._cache = cache
        self._made = made

    def variables(self, verdict: Verdict) -> Mapping[str, str]:
        """The context variables that `verdict` sets."""
        return self.kind.variables(self.name, self.settings, verdict)

    @property
    def servers(self) -> Mapping[str, bool]:
        """Name of each server of the engine -> whether it is asked, because it answers. Empty if it has none."""
        return self._made.servers if isinstance(self._made, Failover) else {}

    def doubts(self, deadline: Deadline) -> Iterable[str]:
        """What in the set-up of what it asks may hide a virus, in words."""
        return self.kind.doubts(self._made, deadline)

    def flush(self) -> int:
        """Forget all remembered verdicts; returns how many there were."""
        return self._cache.flush() if self._cache else 0


def assemble(
    kind: EngineType, name: str, settings: EngineSettings, pools: Pools, shared: Shared | None = None
) -> Assembled:
    """An engine of type `kind` called `name`, wrapped according to `settings`. Options of the type that `settings` does not
    have get their defaults. It shares verdicts in `shared`. Raises ValueError, with the reason, if the options cannot work."""
    options = {option.name: settings.options.get(option.name, option.default) for option in kind.options}
    pool = pools.find(settings.pool or kind.pool)
    if pool is None:
        raise ValueError(f'there is no thread pool "{settings.pool}"')
    statistics = Statistics()
    cache: Cached | None = None
    made = kind.make(name, settings.common() | options)
    engine: Engine = Pooled(made, pool, settings.max_concurrency, punctual=kind.punctual)
    if ANY not in kind.opens:
        engine = StructureCheck(engine, kind.opens, whole=kind.whole)
    if settings.cache_size and kind.cacheable:
        origin = _origin(kind, settings, options) if shared else ""
        engine = cache = Cached(engine, settings.cache_size, origin, statistics=statistics, shared=shared)
    if settings.mime_decompose and not kind.whole:
        engine = Decomposed(engine, Counted(Timed(engine), statistics, is_answer=False))
    if settings.paranoid:
        engine = Paranoid(engine)
    return Assembled(kind, settings, Counted(Timed(engine, settings.timeout), statistics), statistics, cache, made)


_OPENS_CONTAINERS = find_spec("libarchive") is not None
"""Whether the extra `containers` is installed: with it, other archives are looked into."""


def _origin(kind: EngineType, settings: EngineSettings, options: Mapping[str, Any]) -> str:
    """A digest of what an engine's verdicts depend on, content and definitions aside: its type, the options that matter, the
    files that these name, and this program, which unpacks contents itself. ValueError if a file cannot be read."""
    common = {name: value for name, value in settings.common().items() if name not in OUTSIDE}
    values = sorted({**common, **options}.items(), key=lambda item: item[0])
    digests = [digest for name, value in values for digest in _digests(name, value)]
    return hashlib.sha256(
        repr((__version__, _OPENS_CONTAINERS, kind.name, values, digests)).encode(errors="backslashreplace")
    ).hexdigest()


def _digests(name: str, value: Any) -> Iterator[str]:
    """The digest of each file that the option `name` names."""
    for path in value if isinstance(value, tuple) else (value,):
        if isinstance(path, Path) and path.is_file():
            try:
                with path.open("rb") as file:
                    yield hashlib.file_digest(file, "sha256").hexdigest()
            except OSError as error:
                raise ValueError(f"{name}: {path}: {error.strerror}") from None
