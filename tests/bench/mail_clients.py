"""mail_clients: messages of which no two are alike, and clients that give them to a server over SMTP, LMTP or milter.

One client for all servers, so that what it costs itself is the same for each: a thread a connection, blocking sockets,
MAIL, RCPT and DATA in one write (RFC 2920), as Postfix sends them.
"""

from __future__ import annotations

import itertools
import random
import socket
import struct
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sieveav.frontends.milter_events import Step

Address = str | int
"""The path of a unix socket, or a port of 127.0.0.1."""

_WORDS = (
    "report meeting order invoice answer question list number week price letter address garden house street".split()
)

_numbers = itertools.count(1)


def letter(size: int, chance: random.Random) -> bytes:
    """A message of about `size` octets with 20 fields and a body of words and figures that no other one has."""
    number = next(_numbers)
    fields = [
        f"Received: from mx{hop}.example.net (mx{hop}.example.net [192.0.2.{hop}])\r\n"
        f"\tby mail.example.com (Postfix) with ESMTPS id {number * 7 + hop:08X}\r\n"
        "\tfor <alice@example.com>; Mon, 23 Nov 2026 06:09:23 +0000 (UTC)"
        for hop in range(3)
    ]
    fields += [
        f'From: "Sender {number}" <sender{number}@example.org>',
        "To: Alice <alice@example.com>, bob@example.com",
        f"Subject: Re: {chance.choice(_WORDS)} number {number} of this year",
        "Date: Mon, 23 Nov 2026 06:09:23 +0000",
        f"Message-ID: <{number}.{chance.getrandbits(64):x}@example.org>",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
        "X-Mailer: Mailer 1.0",
        f"List-Id: <list{number % 30}.example.org>",
        *(f"X-Header-{i}: value {i} that nobody looks at, {'x' * 30}" for i in range(7)),
    ]
    header = "\r\n".join(fields) + "\r\n\r\n"
    lines = []
    left = size - len(header)
    while left > 0:
        line = f"{' '.join(chance.choices(_WORDS, k=7))} {chance.getrandbits(40):x}\r\n"
        lines.append(line)
        left -= len(line)
    return (header + "".join(lines)).encode()


