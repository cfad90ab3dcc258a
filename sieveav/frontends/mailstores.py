"""mailstores: where a front end stores the mail of recipients: in a Maildir of each, or by another LMTP server.

deliver = "maildir:/var/vmail/%d/%n"        see `maildir`
deliver = "lmtp:unix:/run/dovecot/lmtp"     a mailbox is the detail of the address: user+Junk@example.com
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from sieveav.frontends.failure import Failure
from sieveav.frontends.handing import Peer, hand_over, peer
from sieveav.frontends.special_uses import SpecialUse, exists, mailboxes_with
from sieveav.running.addresses import envelope
from sieveav.running.effects import Store, folders_of, mailbox_key
from sieveav.running.questions import Mailbox
from sieveav.site.users import fill
from sieveav.transfer import PIECE


class Mailstore(Protocol):
    """Stores mail. `recipient` is an address from an envelope: it never leads outside of the place for its mail. `is_final`:
    whether that is the final delivery, so that the message gets Return-Path and Delivered-To before."""

    is_final: bool

    def knows(self, recipient: str) -> bool:
        """Whether the recipient can have mail here; if not, RCPT is refused."""
        ...

    def has(self, recipient: str, asked: Mailbox) -> bool:
        """Whether mail can be stored in a mailbox of theirs."""
        ...

    def place(self, recipient: str, effect: Store) -> str:
        """The mailbox that the effect stores in, as `mailbox_key` gives its name: the one with the effect's attribute or, if
        there is none, the one that it names."""
        ...

    def store(self, recipient: str, sender: str, effect: Store, message: bytes, trace: bytes = b"") -> Failure | None:
        """Store a message, with the header fields `trace` before it. None when it is safe: on disk, or another server is
        responsible for it."""
        ...


class Maildirs:
    """Maildirs at the paths that a template gives for addresses (see `site.users.fill`). `make`: make those that do not
    exist. `special_uses`: the attributes of mailboxes."""

    is_final = True

    def __init__(self, template: str, *, make: bool = False, special_uses: Sequence[SpecialUse] = ()) -> None:
        self._template = template
        self._make = make
        self._special_uses = special_uses

    def knows(self, recipient: str) -> bool:
        return fill(self._template, recipient) is not None

    def has(self, recipient: str, asked: Mailbox) -> bool:
        from sieveav.frontends.maildir import Maildir

        path = fill(self._template, recipient)
        return path is not None and exists(asked, self._special_uses, Maildir(path).has)

    def place(self, recipient: str, effect: Store) -> str:
        if effect.special_use:  # RFC 8579, 4
            for mailbox in mailboxes_with(self._special_uses, effect.special_use):
                if self.has(recipient, Mailbox(mailbox)):
                    return mailbox
        return mailbox_key(effect.mailbox)

    def store(
        self,
        recipient: str,
        sender: str,  # noqa: ARG002
        effect: Store,
        message: bytes,
        trace: bytes = b"",
    ) -> Failure | None:
        from sieveav.frontends.maildir import Maildir

        path = fill(self._template, recipient)
        if path is None:
            return Failure(False, "no such user")
        maildir = Maildir(path, make=self._make)
        size = sum(len(part) - part.count(b"\r\n") for part in (trace, message))
        # RFC 8579, 4.1: what :create creates gets the attribute if possible, which is if the site gives it to that name
        return maildir.store(
            self.place(recipient, effect), _in_lf(trace, message), flags=effect.flags, create=effect.create, size=size
        )


def _in_lf(*parts: bytes) -> Iterator[bytes]:
    """The parts in pieces, so that no copy is made of a large message. Files on disk end their lines with LF, as other
    delivery agents write them."""
    for part in parts:
        start = 0
        while start < len(part):
            end = min(start + PIECE, len(part))
            if part[end - 1 : end + 1] == b"\r\n":
                end += 1
            yield part[start:end].replace(b"\r\n", b"\n")
            start = end


class Relay:
    """Another LMTP server, such as Dovecot's, which stores mail in the mailbox that is the detail of an address (RFC 5233).
    It knows no flags; whether a mailbox exists, and what is its special use, is not known."""

    is_final = False

    def __init__(self, to: Peer) -> None:
        self._to = to

    def knows(self, recipient: str) -> bool:  # noqa: ARG002
        return True

    def has(self, recipient: str, asked: Mailbox) -> bool:  # noqa: ARG002
        return exists(asked, (), lambda mailbox: mailbox_key(mailbox) == "INBOX")

    def place(self, recipient: str, effect: Store) -> str:  # noqa: ARG002
        return mailbox_key(effect.mailbox)

    def store(self, recipient: str, sender: str, effect: Store, message: bytes, trace: bytes = b"") -> Failure | None:
        address = with_mailbox(recipient, self.place(recipient, effect))
        if address is None:
            return Failure(False, "invalid mailbox name for an address")
        failure = hand_over(self._to, sender, address, trace + message)
        if failure is not None and failure.status == "5.2.2":  # the mailbox is full: users delete mail (RFC 3463, 3.3)
            return Failure(True, failure.text, failure.status)
        return failure


_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*/=?^_`{|}~.+-]+")


def with_mailbox(recipient: str, mailbox: str) -> str | None:
    """The address of a mailbox: user+Junk@example.com, and user@example.com for INBOX. None if the name does not fit: it is
    not printable ASCII, or `folders_of` refuses it."""
    address = envelope(recipient)
    if mailbox == "INBOX":
        # without the detail: that is what a sender has written, and would be a mailbox
        local = (address.local or "").partition("+")[0]
        if not local or local == address.local:
            return recipient
    elif address.local is None or folders_of(mailbox) is None or not (mailbox.isascii() and mailbox.isprintable()):
        return None
    else:
        local = f"{address.local.partition('+')[0]}+{mailbox}"
    if not _ATOM.fullmatch(local) or ".." in local or local[0] == "." or local[-1] == ".":
        quoted = local.replace("\\", "\\\\").replace('"', '\\"')
        local = f'"{quoted}"'
    return f"{local}@{address.domain}" if address.domain else local


def _maildirs(location: str, *, make: bool, special_uses: Sequence[SpecialUse]) -> Mailstore:
    if not location.startswith("/"):
        raise ValueError("maildir: needs an absolute path, such as maildir:/var/vmail/%d/%n")
    if fill(location, "user@example.com") is None:
        raise ValueError("a path has the marks %u (address), %n (local part), %d (domain) and %% only")
    if fill(location, "user@example.com") == fill(location, "other@example.com"):
        raise ValueError("all users of a domain would share one Maildir: write %n or %u")
    return Maildirs(location, make=make, special_uses=special_uses)


def _relay(location: str, *, make: bool, special_uses: Sequence[SpecialUse]) -> Mailstore:  # noqa: ARG001
    return Relay(peer(f"lmtp:{location}"))


KINDS: dict[str, Callable[..., Mailstore]] = {"maildir": _maildirs, "lmtp": _relay}


def mailstore(text: str, *, make: bool = False, special_uses: Sequence[SpecialUse] = ()) -> Mailstore:
    """The mail store that `kind:location` names; ValueError if there is none."""
    kind, colon, location = text.partition(":")
    if not colon or kind not in KINDS:
        raise ValueError(f'"{text}" does not begin with {" or ".join(f"{kind}:" for kind in KINDS)}')
    return KINDS[kind](location, make=make, special_uses=special_uses)
