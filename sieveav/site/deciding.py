"""deciding: a site and a transaction to a decision: what becomes of the message for each recipient, and the reply.

This is the one way from entrance to exit, for every front end and for the command line:

    the engines that are not passive  ▸  the site's scripts for the data phase  ▸  for each recipient: the site's
    each_rcpt_phase1, the *before* script, the user's own, the *after* script, each_rcpt_phase2

The next script of a recipient runs while a keep, implicit or written, still stands. A fault of a policy script defers
the message (451), one of a user's own script keeps it: nothing is lost, and the fault is told.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from sieveav.language.checking import Checked
from sieveav.running.message import Message
from sieveav.running.outcome import Fault, Outcome, Refuse, Response, Step, response, where
from sieveav.running.questions import Context, Envelope
from sieveav.running.runner import Case, execute
from sieveav.site.scripts import user_script
from sieveav.site.site import Site
from sieveav.site.world import World
from sieveav.verdict import Verdict

_log = logging.getLogger(__name__)

DEFERRED = Response(451, "4.3.0", "This message cannot be handled now, please try again later")
"""What a client hears of a fault in a policy: nothing of its inside."""


@dataclass(frozen=True)
class Transaction:
    """One message on its way: its octets, dot-unstuffed, the envelope, and the context variables that the connection
    has brought so far."""

    raw: bytes
    sender: str
    recipients: tuple[str, ...]
    context: Context = field(default_factory=Context)


@dataclass(frozen=True)
class ForRecipient:
    """What is decided for one recipient: the outcome, settled; the reply where it is the recipient's own; and what its
    scripts changed in the context."""

    recipient: str
    outcome: Outcome
    response: Response | None
    context: dict[str, str | None]


@dataclass(frozen=True)
class Decision:
    """What is decided. `response` is the reply for the whole message, None where each recipient has its own or the
    message is accepted; `context` what the data phase left; `trace` that of the data phase."""

    response: Response | None
    recipients: tuple[ForRecipient, ...]
    verdicts: tuple[Verdict, ...]
    context: dict[str, str]
    fault: Fault | None = None
    trace: tuple[Step, ...] = ()


def decide(
    site: Site,
    transaction: Transaction,
    *,
    script: Checked | None = None,
    tracing: bool = False,
    exists: Callable[[str], bool] = lambda name: name.upper() == "INBOX",
) -> Decision:
    """What becomes of `transaction` at `site`. `script` is the user's script of every recipient, in the place of their
    own; `exists` says which mailboxes there are. Only bugs raise."""
    message = Message(transaction.raw)
    world = World(transaction.raw, site.scanners, exists)
    context = transaction.context.copy()
    world.turn_to(context)
    context.message.update(world.scan_actively().variables)
    case = Case(message, Envelope(transaction.sender), world, context, site.settings.limits, tracing)
    outcome = Outcome() if world.refusal else _through(site, case, world, _data_scripts(site), Outcome())
    whole = outcome.response or world.refusal or _refused(outcome)
    if whole is None:
        found = [_for(site, case, world, recipient, outcome, script) for recipient in transaction.recipients]
    else:  # the message is refused as a whole: nothing is done for anybody
        nothing = Outcome(keep=False, ended=True)
        found = [ForRecipient(recipient, nothing, None, {}) for recipient in transaction.recipients]
        _count(whole)
    return Decision(
        whole,
        tuple(found),
        tuple(world.verdicts),
        {**context.connection, **context.message},
        outcome.fault,
        outcome.trace,
    )


def _for(site: Site, case: Case, world: World, recipient: str, data: Outcome, script: Checked | None) -> ForRecipient:
    """One recipient's scripts, alone with a context of their own; a discard of the data phase stands for all. What an
    engine is asked here first, and refuses, is refused to this recipient: the others' scripts did not ask."""
    context = case.context.copy()
    own = replace(case, envelope=replace(case.envelope, recipient=recipient), context=context)
    world.turn_to(context)
    begun = replace(data, fault=None, trace=())
    outcome = _through(site, own, world, _scripts_of(site, recipient, script), begun).settled()
    if outcome.response is None and world.refusal is not None:
        outcome = Outcome((), False, world.refusal, outcome.fault, outcome.trace, True)
    answer = outcome.response or _refused(outcome)
    if answer is not None:
        _count(answer)
    return ForRecipient(recipient, outcome, answer, context.changed_since(case.context))


