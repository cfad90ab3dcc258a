"""transaction: what a front end knows of a message on its way, and what is decided about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sieveav.running.message import Message
from sieveav.running.outcome import Fault, Outcome, Response, Step
from sieveav.running.questions import Context
from sieveav.verdict import Verdict


@dataclass
class Session:
    """An SMTP connection: the client's IP address, the name that it gave in HELO or EHLO, the name that it logged in with;
    "" if there is none. `connection` are the context variables of the connection: they live on from message to message.

    `name` is the client's host name, as the server has looked it up; `host` is the server's own, "" if it is not known;
    `location` is "MTA" or "MDA".
    """

    client: str = ""
    helo: str = ""
    login: str = ""
    connection: dict[str, str] = field(default_factory=dict)
    name: str = ""
    host: str = ""
    location: str = "MTA"

    def environment(self, *, delivering: bool) -> dict[str, str]:
        """The items of the environment that scripts may ask for (RFC 5183, 4.1), and ours (4.2)."""
        from sieveav import __version__  # only for a script that asks

        items = {"name": "sieveav", "version": __version__, "location": self.location}
        items["phase"] = "during" if delivering else "pre"
        if self.client:
            # RFC 5183, 4.1: as address-literals (RFC 2821, 4.1.3); the name is empty if it is not available
            items["remote-ip"] = f"IPv6:{self.client}" if ":" in self.client else self.client
            items["remote-host"] = self.name
        if "." in self.host:  # a fully-qualified name
            items["host"], items["domain"] = self.host, self.host.partition(".")[2]
        own = {"vnd.sieveav.helo": self.helo, "vnd.sieveav.login": self.login}
        return items | {name: value for name, value in own.items() if value}


@dataclass(frozen=True)
class Transaction:
    """One message on its way: the message, dot-unstuffed, and its envelope (`sender` "" is the null reverse-path).
    `variables` are context variables of the message that are set before any script runs."""

    message: Message
    sender: str
    recipients: tuple[str, ...]
    session: Session = field(default_factory=Session)
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RecipientDecision:
    """What is decided for one recipient: the outcome, with the implicit keep settled; the reply, if it is the recipient's
    own; the context variables that their scripts changed, None for those that were deleted; and the fault of the user's own
    script."""

    recipient: str
    outcome: Outcome
    response: Response | None
    context: Mapping[str, str | None]
    script_fault: Fault | None = None


@dataclass(frozen=True)
class Decision:
    """What is decided. `response` is the reply for the whole message, and `phase` the phase that gave it; None and "" if
    each recipient has a reply of their own, or the message is accepted. `context` is what the phases before the recipients'
    left, `fault` and `trace` are of those phases. `counters` are what those phases count, once for the message. `delay` is the
    number of seconds by which the reply is delayed or, from `decide`, the replies of all phases together."""

    response: Response | None
    recipients: tuple[RecipientDecision, ...]
    verdicts: tuple[Verdict, ...]
    context: Context
    phase: str = ""
    fault: Fault | None = None
    trace: tuple[Step, ...] = ()
    counters: tuple[str, ...] = ()
    delay: float = 0.0
