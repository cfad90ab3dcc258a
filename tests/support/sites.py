"""sites: the types of the fixtures that make sites, decide for them and show decisions (tests/site/conftest.py)."""

from __future__ import annotations

from collections.abc import Callable

from sieveav.site.deciding import Decision
from sieveav.site.site import Site

MakeSite = Callable[..., Site]
Decide = Callable[..., Decision]
Show = Callable[[Decision], list[str]]
