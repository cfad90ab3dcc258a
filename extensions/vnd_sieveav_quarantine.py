"""vnd.sieveav.quarantine: accept a message and hold it at the mail server, for an administrator to look at.

    if antivirus "suspicious" { quarantine "suspicious: ${antivirus_status_info}"; }

The client gets 250, and nobody gets the message until it is released: in Postfix it waits in the hold queue (`postqueue -p`
shows a `!`, `postsuper -H ID` releases it, `postsuper -d ID` deletes it). Its recipients' scripts run, and what they decide is
done when it is released; but nothing is sent for it, as for a message that is infected. A response, or a discard for all
recipients, takes precedence.

Only the scripts of a site may do this, and only for all recipients of a message, because a mail server holds it for all. Only
a milter can: the LMTP server defers such a message, unless its option `quarantined` is `deliver`.
"""

from __future__ import annotations

from sieveav.extending import Acting, Action, Extension, Quarantine, printable_ascii, value

quarantine = Extension("vnd.sieveav.quarantine", "sieveav")

REASON_LENGTH = 200
"""The most characters of a reason; the rest is cut off."""


def reason_flaw(reason: str) -> str:
    """What is wrong with a reason."""
    return "" if printable_ascii(reason).strip() else "reason is empty"


@quarantine.action("quarantine", phases=["data", "spool"])
class QuarantineMessage(Acting):
    """quarantine: accept the message and hold it at the mail server. The reason, of which printable ASCII is kept, is for the
    administrator."""

    reason: str = value(valid=reason_flaw, hint='write a reason, such as "suspicious attachment"')

    def make_action(self) -> Action:
        reason = printable_ascii(self.reason, REASON_LENGTH).strip()
        return Action("quarantine", (Quarantine(reason),), cancels_keep=False)
