"""message: a message's octets to the values that tests compare, each worked out once for all recipients.

A *subject* is a question to the message, such as "the Subject fields, folded". There is one object for each distinct
question, so that asking is a look-up by identity. The message works out the answer when it is first asked.

    message[intern_subject(HeaderValues(Fields(("subject",)), upper))]   ->   ("HELLO",)

Over 400 lines, because a message, its parts and its edited views answer the same questions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from sieveav import composing, headers
from sieveav.running.addresses import Address, mailboxes
from sieveav.running.effects import AddField, DropFields, Edit, Rewrite

if TYPE_CHECKING:
    from sieveav.mime import Part

Values = tuple[str, ...]
Path = tuple[int, ...]
"""Where a part of a message is: see `Entity`."""

Fold = Callable[[str], str] | None
"""Makes strings that a comparator treats as equal the same string; None if the comparator changes nothing."""


class Subject:
    """A question to a message or to a part of it: a value, so that equal questions are answered once.

    `needs` names the target of the question if that is not the message, such as the current part of a loop (`run.focus`).
    """

    needs: str = ""

    def of(self, message: Any) -> Any:
        """The answer."""
        raise NotImplementedError

    def counted(self) -> Subject:
        """The subject whose values :count counts (RFC 5231, 4.2)."""
        return self


class HeaderSource(dict[Any, Any]):
    """Something with header fields that answers subjects: subject -> answer."""

    fields: dict[str, list[str]]
    """Lower-cased name -> the raw values of the fields of that name, in order."""

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
        return id(self)  # compared by identity, not by the answers so far

    def __eq__(self, other: object) -> bool:
        return self is other

    def __ne__(self, other: object) -> bool:
        return self is not other


class Message(HeaderSource):
    """One message, shared by all recipients of a transaction.

    `raw` is the message as received, dot-unstuffed; `size` its octets (RFC 5228, 5.9).
    """

    raw: bytes
    header_end: int
    body_start: int
    size: int

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.size = len(raw)
        self.header_end, self.body_start = headers.header_end(raw)
        super().__init__(raw[: self.header_end])

    @property
    def header(self) -> bytes:
        """The header block, its last line end included."""
        return self.raw[: self.header_end]

    @property
    def below(self) -> bytes:
        """Everything after the header block: the empty line and the body."""
        return self.raw[self.header_end :]

    def edited(self, edit: Edit) -> Message:
        """The message after `edit`; this one does not change. Equal edits give the same object, which shares its answers."""
        views = self._views
        view = views.get(edit)
        if view is None:
            view = Message(edit.octets) if isinstance(edit, Rewrite) else EditedHeader(self, edit)
            if len(views) >= VIEWS:
                # Never clear(): while another thread compares keys, what was removed may be replaced by other objects at the
                # same addresses, and CPython 3.11 would take their answer for that of its own key.
                views = self._views = {}
            view = views.setdefault(edit, view)  # another recipient's thread may have been faster
        return view

    @cached_property
    def _views(self) -> dict[Edit, Message]:
        return {}

    @cached_property
    def digest(self) -> str:
        """What the message is known by: SHA-256 of its octets, in hexadecimal."""
        from hashlib import sha256  # 3 ms; most scripts need none

        return sha256(self.raw).hexdigest()

    @cached_property
    def structure(self) -> Part:
        """The tree of MIME parts, parsed once: for scripts that look at the body, and for scans."""
        from sieveav import mime  # most scripts look at the header only

        return mime.parse(self.raw)

    @cached_property
    def whole(self) -> Entity:
        """The outermost part."""
        return Entity(self.structure)

    def walk(self) -> Iterator[Entity]:
        """All parts, the outermost first, in the order of the message."""
        return self.whole.walk()

    def at(self, path: Path) -> Entity:
        """The part at `path`; if an edit has removed it, the innermost part on the path that exists."""
        return self._chain(path)[-1]

    def after(self, path: Path, within: Path = ()) -> Entity | None:
        """The part after `path` in the order of the message, among those below `within`; None after the last."""
        chain = self._chain(path)
        if len(chain) > len(path) and chain[-1].parts:
            return chain[-1].parts[0]
        for depth in range(min(len(chain), len(path)) - 1, len(within) - 1, -1):
            if path[depth] + 1 < len(chain[depth].parts):
                return chain[depth].parts[path[depth] + 1]
        return None

    def _chain(self, path: Path) -> list[Entity]:
        """The parts on `path` that exist, from the outermost on."""
        chain = [self.whole]
        for number in path:
            if number >= len(chain[-1].parts):
                break
            chain.append(chain[-1].parts[number])
        return chain

    def replaced(self, path: Path, octets: bytes) -> bytes:
        """The message with the header and body of the part at `path` replaced by `octets`: see `replacing`."""
        from sieveav.replacing import replaced

        return replaced(self.structure, path, octets) if path else octets

    @property
    def newline(self) -> bytes:
        """The line end of the message."""
        return headers.newline_of(self.header or self.raw)


VIEWS = 64
"""Edited messages that a message remembers, for other recipients with the same edit."""


class EditedHeader(Message):
    """A message with one header field added or some removed; its octets are made on request."""

    def __init__(self, base: Message, edit: AddField | DropFields) -> None:
        dict.__init__(self)
        self._base = base
        self._edit = edit
        self._original: Message = base._original if isinstance(base, EditedHeader) else base
        """The message before all edits of its header; kept to avoid recursion through many edits."""
        name = edit.name.lower()
        values = base.fields.get(name, [])
        if isinstance(edit, AddField):
            ((_, value),) = headers.fields(composing.field_line(edit.name, edit.value))
            values = [*values, value] if edit.last else [value, *values]
        else:
            values = [value for number, value in enumerate(values, 1) if number not in edit.numbers]
        self.fields = {**base.fields, name: values}
        if not values:
            del self.fields[name]

    @cached_property
    def header(self) -> bytes:
        views = [self]
        base = self._base
        while isinstance(base, EditedHeader) and "header" not in base.__dict__:
            views.append(base)
            base = base._base
        header = base.header
        for view in reversed(views):
            header = _edited(header, view._edit, self._original.newline)
        return header

    @cached_property
    def _with_same_parts(self) -> Message:
        """The earliest message with the same parts: this one, if its edit may have changed the parts."""
        from sieveav.entity import STRUCTURAL

        message: Message = self
        while isinstance(message, EditedHeader) and message._edit.name.lower() not in STRUCTURAL:
            message = message._base
        return message

    @cached_property
    def structure(self) -> Part:
        from sieveav import mime

        same = self._with_same_parts
        return mime.parse(self.raw) if same is self else mime.with_header(same.structure, self.header)

    @cached_property
    def whole(self) -> Entity:
        same = self._with_same_parts
        return Entity(self.structure, (), None if same is self else same.whole.parts)

    def replaced(self, path: Path, octets: bytes) -> bytes:
        if not path:
            return octets
        edits: list[Edit] = []
        message: Message = self
        while isinstance(message, EditedHeader) and message is not self._with_same_parts:
            edits.append(message._edit)
            message = message._base
        message = Message(Message.replaced(message, path, octets))
        for edit in reversed(edits):
            message = message.edited(edit)
        return message.raw

    @property
    def below(self) -> bytes:
        return self._original.below

    @cached_property
    def raw(self) -> bytes:  # type: ignore[override]  # worked out on request
        return self.header + self.below

    @cached_property
    def header_end(self) -> int:  # type: ignore[override]
        return len(self.header)

    @cached_property
    def body_start(self) -> int:  # type: ignore[override]
        return self.header_end + self._original.body_start - self._original.header_end

    @cached_property
    def size(self) -> int:  # type: ignore[override]
        return len(self.header) + len(self.below)


def _edited(header: bytes, edit: AddField | DropFields, newline: bytes) -> bytes:
    """A header block after `edit`."""
    if isinstance(edit, AddField):
        line = composing.field_line(edit.name, edit.value, newline)
        # a continuation line before all fields belongs to none; after the new field it would belong to that
        before = len(header) if edit.last else headers.begin(header)
        above = header[:before]
        if above and not above.endswith(b"\n"):
            above += newline
        return above + line + header[before:]
    kept, at, number = [], 0, 0
    for name, start, end in headers.field_spans(header):
        if name == edit.name.lower():
            number += 1
            if number in edit.numbers:
                kept.append(header[at:start])
                at = end
    return b"".join([*kept, header[at:]])


class Entity(HeaderSource):
    """One MIME part of a message (the outermost is the message itself), shared by all recipients.

    `path` is its position: the numbers, from 0, of the parts from the outermost to it.
    """

    def __init__(self, part: Part, path: Path = (), parts: tuple[Entity, ...] | None = None) -> None:
        super().__init__(part.header)
        self.part = part
        self.path = path
        if parts is not None:
            self.parts = parts

    def as_message(self) -> Message:
        """The part as a message of its own (RFC 6609, 3.5)."""
        return PartMessage(self)

    @cached_property
    def parts(self) -> tuple[Entity, ...]:
        """The parts just below."""
        return tuple(Entity(part, (*self.path, number)) for number, part in enumerate(self.part.parts))

    def walk(self) -> Iterator[Entity]:
        """This part and all below it, in the order of the message."""
        todo = [self]
        while todo:
            entity = todo.pop()
            yield entity
            todo.extend(reversed(entity.parts))


class PartMessage(Message):
    """A part of a message as a message of its own; its octets are copied on request."""

    def __init__(self, entity: Entity) -> None:
        dict.__init__(self)
        part = self._part = entity.part
        self.fields = entity.fields
        self.header_end = len(part.header)
        self.body_start = part.start - part.begin
        self.size = part.end - part.begin

    @property
    def header(self) -> bytes:
        return self._part.header

    @cached_property
    def raw(self) -> bytes:  # type: ignore[override]  # worked out on request
        return self._part.source[self._part.begin : self._part.end]


@dataclass(frozen=True)
class Fields:
    """The header fields of a subject: those of the message with `names` (lower-case).

    A foreign tag of a test may replace it by another kind of fields. `of` gives the raw values.
    """

    names: tuple[str, ...]

    def of(self, message: HeaderSource) -> list[str]:
        if len(self.names) == 1:
            return message.fields.get(self.names[0], [])
        return [value for name in self.names for value in message.fields.get(name, ())]


@dataclass(frozen=True)
class HeaderValues(Subject):
    """The values of header fields: unfolded, trimmed, decoded (RFC 5228, 5.7; RFC 2047), and folded by a comparator."""

    source: Any
    fold: Fold = None
    needs: str = field(default="", kw_only=True)

    def of(self, message: HeaderSource) -> Values:
        fold = self.fold
        values = [headers.decode_words(headers.unfold(value)) for value in self.source.of(message)]
        return tuple(values if fold is None else [fold(value) for value in values])


AddressPart = Callable[[Address], str | None]


@dataclass(frozen=True)
class AddressValues(Subject):
    """One part of each address in header fields, folded; an address without that part is left out."""

    source: Any
    part: AddressPart
    fold: Fold = None
    needs: str = field(default="", kw_only=True)

    @cached_property
    def _addresses(self) -> Interned:  # asked for by identity: the source is hashed once, not for every message
        return addresses_of(self.source)

    def of(self, message: HeaderSource) -> Values:
        part, fold = self.part, self.fold
        values = [value for address in message[self._addresses] if (value := part(address)) is not None]
        return tuple(values if fold is None else [fold(value) for value in values])

    def counted(self) -> AddressValues:
        """The mailboxes, which :count counts whatever the address-part (RFC 5231, 4.2)."""
        return AddressValues(self.source, _mailbox, needs=self.needs)


def _mailbox(address: Address) -> str | None:
    return None if address.local is None else address.text


@dataclass(frozen=True)
class Addresses(Subject):
    """The addresses in header fields."""

    source: Any

    def of(self, message: HeaderSource) -> list[Address]:
        addresses: list[Address] = []
        for value in self.source.of(message):
            addresses += mailboxes(headers.unfold(value))  # RFC 2047, 5: addresses contain no encoded-words
        return addresses


class Interned:
    """A subject that is compared by identity: `intern_subject` gives one object for equal subjects, so hashes are worked out
    only once."""

    __slots__ = ("of", "subject")

    def __init__(self, subject: Any) -> None:
        self.subject = subject
        self.of = subject.of


@lru_cache(maxsize=8192)
def intern_subject(subject: Any) -> Interned:
    """The one object for all subjects equal to `subject`. If it drops out of the cache, its successor is only another
    object, which works out the answer again."""
    return Interned(subject)


@lru_cache(maxsize=2048)
def addresses_of(source: Any) -> Interned:
    return Interned(Addresses(source))


def names_of(names: Sequence[str]) -> tuple[str, ...]:
    """Header names as they are looked up. RFC 5228, 2.7: always case-insensitive. White space around a name is ignored, and
    a name with a colon matches no field (2.4.2.2)."""
    return tuple(name.strip().lower() for name in names)
