"""word: the base classes of what an extension declares: the attributes that the checker sets, and the hooks that it calls.

Every command, test, tag and choice of a script is one instance of such a class. It is made once, while the script is
checked, and all runs use it, so a word changes nothing in itself when it runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import TYPE_CHECKING, Any, ClassVar

from sieveav.language.grammar import Spec, derived, take_specs
from sieveav.language.problems import Place, Source, Span
from sieveav.language.tokens import statement_text

if TYPE_CHECKING:
    from sieveav.language.use import Use


class Word:
    """A command with `run(run)` or a test with `holds(run)`. Its annotated attributes are its arguments (see grammar)."""

    specs: ClassVar[dict[str, tuple[Any, Spec]]] = {}
    """The arguments that the class itself declares."""
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
    """The names of all tags that the script wrote on it, its own ones too."""
    settings: Mapping[str, Any] = derived({})
    """The settings of its extension, a live view: read them in `check`, `holds` and `run`, never in `prepare`."""
    marks: Set[str] = derived(frozenset())
    """What `use.mark` noted anywhere in the script; complete when `prepare` is called."""

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        cls.specs = take_specs(cls)

    @property
    def place(self) -> Place:
        """Where it is, as faults and actions name it."""
        return Place(self.origin, self.span.start)  # made on request: most words are never asked

    @property
    def source_text(self) -> str:
        """Its text in the script, up to its block: on one line, without comments, cut to 60 characters. For people; worked
        out on each request."""
        return statement_text(self.origin.text, self.span.start)

    def check(self, use: Use) -> None:
        """Report what is wrong with the arguments: called once, when all are bound."""

    def prepare(self) -> None:
        """Derive what follows from the arguments alone: called once, and for a word with variables in its arguments each time
        they have new values."""


Word.specs = take_specs(Word)  # no `__init_subclass__` runs for it


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
        """The action or subject that replaces `thing`."""
        return thing


class Choice(Word):
    """One of the choices of a kind, such as a match type."""

    name: str = derived("")
