"""deciding: a site and a transaction to a decision: what is done with the message for each recipient, and the reply.

This is the one path of a message, for every front end and for the command line. Each phase of SMTP runs the site's scripts
for it (PHASE_phase1, then PHASE_phase2):

    connect, ehlo       once for a connection
    mailfrom            for each message
    rcptto              for each recipient; one who is refused gets no message
    data, spool         for the message, after the engines that are not passive have scanned it
    each_rcpt           for each recipient: each_rcpt_phase1, the *before* script, the user's own, the *after* script,
                        each_rcpt_phase2

The next script runs while a keep, implicit or explicit, still applies. A response ends the phase and all that follow. A
fault in a policy script defers the message (451), one in a user's own script keeps it: nothing is lost, and the fault is
reported. A message in which an engine has found something is not sent on and not answered, unless the site allows it: its
sender is forged, and its next reader may have no scanner. The same holds for a message that is quarantined.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any

from sieveav.language.checking import Checked
from sieveav.language.problems import Place, Source
from sieveav.printing import printable
from sieveav.running.effects import Count
from sieveav.running.executing import chain, execute
from sieveav.running.message import Message
from sieveav.running.outcome import UNDECIDED, Action, Fault, Outcome, Response, Step
from sieveav.running.questions import Answers, Context, Envelope, Environment, Question, Script, Seen
from sieveav.running.run import Case
from sieveav.site.repository import Repository
from sieveav.site.scans import Asker, Scans
from sieveav.site.site import Site
from sieveav.site.stanzas.limits import LIMITS
from sieveav.site.stanzas.sieve import SIEVE
from sieveav.site.stanzas.users import USERS
from sieveav.site.transaction import Decision, RecipientDecision, Session, Transaction
from sieveav.verdict import FOUND

_log = logging.getLogger(__name__)

DEFERRED = Response(451, "4.3.0", "This message cannot be processed at this time, please try again later")
"""What a client reads after a fault in a policy: nothing of its cause."""

NO_MESSAGE = Message(b"")
"""What scripts see in the phases before there is a message."""

Each = Callable[[Callable[[str], RecipientDecision], Iterable[str]], Iterable[RecipientDecision]]
"""How the recipients of a message are decided: like `map`, in turn, or like `ThreadPoolExecutor.map`, side by side."""


def decide(
    site: Site,
    transaction: Transaction,
    *,
    script: Checked | None = None,
    tracing: bool = False,
    answers: Callable[[str], Answers] = lambda _: {},
    each: Each = map,
) -> Decision:
    """Decide one transaction: all phases in their order. The arguments are those of `Conversation`."""
    talk = Conversation(site, transaction.session, script=script, tracing=tracing, answers=answers, each=each)
    before: list[tuple[str, Outcome]] = []
    events: dict[str, Callable[[], Outcome]] = {
        "connect": talk.connect,
        "ehlo": talk.ehlo,
        "mailfrom": partial(talk.mailfrom, transaction.sender),
    }
    for phase, event in events.items():
        outcome = event()
        before.append((phase, outcome))
        if outcome.answer is not None:
            refused = tuple(RecipientDecision(r, UNDECIDED.refused(None), None, {}) for r in transaction.recipients)
            return _after(before, Decision(outcome.answer, refused, (), talk.context.copy(), phase))
    talk.context.message.update(transaction.variables)
    refusals: dict[str, RecipientDecision] = {}
    for recipient in transaction.recipients:
        outcome = talk.rcptto(recipient)
        if outcome.answer is not None:
            refusals[recipient] = RecipientDecision(recipient, outcome, outcome.answer, {})
        else:
            before.append(("rcptto", outcome))
    delay = sum(one.outcome.delay for one in refusals.values())
    if len(refusals) == len(transaction.recipients) > 0:
        refused = tuple(refusals.values())
        return _after(before, Decision(None, refused, (), talk.context.copy(), "rcptto", delay=delay))
    decision = talk.end_of_data(transaction.message)
    if refusals:
        decided = {one.recipient: one for one in decision.recipients} | refusals
        ordered = tuple(decided[r] for r in transaction.recipients)
        decision = replace(decision, recipients=ordered, delay=decision.delay + delay)
    return _after(before, decision)


def _after(before: Iterable[tuple[str, Outcome]], decision: Decision) -> Decision:
    """A decision, with the faults, traces, counters and delays of the phases before it."""
    outcomes = [outcome for _, outcome in before if outcome is not UNDECIDED]
    if not outcomes:
        return decision
    return replace(
        decision,
        fault=next((outcome.fault for outcome in outcomes if outcome.fault is not None), decision.fault),
        trace=(*(step for outcome in outcomes for step in outcome.trace), *decision.trace),
        counters=(*(counter for outcome in outcomes for counter in _counters(outcome)), *decision.counters),
        delay=sum(outcome.delay for outcome in outcomes) + decision.delay,
    )


class Conversation:
    """One SMTP connection at a site: call the methods as the client's commands arrive. Each runs the scripts of its phase
    and returns their outcome; its `answer` is the reply to the client, None to accept.

    `script` is the user's script of every recipient, instead of their own. `answers` gives, for a recipient ("" if there is
    none), how questions about what belongs to them are answered, such as their mailboxes, beside what the site itself answers.
    """

    def __init__(
        self,
        site: Site,
        session: Session | None = None,
        *,
        script: Checked | None = None,
        tracing: bool = False,
        answers: Callable[[str], Answers] = lambda _: {},
        each: Each = map,
    ) -> None:
        self.site = site
        self._settings = site.settings[SIEVE]
        self.session = session or Session()
        self.context = Context({}, self.session.connection)
        """The context variables of the connection and of the message that is on its way."""
        self._script = script
        self._tracing = tracing
        self._answers = answers
        self._each = each
        self._envelope = Envelope(auth=self.session.login)
        self._recipients: list[str] = []

    def connect(self) -> Outcome:
        """A client has connected."""
        return self._phase("connect")

    def ehlo(self) -> Outcome:
        """The client has said HELO or EHLO; its name is in the session."""
        return self._phase("ehlo")

    def mailfrom(self, sender: str) -> Outcome:
        """A message begins: its context variables are empty, those of the connection are kept."""
        self.context = Context({}, self.session.connection)
        self._recipients = []
        self._envelope = Envelope(sender, auth=self.session.login)
        return self._phase("mailfrom")

    def rcptto(self, recipient: str) -> Outcome:
        """A recipient of the message; one who is refused is not among its recipients."""
        outcome = self._phase("rcptto", recipient)
        if outcome.answer is None:
            self._recipients.append(recipient)
        return outcome

    def end_of_data(self, message: Message) -> Decision:
        """The message has arrived: what is decided for all recipients who were accepted."""
        envelope, recipients = self._envelope, tuple(self._recipients)
        scans = Scans(message, self.site.scanners, envelope, recipients, self.session)
        shared: dict[Question[Any], Any] = {}
        asker = Asker(scans, self.context, self._known(""), shared)
        begun = asker.scan_active_engines()
        case = self._case(message, envelope, asker, self.context)
        phase, outcome = "data", self._through(case, asker, self._policy("data"), begun)
        if not outcome.ended and asker.refusal is None:
            phase, outcome = "spool", self._through(case, asker, self._policy("spool"), outcome)
        if outcome.response is None and asker.refusal is not None:
            outcome = outcome.refused(asker.refusal)
        whole = outcome.answer
        counters = _counters(outcome)
        if whole is None:
            begun = outcome
            if outcome is not UNDECIDED:
                # a message is counted once, not for each recipient
                actions = tuple(action for action in outcome.actions if not _only_counts(action))
                begun = replace(outcome, actions=actions, fault=None, trace=(), notes=())
            decide_recipient = partial(self._decide_recipient, scans, shared, case, begun)
            decided = tuple(self._each(decide_recipient, recipients))
        else:  # the message is refused as a whole: nothing is done for anybody
            decided = tuple(RecipientDecision(r, UNDECIDED.refused(None), None, {}) for r in recipients)
            _count(whole)
        return Decision(
            whole,
            decided,
            scans.verdicts,
            self.context.copy(),
            phase if whole is not None else "",
            outcome.fault,
            outcome.trace,
            counters,
            max([outcome.delay, *(one.outcome.delay for one in decided)]),
        )

    def _decide_recipient(
        self, scans: Scans, shared: dict[Question[Any], Any], case: Case, begun: Outcome, recipient: str
    ) -> RecipientDecision:
        """One recipient's scripts, with their own copy of the context; what the data phase decided applies to every
        recipient. If an engine is asked here first, and refuses, it refuses this recipient: the others' scripts did not
        ask."""
        context = self.context.copy()
        asker = Asker(scans, context, self._known(recipient, delivering=True), shared, recipient)
        asker.set_own_values()
        own = self._case(case.message, replace(case.envelope, recipient=recipient), asker, context)
        theirs = _Theirs()
        outcome = self._through(own, asker, self._scripts_of(recipient), begun, theirs).with_implicit_keep()
        if outcome.response is None and asker.refusal is not None:
            outcome = outcome.refused(asker.refusal)
        if not self._settings.send_infected and any(verdict.status in FOUND for verdict in scans.verdicts):
            outcome = outcome.without_sends("the message is infected")
        if outcome.quarantine is not None:
            outcome = outcome.without_sends("the message is quarantined")
        answer = outcome.answer
        if answer is not None:
            _count(answer)
        changed = {**theirs.changed, **context.changed_since(self.context)}
        return RecipientDecision(recipient, outcome, answer, changed, theirs.fault)

    # ---- scripts

    def _scripts_of(self, recipient: str) -> Iterator[_Script]:
        policy, users = self._settings, self.site.settings[USERS]
        yield from self._policies(policy.phases.get("each_rcpt_phase1", ()), "each_rcpt")
        yield from self._policies(filter(None, [users.before]), "each_rcpt")
        if self._script is not None:
            script = self._script
            yield _Script(lambda: script, script.source.path, policy=False)
        else:
            path = users.active(recipient)
            if path is not None:
                yield _Script(partial(self.site.scripts.runnable, path, "each_rcpt"), str(path), policy=False)
        yield from self._policies(filter(None, [users.after]), "each_rcpt")
        yield from self._policies(policy.phases.get("each_rcpt_phase2", ()), "each_rcpt")

    def _policy(self, phase: str) -> Iterator[_Script]:
        return self._policies(self._settings.of(phase), phase)

    def _policies(self, paths: Iterable[Path], phase: str) -> Iterator[_Script]:
        for path in paths:
            yield _Script(partial(self.site.scripts.runnable, path, phase), str(path), policy=True)

    # ---- running

    def _phase(self, phase: str, recipient: str = "") -> Outcome:
        """The scripts of a phase in which there is no message."""
        if not self._settings.of(phase):
            return UNDECIDED
        envelope = replace(self._envelope, recipient=recipient)
        asker = Asker(Scans(NO_MESSAGE, ()), self.context, self._known(recipient))
        case = self._case(NO_MESSAGE, envelope, asker, self.context)
        outcome = self._through(case, asker, self._policy(phase), UNDECIDED)
        if outcome.answer is not None:
            _count(outcome.answer)
        for counter in _counters(outcome):  # there is no message that they could be logged with
            _log.info("counted: %s", printable(counter))
        return outcome

    def _case(self, message: Message, envelope: Envelope, asker: Asker, context: Context) -> Case:
        return Case(message, envelope, asker, context, self.site.settings[LIMITS], self._tracing)

    def _known(self, recipient: str, *, delivering: bool = False) -> Answers:
        """How questions are answered for the scripts of a recipient, or of a phase without one."""
        site = self.site
        known: dict[type, Callable[[Any], Any]] = {
            **site.answers,
            Script: Repository(site, recipient, self._script).find,
            Environment: lambda asked: self.session.environment(delivering=delivering).get(asked.item),
        }
        if site.state is not None and recipient:
            known[Seen] = lambda asked: site.seen(recipient, asked.key)
        return {**known, **self._answers(recipient)}

    def _through(
        self,
        case: Case,
        asker: Asker,
        scripts: Iterator[_Script],
        outcome: Outcome,
        theirs: _Theirs | None = None,
    ) -> Outcome:
        """Run `scripts` in turn, while a keep applies and the framework has not refused the message. `theirs` receives what
        is only the user's own script's."""
        ran = False

        def step(script: _Script, before: Outcome) -> Outcome:
            nonlocal ran
            ran = True
            if script.policy:
                return self._run(script, case, before)
            # A user's script must not write what a policy after it reads: it has a copy.
            own = replace(case, context=case.context.copy())
            after = self._run(script, own, before)
            if theirs is not None:
                mine = own.context.changed_since(case.context)
                theirs.changed = {name: value for name, value in mine.items() if name not in self.site.engine_variables}
                theirs.fault = after.fault if after.fault is not before.fault else None
            return after

        unrefused = takewhile(lambda _: asker.refusal is None, scripts)
        outcome = chain((partial(step, script) for script in unrefused), outcome)
        if not ran and outcome.keep and case.tracing and case.envelope.recipient:
            outcome = replace(outcome, trace=(*outcome.trace, Step(None, "no script", "implicit keep")))
        return outcome

    def _run(self, script: _Script, case: Case, before: Outcome) -> Outcome:
        """One script after what came before it. A fault in a policy defers the message, one in a user's script keeps it."""
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
            if self._settings.runtime_error == "fail":
                return after.refused(DEFERRED)
        else:
            _log.warning("script %s: %s", where, fault.message)
        return after


