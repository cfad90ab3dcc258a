"""http: requests and responses of HTTP/1.x, and of ICAP, which has the same form, as steps of a dialogue.

Strict where two readers could understand something else: a response with two lengths, a field name with a space, a chunk that
does not end where it says. Whatever breaks the protocol raises ProtocolError.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from sieveav.limits import KIB
from sieveav.scanning.contract import cut
from sieveav.scanning.dialogue import Dialogue, Line, Octets, Question, Rest, play, text
from sieveav.scanning.failover import ProtocolError

LINES = 1000
"""The most lines of a header."""

ANSWER = 64 * KIB
"""The most octets of a body that is an answer, not a content."""

Fields = Iterable[tuple[str, object]]
"""Names and values of header fields."""

_STATUS = re.compile(rb"([A-Z]+)(/[0-9]\.[0-9]) ([1-9][0-9]{2})(?: (.*))?")
_FIELD = re.compile(rb"([!#$%&'*+.^`|~\w-]+):(.*)", re.DOTALL)
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;.*)?")


class Head(NamedTuple):
    """A status line, of which `version` is such as `HTTP/1.1`, and the header fields. `fields` maps their names in lower case
    to their values, one for each line: a field that is folded, or occurs again, has several. All is printable ASCII."""

    version: str
    code: int
    reason: str
    fields: dict[str, list[str]]

    def field(self, name: str) -> str:
        """The value of a field in one line, "" if it is missing."""
        return " ".join(self.fields.get(name, ())).strip()

    def tokens(self, name: str) -> list[str]:
        """The tokens of a field, in lower case."""
        return [token.strip().lower() for token in ",".join(self.fields.get(name, ())).split(",")]

    @property
    def is_open(self) -> bool:
        """Whether the connection may be used for another request (RFC 7230, 6.3; RFC 3507, 4.1)."""
        options = self.tokens("connection")
        return "close" not in options and (self.version != "HTTP/1.0" or "keep-alive" in options)

    @property
    def has_length(self) -> bool:
        """Whether it says where its body ends. Else nobody notices that the body is cut (RFC 7230, 3.4)."""
        return not self.fields.keys().isdisjoint(("content-length", "transfer-encoding"))

    def __str__(self) -> str:
        return f"{self.code} {self.reason}".strip()


def printable(fields: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Those of `fields` that have a value, and nothing in it that could end a line. Others are left out: whoever sends a
    message chooses their values, and must not prevent that it is scanned."""
    return ((name, value) for name, value in fields if value and value.isprintable())


def request(line: str, fields: Fields) -> bytes:
    """The header of a request, whose first line is `line`. ValueError if something would end a line."""
    lines = [line, *(f"{name}: {value}" for name, value in fields), "", ""]
    if any("\r" in written or "\n" in written for written in lines):
        raise ValueError("a line end in a request")
    return "\r\n".join(lines).encode("utf-8", "surrogateescape")


def ask(line: str, host: str, fields: Fields = (), pieces: Sequence[bytes] = ()) -> Dialogue[Head]:
    """Ask with the request `line` and a body of these pieces, and hear the header of the response."""
    length = (("Content-Length", sum(map(len, pieces))),) if pieces else ()
    yield Question((request(line, (("Host", host), ("User-Agent", "sieveav"), *fields, *length)), *pieces))
    return (yield from head())


def is_up(line: str, host: str, fields: Fields = (), pieces: Sequence[bytes] = ()) -> Dialogue[bool]:
    """The same; whether there is an answer. Its status does not matter, unless it is a failure of the server."""
    response = yield from ask(line, host, fields, pieces)
    return response.code < 500


def fetch(line: str, host: str, fields: Fields = (), pieces: Sequence[bytes] = ()) -> Dialogue[tuple[Head, bytes]]:
    """Ask, and hear the response and its body, at most ANSWER octets. ProtocolError if the status is not 200."""
    response = yield from ask(line, host, fields, pieces)
    if response.code != 200:
        raise ProtocolError(str(response))
    octets = yield from body(response, ANSWER)
    return response, octets


def head(protocol: str = "HTTP") -> Dialogue[Head]:
    """Hear the header of a response."""
    line = yield Line()
    status = _STATUS.fullmatch(line)
    if status is None or text(status[1]) != protocol:
        raise ProtocolError(f"not {protocol}: {text(line)}")
    fields = yield from header()
    return Head(text(status[1] + status[2]), int(status[3]), text(status[4] or b""), fields)


def parsed(octets: bytes, protocol: str = "HTTP") -> Head:
    """The header of a response that is there as a whole."""
    if not octets.endswith(b"\n"):
        raise ProtocolError("a header without its end")
    response, _, unheard = play(head(protocol), octets)
    if unheard:
        raise ProtocolError("a header that ends before it should")
    return response


def header() -> Dialogue[dict[str, list[str]]]:
    """Hear header fields up to an empty line, folded ones too (RFC 2616, 4.2, which ICAP refers to); as in `Head.fields`."""
    fields: dict[str, list[str]] = {}
    last: list[str] = []
    for _ in range(LINES):
        line = yield Line()
        if not line:
            return fields
        if line[:1] in b" \t" and fields:
            last.append(text(line))
        elif field := _FIELD.fullmatch(line):
            last = fields.setdefault(text(field[1]).lower(), [])
            last.append(text(field[2]))
        else:
            raise ProtocolError(f"not a header field: {text(line)}")
    raise ProtocolError(f"more than {LINES} lines in a header")


def body(response: Head, limit: int) -> Dialogue[bytes]:
    """Hear the body of a response to a POST or GET, at most `limit` octets (RFC 7230, 3.3.3)."""
    codings, lengths = response.fields.get("transfer-encoding"), response.fields.get("content-length")
    if codings and lengths:
        raise ProtocolError("a body with two lengths")
    if codings:
        if response.tokens("transfer-encoding") != ["chunked"]:
            raise ProtocolError(f"unknown transfer coding: {response.field('transfer-encoding')}")
        return (yield from chunks(limit))
    if lengths:
        if len(set(lengths)) > 1 or not re.fullmatch("[0-9]{1,12}", lengths[0]):
            raise ProtocolError(f"not a length: {response.field('content-length')}")
        if int(lengths[0]) > limit:
            raise ProtocolError(f"more than {limit} octets")
    octets: bytes = yield Octets(int(lengths[0])) if lengths else Rest(limit)
    return octets


def chunks(limit: int) -> Dialogue[bytes]:
    """Hear a body in chunks, at most `limit` octets, with its trailer (RFC 7230, 4.1)."""
    pieces: list[bytes] = []
    left = limit
    for _ in range(limit + 2):
        line = yield Line()
        size = _CHUNK.fullmatch(line)
        if size is None:
            raise ProtocolError(f"not the size of a chunk: {text(line)}")
        length = int(size[1], 16)
        if not length:
            yield from header()
            break
        left -= length
        if left < 0:
            raise ProtocolError(f"more than {limit} octets")
        pieces.append((yield Octets(length)))
        if (yield Line()):
            raise ProtocolError("a chunk that is longer than it says")
    return b"".join(pieces)


def chunked(pieces: Iterable[bytes], size: int) -> Iterable[bytes]:
    """`pieces` as a body in chunks of at most `size` octets."""
    for chunk in cut(pieces, size):
        yield b"".join((b"%x\r\n" % len(chunk), chunk, b"\r\n"))
    yield b"0\r\n\r\n"
