r"""message_log: what a front end has done with a message to one line of the log, in text or JSON.

    log_message(_log, line)           # line = message_line("milter", queue_id, session, sender, decision, ...)

A line is a value that is logged in place of a text; the handler's formatter decides on its form (`log_lines.py`).

Text is `name=value` separated by spaces. A value with any character beside letters, digits and `@%+:,./_-`, and an empty one,
is in double quotes, in which `\"` and `\\` are the quote and the backslash: `shlex.split` splits it again, and the first `=`
of each part ends its name. Every `to` begins a recipient; what follows, up to the next `to`, is theirs:

    frontend=milter server=m1 id=4ABC client=192.0.2.1 sender=bob@example.org size=1204 ms=7.4 result=accept
    verdict="yara infected Eicar_Test_File" to=alice@example.com action="fileinto Junk" to=carol@example.com action=discard

JSON has the same fields, with `time`, `level` and `process` before them (in text, the formatter writes these first):

    frontend     the front end: milter, lmtp
    server       the name of its stanza
    id           the message's queue id at the mail server
    client       the client's IP address
    helo, login  the names that the client gave and logged in with
    sender       the envelope sender, "" for the null reverse-path; always there
    size         octets
    ms           milliseconds from the end of the message to the reply, without a delay that scripts ask for
    result       accept, discard, defer or refuse; absent if each recipient has a reply of their own
    reply        the reply for the whole message: {code, enhanced, text}, lines of the text joined by " / "
    reason       why the front end defers the message
    fault        the run-time error of a script of the phases before the recipients: its place, and the message
    verdicts     of each engine: [{engine, status, info}], info being the name of the virus, or the reason
    counters     [{number, counter}]: the counters of responses and, where the message is accepted, of actions
    warnings     what is not done: [text]
    left_out     [{number, of}]: how many warnings, recipients ... there are beside those shown
    recipients   [{to, reply, fault, actions, left_out}], actions being [{action, target}]: the command's name, and what it
                 stores in, sends to or changes

A field that has no value is left out. In text, a list is one field for each of its members, with the name in the singular
(`verdict`, `left_out`), and an object is its values, separated by spaces.

Clients, senders and messages choose much of this: it is printable, each text has a greatest length, and so has the line.
"""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from sieveav.frontends.showing import fault_text
from sieveav.printing import printable
from sieveav.running.effects import AddField, Call, Count, DropFields, Effect, Pipe, Quarantine, Refuse, Send, Store
from sieveav.running.outcome import Action, Response
from sieveav.site.transaction import Decision, RecipientDecision, Session

LINE = 4096 - 128
"""Octets of a line. With what a formatter adds it is shorter than PIPE_BUF, so that lines of several workers on one pipe do
not mix (pipe(7)): a line that is torn apart would let its rest begin a line."""

MEMBERS = 4
"""Members of a list that are shown, recipients aside: of those, as many as there is room for."""

LENGTHS = {
    "server": 64,
    "id": 64,
    "client": 64,
    "helo": 128,
    "login": 128,
    "sender": 256,
    "to": 256,
    "text": 256,
    "reason": 256,
    "fault": 200,
    "info": 128,
    "warnings": 160,
    "target": 200,
}
"""Field -> the most octets of its text; others have LENGTH. RFC 5321, 4.5.3.1.3: a path has up to 256."""

LENGTH = 64

_COUNT_ROOM = 64
"""Octets kept free to say how many recipients are left out."""

_TARGETS: Mapping[type[Effect], Callable[[Any], str | None]] = {
    Store: lambda store: f"{store.special_use} or {store.mailbox}" if store.special_use else store.mailbox,
    Send: lambda send: send.address,
    Pipe: lambda pipe: pipe.program,
    Call: lambda call: call.service,
    AddField: lambda field: field.name,
    DropFields: lambda field: field.name,
    Quarantine: lambda held: held.reason,
}
"""Effect -> what it stores in, sends to or changes."""

