"""The engine that needs no daemon: the included rules and the site's, on everything that can be unpacked."""

from __future__ import annotations

import base64
import gc
import gzip
import io
import threading
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.accepting import Accepted
from support.scanning import Ask

from sieveav.engines import yara
from sieveav.scanning.contract import Content, Deadline
from sieveav.scanning.layers import Layer
from sieveav.scanning.pools import Pool
from sieveav.scanning.wrapping import Pooled
from sieveav.verdict import Status

EVIL = 'rule Evil { meta: status = "%s" strings: $a = "evil words" condition: $a }'


@pytest.fixture(scope="module")
def engine() -> yara.YaraEngine:
    return included()


@cache
def included() -> yara.YaraEngine:
    return yara._make("yara", {"rules": ()})


def with_rules(*paths: Path) -> yara.YaraEngine:
    return yara._make("yara", {"rules": tuple(map(str, paths))})


def zipped(content: bytes, name: str = "a") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return stream.getvalue()


def message(*parts: bytes) -> bytes:
    head = b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    kind = b"--b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    return head + b"".join(kind + base64.encodebytes(part) + b"\r\n" for part in parts) + b"--b--\r\n"


def test_eicar_wherever_it_is_hidden(engine: yara.YaraEngine, ask: Ask, eicar: bytes) -> None:
    for content in (eicar, b"x" * 200_000 + eicar, zipped(eicar), zipped(gzip.compress(zipped(eicar)))):
        assert ask(engine, content).info == "Eicar_Test_File"
        verdict = ask(engine, message(content), is_message=True)
        assert (verdict.status, verdict.info, verdict.engine) == (Status.INFECTED, "Eicar_Test_File", "yara")


def test_clean(engine: yara.YaraEngine, ask: Ask) -> None:
    for raw, is_message in ((b"", False), (b"nothing", False), (message(b"nothing"), True), (b"", True)):
        assert ask(engine, raw, is_message=is_message).status is Status.CLEAN


def test_the_included_files_of_rules_are_clean(engine: yara.YaraEngine, ask: Ask) -> None:
    for file in Path(yara.__file__).parent.glob("*.yar"):
        assert ask(engine, file.read_bytes()).status is Status.CLEAN


def test_a_virus_outranks_what_cannot_be_opened(engine: yara.YaraEngine, ask: Ask, eicar: bytes) -> None:
    rar = b"Rar!\x1a\x07\x01\x00"
    assert ask(engine, message(rar), is_message=True).status is Status.UNSCANNABLE
    for parts in ((rar, eicar), (eicar, rar)):
        assert ask(engine, message(*parts), is_message=True).status is Status.INFECTED


def test_ambiguous_mime_is_unscannable_unless_there_is_a_virus(engine: yara.YaraEngine, ask: Ask, eicar: bytes) -> None:
    ambiguous = b"Content-Type: multipart/mixed; boundary=a; boundary=b\r\n\r\n--a\r\n\r\n%s\r\n--a--\r\n"
    verdict = ask(engine, ambiguous % b"x", is_message=True)
    assert (verdict.status, verdict.info) == (Status.UNSCANNABLE, "ambiguous MIME: duplicate-boundary")
    assert ask(engine, ambiguous % eicar, is_message=True).status is Status.INFECTED


def test_documents(engine: yara.YaraEngine, ask: Ask, document: bytes, encrypted_document: bytes) -> None:
    cases = {
        "Document_Macro_OLE2": (Status.MACRO, document),
        "Document_Macro_OOXML": (Status.MACRO, zipped(b"x", "word/vbaProject.bin")),
        "Document_Encrypted_OOXML": (Status.ENCRYPTED, encrypted_document),
        "Document_Encrypted_PDF": (Status.ENCRYPTED, b"%PDF-1.7\ntrailer\n<< /Size 9 /Encrypt 8 0 R >>"),
    }
    for rule, (status, content) in cases.items():
        verdict = ask(engine, message(content), is_message=True)
        assert (verdict.status, verdict.info) == (status, rule)
    assert ask(engine, b"%PDF-1.7\ntrailer\n<< /Size 9 /EncryptMetadata false >>").status is Status.CLEAN
    assert ask(engine, zipped(document, "xl/vbaProject.bin")).status is Status.MACRO


