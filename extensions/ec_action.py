"""ec_action: answer the SMTP client with a code and a text of the script's own (Momentum)."""

from __future__ import annotations

from sieveav.extending import OF_A_MESSAGE, Extension, Run, Severity, Use, Word, optional, response

ec_action = Extension("ec_action", "Momentum")


@ec_action.action("ec_action", phases=OF_A_MESSAGE)
class EcAction(Word):
    """ec_action: the SMTP response is CODE and text; nothing else is done with the message and no script goes on.

    A text that begins with an enhanced code ("5.7.1 ...") sets it; it may have several lines. The counter is what a
    server counts the response under. Codes are 4xx and 5xx: after a 2xx the message would be lost without a trace.
    """

    code: int
    text: str
    counter: str = optional("")

    def check(self, use: Use) -> None:
        if not 400 <= self.code <= 599:
            hint = "discard throws a message away" if 200 <= self.code <= 299 else "write 4xx to defer, 5xx to refuse"
            use.complain("code", f"{self.code} is no code that refuses or defers a message", hint, rule="smtp-code")
        for text in use.strings("text"):
            if not text.value.strip():
                use.complain(text, "this response says nothing", "say why", severity=Severity.WARNING)

    def run(self, run: Run) -> None:
        run.respond(self, response(self.code, self.text, self.counter))
