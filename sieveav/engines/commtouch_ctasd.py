"""commtouch_ctasd: Commtouch's (Cyren's, Data443's) daemon ctasd, over HTTP: what kind of mail it is, and how likely a virus.

    C: POST /ctasd/ClassifyMessage_Inline HTTP/1.0        (Content-Length, an empty line)
       X-CTCH-PVer: 0000001
       X-CTCH-SenderIP: 192.0.2.1
       X-CTCH-MailFrom: alice@example.com                 (an empty line, the message)
    S: HTTP/1.0 200 OK                                    (an empty line)
       X-CTCH-PVer: 0000001
       X-CTCH-Spam: Unknown
       X-CTCH-VOD: High
       X-CTCH-RefID: str=0001.0A0B0201.5FBE0001.0001,ss=1,...

Written from descriptions of the protocol, without the product at hand. Spam is no virus: scripts look at the variables for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from threading import BoundedSemaphore
from typing import Any

from sieveav.options import Option, integer
from sieveav.scanning import http, naming
from sieveav.scanning.connecting import ADDRESSES, Address
from sieveav.scanning.contract import Content, Deadline, Engine, EngineType, Envelope, value_variables
from sieveav.scanning.daemon import Daemon, Protocol, failover
from sieveav.scanning.dialogue import Answer, Dialogue, Request, error, found, play
from sieveav.scanning.failover import ProtocolError
from sieveav.scanning.format import USUAL
from sieveav.scanning.http import Head
from sieveav.scanning.naming import Class
from sieveav.scanning.wrapping import lock_timeout
from sieveav.verdict import Status, Verdict

CLASSES: tuple[Class, ...] = (("VOD.medium", Status.SUSPICIOUS),)
"""VOD.high and VOD.virus are infected."""

VERSION = "X-CTCH-PVer: 0000001"

_FINDS = frozenset({"medium", "high", "virus"})

_WORDS = {
    "x-ctch-spam": {
        "Confirmed": "confirmed",
        "Bulk": "bulk",
        "Suspect": "suspect",
        "Unknown": "unknown",
        "NonSpam": "non-spam",
        "Valid-Bulk": "valid-bulk",
    },
    "x-ctch-vod": {
        "Virus": "virus",
        "High": "high",
        "Medium": "medium",
        "Unknown": "unknown",
        "NonVirus": "non-virus",
    },
}
"""The values of the lines that an answer must have, and what the variables have for them."""


def _scan(request: Request) -> Dialogue[Answer]:
    envelope = request.content.envelope or Envelope()
    about = (("X-CTCH-SenderIP", envelope.client), ("X-CTCH-MailFrom", envelope.sender))
    pieces = (http.request(VERSION, http.printable(about)), request.content.raw)
    response, body = yield from http.fetch("POST /ctasd/ClassifyMessage_Inline HTTP/1.0", request.host, (), pieces)
    return _answer(_lines(response, body))


def _lines(response: Head, body: bytes) -> Mapping[str, str]:
    """The lines of an answer: the value by the name in lower case."""
    if not response.has_length and not body.endswith(b"\n"):
        raise ProtocolError("the last line has no end")
    fields, _, unheard = play(http.header(), body.strip(b"\r\n") + b"\r\n\r\n")
    if unheard:
        raise ProtocolError("an empty line in the answer")
    return {name: " ".join(values).strip() for name, values in fields.items()}


def _answer(lines: Mapping[str, str]) -> Answer:
    if "x-ctch-error" in lines:
        return error(lines["x-ctch-error"])
    words = {name: known.get(lines.get(name, ""), "") for name, known in _WORDS.items()}
    threat = words["x-ctch-vod"]
    values = {
        "commtouch-class": words["x-ctch-spam"],
        "commtouch-virus-threat": threat,
        "commtouch-ref-id": lines.get("x-ctch-refid", ""),
    }
    values = {name: value for name, value in values.items() if value}
    if threat in _FINDS:
        return found(f"VOD.{threat}", values=values)
    for name, word in words.items():
        if not word:
            return error(f"{name}: {lines.get(name, 'missing')}", values=values)
    return Answer(Status.CLEAN, values=values)


def _probe(request: Request) -> Dialogue[bool]:
    return http.is_up("POST /ctasd/GetStatus HTTP/1.0", request.host, (), (http.request(VERSION, ()),))


protocol = Protocol(8088, _scan, _probe, classes=CLASSES)


class Limited(Daemon):
    """One ctasd, which is asked only while there is one of `slots`, and not at all without slots."""

    def __init__(
        self, engine: str, address: Address, values: Mapping[str, Any], slots: BoundedSemaphore | None
    ) -> None:
        super().__init__(engine, address, protocol, values)
        self._slots = slots

    def attempt(self, content: Content, deadline: Deadline) -> Verdict:
        if self._slots is None:
            return Verdict(self._engine, Status.SKIPPED, "concurrency is 0")
        if not self._slots.acquire(timeout=lock_timeout(deadline)):
            return Verdict(self._engine, Status.ERROR, "timeout: too many scans at once")
        try:
            return super().attempt(content, deadline)
        finally:
            self._slots.release()


def _make(name: str, values: Mapping[str, Any]) -> Engine:
    slots = BoundedSemaphore(values["concurrency"]) if values["concurrency"] else None
    return failover(name, values, "host", values["port"], lambda address: Limited(name, address, values, slots))


engine = EngineType(
    name="commtouch_ctasd",
    summary="Commtouch's (Cyren's, Data443's) ctasd, over TCP or a unix socket",
    pool="IO",
    options=(
        Option("concurrency", integer(0, 10_000), 10, "messages that ctasd gets at a time at most; 0: none is scanned"),
        Option(
            "host",
            ADDRESSES,
            ("127.0.0.1",),
            "where ctasd listens: a host or the path of a unix socket; several of them are asked in turn until one answers",
        ),
        Option("port", integer(1, 65535), protocol.port, "the TCP port there"),
        *naming.OPTIONS,
    ),
    make=_make,
    opens=USUAL,
    whole=True,
    punctual=True,
    cacheable=False,
    action="commtouch_scan",
    variables=value_variables("commtouch-class", "commtouch-virus-threat", "commtouch-ref-id"),
    within=("",),
    details=(
        "The action commtouch_scan sets commtouch-class (confirmed, bulk, suspect, unknown, non-spam or valid-bulk),"
        " commtouch-virus-threat (virus, high, medium, unknown or non-virus) and commtouch-ref-id, in addition to the variables"
        " of every engine. The threats virus and high are infected, medium is suspicious, by the names VOD.virus, VOD.high and"
        " VOD.medium. Mail of any class is clean otherwise, spam too. An answer without a class and a threat is an error:"
        " ctasd needs the licences for both. Verdicts are never cached."
    ),
)
