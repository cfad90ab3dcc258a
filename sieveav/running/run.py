"""run: what words see while a script runs: the message, the questions, and what they can do.

Pure and synchronous: what the world knows is asked of the host, and nothing is done here that could not be undone.
Conflicts between actions and limits are found before anything has had an effect. Over 400 lines, because words are handed
one object.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn, TypeVar

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

A = TypeVar("A")
M = TypeVar("M")

INSTRUMENTED_COST = 2000
"""A program of more steps and keys than this looks at the clock at every step, not just at every block."""

INSTRUMENTED_HEADER = 64 * 1024
"""So does a run on a message with a longer header than this, in octets."""

SHOWN = 1000
"""Characters of an answer that a trace shows."""


STEPS_BETWEEN_LOOKS = 32
"""Steps for which a block does not look at the clock: what takes long looks by itself."""


class ScriptFault(Exception):
    """A script cannot go on (RFC 5228, 2.10.6); raised by words through `run.fail`."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


class _Stopped(Exception):
    """The script ends here, without a fault."""


class _Left(Exception):
    """Leaves all blocks up to a word's."""

    def __init__(self, word: object) -> None:
        self.word = word

    def leaves(self, word: object) -> bool:
        """Whether `word` is the one, or the copy of it that its variables have made."""
        place = getattr(self.word, "place", None)
        return self.word is word or (place is not None and place == getattr(word, "place", None))


class _Taken:
    """What is known of the actions taken so far: so that a further one costs the same, however many there are."""

    __slots__ = ("at", "before", "conflicts", "count", "names", "sends")

    def __init__(self, before: tuple[Action, ...]) -> None:
        self.before = {action.key for action in before}
        """The keys of what earlier scripts did."""
        self.at: dict[tuple[object, ...], int] = {}
        """Key -> place among this script's own actions."""
        self.names: dict[str, None] = {}
        """The names of this script's own actions, in their order."""
        self.conflicts: dict[str, str] = {}
        """Name of an action that may not follow -> name of the one that it conflicts with."""
        self.count = sum([action.key is not None for action in before])
        """Actions of all scripts, edits aside."""
        self.sends = sum([action.sends for action in before])


@dataclass
class Case:
    """What is the same for all scripts of one recipient (or of the data phase): message, envelope, host, limits, the
    context variables that its scripts share, and whether a trace is kept."""

    message: Message
    envelope: Envelope
    host: Host
    context: Context
    limits: Limits = field(default_factory=Limits)
    tracing: bool = False


