"""assembling: an engine's declaration and a stanza's settings into the engine that a site asks.

The order, from the outside in, and why it is this one:

    Counted      sees every question and the answer that goes out
    Timed        one time for all that follows, retries, waiting and parts together
    Paranoid     (paranoid) and AmbiguityCheck look at the structure, whatever the engine says
    Decomposed   (mime_decompose) the message, then part by part; each part is remembered on its own
    Cached       (cache_size) a remembered verdict takes no turn
    Limited      (max_concurrency) turns are for scans that do happen
    the engine   with its own failover inside
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from sieveav.scanning.caching import Cached
from sieveav.scanning.contract import Engine, EngineType
from sieveav.scanning.wrapping import (
    AmbiguityCheck,
    Counted,
    Decomposed,
    EngineWrapper,
    Limited,
    Paranoid,
    Statistics,
    Timed,
)


class Assembled(EngineWrapper):
    """A site's engine: scans, tells its version and what it has done (`statistics`), and forgets on demand."""

    def __init__(self, kind: EngineType, inner: Engine, statistics: Statistics, cache: Cached | None) -> None:
        super().__init__(inner)
        self.kind = kind
        self.statistics = statistics
        self._cache = cache

    def flush(self) -> int:
        """Forget all remembered verdicts; their number."""
        return self._cache.flush() if self._cache else 0


def assemble(
    kind: EngineType,
    name: str,
    *,
    options: Mapping[str, Any],
    timeout: float = 10.0,
    cache_size: int = 1000,
    max_concurrency: int = 0,
    mime_decompose: bool = False,
    paranoid: bool = False,
) -> Assembled:
    """An engine of `kind` called `name`, wrapped as the settings say (`timeout` in seconds, 0 is "none" for
    `cache_size` and "no bound of its own" for `max_concurrency`).

    `options` are the values of the kind's own options; those not given have their defaults. Raises ValueError, with the
    reason, when they cannot work.
    """
    settled = {option.name: options.get(option.name, option.default) for option in kind.options}
    statistics = Statistics()
    cache: Cached | None = None
    engine: Engine = kind.make(name, settled)
    if max_concurrency:
        engine = Limited(engine, max_concurrency)
    if cache_size and kind.cacheable:
        engine = cache = Cached(engine, cache_size, _digest(settled))
    if mime_decompose:
        engine = Decomposed(engine, statistics)
    engine = AmbiguityCheck(engine)
    if paranoid:
        engine = Paranoid(engine)
    return Assembled(kind, Counted(Timed(engine, timeout), statistics), statistics, cache)


def _digest(options: Mapping[str, Any]) -> str:
    return hashlib.sha256(repr(sorted(options.items())).encode()).hexdigest()
