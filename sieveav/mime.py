"""mime: a message's octets to a tree of parts.

A leaf, pure and total: any octets give an answer, never an exception; time is linear, depth and number of parts are
bounded by `limits`. The `email` package is not used (it is slow, and its interpretation is one among many).

Where mail clients are known to differ, the tree is one interpretation and `defects` says so; `AMBIGUOUS` has the defects
for which a scanner and a mail client may see different parts. The interpretation: the first field and the first parameter
count, an outer boundary takes precedence over an inner one (RFC 2046, 5.1.2), a boundary line contains the boundary alone.

Over 400 lines, because reading a part, finding its defects and replacing it depend on the same details.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from sieveav import limits
from sieveav.composing import boundary as new_boundary
from sieveav.headers import (
    characters,
    codec_of,
    decode_words,
    ends,
    field_spans,
    fields,
    newline_of,
    unfold,
    without_breaks,
)
from sieveav.transfer import DECODERS, ENCODERS, PLAIN, bad_base64

DEFECTS = {
    "bad-base64": "base64 with other characters, a wrong length or data after padding; some stop there, some continue",
    "bad-content-type": "an invalid Content-Type (RFC 2045, 5.1); some guess, some take text/plain",
    "bad-header-line": "a header line that is not a field: some end the header there, some ignore it",
    "bare-cr": "a CR without LF in the header: some end the line there and see a field that others do not",
    "boundary-lookalike": "a line with the boundary and more text: RFC 2046, 5.1.1 allows to compare only the beginning, "
    "but most compare the whole line",
    "content-after-final-boundary": "the epilogue has a boundary or fields of a part: some clients show it",
    "duplicate-boundary": "different boundaries (CVE-2024-28054): some take the first, some the last",
    "duplicate-content-type": "different Content-Type fields: some take the first, some the last",
    "duplicate-disposition": "different Content-Disposition fields: clients may show different file names",
    "duplicate-encoding": "different Content-Transfer-Encoding fields: some decode the body, some do not",
    "empty-boundary": "a multipart with an empty boundary: some split at every line of two hyphens, some never",
    "encoded-multipart": "an encoding other than 7bit, 8bit, binary on a multipart or message (RFC 2045, 6.4 forbids)",
    "header-too-large": "a header block longer than limits.HEADER_BLOCK: a client may see fields that are not read here",
    "hidden-parts": "an encoded multipart or message that has other parts once decoded: few clients decode it",
    "message-partial": "a fragment (RFC 2046, 5.2.2): the client joins what a scanner sees piece by piece",
    "missing-boundary": "a multipart without a boundary parameter: some guess it from the first line of two hyphens",
    "no-part": "a multipart whose boundary never begins a part, as in a truncated message",
    "nul": "a NUL in the header: clients written in C end the line there",
    "other-boundary": "no part, but lines that look like another boundary: a client that guesses sees parts",
    "repeated-boundary": "a multipart with the boundary of an enclosing one: some split for the inner, some for the outer",
    "too-deep": "parts nested deeper than limits.MIME_DEPTH, left undivided",
    "too-many-parts": "more parts than limits.MIME_PARTS; the rest is one undivided part",
    "unclear-boundary": "a boundary with escapes, RFC 2231 sections, odd characters or junk beside it: clients differ",
    "unknown-encoding": "an unregistered encoding: the body is left as it is, others may guess",
    "unterminated-multipart": "a multipart without its final boundary: common; all clients end it with the message",
}
"""Each defect: what it is, and how a scanner and a mail client may see it differently."""

AMBIGUOUS = frozenset(DEFECTS) - {
    "bad-base64",  # lists append footers to base64; `decoded` continues where others stop
    "bad-content-type",  # names with spaces and without quotes; if it affects a boundary, it is unclear-boundary too
    "duplicate-disposition",
    "encoded-multipart",  # only a wrong label; if it changes the parts, it is hidden-parts too
    "no-part",  # bounces truncate messages; if there may be parts, it is other-boundary too
    "unknown-encoding",
    "unterminated-multipart",
}
"""The defects for which a scanner and a mail client may see different parts; the others are ordinary sloppy mail."""

# ---- signs of trouble in a header

_HEADER_SIGNS = {
    "nul": re.compile(rb"\0"),
    "bare-cr": re.compile(rb"\r(?![\r\n]|\Z)"),
    "bad-header-line": re.compile(rb"\n(?![ \t]|\r?+\Z|>?From |[!-9;-~]++[ \t]*+:)"),
}

# ---- parameters

_TOKEN = r"[\w!#$%&'*+.^`{|}~-]++"  # noqa: S105 (RFC 2045's word)
_NAME = r'[^\s=;"()]++'
_QUOTED = r'"[^"\\]*+(?:\\.[^"\\]*+)*+'
# Atomic, not possessive: before 3.11.5 Python loses its position after the last, failing, round of a possessive group.
_SPACE = r"(?>(?:\s|\([^()]*+\))*)"
_TYPE = re.compile(rf"\s*+({_TOKEN})\s*+/\s*+({_TOKEN})", re.ASCII)
_DISPOSITION = re.compile(rf"\s*+({_TOKEN})", re.ASCII)
_PARAMETER = re.compile(rf';\s*+({_NAME})\s*+=\s*+({_QUOTED}(?:"|\\?\Z)|[^\s;"]*+)([^;"]*+)', re.ASCII | re.DOTALL)
# Not a parser: whether there is nothing but type and parameters, so that all parsers agree.
_WELL_FORMED = re.compile(
    rf'{_TYPE.pattern}{_SPACE}(?>(?:;{_SPACE}(?:{_NAME}\s*+=\s*+(?:{_QUOTED}"|[^\s;"()]*+(?!\()))?{_SPACE})*)',
    re.ASCII | re.DOTALL,
)
_SECTION = re.compile(r"([^*]++)(?:\*([0-9]{1,4}))?(\*)?")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")
# RFC 2046, 5.1.1, with the other visible characters that real mailers use and all clients accept.
_BOUNDARY = re.compile(r"[!#-\[\]-~ ]{0,69}[!#-\[\]-~]")
_ENCODING = re.compile(r'[^\s;"()]++')


def _settings(value: str) -> list[tuple[str, str]]:
    """Every parameter in order: its name in lower case, its value without quotes and quoted-pairs."""
    settings: list[tuple[str, str]] = []
    for name, text, more in _PARAMETER.findall(value):
        name = name.lower()
        if text[:1] == '"':
            text = _ESCAPED.sub(r"\1", text[1:].removesuffix('"'))
        elif name in ("name", "filename"):  # many senders forget the quotes, and clients show the whole name
            text += more.rstrip()
        settings.append((name, text))
    return settings


def parameters_of(value: str) -> dict[str, str]:
    """The parameters of a structured field's value (RFC 2045, 5.1; RFC 2183, 2): names in lower case, RFC 2231 decoded."""
    return _parameters(_settings(value))


