"""enclose: attach the message to a new message with a text of the script (RFC 5703, 6).

    if header :mime :anychild :param "filename" :matches ["Content-Type", "Content-Disposition"] "*.exe" {
        enclose :subject "Warning" :headers ["From", "Date"] "The enclosed message contains a program.";
    }

Later tests see the new message, and it is what is stored: a multipart/mixed of the text and the old message, octet for
octet. redirect still sends the old message. The new subject is that of :subject, or else the old one. The fields in
:headers are copied; unless copied, From is the recipient and Date is the current time.
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
    multipart_mixed,
    names_of,
    parse_addr_spec,
    tag,
    text_part,
)

enclose = Extension("enclose", "RFC 5703, 6")
enclose.rule("header-not-copied", "the header field is not copied into the new message")

ONCE = frozenset(
    {"from", "date", "subject", "sender", "reply-to", "to", "cc", "bcc", "message-id", "in-reply-to", "references"}
)
"""Fields that a message has only once. RFC 5322, 3.6."""

NOBODY = "nobody@localhost.invalid"
"""The author of the new message if the recipient's address is invalid. RFC 2606, 2."""


def is_generated(name: str) -> bool:
    """Whether the new message generates this field. RFC 5703, 6: it has a Content-Type of its own."""
    return name == "mime-version" or name.startswith("content-")


@enclose.action()
class Enclose(Word):
    """enclose: from here on, the message is an attachment of a new message."""

    subject: str = tag(":subject", "")
    headers: Strings = tag(":headers", ())
    text: str

    def check(self, use: Use) -> None:
        check_names(use, "headers")
        for name in use.strings("headers"):
            if is_generated(name.value.strip().lower()):
                message = f"{name.value} is not copied: the new message has its own"
                use.complain(name, message, rule="header-not-copied", severity=Severity.WARNING)

    def run(self, run: Run) -> None:
        message = run.message
        newline = message.newline
        parts = [text_part(self.text, newline), message_part(message.raw, newline)]
        octets = self.header(run, message, newline) + multipart_mixed(parts, newline)
        # RFC 5703, 6: "does not affect messages that are forwarded via a redirect action"
        run.edit(self, "enclose", Rewrite(octets, sent=False, inside=(1, 0)))

    def header(self, run: Run, message: Message, newline: bytes) -> bytes:
        """The header of the new message, except the fields of its content. RFC 5703, 6."""
        fields = field_octets(message.raw[: message.body_start], newline)
        wanted = frozenset(names_of(self.headers))
        copied: dict[str, list[bytes]] = {}
        for name, octets in fields:
            if name in wanted and not is_generated(name) and not (name in ONCE and name in copied):
                copied.setdefault(name, []).append(octets)
        if ":subject" in self.written:
            copied["subject"] = [field_line("Subject", self.subject, newline)]
        elif "subject" not in copied:  # "the subject will be taken from the enclosed message"
            copied["subject"] = [octets for name, octets in fields if name == "subject"][:1]
        now = run.ask(Now())
        recipient = parse_addr_spec(run.envelope.recipient) or NOBODY
        if "from" not in copied:  # "synthesized to reflect the current date and the user running the Sieve action"
            copied["from"] = [address_line("From", [("", recipient)], newline)]
        if "date" not in copied:
            copied["date"] = [f"Date: {date_time(now)}".encode() + newline]
        if "message-id" not in copied:
            identity = (recipient, self.text, str(message.size), *message.fields.get("message-id", ()))
            unique = message_id(identity, now, recipient.rpartition("@")[2])
            copied["message-id"] = [f"Message-ID: {unique}".encode() + newline]
        return b"".join([*(line for lines in copied.values() for line in lines), b"MIME-Version: 1.0", newline])
