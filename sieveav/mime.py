"""mime: a message's octets to a tree of parts.

A leaf, pure and total: any octets give an answer, never an exception; time is linear, depth and number of parts are
bounded by `limits`. The `email` package is not used (it is slow, and its interpretation is one among many).

Where mail clients are known to differ, the tree is one interpretation and `defects` says so; `mime_defects` has the defects
for which a scanner and a mail client may see different parts. The interpretation: the first field and the first parameter
count, an outer boundary takes precedence over an inner one (RFC 2046, 5.1.2), a boundary line contains the boundary alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice

from sieveav import limits, readings
from sieveav.dividing import LF, MANY_LINES, Search, divide
from sieveav.entity import Entity, entity
from sieveav.headers import characters, codec_of, early_ends, ends, fields, is_like_ascii, unfold
from sieveav.transfer import DECODERS, PLAIN, bad_base64, regular_base64

# ---- parts

_MESSAGES = frozenset({"message/rfc822", "message/global", "message/news"})  # RFC 2046, 5.2.1; RFC 6532, 3.7
_REPORTS = frozenset(
    f"message/{subtype}"
    for subtype in "partial external-body delivery-status disposition-notification feedback-report tracking-status "
    "global-headers global-delivery-status global-disposition-notification".split()
)
"""Types whose content is fields without a message, or a fragment: not divided; `Part.readings` looks for a message in them."""
_FIRST_FIELD = re.compile(rb"(?>(?:>?From [^\n]*+\n)?)[!-9;-~]++[ \t]*+:")
_MOST_QUOTED = 3
_GUESSED_BOUNDARY = re.compile(rb"[\r\n]--(?!-*+(?:\s|\Z))")


@dataclass(slots=True)
class Part:
    """One part: the content of its header, and the position of its body in `source`, so that nested parts are not copied."""

    header: bytes
    """The header block, line ends included."""
    content_type: str = "text/plain"
    parameters: dict[str, str] = field(default_factory=dict)
    """Those of Content-Type, names in lower case, RFC 2231 decoded."""
    encoding: str = "7bit"
    label: str = ""
    """The value of Content-Transfer-Encoding in which `encoding` is the first word."""
    disposition: str = ""
    filename: str = ""
    """Untrusted text: no CR, LF or NUL, but any other character, `/` too."""
    parts: tuple[Part, ...] = ()
    defects: tuple[str, ...] = ()
    """The defects of this part alone; see DEFECTS."""
    source: bytes = field(default=b"", repr=False)
    begin: int = 0
    """The offset of its header in `source`; its body is from `start` to `end`."""
    start: int = 0
    end: int = 0
    around: tuple[tuple[int, int], ...] = ((0, 0), (0, 0))
    """The positions of preamble and epilogue of a multipart, in the source of its parts."""
    quoted: int = 0
    """How many multiparts around it say that they are quoted-printable: some clients decode it once more for each."""

    @property
    def body(self) -> bytes:
        """The body, still encoded; that of a multipart includes preamble and epilogue. A copy each time."""
        return self.source[self.start : self.end]

    def surroundings(self) -> tuple[bytes, ...]:
        """Preamble and epilogue of a multipart (RFC 2046, 5.1.1); a multipart that could not be divided is all preamble."""
        if not self.parts:
            return (self.body,)
        source = self.parts[0].source
        return tuple(source[start:end] for start, end in self.around)

    def decoded(self) -> bytes:
        """The body with its transfer encoding decoded, as leniently as mail clients do; unchanged if it is unknown."""
        if self.encoding == "base64":
            regular = regular_base64(memoryview(self.source)[self.start : self.end])
            if regular is not None:
                return regular
        decode = DECODERS.get(self.encoding)
        return decode(self.body) if decode else self.body

    def readings(self) -> Iterator[bytes]:
        """`decoded()`, then each other content that a mail client may show for this body. Scanners look at all of them."""
        return readings.distinct(self._readings())

    def _readings(self) -> Iterator[bytes]:
        for content in _contents(self):
            yield content
            with_line_ends = readings.with_line_ends(content)
            if with_line_ends is not None:
                yield with_line_ends
        if self.content_type.startswith("text/") and not is_like_ascii(codec_of(self.parameters.get("charset", ""))):
            yield self.text().encode("utf-8")  # as it is shown

    def text(self) -> str:
        """The decoded body as characters: U+FFFD for invalid octets, UTF-8 if the charset is unknown."""
        return characters(self.decoded(), codec_of(self.parameters.get("charset", "")))

    def first(self, name: str) -> str | None:
        """The unfolded value of the first field of that name, ignoring case; None if there is none."""
        name = name.lower()
        return next((unfold(value) for field, value in fields(self.header) if field.lower() == name), None)


def _contents(part: Part) -> Iterator[bytes]:
    """What mail clients may show for a part, apart from line ends that only some see."""
    if part.parts:
        yield part.decoded()  # if it has other parts once decoded, that is a defect
        return
    encoding, label = part.encoding, part.label
    if _is_good_base64(part) and not early_ends(part.header):  # most attachments
        regular = regular_base64(memoryview(part.source)[part.start : part.end])
        if regular is not None:
            yield regular
            return
    bodies = _bodies(part)
    for body in bodies:
        yield from readings.contents(body, encoding, label)
        lines = readings.with_line_ends(body) if readings.by_lines(encoding, label) else None
        if lines is not None:
            yield from readings.contents(lines, encoding, label)
    plain = body = bodies[0]
    for _ in range(part.quoted):
        plain = DECODERS["quoted-printable"](plain)
        yield from islice(readings.contents(plain, encoding, label), 1)
    if part.content_type.startswith("message/"):
        yield from _entity(part.decoded())
    elif not part.header or (part.header.startswith((b"From ", b">From ")) and not fields(part.header)):
        yield from _entity(body)


def _bodies(part: Part) -> list[bytes]:
    """The body, still encoded; if it is, also what of the header belongs to it for some clients, and it."""
    early = early_ends(part.header) if part.encoding not in PLAIN else ()
    return [part.body, *(part.header[at:] + part.body for at in early)]


def _is_good_base64(part: Part) -> bool:
    """Whether clients agree about a body's encoding, and about the characters of its base64."""
    return (
        part.encoding == "base64"
        and part.label.lower() == "base64"
        and "bad-base64" not in part.defects
        and not part.quoted
        and not part.content_type.startswith(("multipart/", "message/"))  # see _read
    )


