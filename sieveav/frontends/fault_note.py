"""fault_note: the fault of a user's own script to the message that they get about it.

A broken script keeps the mail, so that its user would not notice for long.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from sieveav.composing import compose
from sieveav.running.addresses import parse_addr_spec
from sieveav.running.outcome import Fault

_TEXT = """\
Your mail filter has an error:

    {fault}

Your mail is kept, and what comes after the error in your filter is not done. Please mend the filter. While it has an error,
you get this message once a day.
"""


def fault_note(recipient: str, fault: Fault, date: datetime) -> bytes:
    """The message, from the postmaster of the recipient's domain. Of the script's path it has the name only."""
    place = fault.place
    where = "" if place is None else f"{Path(place.path).name}: "
    if place is not None and place.line:
        where = f"{Path(place.path).name}, line {place.line}, column {place.column}: "
    address = parse_addr_spec(recipient)
    domain = "localhost" if address is None else address.rpartition("@")[2]
    fields: list[tuple[str, Any]] = [
        ("From", (("Mail filter", f"postmaster@{domain}"),)),
        ("To", recipient if address is None else (("", address),)),
        ("Subject", "Your mail filter has an error"),
        ("Auto-Submitted", b"auto-generated"),  # RFC 3834, 5
    ]
    return compose(fields, _TEXT.format(fault=where + fault.message), date, ("script-fault", recipient))
