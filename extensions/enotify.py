"""enotify: send a notification about the message, by mail (RFC 5435; RFC 5436).

    if header :contains "from" "boss@example.org" {
        notify :importance "1" :message "This is probably very important" "mailto:alm@example.com";
    }
    set :encodeurl "text" "${subject}";
    notify "mailto:tim@example.com?cc=ann@example.com&subject=New%20mail&body=${text}";

The method is a URI. That of mailto has the recipients, and may have header fields: to, cc, subject, body, reply-to and
others. Those that identify a message or its sender, or that ask for automatic mail, are ignored. :message is the subject.
Without it, the subject is that of the URI or of the message, and the text names its sender and subject. The author is the
user, or the :from address, in a domain of the user or of the setting `authors`.

Automatic mail (Auto-Submitted) causes no notification, and an address gets only one for a message. An address from a
variable is notified only if it is in the script too, so senders cannot choose the recipients. The log says why a
notification is withheld. notify does not check for viruses; test for them first. No other action is affected.
"""

# Over 400 lines, because mailto, a method that RFC 5435 requires, has no capability of its own and so no file.

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from sieveav.extending import (
    BOOLEAN,
    INTEGER,
    PHASES,
    SECONDS,
    TEXTS,
    VARIABLE_VALUE,
    Acting,
    Action,
    Addresses,
    Choice,
    Effect,
    Extension,
    Fields,
    ForeignTag,
    Given,
    HeaderValues,
    MatchingValues,
    Now,
    Option,
    Record,
    Run,
    Seen,
    Send,
    Severity,
    Strings,
    Use,
    Word,
    compose_message,
    derived,
    intern_subject,
    keyword,
    parse_addr_spec,
    parse_mailbox_list,
    tag,
)

enotify = Extension("enotify", "RFC 5435, RFC 5436")
enotify.rule("author-invalid", "the author of the notification is not valid for its method")
enotify.rule("importance-invalid", 'the importance is not "1", "2" or "3"')
enotify.rule("method-invalid", "the URI of the notification is not valid")
enotify.rule("method-part-ignored", "a part of the notification has no effect")
enotify.rule("method-unknown", "no notification method has the scheme of the URI")

enotify.setting(
    Option("max_notifications", INTEGER, 4, "the most notifications for a message; more are a run-time error")
)
enotify.setting(Option("max_recipients", INTEGER, 8, "the most addresses in the URI of a notification"))
enotify.setting(
    Option("min_interval", SECONDS, 0.0, "how long an address gets no other notification of the user; 0: no limit")
)
enotify.setting(
    Option("authors", TEXTS, (), "domains and addresses that :from may use, in addition to the user's own domains")
)
enotify.setting(
    Option(
        "recipients_from_variables", BOOLEAN, False, "whether addresses that the script does not contain are notified"
    )
)
enotify.setting(
    Option("send_from_author", BOOLEAN, False, "whether the envelope sender of notifications is their author, not null")
)

# ---- methods, RFC 5435, 3.2


class Method(Choice):
    """A way to notify; its name is the scheme of its URIs.

    Other extensions declare more of them, for the scripts that require them: `choice("notify_method", "xmpp")`.
    """

    def flaw(self, uri: str, settings: Mapping[str, Any]) -> str:
        """Why `uri` cannot be used, "" if it can. RFC 5435, 3.2. `settings` are those of enotify."""
        raise NotImplementedError

    def author_flaw(self, author: str) -> str:  # noqa: ARG002
        """Why `author` cannot be the value of :from, "" if it can. RFC 5435, 3.3."""
        return ""

    def warnings(self, uri: str, word: Notify) -> list[str]:  # noqa: ARG002
        """What of a valid URI and of the arguments has no effect, in words."""
        return []

    def capability(self, uri: str, name: str) -> str | None:  # noqa: ARG002
        """The value of the notification-capability `name`, in lower case; None if it is unknown. RFC 5435, 5."""
        return "maybe" if name == "online" else None

    def effects(self, word: Notify, run: Run) -> tuple[Effect, ...] | str:
        """What the notification does, or why nothing is sent."""
        raise NotImplementedError


_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,63}):")  # RFC 3986, 3.1


def methods_of(use: Use) -> dict[str, Method]:
    """The methods of a script, by scheme."""
    methods: dict[str, Method] = {}
    for scheme, made in use.choices("notify_method").items():
        methods[scheme] = made()
        methods[scheme].name = scheme
    return methods


class Resolved(NamedTuple):
    """The method of a URI, None if there is none; why the URI cannot be used, "" if it can; and the rule of that problem."""

    method: Method | None
    flaw: str
    rule: str


