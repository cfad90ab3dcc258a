"""The structure of a content is judged around every engine, and what engines do not see is scanned on its own."""

from __future__ import annotations

import base64
import gzip
import io
import zipfile
from collections.abc import Mapping

import pytest
from support.containers import WITHOUT_LIBRARIES
from support.hidden import HIDDEN, MESSAGES, ORDINARY

from sieveav.engines.clamav import engine as clamav
from sieveav.scanning import structure
from sieveav.scanning.contract import Content, Deadline
from sieveav.scanning.formats import containers
from sieveav.scanning.structure import StructureCheck
from sieveav.verdict import Status, Verdict

AMBIGUOUS = b"Content-Type: multipart/mixed; boundary=a; boundary=b\r\n\r\n--a\r\n\r\nx\r\n--a--\r\n"


class Plain:
    """An engine that looks at the octets as they are, and finds HIDDEN; else it answers what `answers` say, or "clean"."""

    name = "plain"

    def __init__(self, answers: Mapping[bytes, Status] | None = None) -> None:
        self.answers = answers or {}
        self.seen: list[bytes] = []

    def scan(self, content: Content, deadline: Deadline) -> Verdict:
        assert deadline.left() > 0
        self.seen.append(content.raw)
        if HIDDEN in content.raw:
            return Verdict(self.name, Status.INFECTED, "Hidden")
        return Verdict(self.name, self.answers.get(content.raw, Status.CLEAN))

    def version(self, deadline: Deadline) -> str:
        assert deadline
        return "1"


def checked(
    raw: bytes, engine: Plain | None = None, opens: tuple[str, ...] = (), *, is_message: bool = True
) -> Verdict:
    content = Content(raw, is_message=is_message)
    return StructureCheck(engine or Plain(), opens).scan(content, Deadline.after(60))


def attached(octets: bytes, name: bytes = b"a.bin") -> bytes:
    head = b"Content-Type: application/octet-stream; name=%s\nContent-Transfer-Encoding: base64\n\n" % name
    return b"Subject: x\n" + head + base64.encodebytes(octets)


def zipped(octets: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", octets)
    return stream.getvalue()


@pytest.mark.parametrize("case", MESSAGES)
def test_hidden(case: str) -> None:
    """Whatever a mail client shows, the engine has seen it, or the verdict is not clean."""
    assert checked(MESSAGES[case]).status is not Status.CLEAN


@pytest.mark.parametrize("case", sorted(set(ORDINARY) - {"base64 with a footer"}))
def test_ordinary(case: str) -> None:
    engine = Plain()
    assert checked(ORDINARY[case].replace(HIDDEN, b""), engine).status is Status.CLEAN


def test_an_ordinary_message_is_scanned_once() -> None:
    for octets in (b"hello " * 99, zipped(b"hello " * 99), gzip.compress(b"hello " * 99)):
        engine = Plain()
        raw = attached(octets)
        assert checked(raw, engine).status is Status.CLEAN
        assert engine.seen == [raw]


def test_ambiguous_mime() -> None:
    verdict = checked(AMBIGUOUS)
    assert (verdict.engine, verdict.status, verdict.info) == (
        "plain",
        Status.UNSCANNABLE,
        "ambiguous MIME: duplicate-boundary",
    )
    assert checked(AMBIGUOUS + HIDDEN).status is Status.INFECTED
    assert checked(AMBIGUOUS, Plain({AMBIGUOUS: Status.ERROR})).status is Status.ERROR
    assert checked(AMBIGUOUS, is_message=False).status is Status.CLEAN


def test_archives_that_nobody_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "HELPERS", WITHOUT_LIBRARIES)
    seven = attached(b"7z\xbc\xaf\x27\x1c" + bytes(99))
    assert checked(seven).info == "7z archive: message/a.bin"
    assert checked(seven, opens=("7z",)).status is Status.CLEAN
    assert checked(seven, opens=clamav.opens).status is Status.CLEAN
    assert checked(attached(b"zPQ\x01" + bytes(99)), opens=clamav.opens).status is Status.UNSCANNABLE
    assert checked(zipped(b"hello")[:-30], is_message=False).status is Status.UNSCANNABLE


def test_what_is_unusual_and_broken_for_the_engine_counts_unless_it_is_doubtful() -> None:
    """The octets behind padding are a broken archive for one reader, and none for another."""
    encoded = base64.b64encode(b"broken")
    engine = Plain({b"broken": Status.UNSCANNABLE})
    raw = b"Subject: x\nContent-Transfer-Encoding: (c) base64\n\n" + encoded
    assert checked(raw, engine).status is Status.UNSCANNABLE
    footer = attached(zipped(b"hello")) + b"\n__\nlist footer\n"
    engine = Plain()
    assert checked(footer, engine).status is Status.CLEAN
    assert len(engine.seen) > 1
    doubtful = dict.fromkeys(engine.seen[2:], Status.UNSCANNABLE)
    assert checked(footer, Plain(doubtful)).status is Status.CLEAN


def test_an_engine_that_judges_messages_as_a_whole_gets_no_parts() -> None:
    engine = Plain()
    content = Content(MESSAGES["yEnc"])
    assert StructureCheck(engine, whole=True).scan(content, Deadline.after(60)).status is Status.CLEAN
    assert engine.seen == [MESSAGES["yEnc"]]
    assert StructureCheck(engine, whole=True).scan(Content(AMBIGUOUS), Deadline.after(60)).status is Status.UNSCANNABLE


def test_the_time_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Plain()
    late = Deadline.after(60)
    monkeypatch.setattr(Deadline, "left", lambda _: 0.0 if plain.seen else 1.0)
    verdict = StructureCheck(plain).scan(Content(b"Subject: x\n\nhello"), late)
    assert (verdict.status, verdict.info) == (Status.ERROR, "timeout")


def test_the_structure_is_worked_out_once_for_several_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    content = Content(AMBIGUOUS)
    verdicts = [StructureCheck(Plain()).scan(content, Deadline.after(60))]
    monkeypatch.setattr(structure, "layers", None)
    verdicts.append(StructureCheck(Plain()).scan(content, Deadline.after(60)))
    assert verdicts[0] == verdicts[1]
