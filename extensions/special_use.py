r"""special-use: find mailboxes by what they are for, such as "\\Junk", instead of by name (RFC 8579).

    fileinto :specialuse "\\Junk" "Spam";
    if specialuse_exists ["\\Archive", "\\Junk"] { fileinto :specialuse "\\Archive" "Old"; }

fileinto stores the message in the user's mailbox with the attribute. If there is none, it does what it would do without
:specialuse: it stores in the named mailbox, or with :create of "mailbox" creates that. The attributes of RFC 6154 are \All,
\Archive, \Drafts, \Flagged, \Junk, \Sent and \Trash; their case does not matter. The mail server says which mailbox has
which attribute; in this server, the option special_use of the stanza lmtp does.
"""

from __future__ import annotations

from sieveav.extending import (
    OF_A_RECIPIENT,
    Action,
    Extension,
    ForeignTag,
    Mailbox,
    Run,
    Severity,
    Store,
    Strings,
    Use,
    Word,
    derived,
    mailbox_flaw,
    optional,
    special_use_flaw,
    value,
)

special_use = Extension("special-use", "RFC 8579")
special_use.rule("mailbox-invalid", "the name of a mailbox is invalid")

HINT = r'write "\\Junk" for the attribute \Junk'


@special_use.test("specialuse_exists", phases=OF_A_RECIPIENT)
class SpecialUseExists(Word):
    """specialuse_exists: whether the mailbox has all of the attributes; without a mailbox, whether for each of them there is
    one that has it. The recipient must be able to store mail there. RFC 8579, 3."""

    mailbox: str = optional("")
    attributes: Strings = value(valid=special_use_flaw, hint=HINT)
    named: bool = derived(False)

    def check(self, use: Use) -> None:
        self.named = use.has("mailbox")  # a variable may be empty, which is no name
        for name in use.strings("mailbox"):
            flaw = mailbox_flaw(name.value)
            if flaw:
                use.complain(name, flaw, "this test is never true", rule="mailbox-invalid", severity=Severity.WARNING)

    def holds(self, run: Run) -> bool:
        if self.named and mailbox_flaw(self.mailbox):
            return False
        return all(run.ask(Mailbox(self.mailbox, special_use=attribute)) for attribute in self.attributes)


# RFC 8579, 4; RFC 8580, 3: a tag of fileinto applies to the copy of :fcc too
@special_use.tag(":specialuse", on=["fileinto", ":fcc"])
class SpecialUse(ForeignTag):
    """:specialuse: store in the mailbox that has the attribute, if there is one."""

    attribute: str = value(valid=special_use_flaw, hint=HINT)

    def amend(self, action: Action) -> Action:
        return action.changing(Store, special_use=self.attribute)
