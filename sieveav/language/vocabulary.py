"""vocabulary: the words a script may use just now: the base's, and those of the extensions it has required.

What is not required is not known (RFC 5228, 2.10.5); the library of all extensions serves for hints only, save in a
dialect that needs no `require`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from sieveav.language.extension import Declared, Extension, identifier


class Library(Protocol):
    """Where extensions are found."""

    def find(self, capability: str) -> Extension | None:
        """The extension of that capability, loaded if need be."""
        ...

    def later(self, capability: str) -> bool:
        """Whether `capability` is known to be missing: a real one, which this version does not have."""
        ...

    def everything(self) -> Iterable[Extension]:
        """All extensions there are, in the order of their capabilities."""
        ...


class Vocabulary:
    """The words known in one script.

    `names` are the families' members that the host knows (`{"engines": ("clamav", "yara")}`), `settings` the values of
    extensions' settings by capability and name where they are not the defaults, `phase` the SMTP phase that the script
    is for, `dialect` "" or the name of one.
    """

    def __init__(
        self,
        base: Iterable[Extension],
        library: Library,
        *,
        names: Mapping[str, Sequence[str]] | None = None,
        settings: Mapping[str, Mapping[str, Any]] | None = None,
        phase: str = "each_rcpt",
        dialect: str = "",
    ) -> None:
        self.library = library
        self.names = names or {}
        self.given_settings = settings or {}
        self.phase = phase
        self.dialect = dialect
        self.capabilities: set[str] = set()
        self.commands: dict[str, Declared] = {}
        self.tests: dict[str, Declared] = {}
        self.tags: dict[str, dict[str, Declared]] = {}
        self.choices: dict[str, dict[str, Declared]] = {}
        self.namespaces: dict[str, Declared] = {}
        self.readers: list[Declared] = []
        self.settings: dict[str, dict[str, Any]] = {}
        for extension in base:
            self.learn(extension)
        if dialect:  # a dialect needs no require: its words, tests and match types are there; readers are not
            for extension in library.everything():
                self.learn(extension, required=False)

    def require(self, capability: str) -> bool:
        """Learn the words of `capability`, and of those it implies; False when there is no such thing."""
        if capability in self.capabilities:
            return True
        extension = self.library.find(capability)
        if extension is None:
            return False
        self.learn(extension)
        known = [self.require(implied) for implied in extension.implies]  # all of them, even after one that is not
        return all(known)

    def learn(self, extension: Extension, *, required: bool = True) -> None:
        """Add what `extension` declares."""
        if required and extension.capability:  # the base has none
            self.capabilities.add(extension.capability)
        given = self.given_settings.get(extension.capability, {})
        self.settings[extension.capability] = {
            name: given.get(name, option.default) for name, option in extension.settings.items()
        }
        for declared in extension.declared:
            self._learn(declared, required)

    def _learn(self, declared: Declared, required: bool) -> None:
        seam, name = declared.seam, declared.name
        if seam == "test":
            self.tests[name] = declared
        elif seam in ("action", "command"):
            self.commands[name] = declared
        elif seam == "tag":
            for word in declared.on:
                self.tags.setdefault(word, {})[name] = declared
        elif seam == "choice":
            self.choices.setdefault(declared.kind, {})[name] = declared
        elif seam == "namespace":
            self.namespaces[name] = declared
        elif seam == "reader":
            active = declared.dialect == self.dialect if declared.dialect else required
            if active and declared not in self.readers:
                self.readers = sorted([*self.readers, declared], key=lambda reader: reader.order)
        elif seam == "family":
            for word, command in _members(declared, self.names):
                self.commands[word] = command

    def requiring(self, seam: str, name: str, *, on: str = "", kind: str = "") -> str:
        """The hint which `require` would bring the word, tag or choice `name`, "" when none would; all extensions are
        searched."""
        for extension in self.library.everything():
            if any(self._brings(declared, seam, name, on, kind) for declared in extension.declared):
                return f'write: require "{extension.capability}";'
        return ""

    def _brings(self, declared: Declared, seam: str, name: str, on: str, kind: str) -> bool:
        if declared.seam == "family":
            return seam == "action" and any(
                _member_word(declared, member) == name for member in self.names.get(declared.family, ())
            )
        same = declared.seam == seam or {declared.seam, seam} == {"action", "command"}
        return same and declared.name == name and declared.kind == kind and (not on or on in declared.on)


def _member_word(family: Declared, member: str) -> str:
    return family.name.replace("{}", identifier(member))


def _members(family: Declared, names: Mapping[str, Sequence[str]]) -> Iterable[tuple[str, Declared]]:
    """The words of a family: one for each name that the host gives."""
    for member in names.get(family.family, ()):
        word = _member_word(family, member)
        made = type(word, (family.made,), {"member": member, "__doc__": family.made.__doc__})
        yield word, Declared("action", word, made, family.extension, phases=family.phases)
