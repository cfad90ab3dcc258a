"""questions: what a run may ask of the world, a closed set, and the host that answers.

Each question says by itself what a host answers that knows nothing of it (`otherwise`) and for how long an answer holds
(`remembered`). So a host is a table: class of question -> how it answers (`Host`), and answers what it can.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from sieveav.language.checking import Checked
from sieveav.values import Value
from sieveav.verdict import Verdict

if TYPE_CHECKING:
    from sieveav.language.problems import Place
    from sieveav.running.message import Message
    from sieveav.running.outcome import Fault, Note, Outcome

A = TypeVar("A")


class Remembered(StrEnum):
    """How long an answer holds."""

    TRANSACTION = "transaction"
    """For all recipients of a message."""
    RECIPIENT = "recipient"
    """For all scripts of one recipient: what is asked about belongs to them."""
    NEVER = "never"
    """It is asked each time: the answer depends on what was done."""


class Question(Value, Generic[A]):
    """A question whose answer is an `A`; hashable, because answers are remembered."""

    otherwise: ClassVar[Any]
    """What a host answers that does not know it."""
    remembered: ClassVar[Remembered] = Remembered.RECIPIENT


@dataclass(frozen=True, slots=True)
class Scanned:
    """The answer to `Scan`: each engine's own verdict, and the context variables that the scan sets."""

    verdicts: tuple[Verdict, ...]
    variables: Mapping[str, str] = field(default_factory=dict)


class Scan(Question[Scanned]):
    """What do the engines named say of the message; all that are configured, where none is named. `part` is the content
    of one MIME part, decoded, when that alone is to be scanned."""

    otherwise: ClassVar[Scanned] = Scanned(())
    remembered: ClassVar[Remembered] = Remembered.NEVER  # whoever scans remembers verdicts; variables are set each time

    engines: tuple[str, ...] = ()
    part: bytes | None = None

    def __str__(self) -> str:
        return f"scan {'a part' if self.part is not None else 'the message'} by {', '.join(self.engines) or 'all'}"


class Mailbox(Question[bool]):
    """Does the mailbox exist, and may the recipient store mail there (RFC 5490, 3.1); or, without a name, is there one
    with the attribute `special_use` (RFC 8579) or the id `mailbox_id` (RFC 9042)."""

    otherwise: ClassVar[bool] = False

    name: str
    special_use: str = ""
    mailbox_id: str = ""

    def __str__(self) -> str:
        return f'does the mailbox "{self.name or self.special_use or self.mailbox_id}" exist'


class Metadata(Question[str | None]):
    """The value of an annotation of a mailbox, or with None of the server; None where it has none (RFC 5490, 4 and 5)."""

    otherwise: ClassVar[None] = None

    mailbox: str | None
    annotation: str

    def __str__(self) -> str:
        return f"the annotation {self.annotation} of {self.mailbox or 'the server'}"


class Environment(Question[str | None]):
    """An item of information about where the script runs (RFC 5183, 4); None for one that is not known."""

    otherwise: ClassVar[None] = None

    item: str

    def __str__(self) -> str:
        return f"the environment item {self.item}"


class Addresses(Question[tuple[str, ...]]):
    """The recipient's own addresses, beside that of the envelope."""

    otherwise: ClassVar[tuple[str, ...]] = ()

    def __str__(self) -> str:
        return "the recipient's addresses"


class Now(Question[datetime]):
    """The time, aware of the local zone: one for a whole transaction. A host that does not know it answers the first
    second of 1970."""

    otherwise: ClassVar[datetime] = datetime(1970, 1, 1, tzinfo=UTC)
    remembered: ClassVar[Remembered] = Remembered.TRANSACTION

    def __str__(self) -> str:
        return "the time"


class Seen(Question[bool | None]):
    """Whether `key` was remembered (`effects.Record`) for this recipient and is not out of date; None where that cannot
    be known, because there is no memory or it cannot be read."""

    otherwise: ClassVar[None] = None

    key: str

    def __str__(self) -> str:
        return f"was {self.key} seen"


class Listed(Question[bool | None]):
    """Whether any of the values is in the external list (RFC 6134); None where there is no such list. Without values:
    whether there is such a list."""

    otherwise: ClassVar[None] = None

    list: str
    values: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"is any of {len(self.values)} values in the list {self.list}" if self.values else f"list {self.list}"


class Members(Question[tuple[str, ...] | None]):
    """The members of an external list (RFC 6134, 2.3); None where there is no such list."""

    otherwise: ClassVar[None] = None

    list: str

    def __str__(self) -> str:
        return f"the members of the list {self.list}"


class Script(Question[Checked | None]):
    """A script by its name, checked; None where there is none. `location` is "personal" or "global" (RFC 6609, 3.2)."""

    otherwise: ClassVar[None] = None
    remembered: ClassVar[Remembered] = Remembered.NEVER  # whoever has scripts remembers them

    name: str
    location: str = "personal"

    def __str__(self) -> str:
        return f'the {self.location} script "{self.name}"'


class Ran(Question[tuple[int, bytes] | None]):
    """Run a program that the site has configured by this name, with `input` as its standard input: its exit status and
    output; None where there is none, or it could not be run."""

    otherwise: ClassVar[None] = None
    remembered: ClassVar[Remembered] = Remembered.NEVER

    program: str
    arguments: tuple[str, ...] = ()
    input: bytes = b""

    def __str__(self) -> str:
        return f"run {self.program}"