def _entity(octets: bytes) -> Iterator[bytes]:
    """The content of an entity in a body that should have none: behind empty lines that some clients skip before a header,
    or in a message/... that is opened by those who open all."""
    octets = octets.lstrip(b" \t\r\n")
    if not _FIRST_FIELD.match(octets):
        return
    part = _read(octets, 0, len(octets), "text/plain")
    if part.content_type.startswith(("multipart/", "message/")):
        yield octets  # a message, from its first field on
    elif part.label:
        for body in _bodies(part):
            yield from readings.contents(body, part.encoding, part.label)


def _read(source: bytes, start: int, end: int, default: str, quoted: int = 0) -> Part:
    """One part, not yet divided."""
    stop, body = ends(source, start, end)
    header = source[start : min(stop, start + limits.HEADER_BLOCK)]
    content_type, parameters, encoding, label, disposition, filename, defects = entity(header, default)
    if len(header) < stop - start:
        defects.append("header-too-large")
    # Not in a multipart or message: each level would look through all that is below it.
    if encoding == "base64" and not content_type.startswith(("multipart/", "message/")):
        defects += ("bad-base64",) if bad_base64(memoryview(source)[body:end]) else ()
    part = Part(
        header=header,
        content_type=content_type,
        parameters=parameters,
        encoding=encoding,
        label=label,
        disposition=disposition,
        filename=filename,
        defects=tuple(defects),
        source=source,
        begin=start,
        start=body,
        end=end,
        quoted=quoted,
    )
    if quoted and _differs_once_decoded(part, default):
        part.defects += ("hidden-parts",)
    return part


_BEYOND_HEADER = 1000
"""Octets that are decoded behind the header of a part, because its empty line may be gone then."""