@pytest.mark.parametrize("status", sorted(yara.RULE_STATUSES))
def test_the_status_of_a_rule(status: Status, tmp_path: Path, ask: Ask) -> None:
    path = tmp_path / "site.yar"
    path.write_text(EVIL % status)
    verdict = ask(with_rules(path), b"some evil words")
    assert (verdict.status, verdict.info) == (status, "Evil")


def test_a_rule_without_a_status_means_infected_and_the_worst_hit_counts(tmp_path: Path, ask: Ask) -> None:
    one, two = tmp_path / "one.yar", tmp_path / "two.yar"
    one.write_text(EVIL % "suspicious")
    two.write_text('rule Evil { strings: $a = "words" condition: $a }')
    assert ask(with_rules(one, two), b"evil words").status is Status.INFECTED
    assert ask(with_rules(one, two), b"words").status is Status.INFECTED
    assert ask(with_rules(one), b"words").status is Status.CLEAN


BROKEN = {
    "unfinished": b"rule broken {",
    "unknown word": b"rule a { condition: unknown_thing }",
    "not ASCII": "rule é".encode(),
    "not UTF-8": b"\xff\xfe",
    "include": b'include "other.yar"',
}


@pytest.mark.parametrize("case", BROKEN)
def test_an_error_of_the_compiler_names_the_file(case: str, tmp_path: Path) -> None:
    path = tmp_path / "site.yar"
    path.write_bytes(BROKEN[case])
    with pytest.raises(ValueError, match=r"\A[ -~]*/site.yar: [ -~]+\Z"):
        with_rules(path)


WRONG_STATUS = {
    "clean": EVIL % "clean",
    "unknown": EVIL % "nonsense",
    "number": "rule A { meta: status = 5 condition: true }",
}


@pytest.mark.parametrize("case", WRONG_STATUS)
def test_a_status_that_a_rule_cannot_have(case: str, tmp_path: Path, accepted: Accepted) -> None:
    path = tmp_path / "site.yar"
    path.write_text(WRONG_STATUS[case])
    with pytest.raises(ValueError, match="status") as caught:
        with_rules(path)
    accepted(str(caught.value))


@pytest.mark.parametrize("name", ["missing.yar", ".", "a\0b"])
def test_rules_that_cannot_be_read(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=str(tmp_path)):
        with_rules(tmp_path / name)


def test_the_version_follows_the_rules(engine: yara.YaraEngine, tmp_path: Path, ask: Ask) -> None:
    path = tmp_path / "site.yar"
    path.write_text(EVIL % "infected")
    other = with_rules(path)
    assert ask(engine).version == ask(with_rules()).version != ask(other).version
    assert engine.version(Deadline.after(1)).startswith("yara-x ")
    assert "5 rules" in engine.version(Deadline.after(1))
    assert "6 rules" in other.version(Deadline.after(1))


def test_no_time_is_an_error(engine: yara.YaraEngine, ask: Ask, eicar: bytes) -> None:
    for raw in (b"nothing", eicar):
        verdict = ask(engine, raw, 0.0)
        assert (verdict.status, verdict.info) == (Status.ERROR, "timeout")


def test_a_rule_that_takes_too_long(tmp_path: Path, ask: Ask) -> None:
    path = tmp_path / "slow.yar"
    path.write_text(
        "rule Slow { condition: for any i in (0..1000000) : ( for any j in (0..1000000) : ( uint8(j) == 300 + i ) ) }"
    )
    verdict = ask(with_rules(path), b"x" * 1_000_000, 0.5)  # without the time limit, it takes an hour
    assert (verdict.status, verdict.info) == (Status.ERROR, "timeout")