class Service(Question[Mapping[str, str] | None]):
    """What a service that the site has configured by this name answers to a request; None where the site has none."""

    otherwise: ClassVar[None] = None
    remembered: ClassVar[Remembered] = Remembered.NEVER

    name: str
    request: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return f"the service {self.name}"


# ---- asked by tests of scripts only: the host of a server answers none of them


class CarryOut(Question["tuple[Note, ...]"], aside=("message", "envelope", "outcome")):
    """Carry out an outcome for the message; what went wrong."""

    otherwise: ClassVar[tuple[Note, ...]] = ()
    remembered: ClassVar[Remembered] = Remembered.NEVER

    message: Message
    envelope: Envelope
    outcome: Outcome

    def __str__(self) -> str:
        return "carry out what was decided"


class Delivered(Question["tuple[bytes, Envelope | None] | None"]):
    """The message of this number (from 0) that was stored in a mailbox or, with None, sent, then with its envelope; None
    where there is none."""

    otherwise: ClassVar[None] = None
    remembered: ClassVar[Remembered] = Remembered.NEVER

    mailbox: str | None
    number: int

    def __str__(self) -> str:
        return f"message {self.number} {'sent' if self.mailbox is None else f'in {self.mailbox}'}"


class Decided(Question["Outcome | str"], aside=("message", "envelope", "context")):
    """What the site decides for a recipient, with the script at a path as the user's own or, with "", the one the site
    has; why it cannot be run."""

    otherwise: ClassVar[str] = "this host is no rehearsal"
    remembered: ClassVar[Remembered] = Remembered.NEVER

    script: str
    message: Message
    envelope: Envelope
    context: Context

    def __str__(self) -> str:
        return f"decide for {self.envelope.recipient}"


class Wanted(Question[bool]):
    """Whether the test of this name is to be run."""

    otherwise: ClassVar[bool] = True
    remembered: ClassVar[Remembered] = Remembered.NEVER

    name: str

    def __str__(self) -> str:
        return f'is the test "{self.name}" wanted'


class Tested(Question[None]):
    """The result of the test of this name: where it begins, and why it failed, None where it passed."""

    otherwise: ClassVar[None] = None
    remembered: ClassVar[Remembered] = Remembered.NEVER

    name: str
    place: Place
    failure: Fault | None

    def __str__(self) -> str:
        return f'the test "{self.name}" {"failed" if self.failure else "passed"}'


class Arrange(Question[str]):
    """Change the world that the next questions are asked of: `what` names the change, `values` say it. What was wrong with
    it, "" when it is done."""

    otherwise: ClassVar[str] = "this host is no rehearsal"
    remembered: ClassVar[Remembered] = Remembered.NEVER

    what: str
    values: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"arrange {self.what} {' '.join(self.values)}".rstrip()


Answers = Mapping[type, Callable[[Any], Any]]
"""How a host answers: class of question -> function of the question."""


class Host:
    """Who answers, for one recipient: by the table `answers`, each question as long as it says.

    `transaction` is shared by the hosts of all recipients of a message: what is remembered for all of them.
    """

    def __init__(self, answers: Answers, transaction: dict[Question[Any], Any] | None = None) -> None:
        self.answers = answers
        self._memory: dict[Remembered, dict[Question[Any], Any]] = {
            Remembered.TRANSACTION: {} if transaction is None else transaction,
            Remembered.RECIPIENT: {},
        }

    def answer(self, question: Question[A]) -> A:
        """The answer to `question`; what the question says itself, where the table has nothing for it."""
        memory = self._memory.get(question.remembered)
        if memory is not None and question in memory:
            return memory[question]  # type: ignore[no-any-return]
        known = self.answers.get(type(question))
        answer = question.otherwise if known is None else known(question)
        if memory is not None:
            memory[question] = answer
        return answer  # type: ignore[no-any-return]

    def forget(self) -> None:
        """Forget all that is remembered: the world has changed."""
        for memory in self._memory.values():
            memory.clear()


@dataclass
class Context:
    """The context variables of a transaction as one recipient sees them: of the message and of the connection."""

    message: dict[str, str] = field(default_factory=dict)
    connection: dict[str, str] = field(default_factory=dict)

    def get(self, name: str) -> str | None:
        """The variable of the message, else of the connection, else None."""
        value = self.message.get(name)
        return self.connection.get(name) if value is None else value

    def copy(self) -> Context:
        """One that can be changed alone."""
        return Context(dict(self.message), dict(self.connection))

    def changed_since(self, earlier: Context) -> dict[str, str | None]:
        """What was set, and as None what was deleted, after `earlier`."""
        changed: dict[str, str | None] = {}
        for now, then in ((self.connection, earlier.connection), (self.message, earlier.message)):
            changed.update({name: value for name, value in now.items() if then.get(name) != value})
            changed.update(dict.fromkeys(then.keys() - now.keys()))
        return changed


@dataclass(frozen=True)
class Envelope:
    """The SMTP envelope as one recipient's scripts see it; `sender` "" is the null reverse-path. `orig_to` is the address
    before any rewriting, "" if it is the recipient; `auth` the authenticated sender; the parameters are those of MAIL FROM
    and RCPT TO (RFC 6009)."""

    sender: str = ""
    recipient: str = ""
    orig_to: str = ""
    auth: str = ""
    sender_parameters: tuple[tuple[str, str], ...] = ()
    recipient_parameters: tuple[tuple[str, str], ...] = ()
