"""outcomes: the one thing that a test expects in an outcome, typed; an AssertionError if it is not there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from sieveav.running.effects import Effect
from sieveav.running.outcome import Action, Fault, Outcome, Response

T = TypeVar("T")
E = TypeVar("E", bound=Effect)


def only(items: Iterable[T]) -> T:
    """The only item."""
    found = list(items)
    assert len(found) == 1, found
    return found[0]


def present(value: T | None) -> T:
    """`value`, which must not be None."""
    assert value is not None
    return value


def effect(action: Action, kind: type[E]) -> E:
    """The only effect of this class."""
    return only(each for each in action.effects if isinstance(each, kind))


def effects(outcome: Outcome, kind: type[E]) -> list[E]:
    """All effects of this class, in order."""
    return [each for action in outcome.actions for each in action.effects if isinstance(each, kind)]


def fault(outcome: Outcome) -> Fault:
    """The run-time error."""
    return present(outcome.fault)


def response(outcome: Outcome) -> Response:
    """The SMTP response."""
    return present(outcome.response)
