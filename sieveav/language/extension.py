"""extension: the declarations of a file to an extension: its words, tags, choices, rules and settings.

An extension consists of declarations only. It edits nothing and is in no list. Its file says

    copy = Extension("copy", "RFC 3894")

    @copy.tag(":copy", on=["fileinto", "redirect"])
    class Copy(ForeignTag):
        def amend(self, action): ...

and a script that requires "copy" may use the tag. Every seam of the language is one method of `Extension`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from sieveav.language.grammar import grammar_of
from sieveav.language.rules import RULE_NAME, unknown_choice
from sieveav.language.word import Choice, ForeignTag, Word
from sieveav.options import Option
from sieveav.plugins import Plugin

W = TypeVar("W", bound=type[Word])
T = TypeVar("T", bound=type[ForeignTag])
H = TypeVar("H", bound=type[Choice])
C = TypeVar("C", bound=type)
F = TypeVar("F", bound=Callable[[Any], Any])

SMTP_PHASES = ("connect", "ehlo", "mailfrom", "rcptto", "data", "spool", "each_rcpt")
"""The phases of SMTP, in their order; a user's script runs in each_rcpt."""

PHASES = (*SMTP_PHASES, "imap")
"""The phases of SMTP, and the events of IMAP (RFC 6785)."""

OF_A_MESSAGE = ("data", "spool", "each_rcpt", "imap")
"""The phases in which there is a message: where a test is allowed unless it says otherwise."""

OF_A_RECIPIENT = ("each_rcpt", "imap")
"""The phases in which there is a recipient: where an action is allowed unless it says otherwise."""


@dataclass(frozen=True)
class Declared:
    """One declaration: its seam, the name of the word, tag or choice, and its class or function. The other fields depend on
    the seam: `on` are the words and tags that a foreign tag is allowed on, `like` the words whose foreign tags a word takes
    too, `kind` is the kind of a choice, `phases` are those of a word."""

    seam: str
    name: str
    made: Any
    extension: Extension
    on: tuple[str, ...] = ()
    like: tuple[str, ...] = ()
    kind: str = ""
    phases: tuple[str, ...] = ()
    dialect: str = ""
    order: int = 0
    family: str = ""
    missing: str = ""
    unless: str = ""


_METHODS = {
    "test": ("holds", Word),
    "action": ("run", Word),
    "command": ("run", Word),
    "family": ("run", Word),
    "tag": ("amend", ForeignTag),
    "choice": ("", Choice),
    "reader": ("read", object),
    "namespace": ("value", object),
}
"""Seam -> the method that a declared class must have, and its base class; checked when the class is declared."""


