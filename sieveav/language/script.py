"""script: what all places of one script share while it is checked: its problems, marks, mentions and cost.

Nothing of it outlives the check except what the program takes: the marks, which `prepare` may look at, the mentions and the
cost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeVar

from sieveav import limits
from sieveav.language.extension import Declared
from sieveav.language.problems import Edit, Place, Problem, Severity, Source, Span, nearest
from sieveav.language.program import Conditional, Mention, Unexpanded
from sieveav.language.rules import unknown_choice
from sieveav.language.vocabulary import Vocabulary, require_hint
from sieveav.printing import printable

M = TypeVar("M")


class Suggestion(NamedTuple):
    """The hint of a problem, and the edits that mend it."""

    hint: str = ""
    edits: tuple[Edit, ...] = ()


NO_SUGGESTION = Suggestion()

Suggest = Callable[[], Suggestion]
"""Works out a suggestion. It takes a search of all extensions, so it is called for problems that are reported only."""


class Script:
    """One script being checked: its vocabulary, its problems, and what is remembered from one place to the next. `start` is
    where a `require` can be inserted."""

    def __init__(self, source: Source, vocabulary: Vocabulary, problems: Iterable[Problem], start: int) -> None:
        self.source = source
        self.vocabulary = vocabulary
        self.problems = list(problems)
        self.marks: set[str] = set()
        self.mentions: list[Mention] = []
        self.cost = 0
        """The cost of all blocks so far."""
        self.enclosing: list[Any] = []
        """The words whose blocks we are in, the outermost first."""
        self.defaults: dict[tuple[str, str], Any] = {}
        """Kind and name of a choice that is used where the script does not choose -> the one instance for all words."""
        self._start = start
        self._memories: dict[Any, Any] = {}
        self._counts = Counter(problem.severity for problem in self.problems)
        self._unprepared: list[Any] = []
        self._searches = 0

    # problems

    def complain(
        self,
        rule: str,
        message: str,
        span: Span,
        hint: str | Suggest = "",
        severity: Severity = Severity.ERROR,
    ) -> None:
        """Report a problem, unless there are too many of its severity already."""
        if self._has_room_for(severity):
            suggestion = Suggestion(hint) if isinstance(hint, str) else hint()
            self.problems.append(Problem(rule, message, span, suggestion.hint, severity, suggestion.edits))

    def report(self, problem: Problem) -> None:
        """Report a problem that is worked out already, likewise."""
        if self._has_room_for(problem.severity):
            self.problems.append(problem)

    def _has_room_for(self, severity: Severity) -> bool:
        self._counts[severity] += 1
        return self._counts[severity] <= limits.PROBLEMS  # of each severity, so that no advice hides an error

    def defer(self, rule: str, message: str, span: Span, hint: str | Suggest = "") -> None:
        """Report something unknown: an error, or a warning in a script that asks which extensions there are."""
        self.complain(rule, message, span, hint, Severity.WARNING if self.vocabulary.deferring else Severity.ERROR)

    def replace(self, problem: Problem, other: Problem) -> None:
        """Report `other` in place of a problem, because it says better what is wrong."""
        self.problems[self.problems.index(problem)] = other

    def requiring(self, seam: str, name: str, *, on: str = "", kind: str = "") -> Suggestion | None:
        """To require the extension that defines the word, tag or choice `name`; None if no extension does. A script with
        many mistakes gets some such suggestions only, because each is a search of all extensions."""
        self._searches += 1
        if self._searches > limits.PROBLEMS:
            return None
        capability = self.vocabulary.capability_of(seam, name, on=on, kind=kind)
        if not capability:
            return None
        edit = Edit(Span(self._start, self._start), f'require "{capability}";\n')
        return Suggestion(require_hint(capability), (edit,))

    def report_collisions(self, span: Span) -> None:
        """Report what several of the extensions learnt so far define."""
        for collision in self.vocabulary.collisions:
            self.complain("word-ambiguous", collision, span, "require only one of them")
        self.vocabulary.collisions.clear()

    def choice(self, kind: str, name: str, span: Span) -> Declared | None:
        """The choice of `kind` that a string names; None, with a problem reported, if there is none."""
        choices = self.vocabulary.choices.get(kind, {})
        declared = choices.get(name.lower())
        if declared is None:

            def suggest() -> Suggestion:
                return (
                    self.requiring("choice", name.lower(), kind=kind)
                    or similar(name, choices, span, '"{}"')
                    or Suggestion(f"write one of {', '.join(sorted(choices))}")
                )

            self.defer(unknown_choice(kind), f'unknown {kind.replace("_", " ")} "{brief(name)}"', span, suggest)
        return declared

    # what is remembered

    def place(self, span: Span) -> Place:
        return Place(self.source, span.start)

    def memory(self, kind: Callable[[], M]) -> M:
        """The one `kind` of this script."""
        memory = self._memories.get(kind)
        if memory is None:
            memory = self._memories[kind] = kind()
        return memory

    # words

    def finished(self, word: Any, templates: dict[str, Any], flaws: dict[str, Any], capabilities: Iterable[str]) -> Any:
        """A word whose arguments are bound. With `templates` among them, it is what expands it each time it runs. `flaws`
        are those of its arguments, `capabilities` the ones that define it and its tags."""
        word.marks = self.marks
        if templates:
            word = Unexpanded(word, templates, flaws)
        else:
            self._unprepared.append(word)
        conditional = self.vocabulary.conditional
        if conditional:
            asked = {name: conditional[name] for name in sorted(capabilities) if name in conditional}
            word = Conditional(word, asked) if asked else word
        return word

    def prepare(self) -> None:
        """Let every word derive what follows from its arguments. Runs after checking, when all marks are recorded; inner
        words come before outer ones."""
        for word in self._unprepared:
            word.prepare()


def similar(word: str, known: Iterable[str], span: Span, written: str = "{}") -> Suggestion | None:
    """The one of `known` that the word at `span` is probably a typo of, in the form `written`; None if none is near."""
    near = nearest(word, known)
    return Suggestion(f'did you mean "{near}"?', (Edit(span, written.format(near)),)) if near else None


def brief(text: str) -> str:
    """Text of the script as a message shows it: printable and short."""
    return printable(text[:60]) + ("..." if len(text) > 60 else "")
