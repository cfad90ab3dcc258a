"""submitting: the option that names the server to which a front end gives the mail that it sends."""

from __future__ import annotations

from collections.abc import Callable

from sieveav.frontends.handing import Peer, peer
from sieveav.options import Option, ValueType
from sieveav.site.stanza import Building, Placed
from sieveav.site.stanzas.state import STATE

EXAMPLE = 'submit = "smtp:127.0.0.1:10587"'
"""What a hint says to write."""

_NAME = "submit"


def text_of(parse: Callable[[str], object]) -> Callable[[str], str]:
    """Reads a text that `parse` accepts."""

    def read(text: str) -> str:
        parse(text)
        return text

    return read


def _smtp(text: str) -> Peer:
    found = peer(text)
    if found.protocol != "smtp":
        raise ValueError(f'"{text}" does not begin with smtp:')
    return found


SUBMISSION = ValueType("address of an SMTP server", text_of(_smtp))


def submit(what: str) -> Option:
    """The option; `what` is given to the server."""
    return Option(_NAME, SUBMISSION, "", f"the server that {what} are given to: smtp:address:port")


def submission(stanza: Placed) -> Peer | None:
    """The server that a stanza names; None if it names none."""
    text = stanza.value(_NAME)
    return _smtp(text) if text else None


def warn_without_state(stanza: Placed, building: Building, what: str) -> None:
    """Report that `what` may be repeated, if the site has no state."""
    if building.built(STATE).state is None:
        message = f"{what} may be repeated when a message comes again: there is no state"
        building.report.warn("state-missing", message, stanza.stanza.kind_span, "write a stanza state")