def _count(answer: Response) -> None:
    if answer.counter:
        _log.info("counted: %s", answer.counter)


def _refused(outcome: Outcome) -> Response | None:
    """The reply that a refusal among the actions asks for. RFC 5429, 2.5: 550 and 5.7.1."""
    for action in outcome.actions:
        for effect in action.effects:
            if isinstance(effect, Refuse):
                return replace(response(550, f"5.7.1 {effect.reason}"), place=action.place)
    return None


@dataclass(frozen=True)
class _Script:
    """A script in its turn: how to get it, and whether it is policy, whose faults defer, or a user's own."""

    checked: Callable[[], Checked]
    path: str
    policy: bool


def _data_scripts(site: Site) -> Iterator[_Script]:
    for phase in ("data_phase1", "data_phase2"):
        yield from _policy(site, site.settings.phases.get(phase, ()), "data")


def _scripts_of(site: Site, recipient: str, script: Checked | None) -> Iterator[_Script]:
    settings = site.settings
    yield from _policy(site, settings.phases.get("each_rcpt_phase1", ()))
    yield from _policy(site, _given(settings.users.before))
    if script is not None:
        yield _Script(lambda: script, script.source.path, False)
    elif settings.users.scripts:
        path = user_script(settings.users.scripts, recipient)
        if path is not None and _is_there(path):
            yield _Script(partial(site.scripts.checked, path, "each_rcpt"), str(path), False)
    yield from _policy(site, _given(settings.users.after))
    yield from _policy(site, settings.phases.get("each_rcpt_phase2", ()))


def _is_there(path: Path) -> bool:
    """Whether a user has a script; one that cannot be looked at is there, and reading it will tell why."""
    try:
        path.stat()
    except OSError as error:
        return error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)
    return True


def _given(path: Path | None) -> Sequence[Path]:
    return () if path is None else (path,)


def _policy(site: Site, paths: Iterable[Path], phase: str = "each_rcpt") -> Iterator[_Script]:
    for path in paths:
        yield _Script(partial(site.scripts.checked, path, phase), str(path), True)


def _through(site: Site, case: Case, world: World, scripts: Iterator[_Script], outcome: Outcome) -> Outcome:
    """Run `scripts` in turn, while a keep stands and the framework has not refused the message."""
    ran = False
    for script in scripts:
        if outcome.ended or not outcome.keep or world.refusal is not None:
            break
        ran = True
        after = _run(script, case, outcome)
        if after.fault is not None and script.policy:
            _log.error("policy %s: %s", where(after.fault.place) or script.path, after.fault.message)
            if site.settings.runtime_error == "fail":
                return Outcome((), False, DEFERRED, after.fault, after.trace, True)
        elif after.fault is not None:
            _log.warning("script %s: %s", where(after.fault.place) or script.path, after.fault.message)
        outcome = replace(after, fault=after.fault or outcome.fault)
    if not ran and outcome.keep and case.tracing and case.envelope.recipient:
        outcome = replace(outcome, trace=(*outcome.trace, Step(None, "no script", "implicit keep")))
    return outcome


def _run(script: _Script, case: Case, before: Outcome) -> Outcome:
    try:
        checked = script.checked()
    except OSError as error:
        return replace(before, fault=Fault(f"{script.path}: {error.strerror or error}", {"path": script.path}))
    if checked.program is None:
        first = next(problem for problem in checked.problems if problem.severity == "error")
        line, column = checked.source.position(first.span.start)
        place = {"path": checked.source.path, "line": line, "column": column}
        return replace(before, fault=Fault(f"the script does not check: {first.message}", place))
    return execute(checked.program, case, before)
