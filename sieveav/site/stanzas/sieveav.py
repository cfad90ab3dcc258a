"""sieveav: the server's own settings."""

from __future__ import annotations

from sieveav.options import INTEGER, TEXT, Option, one_of
from sieveav.site.stanza import NOT_YET, StanzaType

SIEVEAV: StanzaType[None] = StanzaType(
    "sieveav",
    "the server",
    (
        Option("workers", INTEGER, 2, "processes that serve", NOT_YET),
        Option("user", TEXT, "sieveav", "the user that the server runs as", NOT_YET),
        Option("log", one_of("text", "json"), "text", "the form of log lines", NOT_YET),
        Option("mixed", one_of("bounce", "tempfail"), "bounce", "the reply if recipients disagree", NOT_YET),
    ),
)
