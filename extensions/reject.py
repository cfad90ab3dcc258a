"""reject, ereject: refuse the message with a reason for the sender (RFC 5429)."""

from __future__ import annotations

from sieveav.extending import OF_A_MESSAGE, Acting, Action, Extension, Refuse, Severity, Use

reject = Extension("reject", "RFC 5429")
ereject = Extension("ereject", "RFC 5429")
reject.rule("reason-empty", "the text for the sender is empty")
reject.rule("reason-not-ascii", "the text for the sender is not ASCII")

CONFLICTS = frozenset({"keep", "fileinto", "redirect", "vacation", "reject", "ereject", "snooze"})
"""RFC 5429, 2.4: a refused message must not be answered and should not be delivered; it is refused only once."""

NO_REASON = "The message was refused by its recipient"
"""The reason if variables make it empty: a refusal always has one."""


class _Refusal(Acting):
    """A refusal with a reason. People read it, so it must not be empty."""

    name = ""
    silent = False
    reason: str

    def check(self, use: Use) -> None:
        for reason in use.strings("reason"):
            if not reason.value.strip():
                use.complain(reason, "reason is empty", "say why the message is refused", rule="reason-empty")
            if not reason.value.isascii():  # RFC 5429, 2.1.1 and 2.2
                message = "the SMTP reply contains a non-ASCII reason only if the client supports UTF-8"
                use.complain(reason, message, "write ASCII", rule="reason-not-ascii", severity=Severity.ADVICE)

    def make_action(self) -> Action:
        reason = self.reason.strip() or NO_REASON
        # RFC 5429, 2.1 and 2.2: it cancels the implicit keep
        return Action(self.name, (Refuse(reason, self.silent),), conflicts=CONFLICTS)


@reject.action("reject", phases=OF_A_MESSAGE)
class Reject(_Refusal):
    """reject: refuse the message in the SMTP or LMTP reply where possible, else with a notice (MDN). RFC 5429, 2.2."""

    name = "reject"


@ereject.action("ereject", phases=OF_A_MESSAGE)
class Ereject(_Refusal):
    """ereject: as reject, but without a notice to a probably forged sender; use it for viruses. RFC 5429, 2.1."""

    name = "ereject"
    silent = True
