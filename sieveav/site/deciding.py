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
from itertools import takewhile
from pathlib import Path
from typing import Any

from sieveav.language.checking import Checked
from sieveav.language.problems import Place, Source
from sieveav.running.executing import chain, execute
from sieveav.running.message import Message
from sieveav.running.outcome import UNDECIDED, Fault, Outcome, Response, Step
from sieveav.running.questions import Answers, Context, Envelope, Question, Script
from sieveav.running.run import Case
from sieveav.site.repository import Repository
from sieveav.site.scripts import user_script
from sieveav.site.site import Site
from sieveav.site.world import Asker, Scans
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
class RecipientDecision:
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
    recipients: tuple[RecipientDecision, ...]
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
    answers: Callable[[str], Answers] = lambda _: {},
) -> Decision:
    """Decide one transaction. `script` is the user's script of every recipient instead of their own; `answers` gives, for
    a recipient ("" in the data phase), how questions about what belongs to them are answered, such as their mailboxes,
    beside what the site itself answers."""
    message = Message(transaction.raw)
    scans = Scans(message, site.scanners)
    context = transaction.context.copy()
    shared: dict[Question[Any], Any] = {}
    asker = Asker(scans, context, {**_known(site, ""), **answers("")}, shared)
    asker.scan_active_engines()
    case = Case(message, Envelope(transaction.sender), asker, context, site.settings.limits, tracing)
    outcome = UNDECIDED if asker.refusal else _through(site, case, asker, _data_scripts(site), UNDECIDED)
    whole = outcome.response or asker.refusal or outcome.answer
    if whole is None:
        decided = []
        for recipient in transaction.recipients:
            own_context = context.copy()
            own_asker = Asker(scans, own_context, {**_known(site, recipient, script), **answers(recipient)}, shared)
            envelope = replace(case.envelope, recipient=recipient)
            own = replace(case, envelope=envelope, context=own_context, host=own_asker)
            scripts = _scripts_of(site, recipient, script)
            own_outcome = _for_recipient(site, own, own_asker, scripts, outcome)
            decided.append(_decision_for(recipient, own_outcome, own_context.changed_since(context)))
    else:  # the message is refused as a whole: nothing is done for anybody
        decided = [
            RecipientDecision(recipient, UNDECIDED.refused(None), None, {}) for recipient in transaction.recipients
        ]
        _count(whole)
    return Decision(
        whole,
        tuple(decided),
        tuple(scans.verdicts),
        {**context.connection, **context.message},
        outcome.fault,
        outcome.trace,
    )


def _known(site: Site, recipient: str, script: Checked | None = None) -> Answers:
    """What the site itself answers the scripts of a recipient, or of the data phase."""
    return {**site.answers, Script: Repository(site, recipient, script).find}


def _for_recipient(site: Site, case: Case, asker: Asker, scripts: Iterator[_Script], data: Outcome) -> Outcome:
    """One recipient's scripts, with their own copy of the context; a discard from the data phase applies to every
    recipient. What an engine is asked here first, and refuses, is refused to this recipient: the others' scripts did not
    ask."""
    begun = replace(data, fault=None, trace=(), notes=())
    outcome = _through(site, case, asker, scripts, begun).with_implicit_keep()
    if outcome.response is None and asker.refusal is not None:
        outcome = outcome.refused(asker.refusal)
    return outcome


def _decision_for(recipient: str, outcome: Outcome, context: dict[str, str | None]) -> RecipientDecision:
    answer = outcome.answer
    if answer is not None:
        _count(answer)
    return RecipientDecision(recipient, outcome, answer, context)


def _count(answer: Response) -> None:
    if answer.counter:
        _log.info("counted: %s", answer.counter)


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


def _through(site: Site, case: Case, asker: Asker, scripts: Iterator[_Script], outcome: Outcome) -> Outcome:
    """Run `scripts` in turn, while a keep applies and the framework has not refused the message."""
    ran = False

    def step(script: _Script, before: Outcome) -> Outcome:
        nonlocal ran
        ran = True
        return _run(site, script, case, before)

    unrefused = takewhile(lambda _: asker.refusal is None, scripts)
    outcome = chain((partial(step, script) for script in unrefused), outcome)
    if not ran and outcome.keep and case.tracing and case.envelope.recipient:
        outcome = replace(outcome, trace=(*outcome.trace, Step(None, "no script", "implicit keep")))
    return outcome


def _run(site: Site, script: _Script, case: Case, before: Outcome) -> Outcome:
    """One script after what came before it. A policy's fault defers the message, a user's keeps it."""
    after = _executed(script, case, before)
    fault = after.fault
    for note in after.notes[len(before.notes) :]:
        if fault is None or note.text != fault.message:  # which is logged below
            _log.info("%s: %s: %s", note.place or script.path, note.severity, note.text)
    if fault is None:
        return replace(after, fault=before.fault) if before.fault is not None else after
    where = fault.place or script.path
    if script.policy:
        _log.error("policy %s: %s", where, fault.message)
        if site.settings.runtime_error == "fail":
            return after.refused(DEFERRED)
    else:
        _log.warning("script %s: %s", where, fault.message)
    return after


def _executed(script: _Script, case: Case, before: Outcome) -> Outcome:
    try:
        checked = script.checked()
    except OSError as error:
        place = Place(Source(script.path, ""))
        return replace(before, fault=Fault(f"{script.path}: {error.strerror or error}", place))
    if checked.program is None:
        first = checked.first_error
        place = Place(checked.source, first.span.start)
        return replace(before, fault=Fault(f"the script does not check: {first.message}", place))
    return execute(checked.program, case, before)
