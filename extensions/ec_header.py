"""ec_header: change and read header fields (Momentum).

    ec_header_delete "X-Spam-Flag";
    ec_header_add "X-Spam-Flag" "%{vctx_mess:spam}";
    ec_header_prefix "Subject" "[external] ";
    ec_header_get "X-Campaign" "campaign";

The rest of the script, later scripts, and what is delivered see the changed header. Only the scripts of a site for all
recipients (data, spool) may use these words: scripts for one recipient use editheader, whose settings say what users may
change. The names of the words are Momentum's, their arguments those of this implementation.
"""

from __future__ import annotations

import re

from sieveav.extending import AddField, DropFields, Extension, Run, Word, decode_words, unfold, value

ec_header = Extension("ec_header", "Momentum")

OF_THE_SITE = ("data", "spool")
"""The phases that no user's script runs in."""

VALUE_LENGTH = 2048
"""The most characters in a value; the rest is cut off."""

_NAME = re.compile(r"[!-9;-~]{1,200}")  # RFC 5322, 3.6.8


def name_flaw(name: str) -> str:
    """What is wrong with the name of a field to add."""
    return "" if _NAME.fullmatch(name) else "not a valid header field name"


def deleted_flaw(name: str) -> str:
    """What is wrong with the name of a field to delete."""
    if name.lower() == "received":  # RFC 5321, 4.4
        return "Received fields must not be deleted"
    return name_flaw(name)


def clean(text: str) -> str:
    """A text, bounded, without control characters: it may come from the message, and a line end in it must not begin a
    field."""
    return "".join(c for c in text[:VALUE_LENGTH].replace("\t", " ") if c.isprintable())


def first(run: Run, name: str) -> str | None:
    """The decoded value of the first field of that name; None if there is none."""
    values = run.message.fields.get(name.lower(), ())
    return decode_words(unfold(values[0])).strip() if values else None


@ec_header.action("ec_header_add", phases=OF_THE_SITE)
class EcHeaderAdd(Word):
    """ec_header_add: add a header field at the top of the header, in each case beside fields of that name. Control characters
    are left out of the value."""

    name: str = value(valid=name_flaw, hint="write letters, digits and hyphens, no colon")
    text: str

    def run(self, run: Run) -> None:
        run.edit(self, "ec_header_add", AddField(self.name, clean(self.text).strip()))


@ec_header.action("ec_header_delete", phases=OF_THE_SITE)
class EcHeaderDelete(Word):
    """ec_header_delete: delete all header fields of this name; it is no error if there is none."""

    name: str = value(valid=deleted_flaw, hint="write the name of another field, without a colon")

    def run(self, run: Run) -> None:
        fields = run.message.fields.get(self.name.lower(), ())
        if fields:
            numbers = tuple(range(1, len(fields) + 1))
            run.edit(self, "ec_header_delete", DropFields(self.name, numbers))


class _Around(Word):
    """A word that puts text before or after a value."""

    name: str = value(valid=deleted_flaw, hint="write the name of another field, without a colon")
    text: str

    def joined(self, found: str) -> str:
        """The new value."""
        raise NotImplementedError

    def change(self, run: Run, action: str) -> None:
        """Put the new value in the place of the first one."""
        found = first(run, self.name)
        if found is not None:
            run.edit(self, action, DropFields(self.name, (1,)))
        run.edit(self, action, AddField(self.name, clean(self.joined(found or "")).strip()))


@ec_header.action("ec_header_prefix", phases=OF_THE_SITE)
class EcHeaderPrefix(_Around):
    """ec_header_prefix: put text before the value of the first header field of this name, which comes to the top of the
    header. If there is none, one is added with the text."""

    def joined(self, found: str) -> str:
        return self.text + found

    def run(self, run: Run) -> None:
        self.change(run, "ec_header_prefix")


@ec_header.action("ec_header_postfix", phases=OF_THE_SITE)
class EcHeaderPostfix(_Around):
    """ec_header_postfix: put text after the value of the first header field of this name, which comes to the top of the
    header. If there is none, one is added with the text."""

    def joined(self, found: str) -> str:
        return found + self.text

    def run(self, run: Run) -> None:
        self.change(run, "ec_header_postfix")


@ec_header.command("ec_header_get", phases=(*OF_THE_SITE, "each_rcpt"))
class EcHeaderGet(Word):
    """ec_header_get: set a context variable of the message to the decoded value of the first header field of this name; unset
    it if there is none."""

    name: str = value(valid=name_flaw, hint="write letters, digits and hyphens, no colon")
    variable: str

    def run(self, run: Run) -> None:
        found = first(run, self.name)
        if found is None:
            run.context.message.pop(self.variable, None)
        else:
            run.context.message[self.variable] = clean(found)
