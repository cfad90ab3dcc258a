"""olefy: what it says of documents, against a scripted server; and what is sent to it of a message."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from typing import Any, ClassVar

import pytest
from support import documents
from support.faults import Faults, instead
from support.scanning import Ask, Serve
from support.scripted import Peer

from sieveav.engines import olefy
from sieveav.engines.olefy import is_document, protocol
from sieveav.scanning.contract import Content, Deadline
from sieveav.scanning.dialogue import Answer, Request, play
from sieveav.scanning.failover import ProtocolError
from sieveav.scanning.layers import Budget
from sieveav.verdict import Status

ABOUT = {"type": "MetaInformation", "script_name": "olevba", "version": "0.60"}

DOCUMENT: dict[str, Any] = {
    "type": "OLE",
    "file": "/tmp/x",  # noqa: S108  # what olefy calls it
    "container": None,
    "analysis": None,
    "json_conversion_successful": True,
    "macros": [],
}

MACRO = {"vba_filename": "a.bas", "code": "Sub AutoOpen()\nEnd Sub"}


def row(kind: str, keyword: str) -> dict[str, str]:
    return {"type": kind, "keyword": keyword, "description": "..."}


def end(code: Any = 0) -> dict[str, Any]:
    return {"type": "MetaInformation", "return_code": code, "n_processed": 1}


def reply(*entries: Any) -> bytes:
    return json.dumps(entries).encode()


CLEAN = reply(ABOUT, DOCUMENT, end())

REQUEST = Request(Content(b"hello"), Deadline.after(9))


def answered(octets: bytes) -> Answer:
    answer, said, unheard = play(protocol.scan(REQUEST), octets)
    assert (said, unheard) == (b"OLEFY/1.0\nMethod: oletools\nRspamd-ID: sieveav\n\nhello", b"")
    return answer


RUNS, BAD = row("AutoExec", "AutoOpen"), row("Suspicious", "Shell\x1b")


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (CLEAN, (Status.CLEAN, "", None)),
        (CLEAN + b"\n", (Status.CLEAN, "", None)),
        (reply(ABOUT, {**DOCUMENT, "type": "OpenXML", "analysis": []}, end()), (Status.CLEAN, "", None)),
        (reply(ABOUT, {**DOCUMENT, "macros": [MACRO]}, end()), (Status.MACRO, "macros", None)),
        (reply(ABOUT, {**DOCUMENT, "analysis": [row("IOC", "x")]}, end()), (Status.MACRO, "macros", None)),
        (reply(ABOUT, {**DOCUMENT, "macros": [MACRO], "analysis": [RUNS]}, end()), (Status.MACRO, "macros", None)),
        (reply(ABOUT, {**DOCUMENT, "macros": [MACRO], "analysis": [BAD]}, end()), (Status.MACRO, "macros", None)),
        (
            reply(ABOUT, {**DOCUMENT, "macros": [MACRO], "analysis": [RUNS, BAD, row("AutoExec", "Close")]}, end()),
            (Status.SUSPICIOUS, "AutoExec AutoOpen, Suspicious Shell\x1b", None),
        ),
        (reply(ABOUT, DOCUMENT, {**DOCUMENT, "macros": [MACRO]}, end()), (Status.MACRO, "macros", None)),
        (reply(ABOUT, end(9)), (Status.ENCRYPTED, "encrypted", 9)),
        (reply(ABOUT, DOCUMENT, end(9)), (Status.ENCRYPTED, "encrypted", 9)),
        (reply(ABOUT, DOCUMENT, end(1)), (Status.ERROR, "return code 1", 1)),
        (reply(ABOUT, DOCUMENT, end(-9)), (Status.ERROR, "return code -9", -9)),
        (reply({"error": "File too small\x1b"}), (Status.ERROR, "File too small", None)),
        (reply({"error": None}, DOCUMENT, end()), (Status.ERROR, "None", None)),
        (reply(ABOUT, DOCUMENT, {**end(), "error": ""}), (Status.ERROR, "error", None)),
    ],
)
def test_answers(octets: bytes, expected: tuple[Any, ...]) -> None:
    answer = answered(octets)
    assert (answer.status, answer.info, answer.code) == expected


BROKEN = {
    "nothing": b"",
    "not JSON": b"PONG",
    "an object": json.dumps(DOCUMENT).encode(),
    "an empty list": b"[]",
    "no objects": reply("x"),
    "no return code": reply(ABOUT, DOCUMENT),
    "the return code is not last": reply(ABOUT, end(), DOCUMENT),
    "a boolean return code": reply(ABOUT, DOCUMENT, end(code=False)),
    "no document": reply(ABOUT, end()),
    "a text": reply(ABOUT, {**DOCUMENT, "type": "Text"}, end()),
    "no type": reply(ABOUT, {"macros": [], "json_conversion_successful": True}, end()),
    "macros that are not said": reply(ABOUT, {**DOCUMENT, "macros": None}, end()),
    "macros that could not be written": reply(ABOUT, {**DOCUMENT, "json_conversion_successful": False}, end()),
    "an analysis that is a text": reply(ABOUT, {**DOCUMENT, "analysis": "AutoExec"}, end()),
    "rows that are texts": reply(ABOUT, {**DOCUMENT, "analysis": ["AutoExec"]}, end()),
    "two macros of one document": reply(ABOUT, DOCUMENT, end()).replace(
        b'"macros": []', b'"macros": [1], "macros": []'
    ),
}


@pytest.mark.parametrize("octets", BROKEN.values(), ids=BROKEN)
def test_what_breaks_the_protocol(octets: bytes) -> None:
    with pytest.raises(ProtocolError):
        answered(octets)


def test_probe() -> None:
    """Any answer of its form will do."""
    header = b"OLEFY/1.0\nMethod: oletools\nRspamd-ID: sieveav\n\n"
    assert play(protocol.probe(REQUEST), reply({"error": "File too small"})) == (True, header, b"")
    with pytest.raises(ProtocolError):
        play(protocol.probe(REQUEST), b"HTTP/1.1 400 Bad Request\r\n\r\n")


# ---- what is sent


def package(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return file.getvalue()


DOCX = package("[Content_Types].xml", "word/document.xml")

WORD = b"<?xml version='1.0'?>\r\n<?mso-application progid='Word.Document'?>\r\n<w:wordDocument/>"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (documents.ole2_with_macro(), True),
        (DOCX, True),
        (package("a.txt", "[CONTENT_TYPES].XML"), True),
        (WORD, True),
        (b"\xef\xbb\xbf" + WORD, True),
        (b'<?xml version="1.0"?><pkg:package xmlns:pkg="http://schemas.microsoft.com/office/2006/xmlPackage">', True),
        (b"", False),
        (b"hello", False),
        (b"PK\3\4 and more", False),
        (package("a.txt"), False),
        (b"<?xml version='1.0'?><svg/>", False),
        (b"<?xml version='1.0'?><?mso-application progid='Excel.Sheet'?><Workbook/>", False),
        (
            b'<html xmlns:o="urn:schemas-microsoft-com:office:office" xmlns="http://schemas.microsoft.com/office">',
            False,
        ),
        (b"text about progid='Word.Document'", False),
    ],
)
def test_what_is_a_document(data: bytes, expected: bool) -> None:
    assert is_document(data, Budget(Deadline.after(9))) is expected


def test_a_stored_document_makes_no_document_of_its_archive() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.docx", DOCX)
    assert not is_document(file.getvalue(), Budget(Deadline.after(9)))


def message(*attachments: bytes) -> bytes:
    parts = [b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n\r\nhello\r\n']
    for attachment in attachments:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("inner", attachment)
        parts += [b"--b\r\nContent-Type: application/zip\r\nContent-Transfer-Encoding: base64\r\n\r\n"]
        parts += [base64.encodebytes(file.getvalue()).replace(b"\n", b"\r\n")]
    return b"".join(parts) + b"--b--\r\n"


def test_each_document_in_a_message_is_asked_about(serve: Serve, ask: Ask) -> None:
    sent: list[bytes] = []

    def script(peer: Peer) -> None:
        octets = until_end(peer)
        sent.append(octets.partition(b"\n\n")[2])
        macros = [MACRO] if b"wordDocument" in octets else []
        peer.send(reply(ABOUT, {**DOCUMENT, "macros": macros}, end()))

    address = serve(script).address
    values = {"daemon": (address,), "allow": (), "classes": (), "file_base": None}
    engine = olefy.engine.make("olefy", values)
    assert ask(engine, message(), is_message=True).status is Status.CLEAN
    assert sent == []
    assert ask(engine, message(DOCX, b"text"), is_message=True).status is Status.CLEAN
    assert sent == [DOCX]
    assert ask(engine, message(DOCX, WORD), is_message=True).status is Status.MACRO
    assert sent == [DOCX, DOCX, WORD]


def test_no_olefy(ask: Ask) -> None:
    """Only a message with a document in it depends on one."""
    values = {"daemon": ("127.0.0.1:1",), "allow": (), "classes": (), "file_base": None}
    engine = olefy.engine.make("olefy", values)
    assert ask(engine, message(), is_message=True).status is Status.CLEAN
    assert ask(engine, message(DOCX), is_message=True).status is Status.ERROR


def until_end(peer: Peer) -> bytes:
    """All that the client sends until it closes its half of the connection."""
    received = b""
    while octets := peer.connection.recv(1 << 20):
        received += octets
    return received


class TestFaults(Faults):
    protocol = protocol
    clean = (until_end, CLEAN)
    ends_with_connection = True
    answers: ClassVar = {name: instead(octets) for name, octets in BROKEN.items()}

    def test_an_answer_of_17_mb(self, serve: Serve, ask: Ask) -> None:
        octets = reply(ABOUT, {**DOCUMENT, "file": "x" * (17 << 20)}, end())
        self.check(serve(self.script(instead(octets))).address, ask)