def media_type_of(value: str) -> tuple[str, str] | None:
    """Type and subtype in a Content-Type's value, as written; None if it has none."""
    match = _TYPE.match(value)
    return (match[1], match[2]) if match else None


def disposition_of(value: str) -> str | None:
    """The disposition in a Content-Disposition's value, as written; None if it has none."""
    match = _DISPOSITION.match(value)
    return match[1] if match else None


def _joined(sections: dict[int, tuple[str, bool]]) -> str:
    """The value of a parameter in sections (RFC 2231, 3 and 4), with the charset before the first; gaps are ignored."""
    charset = ""
    data: list[bytes] = []
    for index in sorted(sections):
        text, encoded = sections[index]
        if encoded and not data and text.count("'") >= 2:
            charset, _, text = text.split("'", 2)
        octets = text.encode("utf-8", "replace")
        data.append(_PERCENT.sub(lambda hex_: bytes.fromhex(hex_[1].decode()), octets) if encoded else octets)
    return without_breaks(characters(b"".join(data), codec_of(charset)))


def _parameters(settings: list[tuple[str, str]]) -> dict[str, str]:
    plain: dict[str, str] = {}
    extended: dict[str, dict[int, tuple[str, bool]]] = {}
    for name, text in settings:
        section = _SECTION.fullmatch(name) if "*" in name else None
        if section:
            extended.setdefault(section[1], {}).setdefault(int(section[2] or 0), (text, bool(section[3])))
        else:
            plain.setdefault(name, without_breaks(text))
    return plain | {name: _joined(sections) for name, sections in extended.items()}


