"""fcc: file a copy of a message that an action sends (RFC 8580).

    vacation :days 7 :fcc "INBOX.Sent" "I'm out of office, please contact Joan Doe instead.";
    vacation :fcc "Sent" :create :flags "\\\\Seen" "I'm away.";

The copy is filed after the message was sent, and only if it was sent. If it cannot be stored, that is a warning and has
no other effect. Tags of fileinto, such as :create and :flags, apply to the copy.
"""

from __future__ import annotations

from dataclasses import replace

from sieveav.extending import Action, Extension, ForeignTag, Send, Store, mailbox_flaw, value

fcc = Extension("fcc", "RFC 8580")


# ordered before the tags allowed beside it, because they amend the Store that it adds
@fcc.tag(":fcc", on=["vacation", "notify"], order=-10)
class Fcc(ForeignTag):
    """:fcc: also file the sent message into the mailbox. RFC 8580, 3."""

    mailbox: str = value(valid=mailbox_flaw)

    def amend(self, action: Action) -> Action:
        messages = [effect.message for effect in action.effects if isinstance(effect, Send)]
        distinct = dict.fromkeys(message for message in messages if message is not None)  # several addresses: one copy
        copies = [Store(self.mailbox, message=message, best_effort=True) for message in distinct]
        return replace(action, effects=(*action.effects, *copies))
