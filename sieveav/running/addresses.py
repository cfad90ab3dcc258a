"""addresses: the text of a header field to the mailboxes in it, and the addresses in a script to their parts.

One regular expression reads a field of plain mailboxes, which is nearly every field. A field that does not match (comments,
groups, routes, white space in odd places, invalid addresses) is read by a slower way that is still linear: comments are
removed, the field is split at its commas, and each item is read by itself, so an invalid address does not affect its
neighbours. An invalid address is kept as text, for `:all` alone (RFC 5228, 2.7.4). For addresses that a script sends mail
to, RFC 5228, 2.4.2.3 applies.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from sieveav import headers

# Repeated groups are atomic, (?>(?:...)*), not possessive, (?:...)*+: before 3.11.5 Python loses its position after the
# last, failing, round of the latter.

# RFC 5322, 3.2.3: atext, and everything outside ASCII (RFC 6532). A negated set compiles 20 times faster.
_ATOM = r'[^\x00-\x20()<>\[\]:;@\\,."\x7f]'
_QUOTED = r'"[^"\\\r\n]*+(?>(?:\\[^\r\n][^"\\\r\n]*+)*)"'
_LOCAL = rf"(?:{_ATOM}++(?>(?:\.{_ATOM}++)*)|{_QUOTED})"
_LABEL = r"[^\x00-,./:-@\[-^`{-\x7f]"
_LITERAL = r"\[[^\[\]\\\s]*+\]"
_DOMAIN = rf"(?:{_LABEL}++(?>(?:\.{_LABEL}++)*)|{_LITERAL})"

_MAILBOX = re.compile(
    rf"""\s*+(?:
        (?P<local>{_LOCAL})@(?P<domain>{_DOMAIN})\s*+
      | (?>(?:(?:{_QUOTED}|[^\s"<>,;:()@\\\[\]]++)\s*+)*)
        <(?P<local2>{_LOCAL})@(?P<domain2>{_DOMAIN})>\s*+
    )(?:,|\Z)""",
    re.VERBOSE,
)


class Address(NamedTuple):
    """One address: `text` as written, and its parts; a missing part is None, and both are if the address is invalid.
    `local` is unquoted."""

    text: str
    local: str | None
    domain: str | None


def mailboxes(text: str) -> list[Address]:
    """The addresses in the (unfolded) value of a header field, in order; an invalid one is an Address without parts."""
    addresses: list[Address] = []
    at, end = 0, len(text)
    match = _MAILBOX.match
    while at < end:
        m = match(text, at)
        if m is None:
            for item in _items(_without_comments(text[at:])):
                addresses += _read(item)
            return addresses
        local, domain, local2, domain2 = m.groups()
        addresses.append(_address(local or local2, domain or domain2))
        at = m.end()
    return addresses


def _address(local: str, domain: str) -> Address:
    return Address(f"{local}@{domain}", _unquoted(local), domain)


def _unquoted(word: str) -> str:
    return re.sub(r"\\(.)", r"\1", word[1:-1]) if word[0] == '"' else word


# ---- fields that contain more than plain mailboxes

_OUTSIDE = re.compile(rf'{_QUOTED}|\\["\\]|\(')
_INSIDE = re.compile(r"(?>(?:\\.)+)|\(++|\)++", re.DOTALL)


def _without_comments(text: str) -> str:
    """`text` with a space for each comment (RFC 5322, 3.2.2). Comments may nest to any depth: it is only counted. The
    beginning of an unterminated comment stays, so the address that contains it is invalid."""
    if "(" not in text:
        return text
    kept: list[str] = []
    at = seen = 0
    while (opening := _OUTSIDE.search(text, seen)) is not None:
        seen = opening.end()
        if opening[0] == "(":
            end = _comment_end(text, seen)
            if end is None:
                break
            kept += [text[at : opening.start()], " "]
            at = seen = end
    return "".join([*kept, text[at:]])


def _comment_end(text: str, at: int) -> int | None:
    """The end of the comment that begins before `at`."""
    depth = 1
    for token in _INSIDE.finditer(text, at):
        start, end = token.span()
        if text[start] == "(":
            depth += end - start
        elif text[start] == ")":
            if end - start >= depth:
                return start + depth
            depth -= end - start
    return None


_WHITE = r"[ \t\r\n]*+"
_ANGLED = rf'(?>(?:{_QUOTED}|\\["\\]?|[^<>"\\]++)*)'
"""Text before, within or after angle brackets: anything but them, except in a quoted string."""

_SEPARATOR = re.compile(rf'{_QUOTED}|<{_ANGLED}>|\\["\\]|@{_WHITE}{_LITERAL}|(?P<separator>[,;][,;\s]*+|:)')
_GROUP_NAME = re.compile(rf'(?>(?:{_QUOTED}|[^"<>@]++)*)')


def _items(text: str) -> Iterator[str]:
    """The items of `text` (without comments) between separators: its mailboxes, without the names of groups.

    A separator is a comma, or the semicolon after a group, outside of quoted strings, angle brackets and domain literals.
    A quote or bracket that is never closed has no effect.
    """
    start, may_be_group = 0, True
    for token in _SEPARATOR.finditer(text):
        separator = token["separator"]
        if separator is None:
            continue
        if separator == ":":
            name = text[start : token.start()] if may_be_group else ""
            if name.strip() and _GROUP_NAME.fullmatch(name):
                start = token.end()  # RFC 5228, 5.1: never acts on group names
            else:
                may_be_group = False
            continue
        yield text[start : token.start()]
        start, may_be_group = token.end(), True
    yield text[start:]


_BRACKETED = re.compile(rf"(?P<name>{_ANGLED})(?P<opening><[<\s]*+)(?P<content>{_ANGLED})(?P<closing>[>\s]*+)")
_QUOTED_STRING = re.compile(_QUOTED)


def _read(item: str) -> Iterator[Address]:
    """The address in `item`, and any other text in it that may be meant as an address; nothing for an empty item or <>."""
    item = item.strip()
    if not item:
        return
    address = _spec(item)
    if address is not None:
        yield address
        return
    bracketed = _BRACKETED.fullmatch(item)
    name = bracketed["name"].strip() if bracketed is not None else ""
    content = bracketed["content"].strip() if bracketed is not None else ""
    if bracketed is None or (name and not content):
        yield _invalid(item)
        return
    if bracketed["opening"].strip() == "<" and bracketed["closing"].strip() == ">":
        address = _spec(_target(content))
    if address is not None:
        yield address
    elif content:
        yield _invalid(content)
    if "@" in name and "@" in _QUOTED_STRING.sub("", name):
        yield _invalid(name)  # a phrase contains no @, so this may be meant as an address


def _invalid(text: str) -> Address:
    """RFC 5228, 2.7.4: a syntactically invalid address has no parts to match, but its text remains."""
    return Address(re.sub(r"[ \t\r\n]+", " ", text), None, None)


_ROUTE = re.compile(rf"(?>(?:[,\s]*+@{_DOMAIN})+)\s*+:")
"""RFC 5322, 4.4; RFC 5228, 5.4: source routes are ignored."""


def _target(content: str) -> str:
    """The content of angle brackets, without a route or the rest of a URL (RFC 2369, 2: `List-Post: <mailto:...>`)."""
    if content[:7].lower() == "mailto:":
        return content[7:].partition("?")[0]
    route = _ROUTE.match(content)
    return content if route is None else content[route.end() :]


# Senders put dots anywhere in a local part, and servers accept that; so the same rule is for fields and envelopes.
_ANY_SPEC = re.compile(rf"(?P<local>\.*+{_ATOM}(?>(?:{_ATOM}|\.)*)|{_QUOTED})@(?P<domain>{_DOMAIN})")
_LOOSE_SPEC = re.compile(
    rf"(?P<local>(?>(?:{_ATOM}++|{_QUOTED}|[. \t\r\n])+))@"
    rf"{_WHITE}(?P<domain>{_LITERAL}|{_LABEL}++(?>(?:{_WHITE}\.{_WHITE}{_LABEL}++)*)){_WHITE}"
)
"""RFC 5322, 4.4: white space and comments may surround the words of an address; some words may be quoted."""
_WORD = re.compile(rf"{_QUOTED}|{_ATOM}++|\.++")


def _spec(text: str) -> Address | None:
    """`text` as an address of the forms that occur in mail; None if it is not one."""
    m = _ANY_SPEC.fullmatch(text)
    if m is not None:
        return _address(m["local"], m["domain"])
    m = _LOOSE_SPEC.fullmatch(text)
    if m is None:
        return None
    words = _WORD.findall(m["local"])
    if all(word[0] == "." for word in words) or any(a[0] != "." != b[0] for a, b in pairwise(words)):
        return None  # only dots, or two words without a dot between them
    domain = re.sub(r"[ \t\r\n]+", "", m["domain"])
    return Address(f"{''.join(words)}@{domain}", "".join(map(_unquoted, words)), domain)


# ---- addresses that mail is sent to

_STRICT_SPEC = rf"(?P<local%s>{_LOCAL}){_WHITE}@{_WHITE}(?P<domain%s>{_DOMAIN})"
_SIEVE_ADDRESS = re.compile(
    rf"""{_WHITE}(?: {_STRICT_SPEC % ("", "")}
              | (?P<name>(?>(?:(?:{_QUOTED}|{_ATOM}(?>(?:{_ATOM}|\.)*)){_WHITE})*))
                <{_WHITE}{_STRICT_SPEC % (2, 2)}{_WHITE}> ){_WHITE}""",
    re.VERBOSE,
)


def parse_addr_spec(text: str) -> str | None:
    """The addr-spec of an address that a script sends mail to, without comments and white space; None if `text` is not a
    valid address.

    RFC 5228, 2.4.2.3: addr-spec, or phrase <addr-spec>; no route, no group. RFC 2822, 3.2.4 and 3.4.1: comments and white
    space may surround the local part and the domain. RFC 5321, 4.5.3.1 limits the lengths.
    """
    m = _SIEVE_ADDRESS.fullmatch(_without_comments(text))
    return None if m is None else _sendable(m)


def _sendable(m: re.Match[str]) -> str | None:
    local, domain = m["local"] or m["local2"], m["domain"] or m["domain2"]
    spec = f"{local}@{domain}"
    if len(local) > 64 or len(domain) > 255 or not spec.isprintable():
        return None
    return spec


def address_flaw(text: str) -> str:
    """Why mail cannot be sent to `text`, "" if it can."""
    return "not a valid email address" if parse_addr_spec(text) is None else ""


LIST_LENGTH = 2048
"""Characters of a mailbox-list in a script."""


def parse_mailbox_list(text: str) -> list[tuple[str, str]] | None:
    """The names, "" if there is none, and the addr-specs of a mailbox-list in a script (RFC 5322, 3.4), such as the From
    field of a message that it sends; None if `text` is not a valid list. Names are unquoted, their encoded-words decoded."""
    if len(text) > LIST_LENGTH:
        return None
    text = _without_comments(text)
    pairs: list[tuple[str, str]] = []
    at = -1
    while at < len(text):
        m = _SIEVE_ADDRESS.match(text, at + 1)
        spec = None if m is None else _sendable(m)
        if m is None or spec is None or text[m.end() : m.end() + 1] not in ("", ","):
            return None
        pairs.append((_name(m["name"] or ""), spec))
        at = m.end()
    return pairs


def _name(phrase: str) -> str:
    phrase = " ".join(phrase.split())
    if '"' not in phrase:
        return headers.decode_words(phrase)  # RFC 2047, 5 (3): never within a quoted string
    return _QUOTED_STRING.sub(lambda quoted: _unquoted(quoted[0]), phrase)


def mailbox_list_flaw(text: str) -> str:
    """Why `text` cannot be the authors of a message that a script sends, "" if it can."""
    return "not a valid email address or list of addresses" if parse_mailbox_list(text) is None else ""


# ---- addresses of the envelope


_DOT_ATOM = re.compile(rf"{_ATOM}++(?>(?:\.{_ATOM}++)*)")


def envelope(text: str) -> Address:
    """An envelope address, with or without angle brackets; the null reverse-path is an empty text with empty parts.

    Its text has one spelling: RFC 5321, 4.1.2: a quoted local part is the same as one without quotes, where it needs none.
    Comments and a dot after the domain are not allowed there, but mail servers accept them, and deliver to the address without.
    """
    text = _without_comments(text).strip()
    if text.startswith("<") and text.endswith(">"):
        text = text[1:-1]
    route = _ROUTE.match(text)
    if route is not None:
        text = text[route.end() :]  # RFC 5228, 5.4: source routes are dropped
    if text.lower() == "postmaster":
        return Address(text, text, None)  # RFC 5321, 4.1.1.3: the only address that needs no domain
    if not text:
        return Address("", "", "")  # RFC 5228, 5.4: the null reverse-path is "", whatever part is asked for
    address = _spec(text) or _spec(text.removesuffix(".")) or Address(text, None, None)
    if '"' in address.text and address.local and _DOT_ATOM.fullmatch(address.local):
        return address._replace(text=f"{address.local}@{address.domain}")
    return address
