"""relational: compare by more, less and equal, and count (RFC 5231).

    header :value "lt" :comparator "i;ascii-numeric" "x-priority" "3"
    address :count "gt" :comparator "i;ascii-numeric" ["to", "cc"] "5"

The relations are "gt" (more than), "ge" (or equal), "lt" (less than), "le" (or equal), "eq" and "ne". :value compares each
value with each key, the value on the left, and holds when any pair does. :count compares how many values there are: fields
for `header`, addresses for `address` and `envelope`. Numbers want the comparator "i;ascii-numeric": for the others "10"
is less than "9".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sieveav.extending import Comparator, Extension, Matcher, MatchType, Run, Severity, Use

relational = Extension("relational", "RFC 5231")

Holds = Callable[[Any], bool]

# RFC 5231, 4.1: any pair will do, so of the keys, sorted, those decide that are the easiest to be beyond
RELATIONS: dict[str, Callable[[Sequence[Any]], Holds]] = {
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
        # RFC 5231, 4: one of six words; as they decide what is compared, they are no variables
        if not any(given.value.lower() in RELATIONS for given in use.strings("relation")):
            words = ", ".join(f'"{word}"' for word in RELATIONS)
            use.complain("relation", "this is no relation", f"write one of {words}", rule="relation-unknown")

    def holder(self, comparator: Comparator, keys: Sequence[str]) -> Holds:
        """Whether a value, folded and ordered as `comparator` has it, stands in the relation to one of the keys."""
        fold = comparator.fold
        folded = keys if fold is None else [fold(key) for key in keys]
        return RELATIONS[self.relation.lower()](sorted(map(comparator.order, folded)))


@relational.match_type(":value")
class Value(_Relational):
    """:value: a value is more than, less than, equal to ... a key. RFC 5231, 4.1."""

    def matcher(self, comparator: Comparator, keys: Sequence[str]) -> Matcher:
        holds, order = self.holder(comparator, keys), comparator.order

        def matches(values: Sequence[str], run: Run) -> bool:  # noqa: ARG001
            return any(holds(order(value)) for value in values)

        return matches


@relational.match_type(":count")
class Count(_Relational):
    """:count: there are more, fewer, as many ... values than a key says. RFC 5231, 4.2."""

    counts = True

    def check_keys(self, word: Any, use: Use) -> None:
        if not word.comparator.numeric:  # RFC 5231, 4.2: SHOULD only be used with numeric ones
            message = f'{word.comparator.name} does not compare numbers: for it "10" is less than "9"'
            hint = 'write: :comparator "i;ascii-numeric"'
            use.complain("match", message, hint, rule="count-not-numeric", severity=Severity.WARNING)

    def matcher(self, comparator: Comparator, keys: Sequence[str]) -> Matcher:
        holds, fold, order = self.holder(comparator, keys), comparator.fold, comparator.order

        def matches(values: Sequence[str], run: Run) -> bool:  # noqa: ARG001
            count = str(len(values))
            return holds(order(count if fold is None else fold(count)))

        return matches