Fields = dict[str, Any]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answered:
    """A message that a front end has answered, for `observers`: who did, in how many seconds, what was decided, the reply for
    all, None if there is none, whether it was accepted and dropped, the reply to each recipient, and how often each of the
    scripts' counters counts it."""

    frontend: str
    server: str
    seconds: float
    decision: Decision
    reply: Response | None
    discarded: bool
    answer: Callable[[RecipientDecision], Response | None]
    counters: Mapping[str, int]

    @property
    def result(self) -> str:
        """accept, discard, defer or refuse; mixed, if recipients have different ones."""
        if self.reply is None and not self.discarded:
            results = {_result(self.answer(one), discarded=False) for one in self.decision.recipients}
            if results:
                return results.pop() if len(results) == 1 else "mixed"
        return _result(self.reply, discarded=self.discarded)

    @property
    def faults(self) -> int:
        """How many scripts had a run-time error: one for the phases before the recipients, one for each recipient."""
        faults = (self.decision.fault, *(one.outcome.fault for one in self.decision.recipients))
        return sum(fault is not None for fault in faults)

    @property
    def actions(self) -> Iterator[str]:
        """The names of the actions of each recipient who gets the message; defer or refuse, if they do not."""
        for one in self.decision.recipients:
            result = _result(self.reply or self.answer(one), discarded=False)
            if result != "accept":
                yield result
            else:
                yield from (action.name for action in one.outcome.actions if _is_shown(action))


observers: list[Callable[[Answered], None]] = []
"""What else learns of each message, such as a server that counts. They are called in the threads of scripts."""


def log_message(log: logging.Logger, line: MessageLine) -> None:
    """Log what was done with a message, and let `observers` know."""
    log.log(line.level, line)
    for observe in observers:
        try:
            observe(line.answered)
        except Exception as error:  # a message that is answered is not to fail because of statistics
            _log.error("a message is not counted", exc_info=error)


@dataclass(frozen=True)
class MessageLine:
    """A line of the message log: `str()` is its text. `level` is that of `logging`: a warning, if something is not done."""

    level: int
    answered: Answered
    _head: Fields
    _recipients: Sequence[RecipientDecision]
    _describe: Callable[[RecipientDecision], Fields]

    def __str__(self) -> str:
        head = _text(self._head)
        shown, left_out = self._fitting(head, _text)
        return " ".join(filter(None, [head, _text({"left_out": left_out}), *(text for _, text in shown)]))

    def as_json(self) -> Fields:
        """The line as a JSON object, without the fields of every line of the log."""
        shown, left_out = self._fitting(json.dumps(self._head), json.dumps)
        left_out = [*self._head.get("left_out", ()), *left_out]
        return {**self._head, **({"left_out": left_out} if left_out else {}), "recipients": [each for each, _ in shown]}

    def _fitting(self, head: str, write: Callable[[Fields], str]) -> tuple[list[tuple[Fields, str]], list[Fields]]:
        """The first recipients: as many as fit, as they are written, beside the head; and how many are left out."""
        room = LINE - _COUNT_ROOM - _octets(head)
        shown: list[tuple[Fields, str]] = []
        for one in self._recipients:
            fields = self._describe(one)
            text = write(fields)
            room -= _octets(text) + len(", ")
            if room < 0:
                break
            shown.append((fields, text))
        rest = len(self._recipients) - len(shown)
        return shown, [{"number": rest, "of": "recipients"}] if rest else []


def message_line(
    frontend: str,
    queue_id: str,
    session: Session,
    sender: str,
    decision: Decision,
    *,
    size: int,
    seconds: float,
    server: str = "",
    reply: Response | None = None,
    discarded: bool = False,
    replies: Mapping[str, Response | None] | None = None,
    reason: str = "",
    warnings: Sequence[str] = (),
) -> MessageLine:
    """The line for a message that a front end has answered.

    The reply for the whole message is `reply`, None if it is accepted, or with `discarded` accepted and dropped. A protocol
    with a reply for each recipient gives `replies` instead, by address, None for those who get the message. `seconds` is the
    time from the end of the message to the reply; `server` is the name of the stanza.
    """

    def answer(one: RecipientDecision) -> Response | None:
        return one.response if replies is None else replies.get(one.recipient)

    def describe(one: RecipientDecision) -> Fields:
        actions = [_action(action) for action in one.outcome.actions if _is_shown(action)]
        return _bounded(
            {
                "to": one.recipient,
                "reply": _reply(answer(one)),
                "fault": fault_text(one.outcome.fault),
                "actions": actions,
            }
        )

    verdicts = [{"engine": v.engine, "status": str(v.status), "info": v.info} for v in decision.verdicts]
    counted = Counter(_counters(decision, reply, answer))
    head = {
        "frontend": frontend,
        "server": server,
        "id": queue_id,
        "client": session.client,
        "helo": session.helo,
        "login": session.login,
        "sender": sender,
        "size": size,
        "ms": round(seconds * 1000, 1),
        "result": _result(reply, discarded=discarded) if replies is None else "",
        "reply": _reply(reply),
        "reason": reason,
        "fault": fault_text(decision.fault),
        "verdicts": verdicts,
        "counters": [{"number": number, "counter": name} for name, number in counted.items()],
        "warnings": warnings,
    }
    level = logging.WARNING if reason or warnings else logging.INFO
    answered = Answered(frontend, server, seconds, decision, reply, discarded, answer, counted)
    return MessageLine(level, answered, _bounded(head), decision.recipients, describe)


