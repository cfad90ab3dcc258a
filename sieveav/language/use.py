"""use: one place where a word is used, as the `check` of the word and the readers of strings see it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeVar

from sieveav.language.phrases import Phrase, Tag
from sieveav.language.problems import Severity, Span
from sieveav.language.program import Mention
from sieveav.language.script import Script

M = TypeVar("M")


class Given(NamedTuple):
    """One string of a script as a word's `check` sees it: its value, and where it is."""

    value: str
    span: Span


class Use:
    """One place where a word is used, for its `check` and for the readers of strings."""

    __slots__ = ("_script", "enclosing", "given", "phrase", "spans", "tags", "variable")

    def __init__(self, script: Script, phrase: Phrase) -> None:
        self._script = script
        self.phrase = phrase
        self.spans: dict[str, Span] = {}
        """Where each field is that the script gives."""
        self.given: dict[str, list[Given]] = {}
        """The constant strings of each field."""
        self.variable: set[str] = set()
        """The fields with strings that contain variables."""
        self.enclosing = tuple(script.enclosing)
        """The words in whose blocks this one is, the outermost first."""
        self.tags = frozenset([argument.name for argument in phrase.arguments if isinstance(argument, Tag)])
        """All tags of the phrase as written, this word's own and others', for a tag that excludes another."""

    @property
    def phase(self) -> str:
        """The SMTP phase of the script."""
        return self._script.vocabulary.phase

    def requires(self, capability: str) -> bool:
        """Whether the script has required `capability` so far."""
        return capability in self._script.vocabulary.capabilities

    def has(self, field: str) -> bool:
        """Whether the script gives `field`, rather than leaving it to its default."""
        return field in self.spans

    def choices(self, kind: str) -> dict[str, Any]:
        """The classes of the choices of `kind` available here, by name: for a field of strings that name them."""
        return {name: declared.made for name, declared in self._script.vocabulary.choices.get(kind, {}).items()}

    def chosen(self, kind: str, name: Given) -> bool:
        """Whether `name` names a choice of `kind`; reports a problem if not."""
        return self._script.choice(kind, name.value, name.span) is not None

    def strings(self, field: str) -> list[Given]:
        """The strings of `field`, without those that contain variables."""
        return self.given.get(field, [])

    def constants(self, field: str) -> list[Given]:
        """The strings of `field`, for a word that needs constant strings (RFC 5229, 3); reports a problem if some are
        not."""
        if field in self.variable:
            message = "must be a constant string; variables are not allowed here"
            self.complain(field, message, "write it without variables", rule="argument-not-constant")
        return self.strings(field)

    def namespace(self, name: str) -> Any:
        """The class of the variables' namespace `name`, or None."""
        declared = self._script.vocabulary.namespaces.get(name.lower())
        return declared.made if declared else None

    def lacking(self, seam: str, name: str) -> str:
        """The hint to require the extension that defines the word, namespace or the like; "" if none does."""
        suggestion = self._script.requiring(seam, name.lower())
        return suggestion.hint if suggestion else ""

    def setting(self, capability: str, name: str) -> Any:
        """The value of a setting of an extension that is installed. KeyError if it is not."""
        extension = self._script.vocabulary.library.find(capability)
        if extension is None:
            raise KeyError(capability)
        return self._script.vocabulary.settings(extension)[name]

    def memory(self, kind: Callable[[], M]) -> M:
        """The one `kind` of this script: what is remembered from one place to the next while it is checked."""
        return self._script.memory(kind)

    def mark(self, key: str) -> None:
        """Note `key` for the whole script: in `prepare` it is among the `marks` of every word."""
        self._script.marks.add(key)

    def learn(self, capabilities: Iterable[str]) -> bool:
        """Require `capabilities` from here to the end of the script, all of them or none. False if one is missing or
        changes how scripts are read (RFC 5463, 4). Their words are run-time errors until `run.enable` was called."""
        available = self._script.vocabulary.learn_if_available(capabilities)
        self._script.report_collisions(self.phrase.span)
        return available

    def mentions(self, kind: str, name: Given, location: str = "") -> None:
        """Record that the script names something outside itself by a constant string: a "script", "list", "program" or
        "mailbox"."""
        place = self._script.place(name.span)
        self._script.mentions.append(Mention(kind, name.value, location, place, name.span))

    def names(self, of: str) -> tuple[str, ...] | None:
        """The names that the host gives as `of` (such as engines); None if it gives none."""
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
        """Report a problem: at a field, by its name, at a string, at a span, or with None at the word itself."""
        if isinstance(place, Given):
            span = place.span
        elif isinstance(place, Span):
            span = place
        else:
            span = self.spans.get(place or "", self.phrase.span)
        self._script.complain(rule, message, span, hint, severity)