def resolved(uri: str, methods: Mapping[str, Method], settings: Mapping[str, Any]) -> Resolved:
    """What notify and both tests know of a URI: they validate alike (RFC 5435, 4)."""
    scheme = _SCHEME.match(uri)
    if scheme is None:
        return Resolved(None, "the notification method is not a URI", "method-invalid")
    method = methods.get(scheme[1].lower())
    if method is None:
        return Resolved(None, f'there is no notification method "{scheme[1]}"', "method-unknown")
    return Resolved(method, method.flaw(uri, settings), "method-invalid")


# ---- notify, RFC 5435, 3

HINT = 'write a URI such as "mailto:user@example.com?subject=New%20mail"'


def importance_flaw(text: str) -> str:
    """What is wrong with the value of :importance. RFC 5435, 3.4."""
    return "" if text in ("1", "2", "3") else "the importance is not one of 1, 2, 3"


_OPTION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*=[^\x00\n\r]*")


def option_flaw(text: str) -> str:
    """What is wrong with one of :options. RFC 5435, 3.5."""
    return "" if _OPTION.fullmatch(text) else "not an option of the form name=value"


@enotify.action("notify")  # RFC 6785, 3.6: also with IMAP events
class Notify(Acting):
    """notify: send a notification by the method of the URI, unless it could be part of a loop. RFC 5435, 3."""

    author: str = tag(":from", "")
    importance: str = tag(":importance", "2", valid=importance_flaw, hint='write "1" (high), "2" or "3" (low)')
    options: Strings = tag(":options", (), valid=option_flaw, hint='write it as "name=value"')
    message: str = tag(":message", "")
    method: str
    methods: Mapping[str, Method] = derived()
    varies: bool = derived(False)

    def check(self, use: Use) -> None:
        self.methods = methods_of(use)
        self.varies = "method" in use.variable
        for uri in use.strings("method"):
            method, flaw, rule = resolved(uri.value, self.methods, self.settings)
            if method is not None and not flaw:
                self._check_parts(use, uri, method)
            elif rule == "method-unknown":  # RFC 5435, 3.2: an error at run time only, because scripts can test it
                hint = f"test it with valid_notify_method, or {HINT}"
                use.complain(uri, flaw, hint, rule="method-unknown", severity=Severity.WARNING)
            else:
                use.complain(uri, flaw, HINT, rule="method-invalid")

    def _check_parts(self, use: Use, uri: Given, method: Method) -> None:
        for author in use.strings("author"):
            flaw = method.author_flaw(author.value)
            if flaw:  # RFC 5435, 3.3
                use.complain(author, flaw, 'write :from "Ann <ann@example.com>"', rule="author-invalid")
        for message in method.warnings(uri.value, self):
            use.complain(uri, message, rule="method-part-ignored", severity=Severity.WARNING)

    def run(self, run: Run) -> None:
        method, flaw, _ = resolved(self.method, self.methods, self.settings)
        if method is None or flaw:
            run.fail(flaw, self)  # RFC 5435, 3.2
        flaw = method.author_flaw(self.author) if ":from" in self.written else ""
        if flaw:
            run.fail(flaw, self)  # RFC 5435, 3.3
        result = method.effects(self, run)
        effects, withheld = ((), result) if isinstance(result, str) else (result, "")
        most = int(self.settings["max_notifications"])
        if effects and sum(action.name == "notify" and not action.withheld for action in taken(run)) >= most:
            run.fail(f"more than {most} notifications", self)  # RFC 5435, 8 (2)
        if withheld:
            run.log(Severity.ADVICE, f"notify withheld: {withheld}", self)
        # RFC 5435, 7: the implicit keep is not affected
        action = Action("notify", effects, False, details=self._details(), withheld=withheld)
        run.act(self.amended(action), self.written)

    def _details(self) -> dict[str, object]:
        """The arguments, for the output, in which "message" is the message that is sent."""
        details: dict[str, object] = {"method": self.method, "importance": self.importance}
        if ":from" in self.written:
            details["from"] = self.author
        if ":options" in self.written:
            details["options"] = list(self.options)
        if ":message" in self.written:
            details["text"] = self.message
        return details


def taken(run: Run) -> Sequence[Action]:
    """The actions so far, of earlier scripts too."""
    return (*run.before.actions, *run.actions)


# ---- tests, RFC 5435, 4 and 5