def _boundary_defects(value: str, settings: list[tuple[str, str]], boundary: str | None) -> Iterator[str]:
    if boundary is None:
        yield "missing-boundary"
        return
    plain = {text for name, text in settings if name == "boundary"}
    extended = any(name.startswith("boundary*") for name, _ in settings)
    if len(plain) + extended > 1:
        yield "duplicate-boundary"
    if not boundary:
        yield "empty-boundary"
    elif extended or "\\" in value or not _BOUNDARY.fullmatch(boundary) or not _WELL_FORMED.fullmatch(value):
        yield "unclear-boundary"


# ---- parts

_MESSAGES = frozenset({"message/rfc822", "message/global"})
_LATE_PART = re.compile(rb"\ncontent-(?:type|transfer-encoding|disposition)[ \t]*+:", re.IGNORECASE)
_GUESSED_BOUNDARY = re.compile(rb"\n--(?!-*+(?:\s|\Z))")
_DUPLICATES = {
    "content-type": "duplicate-content-type",
    "content-transfer-encoding": "duplicate-encoding",
    "content-disposition": "duplicate-disposition",
}


@dataclass(slots=True)
class Part:
    """One part: the content of its header, and the position of its body in `source`, so that nested parts are not copied."""

    header: bytes
    """The header block, line ends included."""
    content_type: str = "text/plain"
    parameters: dict[str, str] = field(default_factory=dict)
    """Those of Content-Type, names in lower case, RFC 2231 decoded."""
    encoding: str = "7bit"
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
        decode = DECODERS.get(self.encoding)
        return decode(self.body) if decode else self.body

    def text(self) -> str:
        """The decoded body as characters: U+FFFD for invalid octets, UTF-8 if the charset is unknown."""
        return characters(self.decoded(), codec_of(self.parameters.get("charset", "")))

    def first(self, name: str) -> str | None:
        """The unfolded value of the first field of that name, ignoring case; None if there is none."""
        name = name.lower()
        return next((unfold(value) for field, value in fields(self.header) if field.lower() == name), None)


def _content_type(values: list[str], default: str) -> tuple[str, dict[str, str], list[str]]:
    """The type, its parameters and defects."""
    if not values:
        return default, {}, []  # RFC 2045, 5.2; RFC 2046, 5.1.5
    value, defects = values[0], []
    settings = _settings(value)
    parameters = _parameters(settings)
    match = _TYPE.match(value)
    if not match or not _WELL_FORMED.fullmatch(value):
        defects.append("bad-content-type")
    content_type = f"{match[1]}/{match[2]}".lower() if match else "text/plain"  # RFC 2045, 5.2
    if content_type.startswith("multipart/"):
        defects += _boundary_defects(value, settings, parameters.get("boundary"))
    if content_type == "message/partial":
        defects.append("message-partial")
    return content_type, parameters, defects


