"""daemon: a protocol and the addresses of daemons into an engine that asks them.

An engine of this kind is a `Protocol` (`dialogue`), and options. What all share is here: connections, that are kept where the
protocol allows it; a file where it needs one; failover; what signatures count as. Clean is only believed if the whole content
was sent before the daemon spoke, and if it says nothing more.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sieveav.options import BOOLEAN, FILE, Option
from sieveav.scanning import naming
from sieveav.scanning.connecting import ADDRESSES, Address, Connection
from sieveav.scanning.contract import Content, Deadline, Engine
from sieveav.scanning.dialogue import Answer, Dialogue, Request, run
from sieveav.scanning.failover import Failover, ProtocolError, Server, Unreached
from sieveav.scanning.naming import Class, Naming
from sieveav.verdict import Status, Verdict, worst

if TYPE_CHECKING:
    from ssl import SSLContext

IDLE = 5.0
"""Seconds that a connection is kept for another question; daemons close it after 10 or more."""


@dataclass(frozen=True)
class Protocol:
    """What is said to a daemon: `scan` a content; `probe`, a cheap question, whether it works; its `version`, "" if it does not
    say. `needs_file`: the daemon reads a file that it can reach itself. `classes` is what signatures count as."""

    port: int
    scan: Callable[[Request], Dialogue[Answer]]
    probe: Callable[[Request], Dialogue[bool]]
    version: Callable[[Request], Dialogue[str]] | None = None
    needs_file: bool = False
    classes: tuple[Class, ...] = ()


def probe_by(scan: Callable[[Request], Dialogue[Answer]]) -> Callable[[Request], Dialogue[bool]]:
    """The probe of a daemon that has no cheaper question: it works if an empty content is clean."""

    def probe(request: Request) -> Dialogue[bool]:
        answer = yield from scan(request)
        return answer.status is Status.CLEAN

    return probe


class Daemon:
    """One daemon, as a server of the engine `engine`."""

    idle = IDLE

    def __init__(
        self,
        engine: str,
        address: Address,
        protocol: Protocol,
        values: Mapping[str, Any],
        tls: SSLContext | None = None,
    ) -> None:
        self.name = str(address)
        self._tls = tls
        self._engine = engine
        self._address = address
        self._protocol = protocol
        self._values = values
        self._idle: list[tuple[float, Connection]] = []  # first, because it is closed if what follows fails
        self._signatures = Naming.of(values, protocol.classes)

    def attempt(self, content: Content, deadline: Deadline) -> Verdict:
        """The verdict of one scan. Raises Unreached if not one octet of an answer came, ProtocolError if it is not whole."""
        with ExitStack() as stack:
            path: Path | None = None
            if self._protocol.needs_file:
                path = stack.enter_context(content.file(self._values["file_base"])).absolute()
                if not str(path).isprintable():  # it is part of a line
                    raise ProtocolError("the name of the file has control characters")
            request = Request(content, deadline, self._host, path, self._values)
            answer = self._ask(lambda: self._protocol.scan(request), deadline)
        verdict = worst(map(self._verdict, (answer, *answer.others)), self._engine)
        more = {name: value for name in _MORE if (value := getattr(answer, name))}
        if more.keys() == {"version"}:
            return verdict.by_version(answer.version)  # `replace` takes ten times as long
        return replace(verdict, **more) if more else verdict

    def _verdict(self, answer: Answer) -> Verdict:
        if answer.is_find:
            return self._signatures.verdict(self._engine, answer.info, answer.status)
        return Verdict(self._engine, answer.status, answer.info)

    def probe(self, deadline: Deadline) -> bool:
        """Whether it works."""
        try:
            return bool(self._once(self._protocol.probe, deadline))
        except (Unreached, ProtocolError):
            return False

    def version(self, deadline: Deadline) -> str:
        """What it says of its version, "" if it says nothing."""
        return str(self._once(self._protocol.version, deadline)) if self._protocol.version is not None else ""

    @property
    def _host(self) -> str:
        """As the header field Host names it; a unix socket has no name."""
        return self.name if self._address.port else "localhost"

    def _once(self, question: Callable[[Request], Dialogue[Any]], deadline: Deadline) -> Any:
        request = Request(Content(b""), deadline, self._host, None, self._values)
        with Connection(self._address, deadline, self._tls) as connection:
            return run(connection, question(request))

    def _ask(self, question: Callable[[], Dialogue[Answer]], deadline: Deadline) -> Answer:
        """The answer of a daemon, on a connection that was kept, or else on a new one."""
        kept = self._kept()
        if kept is not None:
            kept.ask(deadline)
            try:
                return self._asked(kept, question())
            except Unreached:  # it was closed meanwhile
                if deadline.left() <= 0:
                    raise
        return self._asked(self._connect(deadline), question())

    def _connect(self, deadline: Deadline) -> Connection:
        """A new connection."""
        connection = Connection(self._address, deadline, self._tls)
        connection.open()
        return connection

    def _asked(self, connection: Connection, dialogue: Dialogue[Answer]) -> Answer:
        is_kept = False
        try:
            answer = run(connection, dialogue)
            if not connection.is_quiet:
                answer = _doubted(answer, "and more than one answer")
            elif not connection.has_heard_all:
                answer = _doubted(answer, "but not to the whole content")
            elif answer.is_open:
                is_kept = True
                self._idle.append((time.monotonic(), connection))
            return answer
        finally:
            if not is_kept:
                connection.close()

    def _kept(self) -> Connection | None:
        """The connection that was used last, if it is not too old; older ones are closed."""
        while True:
            try:
                used, connection = self._idle.pop()
            except IndexError:
                return None
            if time.monotonic() - used < self.idle and connection.is_idle:
                return connection
            connection.close()

    def __del__(self) -> None:
        for _, connection in self._idle:
            connection.close()


def _doubted(answer: Answer, why: str) -> Answer:
    """An answer that cannot be believed if it is good news."""
    if answer.status in (Status.CLEAN, Status.SKIPPED):
        return Answer(Status.ERROR, f"{answer.status}, {why}")
    return replace(answer, is_open=False)


_MORE = ("code", "version", "cured", "values", "by_recipient")


READS_FILES = (
    "It scans a file of mode 0600 in file_base, so it must run on the same host, as root or as the user that sieveav runs as."
    " If it has a /tmp of its own, file_base must be a directory that both see."
)
"""For the details of an engine whose daemon reads files."""


TLS = (
    Option(
        "tls",
        BOOLEAN,
        False,
        "whether TLS is spoken from the start of a connection; the certificate must be the host's",
    ),
    Option(
        "tls_ca",
        FILE,
        None,
        "a file of the authorities that sign the certificate, in PEM; by default those of the system",
    ),
)
"""Options of an engine whose daemons may be asked over TLS."""


def options(port: int, program: str, name: str = "daemon") -> tuple[Option, ...]:
    """The options of an engine that asks daemons, whose default port and program these are. The first is called `name`."""
    return (
        Option(
            name,
            ADDRESSES,
            (f"127.0.0.1:{port}",),
            f"where {program} listens: host:port, [v6]:port (without a port, {port}) or the path of a unix socket; several of"
            " them are asked in turn until one answers",
        ),
        *naming.OPTIONS,
    )


def failover(
    engine: str, values: Mapping[str, Any], option: str, port: int, server: Callable[[Address], Server]
) -> Engine:
    """The engine that asks the daemons whose addresses `option` has, each as a `server`. ValueError if it is empty."""
    if not values[option]:
        raise ValueError(f"{option}: at least one address is needed")
    return Failover(engine, [server(Address.parse(written, port)) for written in values[option]])


def maker(protocol: Protocol, option: str = "daemon") -> Callable[[str, Mapping[str, Any]], Engine]:
    """The function that makes an engine of this protocol, as `EngineType.make`, if `option` has the addresses."""

    def make(name: str, values: Mapping[str, Any]) -> Engine:
        tls = None
        if values.get("tls"):
            from sieveav.scanning.tls import context

            tls = context(values["tls_ca"])

        def server(address: Address) -> Server:
            if tls and not address.port:
                raise ValueError(f"tls: over a unix socket, such as {address}, there is no TLS")
            return Daemon(name, address, protocol, values, tls)

        return failover(name, values, option, protocol.port, server)

    return make
