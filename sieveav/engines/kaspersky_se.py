"""kaspersky_se: Kaspersky Scan Engine in HTTP mode, by version 1 of its protocol.

    C: POST /scanmemory HTTP/1.1
       X-KAV-ProtocolVersion: 1
       X-KAV-Timeout: 9990                      (milliseconds; and the content as the body)
    S: HTTP/1.1 200 OK
       Content-Length: 22

       DETECT EICAR-Test-File

Written from descriptions of the protocol, without the product at hand. Only the texts below are known for certain.
"""

from __future__ import annotations

from dataclasses import replace

from sieveav.options import Option, ValueType
from sieveav.scanning import http
from sieveav.scanning.contract import EngineType
from sieveav.scanning.daemon import TLS, Protocol, maker, options
from sieveav.scanning.dialogue import Answer, Dialogue, Request, error, found, text
from sieveav.scanning.failover import ProtocolError
from sieveav.scanning.format import USUAL
from sieveav.scanning.naming import Class
from sieveav.verdict import Status

CLASSES: tuple[Class, ...] = (("not-a-virus:*", Status.SUSPICIOUS), ("HEUR:not-a-virus:*", Status.SUSPICIOUS))
"""Adware and programs that may be misused."""

_ANSWERS = {
    b"CLEAN": Answer(Status.CLEAN),
    b"CLEAN AND CONTAINS OFFICE MACRO": Answer(Status.MACRO, "office macro"),
    b"NON_SCANNED (PASSWORD PROTECTED)": Answer(Status.ENCRYPTED, "password protected"),
}
"""The answers that are known word by word. All others but DETECT are errors, such as SERVER_ERROR."""

_DETECT = b"DETECT"


def _fields(request: Request) -> list[tuple[str, object]]:
    authorization = request.values["authorization"]
    return [
        ("X-KAV-ProtocolVersion", 1),
        ("X-KAV-Timeout", max(1, int(request.deadline.left() * 1000))),
        *((("Authorization", authorization),) if authorization else ()),
    ]


def _scan(request: Request) -> Dialogue[Answer]:
    line = "POST /scanmemory HTTP/1.1"
    response, body = yield from http.fetch(line, request.host, _fields(request), request.content.pieces)
    return replace(_answer(body, whole=response.has_length), is_open=response.is_open)


def _answer(body: bytes, *, whole: bool) -> Answer:
    """What a body says; `whole`: it is known not to be cut."""
    said = body.removesuffix(b"\n").removesuffix(b"\r")
    if said.startswith(_DETECT):
        return found(text(said.removeprefix(_DETECT).partition(b"\n")[0]))
    if not whole:  # cut after its first word, CLEAN AND CONTAINS OFFICE MACRO is CLEAN
        raise ProtocolError("a response that does not say how long it is")
    return _ANSWERS.get(said) or error(said)


def _probe(request: Request) -> Dialogue[bool]:
    """Whether it answers. Not every version may have this resource; to say so is an answer too."""
    return http.is_up("GET /basesdate HTTP/1.1", request.host, _fields(request))


def _version(request: Request) -> Dialogue[str]:
    """The date of its bases, as it writes it; "" if it does not have this resource."""
    try:
        _, body = yield from http.fetch("GET /basesdate HTTP/1.1", request.host, _fields(request))
    except ProtocolError:
        return ""
    return f"Kaspersky {text(body)}" if body else ""


def _authorization(written: str) -> str:
    if not written.isascii() or not written.isprintable():
        raise ValueError("it has characters that are not allowed in a header field")
    return written


protocol = Protocol(9999, _scan, _probe, _version, classes=CLASSES)

engine = EngineType(
    name="kaspersky_se",
    summary="Kaspersky Scan Engine in HTTP mode, over TCP, with or without TLS",
    pool="IO",
    options=(
        *options(protocol.port, "Kaspersky Scan Engine"),
        Option(
            "authorization",
            ValueType("value of a header field", _authorization),
            "",
            "the value of the field Authorization of each request, if the service asks for it",
        ),
        *TLS,
    ),
    make=maker(protocol),
    opens=USUAL,
    punctual=True,
    details=(
        "Clean only after the answer CLEAN, with its length. CLEAN AND CONTAINS OFFICE MACRO is macro, NON_SCANNED (PASSWORD"
        " PROTECTED) is encrypted, names that begin with not-a-virus: are suspicious. Everything else but DETECT is an error."
    ),
)