@pytest.mark.parametrize(
    ("left", "seconds"),
    [(0.01, 1), (0.9, 1), (1.2, 1), (1.82, 2), (5.0, 5), (9.99, 10), (20.0, 22), (1e9, 3960)],
)
def test_the_time_limit_in_whole_seconds(left: float, seconds: int) -> None:
    """yara-x ends a scan after at most this, so at most a tenth too late."""
    assert yara._seconds(left) == seconds
    assert seconds <= max(1, left * 1.1)


class Clock:
    """In place of the module `time`."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("timeout", "early", "limits"),
    [
        (1.2, 0.1, [1, 1]),  # a second is left, and more than it had
        (1.2, 0.5, [1]),  # it would end too late
        (9.0, 8.1, [9]),  # a second more is not worth starting again
        (0.5, 0.4, [1]),
    ],
)
def test_a_scan_that_ends_early_starts_again_if_that_helps(
    timeout: float, early: float, limits: list[int], engine: yara.YaraEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, seen = Clock(), []

    class Early:
        def set_timeout(self, seconds: int) -> None:
            seen.append(seconds)

        def scan(self, _: bytes) -> None:
            clock.now += early if len(seen) == 1 else seen[-1]
            raise type("TimeoutError", (Exception,), {})

    monkeypatch.setattr(yara, "time", clock)
    monkeypatch.setattr("sieveav.scanning.contract.time", clock)
    deadline = Deadline(clock.now + timeout)
    verdict = engine._scan_layer(Early(), Layer("x", b""), deadline)  # type: ignore[arg-type]
    assert (verdict.status, verdict.info) == (Status.ERROR, "timeout")
    assert seen == limits
    assert clock.now <= deadline.at + timeout / 10


class Scanner:
    """In place of yara-x's."""

    fault: BaseException

    def __init__(self, _: object) -> None:
        pass

    def fast_scan(self, _: bool) -> None:
        pass

    def set_timeout(self, _: int) -> None:
        pass

    def scan(self, _: bytes) -> None:
        raise self.fault


@pytest.fixture
def scanner(monkeypatch: pytest.MonkeyPatch) -> type[Scanner]:
    import yara_x

    monkeypatch.setattr(yara_x, "Scanner", Scanner)
    return Scanner


def test_a_panic_is_an_error(engine: yara.YaraEngine, ask: Ask, scanner: type[Scanner]) -> None:
    scanner.fault = type("PanicException", (BaseException,), {})("index out of bounds")
    verdict = ask(engine)
    assert (verdict.status, verdict.info) == (Status.ERROR, "yara-x: index out of bounds")
    import yara_x

    scanner.fault = yara_x.ScanError("no")
    assert ask(engine).status is Status.ERROR


@pytest.mark.parametrize("fault", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_ends_the_program_is_raised(
    fault: type[BaseException], engine: yara.YaraEngine, ask: Ask, scanner: type[Scanner]
) -> None:
    scanner.fault = fault()
    with pytest.raises(fault):
        ask(engine)


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_many_threads(engine: yara.YaraEngine, ask: Ask, eicar: bytes) -> None:
    """No scanner is used or dropped in another thread: yara-x would panic."""
    statuses: list[Status] = []
    threads = [
        threading.Thread(target=lambda: statuses.extend(ask(engine, eicar).status for _ in range(20))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert statuses == [Status.INFECTED] * 160


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_a_scanner_is_dropped_in_its_thread_after_a_bug(
    engine: yara.YaraEngine, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def layers(*_: object) -> Iterator[Layer]:
        yield Layer("x", b"")
        raise ZeroDivisionError

    monkeypatch.setattr(yara, "layers", layers)
    with pytest.raises(ZeroDivisionError):
        ask(Pooled(engine, Pool("X", 1)))
    gc.collect()


@settings(deadline=None)
@given(st.binary(max_size=500), st.booleans())
def test_any_octets_get_a_verdict(raw: bytes, is_message: bool) -> None:
    assert included().scan(Content(raw, is_message=is_message), Deadline.after(5)).status in Status
