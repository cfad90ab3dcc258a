"""lists: the names of external lists (RFC 6134): which are valid, and one spelling for all names of a list.

A name is an absolute URI, such as `tag:example.com,2024:family`. A name that begins with a colon, such as
`:addrbook:default`, is short for the URN `urn:ietf:params:sieve:addrbook:default`.
"""

from __future__ import annotations

import re

LIST_NAME = 1024
"""Characters of a list's name."""

LIST_HINT = 'write a URI, such as "tag:example.com,2024:family", or ":addrbook:default"'

_PREFIX = "urn:ietf:params:sieve"

# RFC 3986, 4.3: absolute-URI, with any of the characters that a URI can contain after its scheme; no fragment
_URI = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*+):(?>(?:[A-Za-z0-9._~:/?\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+)")
_URN = re.compile(r"urn:[A-Za-z0-9-]++:", re.IGNORECASE)


def list_flaw(name: str) -> str:
    """Why `name` cannot be the name of an external list, "" if it can."""
    name = _whole(name)
    if len(name) > LIST_NAME:
        return f"list name is longer than {LIST_NAME} characters"
    return "" if _URI.fullmatch(name) else "not a valid list name"


def list_key(name: str) -> str:
    """`name` (a valid one) as a URI that is equal for all names of one list. RFC 3986, 6.2.2.1 and RFC 8141, 3.1: the
    scheme, and the namespace of a URN, are not case-sensitive; the rest is."""
    name = _whole(name)
    urn = _URN.match(name)
    end = name.index(":") if urn is None else urn.end()
    return name[:end].lower() + name[end:]


def _whole(name: str) -> str:
    return _PREFIX + name if name[:1] == ":" and name != ":" else name
