"""antivirus: scan the message with the antivirus engines and test their verdict.

The test `antivirus` scans the message the first time it is evaluated. It compares the status of the merged verdict, which
is the worst of all engines; with :info the name of the virus, with :name the engine that gave that verdict.

    if antivirus ["infected", "suspicious"] { discard; }
    if antivirus :info :matches "Heuristics.Phishing.*" { fileinto "Junk"; }
    if antivirus :engine "clamav" "error" { ... }

The statuses, worst first: infected, suspicious, error, encrypted, macro, limits, unscannable, skipped, clean.

:engine asks only the engines that it names. In a loop over parts (foreverypart), :part scans the current part alone.

Each configured engine has an action of its own, such as `clamav_avscan;`, which scans the message and sets the context
variables (Momentum; see vctx).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sieveav.extending import (
    OF_A_MESSAGE,
    PART,
    Choice,
    Extension,
    MatchingValues,
    Run,
    Scan,
    Status,
    Strings,
    Use,
    Verdict,
    Word,
    choice,
    did_you_mean,
    tag,
    worst_verdict,
)

antivirus = Extension("antivirus", "sieveav")
antivirus.rule("engine-unknown", "no engine of this name is configured")
antivirus.rule("part-outside", ":part is not in a loop over parts")
antivirus.rule("verdict-unknown", "no verdict status can match the key")


@antivirus.family("{}_avscan", of="engines", missing="no engine {} is configured")
class Avscan(Word):
    """Scan the message with one engine and set that engine's context variables (Momentum)."""

    member = ""

    def run(self, run: Run) -> None:
        run.ask(Scan((self.member,)))


@antivirus.choice("antivirus_field", ":status")
class OfStatus(Choice):
    """:status: compare the status."""

    @staticmethod
    def of(verdict: Verdict) -> str:
        return verdict.status


@antivirus.choice("antivirus_field", ":info")
class OfInfo(Choice):
    """:info: compare the engine's information, usually the name of the virus."""

    @staticmethod
    def of(verdict: Verdict) -> str:
        return verdict.info


@antivirus.choice("antivirus_field", ":name")
class OfName(Choice):
    """:name: compare the name of the engine that gave the verdict."""

    @staticmethod
    def of(verdict: Verdict) -> str:
        return verdict.engine


@antivirus.test("antivirus", phases=OF_A_MESSAGE)
class Antivirus(MatchingValues):
    """antivirus: whether the merged verdict of the named engines, or of all engines, matches a key."""

    engines: Strings = tag(":engine", ())
    of_part: bool = tag(":part")
    field: Any = choice("antivirus_field", ":status")
    keys: Strings

    def check(self, use: Use) -> None:
        super().check(use)
        configured = use.names("engines")
        for engine in use.strings("engines"):
            if configured is not None and engine.value.lower() not in map(str.lower, configured):
                hint = f"configured: {', '.join(configured)}" if configured else "no engine is configured"
                use.complain(engine, f'unknown engine "{engine.value[:60]}"', hint, rule="engine-unknown")
        if isinstance(self.field, OfStatus):
            for key in use.strings("keys"):
                if self._never_matches(key.value):
                    hint = did_you_mean(key.value, Status) or f"write one of {', '.join(Status)}"
                    verb = "contains" if self.match.name == ":contains" else "is"
                    message = f'no verdict status {verb} "{key.value[:60]}"'
                    use.complain(key, message, hint, rule="verdict-unknown")
        if self.of_part and not any(word.focuses == PART for word in use.enclosing):
            hint = "" if use.requires("foreverypart") else use.lacking("command", "foreverypart")
            use.complain("of_part", ":part outside foreverypart", hint, rule="part-outside")

    def _never_matches(self, key: str) -> bool:
        """Whether no status can match `key`; False where this is not certain (:value, :regex, wildcards)."""
        fold = self.comparator.fold or str
        statuses = [fold(status) for status in Status]
        if self.match.name == ":contains":
            return not any(fold(key) in status for status in statuses)
        is_literal = self.match.name == ":is" or (self.match.name == ":matches" and not set("*?\\") & set(key))
        return is_literal and fold(key) not in statuses

    def values(self, run: Run) -> Sequence[str]:
        return (self.field.of(worst_verdict(self._verdicts(run))),)

    def _verdicts(self, run: Run) -> Iterator[Verdict]:
        """The engines' verdicts. A part that mail clients decode in several ways is scanned in each; what is broken in other
        ways than the first does not count."""
        if not self.of_part:
            yield from run.ask(Scan(self.engines, None)).verdicts
            return
        for number, octets in enumerate(run.focus(PART).part.readings()):
            verdicts = run.ask(Scan(self.engines, octets)).verdicts
            yield from (verdict for verdict in verdicts if number == 0 or verdict.status != Status.UNSCANNABLE)
