"""enclose: make the message an attachment of a new message with a text of yours (RFC 5703, 6).

    if header :mime :anychild :param "filename" :matches ["Content-Type", "Content-Disposition"] "*.exe" {
        enclose :subject "Warning" :headers ["From", "Date"] "The enclosed message contains a program.";
    }

Whatever looks at the message after that, or stores it, has the new message: a multipart/mixed of the text and, octet for
octet, the old message. What redirect sends is the old message. The new one's subject is that of :subject, or the old one's;
the fields of :headers are copied; From and Date are, unless copied, the recipient and the present time.
"""

from __future__ import annotations

from sieveav.extending import (
    Extension,
    Message,
    Now,
    Rewrite,
    Run,
    Severity,
    Strings,
    Use,
    Word,
    address_line,
    check_names,
    date_time,
    field_line,
    field_octets,
    message_id,
    message_part,
    mixed,
    names_of,
    parse_addr_spec,
    tag,
    text_part,
)

enclose = Extension("enclose", "RFC 5703, 6")

ONCE = frozenset(
    {"from", "date", "subject", "sender", "reply-to", "to", "cc", "bcc", "message-id", "in-reply-to", "references"}
)
"""Fields that a message has but once. RFC 5322, 3.6."""

NOBODY = "nobody@localhost.invalid"
"""The author of a message for a recipient who has no address; RFC 2606, 2."""


def is_made_here(name: str) -> bool:
    """Whether the new message has a field of this name of its own. RFC 5703, 6: the Content-Type is that of the two parts."""
    return name == "mime-version" or name.startswith("content-")


@enclose.action()
class Enclose(Word):
    """enclose: from here on the message is an attachment of a new one."""

    subject: str = tag(":subject", "")
    headers: Strings = tag(":headers", ())
    text: str

    def check(self, use: Use) -> None:
        check_names(use, "headers")
        for name in use.strings("headers"):
            if is_made_here(name.value.strip().lower()):
                message = f"{name.value} is that of the new message, and not copied"
                use.complain(name, message, rule="header-not-copied", severity=Severity.WARNING)

    def run(self, run: Run) -> None:
        message = run.message
        newline = message.newline
        parts = [text_part(self.text, newline), message_part(message.raw, newline)]
        octets = self.header(run, message, newline) + mixed(parts, newline)
        # RFC 5703, 6: "does not affect messages that are forwarded via a redirect action"
        run.edit(self, "enclose", Rewrite(octets, sent=False, inside=(1, 0)))

    def header(self, run: Run, message: Message, newline: bytes) -> bytes:
        """The new message's fields but those of its content. RFC 5703, 6."""
        known = field_octets(message.raw[: message.body_start], newline)
        wanted = frozenset(names_of(self.headers))
        copied: dict[str, list[bytes]] = {}
        for name, octets in known:
            if name in wanted and not is_made_here(name) and not (name in ONCE and name in copied):
                copied.setdefault(name, []).append(octets)
        if ":subject" in self.written:
            copied["subject"] = [field_line("Subject", self.subject, newline)]
        elif "subject" not in copied:  # "the subject will be taken from the enclosed message"
            copied["subject"] = [octets for name, octets in known if name == "subject"][:1]
        now = run.ask(Now())
        recipient = parse_addr_spec(run.envelope.recipient) or NOBODY
        if "from" not in copied:  # "synthesized to reflect the current date and the user running the Sieve action"
            copied["from"] = [address_line("From", [("", recipient)], newline)]
        if "date" not in copied:
            copied["date"] = [f"Date: {date_time(now)}".encode() + newline]
        if "message-id" not in copied:
            identity = (recipient, self.text, str(message.size), *message.fields.get("message-id", ()))
            made = message_id(identity, now, recipient.rpartition("@")[2])
            copied["message-id"] = [f"Message-ID: {made}".encode() + newline]
        return b"".join([*(line for lines in copied.values() for line in lines), b"MIME-Version: 1.0", newline])
