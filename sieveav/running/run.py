"""run: one run of a script, as its words see it: the message, the questions to the host, and the actions.

Pure and synchronous: questions go to the host, and actions are only collected. So conflicts between actions and exceeded
limits are found before anything has had an effect. Over 400 lines, because words get everything from one object.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from sieveav.language.problems import Severity
from sieveav.language.program import Amender, Block, Program
from sieveav.limits import Limits
from sieveav.running.effects import Edit, Record
from sieveav.running.message import Entity, Message
from sieveav.running.outcome import (
    IMPLICIT_KEEP,
    UNDECIDED,
    Action,
    Fault,
    Note,
    Outcome,
    Response,
    Step,
    merge,
    repeated,
)
from sieveav.running.questions import Context, Envelope, Host, Question, Scan, Scanned
from sieveav.running.variables import Variables
from sieveav.running.view import Placed, View

if TYPE_CHECKING:
    from sieveav.running.tracing import Tracer

A = TypeVar("A")
M = TypeVar("M")
T = TypeVar("T")

INSTRUMENTED_COST = 2000
"""Steps and keys of a program from which on a run looks at the clock at every step, not only at every block."""

INSTRUMENTED_HEADER = 64 * 1024
"""Octets of a message's header from which on a run does the same."""

STEPS_BETWEEN_LOOKS = 32
"""Steps during which blocks do not look at the clock: long-running words do so themselves."""


class ScriptFault(Exception):
    """A run-time error (RFC 5228, 2.10.6); words raise it through `run.fail`."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


class _Stopped(Exception):
    """The script ends here, without a fault."""


class _Left(Exception):
    """Leaves all blocks up to that of a word."""

    def __init__(self, word: object) -> None:
        self.word = word

    def leaves(self, word: object) -> bool:
        """Whether `word` is the word to leave, or a copy of it with its variables expanded."""
        place = getattr(self.word, "place", None)
        return self.word is word or (place is not None and place == getattr(word, "place", None))


class _Taken:
    """An index of the actions taken so far: adding one more costs the same however many there are."""

    __slots__ = ("before", "conflicts", "count", "indexes", "names", "sends")

    def __init__(self, before: tuple[Action, ...]) -> None:
        self.before = {action.key for action in before}
        """The keys of earlier scripts' actions."""
        self.indexes: dict[tuple[object, ...], int] = {}
        """Key -> index among this script's own actions."""
        self.names: dict[str, None] = {}
        """The names of this script's own actions, in order."""
        self.conflicts: dict[str, str] = {}
        """Name of an action that must not follow -> name of the one that it conflicts with."""
        self.count = sum([action.key is not None for action in before])
        """Actions of all scripts, without edits."""
        self.sends = sum([action.sends for action in before])


@dataclass
class Case:
    """The input that all scripts of one recipient (or of the data phase) share: message, envelope, host, limits, context
    variables, and whether to keep a trace."""

    message: Message
    envelope: Envelope
    host: Host
    context: Context
    limits: Limits = field(default_factory=Limits)
    tracing: bool = False


