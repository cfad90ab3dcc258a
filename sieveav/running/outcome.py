"""outcome: what a run decided, as data: actions in order, the SMTP response, the fault, notes, records, the trace.

An action has a name, which is Sieve's, and the effects it stands for (see `effects.py`): a front end carries out actions
it has never heard of. Two runs of the same input give equal outcomes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from typing import Any

from sieveav import limits
from sieveav.language.problems import Place, Severity
from sieveav.running.effects import Edit, Effect, Record, Refuse, Send, Store, Target, fields_of
from sieveav.verdict import plain


@dataclass(frozen=True)
class Action:
    """One action of an outcome.

    `place` is where in which script it was written, None for an implicit keep. `cancels_keep` says whether it cancels the
    implicit keep, `keeps` whether it is itself a keep, which lets the next script run. `conflicts` names the actions that
    it is incompatible with. `details` are fields of its own for people and machines to read, beyond those of its effects.
    `withheld` says why nothing is done after all; such an action has no effects, and is there for what it excludes.
    """

    name: str
    effects: tuple[Effect, ...] = ()
    cancels_keep: bool = True
    keeps: bool = False
    conflicts: frozenset[str] = frozenset()
    details: Mapping[str, object] = field(default_factory=dict)
    place: Place | None = None
    implicit: bool = False
    withheld: str = ""

    @cached_property
    def key(self) -> tuple[object, ...] | None:
        """What it does to what: actions with the same key are one, and the last takes the place of the others. None for
        one that never repeats another (an edit); without effects its name and details tell."""
        if not self.effects:
            return (self.name, *sorted((name, repr(value)) for name, value in self.details.items()))
        targets: tuple[Target, ...] = tuple([effect.target for effect in self.effects])
        return None if None in targets else targets

    @property
    def is_edit(self) -> bool:
        """Whether all that it does is to change the message."""
        return bool(self.effects) and all(isinstance(effect, Edit) for effect in self.effects)

    @cached_property
    def sends(self) -> int:
        """How often it sends the incoming message on."""
        return sum(isinstance(effect, Send) and effect.message is None for effect in self.effects)

    def at(self, place: Place) -> Action:
        """The action with its place."""
        action = object.__new__(Action)  # a copy: dataclasses.replace takes ten times as long
        action.__dict__.update(self.__dict__)
        action.__dict__["place"] = place
        return action

    def changing(self, kind: type[Effect], **changes: Any) -> Action:
        """The action with every effect of `kind` changed: for foreign tags such as `:flags`."""
        effects = tuple([e.changed(**changes) if isinstance(e, kind) else e for e in self.effects])
        return replace(self, effects=effects)

    def marked_like(self, other: Action) -> Action:
        """The action with the flags and expiry of `other`'s store, where its own stores of the incoming message have none."""
        marks = next((effect for effect in other.effects if isinstance(effect, Store)), None)
        if marks is None or not (marks.flags or marks.expire):
            return self
        effects: list[Effect] = []
        for effect in self.effects:
            if isinstance(effect, Store) and effect.message is None:
                effect = effect.changed(flags=effect.flags or marks.flags, expire=effect.expire or marks.expire)
            effects.append(effect)
        return replace(self, effects=tuple(effects))

    def as_json(self) -> dict[str, object]:
        """The action as machines read it."""
        fields: dict[str, object] = {"action": self.name, **fields_of(self.effects, self.details)}
        if self.implicit:
            fields["implicit"] = True
        if self.place is not None:
            fields["at"] = self.place.as_json()
        return fields

    def summary(self) -> str:
        """The action in a few words: its name and what its effects say."""
        said = ", ".join(text for effect in self.effects if (text := effect.summary()))
        said = said or (f"withheld: {self.withheld}" if self.withheld else "")
        head = f"implicit {self.name}" if self.implicit else self.name
        return f"{head}{'' if said.startswith(':') else ' '}{said}".strip()


