"""executing: programs, a message, an envelope and a host to an outcome."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sieveav.language.program import Program
from sieveav.running.outcome import UNDECIDED, Outcome
from sieveav.running.run import Case, Run


def execute(program: Program, case: Case, before: Outcome = UNDECIDED) -> Outcome:
    """Run `program`; `before` is what earlier scripts of the same recipient came to. The result holds theirs too.

    After a fault the actions of this script are gone and a keep applies (RFC 5228, 2.10.6); exceptions that leave here
    are bugs.
    """
    return Run(program, case, before).whole()


def chain(scripts: Iterable[Callable[[Outcome], Outcome]], before: Outcome = UNDECIDED) -> Outcome:
    """Run the scripts of one recipient in turn: each takes what those before it came to. The next one runs while a keep,
    implicit or written, still applies, and no response has ended the phase (draft-degener-sieve-multiscript, 3)."""
    outcome = before
    for script in scripts:
        if outcome.ended or not outcome.keep:
            break
        outcome = script(outcome)
    return outcome