class Run(View):
    """One run of a script and of the scripts that it includes.

    Words read everything here, but assign only to `match_values` and `implicit`; tests of scripts set `message` and
    `envelope` too.
    """

    # Attributes that most runs never change are the class's: this saves a microsecond in a run that matches no rule.
    match_values: tuple[str, ...] = ()
    enabled: frozenset[str] = frozenset()
    """The capabilities that tests have enabled (RFC 5463)."""
    step: Any = None
    keep = True
    _response: Response | None = None
    _ended = False
    _kept = False
    _steps = 0
    _next_look = 0
    _taken: _Taken | None = None
    _notes: tuple[Note, ...] = ()
    _earlier_implicit: Action | None = None
    """The implicit keep of earlier scripts, if its flags or expiry apply to this script's actions."""

    def __init__(self, program: Program, case: Case, before: Outcome = UNDECIDED) -> None:
        self.program = program
        self.case = case
        self.message = self._begun = case.message
        self.envelope = case.envelope
        self.context = case.context
        self.before = before
        self.implicit = before.implicit
        """The implicit keep before amenders change it; a word may replace it."""
        self.variables = Variables()
        self.amenders: Mapping[str, tuple[Amender, ...]] = program.amenders
        self.actions: list[Action] = []
        self.instrumented = (
            case.tracing or program.cost > INSTRUMENTED_COST or case.message.header_end > INSTRUMENTED_HEADER
        )
        self._deadline = time.monotonic() + case.limits.wall_clock
        self._memories: dict[Any, Any] = {}
        self._focus = {}
        self._foci = []
        self._records: dict[str, Record] = {}
        if before is not UNDECIDED:
            self.message = self._begun = _edited(case.message, before)
            if before.implicit is not IMPLICIT_KEEP:
                self._earlier_implicit = before.implicit
        self.tracer: Tracer | None = None
        """Collects the trace, if one is kept; an attribute of the instance, which every test looks at."""
        if case.tracing:
            from sieveav.running.tracing import Tracer  # most runs keep no trace

            self.tracer = Tracer(self)

    @property
    def limits(self) -> Limits:
        """The limits of this run."""
        return self.case.limits

    # ---- steps and time

    def spend(self, steps: int) -> None:
        """Count `steps`; look at the clock every STEPS_BETWEEN_LOOKS of them."""
        self._steps += steps
        if self._steps >= self._next_look:
            most = self.case.limits.steps
            if self._steps > most:
                self.fail(f"step limit exceeded ({most})")
            soon = self._steps + STEPS_BETWEEN_LOOKS
            self._next_look = soon if soon <= most else most + 1
            if time.monotonic() > self._deadline:
                self.tick()

    def tick(self) -> None:
        """Fail if the time limit is exceeded; long-running words call this again and again."""
        if time.monotonic() > self._deadline:
            self.fail(f"time limit exceeded ({self.limits.wall_clock:g} s)")

    def enter(self, step: Any) -> None:
        """Begin a command, in an instrumented run."""
        self.step = step
        self.tick()
        if self.tracer is not None:
            self.tracer.command(step)

    def evaluate(self, test: Any) -> bool:
        """Evaluate a test, in an instrumented run."""
        self.tick()
        holds = bool(test.holds(self))
        if self.tracer is not None:
            self.tracer.test(test, holds=holds)
        return holds

    def explain(self, word: Any, result: str, what: str = "") -> None:
        """Add a line to the trace, if there is one: `what` was done (by default the text of the word), with what result."""
        if self.tracer is not None:
            self.tracer.explain(word, result, what)

    # ---- questions

    def ask(self, question: Question[A]) -> A:
        """The host's answer to a question; waiting for it does not count towards the time limit. A scan sets its context
        variables, whichever word asked."""
        if isinstance(question, Scan) and question.part is None and self._begun is not self.case.message:
            question = Scan(question.engines, edited=self._begun)  # type: ignore[assignment]  # A is Scanned here
        remembered = self.tracer is not None and self.case.host.remembers(question)
        answer: A = self._off_the_clock(self.case.host.answer, question)
        if self.tracer is not None:
            self.tracer.question(self.step, question, answer, remembered=remembered)
        if isinstance(question, Scan) and isinstance(answer, Scanned):
            self.context.message.update(answer.variables)
        return answer

    # ---- actions

    def act(self, action: Action, written: Set[str] = frozenset()) -> None:
        """Take an action; `written` are the tags on its word. A conflict or an exceeded limit is a fault.

        An action replaces an earlier one with the same key: see `outcome.repeated`.
        """
        name = action.name
        if self.amenders and name in self.amenders:
            action = self._amended(action, self.amenders[name], written)
        elif self._earlier_implicit is not None:
            action = action.marked_like(self._earlier_implicit)
        taken = self._taken
        if taken is None:  # most scripts take no action for most messages
            taken = self._taken = _Taken(self.before.actions)
        conflicts = action.conflicts
        if name in taken.conflicts or (conflicts and not conflicts.isdisjoint(taken.names)):
            other = taken.conflicts.get(name) or next(other for other in taken.names if other in conflicts)
            self.fail(f"{name} conflicts with {other}")  # RFC 5228, 2.10.1
        key = action.key
        index = taken.indexes.get(key) if key is not None else None
        if action.keeps:
            self._kept = True
        if index is not None:
            action = self.actions[index] = repeated(self.actions[index], action)
        else:
            if key is None or key not in taken.before:
                taken.count += 1
                if taken.count > self.case.limits.actions:  # RFC 5228, 2.10.4
                    self.fail(f"more than {self.case.limits.actions} actions")
                taken.sends += action.sends
                if taken.sends > self.case.limits.redirects:  # RFC 5228, 10 (2)
                    self.fail(f"more than {self.case.limits.redirects} redirects")
            if key is not None:
                taken.indexes[key] = len(self.actions)
            self.actions.append(action)
        taken.names[name] = None
        for other in conflicts:
            taken.conflicts.setdefault(other, name)
        if action.cancels_keep:
            self.keep = False
        if self.tracer is not None:
            self.tracer.add(action.place, "action", action.summary())

    def _amended(self, action: Action, amenders: Iterable[Amender], written: Set[str]) -> Action:
        for amender in amenders:
            if amender.unless not in written:
                change = amender.amend(self)
                if change is not None:
                    action = change.amend(action)
        return action

    def edit(self, word: Placed, name: str, edit: Edit) -> None:
        """Change the message for every later test, store and send, in this script and those that follow. `name` is the
        name of the action. More edits than the limit are a fault."""
        action = Action(name, (self.change(word, name, edit),), cancels_keep=False, place=word.place)
        self.actions.append(action)
        if self.tracer is not None:
            self.tracer.add(action.place, "action", action.summary())

    def remember(self, record: Record) -> None:
        """Remember a key once everything that was decided has succeeded. This is not an action. The last record of a key
        is the one that counts; more keys than the limit are a fault."""
        self._records[record.key] = record
        if len(self._records) > self.limits.records:
            self.fail(f"more than {self.limits.records} keys to remember")
        self.explain(self.step, f"{record.key} for {record.seconds} s", "remember")

    def respond(self, word: Placed, answer: Response) -> NoReturn:
        """Set the SMTP response and end the phase, without any action or keep."""
        self._response = replace(answer, place=word.place)
        self.explain(word, f"{answer.code} {answer.enhanced} {answer.text}", "response")
        self._ended = True
        raise _Stopped

    def enable(self, capabilities: Iterable[str]) -> None:
        """Allow the words of these capabilities from here on: a test has found that they are available (RFC 5463, 4)."""
        self.enabled = self.enabled.union(capabilities)

    def redirecting(self) -> None:
        """Fail if the message seems to be in a mail loop. RFC 5228, 10 (1); RFC 5321, 6.3."""
        received = len(self.case.message.fields.get("received", ()))
        if received > self.limits.received:
            self.fail(f"mail loop detected: {received} Received fields")

    def fail(self, message: str, word: Placed | None = None) -> NoReturn:
        """Abort with a run-time error at `word` (default: the current step): the script's actions are dropped, the
        implicit keep applies. RFC 5228, 2.10.6."""
        step = self.step if word is None else word
        raise ScriptFault(Fault(message, step.place if step is not None else None))

    def stop(self) -> NoReturn:
        """End the script here; its actions remain."""
        self.explain(self.step, "the script ends", "stop")
        raise _Stopped

    def log(self, severity: Severity, text: str, word: Placed | None = None) -> None:
        """Add a note: about something ignored or withheld, or what a script logs. Notes are kept even after a fault."""
        step = self.step if word is None else word
        if len(self._notes) < self.limits.notes:
            self._notes = (*self._notes, Note(severity, text, step.place if step is not None else None))

    # ---- state and blocks of words

    def memory(self, kind: Callable[[], M]) -> M:
        """The one object of `kind` in this run, made when first asked for: what words share, in included scripts too."""
        memory = self._memories.get(kind)
        if memory is None:
            memory = self._memories[kind] = kind()
        return memory

    @contextmanager
    def leaving(self, word: object) -> Iterator[None]:
        """Run a block that `leave(word)` leaves: the run goes on after this context."""
        try:
            yield
        except _Left as left:
            if not left.leaves(word):
                raise

    def leave(self, word: object) -> NoReturn:
        """Leave all blocks up to the one that `word` began with `leaving`."""
        if self.tracer is not None:
            self.tracer.command(None)
        raise _Left(word)

    @contextmanager
    def within(self, program: Program, part: Entity | None = None) -> Iterator[None]:
        """Run `program` in this context: with its own variables, match values and enabled capabilities, and the same
        message, actions and memories (RFC 6609, 3). Its amenders remain in force afterwards. With `part`, it sees that
        part as the whole message (RFC 6609, 3.5)."""
        outer = self.program, self.variables, self.match_values, self.enabled, self.step, self.instrumented
        self.program, self.variables, self.match_values, self.enabled = program, Variables(), (), frozenset()
        self.instrumented = self.instrumented or program.cost > INSTRUMENTED_COST
        if program.amenders:
            self.amenders = _joined(self.amenders, program.amenders)
        try:
            with self.seeing(part):
                yield
            if self.tracer is not None:
                self.tracer.command(None)
        finally:
            self.program, self.variables, self.match_values, self.enabled, self.step, self.instrumented = outer

    # ---- for tests of scripts

    def attempt(self, block: Block) -> Fault | None:
        """Run a block with its own step count and clock; the fault that ended it, or None. `stop` counts as a fault."""
        steps, self._steps, self._next_look = self._steps, 0, 0
        begun = time.monotonic()
        deadline, self._deadline = self._deadline, begun + self.limits.wall_clock
        step = self.step
        try:
            block.run(self)
        except _Stopped:
            return Fault("ended by stop", self.step.place)
        except ScriptFault as error:
            return error.fault
        finally:
            self._steps, self._next_look, self.step = steps, 0, step
            self._deadline = deadline + time.monotonic() - begun
        return None

    def execute(self, program: Program, before: Outcome = UNDECIDED) -> Outcome:
        """The outcome of another script on the current message and envelope, with its own copy of the context."""
        case = replace(self.case, message=self.message, envelope=self.envelope, context=self.context.copy())
        return self._off_the_clock(Run(program, case, before).whole)

    def _off_the_clock(self, work: Callable[..., T], *arguments: Any) -> T:
        """What `work` returns; its time does not count."""
        begun = time.monotonic()
        try:
            return work(*arguments)
        finally:
            self._deadline += time.monotonic() - begun

    def outcome(self) -> Outcome:
        """What this script alone has decided so far, without earlier scripts."""
        actions, records = tuple(self.actions), tuple(self._records.values())
        if self._ended:
            ended = Outcome(actions=actions, trace=self._trace, notes=self._notes, records=records)
            return ended.refused(self._response)
        return Outcome(
            actions=actions,
            keep=self.keep or self._kept,
            trace=self._trace,
            implicit=self._implicit_keep(),
            notes=self._notes,
            records=records,
        )

    def reset(self) -> None:
        """Forget what was decided; variables, memories, notes and the current message stay."""
        self.actions, self._records = [], {}
        for name in ("keep", "_response", "_ended", "_kept", "_edits", "_octets", "_taken"):
            self.__dict__.pop(name, None)

    # ---- the whole script

    def whole(self) -> Outcome:
        """Run the script to its end. The outcome includes that of earlier scripts: see `outcome.merge`. Any exception
        raised here is a bug."""
        try:
            self.program.block.run(self)
            if self.tracer is not None:
                self.tracer.command(None)
        except _Stopped:
            pass
        except ScriptFault as error:
            fault = error.fault
            if self.tracer is not None:
                self.tracer.add(fault.place, "fault", fault.message)
            notes = (*self._notes, Note(Severity.ERROR, fault.message, fault.place))
            return merge(self.before, Outcome(fault=fault, trace=self._trace, notes=notes))
        idle = not (self.actions or self.tracer or self._notes or self._records or self._ended)
        if idle and self.keep and self.before.keep and self._implicit_keep() is self.before.implicit:
            return self.before if self.before.fault is None else replace(self.before, fault=None)
        own = self.outcome()
        return own if self.before is UNDECIDED else merge(self.before, own)

    @property
    def _trace(self) -> tuple[Step, ...]:
        return () if self.tracer is None else tuple(self.tracer.steps)

    def _implicit_keep(self) -> Action:
        """The implicit keep, changed by amenders, such as those that set flags."""
        if not self.amenders:
            return self.implicit
        return self._amended(self.implicit, self.amenders.get("keep", ()), frozenset())


def _edited(message: Message, before: Outcome) -> Message:
    """The message after the edits of earlier scripts."""
    for action in before.actions:
        for effect in action.effects:
            if isinstance(effect, Edit):
                message = message.edited(effect)
    return message


def _joined(
    ours: Mapping[str, tuple[Amender, ...]], theirs: Mapping[str, tuple[Amender, ...]]
) -> dict[str, tuple[Amender, ...]]:
    return {
        name: tuple(dict.fromkeys((*ours.get(name, ()), *theirs.get(name, ())))) for name in ours.keys() | theirs.keys()
    }
