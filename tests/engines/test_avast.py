"""avast: what Avast for Linux says, against a scripted server."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.faults import Faults, Say, engine_of, line, lines
from support.scanning import Ask, Serve
from support.scripted import Peer

from sieveav.engines.avast import engine, protocol
from sieveav.scanning.contract import Content, Deadline, Engine
from sieveav.scanning.dialogue import Answer, Request, play
from sieveav.scanning.failover import ProtocolError
from sieveav.scanning.wrapping import EngineWrapper
from sieveav.verdict import Status, Verdict

GREETING = b"220 DAEMON"

BEGIN, END = b"210 SCAN DATA", b"200 SCAN OK"

CLEAN = b"SCAN /a\\ b/x\t[+]"


def stream(*said: bytes) -> bytes:
    """These lines, as they come over a connection."""
    return b"".join(line + b"\r\n" for line in said)


def request(path: str = "/a b/x") -> Request:
    return Request(Content(b"hello"), Deadline.after(9), path=Path(path))


def answered(*said: bytes) -> Answer:
    answer, asked, unheard = play(protocol.scan(request()), stream(GREETING, *said))
    assert (asked, unheard) == (b"SCAN /a\\ b/x\r\n", b"")
    return answer


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ((CLEAN,), (Status.CLEAN, "")),
        ((CLEAN + b"0.0",), (Status.CLEAN, "")),
        ((b"SCAN /a b/x\t[+]",), (Status.CLEAN, "")),
        ((b"SCAN /a b/x|>m\t[+]", CLEAN), (Status.CLEAN, "")),
        (
            (b"SCAN /a b/x\t[L]0.0\t0 EICAR\\ Test-NOT virus!!!",),
            (Status.INFECTED, "EICAR Test-NOT virus!!!"),
        ),
        ((b"SCAN /a b/x|>a|>b\t[L]1.0\t0 A\x1b\xff", CLEAN), (Status.INFECTED, "A")),
        ((CLEAN, b"SCAN /a b/x|>a\\\t[+]\t[L]0.0\t0 A"), (Status.INFECTED, "A")),
        ((b"SCAN /a b/x|>c\t[L]0.0\t0 A\t[+]", CLEAN), (Status.INFECTED, "A[+]")),
        ((b"SCAN /a b/x\t[L]",), (Status.INFECTED, "unknown")),
        ((b"SCAN /a b/x\t[L]0.0\t0 A", b"SCAN /a b/x|>c\t[E]0.0\tError 13 x"), (Status.INFECTED, "A")),
        (
            (b"SCAN /a b/x|>c\t[E]0.0\tError 42056 Archive\\ is\\ password\\ protected", CLEAN),
            (Status.ENCRYPTED, "Error 42056 Archive is password protected"),
        ),
        (
            (CLEAN, b"SCAN /a b/x|>c\t[E]0.0\tError 42110 The file is a decompression bomb"),
            (Status.LIMITS, "Error 42110 The file is a decompression bomb"),
        ),
        (
            (CLEAN, b"SCAN /a b/x\t[E]0.0\tError 42125 ZIP archive is corrupted"),
            (Status.UNSCANNABLE, "Error 42125 ZIP archive is corrupted"),
        ),
        (
            (b"SCAN /a b/x\t[E]0.0\tError 13 Permission\\ denied",),
            (Status.ERROR, "Error 13 Permission denied"),
        ),
        # neither clean nor infected
        ((), (Status.ERROR, "no answer to this file")),
        ((b"SCAN /a b/x|>m\t[+]",), (Status.ERROR, "no answer to this file")),
        ((CLEAN, b"SCAN /a b/x\t[E]"), (Status.ERROR, "[E]")),
        ((CLEAN, b"SCAN /a b/x\t[E]0.0\t"), (Status.ERROR, "error")),
        ((CLEAN, b"SCAN /a b/x\t[X]0.0"), (Status.ERROR, "[X]0.0")),
        ((CLEAN, b"SCAN /a b/x\t[X]0.0\tpassword"), (Status.ERROR, "[X]0.0password")),
        ((CLEAN + b" x",), (Status.ERROR, "[+] x")),
    ],
)
def test_answers(said: tuple[bytes, ...], expected: tuple[Status, str]) -> None:
    answer = answered(BEGIN, *said, END)
    assert (answer.status, answer.info) == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ((b"451 Engine error",), (Status.ERROR, "451 Engine error")),
        ((b"200 SCAN OK",), (Status.ERROR, "200 SCAN OK")),
        ((BEGIN, CLEAN, b"466 License expired"), (Status.ERROR, "466 License expired")),
        ((BEGIN, b"SCAN /a b/x\t[L]0.0\t0 A", b"451 Engine error"), (Status.INFECTED, "A")),
        ((BEGIN, b"SCAN /a b/x\t[E]0.0\tpassword", b"451 Engine error"), (Status.ERROR, "451 Engine error")),
    ],
)
def test_failures(said: tuple[bytes, ...], expected: tuple[Status, str]) -> None:
    answer = answered(*said)
    assert (answer.status, answer.info) == expected


@pytest.mark.parametrize(
    "said",
    [
        (b"421 busy",),
        (b"220",),
        (GREETING, BEGIN, CLEAN),
        (GREETING, BEGIN, CLEAN, b"200 SCAN"),
        (GREETING, BEGIN, CLEAN, b"", END),
        (GREETING, BEGIN, CLEAN, b"SCAN /a b/x2\t[+]", END),
        (GREETING, BEGIN, b"SCAN /a b/y\t[L]0.0\t0 A", END),
        (GREETING, BEGIN, b"SCAN /a b/x\\\t[+]", END),
        (GREETING, BEGIN, b"SCAN /a b/x [+]", END),
        (GREETING, BEGIN, *[CLEAN] * 20_000, END),
    ],
)
def test_what_breaks_the_protocol(said: tuple[bytes, ...]) -> None:
    with pytest.raises(ProtocolError):
        play(protocol.scan(request()), stream(*said))


def test_backslashes_in_the_path() -> None:
    said = stream(GREETING, BEGIN, b"SCAN /a\\\\b\t[+]", END)
    assert play(protocol.scan(request("/a\\b")), said) == (Answer(Status.CLEAN), b"SCAN /a\\\\b\r\n", b"")


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ((b"210 VPS DATA", b"VPS 24011502", b"200 VPS OK"), "Avast VPS 24011502"),
        ((b"210 VPS DATA", b"what", b"200 VPS OK"), ""),
        ((b"501 Syntax error",), ""),
    ],
)
def test_version(said: tuple[bytes, ...], version: str) -> None:
    assert protocol.version is not None
    assert play(protocol.version(request()), stream(GREETING, *said))[:2] == (version, b"VPS\r\n")


def test_probe() -> None:
    assert play(protocol.probe(request()), stream(GREETING)) == (True, b"QUIT\r\n", b"")
    with pytest.raises(ProtocolError):
        play(protocol.probe(request()), stream(b"451 Engine error"))


def test_the_options() -> None:
    values = {option.name: option.default for option in engine.options}
    assert values == {"daemon": ("/run/avast/scan.sock",), "classes": (), "allow": ()}


def asked(peer: Peer) -> bytes:
    """The path of the file that is to be scanned, with its backslashes."""
    peer.send(stream(GREETING))
    heard = line(peer)
    assert heard.startswith(b"SCAN /")
    return heard[5:-2]


def test_the_file(serve: Serve, ask: Ask, tmp_path: Path) -> None:
    """It is there while it is scanned, and then removed."""
    directory = tmp_path / "with blanks"
    directory.mkdir()
    seen: list[bytes] = []

    def script(peer: Peer) -> None:
        path = asked(peer)
        seen.append(Path(path.replace(b"\\ ", b" ").decode()).read_bytes())
        peer.send(stream(BEGIN, b"SCAN " + path + b"\t[+]", END))

    avast = engine_of(protocol, serve(script).address, file_base=directory)
    assert ask(avast, b"\0\r\nhello").status is Status.CLEAN
    assert (seen, list(directory.iterdir())) == ([b"\0\r\nhello"], [])


@pytest.mark.parametrize("name", [b"Win32:Tool [PUP]", b"Win32:Tool [Susp]"])
def test_what_names_count_as(serve: Serve, ask: Ask, name: bytes) -> None:
    def script(peer: Peer) -> None:
        peer.send(stream(BEGIN, b"SCAN " + asked(peer) + b"\t[L]0.0\t0 " + name, END))

    address = serve(script).address
    assert ask(engine_of(protocol, address)).status is Status.SUSPICIOUS
    assert ask(engine_of(protocol, address, classes=("*=infected",))).status is Status.INFECTED


class OfFile(EngineWrapper):
    """Scans contents as those of a file whose name the test knows."""

    def scan(self, content: Content, deadline: Deadline) -> Verdict:
        """The verdict of the engine."""
        return self._inner.scan(Content(content.raw, path=Path("/a b/x")), deadline)


ANSWERS: dict[str, Say] = {
    "an answer to another file": lambda peer, answer: peer.send(answer.replace(b"/x", b"/y")),
    "only the end": lambda peer, _: peer.send(stream(BEGIN, END)),
    "a find after the answer": lambda peer, answer: peer.send(answer + b"SCAN /a b/x|>c\t[L]0.0\t0 A\r\n"),
}


class TestFaults(Faults):
    protocol = protocol
    clean = (b"220 DAEMON\r\n", lines("SCAN /a\\ b/x\r\n"), stream(BEGIN, CLEAN, END))
    answers = ANSWERS

    def engine(self, *addresses: str) -> Engine:
        return OfFile(super().engine(*addresses))
