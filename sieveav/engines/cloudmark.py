"""cloudmark: Cloudmark's score of a message, from 0 to 100, by the HTTP interface of its server.

    C: POST /score/v2/message HTTP/1.1
       Content-Type: multipart/form-data; boundary=...     (the parts heloDomain, mailFrom, rcptTo, connIp, rfc822)
    S: HTTP/1.1 200 OK
       {"score": 97, "analysis": "v=2.4 cv=...", "appendHeaders": [...]}

Written from descriptions of the interface, without the product at hand. It says nothing of viruses: whatever the score, the
status is clean, and scripts look at the variables. The categories, which the vendor's library knows, are not in the answer.
"""

from __future__ import annotations

import secrets
from dataclasses import replace

from sieveav.options import BOOLEAN, SIZE, Option, integer
from sieveav.scanning import http, strict_json
from sieveav.scanning.contract import Content, EngineType, Envelope, value_variables
from sieveav.scanning.daemon import Protocol, maker, options
from sieveav.scanning.dialogue import Answer, Dialogue, Request
from sieveav.scanning.failover import ProtocolError
from sieveav.scanning.format import ANY
from sieveav.verdict import Status


def _form(content: Content, boundary: str) -> tuple[bytes, ...]:
    """The content and its envelope as multipart/form-data (RFC 7578), in pieces."""
    envelope = content.envelope or Envelope()
    recipients = ",".join(recipient for recipient in envelope.recipients if recipient.isprintable())
    fields = http.printable(
        (
            ("heloDomain", envelope.helo),
            ("mailFrom", envelope.sender),
            ("rcptTo", recipients),
            ("connIp", envelope.client),
        )
    )
    parts = [(_header(boundary, name), value.encode(), b"\r\n") for name, value in fields]
    message = _header(boundary, "rfc822", ("Content-Type", "message/rfc822"))
    return (*(piece for part in parts for piece in part), message, content.raw, f"\r\n--{boundary}--\r\n".encode())


def _header(boundary: str, name: str, *more: tuple[str, str]) -> bytes:
    return http.request(f"--{boundary}", (("Content-Disposition", f'form-data; name="{name}"'), *more))


def _scan(request: Request) -> Dialogue[Answer]:
    largest = request.values["Max_Body_Length"]
    if largest and len(request.content.raw) > largest:
        return Answer(Status.LIMITS, f"more than {largest} octets")
    boundary = secrets.token_hex(16)  # nobody who writes a message knows it
    fields = (("Content-Type", f"multipart/form-data; boundary={boundary}"),)
    form = _form(request.content, boundary)
    response, body = yield from http.fetch("POST /score/v2/message HTTP/1.1", request.host, fields, form)
    return replace(_answer(body, request.values["MinimumScore"]), is_open=response.is_open)


def _answer(body: bytes, minimum: int) -> Answer:
    reply = strict_json.read(body)
    if not isinstance(reply, dict):
        raise ProtocolError("not an object")
    score, analysis = reply.get("score"), reply.get("analysis", "")
    if isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 100:
        raise ProtocolError("no score from 0 to 100")
    if not isinstance(analysis, str):
        raise ProtocolError("an analysis that is not a string")
    is_spam = "true" if score >= minimum else "false"
    values = {"cmae-score": str(int(score)), "cmae-isspam": is_spam, "cmae-analysis": analysis}
    return Answer(Status.CLEAN, values=values)


def _probe(request: Request) -> Dialogue[bool]:
    return http.is_up("GET /score/v2/max-message-size HTTP/1.1", request.host)


protocol = Protocol(2713, _scan, _probe)

engine = EngineType(
    name="cloudmark",
    summary="Cloudmark's score of a message, from its server, over HTTP",
    pool="IO",
    options=(
        options(protocol.port, "Cloudmark's server")[0],  # it names no signatures
        Option("enabled", BOOLEAN, False, "true: score each message, not only when a script asks"),
        Option("MinimumScore", integer(0, 100), 90, "the least score of spam, which sets cmae-isspam to true"),
        Option("Max_Body_Length", SIZE, 0, "a larger message is not sent and counts as limits; 0: no limit"),
    ),
    make=maker(protocol),
    opens=(ANY,),
    whole=True,
    punctual=True,
    cacheable=False,
    action="{}_score",
    variables=value_variables("cmae-score", "cmae-isspam", "cmae-analysis"),
    within=("",),
    details=(
        "The action cloudmark_score sets cmae-score (0 to 100), cmae-isspam (true or false) and cmae-analysis (at most 256"
        " characters), in addition to the variables of every engine. A message with any score is clean: Cloudmark does not"
        " say whether it has a virus, so this engine does not replace one that does, and archives are not looked into. What is"
        " not a score is an error. cmae-category, cmae-subcategory and cmae-rescan are not set, because the server does"
        " not send them. Scores are never cached."
    ),
)
