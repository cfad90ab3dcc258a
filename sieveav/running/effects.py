"""effects: what actions do, as data: a closed set, so that whoever carries them out knows no word of the language.

Each effect has a `target` (what it is about: two actions with the same targets are one), `fields()` for machines and
`summary()` for people. `carrying.py` says in which order they are carried out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sieveav.values import Value

Target = tuple[object, ...] | None
"""What an effect is about; None for one that never repeats another."""


def mailbox_flaw(name: str) -> str:
    """Why `name` cannot be a mailbox, "" when it can. RFC 5228, 4.1: it is UTF-8; RFC 3501, 5.1: no control characters."""
    if not name:
        return "mailbox name is empty"
    if len(name) > 255:
        return "mailbox name is longer than 255 characters"
    if any(c < " " or "\x7f" <= c <= "\x9f" or "\ud800" <= c <= "\udfff" for c in name):
        return "mailbox name contains a control character or is not UTF-8"
    return ""


def mailbox_key(name: str | None) -> str:
    """`name`, the same for all names of one mailbox. RFC 3501, 5.1: INBOX in any case of letters, which is where new
    mail goes (None)."""
    if name is None:
        return "INBOX"
    return "INBOX" + name[5:] if name[:5].upper() == "INBOX" and name[5:6] in ("", ".", "/") else name


def _message(message: bytes | None) -> dict[str, object]:
    return {} if message is None else {"message": message.decode("utf-8", "replace")}


class Store(Value):
    """Put the message, or `message` instead, into `mailbox`; None is the one where new mail goes.

    `create` makes the mailbox where it is missing. A mailbox of the recipient with the attribute `special_use` (RFC 8579)
    or with the id `mailbox_id` (RFC 9042) takes the place of `mailbox`. `until` says, as data, when the message comes back
    (snooze), `expire` after how long it goes. A failure of a `best_effort` store is only a warning.
    """

    mailbox: str | None = None
    flags: tuple[str, ...] = ()
    create: bool = False
    special_use: str = ""
    mailbox_id: str = ""
    message: bytes | None = None
    until: tuple[tuple[str, object], ...] = ()
    expire: str = ""
    best_effort: bool = False

    @property
    def target(self) -> Target:
        return ("store", mailbox_key(self.mailbox), self.special_use, self.mailbox_id, self.message, self.until)

    def fields(self) -> dict[str, object]:
        fields: dict[str, object] = {} if self.mailbox is None else {"mailbox": self.mailbox}
        fields["flags"] = list(self.flags)
        more = {
            "create": self.create,
            "special_use": self.special_use,
            "mailbox_id": self.mailbox_id,
            "expire": self.expire,
            "until": {name: list(value) if isinstance(value, tuple) else value for name, value in self.until},
        }
        return {**fields, **{name: value for name, value in more.items() if value}}

    def summary(self) -> str:
        where = "" if self.mailbox is None else f'"{self.mailbox}"'
        return f"{where}{' with ' if self.flags else ''}{' '.join(self.flags)}".strip()


class Send(Value):
    """Send the incoming message, or `message` instead, to `address`. `sender` is the envelope's: None for that of the
    incoming message, "" for the null sender. `parameters` are those of MAIL FROM and RCPT TO, as ("NOTIFY", "NEVER")."""

    address: str
    message: bytes | None = None
    sender: str | None = None
    parameters: tuple[tuple[str, str], ...] = ()

    @property
    def target(self) -> Target:
        local, at, domain = self.address.rpartition("@")
        return ("send", local + at + domain.lower(), self.message)

    def fields(self) -> dict[str, object]:
        more: dict[str, object] = {"address": self.address, **_message(self.message)}
        if self.sender is not None:
            more["sender"] = self.sender
        if self.parameters:
            more["parameters"] = dict(self.parameters)
        return more

    def summary(self) -> str:
        return self.address


class Refuse(Value):
    """Refuse the message with `reason` by the protocol where it can be; else, unless `silent`, by a notice to the
    sender (RFC 5429)."""

    reason: str
    silent: bool = False

    @property
    def target(self) -> Target:
        return ("refuse",)

    def fields(self) -> dict[str, object]:
        return {"reason": self.reason}

    def summary(self) -> str:
        return f": {' '.join(self.reason.split())}"


class Discard(Value):
    """Drop the message silently (RFC 5228, 4.4)."""

    @property
    def target(self) -> Target:
        return ("discard",)

    def fields(self) -> dict[str, object]:
        return {}

    def summary(self) -> str:
        return ""


class AddField(Value):
    """Add a header field: before all others or, with `last`, after them (RFC 5293, 4). `value` is text, encoded when it
    is written."""

    name: str
    value: str
    last: bool = False

    @property
    def target(self) -> Target:
        return None

    def fields(self) -> dict[str, object]:
        return {"name": self.name, "value": self.value, **({"last": True} if self.last else {})}

    def summary(self) -> str:
        return f'"{self.name}: {self.value}"'


class DropFields(Value):
    """Remove header fields: those of `name` with these numbers, counted from 1 (RFC 5293, 5)."""

    name: str
    numbers: tuple[int, ...]

    @property
    def target(self) -> Target:
        return None

    def fields(self) -> dict[str, object]:
        return {"name": self.name, "numbers": list(self.numbers)}

    def summary(self) -> str:
        return f'"{self.name}" {", ".join(map(str, self.numbers))}'


class Rewrite(Value):
    """Put `octets` in the place of the whole message. Unless `sent`, what is sent on is from here on the message as it was
    before, and no later edit changes it (RFC 5703, 6). `inside` is the path of the part that the message as it was is now;
    empty where it is no part of another."""

    octets: bytes
    sent: bool = True
    inside: tuple[int, ...] = ()

    @property
    def target(self) -> Target:
        return None

    def fields(self) -> dict[str, object]:
        return {"octets": len(self.octets)}

    def summary(self) -> str:
        return f"{len(self.octets)} octets"


class Record(Value):
    """Remember `key` for so many seconds once all else of the outcome has succeeded; `sliding`: from the last time it was
    asked for, not from the first."""

    key: str
    seconds: int
    sliding: bool = False

    @property
    def target(self) -> Target:
        return ("record", self.key)

    def fields(self) -> dict[str, object]:
        return {}

    def summary(self) -> str:
        return ""


class Pipe(Value):
    """Feed the message to a program that the site has configured. A failure of a `best_effort` one is a warning."""

    program: str
    arguments: tuple[str, ...] = ()
    best_effort: bool = False

    @property
    def target(self) -> Target:
        return ("pipe", self.program, self.arguments)

    def fields(self) -> dict[str, object]:
        return {"program": self.program, "arguments": list(self.arguments)}

    def summary(self) -> str:
        return " ".join((self.program, *self.arguments))


class Call(Value):
    """Hand `request` to a service that the site has configured by this name: a third party's own back end."""

    service: str
    request: tuple[tuple[str, object], ...] = ()

    @property
    def target(self) -> Target:
        return ("call", self.service, self.request)

    def fields(self) -> dict[str, object]:
        return {"service": self.service, "request": dict(self.request)}

    def summary(self) -> str:
        return self.service


class Count(Value):
    """Add one to a counter of the server."""

    counter: str

    @property
    def target(self) -> Target:
        return ("count", self.counter)

    def fields(self) -> dict[str, object]:
        return {"counter": self.counter}

    def summary(self) -> str:
        return self.counter


Edit = AddField | DropFields | Rewrite
"""The effects that change the message for all that comes after them."""

Effect = Store | Send | Refuse | Discard | AddField | DropFields | Rewrite | Record | Pipe | Call | Count


def fields_of(effects: tuple[Effect, ...], details: Mapping[str, Any]) -> dict[str, object]:
    """The fields of several effects and details as one object; the first to name a field has it."""
    fields: dict[str, object] = {}
    for effect in effects:
        fields = {**effect.fields(), **fields}
    return {**fields, **details}
