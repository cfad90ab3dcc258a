"""runner: a program, a message, an envelope and a host to an outcome.

Pure and synchronous: what the world knows is asked of the host, and nothing is done here that could not be undone.
Conflicts between actions and limits are found before anything has had an effect.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn, TypeVar

from sieveav.language.program import Program, settle
from sieveav.limits import Limits
from sieveav.running.message import Message
from sieveav.running.outcome import Action, Discard, Fault, Outcome, Refuse, Response, Send, Step, Store
from sieveav.running.questions import Context, Envelope, Host, Question, Scan, Scanned
from sieveav.running.variables import Variables
from sieveav.verdict import plain

A = TypeVar("A")
M = TypeVar("M")

CAREFUL_COST = 2000
"""A program of more steps and keys than this looks at the clock at every step, not just at every block."""

CAREFUL_HEADER = 64 * 1024
"""So does a run on a message with a longer header than this, in octets."""


class ScriptFault(Exception):
    """A script cannot go on (RFC 5228, 2.10.6); raised by words through `run.fail`, never leaves this module."""


class _Stopped(Exception):
    """The script ends here, well."""


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


class Run:
    """One script being run: what words see."""

    def __init__(self, program: Program, case: Case, before: Outcome) -> None:
        self.program = program
        self.case = case
        self.message = case.message
        self.envelope = case.envelope
        self.context = case.context
        self.limits = case.limits
        self.before = before
        self.actions: list[Action] = []
        self.response: Response | None = None
        self.ended = False
        self.keep = True
        self.match_values: tuple[str, ...] = ()
        self.variables = Variables()
        self.step: Any = None
        self.trace: list[Step] = []
        self.careful = case.tracing or program.cost > CAREFUL_COST or case.message.header_end > CAREFUL_HEADER
        self._steps = 0
        self._deadline = time.monotonic() + case.limits.wall_clock
        self._memories: dict[Any, Any] = {}
        self._focus: dict[str, Any] = {}

    # steps and time

    def spend(self, steps: int) -> None:
        """Count `steps` and look at the clock."""
        self._steps += steps
        if self._steps > self.limits.steps:
            self.fail(f"the script takes more than {self.limits.steps} steps")
        self.tick()

    def tick(self) -> None:
        """Look at the clock; long-running words call it as they go."""
        if time.monotonic() > self._deadline:
            self.fail(f"the script takes longer than {self.limits.wall_clock:g} s")

    def entered(self, step: Any) -> None:
        """A step begins, in a run that looks at each."""
        self.step = step
        self.tick()

    def tested(self, test: Any) -> bool:
        """Ask a test, in a run that looks at each."""
        self.tick()
        holds = bool(test.holds(self))
        self.note(test, self._words(test), "holds" if holds else "does not hold")
        return holds

    def note(self, step: Any, what: str, result: str) -> None:
        """Add a line to the trace, if one is kept."""
        if self.case.tracing:
            self.trace.append(Step(self.program.place(step) if step is not None else None, what, result))

    def _words(self, step: Any) -> str:
        text = self.program.source.text
        return text[step.span.start : step.span.end]

    # what words do

    def ask(self, question: Question[A]) -> A:
        """Put a question to the world; the time it takes is not the script's. A scan sets its context variables,
        whoever asked."""
        asked = time.monotonic()
        answer = self.case.host.answer(question)
        self._deadline += time.monotonic() - asked
        if isinstance(question, Scan) and isinstance(answer, Scanned):
            self.context.message.update(answer.variables)
        if self.case.tracing:
            self.note(self.step, str(question), _shown(answer))
        return answer

    def fail(self, message: str) -> NoReturn:
        """End the script with a fault: the implicit keep is what is left of it. RFC 5228, 2.10.6."""
        raise ScriptFault(plain(message))

    def stop(self) -> NoReturn:
        """End the script here; what was decided stands."""
        raise _Stopped

    def act(self, word: Any, action: Action) -> None:
        """Take an action, as the foreign tags of `word` have it. A conflict or a limit is a fault."""
        for tag in word.tags:
            action = tag.amend(action)
        action = replace(action, place=self.program.place(word))
        # a keep of an earlier script said "go on", and stands only if this one lets it: it is in nobody's way
        earlier = [*(other for other in self.before.actions if not other.keeps), *self.actions]
        for other in earlier:
            if other.name in action.conflicts or action.name in other.conflicts:
                self.fail(f"{action.name} cannot go together with {other.name}")
        repeated = any(map(action.repeats, earlier))
        if len(earlier) >= self.limits.actions and not repeated:  # RFC 5228, 2.10.4
            self.fail(f"more than {self.limits.actions} actions")
        sends = sum(isinstance(effect, Send) for other in [*earlier, action] for effect in other.effects)
        if sends > self.limits.redirects and not repeated:  # RFC 5228, 10 (2)
            self.fail(f"more than {self.limits.redirects} redirects")
        if action.cancels_keep:
            self.keep = False
        self.note(word, action.name, _summary(action))
        self._decide(action)

    def _decide(self, action: Action) -> None:
        """Note an action, in the place of one that it repeats. RFC 5228, 2.10.3: a message is put into a mailbox once,
        and a second time is no error; RFC 5232, 3: the last flags are those it gets."""
        if any(action.repeats(other) and other.creates for other in [*self.before.actions, *self.actions]):
            action = action.storing(create=True)
        for i, other in enumerate(self.actions):
            if action.repeats(other):
                self.actions[i] = action
                return
        self.actions.append(action)

    def implicit_keep(self) -> Action:
        """The implicit keep as it is by now, with the tags that nobody needs to write."""
        action = self.before.implicit
        for tag in settle(self.program.unwritten, self):
            action = tag.amend(action)
        return action

    def respond(self, word: Any, answer: Response) -> NoReturn:
        """Set the SMTP response and end the phase: no action and no keep is left beside it."""
        self.response = replace(answer, place=self.program.place(word))
        self.note(word, "response", f"{answer.code} {answer.enhanced} {answer.text}")
        self.ended = True
        self.keep = False
        self.actions = []
        raise _Stopped

    def redirecting(self) -> None:
        """Refuse to feed a mail loop. RFC 5228, 10 (1); RFC 5321, 6.3."""
        received = len(self.message.fields.get("received", ()))
        if received > self.limits.received:
            self.fail(f"redirect of a message with {received} Received fields: a mail loop")

    def memory(self, kind: Callable[[], M]) -> M:
        """The one `kind` of this run: what a word remembers from one place to the next."""
        found = self._memories.get(kind)
        if found is None:
            found = self._memories[kind] = kind()
        return found

    def focus(self, name: str) -> Any:
        """What a subject that needs `name` is asked of, the message where nothing of that name is set."""
        return self._focus.get(name, self.message)

    @contextmanager
    def focused(self, name: str, target: Any) -> Iterator[None]:
        """While the context lasts, subjects that need `name` are asked of `target`."""
        outer = self._focus.get(name, self.message)
        self._focus[name] = target
        try:
            yield
        finally:
            self._focus[name] = outer


def execute(program: Program, case: Case, before: Outcome = Outcome()) -> Outcome:  # noqa: B008  # immutable
    """Run `program`; `before` is what earlier scripts of the same recipient came to. The result holds theirs too.

    After a fault the actions of this script are gone and a keep stands (RFC 5228, 2.10.6); exceptions that leave here
    are bugs.
    """
    run = Run(program, case, before)
    fault = None
    try:
        program.block.run(run)
    except _Stopped:
        run.note(run.step, "stop", "the script ends")
    except ScriptFault as found:
        place = program.place(run.step) if run.step is not None else None
        fault = Fault(str(found), place)
        run.note(run.step, "fault", str(found))
        run.actions, run.response, run.ended, run.keep = [], None, False, True
    implicit = before.implicit if fault is not None else run.implicit_keep()
    if run.keep and before.keep and not (run.actions or run.trace or fault) and implicit is before.implicit:
        return before if before.fault is None else replace(before, fault=None)
    trace = (*before.trace, *run.trace)
    if run.ended:
        return Outcome((), False, run.response, fault, trace, True)
    kept = [action for action in run.actions if action.keeps]
    keep = run.keep or bool(kept)
    # a keep of an earlier script said "go on"; it stands if this one lets it, and gives way to this one's own
    earlier = [
        action
        for action in before.actions
        if (not action.keeps or (keep and not kept)) and not any(new.repeats(action) for new in run.actions)
    ]
    return Outcome((*earlier, *run.actions), keep, None, fault, trace, implicit=implicit)


def _shown(answer: object) -> str:
    if isinstance(answer, Scanned):
        return ", ".join(f"{v.engine}: {v.status}{f' ({v.info})' if v.info else ''}" for v in answer.verdicts)
    return str(answer) if not isinstance(answer, bool) else "yes" if answer else "no"


def _summary(action: Action) -> str:
    words = []
    for effect in action.effects:
        if isinstance(effect, Store):
            words.append(f'into "{effect.mailbox}"' if effect.mailbox is not None else "into the inbox")
        elif isinstance(effect, Send):
            words.append(f"to {effect.address}")
        elif isinstance(effect, Refuse):
            words.append("refused")
        elif isinstance(effect, Discard):
            words.append("thrown away")
    return ", ".join(words) or "done"
