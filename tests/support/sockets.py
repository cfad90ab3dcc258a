"""sockets: a connection to where a server listens, and whether there is IPv6."""

from __future__ import annotations

import socket

from sieveav.frontends.sockets import parse_address

WAIT = 10.0
"""Seconds for what is to happen soon: a test that waits longer fails."""


def connect(listen: str) -> socket.socket:
    """A connection to an address such as `unix:/path`; what takes longer than WAIT raises an OSError."""
    family, address = parse_address(listen)
    client = socket.socket(family)
    client.settimeout(WAIT)
    try:
        client.connect(address)
    except OSError:
        client.close()
        raise
    return client


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


HAS_IPV6 = has_ipv6()
