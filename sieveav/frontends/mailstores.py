"""mailstores: where a front end stores the mail of recipients: in a Maildir of each, or by another LMTP server.

deliver = "maildir:/var/vmail/%d/%n"        see `maildir`
deliver = "lmtp:unix:/run/dovecot/lmtp"     a mailbox is the detail of the address: user+Junk@example.com
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Protocol

from sieveav.frontends.failure import Failure
from sieveav.frontends.handing import Peer, hand_over, peer
from sieveav.running.addresses import envelope
from sieveav.running.effects import Store, folders_of, mailbox_key
from sieveav.site.users import fill


class Mailstore(Protocol):
    """Stores mail. `recipient` is an address from an envelope: it never leads outside of the place for its mail."""

    def knows(self, recipient: str) -> bool:
        """Whether the recipient can have mail here; if not, RCPT is refused."""
        ...

    def has(self, recipient: str, mailbox: str) -> bool:
        """Whether mail can be stored in a mailbox of theirs."""
        ...

    def store(self, recipient: str, sender: str, effect: Store, message: bytes) -> Failure | None:
        """Store a message. None when it is safe: on disk, or another server is responsible for it."""
        ...


class Maildirs:
    """Maildirs at the paths that a template gives for addresses (see `site.users.fill`). `make`: make those that do not
    exist."""

    def __init__(self, template: str, *, make: bool = False) -> None:
        self._template = template
        self._make = make

    def knows(self, recipient: str) -> bool:
        return fill(self._template, recipient) is not None

    def has(self, recipient: str, mailbox: str) -> bool:
        from sieveav.frontends.maildir import Maildir

        path = fill(self._template, recipient)
        return path is not None and Maildir(path).has(mailbox)

    def store(self, recipient: str, sender: str, effect: Store, message: bytes) -> Failure | None:  # noqa: ARG002
        from sieveav.frontends.maildir import Maildir

        path = fill(self._template, recipient)
        if path is None:
            return Failure(False, "no such user")
        # files on disk end their lines with LF, as other delivery agents write them
        text = message.replace(b"\r\n", b"\n")
        maildir = Maildir(path, make=self._make)
        return maildir.store(effect.mailbox, text, flags=effect.flags, create=effect.create)


class Relay:
    """Another LMTP server, such as Dovecot's, which stores mail in the mailbox that is the detail of an address (RFC 5233).
    It knows no flags; whether a mailbox exists is not known."""

    def __init__(self, to: Peer) -> None:
        self._to = to

    def knows(self, recipient: str) -> bool:  # noqa: ARG002
        return True

    def has(self, recipient: str, mailbox: str) -> bool:  # noqa: ARG002
        return mailbox_key(mailbox) == "INBOX"

    def store(self, recipient: str, sender: str, effect: Store, message: bytes) -> Failure | None:
        address = with_mailbox(recipient, mailbox_key(effect.mailbox))
        if address is None:
            return Failure(False, "invalid mailbox name for an address")
        return hand_over(self._to, sender, address, message)


_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*/=?^_`{|}~.+-]+")


def with_mailbox(recipient: str, mailbox: str) -> str | None:
    """The address of a mailbox: user+Junk@example.com; the recipient's own for INBOX. None if the name does not fit: it is
    not printable ASCII, or `folders_of` refuses it."""
    if mailbox == "INBOX":
        return recipient
    address = envelope(recipient)
    if address.local is None or folders_of(mailbox) is None or not (mailbox.isascii() and mailbox.isprintable()):
        return None
    local = f"{address.local.partition('+')[0]}+{mailbox}"
    if not _ATOM.fullmatch(local) or ".." in local or local[0] == "." or local[-1] == ".":
        quoted = local.replace("\\", "\\\\").replace('"', '\\"')
        local = f'"{quoted}"'
    return f"{local}@{address.domain}" if address.domain else local


def _maildirs(location: str, *, make: bool) -> Mailstore:
    if not location.startswith("/"):
        raise ValueError("maildir: needs an absolute path, such as maildir:/var/vmail/%d/%n")
    if fill(location, "user@example.com") is None:
        raise ValueError("a path has the marks %u (address), %n (local part), %d (domain) and %% only")
    if fill(location, "user@example.com") == fill(location, "other@example.com"):
        raise ValueError("all users of a domain would share one Maildir: write %n or %u")
    return Maildirs(location, make=make)


def _relay(location: str, *, make: bool) -> Mailstore:  # noqa: ARG001
    return Relay(peer(f"lmtp:{location}"))


KINDS: dict[str, Callable[..., Mailstore]] = {"maildir": _maildirs, "lmtp": _relay}


def mailstore(text: str, *, make: bool = False) -> Mailstore:
    """The mail store that `kind:location` names; ValueError if there is none."""
    kind, colon, location = text.partition(":")
    if not colon or kind not in KINDS:
        raise ValueError(f'"{text}" does not begin with {" or ".join(f"{kind}:" for kind in KINDS)}')
    return KINDS[kind](location, make=make)
