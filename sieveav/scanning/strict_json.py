"""strict_json: octets into the value that they are in JSON (RFC 8259), if no two readers could see two values in them."""

from __future__ import annotations

import json
from typing import Any

from sieveav.scanning.failover import ProtocolError
from sieveav.verdict import plain


def read(octets: bytes) -> Any:
    """The value. Raises ProtocolError for anything else: other encodings than UTF-8, NaN, a member that is written twice."""
    try:
        return json.loads(octets.decode("utf-8"), object_pairs_hook=_object, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"not JSON: {plain(str(error), 80)}") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member that is written twice")
    return members


def _refuse(constant: str) -> None:
    raise ValueError(constant)