# ---- fields


def _result(reply: Response | None, *, discarded: bool) -> str:
    if reply is None or reply.code < 400:
        return "discard" if discarded else "accept"
    return "defer" if reply.code < 500 else "refuse"


def _reply(reply: Response | None) -> Fields:
    if reply is None:
        return {}
    return {"code": reply.code, "enhanced": reply.enhanced, "text": " / ".join(reply.text.split("\n"))}


def _is_shown(action: Action) -> bool:
    """Not what is withheld, and not a refusal, which is the reply."""
    return not action.withheld and not any(isinstance(effect, Refuse) for effect in action.effects)


def _action(action: Action) -> Fields:
    targets = (_TARGETS[type(effect)](effect) for effect in action.effects if type(effect) in _TARGETS)
    return {"action": action.name, "target": ", ".join(filter(None, targets))}


def _counters(
    decision: Decision, reply: Response | None, answer: Callable[[RecipientDecision], Response | None]
) -> Iterator[str]:
    """The counters of the responses that scripts gave and, where the message is accepted, of the phases before the
    recipients and of the actions of those who get it."""
    if reply is None or reply.code < 400:
        yield from decision.counters
    if decision.response is not None and decision.response.counter:
        yield decision.response.counter
    for one in decision.recipients:
        if one.response is not None and one.response.counter:
            yield one.response.counter
        if all(each is None or each.code < 400 for each in (reply, answer(one))):
            for action in one.outcome.actions:
                yield from (effect.counter for effect in action.effects if isinstance(effect, Count))


# ---- bounds


def cut(text: str, octets: int) -> str:
    """The beginning of a text, printable, that takes at most so many octets in JSON, and so in any other form."""
    if len(text) * 2 <= octets and text.isascii() and text.isprintable():  # nothing to do, and most texts are so
        return text
    text = printable(text, "?", octets)
    if (text.isascii() and len(text) * 2 <= octets) or len(json.dumps(text)) - 2 <= octets:
        return text
    ends = accumulate(len(json.dumps(character)) - 2 for character in text)
    return text[: sum(end <= octets for end in ends)]


def _octets(text: str) -> int:
    """The octets of a text, in the encoding of standard error in which it is longest."""
    return len(text.encode("ascii", "backslashreplace"))


def _bounded(fields: Mapping[str, Any]) -> Fields:
    """The fields that have a value: texts cut, and the first members of lists with the number of those left out."""
    bounded: Fields = {}
    left_out: list[Fields] = []
    for name, value in fields.items():
        if isinstance(value, str):
            if value or name in _ALWAYS:
                bounded[name] = cut(value, LENGTHS.get(name, LENGTH))
        elif isinstance(value, (int, float)):
            bounded[name] = value
        elif not value:
            continue
        elif isinstance(value, dict):
            bounded[name] = _bounded(value)
        else:
            bounded[name] = [_member(name, member) for member in value[:MEMBERS]]
            if len(value) > MEMBERS:
                left_out.append({"number": len(value) - MEMBERS, "of": name})
    if left_out:
        bounded["left_out"] = left_out
    return bounded


_ALWAYS = ("sender", "to")
"""The fields that are there without a value too: "" is the null reverse-path."""


def _member(name: str, value: str | Fields) -> str | Fields:
    return cut(value, LENGTHS.get(name, LENGTH)) if isinstance(value, str) else _bounded(value)


# ---- text

_BARE = re.compile(r"[A-Za-z0-9@%+:,./_-]+")


def _quoted(value: str) -> str:
    if _BARE.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _text(fields: Fields) -> str:
    return " ".join(f"{name}={_quoted(value)}" for name, value in pairs(fields))


def pairs(fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Name and value of each field in text, the values without quotes."""
    for name, value in fields.items():
        several: Iterable[Any] = value if isinstance(value, list) else [value]
        for one in several:
            shown = " ".join(map(str, one.values())) if isinstance(one, dict) else str(one)
            yield name.removesuffix("s") if isinstance(value, list) else name, shown
