"""transactions: messages and the options of an envelope to a site's decisions, and these to output.

What `run` and `decide` have in common.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable

from sieveav.frontends import reading, showing
from sieveav.frontends.arguments import UsageError
from sieveav.frontends.output import Report
from sieveav.frontends.special_uses import SpecialUse, exists, special_use
from sieveav.language.checking import Checked
from sieveav.running.effects import mailbox_key
from sieveav.running.message import Message
from sieveav.running.questions import Answers, Mailbox, Seen
from sieveav.site.deciding import decide
from sieveav.site.site import Site
from sieveav.site.transaction import Decision, Session, Transaction

ENVELOPE = f"""\
Without --from, the sender is the first address in Return-Path, Sender or From, else {reading.SENDER}. Without --to, the
recipients are all addresses of the first of Delivered-To, X-Original-To, Envelope-To and To that has any (at most
{reading.RECIPIENTS}), else {reading.RECIPIENT}.
"""


def add_envelope(parser: ArgumentParser) -> None:
    """Add the options for the envelope, the session, the mailboxes and context variables, and the trace."""
    parser.add_argument("--to", action="append", metavar="ADDR", help="a recipient; repeatable (default: see below)")
    parser.add_argument(
        "--from", dest="sender", metavar="ADDR", help='the sender; "" is the null sender (default: see below)'
    )
    parser.add_argument("--client", default="", metavar="ADDR", help="the SMTP client's IP address (default: none)")
    parser.add_argument(
        "--helo", default="", metavar="NAME", help="the name in the client's HELO or EHLO (default: none)"
    )
    parser.add_argument("--login", default="", metavar="NAME", help="the client's login name (default: none)")
    parser.add_argument(
        "--mailbox",
        action="append",
        default=[],
        metavar="NAME",
        help="a mailbox that exists for every recipient, or MAILBOX=\\ATTRIBUTE, its special use, such as 'Junk=\\Junk';"
        " repeatable (default: INBOX alone)",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a context variable that is set before any script runs; repeatable",
    )
    parser.add_argument(
        "--trace", action="store_true", help="show every test, action, question and answer, with its line in the script"
    )
    parser.epilog = ENVELOPE


def decide_all(args: Namespace, site: Site, script: Checked | None) -> int:
    """Decide each message and print what is decided. `script` is the user's script of every recipient, if any.

    The exit status: 0, 1 if a script ended in a fault, 2 if a message cannot be read."""
    report = Report(args.format)
    variables = _variables(args.set)
    answers: Answers = {Mailbox: _mailboxes(args.mailbox, site)}
    if script is not None:  # a script that is tried out has seen and answered nothing before
        answers = {**answers, Seen: lambda _: False}
    status = 0
    messages = reading.Inputs(args.messages, reading.octets)
    for name, raw in messages:
        message = Message(raw)
        sender = reading.sender_of(message, args.sender)
        recipients = reading.recipients_of(message, args.to)
        decision = decide(
            site,
            Transaction(message, sender, recipients, Session(args.client, args.helo, args.login), variables),
            script=script,
            tracing=args.trace,
            answers=lambda _: answers,
        )
        report.json(lambda: showing.decision_json(name, decision, tracing=args.trace))  # noqa: B023
        report.lines(showing.decision_lines(name, sender, decision))
        status = max(status, int(_has_fault(decision)))
    return max(status, messages.status)


def _mailboxes(texts: list[str], site: Site) -> Callable[[Mailbox], bool]:
    """What answers whether there is a mailbox, where `texts` are those that exist."""
    uses: list[SpecialUse] = []
    names = {"INBOX"}
    for text in texts:
        if "=\\" in text:
            try:
                uses.append(special_use(text))
            except ValueError as error:
                raise UsageError(f"--mailbox: {error}") from None
            names.add(uses[-1][0])
        else:
            names.add(mailbox_key(text))
    if texts:
        from sieveav.frontends.servers.lmtp import LMTP  # only where it matters, because it takes time

        uses += [use for server in site.settings[LMTP] for use in server.special_uses]
    return lambda asked: exists(asked, uses, lambda name: mailbox_key(name) in names)


def _variables(settings: list[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in settings]
    for name, equals, value in pairs:
        if not name or not equals:
            raise UsageError(f'--set: write NAME=VALUE, not "{name}{equals}{value}"')
    return {name: value for name, _, value in pairs}


def _has_fault(decision: Decision) -> bool:
    return decision.fault is not None or any(each.outcome.fault is not None for each in decision.recipients)
