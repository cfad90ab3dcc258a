"""eleven: eleven's eXpurgate, which says what kind of mail a message is, by either protocol of its scan server.

    C: REPORT SPAMC/1.3                              (protocol = spamd)
       Sender-IP: 192.0.2.1
       Sender: alice@example.com
       User: bob@example.org                         (one for each recipient; Content-length, an empty line, the message)
    S: SPAMD/1.3 0 EX_OK
       X-purgate-type: bulk.advertising

    C: POST /checkv2 HTTP/1.1                        (protocol = http; Helo, From, Rcpt, IP, the message as the body)
    S: HTTP/1.1 200 OK
       {"milter": {"add_headers": {"X-purgate-type": {"value": "dangerous.virus"}}}}

Written from descriptions of the protocols, without the product at hand. They have no numbers for a type: the variables for its
scores have its words. Spam is no virus: the status is clean then, and scripts look at the variables.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from sieveav.options import BOOLEAN, SECONDS, TEXT, Option, one_of
from sieveav.scanning import http, strict_json
from sieveav.scanning.connecting import Address
from sieveav.scanning.contract import EngineType, Envelope, value_variables
from sieveav.scanning.daemon import Protocol, maker, options
from sieveav.scanning.dialogue import Answer, Dialogue, Line, Question, Request, error, found, text
from sieveav.scanning.failover import ProtocolError
from sieveav.scanning.format import USUAL
from sieveav.scanning.http import Head
from sieveav.scanning.naming import Class
from sieveav.scanning.settings import EngineSettings
from sieveav.verdict import Status, Verdict, plain

PORT = 783

UPDATES = 55555
"""The port of the servers that Momentum's own kit gets its updates from: they scan nothing."""

CLASSES: tuple[Class, ...] = (
    ("dangerous.virus", Status.INFECTED),
    ("dangerous.virus-outbreak", Status.INFECTED),
    ("dangerous*", Status.SUSPICIOUS),
)
"""What the types of dangerous mail count as."""

_TYPE = re.compile(r"(clean|suspect|spam|bulk|dangerous|unknown)(?:\.([a-z0-9-]+))?")

_SUBTYPES = {"": "normal", "advertising": "advertisement", "virus-outbreak": "outbreak"}
"""The words of Momentum's variables, where they differ from those of a type."""

_STATUS = re.compile(rb"SPAMD/1\.[0-9] ([0-9]{1,3})(?: .*)?")


def _answer(type_: str) -> Answer:
    """What a type says, such as bulk.advertising."""
    match = _TYPE.fullmatch(type_)
    if match is None:
        return error(f"X-purgate-type: {plain(type_)}")
    major, minor = match[1], match[2] or ""
    subtype = _SUBTYPES.get(minor, minor)
    values = {
        "eleven-majorscore": major,
        "eleven-minorscore": subtype,
        "eleven-result": major,
        "eleven-result-subtype": subtype,
    }
    return found(type_, values=values) if major == "dangerous" else Answer(Status.CLEAN, values=values)


def _by_spamd(request: Request) -> Dialogue[Answer]:
    raw, envelope = request.content.raw, request.content.envelope or Envelope()
    users = (("User", recipient) for recipient in envelope.recipients)
    known = http.printable((("Sender-IP", envelope.client), ("Sender", envelope.sender), *users))
    yield Question((http.request("REPORT SPAMC/1.3", (*known, ("Content-length", len(raw)))), raw))
    line = yield Line()
    status = _STATUS.fullmatch(line)
    if status is None:
        raise ProtocolError(f"not SPAMD: {text(line)}")
    if int(status[1]):
        return error(line)
    response = Head("SPAMD/1.3", 0, "", (yield from http.header()))
    yield from http.body(response, http.ANSWER)
    return _answer(response.field("x-purgate-type"))


