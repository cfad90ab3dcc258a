"""word: the base class of whatever an extension declares: what the checker sets, and the hooks that it calls.

Every command, test, tag and choice of a script is one instance of such a class, made once while the script is checked
and used by all runs: a word changes nothing in itself when it runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import TYPE_CHECKING, Any, ClassVar

from sieveav.language.grammar import Stated, derived, take_stated
from sieveav.language.problems import Place, Source, Span

if TYPE_CHECKING:
    from sieveav.language.use import Use


class Word:
    """A command with `run(run)` or a test with `holds(run)`. Its annotated attributes are its arguments (see grammar)."""

    stated: ClassVar[dict[str, tuple[Any, Stated]]] = {}
    """The arguments that the class itself states."""
    breaks: ClassVar[bool] = False
    """Whether it is a loop that `break` leaves."""
    focuses: ClassVar[str] = ""
    """What a loop lets the words in its block look at (`run.focused`)."""

    span: Span = derived()
    """Where it is in the script."""
    origin: Source = derived()
    """The script."""
    tags: tuple[Any, ...] = derived(())
    """The tags of other extensions on it, in the order in which they amend."""
    written: Set[str] = derived(frozenset())
    """The names of all tags on it, its own too."""
    settings: Mapping[str, Any] = derived({})
    """The settings of its extension, a live view: read them in `check`, `holds` and `run`, never in `prepare`."""
    marks: Set[str] = derived(frozenset())
    """What `use.mark` noted anywhere in the script; complete when `prepare` is called."""

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        cls.stated = take_stated(cls)

    @property
    def place(self) -> Place:
        """Where it is, as faults and actions name it."""
        return Place(self.origin, self.span.start)  # made when asked for: most words are never asked

    def check(self, use: Use) -> None:
        """Complain of what is wrong with the arguments, once, when all are bound."""

    def prepare(self) -> None:
        """Derive what follows from the arguments alone: once, or after each change of an argument made of variables."""


Word.stated = take_stated(Word)  # no `__init_subclass__` runs for it


class ForeignTag(Word):
    """A tag on words of other extensions, with `amend(action)`, `amend(subject)` or, on `set`, `amend(text)`."""

    name: str = derived("")
    precedence = 0
    """On `set`: of several modifiers, the one of the highest precedence is applied first (RFC 5229, 4.1)."""
    quotes = False
    """On `set`: whether it puts backslashes before characters."""
    any_field = False
    """On `address`: whether any header field may be read as one of addresses."""

    def amend(self, thing: Any) -> Any:
        """What takes the place of the action or subject."""
        return thing


class Choice(Word):
    """One of the choices of a kind, such as a match type."""

    name: str = derived("")
