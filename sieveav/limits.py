"""limits: every bound of the core, in one place, each with its reason.

A leaf: every room may import it. A site changes the ones a run obeys with its stanza `limits { actions = 32 }`.
"""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB

SCRIPT_SIZE = 1 * MIB
"""Octets of a script; Pigeonhole's own bound. Checked before anything reads it."""

STRING_SIZE = 1 * MIB
"""Octets of one string of a script; Pigeonhole's."""

BLOCK_NESTING = 32
"""Blocks within blocks. RFC 5228, 2.10.7 asks for at least 15; nobody writes 32 by hand."""

TEST_NESTING = 32
"""Tests within tests, likewise."""

ARGUMENTS = 32
"""Arguments of one command or test, string lists aside; Pigeonhole's."""

PROBLEMS = 200
"""Problems reported for one script: more help nobody."""

VARIABLES = 255
"""Variables of one script. RFC 5229, 6 asks for at least 128."""

VARIABLE_NAME = 64
"""Characters of a variable's name. RFC 5229, 6 asks for at least 32."""

VARIABLE_VALUE = 4096
"""Characters of a variable's value; a longer one is cut. RFC 5229, 6 asks for at least 4000 characters, of any kind."""

HEADER_BLOCK = 1 * MIB
"""Octets of a header block that are read; what lies beyond is not seen by header tests. Pigeonhole's."""

MIME_DEPTH = 30
"""Parts within parts; readers have crashed on more."""

MIME_PARTS = 1000
"""Parts of one message, of all depths together; Pigeonhole's."""

REPLY_LINE = 512
"""Octets of one line of an SMTP reply, with its code and its end; the rest of a longer one is cut. RFC 5321, 4.5.3.1.5."""

REPLY_LINES = 100
"""Lines of one SMTP reply; no client shows more, and a reason may come out of a message."""


@dataclass(frozen=True)
class Limits:
    """What one run may use; the field names are those of the stanza `limits` of a site's configuration."""

    actions: int = 32
    """Actions of one recipient. RFC 5228, 2.10.4 lets a site bound them."""

    redirects: int = 4
    """Redirects of one recipient. RFC 5228, 10 wants them limited: they multiply mail."""

    steps: int = 1_000_000
    """Commands and tests one script may take: a bound in work, the same on every machine."""

    wall_clock: float = 5.0
    """Seconds one script may take, waiting for scanners aside; looked at within the matchers too."""

    received: int = 50
    """Received fields before a redirect counts as a loop. RFC 5228, 10; RFC 5321, 6.3 asks for no fewer than 100 hops
    of transport, a filter may be stricter."""

    edits: int = 64
    """Changes of the message by one script (addheader, replace): each is a copy of the header, or of the message."""

    rewritten: int = 256 * MIB
    """Octets of all the messages that one script makes of the message (replace, enclose): all are kept until the end."""

    notes: int = 100
    """Lines that one script logs; what goes beyond is dropped."""

    records: int = 100
    """Keys that one script remembers (RFC 7352, 6): a loop could else fill the memory that all scripts share."""