def attachment(size: int, chance: random.Random) -> bytes:
    """A message of about `size` octets that is one attachment in base64."""
    header = (
        "From: bob@example.org\r\nTo: alice@example.com\r\nSubject: a large file\r\nMIME-Version: 1.0\r\n"
        f"Message-ID: <{next(_numbers)}@example.org>\r\nContent-Type: multipart/mixed; boundary=part\r\n\r\n"
        "--part\r\nContent-Type: text/plain\r\n\r\nHere it is.\r\n--part\r\nContent-Type: application/octet-stream\r\n"
        "Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=a.bin\r\n\r\n"
    ).encode()
    digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    block = b"".join(bytes(chance.choices(digits, k=76)) + b"\r\n" for _ in range(1000))
    return header + block * ((size - len(header)) // len(block)) + b"--part--\r\n"


def connect(address: Address) -> socket.socket:
    """A connection to a server; no reply takes longer than two minutes."""
    if isinstance(address, int):
        return socket.create_connection(("127.0.0.1", address), 120)
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(120)
    connection.connect(address)
    return connection


# ---- SMTP and LMTP


@dataclass(frozen=True)
class Target:
    """A server that takes mail: `lmtp` has a reply for each recipient; `reuse` gives many messages on a connection."""

    address: Address
    lmtp: bool = False
    reuse: bool = False


class _Client:
    """One connection to a target."""

    def __init__(self, target: Target) -> None:
        self._lmtp = target.lmtp
        self._socket = connect(target.address)
        self._rest = b""
        self._replies(1)
        self._socket.sendall(b"LHLO bench.example.org\r\n" if target.lmtp else b"EHLO bench.example.org\r\n")
        self._replies(1)

    def give(self, message: bytes, recipients: Sequence[str]) -> None:
        rcpts = "".join(f"RCPT TO:<{recipient}>\r\n" for recipient in recipients)
        self._socket.sendall(f"MAIL FROM:<bob@example.org>\r\n{rcpts}DATA\r\n".encode())
        self._replies(len(recipients) + 2)
        self._socket.sendall(message.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        self._replies(len(recipients) if self._lmtp else 1)

    def quit(self) -> None:
        self._socket.sendall(b"QUIT\r\n")
        self._socket.close()

    def _replies(self, number: int) -> None:
        """Read so many replies; RuntimeError if one of them is a refusal."""
        while number:
            line, found, rest = self._rest.partition(b"\n")
            if not found:
                more = self._socket.recv(65536)
                if not more:
                    raise RuntimeError("the server has closed the connection")
                self._rest += more
                continue
            self._rest = rest
            if line[:1] not in b"23":
                raise RuntimeError(f"the server says: {line.decode(errors='replace')}")
            number -= line[3:4] != b"-"


def give_all(target: Target, mail: Iterable[tuple[bytes, Sequence[str]]], concurrency: int) -> float:
    """Give messages, each with its recipients, over so many connections at a time: the seconds until all are answered."""
    waiting = list(mail)[::-1]
    errors: list[BaseException] = []

    def work() -> None:
        client = None
        try:
            while not errors:
                try:
                    message, recipients = waiting.pop()
                except IndexError:
                    break
                client = client or _Client(target)
                client.give(message, recipients)
                if not target.reuse:
                    client.quit()
                    client = None
            if client is not None:
                client.quit()
        except (OSError, RuntimeError) as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(concurrency)]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - begun
    if errors:
        raise errors[0]
    return seconds


# ---- milter

CHUNK = 65535
"""Octets of a packet of the body."""


def _packet(command: bytes, content: bytes = b"") -> bytes:
    return struct.pack(">I", len(content) + 1) + command + content


class MilterClient:
    """A connection as from Postfix: every action and step that it offers, and a client with a name."""

    def __init__(self, address: Address) -> None:
        self._socket = connect(address)
        self._socket.sendall(_packet(b"O", struct.pack(">III", 6, 0x1FF, 0x1FFFFF)))
        command, content = self._receive()
        assert command == b"O", command
        self._steps = struct.unpack(">III", content[:12])[2]
        self._step(b"C", b"mx.example.org\x004\x30\x39192.0.2.1\0", Step.NR_CONN)
        self._step(b"H", b"mx.example.org\0", Step.NR_HELO)

    def give(self, message: bytes, recipients: Iterable[str]) -> bytes:
        """The final reply's command for a message, with its header as fields."""
        self._step(b"M", b"<bob@example.org>\0", Step.NR_MAIL)
        for recipient in recipients:
            self._step(b"R", f"<{recipient}>\0".encode(), Step.NR_RCPT)
        header, _, body = message.partition(b"\r\n\r\n")
        for line in header.replace(b"\r\n ", b"\n ").replace(b"\r\n\t", b"\n\t").split(b"\r\n"):
            name, _, value = line.partition(b":")
            self._step(b"L", name + b"\0" + value + b"\0", Step.NR_HDR)
        for start in range(0, len(body), CHUNK):
            self._step(b"B", body[start : start + CHUNK], Step.NR_BODY)
        self._socket.sendall(_packet(b"E"))
        while True:
            command, _ = self._receive()
            if command in b"acrtyd":
                self._socket.sendall(_packet(b"A"))
                return command

    def close(self) -> None:
        self._socket.close()

    def _step(self, command: bytes, content: bytes, no_reply: Step) -> None:
        self._socket.sendall(_packet(command, content))
        if not self._steps & no_reply:
            reply, _ = self._receive()
            assert reply == b"c", reply

    def _receive(self) -> tuple[bytes, bytes]:
        (length,) = struct.unpack(">I", self._exactly(4))
        packet = self._exactly(length)
        return packet[:1], packet[1:]

    def _exactly(self, number: int) -> bytes:
        octets = b""
        while len(octets) < number:
            more = self._socket.recv(number - len(octets))
            assert more, "the milter has closed the connection"
            octets += more
        return octets