def _differs_once_decoded(part: Part, default: str) -> bool:
    """Whether a part in a multipart that says it is quoted-printable is another for a client that decodes the multipart."""
    end = min(part.end, part.begin + limits.HEADER_BLOCK, part.start + _BEYOND_HEADER)
    plain = DECODERS["quoted-printable"](part.source[part.begin : end])
    seen = entity(plain[: ends(plain, 0, len(plain))[0]], default)
    return _divided_by(seen) != _divided_by(part)


def _divided_by(part: Part | Entity) -> tuple[str, str, str | None]:
    """What decides how a body is divided."""
    return part.content_type, part.encoding, part.parameters.get("boundary")


# ---- the tree


@dataclass(slots=True)
class _Work:
    """What one `parse` has found and may still do."""

    raw: bytes
    room: int
    """How many parts more there may be."""
    search: Search
    lookalikes: list[tuple[Part, list[bytes]]] = field(default_factory=list)


def boundary_of(part: Part) -> bytes:
    """The boundary of a multipart, b"" if it has none."""
    return part.parameters.get("boundary", "").encode("utf-8", "replace")


def _is_message(part: Part) -> bool:
    """Whether the body of a message/... is a message for some clients: they open any, though RFC 2046, 5.2.4 calls an unknown
    one application/octet-stream."""
    if part.content_type in _MESSAGES:
        return True
    return part.content_type not in _REPORTS and _FIRST_FIELD.match(part.source, part.start, part.end) is not None


def _coded(part: Part) -> str:
    """The encoding with which clients may decode a multipart or message, in spite of RFC 2045, 6.4; "" if none."""
    if part.encoding in DECODERS:
        return part.encoding
    named = readings.encodings_in(part.label) if part.label and part.encoding not in PLAIN else ()
    return next((name for name in named if name in DECODERS), "")


def _message(part: Part, work: _Work) -> tuple[Part, ...]:
    """The one child of a message within a message, decoded if it is encoded in spite of RFC 2045, 6.4."""
    source, start, end = part.source, part.start, part.end
    coded = _coded(part)
    if coded:
        part.defects += ("encoded-multipart",)
        if source is work.raw:
            plain = DECODERS[coded](part.body)
            part.defects += ("hidden-parts",) if plain != part.body else ()
            part.encoding = coded
            source, start, end = plain, 0, len(plain)
    return (_read(source, start, end, "text/plain", part.quoted),)


def _hides_parts(part: Part, coded: str, boundary: bytes, work: _Work) -> bool:
    """Whether a multipart has, or may have, other parts for a client that decodes it."""
    source, start, end, mark = part.source, part.start, part.end, b"\n--" + boundary
    if coded == "quoted-printable":
        return _hides_quoted_parts(part, boundary, work)
    if coded != "base64":
        if not work.search.affords(end - start):
            return True
        if source.find(b"begin", start, end) < 0:
            return False  # nothing to decode
    if source.find(mark, start - 1, end) >= 0:
        return True  # what is divided is no longer so once it is decoded, or is divided elsewhere
    return mark in b"\n" + DECODERS[coded](part.body)


def _hides_quoted_parts(part: Part, boundary: bytes, work: _Work) -> bool:
    """`_hides_parts` for quoted-printable, which changes nothing but what is quoted."""
    source, start, end, decode = part.source, part.start, part.end, DECODERS["quoted-printable"]
    if source.find(b"=", start, end) < 0:
        return False
    lines = work.search.boundaries(source, start, end, boundary) or ()
    places = [at for at, before in islice(lines, MANY_LINES) if before == LF]
    if part.quoted >= _MOST_QUOTED or len(places) >= MANY_LINES or not work.search.affords(2 * (end - start)):
        return True
    if decode(boundary) != boundary:
        return True
    for at in places:
        line = source[source.rfind(b"\n", 0, at - 1) + 1 : at - 1]
        if line.rstrip(b" \t\r").endswith(b"="):  # a soft line break: the boundary begins no line any more
            return True
    return (b"\n" + decode(part.body)).count(b"\n--" + boundary) != len(places)