@enotify.test("valid_notify_method", phases=PHASES)
class ValidNotifyMethod(Word):
    """valid_notify_method: whether all of the URIs are valid, and their methods are supported. RFC 5435, 4."""

    notification_uris: Strings
    methods: Mapping[str, Method] = derived()

    def check(self, use: Use) -> None:
        self.methods = methods_of(use)
        for uri in use.strings("notification_uris"):
            _, flaw, rule = resolved(uri.value, self.methods, self.settings)
            if flaw and rule == "method-invalid":
                hint = f"this test is never true; {HINT}"
                use.complain(uri, flaw, hint, rule="method-invalid", severity=Severity.WARNING)

    def holds(self, run: Run) -> bool:  # noqa: ARG002
        return not any(resolved(uri, self.methods, self.settings).flaw for uri in self.notification_uris)


@enotify.test("notify_method_capability", phases=PHASES)
class NotifyMethodCapability(MatchingValues):
    """notify_method_capability: whether a capability of a notification method, such as "online", matches a key. RFC 5435, 5."""

    notification_uri: str
    notification_capability: str
    keys: Strings
    methods: Mapping[str, Method] = derived()

    def check(self, use: Use) -> None:
        super().check(use)
        self.methods = methods_of(use)

    def values(self, run: Run) -> tuple[str, ...]:  # noqa: ARG002
        uri, name = self.notification_uri, self.notification_capability.lower()
        method, flaw, _ = resolved(uri, self.methods, self.settings)
        value = None if method is None or flaw else method.capability(uri, name)
        return () if value is None else (value,)

    def holds(self, run: Run) -> bool:
        # RFC 5435, 5: fails unconditionally for an invalid URI or an unknown capability, also with :count "eq" "0"
        return bool(self.values(run)) and super().holds(run)


# ---- :encodeurl, RFC 5435, 6


@enotify.tag(":encodeurl", on=["set"])
class EncodeUrl(ForeignTag):
    """:encodeurl: percent-encode every octet that is not a letter, a digit or one of -._~ (RFC 3986, 2.3)."""

    precedence = 15

    def amend(self, text: str) -> str:
        pieces: list[str] = []
        room = VARIABLE_VALUE
        for character in text:  # a value that is too long ends with a whole character, so that a URI with it is valid
            piece = quote(character, safe="", errors="replace")
            room -= len(piece)
            if room < 0:
                break
            pieces.append(piece)
        return "".join(pieces)


# ---- mailto: URIs, RFC 2368; RFC 6068

URI_LENGTH = 65536
"""Characters of a mailto URI: several variables of the longest value."""

URI_FIELDS = 32
"""Header fields of a mailto URI."""

# RFC 6068, 2: qchar
_CHARACTERS = r"(?>(?:[A-Za-z0-9._~!$'()*+,;:@-]++|%[0-9A-Fa-f]{2})*)"
_FIELD = rf"{_CHARACTERS}={_CHARACTERS}"
_URI = re.compile(rf"mailto:({_CHARACTERS})(?:\?({_FIELD}(?>(?:&{_FIELD})*)))?", re.IGNORECASE)
_NAME = re.compile(r"[!-9;-~]{1,70}")  # RFC 5322, 3.6.8

ADDRESSES = ("to", "cc", "reply-to")
"""The fields that contain addresses. RFC 5436, 2.7: notifications are sent to those of the first two."""

# RFC 5436, 2.7: those of the first line MUST be ignored; RFC 6068, 4: the others identify a message or ask for automatic mail
_IGNORED = re.compile(
    r"from|auto-submitted|received|message-id|date"
    r"|sender|bcc|return-path|in-reply-to|references|mime-version|(?:content|resent|list|arc|disposition-notification)-.*"
    r"|return-receipt-to|errors-to|delivered-to|dkim-signature|authentication-results|received-spf",
)


class Mailto(NamedTuple):
    """A mailto URI: its addresses and its header fields, by names in lower case, the names of the fields that are ignored,
    and what is wrong with it."""

    addresses: Mapping[str, Sequence[tuple[str, str]]] = {}
    fields: Mapping[str, str] = {}
    ignored: Sequence[str] = ()
    flaw: str = ""

    @property
    def recipients(self) -> dict[str, str]:
        """The addresses that it notifies, each once: in the form for comparison -> as written."""
        recipients: dict[str, str] = {}
        for _, address in (*self.addresses["to"], *self.addresses["cc"]):
            recipients.setdefault(address.lower(), address)
        return recipients


