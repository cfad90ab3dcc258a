"""serving: `sieveav serve` as a process, and an MTA that asks it."""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

MESSAGE = [b"M<bob@example.org>\0", b"R<alice@example.com>\0", b"LSubject\0 hi\0", b"N", b"E"]


def packet(data: bytes) -> bytes:
    return struct.pack("!L", len(data)) + data


class Server:
    """A running `sieveav serve`, with its log."""

    def __init__(self, folder: Path, config: str, *, journal: bool = False, **environment: str) -> None:
        self.socket = folder / "m.sock"
        (folder / "site.conf").write_text(config)
        read, write = os.pipe()
        status = os.fstat(write)
        self.log = os.fdopen(read)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sieveav", "serve", "--config", "site.conf"],
            cwd=folder,
            stderr=write,
            # as systemd sets it, for standard error
            env={
                **os.environ,
                "JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}" if journal else "",
                **environment,
            },
        )
        os.close(write)
        self.lines: list[str] = []
        self.reading = threading.Thread(target=self._read)
        self.reading.start()

    def _read(self) -> None:
        for line in self.log:
            self.lines.append(line.rstrip("\n"))

    def wait_for(self, text: str, seconds: float = 20) -> str:
        """The first log line with `text`."""
        until = time.monotonic() + seconds
        while True:
            line = next((line for line in self.lines if text in line), None)
            if line is not None:
                return line
            assert time.monotonic() < until, f"no line with {text!r} in {self.lines}"
            time.sleep(0.02)

    @property
    def workers(self) -> list[int]:
        """The process ids of the workers, and of a check that runs."""
        pid = self.process.pid
        return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))

    def answer(self, *packets: bytes) -> bytes:
        """The final reply to a message, on a connection of its own."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            client.connect(str(self.socket))
            client.sendall(packet(b"O" + struct.pack("!LLL", 6, 0x1FF, 0x1FFFFF)))
            assert self.receive(client)[:1] == b"O"
            client.sendall(b"".join(map(packet, packets or MESSAGE)))
            answer = self.receive(client)
            client.sendall(packet(b"Q"))
            return answer

    @staticmethod
    def receive(client: socket.socket) -> bytes:
        with client.makefile("rb") as stream:
            (size,) = struct.unpack("!L", stream.read(4))
            return stream.read(size)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(20)
        self.reading.join()
        return status


CONFIG = """sieveav { workers = 2 }
milter "m1" { listen = "unix:FOLDER/m.sock" mode = 0600 }
sieve "s" { script "data_phase1" { source = "p.sieve" } }
"""


def policy(text: str) -> str:
    return f'require "ec_action"; ec_action 550 "5.7.1 {text}";'


Serve = Callable[..., Server]
"""The fixture `serve`: starts a server with a script and a configuration."""
