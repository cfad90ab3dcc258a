"""ec_tarpit: delay the reply to the client (Momentum).

    if environment :matches "remote-ip" "192.0.2.*" { ec_tarpit 10; }

Scripts go on at once: it is the reply to this command, or to the message, that the client gets so many seconds after what it
sent, a 250 as well as a response. Only the scripts of a site may do this, not those of its users, who would hold up the mail of
others. The name of the word is Momentum's, its argument and bound are those of this implementation.
"""

from __future__ import annotations

from sieveav.extending import LONGEST_DELAY, OF_A_RECIPIENT, SMTP_PHASES, Acting, Action, Delay, Extension, Use

ec_tarpit = Extension("ec_tarpit", "Momentum")
ec_tarpit.rule("delay-invalid", "the delay is not a number of seconds within the bounds")


@ec_tarpit.action("ec_tarpit", phases=[phase for phase in SMTP_PHASES if phase not in OF_A_RECIPIENT])
class EcTarpit(Acting):
    """ec_tarpit: delay the reply by so many seconds, from 1 to 25; of several, the last counts. Scripts go on at once."""

    seconds: int

    def check(self, use: Use) -> None:
        if not 1 <= self.seconds <= LONGEST_DELAY:  # a mail server gives up a milter that is slower
            message = f"the delay must be from 1 to {LONGEST_DELAY:g} seconds"
            use.complain("seconds", message, f"write {LONGEST_DELAY:g} or less", rule="delay-invalid")

    def make_action(self) -> Action:
        return Action("ec_tarpit", (Delay(self.seconds),), cancels_keep=False)
