"""The engine that needs no daemon: the included rules and the site's, on everything that can be unpacked."""

from __future__ import annotations

import base64
import gc
import gzip
import io
import logging
import threading
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.accepting import Accepted
from support.scanning import Ask

from sieveav.engines import yara, yara_scanner
from sieveav.scanning.contract import Content, Deadline
from sieveav.scanning.layers import Layer
from sieveav.scanning.naming import STATUSES
from sieveav.scanning.pools import Pool
from sieveav.scanning.wrapping import Pooled
from sieveav.verdict import Status

EVIL = 'rule Evil { meta: status = "%s" strings: $a = "evil words" condition: $a }'


SUSPICIOUS = EVIL % "suspicious"


@pytest.fixture(scope="module")
def engine() -> yara.YaraEngine:
    return included()


@cache
def included() -> yara.YaraEngine:
    return with_rules()


def with_rules(*paths: Path, **values: Any) -> yara.YaraEngine:
    defaults = {option.name: option.default for option in yara.engine.options}
    return yara.YaraEngine("yara", {**defaults, "file_base": None, "rules": paths, **values})


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A file of rules with one rule, which the tests write again."""
    path = tmp_path / "site.yar"
    path.write_text(SUSPICIOUS)
    return path


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


@pytest.mark.parametrize("status", STATUSES)
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


def test_the_name_of_a_rule(tmp_path: Path, ask: Ask) -> None:
    path = tmp_path / "site.yar"
    path.write_text('rule Evil { meta: name = "Trojan.Evil: a" strings: $a = "evil words" condition: $a }')
    verdict = ask(with_rules(path), b"some evil words")
    assert (verdict.status, verdict.info) == (Status.INFECTED, "Trojan.Evil: a")


TWO = """
rule One { meta: name = "Evil.One" strings: $a = "one" condition: $a }
rule Two { meta: status = "suspicious" strings: $a = "two" condition: $a }
"""

NAMED: dict[str, tuple[dict[str, tuple[str, ...]], Status, str]] = {
    "no option": ({}, Status.INFECTED, "Evil.One"),
    "a class": ({"classes": ("Evil.*=macro",)}, Status.SUSPICIOUS, "Two"),
    "the first class": ({"classes": ("Evil.*=limits", "*=infected")}, Status.INFECTED, "Two"),
    "of a file": ({"classes": ("site.yar:Evil.One=macro", "site.yar:Two=encrypted")}, Status.ENCRYPTED, "Two"),
    "of another file": ({"classes": ("other.yar:*=macro",)}, Status.INFECTED, "Evil.One"),
    "not by its identifier": ({"classes": ("One=macro",)}, Status.INFECTED, "Evil.One"),
    "one is allowed": ({"allow": ("Evil.One",)}, Status.SUSPICIOUS, "Two"),
    "one of a file is allowed": ({"allow": ("site.yar:Evil.*",)}, Status.SUSPICIOUS, "Two"),
    "the other is allowed": ({"allow": ("Two",)}, Status.INFECTED, "Evil.One"),
    "allowed in another file": ({"allow": ("other.yar:*",)}, Status.INFECTED, "Evil.One"),
    "all are allowed": ({"allow": ("site.yar:*",)}, Status.CLEAN, ""),
}


@pytest.mark.parametrize("case", NAMED)
def test_classes_and_allow(case: str, tmp_path: Path, ask: Ask) -> None:
    values, status, info = NAMED[case]
    path = tmp_path / "site.yar"
    path.write_text(TWO)
    verdict = ask(with_rules(path, **values), b"one two")
    assert (verdict.status, verdict.info) == (status, info)
    assert verdict.version


def test_what_is_allowed_is_logged_once_for_each_content(
    site: Path, ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    engine = with_rules(site, allow=("Evil",))
    for _ in range(2):
        assert ask(engine, message(b"evil words", b"evil words"), is_message=True).status is Status.CLEAN
    assert caplog.messages == ["yara: site.yar:Evil found but allowed"] * 2


BROKEN = {
    "unfinished": b"rule broken {",
    "unknown word": b"rule a { condition: unknown_thing }",
    "not ASCII": "rule é".encode(),
    "not UTF-8": b"\xff\xfe",
    "include": b'include "../other.yar"',
    "its name is a number": b"rule a { meta: name = 5 condition: true }",
    "its name is empty": b'rule a { meta: name = " " condition: true }',
    "its name is not ASCII": 'rule a { meta: name = "\u0430" condition: true }'.encode(),
    "its name has control characters": rb'rule a { meta: name = "a\r\nb" condition: true }',
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
    accepted(str(caught.value).replace(str(tmp_path), ""))


def test_the_version_follows_the_rules(engine: yara.YaraEngine, tmp_path: Path, ask: Ask) -> None:
    path = tmp_path / "site.yar"
    path.write_text(EVIL % "infected")
    other = with_rules(path)
    assert ask(engine).version == ask(with_rules()).version != ask(other).version
    path.write_text(SUSPICIOUS)
    assert ask(with_rules(path)).version != ask(other).version
    renamed = tmp_path / "other.yar"
    renamed.write_text(EVIL % "infected")
    assert ask(with_rules(renamed)).version != ask(other).version  # classes and allow may name the file
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
    assert yara_scanner._seconds(left) == seconds
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
    timeout: float, early: float, limits: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, seen = Clock(), []

    class Early:
        def set_timeout(self, seconds: int) -> None:
            seen.append(seconds)

        def scan(self, _: bytes) -> None:
            clock.now += early if len(seen) == 1 else seen[-1]
            raise type("TimeoutError", (Exception,), {})

    scanner = included()._scanner
    assert isinstance(scanner, yara_scanner.YaraScanner)
    monkeypatch.setattr(yara_scanner, "time", clock)
    monkeypatch.setattr("sieveav.scanning.contract.time", clock)
    deadline = Deadline(clock.now + timeout)
    verdict = scanner._scan_layer(Early(), Layer("x", b""), deadline, set())  # type: ignore[arg-type]
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

    monkeypatch.setattr(yara_scanner, "layers", layers)
    with pytest.raises(ZeroDivisionError):
        ask(Pooled(engine, Pool("X", 1)))
    gc.collect()


@settings(deadline=None)
@given(st.binary(max_size=500), st.booleans())
def test_any_octets_get_a_verdict(raw: bytes, is_message: bool) -> None:
    assert included().scan(Content(raw, is_message=is_message), Deadline.after(5)).status in Status


# ---- files that change


def settled(ask: Ask, engine: yara.YaraEngine) -> str:
    """The version of a verdict after the files were looked at, and the rules compiled if that has begun."""
    ask(engine)
    for thread in threading.enumerate():
        if thread.name == "sieveav-yara":
            thread.join(20)
    return ask(engine).version


@pytest.fixture
def _always(monkeypatch: pytest.MonkeyPatch) -> None:
    """The files are looked at for each scan."""
    monkeypatch.setattr(yara, "CHECK", 0.0)


@pytest.mark.usefixtures("_always")
def test_a_file_that_changes(site: Path, ask: Ask) -> None:
    engine = with_rules(site)
    before = settled(ask, engine)
    assert ask(engine, b"evil words").status is Status.SUSPICIOUS
    assert settled(ask, engine) == before
    site.write_text(EVIL % "infected")
    after = settled(ask, engine)
    assert before != after
    assert engine.version(Deadline.after(1)).endswith(f" definitions {after}")
    verdict = ask(engine, b"evil words")
    assert (verdict.status, verdict.version) == (Status.INFECTED, after)


@pytest.mark.usefixtures("_always")
def test_an_included_file_that_changes(site: Path, ask: Ask) -> None:
    other = site.with_name("other.yar")
    other.write_text("rule Other { condition: false }")
    site.write_text('include "other.yar"')
    engine = with_rules(site)
    assert ask(engine, b"evil words").status is Status.CLEAN
    other.write_text(SUSPICIOUS)
    settled(ask, engine)
    assert ask(engine, b"evil words").status is Status.SUSPICIOUS


BREAKS = {
    "not a rule": "rule broken {",
    "a wrong status": EVIL % "clean",
    "an included file that is missing": 'include "missing.yar"',
    "an include of another folder": 'include "../x.yar"',
}


@pytest.mark.usefixtures("_always")
@pytest.mark.parametrize("broken", BREAKS.values(), ids=BREAKS)
def test_rules_that_break_leave_the_old_ones_in_force(
    broken: str, site: Path, ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    engine = with_rules(site)
    before = settled(ask, engine)
    for round_ in range(2):
        site.write_text(broken + "\n" * round_)
        for _ in range(3):
            assert settled(ask, engine) == before
        assert ask(engine, b"evil words").status is Status.SUSPICIOUS
        assert len(caplog.records) == round_ + 1
    assert all(record.levelno == logging.ERROR for record in caplog.records)
    assert caplog.messages[0].startswith(f"yara: rules: {site.parent}/")
    assert caplog.messages[0].endswith("; the rules before are still in force")
    site.write_text(EVIL % "macro")
    settled(ask, engine)
    assert ask(engine, b"evil words").status is Status.MACRO
    assert len(caplog.records) == 2


@pytest.mark.usefixtures("_always")
def test_a_file_that_was_missing(site: Path, ask: Ask, caplog: pytest.LogCaptureFixture) -> None:
    engine = with_rules(site)
    site.write_text('include "other.yar"')
    settled(ask, engine)
    site.with_name("other.yar").write_text(EVIL % "macro")
    settled(ask, engine)
    assert ask(engine, b"evil words").status is Status.MACRO
    site.unlink()
    settled(ask, engine)
    assert ask(engine, b"evil words").status is Status.MACRO
    assert [message.split(": ")[2:4] for message in caplog.messages] == [
        [str(site.with_name("other.yar")), "No such file or directory; the rules before are still in force"],
        [str(site), "No such file or directory; the rules before are still in force"],
    ]


def test_files_are_looked_at_once_in_a_while(site: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(yara, "time", clock)
    engine = with_rules(site)
    before = settled(ask, engine)
    site.write_text(EVIL % "infected")
    clock.now += yara.CHECK * 0.9
    assert settled(ask, engine) == before
    clock.now += yara.CHECK * 0.1
    after = settled(ask, engine)
    assert after != before
    site.write_text(EVIL % "macro")
    assert settled(ask, engine) == after


@pytest.mark.usefixtures("_always")
def test_no_scan_waits_for_the_compiler(site: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """And only one thread compiles."""
    engine = with_rules(site)
    go_on, compiled = threading.Event(), []

    class Slow(yara_scanner.Rules):
        @classmethod
        def of(cls, sources: Any) -> yara_scanner.Rules:
            compiled.append(go_on.wait(20))
            return yara_scanner.Rules.of(sources)

    monkeypatch.setattr(yara, "Rules", Slow)
    site.write_text(EVIL % "infected")
    assert [ask(engine, b"evil words").status for _ in range(9)] == [Status.SUSPICIOUS] * 9
    go_on.set()
    settled(ask, engine)
    assert ask(engine, b"evil words").status is Status.INFECTED
    assert compiled == [True]


@pytest.mark.usefixtures("_always")
def test_no_thread_to_compile_in(site: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = with_rules(site)
    site.write_text(EVIL % "infected")

    def refused(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refused)
        assert ask(engine, b"evil words").status is Status.SUSPICIOUS
    settled(ask, engine)
    assert ask(engine, b"evil words").status is Status.INFECTED


def test_a_panic_of_the_compiler(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import yara_x

    class Compiler:
        def __init__(self, **_: object) -> None:
            pass

        new_namespace = add_source = lambda *_, **__: None

        def build(self) -> None:
            raise type("PanicException", (BaseException,), {})("index out of bounds")

    monkeypatch.setattr(yara_x, "Compiler", Compiler)
    with pytest.raises(ValueError, match=f"rules: {site}: index out of bounds"):
        with_rules(site)
