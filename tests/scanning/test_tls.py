"""TLS to a daemon: with a server that has a certificate of an authority of the test's own."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme
from support.faults import line
from support.scanning import Ask, Serve
from support.scripted import Peer

from sieveav.scanning.contract import Engine
from sieveav.scanning.daemon import Protocol, maker
from sieveav.scanning.dialogue import Answer, Dialogue, Line, Question, Request, error
from sieveav.verdict import Status


def scan(request: Request) -> Dialogue[Answer]:
    raw = request.content.raw
    yield Question((b"scan %d\n" % len(raw), raw))
    said = yield Line()
    return Answer(Status.CLEAN, is_open=True) if said == b"clean" else error(said)


def probe(request: Request) -> Dialogue[bool]:  # noqa: ARG001  # has the signature of all probes
    yield Line()
    return True


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def engine(authority: trustme.CA, tmp_path: Path) -> Callable[..., Engine]:
    """Makes an engine that asks this address over TLS."""

    def make(address: str, trusted: trustme.CA = authority) -> Engine:
        file = tmp_path / "authorities.pem"
        file.write_bytes(trusted.cert_pem.bytes())
        values = {"daemon": (address,), "allow": (), "classes": (), "tls": True, "tls_ca": file}
        return maker(Protocol(1, scan, probe))("engine", values)

    return make


def over_tls(certificate: trustme.LeafCert, said: bytes, *, is_closed: bool = True) -> Callable[[Peer], None]:
    """A server that answers each question with `said`, and closes the connection in order, or not."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)

    def script(peer: Peer) -> None:
        peer.connection.settimeout(5)
        with context.wrap_socket(peer.connection, server_side=True) as secured:
            over = Peer(secured, peer.stopped)
            for _ in range(2):
                over.exactly(int(line(over).split()[1]))
                over.send(said)
            if is_closed:
                secured.unwrap()

    return script


def test_contents_over_tls(serve: Serve, ask: Ask, authority: trustme.CA, engine: Callable[..., Engine]) -> None:
    server = serve(over_tls(authority.issue_cert("127.0.0.1"), b"clean\n"))
    asking = engine(server.address)
    assert ask(asking, b"x" * 5_000_000).status is Status.CLEAN
    assert ask(asking, b"").status is Status.CLEAN
    assert server.connections == 1


def test_another_answer(serve: Serve, ask: Ask, authority: trustme.CA, engine: Callable[..., Engine]) -> None:
    address = serve(over_tls(authority.issue_cert("127.0.0.1"), b"clean\nclean\n")).address
    assert ask(engine(address)).status is Status.ERROR


@pytest.mark.parametrize("host", ["127.0.0.1", "other.example"])
def test_certificates_that_are_not_trusted(
    serve: Serve, ask: Ask, authority: trustme.CA, engine: Callable[..., Engine], host: str
) -> None:
    address = serve(over_tls(authority.issue_cert(host), b"clean\n")).address
    trusted = trustme.CA() if host == "127.0.0.1" else authority
    verdict = ask(engine(address, trusted))
    assert verdict.status is Status.ERROR
    assert "certificate verify failed" in verdict.info


def test_a_server_without_tls(serve: Serve, ask: Ask, engine: Callable[..., Engine]) -> None:
    verdict = ask(engine(serve(lambda peer: peer.send(b"clean\n")).address))
    assert verdict.status is Status.ERROR


def test_a_silent_server(serve: Serve, ask: Ask, engine: Callable[..., Engine]) -> None:
    verdict = ask(engine(serve(lambda peer: peer.silence()).address), b"x", 0.3)
    assert (verdict.status, verdict.info.partition(": ")[2]) == (Status.ERROR, "cannot connect: timeout")


def test_a_file_without_authorities(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("none")
    values = {"daemon": ("127.0.0.1:1",), "allow": (), "classes": (), "tls": True, "tls_ca": tmp_path / "ca.pem"}
    with pytest.raises(ValueError, match="tls_ca: "):
        maker(Protocol(1, scan, probe))("engine", values)
