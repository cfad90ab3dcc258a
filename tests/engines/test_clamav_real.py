"""Debian's clamd, with a database of our own."""

from __future__ import annotations

import base64
import gc
import io
import os
import signal
import threading
import time
import zipfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from support import daemons
from support.daemons import Clamd, StartClamd
from support.scanning import Ask, MakeClamav

from sieveav.engines import clamav
from sieveav.scanning.contract import Content, Deadline, Engine
from sieveav.verdict import Status, Verdict

pytestmark = pytest.mark.real

HANGS = 10.0
"""Seconds after which a scan hangs, on however slow a machine."""


def message(*parts: bytes) -> bytes:
    """A message that starts as many do, and which libclamav by itself does not recognize as mail."""
    body = b"".join(
        b"--b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + base64.encodebytes(part).replace(b"\n", b"\r\n")
        for part in parts
    )
    return (
        b"DKIM-Signature: v=1; a=rsa-sha256\r\nX-Other: y\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + body + b"--b--\r\n"
    )


def zipped(content: bytes, *, encrypted: bool = False) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("content", content)
    octets = bytearray(stream.getvalue())
    if encrypted:  # the flag, in the entry's header and in the directory's
        octets[6] |= 1
        octets[octets.index(b"PK\x01\x02") + 8] |= 1
    return bytes(octets)


@pytest.fixture(params=["tcp", "unix"])
def engine(request: pytest.FixtureRequest, clamd: Clamd, make: MakeClamav) -> Engine:
    return make(f"127.0.0.1:{clamd.port}" if request.param == "tcp" else clamd.socket)


def test_eicar(engine: Engine, ask: Ask, eicar: bytes) -> None:
    for raw, is_message in [(eicar, False), (message(eicar), True), (zipped(eicar), False)]:
        verdict = ask(engine, raw, is_message=is_message)
        assert verdict.status is Status.INFECTED
        assert verdict.info.startswith("Eicar-Test-Signature")


def test_clean(engine: Engine, ask: Ask) -> None:
    assert ask(engine, b"nothing").status is Status.CLEAN
    assert ask(engine, b"").status is Status.CLEAN
    assert ask(engine, message(b"nothing"), is_message=True).status is Status.CLEAN


def test_a_virus_beyond_the_first_128_kb(engine: Engine, ask: Ask, eicar: bytes) -> None:
    assert ask(engine, os.urandom(300_000) + eicar).status is Status.INFECTED
    assert ask(engine, message(os.urandom(300_000), eicar), is_message=True).status is Status.INFECTED


def test_lines_that_begin_with_a_dot(engine: Engine, ask: Ask, eicar: bytes) -> None:
    dotted = b"Subject: x\r\n\r\n.\r\n.hidden\r\n..\r\n" + eicar + b"\r\n.\r\nmore\r\n"
    assert ask(engine, dotted, is_message=True).status is Status.INFECTED
    assert ask(engine, dotted.replace(eicar, b""), is_message=True).status is Status.CLEAN


@pytest.mark.parametrize(
    "before",
    [
        b"X: y\nContent-Transfer-Encoding: base64\n\nAAAA\n\nFrom AAAA\n",
        b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Transfer-Encoding: base64\n\nAAAA\n\nFrom AAAA\n",
    ],
)
def test_a_line_within_an_attachment_begins_no_message(engine: Engine, ask: Ask, eicar: bytes, before: bytes) -> None:
    """As it does in an mbox, where the rest of the attachment would be text."""
    for end in (b"\n", b"\r\n"):
        raw = (before + base64.encodebytes(eicar)).replace(b"\n", end)
        assert ask(engine, raw, is_message=True).status is Status.INFECTED


def test_a_message_without_a_header(engine: Engine, ask: Ask, eicar: bytes) -> None:
    for raw in (eicar, b"\r\n" + eicar, b"From x\r\n\r\n" + eicar):
        assert ask(engine, raw, is_message=True).status is Status.INFECTED


def test_an_encrypted_archive(engine: Engine, ask: Ask) -> None:
    verdict = ask(engine, zipped(b"secret" * 10, encrypted=True))
    assert (verdict.status, verdict.info) == (Status.ENCRYPTED, "Heuristics.Encrypted.Zip")


def test_beyond_stream_max_length(engine: Engine, ask: Ask) -> None:
    for octets in (11_000_000, 40_000_000):
        verdict = ask(engine, b"x" * octets, 20.0)
        assert (verdict.status, verdict.info) == (Status.LIMITS, "INSTREAM size limit exceeded")
    assert ask(engine, b"x" * (10 * 1024 * 1024)).status is Status.CLEAN


NOT_OPENED: dict[str, str] = {}
"""Files in which this clamd does not find clam.exe by its hash, each with the reason."""


def test_debians_files(clamd: Clamd, clamav_testfiles: list[Path], make: MakeClamav, ask: Ask) -> None:
    engine = make(clamd.socket)
    missed = {
        file.name for file in clamav_testfiles if ask(engine, file.read_bytes(), 20.0).status is not Status.INFECTED
    }
    assert missed == set(NOT_OPENED)


def test_version(engine: Engine) -> None:
    assert engine.version(Deadline.after(5)).startswith("ClamAV ")


def test_no_files_are_left(clamd: Clamd, engine: Engine, ask: Ask) -> None:
    ask(engine, os.urandom(100_000))
    directory = Path(clamd.socket).parent
    assert {path.name for path in directory.iterdir()} <= {"clamd.sock", "clamd.conf", "clamd.out", "database"}


