"""olefy: macros in office documents, by olefy, which runs oletools' olevba.

    C: OLEFY/1.0
    C: Method: oletools
    C: Rspamd-ID: sieveav
    C: (an empty line, the document, and the end of the connection in this direction)
    S: [{"type": "MetaInformation", "script_name": "olevba", "version": "0.60", …},
        {"type": "OLE", "analysis": [{"type": "AutoExec", "keyword": "AutoOpen", …}, …], "macros": [{"code": "…"}]},
        {"type": "MetaInformation", "return_code": 0, "n_processed": 1}]

Written from descriptions of the protocol and of olevba's output, without olefy at hand. They do not say where a document ends:
here it is where the client closes its half of the connection. olefy knows documents only, so each document in a message
is sent alone, and nothing else is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from sieveav.limits import MIB
from sieveav.scanning import strict_json
from sieveav.scanning.contract import Content, Deadline, Engine, EngineType
from sieveav.scanning.daemon import Daemon, Protocol, failover, options
from sieveav.scanning.dialogue import Answer, Dialogue, Question, Request, Rest, error
from sieveav.scanning.failover import ProtocolError
from sieveav.scanning.formats import zip as zip_format
from sieveav.scanning.layers import Budget, Layer
from sieveav.scanning.unpacking import layers
from sieveav.verdict import Status, Verdict, plain, worst

LIMIT = 16 * MIB
"""The most octets of an answer, which has the source of all macros."""

ENCRYPTED = 9
"""The return code of olevba for an encrypted document; any other but 0 is an error."""

TYPES = frozenset("ole openxml ppt flatopc_xml word2003_xml mhtml slk".split())
"""What olevba takes a document for. Not "text": then it was not recognized."""

_HEADER = b"OLEFY/1.0\nMethod: oletools\nRspamd-ID: sieveav\n\n"

_OLE2 = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_XML = re.compile(rb"[\xef\xbb\xbf\s]*+<\?xml[ \t\r\n]")
_WORD = re.compile(rb"progid *= *[\"']Word\.Document|office/word/2003/wordml|office/2006/xmlPackage")
_START = 4096


def is_document(data: bytes, budget: Budget) -> bool:
    """Whether these octets may be a document with macros: OLE2, a package of Office Open XML, or Word's XML in one file."""
    if data.startswith(_OLE2):
        return True
    if data.startswith(b"PK"):
        with suppress(Exception):  # as in `layers.safely`
            return any(name.lower() == "[content_types].xml" for name in zip_format.names(data, budget))
    return bool(_XML.match(data) and _WORD.search(data, 0, _START))


def _asked(octets: bytes) -> Dialogue[list[dict[str, Any]]]:
    yield Question((_HEADER, octets), is_last=True)
    reply = strict_json.read((yield Rest(LIMIT)))
    if not isinstance(reply, list) or not all(isinstance(entry, dict) for entry in reply):
        raise ProtocolError("not a list of objects")
    return reply


def _scan(request: Request) -> Dialogue[Answer]:
    entries = yield from _asked(request.content.raw)
    if reasons := [str(entry["error"]) for entry in entries if "error" in entry]:
        return error(plain(reasons[0]))
    if not entries or type(entries[-1].get("return_code")) is not int:
        raise ProtocolError("no return code")
    code = entries[-1]["return_code"]
    if code == ENCRYPTED:
        return Answer(Status.ENCRYPTED, "encrypted", code=code)
    if code:
        return error(f"return code {code}", code=code)
    documents = [entry for entry in entries if entry.get("type") != "MetaInformation"]
    if not documents:
        raise ProtocolError("no document")
    hits = [hit for document in documents for hit in _hits(document)]
    return _answer(hits, any(document["macros"] for document in documents))


def _hits(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The type and keyword of each row of the analysis of a document."""
    if str(document.get("type")).lower() not in TYPES:
        raise ProtocolError(f"taken for {plain(str(document.get('type')), 80)}")
    if document.get("json_conversion_successful") is not True or not isinstance(document.get("macros"), list):
        raise ProtocolError("a document without its macros")
    rows = document.get("analysis") or []
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ProtocolError("not an analysis")
    for row in rows:
        yield str(row.get("type")), str(row.get("keyword"))


def _answer(hits: list[tuple[str, str]], has_macros: bool) -> Answer:
    """Macros that run by themselves and do what malware does are suspicious; others are macros."""
    keywords = dict(reversed(hits))
    if {"AutoExec", "Suspicious"} <= keywords.keys():
        return Answer(Status.SUSPICIOUS, f"AutoExec {keywords['AutoExec']}, Suspicious {keywords['Suspicious']}")
    if has_macros or hits:
        return Answer(Status.MACRO, "macros")
    return Answer(Status.CLEAN)


def _probe(request: Request) -> Dialogue[bool]:  # noqa: ARG001  # has the signature of all probes
    """Whether it answers at all: without a document, with the reason why not."""
    return bool((yield from _asked(b"")))


protocol = Protocol(10050, _scan, _probe)


class Documents(Daemon):
    """One olefy, which is sent each document in a content."""

    def attempt(self, content: Content, deadline: Deadline) -> Verdict:
        """The worst verdict on any document; clean if there are none, because then there is nothing to ask."""
        verdicts = [Verdict(self._engine, Status.CLEAN)]
        budget = Budget(deadline)
        for layer in layers(content, budget):
            if isinstance(layer, Layer) and is_document(layer.data, budget):
                verdicts.append(super().attempt(Content(layer.data, is_message=False), deadline))
        return worst(verdicts)


def _make(name: str, values: Mapping[str, Any]) -> Engine:
    return failover(name, values, "daemon", protocol.port, lambda address: Documents(name, address, protocol, values))


engine = EngineType(
    name="olefy",
    summary="macros in office documents, by olefy (oletools), over TCP",
    pool="IO",
    options=options(protocol.port, "olefy"),
    make=_make,
    details=(
        "Each document in a message, in archives too, is sent alone; a message without documents is clean, and olefy is not"
        " asked. Macros that run by themselves (AutoExec) and have suspicious keywords are suspicious, other macros are macro,"
        " an encrypted document is encrypted. Everything that olefy does not clearly say is an error."
    ),
)
