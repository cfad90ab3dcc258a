"""matching: comparator, match type and keys to one function over the values of a subject, made once for each place.

What a test does with a message is `self.matches(run.message[self.subject], run)`; everything that depends on the script
alone was done before. RFC 5228, 2.7; match variables RFC 5229, 3.2.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from sieveav.language.grammar import choice
from sieveav.language.use import Use
from sieveav.running.message import Fold, Shared, shared

Matches = Callable[[Sequence[str], Any], bool]
"""Whether any of the values (folded as the comparator has it) matches; the run is there for its clock."""

Captures = Callable[[Sequence[str], Any], "tuple[str, ...] | None"]
"""The match values of the first of the values (not folded) that matches."""


class Comparator(Protocol):
    """RFC 5228, 2.7.3; RFC 4790. `fold` gives equal strings for what it holds equal; `order` something that sorts as it
    orders; `octets` says that its characters are octets, `numeric`, where there is one, that it compares numbers."""

    name: str
    substring: bool
    ordering: bool
    octets: bool

    @property
    def fold(self) -> Fold: ...

    def order(self, value: str) -> Any: ...


class Match(Protocol):
    """A match type. `needs` is what it asks of a comparator: "equality", "substring" or "ordering".

    It may have `judge(word, use)`, to complain of the keys and the comparator of the word it stands on; with `counts`
    True it looks at how many values there are, not at what they are.
    """

    name: str
    needs: str

    def matcher(self, comparator: Comparator, keys: Sequence[str]) -> Matches: ...


def match_type(default: str | None = ":is") -> Any:
    """The field of a match type."""
    return choice("match_type", default)


def comparator(default: str = "i;ascii-casemap") -> Any:
    """The field of a comparator. RFC 5228, 2.7.3: i;ascii-casemap where none is named."""
    return choice("comparator", default, by=":comparator")


MANY = 16
"""From so many keys on, matchers look at the clock."""


def check_match(word: Any, use: Use) -> None:
    """Complain where a match type and a comparator do not go together. RFC 5228, 2.7.1 and 2.7.3."""
    needs = getattr(word.match, "needs", "equality")
    if needs == "substring" and not word.comparator.substring:
        message = f"{word.comparator.name} cannot be used with {word.match.name}: it compares no parts of strings"
        use.complain("match", message, rule="comparator-unfit")
    if needs == "ordering" and not word.comparator.ordering:
        use.complain("match", f"{word.comparator.name} has no order for {word.match.name}", rule="comparator-unfit")
    judge = getattr(word.match, "judge", None)
    if judge is not None:
        judge(word, use)


class Matching:
    """A test that matches values of the message with keys: the class that header, address and their like build on.

    `looks_at(fold)` gives the subject; foreign tags may put another in its place.
    """

    match: Match = match_type()
    comparator: Comparator = comparator()
    keys: Sequence[str]
    tags: tuple[Any, ...] = ()
    sets_match_values = True
    """Whether a match sets the match variables (RFC 5229, 3.2)."""
    notes: set[str] = set()  # noqa: RUF012  # the checker's, one for the whole script
    subject: Shared
    original: Shared
    matches: Matches
    captures: Captures

    def check(self, use: Use) -> None:
        check_match(self, use)

    def looks_at(self, fold: Fold) -> Any:
        raise NotImplementedError

    def prepare(self) -> None:
        folded, plain = self.looks_at(self.comparator.fold), self.looks_at(None)
        for tag in self.tags:
            folded, plain = tag.amend(folded), tag.amend(plain)
        if getattr(self.match, "counts", False) and hasattr(folded, "counted"):
            folded = plain = folded.counted()
        self.subject, self.original = shared(folded), shared(plain)
        capturer = getattr(self.match, "capturer", None)
        if "match-variables" in self.notes and capturer is not None and self.sets_match_values:
            self.captures = capturer(self.comparator, self.keys)
            self.holds = self._captured  # type: ignore[method-assign]
        else:
            self.matches = self.match.matcher(self.comparator, self.keys)
            if getattr(folded, "needs", ""):
                self.holds = self._elsewhere  # type: ignore[method-assign]

    def holds(self, run: Any) -> bool:
        return self.matches(run.message[self.subject], run)

    def _elsewhere(self, run: Any) -> bool:
        """For a subject that is asked of something else than the message: the part that a loop is at."""
        return self.matches(run.focus(self.subject.subject.needs)[self.subject], run)

    def _captured(self, run: Any) -> bool:
        """For a script that uses match variables: they keep the characters as they stand in the message."""
        needs = getattr(self.original.subject, "needs", "")
        found = self.captures((run.focus(needs) if needs else run.message)[self.original], run)
        if found is None:
            return False  # RFC 5229, 3.2: a match that fails leaves them as they were
        run.match_values = found
        return True


class MatchingValues:
    """A test that matches values which are no subject of the message: of the context, of engines, of variables.

    `values(run)` gives them, not folded.
    """

    match: Match = match_type()
    comparator: Comparator = comparator()
    keys: Sequence[str]
    notes: set[str] = set()  # noqa: RUF012  # the checker's, one for the whole script
    matches: Matches
    captures: Captures | None

    def check(self, use: Use) -> None:
        check_match(self, use)

    def values(self, run: Any) -> Sequence[str]:
        raise NotImplementedError

    def counted(self, run: Any) -> Sequence[str]:
        """The values that count. RFC 5183, 4; RFC 5229, 5; RFC 5231, 4.2: an empty one does not."""
        return [value for value in self.values(run) if value]

    def prepare(self) -> None:
        capturer = getattr(self.match, "capturer", None)
        self.captures = None
        if capturer is not None and "match-variables" in self.notes:
            self.captures = capturer(self.comparator, self.keys)
        self.matches = self.match.matcher(self.comparator, self.keys)

    def holds(self, run: Any) -> bool:
        values = self.counted(run) if getattr(self.match, "counts", False) else self.values(run)
        if self.captures is not None:
            found = self.captures(values, run)
            if found is not None:
                run.match_values = found
            return found is not None
        fold = self.comparator.fold
        return self.matches(values if fold is None else [fold(value) for value in values], run)