@dataclass
class _Theirs:
    """What a user's own script leaves: the context variables that it changes, and its fault."""

    changed: dict[str, str | None] = field(default_factory=dict)
    fault: Fault | None = None


@dataclass(frozen=True)
class _Script:
    """A script in its turn: how to get it, and whether it is policy, whose faults defer, or a user's own."""

    checked: Callable[[], Checked]
    path: str
    policy: bool = field(kw_only=True)


def _executed(script: _Script, case: Case, before: Outcome) -> Outcome:
    try:
        checked = script.checked()
    except OSError as error:
        place = Place(Source(script.path, ""))
        return replace(before, fault=Fault(f"cannot be read: {error.strerror or error}", place))
    if checked.program is None:
        first = checked.first_error
        place = Place(checked.source, first.span.start)
        return replace(before, fault=Fault(f"the script has an error: {first.message}", place))
    return execute(checked.program, case, before)


def _only_counts(action: Action) -> bool:
    return bool(action.effects) and all(isinstance(effect, Count) for effect in action.effects)


def _counters(outcome: Outcome) -> tuple[str, ...]:
    """The counters of the actions that do nothing but count."""
    counting = filter(_only_counts, outcome.actions)
    return tuple(effect.counter for action in counting for effect in action.effects if isinstance(effect, Count))


def _count(answer: Response) -> None:
    if answer.counter:
        _log.info("counted: %s", answer.counter)
