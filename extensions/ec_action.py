"""ec_action: set the SMTP response, code and text (Momentum)."""

from __future__ import annotations

import re

from sieveav.extending import SMTP_PHASES, Extension, Run, Severity, Use, Word, optional, smtp_response

ec_action = Extension("ec_action", "Momentum")
ec_action.rule("code-invalid", "the code does not refuse or defer a message")
ec_action.rule("enhanced-code-mismatch", "the enhanced status code is of another class than the code")
ec_action.rule("reason-empty", "the text for the sender is empty")
ec_action.rule("reason-not-ascii", "the text for the sender is not ASCII")

_ENHANCED = re.compile(r"([0-9])\.[0-9]{1,3}\.[0-9]{1,3}(?!\S)")  # RFC 3463, 2


@ec_action.action("ec_action", phases=SMTP_PHASES)
class EcAction(Word):
    """ec_action: answer the SMTP client with this code and text; all scripts end and no other action is taken.

    If the text begins with an enhanced status code ("5.7.1 ..."), that is used. The text may have several lines. The
    counter is the name under which a server counts the response. The code must be 4xx or 5xx: with 2xx the message would
    be lost without a trace.
    """

    code: int
    text: str
    counter: str = optional("")

    def check(self, use: Use) -> None:
        is_valid = 400 <= self.code <= 599
        if not is_valid:
            hint = "use discard to drop a message" if 200 <= self.code <= 299 else "write 4xx to defer, 5xx to refuse"
            use.complain("code", "the code must be 4xx or 5xx", hint, rule="code-invalid")
        for text in use.strings("text"):
            if not text.value.strip():
                hint = "say why the message is not accepted"
                use.complain(text, "response text is empty", hint, rule="reason-empty", severity=Severity.WARNING)
            if not text.value.isascii():
                message = "SMTP clients may not show non-ASCII text"  # RFC 5321, 4.2: the text of a reply is ASCII
                use.complain(text, message, "write ASCII", rule="reason-not-ascii", severity=Severity.ADVICE)
            enhanced = _ENHANCED.match(text.value)
            if (
                is_valid and enhanced and enhanced[1] != str(self.code)[0]
            ):  # RFC 3463, 2: both have the same first digit
                message = f"the enhanced status code {enhanced[0]} does not match the code {self.code}"
                hint = f"write {str(self.code)[0]}{enhanced[0][1:]}"
                use.complain(text, message, hint, rule="enhanced-code-mismatch", severity=Severity.WARNING)

    def run(self, run: Run) -> None:
        run.respond(self, smtp_response(self.code, self.text, self.counter))
