"""extension: the declarations that a file makes of the words it brings.

An extension is made of declarations only; it edits nothing and is entered in no list. Its file says

    copy = Extension("copy", "RFC 3894")

    @copy.tag(":copy", on=["fileinto", "redirect"])
    class Copy:
        def amend(self, action): ...

and whoever requires "copy" gets the tag. Every seam of the language is one method of `Extension`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from sieveav.options import Option

C = TypeVar("C", bound=type)

PHASES = ("connect", "ehlo", "mailfrom", "rcptto", "data", "spool", "each_rcpt")
"""The SMTP phases, in their order. A user's script runs in the last."""

OF_A_MESSAGE = ("data", "spool", "each_rcpt")
"""The phases in which there is a message: where a test may stand unless it says otherwise."""

OF_A_RECIPIENT = ("each_rcpt",)
"""The phase in which there is a recipient: where an action may stand unless it says otherwise."""


def identifier(name: str) -> str:
    """What stands for `name` where an identifier must: lower-case, `_` for each character that none can hold. So an
    engine is named in its action (`f_secure` for f-secure), and an extension's file after its capability."""
    return re.sub(r"[^a-z0-9]", "_", name.lower())


@dataclass(frozen=True)
class Declared:
    """One declaration. `seam` says which kind, `name` the word, tag or choice, `made` the class; what else there is
    depends on the seam: `on` the words a foreign tag stands on, `kind` a choice's kind, `phases` a word's."""

    seam: str
    name: str
    made: Any
    extension: Extension
    on: tuple[str, ...] = ()
    kind: str = ""
    phases: tuple[str, ...] = ()
    dialect: str = ""
    order: int = 0
    family: str = ""
    unwritten: Any = None


_METHODS = {"test": "holds", "action": "run", "command": "run", "tag": "amend", "reader": "read", "namespace": "value"}
"""What a declared class must have, so that a slip of an author is told when the file is loaded, in words."""


class Extension:
    """A capability, where it is specified, and all that it brings. `implies` names capabilities that come with it."""

    def __init__(self, capability: str, source: str, *, implies: Iterable[str] = ()) -> None:
        self.capability = capability
        self.source = source
        self.implies = tuple(implies)
        self.declared: list[Declared] = []
        self.settings: dict[str, Option] = {}
        self.module = ""

    def __repr__(self) -> str:
        return f"Extension({self.capability!r})"

    def _declare(self, seam: str, name: str, made: Any, **more: Any) -> None:
        wanted = _METHODS.get(seam)
        if wanted and not hasattr(made, wanted):
            raise TypeError(f"{self.capability}: the {seam} {name} has no method {wanted}")
        self.declared.append(Declared(seam, name, made, self, **more))

    def _word(self, seam: str, given: Any, **more: Any) -> Any:
        if isinstance(given, type):
            self._declare(seam, given.__name__.lower(), given, **more)
            return given

        def declare(cls: C) -> C:
            self._declare(seam, given or cls.__name__.lower(), cls, **more)
            return cls

        return declare

    @overload
    def test(self, given: C) -> C: ...
    @overload
    def test(self, given: str = "", *, phases: Iterable[str] = ...) -> Callable[[C], C]: ...
    def test(self, given: Any = "", *, phases: Iterable[str] = OF_A_MESSAGE) -> Any:
        """A test, named like its class unless said: `holds(run)` answers it."""
        return self._word("test", given, phases=tuple(phases))

    @overload
    def action(self, given: C) -> C: ...
    @overload
    def action(self, given: str = "", *, phases: Iterable[str] = ...) -> Callable[[C], C]: ...
    def action(self, given: Any = "", *, phases: Iterable[str] = OF_A_RECIPIENT) -> Any:
        """A command that does something about the message: `run(run)`."""
        return self._word("action", given, phases=tuple(phases))

    @overload
    def command(self, given: C) -> C: ...
    @overload
    def command(self, given: str = "", *, phases: Iterable[str] = ...) -> Callable[[C], C]: ...
    def command(self, given: Any = "", *, phases: Iterable[str] = PHASES) -> Any:
        """A command that steers the script, such as one that takes a block: `run(run)`."""
        return self._word("command", given, phases=tuple(phases))

    def family(self, pattern: str, of: str, *, phases: Iterable[str] = OF_A_MESSAGE) -> Callable[[C], C]:
        """Actions, one for each of the names that the host gives as `of`: `{}` in `pattern` is the name, with `_` for
        what an identifier cannot hold. The class is made anew for each, `member` saying which."""

        def declare(cls: C) -> C:
            self._declare("family", pattern, cls, family=of, phases=tuple(phases))
            return cls

        return declare

    def tag(
        self, name: str, on: Iterable[str], *, order: int = 0, unwritten: Callable[[], Any] | None = None
    ) -> Callable[[C], C]:
        """A tag on other extensions' words, whether they are known or not: `amend(action)` gives the action that takes
        its place, or for a test, `amend(subject)` what it looks at instead. The class's fields are what follows the tag;
        the first positional ones. Several tags amend by their `order`, then as they stand in the script.

        `unwritten` makes what stands in the place of the tag where the script does not write it, and on the implicit keep
        if the tag goes on keep: something with `amend`, or a template whose `settle(run)` gives that when it is met."""

        def declare(cls: C) -> C:
            self._declare("tag", name.lower(), cls, on=tuple(on), order=order, unwritten=unwritten)
            return cls

        return declare

    def choice(self, kind: str, name: str) -> Callable[[C], C]:
        """One of the choices of `kind`, a tag (":is") or a name ("i;octet"); the class's fields are what follows it."""

        def declare(cls: C) -> C:
            self._declare("choice", name.lower(), cls, kind=kind)
            return cls

        return declare

    def match_type(self, name: str) -> Callable[[C], C]:
        """A match type: a choice whose `matcher(comparator, keys)` answers whether any value matches any key."""
        return self.choice("match_type", name)

    def comparator(self, name: str) -> Callable[[C], C]:
        """A comparator: a choice with `fold`, and what it can be used for."""
        return self.choice("comparator", name)

    def address_part(self, name: str) -> Callable[[C], C]:
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
        """A namespace of variables (RFC 5229, 3): `value(run, rest)` is what `${name.rest}` stands for."""

        def declare(cls: C) -> C:
            self._declare("namespace", name.lower(), cls)
            return cls

        return declare

    def setting(self, option: Option) -> Option:
        """A setting of this extension: in a site's file it stands in the stanza `extension "capability"`."""
        self.settings[option.name] = option
        return option
