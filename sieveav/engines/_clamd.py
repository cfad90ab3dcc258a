"""_clamd: the chunks of an INSTREAM into clamd's whole reply, with the connections and commands of the package `clamd`.

Imported where first used, because `import clamd` takes 80 ms. Ping, version and the life of a connection are the package's;
connecting, sending and receiving are not: the package does not repeat partial sends, sends chunks of 1 KB, has no timeout
for connecting, knows IPv4 only, loses a reply that comes while it still sends, and takes a truncated `stream: OK` for OK.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator

from sieveav.engines.clamav_wire import COMMAND, END, REPLY_SIZE
from sieveav.scanning.connecting import Address, Connection
from sieveav.scanning.contract import Deadline

PACKAGE = "clamd"

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it imports pkg_resources, which is deprecated or missing
    import clamd

ResponseError = clamd.ResponseError
"""There was a reply, but not one that the command has."""


class Client(clamd.ClamdNetworkSocket):  # type: ignore[misc]  # the package has no types
    """One command to the daemon at `address`. Raises Unreached."""

    def __init__(self, address: Address, deadline: Deadline) -> None:
        super().__init__(address.host, address.port)
        self._connection = Connection(address, deadline)

    def instream(self, chunks: Iterable[bytes]) -> tuple[bytes, bool]:
        """Send the chunks of one INSTREAM. Returns the octets of the reply, and whether it is complete: the whole content had
        been sent when it came, and the daemon closed the connection after it."""
        with self._connection:
            sent = self._connection.send(_framed(chunks))
            reply, closed = self._connection.receive(REPLY_SIZE)
            return reply, sent and closed

    # In place of the package's own; its ping() and version() call these.

    def _init_socket(self) -> None:
        self._connection.open()

    def _close_socket(self) -> None:
        self._connection.close()

    def _send_command(self, command: str, *arguments: str) -> None:
        self._connection.send([b"z" + " ".join((command, *arguments)).encode() + b"\0"])

    def _recv_response(self) -> str:
        reply, _ = self._connection.receive(REPLY_SIZE)
        if reply.find(b"\0") != len(reply) - 1:
            raise ResponseError("not one whole reply")
        return reply[:-1].decode("ascii", "replace")


def _framed(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """All octets of an INSTREAM."""
    yield COMMAND
    yield from chunks
    yield END