def _read(source: bytes, start: int, end: int, default: str) -> Part:
    """One part, not yet divided."""
    stop, body = ends(source, start, end)
    header = source[start : min(stop, start + limits.HEADER_BLOCK)]
    lines = b"\n" + header
    defects = [name for name, sign in _HEADER_SIGNS.items() if sign.search(lines)]
    if len(header) < stop - start:
        defects.append("header-too-large")
    structural: dict[str, list[str]] = {name: [] for name in _DUPLICATES}
    for name, value in fields(header):
        if (values := structural.get(name.lower())) is not None:
            values.append(unfold(value))
    defects += [_DUPLICATES[name] for name, values in structural.items() if len(set(values)) > 1]
    types, encodings, dispositions = structural.values()
    content_type, parameters, type_defects = _content_type(types, default)
    defects += type_defects
    encoded = _ENCODING.search(encodings[0]) if encodings else None
    encoding = encoded[0].lower() if encoded else "7bit"
    if encoding not in PLAIN and encoding not in DECODERS:
        defects.append("unknown-encoding")
    if encoding == "base64" and bad_base64(memoryview(source)[body:end]):
        defects.append("bad-base64")
    value = dispositions[0] if dispositions else ""
    disposition = _DISPOSITION.match(value)
    filename = _parameters(_settings(value)).get("filename") or parameters.get("name", "")
    return Part(
        header=header,
        content_type=content_type,
        parameters=parameters,
        encoding=encoding,
        disposition=disposition[1].lower() if disposition else "",
        filename=decode_words(filename),
        defects=tuple(defects),
        source=source,
        begin=start,
        start=body,
        end=end,
    )


# ---- the tree


@dataclass(slots=True)
class _Division:
    """A body divided by a boundary: the spans of its parts, and defects."""

    spans: list[tuple[int, int]] = field(default_factory=list)
    defects: list[str] = field(default_factory=list)
    lookalikes: list[bytes] = field(default_factory=list)
    rest: bool = False
    """Whether the last span is everything beyond the limit."""
    preamble: tuple[int, int] = (0, 0)
    epilogue: tuple[int, int] = (0, 0)


