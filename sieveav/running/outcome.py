"""outcome: what a run decided, as data: actions in order, the SMTP response, the fault, notes, records, the trace.

An action has the name of its Sieve command and a list of effects (see `effects.py`), so a front end can carry out actions
that it does not know. Two runs with the same input give equal outcomes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from typing import Any

from sieveav import limits
from sieveav.language.problems import Place, Severity
from sieveav.printing import printable
from sieveav.running.effects import Delay, Edit, Effect, Quarantine, Record, Refuse, Send, Store, Target, fields_of
from sieveav.verdict import plain


@dataclass(frozen=True)
class Action:
    """One action of an outcome.

    `place` is its command in the script, None for an implicit keep. `cancels_keep` says whether it cancels the implicit
    keep, `keeps` whether it is itself a keep, which lets the next script run. `conflicts` names the actions that it is
    incompatible with. `details` are fields to show in addition to those of the effects. `withheld` says why nothing is
    done after all: such an action has no effects, but still conflicts with others.
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
        """What identifies it: of several actions with the same key only the last remains. The targets of its effects or,
        without effects, its name and details; None for an edit, which never repeats another action."""
        if not self.effects:
            return (self.name, *sorted((name, repr(value)) for name, value in self.details.items()))
        targets: tuple[Target, ...] = tuple([effect.target for effect in self.effects])
        return None if None in targets else targets

    @property
    def is_edit(self) -> bool:
        """Whether it does nothing but change the message."""
        return bool(self.effects) and all(isinstance(effect, Edit) for effect in self.effects)

    @cached_property
    def sends(self) -> int:
        """How many copies of the incoming message it sends on."""
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
        store = next((effect for effect in other.effects if isinstance(effect, Store)), None)
        if store is None or not (store.flags or store.expire):
            return self
        effects: list[Effect] = []
        for effect in self.effects:
            if isinstance(effect, Store) and effect.message is None:
                effect = effect.changed(flags=effect.flags or store.flags, expire=effect.expire or store.expire)
            effects.append(effect)
        return replace(self, effects=tuple(effects))

    def as_json(self) -> dict[str, object]:
        """The action as a JSON object."""
        fields: dict[str, object] = {"action": self.name, **fields_of(self.effects, self.details)}
        if self.implicit:
            fields["implicit"] = True
        if self.place is not None:
            fields["at"] = self.place.as_json()
        return fields

    def summary(self) -> str:
        """The action in a few words: its name and the summaries of its effects."""
        summaries = ", ".join(text for effect in self.effects if (text := effect.summary()))
        summaries = summaries or (f"withheld: {self.withheld}" if self.withheld else "")
        head = f"implicit {self.name}" if self.implicit else self.name
        return f"{head}{'' if summaries.startswith(':') else ' '}{summaries}".strip()


def repeated(earlier: Action, later: Action) -> Action:
    """Two actions with the same key, merged into one.

    RFC 5228, 2.10.3: a message is stored in a mailbox only once; a second time is no error. RFC 5232, 3: it gets the flags
    of the last action. A fileinto of the same mailbox takes precedence over a keep. The mailbox is created if either
    action says so.
    """
    action = later
    if later.keeps and not earlier.keeps:
        mailboxes = [effect.mailbox for effect in earlier.effects if isinstance(effect, Store)]
        action = replace(earlier, effects=later.effects).changing(Store, mailbox=mailboxes[0])
    if any(isinstance(effect, Store) and effect.create for effect in earlier.effects):
        action = action.changing(Store, create=True)
    return action