def _by_http(request: Request) -> Dialogue[Answer]:
    raw, envelope = request.content.raw, request.content.envelope or Envelope()
    recipients = (("Rcpt", recipient) for recipient in envelope.recipients)
    known = (("IP", envelope.client), ("Helo", envelope.helo), ("From", envelope.sender), *recipients)
    response, body = yield from http.fetch("POST /checkv2 HTTP/1.1", request.host, http.printable(known), (raw,))
    type_ = strict_json.read(body)
    for name in ("milter", "add_headers", "X-purgate-type", "value"):
        type_ = type_.get(name) if isinstance(type_, dict) else None
    if not isinstance(type_, str):
        raise ProtocolError("no X-purgate-type")
    return replace(_answer(type_), is_open=response.is_open)


_PROTOCOLS: Mapping[str, Callable[[Request], Dialogue[Answer]]] = {"spamd": _by_spamd, "http": _by_http}
"""By the value of the option `protocol`."""


def _scan(request: Request) -> Dialogue[Answer]:
    return _PROTOCOLS[request.values["protocol"]](request)


def _probe(request: Request) -> Dialogue[bool]:
    """Whether it says of an empty message what kind of mail it is: no cheaper question is known."""
    answer = yield from _scan(request)
    return answer.status is not Status.ERROR


protocol = Protocol(PORT, _scan, _probe, classes=CLASSES)

_SCORES = ("eleven-majorscore", "eleven-result")
_SUBSCORES = ("eleven-minorscore", "eleven-result-subtype")
_known = value_variables(*_SCORES, *_SUBSCORES)


def _variables(name: str, settings: EngineSettings, verdict: Verdict) -> Mapping[str, str]:
    """Those of the values; after an error, the word error and the reason."""
    variables = _known(name, settings, verdict)
    if verdict.status is not Status.ERROR:
        return variables
    return {**variables, **dict.fromkeys(_SCORES, "error"), **dict.fromkeys(_SUBSCORES, verdict.info)}


def _warn_of_updates(servers: tuple[str, ...]) -> str:
    is_update = any(Address.parse(server, PORT).port == UPDATES for server in servers)
    return f"port {UPDATES} is that of update servers, which do not scan" if is_update else ""


def _warn_of_kit(value: Any) -> str:  # noqa: ARG001  # whatever it is
    return "it is not used: messages are scanned by a server, which has its own"


_KIT = tuple(
    Option(name, kind, default, "of Momentum's own kit; it is accepted, but not used", warn=_warn_of_kit)
    for name, kind, default in (
        ("work_dir", TEXT, ""),
        ("update_period", SECONDS, 3600.0),
        ("license", TEXT, ""),
        ("enable_antivir", BOOLEAN, False),
    )
)

_servers, *_naming = options(PORT, "the scan server", "servers")

engine = EngineType(
    name="eleven",
    summary="eleven's eXpurgate, by its scan server, over its spamd-like protocol or HTTP",
    pool="IO",
    options=(
        replace(_servers, warn=_warn_of_updates),
        Option("protocol", one_of(*_PROTOCOLS), "spamd", "what the scan server speaks"),
        *_naming,
        *_KIT,
    ),
    make=maker(protocol, "servers"),
    opens=USUAL,
    whole=True,
    punctual=True,
    cacheable=False,
    action="{}_scan",
    variables=_variables,
    within=("",),
    details=(
        "The action eleven_scan sets eleven-result (clean, suspect, spam, bulk, dangerous or unknown) and eleven-result-subtype"
        " (normal, empty, bounce, advertisement, virus, outbreak and so on), in addition to the variables of every engine."
        " eleven-majorscore and eleven-minorscore are the same words, because the server does not send their numbers. After an"
        " error, eleven-result and eleven-majorscore are error, the others the reason. The types dangerous.virus and"
        " dangerous.virus-outbreak are infected, other dangerous mail is suspicious, and mail of any other type is clean, spam"
        " too. Verdicts are never cached."
    ),
)
