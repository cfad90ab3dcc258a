"""tls: a connected socket into one that speaks TLS, and is used like any other that does not block."""

from __future__ import annotations

import select
import socket
import ssl
from pathlib import Path

_WAITS = {ssl.SSLWantReadError: select.POLLIN, ssl.SSLWantWriteError: select.POLLOUT}
_WOULD_BLOCK = tuple(_WAITS)


def context(authorities: Path | None) -> ssl.SSLContext:
    """What a daemon's certificate is checked with: its name, and the authorities of a file in PEM, or of the system. ValueError
    if the file has no certificate."""
    try:
        return ssl.create_default_context(cafile=authorities)
    except OSError as error:
        raise ValueError(f"tls_ca: {authorities}: {error.strerror or error}") from None


class TlsSocket:
    """A TLS socket. It raises BlockingIOError where it would have to wait, as a socket without TLS does, and another OSError
    where the connection is cut, not closed."""

    def __init__(self, connected: socket.socket, tls: ssl.SSLContext, host: str) -> None:
        self._secured = tls.wrap_socket(
            connected, server_hostname=host, do_handshake_on_connect=False, suppress_ragged_eofs=False
        )
        self.fileno = self._secured.fileno
        self.close = self._secured.close

    def handshake(self) -> int:
        """Go on with the handshake: the event of poll to wait for before the next call, 0 at its end. OSError also if the
        certificate is not the host's."""
        try:
            self._secured.do_handshake()
        except _WOULD_BLOCK as need:
            return _WAITS[type(need)]
        return 0

    def recv(self, size: int) -> bytes:
        """At most `size` octets, b"" at the end of the connection."""
        try:
            return self._secured.recv(size)
        except _WOULD_BLOCK:
            raise BlockingIOError from None

    def send(self, octets: bytes | memoryview) -> int:
        """Send some of the octets; how many."""
        try:
            return self._secured.send(octets)
        except _WOULD_BLOCK:
            raise BlockingIOError from None
