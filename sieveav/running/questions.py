"""questions: everything that a run may ask about the world outside its script, a closed set, and the host that answers.

Each class of questions has a default answer (`otherwise`) and says for how long an answer is remembered (`remembered`).
So a host needs no more than a table: class of question -> function that answers it (`Host`).
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
    """For how long an answer is remembered."""

    TRANSACTION = "transaction"
    """For all recipients of a message."""
    RECIPIENT = "recipient"
    """For all scripts of one recipient: the question is about something that belongs to the recipient."""
    NEVER = "never"
    """It is asked each time, because the answer can change."""


class Question(Value, Generic[A]):
    """A question whose answer is an `A`; hashable, because answers are remembered. `str(question)` is for the trace."""

    otherwise: ClassVar[Any]
    """The answer of a host that does not know the question."""
    remembered: ClassVar[Remembered] = Remembered.RECIPIENT


@dataclass(frozen=True, slots=True)
class Scanned:
    """The answer to `Scan`: each engine's own verdict, and the context variables that the scan sets."""

    verdicts: tuple[Verdict, ...]
    variables: Mapping[str, str] = field(default_factory=dict)


class Scan(Question[Scanned]):
    """The verdicts of the named engines on the message; without names, of all configured engines. `part` is the decoded
    content of one MIME part, if only that is to be scanned. `edited` is the message with the edits of earlier scripts, if
    there are any: the run adds it, for the engines that are to scan that."""

    otherwise: ClassVar[Scanned] = Scanned(())
    remembered: ClassVar[Remembered] = (
        Remembered.NEVER
    )  # the host remembers each engine's verdict; variables are set each time

    engines: tuple[str, ...] = ()
    part: bytes | None = None
    edited: Message | None = None

    def __str__(self) -> str:
        return f"scan {'a part' if self.part is not None else 'the message'} with {', '.join(self.engines) or 'all engines'}"


class Mailbox(Question[bool]):
    """Whether the mailbox exists and the recipient may store mail there (RFC 5490, 3.1), and has the attribute
    `special_use` (RFC 8579), if one is given. Without a name: whether there is a mailbox with the attribute, or the id
    `mailbox_id` (RFC 9042)."""

    otherwise: ClassVar[bool] = False

    name: str
    special_use: str = ""
    mailbox_id: str = ""

    def __str__(self) -> str:
        name = self.name or self.mailbox_id
        mailbox = f'mailbox "{name}"' if name else "a mailbox"
        return f"{mailbox} with {self.special_use} exists" if self.special_use else f"{mailbox} exists"


class Metadata(Question[str | None]):
    """The value of an annotation of a mailbox or, if `mailbox` is None, of the server; None if it is not set (RFC 5490, 4
    and 5)."""

    otherwise: ClassVar[None] = None

    mailbox: str | None
    annotation: str

    def __str__(self) -> str:
        return f"annotation {self.annotation} of {self.mailbox or 'the server'}"


class Environment(Question[str | None]):
    """An item of information about the environment of the script (RFC 5183, 4); None if the item is unknown."""

    otherwise: ClassVar[None] = None

    item: str

    def __str__(self) -> str:
        return f"environment item {self.item}"


class Addresses(Question[tuple[str, ...]]):
    """The recipient's own addresses, in addition to that of the envelope."""

    otherwise: ClassVar[tuple[str, ...]] = ()

    def __str__(self) -> str:
        return "addresses of the recipient"


class Now(Question[datetime]):
    """The current time in the local zone, the same for a whole transaction. The default is the first second of 1970."""

    otherwise: ClassVar[datetime] = datetime(1970, 1, 1, tzinfo=UTC)
    remembered: ClassVar[Remembered] = Remembered.TRANSACTION

    def __str__(self) -> str:
        return "current time"


class Seen(Question[bool | None]):
    """Whether `key` is recorded (`effects.Record`) for this recipient and has not expired; None if that is unknown,
    because there is no state or it cannot be read."""

    otherwise: ClassVar[None] = None

    key: str

    def __str__(self) -> str:
        return f"{self.key} seen before"


class Listed(Question[bool | None]):
    """Whether any of the values is in the external list (RFC 6134); None if there is no such list. Without values:
    whether the list exists."""

    otherwise: ClassVar[None] = None

    list: str
    values: tuple[str, ...] = ()

    def __str__(self) -> str:
        values = f"{len(self.values)} value{'' if len(self.values) == 1 else 's'}"
        return f"any of {values} in list {self.list}" if self.values else f"list {self.list} exists"


class Members(Question[tuple[str, ...] | None]):
    """The members of an external list (RFC 6134, 2.3); None if there is no such list."""

    otherwise: ClassVar[None] = None

    list: str

    def __str__(self) -> str:
        return f"members of list {self.list}"


class Script(Question[Checked | None]):
    """The checked script of this name; None if there is no such script. `location` is "personal" or "global" (RFC 6609,
    3.2)."""

    otherwise: ClassVar[None] = None
    remembered: ClassVar[Remembered] = Remembered.NEVER  # the host has its own cache of scripts

    name: str
    location: str = "personal"

    def __str__(self) -> str:
        return f'{self.location} script "{self.name}"'


class Ran(Question[tuple[int, bytes] | None]):
    """The exit status and output of a program that the site has configured by this name, run with `input` as its standard
    input; None if there is no such program or it could not be run."""

    otherwise: ClassVar[None] = None
    remembered: ClassVar[Remembered] = Remembered.NEVER

    program: str
    arguments: tuple[str, ...] = ()
    input: bytes = b""

    def __str__(self) -> str:
        return f"program {self.program}"


