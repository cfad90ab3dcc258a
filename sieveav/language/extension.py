"""extension: the declarations that a file makes of the words it brings.

An extension is made of declarations only; it edits nothing and is entered in no list. Its file says

    copy = Extension("copy", "RFC 3894")

    @copy.tag(":copy", on=["fileinto", "redirect"])
    class Copy(ForeignTag):
        def amend(self, action): ...

and whoever requires "copy" gets the tag. Every seam of the language is one method of `Extension`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from sieveav.language.grammar import grammar_of
from sieveav.language.word import Choice, ForeignTag, Word
from sieveav.options import Option
from sieveav.plugins import Plugin

W = TypeVar("W", bound=type[Word])
T = TypeVar("T", bound=type[ForeignTag])
H = TypeVar("H", bound=type[Choice])
C = TypeVar("C", bound=type)
F = TypeVar("F", bound=Callable[[Any], Any])

PHASES = ("connect", "ehlo", "mailfrom", "rcptto", "data", "spool", "each_rcpt", "imap")
"""The phases: those of SMTP in their order, a user's script running in each_rcpt; and the events of IMAP (RFC 6785)."""

OF_A_MESSAGE = ("data", "spool", "each_rcpt", "imap")
"""The phases in which there is a message: where a test is allowed unless it says otherwise."""

OF_A_RECIPIENT = ("each_rcpt", "imap")
"""The phases in which there is a recipient: where an action is allowed unless it says otherwise."""


@dataclass(frozen=True)
class Declared:
    """One declaration. `seam` says which kind, `name` the word, tag or choice, `made` the class; what else there is
    depends on the seam: `on` the words and tags that a foreign tag goes on, `like` the words whose foreign tags a word
    takes too, `kind` a choice's kind, `phases` a word's."""

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
    """A capability, where it is specified, and all that it brings.

    `implies` names capabilities that come with it. `defers` turns unknown words of a script that requires it into errors
    of the run (RFC 5463). `successor` is the capability to use instead of an obsolete one.
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

    def __repr__(self) -> str:
        return f"Extension({self.capability!r})"

    def _declare(self, seam: str, name: str, made: Any, **more: Any) -> None:
        method, base = _METHODS.get(seam, ("", object))
        if not issubclass(made, base):
            raise TypeError(f"{self.capability}: the {seam} {name} must be a subclass of {base.__name__}")
        if method and not hasattr(made, method):
            raise TypeError(f"{self.capability}: the {seam} {name} has no method {method}")
        if base is not object:
            grammar_of(made)  # a TypeError for what is no argument
        self.declared.append(Declared(seam, name, made, self, **more))

    def _word(self, seam: str, name: str, like: Iterable[str], phases: Iterable[str]) -> Callable[[W], W]:
        if not isinstance(name, str):  # the class itself: it would be declared by nobody
            raise TypeError(f"{self.capability}: write @{self.capability}.{seam}() with brackets")

        def declare(cls: W) -> W:
            self._declare(seam, name or cls.__name__.lower(), cls, like=tuple(like), phases=tuple(phases))
            return cls

        return declare

    def test(
        self, name: str = "", *, like: Iterable[str] = (), phases: Iterable[str] = OF_A_MESSAGE
    ) -> Callable[[W], W]:
        """A test, named like its class unless said: `holds(run)` answers it. It takes the foreign tags of the words that
        it is `like`."""
        return self._word("test", name, like, phases)

    def action(
        self, name: str = "", *, like: Iterable[str] = (), phases: Iterable[str] = OF_A_RECIPIENT
    ) -> Callable[[W], W]:
        """A command that does something about the message: `run(run)`. It takes the foreign tags of the words that it is
        `like`, and is amended as they are."""
        return self._word("action", name, like, phases)

    def command(self, name: str = "", *, like: Iterable[str] = (), phases: Iterable[str] = PHASES) -> Callable[[W], W]:
        """A command that controls the script, such as one that takes a block: `run(run)`."""
        return self._word("command", name, like, phases)

    def family(self, pattern: str, of: str, *, phases: Iterable[str] = OF_A_MESSAGE) -> Callable[[W], W]:
        """Actions, one for each of the names that the host gives as `of`: `{}` in `pattern` is the name, with `_` for
        what an identifier cannot contain. The class is made anew for each, `member` saying which."""

        def declare(cls: W) -> W:
            self._declare("family", pattern, cls, family=of, phases=tuple(phases))
            return cls

        return declare

    def tag(self, name: str, on: Iterable[str], *, order: int = 0) -> Callable[[T], T]:
        """A tag on words of other extensions, whether they are known or not: `amend(action)` gives the action that takes
        its place, or for a test, `amend(subject)` what it looks at instead. The class's positional arguments are what
        follows the tag. `on` names words, or tags: then the tag is allowed wherever such a tag is written too
        (`on=[":fcc"]`). Several tags amend by their `order`, then as they are in the script."""

        def declare(cls: T) -> T:
            self._declare("tag", name.lower(), cls, on=tuple(on), order=order)
            return cls

        return declare

    def amends(self, on: Iterable[str], *, unless: str = "", order: int = 0) -> Callable[[F], F]:
        """A function of the run that amends every action of these words, and with "keep" the implicit keep: it gives
        something with `amend(action)`, or None. It is not asked for a word with the tag `unless`."""

        def declare(function: F) -> F:
            self.declared.append(
                Declared("amender", function.__name__, function, self, on=tuple(on), order=order, unless=unless.lower())
            )
            return function

        return declare

    def choice(self, kind: str, name: str) -> Callable[[H], H]:
        """One of the choices of `kind`, a tag (":is") or a name ("i;octet"); the class's arguments are what follows it."""

        def declare(cls: H) -> H:
            self._declare("choice", name.lower(), cls, kind=kind)
            return cls

        return declare

    def match_type(self, name: str) -> Callable[[H], H]:
        """A match type: a choice that is a `MatchType`."""
        return self.choice("match_type", name)

    def comparator(self, name: str) -> Callable[[H], H]:
        """A comparator: a choice that is a `Comparator`."""
        return self.choice("comparator", name)

    def address_part(self, name: str) -> Callable[[H], H]:
        """An address part: a choice whose `part(address)` gives the part of an address, or None where it has none."""
        return self.choice("address_part", name)

    def reader(self, order: int, dialect: str = "") -> Callable[[C], C]:
        """How strings are read: `read(text, use, span)` gives the string meant, or a template, or a list of both that
        follow one another. Readers come in their `order`, and see what those before left as plain text; one of a
        `dialect` is there in scripts of that dialect, required or not, and only there."""

        def declare(cls: C) -> C:
            self._declare("reader", cls.__name__, cls, order=order, dialect=dialect)
            return cls

        return declare

    def namespace(self, name: str) -> Callable[[C], C]:
        """A namespace of variables (RFC 5229, 3): a subclass of `Namespace`; `value(run, rest)` is what `${name.rest}`
        stands for."""

        def declare(cls: C) -> C:
            self._declare("namespace", name.lower(), cls)
            return cls

        return declare

    def setting(self, option: Option) -> Option:
        """A setting of this extension: in a site's file it is in the stanza `extension "capability"`."""
        self.settings[option.name] = option
        return option