class Extension(Plugin):
    """A capability, its specification, and all that it declares.

    `implies` names other capabilities that it includes. With `defers`, unknown words of a script that requires it are
    run-time errors (RFC 5463). `successor` is the capability to use instead of an obsolete one.
    """

    def __init__(
        self,
        capability: str,
        source: str,
        *,
        implies: Iterable[str] = (),
        defers: bool = False,
        successor: str = "",
    ) -> None:
        self.name = self.capability = capability
        self.source = source
        self.implies = tuple(implies)
        self.defers = defers
        self.successor = successor
        self.declared: list[Declared] = []
        self.settings: dict[str, Option] = {}
        self.rules: dict[str, str] = {}
        """The rules of the problems that its words report: name -> what is wrong, in one line."""

    def __repr__(self) -> str:
        return f"Extension({self.capability!r})"

    def _declare(self, seam: str, name: str, cls: Any, **more: Any) -> None:
        method, base = _METHODS.get(seam, ("", object))
        if not issubclass(cls, base):
            raise TypeError(f"{self.capability}: the {seam} {name} must be a subclass of {base.__name__}")
        if method and not hasattr(cls, method):
            raise TypeError(f"{self.capability}: the {seam} {name} has no method {method}")
        if issubclass(cls, Word):
            for field in grammar_of(cls).fields:  # a TypeError for an annotation that is not an argument
                if field.valid is not None:
                    self.rules.setdefault(field.rule, f"the argument {field.shown} is invalid")
        self.declared.append(Declared(seam, name, cls, self, **more))

    def _word(self, seam: str, name: str, like: Iterable[str], phases: Iterable[str]) -> Callable[[W], W]:
        if not isinstance(name, str):  # it is the class, which would not be declared
            raise TypeError(f"{self.capability}: write @{self.capability}.{seam}() with brackets")

        def declare(cls: W) -> W:
            self._declare(seam, name or cls.__name__.lower(), cls, like=tuple(like), phases=tuple(phases))
            return cls

        return declare

    def test(
        self, name: str = "", *, like: Iterable[str] = (), phases: Iterable[str] = OF_A_MESSAGE
    ) -> Callable[[W], W]:
        """Declare a test, by default with the name of its class: `holds(run)` answers it. It takes the foreign tags of the
        words that it is `like`."""
        return self._word("test", name, like, phases)

    def action(
        self, name: str = "", *, like: Iterable[str] = (), phases: Iterable[str] = OF_A_RECIPIENT
    ) -> Callable[[W], W]:
        """Declare an action: `run(run)` takes it. It takes the foreign tags of the words that it is `like`, and is amended as
        they are."""
        return self._word("action", name, like, phases)

    def command(self, name: str = "", *, like: Iterable[str] = (), phases: Iterable[str] = PHASES) -> Callable[[W], W]:
        """Declare a control command, such as one that takes a block: `run(run)`."""
        return self._word("command", name, like, phases)

    def family(
        self, pattern: str, of: str, *, missing: str = "", phases: Iterable[str] = OF_A_MESSAGE
    ) -> Callable[[W], W]:
        """Declare an action for each of the names that the host gives as `of`. `{}` in `pattern` is the name, with `_` for
        what an identifier cannot contain; the host may give a name a pattern of its own. Each action is a subclass whose
        `member` is the name. `missing` is the message about a word of this form whose name the host does not give."""

        def declare(cls: W) -> W:
            self._declare("family", pattern, cls, family=of, missing=missing, phases=tuple(phases))
            return cls

        return declare

    def tag(self, name: str, on: Iterable[str], *, order: int = 0) -> Callable[[T], T]:
        """Declare a tag on words of other extensions, installed or not. `amend(action)` gives the action that replaces it;
        for a test, `amend(subject)` gives what it looks at instead. The positional arguments of the class follow the tag.
        `on` names words, or tags: then the tag is allowed beside such a tag (`on=[":fcc"]`). Several tags amend by their
        `order`, then in the order of the script."""

        def declare(cls: T) -> T:
            self._declare("tag", name.lower(), cls, on=tuple(on), order=order)
            return cls

        return declare

    def amends(self, on: Iterable[str], *, unless: str = "", order: int = 0) -> Callable[[F], F]:
        """Declare a function of the run that amends every action of these words, and with "keep" the implicit keep. It
        gives something with `amend(action)`, or None. It is not called for a word with the tag `unless`."""

        def declare(function: F) -> F:
            self.declared.append(
                Declared("amender", function.__name__, function, self, on=tuple(on), order=order, unless=unless.lower())
            )
            return function

        return declare

    def choice(self, kind: str, name: str) -> Callable[[H], H]:
        """Declare a choice of `kind`, a tag (":is") or a name ("i;octet"). The arguments of the class follow it."""

        def declare(cls: H) -> H:
            self._declare("choice", name.lower(), cls, kind=kind)
            if not name.startswith(":"):  # a tag of another name is `tag-unknown`
                self.rules.setdefault(unknown_choice(kind), f"no {kind.replace('_', ' ')} has this name")
            return cls

        return declare

    def match_type(self, name: str) -> Callable[[H], H]:
        """Declare a match type: a choice that is a `MatchType`."""
        return self.choice("match_type", name)

    def comparator(self, name: str) -> Callable[[H], H]:
        """Declare a comparator: a choice that is a `Comparator`."""
        return self.choice("comparator", name)

    def address_part(self, name: str) -> Callable[[H], H]:
        """Declare an address part: a choice whose `part(address)` gives the part of an address, or None."""
        return self.choice("address_part", name)

    def reader(self, order: int, dialect: str = "") -> Callable[[C], C]:
        """Declare how strings are read: `read(text, use, span)` gives the string that is meant, a template, or a list of
        both in sequence. Readers run in their `order`, each on what those before it left as plain text. One of a `dialect`
        reads the scripts of that dialect, required or not, and no others."""

        def declare(cls: C) -> C:
            self._declare("reader", cls.__name__, cls, order=order, dialect=dialect)
            return cls

        return declare

    def namespace(self, name: str) -> Callable[[C], C]:
        """Declare a namespace of variables (RFC 5229, 3), a subclass of `Namespace`: `value(run, rest)` is the value of
        `${name.rest}`."""

        def declare(cls: C) -> C:
            self._declare("namespace", name.lower(), cls)
            return cls

        return declare

    def setting(self, option: Option) -> Option:
        """Declare a setting. In the configuration it is in the stanza `extension "capability"`."""
        self.settings[option.name] = option
        return option

    def rule(self, name: str, meaning: str) -> str:
        """Declare a rule of the problems that words of this extension report: `name` in words, the noun first
        ("flag-invalid"), `meaning` in one line ("the flag is not valid"). Returns the name, for `use.complain(..., rule=name)`.
        TypeError for a name of another form or a meaning that is not one line.

        Some rules need no declaration. An argument with `valid=` gives `<argument>-invalid`, such as `year-invalid`, and
        a kind of choice gives `<kind>-unknown`; declared here too, they get a better meaning.
        """
        if not RULE_NAME.fullmatch(name):
            raise TypeError(f"{self.capability}: {name!r} is not the name of a rule: words in lower case, joined by -")
        if not meaning or not meaning.isprintable():
            raise TypeError(f"{self.capability}: the rule {name} needs one line that says what is wrong")
        self.rules[name] = meaning
        return name
