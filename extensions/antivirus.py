"""antivirus: ask the antivirus engines what they say of the message.

The test `antivirus` scans when it is first asked and looks at what the engines say together: the worst of their words, or
with :info the name of the virus, or with :name the engine that decided.

    if antivirus ["infected", "suspicious"] { discard; }
    if antivirus :info :matches "Heuristics.Phishing.*" { fileinto "Junk"; }
    if antivirus :engine "clamav" "error" { ... }

The words, worst first: infected, suspicious, error, encrypted, macro, limits, unscannable, skipped, clean.

Each configured engine brings an action of its own, such as `clamav_avscan;`, which scans and sets the context variables
(Momentum; see vctx).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sieveav.extending import (
    OF_A_MESSAGE,
    PART,
    Choice,
    Extension,
    MatchingValues,
    Run,
    Scan,
    Severity,
    Status,
    Strings,
    Use,
    Verdict,
    Word,
    choice,
    tag,
    worst,
)

antivirus = Extension("antivirus", "sieveav")


@antivirus.family("{}_avscan", of="engines")
class Avscan(Word):
    """Scan the message with one engine and set its context variables (Momentum)."""

    member = ""

    def run(self, run: Run) -> None:
        run.ask(Scan((self.member,)))


@antivirus.choice("antivirus_field", ":status")
class OfStatus(Choice):
    @staticmethod
    def field(verdict: Verdict) -> str:
        return verdict.status


@antivirus.choice("antivirus_field", ":info")
class OfInfo(Choice):
    @staticmethod
    def field(verdict: Verdict) -> str:
        return verdict.info


@antivirus.choice("antivirus_field", ":name")
class OfName(Choice):
    @staticmethod
    def field(verdict: Verdict) -> str:
        return verdict.engine


@antivirus.test("antivirus", phases=OF_A_MESSAGE)
class Antivirus(MatchingValues):
    """antivirus: whether the merged verdict of the engines named, or of all, matches a key."""

    engines: Strings = tag(":engine", ())
    of_part: bool = tag(":part")
    looked_at: Any = choice("antivirus_field", ":status")
    keys: Strings

    def check(self, use: Use) -> None:
        super().check(use)
        known = use.names("engines")
        for engine in use.strings("engines"):
            if known is not None and engine.value.lower() not in map(str.lower, known):
                hint = f"configured: {', '.join(known)}" if known else "no engine is configured"
                use.complain(engine, f'there is no engine "{engine.value}"', hint, rule="engine-unknown")
        if isinstance(self.looked_at, OfStatus) and self.match.name == ":is":
            words = [str(status) for status in Status]
            for key in use.strings("keys"):
                if key.value.lower() not in words:
                    hint = f"the words are {', '.join(words)}"
                    message = f'no engine ever says "{key.value}"'
                    use.complain(key, message, hint, rule="verdict-unknown", severity=Severity.WARNING)
        if self.of_part and not any(word.focuses == PART for word in use.enclosing):
            hint = "" if use.requires("foreverypart") else use.lacking("command", "foreverypart")
            use.complain("of_part", ":part is for a loop over parts", hint, rule="part-outside")

    def values(self, run: Run) -> Sequence[str]:
        part = None
        if self.of_part:
            part = run.focus(PART).part.decoded()
        answer = run.ask(Scan(self.engines, part))
        return (self.looked_at.field(worst(answer.verdicts)),)