def parse_mailto(uri: str) -> Mailto:
    """A URI whose scheme is mailto. Octets that are not UTF-8 become U+FFFD. Of several fields with the same name the first
    one counts, but the addresses of to and cc are joined."""
    match = _URI.fullmatch(uri) if len(uri) <= URI_LENGTH else None
    if match is None:
        return Mailto(
            flaw="not a valid mailto URI; the form is mailto:addresses?name=value&name=value, percent-encoded"
        )
    to = [f"to={match[1]}"] if match[1] else []
    pairs = [pair.partition("=") for pair in (*to, *(match[2] or "").split("&")) if pair]
    if len(pairs) > URI_FIELDS:
        return Mailto(flaw=f"the mailto URI has more than {URI_FIELDS} header fields")
    addresses: dict[str, list[tuple[str, str]]] = {name: [] for name in ADDRESSES}
    fields: dict[str, str] = {}
    ignored: list[str] = []
    for name, _, text in pairs:
        name, text = unquote(name).lower(), unquote(text)
        if not _NAME.fullmatch(name):
            return Mailto(flaw="the mailto URI has a header field without a valid name")
        if name in ADDRESSES:
            parsed = parse_mailbox_list(text)
            if parsed is None:
                return Mailto(flaw=f"the mailto URI has invalid addresses ({name})")
            addresses[name] += parsed
        elif name in fields or _IGNORED.fullmatch(name):
            ignored.append(name)
        else:
            fields[name] = text
    return Mailto(addresses, fields, ignored)


# ---- mailto: messages, RFC 5436

SUBJECT = intern_subject(HeaderValues(Fields(("subject",))))
FROM = intern_subject(HeaderValues(Fields(("from",))))

SUBJECT_LENGTH = 900
"""The most characters of the subject. RFC 5436, 2.6: an excessively long one may be truncated."""

IMPORTANCE = {"1": "high", "3": "low"}
"""RFC 5436, 2.4: :importance -> the field Importance (RFC 2156, 5.3.4), which is left out for "2", normal."""


def own_addresses(run: Run) -> list[str]:
    """The valid addresses of the user. RFC 5436, 2.7: first that of the envelope."""
    texts = [run.envelope.recipient, *run.ask(Addresses()), run.envelope.orig_to]
    return [spec for spec in map(parse_addr_spec, texts) if spec is not None]


def owner_parameter(owner: str) -> str:
    """The parameter of Auto-Submitted that identifies the owner of the script. RFC 5436, 2.7.1: a quoted string or, for an
    address outside ASCII, an opaque token, which is the hash of the address."""
    if owner.isascii():
        return 'owner-email="' + re.sub(r'(["\\])', r"\\\1", owner) + '"'
    return f"owner-token={sha256(owner.encode()).hexdigest()[:40]}"


def loop(run: Run) -> str:
    """Why a notification could be part of a loop, "" if it could not. RFC 5436, 2.7. The message as it came is looked at
    too, because a script may have removed the field."""
    for message in (run.case.message, run.message):
        if any(keyword(text) != "no" for text in message.fields.get("auto-submitted", ())):
            return "the message is automatic (header field Auto-Submitted)"
    if len(run.case.message.fields.get("received", ())) > run.limits.received:
        return "the message seems to be in a mail loop"
    return ""


