"""use: one place where a word is used, as the word's own `check` and the readers of strings see it.

`Script` is what all places of one script have in common while it is checked; nothing of it outlives the checking but
the notes, which `prepare` may look at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from sieveav import limits
from sieveav.language.extension import Declared
from sieveav.language.phrases import Phrase, String, Tag
from sieveav.language.problems import Place, Problem, Severity, Source, Span, did_you_mean, printable
from sieveav.language.program import Conditional, Mention, Pieces, Unexpanded
from sieveav.language.vocabulary import Vocabulary

M = TypeVar("M")


class Script:
    """One script being checked: its words, its problems, and what is remembered from one place to the next."""

    def __init__(self, source: Source, vocabulary: Vocabulary, problems: list[Problem]) -> None:
        self.source = source
        self.vocabulary = vocabulary
        self.problems = problems
        self.marks: set[str] = set()
        self.mentions: list[Mention] = []
        self.cost = 0
        """The steps and strings met so far."""
        self.enclosing: list[Any] = []
        """The words whose blocks we are in, the outermost first."""
        self.memories: dict[Any, Any] = {}
        self._counted = Counter(problem.severity for problem in problems)
        self.defaults: dict[tuple[str, str], Any] = {}
        """Kind and name of a choice that is meant where the script does not choose -> the one that serves all words."""
        self._unprepared: list[Any] = []

    def complain(
        self, rule: str, message: str, span: Span, hint: str = "", severity: Severity = Severity.ERROR
    ) -> None:
        """Report a problem, while there are not too many of its severity."""
        self._counted[severity] += 1
        if self._counted[severity] <= limits.PROBLEMS:  # of each severity, so that no advice hides an error
            self.problems.append(Problem(rule, message, span, hint, severity))

    def withdraw(self, problem: Problem) -> None:
        """Take back a problem, for one that says better what is wrong."""
        self._counted[problem.severity] -= 1
        self.problems.remove(problem)

    def report_collisions(self, span: Span) -> None:
        """Report what several of the extensions learnt so far bring."""
        for collision in self.vocabulary.collisions:
            self.complain("word-ambiguous", collision, span, "require only one of them")
        self.vocabulary.collisions.clear()

    def choice(self, kind: str, name: str, span: Span) -> Declared | None:
        """The choice of `kind` that a string names; where there is none, a problem is reported."""
        choices = self.vocabulary.choices.get(kind, {})
        declared = choices.get(name.lower())
        if declared is None:
            hint = self.vocabulary.requiring("choice", name.lower(), kind=kind) or did_you_mean(name, choices)
            hint = hint or f"write one of {', '.join(sorted(choices))}"
            message = f'there is no {kind.replace("_", " ")} "{brief(name)}"'
            self.defer(f"{kind.replace('_', '-')}-unknown", message, span, hint)
        return declared

    def place(self, span: Span) -> Place:
        return Place(self.source, span.start)

    def defer(self, rule: str, message: str, span: Span, hint: str = "") -> None:
        """Report what is not known: an error, or in a script that asks what there is a warning."""
        self.complain(rule, message, span, hint, Severity.WARNING if self.vocabulary.deferring else Severity.ERROR)

    def finished(self, word: Any, templates: dict[str, Any], rules: dict[str, Any], brought: Iterable[str]) -> Any:
        """A word whose arguments are bound; with `templates` among them, what expands it each time it is met. `rules` are
        those of its arguments, `brought` the capabilities that bring it and its tags."""
        word.marks = self.marks
        if templates:
            word = Unexpanded(word, templates, rules)
        else:
            self._unprepared.append(word)
        known = self.vocabulary.conditional
        conditional = {name: known[name] for name in sorted(brought) if name in known} if known else {}
        return Conditional(word, conditional) if conditional else word

    def prepare(self) -> None:
        """Let every word derive what follows from its arguments; runs after checking, when all marks are recorded. Inner
        words come before outer ones."""
        for word in self._unprepared:
            word.prepare()

    def read(self, text: String, use: Use) -> Any:
        """The string that `text` stands for, or a template, by the readers that are required."""
        value: Any = text.value
        if len(value) > limits.STRING_SIZE:
            self.complain("string-too-long", f"a string has at most {limits.STRING_SIZE} octets", text.span)
            return ""
        pieces: list[Any] = [value]
        for reader in self.vocabulary.readers:
            read = reader.made().read
            found = [read(piece, use, text.span) if isinstance(piece, str) else piece for piece in pieces]
            pieces = [piece for made in found for piece in (made if isinstance(made, list) else [made])]
        if all(isinstance(piece, str) for piece in pieces):
            return "".join(pieces)
        return Pieces(pieces)


@dataclass(frozen=True)
class Given:
    """One string of a script as a word's `check` sees it: its value, and where it stands."""

    value: str
    span: Span


