"""matching: a comparator, a match type and keys to one function of a subject's values, made once for each test of a script.

At run time a test is `self.matches(run.message[self.subject], run)`; everything that depends on the script alone is done
before. RFC 5228, 2.7; match variables: RFC 5229, 3.2.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from sieveav.language.grammar import choice, derived
from sieveav.language.program import Strings
from sieveav.language.use import Use
from sieveav.language.word import Choice, Word
from sieveav.running.message import Fold, Interned, Subject, intern_subject

if TYPE_CHECKING:
    from sieveav.running.run import Run

Matcher = Callable[[Sequence[str], Any], bool]
"""Whether any of the values (folded by the comparator) matches; the second argument is the run, for its clock."""

Capturer = Callable[[Sequence[str], Any], "tuple[str, ...] | None"]
"""The match values of the first of the values (not folded) that matches."""


class Comparator(Choice):
    """RFC 5228, 2.7.3; RFC 4790. `fold` makes strings that the comparator treats as equal the same string; None: it changes
    nothing."""

    substring = True
    """Whether it compares parts of strings."""
    ordering = True
    """Whether it orders strings."""
    octets = True
    """Whether its characters are octets."""
    numeric = False
    """Whether it compares numbers."""
    fold: Fold = derived(None)

    def order(self, value: str) -> Any:
        """Something that sorts as the comparator orders `value` (folded). Code points sort as their UTF-8 octets do."""
        return value


class MatchType(Choice):
    """How values are compared with keys. RFC 5228, 2.7.1."""

    needs = "equality"
    """What it asks of a comparator: "equality", "substring" or "ordering"."""
    counts = False
    """Whether it compares the number of values, not the values."""
    raw = False
    """Whether it gets the values without folding by the comparator."""
    captures = False
    """Whether it sets the match variables; if so, it has a `capturer`."""

    def check_keys(self, word: Any, use: Use) -> None:
        """Complain of the keys and the comparator of the test."""

    def matcher(self, comparator: Comparator, keys: Sequence[str]) -> Matcher:
        """What answers whether any value matches any key."""
        raise NotImplementedError

    def capturer(self, comparator: Comparator, keys: Sequence[str]) -> Capturer:
        """What gives the match values (RFC 5229, 3.2) of the first value that matches."""
        raise NotImplementedError


def match_type(default: str | None = ":is") -> Any:
    """The field of a match type."""
    return choice("match_type", default)


def comparator(default: str = "i;ascii-casemap") -> Any:
    """The field of a comparator. RFC 5228, 2.7.3: i;ascii-casemap where none is named."""
    return choice("comparator", default, by=":comparator")


MANY = 16
"""Keys that a matcher compares between two looks at the clock."""

MATCH_VARIABLES = "match-variables"
"""The mark of a script that uses match variables; without it nothing captures."""


class _WithKeys(Word):
    """What all tests with a match type, a comparator and keys share."""

    match: MatchType = match_type()
    comparator: Comparator = comparator()
    keys: Strings = derived()
    """The keys; a test declares them again, at their position in its syntax."""
    sets_match_values = True
    """Whether a match sets the match variables (RFC 5229, 3.2)."""
    compares_texts = True
    """Whether its values can be entries of an external list (RFC 6134, 2.2), unlike numbers and whole bodies."""
    matches: Matcher = derived()
    captures: Capturer = derived()

    def check(self, use: Use) -> None:
        """Complain of a match type and a comparator that cannot be combined. RFC 5228, 2.7.1 and 2.7.3."""
        match, comparator = self.match, self.comparator
        if match.needs == "substring" and not comparator.substring:
            message = f"{comparator.name} cannot be used with {match.name}: it does not support substring matching"
            use.complain("match", message, rule="comparator-unfit")
        if match.needs == "ordering" and not comparator.ordering:
            message = f"{comparator.name} cannot be used with {match.name}: it does not support ordering"
            use.complain("match", message, rule="comparator-unfit")
        match.check_keys(self, use)

    @property
    def capturing(self) -> bool:
        """Whether a match must set the match variables."""
        return self.match.captures and self.sets_match_values and MATCH_VARIABLES in self.marks


class Matching(_WithKeys):
    """Base class of tests that compare values of the message with keys, such as `header` and `address`.

    `subject_for(fold)` gives the subject; foreign tags may replace it.
    """

    subject: Interned = derived()
    original: Interned = derived()

    def subject_for(self, fold: Fold) -> Subject:
        """What the test compares, folded by a comparator."""
        raise NotImplementedError

    def prepare(self) -> None:
        # A variant of `holds` is chosen here once: choosing at each test costs 1 µs in 25 rules.
        folded, plain = self.subject_for(None if self.match.raw else self.comparator.fold), self.subject_for(None)
        for tag in self.tags:
            folded, plain = tag.amend(folded), tag.amend(plain)
        if self.match.counts:
            folded = plain = folded.counted()
        self.subject, self.original = intern_subject(folded), intern_subject(plain)
        if self.capturing:
            self.captures = self.match.capturer(self.comparator, self.keys)
            self.holds = self._captured  # type: ignore[method-assign]
        else:
            self.matches = self.match.matcher(self.comparator, self.keys)
            if folded.needs:
                self.holds = self._elsewhere  # type: ignore[method-assign]

    def holds(self, run: Run) -> bool:
        if run.tracer is not None:
            run.tracer.compared(run.message[self.original])
        return self.matches(run.message[self.subject], run)

    def _elsewhere(self, run: Run) -> bool:
        """`holds` for a subject that asks something else than the message, such as the part that a loop is at."""
        target = run.focus(self.subject.subject.needs)
        if run.tracer is not None:
            run.tracer.compared(target[self.original])
        return self.matches(target[self.subject], run)

    def _captured(self, run: Run) -> bool:
        """`holds` for a script that uses match variables, which keep the characters of the message unfolded."""
        needs = self.original.subject.needs
        values = (run.focus(needs) if needs else run.message)[self.original]
        if run.tracer is not None:
            run.tracer.compared(values)
        captured = self.captures(values, run)
        if captured is None:
            return False  # RFC 5229, 3.2: a match that fails leaves them unchanged
        run.match_values = captured
        return True


class MatchingValues(_WithKeys):
    """Base class of tests that compare other values than those of the message: of the context, of engines, of variables.
    Actions that select by a match type (deleteheader) build on it too.

    `values(run)` gives them, not folded.
    """

    def values(self, run: Run) -> Sequence[str]:
        """The values that are compared with the keys."""
        raise NotImplementedError

    def counted(self, run: Run) -> Sequence[str]:
        """The values that :count counts. RFC 5183, 4; RFC 5229, 5; RFC 5231, 4.2: empty ones do not count."""
        return [value for value in self.values(run) if value]

    def prepare(self) -> None:
        if self.capturing:
            self.captures = self.match.capturer(self.comparator, self.keys)
        else:
            self.matches = self.match.matcher(self.comparator, self.keys)

    def holds(self, run: Run) -> bool:
        return self.any_matches(self.counted(run) if self.match.counts else self.values(run), run)

    def any_matches(self, values: Sequence[str], run: Run) -> bool:
        """Whether any of `values` (not folded) matches a key; sets the match variables."""
        if run.tracer is not None:
            run.tracer.compared(values)
        if self.capturing:
            captured = self.captures(values, run)
            if captured is not None:
                run.match_values = captured
            return captured is not None
        fold = None if self.match.raw else self.comparator.fold
        return self.matches(values if fold is None else [fold(value) for value in values], run)