@enotify.choice("notify_method", "mailto")
class ByMail(Method):
    """mailto: send a message to the addresses of the URI. RFC 5436. It takes no :options, and does not know whether the
    recipients are online ("maybe")."""

    def flaw(self, uri: str, settings: Mapping[str, Any]) -> str:
        mailto = parse_mailto(uri)
        if sum(map(len, mailto.addresses.values())) > settings["max_recipients"]:  # RFC 5435, 8
            return f"the mailto URI has more than {settings['max_recipients']} addresses"
        return mailto.flaw

    def author_flaw(self, author: str) -> str:
        parsed = parse_mailbox_list(author)
        return "" if parsed is not None and len(parsed) == 1 else "the :from address is not a valid email address"

    def warnings(self, uri: str, word: Notify) -> list[str]:
        mailto = parse_mailto(uri)
        found = [f"the header field {name} of the URI is ignored" for name in mailto.ignored]
        if ":options" in word.written:  # RFC 5436, 2.5
            found.append("mailto has no options; they are ignored")
        return found if mailto.recipients else [*found, "the URI has no recipients, so nothing is sent"]

    def effects(self, word: Notify, run: Run) -> tuple[Effect, ...] | str:
        mailto = self._chosen(parse_mailto(word.method), word, run)
        own = own_addresses(run)
        withheld = loop(run) or ("" if own else "the user has no valid email address")
        if withheld:
            return withheld
        interval = int(word.settings["min_interval"])
        due = self._due(mailto.recipients, interval, run)
        if isinstance(due, str):
            return due
        author = self._author(word, run, own)
        message = self._composed(word, run, mailto, author, own[0])
        # RFC 5436, 2.7: null if that of the message is, else according to the setting
        sender = author[1] if run.envelope.sender and word.settings["send_from_author"] else ""
        sends = [Send(address, message, sender) for address in due.values()]
        return (*sends, *(Record(key, interval) for key in due if interval))

    @staticmethod
    def _chosen(mailto: Mailto, word: Notify, run: Run) -> Mailto:
        """The URI without addresses that the owner of the script has not chosen. RFC 5435, 8: text of the message SHOULD NOT
        name any; so an address in a URI with variables must be somewhere in the script."""
        if not word.varies or word.settings["recipients_from_variables"]:
            return mailto
        script = unquote(word.origin.text).lower()
        addresses = {
            name: [each for each in found if _contains(script, each[1])] for name, found in mailto.addresses.items()
        }
        if addresses != mailto.addresses:
            run.log(Severity.WARNING, "notify: an address that the script does not contain is left out", word)
        return Mailto(addresses, mailto.fields)

    @staticmethod
    def _due(recipients: Mapping[str, str], interval: int, run: Run) -> dict[str, str] | str:
        """The addresses to notify, by the keys under which they are remembered; or why there are none."""
        if not recipients:
            return "there are no recipients"
        sent = [effect for action in taken(run) if action.name == "notify" for effect in action.effects]
        notified = {effect.address.lower() for effect in sent if isinstance(effect, Send)}
        # RFC 5436, 2.7: no duplicate notifications to the same address
        due = {
            f"notify {sha256(compared.encode()).hexdigest()[:40]}": address
            for compared, address in recipients.items()
            if compared not in notified
        }
        if not due:
            return "the recipients have a notification already"
        if interval:  # RFC 5436, 5; if it is not known when an address had one, it gets none
            due = {key: address for key, address in due.items() if run.ask(Seen(key)) is False}
        return due or f"the recipients may have had a notification within the last {interval} seconds"

    @staticmethod
    def _author(word: Notify, run: Run, own: Sequence[str]) -> tuple[str, str]:
        """The author. RFC 5436, 2.7: :from, or else the owner. RFC 5435, 3.3: an address that is not allowed is ignored."""
        (author,) = (parse_mailbox_list(word.author) if word.author else None) or [("", own[0])]
        allowed = {address.rpartition("@")[2].lower() for address in own}
        allowed.update(map(str.lower, word.settings["authors"]))
        if allowed.isdisjoint((author[1].lower(), author[1].rpartition("@")[2].lower())):
            run.log(Severity.WARNING, "notify: this site does not allow the :from address; it is ignored", word)
            return ("", own[0])
        return author

    @staticmethod
    def _composed(word: Notify, run: Run, mailto: Mailto, author: tuple[str, str], owner: str) -> bytes:
        fields = dict(mailto.fields)
        origin, original = ("".join(run.message[values][:1])[:SUBJECT_LENGTH] for values in (FROM, SUBJECT))
        # RFC 5436, 2.7: the subject is :message, else that of the URI, else that of the message
        subject = fields.pop("subject", original or "New message")
        text = f"From: {origin}\nSubject: {original}\n"  # RFC 5435, 3.6
        if ":message" in word.written:
            subject = word.message
            text = "" if subject.isprintable() and len(subject) <= SUBJECT_LENGTH else subject  # what the subject lacks
        body = fields.pop("body", text)
        if word.importance in IMPORTANCE:
            fields.setdefault("importance", IMPORTANCE[word.importance])
        return compose_message(
            [
                ("Auto-Submitted", f"auto-notified; {owner_parameter(owner)}".encode()),  # RFC 5436, 2.7.1
                ("From", [author]),
                *((name, mailto.addresses[name.lower()]) for name in ("To", "Cc", "Reply-To")),
                ("Subject", subject[:SUBJECT_LENGTH]),
                *((_capitalized(name), text) for name, text in fields.items()),
            ],
            body,
            run.ask(Now()),
            (owner, word.method, word.message, original, *run.message.fields.get("message-id", ())),
        )


def _contains(script: str, address: str) -> bool:
    """Whether a script (in lower case) contains the address, not as a part of a longer one."""
    return re.search(rf"(?<![\w.+-]){re.escape(address.lower())}(?![\w-]|\.\w)", script) is not None


def _capitalized(name: str) -> str:
    """A field's name as it is usually written. RFC 5436, 2.7."""
    return "-".join(part[:1].upper() + part[1:] for part in name.split("-"))
