"""fileinto: put the message into a mailbox (RFC 5228, 4.1)."""

from __future__ import annotations

from sieveav.extending import Action, Extension, Given, Run, Store, Use

fileinto = Extension("fileinto", "RFC 5228, 4.1")


def why_not(name: str) -> str:
    """Why `name` can be no mailbox, "" when it can. RFC 5228, 4.1: UTF-8; control characters have no place in it."""
    if not name:
        return "a mailbox has a name"
    if len(name) > 255:
        return "this name of a mailbox is too long"
    if any(c < " " or "\x7f" <= c <= "\x9f" or "\ud800" <= c <= "\udfff" for c in name):
        return "a mailbox's name holds no control characters and is UTF-8"
    return ""


@fileinto.action
class Fileinto:
    """fileinto: the message goes into the mailbox instead of where it would have gone."""

    mailbox: str

    def check(self, use: Use) -> None:
        for mailbox in use.strings("mailbox"):
            self._complain(use, mailbox)

    @staticmethod
    def _complain(use: Use, mailbox: Given) -> None:
        why = why_not(mailbox.value)
        if why:
            use.complain(mailbox, why, rule="mailbox-invalid")

    def run(self, run: Run) -> None:
        why = why_not(self.mailbox)
        if why:
            run.fail(why)
        run.act(self, Action("fileinto", (Store(self.mailbox),)))
