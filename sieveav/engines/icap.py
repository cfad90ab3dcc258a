"""icap: content into a verdict by asking a scanner over ICAP (RFC 3507), with RESPMOD.

    C: RESPMOD icap://127.0.0.1:1344/avscan ICAP/1.0      (the content is sent as the response to a request for it)
    S: ICAP/1.0 204 No modifications needed               it is clean
    S: ICAP/1.0 200 OK                                    it is clean if the same content comes back, and infected with
       X-Infection-Found: Type=0; Resolution=2; Threat=Eicar-Test-Signature;

RFC 3507 says nothing of viruses. Scanners name what they found in fields of their own, all of which are looked for, whatever
the profile. OPTIONS is not asked before each scan: `Allow: 204` may be said to any server (RFC 3507, 4.6).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from sieveav.limits import MIB
from sieveav.options import SIZE, Option, ValueType, one_of
from sieveav.scanning import http
from sieveav.scanning.contract import Content, EngineType
from sieveav.scanning.daemon import TLS, Protocol, maker, options
from sieveav.scanning.dialogue import Answer, Dialogue, Octets, Question, Request, Say, error, found
from sieveav.scanning.failover import ProtocolError
from sieveav.scanning.format import USUAL
from sieveav.scanning.http import Head
from sieveav.scanning.naming import CLAMAV
from sieveav.verdict import Status, plain

PORT = 1344

CHUNK = 64 * 1024
"""Octets of one chunk of a body."""

MORE = MIB
"""What an answer may have beyond the content: headers, the page that replaces it, the sizes of chunks."""

HEADER = 64 * 1024
"""The most octets of an encapsulated header."""


@dataclass(frozen=True)
class Profile:
    """What a product does in its own way. Contents of more than `max_size` octets it passes without scan or notice, unless it
    is set up otherwise; `infected` has the status codes, besides 200 and 201, with which it answers to a virus."""

    service: str
    max_size: int = 0
    infected: frozenset[int] = frozenset()


PROFILES = {
    "c-icap": Profile("avscan", max_size=5 * MIB),
    "eset": Profile("scan"),
    "fsecure": Profile("respmod"),
    "generic": Profile("avscan"),
    "kaspersky": Profile("av/respmod"),
    "mcafee": Profile("respmod"),
    "opswat": Profile("OMSScanResp-AV"),
    "sandblast": Profile("sandblast"),
    "sophos": Profile("respmod"),
    "squidclamav": Profile("squidclamav", max_size=5_000_000),
    "symantec": Profile("SYMCScanResp-AV", infected=frozenset({403})),
    "trend": Profile("avscan"),
}
"""By the value of the option `profile`."""

# ---- what a response says

_NAMES = (
    "x-virus-name",
    "x-virus-id",
    "x-mwg-block-reason",
    "x-block-reason",
    "x-blocked-reason",
    "x-blocked",
)
"""Fields that name what was found, or why the content is blocked."""

_REPORTS = frozenset({*_NAMES, "x-infection-found", "x-fsecure-scan-result", "x-response-info", "x-violations-found"})
"""Fields that are looked at; most answers have none of them."""

_NOTHING = frozenset({"", "-", "0", "clean", "false", "no", "no threats", "none"})
"""Values of these fields that name nothing."""

_INFECTION = re.compile(r"Type=([0-9]+); *Resolution=[0-9]+; *Threat=([^;]*)")

_CONTAINERS = (
    (re.compile(r"encrypt|password", re.IGNORECASE), Status.ENCRYPTED),
    (re.compile(r"size|depth|level|count|number|limit|time|large|big|many|extract", re.IGNORECASE), Status.LIMITS),
)
"""What a violation by a container means, by the words that describe it; else it is unscannable, as a broken archive is."""


def _find(header: Head) -> Answer | None:
    """What the fields of a header report, None if nothing."""
    if _REPORTS.isdisjoint(header.fields):
        return None
    at = header.field
    if "x-infection-found" in header.fields:
        return _infection(at("x-infection-found"))
    for name in _NAMES:
        if at(name).lower() not in _NOTHING:
            return found(at(name))
    if at("x-fsecure-scan-result").strip('"').lower() not in _NOTHING:
        return found(at("x-fsecure-infection-name").strip('"'))
    if at("x-response-info").lower() == "blocked":
        return found("blocked")
    if at("x-violations-found") not in _NOTHING:
        return _violation(header.fields["x-violations-found"])
    return None


def _infection(value: str) -> Answer:
    """What X-Infection-Found says: type 0 is a virus, 1 a violation of the mail policy, 2 one by a container."""
    match = _INFECTION.match(value)
    if match is None:
        return found(value)
    kind, threat = match[1], match[2].strip()
    if kind == "1":
        return Answer(Status.SUSPICIOUS, threat or "mail policy")
    return _container(threat) if kind == "2" else found(threat)


def _container(threat: str) -> Answer:
    status = next((status for words, status in _CONTAINERS if words.search(threat)), Status.UNSCANNABLE)
    return Answer(status, threat or "container violation")


def _violation(lines: list[str]) -> Answer:
    """What X-Violations-Found says: the number of violations, and for each the file, the threat, the problem and what was
    done, in a line each."""
    threat = lines[2] if len(lines) > 2 else ""
    problem = int(lines[3]) if len(lines) > 3 and re.fullmatch("[0-9]{1,9}", lines[3]) else None
    answer = _container(threat) if "violation" in threat.lower() else found(threat)
    return replace(answer, code=problem)


# ---- the protocol


def _target(request: Request) -> str:
    profile = PROFILES[request.values["profile"]]
    return f"icap://{request.host}/{request.values['service'] or profile.service}"


def _head(method: str, request: Request, fields: tuple[tuple[str, object], ...]) -> bytes:
    always = (("Host", request.host), ("User-Agent", "sieveav"))
    return http.request(f"{method} {_target(request)} ICAP/1.0", always + fields)


def _response() -> Dialogue[Head]:
    response = yield from http.head("ICAP")
    if response.version != "ICAP/1.0":
        raise ProtocolError(response.version)
    return response


def _size(content: Content) -> int:
    return sum(map(len, content.pieces))


def _tag(response: Head) -> str:
    """The tag of the service, which changes with its definitions (RFC 3507, 4.7)."""
    return response.field("istag").strip('"')


def _clean(response: Head) -> Answer:
    return Answer(Status.CLEAN, version=_tag(response), is_open=response.is_open)


def _question(request: Request) -> Iterator[bytes]:
    kind = "message/rfc822" if request.content.is_message else "application/octet-stream"
    asked = http.request("GET http://localhost/content HTTP/1.1", (("Host", "localhost"),))
    length = _size(request.content)
    replied = http.request("HTTP/1.1 200 OK", (("Content-Type", kind), ("Content-Length", length)))
    parts = f"req-hdr=0, res-hdr={len(asked)}, res-body={len(asked) + len(replied)}"
    head = _head("RESPMOD", request, (("Allow", "204"), ("Encapsulated", parts)))
    yield b"".join((head, asked, replied))
    yield from http.chunked(request.content.pieces, CHUNK)


def _scan(request: Request) -> Dialogue[Answer]:
    profile = PROFILES[request.values["profile"]]
    size = _size(request.content)
    largest = request.values["max_size"] or profile.max_size
    if largest and size > largest:
        return Answer(Status.LIMITS, f"more than {largest} octets")
    heard_all = yield Question(_question(request), hears=size + MORE)
    response = yield from _response()
    find = _find(response)
    if find is not None:
        return find
    if response.code == 204:
        return _clean(response) if heard_all else error("204, but not to the whole content")
    if response.code not in (200, 201):
        return found("", code=response.code) if response.code in profile.infected else error(str(response))
    return (yield from _modified(request, response))


def _modified(request: Request, response: Head) -> Dialogue[Answer]:
    """What an encapsulated response says: the same content comes back from a server that does not answer 204, another one if
    it is blocked."""
    header, has_body = yield from _encapsulated(response)
    if header is not None:
        find = _find(header)
        if find is not None:
            return find
        if header.code >= 400:
            return found("", code=header.code)
    if not has_body or (header is not None and header.code != 200):
        return error(f"{response}, and not the content")
    body = yield from http.chunks(_size(request.content) + MORE)
    if body != b"".join(request.content.pieces):
        return error("the content comes back changed, and the answer does not say why")
    return _clean(response)


_PARTS = re.compile(r"(?:res-hdr=0, *(res-body|null-body)=([0-9]{1,6})|(res-body|null-body)=0)")


def _encapsulated(response: Head) -> Dialogue[tuple[Head | None, bool]]:
    """Hear the encapsulated header of a response to RESPMOD, if there is one; and whether a body follows (RFC 3507, 4.4.1)."""
    parts = _PARTS.fullmatch(response.field("encapsulated"))
    if parts is None:
        raise ProtocolError(f"Encapsulated: {response.field('encapsulated')}")
    length = int(parts[2] or 0)
    if length > HEADER:
        raise ProtocolError(f"more than {HEADER} octets in a header")
    has_body = "res-body" in (parts[1], parts[3])
    if not length:
        return None, has_body
    octets = yield Octets(length)
    return http.parsed(octets), has_body


def _options(request: Request) -> Dialogue[Head]:
    yield Say(_head("OPTIONS", request, (("Encapsulated", "null-body=0"),)))
    response = yield from _response()
    if response.code != 200:
        raise ProtocolError(str(response))
    return response


def _probe(request: Request) -> Dialogue[bool]:
    """Whether the service is there, and has RESPMOD."""
    response = yield from _options(request)
    return "respmod" in response.tokens("methods")


def _version(request: Request) -> Dialogue[str]:
    """The name of the service and its tag; "" without a tag."""
    response = yield from _options(request)
    tag, service = _tag(response), response.field("service").strip('"')
    return f"{service} {tag}".strip() if tag else ""


def _service(written: str) -> str:
    if not re.fullmatch("[!-~]*", written):
        raise ValueError(f'"{plain(written)}" is not the path of a service, such as avscan')
    return written.removeprefix("/")


protocol = Protocol(PORT, _scan, _probe, _version, classes=CLAMAV)

engine = EngineType(
    name="icap",
    summary="any scanner that offers ICAP: c-icap, Symantec, Kaspersky, ESET, Sophos, Trend Micro and others",
    pool="IO",
    options=(
        *options(PORT, "the ICAP server", "server"),
        Option(
            "profile", one_of(*PROFILES), "generic", "the product: it decides what the next two options are by default"
        ),
        Option(
            "service", ValueType("path of a service", _service), "", "the service that scans; by default the product's"
        ),
        Option(
            "max_size",
            SIZE,
            0,
            "a larger content is not sent and counts as limits; 0: what the product scans by default, if it passes larger"
            " contents without saying so (c-icap 5m, squidclamav 5000000), else no limit",
        ),
        *TLS,
    ),
    make=maker(protocol, "server"),
    punctual=True,
    opens=USUAL,
    products=tuple(PROFILES),
    details=(
        "Clean only after 204, or 200 with the very content that was sent, and no field that names a virus. The service must be"
        " set up to scan contents of all types and sizes: what it passes without a scan looks clean. A violation by a"
        " container is encrypted, limits or unscannable; a violation of the mail policy, suspicious."
    ),
)
