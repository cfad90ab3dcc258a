"""relational: compare by order, and count (RFC 5231).

    header :value "lt" :comparator "i;ascii-numeric" "x-priority" "3"
    address :count "gt" :comparator "i;ascii-numeric" ["to", "cc"] "5"

The relations are "gt" (greater than), "ge" (greater or equal), "lt" (less than), "le" (less or equal), "eq" (equal) and "ne"
(not equal). :value compares each value, on the left, with each key; the test is true if any pair is. :count compares the
number of values: of fields for `header`, of addresses for `address` and `envelope`. For numbers, use the comparator
"i;ascii-numeric": for the others, "10" is less than "9".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sieveav.extending import Comparator, Extension, Matcher, MatchType, Run, Severity, Use

relational = Extension("relational", "RFC 5231")
relational.rule("count-not-numeric", "the comparator of :count does not compare numbers")
relational.rule("relation-unknown", "the relation is not one of gt, ge, lt, le, eq, ne")

Relation = Callable[[Any], bool]

# RFC 5231, 4.1: one pair is enough, so of the sorted keys only the least or the greatest needs to be compared
RELATIONS: dict[str, Callable[[Sequence[Any]], Relation]] = {
    "gt": lambda keys: lambda value: value > keys[0],
    "ge": lambda keys: lambda value: value >= keys[0],
    "lt": lambda keys: lambda value: value < keys[-1],
    "le": lambda keys: lambda value: value <= keys[-1],
    "eq": lambda keys: frozenset(keys).__contains__,
    "ne": lambda keys: lambda value: value != keys[0] or value != keys[-1],
}


class _Relational(MatchType):
    needs = "ordering"  # RFC 5231, 4.1
    relation: str

    def check(self, use: Use) -> None:
        # RFC 5231, 4: one of six words, constant because the grammar depends on it
        if not any(name.value.lower() in RELATIONS for name in use.strings("relation")):
            names = ", ".join(f'"{name}"' for name in RELATIONS)
            use.complain("relation", "unknown relation", f"write one of {names}", rule="relation-unknown")

    def related(self, comparator: Comparator, keys: Sequence[str]) -> Relation:
        """A function: whether a value, folded and ordered by `comparator`, is in the relation to any of the keys."""
        fold = comparator.fold
        folded = keys if fold is None else [fold(key) for key in keys]
        return RELATIONS[self.relation.lower()](sorted(map(comparator.order, folded)))


@relational.match_type(":value")
class Value(_Relational):
    """:value: a value is greater than, less than, equal to ... a key. RFC 5231, 4.1."""

    def matcher(self, comparator: Comparator, keys: Sequence[str]) -> Matcher:
        holds, order = self.related(comparator, keys), comparator.order

        def matches(values: Sequence[str], run: Run) -> bool:  # noqa: ARG001
            return any(holds(order(value)) for value in values)

        return matches


@relational.match_type(":count")
class Count(_Relational):
    """:count: the number of values is greater than, less than, equal to ... a key. RFC 5231, 4.2."""

    counts = True

    def check_keys(self, word: Any, use: Use) -> None:
        if not word.comparator.numeric:  # RFC 5231, 4.2: SHOULD only be used with numeric ones
            message = f'comparator {word.comparator.name} does not compare numbers: "10" is less than "9"'
            hint = 'write: :comparator "i;ascii-numeric"'
            use.complain("match", message, hint, rule="count-not-numeric", severity=Severity.WARNING)

    def matcher(self, comparator: Comparator, keys: Sequence[str]) -> Matcher:
        holds, fold, order = self.related(comparator, keys), comparator.fold, comparator.order

        def matches(values: Sequence[str], run: Run) -> bool:  # noqa: ARG001
            count = str(len(values))
            return holds(order(count if fold is None else fold(count)))

        return matches
