"""effects: what actions do, as data: a closed set, so that a front end can carry out actions that it does not know.

Each effect has a `target` (two actions with the same targets are one), `fields()` for JSON and `summary()` for people.
`carrying.py` has the order in which they are carried out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sieveav.values import Value

Target = tuple[object, ...] | None
"""What an effect applies to; None for an effect that never repeats another."""

MAILBOX_NAME = 255
"""Characters of a mailbox's name; file systems allow no more in the name of a folder."""


def mailbox_flaw(name: str) -> str:
    """Why `name` cannot be the name of a mailbox, "" if it can. RFC 5228, 4.1: UTF-8; RFC 3501, 5.1: no control characters."""
    if not name:
        return "mailbox name is empty"
    if len(name) > MAILBOX_NAME:
        return f"mailbox name is longer than {MAILBOX_NAME} characters"
    if any(c < " " or "\x7f" <= c <= "\x9f" or "\ud800" <= c <= "\udfff" for c in name):
        return "mailbox name contains a control character or is not UTF-8"
    return ""


_ATTRIBUTE = re.compile(r"\\[!#$&'+-\[^-z|}~]++")  # RFC 6154, 6: a backslash and an atom (RFC 3501, 9)


def special_use_flaw(attribute: str) -> str:
    """Why `attribute` cannot be a special-use attribute of mailboxes, such as \\Junk; "" if it can."""
    if len(attribute) > MAILBOX_NAME:
        return f"special-use attribute is longer than {MAILBOX_NAME} characters"
    return "" if _ATTRIBUTE.fullmatch(attribute) else "special-use attribute is not a backslash and a name"


def mailbox_key(name: str | None) -> str:
    """`name` in a form that is equal for all names of one mailbox. RFC 3501, 5.1: INBOX in any case of letters is the
    mailbox for new mail (None)."""
    if name is None:
        return "INBOX"
    return "INBOX" + name[5:] if name[:5].upper() == "INBOX" and name[5:6] in ("", ".", "/") else name


def folders_of(name: str, separator: str = "/") -> tuple[str, ...] | None:
    """The parts of a mailbox's name between separators, each of them safe as the name of a folder below a given one; None
    if any part is not: empty, longer than MAILBOX_NAME octets, beginning with a dot (`..` too), or with a character that
    separates parts of paths."""
    if mailbox_flaw(name):
        return None
    parts = tuple(name.split(separator))
    for part in parts:
        if not part or part[0] == "." or "/" in part or "\\" in part or len(part.encode()) > MAILBOX_NAME:
            return None
    return parts


def _message(message: bytes | None) -> dict[str, object]:
    return {} if message is None else {"message": message.decode("utf-8", "replace")}


class Store(Value):
    """Store the message, or `message` instead, in `mailbox`; None is the mailbox for new mail.

    `mailbox` is a name that a script has chosen, never a path: it may be `../../x` or `/etc/x`. A front end that stores in
    folders must use `folders_of`. `create`: create the mailbox if it does not exist. A mailbox of the recipient with the
    attribute `special_use` (RFC 8579) or the id `mailbox_id` (RFC 9042) takes precedence over `mailbox`. `until` is the
    time, as data, when a snoozed message comes back, `expire` the time after which it is deleted. A failure of a
    `best_effort` store is only a warning.
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
        special_use = self.special_use.lower()  # RFC 3501, 9: names of attributes are case-insensitive
        return ("store", mailbox_key(self.mailbox), special_use, self.mailbox_id, self.message, self.until)

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
        mailbox = "" if self.mailbox is None else f'"{self.mailbox}"'
        if self.special_use:
            mailbox = f"{self.special_use} or else {mailbox or 'INBOX'}"
        return f"{mailbox}{' with ' if self.flags else ''}{' '.join(self.flags)}".strip()


class Send(Value):
    """Send the incoming message, or `message` instead, to `address`. `sender` is the envelope sender: None for that of the
    incoming message, "" for the null sender. `parameters` are those of MAIL FROM and RCPT TO, such as ("NOTIFY", "NEVER").
    """

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
    """Refuse the message with `reason` in the protocol or, if that is not possible and unless `silent`, by a notice to the
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
    """Add a header field: before all others or, with `last`, after them (RFC 5293, 4). `value` is text; it is encoded when
    the header is written."""

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
    """Remove the fields of `name` with these numbers, counted from 1 (RFC 5293, 5)."""

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
    """Replace the whole message by `octets`. Unless `sent`, the message before this edit is what is sent on, and no later
    edit changes it (RFC 5703, 6). `inside` is the path of the part that contains the previous message; empty if no part
    does."""

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
    """Remember `key` for some seconds once everything else in the outcome has succeeded; `sliding`: the time begins again
    whenever the key is looked up."""

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
    """Run a program that the site has configured, with the message as its input. A failure is only a warning if
    `best_effort`."""

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
    """Send `request` to a service that the site has configured by this name, such as a third party's back end."""

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


class Delay(Value):
    """Delay the reply to the client, whatever it is, by some seconds: see `Outcome.delay`."""

    seconds: float

    @property
    def target(self) -> Target:
        return ("delay",)

    def fields(self) -> dict[str, object]:
        return {"seconds": self.seconds}

    def summary(self) -> str:
        return f"{self.seconds:g} s"


class Quarantine(Value):
    """Accept the message, and hold it in the mail server until an administrator releases or deletes it. `reason` is for the
    administrator."""

    reason: str

    @property
    def target(self) -> Target:
        return ("hold",)

    def fields(self) -> dict[str, object]:
        return {"reason": self.reason}

    def summary(self) -> str:
        return f": {' '.join(self.reason.split())}"


Edit = AddField | DropFields | Rewrite
"""The effects that change the message for all later effects."""

Effect = (
    Store
    | Send
    | Refuse
    | Discard
    | AddField
    | DropFields
    | Rewrite
    | Record
    | Pipe
    | Call
    | Count
    | Delay
    | Quarantine
)


def fields_of(effects: tuple[Effect, ...], details: Mapping[str, Any]) -> dict[str, object]:
    """The fields of several effects and details as one object; for a field of several effects, the value of the first."""
    fields: dict[str, object] = {}
    for effect in effects:
        fields = {**effect.fields(), **fields}
    return {**fields, **details}
