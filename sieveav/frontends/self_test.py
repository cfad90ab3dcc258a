"""self_test: whether a site's engines find a virus wherever it is, and what in its set-up may let one through.

The virus is the EICAR test file, which all scanners are to find and which does no harm. No verdict is one that was remembered:
each sample is a message of its own.
"""

from __future__ import annotations

import base64
import io
import secrets
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from sieveav.running.message import Message
from sieveav.scanning.contract import Content, Deadline
from sieveav.scanning.lazy import LazyEngine
from sieveav.site.deciding import decide
from sieveav.site.scans import Scanner
from sieveav.site.site import Site
from sieveav.site.transaction import Decision, Transaction
from sieveav.verdict import FOUND, Status, Verdict

EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-" + b"STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
"""In two pieces, so that no scanner finds it in this file."""

PATIENCE = 30.0
"""Seconds for an engine's questions about its set-up."""

HARMLESS = "a harmless message"

RECIPIENT = "recipient@example.com"


def _entity(octets: bytes, name: str) -> bytes:
    head = f'Content-Type: application/octet-stream; name="{name}"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
    return head.encode() + base64.encodebytes(octets).replace(b"\n", b"\r\n")


def _mixed(*entities: bytes) -> bytes:
    parts = b"".join(b"--b\r\n%s\r\n" % entity for entity in entities)
    return b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n%s--b--\r\n' % parts


def _zipped(octets: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("eicar.com", octets)
    return stream.getvalue()


def samples() -> Iterator[tuple[str, bytes]]:
    """What each sample shows, and its message."""
    text = b"Content-Type: text/plain\r\n\r\nThis is a test.\r\n"
    for name, entity in (
        (HARMLESS, text),
        ("the virus in the text", b"Content-Type: text/plain\r\n\r\n" + EICAR + b"\r\n"),
        ("in base64", _entity(EICAR, "eicar.com")),
        ("in an attachment", _mixed(text, _entity(EICAR, "eicar.com"))),
        ("in a zip archive", _mixed(text, _entity(_zipped(EICAR), "eicar.zip"))),
    ):
        header = f"From: sender@example.com\r\nTo: {RECIPIENT}\r\nSubject: sieveav self-test\r\n"
        yield (
            name,
            f"{header}Message-ID: <{secrets.token_hex(8)}@example.com>\r\nMIME-Version: 1.0\r\n".encode() + entity,
        )


class Result(NamedTuple):
    """What an engine says of a sample, and whether that is right."""

    sample: str
    verdict: Verdict
    passed: bool


def results(scanner: Scanner) -> Iterator[Result]:
    """What an engine says of each sample, whatever its settings `action` and `enabled`."""
    for name, raw in samples():
        verdict = scanner.engine.scan(Content(raw), Deadline.after(scanner.settings.timeout))
        yield Result(name, verdict, verdict.status is Status.CLEAN if name == HARMLESS else verdict.status in FOUND)


def warnings_of_engine(scanner: Scanner) -> Iterator[str]:
    """What in the set-up of an engine may let a virus through."""
    yield from scanner.engine.doubts(Deadline.after(PATIENCE))
    if scanner.settings.error_code >= 500:
        yield f"error_code = {scanner.settings.error_code}: clients give up when a scan fails; with 451 they try again"


class _Failing(LazyEngine):
    """An engine that fails, in place of that of `scanner`."""

    def __init__(self, scanner: Scanner) -> None:
        super().__init__(scanner.settings)
        self.name = scanner.name

    def scan(self, content: Content, deadline: Deadline) -> Verdict:  # noqa: ARG002
        return Verdict(self.name, Status.ERROR, "self-test")


def warnings_of_policy(site: Site) -> Iterator[str]:
    """What in the scripts and settings of a site may let a virus through: mail that is accepted although no engine works."""
    failing = site.with_scanners(tuple(replace(scanner, engine=_Failing(scanner)) for scanner in site.scanners))
    message = dict(samples())["in an attachment"]
    if _is_accepted(decide(failing, Transaction(Message(message), "sender@example.com", (RECIPIENT,)))):
        yield (
            f"mail to {RECIPIENT} is accepted when no engine works: let a script of the site answer 451, or write action ="
            ' "reject"'
        )


def _is_accepted(decision: Decision) -> bool:
    return decision.response is None and any(one.response is None for one in decision.recipients)
