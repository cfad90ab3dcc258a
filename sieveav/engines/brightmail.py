"""brightmail: Symantec Brightmail's verdict for each recipient, by a program that is linked with the vendor's kit.

    C: {"id": 2, "request": "scan", …, "envelope": {"sender": "a@example.com", "recipients": ["b@example.org"], …}}
    S: {"id": 2, "status": "clean", "recipients": {"b@example.org":
           {"verdict": "spam", "is_default": "false", "rules": "4711,4712", "tracker": "AAAA..."}}}

The vendor publishes no protocol, so the program must be the site's (`program_lines` describes all requests and answers). Tested
with a program that pretends to have the kit. Spam is no virus: the status is clean then, and scripts look at the variables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sieveav.options import BOOLEAN, INTEGER, SECONDS, SIZE, TEXT, Option, ValueType
from sieveav.scanning import program_lines, programs
from sieveav.scanning.contract import EngineType
from sieveav.scanning.dialogue import Answer, Dialogue, Request
from sieveav.scanning.failover import ProtocolError
from sieveav.scanning.format import ANY
from sieveav.scanning.settings import EngineSettings
from sieveav.verdict import Status, Verdict

VALUES = ("verdict", "is_default", "rules", "tracker")
"""What the kit says for each recipient: where the mail goes (inbox, spam, ...), whether that is the default, which rules have
fired, with commas between them, and a text that identifies the verdict."""


def scan(request: Request) -> Dialogue[Answer]:
    """Ask for the verdict of each recipient. An answer that does not have it for all of them is an error."""
    limit = request.values.get("max_size", 0)
    if limit and len(request.content.raw) > limit:
        return Answer(Status.LIMITS, f"more than {limit} octets", is_open=True)
    answer = yield from program_lines.scan(request)
    if answer.status is not Status.ERROR and request.content.envelope:
        for recipient in request.content.envelope.recipients:
            values = {**answer.values, **answer.by_recipient.get(recipient, {})}
            if missing := [name for name in VALUES if name not in values]:
                raise ProtocolError(f"no {missing[0]} for a recipient")
    return answer


def variables(prefix: str, verdict: Verdict) -> dict[str, str]:
    """The context variables of a verdict: each value with the prefix, or the reason of an error."""
    if verdict.status is Status.ERROR:
        return {f"{prefix}::error": verdict.info or "error"}
    if verdict.status is Status.SKIPPED:
        return {}
    return {f"{prefix}_{name}": verdict.values.get(name, "") for name in VALUES}


def _variables(name: str, settings: EngineSettings, verdict: Verdict) -> Mapping[str, str]:
    return variables(settings.options.get("sieve_prefix", name), verdict)


def _prefix(text: str) -> str:
    if not text.isidentifier() or not text.isascii():
        raise ValueError(f'"{text}" is not a prefix of names')
    return text


KIT = (
    Option("server", TEXT, "", "where the kit finds the Brightmail server"),
    Option("idle_timeout", SECONDS, 0.0, "for how many seconds the kit keeps an idle connection; 0: as the kit does"),
    Option("max_messages_per_connection", INTEGER, 0, "messages in one connection of the kit; 0: no limit"),
    Option("max_tries", INTEGER, 0, "how often the kit tries to reach its server; 0: as the kit does"),
)
"""Options that the kit heeds: the program gets them with its first request."""

engine = EngineType(
    name="brightmail",
    summary="Symantec Brightmail, by a program that is linked with the vendor's kit",
    pool="IO",
    options=(
        *(option for option in programs.OPTIONS if option is not programs.CONCURRENCY),
        replace(programs.CONCURRENCY, name="num_workers", meaning="processes of the program at most"),
        Option("max_size", SIZE, 0, "the most octets of a content; larger ones are limits; 0: no limit"),
        Option(
            "sieve_mode",
            BOOLEAN,
            True,
            "true: scripts decide what a verdict means",
            warn=lambda mode: "" if mode else "only scripts decide what a verdict means: this is as true",
        ),
        Option("sieve_prefix", ValueType("prefix of names", _prefix), "brightmail", "what its variables begin with"),
        *KIT,
    ),
    make=programs.maker(*(option.name for option in KIT), scan=scan, most="num_workers"),
    details=(
        "The program of the option command is the site's own, written with the vendor's kit: see sieveav explain program. It"
        " answers with values for each recipient: verdict, is_default, rules and tracker. They are the variables"
        " brightmail_verdict and so on (or the prefix of sieve_prefix), and brightmail::error if it fails. Verdicts are never"
        " cached. The options server, idle_timeout, max_messages_per_connection and max_tries are handed to the program."
    ),
    cacheable=False,
    punctual=True,
    action="{}_scanner",
    variables=_variables,
    within=("",),
    opens=(ANY,),
    whole=True,
)
