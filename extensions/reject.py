"""reject: refuse the message and tell the sender why (RFC 5429)."""

from __future__ import annotations

from sieveav.extending import OF_A_MESSAGE, Acting, Action, Extension, Refuse, Use

reject = Extension("reject", "RFC 5429")
ereject = Extension("ereject", "RFC 5429")

UNFIT = frozenset({"keep", "fileinto", "redirect", "vacation", "reject", "ereject", "snooze"})
"""RFC 5429, 2.4: once a message is refused it is not answered, and better not delivered either; one refusal is enough."""


NO_REASON = "The message was refused by its recipient"
"""Where a reason made of variables comes out empty: the sender is told something all the same."""


class _Refusal(Acting):
    """A refusal with a reason, which people read: it must not be empty."""

    name = ""
    silent = False
    reason: str

    def check(self, use: Use) -> None:
        for reason in use.strings("reason"):
            if not reason.value.strip():
                use.complain(reason, f"{self.name} gives a reason", "say why, for the sender to read")

    def stands_for(self) -> Action:
        reason = self.reason.strip() or NO_REASON
        # RFC 5429, 2.1 and 2.2: it cancels the implicit keep
        return Action(self.name, (Refuse(reason, self.silent),), conflicts=UNFIT)


@reject.action("reject", phases=OF_A_MESSAGE)
class Reject(_Refusal):
    """reject: the message is refused by the protocol where it can be, and else answered with a notice (RFC 5429, 2.2)."""

    name = "reject"


@ereject.action("ereject", phases=OF_A_MESSAGE)
class Ereject(_Refusal):
    """ereject: as reject, but by the protocol wherever possible, and with no notice to a sender that is probably
    forged: the one to use for viruses (RFC 5429, 2.1)."""

    name = "ereject"
    silent = True
