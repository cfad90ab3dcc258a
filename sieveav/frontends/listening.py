"""listening: the options of a stanza that say where a server listens, the same for every protocol."""

from __future__ import annotations

import re
import socket
from collections.abc import Sequence

from sieveav.frontends.sockets import Listener, parse_address
from sieveav.options import TEXT, Option, ValueType
from sieveav.site.stanza import Building, Placed


def _address(text: str) -> str:
    parse_address(text)
    return text


def _mode(text: str) -> int:
    if not re.fullmatch(r"0?[0-7]{3}", text):
        raise ValueError(f'"{text}" is not the mode of a file: write three octal digits, such as 0660')
    return int(text, 8)


def _network(text: str) -> str:
    from ipaddress import ip_network

    try:
        return str(ip_network(text, strict=False))
    except ValueError:
        raise ValueError(f'"{text}" is not an address or a network, such as 192.0.2.0/24') from None


ADDRESS = ValueType("address", _address)
MODE = ValueType("mode of a file", _mode, write=lambda mode: f"{mode:04o}")

OPTIONS = (
    Option("listen", ADDRESS, "", "unix:/path, or inet:address:port"),
    Option("mode", MODE, 0o660, "the permissions of a unix socket"),
    Option("owner", TEXT, "", "the user who owns a unix socket; empty: the user who starts the server"),
    Option("group", TEXT, "", "the group of a unix socket, such as that of the mail server"),
)

LOCAL = ("127.0.0.0/8", "::1/128")
"""Who may connect to an inet socket unless the configuration says more: this machine."""

CLIENTS = Option(
    "clients",
    ValueType("address or network", _network, many=True),
    LOCAL,
    "who may connect to an inet socket: addresses, or networks such as 192.0.2.0/24",
)
"""For the protocols whose clients are mail servers: whoever may connect can do all that they can."""


def listeners(
    stanzas: Sequence[Placed], building: Building, example: str, *, port: int | None = 8891
) -> dict[str, Listener]:
    """Name of a stanza -> where its server listens, for those that say it; what is wrong with the others is reported.
    `example` is the path of a socket for a hint, and `port` one on loopback; None if only a unix socket will do."""
    hint = f'write listen = "unix:{example}"' + ("" if port is None else f' or "inet:127.0.0.1:{port}"')
    found: dict[str, Listener] = {}
    servers = [placed for placed in building.top if OPTIONS[0].name in placed.options]
    before: list[Placed] = []
    for stanza in servers:
        if stanza in stanzas:
            listener = _listener(stanza, before, building, hint)
            if listener is not None:
                found[stanza.instance] = listener
        before.append(stanza)
    return found


def _listener(stanza: Placed, before: Sequence[Placed], building: Building, hint: str) -> Listener | None:
    report, address = building.report, stanza.value("listen")
    if not address:
        report.error("option-missing", f"{stanza.head} has no listen", stanza.stanza.kind_span, hint)
        return None
    for other in before:
        if other.instance == stanza.instance:  # systemd's sockets are found by this name
            message = f"{other.head} is a server of that name too"
            report.error("stanza-repeated", message, stanza.name_span, "give each server a name of its own")
            return None
        if other.value("listen") == address:
            message = f"{address} is the address of {other.head} too"
            report.error("option-conflict", message, stanza.written["listen"].span, "write another address")
            return None
    if CLIENTS.name in stanza.options and CLIENTS.name not in stanza.written and _is_open(address):
        message = "only this machine may connect: there is no clients"
        report.warn("clients-missing", message, stanza.written["listen"].span, 'write clients = ( "192.0.2.1" )')
    return Listener(stanza.instance, address, stanza.value("mode"), stanza.value("owner"), stanza.value("group"))


def _is_open(address: str) -> bool:
    """Whether other machines can reach an address."""
    from ipaddress import ip_address

    family, where = parse_address(address)
    return family != socket.AF_UNIX and not ip_address(where[0]).is_loopback
