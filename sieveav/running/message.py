"""message: a message's octets to the values that tests look at, each worked out once, for all recipients.

A *subject* is a question to the message, such as "the Subject fields, folded": one object for each distinct question, so
that asking is a look-up by identity; the message works out the answer when it is first asked for.

    message[shared(HeaderValues(Fields(("subject",)), upper))]   ->   ("HELLO",)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Protocol

from sieveav import headers
from sieveav.running.addresses import Address, mailboxes

if TYPE_CHECKING:
    from sieveav.mime import Part

Values = tuple[str, ...]
Fold = Callable[[str], str] | None
"""How a comparator makes strings that it holds equal the same; None where it changes nothing."""


class Subject(Protocol):
    """A question to a message, or to a part of one."""

    def of(self, message: Any) -> Any:
        """The answer; asked for once."""
        ...


class Asked(dict[Any, Any]):
    """What has header fields and answers subjects: subject -> answer."""

    fields: dict[str, list[str]]
    """Lower-cased name -> the raw values of the fields of that name, in their order."""

    def __init__(self, header: bytes) -> None:
        fields: defaultdict[str, list[str]] = defaultdict(list)
        for name, value in headers.fields(header):
            fields[name.lower()].append(value)
        fields.default_factory = None  # from here on a plain dict
        self.fields = fields

    def __missing__(self, subject: Any) -> Any:
        answer = self[subject] = subject.of(self)
        return answer

    def __hash__(self) -> int:  # type: ignore[override]
        return id(self)  # it is itself: what it has answered is no part of it

    def __eq__(self, other: object) -> bool:
        return self is other

    def __ne__(self, other: object) -> bool:
        return self is not other


class Message(Asked):
    """One message, shared by all recipients of a transaction.

    `raw` is the message as received, dot-unstuffed; `size` its octets (RFC 5228, 5.9).
    """

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.size = len(raw)
        self.header_end, self.body_start = headers.header_end(raw)
        super().__init__(raw[: self.header_end])

    @cached_property
    def structure(self) -> Part:
        """The tree of MIME parts; only a script that looks at the body asks for it."""
        from sieveav import mime  # for scripts that look into the body

        return mime.parse(self.raw)

    @cached_property
    def whole(self) -> Entity:
        """The message as the outermost of its parts."""
        return Entity(self.structure)

    def walk(self) -> Iterator[Entity]:
        """All its parts, itself the first, in their order."""
        return self.whole.walk()


class Entity(Asked):
    """One MIME part of a message, its outermost included; shared as the message is."""

    def __init__(self, part: Part) -> None:
        super().__init__(part.header)
        self.part = part

    @cached_property
    def parts(self) -> tuple[Entity, ...]:
        """The parts just below."""
        return tuple(Entity(part) for part in self.part.parts)

    def walk(self) -> Iterator[Entity]:
        """It and all below it, in the order of the message."""
        todo = [self]
        while todo:
            entity = todo.pop()
            yield entity
            todo.extend(reversed(entity.parts))


@dataclass(frozen=True)
class Fields:
    """Which header fields a subject looks at: those of `names` (lower-case), of the message.

    A foreign tag of a test may put another kind of fields in its place; `of` gives the raw values.
    """

    names: tuple[str, ...]

    def of(self, message: Asked) -> list[str]:
        if len(self.names) == 1:
            return message.fields.get(self.names[0], [])
        return [value for name in self.names for value in message.fields.get(name, ())]


@dataclass(frozen=True)
class HeaderValues:
    """The values of header fields: unfolded, trimmed, decoded (RFC 5228, 5.7; RFC 2047), and folded by a comparator."""

    source: Any
    fold: Fold = None
    needs: str = field(default="", kw_only=True)

    def of(self, message: Asked) -> Values:
        fold = self.fold
        found = [headers.decode_words(headers.unfold(value)) for value in self.source.of(message)]
        return tuple(found if fold is None else [fold(value) for value in found])


AddressPart = Callable[[Address], str | None]


@dataclass(frozen=True)
class AddressValues:
    """One part of each address in header fields, folded; an address that lacks the part gives nothing."""

    source: Any
    part: AddressPart
    fold: Fold = None
    needs: str = field(default="", kw_only=True)

    @cached_property
    def _addresses(self) -> Shared:  # asked for by identity: the source is hashed once, not for every message
        return addresses_of(self.source)

    def of(self, message: Asked) -> Values:
        part, fold = self.part, self.fold
        found = [value for address in message[self._addresses] if (value := part(address)) is not None]
        return tuple(found if fold is None else [fold(value) for value in found])

    def counted(self) -> AddressValues:
        """What a count counts: the mailboxes, whatever part of them is asked for (RFC 5231, 4.2)."""
        return AddressValues(self.source, _mailbox, needs=self.needs)


def _mailbox(address: Address) -> str | None:
    return None if address.local is None else address.text


@dataclass(frozen=True)
class Addresses:
    """The addresses in header fields."""

    source: Any

    def of(self, message: Asked) -> list[Address]:
        found: list[Address] = []
        for value in self.source.of(message):
            found += mailboxes(headers.unfold(value))  # RFC 2047, 5: no encoded word stands within an address
        return found


class Shared:
    """A subject by identity: what `shared` gives for equal questions is one object, and no hash is worked out twice."""

    __slots__ = ("of", "subject")

    def __init__(self, subject: Any) -> None:
        self.subject = subject
        self.of = subject.of


@lru_cache(maxsize=8192)
def shared(subject: Any) -> Shared:
    """The one object for all subjects equal to `subject`; when it is forgotten, the next just asks the message again."""
    return Shared(subject)


@lru_cache(maxsize=2048)
def addresses_of(source: Any) -> Shared:
    return Shared(Addresses(source))


def names_of(names: Sequence[str]) -> tuple[str, ...]:
    """Header names as they are looked up: RFC 5228, 2.7: always without regard to case; 2.4.2.2: white space around a
    name matters to nobody, and no field has a name with a colon."""
    return tuple(name.strip().lower() for name in names)
