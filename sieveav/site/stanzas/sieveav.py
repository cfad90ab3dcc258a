"""sieveav: the server's own settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sieveav.options import TEXT, Option, integer, one_of
from sieveav.site.stanza import Building, Placed, StanzaType


@dataclass(frozen=True)
class ServerSettings:
    """`workers` is the number of processes that serve, 0 for one on each processor; `user` the one that a server started by
    root runs as, "" for no change; `log` the form of log lines, "text" or "json". All are read at the start alone."""

    workers: int = 0
    user: str = ""
    log: str = "text"


def _build(stanzas: Sequence[Placed], building: Building) -> ServerSettings:  # noqa: ARG001
    return ServerSettings(*map(stanzas[0].value, ("workers", "user", "log"))) if stanzas else ServerSettings()


SIEVEAV = StanzaType(
    "sieveav",
    "the server",
    (
        Option("workers", integer(0, 256), 0, "processes that serve; 0: one on each processor"),
        Option("user", TEXT, "", "the user that the server runs as, if root starts it; empty: no change"),
        Option("log", one_of("text", "json"), "text", "the form of log lines; json: an object on each line"),
    ),
    build=_build,
)
