"""ec_header: add and delete header fields (Momentum): ec_header_add and ec_header_delete.

    ec_header_delete "X-Spam-Flag";
    ec_header_add "X-Spam-Flag" "%{vctx_mess:spam}";

The rest of the script, later scripts, and what is delivered see the changed header. Only the scripts of a site for all
recipients (data, spool) may use these words: scripts for one recipient use editheader, whose settings say what users may
change. The names of the words are Momentum's, their arguments those of this implementation.
"""

from __future__ import annotations

import re

from sieveav.extending import AddField, DropFields, Extension, Run, Word, value

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


@ec_header.action("ec_header_add", phases=OF_THE_SITE)
class EcHeaderAdd(Word):
    """ec_header_add: add a header field at the top of the header, in each case beside fields of that name. Control characters
    are left out of the value."""

    name: str = value(valid=name_flaw, hint="write letters, digits and hyphens, no colon")
    text: str

    def run(self, run: Run) -> None:
        # the text may come from the message: a line end in it must not begin a field
        text = "".join(c for c in self.text[:VALUE_LENGTH] if c.isprintable()).strip()
        run.edit(self, "ec_header_add", AddField(self.name, text))


@ec_header.action("ec_header_delete", phases=OF_THE_SITE)
class EcHeaderDelete(Word):
    """ec_header_delete: delete all header fields of this name; it is no error if there is none."""

    name: str = value(valid=deleted_flaw, hint="write the name of another field, without a colon")

    def run(self, run: Run) -> None:
        fields = run.message.fields.get(self.name.lower(), ())
        if fields:
            numbers = tuple(range(1, len(fields) + 1))
            run.edit(self, "ec_header_delete", DropFields(self.name, numbers))
