"""editheader: add and delete header fields of the message (RFC 5293).

    addheader "X-Policy" "checked by example.com";
    deleteheader :index 1 :contains "Delivered-To" "bob@example.com";

The rest of the script, later scripts of the same recipient, and what is stored or sent afterwards see the changed header;
other recipients do not. Received, Auto-Submitted, Original-Subject, Original-From and the fields of the setting `protected`
are never deleted. A change that is not permitted is ignored.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sieveav.extending import (
    OF_A_MESSAGE,
    TEXTS,
    AddField,
    DropFields,
    Extension,
    MatchingValues,
    Option,
    Run,
    Severity,
    Strings,
    Use,
    Word,
    decode_words,
    integer,
    optional,
    tag,
    unfold,
    value,
)

editheader = Extension("editheader", "RFC 5293")
editheader.rule("field-protected", "the header field is never deleted")
editheader.rule("index-invalid", "the index is not a number from 1")
editheader.setting(
    Option("max_header_size", integer(998, 100_000), 2048, "the most characters in the value of an added field")
)
editheader.setting(Option("protected", TEXTS, (), "fields that scripts may neither add nor delete"))
editheader.setting(Option("forbid_add", TEXTS, (), "fields that scripts may not add"))
editheader.setting(Option("forbid_delete", TEXTS, (), "fields that scripts may not delete"))

ALWAYS_KEPT = frozenset({"received", "auto-submitted", "original-subject", "original-from"})
"""These MUST NOT be deleted: RFC 5293, 6, and of replaced parts RFC 5703, 5."""

NEVER_PROTECTED = "subject"
"""RFC 5293, 6: adding and deleting it MUST be permitted."""

_NAME = re.compile(r"[!-9;-~]{1,200}")


def name_flaw(name: str) -> str:
    """What is wrong with a field name. RFC 5293, 4 and 5: it must be a field-name of RFC 2822, 3.6.8."""
    return "" if _NAME.fullmatch(name) else "not a valid header field name"


def unfolded(text: str) -> str:
    """`text` on one line, without surrounding white space (RFC 2822, 2.2.3)."""
    return re.sub(r"\r?\n(?=[ \t])", "", text).strip(" \t\r\n")


def text_flaw(text: str) -> str:
    """What is wrong with the value of a field. RFC 5293, 4: it may be folded; no other control characters are allowed."""
    if any((c < " " and c != "\t") or "\x7f" <= c <= "\x9f" for c in unfolded(text)):
        return "header field value contains control characters"
    return ""


class _Editing(Word):
    """A command that changes header fields if the site permits it."""

    name: str

    def permitted(self, run: Run, setting: str) -> bool:
        """Whether `setting` permits the change. RFC 5293, 6: a change that is not permitted is ignored; it is logged."""
        name = self.name.lower()
        forbidden = {text.strip().lower() for key in ("protected", setting) for text in _names(self.settings[key])}
        if name == NEVER_PROTECTED or name not in forbidden:
            return True
        run.log(Severity.WARNING, f"header field {self.name} is protected: not changed", self)
        return False


def _names(texts: Sequence[str]) -> list[str]:
    """The field names of a setting: a list, or names separated by spaces."""
    return [name for text in texts for name in text.split()]


@editheader.action("addheader", phases=OF_A_MESSAGE)
class Addheader(_Editing):
    """addheader: add a header field at the top of the header or, with :last, at its end. RFC 5293, 4."""

    last: bool = tag(":last")
    name: str = value(valid=name_flaw, hint="write letters, digits and hyphens, no colon")
    text: str = value(valid=text_flaw)

    def run(self, run: Run) -> None:
        if not self.permitted(run, "forbid_add"):
            return
        text = unfolded(self.text)
        longest = self.settings["max_header_size"]
        if len(text) > longest:  # RFC 5293, 4: a limit is allowed; exceeding it is an error
            run.fail(f"header field value is longer than {longest} characters", self)
        run.edit(self, "addheader", AddField(self.name, text, self.last))


@editheader.action("deleteheader", phases=OF_A_MESSAGE)
class Deleteheader(MatchingValues, _Editing):
    """deleteheader: delete the header fields of this name; with keys, only those whose value matches one. With :index, only
    the field of this number is considered; with :last too, counted from the end. RFC 5293, 5."""

    index: int = tag(":index", 0)
    last: bool = tag(":last")
    name: str = value(valid=name_flaw, hint="write letters, digits and hyphens, no colon")
    keys: Strings = optional(())

    def check(self, use: Use) -> None:
        if self.keys:  # RFC 5293, 5: without keys, comparator and match type are ignored
            super().check(use)
        if use.has("index") and self.index == 0:  # RFC 5293, 5: beginning at 1
            use.complain("index", ":index starts at 1", "write :index 1 for the first field", rule="index-invalid")
        if self.last and not use.has("index"):  # RFC 5293, 5: an error
            use.complain("last", ":last is allowed only beside :index", "write :index 1 too", rule="tag-missing")
        if self.name.lower() in ALWAYS_KEPT:
            message = f"header field {self.name} is never deleted"
            use.complain("name", message, rule="field-protected", severity=Severity.WARNING)

    def prepare(self) -> None:
        if self.keys:
            super().prepare()

    def run(self, run: Run) -> None:
        if self.name.lower() in ALWAYS_KEPT or not self.permitted(run, "forbid_delete"):
            return
        values = [decode_words(unfold(text)) for text in run.message.fields.get(self.name.lower(), ())]
        numbers = list(range(1, len(values) + 1))
        if self.index:  # RFC 5293, 5: the index counts all fields of the name, matching or not
            numbers = numbers[-self.index :][:1] if self.last else numbers[self.index - 1 : self.index]
            numbers = numbers if self.index <= len(values) else []
        if self.keys and self.match.counts:
            numbers = numbers if self.any_matches([values[n - 1] for n in numbers], run) else []
        elif self.keys:
            numbers = [n for n in numbers if self.any_matches((values[n - 1],), run)]
        if numbers:  # RFC 5293, 5: it is no error if none matches
            run.edit(self, "deleteheader", DropFields(self.name, tuple(numbers)))
