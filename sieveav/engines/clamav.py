"""clamav: content into a verdict by asking clamd with INSTREAM, over TCP or a unix socket.

Two halves: *wire* (`clamav_wire`, pure) and *client* (`_clamd`, on the package `clamd`). If a daemon does not answer, the next
one is asked (`failover`).
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from sieveav.engines import clamav_wire as wire
from sieveav.scanning.connecting import Address
from sieveav.scanning.contract import Content, Deadline, Engine, EngineType
from sieveav.scanning.daemon import failover, options
from sieveav.scanning.failover import Unreached
from sieveav.scanning.format import USUAL
from sieveav.scanning.naming import CLAMAV, Naming
from sieveav.verdict import Status, Verdict, plain

PORT = 3310
"""clamd's default port."""


class Clamd:
    """One daemon, as a server of the engine `engine`. Each command has a connection of its own."""

    def __init__(self, engine: str, address: Address, signatures: Naming) -> None:
        self.name = str(address)
        self._engine = engine
        self._address = address
        self._signatures = signatures

    def attempt(self, content: Content, deadline: Deadline) -> Verdict:
        """One INSTREAM. Raises Unreached if not one octet of a reply came."""
        from sieveav.engines._clamd import Client

        reply, complete = Client(self._address, deadline).instream(wire.chunks(content.pieces))
        answer = wire.answer(reply, complete=complete)
        if answer.is_find:
            return self._signatures.verdict(self._engine, answer.info)
        return Verdict(self._engine, answer.status, answer.info)

    def probe(self, deadline: Deadline) -> bool:
        """PING."""
        try:
            return self._ask("ping", deadline) == "PONG"
        except Unreached:
            return False

    def version(self, deadline: Deadline) -> str:
        """`ClamAV 1.4.3/27800/Mon Nov  3 08:00:00 2025`, or "" if the daemon's settings do not allow the question."""
        text = self._ask("version", deadline)
        return plain(text) if text.startswith("ClamAV ") else ""

    def _ask(self, command: str, deadline: Deadline) -> str:
        """The reply to one of the package's commands, "" if it is an error. Raises Unreached."""
        from sieveav.engines._clamd import Client, ResponseError

        try:
            return str(getattr(Client(self._address, deadline), command)())
        except ResponseError:
            return ""


def _make(name: str, values: Mapping[str, Any]) -> Engine:
    signatures = Naming.of(values, CLAMAV)
    return failover(name, values, "daemon", PORT, lambda address: Clamd(name, address, signatures))


NESTED = 20
"""Archives within archives: more than clamd's MaxRecursion of 17, and harmless."""

OLD = timedelta(days=7)
"""Definitions are new every day."""


def _doubts(engine: Engine, deadline: Deadline) -> Iterator[str]:
    """Old definitions, and contents beyond clamd's limits that it calls OK."""
    _, _, published = engine.version(deadline).rpartition("/")
    try:
        age = datetime.now() - datetime.strptime(published, "%a %b %d %H:%M:%S %Y")  # its local time
    except ValueError:
        yield "clamd does not say how old its definitions are"
    else:
        if age > OLD:
            yield f"the definitions of clamd are {age.days} days old: does freshclam run?"
    nested = b"harmless"
    for _ in range(NESTED):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            archive.writestr("a.zip", nested)
        nested = stream.getvalue()
    if engine.scan(Content(nested, is_message=False), deadline).status is Status.CLEAN:
        yield f"clamd calls {NESTED} archives within archives OK: write AlertExceedsMax yes in clamd.conf"


engine = EngineType(
    name="clamav",
    summary="ClamAV's clamd, over TCP or a unix socket",
    pool="IO",
    options=options(PORT, "clamd"),
    make=_make,
    punctual=True,
    doubts=_doubts,
    opens=(*USUAL, "dmg", "egg", "szdd", "xar"),
    details=(
        "Clean only if clamd answers exactly that. By default clamd answers OK to content beyond its limits: set "
        "AlertExceedsMax yes in its configuration, and AlertEncrypted and AlertOLE2Macros if a policy needs them. "
        "Heuristics.Encrypted.* counts as encrypted, Heuristics.OLE2.ContainsMacros* as macro, "
        "Heuristics.Limits.Exceeded* as limits, Heuristics.Phishing.*, Heuristics.Structured.*, Heuristics.Broken.* "
        "and PUA.* as suspicious, any other name as infected. Content larger than clamd's StreamMaxLength is limits."
    ),
)
