"""outcome: what a run decided, as data: actions in order, the SMTP response, the fault, the trace.

An action has a name, which is Sieve's, and the effects it stands for, which are a closed set: a front end carries out
actions it has never heard of. Two runs of the same input give equal outcomes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from typing import Any

from sieveav import limits


def mailbox_flaw(name: str) -> str:
    """Why `name` can be no mailbox, "" when it can. RFC 5228, 4.1: UTF-8; control characters have no place in it."""
    if not name:
        return "a mailbox has a name"
    if len(name) > 255:
        return "this name of a mailbox is too long"
    if any(c < " " or "\x7f" <= c <= "\x9f" or "\ud800" <= c <= "\udfff" for c in name):
        return "a mailbox's name holds no control characters and is UTF-8"
    return ""


@dataclass(frozen=True, slots=True)
class Store:
    """Put the message into `mailbox`, None for the one where new mail goes; `create` it where it is missing."""

    mailbox: str | None = None
    flags: tuple[str, ...] = ()
    create: bool = False

    def fields(self) -> dict[str, object]:
        named = {} if self.mailbox is None else {"mailbox": self.mailbox}
        return {**named, "flags": list(self.flags), **({"create": True} if self.create else {})}


@dataclass(frozen=True, slots=True)
class Send:
    """Send the message on to `address`, its content unchanged (RFC 5228, 4.2)."""

    address: str

    def fields(self) -> dict[str, object]:
        return {"address": self.address}


@dataclass(frozen=True, slots=True)
class Refuse:
    """Refuse the message with `reason` by the protocol where it can be; else, unless `silent`, by a notice to the
    sender (RFC 5429)."""

    reason: str
    silent: bool = False

    def fields(self) -> dict[str, object]:
        return {"reason": self.reason}


@dataclass(frozen=True, slots=True)
class Discard:
    """Throw the message away without a word (RFC 5228, 4.4)."""

    def fields(self) -> dict[str, object]:
        return {}


Effect = Store | Send | Refuse | Discard


@dataclass(frozen=True, slots=True)
class Action:
    """One action of an outcome. `place` is where in which script it stands (path, line, column), None for an implicit
    keep; `conflicts` names the actions it cannot go together with; `details` are fields of its own for people and
    machines to read, beyond those of its effects."""

    name: str
    effects: tuple[Effect, ...]
    cancels_keep: bool = True
    conflicts: frozenset[str] = frozenset()
    details: Mapping[str, object] = field(default_factory=dict)
    place: Mapping[str, object] | None = None
    implicit: bool = False

    def storing(self, **changes: Any) -> Action:
        """The action with every Store among its effects changed: for foreign tags such as `:flags`."""
        effects = tuple(replace(e, **changes) if isinstance(e, Store) else e for e in self.effects)
        return replace(self, effects=effects)

    def repeats(self, other: Action) -> bool:
        """Whether both do the same to the same, be it with other flags; without an effect, their details tell."""
        mine, theirs = (action.storing(flags=(), create=False) for action in (self, other))
        same = mine.name == theirs.name and mine.effects == theirs.effects
        return same and (bool(mine.effects) or mine.details == theirs.details)

    @property
    def creates(self) -> bool:
        """Whether it creates the mailbox that it stores in, where that is missing."""
        return any(isinstance(effect, Store) and effect.create for effect in self.effects)

    @property
    def keeps(self) -> bool:
        """Whether this is a keep, written or implicit: the message goes where it would have gone."""
        return any(isinstance(effect, Store) and effect.mailbox is None for effect in self.effects)

    def as_json(self) -> dict[str, object]:
        """The action as machines read it."""
        found: dict[str, object] = {"action": self.name}
        for effect in self.effects:
            found.update(effect.fields())
        found.update(self.details)
        if self.implicit:
            found["implicit"] = True
        if self.place is not None:
            found["at"] = dict(self.place)
        return found


def where(place: Mapping[str, object] | None) -> str:
    """A place as people read it: `path:line`, the path alone where no line is known, "" for none."""
    if place is None:
        return ""
    return f"{place['path']}:{place['line']}" if "line" in place else str(place["path"])


@dataclass(frozen=True, slots=True)
class Response:
    """An SMTP response: the code, the enhanced code ("5.7.1", RFC 3463), and the text, its lines joined by newlines;
    `counter` names what a server counts it under, `place` where in which script it was set."""

    code: int
    enhanced: str
    text: str
    counter: str = ""
    place: Mapping[str, object] | None = None

    def as_json(self) -> dict[str, object]:
        return {"code": self.code, "enhanced": self.enhanced, "text": self.text}


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a script did not run to its end, and where it was."""

    message: str
    place: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a trace: where, what was asked or done there, and the answer."""

    place: Mapping[str, object] | None
    what: str
    result: str


IMPLICIT_KEEP = Action("keep", (Store(),), cancels_keep=False, implicit=True)


@dataclass(frozen=True)
class Outcome:
    """What is decided so far for one recipient, or in a data phase for the whole message.

    `keep` says whether a keep, implicit or written, still stands: then the next script runs. `ended` says that a response
    or a terminal action ended the phase; `implicit` is the keep that stands where nothing else is done, as the scripts so
    far would have it.
    """

    actions: tuple[Action, ...] = ()
    keep: bool = True
    response: Response | None = None
    fault: Fault | None = None
    trace: tuple[Step, ...] = ()
    ended: bool = False
    implicit: Action = IMPLICIT_KEEP

    def settled(self) -> Outcome:
        """The outcome with the implicit keep, if it stands, among its actions. RFC 5228, 2.10.2."""
        return self._settled

    @cached_property
    def _settled(self) -> Outcome:  # most messages meet no rule, and end in one and the same outcome
        if not self.keep or self.ended or any(action.keeps for action in self.actions):
            return self
        return replace(self, actions=(*self.actions, self.implicit))


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
