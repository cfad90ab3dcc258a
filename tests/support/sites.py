"""sites: the types of the fixtures that make sites, decide for them and show decisions (tests/site/conftest.py)."""

from __future__ import annotations

from collections.abc import Callable

from sieveav.site.site import Site
from sieveav.site.transaction import Decision

MakeSite = Callable[..., Site]
Decide = Callable[..., Decision]
Show = Callable[[Decision], list[str]]
