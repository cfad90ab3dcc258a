"""ec_inc_counter: count a message (Momentum).

    if header :contains "subject" "invoice" { ec_inc_counter "policy:invoices"; }

The log line of the message shows what was counted. A message is counted once by the scripts before each_rcpt, and in
each_rcpt once for each recipient who gets it. A response (ec_action, reject) drops it as it drops every action: ec_action has
a counter of its own. The name of the word is Momentum's, its argument that of this
implementation.
"""

from __future__ import annotations

from sieveav.extending import SMTP_PHASES, Acting, Action, Count, Extension, printable_ascii, value

ec_inc_counter = Extension("ec_inc_counter", "Momentum")

NAME_LENGTH = 64
"""The most characters in the name of a counter; the rest is cut off."""


def name_flaw(name: str) -> str:
    """What is wrong with the name of a counter."""
    return "" if printable_ascii(name).strip() else "counter name is empty"


@ec_inc_counter.action("ec_inc_counter", phases=SMTP_PHASES)
class EcIncCounter(Acting):
    """ec_inc_counter: add one to the counter of this name. Characters outside printable ASCII are left out of the name."""

    counter: str = value(valid=name_flaw, hint='write a name, such as "policy:invoices"')

    def make_action(self) -> Action:
        return Action("ec_inc_counter", (Count(printable_ascii(self.counter, NAME_LENGTH)),), cancels_keep=False)