class Run(View):
    """One script being run, with what it includes.

    Words read everything here, and assign to `match_values` and `implicit` only; tests of scripts set `message` and
    `envelope` too.
    """

    # What most runs never change is of the class: a run that meets no rule costs a microsecond less.
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
    _marks: Action | None = None

    def __init__(self, program: Program, case: Case, before: Outcome = UNDECIDED) -> None:
        self.program = program
        self.case = case
        self.message = case.message
        self.envelope = case.envelope
        self.context = case.context
        self.before = before
        self.implicit = before.implicit
        """The implicit keep, as it would be without amenders; a word may put another in its place."""
        self.variables = Variables()
        self.amenders: Mapping[str, tuple[Amender, ...]] = program.amenders
        self.actions: list[Action] = []
        self.trace: list[Step] = []
        self.instrumented = (
            case.tracing or program.cost > INSTRUMENTED_COST or case.message.header_end > INSTRUMENTED_HEADER
        )
        self._deadline = time.monotonic() + case.limits.wall_clock
        self._memories: dict[Any, Any] = {}
        self._focus = {}
        self._foci = []
        self._records: dict[str, Record] = {}
        if before is not UNDECIDED:
            self.message = _edited(case.message, before)
            if before.implicit is not IMPLICIT_KEEP:
                self._marks = before.implicit

    @property
    def limits(self) -> Limits:
        """What this run may use."""
        return self.case.limits

    # ---- steps and time

    def spend(self, steps: int) -> None:
        """Count `steps` and, after some, look at the clock."""
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
        """Look at the clock; long-running words call it as they go."""
        if time.monotonic() > self._deadline:
            self.fail(f"time limit exceeded ({self.limits.wall_clock:g} s)")

    def enter(self, step: Any) -> None:
        """A step begins, in a run that looks at each."""
        self.step = step
        self.tick()

    def evaluate(self, test: Any) -> bool:
        """Ask a test, in a run that looks at each."""
        self.tick()
        holds = bool(test.holds(self))
        self.explain(test, "holds" if holds else "does not hold")
        return holds

    def explain(self, word: Any, result: str, what: str = "") -> None:
        """Add a line to the trace, if one is kept: `what` was done, the text of the word unless it is said."""
        if self.case.tracing:
            place = None if word is None else word.place
            self.trace.append(Step(place, what or self._text_of(word), result))

    def _text_of(self, word: Any) -> str:
        return self.program.source.text[word.span.start : word.span.end] if word is not None else ""

    # ---- what words ask

    def ask(self, question: Question[A]) -> A:
        """Put a question to the world; the time it takes is not the script's. A scan sets its context variables,
        whoever asked."""
        with self._off_the_clock():
            answer = self.case.host.answer(question)
        if isinstance(question, Scan) and isinstance(answer, Scanned):
            self.context.message.update(answer.variables)
        if self.case.tracing:
            self.explain(self.step, _shown(answer), str(question))
        return answer

    @contextmanager
    def _off_the_clock(self) -> Iterator[None]:
        begun = time.monotonic()
        try:
            yield
        finally:
            self._deadline += time.monotonic() - begun

    # ---- what words do

    def act(self, action: Action, written: Set[str] = frozenset()) -> None:
        """Take an action; `written` are the tags on its word. A conflict or a limit is a fault.

        An action that does the same to the same as one taken before takes its place: see `outcome.repeated`.
        """
        name = action.name
        if self.amenders and name in self.amenders:
            action = self._amended(action, self.amenders[name], written)
        elif self._marks is not None:
            action = action.marked_like(self._marks)
        taken = self._taken
        if taken is None:  # most scripts take no action for most messages
            taken = self._taken = _Taken(self.before.actions)
        conflicts = action.conflicts
        if name in taken.conflicts or (conflicts and not conflicts.isdisjoint(taken.names)):
            other = taken.conflicts.get(name) or next(other for other in taken.names if other in conflicts)
            self.fail(f"{name} conflicts with {other}")  # RFC 5228, 2.10.1
        key = action.key
        at = taken.at.get(key) if key is not None else None
        if action.keeps:
            self._kept = True
        if at is not None:
            action = self.actions[at] = repeated(self.actions[at], action)
        else:
            if key is None or key not in taken.before:
                taken.count += 1
                if taken.count > self.case.limits.actions:  # RFC 5228, 2.10.4
                    self.fail(f"more than {self.case.limits.actions} actions")
                taken.sends += action.sends
                if taken.sends > self.case.limits.redirects:  # RFC 5228, 10 (2)
                    self.fail(f"more than {self.case.limits.redirects} redirects")
            if key is not None:
                taken.at[key] = len(self.actions)
            self.actions.append(action)
        taken.names[name] = None
        for other in conflicts:
            taken.conflicts.setdefault(other, name)
        if action.cancels_keep:
            self.keep = False
        if self.case.tracing:
            self.trace.append(Step(action.place, "action", action.summary()))

    def _amended(self, action: Action, amenders: Iterable[Amender], written: Set[str]) -> Action:
        for amender in amenders:
            if amender.unless not in written:
                change = amender.amend(self)
                if change is not None:
                    action = change.amend(action)
        return action

    def edit(self, word: Placed, name: str, edit: Edit) -> None:
        """Change the message: for all that looks at it, stores it or sends it from here on, in this script and those that
        follow. `name` is the action's. More than the limit of edits is a fault."""
        action = Action(name, (self.change(word, name, edit),), cancels_keep=False, place=word.place)
        self.actions.append(action)
        if self.case.tracing:
            self.trace.append(Step(action.place, "action", action.summary()))

    def remember(self, record: Record) -> None:
        """Remember a key once all that is decided has succeeded; it is no action. The last record of a key is the one that
        counts. More than the limit of keys is a fault."""
        self._records[record.key] = record
        if len(self._records) > self.limits.records:
            self.fail(f"more than {self.limits.records} keys to remember")

    def respond(self, word: Placed, answer: Response) -> NoReturn:
        """Set the SMTP response and end the phase: no action and no keep is left beside it."""
        self._response = replace(answer, place=word.place)
        self.explain(word, f"{answer.code} {answer.enhanced} {answer.text}", "response")
        self._ended = True
        raise _Stopped

    def enable(self, capabilities: Iterable[str]) -> None:
        """From here on the words of these capabilities may be met: a test has found them (RFC 5463, 4)."""
        self.enabled = self.enabled.union(capabilities)

    def redirecting(self) -> None:
        """Refuse to feed a mail loop. RFC 5228, 10 (1); RFC 5321, 6.3."""
        received = len(self.case.message.fields.get("received", ()))
        if received > self.limits.received:
            self.fail(f"mail loop detected: {received} Received fields")

    def fail(self, message: str, word: Placed | None = None) -> NoReturn:
        """Abort with a run-time error, at `word` or the current step: the script's actions are dropped, the implicit keep
        applies. RFC 5228, 2.10.6."""
        step = self.step if word is None else word
        raise ScriptFault(Fault(message, step.place if step is not None else None))

    def stop(self) -> NoReturn:
        """End the script here; what was decided stays."""
        raise _Stopped

    def log(self, severity: Severity, text: str, word: Placed | None = None) -> None:
        """Add a note: something ignored or withheld, or what a script logs. Notes are kept even after a fault."""
        step = self.step if word is None else word
        if len(self._notes) < self.limits.notes:
            self._notes = (*self._notes, Note(severity, text, step.place if step is not None else None))

    # ---- what spans several words

    def memory(self, kind: Callable[[], M]) -> M:
        """The one `kind` of this run: what a word remembers from one place to the next, in included scripts too."""
        memory = self._memories.get(kind)
        if memory is None:
            memory = self._memories[kind] = kind()
        return memory

    @contextmanager
    def leaving(self, word: object) -> Iterator[None]:
        """A block that `leave(word)` leaves: what comes after the context is next."""
        try:
            yield
        except _Left as left:
            if not left.leaves(word):
                raise

    def leave(self, word: object) -> NoReturn:
        """Leave all blocks up to the one that `word` has opened with `leaving`."""
        raise _Left(word)

    @contextmanager
    def within(self, program: Program, part: Entity | None = None) -> Iterator[None]:
        """While the context lasts, `program` runs in the place of this one: with variables, match values and enabled
        capabilities of its own, and the same message, actions and memories (RFC 6609, 3). Its amenders stay. With
        `part`, it sees that part of the message as though it were the whole (RFC 6609, 3.5)."""
        outer = self.program, self.variables, self.match_values, self.enabled, self.step, self.instrumented
        self.program, self.variables, self.match_values, self.enabled = program, Variables(), (), frozenset()
        self.instrumented = self.instrumented or program.cost > INSTRUMENTED_COST
        if program.amenders:
            self.amenders = _joined(self.amenders, program.amenders)
        try:
            with self.seeing(part):
                yield
        finally:
            self.program, self.variables, self.match_values, self.enabled, self.step, self.instrumented = outer

    # ---- for tests of scripts

    def attempt(self, block: Block) -> Fault | None:
        """Run a block with steps and a clock of its own; the fault that ended it, or None. That `stop` ended it is one."""
        steps, self._steps, self._next_look = self._steps, 0, 0
        begun = time.monotonic()
        deadline, self._deadline = self._deadline, begun + self.limits.wall_clock
        step = self.step
        try:
            block.run(self)
        except _Stopped:
            return Fault("stop ended it", self.step.place)
        except ScriptFault as error:
            return error.fault
        finally:
            self._steps, self._next_look, self.step = steps, 0, step
            self._deadline = deadline + time.monotonic() - begun
        return None

    def execute(self, program: Program, before: Outcome = UNDECIDED) -> Outcome:
        """The outcome of another script on the present message and envelope, with a context of its own."""
        case = replace(self.case, message=self.message, envelope=self.envelope, context=self.context.copy())
        with self._off_the_clock():
            return Run(program, case, before).whole()

    def outcome(self) -> Outcome:
        """What this script has decided by itself so far, without what came before it."""
        records = tuple(self._records.values())
        if self._ended:
            refused = Outcome(trace=tuple(self.trace), notes=self._notes, records=records)
            return refused.refused(self._response)
        return Outcome(
            actions=tuple(self.actions),
            keep=self.keep or self._kept,
            trace=tuple(self.trace),
            implicit=self._implicit_keep(),
            notes=self._notes,
            records=records,
        )

    def reset(self) -> None:
        """Forget what was decided; variables, memories, notes and the present message stay."""
        self.actions, self._records = [], {}
        for name in ("keep", "_response", "_ended", "_kept", "_edits", "_octets", "_taken"):
            self.__dict__.pop(name, None)

    # ---- the whole script

    def whole(self) -> Outcome:
        """Run the script to its end. The result holds what came before too: see `outcome.merge`. Exceptions that leave
        here are bugs."""
        try:
            self.program.block.run(self)
        except _Stopped:
            self.explain(self.step, "the script ends", "stop")
        except ScriptFault as error:
            fault = error.fault
            if self.case.tracing:
                self.trace.append(Step(fault.place, "fault", fault.message))
            notes = (*self._notes, Note(Severity.ERROR, fault.message, fault.place))
            return merge(self.before, Outcome(fault=fault, trace=tuple(self.trace), notes=notes))
        idle = not (self.actions or self.trace or self._notes or self._records or self._ended)
        if idle and self.keep and self.before.keep and self._implicit_keep() is self.before.implicit:
            return self.before if self.before.fault is None else replace(self.before, fault=None)
        own = self.outcome()
        return own if self.before is UNDECIDED else merge(self.before, own)

    def _implicit_keep(self) -> Action:
        """The implicit keep, with what amends it, such as imap4flags' flags, applied."""
        if not self.amenders:
            return self.implicit
        return self._amended(self.implicit, self.amenders.get("keep", ()), frozenset())


def _edited(message: Message, before: Outcome) -> Message:
    """The message as the edits of earlier scripts have left it."""
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


def _shown(answer: object) -> str:
    if isinstance(answer, Scanned):
        return ", ".join(f"{v.engine}: {v.status}{f' ({v.info})' if v.info else ''}" for v in answer.verdicts)
    if isinstance(answer, bool):
        return "yes" if answer else "no"
    text = str(answer)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
