"""replace: replace a part of the message, or the whole message (RFC 5703, 5).

    foreverypart {
        if header :mime :param "filename" :matches ["Content-Type", "Content-Disposition"] "*.exe" {
            replace "A program was removed here.";
        }
    }
    replace :subject "Removed" "This message was removed. Ask postmaster@example.com for it.";

In foreverypart the current part is replaced, with all parts in it. Outside a loop, or if the current part is the message
itself, the whole message is replaced: :subject and :from set these fields, the old ones are kept as Original-Subject and
Original-From, and all other fields except those of MIME stay. The replacement is a text or, with :mime, a MIME entity: its
Content-* fields and its content. Later tests see the replacement, and it is what is stored or sent. Use replace before
enclose: redirect sends the message without what enclose added, and without what replace changed after that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from sieveav.extending import (
    OF_A_MESSAGE,
    PART,
    Entity,
    Extension,
    Rewrite,
    Run,
    Use,
    Word,
    address_line,
    entity_flaw,
    entity_part,
    field_line,
    field_octets,
    mailbox_list_flaw,
    parse_mailbox_list,
    structured_line,
    tag,
    text_part,
)

replace = Extension("replace", "RFC 5703, 5")
replace.rule("replacement-invalid", "the replacement is not a MIME entity")
replace.rule("tag-conflict", "the tag conflicts with another tag")

LONGEST_WORD = 900
"""A word of a subject must be shorter than this to fit on a line. RFC 5322, 2.1.1."""


def subject_line(text: str, newline: bytes) -> bytes:
    """A Subject field. RFC 5703, 5: with encoded-words if and only if the text is not ASCII."""
    if text.isascii() and max(map(len, re.split("[ \t]", text))) < LONGEST_WORD:
        return structured_line("Subject", text, newline)
    return field_line("Subject", text, newline)


def header_with(header: bytes, new: Mapping[str, bytes], newline: bytes) -> bytes:
    """The header of a message whose content is replaced, without the fields of the new content. `new` are the new fields by
    their lower-case names. RFC 5703, 5: all others are preserved, except those of MIME."""
    lines = list(new.values())
    for name, octets in field_octets(header, newline):
        if name in new:  # RFC 5703, 5: preserved as Original-Subject and Original-From
            lines.append(b"Original-" + octets)
        elif name != "mime-version" and not name.startswith("content-"):
            lines.append(octets)
    return b"".join([*lines, b"MIME-Version: 1.0", newline])


@replace.action("replace", phases=OF_A_MESSAGE)
class Replace(Word):
    """replace: replace the current part, or the whole message, by a text or MIME entity."""

    mime: bool = tag(":mime")
    subject: str = tag(":subject", "")
    sender: str = tag(":from", "", valid=mailbox_list_flaw)  # RFC 5703, 5: must be a valid mailbox-list
    replacement: str

    def check(self, use: Use) -> None:
        if not self.mime:
            return
        for name, field in ((":subject", "subject"), (":from", "sender")):
            if use.has(field):  # RFC 5703, 5: ignored, and SHOULD be flagged as an error
                message = f"{name} conflicts with :mime"
                use.complain(field, message, f"leave out {name}", rule="tag-conflict")
        for entity in use.strings("replacement"):
            flaw = entity_flaw(entity.value)
            if flaw:
                hint = 'write "Content-Type: ...", an empty line, and the content'
                use.complain(entity, flaw, hint, rule="replacement-invalid")

    def run(self, run: Run) -> None:
        flaw = entity_flaw(self.replacement) if self.mime else ""
        if flaw:
            run.fail(flaw, self)
        message = run.message
        newline = message.newline
        octets = (entity_part if self.mime else text_part)(self.replacement, newline)
        part = run.focus(PART)
        path = part.path if isinstance(part, Entity) else ()  # RFC 5703, 5: outside a loop, the entire message
        if not path:
            octets = header_with(message.raw[: message.body_start], self.new_fields(newline), newline) + octets
        elif message.at(path[:-1]).part.content_type.startswith("message/"):
            # an embedded message. RFC 2046, 5.2.1: it needs a From, Subject or Date field
            octets = header_with(part.part.header, {}, newline) + octets
        run.edit(self, "replace", Rewrite(message.replaced(path, octets)))

    def new_fields(self, newline: bytes) -> Mapping[str, bytes]:
        """The fields that :from and :subject set when the entire message is replaced."""
        fields: dict[str, bytes] = {}
        authors = parse_mailbox_list(self.sender) if ":from" in self.written and not self.mime else None
        if authors:
            fields["from"] = address_line("From", authors, newline)
        if ":subject" in self.written and not self.mime:
            fields["subject"] = subject_line(self.subject, newline)
        return fields