def _multipart(part: Part, work: _Work) -> tuple[Part, ...]:
    """The children of a multipart: divided without decoding or, if that gives none, after decoding."""
    source, start, end, boundary = part.source, part.start, part.end, boundary_of(part)
    if not boundary:
        return ()
    lines = work.search.boundaries(source, start, end, boundary)
    if lines is None:
        part.defects += ("too-deep",)
        return ()
    division = divide(source, start, end, len(boundary), lines, work.room)
    coded, quoted = _coded(part), part.quoted
    if coded:
        part.defects += ("encoded-multipart",)
        # Decoding once, whatever the nesting, keeps memory linear.
        if source is work.raw:
            quoted += coded == "quoted-printable"
            if _hides_parts(part, coded, boundary, work):
                part.defects += ("hidden-parts",)
                if not division.spans:
                    part.encoding = coded
                    source = b"\n" + part.decoded()
                    start, end, quoted = 1, len(source), 0
                    lines = work.search.boundaries(source, start, end, boundary) or ()
                    division = divide(source, start, end, len(boundary), lines, work.room)
    if not division.spans:
        guessed = _GUESSED_BOUNDARY.search(source, start - 1, end)
        part.defects += ("no-part", "other-boundary") if guessed else ("no-part",)
    part.defects += tuple(division.defects)
    part.around = (division.preamble, division.epilogue)
    if division.lookalikes:
        work.lookalikes.append((part, division.lookalikes))
    default = "message/rfc822" if part.content_type == "multipart/digest" else "text/plain"  # RFC 2046, 5.1.5
    parts = [_read(source, first, last, default, quoted) for first, last in division.spans]
    if division.rest and parts:
        first, last = division.spans[-1]
        beyond = ("too-many-parts",)
        parts[-1] = Part(
            b"", "application/octet-stream", defects=beyond, source=source, begin=first, start=first, end=last
        )
    return tuple(parts)


def _repeats(boundary: bytes, enclosing: tuple[bytes, ...]) -> bool:
    return bool(boundary) and (boundary in enclosing or boundary.removesuffix(b"--") in enclosing)


def parse(raw: bytes) -> Part:
    """The message as a tree of parts, at most limits.MIME_PARTS of them, limits.MIME_DEPTH below one another.

    The rest is one undivided part with the defect too-deep or too-many-parts; nothing is dropped.
    """
    root = _read(raw, 0, len(raw), "text/plain")
    todo: list[tuple[Part, tuple[bytes, ...]]] = [(root, ())]
    work = _Work(raw, limits.MIME_PARTS - 1, Search(len(raw)))
    while todo:
        part, enclosing = todo.pop()
        message = not part.content_type.startswith("multipart/")
        if message and not (part.content_type.startswith("message/") and _is_message(part)):
            continue
        if len(enclosing) >= limits.MIME_DEPTH or work.room < 1:
            part.defects += ("too-many-parts" if work.room < 1 else "too-deep",)
            continue
        boundary = b"" if message else boundary_of(part)
        if _repeats(boundary, enclosing):
            part.defects += ("repeated-boundary",)
        part.parts = _message(part, work) if message else _multipart(part, work)
        work.room -= len(part.parts)
        todo.extend((child, (*enclosing, boundary)) for child in reversed(part.parts))
    for part, lines in work.lookalikes:  # the boundary of an inner multipart may begin with that of the outer
        inner = {boundary_of(below) for below in walk(part)}
        if any(line not in inner and line.removesuffix(b"--") not in inner for line in lines):
            part.defects += ("boundary-lookalike",)
    return root


def walk(part: Part) -> Iterator[Part]:
    """The part and all below it, in the order of the message."""
    todo = [part]
    while todo:
        part = todo.pop()
        yield part
        todo.extend(reversed(part.parts))


def defects(part: Part) -> tuple[str, ...]:
    """Every defect of the part and of all below it, each once, in the order of the message."""
    return tuple(dict.fromkeys(defect for below in walk(part) for defect in below.defects))


def with_header(root: Part, header: bytes) -> Part:
    """The same tree with another header of the message, whose `STRUCTURAL` fields are the same. `begin`, `start` and `end` of
    the root remain offsets in its `source`."""
    return replace(root, header=header)
