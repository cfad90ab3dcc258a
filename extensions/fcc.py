"""fcc: file a copy of the message that an action sends (RFC 8580).

    vacation :days 7 :fcc "INBOX.Sent" "I'm out of office, please contact Joan Doe instead.";
    vacation :fcc "Sent" :create :flags "\\\\Seen" "I'm away.";

The copy is filed after the message was sent, and only if one is sent. A mailbox where it cannot be stored is a warning, and
changes nothing else. The tags of fileinto, such as :create and :flags, are about the copy.
"""

from __future__ import annotations

from dataclasses import replace

from sieveav.extending import Action, Extension, ForeignTag, Send, Store, mailbox_flaw, value

fcc = Extension("fcc", "RFC 8580")


# before the tags that are allowed beside it, which amend the store that it adds
@fcc.tag(":fcc", on=["vacation", "notify"], order=-10)
class Fcc(ForeignTag):
    """:fcc: the message that is sent goes into the mailbox too. RFC 8580, 3."""

    mailbox: str = value(valid=mailbox_flaw)

    def amend(self, action: Action) -> Action:
        messages = [effect.message for effect in action.effects if isinstance(effect, Send)]
        own = dict.fromkeys(message for message in messages if message is not None)  # one for several addresses is one
        copies = [Store(self.mailbox, message=message, best_effort=True) for message in own]
        return replace(action, effects=(*action.effects, *copies))
