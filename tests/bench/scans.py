"""scans: what engines cost beside the daemons that they ask: `python tests/bench/scans.py [SECONDS]`.

Debian's clamd and c-icap are started on loopback with the tests' own signatures. The same messages, all different, are scanned
by a plain loop over sockets, by the engine, and by the engine as a site has it (what is in each message is looked at too); in
turns, with 1, 2 and 10 threads. A figure is the median of the rounds, a ratio that of figures of one round: these machines are
noisy. It also compares a remembered verdict with a scan, and measures the memory that a message of 25 MB takes.
"""

from __future__ import annotations

import base64
import itertools
import random
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sieveav.engines import clamav, icap
from sieveav.scanning.assembling import assemble
from sieveav.scanning.contract import Content, Deadline, Engine, EngineType
from sieveav.scanning.pools import Pools
from sieveav.scanning.settings import EngineSettings
from sieveav.verdict import Status

SIZES = {"10 KB": 10_000, "100 KB": 100_000, "1 MB": 1_000_000}
THREADS = (1, 2, 10)
CHUNK = 64 * 1024
SECONDS = 60.0
USED = 50
"""Times that a connection is used; c-icap closes it after a hundred."""

Scan = Callable[[bytes], object]


def message(size: int, chance: random.Random) -> bytes:
    """A message of about this size with an attachment in base64."""
    head = (
        f"Received: from mx.example.net by mail.example.com; {chance.random()}\r\n"
        "From: sender@example.org\r\nTo: alice@example.com\r\nSubject: x\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n'
    )
    text = "This is a line of text, as people write it.\r\n" * 40
    attached = base64.encodebytes(b"\xff" + chance.randbytes(max(100, (size - 2600) * 3 // 4))).replace(b"\n", b"\r\n")
    part = 'Content-Type: application/octet-stream; name="a.bin"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
    return f"{head}{text}\r\n--b\r\n{part}".encode() + attached + b"--b--\r\n"


def made(kind: EngineType, whole: bool, **values: object) -> Engine:
    """The engine alone, or as a site has it, without a cache."""
    options = {option.name: option.default for option in kind.options} | values
    settings = EngineSettings(kind=kind.name, instance=kind.name, options=options, cache_size=0, timeout=60.0)
    assembled = assemble(kind, kind.name, settings, Pools())
    return assembled if whole else kind.make(kind.name, settings.common() | options)


def by(engine: Engine) -> Scan:
    def scan(raw: bytes) -> None:
        verdict = engine.scan(Content(raw), Deadline.after(60))
        if verdict.status is not Status.CLEAN:
            raise RuntimeError(str(verdict))

    return scan


def plain_clamd(path: str) -> Scan:
    """INSTREAM on a new connection, as a short program would do it."""

    def scan(raw: bytes) -> None:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(path)
            connection.sendall(b"zINSTREAM\0")
            for at in range(0, len(raw), CHUNK):
                chunk = raw[at : at + CHUNK]
                connection.sendall(struct.pack("!L", len(chunk)) + chunk)
            connection.sendall(bytes(4))
            reply = b""
            while more := connection.recv(4096):
                reply += more
        if reply != b"stream: OK\0":
            raise RuntimeError(repr(reply))

    return scan


def plain_icap(port: int) -> Scan:
    """RESPMOD on connections that are kept, as a short program would do it."""
    kept: list[tuple[socket.socket, int]] = []

    def scan(raw: bytes) -> None:
        connection, used = kept.pop() if kept else (None, 0)
        if connection is None:
            connection = socket.create_connection(("127.0.0.1", port), timeout=60)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        asked = b"GET http://localhost/content HTTP/1.1\r\nHost: localhost\r\n\r\n"
        replied = b"HTTP/1.1 200 OK\r\nContent-Type: message/rfc822\r\n\r\n"
        head = (
            f"RESPMOD icap://127.0.0.1:{port}/avscan ICAP/1.0\r\nHost: 127.0.0.1\r\nAllow: 204\r\n"
            f"Encapsulated: req-hdr=0, res-hdr={len(asked)}, res-body={len(asked) + len(replied)}\r\n\r\n"
        )
        connection.sendall(head.encode() + asked + replied)
        for at in range(0, len(raw), CHUNK):
            chunk = raw[at : at + CHUNK]
            connection.sendall(b"%x\r\n" % len(chunk) + chunk + b"\r\n")
        connection.sendall(b"0\r\n\r\n")
        reply = b""
        while not reply.endswith(b"\r\n\r\n"):
            reply += connection.recv(4096)
        if b" 204 " not in reply.partition(b"\r\n")[0]:
            raise RuntimeError(repr(reply))
        if used < USED:
            kept.append((connection, used + 1))

    return scan


def rate(scan: Scan, messages: Sequence[bytes], threads: int) -> float:
    """Scans in a second."""
    begun = time.perf_counter()
    if threads == 1:
        for raw in messages:
            scan(raw)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(scan, messages))
    return len(messages) / (time.perf_counter() - begun)


def compare(daemon: str, scans: dict[str, Scan], seconds: float) -> Iterator[str]:
    """A row for each size and number of threads: the rate of the first, and the ratios of the others to it."""
    chance = random.Random(1)
    cells = list(itertools.product(SIZES.items(), THREADS))
    for (name, size), threads in cells:
        count = max(2 * threads, int({10_000: 150, 100_000: 60, 1_000_000: 16}[size]))
        rates: dict[str, list[float]] = {scanner: [] for scanner in scans}
        until = time.monotonic() + seconds / len(cells)
        while time.monotonic() < until or len(rates[next(iter(scans))]) < 3:
            for scanner, scan in scans.items():
                rates[scanner].append(rate(scan, [message(size, chance) for _ in range(count)], threads))
        first, *others = scans
        ratios = [statistics.median(b / a for a, b in zip(rates[first], rates[other], strict=True)) for other in others]
        shown = "  ".join(f"{ratio:6.3f}" for ratio in ratios)
        yield f"{daemon:8} {name:>7} {threads:3} threads  {statistics.median(rates[first]):8.1f}/s  {shown}"


def remembered(path: str) -> str:
    """How many times as fast as a scan of 100 KB a remembered verdict is."""
    options = {option.name: option.default for option in clamav.engine.options} | {"daemon": (path,)}
    settings = EngineSettings(kind="clamav", instance="c", options=options, timeout=60.0)
    engine = by(assemble(clamav.engine, "clamav", settings, Pools()))
    messages = [message(100_000, random.Random(number)) for number in range(60)]
    fresh = rate(engine, messages, 1)
    again = max(rate(engine, messages, 1) for _ in range(5))
    return f"a remembered verdict on 100 KB: {again / fresh:.0f} times as fast as a scan"


def grown(path: str, whole: bool) -> str:
    """The memory of another process that a message of 25 MB takes, in sizes of the message, while clamd scans it."""
    code = "import sys; sys.path[:0] = [sys.argv[1]]; import scans; scans.grow(*sys.argv[2:])"
    with tempfile.NamedTemporaryFile() as file:
        file.write(message(25_000_000, random.Random(1)))
        file.flush()
        arguments = [sys.executable, "-c", code, str(Path(__file__).parent), path, file.name, str(int(whole))]
        return subprocess.run(arguments, capture_output=True, text=True, check=True).stdout.strip()


def grow(path: str, file: str, whole: str) -> None:
    """Print how much this process grows by the message in a file, which it holds, and its scan."""
    scan = by(made(clamav.engine, whole == "1", daemon=(path,)))
    scan(message(10_000, random.Random(1)))
    idle = _most()
    raw = Path(file).read_bytes()
    scan(raw)
    print(f"{(_most() - idle) * 1024 / len(raw):.2f}")


def _most() -> int:
    """The most memory of this process so far, in KB. Not that of getrusage, which has the parent's too."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


def main() -> None:
    """Print all rows."""
    sys.path.insert(0, str(Path(__file__).parent.parent))
    from support.daemons import c_icap, clamd

    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    with (
        tempfile.TemporaryDirectory() as first,
        tempfile.TemporaryDirectory() as second,
        clamd(Path(first), StreamMaxLength="100M") as daemon,
        c_icap(Path(second) / "c-icap", daemon) as port,
    ):
        scans = {
            "plain": plain_clamd(daemon.socket),
            "engine": by(made(clamav.engine, False, daemon=(daemon.socket,))),
            "site": by(made(clamav.engine, True, daemon=(daemon.socket,))),
        }
        print(f"{'':34}plain  engine/plain  site/plain")
        for row in compare("clamd", scans, seconds):
            print(row, flush=True)
        print(remembered(daemon.socket))
        for whole in (False, True):
            kind = "as a site has it" if whole else "alone"
            print(f"25 MB, the engine {kind}: {grown(daemon.socket, whole)} times the message")
        scans = {
            "plain": plain_icap(port),
            "engine": by(made(icap.engine, False, server=(f"127.0.0.1:{port}",), profile="c-icap")),
            "site": by(made(icap.engine, True, server=(f"127.0.0.1:{port}",), profile="c-icap")),
        }
        for row in compare("c-icap", scans, seconds):
            print(row, flush=True)


if __name__ == "__main__":
    main()
