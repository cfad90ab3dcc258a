"""sieveav: a Sieve interpreter (RFC 5228) with built-in antivirus scanning.

A program uses these names; each is imported when it is first used:

    site = sieveav.load("site.conf")
    transaction = sieveav.Transaction(sieveav.Message(raw), "bob@example.org", ("alice@example.com",))
    decision = sieveav.decide(site, transaction)
    for recipient in decision.recipients:
        print(recipient.recipient, recipient.response or [action.as_json() for action in recipient.outcome.actions])

`load` reads a site's configuration (`embedded` is the site without one); `decide` runs all of its scripts for a message;
`Conversation` runs those of each phase of an SMTP connection as its commands arrive. `check` checks a script, `scan` asks the
engines alone; `Antivirus` does so in the shape of Momentum's Lua functions.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sieveav.api import check, scan
    from sieveav.av import Antivirus
    from sieveav.language.checking import Checked
    from sieveav.language.problems import Problem, Severity, Source, report
    from sieveav.running.message import Message
    from sieveav.running.outcome import Action, Fault, Outcome, Response
    from sieveav.site.deciding import Conversation, decide
    from sieveav.site.site import Refused, Site, embedded, load
    from sieveav.site.transaction import Decision, RecipientDecision, Session, Transaction
    from sieveav.verdict import Status, Verdict

__version__ = "0.1"

_MODULES = {
    "api": ("check", "scan"),
    "av": ("Antivirus",),
    "language.checking": ("Checked",),
    "language.problems": ("Problem", "Severity", "Source", "report"),
    "running.message": ("Message",),
    "running.outcome": ("Action", "Fault", "Outcome", "Response"),
    "site.deciding": ("Conversation", "decide"),
    "site.site": ("Refused", "Site", "embedded", "load"),
    "site.transaction": ("Decision", "RecipientDecision", "Session", "Transaction"),
    "verdict": ("Status", "Verdict"),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [  # imported by __getattr__
    "Action", "Antivirus", "Checked", "Conversation", "Decision", "Fault", "Message", "Outcome", "Problem", "RecipientDecision",
    "Refused", "Response", "Session", "Severity", "Site", "Source", "Status", "Transaction", "Verdict", "__version__",
    "check", "decide", "embedded", "load", "report", "scan",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'sieveav' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"sieveav.{_MODULE_OF[name]}"), name)
    return value


def __dir__() -> list[str]:
    return [*globals(), *_MODULE_OF]
