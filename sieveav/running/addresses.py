"""addresses: the text of a header field to the mailboxes in it, and a script's own addresses to their parts.

One regular expression reads a field that holds plain mailboxes, which is nearly every field; the email package reads what
that refuses (groups, comments in odd places, routes). Both are lenient, as mail readers are: tests look at what is there
(RFC 5228, 2.7.4). What a script sends mail to is held to RFC 5228, 2.4.2.3.
"""

from __future__ import annotations

import re
from typing import NamedTuple

# Groups that repeat are atomic, (?>(?:...)*), not possessive, (?:...)*+: until 3.11.5 Python loses its place after the
# last, failing, round of the latter.

# RFC 5322, 3.2.3: atext, and all that is not ASCII (RFC 6532). Said by what it is not, which compiles 20 times quicker.
_ATOM = r'[^\x00-\x20()<>\[\]:;@\\,."\x7f]'
_QUOTED = r'"[^"\\\r\n]*+(?>(?:\\[^\r\n][^"\\\r\n]*+)*)"'
_LOCAL = rf"(?:{_ATOM}++(?>(?:\.{_ATOM}++)*)|{_QUOTED})"
_LABEL = r"[^\x00-,./:-@\[-^`{-\x7f]"
_DOMAIN = rf"(?:{_LABEL}++(?>(?:\.{_LABEL}++)*)|\[[^\[\]\\\s]*+\])"

_MAILBOX = re.compile(
    rf"""\s*+(?:
        (?P<local>{_LOCAL})@(?P<domain>{_DOMAIN})\s*+
      | (?>(?:(?:{_QUOTED}|[^\s"<>,;:()@\\\[\]]++)\s*+)*)
        <(?P<local2>{_LOCAL})@(?P<domain2>{_DOMAIN})>\s*+
    )(?:,|\Z)""",
    re.VERBOSE,
)


class Address(NamedTuple):
    """One address: `text` as written, and its parts, None where it has none: both, where it is no address. `local` is
    unquoted."""

    text: str
    local: str | None
    domain: str | None


def mailboxes(text: str) -> list[Address]:
    """The addresses in the (unfolded) value of a header field, in their order; a word that is no address is an
    Address without parts."""
    found: list[Address] = []
    at, end = 0, len(text)
    match = _MAILBOX.match
    while at < end:
        m = match(text, at)
        if m is None:
            return _by_the_package(text)
        local, domain, local2, domain2 = m.groups()
        found.append(_address(local or local2, domain or domain2))
        at = m.end()
    return found


def _address(local: str, domain: str) -> Address:
    plain = re.sub(r"\\(.)", r"\1", local[1:-1]) if local[0] == '"' else local
    return Address(f"{local}@{domain}", plain, domain)


_LONGEST = 64 * 1024
"""Characters of a field that go to the email package, whose time is more than linear; a longer one is no address."""


_OBSOLETE_ROUTE = re.compile(r"<\s*+@[^<>:]*+:")
"""RFC 5322, 4.4: what a reader passes over."""

_ANY_SPEC = re.compile(rf"(?P<local>(?>(?:{_ATOM}|\.)+)|{_QUOTED})@(?P<domain>{_DOMAIN})")
"""Senders put dots anywhere in a local part, and mean it."""


def _by_the_package(text: str) -> list[Address]:
    if len(text) > _LONGEST:
        return [Address(text, None, None)]
    import email.utils  # 10 ms, for the odd field

    # newer patch releases of Python give up on a whole field for one bad address unless told not to
    lenient = {"strict": False} if getattr(email.utils, "supports_strict_parsing", False) else {}
    try:
        pairs = email.utils.getaddresses([_OBSOLETE_ROUTE.sub("<", text)], **lenient)
    except RecursionError:  # thousands of open parentheses
        return [Address(text, None, None)]
    found: list[Address] = []
    for _, address in pairs:
        m = _ANY_SPEC.fullmatch(address)
        if m is not None:
            found.append(_address(m["local"], m["domain"]))
        elif address:
            found.append(Address(address, None, None))  # RFC 5228, 2.7.4
    return found  # RFC 5228, 5.1: names of groups, phrases and comments are no addresses


_SPEC = re.compile(rf"(?P<local>{_LOCAL})@(?P<domain>{_DOMAIN})")
_SIEVE_ADDRESS = re.compile(
    rf"""\s*+(?: (?P<spec>{_LOCAL}@{_DOMAIN})
              | (?>(?:(?:{_QUOTED}|{_ATOM}(?>(?:{_ATOM}|\.)*))\s*+)*) <(?P<spec2>{_LOCAL}@{_DOMAIN})> )\s*+""",
    re.VERBOSE,
)


def parse_addr_spec(text: str) -> str | None:
    """The addr-spec of an address that a script sends mail to, None where `text` is none.

    RFC 5228, 2.4.2.3: addr-spec, or phrase <addr-spec>; no route, no group. RFC 5321, 4.5.3.1 bounds the lengths.
    """
    m = _SIEVE_ADDRESS.fullmatch(text)
    if m is None:
        return None
    spec = m["spec"] or m["spec2"]
    parts = _SPEC.fullmatch(spec)
    if parts is None or len(parts["local"]) > 64 or len(parts["domain"]) > 255 or not spec.isprintable():
        return None
    return spec


def address_flaw(text: str) -> str:
    """Why `text` cannot be an address that mail is sent to, "" when it can."""
    return "not a valid email address" if parse_addr_spec(text) is None else ""


_ROUTE = re.compile(rf"@{_DOMAIN}(?>(?:,@{_DOMAIN})*):")


def envelope(text: str) -> Address:
    """An envelope address, without its angle brackets; the null reverse-path is the empty text with empty parts."""
    text = text.strip().removeprefix("<").removesuffix(">")
    route = _ROUTE.match(text)
    if route is not None:
        text = text[route.end() :]  # RFC 5228, 5.4: source routes are dropped
    if text.lower() == "postmaster":
        return Address(text, text, None)  # RFC 5321, 4.1.1.3: the one address that needs no domain
    if not text:
        return Address(
            "", "", ""
        )  # RFC 5228, 5.4: the null reverse-path is the empty string, whatever part is asked for
    m = _SPEC.fullmatch(text)
    return Address(text, None, None) if m is None else _address(m["local"], m["domain"])