class Use:
    """One place where a word is used, for its `check` and for the readers of strings."""

    __slots__ = ("_script", "enclosing", "given", "phrase", "spans", "tags", "unknown")

    def __init__(self, script: Script, phrase: Phrase) -> None:
        self._script = script
        self.phrase = phrase
        self.spans: dict[str, Span] = {}
        self.given: dict[str, list[Given]] = {}
        self.unknown: set[str] = set()
        """The fields with strings that are only known while running."""
        self.enclosing = tuple(script.enclosing)
        """The words in whose blocks this one stands, the outermost first."""
        self.tags = frozenset([argument.name for argument in phrase.arguments if isinstance(argument, Tag)])
        """All tags of the phrase as written, this word's own and others': what a tag asks that excludes another."""

    @property
    def phase(self) -> str:
        """The SMTP phase of the script."""
        return self._script.vocabulary.phase

    def requires(self, capability: str) -> bool:
        """Whether the script has required `capability` by now."""
        return capability in self._script.vocabulary.capabilities

    def has(self, field: str) -> bool:
        """Whether the script gives `field`, rather than leaving it to its default."""
        return field in self.spans

    def choices(self, kind: str) -> dict[str, Any]:
        """The classes of the choices of `kind` known here, by name: for a field of strings that name them."""
        return {name: declared.made for name, declared in self._script.vocabulary.choices.get(kind, {}).items()}

    def chosen(self, kind: str, name: Given) -> bool:
        """Whether `name` names a choice of `kind`; complains if not."""
        return self._script.choice(kind, name.value, name.span) is not None

    def strings(self, field: str) -> list[Given]:
        """The strings given for `field`, those left out that are only known while running."""
        return self.given.get(field, [])

    def constants(self, field: str) -> list[Given]:
        """The strings given for `field`, for a word that wants all of them known beforehand (RFC 5229, 3); complains of
        those that are not."""
        if field in self.unknown:
            message = "this must be known before the script runs"
            self.complain(field, message, "write it without variables", rule="not-constant")
        return self.strings(field)

    def namespace(self, name: str) -> Any:
        """The class of the variables' namespace `name`, None where there is none."""
        declared = self._script.vocabulary.namespaces.get(name.lower())
        return declared.made if declared else None

    def lacking(self, seam: str, name: str) -> str:
        """The hint which `require` would bring the word, namespace or the like, "" where nothing does."""
        return self._script.vocabulary.requiring(seam, name.lower())

    def setting(self, capability: str, name: str) -> Any:
        """The value of a setting of an extension that is known here."""
        extension = self._script.vocabulary.library.find(capability)
        if extension is None:
            raise KeyError(capability)
        return self._script.vocabulary.settings(extension)[name]

    def memory(self, kind: Callable[[], M]) -> M:
        """The one `kind` of this script: what is remembered from one place to the next while it is checked."""
        found = self._script.memories.get(kind)
        if found is None:
            found = self._script.memories[kind] = kind()
        return found

    def mark(self, key: str) -> None:
        """Note `key` for the whole script: in `prepare` it is among the `marks` of every word."""
        self._script.marks.add(key)

    def learn(self, capabilities: Iterable[str]) -> bool:
        """Require `capabilities` from here to the end of the script, all of them or none: False when one is missing or
        changes how scripts are read (RFC 5463, 4). Their words are errors of the run until `run.enable` was called."""
        known = self._script.vocabulary.learn_if_there(capabilities)
        self._script.report_collisions(self.phrase.span)
        return known

    def mentions(self, kind: str, name: Given, location: str = "") -> None:
        """Record that the script names something outside of it by a constant: a "script", "list", "program", "mailbox"."""
        place = self._script.place(name.span)
        self._script.mentions.append(Mention(kind, name.value, location, place, name.span))

    def names(self, of: str) -> tuple[str, ...] | None:
        """The names that the host gives as `of` (such as engines), None where it gives none."""
        names = self._script.vocabulary.names.get(of)
        return None if names is None else tuple(names)

    def complain(
        self,
        place: str | Given | Span | None,
        message: str,
        hint: str = "",
        *,
        rule: str = "argument-invalid",
        severity: Severity = Severity.ERROR,
    ) -> None:
        """Report a problem at a field by its name, at a string, or with None at the word itself."""
        if isinstance(place, Given):
            span = place.span
        elif isinstance(place, Span):
            span = place
        else:
            span = self.spans.get(place or "", self.phrase.span)
        self._script.complain(rule, message, span, hint, severity)


def brief(text: str) -> str:
    """A word of the script as a message shows it: printable and short."""
    return printable(text[:60]) + ("..." if len(text) > 60 else "")
