"""fileinto: put the message into a mailbox (RFC 5228, 4.1)."""

from __future__ import annotations

from sieveav.extending import Action, Extension, Given, Run, Store, Use, mailbox_flaw

fileinto = Extension("fileinto", "RFC 5228, 4.1")


@fileinto.action
class Fileinto:
    """fileinto: the message goes into the mailbox instead of where it would have gone."""

    mailbox: str

    def check(self, use: Use) -> None:
        for mailbox in use.strings("mailbox"):
            self._complain(use, mailbox)

    @staticmethod
    def _complain(use: Use, mailbox: Given) -> None:
        why = mailbox_flaw(mailbox.value)
        if why:
            use.complain(mailbox, why, rule="mailbox-invalid")

    def run(self, run: Run) -> None:
        why = mailbox_flaw(self.mailbox)
        if why:
            run.fail(why)
        run.act(self, Action("fileinto", (Store(self.mailbox),)))
