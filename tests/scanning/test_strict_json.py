"""strict_json: what is JSON to all readers, and nothing else."""

from __future__ import annotations

import pytest

from sieveav.scanning import strict_json
from sieveav.scanning.failover import ProtocolError


def test_values() -> None:
    assert strict_json.read(b'{"a": [1, true, null, "\xc3\xa4"]}\r\n') == {"a": [1, True, None, "ä"]}


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"{",
        b"{} {}",
        b"[] \0",
        b'{"a": 1, "a": 2}',
        b'[{"a": {"b": 1, "b": 1}}]',
        b"[NaN]",
        b"[Infinity]",
        b"[-Infinity]",
        b"\xef\xbb\xbf{}",
        b'["\xff"]',
        b'["\0"]',
        '{"a": 1}'.encode("utf-16"),
        b"[" * 500_000,
        b'{"a":' * 200_000,
        b"[" + b"9" * 10_000 + b"]",
    ],
)
def test_what_is_no_json(octets: bytes) -> None:
    with pytest.raises(ProtocolError, match="not JSON"):
        strict_json.read(octets)
