"""body: look for texts in the body of a message (RFC 5173).

    body :contains "project schedule"                the text of each text part, decoded; of HTML what a reader sees
    body :content "application/pdf" :contains ""     the decoded content of each part of this type
    body :content ["text", "message/rfc822"] :contains "x"
    body :raw :contains "MAKE MONEY FAST"            the whole body as it came, still encoded

Each part is looked at alone. Of a multipart it is what stands before and after its parts, of a message within the message
its header. A message that ends with its header, no empty line after it, has no body, and nothing matches. The body sets no
match variables.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from html import unescape
from typing import Any

from sieveav.extending import (
    Choice,
    Entity,
    Extension,
    Fold,
    Matching,
    Message,
    Part,
    Run,
    Severity,
    Strings,
    Subject,
    Use,
    choice,
    intern_subject,
)

body = Extension("body", "RFC 5173")

Texts = tuple[str, ...]


def _octets(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")  # RFC 5173, 5.2: octets are compared; a NUL is one of them


# ---- what is in one part


def contents(part: Part) -> Texts:
    """What is looked at of a part whose type is asked for. RFC 5173, 5.2."""
    if part.content_type.startswith("multipart/"):
        return tuple(_octets(text) for text in part.surroundings())
    if part.parts:  # a message within the message
        return tuple(_octets(inner.header) for inner in part.parts)
    return (part.text() if part.content_type.startswith("text/") else _octets(part.decoded()),)


def text(part: Part) -> Texts:
    """The text of a part. RFC 5173, 5.3."""
    if not part.content_type.startswith("text/"):
        return ()
    return (plain_text(part.text()) if part.content_type == "text/html" else part.text(),)


_NAMES = "a abbr b bdo big cite code dfn em font i ins kbd mark q s samp small span strike strong sub sup tt u var wbr"
_INLINE = frozenset(_NAMES.split())
"""Elements that do not divide the word they stand in."""

# What a browser takes for mark-up. Every beginning finds an end, be it that of the text: linear.
_MARKUP = re.compile(
    r"""<!--(?:-?>|.*?(?:--!?>|\Z))
      | <(script|style)\b[^>]*+(?:>|\Z).*?(?:</\1\b[^>]*+>?+|\Z)
      | </?+(?P<tag>[a-z][^\s/>]*+)(?:=\s*+(?:"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z))|[^>=]++|=)*+(?:>|\Z)
      | <[!?/][^>]*+(?:>|\Z)""",
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)


def plain_text(html: str) -> str:
    """What a reader sees of HTML, near enough, with single spaces. RFC 5173, 5.3: mark-up may be stripped."""
    bare = _MARKUP.sub(lambda found: "" if (found["tag"] or "").lower() in _INLINE else " ", html)
    return " ".join(unescape(bare).split())


@dataclass(frozen=True)
class OfPart(Subject):
    """The texts of one part, worked out once for all that ask."""

    read: Callable[[Part], Texts]

    def of(self, entity: Entity) -> Texts:
        return self.read(entity.part)


_CONTENTS, _TEXT = OfPart(contents), OfPart(text)


# ---- body transforms, RFC 5173, 5


@dataclass(frozen=True)
class Undecoded(Subject):
    def of(self, message: Message) -> Texts:
        return (_octets(message.raw[message.body_start :]),)


@dataclass(frozen=True)
class TextParts(Subject):
    def of(self, message: Message) -> Texts:
        return tuple(found for entity in message.walk() for found in entity[_TEXT])


@dataclass(frozen=True)
class PartsOfType(Subject):
    """RFC 5173, 5.2: a type alone stands for all its subtypes, the empty string for all types."""

    types: frozenset[str]

    def of(self, message: Message) -> Texts:
        found: list[str] = []
        for entity in message.walk():
            kind = entity.part.content_type
            if not self.types.isdisjoint(("", kind, kind.partition("/")[0])):
                found += entity[_CONTENTS]
        return tuple(found)


@body.choice("body_transform", ":raw")
class Raw(Choice):
    """:raw: the body as one text, still encoded. RFC 5173, 5.1."""

    def source(self) -> Undecoded:
        return Undecoded()


@body.choice("body_transform", ":text")
class Text(Choice):
    """:text: the text that is in the message. RFC 5173, 5.3."""

    def source(self) -> TextParts:
        return TextParts()


@body.choice("body_transform", ":content")
class Content(Choice):
    """:content: the parts of these types, decoded. RFC 5173, 5.2."""

    types: Strings

    def check(self, use: Use) -> None:
        for given in use.strings("types"):
            if not _is_type(given.value):
                hint = 'write a type as "text" or "text/plain"'
                use.complain(given, "no part has this type", hint, rule="content-type", severity=Severity.WARNING)

    def source(self) -> PartsOfType:
        return PartsOfType(frozenset(name.lower() for name in self.types if _is_type(name)))


def _is_type(name: str) -> bool:
    """RFC 5173, 5.2: one that begins or ends with a slash, or has several, matches nothing."""
    return name.count("/") <= 1 and not name.startswith("/") and not name.endswith("/")


# ---- the test, RFC 5173, 4


def has_body(message: Message) -> bool:
    """Whether an empty line ends the header."""
    end = message.raw[max(0, message.body_start - 3) : message.body_start]
    return end in (b"\n", b"\r\n") or end.endswith((b"\n\n", b"\n\r\n"))


@dataclass(frozen=True)
class BodyValues(Subject):
    """The texts of a transform, folded by a comparator; none of a message without a body."""

    source: Any
    fold: Fold

    def of(self, message: Message) -> Texts:
        if not has_body(message):
            return ()
        found: Texts = message[intern_subject(self.source)]
        return found if self.fold is None else tuple(map(self.fold, found))


@body.test()
class Body(Matching):
    """body: whether a text in the body matches a key."""

    transform: Any = choice("body_transform", ":text")
    keys: Strings
    sets_match_values = False  # RFC 5173, 6
    compares_texts = False

    def subject_for(self, fold: Fold) -> BodyValues:
        return BodyValues(self.transform.source(), fold)

    def holds(self, run: Run) -> bool:
        values = run.message[self.subject]
        run.tick()  # there may have been much to decode
        return self.matches(values, run)