def test_failover(clamd: Clamd, make: MakeClamav, ask: Ask, eicar: bytes) -> None:
    assert ask(make("127.0.0.1:1", clamd.socket), eicar).status is Status.INFECTED


def test_a_macro(clamd: Clamd, make: MakeClamav, ask: Ask, macro_sheet: bytes) -> None:
    verdict = ask(make(clamd.socket), macro_sheet)
    assert (verdict.status, verdict.info) == (Status.MACRO, "Heuristics.OLE2.ContainsMacros.XLM")


def test_stopped_in_the_middle(start_clamd: StartClamd, make: MakeClamav, ask: Ask, eicar: bytes, clamd: Clamd) -> None:
    stopped = start_clamd()
    stopped.signal(signal.SIGSTOP)
    start = time.monotonic()
    verdict = ask(make(stopped.socket), eicar, 0.5)
    assert (verdict.status, verdict.info) == (Status.ERROR, f"{stopped.socket}: cannot receive: timeout")
    assert ask(make(stopped.socket, clamd.socket), eicar, 1.0).status is Status.INFECTED
    assert time.monotonic() - start < HANGS
    stopped.signal(signal.SIGCONT)
    assert ask(make(stopped.socket), eicar).status is Status.INFECTED


def test_killed_in_the_middle(start_clamd: StartClamd, make: MakeClamav, ask: Ask, eicar: bytes) -> None:
    killed = start_clamd()
    killed.signal(signal.SIGSTOP)  # so that it is killed during the scan
    killing = threading.Timer(0.3, killed.kill)
    killing.start()
    start = time.monotonic()
    verdict = ask(make(killed.socket), eicar * 1000, 5.0)
    killing.join()
    assert verdict.status is Status.ERROR
    assert time.monotonic() - start < HANGS
    assert ask(make(killed.socket), eicar, 1.0).status is Status.ERROR


@pytest.mark.parametrize("concurrent", ["yes", "no"])
def test_reloading(concurrent: str, start_clamd: StartClamd, make: MakeClamav, ask: Ask, eicar: bytes) -> None:
    reloading = start_clamd(ConcurrentDatabaseReload=concurrent)
    many = "".join(f"Many-{n}:0:*:{n:064x}\n" for n in range(20_000))
    (reloading.database / "many.ndb").write_text(many)
    assert reloading.ask("RELOAD") == b"RELOADING\0"
    engine = make(reloading.socket)
    for _ in range(10):
        assert ask(engine, eicar, 20.0).status is Status.INFECTED
        assert ask(engine, b"nothing", 20.0).status is Status.CLEAN


@pytest.mark.parametrize(("setting", "passes"), [("yes", False), ("no", True)])
def test_doubts_about_its_limits(setting: str, passes: bool, start_clamd: StartClamd, make: MakeClamav) -> None:
    """By default clamd calls OK what is beyond its limits. The tests' own database has no date."""
    engine = make(start_clamd(AlertExceedsMax=setting).socket)
    doubts = list(clamav.engine.doubts(engine, Deadline.after(30)))
    assert doubts[0] == "clamd does not say how old its definitions are"
    assert [doubt for doubt in doubts if "AlertExceedsMax" in doubt] == doubts[1:]
    assert len(doubts) == 1 + passes


@pytest.mark.parametrize(
    ("days", "doubt"), [(0, ""), (6, ""), (8, "the definitions of clamd are 8 days old: does freshclam run?")]
)
def test_doubts_about_the_age_of_definitions(days: int, doubt: str) -> None:
    published = datetime.now() - timedelta(days=days)

    class Answers:
        name = "clamav"

        def version(self, deadline: Deadline) -> str:
            return f"ClamAV 1.4.3/27800/{published:%a %b %e %H:%M:%S %Y}" if deadline.left() else ""

        def scan(self, content: Content, deadline: Deadline) -> Verdict:
            return Verdict(self.name, Status.LIMITS if content.raw and deadline.left() else Status.ERROR)

    assert list(clamav.engine.doubts(Answers(), Deadline.after(5))) == ([doubt] if doubt else [])


def test_ten_thousand_scans_while_clamd_is_killed_every_second(
    tmp_path: Path, short: Path, make: MakeClamav, eicar: bytes
) -> None:
    """50 at a time: no verdict is wrong, none comes late, and nothing is left behind."""
    path, done = str(short / "clamd.sock"), threading.Event()
    engine = make(path)

    def keep_killing() -> None:
        for number in range(1000):
            with daemons.clamd(tmp_path / str(number), LocalSocket=path) as running:
                done.wait(1)
                running.process.kill()
                running.process.wait()
            if done.is_set():
                return

    late: list[float] = []

    def scan(number: int) -> tuple[bool, Status]:
        infected = number % 3 == 0
        begun = time.monotonic()
        verdict = engine.scan(Content(b"%d " % number + eicar * infected, is_message=False), Deadline.after(5))
        if time.monotonic() - begun > HANGS:
            late.append(time.monotonic() - begun)
        return infected, verdict.status

    threads, descriptors = threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))
    with ThreadPoolExecutor(1) as killer, ThreadPoolExecutor(50) as pool:
        killed = killer.submit(keep_killing)
        counts = Counter(pool.map(scan, range(10_000)))
        done.set()
        killed.result()
    assert set(counts) <= {
        (True, Status.INFECTED), (True, Status.ERROR), (False, Status.CLEAN), (False, Status.ERROR)
    }  # fmt: skip
    assert counts[True, Status.INFECTED] > 0 < counts[False, Status.CLEAN]
    assert late == []
    gc.collect()
    assert threading.active_count() <= threads
    assert len(list(Path("/proc/self/fd").iterdir())) <= descriptors