def repeated(earlier: Action, later: Action) -> Action:
    """The one action for two with the same key.

    RFC 5228, 2.10.3: a message is stored in a mailbox once, and a second time is no error. RFC 5232, 3: the last flags
    are those it gets. A keep gives way to a fileinto of the same mailbox. A mailbox is created if either says so.
    """
    action = later
    if later.keeps and not earlier.keeps:
        names = [effect.mailbox for effect in earlier.effects if isinstance(effect, Store)]
        action = replace(earlier, effects=later.effects).changing(Store, mailbox=names[0])
    if any(isinstance(effect, Store) and effect.create for effect in earlier.effects):
        action = action.changing(Store, create=True)
    return action


@dataclass(frozen=True, slots=True)
class Response:
    """An SMTP response: the code, the enhanced code ("5.7.1", RFC 3463), and the text, its lines joined by newlines;
    `counter` names what a server counts it under, `place` where in which script it was set. A server waits `delay` seconds
    before it answers, and with `disconnect` closes the connection after it."""

    code: int
    enhanced: str
    text: str
    counter: str = ""
    place: Place | None = None
    delay: float = 0.0
    disconnect: bool = False

    def __post_init__(self) -> None:
        text = "".join(c for c in self.text if c.isprintable() or c == "\n")
        object.__setattr__(self, "text", text)
        object.__setattr__(self, "counter", plain(self.counter))

    def as_json(self) -> dict[str, object]:
        return {"code": self.code, "enhanced": self.enhanced, "text": self.text}


LINE_LENGTH = 1024
"""Characters of a fault or a note: much of them may come from a message."""


def one_line(text: str) -> str:
    """`text` on one line, with a space for what cannot be printed, and cut to length."""
    text = text[:LINE_LENGTH]
    return text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a script did not run to its end, printable and on one line, and where it was."""

    message: str
    place: Place | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", one_line(self.message))


@dataclass(frozen=True, slots=True)
class Note:
    """What a run has to say beside its actions: of a fault, something ignored, or what a script logs. `text` is printable
    and on one line."""

    severity: Severity
    text: str
    place: Place | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", one_line(self.text))


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a trace: where, what was asked or done there, and the answer."""

    place: Place | None
    what: str
    result: str


