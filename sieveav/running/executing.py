"""executing: programs, a message, an envelope and a host to an outcome."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sieveav.language.program import Program
from sieveav.running.outcome import UNDECIDED, Outcome
from sieveav.running.run import Case, Run


def execute(program: Program, case: Case, before: Outcome = UNDECIDED) -> Outcome:
    """The outcome of `program`, merged with `before`, the outcome of earlier scripts of the same recipient.

    After a fault the actions of this script are dropped and a keep applies (RFC 5228, 2.10.6). Any exception raised here
    is a bug.
    """
    return Run(program, case, before).whole()


def chain(scripts: Iterable[Callable[[Outcome], Outcome]], before: Outcome = UNDECIDED) -> Outcome:
    """The outcome of the scripts of one recipient, run in turn: each gets the outcome of those before it. The next one runs
    if an implicit or explicit keep still applies and no response has ended the phase (draft-degener-sieve-multiscript, 3).
    """
    outcome = before
    for script in scripts:
        if outcome.ended or not outcome.keep:
            break
        outcome = script(outcome)
    return outcome
