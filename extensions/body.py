"""body: search the body of a message (RFC 5173).

    body :contains "project schedule"                the decoded text of each text part; HTML without its markup
    body :content "application/pdf" :contains ""     the decoded content of each part of this type
    body :content ["text", "message/rfc822"] :contains "x"
    body :raw :contains "MAKE MONEY FAST"            the whole body as received, still encoded

Each part is compared separately. Of a multipart, the text before and after its parts is compared; of an embedded message,
its header. A message without an empty line after its header has no body, and nothing matches. This test sets no match
variables.
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
body.rule("content-type-invalid", "the string is not a content type")

Texts = tuple[str, ...]


def _octets(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")  # RFC 5173, 5.2: octets are compared, NUL included


# ---- the texts of one part


def contents(part: Part) -> Texts:
    """The texts of a part that :content compares. RFC 5173, 5.2."""
    if part.content_type.startswith("multipart/"):
        return tuple(_octets(text) for text in part.surroundings())
    if part.parts:  # an embedded message
        return tuple(_octets(inner.header) for inner in part.parts)
    return (part.text() if part.content_type.startswith("text/") else _octets(part.decoded()),)


def text(part: Part) -> Texts:
    """The texts of a part that :text compares. RFC 5173, 5.3."""
    if not part.content_type.startswith("text/"):
        return ()
    return (plain_text(part.text()) if part.content_type == "text/html" else part.text(),)


_NAMES = "a abbr b bdo big cite code dfn em font i ins kbd mark q s samp small span strike strong sub sup tt u var wbr"
_INLINE = frozenset(_NAMES.split())
"""Inline elements: they do not separate words."""

# Markup as browsers read it. Unclosed markup ends at the end of the text, so matching takes linear time.
_MARKUP = re.compile(
    r"""<!--(?:-?>|.*?(?:--!?>|\Z))
      | <(script|style)\b[^>]*+(?:>|\Z).*?(?:</\1\b[^>]*+>?+|\Z)
      | </?+(?P<tag>[a-z][^\s/>]*+)(?:=\s*+(?:"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z))|[^>=]++|=)*+(?:>|\Z)
      | <[!?/][^>]*+(?:>|\Z)""",
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)


def plain_text(html: str) -> str:
    """The visible text of HTML, approximately, with single spaces. RFC 5173, 5.3: markup may be stripped."""
    bare = _MARKUP.sub(lambda match: "" if (match["tag"] or "").lower() in _INLINE else " ", html)
    return " ".join(unescape(bare).split())


@dataclass(frozen=True)
class OfPart(Subject):
    """The texts of one part, computed once for all tests."""

    read: Callable[[Part], Texts]

    def of(self, entity: Entity) -> Texts:
        return self.read(entity.part)


_CONTENTS, _TEXT = OfPart(contents), OfPart(text)


# ---- body transforms, RFC 5173, 5


@dataclass(frozen=True)
class Undecoded(Subject):
    """The whole body as one text, still encoded. RFC 5173, 5.1."""

    def of(self, message: Message) -> Texts:
        return (_octets(message.raw[message.body_start :]),)


@dataclass(frozen=True)
class TextParts(Subject):
    """The texts of all text parts. RFC 5173, 5.3."""

    def of(self, message: Message) -> Texts:
        return tuple(text for entity in message.walk() for text in entity[_TEXT])


@dataclass(frozen=True)
class PartsOfType(Subject):
    """The contents of the parts of these types. RFC 5173, 5.2: a type without a subtype matches all its subtypes, the empty
    string all types."""

    types: frozenset[str]

    def of(self, message: Message) -> Texts:
        texts: list[str] = []
        for entity in message.walk():
            content_type = entity.part.content_type
            if not self.types.isdisjoint(("", content_type, content_type.partition("/")[0])):
                texts += entity[_CONTENTS]
        return tuple(texts)


@body.choice("body_transform", ":raw")
class Raw(Choice):
    """:raw: the whole body as one text, still encoded. RFC 5173, 5.1."""

    def source(self) -> Undecoded:
        return Undecoded()


@body.choice("body_transform", ":text")
class Text(Choice):
    """:text: the text of the message. RFC 5173, 5.3."""

    def source(self) -> TextParts:
        return TextParts()


@body.choice("body_transform", ":content")
class Content(Choice):
    """:content: the decoded parts of these types. RFC 5173, 5.2."""

    types: Strings

    def check(self, use: Use) -> None:
        for name in use.strings("types"):
            if not _is_type(name.value):
                hint = 'write "text" or "text/plain"'
                use.complain(name, "invalid content type", hint, rule="content-type-invalid", severity=Severity.WARNING)

    def source(self) -> PartsOfType:
        return PartsOfType(frozenset(name.lower() for name in self.types if _is_type(name)))


def _is_type(name: str) -> bool:
    """RFC 5173, 5.2: a name that begins or ends with a slash, or contains several, matches nothing."""
    return name.count("/") <= 1 and not name.startswith("/") and not name.endswith("/")


# ---- the test, RFC 5173, 4


def has_body(message: Message) -> bool:
    """Whether an empty line follows the header."""
    end = message.raw[max(0, message.body_start - 3) : message.body_start]
    return end in (b"\n", b"\r\n") or end.endswith((b"\n\n", b"\n\r\n"))


@dataclass(frozen=True)
class BodyValues(Subject):
    """The texts of a body transform, folded by a comparator; none if the message has no body."""

    source: Any
    fold: Fold

    def of(self, message: Message) -> Texts:
        if not has_body(message):
            return ()
        texts: Texts = message[intern_subject(self.source)]
        return texts if self.fold is None else tuple(map(self.fold, texts))


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
        run.tick()  # decoding may have taken long
        return self.matches(values, run)