@dataclass(frozen=True, slots=True)
class Response:
    """An SMTP response: the code, the enhanced code ("5.7.1", RFC 3463), and the text, its lines joined by newlines.

    `counter` is the name of the server's counter for it, `place` the command that set it. A server waits `delay` seconds
    before it replies, and with `disconnect` closes the connection afterwards. The text is printable, but may contain
    characters outside ASCII: see `in_ascii`.
    """

    code: int
    enhanced: str
    text: str
    counter: str = ""
    place: Place | None = None
    delay: float = 0.0
    disconnect: bool = False

    def __post_init__(self) -> None:
        lines = [printable(line, "") for line in self.text.split("\n")]
        object.__setattr__(self, "text", "\n".join(lines))
        object.__setattr__(self, "counter", plain(self.counter))

    @property
    def utf8(self) -> bool:
        """Whether the text contains characters outside ASCII."""
        return not self.text.isascii()

    def in_ascii(self) -> Response:
        """The response with a text in ASCII, for a client that has not asked for UTF-8 (SMTPUTF8, RFC 6531, 3.7.4).

        RFC 5429, 2.1.1: text outside ASCII is replaced by a string of the implementation's own. Here letters lose their
        accents and other characters become `?`; a line without any letter or digit left becomes a generic text. RFC 5429,
        2.2: a front end that can send a notice uses that for `reject` instead, because it keeps the exact text.
        """
        if not self.utf8:
            return self
        return replace(self, text="\n".join([_in_ascii(line) for line in self.text.split("\n")]))

    def as_json(self) -> dict[str, object]:
        """The response as a JSON object; `"utf8": true` marks a text that needs SMTPUTF8."""
        fields: dict[str, object] = {"code": self.code, "enhanced": self.enhanced, "text": self.text}
        more = {"utf8": self.utf8, "delay": self.delay, "disconnect": self.disconnect}
        return {**fields, **{name: value for name, value in more.items() if value}}


NO_ASCII_TEXT = "The reason cannot be shown in ASCII"
"""Takes the place of a line of a response that has no ASCII form."""


def _in_ascii(line: str) -> str:
    if line.isascii():
        return line
    from unicodedata import combining, normalize  # for responses outside ASCII only

    # compatibility forms of one character are up to 18 characters: a line must not grow
    letters = "".join([c for c in normalize("NFKD", line) if not combining(c)])[: len(line.encode("utf-8", "replace"))]
    text = letters.encode("ascii", "replace").decode("ascii")
    return text if any(c.isalnum() for c in text) else NO_ASCII_TEXT


LINE_LENGTH = 1024
"""Characters of a fault, of a note and of each text of a trace: much of them may come from a message."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A run-time error: why a script did not run to its end, printable and on one line, and where."""

    message: str
    place: Place | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", printable(self.message, " ", LINE_LENGTH))