def _boundary_lines(source: bytes, start: int, end: int, mark: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Each line that begins with the boundary: the offsets of the LF before it and of its own, and the text after the
    boundary."""
    at = start - 1  # a line ends before every body that is not empty
    while (at := source.find(mark, at, end)) >= 0:
        after = at + len(mark)
        line_end = source.find(b"\n", after, end)
        line_end = line_end if line_end >= 0 else end
        yield at, line_end, source[after:line_end].rstrip(b" \t\r")  # RFC 2046, 5.1.1: transport-padding
        at = line_end


def _divide(source: bytes, start: int, end: int, boundary: bytes, room: int) -> _Division:
    """Divide source[start:end] into `room` spans at most (RFC 2046, 5.1.1)."""
    division, mark, opened = _Division(), b"\n--" + boundary, -1
    spans = division.spans
    for at, line_end, tail in _boundary_lines(source, start, end, mark):
        if tail not in (b"", b"--"):
            division.lookalikes.append(boundary + tail)
        if len(division.lookalikes) >= limits.MIME_PARTS or (tail == b"" and len(spans) + (opened >= 0) >= room):
            division.rest = True
            break
        if tail not in (b"", b"--"):
            continue
        edge = at - (source[at - 1 : at] == b"\r")  # the line end before a boundary belongs to the boundary
        if opened >= 0:
            spans.append((opened, max(opened, edge)))
        else:
            division.preamble = (start, max(start, edge))
        opened = min(line_end + 1, end)
        if tail:
            division.epilogue = (opened, end)
            if source.find(mark, line_end, end) >= 0 or _LATE_PART.search(source, line_end, end):
                division.defects.append("content-after-final-boundary")
            return division
    if opened >= 0:
        spans.append((opened, end))
    if division.rest or opened >= 0:
        division.defects.append("too-many-parts" if division.rest else "unterminated-multipart")
    return division


def _boundary(part: Part) -> bytes:
    return part.parameters.get("boundary", "").encode("utf-8", "replace")


def _message(part: Part, raw: bytes) -> tuple[Part, ...]:
    """The one child of a message within a message, decoded if it is encoded in spite of RFC 2045, 6.4."""
    source, start, end = part.source, part.start, part.end
    if part.encoding in DECODERS:
        part.defects += ("encoded-multipart",)
        if source is raw:
            plain = part.decoded()
            part.defects += ("hidden-parts",) if plain != part.body else ()
            source, start, end = plain, 0, len(plain)
    return (_read(source, start, end, "text/plain"),)


def _multipart(part: Part, raw: bytes, room: int, lookalikes: list[tuple[Part, list[bytes]]]) -> tuple[Part, ...]:
    """The children of a multipart: divided without decoding or, if that gives none, after decoding."""
    source, start, end, boundary = part.source, part.start, part.end, _boundary(part)
    if not boundary:
        return ()
    division = _divide(source, start, end, boundary, room)
    if part.encoding in DECODERS:
        part.defects += ("encoded-multipart",)
        mark = b"\n--" + boundary
        # Decoding once, whatever the nesting, keeps memory linear.
        if source is raw and (plain := b"\n" + part.decoded()).count(mark) != source.count(mark, start - 1, end):
            part.defects += ("hidden-parts",)
            if not division.spans:
                source, start, end = plain, 1, len(plain)
                division = _divide(source, start, end, boundary, room)
    if not division.spans:
        guessed = _GUESSED_BOUNDARY.search(source, start - 1, end)
        part.defects += ("no-part", "other-boundary") if guessed else ("no-part",)
    part.defects += tuple(division.defects)
    part.around = (division.preamble, division.epilogue)
    if division.lookalikes:
        lookalikes.append((part, division.lookalikes))
    default = "message/rfc822" if part.content_type == "multipart/digest" else "text/plain"  # RFC 2046, 5.1.5
    parts = [_read(source, first, last, default) for first, last in division.spans]
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
    room = limits.MIME_PARTS - 1
    lookalikes: list[tuple[Part, list[bytes]]] = []
    while todo:
        part, enclosing = todo.pop()
        message = part.content_type in _MESSAGES
        if not message and not part.content_type.startswith("multipart/"):
            continue
        if len(enclosing) >= limits.MIME_DEPTH or room < 1:
            part.defects += ("too-many-parts" if room < 1 else "too-deep",)
            continue
        boundary = b"" if message else _boundary(part)
        if _repeats(boundary, enclosing):
            part.defects += ("repeated-boundary",)
        part.parts = _message(part, raw) if message else _multipart(part, raw, room, lookalikes)
        room -= len(part.parts)
        todo.extend((child, (*enclosing, boundary)) for child in reversed(part.parts))
    for part, lines in lookalikes:  # the boundary of an inner multipart may begin with that of the outer
        inner = {_boundary(below) for below in walk(part)}
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


STRUCTURAL = frozenset(_DUPLICATES)
"""The fields that describe a body: an edit of any other field does not change the tree."""


def with_header(root: Part, header: bytes) -> Part:
    """The same tree with another header of the message, whose STRUCTURAL fields are the same. `begin`, `start` and `end` of
    the root remain offsets in its `source`."""
    return replace(root, header=header)


# ---- replacing a part

_Change = tuple[int, int, bytes]
"""The octets from one offset to another are replaced by these."""


def replaced(root: Part, path: Sequence[int], octets: bytes) -> bytes:
    """The message with the tree `root`, in which `octets` replace the header and body of the part at `path`.

    A path is the numbers, from 0, of nested parts; that of the root is empty. IndexError if there is no such part. The
    content of an encoded message or multipart is encoded again. An enclosing multipart gets another boundary if the octets
    have a line that begins with its own, because they must remain one part.
    """
    chain = [root]
    for number in path:
        chain.append(chain[-1].parts[number])
    part = chain.pop()
    source = part.source
    if not chain or octets == source[part.begin : part.end]:
        return root.source if chain else octets
    octets = _set_off(octets, source, part.end)
    if chain[-1].content_type not in _MESSAGES:
        octets = _in_a_line(part, newline_of(source)) + octets
    elif chain[-1].source is source:
        octets = _as_body(octets, chain[-1])
    changes = [(part.begin, part.end, octets)]
    while chain:
        around = chain.pop()
        header: Iterable[_Change] = ()
        divided = around.content_type not in _MESSAGES
        mark = b"--" + _boundary(around)
        if divided and (octets.startswith(mark) or b"\n" + mark in octets):
            other = new_boundary(source, octets, b"%d" % len(chain))
            changes += _gaps(around, source, mark, b"--" + other.encode())
            header = _renamed(around, other)
        if around.source is not source:
            content = _spliced(source, changes)[1 if divided else 0 :]  # see _multipart
            source = around.source
            octets = ENCODERS[around.encoding](content, newline_of(source))
            octets = _as_body(_set_off(octets, source, around.end), around)
            changes = [(around.start, around.end, octets)]
        changes += header
    return _spliced(source, changes)


def _spliced(source: bytes, changes: list[_Change]) -> bytes:
    pieces, at = [], 0
    for begin, end, octets in sorted(changes):
        pieces += [source[at:begin], octets]
        at = end
    return b"".join([*pieces, source[at:]])


def _set_off(octets: bytes, source: bytes, end: int) -> bytes:
    """`octets` in the form that precedes source[end:], which is nothing, or a boundary with the line end before it."""
    after = source[end : end + 1]
    added = b""
    if octets and after not in (b"", b"\r", b"\n"):  # that line end is also the one of the last boundary
        added = after = newline_of(source)
    if octets.endswith(b"\r") and after == b"\n":  # it would become a part of the line end before the boundary
        return octets + b"\r" + added
    return octets + added


_EMPTY_LINE_LAST = re.compile(rb"(?:\A|\n)\r?\n\Z")


def _as_body(octets: bytes, around: Part) -> bytes:
    """`octets` in the form that follows the header of `around`, which may lack an empty line at its end."""
    newline = newline_of(around.source)
    if around.begin == around.start:  # without a header, it begins with the empty line
        return _in_a_line(around, newline) + newline + octets
    head = around.source[around.begin : around.start]
    added = b"\n" if head.endswith(b"\r") else b"" if head.endswith(b"\n") else newline
    if _EMPTY_LINE_LAST.search(head + added) is None:
        added += newline
    return added + octets


def _in_a_line(part: Part, newline: bytes) -> bytes:
    """The line end that is missing before a part if the message ends with its boundary."""
    return newline if part.source[part.begin - 1 : part.begin] not in (b"", b"\n") else b""


def _gaps(around: Part, source: bytes, mark: bytes, other: bytes) -> Iterator[_Change]:
    """Changes that put another boundary in each boundary line of a multipart."""
    end = around.around[0][1]
    begins = [(part.begin, part.end) for part in around.parts]
    if around.around[1] != (0, 0):
        begins.append((around.around[1][0], 0))
    for begin, next_end in begins:
        yield end, begin, source[end:begin].replace(mark, other, 1)
        end = next_end


def _renamed(around: Part, boundary: str) -> Iterator[_Change]:
    """Changes that put another boundary in the header of a multipart: one Content-Type field replaces all."""
    newline = newline_of(around.source)
    lines = [f"Content-Type: {around.content_type}"]
    for name, value in {**around.parameters, "boundary": boundary}.items():
        if not re.fullmatch(_TOKEN, name, re.ASCII):
            continue
        if value.isascii() and value.isprintable():
            value = value.replace("\\", "\\\\").replace('"', '\\"')
            lines.append(f'{name}="{value}"')
        else:  # RFC 2231, 4
            lines.append(f"{name}*=utf-8''" + "".join(f"%{octet:02X}" for octet in value.encode("utf-8", "replace")))
    field = f";{newline.decode()} ".join(lines).encode("utf-8", "replace") + newline
    for name, begin, end in field_spans(around.header):
        if name == "content-type":
            yield around.begin + begin, around.begin + end, field
            field = b""
