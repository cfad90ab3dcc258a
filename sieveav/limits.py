"""limits: the bounds on scripts, messages and runs, each with its reason.

A leaf. A site changes those of a run (`Limits`) with its stanza `limits { actions = 32 }`. A bound that concerns one module
only, such as the length of a mailbox's name, is in that module; a bound of an extension is in the extension's file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

KIB = 1024
MIB = 1024 * KIB

SCRIPT_SIZE = 1 * MIB
"""Octets of a script; Pigeonhole's own bound. Checked before anything reads it."""

STRING_SIZE = 1 * MIB
"""Octets of one string of a script; Pigeonhole's."""

SCRIPT_WORDS = 20_000
"""Commands and tests of a script that is to run: 5,000 rules. Checking them takes about a second, their program 16 MiB.
Without this bound 900 KB of `if true {keep;}` took 12 seconds and 100 MiB, for each user who wrote them."""

SCRIPT_TOKENS = 250_000
"""Tokens of a script that is to run: 125,000 strings in lists. 1 MiB of `;` would be a million tokens."""

CAPABILITIES = 256
"""Capabilities that one script requires; there are some 80. Each unknown one is looked for among all extensions."""


class ScriptBounds(NamedTuple):
    """How much of a script is read."""

    octets: int
    tokens: int
    words: int


TO_RUN = ScriptBounds(SCRIPT_SIZE, SCRIPT_TOKENS, SCRIPT_WORDS)
"""The bounds of a script that is to run: anybody's, checked while mail waits."""

TO_LINT = ScriptBounds(4 * MIB, 2_000_000, 400_000)
"""The bounds of a script that is only linted: on request of a person, not while mail waits."""

BLOCK_NESTING = 32
"""Nested blocks. RFC 5228, 2.10.7 requires at least 15; nobody writes 32 by hand."""

TEST_NESTING = 32
"""Nested tests, for the same reason."""

ARGUMENTS = 32
"""Arguments of one command or test; a string list counts as one. Pigeonhole's limit."""

PROBLEMS = 200
"""Problems reported for one script: more do not help anybody."""

VARIABLES = 255
"""Variables of one script. RFC 5229, 6 requires at least 128."""

VARIABLE_NAME = 64
"""Characters of a variable's name. RFC 5229, 6 requires at least 32."""

VARIABLE_VALUE = 4096
"""Characters of a variable's value; a longer one is cut. RFC 5229, 6 requires at least 4000 characters of any kind."""

HEADER_BLOCK = 1 * MIB
"""Octets of a header block that are read; tests do not see the rest. Pigeonhole's limit."""

MIME_DEPTH = 30
"""Nested MIME parts; mail clients have crashed on more."""

MIME_PARTS = 1000
"""MIME parts of one message, at all depths. Pigeonhole's limit."""

REPLY_LINE = 512
"""Octets of one line of an SMTP reply, including code and line end; a longer one is cut. RFC 5321, 4.5.3.1.5."""

REPLY_LINES = 100
"""Lines of one SMTP reply; no client shows more, and the text may come from a message."""

LONGEST_DELAY = 25.0
"""Seconds by which scripts may delay the reply to a command. Postfix waits 30 for what a milter answers to one, and then
defers all mail of that session."""


@dataclass(frozen=True)
class Limits:
    """The limits of one run; the names of the fields are those of the stanza `limits` in a site's configuration."""

    actions: int = 32
    """Actions for one recipient. RFC 5228, 2.10.4 allows a site to limit them."""

    redirects: int = 4
    """Redirects for one recipient. RFC 5228, 10 requires a limit, because they multiply mail."""

    steps: int = 1_000_000
    """Commands and tests that one script executes: a limit of work that is the same on every machine."""

    wall_clock: float = 5.0
    """Seconds that one script takes, without the time it waits for scanners; checked within the matchers too."""

    received: int = 50
    """Received fields from which on a redirect counts as a mail loop. RFC 5228, 10; RFC 5321, 6.3 requires mail servers to
    accept at least 100, but a filter may be stricter."""

    edits: int = 64
    """Changes of the message by one script (addheader, replace): each copies the header or the message."""

    rewritten: int = 256 * MIB
    """Octets of all messages that one script makes from the message (replace, enclose): all are kept until the end."""

    notes: int = 100
    """Lines that one script logs; further ones are dropped."""

    records: int = 100
    """Keys that one script remembers (RFC 7352, 6): otherwise a loop could fill the state that all scripts share."""
