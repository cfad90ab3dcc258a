"""mailbox: test whether mailboxes exist, and create missing ones (RFC 5490, 3).

    if mailboxexists "Partners" { fileinto "Partners"; }
    fileinto :create "Lists/sieve";

mailboxexists is true if all of the mailboxes exist and mail can be stored in them. With :create, fileinto creates the
mailbox if it is missing; it is an error if that fails.
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
    mailbox_flaw,
)

mailbox = Extension("mailbox", "RFC 5490, 3")
mailbox.rule("mailbox-invalid", "the name of a mailbox is invalid")


@mailbox.test(phases=OF_A_RECIPIENT)
class MailboxExists(Word):
    """mailboxexists: whether all of the mailboxes exist and the recipient may store mail there. RFC 5490, 3.1."""

    names: Strings

    def check(self, use: Use) -> None:
        for name in use.strings("names"):
            flaw = mailbox_flaw(name.value)
            if flaw:
                use.complain(name, flaw, "this test is never true", rule="mailbox-invalid", severity=Severity.WARNING)

    def holds(self, run: Run) -> bool:
        return all(not mailbox_flaw(name) and run.ask(Mailbox(name)) for name in self.names)


@mailbox.tag(":create", on=["fileinto", ":fcc"])
class Create(ForeignTag):
    """:create: create the mailbox if it is missing. RFC 5490, 3.2."""

    def amend(self, action: Action) -> Action:
        return action.changing(Store, create=True)