IMPLICIT_KEEP = Action("keep", (Store(),), cancels_keep=False, keeps=True, implicit=True)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What is decided so far for one recipient, or in a data phase for the whole message.

    `keep` says whether a keep, implicit or written, still applies: then the next script runs. `ended` says that a response
    ended the phase; `implicit` is the keep that applies where nothing else is done, as the scripts so far would have it;
    `records` are remembered when all else has succeeded.
    """

    actions: tuple[Action, ...] = ()
    keep: bool = True
    response: Response | None = None
    fault: Fault | None = None
    trace: tuple[Step, ...] = ()
    ended: bool = False
    implicit: Action = IMPLICIT_KEEP
    notes: tuple[Note, ...] = ()
    records: tuple[Record, ...] = ()

    def refused(self, response: Response | None) -> Outcome:
        """The outcome of a phase that `response` ends: nothing is done with the message, and nothing kept. What failed
        only for now drops the records too: the message comes again. None: another response stands for this one."""
        lasting = response is None or response.code >= 500
        records = self.records if lasting and response is not None else ()
        return replace(self, actions=(), keep=False, response=response, ended=True, records=records)

    @property
    def answer(self) -> Response | None:
        """The SMTP response: what a script set, else what a refusal among the actions asks for (RFC 5429, 2.5: 550 and
        5.7.1); None for a message that is accepted."""
        if self.response is not None:
            return self.response
        for action in self.actions:
            for effect in action.effects:
                if isinstance(effect, Refuse):
                    return replace(response(550, f"5.7.1 {effect.reason}"), place=action.place)
        return None

    def with_implicit_keep(self) -> Outcome:
        """The outcome with the implicit keep, if it applies, among its actions. RFC 5228, 2.10.2; a message that is in the
        inbox already is not stored there twice (2.10.3)."""
        if self is UNDECIDED:  # most messages meet no rule
            return KEPT
        if not self.keep or self.ended:
            return self
        key = self.implicit.key
        for action in self.actions:
            if action.keeps or action.key == key:
                return self
        kept = object.__new__(Outcome)  # a copy; dataclasses.replace takes 3 µs
        kept.__dict__.update(self.__dict__)
        kept.__dict__["actions"] = (*self.actions, self.implicit)
        return kept


UNDECIDED = Outcome()
"""Where every chain of scripts begins."""

KEPT = Outcome(actions=(IMPLICIT_KEEP,))
"""What becomes of a message for which scripts decide nothing."""


def merge(before: Outcome, own: Outcome) -> Outcome:
    """Two scripts of the same recipient to one outcome: what the scripts `before` came to, then one's `own`.

    =================  =====================================  =====  =======================  ==================
    own script ...     actions                                keep   implicit, records        response
    =================  =====================================  =====  =======================  ==================
    had a fault        before's                               True   before's                 none
    set a response     none                                   False  records unless 4xx       own
    keeps              before's, its keeps only if the script  True  own; both's records      none
                       has none of its own, then own
    cancels the keep   before's except its keeps, then own    False  own; both's records      none
    =================  =====================================  =====  =======================  ==================

    A keep of an earlier script only let this one run: it never conflicts with what this one does, and goes after its
    edits. An own action takes the place of an earlier one with the same key. Notes and trace are both's, in order.
    """
    notes, trace = (*before.notes, *own.notes), (*before.trace, *own.trace)
    if own.fault is not None:
        return replace(before, keep=True, fault=own.fault, notes=notes, trace=trace)
    records = (*before.records, *own.records)
    if own.ended:
        return replace(own, records=records, notes=notes, trace=trace, implicit=before.implicit).refused(own.response)
    kept = any(action.keeps for action in own.actions)
    own_keys = {action.key: action for action in own.actions if action.key is not None}
    first, last, merged = [], [], {}
    for action in before.actions:
        repeats = own_keys.get(action.key) if action.key is not None else None
        if repeats is not None:
            merged[action.key] = repeated(action, repeats)
        elif not action.keeps:
            first.append(action)
        elif own.keep and not kept:
            last.append(action)
    actions = (*first, *[merged.get(action.key, action) for action in own.actions], *last)
    return replace(own, actions=actions, fault=None, notes=notes, trace=trace, records=records)


_BY_CLASS = {2: "2.0.0", 4: "4.7.1", 5: "5.7.1"}
"""The enhanced code where a script names none. RFC 3463, 3.8: x.7.1 is a delivery refused by policy."""


_BLANKS = {ord("\t"): " ", ord("\r"): " "}
"""A CR alone is from a message, and makes no line of a reply."""


def response(code: int, text: str, counter: str = "") -> Response:
    """A response from a code and a text that may begin with an enhanced code of the same class. Each line of the text is
    made printable and cut to what a reply's line can hold."""
    enhanced = _BY_CLASS[code // 100]
    head, _, rest = text.partition(" ")
    numbers = head.split(".")
    if (
        len(numbers) == 3
        and all(n.isascii() and n.isdigit() and len(n) <= 3 for n in numbers)
        and numbers[0] == str(code // 100)
    ):
        enhanced, text = head, rest
    lines = text.replace("\r\n", "\n").translate(_BLANKS).split("\n")
    clean = ("".join(c for c in line if c.isprintable()).rstrip() for line in lines)
    room = limits.REPLY_LINE - len(f"{code}-{enhanced} \r\n")
    cut = (line.encode("utf-8", "replace")[:room].decode("utf-8", "ignore") for line in clean)
    return Response(code, enhanced, "\n".join(islice(cut, limits.REPLY_LINES)).strip("\n"), counter)
