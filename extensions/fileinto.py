"""fileinto: put the message into a mailbox (RFC 5228, 4.1)."""

from __future__ import annotations

from sieveav.extending import Acting, Action, Extension, Store, mailbox_flaw, value

fileinto = Extension("fileinto", "RFC 5228, 4.1")


@fileinto.action()
class Fileinto(Acting):
    """fileinto: the message goes into the mailbox instead of where it would have gone."""

    mailbox: str = value(valid=mailbox_flaw)

    def stands_for(self) -> Action:
        return Action("fileinto", (Store(self.mailbox),))