@dataclass(frozen=True, slots=True)
class Note:
    """A message of a run besides its actions: about a fault, about something ignored, or what a script logs. `text` is
    printable and on one line."""

    severity: Severity
    text: str
    place: Place | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", printable(self.text, " ", LINE_LENGTH))


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a trace: where, what was done or asked there, and the result; printable and on one line."""

    place: Place | None
    what: str
    result: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "what", printable(self.what, " ", LINE_LENGTH))
        object.__setattr__(self, "result", printable(self.result, " ", LINE_LENGTH))


IMPLICIT_KEEP = Action("keep", (Store(),), cancels_keep=False, keeps=True, implicit=True)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What scripts have decided so far for one recipient or, in a data phase, for the whole message.

    `keep` says whether an implicit or explicit keep still applies: if so, the next script runs. `ended` says that a
    response ended the phase. `implicit` is the implicit keep, with the flags that the scripts gave it. `records` are
    stored once everything else has succeeded.
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
        """The outcome of a phase that `response` ends: no actions and no keep. A temporary failure drops the records too,
        because the client will send the message again. The response is delayed as the actions say. None: the response is
        set elsewhere, for all recipients."""
        if response is not None and not response.delay and self.delay:
            response = replace(response, delay=self.delay)
        lasting = response is None or response.code >= 500
        records = self.records if lasting and response is not None else ()
        return replace(self, actions=(), keep=False, response=response, ended=True, records=records)

    @property
    def answer(self) -> Response | None:
        """The SMTP response: the one that a script set, else that of a refusal among the actions (RFC 5429, 2.5: 550 and
        5.7.1); None if the message is accepted."""
        if self.response is not None:
            return self.response
        for action in self.actions:
            for effect in action.effects:
                if isinstance(effect, Refuse):
                    return replace(response(550, f"5.7.1 {effect.reason}"), place=action.place, delay=self.delay)
        return None

    @property
    def delay(self) -> float:
        """Seconds by which the reply is delayed, a response as well as the acceptance of a command or a message; at most
        limits.LONGEST_DELAY."""
        if not self.actions and self.response is None:
            return 0.0
        seconds = [effect.seconds for action in self.actions for effect in action.effects if isinstance(effect, Delay)]
        if self.response is not None:
            seconds.append(self.response.delay)
        return min(max(seconds, default=0.0), limits.LONGEST_DELAY)

    @property
    def quarantine(self) -> str | None:
        """Why the message is held; None if it is not."""
        held = (effect for action in self.actions for effect in action.effects if isinstance(effect, Quarantine))
        return next((effect.reason for effect in held), None)

    def without_sends(self, why: str) -> Outcome:
        """The outcome with every action withheld that sends a message; with the implicit keep, if otherwise nothing would be
        done with a message that was to be sent on."""
        if not any(isinstance(effect, Send) for action in self.actions for effect in action.effects):
            return self
        actions = tuple(
            replace(action, effects=(), withheld=why)
            if any(isinstance(effect, Send) for effect in action.effects)
            else action
            for action in self.actions
        )
        lost = any(action.sends for action in self.actions) and not any(_stores(action) for action in actions)
        return replace(self, actions=(*actions, self.implicit) if lost else actions)

    def with_implicit_keep(self) -> Outcome:
        """The outcome with the implicit keep among its actions, if it applies. RFC 5228, 2.10.2; a message is not stored
        in the inbox twice (2.10.3)."""
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


def _stores(action: Action) -> bool:
    return any(isinstance(effect, Store) and effect.message is None for effect in action.effects)


UNDECIDED = Outcome()
"""The outcome before the first script."""

KEPT = Outcome(actions=(IMPLICIT_KEEP,))
"""The outcome of a message for which scripts decide nothing."""


def merge(before: Outcome, own: Outcome) -> Outcome:
    """One outcome from those of two scripts of the same recipient: that of all scripts `before`, and the last one's `own`.

    =================  =====================================  =====  =======================  ==================
    own script         actions                                keep   implicit, records        response
    =================  =====================================  =====  =======================  ==================
    failed             before's                               True   before's                 none
    set a response     none                                   False  records unless 4xx       own
    keeps              before's, its keeps only if the script  True  own; both's records      none
                       has none of its own, then own
    cancels the keep   before's except its keeps, then own    False  own; both's records      none
    =================  =====================================  =====  =======================  ==================

    A keep of an earlier script only lets this one run: it never conflicts with the actions of this one, and comes after
    its edits. An own action replaces an earlier one with the same key. Notes and trace of both are kept, in order. An
    earlier script's delay applies to an own response too, unless that has one.
    """
    notes, trace = (*before.notes, *own.notes), (*before.trace, *own.trace)
    if own.fault is not None:
        return replace(before, keep=True, fault=own.fault, notes=notes, trace=trace)
    records = (*before.records, *own.records)
    if own.ended:
        both = replace(own, actions=before.actions, records=records, notes=notes, trace=trace, implicit=before.implicit)
        return both.refused(own.response)
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
"""A CR alone comes from a message, and does not start a line of a reply."""


def response(code: int, text: str, counter: str = "") -> Response:
    """A response with `code` and a text, which may begin with an enhanced code of the same class. Lines that are too long
    for a reply are cut (limits.REPLY_LINE), and so are too many lines."""
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
    clean = (printable(line, "").rstrip() for line in lines)
    room = limits.REPLY_LINE - len(f"{code}-{enhanced} \r\n")
    cut = (line.encode("utf-8", "replace")[:room].decode("utf-8", "ignore") for line in clean)
    return Response(code, enhanced, "\n".join(islice(cut, limits.REPLY_LINES)).strip("\n"), counter)
