"""ec_action, ec_disconnect: set the SMTP response, code and text, and close the connection (Momentum).

    ec_action 550 "5.7.1 no archives, please" "policy:archives";
    ec_disconnect "4.7.1 too much mail from your network";

The name of ec_disconnect is Momentum's, its arguments are those of this implementation.
"""

from __future__ import annotations

import re
from dataclasses import replace

from sieveav.extending import SMTP_PHASES, Extension, Run, Severity, Use, Word, optional, smtp_response

ec_action = Extension("ec_action", "Momentum")
ec_disconnect = Extension("ec_disconnect", "Momentum")
ec_action.rule("code-invalid", "the code does not refuse or defer a message")
for _extension in (ec_action, ec_disconnect):
    _extension.rule("enhanced-code-mismatch", "the enhanced status code is of another class than the code")
    _extension.rule("reason-empty", "the text for the sender is empty")
    _extension.rule("reason-not-ascii", "the text for the sender is not ASCII")

DISCONNECT = 421
"""RFC 5321, 3.8: the reply of a server that closes the connection."""

_ENHANCED = re.compile(r"([0-9])\.[0-9]{1,3}\.[0-9]{1,3}(?!\S)")  # RFC 3463, 2


def _check_text(use: Use, code: int, *, is_valid: bool = True) -> None:
    """Report what is wrong with the text of a response with this code."""
    for text in use.strings("text"):
        if not text.value.strip():
            hint = "say why the message is not accepted"
            use.complain(text, "response text is empty", hint, rule="reason-empty", severity=Severity.WARNING)
        if not text.value.isascii():
            message = "SMTP clients may not show non-ASCII text"  # RFC 5321, 4.2: the text of a reply is ASCII
            use.complain(text, message, "write ASCII", rule="reason-not-ascii", severity=Severity.ADVICE)
        enhanced = _ENHANCED.match(text.value)
        if is_valid and enhanced and enhanced[1] != str(code)[0]:  # RFC 3463, 2: both have the same first digit
            message = f"the enhanced status code {enhanced[0]} does not match the code {code}"
            hint = f"write {str(code)[0]}{enhanced[0][1:]}"
            use.complain(text, message, hint, rule="enhanced-code-mismatch", severity=Severity.WARNING)


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
        _check_text(use, self.code, is_valid=is_valid)

    def run(self, run: Run) -> None:
        run.respond(self, smtp_response(self.code, self.text, self.counter))


@ec_disconnect.action("ec_disconnect", phases=SMTP_PHASES)
class EcDisconnect(Word):
    """ec_disconnect: answer 421 with this text and close the connection; all scripts end and no other action is taken.

    The client comes again later, because 421 is temporary. Text and counter are as in ec_action.
    """

    text: str
    counter: str = optional("")

    def check(self, use: Use) -> None:
        _check_text(use, DISCONNECT)

    def run(self, run: Run) -> None:
        run.respond(self, replace(smtp_response(DISCONNECT, self.text, self.counter), disconnect=True))