class Service(Question[Mapping[str, str] | None]):
    """The answer of a service that the site has configured by this name; None if there is no such service."""

    otherwise: ClassVar[None] = None
    remembered: ClassVar[Remembered] = Remembered.NEVER

    name: str
    request: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return f"service {self.name}"


# ---- questions of the test languages, which the host of a server does not answer


class CarryOut(Question["tuple[Note, ...]"], aside=("message", "envelope", "outcome")):
    """Carry out an outcome for the message; the answer is the errors and warnings."""

    otherwise: ClassVar[tuple[Note, ...]] = ()
    remembered: ClassVar[Remembered] = Remembered.NEVER

    message: Message
    envelope: Envelope
    outcome: Outcome

    def __str__(self) -> str:
        return "carry out the outcome"


class Delivered(Question["tuple[bytes, Envelope | None] | None"]):
    """The message with this number (from 0) in a mailbox or, if `mailbox` is None, among those that were sent, then with
    its envelope; None if there is no such message."""

    otherwise: ClassVar[None] = None
    remembered: ClassVar[Remembered] = Remembered.NEVER

    mailbox: str | None
    number: int

    def __str__(self) -> str:
        return f"message {self.number} {'sent' if self.mailbox is None else f'in {self.mailbox}'}"


class Decided(Question["Outcome | str"], aside=("message", "envelope", "context")):
    """The site's outcome for a recipient, with the script at the path `script` as the user's own or, if that is "", with
    the user's current script; a string that says why, if it cannot be run."""

    otherwise: ClassVar[str] = "only available in tests of scripts"
    remembered: ClassVar[Remembered] = Remembered.NEVER

    script: str
    message: Message
    envelope: Envelope
    context: Context

    def __str__(self) -> str:
        return f"decide for {self.envelope.recipient}"


class Wanted(Question[bool]):
    """Whether to run the test of this name."""

    otherwise: ClassVar[bool] = True
    remembered: ClassVar[Remembered] = Remembered.NEVER

    name: str

    def __str__(self) -> str:
        return f'test "{self.name}" selected'


class Tested(Question[None]):
    """Report the result of the test of this name, which begins at `place`: why it failed, or None if it passed."""

    otherwise: ClassVar[None] = None
    remembered: ClassVar[Remembered] = Remembered.NEVER

    name: str
    place: Place
    failure: Fault | None

    def __str__(self) -> str:
        return f'test "{self.name}" {"failed" if self.failure else "passed"}'


class Arrange(Question[str]):
    """Change the state that later questions are about: `what` names the change, `values` are its arguments. The answer is
    what was wrong, "" if nothing."""

    otherwise: ClassVar[str] = "only available in tests of scripts"
    remembered: ClassVar[Remembered] = Remembered.NEVER

    what: str
    values: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"arrange {self.what} {' '.join(self.values)}".rstrip()


Answers = Mapping[type, Callable[[Any], Any]]
"""The answers of a host: class of question -> function of the question."""


class Host:
    """Answers the questions of one recipient's scripts from the table `answers`, and remembers the answers.

    `transaction` is what is remembered for all recipients of a message: their hosts share it.
    """

    def __init__(self, answers: Answers, transaction: dict[Question[Any], Any] | None = None) -> None:
        self.answers = answers
        self._memory: dict[Remembered, dict[Question[Any], Any]] = {
            Remembered.TRANSACTION: {} if transaction is None else transaction,
            Remembered.RECIPIENT: {},
        }

    def remembers(self, question: Question[Any]) -> bool:
        """Whether the answer to `question` is remembered, so that nobody is asked; for the trace."""
        return question in self._memory.get(question.remembered, {})

    def answer(self, question: Question[A]) -> A:
        """The answer to `question`, its default if the table has no entry for it."""
        memory = self._memory.get(question.remembered)
        if memory is not None and question in memory:
            return memory[question]  # type: ignore[no-any-return]
        function = self.answers.get(type(question))
        answer = question.otherwise if function is None else function(question)
        if memory is not None:
            memory[question] = answer
        return answer  # type: ignore[no-any-return]

    def forget(self) -> None:
        """Forget all answers, because what they are about has changed."""
        for memory in self._memory.values():
            memory.clear()


@dataclass
class Context:
    """The context variables of the message and of the connection, as one recipient's scripts see them."""

    message: dict[str, str] = field(default_factory=dict)
    connection: dict[str, str] = field(default_factory=dict)

    def get(self, name: str) -> str | None:
        """The variable of the message, or else of the connection, or else None."""
        value = self.message.get(name)
        return self.connection.get(name) if value is None else value

    def copy(self) -> Context:
        """An independent copy."""
        return Context(dict(self.message), dict(self.connection))

    def changed_since(self, earlier: Context) -> dict[str, str | None]:
        """The variables that were set after `earlier`, and those that were deleted, as None."""
        changed: dict[str, str | None] = {}
        for now, then in ((self.connection, earlier.connection), (self.message, earlier.message)):
            if now == then:
                continue
            changed.update({name: value for name, value in now.items() if then.get(name) != value})
            changed.update(dict.fromkeys(then.keys() - now.keys()))
        return changed


@dataclass(frozen=True)
class Envelope:
    """The SMTP envelope as one recipient's scripts see it. `sender` "" is the null reverse-path; `orig_to` is the address
    before any rewriting, "" if it is the recipient; `auth` is the authenticated sender; the parameters are those of MAIL
    FROM and RCPT TO (RFC 6009)."""

    sender: str = ""
    recipient: str = ""
    orig_to: str = ""
    auth: str = ""
    sender_parameters: tuple[tuple[str, str], ...] = ()
    recipient_parameters: tuple[tuple[str, str], ...] = ()
