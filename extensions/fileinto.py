"""fileinto: put the message into a mailbox (RFC 5228, 4.1)."""

from __future__ import annotations

from sieveav.extending import Acting, Action, Extension, Store, mailbox_flaw, value

fileinto = Extension("fileinto", "RFC 5228, 4.1")


@fileinto.action()
class Fileinto(Acting):
    """fileinto: store the message in the mailbox; this cancels the implicit keep."""

    mailbox: str = value(valid=mailbox_flaw)

    def make_action(self) -> Action:
        return Action("fileinto", (Store(self.mailbox),))
